#!/usr/bin/env bash
# label: long
# Training: what it prints and writes; that names of options do not matter and values do; the same bits at any number
# of threads.
. "${SOURCE:?}/tests/cli/lib.sh"
make_corpus text.txt "$(or_fewer 1500 400)"

vectrail train text.txt --run run "${small[@]}" --json
expect_status 0
expect_json 'd["steps"] > 0 and d["tokens"] > 0 and d["seconds"] > 0 and d["words_per_second"] > 0'
expect_json '0 < d["loss"] < 5 and d["converged"] in (True, False) and d["run"] == "run" and isinstance(d["kernel"], str)'
expect_json "d['text_bytes'] == $(wc -c <text.txt) and d['reading_seconds'] > 0 and d['vocabulary'] == 25"
[ -f run/run.db ] || fail "run/run.db should be there"
# The settings that result are printed before the training, with defaults, and can be typed again.
err=$(tr -s '[:space:]' ' ' <"$captured/err")
expect_err_has "--dim 16 --window 3 --negative 5 --noise-exponent 0.75 --sample 0 --epochs $epochs --lr 0.05 --schedule linear --optimizer sgd --l2 0 --until end --held-out 0 --seed 1 --block-tokens 256 --blocks 4"
expect_err_has "--min-count 5"
expect_err_has "epoch=$epochs/$epochs "
expect_err_has " words_per_second="
[ "$(grep -c '^epoch=' "$captured/err")" -ge "$epochs" ] || fail "a line at the end of each epoch"

# Tokens trained are epochs x corpus, exactly.
words=$(wc -w <text.txt)
expect_json "d[\"tokens\"] == $epochs * $words"

hashes() { "$VECTRAIL" info "$1" --json | python3 -c 'import json, sys; print(*[s["sha256"] for s in json.load(sys.stdin)["snapshots"]])'; }
first=$(hashes run)
[ "$(wc -w <<<"$first")" -eq 6 ] || fail "6 snapshots expected, there are: $first"
same() { # NAME OPTIONS...: the same bits
  local name=$1
  shift
  vectrail train --run other --force "$@"
  expect_status 0
  [ "$(hashes other)" = "$first" ] || fail "$name should give the same bits"
}
same "one thread" text.txt "${small[@]}" --threads 1
same "three threads" text.txt "${small[@]}" --threads 3
same "the names of other trainers" -train text.txt -size 16 -ws 3 -neg 5 -t 0 -iter "$epochs" -alpha 0.05 -minCount 5 -workers 2 \
  -cbow 0 -sg 1 -hs 0 -model skipgram -loss ns --block_tokens 256 --blocks=4 --snapshots 6
same "two files" <(head -700 text.txt) --input <(tail -n +701 text.txt) "${small[@]}"
"$VECTRAIL" train - --run piped --quiet "${small[@]}" <text.txt || fail "standard input should train"
[ "$(hashes piped)" = "$first" ] || fail "standard input should give the same bits"
gzip -c text.txt >text.gz
same "a compressed file" text.gz "${small[@]}"
same "reading only" text.txt "${small[@]}" --watch king,queen --metrics 10 --probes 3
# What changes the training changes the vectors, each in its way.
seen=" $first "
others=("--model cbow" "--loss hs" "--model cbow --loss hs" "--optimizer adagrad" "--model cbow --cbow-classic" "--epochs 3")
if [ -z "${SANITIZED:-}" ]; then # numbers in the place of others
  others+=("--schedule constant" "--schedule cosine" "--l2 0.001" "--seed 2" "--window 4" "--lr 0.04" "--negative 6" "--sample 1e-3" "--block-tokens 128"
    "--blocks 2" "--noise-exponent 1")
fi
for other in "${others[@]}"; do
  # shellcheck disable=SC2086 # two words on purpose
  vectrail train text.txt --run other --force "${small[@]}" $other
  expect_status 0
  last=$(hashes other | awk '{ print $NF }')
  [[ $seen != *" $last "* ]] || fail "$other should change the vectors"
  seen+="$last "
