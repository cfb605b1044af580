#!/usr/bin/env bash
# --phrases: words that belong together become one, the same at any number of threads and from any kind of input.
. "${SOURCE:?}/tests/cli/lib.sh"
make_corpus plain.txt 1500
# "crown prince" and "old crown prince" are planted; crown and prince occur apart as well.
sed -e 's/throne/old crown prince/' -e '1~3s/$/ crown prince/' plain.txt >text.txt
settings=("${small[@]}" --phrases 2 --phrase-threshold 4)

vectrail train text.txt --run run "${settings[@]}" --watch old_crown_prince
expect_status 0
expect_err_has ", 2 of them phrases"
expect_err_has "--phrases 2 --phrase-threshold 4"
vectrail info run --json
expect_json 'd["settings"]["phrases"] == "2" and d["settings"]["phrase_threshold"] == "4" and d["settings"]["corpus_phrases"] == "2"'
vectrail info run
expect_out_has "corpus_phrases"
vectrail neighbors run crown_prince old_crown_prince -k 5 --json
expect_status 0
[ "$(wc -l <"$captured/out")" -eq 2 ] || fail "both phrases have neighbours"
vectrail neighbors run "crown prince"
expect_error 1 "the word 'crown prince' is not in the vocabulary" "did you mean crown_prince"

words() { "$VECTRAIL" info "$1" --json | python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["words"], d["tokens"], *[s["sha256"] for s in d["snapshots"]])'; }
first=$(words run)
same() { # NAME ARGUMENTS...: the same words and the same bits
  local name=$1
  shift
  vectrail train --run other --force "$@"
  expect_status 0
  [ "$(words other)" = "$first" ] || fail "$name should give the same"
}
same "one thread" text.txt "${settings[@]}" --threads 1
same "three threads" text.txt "${settings[@]}" --threads 3
gzip -c text.txt >text.gz
same "a compressed file" text.gz "${settings[@]}"
"$VECTRAIL" train - --run piped --quiet "${settings[@]}" <text.txt || fail "standard input should train"
[ "$(words piped)" = "$first" ] || fail "standard input should give the same"

# Fewer passes, a higher threshold; none at all.
vectrail train text.txt --run other --force "${small[@]}" --phrases 1 --phrase-threshold 4
expect_status 0
vectrail neighbors other old_crown_prince
expect_error 1 "not in the vocabulary"
for none in "--phrases 0" "--phrases 3 --phrase-threshold 1e6"; do
  # shellcheck disable=SC2086 # two words on purpose
  vectrail train text.txt --run other --force "${small[@]}" $none
  expect_status 0
  [[ $err != *"of them phrases"* ]] || fail "$none makes no phrases"
  vectrail info other --json
  expect_json 'd["settings"]["corpus_phrases"] == "0"'
done

# Syllables of Vietnamese, typed in one way and asked for in another.
cat >viet.txt <<'TEXT'
Học sinh đi học ở trường đại học
sinh viên đại học đọc sách ở nhà
đại hội học sinh ở nhà trường
lớn như đại dương, xa như dương gian
TEXT
for _ in $(seq 30); do cat viet.txt; done >viet-long.txt
vectrail train viet-long.txt --run viet --fold-case --phrases 1 --phrase-threshold 2 --min-count 10 --dim 8 --epochs 2
expect_status 0
for typed in học_sinh "$(python3 -c 'import unicodedata; print(unicodedata.normalize("NFD", "Học_sinh"))')"; do
  vectrail neighbors viet "$typed" --json
  expect_status 0
  expect_json 'd["word"] == "học_sinh"'
done

# A given vocabulary leaves no room for new words.
remember
printf 'king 3\n' >words.txt
vectrail train text.txt --run none --vocab words.txt --phrases 1
expect_error 2 "--phrases makes new words, and with --vocab there can be none"
vectrail train text.txt --run none --phrases 101
expect_error 2 "--phrases is '101'; it must be a whole number from 0 to 100"
vectrail train text.txt --run none --phrase-threshold -1
expect_error 2 "--phrase-threshold is '-1'; it must be a number from 0 to"
expect_no_file none
finish
