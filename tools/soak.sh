#!/usr/bin/env bash
# What takes too long for `make test`: each part is a test of there with larger numbers. Says what came of each; exit 1 where
# one failed.
# usage: tools/soak.sh BUILD [PART...]    parts: kills resume faults flips server limits; all of them without
#   FAULTS (ways; every: of those that one chain of calls leads to all, not the first and the last), KILLS (500), CUTS (200),
#   FLIPS (10000), SECONDS_SERVED (3600), TOKENS (5000000000), SEED (the time)
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
build=${1:?the build folder}
shift
parts=("$@")
if [ ${#parts[@]} -eq 0 ]; then parts=(flips kills resume faults server limits); fi
export SEED=${SEED:-$(date +%s)} SOURCE=$PWD BUILD=$build VECTRAIL=$build/vectrail LC_ALL=C.UTF-8
status=0

run() { # NAME COMMAND...
  local name=$1
  shift
  echo "soak: $name"
  if "$@"; then echo "soak: $name: ok"; else
    echo "soak: $name: FAILED (SEED=$SEED)" >&2
    status=1
  fi
}

for part in "${parts[@]}"; do
  case $part in
  kills) run kills env KILLS="${KILLS:-500}" CUTS="${CUTS:-200}" bash tests/cli/test_kills.sh ;;
  resume) run resume env KILLS=30 bash tests/cli/test_resume.sh ;;
  faults) run faults env FAULTS="${FAULTS:-ways}" bash tests/cli/test_faults.sh ;;
  flips) run flips "$build/tests/fault_flips" "${FLIPS:-10000}" "$SEED" ;;
  server) run server python3 tests/fault/server_load.py "$VECTRAIL" --seconds "${SECONDS_SERVED:-3600}" ;;
  limits) run limits python3 tests/fault/limits.py "$VECTRAIL" "$build/tests/limits" --tokens "${TOKENS:-5000000000}" ;;
  *)
    echo "soak: there is no part '$part'" >&2
    exit 2 ;;
  esac
done
exit "$status"
