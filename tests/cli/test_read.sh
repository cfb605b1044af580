#!/usr/bin/env bash
# The reading commands: tables for people, JSON for programs, the same numbers in both.
. "${SOURCE:?}/tests/cli/lib.sh"
make_corpus text.txt "$(or_fewer 1500 400)"
"$VECTRAIL" train text.txt --run run "${small[@]}" --float32 --quiet || fail "the text should train"
last=$("$VECTRAIL" info run --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["last_step"]["step"])')

# info
vectrail info run
expect_status 0
expect_err ""
expect_out_has "vocabulary   25 words"
expect_out_has "probe_loss"
expect_out_has "finished"
vectrail info run --json
expect_json 'd["settings"]["dim"] == "16" and d["settings"]["min_count"] == "5" and d["words"] == 25'
expect_json '[s["step"] for s in d["snapshots"]] == sorted(s["step"] for s in d["snapshots"]) and len(d["snapshots"]) == 6'
expect_json 'd["metrics"]["probe_loss"]["step"] == d["last_step"]["step"] and d["last_step"]["epoch"] == '"$epochs"
expect_json '[e["kind"] for e in d["events"] if e["kind"] != "converged"] == ["start", "finished"]'
vectrail info run --metric probe_loss --json
expect_json 'd["metric"] == "probe_loss" and d["points"][0]["step"] == 0 and d["points"][-1]["step"] == '"$last"
expect_json 'd["points"][-1]["value"] < d["points"][0]["value"]'
points=$(python3 -c 'import json, sys; print(len(json.loads(sys.argv[1])["points"]))' "$out")
vectrail info run --metric probe_loss
[ "$(wc -l <"$captured/out")" -eq "$points" ] || fail "a line for each point"
[[ $out =~ ^0$'\t'[0-9.]+$'\n' ]] || fail "a step, a tab, a value"

# neighbors: the two topics come apart.
vectrail neighbors run king -k 5 --json
expect_json 'd["word"] == "king" and d["step"] == '"$last"' and len(d["neighbors"]) == 5'
expect_json 'all(n["word"] in "queen castle crown knight throne prince duke sword banner".split() for n in d["neighbors"])'
expect_json 'all(a["cosine"] >= b["cosine"] for a, b in zip(d["neighbors"], d["neighbors"][1:]))'
nearest=$(python3 -c 'import json, sys; n = json.loads(sys.argv[1])["neighbors"][0]; print(n["word"], "%.4f" % n["cosine"])' "$out")
vectrail neighbors run king -k 5
expect_out_has "king  ("
[[ $(sed -n 3p "$captured/out" | tr -s ' ') == " $nearest "* ]] || fail "the table begins with $nearest"
vectrail neighbors run king -k 1000000 --json
expect_json 'len(d["neighbors"]) == 24 and "king" not in [n["word"] for n in d["neighbors"]]'
vectrail neighbors run king apple --json
[ "$(wc -l <"$captured/out")" -eq 2 ] || fail "an object a word"
# Many words, from a file too, over the whole run: the last answer is that of the word alone.
vectrail neighbors run king -k 5 --json
alone=$out
printf ' apple \r\n\nking\npear' >words.txt
vectrail neighbors run queen --words-file words.txt -k 5 --over-time --threads 2 --json
together=$out
[ "$(python3 -c 'import json, sys; print([json.loads(l)["word"] for l in sys.argv[1].splitlines()])' "$out")" = \
  "['queen', 'apple', 'king', 'pear']" ] || fail "the words in their order"
out=$(sed -n 3p <<<"$together")
expect_json 'len(d["over_time"]) == 6 and d["over_time"][-1]["overlap"] == 1 and d["over_time"][0]["overlap"] < 1'
expect_json 'd["neighbors"] == d["over_time"][-1]["neighbors"] and {k: d[k] for k in ("word", "step", "neighbors")} == '"$alone"
expect_json 'all(abs(p["overlap"] - len(a & b) / len(a | b)) < 1e-12 for p in d["over_time"] for a in [{n["word"] for n in p["neighbors"]}] for b in [{n["word"] for n in d["neighbors"]}])'
vectrail neighbors run queen --words-file words.txt -k 5 --over-time --threads 1 --json
expect_out "$together"
vectrail neighbors run king -k 3 --over-time
expect_out_has "overlap  neighbours"
vectrail neighbors run --words-file words.txt -k 1 --json
[ "$(wc -l <"$captured/out")" -eq 3 ] || fail "the words of the file alone"
vectrail neighbors run
expect_error 2 "neighbors needs a run folder and a word"
vectrail neighbors run --words-file missing.txt
expect_error 1 "missing.txt: cannot open"
printf ' \n\n' >empty.txt
vectrail neighbors run --words-file empty.txt
expect_error 1 "empty.txt: there is no word in it"
printf 'king\nkng\n' >typo.txt
vectrail neighbors run --words-file typo.txt
expect_error 1 "the word 'kng' is not in the vocabulary" "king"
head -c 100 /dev/zero >zero.txt
vectrail neighbors run --words-file zero.txt
expect_error 1 "zero.txt: this is binary data"
vectrail neighbors run -- king
expect_status 0
vectrail neighbors run king --step 0 --json
expect_json 'd["step"] == 0'
vectrail neighbors run king --step 18446744073709551615 --json
expect_json 'd["step"] == '"$last"
# Between two snapshots the one before counts.
vectrail neighbors run king --step $((last - 1)) --json
expect_json 'd["step"] < '"$last"

