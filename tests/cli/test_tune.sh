#!/usr/bin/env bash
# label: long
# A run gone on with on other text: what it tells, the same bits however it is stopped, what reads it, and bad input.
. "${SOURCE:?}/tests/cli/lib.sh"
make_corpus old.txt 300
python3 - >new.txt <<'P'
import random
random.seed(9)
words = "apple pear orchard fruit drone rocket laser".split()
for _ in range(150): print(" ".join(random.choice(words) if random.random() < 0.8 else random.choice("the a of".split()) for _ in range(10)))
P
sums() { python3 -c '
import sqlite3, sys
print(sqlite3.connect(sys.argv[1] + "/run.db").execute("SELECT step, sha256 FROM snapshot ORDER BY step").fetchall())' "$1"; }
fast=(--threads 1 --snapshots 4 --probes 4 --quiet)
last() { sums "$1" | grep -o '[^,]*$'; }
vectrail train old.txt --run base "${small[@]}" --save-output --held-out 0.1 --quiet
expect_status 0
vectrail train old.txt --run tree "${small[@]}" --loss hs --save-output --quiet
expect_status 0
vectrail train old.txt --run whole "${small[@]}" --loss softmax --batch full --epochs 20 --save-output --quiet
expect_status 0
vectrail train old.txt --run counts --model glove --dim 8 --min-count 1 --epochs 5 --snapshots 2 --save-output --quiet
expect_status 0
vectrail train old.txt --run gpt --model transformer --dim 16 --layers 1 --heads 2 --context 16 --epochs 1 --min-count 1 --snapshots 2 \
  --probes 2 --quiet
expect_status 0

vectrail tune base new.txt --run new --lr 0.02 --json "${fast[@]}"
expect_status 0
expect_json 'd["words"] == {"seen": 7, "unseen": 18, "new": 3, "new_from_neighbours": 3} and d["output_kept"]'
expect_json 'd["drift"]["unseen"] == 0 and d["drift"]["seen"] > 0.3 and d["drift"]["new"] > 0.1'
expect_json 'd["old_text"]["probe_after"] > d["old_text"]["probe_before"] and d["old_text"]["held_out_after"] > 0'
python3 - <<'P' || fail "the run should tell what it went on from, and drift over time"
import sqlite3
db = sqlite3.connect("new/run.db")
meta = dict(db.execute("SELECT key, value FROM meta"))
assert meta["base"] == "base" and meta["base_words"] == "25" and meta["freeze"] == "", meta
drift = [v for (v,) in db.execute("SELECT value FROM metric WHERE name = 'drift_seen' ORDER BY step")]
assert drift[0] == 0 and drift[-1] > 0.02, drift
P
vectrail tune base new.txt --run new-2 --lr 0.02 "${fast[@]}" --threads 2
[ "$(sums new)" = "$(sums new-2)" ] || fail "two threads should give the same bits"

# The penalty holds, frozen words stay where they were, and a replay finds the same.
vectrail tune base new.txt --run held --lr 0.02 --anchor 0.05 --freeze apple,king --watch apple --json "${fast[@]}"
expect_status 0
expect_json '0 < d["drift"]["seen"] < 0.25'
vectrail replay held --quiet
expect_status 0
python3 - <<'P' || fail "a frozen word moved"
import sqlite3
db = sqlite3.connect("held/run.db")
assert len(set(v for (v,) in db.execute("SELECT vector FROM trail"))) == 1
P
vectrail replay held --ledger pear --quiet
expect_error 1 "no ledger can be kept of vectors that are held"
vectrail replay new --ledger pear --quiet
expect_status 0
vectrail tune gpt new.txt --run table --freeze-table input --json "${fast[@]}"
expect_json 'd["drift"] == {"seen": 0, "unseen": 0, "new": 0}'

# Interrupted at some instant, and gone on with.
bases=(base counts gpt)
if [ -z "${SANITIZED:-}" ]; then bases+=(tree whole); fi
for base in "${bases[@]}"; do
  vectrail tune "$base" new.txt --run "$base-whole" --epochs 30 --anchor 0.001 "${fast[@]}"
  "$VECTRAIL" tune "$base" new.txt --run "$base-cut" --epochs 30 --anchor 0.001 "${fast[@]}" 2>/dev/null &
  while [ ! -e "$base-cut/run.db" ] && kill -0 $! 2>/dev/null; do sleep 0.02; done
  kill -TERM $! 2>/dev/null
  wait $! 2>/dev/null
  vectrail resume "$base-cut" --quiet
  expect_status 0
  [ "$(last "$base-whole")" = "$(last "$base-cut")" ] || fail "a resumed run ends with other bits"
done
for command in "neighbors new drone -k 3" "similarity new apple drone --over-time" "measure new" "diagnose new" "info new" \
  "compare base new" "export new -o new.vec" "explain new pear" "generate gpt-whole --prompt drone --length 3"; do
  # shellcheck disable=SC2086 # words on purpose
  vectrail $command
  expect_status 0
done
# Hierarchical softmax goes on with its tree; and a replay and a second tuning find it.
vectrail tune tree new.txt --run leaves --json "${fast[@]}"
expect_status 0
expect_json 'd["words"]["new"] == 3 and d["drift"]["unseen"] == 0 and d["old_text"]["probe_after"] > d["old_text"]["probe_before"]'
vectrail replay leaves --ledger pear --quiet
expect_status 0
vectrail tune leaves old.txt --run again --json "${fast[@]}"
expect_status 0
expect_json 'd["words"]["new"] == 0 and d["old_text"] is not None'

# GloVe goes on with both tables and the biases.
vectrail tune counts new.txt --run recounted --freeze apple --watch apple --anchor 0.0001 --json "${fast[@]}"
expect_status 0
expect_json 'd["words"]["new"] == 3 and d["drift"]["unseen"] == 0 and d["drift"]["seen"] > 0 and d["old_text"]["probe_before"] >= 0'
python3 - <<'P' || fail "a frozen word of GloVe moved"
import sqlite3
assert len(set(v for (v,) in sqlite3.connect("recounted/run.db").execute("SELECT vector FROM trail"))) == 1
P
vectrail replay recounted --quiet
expect_status 0

# A run that was tuned is tuned again.
vectrail tune new old.txt --run back --json "${fast[@]}"
expect_status 0
expect_json 'd["words"] == {"seen": 25, "unseen": 3, "new": 0, "new_from_neighbours": 0}'

# Without its output vectors, and without its text.
vectrail train old.txt --run bare "${small[@]}" --quiet
cp old.txt away.txt
vectrail tune bare new.txt --run from-bare --json "${fast[@]}"
expect_json 'not d["output_kept"] and d["old_text"] is None and "kept no output vectors" in d["old_text_missing"]'
rm old.txt
vectrail tune base new.txt --run moved --json "${fast[@]}"
expect_json 'd["old_text"] is None and "old.txt" in d["old_text_missing"]'
vectrail tune base new.txt --run moved --force --json "${fast[@]}" --old-corpus away.txt
expect_json 'd["old_text"]["probe_before"] > 0'

# Bad input.
vectrail train away.txt --run quadratic --loss quadratic --dim 8 --epochs 3 --quiet
vectrail train away.txt --run glove --model glove --dim 8 --epochs 2 --quiet
vectrail train away.txt --run l2 "${small[@]}" --l2 1e-4 --save-output --quiet
vectrail train away.txt --run phrases "${small[@]}" --phrases 1 --quiet
cp -r gpt short
head -c 3000 gpt/model.safetensors >short/model.safetensors
cp -r base lost
rm lost/snapshots/*
cp -r new hurt
head -c 200 new/start.safetensors >hurt/start.safetensors
remember
vectrail replay hurt --quiet
expect_error 1 "hurt/start.safetensors"
vectrail tune base new.txt
expect_error 2 "tune needs a run folder to write to" "--run DIR"
vectrail tune base --run bad
expect_error 2 "tune needs a run folder and a text"
vectrail tune nowhere new.txt --run bad
expect_error 1 "nowhere"
vectrail tune base nowhere.txt --run bad "${fast[@]}"
expect_error 1 "nowhere.txt"
vectrail tune base - --run bad "${fast[@]}"
expect_error 2 "the new text is read twice"
vectrail tune base new.txt --run new "${fast[@]}"
expect_error 1 "new"
vectrail tune base new.txt --run bad --freeze drones "${fast[@]}"
expect_error 1 'the word "drones" to freeze is not in the vocabulary' "did you mean drone?"
vectrail tune quadratic new.txt --run bad "${fast[@]}"
expect_error 1 "quadratic: the quadratic loss ends where it does from any start" "train on that text"
head -c 400 leaves/start.safetensors >leaves/start
mv leaves/start leaves/start.safetensors
vectrail tune leaves new.txt --run bad "${fast[@]}"
expect_error 1 "leaves/start.safetensors"
vectrail tune glove new.txt --run bad "${fast[@]}"
expect_error 1 "glove: GloVe's vectors are sums of two tables, and the run kept the sums alone" "train with --save-output"
vectrail tune phrases new.txt --run bad "${fast[@]}"
expect_error 1 "joined to phrases"
vectrail tune l2 new.txt --run bad --anchor 0.1 "${fast[@]}"
expect_error 2 "rows cannot be drawn to zero" "--l2 0"
vectrail tune base new.txt --run bad --anchor 100 "${fast[@]}"
expect_error 2 "anchor is 100; it must lie between 0 and 8"
vectrail tune short new.txt --run bad "${fast[@]}"
expect_error 1 "short/model.safetensors"
vectrail tune lost new.txt --run bad "${fast[@]}"
expect_error 1 "lost/snapshots"
expect_nothing_left
finish
