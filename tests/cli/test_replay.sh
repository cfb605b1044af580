#!/bin/bash
# label: long
# replay: what was not recorded, recorded afterwards; what it refuses, and that it leaves no trace then.
. "${SOURCE:?}/tests/cli/lib.sh"

make_corpus corpus.txt 400
head -n 150 corpus.txt >first.txt
tail -n +151 corpus.txt | gzip >second.txt.gz
vectrail train first.txt second.txt.gz --run run "${small[@]}" --seed 3 --quiet
expect_status 0

# ---- what it records ------------------------------------------------------------------------------------------------
vectrail explain run king --toward queen
expect_error 1 'the run has no ledger of "king"' 'vectrail replay run --ledger king'
vectrail replay run
expect_status 0
expect_out_has 'snapshots agree with those of the run, bit by bit'
vectrail replay run --ledger kingg
expect_error 1 'the word "kingg" to keep a ledger of is not in the vocabulary' 'did you mean'
vectrail replay run --ledger king --threads 1 --json
expect_status 0
expect_json 'd["snapshots_agreed"] == 6 and d["snapshots_added"] == 0 and d["ledger_bytes"] > 0 and d["documents"] == 0'
vectrail explain run king --toward queen --json -k 0
expect_json 'abs(d["cosine"] - d["start"] - d["rest"] - sum(s["contribution"] for s in d["sources"])) < 1e-5'
expect_json 'd["residual"] < 1e-5 and d["start_step"] == 0'
vectrail explain run king --by document
expect_error 1 'the run has no ledger of "king" by document' 'vectrail replay run --ledger king --by document'
vectrail replay run --ledger king --by document --threads 2
expect_out_has 'lines of the text kept with their ledger'
expect_out_has 'vectrail explain run king --by document'
vectrail explain run king --toward queen --by document --json -k 0
expect_json 'abs(d["cosine"] - d["start"] - d["rest"] - sum(s["contribution"] for s in d["sources"])) < 1e-5'
expect_json '{s["file"] for s in d["sources"] if s["role"] == "document"} == {"first.txt", "second.txt.gz"}'
echo "$out" | python3 -c '
import gzip, json, sys
lines = {"first.txt": open("first.txt").read().split("\n"),
         "second.txt.gz": gzip.open("second.txt.gz", "rt").read().split("\n")}
sources = [s for s in json.load(sys.stdin)["sources"] if s["role"] == "document"]
gave = [s["contribution"] for s in sources]
assert gave == sorted(gave, reverse=True)
for s in sources:
    assert lines[s["file"]][s["line"] - 1] == s["text"], s
    assert "king" in s["text"].split(), s
' || fail "documents are lines of the text that hold the word"
vectrail explain run king --toward queen --by document --over-time -k 3
expect_status 0
expect_out_has 'line'
vectrail explain run king --by word # still there: the spans are the same
expect_status 0
vectrail replay run --watch king,queen --pairs king:queen,apple:king --every 3 --snapshots 12 --from 4
expect_out_has 'snapshots added'
python3 - <<'PYTHON' || fail "the rows of a replay"
import sqlite3
d = sqlite3.connect("run/run.db")
steps = [s for s, in d.execute("SELECT step FROM trail WHERE word = (SELECT id FROM word WHERE text = 'king') ORDER BY step")]
last = d.execute("SELECT max(step) FROM snapshot").fetchone()[0]
assert steps == [s for s in range(6, last + 1, 3)], steps
assert d.execute("SELECT count(*) FROM pair").fetchone()[0] == 2 * len(steps)
assert d.execute("SELECT value FROM meta WHERE key = 'watch'").fetchone()[0] == "king\nqueen"
assert d.execute("SELECT count(*) FROM event WHERE kind = 'replayed'").fetchone()[0] == 3
PYTHON
vectrail replay run --json
expect_json 'd["snapshots_agreed"] > 6'
vectrail measure run --word king
expect_status 0

# ---- what it refuses, leaving everything as it was ------------------------------------------------------------------
remember
digest=$(sha256sum run/run.db)
expect_untouched() { expect_nothing_left; [ "$(sha256sum run/run.db)" = "$digest" ] || fail "the run has changed"; }

