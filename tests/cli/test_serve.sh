#!/usr/bin/env bash
# The server: every route, requests that make no sense, hosts that are not ours; that it writes nothing; ports.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

awk 'BEGIN { srand(3); for (s = 0; s < 700; s++) { g = int(rand() * 5); l = ""; for (w = 0; w < 9; w++) l = l sprintf("g%dw%d ", g, int(14 * rand() * rand())); print l "the" } }' >text.txt
vectrail train text.txt --run first --block-tokens 256 --blocks 2 --dim 12 --epochs 3 --snapshots 6 --min-count 2 --ledger g1w0,g1w1 --quiet --threads 2
expect_status 0
vectrail train text.txt --run second --block-tokens 256 --blocks 2 --dim 12 --epochs 2 --snapshots 4 --min-count 2 --seed 2 --quiet --threads 2
expect_status 0
echo "not to be read" >secret.txt
cp -r first damaged
find damaged/snapshots -name '*.safetensors' -printf '%f\n' | sort -n | sed -n '3p;5p' >damaged.files
{ read -r missing && read -r changed; } <damaged.files
rm "damaged/snapshots/$missing"
printf '\1' | dd of="damaged/snapshots/$changed" bs=1 seek=600 conv=notrunc status=none
sed 's/[.].*//' damaged.files >damaged.steps

vectrail serve nothing-here
expect_error 1 "no run" ""

before=$(find first second -type f -exec sha256sum {} + | sort | sha256sum)
python3 "$SOURCE/tests/support/serve_client.py" "$VECTRAIL" "${REQUESTS:-600}" || fail "requests"
after=$(find first second -type f -exec sha256sum {} + | sort | sha256sum)
[ "$before" = "$after" ] || fail "the server changed a run"

# ---- the report ------------------------------------------------------------------------------------------------------
vectrail report first -o a.html --threads 1
expect_status 0
vectrail report first -o b.html --threads 3 --json
expect_status 0
expect_out_has '"snapshots":6'
cmp a.html b.html || fail "a report depends on the number of threads"
grep -q 'data-path="/api/runs/0/explain?word=' a.html || fail "the ledger is missing in the report"
if grep -qE '(src|href)="?(http|//)' a.html; then fail "the report asks for something outside"; fi
vectrail report first
expect_error 2 "-o FILE" ""
vectrail report first -o missing/folder.html
expect_status 1

finish
