"""Asks a server of runs, sensibly and otherwise. usage: serve_client.py VECTRAIL REQUESTS, in a folder with runs."""

import http.client
import json
import math
import random
import re
import select
import signal
import socket
import subprocess
import sys
import time

VECTRAIL, REQUESTS = sys.argv[1], int(sys.argv[2])


def serve(*arguments):
    child = subprocess.Popen([VECTRAIL, "serve", *arguments], stdout=subprocess.PIPE, text=True)
    line = child.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
    assert found, line
    return child, int(found.group(1))


def stop(child):
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 0, "the server did not end well"


def ask(port, path, method="GET", headers=None, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body=body, headers=headers or {})
    reply = connection.getresponse()
    data = reply.read()
    connection.close()
    return reply, data


def get(port, path):
    """Asks until it is there: what is being computed is answered by 503."""
    for _ in range(1500):
        reply, data = ask(port, path)
        if reply.status != 503:
            break
        assert reply.getheader("Retry-After") == "1"
        time.sleep(0.02)
    assert reply.status == 200, (path, reply.status, data[:200])
    return data


def told(port, path):
    return json.loads(get(port, path))


def check_routes(port):
    runs = told(port, "/api/runs")["runs"]
    assert [run["path"] for run in runs] == ["first", "second"]
    get(port, "/api/runs/0/movement?first=0")
    summary = told(port, "/api/runs/0")
    facts = summary["map"]
    frames, words = len(facts["steps"]), facts["words"]
    assert summary["state"] == "finished" and frames == 6 and facts["positions"] == 6
    assert len(summary["ledger"]) == 2 and len(facts["clusters"]) >= 2
    texts = told(port, "/api/runs/0/words")["texts"]
    assert len(texts) == words
    assert len(get(port, "/api/runs/0/frames")) == frames * words * 4
    assert len(get(port, "/api/runs/0/frames?first=5&count=1")) == words * 4
    assert len(get(port, "/api/runs/0/movement")) == frames * words
    assert len(get(port, "/api/runs/0/clusters")) == words
    a, b = summary["ledger"]
    axes = ",".join(str(texts.index(word)) for word in ("g1w0", "g2w0", "g3w0", "g4w0"))
    assert len(get(port, f"/api/runs/0/plane?axes={axes}&first=5")) == words * 4
    share = told(port, f"/api/runs/0/plane/share?axes={axes}")["share"]
    assert 0 < sum(share) <= sum(facts["share"]) + 1e-6 and min(share) >= 0, share
    assert told(port, "/api/runs/0/find?text=g1w0")["word"] == texts.index("g1w0")
    near = told(port, f"/api/runs/0/neighbors?word={a}&k=4")["frames"]
    assert len(near) == frames and all(len(list_) == 4 for list_ in near)
    pair = told(port, f"/api/runs/0/pair?a={a}&b={near[5][0][0]}&ranks=1")["frames"]
    assert pair[5][1] == 1 and abs(pair[5][0] - near[5][0][1]) < 1e-5
    numbers = told(port, f"/api/runs/0/coordinates?a={a}&b={b}")
    lengths = [math.sqrt(sum(x * x for x in numbers[key])) for key in "ab"]
    cosine = sum(x * y for x, y in zip(numbers["a"], numbers["b"])) / (lengths[0] * lengths[1])
    assert len(numbers["a"]) == 12 and abs(cosine - numbers["cosine"]) < 1e-3, numbers
    story = told(port, f"/api/runs/0/word?word={a}")["frames"]
    assert story[0][1] == 0 and story[0][2] is None and story[5][1] > 0
    assert len(told(port, f"/api/runs/0/analogy?words={axes}")["frames"]) == frames
    movers = told(port, "/api/runs/0/movers?frame=3&k=5")["words"]
    assert len(movers) == 5 and movers == sorted(movers, key=lambda m: -m[1])
    table = told(port, "/api/runs/0/table?frame=0")
    assert sum(table["cosines"]) == 20000 and table["high"] == -table["low"]
    parts = told(port, f"/api/runs/0/explain?word={a}&toward={b}&centered=1&k=1")
    whole = parts["baseline"] + parts["start"] + parts["rest"] + sum(c["contribution"] for c in parts["contributions"])
    assert len(parts["contributions"]) == 1 and abs(whole - parts["cosine"]) < 1e-4, (whole, parts["cosine"])
    way = told(port, f"/api/runs/0/explain?word={a}&by=role")
    assert abs(way["rest"] + sum(c["contribution"] for c in way["contributions"]) - 1) < 1e-4
    assert "findings" in told(port, "/api/runs/0/diagnosis")
    measures = told(port, "/api/runs/0/measures")
    assert len(measures["steps"]) == frames and "displacement" in measures["series"]
    check_compare(port, words)


