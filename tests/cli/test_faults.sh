#!/usr/bin/env bash
# label: long
# Memory, writes, syncs, names and threads that fail, at every place of every command (tests/fault/faults.py). Here some of
# them, drawn anew with each SEED; `make soak` tries all.
: "${SOURCE:?}" "${BUILD:?}" "${VECTRAIL:?}"
fault=$BUILD/tests/vectrail_fault
[ -x "$fault" ] || exit 77
export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1
exec python3 "$SOURCE/tests/fault/faults.py" "$VECTRAIL" "$fault" --share "${FAULT_SHARE:-1}" --kinds "${FAULT_KINDS:-12}" --seed "${SEED:-1}" \
  --jobs "${JOBS:-2}"
