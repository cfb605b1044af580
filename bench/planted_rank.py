#!/usr/bin/env python3
"""Does a sweep find the rank of a text whose rank is known?

usage: bench/planted_rank.py VECTRAIL [--ranks 8,32,128] [--seeds 10] [--first-seed 1] [--words N] [--pairs N]
                             [--picture FILE]

A text is lines of a hundred words, each a walk over words whose neighbours are drawn from P_ij ~ (1 + M_ij / 2) / (1 -
M_ij / 2), M = c U D U' with U [words x rank] of orthonormal columns across the constant one and D falling from 1 to 0.7:
so the matrix of the quadratic model has `rank` large eigenvalues, and c is as large as its entries allow. Printed with the
results: the last eigenvalue that is planted and the first that is not, of the exact probabilities. For each rank and seed
a text is drawn and a sweep run over dimensions that lie a factor of about 1.4 apart. It is right where the recommended
dimension lies within a factor of 1.5 of the rank, U-shaped where the error is larger at both ends of the sweep. The exit
status is 1 where a rank has fewer of either than 8 in 10.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy

LINE = 100
TRAINED = 0.35  # of the text: what a sweep trains on at a time
LETTERS = numpy.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=numpy.uint8)


def probabilities(words, rank, random):
    columns = random.standard_normal((words, rank))
    directions, _ = numpy.linalg.qr(columns - columns.mean(axis=0))
    matrix = directions * numpy.linspace(1, 0.7, rank) @ directions.T
    matrix *= 1.8 / numpy.abs(matrix).max()
    odds = (1 + matrix / 2) / (1 - matrix / 2)
    return odds / odds.sum()


def planted(joint, rank):
    """The eigenvalue of that rank of the matrix that these probabilities have, and the next."""
    chance = numpy.outer(joint.sum(axis=1), joint.sum(axis=0))
    values = numpy.linalg.eigvalsh(2 * (joint - chance) / (joint + chance))[::-1]
    return values[rank - 1], values[rank]


def draw(path, joint, pairs, random):
    words = len(joint)
    alone = joint.sum(axis=1)
    after = numpy.cumsum(joint / alone[:, None], axis=1)
    after[:, -1] = 1
    after = (after + numpy.arange(words)[:, None]).ravel()  # rises through all rows: one search serves all of them
    lines = -(-pairs // (LINE - 1))
    text = numpy.full((lines, LINE, 3), ord(" "), dtype=numpy.uint8)
    text[:, -1, 2] = ord("\n")
    word = random.choice(words, lines, p=alone)
    for place in range(LINE):
        if place > 0:
            found = numpy.searchsorted(after, word + random.random(lines), side="right")
            word = numpy.minimum(found - word * words, words - 1)
        text[:, place, 0] = LETTERS[word // 32]
        text[:, place, 1] = LETTERS[word % 32]
    text.tofile(path)


def dimensions(rank, words):
    """Around the rank, a factor of 2^(1/2) apart; the rank itself is among them, and is told apart from 1.41 of it."""
    steps = {round(rank * 2 ** (k / 2)) for k in range(-8, 5)}
    return sorted(d for d in steps if 1 <= d <= words * 3 // 4)


def enough_pairs(eigenvalue, words):
    """So many that words^(1/2) times the deviation of a sweep's half of the text is half of the eigenvalue: a direction
    is worth having from 1 / 3^(1/2) on. M_ij is known to 1 / (its expected count)^(1/2), which is to be a number."""
    return int(max(4 * words / eigenvalue**2 * words**2 / 2 / TRAINED, 15 * words**2))


def sweep(arguments, rank, words, seed):
    random = numpy.random.default_rng([seed, rank])
    joint = probabilities(words, rank, random)
    eigenvalues = planted(joint, rank)
    pairs = arguments.pairs or enough_pairs(eigenvalues[0], words)
    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(folder, "text.txt")
        draw(text, joint, pairs, random)
        command = [arguments.vectrail, "sweep", text, "--json", "--quiet", "--model", arguments.model, "--window", "1",
                   "--sample", "0", "--min-count", "1", "--seed", str(seed), "--patience", arguments.patience,
                   "--dim", ",".join(map(str, dimensions(rank, words)))]
        if arguments.model != "spectral":
            command += ["--run", pathlib.Path(folder, "runs"), "--seeds", "1", "--negative", "5"]
        if arguments.picture:
            command += ["--picture", arguments.picture]
        answer = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return answer, eigenvalues, pairs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vectrail")
    parser.add_argument("--ranks", default="8,32,128")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--words", type=int, help="256, or four times the rank, where not given")
    parser.add_argument("--model", default="spectral")
    parser.add_argument("--pairs", type=int, help="of neighbours; as many as make the signal stand out where not given")
    parser.add_argument("--patience", default="0.1")
    parser.add_argument("--picture", help="of the last sweep, SVG")
    arguments = parser.parse_args()
    enough = True
    print("rank  words  pairs       recommended                                        right  U-shaped  parts / error  "
          "eigenvalues")
    for rank in map(int, arguments.ranks.split(",")):
        words = arguments.words or max(256, 4 * rank)
        found, shaped, worst = [], 0, 0
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            answer, eigenvalues, pairs = sweep(arguments, rank, words, seed)
            found.append(answer["dim"])
            known = [d for d in answer["dims"] if d["bias2"] is not None]
            errors = [d["error"] for d in answer["dims"] if d["error"] is not None]
            shaped += min(errors) < errors[0] and min(errors) < errors[-1]
            worst = max([worst] + [abs((d["bias2"] + d["variance"] + d["noise"]) / d["error"] - 1) for d in known])
        right = sum(rank / 1.5 <= d <= rank * 1.5 for d in found)
        enough &= min(right, shaped) >= math.ceil(0.8 * arguments.seeds)
        print(f"{rank:4}  {words:5}  {pairs:<10}  {' '.join(map(str, found)):<50} {right:2}/{arguments.seeds:<2}  "
              f"{shaped:2}/{arguments.seeds:<2}     1 +- {worst:.1e}    {eigenvalues[0]:.1f}, then {eigenvalues[1]:.2f}",
              flush=True)
    sys.exit(0 if enough else 1)


if __name__ == "__main__":
    main()
