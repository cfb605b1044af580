#!/usr/bin/env bash
# Training until it has converged; sentences held out; pairs and words watched while it trains.
. "${SOURCE:?}/tests/cli/lib.sh"
make_corpus text.txt 1500
hashes() { "$VECTRAIL" info "$1" --json | python3 -c 'import json, sys; print(*[s["sha256"] for s in json.load(sys.stdin)["snapshots"]])'; }

# ---- until converged ------------------------------------------------------------------------------------------------
until=("${small[@]}" --epochs 60 --schedule constant --until converged --probes 180)
vectrail train text.txt --run run "${until[@]}" --json
expect_status 0
expect_json 'd["converged"] is True and d["converged_step"] == d["steps"]'
steps=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["steps"])' "$out")
planned=$("$VECTRAIL" info run --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["settings"]["steps"])')
[ "$steps" -lt "$planned" ] || fail "it should stop before step $planned"
vectrail info run --json
expect_json "d['last_step']['step'] == $steps and d['snapshots'][-1]['step'] == $steps and d['snapshots'][-1]['dtype'] == 'F32'"
expect_json "[e['kind'] for e in d['events']] == ['start', 'converged', 'finished'] and d['events'][1]['step'] == $steps"
expect_json "d['settings']['converged'] == '1' and d['settings']['converged_step'] == '$steps'"
expect_json "d['convergence']['converged'] and d['convergence']['step'] == $steps"
expect_no_file run/checkpoint.safetensors
expect_no_file run/corpus.ids
vectrail info run
expect_out_has "converged at step"
vectrail measure run
expect_out_has "converged at step"
vectrail measure run --json
expect_json "d['convergence']['converged'] and d['convergence']['step'] == $steps"
first=$(hashes run)
vectrail train text.txt --run other "${until[@]}" --threads 3 --json
expect_json "d['steps'] == $steps"
[ "$(hashes other)" = "$first" ] || fail "three threads should stop at the same bits"
# It is finished: there is nothing to go on with.
vectrail resume run --json
expect_status 0
expect_json "d['steps'] == $steps and d['first_step'] == $steps and d['converged'] and d['converged_step'] == $steps"

# Killed on the way, and gone on with: the same end. What is killed too late is finished, which is as well.
"$VECTRAIL" train text.txt --run killed "${until[@]}" --checkpoint 0.02 --quiet >/dev/null 2>&1 &
pid=$!
for _ in $(seq 200); do
  [ -e killed/checkpoint.safetensors ] && break
  sleep 0.01
done
kill -KILL "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
vectrail resume killed --threads 1 --json
expect_status 0
expect_json "d['steps'] == $steps and d['converged']"
[ "$(hashes killed)" = "$first" ] || fail "a run that was killed should converge at the same bits"

# Without --until it goes on, and says when it was; before there is enough to compare it says so.
vectrail train text.txt --run on "${until[@]}" --until end --json
expect_json "d['converged'] and d['converged_step'] == $steps and d['steps'] == $planned"
vectrail train text.txt --run few "${small[@]}" --probes 8 --json
expect_json 'd["converged"] is False and d["converged_step"] is None'
vectrail info few
expect_out_has "cannot tell whether it has converged: 9 measurements, and 21 are needed"
vectrail train text.txt --run falling "${small[@]}" --epochs 2 --probes 60
expect_out_has "not converged"
vectrail info falling
expect_out_has "not converged: "
vectrail train text.txt --run other --force "${small[@]}" --until soon
expect_error 2 "--until"

# ---- held out -------------------------------------------------------------------------------------------------------
python3 - <<'PYTHON'
lines = open("text.txt").read().splitlines()
with open("marked.txt", "w") as file:
    for n, line in enumerate(lines):
        file.write(f"line{n}a {line} line{n}b\n")
PYTHON
vectrail train marked.txt --run held "${small[@]}" --held-out 5% --min-count 1 --float32 --epochs 2 --sample 0 --json
expect_status 0
tokens=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["tokens"])' "$out")
expect_err_has "--held-out 0.05"
python3 - held "$tokens" "$(wc -w <marked.txt)" <<'PYTHON' || fail "what is held out should be held out"
import json, sqlite3, sys
run, trained, read = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
db = sqlite3.connect(f"{run}/run.db")
meta = dict(db.execute("SELECT key, value FROM meta"))
words = [row[0] for row in db.execute("SELECT text FROM word ORDER BY id")]
paths = [row[0] for row in db.execute("SELECT path FROM snapshot ORDER BY step")]
def rows(path):
    data = open(f"{run}/{path}", "rb").read()
    length = int.from_bytes(data[:8], "little")
    entry = json.loads(data[8 : 8 + length])["input"]
    begin, count, dim = 8 + length + entry["data_offsets"][0], *entry["shape"]
    return [data[begin + i * dim * 4 : begin + (i + 1) * dim * 4] for i in range(count)]
