#!/usr/bin/env bash
# Progress: one redrawn line on a terminal, fitted to its width, at most 10 times a second; lines elsewhere. Signals.
. "${SOURCE:?}/tests/cli/lib.sh"
make_corpus text.txt "$(or_fewer 12000 3000)"
command_line="see tests/cli/terminal.py"
python3 "$SOURCE/tests/cli/terminal.py" "$VECTRAIL" text.txt || fail "progress on a terminal, and signals"
finish
