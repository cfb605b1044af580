"""The programs that are timed: how each is called, and how what it took is read from what it says.

Words per second are those of the training phase, without reading the text and writing the vectors: words of the text
that have a vector (the same ones for every program: what stands between blanks, from --min-count on), over the time
between the first step and the last, as vectrail and gensim tell it and as fastText's progress shows it.
"""
import json
import os
import shutil
import subprocess
import sys

import measure

HERE = os.path.dirname(os.path.abspath(__file__))
# name: (model, loss, learning rate that the papers' program would begin with)
OBJECTIVES = {
    "skipgram-ns": ("skipgram", "ns", 0.025),
    "skipgram-hs": ("skipgram", "hs", 0.025),
    "cbow-ns": ("cbow", "ns", 0.05),
    "cbow-hs": ("cbow", "hs", 0.05),
}
WINDOW, NEGATIVE, SAMPLE, MIN_COUNT = 5, 5, 1e-4, 5
ROWS, DIM, QUERIES = 50_000, 100, 100  # of the vectors that are searched and exported


class Vectrail:
    name = "vectrail"

    def __init__(self, path, folder):
        self.path, self.folder = path, folder
        said = self.call("--version").out.splitlines()
        self.version = said[0].removeprefix("vectrail ")
        self.build = next((line.partition(": ")[2] for line in said if line.startswith("build: ")), "unknown")
        kernels = json.loads(self.call("info", "--kernels", "--json").out)["kernels"]
        self.kernel = next(kernel["name"] for kernel in kernels if kernel["chosen"])
        self.other_kernels = [kernel["name"] for kernel in kernels
                              if kernel["runs_here"] and kernel["name"] not in (self.kernel, "reference")]

    def call(self, *arguments):
        return measure.run([self.path, *arguments])

    def trains(self, _objective):
        return True

    def train(self, corpus, objective, dim, threads, epochs=1, kernel=None, vectors=None, run="run", options=()):
        model, loss, _ = OBJECTIVES[objective]
        command = ["train", corpus, "--run", os.path.join(self.folder, run), "--force", "--tokens", "space",
                   "--model", model, "--loss", loss, "--dim", str(dim), "--window", str(WINDOW), "--negative",
                   str(NEGATIVE), "--sample", str(SAMPLE), "--min-count", str(MIN_COUNT), "--epochs", str(epochs),
                   "--threads", str(threads), "--quiet", "--json", *options]
        if kernel is not None:
            command += ["--kernel", kernel]
        took = self.call(*command)
        said = json.loads(took.out)
        if vectors is not None:
            self.call("export", os.path.join(self.folder, run), "-o", vectors, "--format", "w2v-text")
        return {**took.figures(), "words_per_second": said["words_per_second"], "tokens": said["tokens"] // epochs,
                "training_seconds": said["seconds"], "reading_seconds": said["reading_seconds"],
                "reading_bytes_per_second": said["text_bytes"] / said["reading_seconds"], "kernel": said["kernel"],
                "tables_bytes": 2 * 4 * dim * said["vocabulary"]}

    def evaluate(self, tests, run="run"):
        return json.loads(self.call("eval", os.path.join(self.folder, run), *tests, "--json").out)

    def make_table(self, corpus):
        """A run of ROWS vectors of length DIM, to search and to export."""
        self.train(corpus, "skipgram-ns", DIM, measure.cores(), run="table",
                   options=["--min-count", "1", "--sample", "0", "--snapshots", "2"])

    def start(self):
        return self.call("--version").figures()

    def neighbors(self):
        """The command with one word, and with many more: what each of those adds is the search alone."""
        run = os.path.join(self.folder, "table")
        words = [f"w{rank}" for rank in range(0, ROWS, ROWS // (QUERIES + 1))][: QUERIES + 1]
        one = self.call("neighbors", run, words[0])
        many = self.call("neighbors", run, *words)
        return {**one.figures(), "each_seconds": (many.seconds - one.seconds) / QUERIES}

    def softmax(self, threads, *seconds):
        """The exact softmax's matrix products, against those of the BLAS alone (bench/softmax_speed.c, whose rounds take as
        long as it says where no seconds are named)."""
        speed = os.path.join(os.path.dirname(self.path), "tests", "softmax_speed")
        took = measure.run([speed, str(threads), *map(str, seconds)])
        return {**took.figures(), **json.loads(took.out)}

    def export(self, form):
        target = os.path.join(self.folder, "exported")
        took = self.call("export", os.path.join(self.folder, "table"), "-o", target, "--format", form)
        return {**took.figures(), "bytes": os.path.getsize(target)}


class FastText:
    """Debian's package fasttext. It tells its speed a thread and rounds it, so its progress is timed instead."""

    name = "fasttext"
    title = "fastText"

    def __init__(self, folder):
        self.folder = folder
        self.path = shutil.which("fasttext")
        if self.path is None:
            raise measure.Failed("fasttext: not installed (Debian's package fasttext)")
        self.version = "unknown version"
        if shutil.which("dpkg-query"):
            asked = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "fasttext"], text=True, check=False,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            self.version = asked.stdout or self.version

    def trains(self, objective):
        return OBJECTIVES[objective][1] == "ns"

    def train(self, corpus, objective, dim, threads, epochs=1, vectors=None):
        model, loss, rate = OBJECTIVES[objective]
        output = os.path.join(self.folder, "fasttext")
        took = measure.run([self.path, model, "-input", corpus, "-output", output, "-dim", str(dim), "-ws", str(WINDOW),
                            "-neg", str(NEGATIVE), "-t", str(SAMPLE), "-minCount", str(MIN_COUNT), "-epoch", str(epochs),
                            "-lr", str(rate), "-loss", loss, "-thread", str(threads), "-maxn", "0"])
        if vectors is not None:
            os.replace(output + ".vec", vectors)
        read = [at for at, line in took.lines if line.startswith("Number of labels")]
        trained = [at for at, line in took.lines if line.startswith("Progress: 100")]
        if not read or not trained:
            raise measure.Failed("fasttext: its progress is not what it was in version 0.9.2")
        return {**took.figures(), "reading_seconds": read[0], "training_seconds": trained[-1] - read[0]}


class Gensim:
    """Debian's package python3-gensim, by whichever Python has it."""

    name = "gensim"
    title = "gensim"

    def __init__(self, _folder):
        self.python = next((python for python in (sys.executable, "/usr/bin/python3") if self.imports(python)), None)
        if self.python is None:
            raise measure.Failed("gensim: not installed (Debian's package python3-gensim)")
        self.version = subprocess.run([self.python, "-c", "import gensim; print(gensim.__version__)"], text=True,
                                      check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip()

    @staticmethod
    def imports(python):
        return os.access(python, os.X_OK) and subprocess.run(
            [python, "-c", "import gensim"], check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL).returncode == 0

    def trains(self, _objective):
        return True

    def train(self, corpus, objective, dim, threads, epochs=1, vectors=None):
        model, loss, rate = OBJECTIVES[objective]
        settings = {"sg": int(model == "skipgram"), "hs": int(loss == "hs"), "negative": NEGATIVE if loss == "ns" else 0,
                    "vector_size": dim, "window": WINDOW, "sample": SAMPLE, "min_count": MIN_COUNT, "epochs": epochs,
                    "alpha": rate, "workers": threads}
        took = measure.run([self.python, os.path.join(HERE, "gensim_train.py"), corpus, json.dumps(settings),
                            *([vectors] if vectors is not None else [])])
        said = json.loads(took.out)
        if not said["compiled"]:
            raise measure.Failed("gensim: its compiled part is missing, and without it it is no peer")
        return {**took.figures(), "reading_seconds": said["reading_seconds"],
                "training_seconds": said["training_seconds"], "tokens": said["tokens"]}


PEERS = {"fasttext": FastText, "gensim": Gensim}


def evaluator():
    """A Python that has numpy, or None."""
    for python in (sys.executable, "/usr/bin/python3"):
        if os.access(python, os.X_OK) and subprocess.run([python, "-c", "import numpy"], check=False,
                                                         stderr=subprocess.DEVNULL).returncode == 0:
            return python
    return None
