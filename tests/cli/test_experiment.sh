#!/usr/bin/env bash
# label: long
# vectrail experiment: the generated text holds what was planted in it; a text of one's own is asked what is named.
. "${SOURCE:?}/tests/cli/lib.sh"

# What is learnt is the optimised build's to tell; a sanitizer sees the same paths over fewer epochs.
learnt() { [ -z "${SANITIZED:-}" ]; }
dim=$(or_fewer 30 8)
vectrail experiment --run exp --dim "$dim" --epochs "$(or_fewer 4 1)" --json --quiet
expect_status 0
expect_json '[c["id"] for c in d["claims"]] == ["random_start", "pairs", "clusters", "synonyms", "settles", "penalty", "analogy"]'
learnt && expect_json '{c["id"]: c["verdict"] for c in d["claims"]} == {"random_start": "held", "pairs": "held with a condition",
  "clusters": "held", "synonyms": "held", "settles": "held with a condition", "penalty": "held with a condition", "analogy": "held"}'
first=$out
# What it says is what the runs say.
synonym() { "$VECTRAIL" similarity exp/main "$1" "$2" --json; }
printf '%s\n' "$first" >first.json
for pair in "big large" "small little" "fast quick" "happy glad" "clever smart" "begin start" "end finish" "answer reply" \
  "buy purchase" "house home" "road street" "car automobile" "picture image" "help assist" "gift present" "stone rock"; do
  # shellcheck disable=SC2086 # two words on purpose
  synonym $pair
done >cosines.json
python3 - "$dim" "$(learnt && echo 8)" <<'P' || fail "the mean cosine of the synonyms is that of the run"
import json, sys
said = {c["id"]: c["figures"] for c in json.load(open("first.json"))["claims"]}
cosines = [json.loads(line)["cosine"] for line in open("cosines.json")]
assert len(cosines) == 16 and abs(sum(cosines) / 16 - said["synonyms"]["cosine_end"]) < 1e-12
assert said["analogy"]["asked"] == 12 and said["analogy"]["right_end"] >= int(sys.argv[2] or 0) and said["analogy"]["right_start"] == 0
assert abs(said["random_start"]["deviation_by_chance"] - int(sys.argv[1]) ** -0.5) < 1e-12
P
vectrail analogy exp/main man woman king -k 1 --json
learnt && expect_json 'd["answers"][0]["word"] == "queen"'

# The same at any number of threads; a sanitizer saw these paths above.
if learnt; then
  vectrail experiment --run exp2 --dim 30 --epochs 4 --json --quiet --threads 3
  [[ ${out/exp2/exp} == "$first" ]] || fail "three threads should give the same figures"
fi

# Which words settle first, of any run.
vectrail experiment --settling exp/main --json
expect_status 0
expect_json 'd["within"] == 0.9 and d["snapshots"] == '"$(or_fewer 40 39)"' and d["words"] == d["settled"] + sum(b["still"] for b in d["bands"])'
expect_json 'all(0 < b["lower_quartile"] <= b["median"] <= b["upper_quartile"] <= d["steps"] for b in d["bands"] if b["words"])'
expect_json 'all(a["low"] > b["high"] for a, b in zip(d["bands"], d["bands"][1:])) and (not d["holds"] or d["step_correlation"] <= -0.1)'
loose=$out
vectrail experiment --settling exp/main --within 0.99 --json
python3 - "$loose" "$out" <<'P' || fail "what is to be nearer settles later"
import json, sys
loose, tight = [{b["low"]: b["median"] for b in json.loads(text)["bands"] if b["words"]} for text in sys.argv[1:]]
assert all(tight[low] >= loose[low] for low in loose) and tight != loose
P
vectrail experiment --settling exp/main
expect_out_has "frequent words settle before rare ones: "
vectrail experiment --settling
expect_status 2
expect_err_has "--settling needs one run"
vectrail experiment --settling exp/main --exercise
expect_status 2
vectrail experiment text.txt --run x --within 0.5
expect_status 2
expect_err_has "--within is for --settling"
vectrail experiment --settling missing
expect_error 1 "missing"

# A text of one's own: only what is named is asked.
make_corpus text.txt 800
vectrail experiment text.txt --run own --epochs 3 --dim 16 --synonyms king:queen --json --quiet
expect_status 0
expect_json '{c["id"]: c["verdict"] for c in d["claims"]}["analogy"] == "not asked"'
expect_json '[c["figures"]["pairs"] for c in d["claims"] if c["id"] == "synonyms"] == [1]'
vectrail experiment text.txt --run own --epochs 3 --dim 16 --quiet
expect_status 1
expect_err_has "own/main"
vectrail experiment text.txt --run own --epochs 3 --dim 16 --force
expect_status 0
expect_out_has "No synonyms were named"
expect_out_has "1. Vectors start at random"
expect_err_has "training bounded"

vectrail experiment
expect_status 2
expect_err_has "--run DIR"
vectrail experiment --run x --synonyms a:b
expect_status 2
expect_err_has "text of your own"
vectrail experiment text.txt --run x --synonyms a-b
expect_status 2
expect_err_has "'a-b' is not a pair A:B"
vectrail experiment text.txt --run x --analogies a:b:c
expect_status 2
expect_err_has "'a:b:c' is not A:B:C:D"
vectrail experiment missing.txt --run x --quiet
expect_status 1
expect_err_has "missing.txt"
vectrail experiment --run no/such/folder
expect_status 1
expect_err_has "make the folder above it first"
finish
