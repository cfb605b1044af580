#!/bin/sh
# Speed, memory and start-up on a generated corpus, beside the peers that this system has (fasttext from Debian's
# package, for one). usage: bench/run.sh path/to/vectrail [tokens-in-millions]
set -eu
vectrail=$(realpath "$1")
millions=${2:-8}
threads=$(nproc)
work=$(mktemp -d "${TMPDIR:-/tmp}/vectrail-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM

# Zipf-like text from a fixed generator: word k with probability ~ 1 / (k + 2.7), 50,000 words, 20 words a line.
awk -v tokens=$((millions * 1000000)) 'BEGIN {
  words = 50000; total = 0
  for (k = 0; k < words; k++) { total += 1 / (k + 2.7); sum[k] = total }
  state = 12345
  for (n = 1; n <= tokens; n++) {
    state = (state * 1103515245 + 12345) % 2147483648
    target = state / 2147483648 * total; low = 0; high = words - 1
    while (low < high) { middle = int((low + high) / 2); if (sum[middle] < target) low = middle + 1; else high = middle }
    printf "w%d%s", low, n % 20 == 0 ? "\n" : " "
  }
}' >"$work/corpus.txt"

measure() { # name command...: wall seconds and peak memory
  name=$1
  shift
  /usr/bin/time -f '%e %M' -o "$work/time" "$@" >"$work/out" 2>"$work/err" || { cat "$work/err" >&2; return 1; }
  read -r seconds kilobytes <"$work/time"
  printf '%-34s %8.2f s %9.1f MiB\n' "$name" "$seconds" "$(awk -v k="$kilobytes" 'BEGIN { print k / 1024 }')"
}

echo "$(grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //'), $threads threads; $("$vectrail" --version | head -1)"
echo "corpus: $millions million words, d 100, window 5, 5 noise words, sample 1e-4, 1 epoch"
measure "start-up (--version)" "$vectrail" --version
for count in 1 "$threads"; do
  measure "vectrail, $count thread(s), all" "$vectrail" train "$work/corpus.txt" --run "$work/run" --force --epochs 1 \
    --threads "$count" --json
  printf '%-34s %8.2f million words/s in training\n' "" \
    "$(sed -n 's/.*"words_per_second": *\([0-9.e+]*\).*/\1/p' "$work/out" | tail -1 | awk '{ print $1 / 1e6 }')"
done
if command -v fasttext >/dev/null; then
  measure "fasttext skipgram, $threads threads" fasttext skipgram -input "$work/corpus.txt" -output "$work/ft" -dim 100 -ws 5 \
    -neg 5 -t 1e-4 -minCount 5 -epoch 1 -thread "$threads" -maxn 0
fi
