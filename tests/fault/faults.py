#!/usr/bin/env python3
"""Fails the Nth allocation, write, sync, name, map and thread of each command, and looks at what comes of it.

    faults.py VECTRAIL VECTRAIL_FAULT [--ways | --share S] [--kinds N] [--seed N] [--only CASE] [--fault KIND:N] [--jobs N]

Each case is a command in a small folder. Once it runs without faults, and the calls of each kind are counted; then it
runs again and again, the Nth call failing, for every N (--share 1), for some drawn at random, or (--ways) for every N but
of allocations, of which those that one chain of calls leads to are tried the first time and the last. Each time one of two
things must come of it: the right result, or status 1 with one line of cause and at most one of help, nothing half-
written, nothing left behind, and no harm to what was there. A training that failed must go on and end with the bits of
one that did not. A crash, a hang, or a report of a sanitizer is a failure whatever else comes of it.
"""
import argparse
import concurrent.futures
import hashlib
import http.client
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

SETTINGS = ("--dim 8 --epochs 2 --block-tokens 256 --blocks 4 --snapshots 3 --sample 0 --watch king --seed 3 "
            "--threads 2 --quiet").split()
COMMON = "--snapshots 2 --seed 3 --threads 2 --quiet".split()
SHORT = "--epochs 1 --batch 256 --probes 2".split() + COMMON
TRANSFORMER = "--model transformer --dim 8 --layers 1 --heads 2 --context 8".split()
# kind, how, most calls tried in a row from the Nth on (False: the Nth alone)
FAULTS = [("alloc", "", False), ("alloc", "", True), ("write", "ENOSPC", False), ("write", "ENOSPC", True),
          ("write", "EIO", False), ("write", "short", False), ("sync", "", False), ("sync", "", True),
          ("name", "EIO", False), ("name", "EMFILE", False), ("map", "", False), ("thread", "", False)]
TIMEOUT = 120  # seconds; a hang


