#!/usr/bin/env python3
"""Writes a text whose map has something to show: topics become clusters, and every word is there at least once.

usage: bench/page_text.py FILE [TYPES [WORDS]]      100,000 different words and 3,000,000 in all unless said otherwise

Words of rank k have a probability in proportion to 1 / (k + 2.7); the 200 most frequent ones are of no topic, the others
belong to one of 40. A line has 20 words: half of them of its topic, the others any. At the end each word stands once more.
The same bytes on every machine.
"""
import itertools
import random
import sys

TOPICS, COMMON, LINE = 40, 200, 20


class Drawn:
    """Ranks of some words, drawn by Zipf's law."""

    def __init__(self, ranks, generator):
        self.ranks, self.generator = ranks, generator
        self.reached = list(itertools.accumulate(1 / (rank + 2.7) for rank in ranks))

    def some(self, count):
        return self.generator.choices(self.ranks, cum_weights=self.reached, k=count)


def write(file, types, words):
    generator = random.Random(1)
    every = Drawn(range(types), generator)
    topics = [Drawn(range(COMMON + topic, types, TOPICS), generator) for topic in range(TOPICS)]
    name = [f"c{rank}" if rank < COMMON else f"t{(rank - COMMON) % TOPICS}w{(rank - COMMON) // TOPICS}" for rank in range(types)]
    for _ in range(words // LINE):
        line = every.some(LINE // 2) + generator.choice(topics).some(LINE // 2)
        generator.shuffle(line)
        file.write(" ".join(name[rank] for rank in line) + "\n")
    for at in range(0, types, LINE):
        file.write(" ".join(name[at : at + LINE]) + "\n")


def main(arguments):
    if not 1 <= len(arguments) <= 3:
        sys.exit(__doc__.split("\n\n")[1])
    types, words = (int(text) for text in arguments[1:] + ["100000", "3000000"][len(arguments) - 1 :])
    with open(arguments[0], "w", encoding="ascii") as file:
        write(file, types, words)


if __name__ == "__main__":
    main(sys.argv[1:])
