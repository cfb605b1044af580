# shellcheck shell=bash
# lib.sh: what the tests of the command share. Each test sources it, works in a folder of its own that is removed at
# the end, and ends with `finish`. A check that fails is reported with what was run, and the test goes on.
set -u
: "${VECTRAIL:?the path of the command to test}"
: "${SOURCE:?the source folder}"
VECTRAIL=$(realpath "$VECTRAIL")
SOURCE=$(realpath "$SOURCE")
export VECTRAIL SOURCE
unset NO_COLOR VECTRAIL_KERNEL

work=$(mktemp -d "${TMPDIR:-/tmp}/vtt_XXXXXX") || exit 1
captured=$(mktemp -d "${TMPDIR:-/tmp}/vtt_XXXXXX") || exit 1
cleanup() { rm -rf "$work" "$captured"; }
trap cleanup EXIT
cd "$work" || exit 1
# Where a version manager puts a script in the place of python3, that takes ten times as long to start as what it starts,
# and tests start it hundreds of times. Debian's is the one that has the packages, too.
if [ -x /usr/bin/python3 ]; then
  mkdir "$captured/bin" && ln -s /usr/bin/python3 "$captured/bin/python3"
  PATH=$captured/bin:$PATH
fi

# python_has MODULE...: whether Python has them all. They are looked for and not imported, which of NumPy takes a third of a
# second.
python_has() {
  python3 -c 'import sys, importlib.util as at; sys.exit(any(at.find_spec(name) is None for name in sys.argv[1:]))' "$@" 2>/dev/null
}

failures=0
command_line=""
status=0
out=""
err=""

# Runs the command; afterwards $status, $out and $err say what came of it. stdin is empty.
vectrail() {
  command_line="vectrail $*"
  "$VECTRAIL" "$@" >"$captured/out" 2>"$captured/err" </dev/null
  status=$?
  out=$(<"$captured/out")
  err=$(<"$captured/err")
}

fail() {
  failures=$((failures + 1))
  {
    echo "FAILED: $1"
    echo "  command: $command_line"
    echo "  status: $status"
    echo "  stdout: ${out:0:600}"
    echo "  stderr: ${err:0:600}"
  } >&2
}

expect_status() { [ "$status" -eq "$1" ] || fail "status $1 expected"; }
expect_out() { [ "$out" = "$1" ] || fail "stdout should be: $1"; }
expect_err() { [ "$err" = "$1" ] || fail "stderr should be: $1"; }
expect_out_has() { [[ $out == *"$1"* ]] || fail "stdout should hold: $1"; }
expect_err_has() { [[ $err == *"$1"* ]] || fail "stderr should hold: $1"; }
expect_no_file() { [ ! -e "$1" ] || fail "$1 should not be there"; }

