#!/usr/bin/env bash
# vectrail cooccur, and train --model glove: files that others read, the same at every limit of memory; bad input.
. "${SOURCE:?}/tests/cli/lib.sh"

python=${PYTHON:-/usr/bin/python3}
for ((k = 0; k < 400; k++)); do
  echo "the cat sat on the mat $((k % 17)) and the dog lay on the log $((k % 23)) while a bird sang"
done >text

vectrail cooccur text -o a.npz --window 4 --min-count 2
expect_status 0
expect_out_has "pairs of"
vectrail cooccur text -o b.npz --window 4 --min-count 2 --memory 20K --threads 1 --json
expect_status 0
[[ $out == *'"runs":1,'* ]] && fail "everything fitted into 20K"
cmp -s a.npz b.npz || fail "the counts depend on the memory"
vectrail cooccur text -o a.db --window 4 --min-count 2 --quiet
expect_status 0

"$python" - <<'PY' || fail "the files do not hold the counts"
import sqlite3, struct, sys, zipfile
lines = [line.split() for line in open("text")]
scale, window, counts = 12, 4, {}
for words in lines:
    for i, a in enumerate(words):
        for n in range(1, window + 1):
            if i + n < len(words):
                for pair in ((a, words[i + n]), (words[i + n], a)):
                    counts[pair] = counts.get(pair, 0) + scale // n
db = sqlite3.connect("a.db")
meta = dict(db.execute("SELECT key, value FROM meta"))
assert meta["scale"] == "12" and meta["weight"] == "distance" and meta["pairs"] == str(len(counts)), meta
words = [text for (text,) in db.execute("SELECT text FROM word ORDER BY id")]
found = {}
for word, pairs, total, columns, units in db.execute("SELECT word, pairs, total, columns, units FROM row"):
    columns, units = struct.unpack(f"<{pairs}I", columns), struct.unpack(f"<{pairs}Q", units)
    assert list(columns) == sorted(columns) and sum(units) == total
    found.update({(words[word], words[c]): u for c, u in zip(columns, units)})
assert found == counts
# The archive, without NumPy: heads of 128 bytes, then the numbers.
with zipfile.ZipFile("a.npz") as archive:
    assert archive.testzip() is None
    array = {name[:-4]: archive.read(name)[128:] for name in archive.namelist()}
values = struct.unpack(f"<{len(counts)}d", array["data"])
columns = struct.unpack(f"<{len(counts)}i", array["indices"])
starts = struct.unpack(f"<{len(words) + 1}q", array["indptr"])
assert array["format"] == b"csr" and array["words"].decode().split("\n") == words
for row in range(len(words)):
    for k in range(starts[row], starts[row + 1]):
        assert values[k] == counts[words[row], words[columns[k]]] / scale
try:
    import scipy.sparse
except ImportError:
    sys.exit(0)
matrix = scipy.sparse.load_npz("a.npz")
assert matrix.shape == (len(words), len(words)) and matrix.nnz == len(counts)
PY

# ---- bad input ----------------------------------------------------------------------------------------------------
vectrail cooccur text
expect_error 2 "cooccur needs a file to write to"
vectrail cooccur text -o counts.txt
expect_error 2 "counts.txt: the ending tells no format of counts"
vectrail cooccur text -o c.npz --memory lots
expect_error 2 "must be a size"
vectrail cooccur text -o c.npz --memory 1K --min-count 2
expect_error 2 "memory is 1024 bytes; counting"
vectrail cooccur text -o nowhere/c.db --min-count 2
expect_error 1 "nowhere/c.db"
vectrail cooccur absent -o c.npz
expect_error 1 "absent"
[[ -e c.npz ]] && fail "half a file"
vectrail train text --run r --model glove --x-max 0
expect_error 2 "x-max"
vectrail train text --run r --x-max 5
expect_error 2 "x-max is for --model glove alone"
vectrail train text --run r --model glove --loss hs
expect_error 2 "glove has its own"
vectrail train text --run r --model glove --optimizer sgd
expect_error 2 "trained by adagrad"
vectrail train text --run r --lr 0.1 --alpha 0.1
expect_error 2 "both give the learning rate"
vectrail train text --run r --model glove --min-count 2 --memory 1K
expect_error 2 "memory is 1024 bytes; counting"
[[ -e r ]] && fail "a run was left behind"

# ---- training: every reading command takes the run ------------------------------------------------------------------
vectrail train text --run r --model glove --x-max 20 --alpha 0.5 --dim 8 --min-count 2 --watch cat --pairs cat:dog \
  --save-output --quiet
expect_status 0
vectrail train text --run r2 --model glove --x-max 20 --alpha 0.5 --dim 8 --min-count 2 --memory 30K --threads 1 \
  --watch cat --pairs cat:dog --save-output --quiet --ledger cat,dog
expect_status 0
vectrail explain r2 cat --toward dog --json -k 0
expect_json 'abs(d["cosine"] - d["start"] - d["rest"] - sum(s["contribution"] for s in d["sources"])) < 1e-5 and d["residual"] < 1e-5'
expect_json '{s["role"] for s in d["sources"]} >= {"attracted", "pushed"}'
vectrail replay r --ledger cat
expect_status 0
vectrail replay r --ledger cat --by document
expect_error 1 "by word, not by document"
last=$(snapshots r | tail -1)
cmp -s "r/snapshots/$last" "r2/snapshots/$last" || fail "the vectors depend on memory and threads"
for command in "info r" "neighbors r cat" "similarity r cat dog --over-time" "analogy r cat dog bird" "diagnose r" \
  "measure r" "export r -o v.txt"; do
  # shellcheck disable=SC2086 # words of a command
  vectrail $command
  expect_status 0
done
vectrail resume r
expect_status 0

# ---- sentences held out ---------------------------------------------------------------------------------------------
vectrail train text --run h --model glove --held-out 10% --dim 8 --min-count 2 --quiet --json
expect_json 'd["tokens"] < 15 * '"$(wc -w <text)"
vectrail info h
expect_status 0
expect_out_has "held out"
vectrail replay h --watch cat
expect_status 0
vectrail train text --run h2 --model glove --held-out 10% --dim 8 --min-count 2 --quiet --threads 1 --memory 30K
expect_status 0
for run in h h2; do
  "$python" -c "import sqlite3
for row in sqlite3.connect('$run/run.db').execute(\"SELECT step, value FROM metric WHERE name = 'held_out_loss' ORDER BY step\"): print(*row)" >$run.losses
done
[[ $(wc -l <h.losses) -gt 10 ]] || fail "no losses of what is held out"
cmp -s h.losses h2.losses || fail "the held-out loss depends on memory and threads"
finish
