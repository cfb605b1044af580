#!/usr/bin/env bash
# label: optimised
# The benchmark measures what it says, on a tiny text and without peers; no speed is ever a reason to fail.
. "${SOURCE:?}/tests/cli/lib.sh"

bench() { # as `vectrail` of lib.sh
  command_line="$*"
  "$SOURCE/bench/$1" "${@:2}" >"$captured/out" 2>"$captured/err" </dev/null
  status=$?
  out=$(<"$captured/out")
  err=$(<"$captured/err")
}
holds() { # FILE EXPRESSION: over `d`, what the JSON file holds, and `t`, its samples of trainings
  python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
t = [s for s in d["samples"] if s["what"] == "train"]
sys.exit(not eval(sys.argv[2]))' "$1" "$2" ||
    fail "$1 should satisfy: $2"
}

bench bench.py "$VECTRAIL" --quick --words 20000 --threads 1,2 --peers none --output out
expect_status 0
# Eight trainings, one more for each further fast kernel of this processor, and the rest.
further=$("$VECTRAIL" info --kernels | grep -v chosen | grep -v '^reference' | grep -c 'runs here')
holds out/results.json "len(t) == 8 + $further"
holds out/results.json '[s["what"] for s in d["samples"][len(t):]] == ["softmax"] * 2 + ["start", "neighbors"] + ["export"] * 3'
holds out/results.json 'all(s["seconds"] > 0 and s["peak_bytes"] > 1e6 and s["round"] == 1 for s in d["samples"])'
holds out/results.json 'all(s["others"] is None or 0 <= s["others"] <= 1 for s in d["samples"])'
holds out/results.json '{(s["objective"], s["threads"]) for s in t} == {(o, t) for o in d["settings"]["objectives"] for t in (1, 2)}'
holds out/results.json 'len({(s["tokens"], s["tables_bytes"]) for s in t}) == 1'
holds out/results.json '0 < d["samples"][0]["tokens"] <= 20000 and d["corpus"]["bytes"] > 60000'
holds out/results.json 'all(0 < s["reading_seconds"] + s["training_seconds"] < s["seconds"] for s in t)'
holds out/results.json 'd["samples"][-1]["bytes"] == 50000 * 100 * 4 + 128'
cmp -s "$captured/out" out/results.md || fail "what is printed is what is written"
for heading in Training "Whole process" Reading "Questions and exports" Aims; do
  expect_out_has "### $heading"
done
[[ $out != *"$work"* && $out != *vectrail-bench.* ]] || fail "no paths in the tables"

# Stopped from outside: what it started ends too, and the folder that it worked in goes.
mkdir scratch
TMPDIR=$work/scratch "$SOURCE/bench/bench.py" "$VECTRAIL" --rounds 1 --words 300000 --peers none --output stopped \
  >/dev/null 2>"$captured/err" &
bench_id=$!
until [ -n "$(find scratch -name run.db -path '*/run/*')" ] || ! kill -0 "$bench_id" 2>/dev/null; do sleep 0.1; done
kill -TERM "$bench_id"
wait "$bench_id"
status=$?
command_line="bench.py, stopped"
expect_status 143
[ -z "$(ls scratch)" ] || fail "left behind: $(ls scratch)"

# Wrong usage, and a command that is not there.
bench bench.py "$VECTRAIL" --objectives skipgram-ns,glove
expect_status 2
expect_err_has "'glove' is not one of"
bench bench.py ./nothing --output nowhere
expect_status 1
expect_err_has "nothing: No such file or directory"

# Medians, spread, ratios and aims, on figures of which they are known; into a page, and nowhere else.
python3 - <<'PYTHON'
import json

d = json.load(open("out/results.json"))
sample = {**d["samples"][0], "tokens": 18_000_000, "tables_bytes": 100_000_000, "peak_bytes": 155_000_000}
d["samples"] = [{**sample, "threads": threads, "round": round_, "training_seconds": seconds * 3 / (1 + threads)}
                for threads in (1, 2) for round_, seconds in enumerate((1.5, 3.0, 1.0), 1)]
d["peers"] = {"gensim": {"title": "gensim", "version": "1"}}
d["samples"].append({**sample, "program": "gensim", "threads": 2, "round": 1, "training_seconds": 36})
del d["samples"][-1]["kernel"]
json.dump(d, open("known.json", "w"))
PYTHON
printf 'before\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nafter\n' >page.md
bench report.py known.json --into page.md
expect_status 0
out=$(<page.md)
[[ $out == "before"$'\n'* && $out == *$'\n'"after" && $out != *old* ]] || fail "only what stands between the marks changes"
expect_out_has "| skip-gram, negative sampling | 100 | 8.00 (4.00–12.00) | 12.00 (6.00–18.00) | 1.50x |"
expect_out_has "| skip-gram, negative sampling | 12.00 (6.00–18.00) | 0.500 | 24.0x |"
expect_out_has "| skip-gram, negative sampling, d 100 | at least 9 million words/s | 12 million words/s | reached |"
expect_out_has "| 2 threads against 1 | at least 1.8x | 1.5x | 17% off |"
expect_out_has "| peak memory, of tables + 10% + 200 MB | at most 1x | 0.5x | reached |"
echo plain >plain.md
bench report.py known.json --into plain.md
expect_status 1
[ "$(<plain.md)" = plain ] || fail "a page without marks stays as it is"

# The text is the same everywhere.
bench zipf.py zipf.txt 1010
[ "$(cksum <zipf.txt)" = "1331868046 5105" ] || fail "another text: $(cksum <zipf.txt)"
[ "$(wc -lw <zipf.txt | tr -s ' ' ' ')" = " 51 1010" ] || fail "51 lines, 1,010 words"

# Vectors of others are scored as ours are.
if ! python_has numpy; then
  echo "no Python with numpy: evaluate.py not tested" >&2
  finish
fi
make_corpus text.txt 1500
vectrail train text.txt --run run "${small[@]}" --quiet
vectrail export run -o vectors.txt
printf '# pairs\nking queen 9\napple pear 8.5\nking apple 1\nKnight prince 7\nsword plum 1\nunknown king 3\ntree of 2\n' >pairs.txt
# Some of these are right, whatever the vectors: every word of a topic is asked for in turn.
fruits="apple pear orchard fruit tree blossom cherry garden plum harvest"
{
  echo ': nouns'
  for from in $fruits; do for to in $fruits; do echo "king $from Queen $to"; done; done
  printf 'unknown a b c\n: gram1\ncrown sword of and\nking queen king queen\n'
} >questions.txt
vectrail eval run --similarity pairs.txt --analogy questions.txt --restrict 20 --json
expect_status 0
echo "$out" >ours.json
command_line=evaluate.py
python3 "$SOURCE/bench/evaluate.py" vectors.txt --similarity pairs.txt --analogy questions.txt --restrict 20 >theirs.json ||
  fail "evaluate.py should run"
python3 - <<'PYTHON' || fail "both should score alike"
import json, sys

ours, theirs = json.load(open("ours.json")), json.load(open("theirs.json"))
a, b = ours["similarity"]["pairs.txt"], theirs["similarity"]["pairs.txt"]
same = abs(a["spearman"] - b["spearman"]) < 1e-9 and (a["pairs"], a["covered"]) == (b["pairs"], b["covered"]) == (7, 6)
same = same and all(ours["analogy"][key] == value for key, value in theirs["analogy"].items())
print(ours, theirs, sep="\n", file=sys.stderr)
sys.exit(not (same and theirs["analogy"]["correct"] > 2 and theirs["analogy"]["questions"] == 103))
PYTHON
finish