# expect_error STATUS CAUSE [HELP]: nothing on stdout; on stderr one line "vectrail: ...CAUSE..." and at most one line
# more, which holds HELP.
expect_error() {
  expect_status "$1"
  expect_out ""
  local lines=0
  while IFS= read -r _; do lines=$((lines + 1)); done <"$captured/err"
  [ "$lines" -eq 1 ] || [ "$lines" -eq 2 ] || fail "one or two lines of error expected, not $lines"
  local first=${err%%$'\n'*}
  [[ $first == "vectrail: "*"$2"* ]] || fail "the error should be: vectrail: ...$2..."
  if [ $# -ge 3 ]; then
    [ "$lines" -eq 2 ] || fail "a line of help expected"
    [[ ${err#*$'\n'} == *"$3"* ]] || fail "the help should hold: $3"
  fi
}

# train_and_stop RUN ARGS...: a training that is told to end as soon as it is under way. (By SIGTERM: what a script starts
# in the background ignores SIGINT.)
train_and_stop() {
  local run=$1 process
  shift
  for _ in 1 2 3 4 5; do
    rm -rf "$run"
    "$VECTRAIL" train "$@" --run "$run" &
    process=$!
    while [ ! -e "$run/run.db" ] && kill -0 "$process" 2>/dev/null; do sleep 0.01; done
    kill -TERM "$process" 2>/dev/null
    wait "$process"
    [ $? -eq 130 ] && return
  done
  fail "each training had ended before it could be stopped"
}

# stop_on_the_way RUN COMMAND ARGS...: align or contrast, told to end when it has made some steps; $status and $err as of
# vectrail.
stop_on_the_way() {
  local run=$1 process
  shift
  command_line="vectrail $* --run $run"
  for pause in 0.5 1 2 4 8; do
    "$VECTRAIL" "$@" --run "$run" --quiet >"$captured/out" 2>"$captured/err" &
    process=$!
    sleep $pause
    kill -TERM "$process" 2>/dev/null
    wait "$process"
    status=$?
    out=$(<"$captured/out")
    err=$(<"$captured/err")
    [ -e "$run" ] && return
  done
}

# Node with the packages of web/, which are fetched by whoever needs them first; the test is skipped where there are none.
need_web() {
  for tool in node npm; do
    command -v "$tool" >/dev/null || { echo "skipped: there is no $tool here; tools/install-packages.sh test installs it"; exit 77; }
  done
  (
    cd "$SOURCE/web" || exit 1
    flock 9
    cmp -s package-lock.json node_modules/.made-from 2>/dev/null && exit 0
    npm ci --no-audit --no-fund --loglevel=error >"$captured/npm" 2>&1 || { cat "$captured/npm"; exit 1; }
    cp package-lock.json node_modules/.made-from
  ) 9<"$SOURCE/web/package-lock.json" || { echo "skipped: the packages of web/ could not be fetched"; exit 77; }
}

# The files of a run's snapshots, by step.
snapshots() { find "$1/snapshots" -type f -printf '%f\n' | sort -n; }

# Everything in the folder of the test, hidden names too, into a variable, without a process; before and after it tells
# what was left behind.
list_into() { # VARIABLE
  local found
  shopt -s globstar dotglob nullglob
  found=("$work"/**)
  shopt -u globstar dotglob nullglob
  printf -v "$1" '%s\n' "${found[@]}"
}
remember() { list_into before; }
expect_nothing_left() {
  local now
  list_into now
  [ "$now" = "$before" ] || fail "left behind: $(comm -13 <(sort <<<"$before") <(sort <<<"$now") | tr '\n' ' ')"
}

# expect_json EXPRESSION: a Python expression over `d`, the JSON object in $out; the test fails where it is not true. One
# Python answers them all, for to start it takes as long as all the rest.
holds_of_json='
import json, math, sys, traceback
given = bytearray()
while part := sys.stdin.buffer.raw.read(1 << 20):
    given += part
    while given.count(0) >= 2:
        out, expression, given = given.split(b"\0", 2)
        try:
            lines = out.decode().splitlines()
            assert len(lines) == 1, "one line of JSON expected"
            holds = eval(expression, {"d": json.loads(lines[0]), "math": math})
        except Exception:
            traceback.print_exc()
            holds = False
        print("yes" if holds else "no", flush=True)'
expect_json() {
  local answer
  [ -n "${PYTHON_ASKED_PID:-}" ] || coproc PYTHON_ASKED { exec python3 -c "$holds_of_json"; }
  printf '%s\0%s\0' "$out" "$1" >&"${PYTHON_ASKED[1]}"
  read -r answer <&"${PYTHON_ASKED[0]}"
  [ "$answer" = yes ] || fail "JSON should satisfy: $1"
}

# A text of two topics that never meet in a sentence: words of one become neighbours.
make_corpus() { # FILE SENTENCES
  python3 - "$1" "$2" <<'PYTHON'
import random
import sys

random.seed(7)
topics = [
    "king queen castle crown knight throne prince duke sword banner".split(),
    "apple pear orchard fruit tree blossom cherry garden plum harvest".split(),
]
common = "the a of and in".split()
with open(sys.argv[1], "w", encoding="utf-8") as file:
    for _ in range(int(sys.argv[2])):
        topic = random.choice(topics)
        words = [random.choice(topic if random.random() < 0.75 else common) for _ in range(random.randint(6, 14))]
        file.write(" ".join(words) + "\n")
PYTHON
}

# or_fewer N FEW: FEW under a sanitizer, which takes ten times as long over the same paths.
or_fewer() { if [ -n "${SANITIZED:-}" ]; then echo "$2"; else echo "$1"; fi; }

# Settings under which that text is learnt in a second; a third of it where a sanitizer watches.
epochs=$(or_fewer 12 4)
# shellcheck disable=SC2034 # the tests use them
small=(--dim 16 --window 3 --sample 0 --epochs "$epochs" --lr 0.05 --block-tokens 256 --blocks 4 --snapshots 6 --threads 1)

finish() {
  if [ "$failures" -gt 0 ]; then
    echo "$failures checks failed" >&2
    exit 1
  fi
  exit 0
}
