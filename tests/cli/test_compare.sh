#!/usr/bin/env bash
# Comparing tables: against NumPy, where it is there; a table with itself, turned, and shuffled; runs, steps and files.
. "${SOURCE:?}/tests/cli/lib.sh"

# Four tables of 400 words: the second one the first turned and mirrored, in another order; the third one the second with
# some words moved; the fourth of other lengths and only part of the words.
python3 - <<'PYTHON' || fail "the tables should be written"
import random
random.seed(2)
words = [f"w{i}" for i in range(400)]
def write(path, rows):
    with open(path, "w") as file:
        for word, row in rows:
            file.write(word + " " + " ".join("%.9g" % x for x in row) + "\n")
first = [[random.gauss(0, 1) * (1 + i / 200) for _ in range(12)] for i in range(400)]
turn = [[0.6, 0.8], [-0.8, 0.6]]
def turned(row):
    out = list(row)
    for a in range(0, 12, 2):
        x, y = row[a], row[a + 1]
        out[a], out[a + 1] = x * turn[0][0] + y * turn[1][0], x * turn[0][1] + y * turn[1][1]
    out[0] = -out[0]
    return out[1:] + out[:1]
second = [turned(row) for row in first]
third = [[x + (random.gauss(0, 1) if i % 10 == 0 else random.gauss(0, 0.02)) for x in row] for i, row in enumerate(second)]
write("first.txt", zip(words, first))
pairs = list(zip(words, second))
random.shuffle(pairs)
write("second.txt", pairs)
write("third.txt", zip(words, third))
write("fourth.txt", [(w, row[:9]) for w, row in zip(words, third) if int(w[1:]) % 3] + [("other", [1] * 9)])
PYTHON

vectrail compare first.txt second.txt --sample 0 --json
expect_json 'd["common"] == 400 and d["aligned"] and abs(d["cka"] - 1) < 1e-9 and d["overlap_words"] == 400'
expect_json 'max(w["drift"] for w in d["moved"]) < 1e-12 and d["overlap"] > 0.9999 and d["cosine_mean"] > 1 - 1e-12'
expect_json 'all([n["word"] for n in w["before"]] == [n["word"] for n in w["after"]] for w in d["moved"])'
vectrail compare first.txt second.txt --align never --json
expect_json 'not d["aligned"] and d["cosine_mean"] < 0.5 and abs(d["cka"] - 1) < 1e-9'
vectrail compare first.txt first.txt --align never --json
expect_json 'd["cosine_mean"] == 1 and d["overlap"] == 1 and d["cosine_median"] == 1'
vectrail compare first.txt third.txt --words 40 --json
expect_json 'sum(int(w["word"][1:]) % 10 == 0 for w in d["moved"]) >= 39 and len(d["moved"]) == 40'
one=$out
for threads in 1 2 3; do
  vectrail compare first.txt third.txt --words 40 --threads $threads --json
  expect_out "$one"
done

# The same in NumPy; a sanitizer has seen it all.
if [ -z "${SANITIZED:-}" ] && python_has numpy; then
  cat >check.py <<'PYTHON'
import json, sys
import numpy as np

def read(path):
    rows = [line.split() for line in open(path)]
    return {row[0]: np.array(row[1:], dtype=np.float32).astype(float) for row in rows}

def nearest(table, k):
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -2)
    return [set(row) for row in np.argsort(-cosines, axis=1, kind="stable")[:, :k]]

def centred(table):
    return table - table.mean(axis=0)

def check(name_a, name_b, k, found):
    tables = [read(name_a), read(name_b)]
    words = [word for word in tables[0] if word in tables[1]]
    a, b = (np.array([table[word] for word in words]) for table in tables)
    d = max(a.shape[1], b.shape[1])
    wide = [np.pad(t, ((0, 0), (0, d - t.shape[1]))) for t in (a, b)]
    unit = [t / np.linalg.norm(t, axis=1, keepdims=True) for t in wide]
    u, _, vt = np.linalg.svd(unit[0].T @ unit[1])
    cosines = ((unit[0] @ (u @ vt)) * unit[1]).sum(axis=1)
    x, y = centred(a), centred(b)
    cka = np.linalg.norm(y.T @ x) ** 2 / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y)
    pip, both = np.linalg.norm(a @ a.T - b @ b.T), np.hypot(np.linalg.norm(a @ a.T), np.linalg.norm(b @ b.T))
    assert abs(found["pip_loss"] - pip) < 1e-6 * pip + 1e-7 * both, (found["pip_loss"], pip)
    assert abs(found["pip_share"] - pip / both) < 1e-6, (found["pip_share"], pip / both)
    near = [nearest(a, k), nearest(b, k)]
    overlap = [len(p & q) / len(p | q) for p, q in zip(*near)]
    order = np.argsort(cosines, kind="stable")
    assert found["common"] == len(words), (found["common"], len(words))
    assert abs(found["cosine_mean"] - cosines.mean()) < 1e-9, (found["cosine_mean"], cosines.mean())
    assert abs(found["cosine_median"] - np.median(cosines)) < 1e-9
    assert abs(found["cka"] - cka) < 1e-9, (found["cka"], cka)
    assert abs(found["overlap"] - np.mean(overlap)) < 1e-9, (found["overlap"], np.mean(overlap))
    for entry, at in zip(found["moved"], order):
        assert abs(entry["cosine"] - cosines[at]) < 1e-9, (entry, words[at])
        if entry["drift"] < 1e-9:  # rounding decides who comes first
            at = words.index(entry["word"])
        assert entry["word"] == words[at], (entry, words[at])
        assert {n["word"] for n in entry["before"]} == {words[i] for i in near[0][at]}
        assert {n["word"] for n in entry["after"]} == {words[i] for i in near[1][at]}

