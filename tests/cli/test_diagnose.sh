#!/usr/bin/env bash
# label: optimised
# diagnose: trainings with one thing wrong are found out, sound ones are not accused.
. "${SOURCE:?}/tests/cli/lib.sh"

# Forty topics of thirty words, Zipf's law within them, and function words between; RARE words occur once or twice.
cat >generate.py <<'PYTHON'
import random, sys
path, lines, topics, rare = sys.argv[1], *map(int, sys.argv[2:])
random.seed(11)
weights = [1 / (rank + 1) for rank in range(30)]
with open(path, "w") as file:
    for line in range(lines):
        topic = random.randrange(topics)
        words = []
        for _ in range(random.randint(8, 16)):
            if random.random() < 0.3:
                words.append(f"common{min(int(random.expovariate(0.5)), 9)}")
            else:
                words.append(f"t{topic}w{random.choices(range(30), weights)[0]}")
        if rare and line % (lines // rare) == 0:
            words.insert(random.randrange(len(words)), f"rare{line}")
        file.write(" ".join(words) + "\n")
PYTHON
python3 generate.py long.txt 25000 40 0
head -n 14000 long.txt >text.txt
python3 generate.py little.txt 600 40 0
python3 generate.py rare.txt 6000 40 600
settings=(--dim 32 --sample 1e-3 --min-count 2 --block-tokens 512 --blocks 4 --snapshots 20 --threads 2 --quiet)

train() { # NAME TEXT OPTIONS...
  local name=$1 text=$2
  shift 2
  vectrail train "$text" --run "$name" "${settings[@]}" "$@"
  [ "$status" -eq 0 ] || [ "$status" -eq 3 ] || fail "training $name"
}
diagnosed() { # NAME KINDS: found are exactly these
  vectrail diagnose "$1" --json
  expect_status 0
  expect_json "[f['kind'] for f in d['findings']] == '$2'.split()"
  expect_json 'all(f["what"] and f["evidence"] and f["remedy"] for f in d["findings"])'
}
finds() { # NAME KIND: it is among them
  vectrail diagnose "$1" --json
  expect_status 0
  expect_json "'$2' in [f['kind'] for f in d['findings']] and '$2' not in d['sound']"
}

# ---- sound ----------------------------------------------------------------------------------------------------------
train sound text.txt --epochs 12 --held-out 2%
diagnosed sound ""
expect_json 'len(d["sound"]) >= 9 and "overfitted" in d["sound"] and "collapsed" in d["sound"]'
train constant long.txt --epochs 30 --schedule constant --until converged
diagnosed constant ""
train other text.txt --epochs 12 --seed 5 --loss hs
diagnosed other ""
vectrail diagnose sound
expect_status 0
expect_out_has "sound: nothing is wrong that could be told"
expect_out_has "no sign of: divergence,"

# ---- with one thing wrong -------------------------------------------------------------------------------------------
train high text.txt --epochs 3 --lr 0.5
diagnosed high "rate_too_high"
train low text.txt --epochs 2 --lr 0.0001
diagnosed low "rate_too_low"
vectrail diagnose low
expect_out_has "Next to nothing was learnt: the learning rate is too low."
expect_out_has "  evidence  the loss on the probe fell by "
expect_out_has "  remedy    train with a higher rate"
[[ $out != *$'\e'* ]] || fail "no colour into a file"
train early text.txt --epochs 1
finds early stopped_early
train cut text.txt --epochs 3 --schedule constant --lr 0.01
finds cut stopped_early
train heart little.txt --epochs 300 --lr 0.05 --held-out 5%
finds heart overfitted
vectrail diagnose heart
expect_out_has "sentences that are held out"
train narrow text.txt --epochs 12 --dim 4
finds narrow dim_too_small
train wide text.txt --epochs 4 --dim 300
finds wide dim_too_large
train rare rare.txt --epochs 1 --min-count 1
finds rare words_unmoved

train blown text.txt --lr 1000 --epochs 50
expect_status 3
finds blown diverged
vectrail diagnose blown
expect_out_has "The training diverged"
expect_out_has "is no longer finite"

# ---- what cannot be read --------------------------------------------------------------------------------------------
vectrail diagnose
expect_error 2 "diagnose needs a run folder"
vectrail diagnose nowhere
expect_error 1 "nowhere: there is no run here"
file=$(cd sound/snapshots && printf '%s\n' *.safetensors | sort -n | sed -n 5p)
printf '\1' | dd of="sound/snapshots/$file" bs=1 seek=600 conv=notrunc status=none
vectrail diagnose sound
expect_error 1 "sound/snapshots/$file: not the snapshot that was recorded"

finish
