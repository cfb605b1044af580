#!/usr/bin/env python3
"""AdamW moves the mean output vector, SGD does not: the gradient of a full softmax sums to zero over its output rows, so
plain descent leaves their mean where it was; AdamW divides each row by its own history, and the sum is no longer zero
(Stollenwerk and Stollenwerk 2025, "Better Embeddings with Coupled Adam").

usage: bench/mean_row.py VECTRAIL TEXT [--lines 300] [--epochs 8] [-o mean-row.svg]

Trains an untied Transformer on TEXT with both, without weight decay, for 1 to --epochs epochs, and prints how far the mean
of all output rows has gone, as a share of their mean length. -o: a plot.
"""

import argparse
import json
import pathlib
import struct
import subprocess
import tempfile

import numpy as np


def output_rows(path):
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    entry = json.loads(data[8 : 8 + length])["lm_head.weight"]
    begin, end = entry["data_offsets"]
    return np.frombuffer(data[8 + length + begin : 8 + length + end], "<f4").reshape(entry["shape"]).astype(np.float64)


def train(vectrail, lines, folder, optimizer, rate, epochs):
    text = folder / "text.txt"
    text.write_text("".join(lines))
    run = folder / f"{optimizer}-{epochs}"
    subprocess.run(
        [vectrail, "train", text, "--run", run, "--force", "--quiet", "--model", "transformer", "--untied", "--dim", "64",
         "--layers", "2", "--heads", "4", "--context", "32", "--batch", "8", "--min-count", "3", "--epochs", str(epochs),
         "--optimizer", optimizer, "--lr", str(rate), "--schedule", "constant", "--warmup", "0", "--clip", "0",
         "--weight-decay", "0", "--snapshots", "2", "--probes", "2"],
        check=True,
    )
    return output_rows(run / "model.safetensors")


def plot(path, series):
    width, height, colors = 640, 360, {"adamw": "#c2410c", "sgd": "#1d4ed8"}
    most = max(y for points in series.values() for _, y in points) or 1
    last = max(x for points in series.values() for x, _ in points)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
           f'font-size="12"><rect width="100%" height="100%" fill="white"/>'
           f'<text x="60" y="20">|mean output row - its start| / mean length of a row; {most:.3g} at the top</text>']
    for n, (name, points) in enumerate(series.items()):
        line = " ".join(f"{60 + 540 * x / last:.1f},{320 - 280 * y / most:.1f}" for x, y in points)
        out.append(f'<polyline fill="none" stroke-width="2" stroke="{colors[name]}" points="{line}"/>'
                   f'<text x="80" y="{50 + 18 * n}" fill="{colors[name]}">{name}</text>')
    out.append(f'<text x="500" y="345">{last} epochs</text></svg>')
    pathlib.Path(path).write_text("\n".join(out))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vectrail")
    parser.add_argument("text")
    parser.add_argument("--lines", type=int, default=300, help="of TEXT that are used")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("-o", "--output")
    options = parser.parse_args()
    lines = pathlib.Path(options.text).read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    lines = lines[: options.lines]
    series = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for optimizer, rate in ("adamw", 0.001), ("sgd", 0.5):
            start = train(options.vectrail, lines, folder, optimizer, 1e-30, 1)
            series[optimizer] = [(0, 0.0)]
            for epochs in range(1, options.epochs + 1):
                rows = train(options.vectrail, lines, folder, optimizer, rate, epochs)
                drift = np.linalg.norm(rows.mean(0) - start.mean(0))
                series[optimizer].append((epochs, drift / np.linalg.norm(rows, axis=1).mean()))
                moved = np.linalg.norm(rows - start, axis=1).mean() / np.linalg.norm(start, axis=1).mean()
            print(f"{optimizer}: after {options.epochs} epochs the mean output row has gone "
                  f"{series[optimizer][-1][1]:.2e} of a row's mean length, while rows have gone {moved:.3f} of theirs")
    if options.output:
        plot(options.output, series)


main()
