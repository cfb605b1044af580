#!/usr/bin/env bash
# Trains on the King James Bible and tells the story of the training.
# usage: tools/demo.sh BINARY RUN_FOLDER
set -euo pipefail

if [ $# -ne 2 ]; then
  echo "usage: tools/demo.sh BINARY RUN_FOLDER" >&2
  exit 2
fi
vectrail=$1
run=$2
text="${run%/}.txt" # beside the run

if [ ! -x "$vectrail" ]; then
  echo "demo: there is no command at $vectrail; 'make' builds it" >&2
  exit 1
fi
if ! command -v bible >/dev/null; then
  echo "demo: the King James Bible is missing; tools/install-packages.sh demo installs it" >&2
  exit 1
fi

bold="" dim="" plain=""
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
  bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
fi
heading() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }

# ---- the text: a verse a line, without its "Ge1:1" ------------------------------------------------------------------
mkdir -p "$(dirname "$text")"
partial="$text.$$.partial"
trap 'rm -f "$partial"' EXIT
bible -f 'gen1:1-rev22:21' </dev/null | sed 's/^[^ ]* //' >"$partial"
verses=$(wc -l <"$partial")
if [ "$verses" -lt 31000 ]; then
  echo "demo: 'bible' printed $verses verses, 31,102 were expected" >&2
  exit 1
fi
mv "$partial" "$text"

epochs=20
heading "Training on the King James Bible: $verses verses, $epochs times"
# A small text wants many passes, and smaller steps than a large one; 60 snapshots make smooth curves.
"$vectrail" train "$text" --run "$run" --force --fold-case --epochs "$epochs" --min-count 20 --sample 1e-4 \
  --block-tokens 512 --blocks 8 --snapshots 60 --seed 1 --watch king,gold,sea --ledger gold >/dev/null

# ---- the loss, epoch by epoch ---------------------------------------------------------------------------------------
heading "Loss on a sample of word pairs that no step trains on (nats)"
"$vectrail" info "$run" --metric probe_loss | awk -v epochs="$epochs" '
  { step[NR] = $1; loss[NR] = $2 }
  END {
    steps = step[NR]
    printf "  at the start %6.3f", loss[1]
    for (i = 1; i <= NR; i++) {
      if (step[i] == 0 || step[i] * epochs % steps != 0) continue
      epoch = step[i] * epochs / steps
      if (epoch == 1 || epoch == 2 || epoch % 5 == 0) printf "   epoch %d %6.3f", epoch, loss[i]
    }
    print ""
  }'

# ---- neighbours: random, then settled -------------------------------------------------------------------------------
last=$("$vectrail" info "$run" --metric probe_loss | tail -n 1 | cut -f 1)
early=$((last / 20))
words_at() { # WORD STEP: its five nearest words at that step, a line
  "$vectrail" neighbors "$run" "$1" -k 5 --step "$2" | awk 'NR > 2 { printf "%s%s", sep, $1; sep = " " }'
}
heading "The five words nearest to"
printf '  %s%-9s %-40s %-40s %s%s\n' "$dim" "" "at the start" "after a twentieth of the way" "at the end" "$plain"
for word in king gold sea; do
  printf '  %s%-9s%s %-40s %-40s %s\n' "$bold" "$word" "$plain" "$(words_at "$word" 0)" "$(words_at "$word" "$early")" \
    "$(words_at "$word" "$last")"
done

# ---- two words come together ----------------------------------------------------------------------------------------
heading "Cosines from the first step to the last: at first all words go the same way, then they part"
for pair in "gold silver" "moses aaron" "gold moses"; do
  read -r a b <<<"$pair"
  curve=$("$vectrail" similarity "$run" "$a" "$b" --over-time --color never | sed -n '2s/^ *//p')
  printf '  %-16s %s\n' "$a, $b" "$curve"
done

# ---- the page --------------------------------------------------------------------------------------------------------
report="${run%/}.html"
"$vectrail" report "$run" -o "$report" --quiet
heading "See it"
printf '  Open this file in a browser, it needs nothing else:\n    file://%s\n' "$(realpath "$report")"
printf '  Or serve it, with the ledger and all words, at http://127.0.0.1:8080/:\n    %s serve %s\n' "$vectrail" "$run"

heading "Next"
printf '  %s neighbors %s moses aaron --step %s\n' "$vectrail" "$run" "$early"
printf '  %s similarity %s heaven earth --over-time\n' "$vectrail" "$run"
printf '  %s info %s\n' "$vectrail" "$run"
