#!/usr/bin/env python3
"""Writes preferences made of a text: of two answers to the first words of a line, the line's own next words were chosen,
and words from some other line rejected (docs/adaptation.md).

usage: bench/preferences.py TEXT [PAIRS] > preferences.jsonl
"""

import json
import random
import sys

PROMPT, ANSWER = 5, 6

lines = [line.split() for line in open(sys.argv[1], encoding="utf-8")]
lines = [words for words in lines if len(words) >= PROMPT + ANSWER]
draw = random.Random(1)
for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 1000):
    own, other = draw.sample(lines, 2)
    begin = draw.randrange(len(other) - ANSWER + 1)
    answers = [" ".join(own[PROMPT : PROMPT + ANSWER]), " ".join(other[begin : begin + ANSWER])]
    if answers[0] != answers[1]:
        print(json.dumps({"prompt": " ".join(own[:PROMPT]), "chosen": answers[0], "rejected": answers[1]}))
