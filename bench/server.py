#!/usr/bin/env python3
"""How soon `vectrail serve` answers many at a time. Needs Python 3.9 or later alone.

    bench/server.py VECTRAIL RUN [--clients N] [--seconds N] [--pause MS]

Each client keeps a connection, asks something about random words, waits about so long and asks again, as a page does
while somebody looks at it: the nearest words at a frame, or a curve (the cosine of a pair, the story of a word) over all
frames. Prints one JSON object: milliseconds from the request to the last byte of the answer, by kind, and what a client
that only waits its turn on this machine sees (`asleep`: how much later than asked for it wakes up), which no server undercuts.
"""
import argparse
import asyncio
import json
import os
import random
import re
import subprocess
import time
import urllib.error
import urllib.request


class Client:
    def __init__(self, port, words, frames, pause, seed):
        self.port, self.words, self.frames, self.pause = port, words, frames, pause
        self.draw = random.Random(seed)
        self.taken = {"neighbors": [], "pair": [], "word": [], "asleep": []}

    def question(self):
        word = lambda: min(self.draw.randrange(self.words), self.draw.randrange(self.words))  # noqa: E731 frequent ones more often
        kind = self.draw.choice(("neighbors", "neighbors", "pair", "word"))
        if kind == "neighbors":
            return kind, f"neighbors?word={word()}&k=10&first={self.draw.randrange(self.frames)}&count=1"
        return kind, f"pair?a={word()}&b={word()}" if kind == "pair" else f"word?word={word()}"

    async def ask(self, reader, writer, path):
        writer.write(f"GET /api/runs/0/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head[:60]
        return await reader.readexactly(int(re.search(rb"Content-Length: (\d+)", head).group(1)))

    async def run(self, until):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 22)
        while time.perf_counter() < until:
            asked = self.pause * self.draw.uniform(0.5, 1.5)
            began = time.perf_counter()
            await asyncio.sleep(asked)
            self.taken["asleep"].append(time.perf_counter() - began - asked)
            kind, path = self.question()
            began = time.perf_counter()
            await self.ask(reader, writer, path)
            self.taken[kind].append(time.perf_counter() - began)
        writer.close()


def percentiles(values):
    values = sorted(1000 * value for value in values)
    at = lambda share: round(values[min(len(values) - 1, int(share * len(values)))], 2)  # noqa: E731
    return {"answers": len(values), "p50": at(0.5), "p99": at(0.99), "most": at(1)}


def wait_until_whole(port):
    """Until the summary says that everything has been computed."""
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/runs/0", timeout=30) as reply:
                facts = json.load(reply).get("map")
            if facts and facts["movement"] == len(facts["steps"]):
                return facts
        except urllib.error.HTTPError:
            pass
        time.sleep(0.2)


async def measure(port, facts, arguments):
    clients = [Client(port, facts["words"], len(facts["steps"]), arguments.pause / 1000, seed) for seed in range(arguments.clients)]
    until = time.perf_counter() + arguments.seconds
    await asyncio.gather(*(client.run(until) for client in clients))
    return {kind: percentiles([t for client in clients for t in client.taken[kind]]) for kind in clients[0].taken}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("vectrail")
    parser.add_argument("run")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--pause", type=float, default=250, help="milliseconds between an answer and the next question [250]")
    arguments = parser.parse_args()
    server = subprocess.Popen([os.path.realpath(arguments.vectrail), "serve", arguments.run], stdout=subprocess.PIPE, text=True)
    try:
        port = int(re.search(r":(\d+)/", server.stdout.readline()).group(1))
        facts = wait_until_whole(port)
        result = asyncio.run(measure(port, facts, arguments))
        print(json.dumps({"words": facts["words"], "frames": len(facts["steps"]), "dim": facts["dim"], "clients": arguments.clients, **result}))
    finally:
        server.terminate()
        server.wait(30)


if __name__ == "__main__":
    main()
