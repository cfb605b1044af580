#!/usr/bin/env bash
# label: long
# Networks as a user trains them: the same bits at any number of threads and after a stop; all reading commands; errors.
. "${SOURCE:?}/tests/cli/lib.sh"
make_corpus text.txt 400
head -n 20 text.txt >few.txt
# shellcheck disable=SC2034 # used by name
nnlm=(--threads 1 --model nnlm --lr 0.01 --dim 12 --hidden 16 --epochs 2 --min-count 1 --snapshots 4 --probes 4 --quiet)
# shellcheck disable=SC2034 # likewise
gpt=(--threads 1 --model transformer --dim 16 --layers 2 --heads 2 --context 16 --epochs 2 --min-count 1 --snapshots 4 --probes 4 --quiet
  --dropout 0.1 --warmup 5)

sums() { python3 -c '
import sqlite3, sys
print(sqlite3.connect(sys.argv[1] + "/run.db").execute("SELECT step, sha256 FROM snapshot ORDER BY step").fetchall())' "$1"; }

for model in nnlm gpt; do
  declare -n options=$model
  vectrail train text.txt --run $model "${options[@]}" --json
  expect_status 0
  expect_json 'd["loss"] < 3.21 and d["tokens"] == 2 * sum(len(l.split()) for l in open("text.txt"))'
  vectrail train text.txt --run $model-3 "${options[@]}" --threads 3
  [ "$(sums $model)" = "$(sums $model-3)" ] || fail "three threads should give the same bits"
  less=("${options[@]}" --epochs 1 --snapshots 2 --probes 2)
  vectrail train few.txt --run $model-few "${less[@]}"
  vectrail train few.txt --run $model-plain "${less[@]}" --kernel reference
  expect_status 0
  [ "$(sums $model-few)" = "$(sums $model-plain)" ] || fail "every kernel should give the same bits"

  # Interrupted at some instant, and gone on with.
  train_and_stop $model-cut text.txt "${options[@]}"
  vectrail resume $model-cut --quiet --threads 3
  expect_status 0
  [ "$(sums $model | grep -o '[^,]*$')" = "$(sums $model-cut | grep -o '[^,]*$')" ] || fail "a resumed run ends with other bits"

  for command in "neighbors $model king -k 3" "similarity $model king queen --over-time" "measure $model" "diagnose $model" \
    "info $model" "compare $model@0 $model" "export $model -o $model.vec" "analogy $model king queen prince"; do
    # shellcheck disable=SC2086 # words on purpose
    vectrail $command
    expect_status 0
  done
done
# What moved a word, by route: the vectors are the same with a ledger and without; the sum is an identity, of which
# rounding is a small part; and it goes on with a run.
for model in nnlm gpt; do
  declare -n options=$model
  vectrail train text.txt --run $model-ledger "${options[@]}" --routes --ledger king,the,apple --float32
  expect_status 0
  [ "$(sums $model | grep -o '[^,]*$')" = "$(sums $model-ledger | grep -o '[^,]*$')" ] || fail "a ledger should not change the vectors"
  python3 - $model-ledger <<'P' || fail "the ledger of $model should add up"
import json, math, sqlite3, struct, sys
run = sys.argv[1]
db = sqlite3.connect(run + "/run.db")
step, path = db.execute("SELECT step, path FROM snapshot ORDER BY step DESC").fetchone()
data = open(f"{run}/{path}", "rb").read()
n = struct.unpack("<Q", data[:8])[0]
entry = json.loads(data[8 : 8 + n])["input"]
dim = entry["shape"][1]
def vector(blob): return struct.unpack(f"<{dim}f", blob)
for (word,) in db.execute("SELECT DISTINCT word FROM ledger").fetchall():
    parts = {}
    for role, blob in db.execute("SELECT role, vector FROM ledger WHERE word = ?", (word,)):
        parts[role] = [a + b for a, b in zip(parts.get(role, [0] * dim), vector(blob))]
    at = 8 + n + entry["data_offsets"][0] + word * dim * 4
    end = vector(data[at : at + 4 * dim])
    length = lambda v: math.sqrt(sum(x * x for x in v))
    total = [sum(v[k] for v in parts.values()) for k in range(dim)]
    moved = length([a - b for a, b in zip(end, parts["start"])])
    assert length([a - b for a, b in zip(total, end)]) < 1e-5 * moved, "the identity"
    assert length(parts["rounding"]) < 1e-5 * moved, ("rounding", length(parts["rounding"]), moved)
    roles = set(parts) - {"start", "rounding", "decay"}
    if "nnlm" in run: assert roles == {f"place {k}" for k in range(1, 7)}, roles
    else: assert roles == {"output", "residual", "mlp"} | {f"head {h} {r}" for h in (1, 2) for r in ("query", "key", "value")}, roles
names = {name for (name,) in db.execute("SELECT DISTINCT name FROM metric")}
assert ("route_norm: place 1" if "nnlm" in run else "route_norm: head 2 key") in names, names
if "gpt" in run: assert "route_cosine: output, residual" in names and "route_sum: mlp" in names, names
P
  vectrail explain $model-ledger king --toward apple --by role --json
  expect_json 'abs(d["cosine"] - d["start"] - d.get("baseline", 0) - sum(s["contribution"] for s in d["sources"]) - d["rest"]) < 1e-5'
  train_and_stop $model-again text.txt "${options[@]}" --routes --ledger king,the,apple --float32 --epochs 4
  vectrail train text.txt --run $model-whole "${options[@]}" --routes --ledger king,the,apple --float32 --epochs 4
  vectrail resume $model-again --quiet
  [ "$(python3 -c 'import sqlite3; print(sqlite3.connect("'$model'-again/run.db").execute("SELECT * FROM ledger ORDER BY word, role, span").fetchall() == sqlite3.connect("'$model'-whole/run.db").execute("SELECT * FROM ledger ORDER BY word, role, span").fetchall())')" = True ] || fail "a ledger that was gone on with"
done

# A network writes, predicts, and is refused where it is damaged.
vectrail generate gpt --prompt "king queen" --length 12 --seed 3
expect_status 0
first=$out
vectrail generate gpt --prompt "king queen" --length 12 --seed 3 --threads 3
expect_out "$first"
[[ $first == "king queen "* ]] || fail "the text should begin with the prompt"
vectrail generate gpt --prompt king --length 3 --temperature 0 --json
expect_json 'len(d["ids"]) == 3 and len(d["words"]) == 3'
vectrail generate gpt --prompt king --next --json
expect_json 'len(d["logits"]) == 26'
vectrail generate gpt --prompt king --next
expect_status 0
vectrail generate gpt --score text.txt --json
expect_json 'd["tokens"] > 4000 and 1 < d["loss"] < 3.26 and abs(d["perplexity"] - math.exp(d["loss"])) < 1e-9'
# Each token is predicted once, line ends too, but for the first, which has nothing before it.
expect_json 'd["tokens"] == sum(len(line.split()) + 1 for line in open("text.txt")) - 1'
# A slower mean of squares is another training; the usual one, said aloud, is the same.
vectrail train text.txt --run gpt-usual "${gpt[@]}" --beta-2 0.95
[ "$(sums gpt)" = "$(sums gpt-usual)" ] || fail "0.95 should be what a Transformer has"
vectrail train text.txt --run gpt-slow "${gpt[@]}" --beta-2 0.999
expect_status 0
[ "$(sums gpt)" != "$(sums gpt-slow)" ] || fail "beta-2 should change the training"
vectrail train text.txt --run bad "${gpt[@]}" --beta-2 1
expect_status 2
vectrail generate nnlm --prompt king
expect_error 2 "the network needs 6 tokens to begin with, and there are 1"
vectrail generate nnlm --prompt "king queen castle crown knight throne" --length 4
expect_status 0
# Each window predicts the word behind it, whatever the lines, as the logits say.
printf '%s\n' "king queen castle crown knight" "throne king queen" >lines.txt
vectrail generate nnlm --score lines.txt --json
expect_status 0
mv "$captured/out" scored.json
vectrail generate nnlm --prompt "king queen castle crown knight throne" --next --json
mv "$captured/out" king.json
vectrail generate nnlm --prompt "queen castle crown knight throne king" --next --json
mv "$captured/out" queen.json
python3 - <<'P' || fail "the score should be that of the logits"
import json, math, sqlite3, sys
loss = 0
for word in "king", "queen":
    [(target,)] = sqlite3.connect("nnlm/run.db").execute("SELECT id FROM word WHERE text = ?", (word,))
    logits = json.load(open(word + ".json"))["logits"]
    loss += math.log(sum(map(math.exp, logits))) - logits[target]
score = json.load(open("scored.json"))
sys.exit(not (score["tokens"] == 2 and abs(score["loss"] - loss / 2) < 1e-5))
P
vectrail generate gpt --ids 1,99
expect_error 2 "token 99 does not fit a table of 26"
vectrail generate text.txt
expect_error 1 "there is no network here"
cp -r gpt short
head -c 3000 gpt/model.safetensors >short/model.safetensors
vectrail generate short --prompt king
expect_error 1 "short/model.safetensors"
vectrail eval nnlm --similarity /dev/null
[ "$status" -le 1 ] || fail "eval should not crash"

# The exercise: small, but whole.
head -n 100 text.txt >book.txt
vectrail experiment --exercise book.txt --run ex --epochs 3 --quiet --json
expect_status 0
expect_json 'len(d["loss"]) == 4 and len(d["held_out"]) == 4 and d["loss"][0] > d["loss"][3] and d["cosine"]["pair"] == ["time", "machine"]'
expect_json 'abs(d["cosine"]["band"] - 0.1) < 1e-9 and d["reference_loss"][1] == 6.96 and d["words"] < sum(len(l.split()) for l in open("book.txt"))'
vectrail experiment --stability book.txt --run st --epochs 1 --runs 2 --quiet --json
expect_status 0
expect_json 'd["runs"] == 2 and len(d["pairs"]) == 3 and 0 <= d["overlap"] <= 1'
vectrail experiment --exercise
expect_error 2 "needs a text"
vectrail experiment --exercise --stability text.txt
expect_error 2 "two experiments"

# The rule of letters: two or more of ASCII, made small.
printf 'Ab3cd a BE-fgh caf\xc3\xa9 I x9\nab cd\n' >letters.txt
for _ in 1 2 3 4; do cat letters.txt; done >more.txt
vectrail train more.txt --run letters --model nnlm --tokens letters --min-count 1 --context 2 --batch 2 --epochs 1 --quiet
expect_status 0
[ "$(python3 -c 'import sqlite3; print(sorted(sqlite3.connect("letters/run.db").execute("SELECT text, count FROM word")))')" = \
  "[('ab', 8), ('be', 4), ('caf', 4), ('cd', 8), ('fgh', 4)]" ] || fail "the rule of letters finds other words"

# Pieces of words: learnt, kept beside the run, used again, and put together to text.
pieces=(--threads 1 --model transformer --tokens bpe --dim 16 --layers 1 --heads 2 --context 16 --epochs 1 --snapshots 3 --probes 2 --quiet)
vectrail train book.txt --run bpe "${pieces[@]}" --vocab-size 290
expect_status 0
vectrail train book.txt --run bpe-3 "${pieces[@]}" --tokenizer bpe/tokenizer.json --threads 3
[ "$(sums bpe)" = "$(sums bpe-3)" ] || fail "a tokenizer that is given makes the same tokens, three threads the same bits"
python3 - <<'P' || fail "the pieces of the run should be those of its tokenizer.json"
import json, sqlite3
vocab = json.load(open("bpe/tokenizer.json"))["model"]["vocab"]
words = dict(sqlite3.connect("bpe/run.db").execute("SELECT text, count FROM word"))
assert set(vocab) == set(words) and len(vocab) > 270, len(vocab)
assert sum(len(w) * c for w, c in words.items()) == sum(len(l.rstrip("\n")) for l in open("book.txt"))
P
vectrail replay bpe --ledger a --quiet
expect_status 0
vectrail generate bpe --prompt "king  queen" --length 1 --temperature 0
expect_status 0
[[ $out == "king  queen"* ]] || fail "the text begins with the prompt, both spaces included"
vectrail generate bpe --score book.txt --json
expect_json '1 < d["loss"] < 6'
vectrail neighbors bpe a -k 2
expect_status 0
cp -r bpe odd
sed -i 's|"!": 33,|"!": 999999,|' odd/tokenizer.json
vectrail generate odd --prompt king
expect_error 1 "odd/tokenizer.json"

# Bad input.
remember
vectrail train book.txt --run bad "${pieces[@]}" --phrases 1
expect_error 2 "--phrases is of words, and --tokens bpe takes words apart"
vectrail train book.txt --run bad "${pieces[@]}" --fold-case
expect_error 2 "--fold-case and --tokens bpe do not go together"
vectrail train book.txt --run bad "${pieces[@]}" --tokenizer book.txt
expect_error 1 "book.txt: not a tokenizer.json"
vectrail train book.txt --run bad --tokenizer bpe/tokenizer.json
expect_error 2 "--tokenizer is for --tokens bpe alone"
vectrail train book.txt --run bad "${pieces[@]}" --vocab-size 100
expect_error 2 "--vocab-size is '100'; it must be"
vectrail train text.txt --run bad --model transformer --dim 16 --heads 3
expect_error 2 "heads is 3, which does not divide dim, 16"
vectrail train text.txt --run bad --model transformer --context 60000 --min-count 1 --quiet
expect_error 1 "too few for a context of 60000" "--context"
vectrail train text.txt --run bad --model nnlm --batch 60000 --quiet
expect_error 1 "and a step takes 60000" "--batch"
vectrail train text.txt --run bad --model nnlm --loss ns
expect_error 2 "a network's loss is the exact softmax"
vectrail train text.txt --run bad --model nnlm --save-output --quiet
expect_error 2 "as long as its hidden layer"
vectrail train text.txt --run bad --model transformer --positions rotary --dim 4 --heads 4 --quiet
expect_error 2 "rotary positions turn pairs"
expect_nothing_left
vectrail train text.txt --run bad --model nnlm --optimizer sgd --lr 1000 --epochs 9 --quiet
expect_error 3 "diverged at step"
finish
