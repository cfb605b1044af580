#!/usr/bin/env bash
# Runs and exports that earlier versions wrote (tests/fixtures) are read, and say what they said then; one of a version to
# come is refused kindly. A fixture is added with each version of the schema, and none is ever changed.
# EXPECT=write writes down what is said, for a new fixture.
. "${SOURCE:?}/tests/cli/lib.sh"
fixtures=$SOURCE/tests/fixtures
# Read from a copy, and from one that cannot be written to.
cp -r "$fixtures" kept
chmod -R a-w kept
trap 'chmod -R u+w "$work"; cleanup' EXIT

ask() { # RUN
  vectrail similarity "kept/$1" king queen --over-time --json && echo "$out"
  vectrail neighbors "kept/$1" king apple --json && echo "$out"
  vectrail info "kept/$1" --metric loss && echo "$out"
}
for run in "$fixtures"/schema*/; do
  run=$(basename "$run")
  ask "$run" >said 2>&1
  if [ "${EXPECT:-}" = write ]; then cp said "$fixtures/$run.said"; fi
  diff "$fixtures/$run.said" said >&2 || fail "$run should say what it said"
done
vectrail measure kept/schema1 --json
expect_status 0
vectrail explain kept/schema1 king --toward queen --json
expect_status 0
expect_json 'abs(d["start"] + sum(s["contribution"] for s in d["sources"]) + d["rest"] - d["cosine"]) < 1e-6'

# The exports hold the vectors of the run that they were made of.
vectrail neighbors kept/schema1 king --json
expected=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["neighbors"])' "$out")
for file in kept/schema1.txt kept/schema1.bin kept/schema1.npy kept/schema1.safetensors; do
  vectrail import "$file" --run imported --force --quiet
  expect_status 0
  vectrail neighbors imported king --json
  [ "$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["neighbors"])' "$out")" = "$expected" ] ||
    fail "$file should hold the vectors of its run"
done

# A version to come.
cp -r "$fixtures/schema1" newer
python3 -c 'import sqlite3; db = sqlite3.connect("newer/run.db"); db.execute("PRAGMA user_version = 2"); db.close()'
for command in "info newer" "neighbors newer king" "export newer -o x.txt" "resume newer" "measure newer" "report newer -o x.html"; do
  # shellcheck disable=SC2086 # words of a command
  vectrail $command
  expect_error 1 "written with schema 2; this version reads up to 1" "use the version of vectrail that wrote it"
done

# Rows that another program changed are read as they are; the checksums of the pages are no longer looked at.
cp -r "$fixtures/schema1" changed
python3 -c '
import sqlite3
db = sqlite3.connect("changed/run.db")
db.execute("UPDATE word SET count = 4711 WHERE text = ?", ("king",))
db.commit()
db.close()'
vectrail info changed --json
expect_status 0
vectrail neighbors changed king
expect_status 0

vectrail --version
expect_status 0
version='^vectrail [0-9]+\.[0-9]+\.[0-9]+ build: .+ kernel: [a-z0-9]+$'
[[ ${out//$'\n'/ } =~ $version ]] || fail "the version names build and kernel"
finish
