#!/usr/bin/env bash
# Runs on a medium that cannot be written to: what reads works, what writes says why not.
. "${SOURCE:?}/tests/cli/lib.sh"

mkdir disk
if [ "$(id -u)" -ne 0 ] || ! mount -t tmpfs -o size=16m tmpfs disk 2>/dev/null; then
  echo "a disk cannot be mounted here: nothing was tested"
  exit 77
fi
# shellcheck disable=SC2317 # the trap of lib.sh calls it
cleanup() {
  umount "$work/disk"
  rm -rf "$work" "$captured"
}
writable() { mount -o remount,"$1" disk; }

make_corpus text.txt 600
plain=disk/plain open='disk/1% of #2?' killed=disk/killed
vectrail train text.txt --run "$plain" "${small[@]}" --ledger king --quiet
expect_status 0

# Somebody who reads while a training ends keeps its log from being put away; the database stays one that has a log.
python3 - "$open" "$VECTRAIL" "${small[@]}" <<'P' || fail "a reader that stays longer than the training"
import os, sqlite3, subprocess, sys, time
run, command, *small = sys.argv[1:]
training = subprocess.Popen([command, "train", "text.txt", "--run", run, *small, "--epochs", "300", "--quiet"])
while not os.path.exists(run + "/run.db"): time.sleep(0.01)
reader = sqlite3.connect(run + "/run.db", timeout=30)
reader.execute("SELECT count(*) FROM step").fetchall()
code = training.wait()
reader.close()
names = os.listdir(run)
sys.exit(not (code == 0 and "run.db-wal" not in names and open(run + "/run.db", "rb").read(20)[18] == 2))
P

# A training that was killed leaves a log which has to be recovered by writing.
"$VECTRAIL" train text.txt --run "$killed" "${small[@]}" --epochs 100000 --quiet &
process=$!
while [ ! -s "$killed/run.db-wal" ] && kill -0 "$process" 2>/dev/null; do sleep 0.01; done
kill -KILL "$process"
{ wait "$process"; } 2>/dev/null
rm "$killed/run.db-shm"

"$VECTRAIL" neighbors "$plain" king >plain.said
"$VECTRAIL" neighbors "$open" king >open.said
rm -f "$open/run.db-wal" "$open/run.db-shm" # which a reader made that could
writable ro
vectrail neighbors "$plain" king
expect_out "$(cat plain.said)"
vectrail neighbors "$open" king
expect_out "$(cat open.said)"
vectrail export "$open" -o vectors.txt
expect_status 0
vectrail info "$killed"
expect_error 1 "$killed/run.db: its write-ahead log has to be recovered" "copy the run to a folder that can be written to"
vectrail resume "$killed"
expect_error 1 "$killed/run.lock: cannot open: Read-only file system"
vectrail replay "$plain" --ledger queen
expect_error 1 "$plain/run.lock: cannot open: Read-only file system"
vectrail train text.txt --run disk/new "${small[@]}"
expect_error 1 "Read-only file system"
writable rw
vectrail info "$killed"
expect_status 0
finish
