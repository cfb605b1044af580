"""Runs a training under a pseudo terminal and with signals, and checks what is seen: test_progress.sh starts it.

usage: terminal.py BINARY CORPUS
"""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time

BINARY, CORPUS = sys.argv[1:]
SETTINGS = ["--dim", "32", "--sample", "0", "--block-tokens", "256", "--threads", "2"]


def check(condition, message):
    if not condition:
        sys.exit(f"FAILED: {message}")


def watch(arguments, columns, enough=None, environment=None):
    """Runs with stdout and stderr on a terminal; once enough(text) holds, or after twenty seconds, sends SIGINT. Returns (status,
    text, seconds)."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen(
        [BINARY, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", **(environment or {})},
    )
    os.close(follower)
    started, text, sent = time.monotonic(), b"", False
    while True:
        try:
            data = os.read(leader, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not data:
            break
        text += data
        if enough and not sent and (enough(text) or time.monotonic() - started > 20):
            child.send_signal(signal.SIGINT)
            sent = True
    os.close(leader)
    # A terminal turns \n into \r\n; a carriage return alone is a redraw.
    return child.wait(), text.decode().replace("\r\n", "\n"), time.monotonic() - started


def redraws(text):
    return [piece.split("\x1b[K")[0] for piece in text.split("\r")[1:]]


def terminal():
    for columns in (30, 60, 80, 160):
        arguments = ["train", CORPUS, "--run", f"run{columns}", "--epochs", "4000", *SETTINGS]
        last = b"moving " if columns >= 160 else b"words/s" if columns >= 80 else b"epoch "
        status, text, seconds = watch(arguments, columns, lambda text: text.count(b"\x1b[K") >= 6 and last in text)
        check(status == 130, f"status 130 after an interrupt, not {status}: {text[-300:]}")
        lines = [line for line in redraws(text) if line.startswith("epoch ")]
        check(len(lines) >= 3, f"the line should be redrawn: {text[-300:]!r}")
        check(len(lines) <= 10 * seconds + 2, f"{len(lines)} redraws in {seconds:.1f} s are too many")
        check(all(len(line) < columns for line in lines), f"a line is wider than {columns}: {max(lines, key=len)}")
        check(all(re.match(r"epoch \d+/4000  .*\d%", line) for line in lines), f"epoch and share: {lines[0]}")
        shows = [columns >= 60, columns >= 60, columns >= 160, columns >= 160]
        for part, shown in zip(("loss ", "ETA ", "|grad| ", "moving "), shows):
            check(not shown or any(part in line for line in lines), f"{part} should show at {columns}: {lines[-1]}")
        check("words/s" in lines[-1] or columns < 80, f"words per second: {lines[-1]}")
        check(columns < 60 or "[#" in lines[-1] or "[." in lines[-1], f"a bar: {lines[-1]}")
        check("\r\x1b[Kvectrail: interrupted at step" in text, f"the line is erased before the error: {text[-200:]!r}")

    quick = ["train", CORPUS, "--epochs", "3", *SETTINGS]
    status, text, _ = watch([*quick, "--run", "colour"], 80)
    check(status == 0 and "\x1b[1mnext\x1b[0m" in text, f"colour on a terminal: {text[-300:]!r}")
    status, text, _ = watch([*quick, "--run", "plain"], 80, environment={"NO_COLOR": "1"})
    check(status == 0 and "\x1b[1m" not in text and "\x1b[K" in text, "NO_COLOR takes the colour, not the redrawing")
    status, text, _ = watch([*quick, "--run", "never", "--color", "never"], 80)
    check(status == 0 and "\x1b[1m" not in text, "--color never")
    status, text, _ = watch([*quick, "--run", "dumb"], 80, environment={"TERM": "dumb"})
    check(status == 0 and "\x1b" not in text and "\r" not in text, f"a dumb terminal gets plain lines: {text[-300:]!r}")
    check("epoch=3/3 " in text, "a dumb terminal gets a line an epoch")
    status, text, _ = watch([*quick, "--run", "silent", "--quiet"], 80)
    check(status == 0 and text == "", f"--quiet: {text!r}")
    status, text, _ = watch(["neighbors", "colour", "king"], 80)
    check(status == 0 and "\x1b[1mking\x1b[0m" in text, "headings are bold on a terminal")


class Training:
    """A training whose stderr goes to a file, which can be looked into while it runs."""

    def __init__(self, run, epochs, *prefix):
        self.path = f"{run}.err"
        with open(self.path, "wb") as err, open(f"{run}.out", "wb") as out:
            self.child = subprocess.Popen(
                [*prefix, BINARY, "train", CORPUS, "--run", run, "--epochs", str(epochs), *SETTINGS],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        self.out_path = f"{run}.out"
        deadline = time.monotonic() + 200
        while "epoch=" not in self.err():
            check(self.child.poll() is None and time.monotonic() < deadline, f"the training should begin: {self.err()}")
            time.sleep(0.02)

    def err(self):
        with open(self.path, encoding="utf-8") as file:
            return file.read()

    def end(self, *signals):
        for number in signals:
            self.child.send_signal(number)
        status = self.child.wait(timeout=200)
        with open(self.out_path, encoding="utf-8") as file:
            return status, file.read(), self.err()


def info(run):
    return json.loads(subprocess.run([BINARY, "info", run, "--json"], check=True, capture_output=True).stdout)


def signals():
    for number in (signal.SIGINT, signal.SIGTERM):
        run = f"first{number}"
        status, out, err = Training(run, 1000000).end(number)
        check(status == 130, f"status 130 after signal {number}, not {status}")
        check(out == "", f"no result after an interrupt: {out}")
        said = [line for line in err.splitlines() if line.startswith("vectrail: ")]
        check(len(said) == 1 and said[0].startswith("vectrail: interrupted at step "), f"one error: {said}")
        about = info(run)
        check([e["kind"] for e in about["events"]] == ["start", "interrupted"], f"events: {about['events']}")
        check(about["snapshots"][-1]["step"] == about["last_step"]["step"], "a snapshot of where it stopped")
        check(f"step {about['last_step']['step']} " in said[0], f"the step of the message: {said[0]}")
        check(sorted(os.listdir(run)) == ["checkpoint.safetensors", "corpus.ids", "run.db", "snapshots"], f"whole files only: {os.listdir(run)}")

    # Two signals that are both there when the process goes on: the second handler ends it on the spot.
    status, _, err = Training("second", 1000000).end(signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT)
    check(status == 130, f"status 130 after two signals, not {status}")
    check("vectrail:" not in err, f"the second signal ends at once: {err[-200:]}")
    check(info("second")["last_step"] is not None, "the run can be read even so")

    # A job that was told to ignore interrupts (nohup, a script's background) goes on.
    status, _, _ = Training("deaf", 12, "sh", "-c", 'trap "" INT; exec "$@"', "sh").end(signal.SIGINT)
    check(status == 0, f"an ignored interrupt stays ignored: {status}")


terminal()
signals()