def write_text(path, sentences=300):
    draw = random.Random(7)
    topics = ["king queen castle crown knight throne prince duke sword banner".split(),
              "apple pear orchard fruit tree blossom cherry garden plum harvest".split()]
    common = "the a of and in".split()
    with open(path, "w", encoding="utf-8") as file:
        for _ in range(sentences):
            topic = draw.choice(topics)
            words = (draw.choice(topic if draw.random() < 0.75 else common) for _ in range(draw.randint(6, 14)))
            file.write(" ".join(words) + "\n")


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def tree(folder):
    """Every name below a folder, with what its file holds. The log's index and lock of a run are not content."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in folders:
            found[os.path.relpath(os.path.join(root, name), folder)] = "folder"
        for name in files:
            found[os.path.relpath(os.path.join(root, name), folder)] = digest(os.path.join(root, name))
    return found


QUERIES = ["SELECT * FROM metric ORDER BY name, step", "SELECT * FROM snapshot ORDER BY step",
           "SELECT * FROM trail ORDER BY word, step", "SELECT * FROM word ORDER BY id",
           "SELECT * FROM ledger ORDER BY word, source, role, span", "SELECT * FROM pair ORDER BY a, b, step",
           "SELECT step, epoch, tokens, lr FROM step ORDER BY step",
           "SELECT * FROM meta WHERE key NOT IN ('threads', 'checkpoint_seconds', 'inputs', 'kernel') ORDER BY key"]


def content(run):
    """All that a run says but for times and events; each snapshot is held against its checksum."""
    database = sqlite3.connect(f"{run}/run.db")
    rows = [database.execute(query).fetchall() for query in QUERIES]
    finished = database.execute("SELECT count(*) FROM event WHERE kind IN ('finished', 'imported')").fetchone()[0] > 0
    database.close()
    for _, path, _, sha256 in rows[1]:
        if digest(f"{run}/{path}") != sha256:
            return f"{path} is not what was recorded"
    listed = sorted(os.path.basename(row[1]) for row in rows[1])
    there = sorted(os.listdir(f"{run}/snapshots"))
    if finished and listed != there:
        return f"{listed} are listed, {there} are there"
    return rows


class Case:
    """arguments: of the command. makes: a run it writes ("" for none). goes_on: whether resume mends it. serves: it is a
    server, which is asked and then ended. prints: what it prints is a result (False: there are seconds in it)."""

    def __init__(self, name, arguments, makes="", goes_on=False, files=(), serves=False, prints=True):
        self.name, self.arguments, self.makes, self.goes_on, self.files = name, arguments, makes, goes_on, files
        self.serves, self.prints = serves, prints


CASES = [
    Case("train", ["train", "tiny.txt", "--run", "new", "--checkpoint", "0.000001"] + SETTINGS, "new", True),
    Case("train-zst", ["train", "tiny.txt.gz", "--run", "new", "--phrases", "1", "--json"] + SETTINGS, "new", True),
    Case("train-hs", ["train", "tiny.txt", "--run", "new", "--model", "cbow", "--loss", "hs", "--l2", "1e-4",
                      "--checkpoint", "0"] + SETTINGS, "new", True),
    Case("train-ledger", ["train", "tiny.txt", "--run", "new", "--ledger", "king,apple", "--held-out", "0.05",
                          "--checkpoint", "0.000001"] + SETTINGS, "new", True),
    Case("train-glove", ["train", "tiny.txt", "--run", "new", "--model", "glove", "--held-out", "0.1", "--checkpoint",
                         "0.000001"] + SETTINGS[:2] + COMMON, "new", True),
    Case("train-full", ["train", "tiny.txt", "--run", "new", "--loss", "softmax", "--batch", "full", "--checkpoint",
                        "0.000001"] + SETTINGS[:4] + COMMON, "new", True),
    Case("train-quadratic", ["train", "tiny.txt", "--run", "new", "--loss", "quadratic", "--checkpoint", "0.000001"]
         + SETTINGS[:4] + COMMON, "new", True),
    Case("train-nnlm", ["train", "tiny.txt", "--run", "new", "--model", "nnlm", "--hidden", "8", "--context", "2",
                        "--checkpoint", "0.000001"] + SETTINGS[:2] + SHORT, "new", True),
    Case("train-transformer", ["train", "tiny.txt", "--run", "new", "--tokens", "bpe", "--vocab-size", "270",
                               "--checkpoint", "0.000001", "--routes"] + TRANSFORMER + SHORT, "new", True),
    Case("resume", ["resume", "stopped", "--threads", "2", "--quiet", "--checkpoint", "0.000001"], "stopped", True),
    Case("info", ["info", "done", "--json"]),
    Case("info-metric", ["info", "done", "--metric", "loss"]),
    Case("neighbors", ["neighbors", "done", "king", "--over-time"]),
    Case("similarity", ["similarity", "done", "king", "queen", "--over-time"]),
    Case("analogy", ["analogy", "done", "king", "queen", "prince", "--json"]),
    Case("eval", ["eval", "done", "--similarity", "pairs.txt", "--analogy", "questions.txt", "--over-time"]),
    Case("measure", ["measure", "done", "--json", "--threads", "2"]),
    Case("compare", ["compare", "done", "done@0", "--threads", "2"]),
    Case("diagnose", ["diagnose", "done", "--json"]),
    Case("explain", ["explain", "done", "king", "--json"]),
    Case("replay", ["replay", "done", "--ledger", "king", "--by", "document", "--quiet"], "done"),
    Case("generate", ["generate", "network", "--prompt", "king", "--length", "8"]),
    Case("tune", ["tune", "done", "tiny.txt", "--run", "new", "--anchor", "1e-3", "--epochs", "1", "--probes", "3",
                  "--snapshots", "2", "--threads", "2", "--quiet"], "new", True),
    Case("align", ["align", "network", "preferences.jsonl", "--method", "dpo", "--run", "new", "--snapshots", "2",
                   "--threads", "2", "--quiet"], "new"),
    Case("contrast", ["contrast", "network", "tiny.txt", "--run", "new", "--snapshots", "2", "--probes", "2",
                      "--threads", "2", "--quiet"], "new"),
    Case("cooccur", ["cooccur", "tiny.txt", "-o", "counts.db", "--threads", "2", "--quiet"], files=("counts.db",)),
    Case("svd", ["svd", "tiny.txt", "--run", "new", "--dim", "4", "--threads", "2", "--quiet"], "new"),
    Case("svd-counts", ["svd", "--counts", "kept.db", "--dim", "4", "--json", "--threads", "2", "--quiet"]),
    Case("theory", ["theory", "quadratic", "--modes", "3", "--json", "--threads", "2"]),
    Case("sweep", ["sweep", "tiny.txt", "--run", "sweep", "--dim", "2,4", "--model", "spectral", "--seeds", "1", "--least",
                   "0.01", "--threads", "2", "--picture", "sweep.svg", "--quiet"], files=("sweep.svg",), prints=False),
    Case("export-text", ["export", "done", "-o", "out.txt"], files=("out.txt", "out.txt.sha256")),
    Case("export-binary", ["export", "done", "-o", "out.bin"], files=("out.bin", "out.bin.sha256")),
    Case("export-npy", ["export", "done", "-o", "out.npy"], files=("out.npy", "out.vocab.txt", "out.npy.sha256")),
    Case("export-safetensors", ["export", "done", "-o", "out.safetensors"],
         files=("out.safetensors", "out.vocab.txt", "out.safetensors.sha256")),
    Case("export-ways", ["export", "done", "-o", "out.tsv", "--over-time", "--words", "3"],
         files=("out.tsv", "out.metadata.tsv", "out.tsv.sha256")),
    Case("export-events", ["export", "done", "-o", "out.tfevents"], files=("out.tfevents",)),
    Case("report", ["report", "done", "-o", "out.html", "--quiet"], files=("out.html",)),
    Case("serve", ["serve", "done", "--threads", "2", "--quiet"], serves=True),
    Case("import-text", ["import", "--quiet", "vectors.txt", "--run", "new"], "new"),
    Case("import-series", ["import", "--quiet", "vectors.bin", "vectors.npy", "vectors.safetensors", "--run", "new"], "new"),
    Case("import-append", ["import", "--quiet", "--append", "vectors.txt", "--run", "imported"], "imported"),
]


def prepare(plain, folder):
    """What the cases start from: a finished run, one that was stopped, one that was imported, and files."""
    def command(*arguments):
        subprocess.run([plain, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    write_text(os.path.join(folder, "tiny.txt"))
    subprocess.run(["gzip", "-kn", "tiny.txt"], cwd=folder, check=True)
    command("train", "tiny.txt", "--run", "done", "--ledger", "king,apple", *SETTINGS)
    for name in "vectors.txt", "vectors.bin", "vectors.npy", "vectors.safetensors":
        command("export", "done", "-o", name)
    command("import", "vectors.txt", "--run", "imported", "--quiet")
    command("train", "tiny.txt", "--run", "network", *TRANSFORMER, *SHORT)
    command("train", "tiny.txt", "--run", "quadratic", "--loss", "quadratic", *SETTINGS[:4], *COMMON)
    command("cooccur", "tiny.txt", "-o", "kept.db", "--quiet")
    with open(os.path.join(folder, "preferences.jsonl"), "w", encoding="utf-8") as file:
        for _ in range(8):
            file.write('{"prompt": "the king", "chosen": "and queen", "rejected": "of fruit"}\n')
    with open(os.path.join(folder, "pairs.txt"), "w", encoding="utf-8") as file:
        file.write("king queen 9\nking apple 1\npear plum 8\nsword tree 2\n")
    with open(os.path.join(folder, "questions.txt"), "w", encoding="utf-8") as file:
        file.write(": royal\nking queen prince duke\nking crown knight sword\n: gram1\napple tree pear orchard\n")


def stop_in_the_middle(fault, folder):
    """A run that was killed behind a checkpoint."""
    for at in range(400, 0, -10):
        environment = dict(os.environ, VECTRAIL_FAULT=f"kill:{at}")
        done = subprocess.run([fault, "train", "tiny.txt", "--run", "stopped", "--checkpoint", "0.000001", *SETTINGS],
                              cwd=folder, env=environment, stderr=subprocess.DEVNULL, check=False)
        there = os.listdir(os.path.join(folder, "stopped")) if os.path.exists(os.path.join(folder, "stopped")) else []
        if done.returncode < 0 and "checkpoint.safetensors" in there and "run.db-wal" in there:
            return
        shutil.rmtree(os.path.join(folder, "stopped"), ignore_errors=True)
    sys.exit("no training could be stopped behind a checkpoint")


ASKED = ["/api/runs", "/api/runs/0/words", "/api/runs/0/neighbors?word=0&k=3", "/api/runs/0/frames", "/"]


def fetch(port, path, patience):
    """The answer's status and body; None where there was none in so many seconds."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=patience) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read()
    except (OSError, http.client.HTTPException):
        return None