def check_compare(port, words):
    same = told(port, "/api/compare?a=0&b=0")
    assert same["overlap"]["mean"] == 1 and same["cosine"]["mean"] > 0.999999 and not same["aligned"]
    other = told(port, "/api/compare?a=0&b=1&k=3")
    assert other["aligned"] and len(other["least"]) == 3
    assert {"key": "seed", "a": "1", "b": "2"} in other["settings"]
    assert len(get(port, "/api/compare/positions?a=0&b=1")) == words * 4
    own = get(port, "/api/runs/0/frames?first=2&count=1")
    placed = get(port, "/api/compare/positions?a=0&b=0&frame_b=2")
    differ = [abs(x - y) for x, y in zip(memoryview(own).cast("h"), memoryview(placed).cast("h"))]
    assert max(differ) <= 1, "a run's own words stand elsewhere on its map"


def check_refusals(port):
    wanted = [("/api/runs/2", 404), ("/api/runs/x", 404), ("/api/runs/0/nothing", 404), ("/../secret.txt", 404), ("/secret.txt", 404),
              ("/%2e%2e/secret.txt", 404), ("/api/runs/0/../../secret.txt", 404), ("/first/run.db", 404), ("/api/runs/0/neighbors", 400),
              ("/api/runs/0/neighbors?word=-1", 400), ("/api/runs/0/neighbors?word=99999999", 400), ("/api/runs/0/neighbors?word=1&k=101", 400),
              ("/api/runs/0/frames?first=6", 400), ("/api/runs/0/frames?count=1e3", 400), ("/api/runs/0/frames?view=77", 409),
              ("/api/runs/0/plane?axes=1,2,3", 400), ("/api/runs/0/plane?axes=1,1,2,2", 422),
              ("/api/runs/0/plane/share?axes=1,1,2,2", 422), ("/api/runs/0/plane/share", 400), ("/api/runs/0/plane/other?axes=1,2,3,4", 404), ("/api/runs/0/explain?word=0", 422),
              ("/api/runs/0/explain?word=1&by=magic", 400), ("/api/compare?a=9", 400), ("/api/runs/0/find", 400), ("/app.jsx", 404)]
    for path, status in wanted:
        reply, data = ask(port, path)
        assert reply.status == status, (path, reply.status, status, data[:200])
        assert "error" in json.loads(data)
        assert b"not to be read" not in data
    for host in ("example.com", "127.0.0.1.example.com", f"127.0.0.1:{port + 1}", "localhost.", ""):
        assert ask(port, "/api/runs", headers={"Host": host})[0].status in (400, 403), host
    assert ask(port, "/api/runs", headers={"Host": f"localhost:{port}"})[0].status == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        assert ask(port, "/api/runs", method, body=b"x" * 3000)[0].status == 405, method
    reply, data = ask(port, "/", headers={"Origin": "http://example.com"})
    assert reply.getheader("Content-Security-Policy").startswith("default-src 'self';")
    assert reply.getheader("Access-Control-Allow-Origin") is None
    assert b"app.js" in data and ask(port, "/", "HEAD")[1] == b""


