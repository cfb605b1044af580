#!/usr/bin/env bash
# measure: every series agrees with a second computation in NumPy; samples, words, pairs; what is printed; bad input.
. "${SOURCE:?}/tests/cli/lib.sh"

make_corpus text.txt 1500
vectrail train text.txt --run run "${small[@]}" --watch king,queen,apple --quiet
expect_status 0

# ---- every series a second time -------------------------------------------------------------------------------------
vectrail measure run --json --sample-words 0 --neighbor-words 0 --among 0 --cooccurrence --clusters 4
expect_status 0
expect_json 'd["words"] == 25 and d["sample_words"] == 25 and d["neighbor_words"] == 25 and d["among"] == 25'
expect_json 'd["clusters"] == 4 and d["chance"] == 0.25 and d["notes"] == [] and len(d["steps"]) == 6'
expect_json 'len(d["singular_values"]) == 6 and len(d["singular_values"][0]) == 16'
expect_json 'd["series"]["speed"][0] is None and d["series"]["displacement"][0] == 0'
if [ -n "${SANITIZED:-}" ]; then
  : # it has seen what is computed
elif python_has numpy; then
  echo "$out" >measured.json
  python3 "$SOURCE/tests/support/measures.py" run measured.json text.txt >differences 2>&1 || fail "NumPy disagrees: $(head -5 differences)"
else
  echo "note: no NumPy here, so nothing was computed a second time" >&2
fi
whole=$out
# The text has two topics: from chance to the plant.
expect_json 'd["series"]["cluster_agreement"][0] < 0.4 and d["series"]["cluster_agreement"][-1] == 1'
expect_json 'd["series"]["silhouette"][-1] > d["series"]["silhouette"][0] + 0.1'
expect_json 'd["series"]["cosine king queen"][-1] > 0.7 and d["series"]["cosine king apple"][-1] < 0.4'
expect_json 'd["series"]["together_cosine"][-1] > d["series"]["apart_cosine"][-1] + 0.2'
expect_json 'abs(d["series"]["together_cosine"][0] - d["series"]["apart_cosine"][0]) < 0.15'
expect_json 'abs(d["series"]["alignment"][-1] - (2 - 2 * d["series"]["together_cosine"][-1])) < 1e-9'

# The same at any number of threads, and whichever kernel.
for variation in "--threads 1" "--threads 3"; do
  # shellcheck disable=SC2086 # two words on purpose
  vectrail measure run --json --sample-words 0 --neighbor-words 0 --among 0 --cooccurrence --clusters 4 $variation
  [ "$out" = "$whole" ] || fail "$variation should change nothing"
done
VECTRAIL_KERNEL=reference vectrail measure run --json --sample-words 0 --neighbor-words 0 --among 0 --cooccurrence --clusters 4
[ "$out" = "$whole" ] || fail "the kernel should change nothing"

# ---- a part of it ---------------------------------------------------------------------------------------------------
vectrail measure run --json --sample-words 10 --sample-among 12 --only motion,shape
expect_json 'd["sample_words"] == 10 and d["neighbor_words"] == 0 and "silhouette" not in d["series"] and "turn" in d["series"]'
vectrail measure run --json --only neighbors --neighbor-words 3 --among 12
expect_json 'd["sample_words"] == 0 and d["neighbor_words"] in (3, 6) and d["among"] == 12 and "singular_values" not in d'
vectrail measure run --json --word king
expect_json 'd["word"] == "king" and "random_cosine" not in d["series"] and len(d["series"]["overlap_last"]) == 6'
expect_json '"cosine king queen" in d["series"] and "cosine queen apple" not in d["series"]'
king=$out
vectrail similarity run king queen --over-time --json
python3 - "$king" "$out" <<'PYTHON' || fail "measure and similarity should agree"
import json, sys
a, b = (json.loads(text) for text in sys.argv[1:])
pairs = zip(a["series"]["cosine king queen"], b["over_time"])
sys.exit(0 if all(abs(x - y["cosine"]) < 1e-9 for x, y in pairs) else 1)
PYTHON
vectrail measure run --series speed --series norm
expect_status 0
[ "$(wc -l <"$captured/out")" -eq 6 ] || fail "a line for each snapshot"
[[ ${out%%$'\n'*} == $'0\t\t'* ]] || fail "what is not defined is left empty"
vectrail measure run --csv --only pairs --pairs prince:plum
expect_out_has '"cosine prince plum"'
[ "$(wc -l <"$captured/out")" -eq 7 ] || fail "a heading and a line for each snapshot"
printf 'prince plum\n\nking\tpear\n' >pairs.txt
vectrail measure run --json --only pairs --pairs @pairs.txt
expect_json '"cosine prince plum" in d["series"] and "cosine king pear" in d["series"]'
vectrail measure run
expect_out_has "means over all 25 words"
expect_out_has "distance from the start"
[[ $out != *$'\e'* ]] || fail "no colour into a file"

