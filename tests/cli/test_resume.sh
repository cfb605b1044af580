#!/usr/bin/env bash
# label: long
# Going on with a run that was killed, interrupted, or ran out of disk: it ends as if nothing had happened. KILLS says how
# many runs are killed at random instants; `make soak` asks for thirty.
. "${SOURCE:?}/tests/cli/lib.sh"
KILLS=${KILLS:-3}
RANDOM=${SEED:-4711}
make_corpus text.txt "$(or_fewer 6000 1500)"
# shellcheck disable=SC2054 # the words to watch are one argument
settings=(--dim 48 --window 3 --sample 0 --epochs 6 --lr 0.05 --block-tokens 256 --blocks 4 --snapshots 12 --watch king,apple)

# same RUN: row by row and file by file what the unbroken run is; nothing else is left in its folder.
cat >same.py <<'PYTHON'
import hashlib, os, sqlite3, sys

def rows(run, sql):
    db = sqlite3.connect(f"file:{run}/run.db?mode=ro", uri=True)
    return db.execute(sql).fetchall()

whole, run = sys.argv[1:]
queries = [
    "SELECT * FROM metric ORDER BY name, step",
    "SELECT * FROM snapshot ORDER BY step",
    "SELECT * FROM trail ORDER BY word, step",
    "SELECT * FROM word ORDER BY id",
    "SELECT step, epoch, tokens, lr FROM step ORDER BY step",
    "SELECT * FROM meta WHERE key NOT IN ('threads', 'checkpoint_seconds', 'inputs', 'kernel') ORDER BY key",
]
for sql in queries:
    a, b = rows(whole, sql), rows(run, sql)
    assert len(a) > 1, sql
    assert a == b, f"{sql}: {len(a)} rows, {len(b)} rows, {[(x, y) for x, y in zip(a, b) if x != y][:2]}"
for _, path, _, sha256 in rows(whole, queries[1]):
    for folder in whole, run:
        with open(f"{folder}/{path}", "rb") as file:
            assert hashlib.sha256(file.read()).hexdigest() == sha256, f"{folder}/{path}"
assert sorted(os.listdir(whole + "/snapshots")) == sorted(os.listdir(run + "/snapshots")), os.listdir(run + "/snapshots")
assert sorted(os.listdir(run)) == ["run.db", "snapshots"], os.listdir(run)
events = [kind for (kind,) in rows(run, "SELECT kind FROM event ORDER BY rowid")]
assert events[0] == "start" and events[-1] == "finished" and events.count("finished") == 1, events
PYTHON
same() { python3 same.py whole "$1" 2>"$captured/same" || fail "$1 should be the same as if it had never been stopped: $(tail -n 1 "$captured/same")"; }

begun=$EPOCHREALTIME
"$VECTRAIL" train text.txt --run whole --threads 2 --quiet "${settings[@]}" || fail "the text should train"
took=$((${EPOCHREALTIME/./} - ${begun/./})) # microseconds

# Sleeps for a random share of the time that the whole training took, and a bit more at most.
sleep_at_random() {
  local span=$((took * (RANDOM % 1000) / 900))
  sleep "$((span / 1000000)).$(printf '%06d' $((span % 1000000)))"
}
kill_at_random() { # ARGUMENTS...: of the command; killed unless it is done before
  "$VECTRAIL" "$@" --quiet >/dev/null 2>&1 </dev/null &
  local process=$!
  sleep_at_random
  kill -9 "$process" 2>/dev/null
  wait "$process" 2>/dev/null
}

