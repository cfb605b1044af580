#!/usr/bin/env bash
# label: optimised
# Wrong usage: status 2, one line of cause, one of help, nothing read and nothing written.
. "${SOURCE:?}/tests/cli/lib.sh"

echo "some words to train on" >text.txt
remember

usage() { # CAUSE HELP ARGUMENTS...: both lines exactly
  local cause=$1 help=$2
  shift 2
  vectrail "$@"
  expect_status 2
  expect_out ""
  expect_err "vectrail: $cause"$'\n'"$help"
  expect_nothing_left
}
see="'vectrail help train' shows what there is"

usage "unknown command 'trian'" "did you mean train?" trian
usage "unknown command 'frobnicate'" "'vectrail help' lists the commands" frobnicate
usage "'-train' stands where a command is expected" \
  "write 'vectrail train ...' to train; 'vectrail help' lists the commands" -train text.txt -output vectors.txt
usage "unknown command 'nothing'" "'vectrail help' lists the commands" help nothing
usage "help takes one command, not 2" "'vectrail help' shows what there is" help train eval

usage "unknown option '--windw'" "did you mean --window?" train text.txt --run run --windw 5
usage "unknown option '-widnow'" "did you mean --window?" train text.txt --run run -widnow=5
usage "unknown option '--vector_siz'" "did you mean --vector-size?" train text.txt --run run --vector_siz 5
usage "unknown option '--frobnicate'" "$see" train text.txt --run run --frobnicate
usage "unknown option '-5'" "$see" train text.txt --run run -5
usage "--force takes no value" "$see" train text.txt --run run --force=yes
usage "--run needs a value: --run DIR" "$see" train text.txt --run
usage "--run needs a value: --run DIR" "$see" train text.txt --run --dim 5
usage "--run needs a value; it got an empty one" "$see" train text.txt --run=
usage "train needs a run folder to write to" \
  "add --run DIR, a folder that will hold the vectors and how they moved" train text.txt
usage "train needs a corpus: a file of text, or - for standard input" "$see" train --run run
usage "standard input ('-') can be read only once" "$see" train - - --run run
usage "--binary 1 says how to write --output FILE, which is not given" "$see" train text.txt --run run -binary 1

count="it must be a whole number from"
for bad in 0 -3 4097 nan inf 1.5 1e2 0x10 ' 5' '5 ' 5x 18446744073709551617 99999999999999999999 --; do
  usage "--dim is '$bad'; $count 1 to 4096" "$see" train text.txt --run run "--dim=$bad"
done
for bad in 0 -0.1 nan NaN inf -inf 1e400 1e-400 0x1p-3 '' 0.1x ' 0.1' 1,5 1e13 . e5 0.1.2; do
  [ -n "$bad" ] && usage "--lr is '$bad'; it must be a number above 0, up to 1e+12" "$see" train text.txt --run run "--lr=$bad"
done
vectrail train text.txt --run run --lr 1001
expect_error 2 "lr is 1001; it must lie between 0 and 1000"
usage "--start is 'a'; it must be a number above 0, up to 10" "$see" train text.txt --run run --loss quadratic --start a
usage "--window is '0'; $count 1 to 1000" "$see" train text.txt --run run --window 0
usage "--negative is '65'; $count 0 to 64" "$see" train text.txt --run run --negative 65
usage "--epochs is '0'; $count 1 to 1000000" "$see" train text.txt --run run --epochs 0
usage "-iter is '-1'; $count 1 to 1000000" "$see" train text.txt --run run -iter -1
usage "--min-count is '0'; $count 1 to 18446744073709551615" "$see" train text.txt --run run --min-count 0
usage "--threads is '0'; $count 1 to 1024" "$see" train text.txt --run run --threads 0
usage "--snapshots is '1'; $count 2 to 100000" "$see" train text.txt --run run --snapshots 1
usage "--block-tokens is '8'; $count 16 to 65536" "$see" train text.txt --run run --block-tokens 8
usage "--blocks is '0'; $count 1 to 4096" "$see" train text.txt --run run --blocks 0
usage "--seed is '-1'; $count 0 to 18446744073709551615" "$see" train text.txt --run run --seed -1
usage "-t is '4'; it must be a number from 0 to 1" "$see" train text.txt --run run -t 4
usage "--noise-exponent is 'nan'; it must be a number from 0 to 1" "$see" train text.txt --run run --noise-exponent nan
usage "--tokens is 'vowels'; it must be words, space, letters or bpe" "$see" train text.txt --run run --tokens vowels
usage "--color is 'blue'; it must be auto, always or never" "$see" train text.txt --run run --color blue
usage "--kernel is 'fast'; it must be one of $("$VECTRAIL" info --kernels | sed 's/ .*//' | paste -sd, | sed 's/,/, /g')" \
  "$see" train text.txt --run run --kernel fast

