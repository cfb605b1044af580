#!/usr/bin/env bash
# The examples do what they say: the C program records a run, and the Python one writes checkpoints and watches them.
. "${SOURCE:?}/tests/cli/lib.sh"
BUILD=$(realpath "${BUILD:?the build folder}")

# ---- examples/record.c
"$BUILD/tests/example_record" runs >"$captured/out" 2>"$captured/err" || fail "record should make its run"
[ ! -s "$captured/err" ] || fail "record should have nothing to say"
vectrail info runs --json
expect_json 'd["settings"]["origin"] == "recorder" and d["settings"]["model"] == "toy" and len(d["snapshots"]) == 21'
expect_json 'd["last_step"]["step"] == 400 and [e["kind"] for e in d["events"]] == ["start", "note", "finished"]'
vectrail info runs --metric loss --json
expect_json 'len(d["points"]) == 401 and d["points"][400]["value"] < 0.2 * d["points"][0]["value"]'
vectrail neighbors runs king -k 1 --json
expect_json 'd["neighbors"][0]["word"] in ("queen", "crown", "throne", "castle")'
vectrail similarity runs king queen --over-time --json
expect_json 'len(d["over_time"]) == 21 and d["cosine"] > 0.5'
"$BUILD/tests/example_record" runs 2>"$captured/err" && fail "record should not replace a run"
grep -q "holds a run already" "$captured/err" || fail "record says why"

# ---- examples/pytorch_watch.py, with NumPy's arrays where there is no PyTorch
if python_has numpy; then
  PYTHONDONTWRITEBYTECODE=1 python3 - "$SOURCE/examples" "$VECTRAIL" <<'PYTHON' || fail "checkpoints should be written and imported"
import pathlib, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import pytorch_watch

words = ["king", "queen", "apple", "từ"]
table = np.random.default_rng(1).standard_normal((4, 6)).astype(np.float32)
watch = pytorch_watch.Watch("watched", words, "checkpoints", vectrail=sys.argv[2])
for step in (0, 50, 100):
    watch.checkpoint(step, table)
    table[1] += (table[0] - table[1]) / 2
for dtype in (np.float16, np.float64):
    pytorch_watch.write_safetensors(f"{np.dtype(dtype)}.safetensors", {"t": table.astype(dtype), "u": table})
try:
    pytorch_watch.write_safetensors("bad.safetensors", {"t": table.astype(np.int32)})
    sys.exit("whole numbers are no vectors")
except KeyError:
    pass
try:
    pytorch_watch.write_words("bad.txt", ["two\nlines"])
    sys.exit("a word a line")
except ValueError:
    pass
left = {path.name for path in pathlib.Path("checkpoints").iterdir()}
assert left == {"words.txt", "step_0.safetensors", "step_50.safetensors", "step_100.safetensors"}, left
np.save("last.npy", table)
PYTHON
  vectrail similarity watched king queen --over-time --json
  expect_json '[p["step"] for p in d["over_time"]] == [0, 50, 100]'
  expect_json 'd["over_time"][0]["cosine"] < d["over_time"][1]["cosine"] < d["over_time"][2]["cosine"]'
  vectrail import float64.safetensors --run wide --vocab checkpoints/words.txt --tensor t -q
  expect_status 0
  vectrail import float16.safetensors --run half --vocab checkpoints/words.txt --tensor t -q
  expect_status 0
  vectrail import last.npy --run npy --vocab checkpoints/words.txt -q
  cmp -s wide/snapshots/0.safetensors npy/snapshots/0.safetensors || fail "float64 that came from float32 is the same"
fi

# Without PyTorch it says so; with it, it trains.
make_corpus text.txt 60
if python_has torch; then
  PYTHONDONTWRITEBYTECODE=1 python3 "$SOURCE/examples/pytorch_watch.py" text.txt --run torch --vectrail "$VECTRAIL" \
    --dim 8 --epochs 1 --every 5 --batch 256 2>"$captured/err" || fail "the training should be watched"
  vectrail similarity torch king queen --over-time --json
  expect_json 'len(d["over_time"]) > 2'
else
  PYTHONDONTWRITEBYTECODE=1 python3 "$SOURCE/examples/pytorch_watch.py" text.txt --run torch 2>"$captured/err" &&
    fail "without PyTorch there is no training"
  grep -q "needs PyTorch" "$captured/err" || fail "it should say that it needs PyTorch"
fi
finish
