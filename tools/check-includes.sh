#!/usr/bin/env bash
# Holds the source tree to its layers: who may include what, and that every header compiles on its own.
# usage: tools/check-includes.sh [ROOT]    exit 0: clean; 1: violations, one a line; 2: cannot check
# CC and CXX name the compilers (cc, and c++ where there is one).
set -euo pipefail
export LC_ALL=C

root=${1:-$(dirname "$0")/..}
cd "$root" || exit 2
if [ ! -d src ] || [ ! -d include/vectrail ]; then
  echo "check-includes: $root holds no src/ and include/vectrail/" >&2
  exit 2
fi
status=0
folders=(include src)
if [ -d cli ]; then folders+=(cli); fi

# ---- who includes what ----------------------------------------------------------------------------------------------
# layer: what it may include between quotes, as a folder ("base/") or a file. A layer may include itself, and all but
# kernel the public headers. Those who are not named here have no rule, and having no rule is a violation.
sources=$(find "${folders[@]}" -name '*.[ch]' | sort)
# shellcheck disable=SC2086 # names in this tree have no white space
awk '
  BEGIN {
    allowed["include"] = "vectrail/"
    allowed["base"] = "base/ vectrail/"
    allowed["dist"] = "dist/ base/ vectrail/"
    allowed["text"] = "text/ base/ vectrail/"
    allowed["kernel"] = "kernel/ vectrail/kernel.h vectrail/status.h base/error.h base/half.h"
    allowed["train"] = "train/ base/ text/ kernel/ dist/ vectrail/"
    allowed["network"] = "network/ base/ text/ kernel/ train/ dist/ vectrail/"
    allowed["run"] = "run/ base/ text/ kernel/ train/ network/ dist/ vectrail/"
    allowed["analysis"] = "analysis/ base/ text/ kernel/ run/ vectrail/"
    allowed["serve"] = "serve/ base/ vectrail/"
    allowed["cli"] = "vectrail/"
    # Libraries that one place alone may see.
    owner["sqlite3.h"] = "src/run/store src/run/checked_pages."
    owner["mpi.h"] = "src/dist/mpi.c"
    owner["microhttpd.h"] = "src/serve/http_library.h"
    owner["cblas.h"] = "src/base/blas.h"
  }
  function violation(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; found = 1 }
  function is_owned(file, owners,    names, count, i) {
    count = split(owners, names, " ")
    for (i = 1; i <= count; i++) if (index(file, names[i]) == 1) return 1
    return 0
  }
  function layer_of(path,    parts) {
    split(path, parts, "/")
    return parts[1] == "src" ? parts[2] : parts[1]
  }
  function is_allowed(layer, header,    rules, count, i) {
    if (layer == "cli" && header !~ /\//) return 1 # its own folder is flat
    count = split(allowed[layer], rules, " ")
    for (i = 1; i <= count; i++)
      if (header == rules[i] || (rules[i] ~ /\/$/ && index(header, rules[i]) == 1)) return 1
    return 0
  }
  FNR == 1 {
    layer = layer_of(FILENAME)
    if (!(layer in allowed)) violation("no rule says what src/" layer "/ may include; give it one in check-includes.sh")
  }
  /^[ \t]*#[ \t]*include/ {
    rest = $0
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", rest)
    if (match(rest, /^"[^"]*"/) || match(rest, /^<[^>]*>/)) {
      header = substr(rest, 2, RLENGTH - 2)
    } else {
      violation("an include must name its file")
      next
    }
    base_name = header
    sub(/^.*\//, "", base_name)
    if (base_name in owner && !is_owned(FILENAME, owner[base_name]))
      violation(base_name " belongs to " owner[base_name] " alone")
    if (header ~ /(^|\/)\.\.?\//) { violation("\"" header "\": includes are named from src/ or include/"); next }
    first = header
    sub(/\/.*$/, "", first)
    # An angle bracket is no way around the rules for our own folders.
    if (rest ~ /^</ && !(header ~ /\// && (first in allowed || first == "vectrail"))) next
    if (layer in allowed && !is_allowed(layer, header)) violation(layer " may not include \"" header "\"")
  }
  END { exit found }
' $sources || status=1

# ---- headers on their own -------------------------------------------------------------------------------------------
# Templates are written to be included several times over other definitions, and say so in their name.
compiler=${CC:-cc}
command -v "${compiler%% *}" >/dev/null 2>&1 || { echo "check-includes: no compiler '$compiler'" >&2; exit 2; }
plus=${CXX:-c++}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

compiles() { # compiles COMPILER OPTIONS... -- HEADER...: a file that includes these and nothing else, each twice
  local command=() name text=""
  while [ "$1" != -- ]; do command+=("$1"); shift; done
  shift
  for name; do
    name=${name#include/}
    name=${name#src/}
    name=${name#cli/}
    text+="#include \"$name\""$'\n'"#include \"$name\""$'\n'
  done
  "${command[@]}" -Wall -Wextra -Werror -fsyntax-only -Iinclude -Isrc -Icli - <<<"$text" >"$log" 2>&1
}

check_alone() { # check_alone HEADER COMPILER OPTIONS...
  local header=$1
  shift
  if compiles "$@" -- "$header"; then return; fi
  echo "$header: does not compile on its own"
  sed 's/^/    /' "$log" | head -5
  status=1
}

# A source that includes a header before all others shows that whenever it is compiled; these are the others.
# shellcheck disable=SC2086
unshown=$(awk '
  FILENAME ~ /\.h$/ && FILENAME !~ /_template\.h$/ { headers[FILENAME] }
  /^#ifndef VECTRAIL_/ { guarded[FILENAME] }
  /^#include/ && FILENAME ~ /\.c$/ && !(FILENAME in begun) {
    begun[FILENAME]
    shown[$2]
  }
  END {
    for (header in headers) {
      name = header
      sub(/^(include|src|cli)\//, "", name)
      if (!(header in guarded) || !("\"" name "\"" in shown)) print header
    }
  }
' $sources | sort)
for header in $unshown; do
  # shellcheck disable=SC2086 # CC may carry options
  check_alone "$header" $compiler -std=c17 -x c
done

# Public headers are for C++, too: all at once, for that each stands alone C has shown, and one by one where that fails.
mapfile -t public < <(find include -name '*.h' | sort)
# shellcheck disable=SC2086 # CXX may carry options
if command -v "${plus%% *}" >/dev/null 2>&1 && ! compiles $plus -std=c++17 -x c++ -- "${public[@]}"; then
  for header in "${public[@]}"; do check_alone "$header" $plus -std=c++17 -x c++; done
fi

exit "$status"
