#!/usr/bin/env bash
# vectrail theory, and train --loss quadratic: what they print, and what they refuse.
. "${SOURCE:?}/tests/cli/lib.sh"

make_corpus text.txt 1500
vectrail train text.txt --run quadratic --loss quadratic --dim 8 --window 3 --sample 0 --epochs 1200 --schedule constant \
  --snapshots 60 --quiet --json
expect_status 0
expect_json 'd["steps"] == 1200 and d["loss"] < 0.5'
vectrail theory quadratic --json --curves --picture picture.svg
expect_status 0
expect_json 'd["exact"] and not d["qualitative"] and d["words"] == 25 and d["overlap_modes"] == 5'
# Two topics: one direction that counts.
expect_json '0 < d["overlap_top5"] < 1.000001 and d["rise_time_median_error"] < 0.05 and d["plateau_error"] < 0.01 and d["plateau_modes"] == 1'
expect_json 'len(d["modes"]) == 8 and len(d["curves"]) == 8 and len(d["tau"]) == len(d["steps"])'
expect_json 'd["modes"][0]["eigenvalue"] > d["modes"][1]["eigenvalue"] and abs(20 * d["lr"] / d["lr_edge"] - 1) < 1e-3'
json=$out
vectrail theory quadratic --json --curves --threads 3
expect_out "$json"
python3 - <<'P' || fail "the picture is XML with a point for each snapshot and mode"
import xml.etree.ElementTree as tree
root = tree.parse("picture.svg").getroot()
assert root.tag.endswith("svg") and sum(path.get("d").count("h0") for path in root.findall(".//{*}path")) > 100
P
vectrail theory quadratic
expect_status 0
expect_out_has "rise times differ by"
expect_out_has "plain descent is stable below"

# The rate that was chosen is recorded, and a run goes on with it.
[[ $("$VECTRAIL" info quadratic | sed -n 's/^  lr  *//p') =~ ^[0-9] ]] || fail "the rate is recorded"

# Skip-gram: the same picture, qualitative, and scores against their optimum.
vectrail train text.txt --run ns "${small[@]}" --save-output --quiet --json
expect_status 0
cat >questions.txt <<'Q'
: planted
king queen castle crown
knight throne prince duke
sword banner king queen
Q
vectrail theory ns --points 2 --analogy questions.txt --json
expect_status 0
expect_json 'd["qualitative"] and d["rise_time_median_error"] is None and d["lr_edge"] is None'
expect_json 'len(d["factorisation"]) == 2 and d["factorisation"][1]["gap"] >= 0 and len(d["factorisation"][1]["bands"]) == 4'
expect_json 'd["factorisation"][1]["pairs"] + d["factorisation"][1]["unseen"] <= 625'
expect_json '[t["section"] for t in d["tasks"]] == ["planted"] and d["tasks"][0]["pairs"] == 5'
expect_json 'len(d["tasks"][0]["signal"]) == len(d["steps"]) and d["tasks"][0]["accuracy"][0] is not None'
vectrail theory ns --analogy questions.txt
expect_status 0
expect_out_has "qualitative"
expect_out_has "all pairs that meet"
expect_out_has "planted"
for what in directions scores sections spectrum; do
  vectrail theory ns --analogy questions.txt --draw $what --picture $what.svg
  expect_status 0
  python3 -c "import sys, xml.etree.ElementTree as tree; tree.parse(sys.argv[1])" $what.svg || fail "$what.svg is XML"
done
grep -q 'Marchenko-Pastur' spectrum.svg || fail "the spectrum is drawn beside that of chance"
vectrail theory ns --draw sections --picture none.svg
expect_error 1 "no sections of analogies" "add --analogy FILE"
vectrail theory quadratic --draw scores --picture none.svg
expect_error 1 "negative sampling alone"
vectrail info quadratic ns --metric loss --picture losses.svg
expect_status 0
grep -q '>ns</text>' losses.svg || fail "each run is named"
vectrail info quadratic ns --metric nothing --picture none.svg
expect_error 1 "no metric called 'nothing'"
vectrail info quadratic ns
expect_error 2 "several runs are for a picture"
vectrail info ns --picture none.svg
expect_error 2 "say which (--metric NAME)"
expect_no_file none.svg
vectrail train text.txt --run lean "${small[@]}" --quiet
vectrail theory lean
expect_status 0
expect_out_has "train with --save-output"

# What cannot be.
mv text.txt moved.txt
vectrail theory quadratic
expect_error 1 "text.txt"
vectrail theory quadratic --corpus moved.txt --json
expect_status 0
echo "king queen" >other.txt
vectrail theory quadratic --corpus other.txt
expect_error 1 "is not the text that the run was trained on"
printf '2 2\na 1 2\nb 3 4\n' >given.vec
vectrail import given.vec --run imported --quiet
vectrail theory imported
expect_error 1 "was not trained on text by vectrail" "train with vectrail"
vectrail theory nothing
expect_error 1 "nothing"
vectrail theory
expect_error 2 "theory needs a run folder"
vectrail train moved.txt --run x --loss quadratic --optimizer adagrad
expect_error 2 "plain descent"
vectrail train moved.txt --run x --loss quadratic --held-out 1%
expect_error 2 "no sentences can be held out"
vectrail train moved.txt --run x --start 0.1
expect_error 2 "quadratic loss only"
vectrail train moved.txt --run x --loss quadratic --lr 1e9 --epochs 500 --quiet
expect_status 3
expect_err_has "no longer finite"
finish
