#!/usr/bin/env python3
"""A Kneser-Ney trigram beside a network: the same text, vocabulary and held-out text.

usage: bench/trigram.py RUN TRAIN_TEXT HELD_OUT_TEXT

Words outside RUN's vocabulary are left out of both texts, as in training, and a line end is a token; of a run of pieces of
words (--tokens bpe) the tokens are its pieces. Interpolated modified Kneser-Ney with three discounts an order (Chen and
Goodman 1998, section 4.1.6). Prints the perplexity, to be held against `vectrail generate RUN --score HELD_OUT_TEXT`.
"""

import collections
import json
import math
import re
import sqlite3
import sys

run, train_path, held_path = sys.argv[1:]
database = sqlite3.connect(f"file:{run}/run.db?mode=ro", uri=True)
meta = dict(database.execute("SELECT key, value FROM meta"))
vocabulary = {text: word for word, text in database.execute("SELECT id, text FROM word")}
END = len(vocabulary)
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
# GPT-2's pattern, as far as letters and digits are what re takes for them.
PIECE = re.compile(r"'(?:s|t|re|ve|m|ll|d)| ?[^\W\d_]+| ?\d+| ?(?:[^\w\s]|_)+|\s+(?!\S)|\s+")


def words_of(line):
    line = line.replace("\u2019", "'")
    return [vocabulary[w] for w in WORD.findall(line.casefold() if meta["fold_case"] == "1" else line) if w in vocabulary]


class Pieces:
    """Byte pairs: of all neighbours the pair that was learnt first is joined, until none is left that was learnt."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            merges = json.load(file)["model"]["merges"]
        self.rank = {tuple(m.split(" ") if isinstance(m, str) else m): k for k, m in enumerate(merges)}
        shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
        self.spelling = {byte: chr(byte) for byte in shown}
        for k, byte in enumerate(b for b in range(256) if b not in self.spelling):
            self.spelling[byte] = chr(256 + k)
        self.known = {}

    def split(self, piece):
        parts = [self.spelling[byte] for byte in piece.encode()]
        while len(parts) > 1:
            k = min(range(len(parts) - 1), key=lambda i: self.rank.get((parts[i], parts[i + 1]), math.inf))
            if (parts[k], parts[k + 1]) not in self.rank:
                break
            pair, joined, i = (parts[k], parts[k + 1]), [], 0
            while i < len(parts):
                both = tuple(parts[i : i + 2]) == pair
                joined.append("".join(pair) if both else parts[i])
                i += 2 if both else 1
            parts = joined
        return [vocabulary[part] for part in parts]

    def of(self, line):
        found = []
        for piece in PIECE.findall(line.rstrip("\n")):
            if piece not in self.known:
                self.known[piece] = self.split(piece)
            found += self.known[piece]
        return found


ids_of = Pieces(f"{run}/tokenizer.json").of if meta["tokens_rule"] == "bpe" else words_of


def read(path):
    ids = [END]
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            found = ids_of(line)
            if found:
                ids += found + [END]
    return ids


def discounts(counts):
    n = collections.Counter(min(c, 5) for c in counts.values())
    if not all(n[k] for k in (1, 2, 3)):
        return [0] * 4  # words alone, the rare ones left out: nothing was seen so seldom that something may be missing
    y = n[1] / (n[1] + 2 * n[2])
    return [0] + [k - (k + 1) * y * n[k + 1] / n[k] for k in (1, 2, 3)]


def order(counts):
    """By context: how often it was followed, and the mass its discounts set free."""
    d = discounts(counts)
    total, free = collections.Counter(), collections.Counter()
    for gram, count in counts.items():
        total[gram[:-1]] += count
        free[gram[:-1]] += d[min(count, 3)]
    return counts, d, total, free


text = read(train_path)
three = collections.Counter(zip(text, text[1:], text[2:]))
two = collections.Counter(gram[1:] for gram in three)  # continuation counts: before how many words it stood
one = collections.Counter(gram[1:] for gram in two)
ORDERS = [order(one), order(two), order(three)]
print(f"{len(text):,} tokens, {len(one):,} words, {len(two):,} pairs, {len(three):,} triples")


def probability(gram):
    if not gram:
        return 1 / (len(vocabulary) + 1)
    counts, d, total, free = ORDERS[len(gram) - 1]
    lower = probability(gram[1:])
    seen = total[gram[:-1]]
    if seen == 0:
        return lower
    count = counts[gram]
    return (count - d[min(count, 3)]) / seen + free[gram[:-1]] / seen * lower


held = [END] + read(held_path)
loss = -sum(math.log(probability(gram)) for gram in zip(held, held[1:], held[2:])) / (len(held) - 2)
print(f"{len(held) - 2:,} held out: {loss:.4f} nats each, perplexity {math.exp(loss):.2f}")
