#!/usr/bin/env python3
"""Measures reading, training, searching and exporting, beside fastText and gensim where they are installed.

Everything is run in rounds, one after the other within a round, so that a machine that is busy for a while is so for
all; figures are medians over the rounds. What is measured is written as JSON as it comes in, and at the end as tables in
Markdown, which are printed too (bench/report.py makes them again). Needs Python 3.9 or later alone.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import measure  # noqa: E402
import programs  # noqa: E402
import report  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
EXPORTS = ("w2v-text", "w2v-binary", "npy")


def numbers(text):
    values = [int(part) for part in text.split(",")]
    if min(values) < 1:
        raise ValueError
    return values


def names(known):
    def parse(text):
        values = [] if text == "none" else text.split(",")
        for value in values:
            if value not in known:
                raise argparse.ArgumentTypeError(f"'{value}' is not one of {', '.join(known)}")
        return values

    return parse


def options():
    parser = argparse.ArgumentParser(prog="bench/bench.py", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("vectrail", help="the command to measure")
    add("--corpus", metavar="FILE", help="text to train on, one sentence a line; else one is generated")
    add("--corpus-name", metavar="TEXT", help="how the tables call it [the name of the file]")
    add("--words", type=int, metavar="N", help="words to generate [8000000]")
    add("--rounds", type=int, metavar="N", help="how many times everything is run [3]")
    add("--minutes", type=float, default=15, metavar="N", help="begin no round that would end later than this [15]")
    add("--dims", type=numbers, metavar="N,...", help="lengths of vectors; peers train at the first alone [100,300]")
    add("--threads", type=numbers, default=sorted({1, measure.cores()}), metavar="N,...",
        help="numbers of threads; peers train with the last alone [1 and all]")
    add("--objectives", type=names(programs.OBJECTIVES), default=list(programs.OBJECTIVES), metavar="NAME,...",
        help=f"what to train [{','.join(programs.OBJECTIVES)}]")
    add("--peers", type=names(programs.PEERS), default=list(programs.PEERS), metavar="NAME,...|none",
        help=f"other trainers, where they are installed [{','.join(programs.PEERS)}]")
    add("--quick", action="store_true", help="one round, d 100, a million words: to see that it works")
    add("--similarity", nargs="+", default=[], metavar="FILE", help="also score accuracy: pairs of words with scores")
    add("--analogy", metavar="FILE", help="also score accuracy: questions in word2vec's format")
    add("--epochs", type=int, default=5, metavar="N", help="epochs of the trainings that are scored [5]")
    add("--output", default=os.path.join(HERE, "..", "build", "bench"), metavar="DIR",
        help="where results.json and results.md go [build/bench]")
    asked = parser.parse_args()
    asked.words = asked.words or (1_000_000 if asked.quick else 8_000_000)
    asked.rounds = asked.rounds or (1 if asked.quick else 3)
    asked.dims = asked.dims or ([100] if asked.quick else [100, 300])
    if asked.words < 1 or asked.rounds < 1 or asked.epochs < 1:
        parser.error("--words, --rounds and --epochs are at least 1")
    if asked.corpus is not None and not os.path.isfile(asked.corpus):
        parser.error(f"{asked.corpus}: not a file")
    return asked


def say(text):
    print(text, file=sys.stderr, flush=True)


def find_peers(asked, folder):
    found = []
    for name in asked.peers:
        try:
            found.append(programs.PEERS[name](folder))
        except measure.Failed as failure:
            say(f"bench: {failure}")
    return found


def plan(asked, vectrail, peers, corpus):
    """[(key, function that measures once)]. What is compared with each other stands side by side."""
    tasks = []

    def training(program, objective, dim, threads, **more):
        key = {"program": program.name, "what": "train", "objective": objective, "dim": dim, "threads": threads, **more}
        tasks.append((key, lambda: program.train(corpus, objective, dim, threads, **more)))

    first, most = asked.dims[0], asked.threads[-1]
    for objective in asked.objectives:
        for dim in asked.dims:
            for threads in reversed(asked.threads):
                training(vectrail, objective, dim, threads)
            if (objective, dim) == ("skipgram-ns", first):
                for kernel in vectrail.other_kernels:
                    training(vectrail, objective, dim, most, kernel=kernel)
            for peer in peers:
                if dim == first and peer.trains(objective):
                    training(peer, objective, dim, most)
    for threads in reversed(asked.threads):
        tasks.append(({"program": "vectrail", "what": "softmax", "threads": threads},
                      lambda threads=threads: vectrail.softmax(threads, *([0.01] if asked.quick else []))))
    tasks.append(({"program": "vectrail", "what": "start"}, vectrail.start))
    tasks.append(({"program": "vectrail", "what": "neighbors"}, vectrail.neighbors))
    for form in EXPORTS:
        tasks.append(({"program": "vectrail", "what": "export", "format": form}, lambda form=form: vectrail.export(form)))
    return tasks


def run_round(number, tasks, results, save):
    """A peer that fails is told of and left out from then on; when vectrail fails, all ends."""
    for task in list(tasks):
        key, once = task
        label = " ".join(str(value) for value in key.values())
        try:
            figures = once()
        except measure.Failed as failure:
            if key["program"] == "vectrail":
                raise
            say(f"bench: {failure}")
            tasks.remove(task)
            continue
        say(f"round {number}: {label}: {figures.get('training_seconds', figures['seconds']):.3f} s")
        results["samples"].append({**key, "round": number, **figures})
        save()


def run_rounds(asked, tasks, results, save):
    longest, began = 0.0, time.monotonic()
    for number in range(1, asked.rounds + 1):
        start = time.monotonic()
        if number > 1 and start - began + longest > 60 * asked.minutes:
            say(f"bench: {number - 1} of {asked.rounds} rounds: the next would end after --minutes {asked.minutes:g}")
            return
        run_round(number, tasks, results, save)
        longest = max(longest, time.monotonic() - start)


def score(asked, trainers, corpus, folder, results):
    """Vectors of all by the same definitions: vectrail's by its own eval, the others' by evaluate.py."""
    tests = []
    if asked.similarity:
        tests += [argument for path in asked.similarity for argument in ("--similarity", path)]
    if asked.analogy:
        tests += ["--analogy", asked.analogy]
    python = programs.evaluator()
    for objective in asked.objectives:
        for trainer in trainers:
            if not trainer.trains(objective) or (trainer.name != "vectrail" and python is None):
                continue
            say(f"accuracy: {trainer.name} {objective}, {asked.epochs} epochs")
            vectors = os.path.join(folder, "vectors.txt")
            trainer.train(corpus, objective, asked.dims[0], asked.threads[-1], epochs=asked.epochs, vectors=vectors)
            if trainer.name == "vectrail":
                scores = trainer.evaluate(tests)
            else:
                command = [python, os.path.join(HERE, "evaluate.py"), vectors]
                command += ["--similarity", *asked.similarity] if asked.similarity else []
                command += ["--analogy", asked.analogy] if asked.analogy else []
                scores = json.loads(measure.run(command).out)
            figures = {os.path.splitext(os.path.basename(path))[0]: found["spearman"]
                       for path, found in scores.get("similarity", {}).items()}
            figures.update({f"analogy, {part}": scores["analogy"][part] for part in ("all", "semantic", "syntactic")
                            if asked.analogy})
            results["accuracy"].append({"program": trainer.name, "objective": objective, "dim": asked.dims[0],
                                        "epochs": asked.epochs, "scores": figures})


def prepare_corpus(asked, folder):
    """(path, how the tables call it), read once so that it lies in memory."""
    path, name = asked.corpus, asked.corpus_name
    if path is None:
        path = os.path.join(folder, "corpus.txt")
        name = name or "generated text (bench/zipf.py)"
        subprocess.run([sys.executable, os.path.join(HERE, "zipf.py"), path, str(asked.words)], check=True)
    with open(path, "rb") as file:
        while file.read(1 << 20):
            pass
    return path, name or os.path.basename(path)


def bench(asked, folder):
    os.makedirs(asked.output, exist_ok=True)
    vectrail = programs.Vectrail(os.path.abspath(asked.vectrail), folder)
    peers = find_peers(asked, folder)
    corpus, name = prepare_corpus(asked, folder)
    table = os.path.join(folder, "table.txt")
    subprocess.run([sys.executable, os.path.join(HERE, "zipf.py"), table, "each", str(programs.ROWS)], check=True)
    vectrail.make_table(table)
    results = {
        "machine": measure.machine(),
        "vectrail": {"version": vectrail.version, "build": vectrail.build, "kernel": vectrail.kernel},
        "peers": {peer.name: {"title": peer.title, "version": peer.version} for peer in peers},
        "corpus": {"name": name, "bytes": os.path.getsize(corpus)},
        "settings": {"dims": asked.dims, "threads": asked.threads, "objectives": asked.objectives,
                     "window": programs.WINDOW, "negative": programs.NEGATIVE, "sample": programs.SAMPLE,
                     "min_count": programs.MIN_COUNT},
        "samples": [],
        "accuracy": [],
    }

    def save():
        with open(os.path.join(asked.output, "results.json"), "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)

    run_rounds(asked, plan(asked, vectrail, peers, corpus), results, save)
    if asked.similarity or asked.analogy:
        score(asked, [vectrail, *peers], corpus, folder, results)
        save()
    tables = report.markdown(results)
    with open(os.path.join(asked.output, "results.md"), "w", encoding="utf-8") as file:
        file.write(tables)
    print(tables, end="")


def stop(number, _frame):
    """Ends as by an interrupt, so that what was started is stopped and the temporary folder goes."""
    raise SystemExit(128 + number)


def main():
    asked = options()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        with tempfile.TemporaryDirectory(prefix="vectrail-bench.") as folder:
            bench(asked, folder)
    except measure.Failed as failure:
        sys.exit(f"bench: {failure}")


if __name__ == "__main__":
    main()
