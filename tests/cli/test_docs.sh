#!/usr/bin/env bash
# label: optimised
# The manual page and the completions say what the option tables say, no more and no less.
. "${SOURCE:?}/tests/cli/lib.sh"

command_line="tools/make-docs.py --check"
python3 "$SOURCE/tools/make-docs.py" --check "$VECTRAIL" >"$captured/out" 2>"$captured/err" || {
  out=$(<"$captured/out")
  fail "the manual page and the completions are what the options say"
}

# The check itself can fail: an option less, an option more, another default.
copy() {
  rm -rf tree
  mkdir -p tree/docs tree/cmake
  cp "$SOURCE/docs/vectrail.1" tree/docs/
  cp -r "$SOURCE/cmake/completions" tree/cmake/
}
refuses() {
  if python3 "$SOURCE/tools/make-docs.py" --check --root tree "$VECTRAIL" >/dev/null 2>&1; then fail "$1 should be found"; fi
}
copy
python3 "$SOURCE/tools/make-docs.py" --check --root tree "$VECTRAIL" || fail "an unchanged copy should pass"
sed -i '0,/^\\fB\\-\\-window/{/^\\fB\\-\\-window/d}' tree/docs/vectrail.1
refuses "an option missing in the manual page"
copy
sed -i 's/^\.\\" commands: end/.TP\n\\fB\\-\\-imaginary\\fR\nAn option that is not there.\n&/' tree/docs/vectrail.1
refuses "an option too many in the manual page"
copy
sed -i 's/Length of a vector \[100\]/Length of a vector [300]/' tree/docs/vectrail.1
refuses "another default in the manual page"
for file in vectrail.bash _vectrail vectrail.fish; do
  copy
  sed -i 's/noise-exponent/noise-power/' "tree/cmake/completions/$file"
  refuses "another option in $file"
done

# Every option of every command, by name, in the part of the page that is about it.
for command in train resume info neighbors similarity analogy eval export import compare measure diagnose theory svd sweep tune align contrast; do
  section=$(sed -n "/^\.SS \"vectrail $command /,/^\.SS/p" "$SOURCE/docs/vectrail.1" | sed 's/\\-/-/g')
  for name in $("$VECTRAIL" help "$command" | sed -n '/^Every command/q; s/^  \(-[a-z], \)\?--\([a-z0-9-]*\).*/\2/p'); do
    [[ $section == *"\\fB--$name\\fR"* ]] || fail "--$name should be in the manual page, under $command"
  done
done

if command -v groff >/dev/null; then
  warnings=$(groff -man -Tutf8 -ww "$SOURCE/docs/vectrail.1" 2>&1 >/dev/null)
  [ -z "$warnings" ] || fail "groff should have nothing to say: $warnings"
fi

# The completion of bash completes.
complete_line() {
  bash -c 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vectrail; echo "${COMPREPLY[*]}"' \
    "$SOURCE/cmake/completions/vectrail.bash" "$@"
}
[ "$(complete_line vectrail nei)" = neighbors ] || fail "bash completes a command"
[ "$(complete_line vectrail train --noise)" = --noise-exponent ] || fail "bash completes an option"
[ "$(complete_line vectrail export run --format w2v-t)" = w2v-text ] || fail "bash completes a choice"
touch some-corpus.txt
[ "$(complete_line vectrail train some-)" = some-corpus.txt ] || fail "bash completes a file"
finish