done
for pair in "-cbow 1:--model cbow" "-sg 0:--model cbow" "-hs 1:--loss hs"; do
  # shellcheck disable=SC2086 # likewise
  vectrail train text.txt --run other --force "${small[@]}" ${pair%%:*}
  other=$(hashes other)
  # shellcheck disable=SC2086
  vectrail train text.txt --run other --force "${small[@]}" ${pair##*:}
  [ "$other" = "$(hashes other)" ] || fail "${pair%%:*} should be ${pair##*:}"
done

# The exact softmax.
vectrail train text.txt --run soft --loss softmax --optimizer adamw --batch 64 --epochs 1 --dim 8 --held-out 0.1 --quiet
expect_status 0
vectrail info soft --metric held_out_loss
expect_status 0
vectrail train text.txt --run soft --force --loss softmax --batch full --lr 4 --schedule constant --epochs 1000 --dim 4 --l2 0.003 --quiet
expect_status 0
gradients() { "$VECTRAIL" info soft --metric gradient | cut -f2; }
python3 -c 'import sys; g = [float(x) for x in sys.stdin]; sys.exit(0 if g[-1] < 1e-6 * max(g) else 1)' < <(gradients) ||
  fail "the exact gradient should fall"
# The BLAS, of which all take one thread, starts no others: here are the command's own and the recorder's.
"$VECTRAIL" train text.txt --run lone --loss softmax --epochs 100000 --dim 8 --threads 1 --quiet 2>/dev/null &
process=$!
while [ ! -e lone/run.db ] && kill -0 "$process" 2>/dev/null; do sleep 0.01; done
threads=$(find "/proc/$process/task" -mindepth 1 -maxdepth 1 | wc -l)
kill -TERM "$process"
wait "$process"
[ "$threads" -le 2 ] || fail "one thread was asked for, and there are $threads"

vectrail train text.txt --run other --force --loss softmax --model cbow
expect_status 2
expect_err_has "the exact softmax is there for skip-gram only"
vectrail train text.txt --run other --force --optimizer adamw
expect_status 2
expect_err_has "adamw needs the gradient of whole tables"
python3 -c 'print("\n".join(f"w{k} w{k+1}" for k in range(20001)))' >wide.txt
vectrail train wide.txt --run wide --loss softmax --batch full --min-count 1
expect_status 2
expect_err_has "a full batch takes at most 20000 words; this text has 20002"
[ ! -e wide ] || fail "nothing should be left"

# The human report, and --quiet.
vectrail train text.txt --run other --force "${small[@]}" --watch king
expect_status 0
expect_out_has "trained on "
expect_out_has "run folder: other"
expect_out_has "  vectrail neighbors other king"
[[ $out != *$'\e'* ]] || fail "no colour into a file"
vectrail train text.txt --run other --force "${small[@]}" --quiet
expect_status 0
expect_out ""
expect_err ""
vectrail train text.txt --run other --force "${small[@]}" --quiet --json
expect_err ""
expect_json 'd["steps"] > 0'

# Options of the vocabulary.
size() { "$VECTRAIL" info "$1" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["words"])'; }
[ "$(size run)" -eq 25 ] || fail "25 words expected"
vectrail train text.txt --run other --force "${small[@]}" --max-vocab 10
[ "$(size other)" -eq 10 ] || fail "--max-vocab 10 keeps 10"
printf 'king 3\nqueen 2\napple 1\npear 1\nthe 1\n' >words.txt
vectrail train text.txt --run other --force "${small[@]}" --vocab words.txt
[ "$(size other)" -eq 5 ] || fail "--vocab gives the words"
sed 's/king/KING/' text.txt >upper.txt
vectrail train upper.txt --run other --force "${small[@]}" --fold-case --watch King
expect_status 0
[ "$(hashes other)" = "$first" ] || fail "--fold-case makes KING and king one word"
printf 'king\n\n  queen \r\nking\n' >list.txt
vectrail train text.txt --run other --force "${small[@]}" --watch @list.txt,apple --watch apple
expect_error 1 "list.txt,apple"
vectrail train text.txt --run other --force "${small[@]}" --watch @list.txt --watch apple
expect_status 0
python3 - <<'PYTHON' || fail "trails of the three watched words"
import sqlite3, sys
db = sqlite3.connect("other/run.db")
rows = db.execute("SELECT w.text, count(*), max(length(t.vector)) FROM trail t JOIN word w ON w.id = t.word GROUP BY 1 ORDER BY 1").fetchall()
sys.exit(0 if [r[0] for r in rows] == ["apple", "king", "queen"] and all(r[1] > 10 and r[2] == 64 for r in rows) else 1)
PYTHON

# --output: the vectors as another trainer would leave them.
vectrail train text.txt --run other --force "${small[@]}" -output vectors.txt
expect_status 0
[ "$(head -1 vectors.txt)" = "25 16" ] || fail "word2vec text: a head line of rows and columns"
vectrail train text.txt --run other --force "${small[@]}" -output vectors.any -binary 1
[ "$(head -1 vectors.any | tr -d '\0')" = "25 16" ] || fail "word2vec binary: a head line of rows and columns"
[ "$(wc -c <vectors.any)" -lt "$(wc -c <vectors.txt)" ] || fail "binary is shorter than text"
vectrail train text.txt --run other --force "${small[@]}" -o vectors.npy
[ "$(head -c 6 vectors.npy | tail -c 5)" = NUMPY ] || fail "the extension chooses the format"

# Output vectors and float32.
vectrail train text.txt --run other --force "${small[@]}" --save-output --float32
"$VECTRAIL" info other --json >info.json
python3 -c 'import json, sys; sys.exit(any(s["dtype"] != "F32" for s in json.load(open("info.json"))["snapshots"]))' ||
  fail "--float32 keeps float32"
grep -aq '"output"' other/snapshots/*.safetensors || fail "--save-output keeps the output table"

# A rate that makes it diverge: status 3, the run is kept. Whether it does depends on the engine's caps, so that both a
# finished and a diverged run are right here; anything else is not.
vectrail train text.txt --run wild "${small[@]}" --lr 1000
case $status in
0) ;;
3)
  expect_out ""
  [[ $(tail -n 2 "$captured/err") == *"vectrail: "* ]] || fail "divergence should be explained"
  "$VECTRAIL" info wild >/dev/null || fail "a diverged run can be read"
  ;;
*) fail "status 0 or 3 expected" ;;
esac
finish
