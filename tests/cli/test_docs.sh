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
copy() { # TREE
  mkdir -p "$1/docs" "$1/cmake"
  cp "$SOURCE/docs/vectrail.1" "$1/docs/"
  cp -r "$SOURCE/cmake/completions" "$1/cmake/"
}
for tree in unchanged less more default vectrail.bash _vectrail vectrail.fish; do copy "$tree"; done
sed -i '0,/^\\fB\\-\\-window/{/^\\fB\\-\\-window/d}' less/docs/vectrail.1
sed -i 's/^\.\\" commands: end/.TP\n\\fB\\-\\-imaginary\\fR\nAn option that is not there.\n&/' more/docs/vectrail.1
sed -i 's/Length of a vector \[100\]/Length of a vector [300]/' default/docs/vectrail.1
for file in vectrail.bash _vectrail vectrail.fish; do sed -i 's/noise-exponent/noise-power/' "$file/cmake/completions/$file"; done
trees=(--root unchanged --root less --root more --root default --root vectrail.bash --root _vectrail --root vectrail.fish)
if python3 "$SOURCE/tools/make-docs.py" --check "${trees[@]}" "$VECTRAIL" >differences 2>/dev/null; then fail "trees that differ should be found"; fi
out=$(grep '^--- ' differences)
expect_out "--- less/docs/vectrail.1
--- more/docs/vectrail.1
--- default/docs/vectrail.1
--- vectrail.bash/cmake/completions/vectrail.bash
--- _vectrail/cmake/completions/_vectrail
--- vectrail.fish/cmake/completions/vectrail.fish"

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
