#!/usr/bin/env bash
# vectrail svd and vectrail sweep: what they say of a text, and what they refuse.
. "${SOURCE:?}/tests/cli/lib.sh"

# Lines of two words out of 48, drawn so that the matrix of the quadratic model has four large eigenvalues.
python3 - planted.txt <<'PYTHON'
import random
import sys

random.seed(5)
words = range(48)
cells, weights = [], []
for a in words:
    for b in words:
        m = sum(0.15 if (a ^ b) >> bit & 1 == 0 else -0.15 for bit in range(4))
        cells.append(f"w{a} w{b}\n")
        weights.append((1 + m / 2) / (1 - m / 2))
with open(sys.argv[1], "w", encoding="ascii") as file:
    file.writelines(random.choices(cells, weights, k=60000))
PYTHON
make_corpus text.txt 1500

# ---- svd ---------------------------------------------------------------------------------------------------------------
vectrail svd text.txt --run svd --dim 6 --json
expect_status 0
expect_json 'd["run"] == "svd" and d["words"] == 25 and d["dim"] == 6 and len(d["spectrum"]) == 6 and "choice" not in d'
expect_json 'd["spectrum"] == sorted(d["spectrum"], reverse=True) and d["spectrum"][5] > 0'
vectrail neighbors svd king -k 3 --json
expect_status 0
expect_json 'all(n["word"] in "queen castle crown knight throne prince duke sword banner".split() for n in d["neighbors"])'
vectrail info svd
expect_status 0
for matrix in pmi quadratic; do
  vectrail svd text.txt --matrix $matrix --shift 2 --dim 3 --run $matrix --json
  expect_status 0
  expect_json 'd["dim"] == 3 and d["spectrum"][0] > d["spectrum"][1]'
