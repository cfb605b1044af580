#!/usr/bin/env bash
# Standard output that does not take the results: a full disk, a closed descriptor, a reader that has gone.
. "${SOURCE:?}/tests/cli/lib.sh"
make_corpus text.txt 400
"$VECTRAIL" train text.txt --run run "${small[@]}" --quiet || fail "the text should train"

commands=("help" "help train" "--version" "info run" "info run --json" "info --kernels" "info run --metric loss"
  "neighbors run king" "neighbors run king --json" "similarity run king queen --over-time" "analogy run king queen apple"
  "export run -o out.npy --json" "train text.txt --run again --force --quiet --json --epochs 1 --dim 4 --min-count 1")

for line in "${commands[@]}"; do
  read -r -a words <<<"$line"
  command_line="vectrail $line"
  out=""
  if [ -c /dev/full ]; then
    "$VECTRAIL" "${words[@]}" >/dev/full 2>"$captured/err"
    status=$?
    err=$(<"$captured/err")
    expect_status 1
    [[ $err == "vectrail: cannot write the results to standard output: "*$'\n'* ]] || fail "a full disk should be told"
    [ "$(wc -l <"$captured/err")" -eq 2 ] || fail "two lines expected"
  fi
  "$VECTRAIL" "${words[@]}" >&- 2>"$captured/err"
  status=$?
  err=$(<"$captured/err")
  expect_status 1
  [[ $err == "vectrail: cannot write the results to standard output: "* ]] || fail "a closed stdout should be told"
  # The reader has gone before the first byte: no message, and no death by signal.
  { "$VECTRAIL" "${words[@]}" 2>"$captured/err"; echo $? >"$captured/status"; } | exec true
  status=$(<"$captured/status")
  err=$(<"$captured/err")
  [ "$status" -eq 1 ] || [ "$status" -eq 0 ] || fail "a closed pipe ends with 1, or 0 where it closed too late"
  [ -z "$err" ] || fail "a closed pipe is no news"
done

# More output than a pipe holds: the reader is gone for sure by the end.
python3 - <<'PYTHON' >wide.txt
print("\n".join(" ".join(f"word{i}" for i in range(k, k + 20)) for k in range(0, 20000, 20)))
PYTHON
"$VECTRAIL" train wide.txt --run wide --dim 4 --min-count 1 --epochs 1 --quiet || fail "the wide text should train"
{ "$VECTRAIL" neighbors wide word1 -k 20000 2>"$captured/err"; echo $? >"$captured/status"; } | head -1 >/dev/null
status=$(<"$captured/status")
err=$(<"$captured/err")
expect_status 1
expect_err ""

# stderr that is closed stops no training, and its place is not taken by a file of the run.
"$VECTRAIL" train text.txt --run again --force "${small[@]}" --json >"$captured/out" 2>&-
status=$?
expect_status 0
out=$(<"$captured/out")
expect_json 'd["steps"] > 0'
"$VECTRAIL" train text.txt --run again --force "${small[@]}" --json >"$captured/out" 2>/dev/full || fail "a full stderr stops nothing"
finish
