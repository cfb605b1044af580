#!/usr/bin/env bash
# Counts in place of a text: every training and command that takes them comes to what the text gives, bit for bit;
# resumed and replayed from the same file alone; what does not fit is refused in one line.
. "${SOURCE:?}/tests/cli/lib.sh"

python=${PYTHON:-/usr/bin/python3}
"$python" - >text <<'PY'
import random
draw = random.Random(7)
for line in range(600):
    topic = draw.randrange(6)
    print(*(f"w{topic}x{draw.randrange(9)}" if draw.random() < 0.7 else f"f{draw.randrange(5)}" for _ in range(14)))
PY
count() { vectrail cooccur text --min-count 1 --window 4 --quiet "$@" && expect_status 0; }
count -o near.db
count -o left.db --one-sided
count -o linear.db --weight linear
count -o sampled.db --weight linear --sample 0.01
count -o near.npz

# The last snapshots of two runs, and all that was measured of both but the probe of softmax, are the same.
same() {
  local last
  last=$(snapshots "$1" | tail -1)
  cmp -s "$1/snapshots/$last" "$2/snapshots/$last" || fail "$2 has other vectors than $1"
  "$python" - "$1" "$2" "${3:-}" <<'PY' || fail "$2 has other measures than $1"
import sqlite3, sys
a, b = ({row[:2]: row[2] for row in sqlite3.connect(f"{run}/run.db").execute("SELECT step, name, value FROM metric")
         if not (sys.argv[3] and row[1].startswith("probe"))} for run in sys.argv[1:3])
assert a == b and len(a) > 20
PY
}

# ---- training -----------------------------------------------------------------------------------------------------
glove="--threads 1 --model glove --dim 6 --epochs 4 --snapshots 5 --quiet"
softmax="--threads 1 --loss softmax --batch full --dim 6 --epochs 8 --snapshots 5 --quiet"
quadratic="--threads 1 --loss quadratic --dim 6 --epochs 12 --snapshots 5 --quiet"
# shellcheck disable=SC2086 # words of options
{
  vectrail train text --run g --min-count 1 --window 4 $glove
  vectrail train --counts near.db --run gc $glove --threads 2
  expect_status 0
  same g gc
  vectrail train text --run o --min-count 1 --window 4 $glove --one-sided
  vectrail train --counts left.db --run oc $glove
  same o oc
  vectrail train text --run s --min-count 1 --window 4 $softmax
  vectrail train --counts linear.db --run sc $softmax
  expect_status 0
  same s sc probe
  vectrail train text --run q --min-count 1 --window 4 --sample 0.01 $quadratic
  vectrail train --counts sampled.db --run qc $quadratic
  expect_status 0
  same q qc
  vectrail train text --run q0 --min-count 1 --window 4 --sample 0 $quadratic --batch 64
  vectrail train --counts linear.db --run qc0 $quadratic --batch 64
  same q0 qc0
}
vectrail train --counts near.db --run told --model glove --dim 2 --epochs 1
expect_err_has "training on the counts of 8,400 words, 59 different ones"
[[ $err == *"--window"* || $err == *"--min-count"* ]] && fail "settings are shown that the counts have settled"
vectrail info gc
expect_status 0
expect_out_has "8,400 in the text"

# ---- once more, and going on --------------------------------------------------------------------------------------
for run in gc sc qc; do
  vectrail replay $run --watch w1x1
  expect_status 0
done
vectrail replay gc --ledger w1x1 --by document
expect_error 1 "trained on counts, which have no documents"
for run in gi si; do
  options=$glove file=near.db whole=gw
  [[ $run == si ]] && options=$softmax file=linear.db whole=sw
  # shellcheck disable=SC2086 # words of options
  vectrail train --counts $file --run $whole $options --epochs 150 --metrics 20
  # shellcheck disable=SC2086
  "$VECTRAIL" train --counts $file --run $run $options --epochs 150 --metrics 20 --checkpoint 0 &
  for ((k = 0; k < 400; k++)); do
    [[ -e $run/snapshots/0.safetensors ]] && break
    sleep 0.02
  done
  kill -INT $!
  wait $!
  (cd / && "$VECTRAIL" resume "$work/$run" --threads 1 --quiet) || fail "$run cannot be gone on with from elsewhere"
  same $whole $run
