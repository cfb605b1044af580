#!/usr/bin/env python3
"""A server under load for a while: right answers, flat memory, slow clients cut off.

    server_load.py VECTRAIL [--seconds N]

Eight clients ask all that there is to be asked as fast as they can, some send nonsense, some trickle a request byte by byte.
The memory of the server at the end must be what it was after the first tenth, within a tenth and 4 MiB; every answer to a
sound request must be the same each time. (An answer over frames may end early where the server has worked on it for long, as
it does on a busy machine; it must be the beginning of the whole one.)
"""
import argparse
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import SETTINGS, write_text  # noqa: E402

PATHS = ["/", "/app.js", "/api/runs", "/api/runs/0/words", "/api/runs/0/frames", "/api/runs/0/movement", "/api/runs/0/clusters",
         "/api/runs/0/neighbors?word=3&k=5", "/api/runs/0/pair?a=0&b=1&ranks=1", "/api/runs/0/word?word=2",
         "/api/runs/0/analogy?words=0,1,2,3", "/api/runs/0/table?frame=1&edge=500", "/api/runs/0/plane?axes=0,1,2,3",
         "/api/runs/0/find?text=kng", "/nothing", "/api/runs/9/words", "/api/runs/0/word?word=x"]


OVER_FRAMES = ("/api/runs/0/neighbors", "/api/runs/0/pair", "/api/runs/0/word?", "/api/runs/0/analogy", "/api/runs/0/plane")


def shared(path, a, b):
    """The longer of two answers; None where they are not the same, or the shorter not the beginning of the longer."""
    if a == b:
        return a
    shorter, longer = sorted((a, b), key=lambda answer: len(answer[1]))
    if not path.startswith(OVER_FRAMES) or a[0] != 200 or b[0] != 200:
        return None
    if "plane" in path:
        return longer if shorter[1] and longer[1].startswith(shorter[1]) else None
    less, more = json.loads(shorter[1]), json.loads(longer[1])
    begun = less["frames"] and more["frames"][: len(less["frames"])] == less["frames"] and less["first"] == more["first"]
    return longer if begun else None


class Load:
    def __init__(self, port):
        self.port, self.stop, self.lock = port, False, threading.Lock()
        self.answers, self.count, self.wrong, self.cut = {}, 0, [], 0

    def client(self, seed):
        draw = random.Random(seed)
        while not self.stop:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            for _ in range(draw.randint(1, 50)):
                path = draw.choice(PATHS)
                try:
                    connection.request("GET", path)
                    answer = connection.getresponse()
                    found = answer.status, answer.read()
                except (OSError, http.client.HTTPException) as reason:
                    with self.lock:
                        self.wrong.append(f"{path}: {reason!r}")
                    break
                with self.lock:
                    self.count += 1
                    both = shared(path, self.answers.setdefault(path, found), found)
                    if both is None:
                        self.wrong.append(f"{path}: another answer: {found[0]} {found[1][:200]!r}")
                    else:
                        self.answers[path] = both
            connection.close()

    def nonsense(self, seed):
        draw = random.Random(seed)
        while not self.stop:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
                    connection.sendall(bytes(draw.randrange(256) for _ in range(draw.randrange(2000))))
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(4096):
                        pass
            except OSError:
                pass
            time.sleep(0.01)

    def trickle(self):
        """A request that never ends, a byte at a time."""
        while not self.stop:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
                    connection.sendall(b"GET / HTTP/1.1\r\nX: ")
                    while not self.stop:
                        connection.sendall(b"x")
                        time.sleep(0.5)
            except OSError:
                with self.lock:
                    self.cut += 1


def resident_kib(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vectrail")
    parser.add_argument("--seconds", type=float, default=3600)
    arguments = parser.parse_args()
    vectrail = os.path.realpath(arguments.vectrail)
    with tempfile.TemporaryDirectory(prefix="vtt_") as folder:
        write_text(os.path.join(folder, "tiny.txt"))
        subprocess.run([vectrail, "train", "tiny.txt", "--run", "run", *SETTINGS], cwd=folder, check=True)
        server = subprocess.Popen([vectrail, "serve", "run"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        port = int(server.stdout.readline().decode().rstrip("/\n").rsplit(":", 1)[1])
        time.sleep(3)  # until the view is whole
        load = Load(port)
        threads = [threading.Thread(target=load.client, args=(k,)) for k in range(8)]
        threads += [threading.Thread(target=load.nonsense, args=(100 + k,)) for k in range(2)]
        threads += [threading.Thread(target=load.trickle) for _ in range(20)]
        for thread in threads:
            thread.start()
        time.sleep(arguments.seconds / 10)
        early = resident_kib(server)
        time.sleep(arguments.seconds * 9 / 10)
        late = resident_kib(server)
        load.stop = True
        for thread in threads:
            thread.join()
        server.terminate()
        status = server.wait(30)
    flat = late <= early * 1.1 + 4096
    print(f"{load.count} answers in {arguments.seconds:.0f} s, {len(load.wrong)} wrong; {load.cut} slow clients cut off; "
          f"memory {early} KiB after a tenth, {late} KiB at the end; status {status}")
    for wrong in load.wrong[:10]:
        print("FAILED:", wrong)
    slow_cut = load.cut > 0 or arguments.seconds < 130
    return not (flat and not load.wrong and slow_cut and status == 0)


if __name__ == "__main__":
    sys.exit(main())
