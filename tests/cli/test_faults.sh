#!/usr/bin/env bash
# label: long
# Memory, writes, syncs, names and threads that fail, at every place of every command (tests/fault/faults.py). Here some of
# them, drawn anew with each SEED; `make soak` tries each way to one (FAULTS=ways), or all there are (FAULTS=every).
: "${SOURCE:?}" "${BUILD:?}" "${VECTRAIL:?}"
fault=$BUILD/tests/vectrail_fault
[ -x "$fault" ] || exit 77
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}allocator_may_return_null=1:detect_leaks=1"
case ${FAULTS:-some} in
some) which=(--share "${FAULT_SHARE:?}" --kinds "${FAULT_KINDS:?}") ;;
ways) which=(--ways) ;;
every) which=(--share 1) ;;
*)
  echo "FAULTS is some, ways or every, not $FAULTS" >&2
  exit 1
  ;;
esac
exec python3 "$SOURCE/tests/fault/faults.py" "$VECTRAIL" "$fault" "${which[@]}" --seed "${SEED:-1}" --jobs "${JOBS:-2}"
