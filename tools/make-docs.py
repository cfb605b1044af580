#!/usr/bin/env python3
"""Writes what the option tables of the command say into the manual page and the shell completions.

usage: tools/make-docs.py [--check] [--root FOLDER]... BINARY

The tables are read from `BINARY help` and `BINARY help COMMAND`. In docs/vectrail.1 the part between the two marker
lines is replaced; the files in cmake/completions are written whole. With --check nothing is written: the exit status
is 1, and the difference is printed, where a file is not what it would be.
"""

import argparse
import difflib
import pathlib
import re
import subprocess
import sys
import textwrap

BEGIN = '.\\" commands: begin (written by tools/make-docs.py)'
END = '.\\" commands: end'
TEXT_COLUMN = 28  # as in cli/help.c


class Option:
    def __init__(self, tag):
        match = re.fullmatch(r"(?:-(\w), )?--([\w-]+)(?: (.+))?", tag)
        if match is None:
            sys.exit(f"make-docs: cannot read the option '{tag}'")
        self.tag = tag
        self.letter, self.name, self.value = match.groups()
        self.text = ""

    def names(self):
        return [f"--{self.name}"] + ([f"-{self.letter}"] if self.letter else [])

    def choices(self):
        match = re.search(r"; one of ([\w, -]+?) \[", self.text)
        return match.group(1).split(", ") if match else []

    def summary(self):
        """The text without default, choices and aliases: for completions."""
        return re.split(r"; also -| \[|; one of ", self.text)[0]


class Command:
    def __init__(self, name, summary, help_text):
        self.name, self.summary = name, summary
        self.groups = []  # (heading, [Option])
        self.example = None
        lines = help_text.splitlines()
        self.usage = lines[0].removeprefix("usage: ")
        blank = lines.index("", 2)
        self.about = " ".join(lines[2:blank])
        for line in lines[blank:]:
            self.read_line(line)

    def read_line(self, line):
        if not line:
            return
        if line.startswith("example: "):
            self.example = line.removeprefix("example: ")
        elif line.startswith("  -"):
            tag, _, text = line[2:].partition("  ")
            option = Option(tag.strip())
            option.text = text.strip()
            self.groups[-1][1].append(option)
        elif line.startswith(" " * (TEXT_COLUMN - 1)):
            option = self.groups[-1][1][-1]
            option.text = (option.text + " " + line.strip()).strip()
        elif not line.startswith(" "):
            self.groups.append((line, []))
        else:
            sys.exit(f"make-docs: cannot read the help line '{line}'")

    def options(self):
        return [option for _, options in self.groups for option in options]


def ask(binary, *arguments):
    return subprocess.run([binary, *arguments], check=True, capture_output=True, text=True).stdout


def read_commands(binary):
    found = re.findall(r"^  ([a-z]+) {2,}(\S.*)$", ask(binary, "help"), re.M)
    if not found:
        sys.exit("make-docs: the command lists no commands")
    return [Command(name, summary, ask(binary, "help", name)) for name, summary in found]


# ---- manual page ----------------------------------------------------------------------------------------------------


def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def roff_filled(text):
    lines = textwrap.wrap(text, 100, break_on_hyphens=False, break_long_words=False)
    return [roff(line) for line in lines]


def roff_option(option):
    names = ([f"-{option.letter}"] if option.letter else []) + [f"--{option.name}"]
    tag = ", ".join(f"\\fB{roff(name)}\\fR" for name in names)
    if option.value:
        tag += f" \\fI{roff(option.value)}\\fR"
    return [".TP", tag, *roff_filled(option.text[0].upper() + option.text[1:] + ".")]


def manual_part(commands):
    lines = [BEGIN]
    for command in commands:
        lines += [f'.SS "{roff(command.usage)}"', *roff_filled(command.about)]
        for heading, options in command.groups:
            if heading == "Every command":
                continue
            if heading != "Options":
                lines += [".PP", f"\\fI{roff(heading)}\\fR"]
            for option in options:
                lines += roff_option(option)
        if command.example:
            lines += [".PP", "Example:", ".PP", ".RS", roff(command.example), ".RE"]
    lines.append('.SS "Options of every command"')
    for heading, options in commands[0].groups:
        if heading == "Every command":
            for option in options:
                lines += roff_option(option)
    lines.append(END)
    return "\n".join(lines)


def manual(old, commands):
    begin, end = old.find(BEGIN), old.find(END)
    if begin < 0 or end < begin:
        sys.exit("make-docs: docs/vectrail.1 has lost its marker lines")
    return old[:begin] + manual_part(commands) + old[end + len(END) :]


# ---- completions ----------------------------------------------------------------------------------------------------


