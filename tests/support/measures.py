"""The measures of `vectrail measure`, computed a second time with NumPy from the files of a run.

usage: measures.py RUN MEASURED.json [CORPUS]     exit 0: they agree; 1: differences are printed

MEASURED.json is what `vectrail measure RUN --json --sample-words 0 --neighbor-words 0 --among 0` printed; with CORPUS (one
sentence a line, words between blanks, all of them in the vocabulary) the pairs that meet are computed too.
"""

import json
import sqlite3
import sys

import numpy as np


def load_snapshots(run):
    db = sqlite3.connect(f"file:{run}/run.db?mode=ro", uri=True)
    counts = np.array([row[0] for row in db.execute("SELECT count FROM word ORDER BY id")], float)
    words = [row[0] for row in db.execute("SELECT text FROM word ORDER BY id")]
    meta = dict(db.execute("SELECT key, value FROM meta"))
    steps, tables = [], []
    for step, path in db.execute("SELECT step, path FROM snapshot ORDER BY step"):
        data = open(f"{run}/{path}", "rb").read()
        length = int.from_bytes(data[:8], "little")
        entry = json.loads(data[8 : 8 + length])["input"]
        begin, end = entry["data_offsets"]
        dtype = {"F16": "<f2", "F32": "<f4"}[entry["dtype"]]
        table = np.frombuffer(data[8 + length + begin : 8 + length + end], dtype).reshape(entry["shape"])
        steps.append(step)
        tables.append(table.astype(float))
    return words, counts, meta, steps, tables


def rows_norm(x):
    return np.sqrt((x * x).sum(axis=1))


def units(x):
    return x / rows_norm(x)[:, None]


def nearest(x, k=10):
    cosines = units(x) @ units(x).T
    np.fill_diagonal(cosines, -2)
    return [set(np.argsort(-row, kind="stable")[:k]) for row in cosines], cosines


def overlap(a, b):
    return np.array([len(x & y) / len(x | y) for x, y in zip(a, b)])


def random_pairs(words, count=5000):
    """The pairs that the library draws (src/base/rng.h), drawn a second time."""
    mask = (1 << 64) - 1

    def mix(x):
        x ^= x >> 30
        x = x * 0xBF58476D1CE4E5B9 & mask
        x ^= x >> 27
        x = x * 0x94D049BB133111EB & mask
        return x ^ x >> 31

    analysis, seed = 4, 1
    h = mix(seed + 0x9E3779B97F4A7C15 * analysis & mask)
    h = mix(h ^ mix(words + 0xD1B54A32D192ED03 & mask))
    h = mix(h ^ mix(0x8CB92BA72F3D8DD7))
    counter, key = mix(h ^ 0xA0761D6478BD642F), mix(h ^ 0xE7037ED1A0B428DB) | 1

    def below(bound):
        nonlocal counter
        counter = counter + 0x9E3779B97F4A7C15 & mask
        product = counter * (counter ^ key)
        return (((product >> 64 ^ product) & mask) >> 32) * bound >> 32

    pairs = []
    for _ in range(count):
        a, b = below(words), below(words - 1)
        pairs.append((a, b + (b >= a)))
    return np.array(pairs)


def measure_random(tables):
    a, b = random_pairs(len(tables[0])).T
    out = {"random_cosine": [], "random_deviation": [], "random_outside": [], "uniformity": []}
    for x in tables:
        x = units(x)
        cosines = (x[a] * x[b]).sum(axis=1)
        out["random_cosine"].append(cosines.mean())
        out["random_deviation"].append(cosines.std())
        out["random_outside"].append((np.abs(cosines) > 1.959963984540054 / np.sqrt(x.shape[1])).mean())
        out["uniformity"].append(np.log(np.exp(-2 * ((x[a] - x[b]) ** 2).sum(axis=1)).mean()))
    return out


