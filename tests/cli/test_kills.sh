#!/usr/bin/env bash
# label: optimised. Trainings, resumes, imports and exports that are killed, or whose power is cut (tests/fault/kills.py).
# Here some twenty; `make soak` tries five hundred.
: "${SOURCE:?}" "${BUILD:?}" "${VECTRAIL:?}"
fault=$BUILD/tests/vectrail_fault
[ -x "$fault" ] || exit 77
exec python3 "$SOURCE/tests/fault/kills.py" "$VECTRAIL" "$fault" --kills "${KILLS:-20}" --cuts "${CUTS:-14}" \
  --seed "${SEED:-1}" --jobs "${JOBS:-2}"