def bash_completion(commands):
    lines = [
        "# Completion of vectrail in bash. Written by tools/make-docs.py.",
        "_vectrail() {",
        '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" options="" words=""',
        "  COMPREPLY=()",
        "  if [ \"$COMP_CWORD\" -eq 1 ]; then",
        f'    words="help --help --version {" ".join(c.name for c in commands)}"',
        '    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")',
        "    return",
        "  fi",
        '  case "${COMP_WORDS[1]}" in',
        "  help)",
        f'    mapfile -t COMPREPLY < <(compgen -W "{" ".join(c.name for c in commands)}" -- "$word")',
        "    return ;;",
    ]
    for command in commands:
        names = " ".join(name for option in command.options() for name in option.names())
        lines += [f"  {command.name}) options=\"{names}\" ;;"]
    lines += ["  *) return ;;", "  esac", '  case "${COMP_WORDS[1]} $before" in']
    for command in commands:
        for option in command.options():
            if option.choices():
                pattern = " | ".join(f'"{command.name} {name}"' for name in option.names())
                lines += [f"  {pattern}) words=\"{' '.join(option.choices())}\" ;;"]
    lines += [
        "  esac",
        '  if [ -n "$words" ]; then',
        '    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")',
        '  elif [ "${word#-}" != "$word" ]; then',
        '    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")',
        "  else",
        "    compopt -o filenames 2>/dev/null",
        '    mapfile -t COMPREPLY < <(compgen -f -- "$word")',
        "  fi",
        "}",
        "complete -F _vectrail vectrail",
    ]
    return "\n".join(lines) + "\n"


def zsh_quoted(text):
    return text.replace("'", "'\\''").replace("[", "(").replace("]", ")").replace(":", "\\:")


def zsh_action(option):
    if option.choices():
        return f":{option.value.lower()}:({' '.join(option.choices())})"
    if option.value in ("FILE", "FILE..."):
        return ":file:_files"
    if option.value == "DIR":
        return ":folder:_files -/"
    return f":{zsh_quoted(option.value.lower())}:" if option.value else ""


def zsh_completion(commands):
    lines = [
        "#compdef vectrail",
        "# Completion of vectrail in zsh. Written by tools/make-docs.py.",
        "_vectrail() {",
        "  local -a commands",
        "  commands=(",
        "    'help:print help'",
        *[f"    '{c.name}:{zsh_quoted(c.summary)}'" for c in commands],
        "  )",
        "  if (( CURRENT == 2 )); then",
        "    _describe command commands",
        "    return",
        "  fi",
        "  local command=$words[2]",
        "  shift words",
        "  (( CURRENT-- ))",
        "  case $command in",
        "  help) _describe command commands ;;",
    ]
    for command in commands:
        lines.append(f"  {command.name})")
        lines.append("    _arguments \\")
        for option in command.options():
            for name in option.names():
                lines.append(f"      '{name}[{zsh_quoted(option.summary())}]{zsh_action(option)}' \\")
        lines.append("      '*:file:_files' ;;")
    lines += ["  esac", "}", '_vectrail "$@"']
    return "\n".join(lines) + "\n"


def fish_completion(commands):
    def quoted(text):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    lines = ["# Completion of vectrail in fish. Written by tools/make-docs.py."]
    for name, summary in [("help", "print help")] + [(c.name, c.summary) for c in commands]:
        lines.append(f"complete -c vectrail -n __fish_use_subcommand -f -a {name} -d {quoted(summary)}")
    for command in commands:
        for option in command.options():
            line = f"complete -c vectrail -n '__fish_seen_subcommand_from {command.name}' -l {option.name}"
            line += f" -s {option.letter}" if option.letter else ""
            if option.choices():
                line += f" -x -a {quoted(' '.join(option.choices()))}"
            elif option.value in ("FILE", "FILE...", "DIR"):
                line += " -r -F"
            elif option.value:
                line += " -x"
            lines.append(line + f" -d {quoted(option.summary())}")
    return "\n".join(lines) + "\n"


# ---- files ----------------------------------------------------------------------------------------------------------


def write(root, commands, check):
    """The files of one tree; with check those that would change are shown instead. Returns how many would."""
    page, completions = root / "docs/vectrail.1", root / "cmake/completions"
    wanted = {
        page: manual(page.read_text(encoding="utf-8"), commands),
        completions / "vectrail.bash": bash_completion(commands),
        completions / "_vectrail": zsh_completion(commands),
        completions / "vectrail.fish": fish_completion(commands),
    }
    stale = 0
    for path, text in wanted.items():
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old == text:
            continue
        stale += 1
        if check:
            sys.stdout.writelines(
                difflib.unified_diff(old.splitlines(True), text.splitlines(True), str(path), "what the options say")
            )
        else:
            path.write_text(text, encoding="utf-8")
    return stale


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail where something would change")
    parser.add_argument("--root", type=pathlib.Path, action="append", help="another tree; several may be given")
    parser.add_argument("binary")
    arguments = parser.parse_args()
    commands = read_commands(arguments.binary)
    roots = arguments.root or [pathlib.Path(__file__).resolve().parent.parent]
    stale = sum([write(root, commands, arguments.check) for root in roots])
    if arguments.check and stale:
        print("make-docs: run tools/make-docs.py with the new command, and commit what it writes", file=sys.stderr)
        sys.exit(1)


main()