check(sys.argv[1], sys.argv[2], int(sys.argv[3]), json.load(sys.stdin))
PYTHON
  for pair in "first second" "first third" "third fourth" "fourth first"; do
    read -r a b <<<"$pair"
    vectrail compare "$a.txt" "$b.txt" -k 7 --sample 0 --json
    python3 check.py "$a.txt" "$b.txt" 7 <"$captured/out" || fail "$a and $b as NumPy has it"
  done
fi

# Several.
vectrail compare first.txt second.txt third.txt --sample 100 --words 5 --json
expect_json '[(p["a"], p["b"]) for p in d["pairs"]] == [(0, 1), (0, 2), (1, 2)] and d["pairs"][0]["overlap"] > 0.9999'
expect_json 'd["overlap_words"] == 100 and abs(d["overlap"] - sum(p["overlap"] for p in d["pairs"]) / 3) < 1e-12'
expect_json 'len(d["least_stable"]) == len(d["most_stable"]) == 5 and d["most_stable"][0]["overlap"] > d["least_stable"][4]["overlap"]'
expect_json '"moved" not in d and [t["dim"] for t in d["tables"]] == [12, 12, 12] and d["tables"][0]["step"] is None'
vectrail compare first.txt second.txt third.txt
expect_out_has "least stable"
expect_out_has "  1 and 2 "

# Runs and steps; two steps of one run share their coordinates.
make_corpus text.txt 400
"$VECTRAIL" train text.txt --run run "${small[@]}" --quiet || fail "the text should train"
"$VECTRAIL" train text.txt --run seed2 "${small[@]}" --seed 2 --quiet || fail "the text should train again"
cp -r run copy@7
vectrail compare run run@0 --json
expect_json 'not d["aligned"] and d["tables"][1]["step"] == 0 and d["tables"][0]["step"] > 0'
vectrail compare run@10 run --align always --json
expect_json 'd["aligned"]'
vectrail compare run copy@7 -k 3 --json
expect_json 'd["aligned"] and d["overlap"] == 1 and d["cka"] > 1 - 1e-12 and d["moved"][0]["cosine"] > 1 - 1e-12'
vectrail compare run copy@7@0 --json
expect_json 'd["tables"][1]["step"] == 0'
vectrail compare run seed2 -k 5
expect_status 0
expect_out_has "words in common                25"
expect_out_has "a rotation can make up most differences"
expect_out_has "moved most (cosine), and their neighbours in 1 and 2"
"$VECTRAIL" export run -o run.npy --quiet
vectrail compare run run.npy --restrict 10 --json
expect_json 'd["common"] == 10 and d["cosine_mean"] > 1 - 1e-6 and d["tables"][0]["words"] == 25'

# What cannot be compared.
printf 'x 1 2\ny 3 4\n' >strange.txt
printf 'w1 nan 2\nw2 3 4\n' >nan.txt
remember
vectrail compare first.txt
expect_error 2 "compare needs two tables"
vectrail compare first.txt strange.txt
expect_error 1 "the tables have no word in common"
vectrail compare first.txt nan.txt
expect_error 1 'number 1 of the vector of "w1" is NaN'
vectrail compare first.txt missing
expect_error 1 "missing"
vectrail compare run missing@3
expect_error 1 "missing@3"
vectrail compare first.txt run
expect_error 1 "the tables have no word in common"
mkdir empty
remember
vectrail compare empty first.txt
expect_error 1 "empty: there is no run here"
printf 'w1 1 2\n' >single.txt
vectrail compare first.txt single.txt --json
expect_json 'd["common"] == 1 and d["overlap"] is None and d["cka"] is None and abs(d["cosine_mean"] - 1) < 1e-12'
vectrail compare first.txt single.txt single.txt
expect_status 0
rm single.txt
expect_nothing_left
finish