cp second.txt.gz kept.gz
remember
(zcat kept.gz; echo "one more line of king and queen") | gzip >second.txt.gz
vectrail replay run --ledger king
expect_error 1 'second.txt.gz is not the text that the run was trained on: it has changed since' '--corpus'
expect_untouched
zcat kept.gz | gzip -1 >second.txt.gz # the same text, packed otherwise
vectrail replay run
expect_status 0
sed 's/king/kong/' first.txt >changed.txt
remember
vectrail replay run --corpus changed.txt --corpus second.txt.gz
expect_error 1 'changed.txt is not the text that the run was trained on'
: >empty.txt
remember
vectrail replay run --corpus empty.txt --corpus second.txt.gz
expect_error 1 'empty.txt is not the text that the run was trained on'
vectrail replay run --corpus first.txt
expect_error 1 'not the text that the run was trained on'
mv first.txt moved.txt
remember
vectrail replay run
expect_error 1 'first.txt: cannot open'
expect_untouched
vectrail replay run --corpus moved.txt --corpus second.txt.gz
expect_status 0
mv moved.txt first.txt
remember
digest=$(sha256sum run/run.db)

one=$(snapshots run | sed -n 2p)
mv "run/snapshots/$one" away
remember
vectrail replay run --ledger king -q
expect_error 1 'is missing'
expect_untouched
cp away "run/snapshots/$one"
printf 'x' | dd of="run/snapshots/$one" bs=1 seek=400 conv=notrunc 2>/dev/null
remember
vectrail replay run --ledger king -q
expect_error 1 'not the snapshot that was recorded'
expect_untouched
cp away "run/snapshots/$one"
cp -r run other
python3 - <<'PYTHON'
import sqlite3
d = sqlite3.connect("other/run.db")
d.execute("UPDATE meta SET value = '4' WHERE key = 'seed'")
d.commit()
PYTHON
remember
vectrail replay other --ledger king -q
expect_error 1 'at step 0 the replay has other vectors than the run; the first is the input vector of' 'altered'
expect_nothing_left
rm -r other

vectrail replay nowhere
expect_error 1 'there is no run here'
vectrail replay run --by document
expect_error 2 'name its words with --ledger'
vectrail replay run --snapshots 1
expect_error 2 '--snapshots'
vectrail replay run --from 100000 --watch king
expect_error 2 "there is nothing to record from step 100000 on"
vectrail export run -o run.vec
"$VECTRAIL" import run.vec --run imported -q
vectrail replay imported
expect_error 1 'vectrail did not train this run'

# A run that is written, and one that was stopped.
exec 9>run/run.lock
flock 9
vectrail replay run
expect_error 1 'is writing this run'
exec 9>&-
rm -f run/run.lock
"$VECTRAIL" train first.txt --run stopped "${small[@]}" --epochs 60000 --quiet 2>/dev/null &
pid=$!
for _ in $(seq 100); do [ -e stopped/run.db ] && break; sleep 0.1; done
sleep 0.5
vectrail replay stopped
expect_error 1 'is writing this run'
kill -TERM "$pid"
wait "$pid"
vectrail replay stopped
expect_error 1 'was stopped and is not finished' 'vectrail resume'

# Standard input cannot be read again, but what was in it can be named.
"$VECTRAIL" train - --run piped "${small[@]}" --quiet <first.txt
vectrail replay piped
expect_error 1 'standard input'
vectrail replay piped --corpus first.txt --ledger king --by document
expect_status 0

# Lines as other systems write them, one of them longer than what is kept of it.
python3 - <<'P'
lines = ["vua và hoàng hậu", "vua " + "trời ơi " * 700] + ["vua có hoàng hậu và vườn"] * 80
open("marked.txt", "w", encoding="utf-8-sig", newline="").write("".join(line + "\r\n" for line in lines))
P
"$VECTRAIL" train marked.txt --run marked "${small[@]}" --quiet
vectrail replay marked --ledger vua --by document
expect_status 0
python3 - <<'P' || fail "of a line its beginning is kept, in whole characters"
import sqlite3
text = {line: text for line, text in sqlite3.connect("marked/run.db").execute("SELECT line, text FROM document")}
assert text[0] == "vua và hoàng hậu" and text[2] == "vua có hoàng hậu và vườn", text[0]
assert ("vua " + "trời ơi " * 700).startswith(text[1]) and 4096 - 3 <= len(text[1].encode()) <= 4096, len(text[1].encode())
P

# Killed in the middle, a replay leaves the run as it was, and the next one clears up.
"$VECTRAIL" train corpus.txt --run long "${small[@]}" --epochs "$(or_fewer 1200 200)" --quiet
digest=$(sha256sum long/run.db)
"$VECTRAIL" replay long --ledger king --quiet &
pid=$!
sleep 0.1
kill -KILL "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
[ "$(sha256sum long/run.db)" = "$digest" ] || fail "a killed replay changed the run"
vectrail replay long --ledger king
expect_status 0
[ ! -e long/.replay ] || fail "the folder of the killed replay is still there"
vectrail explain long king
expect_status 0
finish
