#!/usr/bin/env python3
"""Kills trainings, resumes, imports and exports, or cuts their power, and looks at what is left.

    kills.py VECTRAIL VECTRAIL_FAULT [--kills N] [--cuts N] [--seed N] [--jobs N]

A kill is SIGKILL at a random instant of the clock, or before a random change to a file (VECTRAIL_FAULT=kill:N), which
finds the narrow places. A power cut is a kill after which the disk holds only what was synced: files as they were at their
last sync, folders with the names they had at theirs (VECTRAIL_FAULT_SYNCED). After either, what is there must be whole:
a run opens, its snapshots have their checksums, a training goes on and ends with the bits of an unbroken one, an export
is one that was there before or the new one.
"""
import argparse
import concurrent.futures
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import SETTINGS, content, digest, prepare, stop_in_the_middle, tree  # noqa: E402


class Case:
    def __init__(self, name, arguments, run="", trains=False, files=()):
        self.name, self.arguments, self.run, self.trains, self.files = name, arguments, run, trains, files


CASES = [
    Case("train", ["train", "tiny.txt", "--run", "new", "--checkpoint", "0.000001", "--ledger", "king", *SETTINGS], "new", True),
    Case("train-hs", ["train", "tiny.txt", "--run", "new", "--loss", "hs", "--l2", "1e-4", "--checkpoint", "0.005", *SETTINGS],
         "new", True),
    Case("resume", ["resume", "stopped", "--threads", "2", "--quiet", "--checkpoint", "0.000001"], "stopped", True),
    Case("import", ["import", "--quiet", "vectors.bin", "vectors.npy", "vectors.safetensors", "--run", "new"], "new"),
    Case("append", ["import", "--quiet", "--append", "vectors.txt", "vectors.bin", "--run", "imported"], "imported"),
    Case("export", ["export", "done", "-o", "vectors.txt", "--step", "1"], files=("vectors.txt", "vectors.txt.sha256")),
    Case("export-npy", ["export", "done", "-o", "out.npy"], files=("out.npy", "out.vocab.txt", "out.npy.sha256")),
]


def save_as_synced(work, synced):
    """All that is there when a command begins was synced long ago."""
    os.mkdir(synced)
    for root, folders, files in os.walk(work):
        with open(f"{synced}/folder-{os.stat(root).st_ino}", "w", encoding="utf-8") as listing:
            for name in folders + files:
                kind = "d" if name in folders else "f"
                listing.write(f"{os.stat(os.path.join(root, name)).st_ino} {kind} {name}\n")
        for name in files:
            shutil.copyfile(os.path.join(root, name), f"{synced}/inode-{os.stat(os.path.join(root, name)).st_ino}")


def restore(synced, inode, target):
    """The tree below a folder as the disk has it: names of its last sync, content of theirs; a file that was never synced
    is empty, a folder too."""
    os.mkdir(target)
    listing = f"{synced}/folder-{inode}"
    if not os.path.exists(listing):
        return
    with open(listing, encoding="utf-8") as lines:
        for line in lines:
            number, kind, name = line.rstrip("\n").split(" ", 2)
            path = os.path.join(target, name)
            if kind == "d":
                restore(synced, number, path)
            elif os.path.exists(f"{synced}/inode-{number}"):
                shutil.copyfile(f"{synced}/inode-{number}", path)
            else:
                open(path, "wb").close()


