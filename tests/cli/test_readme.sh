#!/bin/bash
# label: optimised
# label: long
# The tours of both READMEs, typed as a reader would, print what the READMEs print.
set -eu
if ! command -v bible >/dev/null; then
  echo "skipped: the tour needs the text that 'make demo' installs (Debian's bible-kjv-text)"
  exit 77
fi
folder=$(mktemp -d "${TMPDIR:-/tmp}/vectrail-readme.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"$SOURCE/tools/demo.sh" "$VECTRAIL" runs/demo >demo.out 2>&1 || { cat demo.out; exit 1; }
PATH="$(dirname "$VECTRAIL"):$PATH"
export PATH
python3 "$SOURCE/tools/readme.py" check "$SOURCE/README.md" "$SOURCE/README.vi.md" "$folder"