def measure(words, counts, steps, tables):
    out, nan = {}, float("nan")

    def put(name, value):
        out.setdefault(name, []).append(float(value))

    lists = [nearest(x)[0] for x in tables]
    bands = {"1_9": (0, 10), "10_99": (10, 100), "100_999": (100, 1000), "1000_up": (1000, np.inf)}
    path = np.zeros(len(words))
    for s, x in enumerate(tables):
        start = tables[0]
        displacement, norm = rows_norm(x - start), rows_norm(x)
        put("displacement", displacement.mean())
        put("norm", norm.mean())
        put("start_cosine", ((x * start).sum(axis=1) / norm / rows_norm(start)).mean())
        if s > 0:
            step = x - tables[s - 1]
            chord = rows_norm(step)
            path += chord
        put("path", path.mean())
        moved = path > 0
        put("straightness", (displacement[moved] / path[moved]).mean() if moved.any() else nan)
        put("speed", chord.mean() / (steps[s] - steps[s - 1]) if s > 0 else nan)
        put("moving", (chord > 0.01 * norm).mean() if s > 0 else nan)
        put("update_ratio", np.median(chord / norm) if s > 0 else nan)
        turn = nan
        if s > 1:
            before = tables[s - 1] - tables[s - 2]
            both = chord * rows_norm(before)
            defined = both > 0
            turn = ((step * before).sum(axis=1)[defined] / both[defined]).mean() if defined.any() else nan
        put("turn", turn)
        here = overlap(lists[s], lists[min(s + 1, len(tables) - 1)])
        last = overlap(lists[s], lists[-1])
        put("overlap_next", here.mean() if s + 1 < len(tables) else nan)
        put("overlap_last", last.mean())
        for band, (low, high) in bands.items():
            inside = (counts >= low) & (counts < high)
            if inside.any():
                put(f"overlap_next_{band}", here[inside].mean() if s + 1 < len(tables) else nan)
                put(f"overlap_last_{band}", last[inside].mean())
        if s > 0:
            apart = step - np.array([step[sorted(near)].mean(axis=0) for near in lists[s]])
            put("own_drift", np.sqrt((apart**2).sum() / (step**2).sum()))
        else:
            put("own_drift", nan)
        if np.ptp(counts) > 0:
            put("norm_slope", np.polyfit(np.log(counts), norm, 1)[0])
            put("norm_correlation", np.corrcoef(np.log(counts), norm)[0, 1])
        put("mean_share", (x.mean(axis=0) ** 2).sum() / (norm**2).mean())
        singular = np.linalg.svd(x / np.sqrt(len(x)), compute_uv=False)
        share = singular / singular.sum()
        put("effective_rank", np.exp(-(share[share > 0] * np.log(share[share > 0])).sum()))
        centred = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
        share = centred / centred.sum()
        put("centred_rank", np.exp(-(share[share > 0] * np.log(share[share > 0])).sum()))
        put("participation", (singular**2).sum() ** 2 / (singular**4).sum())
    return out


def meetings(words, meta, corpus):
    """Of all pairs of words, how often they stand within the window."""
    ids = {word: i for i, word in enumerate(words)}
    met = np.zeros((len(words), len(words)))
    window = int(meta["window"])
    for line in open(corpus, encoding="utf-8"):
        tokens = [ids[word] for word in line.split()]
        for i, a in enumerate(tokens):
            for b in tokens[max(0, i - window) : i]:
                if a != b:
                    met[a, b] += 1
                    met[b, a] += 1
    return met


def measure_meetings(words, meta, tables, corpus):
    met = meetings(words, meta, corpus)
    taking_part = met.sum(axis=1)
    expected = np.outer(taking_part, taking_part) / met.sum()
    upper = np.triu(np.ones_like(met, bool), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(met > 0, met * np.log(met / expected), 0)
    together = [(a, b) for a, b in zip(*np.where(upper & (gain > 0)))]
    together = sorted(together, key=lambda pair: (-gain[pair], pair))[:500]
    apart = [(a, b) for a, b in zip(*np.where(upper & (met == 0) & (expected >= 5)))]
    apart = sorted(apart, key=lambda pair: (-expected[pair], pair))[:500]
    out = {"together_cosine": [], "alignment": [], "apart_cosine": []}
    for x in tables:
        cosines = units(x) @ units(x).T
        out["together_cosine"].append(np.mean([cosines[pair] for pair in together]))
        squares = [((units(x)[a] - units(x)[b]) ** 2).sum() for a, b in together]
        out["alignment"].append(np.mean(squares))
        out["apart_cosine"].append(np.mean([cosines[pair] for pair in apart]))
    return out


def main():
    run, measured = sys.argv[1], json.load(open(sys.argv[2], encoding="utf-8"))
    words, counts, meta, steps, tables = load_snapshots(run)
    expected = measure(words, counts, steps, tables)
    expected |= measure_random(tables)
    if len(sys.argv) > 3:
        expected |= measure_meetings(words, meta, tables, sys.argv[3])
    wrong = 0
    if measured["steps"] != steps:
        sys.exit(f"steps: {measured['steps']}, should be {steps}")
    for name, values in expected.items():
        found = measured["series"].get(name, [None] * len(steps))
        for step, value, should in zip(steps, found, values):
            value = float("nan") if value is None else value
            if not np.isclose(value, should, rtol=1e-6, atol=1e-7, equal_nan=True):
                print(f"{name} at step {step}: {value}, should be {should}")
                wrong += 1
    for step, found, x in zip(steps, measured["singular_values"], tables):
        should = np.linalg.svd(x / np.sqrt(len(x)), compute_uv=False)
        if not np.allclose(found[: len(should)], should, rtol=1e-7, atol=1e-9 * should[0]):
            print(f"singular values at step {step}: {found}, should be {should}")
            wrong += 1
    print(f"{len(expected)} series of {len(steps)} snapshots compared", file=sys.stderr)
    sys.exit(wrong > 0)


main()
