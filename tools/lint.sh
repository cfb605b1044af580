#!/usr/bin/env bash
# Everything that can be said about the sources without running them: format, clang-tidy, cppcheck, include rules, banned
# functions, shell scripts. Says what it did and what it skipped for want of a tool; exit 0 where nothing was found.
# usage: tools/lint.sh    needs build/dev (make dev) for clang-tidy
set -uo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.." || exit 2

status=0
jobs=$(nproc 2>/dev/null || echo 2)

passed() { echo "lint: $1: ok"; }
failed() {
  echo "lint: $1: FAILED" >&2
  status=1
}
skipped() { echo "lint: $1: skipped, $2" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }
tracked() { git ls-files -- "$@" | while IFS= read -r file; do if [ -e "$file" ]; then printf '%s\n' "$file"; fi; done; }

mapfile -t sources < <(tracked '*.c' '*.h')
mapfile -t units < <(tracked '*.c')
# Hooks and runners have no extension; the first line tells.
mapfile -t scripts < <(tracked | while IFS= read -r file; do
  read -r -n 64 first <"$file" 2>/dev/null || true
  case ${first:-} in '#!'*bash* | '#!/bin/sh'* | '#!'*' sh'*) printf '%s\n' "$file" ;; esac
done)
[ "${#sources[@]}" -gt 0 ] || { echo "lint: git knows no sources here" >&2; exit 2; }

check_format() {
  have clang-format || { skipped format "clang-format is not installed"; return; }
  if printf '%s\n' "${sources[@]}" | xargs clang-format --dry-run -Werror; then passed format; else failed "format (make format mends it)"; fi
}

# Only files that the build knows: others have no flags to be read with.
check_tidy() {
  local database=build/dev/compile_commands.json known=()
  have clang-tidy || { skipped clang-tidy "clang-tidy is not installed"; return; }
  [ -f "$database" ] || { skipped clang-tidy "there is no $database (make dev makes it)"; return; }
  for unit in "${units[@]}"; do
    if grep -qF -- "/$unit\"" "$database"; then known+=("$unit"); fi
  done
  if printf '%s\n' "${known[@]}" | xargs -P "$jobs" -n 1 clang-tidy --quiet -p build/dev 2>/dev/null; then
    passed "clang-tidy (${#known[@]} files)"
  else
    failed clang-tidy
  fi
}

check_cppcheck() {
  have cppcheck || { skipped cppcheck "cppcheck is not installed"; return; }
  # missingInclude asks for the system's headers; cmocka's macros are unknown to it. uninitvar takes every loop that fills an
  # array for one that may not run at all; the compilers' warnings, clang's analyzer and Valgrind look for the real ones.
  if printf '%s\n' "${units[@]}" | grep -v '^tests/' |
    cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
      --suppress=missingIncludeSystem --suppress=uninitvar -Iinclude -Isrc -Icli -j "$jobs" --file-list=-; then
    passed cppcheck
  else
    failed cppcheck
  fi
}

# Functions that write past an end, lose an error or end the host program. Comments and strings do not count.
check_banned() {
  local everywhere='strcpy|strncpy|stpcpy|strcat|strncat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok|alloca|mktemp|tmpnam'
  local library='exit|_exit|_Exit|abort|assert|printf|vprintf|puts|putchar|perror|system|popen'
  local heap='malloc|calloc|realloc|strdup|strndup|asprintf'
  local found
  # Comments and the insides of strings are blanked; lines keep their numbers.
  # shellcheck disable=SC2016 # awk's own dollars
  local blank='
    function blank_line(line,    out, i, c, two) {
      out = ""
      for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1); two = substr(line, i, 2)
        if (mode == "comment") { if (two == "*/") { mode = ""; i++ } continue }
        if (mode == "string" || mode == "char") {
          if (c == "\\") i++
          else if ((mode == "string" && c == "\"") || (mode == "char" && c == "\047")) mode = ""
          continue
        }
        if (two == "/*") { mode = "comment"; i++; continue }
        if (two == "//") break
        if (c == "\"") { mode = "string"; continue }
        if (c == "\047") { mode = "char"; continue }
        out = out c
      }
      if (mode != "comment") mode = ""
      return out
    }
    FNR == 1 { mode = "" }
    { code = blank_line($0) }
    code ~ "(^|[^A-Za-z0-9_.>])(" names ")[ \t]*\\(" { printf "%s:%d: %s\n", FILENAME, FNR, $0 }'
  found=$(
    awk -v names="$everywhere" "$blank" "${sources[@]}"
    # The module for MPI has nothing of the library's, and ends where it has told all processes of a job to end.
    printf '%s\n' "${sources[@]}" | grep '^src/' | grep -v '^src/dist/mpi\.c$' | xargs awk -v names="$library" "$blank"
    printf '%s\n' "${sources[@]}" | grep '^src/' | grep -v -e '^src/base/memory\.c$' -e '^src/dist/mpi\.c$' | xargs awk -v names="$heap" "$blank"
  )
  if [ -z "$found" ]; then
    passed "banned functions"
  else
    printf '%s\n' "$found" >&2
    failed "banned functions"
  fi
}

check_includes() {
  if tools/check-includes.sh; then passed "include rules"; else failed "include rules"; fi
}

check_scripts() {
  local bad=0 script
  for script in "${scripts[@]}"; do
    if head -n 1 "$script" | grep -q bash; then bash -n "$script" || bad=1; else sh -n "$script" || bad=1; fi
  done
  if [ "$bad" = 0 ]; then passed "shell syntax (${#scripts[@]} scripts)"; else failed "shell syntax"; fi
  have shellcheck || { skipped shellcheck "shellcheck is not installed"; return; }
  # SC1091: sourced files are checked on their own.
  if shellcheck -x -e SC1091 "${scripts[@]}"; then passed shellcheck; else failed shellcheck; fi
}

check_format
check_includes
check_banned
check_scripts
check_cppcheck
check_tidy
exit "$status"