# ---- killed ----------------------------------------------------------------------------------------------------------
for ((round = 1; round <= KILLS; round++)); do
  checkpoint=$((RANDOM % 3)) # none, at every step, or now and then
  checkpoints=(0 0.000001 0.05)
  kill_at_random train text.txt --run run --threads $((1 + RANDOM % 3)) --checkpoint "${checkpoints[checkpoint]}" "${settings[@]}"
  if [ ! -e run ]; then
    # Killed while it read the text: there is nothing yet, and that is said.
    vectrail resume run
    expect_error 1 "there is no run here" "vectrail train"
    "$VECTRAIL" train text.txt --run run --quiet "${settings[@]}" || fail "the text should train again"
  fi
  for ((again = RANDOM % 3; again > 0; again--)); do
    kill_at_random resume run --threads $((1 + RANDOM % 3))
  done
  vectrail resume run --threads 2 --json
  expect_status 0
  expect_json 'd["steps"] > 0 and 0 <= d["first_step"] <= d["steps"]'
  same run
  rm -rf run .run.*.partial
done

# ---- interrupted -----------------------------------------------------------------------------------------------------
# begin_training ARGUMENTS...: in the background, as $process; returns when it trains. stdin is the text.
begin_training() {
  : >"$captured/told"
  "$VECTRAIL" train "$@" <text.txt >"$captured/out" 2>"$captured/told" &
  process=$!
  for ((i = 0; i < 1200; i++)); do
    grep -q '^epoch=' "$captured/told" && return
    kill -0 "$process" 2>/dev/null || break
    sleep 0.05
  done
  fail "the training should begin"
}
# SIGTERM, because jobs of a script begin with SIGINT ignored; both do the same.
stop_training() {
  kill -TERM "$process"
  wait "$process"
  status=$?
  out=$(<"$captured/out")
  err=$(tail -n 2 "$captured/told")
  command_line="a training that is interrupted"
}
begin_training - --run "a run" "${settings[@]}" --epochs 100000
vectrail resume "a run"
expect_error 1 "process $process is writing this run"
vectrail train text.txt --run "a run" --force "${settings[@]}"
expect_error 1 "process $process is writing this run"
stop_training
expect_status 130
expect_out ""
expect_err_has "vectrail: interrupted at step "
expect_err_has "go on with: vectrail resume 'a run'"
kept=$(cd "a run" && echo *)
[ "$kept" = "checkpoint.safetensors corpus.ids run.db snapshots" ] || fail "an interrupted run keeps what it needs: $kept"

# While it reads, also while it waits for a pipe that has nothing to say, it stops at once and leaves nothing.
mkdir reading
mkfifo pipe
# shellcheck disable=SC2317 # called by name
text_and_silence() { cat text.txt && exec sleep 60; }
# shellcheck disable=SC2317
text_without_end() { exec yes a b c 2>/dev/null; }
# With one thread the signal meets the thread that waits; with more it may meet another.
for source in "text_and_silence 1" "text_and_silence 3" "text_without_end 2"; do
  read -r source threads <<<"$source"
  "$source" >pipe &
  writer=$!
  "$VECTRAIL" train - --run reading/run --threads "$threads" "${settings[@]}" <pipe >"$captured/out" 2>"$captured/told" &
  process=$!
  sleep 0.5
  begun=$SECONDS
  stop_training
  [ $((SECONDS - begun)) -le 5 ] || fail "reading should stop at once"
  expect_status 130
  expect_out ""
  expect_err_has "vectrail: interrupted while reading standard input"
  [ -z "$(ls -A reading)" ] || fail "left behind: $(ls -A reading)"
  kill "$writer" 2>/dev/null
  wait "$writer" 2>/dev/null
done

# ---- what cannot be gone on with -------------------------------------------------------------------------------------
cp -r "a run" sound
refused() { # STATUS CAUSE [HELP]
  remember
  vectrail resume "a run"
  expect_error "$@"
  expect_nothing_left
}
truncate -s -100 "a run/checkpoint.safetensors"
refused 1 "checkpoint.safetensors" "remove it to begin again at step 0"
head -c 3000 /dev/urandom >"a run/checkpoint.safetensors"
refused 1 "checkpoint.safetensors" "remove it to begin again at step 0"
cp sound/checkpoint.safetensors "a run/"
printf '\001' | dd of="a run/corpus.ids" bs=1 seek=2000 conv=notrunc status=none
refused 1 "not the text that this run was begun with" "vectrail train"
rm "a run/corpus.ids"
refused 1 "corpus.ids: the encoded text is missing" "vectrail train"
mv "a run/run.db" aside.db
refused 1 "there is no run here"
mv aside.db "a run/run.db"
vectrail resume nothing
expect_error 1 "nothing: there is no run here"
expect_no_file nothing
vectrail resume
expect_error 2 "resume needs a run folder"
vectrail resume sound --kernel magic
expect_status 1
expect_err_has "magic"
vectrail resume sound --threads 0
expect_error 2 "--threads is '0'"

