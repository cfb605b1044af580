#!/usr/bin/env bash
# Fuzzes every reader of bytes that others wrote (tests/fuzz), one after the other, with the committed inputs as a start.
# What was found before is kept under build/fuzz/inputs and gone on from.
# usage: tools/fuzz.sh [TARGET...]    FUZZ_SECONDS: for each (600)
# Exit 1 where something was found; the inputs that did it lie in build/fuzz/found.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
seconds=${FUZZ_SECONDS:-600}
built=build/fuzz/tests/fuzz
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for program in "$built"/fuzz_*; do if [ -x "$program" ]; then targets+=("${program##*/fuzz_}"); fi; done
fi
mkdir -p build/fuzz/found
status=0
total=0
for target in "${targets[@]}"; do
  inputs=build/fuzz/inputs/$target
  mkdir -p "$inputs"
  options=("-max_total_time=$seconds" -max_len=4096 -timeout=20 -rss_limit_mb=3000 -print_final_stats=1
    "-artifact_prefix=build/fuzz/found/$target-")
  if [ -f "tests/fuzz/dictionary/$target.txt" ]; then options+=("-dict=tests/fuzz/dictionary/$target.txt"); fi
  # Databases are larger than anything else is worth trying.
  if [ "$target" = database ]; then options+=(-max_len=65536); fi
  if "$built/fuzz_$target" "$inputs" "tests/fuzz/corpus/$target" "${options[@]}" >"build/fuzz/$target.log" 2>&1; then
    found="nothing found"
  else
    found="FOUND SOMETHING: build/fuzz/$target.log"
    status=1
  fi
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/$target.log")
  total=$((total + ${executions:-0}))
  echo "$target: ${executions:-0} executions, $found"
done
echo "$total executions of ${#targets[@]} targets"
exit "$status"
