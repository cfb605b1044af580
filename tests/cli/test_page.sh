#!/usr/bin/env bash
# The page does in a browser what it should.
# label: optimised
# label: long
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

need_web
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
[ -n "$chromium" ] || { echo "skipped: there is no Chromium here; tools/install-packages.sh test installs it"; exit 77; }

# Twelve groups of words; a sentence takes its words from one group, so groups become clusters.
awk 'BEGIN {
  srand(7); split("ka lo mi nu pe ra so ti vu ze ba do", head, " ")
  for (s = 0; s < 6000; s++) {
    g = int(rand() * 12) + 1; line = ""
    for (w = 0; w < 9; w++) { k = int(25 * rand() * rand()); line = line sprintf("%s%c%c ", head[g], 97 + k % 25, 97 + (k * 7 + g) % 26) }
    print line "the of and"
  }
}' >text.txt
train() { "$VECTRAIL" train text.txt --quiet --threads 2 --dim 24 --min-count 3 --block-tokens 512 --blocks 4 "$@" >/dev/null; }
word=$(tr ' ' '\n' <text.txt | grep -v -E '^(the|of|and|)$' | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }')
second=$(tr ' ' '\n' <text.txt | grep "^${word:0:2}" | grep -v "^$word\$" | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }')
printf '["%s","%s"]\n' "$word" "$second" >words.json
train --run main --epochs 6 --snapshots 20 --ledger "$word,$second"
train --run other --epochs 3 --snapshots 8 --seed 2
head -n 200 text.txt | "$VECTRAIL" train - --run few --quiet --dim 8 --max-vocab 12 --epochs 2 --snapshots 4 >/dev/null
"$VECTRAIL" export main -o last.vec --quiet
"$VECTRAIL" import last.vec --run one --quiet >/dev/null
"$VECTRAIL" report main -o report.html --quiet

# One is cut off: killed, and then nobody wrote to it for a while. Another has too high a rate.
"$VECTRAIL" train text.txt --run cut --quiet --dim 24 --epochs 2000 --snapshots 100 --threads 1 >/dev/null 2>&1 &
victim=$!
for _ in $(seq 100); do
  [ "$(find cut/snapshots -name '*.safetensors' 2>/dev/null | wc -l)" -ge 2 ] && break
  sleep 0.1
done
kill -9 "$victim"
wait "$victim" 2>/dev/null || true
find cut -name 'run.db*' -exec touch -d '1 hour ago' {} +
train --run wild --lr 1000 --schedule constant --epochs 20 --snapshots 6 2>/dev/null || true

CHROMIUM="$chromium" node "$SOURCE/web/tests/browser.mjs" "$VECTRAIL" "$work" || fail "in a browser"
finish
