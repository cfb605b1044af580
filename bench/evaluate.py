#!/usr/bin/env python3
"""Scores vectors in word2vec's text format by the definitions of `vectrail eval` (docs/metrics.md), and prints JSON.

usage: bench/evaluate.py VECTORS [--similarity FILE...] [--analogy FILE] [--restrict N]

For the vectors of other trainers; rows come in order of falling count. Needs numpy.
"""
import argparse
import json
import re

import numpy

BATCH = 512  # questions answered in one product


def read_vectors(path):
    """(place of each word, unit rows). fastText's mark for the end of a sentence is no word."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        rows, dim = map(int, file.readline().split())
        table, places = numpy.zeros((rows, dim)), {}
        for line in file:
            word, _, numbers = line.partition(" ")
            if word != "</s>":
                table[len(places)] = numpy.fromstring(numbers, sep=" ")
                places[word] = len(places)
    table = table[: len(places)]
    lengths = numpy.linalg.norm(table, axis=1, keepdims=True)
    return places, table / numpy.where(lengths > 0, lengths, 1)


def find(places, word):
    return places.get(word, places.get(word.casefold()))


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip() and not line.startswith("#")]


def score_of(fields):
    for field in fields[2:]:
        try:
            return float(field)
        except ValueError:
            pass
    return None


def ranks(values):
    """From 1; equal values share their mean rank."""
    _, inverse, counts = numpy.unique(values, return_inverse=True, return_counts=True)
    ends = numpy.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]


def similarity(places, table, path):
    pairs, scores, cosines = 0, [], []
    for line in lines_of(path):
        fields = re.split(r"[\t;, ]+", line)
        score = score_of(fields)
        if score is None:
            continue  # a head line
        pairs += 1
        a, b = find(places, fields[0]), find(places, fields[1])
        if a is not None and b is not None:
            scores.append(score)
            cosines.append(table[a] @ table[b])
    rho = numpy.corrcoef(ranks(scores), ranks(cosines))[0, 1] if len(scores) > 1 else numpy.nan
    return {"spearman": None if numpy.isnan(rho) else float(rho), "pairs": pairs, "covered": len(scores)}


def correct(table, questions):
    """How many questions (a, b, c, d) are answered by d: the row nearest to b - a + c, these three left out."""
    right = 0
    for at in range(0, len(questions), BATCH):
        a, b, c, d = numpy.array(questions[at : at + BATCH]).T
        cosines = (table[b] - table[a] + table[c]) @ table.T
        for known in (a, b, c):
            cosines[numpy.arange(len(d)), known] = -numpy.inf
        right += int((cosines.argmax(axis=1) == d).sum())
    return right


def analogy(places, table, path, restrict):
    if restrict > 0:
        table = table[:restrict]
    parts, section, questions = {"semantic": [], "syntactic": []}, "", 0
    for line in lines_of(path):
        if line.startswith(":"):
            section = line[1:].strip()
        elif not line.startswith("//"):
            questions += 1
            ids = [find(places, word) for word in line.split()]
            if all(place is not None and place < len(table) for place in ids):
                parts["syntactic" if section.startswith("gram") else "semantic"].append(ids)
    right = {name: correct(table, part) for name, part in parts.items()}
    shares = {name: right[name] / len(part) if part else None for name, part in parts.items()}
    covered = sum(len(part) for part in parts.values())
    return {"all": sum(right.values()) / covered if covered else None, **shares, "correct": sum(right.values()),
            "covered": covered, "questions": questions}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("vectors")
    parser.add_argument("--similarity", nargs="+", default=[])
    parser.add_argument("--analogy")
    parser.add_argument("--restrict", type=int, default=30000)
    asked = parser.parse_args()
    places, table = read_vectors(asked.vectors)
    result = {"similarity": {path: similarity(places, table, path) for path in asked.similarity}}
    if asked.analogy is not None:
        result["analogy"] = analogy(places, table, asked.analogy, asked.restrict)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
