#!/usr/bin/env python3
"""Does a sweep find the rank of a text whose rank is known?

usage: bench/planted_rank.py VECTRAIL [--ranks 8,32,128] [--seeds 10] [--first-seed 1] [--words 256] [--lines N]

A text is lines of two words, drawn from P_ij ~ (1 + M_ij / 2) / (1 - M_ij / 2), M = c U D U' with U [words x rank] of
orthonormal columns and D falling from 1 to 0.4: so the matrix of the quadratic model has `rank` large eigenvalues, and c
is as large as its entries allow. For each rank and seed a text is drawn and a sweep run over dimensions that lie a factor of about 1.4 apart. It is
right where the recommended dimension lies within a factor of 1.5 of the rank. The exit status is 1 where a rank has
fewer right than 8 in 10.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy


def draw(path, words, rank, lines, seed):
    random = numpy.random.default_rng([seed, rank])
    directions, _ = numpy.linalg.qr(random.standard_normal((words, rank)))
    matrix = directions * numpy.linspace(1, 0.4, rank) @ directions.T
    matrix *= 1.6 / numpy.abs(matrix).max()
    odds = (1 + matrix / 2) / (1 - matrix / 2)
    counts = random.multinomial(lines, (odds / odds.sum()).ravel()).reshape(words, words)
    names = [numpy.base_repr(word, 36).lower() for word in range(words)]
    with open(path, "w", encoding="ascii") as file:
        for a in range(words):
            file.write("".join(f"{names[a]} {names[b]}\n" * counts[a, b] for b in range(words)))


def dimensions(rank, words):
    """Around the rank, a factor of 2^(1/2) apart; the rank itself is among them, and is told apart from 1.41 of it."""
    steps = {round(rank * 2 ** (k / 2)) for k in range(-8, 5)}
    return sorted(d for d in steps if 1 <= d <= words - 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vectrail")
    parser.add_argument("--ranks", default="8,32,128")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--words", type=int, default=256)
    parser.add_argument("--model", default="spectral")
    parser.add_argument("--lines", type=int, help="of text; as many as make the signal stand out where not given")
    parser.add_argument("--patience", default="0.1")
    arguments = parser.parse_args()
    enough = True
    print("rank  lines       recommended                                        right  U-shaped  parts / error")
    for rank in map(int, arguments.ranks.split(",")):
        # Signal over noise goes with the root of lines / words, over the rank; and M is to be told of a pair.
        lines = arguments.lines or int(max(min(20 * arguments.words * rank**2, 21_000_000), 15 * arguments.words**2))
        found, shaped, worst = [], 0, 0
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            with tempfile.TemporaryDirectory() as folder:
                text = pathlib.Path(folder, "text.txt")
                draw(text, arguments.words, rank, lines, seed)
                command = [arguments.vectrail, "sweep", text, "--json", "--quiet", "--model", arguments.model, "--window",
                           "1", "--sample", "0", "--min-count", "1", "--seed", str(seed), "--patience",
                           arguments.patience, "--dim", ",".join(map(str, dimensions(rank, arguments.words)))]
                if arguments.model != "spectral":
                    command += ["--run", pathlib.Path(folder, "runs"), "--seeds", "1", "--negative", "5"]
                answer = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            found.append(answer["dim"])
            known = [d for d in answer["dims"] if d["bias2"] is not None]
            errors = [d["error"] for d in answer["dims"] if d["error"] is not None]
            shaped += min(errors) < errors[0] and min(errors) < errors[-1]
            worst = max([worst] + [abs((d["bias2"] + d["variance"] + d["noise"]) / d["error"] - 1) for d in known])
        right = sum(rank / 1.5 <= d <= rank * 1.5 for d in found)
        enough &= right >= math.ceil(0.8 * arguments.seeds)
        print(f"{rank:4}  {lines:<10}  {' '.join(map(str, found)):<50} {right:2}/{arguments.seeds:<2}  "
              f"{shaped:2}/{arguments.seeds:<2}     1 +- {worst:.1e}", flush=True)
    sys.exit(0 if enough else 1)


if __name__ == "__main__":
    main()
