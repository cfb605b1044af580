#!/usr/bin/env bash
# Whatever is wrong with the input: status 1, one line of cause, at most one of help, nothing left behind.
. "${SOURCE:?}/tests/cli/lib.sh"

make_corpus good.txt 400
: >empty.txt
printf '\n\n   \n\t\n' >blank.txt
echo "each word occurs once only here" >rare.txt
head -c 100000 /dev/urandom >binary.dat
{ cat good.txt; printf 'a word\0and a NUL\n'; } >nul.txt
{ printf '\xff\xfe'; printf 'text' | sed 's/./&\x00/g'; } >utf16.txt
head -c 50000000 /dev/zero | tr '\0' x >token.txt
gzip -c good.txt >whole.gz
head -c $(($(wc -c <whole.gz) / 2)) whole.gz >cut.gz
mkdir folder
echo "king 5 extra" >vocab-malformed.txt
printf 'zebra 5\nlion 4\n' >vocab-other.txt
remember

bad() { # CAUSE ARGUMENTS...
  local cause=$1
  shift
  vectrail train "$@" --run run --threads 2
  expect_error 1 "$cause"
  expect_nothing_left
}

bad "missing.txt" missing.txt
bad "missing.txt" good.txt missing.txt
bad "folder" folder
bad "no word" empty.txt
bad "no word" blank.txt
bad "min-count" rare.txt
bad "binary.dat" binary.dat
bad "nul.txt" nul.txt
bad "utf16.txt" utf16.txt
bad "token.txt" token.txt
bad "cut.gz" cut.gz
bad "no word" - # standard input is empty here
bad "no word" /dev/null
bad "missing.txt" good.txt --vocab missing.txt
bad "vocab-malformed.txt" good.txt --vocab vocab-malformed.txt
bad "of the text is in the vocabulary" good.txt --vocab vocab-other.txt
bad 'the word "quen" to watch is not in the vocabulary' good.txt --watch king,quen
expect_err_has "did you mean queen?"
bad "missing.txt" good.txt --watch @missing.txt
bad "folder" good.txt --watch @folder
bad "nul.txt: this is binary data" good.txt --watch @nul.txt
bad "no-such-folder" good.txt --output no-such-folder/vectors.txt
bad "folder" good.txt --output folder

# The long word must not take its own size in memory, nor long.
# A sanitizer's own memory would hide the answer.
if ! ldd "$VECTRAIL" | grep -qE 'lib[at]san'; then
  python3 - "$VECTRAIL" <<'PYTHON' || fail "a word of 50 MB is refused at once and within less memory than itself"
import resource, subprocess, sys
ended = subprocess.run([sys.argv[1], "train", "token.txt", "--run", "run", "--threads", "1"], capture_output=True, timeout=20)
sys.exit(0 if ended.returncode == 1 and resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 45000 else 1)
PYTHON
  expect_nothing_left
fi

if [ "$(id -u)" -ne 0 ]; then
  cp good.txt secret.txt
  chmod 000 secret.txt
  remember
  bad "secret.txt" secret.txt
  chmod 600 secret.txt
fi

# Run folders: where there is something already, where the parent is missing, where it is a file.
mkdir run taken
echo "not ours" >taken/notes.txt
echo "a file" >file
"$VECTRAIL" train good.txt --run old "${small[@]}" --quiet || fail "the good text should train"
remember
sum=$(cat old/run.db old/snapshots/* | cksum)
exists() { # CAUSE RUN OPTIONS...
  local cause=$1 run=$2
  shift 2
  vectrail train good.txt --run "$run" --threads 2 "$@"
  expect_error 1 "$cause"
  expect_nothing_left
}
exists "old" old
expect_err_has "--force"
exists "taken" taken
exists "taken" taken --force
exists "file" file --force
exists "nowhere" nowhere/run
[ "$(cat old/run.db old/snapshots/* | cksum)" = "$sum" ] || fail "the old run should be as it was"
# A failure with --force leaves the old run as it was, too.
vectrail train nul.txt --run old --force
expect_error 1 "nul.txt"
expect_nothing_left
[ "$(cat old/run.db old/snapshots/* | cksum)" = "$sum" ] || fail "the old run should survive a failed replacement"

# Reading commands.
read_bad() { # STATUS CAUSE HELP ARGUMENTS...
  local wanted=$1 cause=$2 help=$3
  shift 3
  vectrail "$@"
  expect_error "$wanted" "$cause" "$help"
  expect_nothing_left
}
for command in info resume "neighbors:king" "similarity:king:queen" "analogy:king:queen:apple" "eval:--analogy:good.txt" "export:-o:out.txt"; do
  IFS=: read -r -a words <<<"$command"
  for folder in nothing taken file; do
    vectrail "${words[0]}" "$folder" "${words[@]:1}"
    expect_error 1 "$folder"
    expect_nothing_left
  done
done
read_bad 1 "the word 'quen' is not in the vocabulary (min-count 5)" "did you mean queen?" neighbors old quen
read_bad 1 "the word 'quen' is not in the vocabulary (min-count 5)" "did you mean queen?" similarity old king quen
read_bad 1 "the word 'quen' is not in the vocabulary (min-count 5)" "did you mean queen?" analogy old king queen quen
read_bad 1 "the word 'quen' is not in the vocabulary" "did you mean queen?" neighbors old king quen --json
vectrail neighbors old xylophone
expect_error 1 "the word 'xylophone' is not in the vocabulary (min-count 5)"
expect_err "vectrail: the word 'xylophone' is not in the vocabulary (min-count 5)"
vectrail neighbors old $'qu\e[31m\xffen'
expect_error 1 "is not in the vocabulary"
[[ $err != *$'\e'* ]] || fail "no escape sequence should come through"
read_bad 1 "no metric called 'los' was recorded" "loss" info old --metric los
vectrail eval old --similarity missing.txt
expect_error 1 "missing.txt"
vectrail eval old --analogy folder
expect_error 1 "folder"
printf 'king queen 9\nking queen\n' >pairs.txt
remember
vectrail eval old --similarity pairs.txt
expect_error 1 "pairs.txt"
expect_err_has "2"
vectrail export old -o folder --format npy
expect_status 1
expect_nothing_left
vectrail export old -o nowhere/out.npy
expect_error 1 "nowhere"
finish
