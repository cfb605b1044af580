#!/usr/bin/env bash
# label: long
# Preferences: the three methods from file to run, what they tell, the same bits at any number of threads, bad input.
. "${SOURCE:?}/tests/cli/lib.sh"
make_corpus old.txt 300
# Answers of the first topic are preferred, whatever the prompt.
python3 - >prefer.jsonl <<'P'
import json, random
random.seed(5)
good = "king queen castle crown knight throne".split()
bad = "apple pear orchard fruit tree cherry".split()
for _ in range(120):
    prompt = random.choice(["the", "a", "and the", "of"])
    print(json.dumps({"prompt": prompt, "chosen": " ".join(random.choices(good, k=3)), "rejected": " ".join(random.choices(bad, k=3))}))
P
sums() { python3 -c '
import sqlite3, sys
print(sqlite3.connect(sys.argv[1] + "/run.db").execute("SELECT step, sha256 FROM snapshot ORDER BY step").fetchall())' "$1"; }
vectrail train old.txt --run gpt --model transformer --dim 16 --layers 1 --heads 2 --context 16 --epochs 3 --min-count 1 --snapshots 2 \
  --probes 2 --lr 0.003 --warmup 5 --threads 1 --quiet
expect_status 0
fast=(--threads 1 --lr 0.003 --batch 20 --length 4 --snapshots 3 --quiet)

vectrail align gpt prefer.jsonl --method reward --run judge "${fast[@]}" --epochs 3 --json
expect_status 0
expect_json 'd["accuracy"] > 0.95 and d["pairs"] == 120 and d["prompts"] == 4 and d["kl"] is None and d["steps"] == 18'
vectrail align gpt prefer.jsonl --method dpo --run dpo "${fast[@]}" --json
expect_status 0
expect_json 'd["log_chosen"] - d["log_rejected"] > d["log_chosen_before"] - d["log_rejected_before"] + 1'
expect_json 'd["kl"] > 0.02 and 0 < d["drift"] < 1 and len(d["moved"]) == 10 and d["moved"][0]["drift"] >= d["moved"][9]["drift"] > 0'
python3 - <<'P' || fail "the log-probabilities of chosen and rejected answers are recorded apart"
import sqlite3
db = sqlite3.connect("dpo/run.db")
names = {n for (n,) in db.execute("SELECT DISTINCT name FROM metric")}
assert {"loss", "accuracy", "margin", "log_chosen", "log_rejected", "kl", "drift", "lr"} <= names, names
meta = dict(db.execute("SELECT key, value FROM meta"))
assert meta["origin"] == "align" and meta["align_method"] == "dpo" and meta["base"] == "gpt" and meta["align_beta"] == "0.1"
P
vectrail align gpt prefer.jsonl --method dpo --run dpo-2 "${fast[@]}" --threads 2
[ "$(sums dpo)" = "$(sums dpo-2)" ] || fail "two threads should give the same bits"
vectrail align gpt prefer.jsonl --method ppo --reward judge --run ppo "${fast[@]}" --batch 4 --samples 16 --epochs 30 --json
expect_status 0
expect_json 'd["kl"] > 0.02 and d["reward"] is not None and d["log_chosen"] - d["log_rejected"] > d["log_chosen_before"] - d["log_rejected_before"]'
vectrail align gpt prefer.jsonl --method ppo --reward judge --run ppo-2 "${fast[@]}" --batch 4 --samples 16 --epochs 30 --threads 2
[ "$(sums ppo)" = "$(sums ppo-2)" ] || fail "two threads should give the same bits"
python3 - <<'P' || fail "the reward of PPO should rise"
import sqlite3
r = [v for (v,) in sqlite3.connect("ppo/run.db").execute("SELECT value FROM metric WHERE name = 'reward' ORDER BY step")]
assert sum(r[-5:]) / 5 > sum(r[:5]) / 5, r
P
# At equal KL.
for method in dpo ppo; do
  judged=()
  if [ $method = ppo ]; then judged=(--reward judge); fi
  vectrail align gpt prefer.jsonl --method $method "${judged[@]}" --run equal-$method "${fast[@]}" --epochs 60 --kl 0.1 --json
  expect_json 'd["kl_reached"] and 0.1 <= d["kl"] < 0.3'
done

for command in "neighbors dpo king -k 3" "similarity dpo king queen --over-time" "measure dpo" "diagnose dpo" "info ppo" "compare gpt dpo" \
  "export dpo -o dpo.vec" "generate dpo --prompt the --length 3" "tune dpo old.txt --run tuned --epochs 1 --snapshots 2 --probes 2 --quiet" \
  "align dpo prefer.jsonl --method dpo --run twice --quiet --lr 0.001"; do
  # shellcheck disable=SC2086 # words on purpose
  vectrail $command
  expect_status 0
done
vectrail align gpt prefer.jsonl --method dpo --run shown --lr 0.001
expect_status 0
expect_out_has "log pi of the rejected answers"
expect_out_has "moved farthest"

# Stopped on the way, it is a run that ends there.
stop_on_the_way stopped align gpt prefer.jsonl --method dpo --epochs 100000
expect_status 130
expect_err_has "stopped holds what was trained until then"
python3 - <<'P' || fail "a stopped run should end where it stands"
import re, sqlite3
db = sqlite3.connect("stopped/run.db")
last, = db.execute("SELECT max(step) FROM step").fetchone()
event = db.execute("SELECT step, text FROM event WHERE kind = 'stopped'").fetchone()
assert event[0] == last > 0 and re.fullmatch(f"interrupted at step {last} of [0-9]+, where it ended", event[1]), event
assert db.execute("SELECT dtype FROM snapshot WHERE step = ?", (last,)).fetchone() == ("F32",)
assert db.execute("SELECT count(*) FROM metric WHERE step = ? AND name IN ('kl', 'drift', 'loss')", (last,)).fetchone() == (3,)
P
vectrail generate stopped --prompt the --length 3
expect_status 0
vectrail align stopped prefer.jsonl --method dpo --run further "${fast[@]}"
expect_status 0
[ -z "$(find . -name '.*stopped*')" ] || fail "something was left behind"

# Pieces of words go the same way.
vectrail train old.txt --run bpe --model transformer --tokens bpe --vocab-size 290 --dim 16 --layers 1 --heads 2 --context 32 --epochs 1 \
  --snapshots 2 --probes 2 --quiet
vectrail align bpe prefer.jsonl --method dpo --run bpe-dpo "${fast[@]}"
expect_status 0
vectrail generate bpe-dpo --prompt king --length 2
expect_status 0

# Bad input: the line is named.
vectrail train old.txt --run words --dim 8 --epochs 1 --quiet
vectrail train old.txt --run nnlm --model nnlm --dim 8 --hidden 8 --epochs 1 --min-count 1 --quiet
cp -r gpt short
head -c 3000 gpt/model.safetensors >short/model.safetensors
cp -r bpe odd
sed -i 's|"!": 33,|"!": 999999,|' odd/tokenizer.json
cp -r judge headless
head -c 60 judge/reward.safetensors >headless/reward.safetensors
good='{"prompt": "the", "chosen": "king", "rejected": "pear"}'
line() { printf '%s\n' "$good" "$1" >"$2"; }
line '{"prompt": "the", "chosen": "king"' broken.jsonl
line '{"prompt": "the", "chosen": "king"}' missing.jsonl
line '{"prompt": "the", "chosen": "king", "rejected": 7}' number.jsonl
line '["the", "king", "pear"]' array.jsonl
line '{"prompt": "the", "chosen": "  ", "rejected": "pear"}' empty.jsonl
line '{"prompt": "the", "chosen": "pear", "rejected": "pear"}' same.jsonl
line '{"prompt": "the", "chosen": "pear zebra", "rejected": "pear"}' unknown.jsonl
line '{"prompt": "the", "chosen": "zebra", "rejected": "pear"}' nothing.jsonl
line "{\"prompt\": \"the\", \"chosen\": \"$(printf 'king %.0s' {1..20})\", \"rejected\": \"pear\"}" long.jsonl
: >none.jsonl
remember
align() { vectrail align "$1" "$2" --method "${3:-dpo}" --run bad --quiet "${@:4}"; }
align gpt broken.jsonl
expect_error 1 "broken.jsonl:2: not JSON" "a line is an object"
align gpt missing.jsonl
expect_error 1 'missing.jsonl:2: the text "rejected" is missing'
align gpt number.jsonl
expect_error 1 'number.jsonl:2: the text "rejected" is missing'
align gpt array.jsonl
expect_error 1 'array.jsonl:2: the text "prompt" is missing'
align gpt empty.jsonl
expect_error 1 'empty.jsonl:2: the answer "chosen" is empty'
align gpt same.jsonl
expect_error 1 "same.jsonl:2: both answers are the same"
align gpt unknown.jsonl
expect_error 1 "unknown.jsonl:2: both answers are the same but for words that the run does not know"
align gpt nothing.jsonl
expect_error 1 'nothing.jsonl:2: the answer "chosen" holds no word that the run knows'
align gpt long.jsonl
expect_error 2 "long.jsonl:2: prompt and answer \"chosen\" are 22 tokens; the run's context is 16"
align gpt none.jsonl
expect_error 1 "none.jsonl: holds no preferences"
align gpt nowhere.jsonl
expect_error 1 "nowhere.jsonl"
align words prefer.jsonl
expect_error 1 "there is no network here"
align nnlm prefer.jsonl
expect_error 1 "nnlm: no Transformer"
align short prefer.jsonl
expect_error 1 "short/model.safetensors"
align odd prefer.jsonl
expect_error 1 "odd/tokenizer.json"
align gpt prefer.jsonl ppo
expect_error 2 "PPO needs a reward model" "--method reward"
align gpt prefer.jsonl ppo --reward dpo
expect_error 1 "dpo: no reward model"
align gpt prefer.jsonl ppo --reward headless
expect_error 1 "headless/reward.safetensors"
align bpe prefer.jsonl ppo --reward judge
expect_error 1 "a reward model of other words"
vectrail align gpt prefer.jsonl --run bad
expect_error 2 "needs a --method"
vectrail align gpt prefer.jsonl --method dpo
expect_error 2 "align needs a run folder to write to"
vectrail resume dpo
expect_error 1 "made by vectrail align"
vectrail replay dpo
expect_error 1 "made by vectrail align"
expect_nothing_left
finish