class Tester:
    def __init__(self, arguments, folder):
        self.plain, self.fault = os.path.realpath(arguments.vectrail), os.path.realpath(arguments.vectrail_fault)
        self.folder, self.start = folder, os.path.join(folder, "start")
        os.mkdir(self.start)
        prepare(self.plain, self.start)
        stop_in_the_middle(self.fault, self.start)
        self.expected, self.changes, self.seconds = {}, {}, {}
        for case in CASES:
            self.measure(case)

    def call(self, work, arguments, fault=None, counts=None, synced=None, seconds=None):
        environment = dict(os.environ)
        if fault:
            environment["VECTRAIL_FAULT"] = fault
        if counts:
            environment["VECTRAIL_FAULT_COUNTS"] = counts
        if synced:
            environment["VECTRAIL_FAULT_SYNCED"] = synced
        program = self.fault if fault or counts or synced else self.plain
        process = subprocess.Popen([program, *arguments], cwd=work, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=120 if seconds is None else seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            out, err = process.communicate()
            if seconds is None:
                return -99, b"it hangs"
        return process.returncode, err

    def measure(self, case):
        """Without a kill: the result, how many changes to files there are, how long it takes."""
        work, counts = os.path.join(self.folder, "whole"), os.path.join(self.folder, "counts")
        shutil.copytree(self.start, work)
        status, err = self.call(work, case.arguments, counts=counts)
        if status != 0:
            sys.exit(f"{case.name} without kills: {err.decode()}")
        with open(counts, encoding="utf-8") as file:
            self.changes[case.name] = int(dict(line.split() for line in file)["kill"])
        self.expected[case.name] = self.result(case, work)
        shutil.rmtree(work)
        shutil.copytree(self.start, work)
        begun = time.monotonic()
        self.call(work, case.arguments)
        self.seconds[case.name] = time.monotonic() - begun
        shutil.rmtree(work)

    @staticmethod
    def result(case, work):
        return (content(os.path.join(work, case.run)) if case.run else
                {name: digest(os.path.join(work, name)) for name in case.files})

    def judge_export(self, case, work):
        before = {name: digest(os.path.join(self.start, name)) for name in case.files
                  if os.path.exists(os.path.join(self.start, name))}
        now = {name: digest(os.path.join(work, name)) for name in case.files if os.path.exists(os.path.join(work, name))}
        for name, held in now.items():
            if held not in (before.get(name), self.expected[case.name][name]):
                return f"{name} is neither the old one nor the new one"
        vectors = case.files[0]
        if vectors in before and vectors not in now:
            return f"{vectors} is gone"
        if vectors in now and os.path.exists(os.path.join(work, vectors)):
            status, err = self.call(work, ["import", vectors, "--run", "probe", "--quiet"])
            if status != 0:
                return f"what is there cannot be read: {err.decode()}"
        return None

    def judge_run(self, case, work):
        run = os.path.join(work, case.run)
        there, before = os.path.exists(run), os.path.exists(os.path.join(self.start, case.run))
        if before and not there:
            return "the run is gone"
        if there:
            status, err = self.call(work, ["info", case.run])
            if status != 0:
                return f"the run does not open: {err.decode()}"
        if case.trains:
            again = ["resume", case.run, "--quiet", "--threads", "2"] if there else case.arguments
            status, err = self.call(work, again)
            if status != 0:
                return f"it does not go on: {err.decode()}"
            found = content(run)
            return None if found == self.expected[case.name] else f"it goes on, but ends otherwise: {str(found)[:200]}"
        if there and not before:
            found = content(run)
            return None if found == self.expected[case.name] else "a run that is there is not whole"
        if before:  # appended to: what was there is still there, and what came is whole
            # A snapshot whose row was not written yet may lie there; the next append takes its place.
            status, err = self.call(work, case.arguments)
            old, found = content(os.path.join(self.start, case.run)), content(run)
            if status != 0 or isinstance(found, str):
                return f"no more can be appended: {err.decode()} {found if isinstance(found, str) else ''}"
            if found[1][:len(old[1])] != old[1] or found[3] != old[3]:
                return "what was there before has changed"
            return None
        status, err = self.call(work, case.arguments)
        if not before and status != 0:
            return f"it cannot be done again: {err.decode()}"
        return None

    def attempt(self, number, case, draw, cut):
        work, synced = os.path.join(self.folder, f"try-{number}"), None
        shutil.copytree(self.start, work)
        at = f"kill:{draw.randint(1, self.changes[case.name])}"
        by_clock = not cut and draw.random() < 0.5
        if cut:
            synced = os.path.join(self.folder, f"synced-{number}")
            save_as_synced(work, synced)
            status, err = self.call(work, case.arguments, fault=at, synced=synced)
            disk = os.path.join(self.folder, f"disk-{number}")
            restore(synced, os.stat(work).st_ino, disk)
            shutil.rmtree(work)
            work = disk
        elif by_clock:
            seconds = draw.random() * 1.1 * self.seconds[case.name]
            status, err = self.call(work, case.arguments, seconds=seconds)
            at = f"SIGKILL after {seconds:.4f} s"
        else:
            status, err = self.call(work, case.arguments, fault=at)
        wrong = None
        if status not in (0, -signal.SIGKILL):
            wrong = f"status {status}: {err.decode(errors='replace')}"
        try:
            wrong = wrong or (self.judge_run(case, work) if case.run else self.judge_export(case, work))
        except Exception as reason:  # what is left cannot even be looked at
            wrong = f"{type(reason).__name__}: {reason}"
        shutil.rmtree(work, ignore_errors=True)
        if synced:
            shutil.rmtree(synced, ignore_errors=True)
        return wrong and f"FAILED: {case.name}, {'power cut at ' if cut else ''}{at}\n  {wrong}", status != 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vectrail")
    parser.add_argument("vectrail_fault")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--cuts", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    failures, hits = 0, 0
    with tempfile.TemporaryDirectory(prefix="vtt_") as folder:
        tester = Tester(arguments, folder)
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            jobs = [pool.submit(tester.attempt, k, CASES[k % len(CASES)], random.Random(f"{arguments.seed} {k}"),
                                k >= arguments.kills) for k in range(arguments.kills + arguments.cuts)]
            for job in concurrent.futures.as_completed(jobs):
                wrong, hit = job.result()
                hits += hit
                if wrong:
                    failures += 1
                    print(wrong, flush=True)
    print(f"{arguments.kills} kills and {arguments.cuts} power cuts over {len(CASES)} commands, "
          f"{hits} before the command had ended: {failures} wrong")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
