#!/usr/bin/env python3
"""Whether `vectrail explain --by document` names the lines that matter.

usage: bench/deletion.py VECTRAIL CORPUS [--pairs N] [--seed N] [--train "OPTIONS"] [--folder DIR]

For each of N pairs of words: the corpus is trained on, the run replayed with a ledger of the one word by document, and the
ten lines are taken out that `explain WORD --toward OTHER --by document` names first; trained again, the cosine of the two
is compared with that after ten lines were taken out at random, out of those that hold both words. A pair is a trial: it
is won where the lines that were named lower the cosine more. The pairs are those of the strongest local mutual information
(Evert 2005) whose words meet in 12 to 40 lines, each word in one pair alone; each cosine is a mean over three seeds, for
taking any line out moves every random draw behind it. Random lines are as good as named ones where a line is hardly longer
than a window: give it a text of documents, a line each.
"""
import argparse
import collections
import json
import math
import os
import random
import re
import shlex
import subprocess
import sys
import tempfile

NAMED = 10
SINGLE = (30, 200)  # lines that hold a word of a pair


def call(*arguments):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"deletion: {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def choose_pairs(lines, wanted, low, high):
    words = [set(re.findall(r"[a-z]+", line.lower())) for line in lines]
    single = collections.Counter(word for line in words for word in line)
    known = {word for word, count in single.items() if SINGLE[0] <= count <= SINGLE[1] and len(word) > 3}
    together = collections.Counter()
    for line in words:
        kept = sorted(line & known)
        for i, a in enumerate(kept):
            for b in kept[i + 1:]:
                together[a, b] += 1
    scored = []
    for (a, b), count in together.items():
        if low <= count <= high:
            scored.append((count * math.log(count * len(lines) / (single[a] * single[b])), a, b))
    scored.sort(key=lambda entry: (-entry[0], entry[1], entry[2]))
    pairs, used = [], set()
    for _, a, b in scored:
        if a in used or b in used or a[:4] == b[:4]:
            continue
        pairs.append((a, b))
        used |= {a, b}
        if len(pairs) == wanted:
            break
    both = {(a, b): [n for n, line in enumerate(words) if a in line and b in line] for a, b in pairs}
    return pairs, both


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vectrail")
    parser.add_argument("corpus")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--train", default="--min-count 5 --epochs 10 --block-tokens 1024 --blocks 8")
    parser.add_argument("--explain", default="--centered", help="further options of explain")
    parser.add_argument("--seeds", type=int, default=3, help="trainings that each cosine is the mean of")
    parser.add_argument("--low", type=int, default=12, help="lines that hold both words, at least")
    parser.add_argument("--high", type=int, default=40, help="at most")
    parser.add_argument("--folder")
    options = parser.parse_args()
    with open(options.corpus, encoding="utf-8") as file:
        lines = file.read().splitlines()
    pairs, both = choose_pairs(lines, options.pairs, options.low, options.high)
    draw = random.Random(options.seed)
    settings = shlex.split(options.train) + ["--snapshots", 4, "--probes", 4, "-q", "--force"]
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        run, text, less = (os.path.join(folder, name) for name in ("run", "text", "less"))

        def without(removed, wanted):
            """The cosines of pairs after training without some lines, each a mean over the seeds."""
            with open(text, "w", encoding="utf-8") as file:
                file.writelines(line + "\n" for n, line in enumerate(lines) if n not in removed)
            sums = [0.0] * len(wanted)
            for seed in range(1, options.seeds + 1):
                call(options.vectrail, "train", text, "--run", less, "--seed", seed, *settings)
                for k, (a, b) in enumerate(wanted):
                    sums[k] += json.loads(call(options.vectrail, "similarity", less, a, b, "--json"))["cosine"]
            return [value / options.seeds for value in sums]

        call(options.vectrail, "train", options.corpus, "--run", run, *settings)
        call(options.vectrail, "replay", run, "-q", "--by", "document", "--ledger", ",".join(a for a, _ in pairs))
        cosines = without(set(), pairs)
        won = 0
        print(f"{'pair':28} {'lines':>5} {'cosine':>8} {'less the named':>15} {'less random':>12}  named with both")
        for (a, b), whole in zip(pairs, cosines):
            told = json.loads(call(options.vectrail, "explain", run, a, "--toward", b, "--by", "document", "-k", NAMED,
                                   "--json", *shlex.split(options.explain)))
            named = {source["line"] - 1 for source in told["sources"] if source["role"] == "document"}
            chance = set(draw.sample(both[a, b], NAMED))
            of_named, of_chance = without(named, [(a, b)])[0], without(chance, [(a, b)])[0]
            won += of_named < of_chance
            print(f"{a + ', ' + b:28} {len(both[a, b]):5} {whole:8.4f} {of_named:8.4f} {of_named - whole:+.3f} "
                  f"{of_chance:8.4f} {of_chance - whole:+.3f}  {len(named & set(both[a, b])):2}  "
                  f"{'won' if of_named < of_chance else 'lost'}", flush=True)
    print(f"{won} of {len(pairs)} won")
    sys.exit(0 if won >= 0.8 * len(pairs) else 1)


main()
