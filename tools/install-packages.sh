#!/bin/sh
# Installs the Debian or Ubuntu packages that are missing, saying which and why; does nothing where all are there.
# usage: tools/install-packages.sh build|test|demo|bench|fuzz|coverage|valgrind ...
set -eu

packages_of() {
  case "$1" in
  build) # compiler and tools, then the libraries in the order of docs/architecture.md
    echo gcc libc6-dev cmake ninja-build pkg-config \
      libsqlite3-dev libzstd-dev liblzma-dev zlib1g-dev libutf8proc-dev libjansson-dev nettle-dev libopenblas-dev \
      libmicrohttpd-dev ;;
  # tests/cli/test_torch.sh also runs where python3-torch is installed; it is large, so nobody gets it for that alone.
  test) # cmocka runs the unit tests; gensim reads our exports back; the tour of the README trains on the Bible; the last
    # line runs the kernels of processors that are not here
    echo libcmocka-dev python3 xz-utils zstd python3-numpy python3-gensim sqlite3 bible-kjv bible-kjv-text procps
    # Several processes that train one run (optional: without these the build leaves that out).
    echo libopenmpi-dev openmpi-bin
    # The page is tested in a browser. A machine may have a node of its own, or a Chromium.
    command -v node >/dev/null && command -v npm >/dev/null || echo nodejs npm
    command -v chromium >/dev/null || echo chromium fonts-dejavu-core
    [ "$(uname -m)" != x86_64 ] || echo libsimde-dev qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross ;;
  demo) # the King James Bible, the text that the demonstration trains on
    echo bible-kjv bible-kjv-text ;;
  fuzz) # libFuzzer and the sanitizers of clang
    echo clang-14 libclang-rt-14-dev ;;
  coverage) # counts what gcc notes
    echo gcovr ;;
  valgrind)
    echo valgrind ;;
  bench) # the peers that are timed beside us; numpy scores their vectors
    echo python3 fasttext python3-gensim python3-numpy ;;
  *)
    echo "install-packages: unknown group '$1'" >&2
    exit 2 ;;
  esac
}

wanted=""
for group in "$@"; do wanted="$wanted $(packages_of "$group")"; done

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
  if [ "${VECTRAIL_SKIP_PACKAGES:-}" = 1 ]; then exit 0; fi
  echo "vectrail needs these packages, under the names Debian gives them:" >&2
  echo " $wanted" >&2
  echo "This system has no apt to install them with. Install what they are called here, then run" >&2
  echo "the same command again with VECTRAIL_SKIP_PACKAGES=1." >&2
  exit 1
fi

missing=""
for package in $wanted; do
  case " $missing " in *" $package "*) continue ;; esac
  status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "vectrail ($*) needs packages that are not installed yet:"
echo " $missing"
as_root=""
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "Installing them takes root, and there is no sudo here. As root, run:" >&2
    echo "  apt-get install --no-install-recommends$missing" >&2
    exit 1
  fi
  as_root=sudo
fi
echo "Installing them with apt-get${as_root:+ (sudo may ask for your password)}."
$as_root apt-get update -qq
# shellcheck disable=SC2086 # a list of words on purpose
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
