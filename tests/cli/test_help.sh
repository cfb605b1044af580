#!/usr/bin/env bash
# label: optimised
# What the command says about itself.
. "${SOURCE:?}/tests/cli/lib.sh"

overview=$("$VECTRAIL" help)
for word in train resume info neighbors similarity analogy eval export import compare; do
  [[ $overview == *$'\n'"  $word "* ]] || fail "the overview should list $word"
done

vectrail
expect_status 2
expect_out ""
expect_err "$overview"
for spelling in help --help -help -h; do
  vectrail "$spelling"
  expect_status 0
  expect_out "$overview"
  expect_err ""
done

for command in train resume info neighbors similarity analogy eval export import compare; do
  vectrail help "$command"
  expect_status 0
  expect_err ""
  expect_out_has "usage: vectrail $command "
  expect_out_has "--color WHEN"
  expect_out_has "example: vectrail $command "
  [ "$(wc -L <"$captured/out")" -le 100 ] || fail "help lines should have at most 100 columns"
  text=$out
  for spelling in --help -help -h; do
    vectrail "$command" "$spelling"
    expect_status 0
    expect_out "$text"
    vectrail "$command" --color never more than enough "$spelling"
    expect_out "$text"
  done
done

# Defaults are those of the library, and aliases are told.
vectrail help train
for default in "--dim N                   length of a vector [100]; also --size, --vector-size" "[0.025; cbow: 0.125," "[0.0001]; also -t" \
  "--min-count N             drop words that occur fewer times [5]; also --minCount"; do
  expect_out_has "$default"
done
# A default is shown, not what happened to be typed before --help.
vectrail train --dim 7 --help
expect_out_has "length of a vector [100]"

for spelling in --version -version -V version; do
  vectrail "$spelling"
  expect_status 0
  expect_err ""
  [[ $out =~ ^"vectrail "[0-9]+\.[0-9]+\.[0-9]+$'\n'"build: ".+$'\n'"kernel: "[a-z0-9]+$ ]] || fail "the version's three lines"
done
VECTRAIL_KERNEL=reference vectrail --version
expect_out_has "kernel: reference"
VECTRAIL_KERNEL=nonsense vectrail --version
expect_error 1 "nonsense"

# Colour: never into a file, unless it is asked for.
vectrail help
[[ $out != *$'\e'* ]] || fail "no colour into a file"
vectrail train --color always --help
[[ $out == *$'\e['* ]] || fail "colour where it is asked for"
NO_COLOR=1 vectrail train --color always --help
[[ $out == *$'\e['* ]] || fail "what is typed counts more than NO_COLOR"

vectrail info --kernels
expect_status 0
expect_out_has "reference    runs here"
vectrail info --kernels --json
expect_json 'd["kernels"][-1]["name"] == "reference" and sum(k["chosen"] for k in d["kernels"]) == 1'
finish
