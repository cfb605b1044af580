#!/usr/bin/env bash
# label: long
# Several processes under mpirun train one run: the bits of one process, a rank that is lost, ranks that differ. Skipped
# where there is no MPI.
. "${SOURCE:?}/tests/cli/lib.sh"

make_corpus text.txt 3000
settings=(--dim 24 --window 3 --sample 0 --epochs 2 --lr 0.05 --block-tokens 256 --blocks 4 --snapshots 6 --float32)

# ---- a build without MPI that is started by mpirun all the same -----------------------------------------------------
mkdir elsewhere
cp "$VECTRAIL" elsewhere/vectrail
command_line="a copy without its module, as one of two"
OMPI_COMM_WORLD_SIZE=2 elsewhere/vectrail train text.txt --run never >"$captured/out" 2>"$captured/err" </dev/null
status=$?
out=$(<"$captured/out") err=$(<"$captured/err")
if [ ! -e /usr/local/lib/vectrail/vectrail_mpi.so ]; then
  expect_error 1 "2 processes were started together, and this vectrail was built without MPI" "without mpirun"
fi
expect_no_file never

if ! command -v mpirun >/dev/null 2>&1 || [ ! -e "$(dirname "$VECTRAIL")/vectrail_mpi.so" ]; then
  [ "$failures" -eq 0 ] || finish
  echo "skipped: Open MPI is not installed, or this build was made without it"
  exit 77
fi

# On one machine, as whoever we are, with more ranks than processors; leaks of MPI itself are not ours.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl=vader,self,tcp OMPI_MCA_btl_tcp_if_include=lo
export OMPI_MCA_pml=ob1 OMPI_MCA_oob_tcp_if_include=lo OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"
together() { # ARGUMENTS...: of mpirun
  command_line="mpirun $*"
  timeout 120 mpirun "$@" >"$captured/out" 2>"$captured/err" </dev/null
  status=$?
  out=$(<"$captured/out")
  err=$(<"$captured/err")
}
hashes() { sqlite3 "$1/run.db" "SELECT step, sha256 FROM snapshot ORDER BY step; SELECT * FROM metric ORDER BY name, step"; }
same() { [ "$(hashes alone)" = "$(hashes "$1")" ] || fail "$1 should have the bits of one process"; }

# ---- the same bits, one voice ----------------------------------------------------------------------------------------
"$VECTRAIL" train text.txt --run alone --threads 1 --quiet "${settings[@]}" || fail "the text should train"
# Under a sanitizer one of each kind: its ranks wait for each other on too few processors.
cases=("2 2" "4 1")
if [ -n "${SANITIZED:-}" ]; then cases=("2 2"); fi
for case in "${cases[@]}"; do
  read -r ranks threads <<<"$case"
  together -n "$ranks" "$VECTRAIL" train text.txt --run "run$ranks" --threads "$threads" --json "${settings[@]}"
  expect_status 0
  expect_json 'd["steps"] > 50 and d["first_step"] == 0'
  [ "$(grep -c '^settings:' "$captured/err")" -eq 1 ] || fail "one rank should report"
  same "run$ranks"
done

# ---- on several machines, as far as they know -----------------------------------------------------------------------
# Rank r takes itself to be on machine r % MACHINES: rows are sent between those, and not within.
apart() { # MACHINES RANKS ARGUMENTS...: of the command
  local machines=$1 ranks=$2
  shift 2
  # shellcheck disable=SC2016 # it is the ranks' shell that counts
  together -n "$ranks" sh -c "export VECTRAIL_MACHINE=\$((OMPI_COMM_WORLD_RANK % $machines)); exec \"\$@\"" sh \
    "$VECTRAIL" "$@"
}
cases=("2 3 1" "2 3 2 --deal-tables" "3 3 1 --deal-tables")
if [ -n "${SANITIZED:-}" ]; then cases=("2 3 1 --deal-tables"); fi
for case in "${cases[@]}"; do
  read -r machines ranks threads deal <<<"$case"
  # shellcheck disable=SC2086 # nothing where they are not dealt
  apart "$machines" "$ranks" train text.txt --run "apart$machines$deal" --threads "$threads" $deal --json "${settings[@]}"
  expect_status 0
  same "apart$machines$deal"
done
apart 2 2 train text.txt --run other --deal-tables --sync periodic "${settings[@]}"
expect_status 1
expect_err_has "tables are dealt to machines where every superstep is brought together"
expect_no_file other

# ---- networks -------------------------------------------------------------------------------------------------------
net=(--model transformer --dim 8 --layers 1 --heads 2 --context 16 --batch 2 --accumulate 6 --dropout 0.1 --warmup 5 --lr 0.01 --epochs 1
  --snapshots 6 --float32)
same_network() { [ "$(hashes network)" = "$(hashes "$1")" ] || fail "$1 should have the bits of one process"; }
head -n 450 text.txt >part.txt
"$VECTRAIL" train part.txt --run network --threads 2 --quiet "${net[@]}" || fail "a network should train"
together -n 3 "$VECTRAIL" train part.txt --run network3 --threads 1 --json "${net[@]}"
expect_status 0
expect_json 'd["steps"] > 20 and d["first_step"] == 0'
[ "$(grep -c '^settings:' "$captured/err")" -eq 1 ] || fail "one rank should report"
same_network network3
apart 2 3 train part.txt --run parts --threads 1 --json "${net[@]}"
expect_status 0
same_network parts
together -n 7 "$VECTRAIL" train part.txt --run other "${net[@]}"
expect_status 2
expect_err_has "7 ranks share the 6 batches of a step"
expect_no_file other

