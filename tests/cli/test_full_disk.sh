#!/usr/bin/env bash
# A disk that fills up while a run or an export is written: an error, and nothing half-written.
. "${SOURCE:?}/tests/cli/lib.sh"

mkdir disk
if [ "$(id -u)" -ne 0 ] || ! mount -t tmpfs -o size=64k tmpfs disk 2>/dev/null; then
  echo "a small disk cannot be mounted here: nothing was tested"
  exit 77
fi
# shellcheck disable=SC2317 # the trap of lib.sh calls it
cleanup() {
  umount "$work/disk"
  rm -rf "$work" "$captured"
}

make_corpus text.txt 6000
"$VECTRAIL" train text.txt --run run "${small[@]}" --epochs 1 --dim 400 --float32 --quiet || fail "the text should train"

# Not even the text fits.
vectrail train text.txt --run disk/run --threads 2
expect_error 1 "No space left on device"
[ -z "$(ls -A disk)" ] || fail "left behind: $(ls -A disk)"

# The text fits, the snapshots do not: the run may be kept, whole files only.
mount -o remount,size=1600k disk
vectrail train text.txt --run disk/run "${small[@]}" --dim 1000 --snapshots 60 --float32 --quiet
expect_error 1 "No space left on device"
half=$(find disk -mindepth 1 -name '.*')
[ -z "$half" ] || fail "half-written: $half"
for snapshot in disk/run/snapshots/*.safetensors; do
  [ ! -e "$snapshot" ] || [ "$(wc -c <"$snapshot")" -gt 100000 ] || fail "$snapshot is cut"
done
rm -rf disk/run

# The text fits, its counts do not: they are counted again once there is room.
mount -o remount,size=2m disk
awk 'BEGIN { for (i = 0; i < 4000; i++) { for (k = 1; k < 10; k++) printf "w%d ", (i * k * 7 + k * k) % 3001; print "" } }' >kinds.txt
glove=(kinds.txt --model glove --min-count 1 --dim 4 --window 15 --epochs 2 --snapshots 3 --threads 1)
vectrail train "${glove[@]}" --run disk/run --quiet
expect_error 1 "No space left on device"
expect_err_has "make room on that disk, go on with: vectrail resume disk/run"
mount -o remount,size=20m disk
vectrail resume disk/run --quiet
expect_status 0
"$VECTRAIL" train "${glove[@]}" --run counted --quiet || fail "the text should train"
(cd counted/snapshots && sha256sum -- *) >all.sums
(cd disk/run/snapshots && sha256sum -c --quiet "$work/all.sums") || fail "it should go on to the same bits"
rm -rf disk/run

mount -o remount,size=16k disk
for file in vectors.txt vectors.bin vectors.npy vectors.safetensors vectors.tsv; do
  vectrail export run -o "disk/$file"
  expect_error 1 "No space left on device"
  [ -z "$(ls -A disk)" ] || fail "left behind by $file: $(ls -A disk)"
done
finish
