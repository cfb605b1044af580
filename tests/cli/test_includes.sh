#!/usr/bin/env bash
# label: optimised
# label: long
# The include rules hold, and the checker that says so sees a violation of each kind planted in a copy of the tree.
set -euo pipefail

source_root=${SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
check=$source_root/tools/check-includes.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

bash "$check" "$source_root" || fail "the tree breaks its include rules"

# Planted violations, in a small tree that is clean otherwise: a violation must be seen for what it is, not for what stands
# around it. What a rule over names says needs no compiler, so there is one that takes everything.
tree=$work/tree
mkdir -p "$tree/include/vectrail" "$tree/src/base" "$tree/cli"
printf '#ifndef S_H\n#define S_H\nint vt_s(void);\n#endif\n' >"$tree/include/vectrail/status.h"
printf '#include "vectrail/status.h"\n' >"$tree/src/base/error.h"
bash "$check" "$tree" >"$work/clean" 2>&1 || { cat "$work/clean" >&2; fail "the clean tree does not pass"; }

with=(env CC=true CXX=true)
plant() { # plant PATH TEXT WANTED: PATH with TEXT must be reported in a line that begins with PATH and has WANTED
  local path=$1 text=$2 wanted=$3 rc=0
  mkdir -p "$tree/$(dirname "$path")"
  printf '%s\n' "$text" >"$tree/$path"
  "${with[@]}" bash "$check" "$tree" >"$work/report" 2>&1 || rc=$?
  rm "$tree/$path"
  (cd "$tree" && find src -mindepth 1 -type d -empty -delete)
  [ "$rc" = 1 ] || { cat "$work/report" >&2; fail "$path: '$text' gave exit status $rc instead of 1"; }
  grep -F -- "$wanted" "$work/report" | grep -q "^$path:" || {
    cat "$work/report" >&2
    fail "$path: '$text' was not reported as '$wanted'"
  }
}

# What is allowed must pass as well, or a checker that always complains would do.
accept() { # accept PATH TEXT
  mkdir -p "$tree/$(dirname "$1")"
  printf '%s\n' "$2" >"$tree/$1"
  "${with[@]}" bash "$check" "$tree" >"$work/report" 2>&1 || { cat "$work/report" >&2; fail "$1: '$2' was refused"; }
  rm "$tree/$1"
}

plant src/base/x.c '#include "text/tokens.h"' 'base may not include'
plant src/base/x.c '#include <text/tokens.h>' 'base may not include'
plant src/text/x.c '#include "train/engine.h"' 'text may not include'
plant src/kernel/x.c '#include "base/memory.h"' 'kernel may not include'
plant src/kernel/x.c '#include "vectrail/train.h"' 'kernel may not include'
plant src/train/x.c '#include "run/store.h"' 'train may not include'
plant src/train/deep/x.c '  #  include "analysis/measure.h"' 'train may not include'
plant src/run/x.c '#include "analysis/measure.h"' 'run may not include'
plant src/analysis/x.c '#include "train/engine.h"' 'analysis may not include'
plant src/serve/x.c '#include "run/store.h"' 'serve may not include'
plant cli/x.c '#include "base/error.h"' 'cli may not include'
plant include/vectrail/x.h '#include "base/error.h"' 'include may not include'
plant src/run/x.c '#include <sqlite3.h>' 'sqlite3.h belongs to src/run/store src/run/checked_pages. alone'
plant src/train/x.c '#include <mpi.h>' 'mpi.h belongs to src/dist/mpi.c alone'
plant src/dist/x.c '#include "train/engine.h"' 'dist may not include'
plant cli/x.c '#include <microhttpd.h>' 'microhttpd.h belongs to src/serve/http_library.h alone'
plant src/run/x.c '#include "../base/error.h"' 'includes are named from'
plant src/run/x.c '#include WHATEVER' 'must name its file'
plant src/attic/x.c 'int vt_x(void);' 'no rule says what'
with=()
plant src/base/x.h 'size_t vt_x(void);' 'does not compile on its own'
plant src/base/x.h 'struct vt_x { int x; };' 'does not compile on its own'
# Public headers are for C++ as well.
if command -v "${CXX:-c++}" >/dev/null 2>&1; then
  plant include/vectrail/x.h 'int vt_x(int class);' 'does not compile on its own'
fi
plant src/base/x.h 'int vt_x(void) { return 0; }' 'does not compile on its own'

with=(env CC=true CXX=true)
accept src/base/x.c '#include "vectrail/status.h"'
accept src/kernel/x.c '#include "base/error.h"'
accept src/run/store.c '#include <sqlite3.h>'
accept src/run/store_counts.c '#include <sqlite3.h>'
accept src/serve/http_library.h '#include <microhttpd.h>'
accept src/analysis/x.c '#include "base/error.h"'
accept src/base/x_template.h 'R KERNEL(sum)(R x);'
accept cli/x.c '#include "vectrail/status.h"'
rmdir "$tree/cli" # a tree of the library alone
accept src/text/x.c '#include "base/error.h"'

rc=0
bash "$check" "$work" >"$work/report" 2>&1 || rc=$?
[ "$rc" = 2 ] || fail "a folder that is no source tree gave exit status $rc instead of 2"
