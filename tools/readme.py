#!/usr/bin/env python3
"""Runs the tour of a README and holds its output against what the README prints.

usage: tools/readme.py check|update README.md... FOLDER

A block that begins with ```console holds commands ("$ command") and their output. The commands run in order, in FOLDER,
in one shell; what several READMEs begin with alike runs once. A line "..." stands for any lines. `update` writes the
real output into the blocks that hold no "...".
"""
import functools
import re
import subprocess
import sys

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.M | re.S)


def commands_of(block):
    """[(command, expected lines)]"""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line.rstrip())
    return found


def run(command, folder):
    done = subprocess.run(["bash", "-c", command], cwd=folder, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=300)
    if done.returncode != 0:
        sys.exit(f"readme: '{command}' ended with {done.returncode}:\n{done.stderr}")
    return [line.rstrip() for line in done.stdout.splitlines()]


def matches(expected, got):
    """Whether got is expected, "..." standing for any lines."""
    pattern = "".join(r"(?:.*\n)*" if line == "..." else re.escape(line) + r"\n" for line in expected)
    return re.fullmatch(pattern, "".join(line + "\n" for line in got)) is not None


def tour(mode, path, typed):
    """Goes through one README; typed(commands) gives what the last of all so far prints. Returns how many print something
    else."""
    text = open(path, encoding="utf8").read()
    wrong, so_far = 0, ()

    def handle(match):
        nonlocal wrong, so_far
        lines = []
        for command, expected in commands_of(match.group(1)):
            so_far += (command,)
            got = typed(so_far)
            if mode == "update" and "..." not in expected:
                expected = got
            elif not matches(expected, got):
                wrong += 1
                print(f"readme: {path}: '{command}' prints", *got, "instead of", *expected, sep="\n")
            lines += ["$ " + command, *expected]
        return "```console\n" + "".join(line + "\n" for line in lines) + "```"

    updated = BLOCK.sub(handle, text)
    if mode == "update":
        open(path, "w", encoding="utf8").write(updated)
    print(f"{path}: {len(BLOCK.findall(text))} blocks, {wrong} wrong")
    return wrong


def main():
    mode, *paths, folder = sys.argv[1:]
    typed = functools.cache(lambda commands: run(commands[-1], folder))
    wrong = sum([tour(mode, path, typed) for path in paths])
    sys.exit(1 if wrong else 0)


main()
