#!/usr/bin/env bash
# Builds the command and the library twice, in two folders of different names, and compares them bit for bit.
# usage: tools/reproduce.sh    exit 1 where they differ
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d "${TMPDIR:-/tmp}/vtt_XXXXXX")
trap '[ -n "${KEEP:-}" ] || rm -rf "$work"' EXIT
for copy in one another-place; do
  mkdir "$work/$copy"
  git ls-files -z | xargs -0 cp --parents -t "$work/$copy"
  (cd "$work/$copy" && cmake --preset release -DVECTRAIL_TESTS=OFF >/dev/null && cmake --build --preset release >/dev/null)
done
status=0
for file in vectrail libvectrail.a libvectrail.so; do
  first=$(sha256sum <"$work/one/build/release/$file")
  second=$(sha256sum <"$work/another-place/build/release/$file")
  if [ "$first" = "$second" ]; then echo "$file: ${first%% *}, twice"; else
    echo "$file: two builds, two files" >&2
    status=1
  fi
done
exit "$status"