# ---- finished --------------------------------------------------------------------------------------------------------
before=$(cat whole/run.db whole/snapshots/* | cksum)
vectrail resume whole
expect_status 0
expect_err ""
expect_out_has "finished already"
vectrail resume whole --json
expect_json 'd["first_step"] == d["steps"] > 0 and d["tokens"] > 0 and d["loss"] > 0'
expect_json '"reading_seconds" not in d'
vectrail resume whole --quiet
expect_out ""
[ "$(cat whole/run.db whole/snapshots/* | cksum)" = "$before" ] || fail "a finished run stays as it is"

# ---- diverged --------------------------------------------------------------------------------------------------------
vectrail train text.txt --run wild "${settings[@]}" --epochs 200 --lr 1000
if [ "$status" -eq 3 ]; then
  expect_no_file wild/checkpoint.safetensors
  remember
  vectrail resume wild
  expect_error 3 "the training diverged at step" "--lr"
  expect_nothing_left
fi

# ---- a disk that is full ---------------------------------------------------------------------------------------------
mkdir disk
# (Wide vectors fill it; a sanitizer sees the same paths in the tests of faults.)
if [ -n "${SANITIZED:-}" ] || [ "$(id -u)" -ne 0 ] || ! mount -t tmpfs -o size=4500k tmpfs disk 2>/dev/null; then finish; fi
# shellcheck disable=SC2317 # the trap of lib.sh calls it
cleanup() {
  umount "$work/disk"
  rm -rf "$work" "$captured"
}
python3 -c '
import random
random.seed(3)
for _ in range(600):
    print(" ".join(f"w{random.randrange(400)}" for _ in range(10)))' >many.txt
# shellcheck disable=SC2054 # likewise
wide=(--dim 1000 --sample 0 --block-tokens 256 --blocks 4 --snapshots 2 --metrics 5 --probes 2 --watch w1,w2 --threads 2)
rm -rf whole
"$VECTRAIL" train many.txt --run whole --quiet "${wide[@]}" --epochs 20 || fail "the text of many words should train"
# There is no room for a checkpoint: the training goes on without, and the run says so.
vectrail train many.txt --run disk/run "${wide[@]}" --epochs 20 --checkpoint 0.1 --quiet
expect_status 0
vectrail info disk/run --json
expect_json '"checkpoint" in [e["kind"] for e in d["events"]] and d["events"][-1]["kind"] == "finished"'
expect_json '"No space left on device" in [e["text"] for e in d["events"] if e["kind"] == "checkpoint"][0]'
python3 same.py whole disk/run || fail "a checkpoint that fails changes nothing"
rm -rf disk/run
# Where the checkpoint is all that was asked for, it is an error; the run can be gone on with all the same.
begin_training many.txt --run disk/run "${wide[@]}" --epochs 20 --checkpoint 0
stop_training
expect_status 1
expect_err_has "No space left on device"
expect_err_has "vectrail resume disk/run"
[ -z "$(find disk -name '.*' -mindepth 1)" ] || fail "half-written: $(find disk -name '.*' -mindepth 1)"
mount -o remount,size=20m disk
vectrail resume disk/run --json
expect_status 0
expect_json 'd["first_step"] == 0'
python3 same.py whole disk/run || fail "after a full disk the run ends as if it had never been stopped"
finish
