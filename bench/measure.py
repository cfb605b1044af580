"""Runs one program and says what it took; describes the machine.

The peak memory of a process can never be less than that of the process that started it, by the way Linux counts. So
this program stays small: it imports little, and whatever takes memory runs as a process of its own.
"""
import os
import subprocess
import tempfile
import time


class Failed(Exception):
    """A program that ended with an error."""


class Measured:
    """What one process took. out is its standard output; lines are (seconds since its start, text) of standard error,
    where a carriage return ends a line too; others is the share of all processors that other programs used meanwhile
    (None where the system does not tell)."""

    def __init__(self, seconds, usage, others, out, lines):
        self.seconds = seconds
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        self.peak_bytes = usage.ru_maxrss * 1024
        self.others = others
        self.out = out
        self.lines = lines

    def figures(self):
        return {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds, "peak_bytes": self.peak_bytes,
                "others": self.others}


def busy_seconds():
    """Processor time that all programs, and other machines on the same hardware, have used since the start."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            fields = [int(field) for field in file.readline().split()[1:9]]
    except OSError:
        return None
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = fields
    return (user + nice + system + interrupts + soft_interrupts + stolen) / os.sysconf("SC_CLK_TCK")


def read_lines(pipe, start):
    lines, rest = [], b""
    while True:
        part = os.read(pipe.fileno(), 65536)
        now = time.monotonic() - start
        *whole, rest = (rest + part).replace(b"\r", b"\n").split(b"\n")
        lines += [(now, line.decode(errors="replace")) for line in whole if line]
        if not part:
            if rest:
                lines.append((now, rest.decode(errors="replace")))
            return lines


def run(command):
    """Runs command to its end. Raises Failed where it cannot be run or says that it failed."""
    with tempfile.TemporaryFile() as out:
        busy, own, start = busy_seconds(), time.process_time(), time.monotonic()
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)
        except OSError as error:
            raise Failed(f"{command[0]}: {error.strerror}") from error
        try:
            with process.stderr:
                lines = read_lines(process.stderr, start)
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # an interrupt, too: nothing goes on without us
            process.kill()
            process.wait()
            raise
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said = "; ".join(line for _, line in lines[-2:])
            raise Failed(f"{' '.join(command)}: ended with {process.returncode}: {said}")
        others = None
        if busy is not None:
            own = time.process_time() - own + usage.ru_utime + usage.ru_stime
            share = (busy_seconds() - busy - own) / (seconds * os.cpu_count())
            others = min(1.0, max(0.0, share))  # the system counts in ticks: a short run may come out beyond
        out.seek(0)
        return Measured(seconds, usage, others, out.read().decode(errors="replace"), lines)


def cores():
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


def machine():
    """What a reader needs to know about where the figures come from."""
    facts = {"model name": "unknown processor", "flags": ""}
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name.strip() in facts:
                facts[name.strip()] = value.strip()
    flags = facts["flags"].split()
    return {
        "processor": facts["model name"],
        "cores": cores(),
        "vectors": next((name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), "neither"),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{os.uname().sysname} {os.uname().machine}",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