def check_damaged(port):
    """Of six snapshots one is missing and one is not what was written: the run is shown without them."""
    bad = [int(step) for step in open("damaged.steps").read().split()]
    for _ in range(1500):
        summary = told(port, "/api/runs/0")
        if summary.get("map", {}).get("positions") == 4:
            break
        time.sleep(0.02)
    facts = summary["map"]
    assert sorted(summary["skipped"]) == bad, summary["skipped"]
    assert len(facts["steps"]) == facts["positions"] == 4 and not set(bad) & set(facts["steps"])
    assert len(get(port, "/api/runs/0/frames")) == 4 * facts["words"] * 4
    assert len(told(port, "/api/runs/0/neighbors?word=1&k=4")["frames"]) == 4


def noise(chance):
    kind = chance.randrange(4)
    if kind == 0:
        return bytes(chance.randrange(256) for _ in range(chance.randrange(1, 400))) + b"\r\n\r\n"
    path = chance.choice(["/api/runs/0/neighbors", "/api/runs/0/frames", "/api/compare", "/api/runs/0/explain", "/api/runs/0/pair", "/", "/api/runs/1/plane"])
    junk = "".join(chance.choice("0123456789abc%&=,./?#\\ -+\t\x00é<'\"") for _ in range(chance.randrange(60)))
    if kind == 1:
        return f"GET {path}?{junk} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    if kind == 2:
        return f"{chance.choice(['GET', 'get', 'BREW', 'POST', ''])} {path}{junk} HTTP/{chance.choice(['1.1', '1.0', '9.9', 'x'])}\r\nHost:{junk}\r\nContent-Length: {chance.choice(['-1', '5', 'x', '99999999999'])}\r\n\r\n".encode()
    return f"GET {path}?word={chance.choice(['-1', '1e9', '99999999999999999999', '1,1', '%00', 'NaN'])}&first={junk} HTTP/1.1\r\nHost: 127.0.0.1\r\n{'X: y' * chance.randrange(2000)}\r\n\r\n".encode("utf-8")


def check_noise(port, child):
    """Whatever comes, the server answers by 4xx (or a sane reply, where it made sense after all), cuts the line, or waits for more."""
    chance = random.Random(11)
    counts = {}
    for _ in range(REQUESTS):
        line = socket.create_connection(("127.0.0.1", port), timeout=30)
        try:
            line.sendall(noise(chance))
            line.shutdown(socket.SHUT_WR)
            data = b""
            while len(data) < 12 and select.select([line], [], [], 0.25)[0]:
                part = line.recv(4096)
                if not part:
                    break
                data += part
            status = int(data[9:12]) if data.startswith(b"HTTP/1.") else 0
        except OSError:
            status = 0
        line.close()
        counts[status] = counts.get(status, 0) + 1
        # 503: being computed. 505 comes from the library, before anybody looks: there is no such version of HTTP.
        assert status < 500 or status in (503, 505), status
    assert child.poll() is None, "the server is gone"
    assert sum(count for status, count in counts.items() if status // 100 == 4) > REQUESTS / 5, counts
    assert told(port, "/api/runs")["runs"]
    print("noise:", {k or "no reply": v for k, v in sorted(counts.items())})


def check_events(port):
    line = socket.create_connection(("127.0.0.1", port), timeout=30)
    line.sendall(f"GET /api/runs/0/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    data = b""
    while b"\n\n" not in data.split(b"\r\n\r\n", 1)[-1]:
        data += line.recv(4096)
    assert b"text/event-stream" in data and b'"state":"finished"' in data
    assert not select.select([line], [], [], 0.4)[0], "the stream should be open and silent"
    return line


child, port = serve("first", "second", "--threads", "4")
check_routes(port)
check_refusals(port)
streams = [check_events(port) for _ in range(3)]
check_noise(port, child)
# An explicit port that is taken is an error; the default one moves on.
taken = subprocess.run([VECTRAIL, "serve", "first", "--port", str(port)], capture_output=True, text=True)
assert taken.returncode == 1 and "cannot be listened on" in taken.stderr, taken
second, other = serve("damaged")
assert other != port
check_damaged(other)
stop(second)
stop(child)
for stream in streams:
    stream.close()
