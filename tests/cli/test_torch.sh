#!/usr/bin/env bash
# Networks against PyTorch: gradients of all parameters, and logits of GPT-2's and GPT-NeoX's files. Optional: it needs
# Debian's python3-torch, which is large and not installed for the tests. label: optimised
. "${SOURCE:?}/tests/cli/lib.sh"
if ! python_has torch; then
  echo "skipped: needs PyTorch (Debian: python3-torch)"
  exit 77
fi
python3 "$SOURCE/tests/support/torch_networks.py" "$VECTRAIL" >"$captured/out" 2>"$captured/err" || {
  out=$(<"$captured/out") err=$(tail -n 3 "$captured/err")
  fail "PyTorch says otherwise"
}
finish
