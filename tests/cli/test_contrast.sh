#!/usr/bin/env bash
# Texts told apart: by pairs and by dropout, in a network and in a table; the arm without negatives, which collapses and
# is diagnosed; the same bits at any number of threads; bad input.
. "${SOURCE:?}/tests/cli/lib.sh"
make_corpus old.txt 300
sums() { python3 -c '
import sqlite3, sys
print(sqlite3.connect(sys.argv[1] + "/run.db").execute("SELECT step, sha256 FROM snapshot ORDER BY step").fetchall())' "$1"; }
vectrail train old.txt --run gpt --model transformer --dim 16 --layers 1 --heads 2 --context 16 --epochs 3 --min-count 1 --snapshots 2 \
  --probes 2 --lr 0.003 --warmup 5 --threads 1 --quiet
expect_status 0
vectrail train old.txt --run base "${small[@]}" --quiet
expect_status 0
fast=(--threads 1 --lr 0.002 --batch 32 --snapshots 4 --probes 4 --quiet)

vectrail contrast gpt old.txt --run apart "${fast[@]}" --epochs 5 --json
expect_status 0
expect_json 'd["by_dropout"] and d["pairs"] == 300 and d["steps"] == 45'
expect_json 'd["after"]["uniformity"] < d["before"]["uniformity"] - 0.1 and d["after"]["rank"] > d["before"]["rank"]'
python3 - <<'P' || fail "alignment, uniformity and rank are recorded over time"
import sqlite3
db = sqlite3.connect("apart/run.db")
for name in ("loss", "alignment", "uniformity", "text_rank", "drift", "lr"):
    assert db.execute("SELECT count(*) FROM metric WHERE name = ?", (name,)).fetchone()[0] >= 4, name
meta = dict(db.execute("SELECT key, value FROM meta"))
assert meta["origin"] == "contrast" and meta["base"] == "gpt" and meta["contrast_temperature"] == "0.05", meta
P
vectrail contrast gpt old.txt --run apart-2 "${fast[@]}" --epochs 5 --threads 2
[ "$(sums apart)" = "$(sums apart-2)" ] || fail "two threads should give the same bits"
vectrail diagnose apart --json
expect_json '"collapsed" not in [f["kind"] for f in d["findings"]]'

# Without the negatives everything becomes one, and the diagnosis says so.
head -n 64 old.txt >few.txt
vectrail contrast gpt few.txt --run collapse "${fast[@]}" --lr 0.01 --epochs 60 --dropout 0.3 --positives-only --json
expect_status 0
expect_json 'd["after"]["uniformity"] > -0.1 and d["after"]["rank"] < 1.2 and d["after"]["alignment"] < d["before"]["alignment"]'
vectrail diagnose collapse --json
expect_json '[f for f in d["findings"] if f["kind"] == "collapsed" and "texts have collapsed" in f["what"] and "positives-only" in f["remedy"]]'
expect_json '"words_unmoved" in [u["kind"] for u in d["unknown"]]'

# Pairs of words of both topics, in a table and in a network: they come nearer than they were.
for _ in 1 2 3 4; do printf '%s\n' $'king\tapple' $'queen\tpear' $'sword\ttree' $'prince\tplum' $'castle\tgarden' $'knight\torchard'; done >pairs.tsv
echo $'zebra\tking' >>pairs.tsv
for run in base gpt; do
  vectrail contrast $run pairs.tsv --run pairs-$run "${fast[@]}" --batch 6 --lr 0.01 --epochs 10 --json
  expect_status 0
  expect_json 'not d["by_dropout"] and d["pairs"] == 24 and d["skipped"] == 1 and d["after"]["alignment"] < d["before"]["alignment"]'
  vectrail contrast $run pairs.tsv --run pairs-$run-2 "${fast[@]}" --batch 6 --lr 0.01 --epochs 10 --threads 2
  [ "$(sums pairs-$run)" = "$(sums pairs-$run-2)" ] || fail "two threads should give the same bits"
done
similarity() { "$VECTRAIL" similarity "$1" king apple --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["cosine"])'; }
python3 -c "import sys; sys.exit(0 if $(similarity pairs-base) > $(similarity base) else 1)" || fail "a pair should come nearer"
vectrail contrast base pairs.tsv --run shown
expect_status 0
expect_out_has "uniformity"
expect_out_has "1 lines held no word of the run"

for command in "neighbors apart king -k 3" "similarity pairs-base king queen --over-time" "measure apart" "info apart" "compare gpt apart" \
  "export pairs-base -o pairs.vec" "generate apart --prompt the --length 3" "tune apart old.txt --run tuned --epochs 1 --snapshots 2 --probes 2 --quiet" \
  "tune pairs-base old.txt --run tuned-2 --epochs 1 --snapshots 2 --probes 2 --quiet" "contrast pairs-base pairs.tsv --run twice --quiet"; do
  # shellcheck disable=SC2086 # words on purpose
  vectrail $command
  expect_status 0
done

# Stopped on the way, it is a run that ends there.
stop_on_the_way stopped contrast gpt old.txt "${fast[@]}" --epochs 100000
expect_status 130
expect_err_has "stopped holds what was trained until then"
python3 - <<'P' || fail "a stopped run should end where it stands"
import sqlite3
db = sqlite3.connect("stopped/run.db")
last, = db.execute("SELECT max(step) FROM step").fetchone()
assert db.execute("SELECT step FROM event WHERE kind = 'stopped'").fetchone() == (last,) and last > 0
assert db.execute("SELECT count(*) FROM metric WHERE step = ? AND name IN ('uniformity', 'drift', 'loss')", (last,)).fetchone() == (3,)
P
vectrail generate stopped --prompt the --length 3
expect_status 0

# Bad input.
vectrail train old.txt --run nnlm --model nnlm --dim 8 --hidden 8 --epochs 1 --min-count 1 --quiet
cp -r gpt short
head -c 3000 gpt/model.safetensors >short/model.safetensors
cp -r base lost
rm lost/snapshots/*
printf 'king\tqueen\napple pear\n' >mixed.tsv
printf 'king queen\napple\tpear\n' >mixed-2.tsv
printf 'king\tqueen\tprince\n' >three.tsv
printf 'king\tqueen\n' >one.tsv
printf 'zebra\tlion\nzebra\tking\n' >unknown.tsv
remember
contrast() { vectrail contrast "$1" "$2" --run bad --quiet "${@:3}"; }
contrast base mixed.tsv
expect_error 1 "mixed.tsv:2: one text, where the lines before have pairs"
contrast gpt mixed-2.tsv
expect_error 1 "mixed-2.tsv:2: a pair of texts, where the lines before have one text"
contrast base three.tsv
expect_error 1 "three.tsv:1: more than two texts"
contrast base one.tsv
expect_error 1 "one.tsv: holds fewer than two lines"
contrast base unknown.tsv
expect_error 1 "unknown.tsv: holds fewer than two lines"
contrast base nowhere.tsv
expect_error 1 "nowhere.tsv"
contrast base old.txt
expect_error 1 "which a Transformer alone has" "a tab between"
contrast gpt old.txt --dropout 0
expect_error 2 "dropout is 0"
contrast nnlm pairs.tsv
expect_error 1 "a feed-forward network reads a window of words"
contrast short old.txt
expect_error 1 "short/model.safetensors"
contrast lost pairs.tsv
expect_error 1 "lost/snapshots"
contrast base pairs.tsv --batch 1
expect_error 2 "--batch is '1'"
vectrail contrast base pairs.tsv
expect_error 2 "contrast needs a run folder to write to"
contrast base pairs.tsv --force --run base/run.db
[ "$status" -eq 1 ] || fail "a file is no place for a run"
vectrail resume apart
expect_error 1 "made by vectrail contrast"
expect_nothing_left
finish
