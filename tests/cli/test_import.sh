#!/usr/bin/env bash
# Vectors that others trained become a run that every reading command reads.
. "${SOURCE:?}/tests/cli/lib.sh"

# Three checkpoints of one table, in every format: king and queen come together, apple stays.
python3 - <<'PYTHON' || fail "the checkpoints should be written"
import gzip, json, random, struct
random.seed(3)
words = ["king", "queen", "apple", "pear", "từ"]
base = [[random.uniform(-1, 1) for _ in range(6)] for _ in words]
for step in (0, 100, 200):
    rows = [row[:] for row in base]
    for k in range(6):
        rows[1][k] += (base[0][k] - base[1][k]) * step / 250
    rows = [[struct.unpack("<f", struct.pack("<f", x))[0] for x in row] for row in rows]
    raw = [struct.pack("<6f", *row) for row in rows]
    lines = "".join(w + " " + " ".join(repr(x) for x in row) + "\n" for w, row in zip(words, rows))
    open(f"glove_{step}.txt", "w").write(lines)
    gzip.open(f"w2v_{step}.txt.gz", "wb").write(("5 6\n" + lines).encode())
    open(f"bin_{step}.bin", "wb").write(b"5 6\n" + b"".join(w.encode() + b" " + r + b"\n" for w, r in zip(words, raw)))
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (5, 6), }"
    header += b" " * (-(10 + len(header) + 1) % 64) + b"\n"
    open(f"npy_{step}.npy", "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"".join(raw))
    tensors = {"embed.weight": {"dtype": "F32", "shape": [5, 6], "data_offsets": [0, 120]},
               "head": {"dtype": "F32", "shape": [5, 6], "data_offsets": [120, 240]}}
    text = json.dumps(tensors).encode()
    text += b" " * (-len(text) % 8)
    open(f"st_{step}.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + b"".join(raw) * 2)
open("words.txt", "w").write("\n".join(words) + "\n")
json.dump({"model": {"vocab": {w: i for i, w in enumerate(words)}}}, open("tokenizer.json", "w"))
PYTHON

# The shell hands 0, 100, 200 over in some order; the names say which is which.
remember
vectrail import glove_200.txt glove_0.txt glove_100.txt --run glove --steps names
expect_status 0
expect_out "5 words, vectors of length 6, steps 0 to 200: glove"
expect_err_has "imported 1 of 3 as step 0: glove_0.txt"
vectrail import w2v_*.txt.gz --run w2v --steps names --quiet
expect_out ""
expect_err ""
vectrail import bin_0.bin bin_100.bin bin_200.bin --run bin --steps 0,100,200 --json --quiet
expect_json 'd == {"run": "bin", "files": 3, "words": 5, "dim": 6, "first_step": 0, "last_step": 200, "format": "w2v-binary"}'
vectrail import npy_*.npy --run npy --steps names --vocab words.txt
vectrail import st_*.safetensors --run st --steps names --vocab tokenizer.json --tensor embed.weight
expect_status 0
for run in w2v bin npy st; do
  for step in 0 100 200; do
    cmp -s "glove/snapshots/$step.safetensors" "$run/snapshots/$step.safetensors" || fail "$run holds the same at $step"
  done
done

# Every reading command.
vectrail info st
expect_out_has "vocabulary   5 words"
expect_out_has "last step    200"
expect_out_has "st_100.safetensors"
[[ $out != *"in the text"* ]] || fail "counts that are not known are not told"
vectrail info st --json
expect_json 'd["settings"]["origin"] == "import" and d["settings"]["tensor"] == "embed.weight" and len(d["snapshots"]) == 3'
vectrail info st --metric displacement --json
expect_json 'len(d["points"]) == 3 and d["points"][0]["value"] == 0 and d["points"][2]["value"] > d["points"][1]["value"] > 0'
vectrail neighbors st king -k 2
expect_out_has "queen"
[[ $out != *times* ]] || fail "no column of counts that are not known"
vectrail neighbors st từ -k 1 --json
expect_status 0
vectrail similarity st king queen --over-time --json
expect_json '[p["step"] for p in d["over_time"]] == [0, 100, 200]'
expect_json 'd["over_time"][0]["cosine"] < d["over_time"][1]["cosine"] < d["over_time"][2]["cosine"]'
vectrail analogy st king queen apple -k 1 --json
expect_json 'len(d["answers"]) == 1'
printf 'king queen 9\nking apple 1\n' >pairs.tsv
vectrail eval st --similarity pairs.tsv --json
expect_json 'd["similarity"]["pairs.tsv"]["covered"] == 2'
vectrail export st -o back.bin --quiet --step 100
cmp -s back.bin bin_100.bin || fail "what was imported is exported, byte for byte"
vectrail resume st
expect_error 1 "st: vectrail did not train this run" "import --append"

# A training that goes on.
vectrail import glove_0.txt --run live --quiet
vectrail import glove_100.txt --run live --append --steps 100 --quiet
vectrail import - --run live --append --quiet
expect_error 1 "empty"
"$VECTRAIL" import - --run live --append --quiet <glove_200.txt || fail "standard input should be appended"
vectrail similarity live king queen --over-time --json
expect_json '[p["step"] for p in d["over_time"]] == [0, 100, 101]'

# What cannot be imported leaves everything as it was.
printf 'king 1 2 3 4 5 6\nqueen 1 2 3 4 5 nan\napple 1 2 3 4 5 6\npear 1 2 3 4 5 6\ntừ 1 2 3 4 5 6\n' >nan.txt
head -n 4 glove_0.txt >short.txt
head -c 100 bin_0.bin >cut.bin
{ cat glove_0.txt; echo "extra 1 2 3 4 5 6"; } >extra.txt
cut -d' ' -f1-6 glove_0.txt >narrow.txt
remember
vectrail import glove_0.txt nan.txt --run new -q
expect_error 1 'nan.txt: line 2: number 6 of the vector of "queen" is NaN' "diverged"
vectrail import glove_0.txt short.txt --run live --append -q
expect_error 1 'short.txt: holds 4 words, the steps before it 5; "từ" is missing' "same words"
vectrail import glove_0.txt extra.txt --run new -q
expect_error 1 'extra.txt: line 6: the word "extra" is not among the 5' "same words"
vectrail import glove_0.txt narrow.txt --run new -q
expect_error 1 "narrow.txt: has vectors of length 5, the steps before it 6" "same length"
vectrail import bin_0.bin cut.bin --run new -q
expect_error 1 "cut.bin: ends at byte 100, after " "cut off"
vectrail import st_0.safetensors --run new --vocab words.txt --tensor wte.weight -q
expect_error 1 'there is no tensor "wte.weight"' "there are embed.weight F32 [5, 6], head F32 [5, 6]"
vectrail import npy_0.npy --run new -q
expect_error 1 "npy_0.npy: holds no words, and there is no npy_0.vocab.txt" "--vocab"
vectrail import glove_0.txt --run glove -q
expect_error 1 "glove: holds a run already" "--append"
vectrail import glove_0.txt --run nowhere/new -q
expect_error 1 "nowhere/new" "make the folder above it first"
vectrail import glove_0.txt --run words.txt -q
expect_error 1 "words.txt: exists already and is not a run"
vectrail import glove_0.txt --run missing --append -q
expect_error 1 "missing: there is no run here"
expect_nothing_left
vectrail similarity live king queen --over-time --json
expect_json '[p["step"] for p in d["over_time"]] == [0, 100, 101]'

vectrail import glove_0.txt
expect_error 2 "import needs a run folder to write to" "--run DIR"
vectrail import --run new
expect_error 2 "import needs a file of vectors"
vectrail import glove_0.txt --run new --append --force
expect_error 2 "not both"
vectrail import - - --run new
expect_error 2 "standard input"
for list in 1 1,2,3 "1, 2" "1,," x 1,9223372036854775807 name; do
  vectrail import glove_0.txt glove_100.txt --run new --steps "$list"
  expect_error 2 "--steps is '$list'; it must be 'names' or 2 whole numbers"
done
vectrail import glove_0.txt glove_100.txt --run new --steps 2,1 -q
expect_error 2 "steps ascend, but 1 follows 2"
vectrail import words.txt glove_0.txt --run new --steps names
expect_error 2 "the name words.txt holds no number"
vectrail import glove_0.txt bin_0.bin --run new --steps names
expect_error 2 "have the same step by their names, 0"
expect_nothing_left

# A signal while a later file is read: what was staged is removed. SIGTERM, for jobs of a script begin with SIGINT ignored.
mkfifo pipe
remember
(
  printf 'king 1 2 3'
  exec sleep 20
) >pipe &
writer=$!
"$VECTRAIL" import glove_0.txt pipe --run new --quiet >"$captured/out" 2>"$captured/err" &
process=$!
for _ in $(seq 200); do
  [ -e ".new.$process.partial" ] && break
  sleep 0.05
done
[ -e ".new.$process.partial" ] || fail "the first file should have been staged"
kill -TERM "$process"
wait "$process"
status=$?
err=$(<"$captured/err")
expect_status 130
expect_err_has "interrupted while reading pipe"
kill "$writer" 2>/dev/null
expect_nothing_left
rm pipe

# Training refuses to replace it unasked, as with any run; import replaces one that was trained, when asked.
make_corpus text.txt 50
"$VECTRAIL" train text.txt --run trained --dim 4 --epochs 1 --quiet || fail "the text should train"
vectrail import glove_0.txt --run trained --append -q
expect_error 1 "vectrail trained this run" "vectrail resume"
vectrail import glove_0.txt --run trained --force -q
expect_status 0
vectrail neighbors trained king -k 1 --json
expect_status 0
finish