# Rank 0 finds its disk full between two steps: all end, with one voice.
mkdir disk
if [ -z "${SANITIZED:-}" ] && [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=640k tmpfs disk 2>/dev/null; then
  # shellcheck disable=SC2317 # the trap of lib.sh calls it
  cleanup() {
    umount "$work/disk" 2>/dev/null
    rm -rf "$work" "$captured"
  }
  for machines in 1 2; do
    apart "$machines" 2 train part.txt --run disk/run --threads 1 "${net[@]}" --dim 128 --snapshots 100 --probes 2 --metrics 2
    expect_status 1
    # Of a snapshot, or of the database, whichever finds it out first.
    [[ $err == *"No space left on device"* || $err == *"the disk is full"* ]] || fail "the full disk should be named"
    [ "$(grep -c '^vectrail: ' "$captured/err")" -eq 1 ] || fail "one rank should report"
    rm -rf disk/run
  done
  umount disk
fi

# ---- a lost rank -----------------------------------------------------------------------------------------------------
lose_a_rank() { # RANKS ARGUMENTS...: of the command; one process is killed once there is a checkpoint
  local ranks=$1 job victims
  shift
  timeout 120 mpirun -n "$ranks" "$VECTRAIL" "$@" >/dev/null 2>"$captured/err" </dev/null &
  job=$!
  for ((tries = 0; tries < 1000; tries++)); do
    [ -e lost/checkpoint.safetensors ] && break
    kill -0 "$job" 2>/dev/null || break
    sleep 0.01
  done
  mapfile -t victims < <(pgrep -f "^$VECTRAIL (train|resume) .*lost")
  [ "${#victims[@]}" -gt 0 ] && kill -9 "${victims[RANDOM % ${#victims[@]}]}" 2>/dev/null
  wait "$job"
  status=$?
}
RANDOM=4711
lose_a_rank 3 train text.txt --run lost --threads 1 --checkpoint 0.000001 "${settings[@]}" --epochs 40
[ "$status" -ne 0 ] || fail "a job that lost a rank should fail"
pgrep -f "^$VECTRAIL (train|resume) .*lost" >/dev/null && fail "no rank should be left"
rm -rf lost
lose_a_rank 3 train text.txt --run lost --threads 1 --checkpoint 0.000001 "${settings[@]}"
if [ "$status" -ne 0 ] || [ -e lost/checkpoint.safetensors ]; then
  together -n 2 "$VECTRAIL" resume lost --threads 1 --json
  expect_status 0
fi
same lost

# What is left is refused before anything begins, or lost in the same way once more: numeric_ranks shows a sanitizer the former.
[ -z "${SANITIZED:-}" ] || finish

# ---- more memory than there is --------------------------------------------------------------------------------------
seq 100000 | paste -d ' ' - - - - - - - - >wide.txt
together -n 2 "$VECTRAIL" train wide.txt --run other --min-count 1 --dim 4096 --block-tokens 65536 --blocks 4096
expect_status 1
expect_err_has "bytes for the tables and 4096 blocks"
[ "$(grep -c '^vectrail: ' "$captured/err")" -eq 1 ] || fail "one rank should report"
expect_no_file other

# ---- a lost rank that nobody tells of -------------------------------------------------------------------------------
# mpirun can be told to leave the others alone. Then whoever waits for the lost one notices, and ends.
rm -rf lost
timeout 60 mpirun --enable-recovery -n 2 "$VECTRAIL" train text.txt --run lost --threads 1 "${settings[@]}" --epochs 100000 \
  >/dev/null 2>&1 </dev/null &
job=$!
for ((tries = 0; tries < 1000; tries++)); do
  [ -e lost/run.db ] && break
  sleep 0.01
done
mapfile -t victims < <(pgrep -f "^$VECTRAIL train .*lost")
[ "${#victims[@]}" -eq 2 ] || fail "there should be two ranks, and not ${#victims[@]}"
kill -9 "${victims[1]}"
for ((tries = 0; tries < 200; tries++)); do
  kill -0 "${victims[0]}" 2>/dev/null || break
  sleep 0.1
done
kill -0 "${victims[0]}" 2>/dev/null && fail "the other rank should have ended"
kill "$job" 2>/dev/null
wait "$job"
rm -rf lost

# ---- refused at the start --------------------------------------------------------------------------------------------
remember
together -n 1 "$VECTRAIL" train text.txt --run other "${settings[@]}" : \
  -n 1 "$VECTRAIL" train text.txt --run other "${settings[@]}" --dim 25
expect_status 2
expect_err_has "rank 1: dim is 25 here, and 24 on rank 0"
expect_nothing_left
together -n 5 "$VECTRAIL" train text.txt --run other "${settings[@]}"
expect_status 2
expect_err_has "5 ranks share the 4 blocks of a step"
expect_nothing_left
together -n 2 "$VECTRAIL" train missing.txt --run other "${settings[@]}"
expect_status 1
expect_err_has "missing.txt"
[ "$(grep -c '^vectrail: ' "$captured/err")" -eq 1 ] || fail "one rank should report"
expect_nothing_left

finish