def processor_seconds(process):
    """What it has used so far; 0 where it has ended."""
    try:
        with open(f"/proc/{process}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def serve(program, case, work, environment):
    """A server that was asked all that it could be asked, and ended. stdout: digests of the answers, "-" for none; or what
    it took of a processor, where that is too much."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([program, *case.arguments, "--port", str(port)], cwd=work, env=environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    answers = []
    if process.stdout.readline():
        faulty = "VECTRAIL_FAULT" in environment
        patience = 1 if faulty else 30
        until = time.monotonic() + patience
        while time.monotonic() < until and (fetch(port, "/api/runs/0/frames", patience) or (0,))[0] != 200:
            time.sleep(0.02)
        for path in ASKED:
            answer = fetch(port, path, patience)
            good = answer is not None and answer[0] == 200
            answers.append(hashlib.sha256(answer[1]).hexdigest() if good else "-")
        if faulty and (used := processor_seconds(process.pid)) > 2:
            answers = [f"{used} seconds of a processor"]  # nothing was asked that takes so long: it waits by trying
        process.terminate()
    try:
        _, err = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    return subprocess.CompletedProcess(case.arguments, process.returncode, "\n".join(answers).encode(), err)


def same_answers(expected, found):
    """A server answers rightly or not at all."""
    pairs = list(zip(expected.split(b"\n"), found.split(b"\n")))
    return len(pairs) == len(ASKED) and all(b in (a, b"-") for a, b in pairs)


class Tester:
    def __init__(self, arguments, folder):
        self.plain, self.fault = os.path.realpath(arguments.vectrail), os.path.realpath(arguments.vectrail_fault)
        self.folder, self.ways = folder, arguments.ways
        self.start = os.path.join(folder, "start")
        os.mkdir(self.start)
        prepare(self.plain, self.start)
        stop_in_the_middle(self.fault, self.start)
        self.before = tree(self.start)

    def run(self, case, number, fault):
        """One try in a folder of its own; its name, for the caller to look into and remove."""
        work = os.path.join(self.folder, f"try-{number}")
        shutil.copytree(self.start, work)
        environment = dict(os.environ, VECTRAIL_FAULT_COUNTS=os.path.join(self.folder, f"counts-{number}"))
        if fault:
            environment["VECTRAIL_FAULT"] = fault
        elif self.ways:
            environment["VECTRAIL_FAULT_WAYS"] = os.path.join(self.folder, f"ways-{number}")
        if case.serves:
            return work, serve(self.fault, case, work, environment)
        try:
            done = subprocess.run([self.fault, *case.arguments], cwd=work, env=environment, stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            return work, None
        return work, done

    def counts(self, number):
        with open(os.path.join(self.folder, f"counts-{number}"), encoding="utf-8") as file:
            return {kind: int(count) for kind, count in (line.split() for line in file)}

    def turns(self, number):
        """Of the allocations, those that are a chain of calls' first or last."""
        first, last = {}, {}
        with open(os.path.join(self.folder, f"ways-{number}"), encoding="utf-8") as file:
            for n, way in enumerate(file, 1):
                first.setdefault(way, n)
                last[way] = n
        return sorted({*first.values(), *last.values()})

    def results(self, case, work):
        """What a command that ended well has made."""
        made = {name: digest(os.path.join(work, name)) for name in case.files}
        return made, content(os.path.join(work, case.makes)) if case.makes else None

    def reference(self, case):
        work, done = self.run(case, case.name, None)
        if done is None or done.returncode != 0 or (case.serves and b"-" in done.stdout.split(b"\n")):
            sys.exit(f"{case.name} without faults: {done and done.stderr.decode()}")
        expected = done.stdout, self.results(case, work), tree(work)
        shutil.rmtree(work)
        return expected, self.counts(case.name)

    def judge(self, case, work, done, expected, fault):
        """What is wrong, or None."""
        if done is None:
            return "it hangs"
        message = done.stderr.decode(errors="replace")
        if done.returncode == 0:
            right = same_answers(expected[0], done.stdout) if case.serves else done.stdout == expected[0]
            if not case.makes and case.prints and not right:
                return f"status 0, but another answer: {done.stdout[:300]!r}"
            try:
                results = self.results(case, work)
            except (OSError, sqlite3.Error) as reason:
                return f"status 0, but {reason}"
            if results != expected[1]:
                return f"status 0, but another result: {str(results)[:300]}"
            # Where the log cannot be merged in the end it stays: what it holds is synced, and the run is complete.
            logs = {f"{case.makes}/run.db-{ending}" for ending in ("wal", "shm", "journal")}
            extra = set(tree(work)) - set(expected[2]) - logs
            if extra and fault.startswith("name:") and all(name.startswith(f"{case.makes}/.") for name in extra):
                # A folder of its own that could not be opened to be emptied: the next such command takes it away.
                subprocess.run([self.plain, *case.arguments], cwd=work, capture_output=True, check=False)
                extra = set(tree(work)) - set(expected[2]) - logs
            return f"status 0, but left behind: {extra}" if extra else None
        lines = message.splitlines()
        if done.returncode != 1:
            return f"status {done.returncode}: {message[-1500:]}"
        if not 1 <= len(lines) <= 3 or not lines[0].startswith("vectrail: "):
            return f"not an error of one line and one of help: {message[-1500:]}"
        return self.judge_left(case, work, expected, fault)

    def judge_left(self, case, work, expected, fault):
        """A command that failed: nothing is lost, nothing is left, and what can go on does."""
        now = tree(work)
        ours = lambda name: case.makes and (name == case.makes or name.startswith(case.makes + "/"))
        for name, held in self.before.items():
            if not ours(name) and now.get(name) != held:
                return f"{name} was changed"
        for name in set(now) - set(self.before):
            if name in case.files and now[name] == expected[2][name]:
                continue  # whole: a second file of the export failed
            if not (ours(name) and case.goes_on):
                if not ours(name) or case.makes not in self.before or ".tmp" in name:
                    return f"left behind: {name}"
        if not case.makes:
            return None
        run = os.path.join(work, case.makes)
        if not case.goes_on:
            if not os.path.exists(run):
                return None if case.makes not in self.before else "the run is gone"
            subprocess.run([self.plain, "info", case.makes], cwd=work, capture_output=True, check=False)
            now, before = content(run), content(os.path.join(self.start, case.makes))
            if now == before:
                return None
            return self.judge_append(case, work, now, before, expected) if "+" in fault else "the run was changed"
        if not os.path.exists(run):
            return None if case.makes not in self.before else "the run is gone"
        again = subprocess.run([self.plain, "resume", case.makes, "--quiet"], cwd=work, capture_output=True, check=False)
        if again.returncode != 0:
            return f"it does not go on: {again.stderr.decode()}"
        if self.results(case, work) != expected[1]:
            return "it goes on, but ends otherwise"
        left = {f"{case.makes}/{name}" for name in tree(run) if not name.startswith("snapshots/")} - set(expected[2])
        return f"left behind after going on: {left}" if left else None

    def judge_append(self, case, work, now, before, expected):
        """An append that could not be taken back either, for that needs memory and room, too: what was whole stays
        appended, or a snapshot stays that no row lists, and the next append puts its own in the place."""
        if isinstance(now, list):
            return None if now[1][:len(before[1])] == before[1] else "the run was changed"
        again = subprocess.run([self.plain, *case.arguments], cwd=work, capture_output=True, check=False)
        if again.returncode != 0:
            return f"{now}, and no append goes on: {again.stderr.decode()}"
        return None if self.results(case, work) == expected[1] else f"{now}, and the next append ends otherwise"

    def attempt(self, case, number, fault, expected):
        work, done = self.run(case, number, fault)
        wrong = self.judge(case, work, done, expected, fault)
        outcome = "ended well" if done is not None and done.returncode == 0 else "refused"
        shutil.rmtree(work)
        return fault, wrong, outcome


def plan(counts, turns, share, kinds, draw):
    """turns: of the allocations, those to be tried; None: all, or a share of all."""
    for kind, how, onward in draw.sample(FAULTS, kinds):
        if turns is not None and kind == "alloc":
            yield from (f"{kind}:{n}{'+' if onward else ''}" for n in turns)
            continue
        chosen = [n for n in range(1, counts[kind] + 1) if share >= 1 or draw.random() < share]
        if counts[kind] and not chosen:
            chosen = [draw.randint(1, counts[kind])]
        if onward and share < 1:
            chosen = chosen[::3]
        for n in chosen:
            yield f"{kind}:{n}{'+' if onward else ''}{':' + how if how else ''}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vectrail")
    parser.add_argument("vectrail_fault")
    parser.add_argument("--share", type=float, default=1, help="of all N, how many are tried")
    parser.add_argument("--ways", action="store_true", help="allocations by the calls that lead to them")
    parser.add_argument("--kinds", type=int, default=len(FAULTS), help="of the kinds of faults, how many are tried")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append")
    parser.add_argument("--fault", help="this one alone")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    cases = [case for case in CASES if not arguments.only or case.name in arguments.only]
    total, failures, well = 0, 0, 0
    with tempfile.TemporaryDirectory(prefix="vtt_") as folder:
        tester = Tester(arguments, folder)
        for case in cases:
            expected, counts = tester.reference(case)
            turns = tester.turns(case.name) if arguments.ways else None
            faults = [arguments.fault] if arguments.fault else list(plan(counts, turns, arguments.share, arguments.kinds, draw))
            with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
                jobs = [pool.submit(tester.attempt, case, number, fault, expected)
                        for number, fault in enumerate(faults)]
                for job in concurrent.futures.as_completed(jobs):
                    fault, wrong, outcome = job.result()
                    well += outcome == "ended well"
                    if wrong:
                        failures += 1
                        print(f"FAILED: VECTRAIL_FAULT={fault} vectrail {' '.join(case.arguments)}\n  {wrong}",
                              flush=True)
            total += len(faults)
            print(f"{case.name}: {len(faults)} faults", flush=True)
    print(f"{total} faults in {len(cases)} commands: {well} ended well, {total - well} refused, {failures} wrong")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