# What other trainers can and this version cannot is refused by name; contradictions too.
usage "--model is 'lsa'; it must be skipgram, cbow, glove, nnlm or transformer" "$see" train text.txt --run run --model lsa
usage "--loss is 'mse'; it must be ns, hs, softmax, squares or quadratic" "$see" train text.txt --run run --loss mse
usage "--batch is 'all'; it must be 'full' or a whole number from 1 to 65536" "$see" train text.txt --run run --batch all
usage "--batch is '0'; it must be 'full' or a whole number from 1 to 65536" "$see" train text.txt --run run --batch 0
usage "-cbow 1 and -sg 1 ask for different models" "$see" train text.txt --run run -cbow 1 -sg 1
usage "--negative is '0'; negative sampling needs at least 1 noise word" "$see" train text.txt --run run -negative 0

usage "neighbors needs a run folder and a word" "'vectrail help neighbors' shows what there is" neighbors run
usage "similarity needs a run folder and two words" "'vectrail help similarity' shows what there is" similarity run king
usage "'d' is one argument too many" "'vectrail help similarity' shows what there is" similarity run a b d
usage "analogy needs a run folder and three words" "'vectrail help analogy' shows what there is" analogy run a b
usage "-k is '0'; $count 1 to 1000000" "'vectrail help neighbors' shows what there is" neighbors run king -k 0
usage "--step is '-1'; $count 0 to 18446744073709551615" "'vectrail help neighbors' shows what there is" \
  neighbors run king --step -1
usage "eval needs a run folder, before the tests" "'vectrail help eval' shows what there is" eval --analogy text.txt
usage "eval needs a test: --similarity FILE... or --analogy FILE" "'vectrail help eval' shows what there is" eval run
usage "export needs a file to write to: -o FILE" "'vectrail help export' shows what there is" export run
usage "the extension of out.dat tells no format; add --format NAME" "'vectrail help export' shows what there is" \
  export run -o out.dat
usage "--format is 'glove'; it must be auto, w2v-text, w2v-binary, npy, safetensors, projector or tensorboard" \
  "'vectrail help export' shows what there is" export run -o out.dat --format glove
usage "info needs a run folder" "'vectrail help info' shows what there is" info
usage "--kernels is about this program, not about a run folder; it stands alone" \
  "'vectrail help info' shows what there is" info run --kernels

# What an argument holds cannot break the lines of the error, or reach the terminal.
usage "unknown command 'a?b?[31mc'" "'vectrail help' lists the commands" $'a\nb\e[31mc'
usage "unknown option '--a?b'" "$see" train $'--a\nb'
long=$(printf 'x%.0s' $(seq 5000))
vectrail train text.txt --run run "--$long" 1
expect_error 2 "unknown option '--xxx"
vectrail "$long"
expect_error 2 "unknown command 'xxx"
expect_nothing_left

# A comma locale changes nothing about numbers.
if locale -a 2>/dev/null | grep -qi '^de_DE\.utf-\?8$'; then
  LC_ALL=de_DE.UTF-8 vectrail train text.txt --run run --lr 0,5
  expect_error 2 "--lr is '0,5'"
fi
finish