done

mkdir aside
mv near.db aside/near.db
vectrail replay gc
expect_error 1 "near.db: cannot open" "put the counts back where they were"
vectrail replay gc --corpus aside/near.db
expect_status 0
cp left.db near.db
vectrail replay gc
expect_error 1 "near.db: not the counts that the run was begun with"
mv aside/near.db near.db

# ---- reading commands ---------------------------------------------------------------------------------------------
vectrail svd text --min-count 1 --window 4 --dim 3 --run v --quiet
vectrail svd --counts linear.db --dim 3 --run vc --quiet
expect_status 0
cmp -s v/snapshots/0.safetensors vc/snapshots/0.safetensors || fail "svd has other vectors of counts"
vectrail svd text --min-count 1 --window 4 --dim 3 --sample 0.01 --json
text_out=$out
vectrail svd --counts sampled.db --dim 3 --json
expect_out "$text_out"
vectrail svd --counts near.db --dim 3 --matrix pmi
expect_status 0
vectrail theory q --json
text_out=$out
vectrail theory q --counts sampled.db --json
expect_out "$text_out"
vectrail theory qc --counts sampled.db --json
expect_status 0
vectrail theory qc
expect_error 1 "trained on counts, not on a text"
vectrail theory qc --corpus text
expect_status 0
vectrail measure gc --cooccurrence --corpus text
expect_status 0

# ---- refused ------------------------------------------------------------------------------------------------------
refused() { expect_error "$@"; expect_no_file x; }
vectrail train --run x --model glove
refused 2 "train needs a corpus"
vectrail train text --counts near.db --run x --model glove
refused 2 "--counts takes the place of a corpus"
vectrail train --counts near.db --run x --model glove --window 4
refused 2 "--window is about a corpus"
vectrail train --counts near.db --run x --model glove --held-out 1%
refused 2 "no sentences can be held out of counts"
vectrail train --counts linear.db --run x
refused 2 "trained on a text, word after word, not on counts"
vectrail train --counts linear.db --run x --loss softmax
refused 2 "trained on a text, word after word"
vectrail train --counts linear.db --run x --model glove
refused 2 "the counts have linear weights" "--weight distance"
vectrail train --counts near.db --run x --loss quadratic
refused 2 "the counts have distance weights" "--weight linear"
vectrail train --counts sampled.db --run x --loss softmax --batch full
refused 2 "the counts are subsampled at 0.01"
vectrail train --counts near.npz --run x --model glove
refused 2 "a matrix for SciPy does not say how it was counted"
vectrail train --counts text --run x --model glove
refused 1 "not a database of counts"
vectrail train --counts nowhere.db --run x --model glove
refused 1 "nowhere.db: cannot open"
vectrail train --counts g/run.db --run x --model glove
refused 1 "g/run.db"
vectrail svd --counts left.db --dim 3
refused 2 "of one side"
vectrail svd --counts linear.db --choose
refused 2 "the noise is seen in two halves of a text"
vectrail theory q --counts linear.db
refused 2 "the counts are subsampled at 0, and this takes those at 0.01"
vectrail theory q --counts near.db
refused 2 "the counts have distance weights"
head -500 text >other
vectrail cooccur other --min-count 1 --window 4 --weight linear --sample 0.01 -o other.db --quiet
vectrail theory q --counts other.db
refused 1 "the counts of another text than the run's"
vectrail cooccur text --min-count 1 -o x --sample 0.1
refused 2 "ending tells no format"
vectrail cooccur text --min-count 1 -o x.db --sample 0.1
refused 2 "--sample goes with --weight linear"
finish
