#!/usr/bin/env python3
"""The limits that vectrail states, reached.

    limits.py VECTRAIL LIMITS [--tokens N] [--scale S] [--only PART]

Parts: tokens (three decades up to N: a table of time and memory), line (1 GB), rows (a database of 10 GB), vocabulary (10
million words), dimension (4,096), words (of 1 KB), snapshots (1,000). --scale 0.1 makes the large ones a tenth as large.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile


def call(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"FAILED: {' '.join(command)}\n  {done.stderr[-600:]}", flush=True)
        sys.exit(1)
    return done.stdout


def train(vectrail, folder, text, *options):
    run = os.path.join(folder, "run")
    out = call(vectrail, "train", text, "--run", run, "--force", "--quiet",
               "--json", "--min-count", "1", "--epochs", "1", "--sample", "0", *options)
    result, info = json.loads(out), json.loads(call(vectrail, "info", run, "--json"))
    return result, info, run


def tokens(arguments, folder):
    for decade in (1000, 100, 10, 1):
        count = arguments.tokens // decade
        print("tokens:", call(arguments.limits, "tokens", str(count), "1000000", folder).strip(), flush=True)


def line(arguments, folder):
    print("line:", call(arguments.limits, "line", str(int(arguments.scale * 1e9)), folder).strip(), flush=True)


def rows(arguments, folder):
    print("rows:", call(arguments.limits, "rows", str(int(arguments.scale * 1e10)), folder).strip(), flush=True)


def vocabulary(arguments, folder):
    count = int(arguments.scale * 1e7)
    text = os.path.join(folder, "text")
    with open(text, "w", encoding="utf-8") as file:
        for k in range(0, count, 20):
            file.write(" ".join(f"w{j}" for j in range(k, k + 20)) + "\n")
    result, _, run = train(arguments.vectrail, folder, text, "--dim", "4", "--snapshots", "2", "--probes", "2", "--checkpoint", "0")
    near = json.loads(call(arguments.vectrail, "neighbors", run, "w7", "--json"))
    assert result["tokens"] == count and len(near["neighbors"]) == 10, (result, near)
    print(f"vocabulary: words={count} seconds={result['seconds']}", flush=True)


def dimension(arguments, folder):
    text = os.path.join(folder, "text")
    with open(text, "w", encoding="utf-8") as file:
        for k in range(400):
            file.write(" ".join(f"w{(k * 7 + j * j) % 50}" for j in range(20)) + "\n")
    result, _, run = train(arguments.vectrail, folder, text, "--dim", "4096", "--snapshots", "3")
    json.loads(call(arguments.vectrail, "neighbors", run, "w7", "--json"))
    print(f"dimension: dim=4096 loss={result['loss']:.4f}", flush=True)


def words(arguments, folder):
    text = os.path.join(folder, "text")
    with open(text, "w", encoding="utf-8") as file:
        for k in range(2000):
            file.write(" ".join(chr(97 + (k + j) % 20) * 1024 for j in range(10)) + "\n")
    _, _, run = train(arguments.vectrail, folder, text, "--dim", "8", "--snapshots", "3")
    near = json.loads(call(arguments.vectrail, "neighbors", run, "b" * 1024, "--json"))
    assert near["word"] == "b" * 1024
    exported = os.path.join(folder, "words.txt")
    call(arguments.vectrail, "export", run, "-o", exported, "--quiet")
    call(arguments.vectrail, "import", exported, "--run", run + "2", "--quiet", "--force")
    print("words: bytes=1024", flush=True)


def snapshots(arguments, folder):
    text = os.path.join(folder, "text")
    with open(text, "w", encoding="utf-8") as file:
        for k in range(40000):
            file.write(" ".join(f"w{(k * 7 + j * j) % 50}" for j in range(10)) + "\n")
    _, _, run = train(arguments.vectrail, folder, text, "--dim", "8", "--snapshots", "1300", "--block-tokens", "64", "--blocks", "4")
    count = len(os.listdir(run + "/snapshots"))
    over_time = json.loads(call(arguments.vectrail, "similarity", run, "w1", "w2", "--over-time", "--json"))
    assert count >= 1000 and len(over_time["over_time"]) == count, (count, len(over_time["over_time"]))
    print(f"snapshots: count={count}", flush=True)


PARTS = {"tokens": tokens, "line": line, "rows": rows, "vocabulary": vocabulary, "dimension": dimension, "words": words,
         "snapshots": snapshots}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vectrail")
    parser.add_argument("limits")
    parser.add_argument("--tokens", type=int, default=5_000_000_000)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--only", choices=PARTS, action="append")
    arguments = parser.parse_args()
    for name, part in PARTS.items():
        if arguments.only and name not in arguments.only:
            continue
        with tempfile.TemporaryDirectory(prefix="vtt_") as folder:
            part(arguments, folder)


if __name__ == "__main__":
    main()