# similarity
vectrail similarity run king queen --over-time --json
expect_json 'd["a"] == "king" and d["b"] == "queen" and len(d["over_time"]) == 6'
expect_json 'd["over_time"][-1] == {"step": d["step"], "cosine": d["cosine"]} and d["cosine"] > 0.5'
expect_json 'd["over_time"][0]["step"] == 0 and abs(d["over_time"][0]["cosine"]) <= 1'
vectrail similarity run queen king --json
near=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["cosine"])' "$out")
vectrail similarity run king apple --json
expect_json 'd["cosine"] < '"$near"' - 0.2 and "over_time" not in d'
vectrail similarity run king king --json
expect_json 'abs(d["cosine"] - 1) < 1e-12'
LC_ALL=C.UTF-8 vectrail similarity run king queen --over-time
expect_out_has "█"
[ "$(grep -cE '^ +[0-9,]+  +-?[01]\.[0-9]{4}$' "$captured/out")" -eq 6 ] || fail "a line for each snapshot"
LC_ALL=C vectrail similarity run king queen --over-time
LC_ALL=C grep -q '[^ -~]' "$captured/out" && fail "plain characters where the locale is not UTF-8"

# The vectors say the same to NumPy-free Python.
"$VECTRAIL" export run -o vectors.txt --quiet
python3 - "$near" <<'PYTHON' || fail "the exported vectors give the same cosine"
import math, sys
rows = {l.split(" ")[0]: [float(x) for x in l.split()[1:]] for l in open("vectors.txt").read().splitlines()[1:]}
a, b = rows["king"], rows["queen"]
cosine = sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(x * x for x in b))
sys.exit(0 if abs(cosine - float(sys.argv[1])) < 1e-9 else 1)
PYTHON

# analogy
vectrail analogy run king queen apple -k 3 --json
expect_json '(d["a"], d["b"], d["c"]) == ("king", "queen", "apple") and len(d["answers"]) == 3'
expect_json 'not {"king", "queen", "apple"} & {n["word"] for n in d["answers"]}'
vectrail analogy run king queen apple
expect_out_has "king is to queen as apple is to ..."

# eval
printf 'king\tqueen\t9\nking\tapple\t1\napple\tpear\t8\nqueen\tcherry\t0.5\nking\tzebra\t5\n' >"pairs one.txt"
printf 'king queen 9\napple king 1\n' >two.txt
printf ': royal\nking queen apple pear\n: gram1-x\nking queen knight zebra\n' >questions.txt
vectrail eval run --similarity "pairs one.txt" two.txt --analogy questions.txt --over-time --json
expect_json 'd["similarity"]["pairs one.txt"]["pairs"] == 5 and d["similarity"]["pairs one.txt"]["covered"] == 4'
expect_json '0.5 < d["similarity"]["pairs one.txt"]["spearman"] <= 1 and abs(d["similarity"]["two.txt"]["spearman"] - 1) < 1e-9'
expect_json 'd["analogy"]["questions"] == 2 and d["analogy"]["covered"] == 1 and d["analogy"]["all"] in (0, 1)'
expect_json 'd["analogy"]["syntactic"] is None and [s["name"] for s in d["analogy"]["sections"]] == ["royal", "gram1-x"]'
expect_json 'len(d["over_time"]) == 6 and d["over_time"][-1]["similarity"] == d["similarity"]'
vectrail eval run --similarity "pairs one.txt" --similarity two.txt --analogy=questions.txt --over-time
expect_status 0
expect_out_has "pairs one.txt"
expect_out_has "4 of 5"
expect_out_has "royal"
vectrail eval run --similarity two.txt --restrict 1 --threads 1 --step 0 --json
expect_json 'd["step"] == 0 and "analogy" not in d and d["similarity"]["two.txt"]["covered"] == 2'