# ---- the text is gone, or another -----------------------------------------------------------------------------------
mv text.txt moved.txt
vectrail measure run --only pairs --cooccurrence
expect_status 0
expect_err_has "note: pairs that meet or never meet are left out: text.txt"
[[ $out != *together_cosine* ]] || fail "there is nothing to say about pairs that meet"
vectrail measure run --only pairs --corpus moved.txt
expect_out_has "together_cosine"
make_corpus other.txt 1400
vectrail measure run --only pairs --corpus other.txt --json
expect_status 0
expect_json '"not the text that the run was trained on" in d["notes"][0] and "together_cosine" not in d["series"]'
mv moved.txt text.txt

# ---- what cannot be -------------------------------------------------------------------------------------------------
vectrail measure
expect_error 2 "measure needs a run folder"
vectrail measure nowhere
expect_error 1 "nowhere: there is no run here"
vectrail measure run --only speed
expect_error 2 "--only knows motion, pairs, neighbors, clusters and shape, not 'speed'"
vectrail measure run --series spede
expect_error 1 "no series called 'spede'" "there are displacement"
vectrail measure run --word qeen
expect_error 1 "the word 'qeen' is not in the vocabulary" "queen"
vectrail measure run --pairs king
expect_error 1 "'king' is not a pair of two words" "--pairs king:queen"
vectrail measure run --pairs king:qeen
expect_error 1 "the word 'qeen' is not in the vocabulary" "queen"
vectrail measure run --pairs @nothing.txt
expect_error 1 "nothing.txt: cannot open"
vectrail measure run --json --csv
expect_error 2 "--json prints everything"
# A snapshot that was altered, or is missing, is named.
cp -r run damaged
file=$(cd damaged/snapshots && printf '%s\n' *.safetensors | sort -n | sed -n 3p)
printf '\1' | dd of="damaged/snapshots/$file" bs=1 seek=600 conv=notrunc status=none
vectrail measure damaged
expect_error 1 "damaged/snapshots/$file: not the snapshot that was recorded"
rm "damaged/snapshots/$file"
vectrail measure damaged
expect_error 1 "damaged/snapshots/$file: the snapshot of step ${file%.safetensors} is missing"
# A newer schema.
cp -r run newer
python3 -c 'import sqlite3; sqlite3.connect("newer/run.db").execute("PRAGMA user_version = 99")'
vectrail measure newer
expect_error 1 "newer"

# ---- a run that is still being written, or was cut off ----------------------------------------------------------------
cp -r run part
python3 - <<'PYTHON'
import sqlite3
db = sqlite3.connect("part/run.db")
steps = [row[0] for row in db.execute("SELECT step FROM snapshot ORDER BY step")]
db.execute("DELETE FROM snapshot WHERE step > ?", (steps[2],))
db.execute("DELETE FROM event WHERE kind = 'finished'")
db.commit()
PYTHON
vectrail measure part --json
expect_status 0
expect_json 'len(d["steps"]) == 3 and d["series"]["overlap_last"][-1] == 1'
python3 -c 'import sqlite3; db = sqlite3.connect("part/run.db"); db.execute("DELETE FROM snapshot"); db.commit()'
vectrail measure part
expect_error 1 "the run has no snapshot yet"

finish