first, last = rows(paths[0]), rows(paths[-1])
# Words of one line alone: they stay where they started if it is held out, and hardly ever else (where the words beside
# them belong to the probe).
still = {word: first[i] == last[i] for i, word in enumerate(words) if word.startswith("line")}
held = sum(still[f"line{n}a"] and still[f"line{n}b"] for n in range(1500))
one = sum(still[f"line{n}a"] != still[f"line{n}b"] for n in range(1500))
losses = [row[0] for row in db.execute("SELECT value FROM metric WHERE name = 'held_out_loss' ORDER BY step")]
probes = db.execute("SELECT count(*) FROM metric WHERE name = 'probe_loss'").fetchone()[0]
good = [
    one < 15,
    45 < held < 105,
    held == int(meta["held_out_sentences"]),
    trained == 2 * (read - int(meta["held_out_tokens"])),
    len(losses) == probes and 0 < losses[-1] < losses[0] and 4 < losses[0] < 4.3,
]
print(good, held, meta["held_out_sentences"], file=sys.stderr)
sys.exit(0 if all(good) else 1)
PYTHON
vectrail info held
expect_out_has "held_out_loss"
vectrail train text.txt --run other --force "${small[@]}" --held-out 60%
expect_error 2 "--held-out is '60%'"
vectrail train text.txt --run other --force "${small[@]}" --held-out 1e-12
expect_error 1 "--held-out 1e-12 takes none of the 1500 sentences" "another share"

# ---- pairs and words watched ----------------------------------------------------------------------------------------
printf 'king\tqueen\napple pear\n' >pairs.txt
printf 'king\nplum\n' >words.txt
vectrail train text.txt --run watched "${small[@]}" --pairs king:apple --pairs @pairs.txt --watch @words.txt --watch-every 3 --metrics 10
expect_status 0
python3 - <<'PYTHON' || fail "pairs and trails should be recorded"
import sqlite3, sys
db = sqlite3.connect("watched/run.db")
ids = {text: id for id, text in db.execute("SELECT id, text FROM word")}
steps = [row[0] for row in db.execute("SELECT step FROM step ORDER BY step")]
pairs = {}
for a, b, step, cosine in db.execute("SELECT a, b, step, cosine FROM pair ORDER BY step"):
    pairs.setdefault((a, b), []).append((step, cosine))
trail = [row[0] for row in db.execute("SELECT step FROM trail WHERE word = ? ORDER BY step", (ids["plum"],))]
good = [
    set(pairs) == {(ids["king"], ids["apple"]), (ids["king"], ids["queen"]), (ids["apple"], ids["pear"])},
    all([step for step, _ in points] == steps for points in pairs.values()),
    trail == list(range(0, steps[-1] + 1, 3)),
    pairs[ids["king"], ids["queen"]][-1][1] > 0.7,
    dict(db.execute("SELECT key, value FROM meta"))["pairs"] == "king\tapple\nking\tqueen\napple\tpear",
]
print(good, file=sys.stderr)
sys.exit(0 if all(good) else 1)
PYTHON
last=$(python3 -c 'import sqlite3; print(sqlite3.connect("watched/run.db").execute("SELECT cosine FROM pair JOIN word ON word.id = b WHERE word.text = \"queen\" ORDER BY step DESC LIMIT 1").fetchone()[0])')
vectrail similarity watched king queen --json
expect_json "abs(d['cosine'] - $last) < 1e-12"
vectrail export watched -o watched.tfevents
expect_status 0
python3 "$SOURCE/tests/support/event_file.py" watched.tfevents >events.json || fail "TensorBoard could not read that"
python3 - <<'PYTHON' || fail "pairs should be among the events"
import json, sqlite3, struct, sys
events = json.load(open("events.json"))
recorded = sqlite3.connect("watched/run.db").execute(
    "SELECT step, cosine FROM pair JOIN word ON word.id = b WHERE word.text = 'queen' ORDER BY step").fetchall()
single = lambda x: struct.unpack("<f", struct.pack("<f", x))[0]
sys.exit([(p[0], p[2]) for p in events["cosine/king queen"]] != [(step, single(x)) for step, x in recorded])
PYTHON
vectrail measure watched --json --only pairs
expect_json '"cosine king apple" in d["series"] and "cosine king queen" in d["series"] and "cosine king plum" in d["series"]'
vectrail train text.txt --run other --force "${small[@]}" --pairs king:qeen
expect_error 1 'the word "qeen" to watch is not in the vocabulary' "queen"
vectrail train text.txt --run other --force "${small[@]}" --pairs king
expect_error 1 "'king' is not a pair of two words"

finish