# export
for pair in w2v-text:a.txt w2v-text:a.vec w2v-binary:a.bin npy:a.npy safetensors:a.safetensors projector:a.tsv; do
  vectrail export run -o "${pair#*:}" --json
  expect_status 0
  expect_json 'd["format"] == "'"${pair%:*}"'" and d["rows"] == 25 and d["dim"] == 16 and d["path"] == "'"${pair#*:}"'"'
  second=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1]).get("second_path", "."))' "$out")
  [ -e "$second" ] || fail "the second file $second should be there"
done
vectrail export run -o b.dat --format npy
expect_out_has "wrote 25 vectors of length 16"
cmp -s a.npy b.dat || fail "the format is what --format says"
vectrail export run -o early.npy --step 0 --quiet
expect_out ""
cmp -s a.npy early.npy && fail "another step, other vectors"

# What is of the whole run: the ways of words for the projector, and what was measured for TensorBoard.
vectrail export run -o ways.tsv --over-time --words 4 --json
expect_json 'd["format"] == "projector" and d["points"] == 24 and d["second_path"] == "ways.metadata.tsv"'
python3 - <<'PYTHON' || fail "the ways of words are not those of the snapshots"
import json, subprocess, os
rows = [line.rstrip("\n").split("\t") for line in open("ways.metadata.tsv", encoding="utf-8")]
assert rows[0] == ["word", "step", "count", "__seq_next__"], rows[0]
points = [[float(x) for x in line.split("\t")] for line in open("ways.tsv")]
assert len(points) == len(rows) - 1 == 24
for k, (word, step, count, following) in enumerate(rows[1:]):
    assert following == ("" if k % 6 == 5 else str(k + 1)), (k, following)
    assert word == rows[1 + k - k % 6][0]
last = int(rows[6][1])
subprocess.run([os.environ["VECTRAIL"], "export", "run", "-o", "last.tsv", "--step", str(last), "--quiet"], check=True)
table = [[float(x) for x in line.split("\t")] for line in open("last.tsv")]
assert [points[6 * w + 5] for w in range(4)] == table[:4]
PYTHON
vectrail export run -o events.out.tfevents.run
expect_out_has "values as tensorboard"
python3 "$SOURCE/tests/support/event_file.py" events.out.tfevents.run >events.json || fail "TensorBoard could not read that"
vectrail info run --metric loss --json
python3 - "$out" <<'PYTHON' || fail "the events are not the run's metrics"
import json, struct, sys
events, told = json.load(open("events.json")), json.loads(sys.argv[1])
single = lambda x: struct.unpack("<f", struct.pack("<f", x))[0]
points = told["points"] if "points" in told else told["loss"]
assert [[p[0], p[2]] for p in events["loss"]] == [[p["step"], single(p["value"])] for p in points]
assert events["lr"][0][1] <= events["lr"][-1][1] and events["lr"][-1][0] > 0
PYTHON
for wrong in "-o x.npy --over-time" "-o x.tsv --over-time --step 0" "-o x --format tensorboard" "-o a.tfevents --over-time" \
  "-o a.tfevents --step 3" "-o x.tsv --over-time --words 0"; do
  # shellcheck disable=SC2086 # words
  vectrail export run $wrong
  expect_status 2
done
[ -e x.npy ] || [ -e x.tsv ] || [ -e x ] && fail "a refused export leaves nothing"

# Words that are typed with other bytes than the text had.
# shellcheck disable=SC1110,SC1112 # the curly apostrophe is meant
printf 'Hà Nội là thủ đô của Việt Nam don’t\n%.0s' $(seq 20) >vietnam.txt
"$VECTRAIL" train vietnam.txt --run accents --dim 4 --epochs 1 --quiet --fold-case || fail "accents should train"
decomposed=$(python3 -c 'import unicodedata; print(unicodedata.normalize("NFD", "nội"))')
# shellcheck disable=SC1110
for typed in nội "$decomposed" NỘI don\'t DON’T; do
  vectrail neighbors accents "$typed" --json
  expect_status 0
done
vectrail similarity accents hà nội
expect_out_has "hà, nội  cosine"
vectrail neighbors run KING
expect_error 1 "the word 'KING' is not in the vocabulary"

# A word that holds control characters reaches no terminal.
printf 'evil\e]0;title\a other words here\n%.0s' $(seq 20) >evil.txt
"$VECTRAIL" train evil.txt --run evil --tokens space --dim 4 --epochs 1 --quiet || fail "odd words should train"
vectrail neighbors evil other
expect_out_has "evil?]0;title?"
[[ $out != *$'\e'* ]] || fail "no escape sequence should come through"
finish
