#!/usr/bin/env python3
"""Writes a text to measure on: the same bytes on every machine.

usage: bench/zipf.py FILE WORDS      WORDS words by Zipf's law, 50,000 different ones, 20 a line
       bench/zipf.py FILE each N     N different words, each once

The word of rank k (from 0) has a probability in proportion to 1 / (k + 2.7), as in natural text; words are independent of
each other, so this text is good for timing and for nothing else. It runs as a process of its own, since what a process
has used counts as the peak memory of those it starts.
"""
import array
import random
import sys

TYPES = 50_000
LINE = 20
SLOTS = 1 << 20  # words are drawn from a table of this many; a power of two


def table():
    """SLOTS words, each in as many slots as is its share of the text."""
    weights = [1 / (rank + 2.7) for rank in range(TYPES)]
    total = sum(weights)
    slots, reached = [], 0.0
    for rank, weight in enumerate(weights):
        reached += weight
        slots += [f"w{rank}"] * (round(reached / total * SLOTS) - len(slots))
    return slots


def write_lines(file, words):
    for at in range(0, len(words), LINE):
        file.write(" ".join(words[at : at + LINE]) + "\n")


def write_zipf(file, count):
    slots, generator = table(), random.Random(1)
    while count > 0:
        size = min(count, 5000 * LINE)
        draws = array.array("I")
        draws.frombytes(generator.randbytes(draws.itemsize * size))
        if sys.byteorder == "big":
            draws.byteswap()
        write_lines(file, [slots[draw % SLOTS] for draw in draws])
        count -= size


def main(arguments):
    if len(arguments) not in (2, 3) or (len(arguments) == 3 and arguments[1] != "each"):
        sys.exit(__doc__.split("\n\n")[1])
    count = int(arguments[-1])
    with open(arguments[0], "w", encoding="ascii") as file:
        if len(arguments) == 3:
            write_lines(file, [f"w{rank}" for rank in range(count)])
        else:
            write_zipf(file, count)


if __name__ == "__main__":
    main(sys.argv[1:])
