#!/usr/bin/env bash
# Runs the unit tests, and the replayed inputs of the fuzzers, under Valgrind's memory checker; exit 1 where it finds anything.
# usage: tools/valgrind.sh BUILD [NAME...]    names of tests; all without
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
build=${1:?the build folder}
shift
programs=("$@")
if [ ${#programs[@]} -eq 0 ]; then
  mapfile -t programs < <("$build/tests/vectrail_tests" | grep '^unit_')
  mapfile -t -O ${#programs[@]} programs < <("$build/tests/fuzz/fuzz_replay")
fi
check() { # PROGRAM
  local path=$build/tests/vectrail_tests arguments=("$1") leaks=full
  # A child that ends in the middle, as if killed, has given nothing back: it would be told from its parent by nothing.
  if grep -qs 'fork()' "tests/unit/test_${1#unit_}.c"; then leaks=no; fi
  case $1 in fuzz_*)
    path=$build/tests/fuzz/fuzz_replay
    arguments+=("tests/fuzz/corpus/${1#fuzz_}") ;;
  esac
  if timeout 1500 valgrind -q --error-exitcode=9 --leak-check="$leaks" --errors-for-leak-kinds=definite,indirect \
    --child-silent-after-fork=yes "$path" "${arguments[@]}" >"$build/valgrind-$1.log" 2>&1; then
    echo "valgrind: $1: ok"
  else
    echo "valgrind: $1: FAILED, see $build/valgrind-$1.log"
    return 1
  fi
}
export -f check
export build
printf '%s\n' "${programs[@]}" | xargs -P "$(nproc)" -I{} bash -c 'check {}' || exit 1
echo "valgrind: ${#programs[@]} tests, nothing found"