done
vectrail svd planted.txt --matrix quadratic --choose --window 1 --dim 0 --run chosen --json --threads 1
expect_status 0
expect_json '3 <= d["dim"] <= 6 and d["dim"] == d["choice"]["dim"] and d["choice"]["sigma"] > 0'
expect_json 'd["choice"]["within_percent"]["50"][0] <= d["choice"]["within_percent"]["5"][0] <= d["dim"]'
expect_json 'min(d["choice"]["bound"].values()) >= 0 and d["choice"]["bound"]["variance_of_directions"] > 0'
expect_json 'd["choice"]["dim_if_more_noise"] <= d["dim"] <= d["choice"]["dim_if_less_noise"]'
json=${out/\"chosen\"/null}
vectrail svd planted.txt --matrix quadratic --choose --window 1 --dim 0 --json --threads 3
expect_out "$json"
vectrail svd planted.txt --matrix quadratic --window 1 --dim 0 --picture pip.svg
expect_status 0
expect_out_has "best dimension by expected PIP loss"
expect_out_has "were the noise 0.8 times as large"
grep -q 'between halves, measured' pip.svg || fail "the picture shows what was measured"
vectrail svd planted.txt --picture pip.svg
expect_error 2 "add --choose"

# ---- sweep -------------------------------------------------------------------------------------------------------------
vectrail sweep planted.txt --model spectral --dim 1,2,3,4,6,8,12,16 --window 1 --sample 0 --min-count 1 --patience 0 --json
expect_status 0
expect_json 'd["dim"] == 4 and d["interval"][0] <= 4 <= d["interval"][1] and d["words"] == 48'
expect_json 'all(abs(p["bias2"] + p["variance"] + p["noise"] - p["error"]) < 0.001 * p["error"] for p in d["dims"])'
expect_json 'd["dims"][0]["bias2"] > d["dims"][3]["bias2"] and d["dims"][7]["variance"] > d["dims"][3]["variance"]'
expect_json 'd["dims"][0]["error"] > d["dims"][3]["error"] < d["dims"][7]["error"]'
vectrail sweep planted.txt --model spectral --dim 1..32 --window 1 --sample 0 --min-count 1 --patience 0.01 --json
expect_status 0
expect_json 'd["dim"] == 4 and d["dims"][-1]["runs"] == 0 and d["dims"][-1]["error"] is None'

sweep=(text.txt --run runs --dim "2,4,8" --l2 "0,0.001" --lr "0.05,0.0001" --seeds 2 --epochs 3 --window 3 --sample 0 --patience 0
  --budget 1)
vectrail sweep "${sweep[@]}" --json --output sweep.html --quiet --threads 2
expect_status 0
expect_err ""
expect_json '[p["dim"] for p in d["dims"]] == [2, 4, 8] and all(p["runs"] == 4 for p in d["dims"]) and d["seconds"] > 0'
expect_json 'all(p["seed_variance"] is not None and p["norm"] > 0 and p["held_out_loss"] > 0 for p in d["dims"])'
expect_json 'len(d["l2s"]) == 2 and d["l2s"][1]["norm"] < d["l2s"][0]["norm"]'
expect_json 'len(d["lrs"]) == 2 and d["lr"] == 0.05 and d["lrs"][1]["verdict"] == "too low"'
python3 - <<'P' || fail "the page holds a picture and three tables, and nothing from elsewhere"
page = open("sweep.html", encoding="utf-8").read()
assert page.count("<svg") >= 1 and page.count("<table>") == 3 and page.rstrip().endswith("</html>")
assert "src=" not in page and "href=" not in page
P
without_time() { sed -E 's/"seconds(_all)?": *[0-9.e+-]+//g; s/A training of it took [^"]*"/"/' <<<"$1"; }
first=$(without_time "$out")
vectrail sweep "${sweep[@]}" --json --quiet --threads 1
expect_error 1 "runs"
vectrail sweep "${sweep[@]}" --json --quiet --threads 1 --force
expect_status 0
[ "$(without_time "$out")" = "$first" ] || fail "the result should not depend on threads"
vectrail neighbors runs/d8-a-seed1 king -k 1
expect_status 0
expect_no_file runs/part-a.txt
# Half the budget: each once, then the best ones first; the parabola where the best has neighbours.
vectrail sweep text.txt --run half --dim 2,4,8,16 --seeds 2 --epochs 3 --window 3 --sample 0 --patience 0 --json --quiet --picture sweep.svg
expect_status 0
expect_json 'all(p["runs"] >= 1 for p in d["dims"]) and sum(p["runs"] * (75 + p["dim"]) for p in d["dims"]) <= 2 * sum(75 + p["dim"] for p in d["dims"])'
expect_json '[p["runs"] for p in d["dims"] if p["dim"] == d["dim"]][0] >= 2 and d["seconds"] < d["seconds_all"]'
expect_json 'd["least_between"] is None or d["least_between_interval"][0] <= d["least_between"] <= d["least_between_interval"][1]'
grep -q '<svg' sweep.svg || fail "the picture is SVG"
vectrail sweep text.txt --run x --budget 0
expect_error 2 "--budget is '0'"
vectrail sweep text.txt --run short --dim 2,4 --seeds 1 --epochs 1 --window 3 --sample 0 --quiet
expect_status 0
expect_out_has "cannot be told apart from it"
expect_out_has "pairs of 25 words"

# ---- what cannot be ----------------------------------------------------------------------------------------------------
vectrail svd
expect_error 2 "svd needs a corpus"
vectrail svd none.txt
expect_error 1 "none.txt"
vectrail svd text.txt --shift 0
expect_error 2 "--shift is '0'"
vectrail svd text.txt --power 1.5
expect_error 2 "--power is '1.5'"
vectrail svd text.txt --run svd --dim 2
expect_error 1 "svd"
# Hardly any text: the noise is as large as all there is, which is said.
head -n 12 text.txt >little.txt
shuf --random-source=planted.txt -n 60 -e $(seq 400) | paste -d' ' - - >chance.txt
remember
vectrail svd chance.txt --min-count 1 --dim 0 --run chance
expect_error 1 "no direction stands out of the noise" "use more text"
vectrail svd little.txt --min-count 1 --dim 0
expect_status 0
expect_out_has "the text is too small for a sure estimate of the noise"
vectrail svd little.txt --min-count 1
expect_status 0
expect_nothing_left
printf 'one two three four five six\n' >line.txt
vectrail svd chance.txt --min-count 1 --choose --picture chance.svg
expect_status 1
expect_err_has "there is no loss over dimensions to draw"
expect_no_file chance.svg
vectrail svd line.txt --min-count 1 --choose
expect_error 1 "too few to be divided" "more text"
vectrail sweep
expect_error 2 "sweep needs a corpus"
vectrail sweep text.txt
expect_error 2 "add --run DIR"
vectrail sweep text.txt --run x --dim 8,4
expect_error 2 "--dim is '8,4'; it must be rising whole numbers up to 4096, or A..B"
for bad in 0 4,,8 4..2x 5000 4,4 -1 a; do
  vectrail sweep text.txt --run x "--dim=$bad"
  expect_error 2 "--dim is '$bad'"
done
for bad in 0 0.1,-1 nan 0x1 1e999 "0.1," 2000; do
  vectrail sweep text.txt --run x "--lr=$bad"
  expect_error 2 "--lr is '$bad'"
done
vectrail sweep text.txt --run x --l2=-1
expect_error 2 "--l2 is '-1'"
vectrail sweep text.txt --model spectral --lr 0.1
expect_error 2 "the spectral model trains nothing"
vectrail sweep text.txt --run x --seeds 0
expect_error 2 "--seeds is '0'"
vectrail sweep text.txt --run no/where
expect_error 1 "no/where: cannot make the folder"
vectrail sweep little.txt --min-count 1 --model spectral
expect_error 1 "too few to be divided into 5 parts" "use more text"
vectrail sweep planted.txt --model spectral --least 1e6
expect_error 1 "only 0 pairs of words meet 1e+06 times in the tenth of the text that they are chosen by" "use more text"
vectrail sweep planted.txt --model spectral --dim 2,4 --window 1 --sample 0 --output no/page.html
expect_error 1 "no/page.html"
expect_no_file x
finish
