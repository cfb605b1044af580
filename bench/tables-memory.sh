#!/usr/bin/env bash
# How much memory each of R ranks takes, each on a machine of its own as far as it knows, with whole tables and with dealt
# ones. Anonymous memory, and what ranks share, at its highest; what lies in files the system can take back.
# usage: bench/tables-memory.sh VECTRAIL TEXT RANKS [OPTIONS...]    of train; prints a line a rank
set -eu
vectrail=$(realpath "$1") text=$(realpath "$2") ranks=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none
cat >"$work/rank" <<'RANK'
#!/bin/sh
# Each rank notes its highest memory while it trains.
export VECTRAIL_MACHINE=$OMPI_COMM_WORLD_RANK
"$@" &
pid=$!
most=0
while kill -0 $pid 2>/dev/null; do
  now=$(awk '/^RssAnon|^RssShmem/ { sum += $2 } END { print sum + 0 }' /proc/$pid/status 2>/dev/null || echo 0)
  [ "${now:-0}" -gt "$most" ] && most=$now
  sleep 0.05
done
wait $pid
echo "rank $OMPI_COMM_WORLD_RANK $((most / 1024)) MiB" >&2
RANK
chmod +x "$work/rank"
for tables in whole dealt; do
  option=
  [ "$tables" = dealt ] && option=--deal-tables
  echo "$tables:"
  # shellcheck disable=SC2086
  mpirun -n "$ranks" "$work/rank" "$vectrail" train "$text" --run "$work/run" --force --threads 1 --json $option "$@" \
    2>&1 >/dev/null | grep '^rank' | sort
done
