#!/usr/bin/env bash
# docs/run-format.md against a run: tables, columns, keys and metrics are those it tells of, and its program for
# Python reads what the command reads. (label: optimised, for it is the page that is looked at.)
. "${SOURCE:?}/tests/cli/lib.sh"
make_corpus text.txt 1500
mkdir runs
"$VECTRAIL" train text.txt --run runs/demo "${small[@]}" --watch king,queen --save-output --quiet ||
  fail "the text should train"

cat >check.py <<'PYTHON'
import hashlib
import json
import re
import sqlite3
import sys

page = open(sys.argv[1] + "/docs/run-format.md", encoding="utf-8").read()
metrics_page = open(sys.argv[1] + "/docs/metrics.md", encoding="utf-8").read()
run = sqlite3.connect("file:runs/demo/run.db?mode=ro", uri=True)
wrong = []


def same(what, told, found):
    if told != found:
        wrong.append(f"{what}: the page says {told}, the run {found}")


def names(text):
    return re.findall(r"`(\w+)`", text)


def part(begin, end):
    return page[page.index(begin) : page.index(end, page.index(begin))]


def rows(text):
    return [row.split(" | ") for row in re.findall(r"^\| (`.*) \|$", text, re.M)]


tables = {names(row[0])[0]: names(row[1]) for row in rows(part("| table |", "### Keys"))}
found = [name for (name,) in run.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
same("tables", sorted(tables), sorted(found))
for table in found:
    columns = list(run.execute(f"PRAGMA table_info({table})"))
    same(f"columns of {table}", tables.get(table), [column[1] for column in columns])
    key = [column[1] for column in sorted(columns, key=lambda column: column[5]) if column[5]]
    told = re.search(rf"`{table}\(([a-z, ]+)\)`", page)
    same(f"key of {table}", told.group(1).split(", ") if told else [], key)
told = [key for row in rows(part("### Keys of", "## Snapshots")) for key in names(row[0])]
same("keys of meta", sorted(told), [key for (key,) in run.execute("SELECT key FROM meta ORDER BY key")])
for (name,) in run.execute("SELECT DISTINCT name FROM metric"):
    if f"`{name}`" not in metrics_page:
        wrong.append(f"metric {name} is not in metrics.md")
for kind, severity in run.execute("SELECT kind, severity FROM event"):
    if f"`{kind}`" not in page or f"`{severity}`" not in page:
        wrong.append(f"event {kind}, {severity} is not on the page")


def pragma(name):
    return run.execute(f"PRAGMA {name}").fetchone()[0]


same("application_id", re.search(r"application_id` is (0x[0-9a-f]+)", page).group(1), hex(pragma("application_id")))
same("user_version", re.search(r"now \*\*(\d+)\*\*", page).group(1), str(pragma("user_version")))
same("journal_mode", "delete", pragma("journal_mode"))

words = run.execute("SELECT count(*) FROM word").fetchone()[0]
dim = int(run.execute("SELECT value FROM meta WHERE key = 'dim'").fetchone()[0])
snapshots = list(run.execute("SELECT step, path, dtype, sha256 FROM snapshot ORDER BY step"))
for step, path, dtype, sha256 in snapshots:
    data = open("runs/demo/" + path, "rb").read()
    same(f"sha256 of {path}", sha256, hashlib.sha256(data).hexdigest())
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    same(f"metadata of {path}", {"format": "vectrail", "step": str(step)}, header["__metadata__"])
    for tensor in "input", "output":
        same(f"{tensor} of {path}", (dtype, [words, dim]), (header[tensor]["dtype"], header[tensor]["shape"]))
same("type of the last snapshot", "F32", snapshots[-1][2])
same("length of a trail's vector", {4 * dim}, {len(vector) for (vector,) in run.execute("SELECT vector FROM trail")})
steps = [step for (step,) in run.execute("SELECT step FROM step ORDER BY step")]
for word in "king", "queen":
    select = "SELECT step FROM trail WHERE word = (SELECT id FROM word WHERE text = ?) ORDER BY step"
    same(f"steps of the trail of {word}", steps, [step for (step,) in run.execute(select, (word,))])

program = re.search(r"```python\n(.*?)```", page, re.S).group(1)
for before, after in ('"gold"', '"king"'), ('"silver"', '"queen"'):
    if before not in program:
        wrong.append(f"the program should speak of {before}")
    program = program.replace(before, after)
open("program.py", "w").write(program)
print("\n".join(wrong))
sys.exit(bool(wrong))
PYTHON
command_line="check.py"
python3 check.py "$SOURCE" >"$captured/out" 2>"$captured/err"
status=$?
out=$(<"$captured/out")
err=$(<"$captured/err")
[ "$status" -eq 0 ] || fail "docs/run-format.md should say what a run holds"

# The program on the page: first a cosine, then a series. It needs NumPy, which not every Python has.
if ! python_has numpy; then
  echo "the program of docs/run-format.md was not run: no NumPy"
  finish
fi
command_line="program.py"
python3 program.py >program.out 2>"$captured/err" || fail "the program on the page should run: $(<"$captured/err")"
vectrail similarity runs/demo king queen --json
expect_json "abs(d['cosine'] - $(sed -n 1p program.out)) < 1e-6"
vectrail info runs/demo --metric probe_loss --json
points=$(sed 1d program.out | awk '{ printf "(%s, %s), ", $1, $2 }')
expect_json "len(d['points']) > 5 and [(p['step'], p['value']) for p in d['points']] == [$points]"
finish
