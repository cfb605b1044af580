#!/usr/bin/env bash
# label: optimised
# label: long
# The bits of every kernel, of every instruction set: natively where the processor has it, AVX-512 in plain C, NEON
# under an emulator. Each must give the digest of the reference kernel.
. "${SOURCE:?}/tests/cli/lib.sh"
FLAGS=(-std=c17 -O2 -ffp-contract=off -fno-math-errno -fno-trapping-math "-I$SOURCE/src" "-I$SOURCE/include" -w)
KERNELS=$SOURCE/src/kernel
DIGEST=$SOURCE/tests/cross/kernel_digest.c
missing=()

# same LABEL PROGRAM-WITH-ARGUMENTS... : all lines that it prints carry one digest, that of the reference kernel
same() {
  local label=$1
  shift
  "$@" >lines || fail "$label: cannot run"
  expected=${expected:-$(sed -n 's/^reference //p' lines)}
  [[ -n $expected ]] || fail "$label: no digest of the reference kernel"
  while read -r name digest; do
    [[ $digest == "$expected" ]] || fail "$label: $name gives $digest, the reference kernel $expected"
  done <lines
  cut -d' ' -f1 lines >>seen
}

if [[ $(uname -m) == x86_64 ]]; then
  # The kernels of this build.
  cc "${FLAGS[@]}" '-DKERNELS(X)=X(reference) X(avx2)' "$DIGEST" "$BUILD/libvectrail.a" -lm -o native ||
    fail "the native program does not compile"
  same native ./native
  if [[ ! -e /usr/include/simde/x86/avx512.h ]]; then
    missing+=("libsimde-dev")
  elif grep -qw avx2 /proc/cpuinfo; then
    # The functions of SIMDe for narrower registers are the processor's own.
    cc "${FLAGS[@]}" -O1 -mavx2 -mfma -mf16c -include "$SOURCE/tests/cross/emulated_avx512.h" -c "$KERNELS/avx512.c" -o avx512.o || fail "avx512.c cannot be emulated"
    cc "${FLAGS[@]}" -DANY_PROCESSOR '-DKERNELS(X)=X(avx512)' "$DIGEST" avx512.o -lm -o emulated ||
      fail "the emulated program does not compile"
    same emulated ./emulated
    grep -qx avx512 seen || fail "the emulated kernel did not run"
  fi
fi

if ! command -v qemu-aarch64 >/dev/null || ! command -v aarch64-linux-gnu-gcc >/dev/null; then
  missing+=("qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross")
else
  aarch64-linux-gnu-gcc "${FLAGS[@]}" -O1 -static '-DKERNELS(X)=X(reference) X(neon)' "$DIGEST" \
    "$KERNELS/reference.c" "$KERNELS/neon.c" -lm -o arm || fail "neon.c does not compile"
  same arm qemu-aarch64 ./arm
  grep -qx neon seen || fail "the NEON kernel did not run"
fi

if ((${#missing[@]} > 0)); then
  echo "not all kernels were tested: install ${missing[*]}"
  ((failures > 0)) || exit 77
fi
finish
