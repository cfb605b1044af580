#!/usr/bin/env python3
"""Turns results.json into tables in Markdown.

usage: bench/report.py RESULTS.json [--into PAGE.md]

--into: replaces what stands between the lines "<!-- bench: begin -->" and "<!-- bench: end -->" of a page.
"""
import json
import statistics
import sys

BEGIN, END = "<!-- bench: begin -->\n", "<!-- bench: end -->\n"
TITLES = {"skipgram-ns": "skip-gram, negative sampling", "skipgram-hs": "skip-gram, hierarchical softmax",
          "cbow-ns": "CBOW, negative sampling", "cbow-hs": "CBOW, hierarchical softmax"}
EXPORT_TITLES = {"w2v-text": "word2vec text", "w2v-binary": "word2vec binary", "npy": "NumPy"}
# What training may take beside its two tables.
MEMORY_SHARE, MEMORY_BYTES = 1.1, 200e6


class Results:
    def __init__(self, results):
        self.__dict__.update(results)
        self.most = self.settings["threads"][-1]
        self.first = self.settings["dims"][0]
        trained = self.select(program="vectrail", what="train")
        self.tokens = trained[0]["tokens"] if trained else 0

    def select(self, **key):
        key = {"kernel": self.vectrail["kernel"], **key} if key.get("program") == "vectrail" else key
        return [sample for sample in self.samples
                if all(sample.get(name, value) == value for name, value in key.items())]

    def training(self, objective, dim, threads, program="vectrail", **more):
        return self.select(program=program, what="train", objective=objective, dim=dim, threads=threads, **more)

    def rates(self, *key, **more):
        """Words a second of the training phase, one for each round."""
        return [self.tokens / sample["training_seconds"] for sample in self.training(*key, **more)]

    def rate(self, *key, **more):
        return middle(self.rates(*key, **more))

    def peer_ratio(self, objective, peer):
        return ratio(self.rate(objective, self.first, self.most), self.rate(objective, self.first, self.most, peer))


def middle(values):
    return statistics.median(values) if values else None


def ratio(above, below):
    return above / below if above and below else None


def cell(values, scale=1.0, digits=2):
    """The median, and the least and the greatest where there are several."""
    if not values:
        return "-"
    text = f"{middle(values) * scale:.{digits}f}"
    if len(values) > 1:
        text += f" ({min(values) * scale:.{digits}f}–{max(values) * scale:.{digits}f})"
    return text


def times(value):
    return "-" if value is None else f"{value:.2f}x" if value < 10 else f"{value:.1f}x"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]) + "\n"


def plural(count, noun):
    return f"{count} {noun}{'' if count == 1 else 's'}"


# ---- the tables -----------------------------------------------------------------------------------------------------

def conditions(r):
    machine, settings = r.machine, r.settings
    rounds = max((sample["round"] for sample in r.samples), default=0)
    programs = [f"vectrail {r.vectrail['version']} ({r.vectrail['build']}; kernel {r.vectrail['kernel']})"]
    programs += [f"{peer['title']} {peer['version']}" for peer in r.peers.values()]
    lines = [
        f"- Machine: {machine['processor']}, {plural(machine['cores'], 'core')}, {machine['vectors']}, "
        f"{machine['memory_bytes'] / 2**30:.0f} GiB, {machine['system']}; {machine['date']}.",
        f"- Programs: {'; '.join(programs)}.",
        f"- Text: {r.corpus['name']}, {r.tokens / 1e6:.1f} million words that have a vector, "
        f"{r.corpus['bytes'] / 1e6:.1f} MB.",
        f"- Settings of all: window {settings['window']}, {settings['negative']} noise words, sample "
        f"{settings['sample']:g}, words from {settings['min_count']} times on, 1 epoch; vectrail records as by default.",
        f"- {plural(rounds, 'round')}; figures are medians" + (", with the least and the greatest." if rounds > 1 else "."),
    ]
    others = [sample["others"] for sample in r.samples if sample["others"] is not None and sample["seconds"] > 0.5]
    if others:
        lines.append(f"- Other programs used {100 * middle(others):.0f}% of the processors in the median, "
                     f"{100 * max(others):.0f}% at most, while these ran.")
    return "\n".join(lines) + "\n"


def training_table(r):
    threads = r.settings["threads"]
    rows = []
    for objective in r.settings["objectives"]:
        for dim in r.settings["dims"]:
            rates = [r.rates(objective, dim, count) for count in threads]
            row = [TITLES[objective], dim, *(cell(values, 1e-6) for values in rates)]
            if len(threads) > 1:
                row.append(times(ratio(middle(rates[-1]), middle(rates[0]))))
            rows.append(row)
    head = ["objective", "d", *(plural(count, "thread") for count in threads)]
    if len(threads) > 1:
        head.append(f"{threads[-1]} against {threads[0]}")
    return "### Training, million words a second\n\n" + table(head, rows)


def kernels_table(r):
    key = ("skipgram-ns", r.first, r.most)
    others = sorted({s["kernel"] for s in r.select(what="train") if "kernel" in s} - {r.vectrail["kernel"]})
    if not others:
        return ""
    rows = [[r.vectrail["kernel"], cell(r.rates(*key), 1e-6), ""]]
    for kernel in others:
        rates = r.rates(*key, kernel=kernel)
        rows.append([kernel, cell(rates, 1e-6), times(ratio(middle(rates), r.rate(*key)))])
    return (f"### Kernels, million words a second (skip-gram, negative sampling, d {r.first})\n\n"
            + table(["kernel", plural(r.most, "thread"), f"against {r.vectrail['kernel']}"], rows))


def peers_table(r):
    if not r.peers:
        return ""
    rows = []
    for objective in r.settings["objectives"]:
        row = [TITLES[objective], cell(r.rates(objective, r.first, r.most), 1e-6)]
        for peer in r.peers:
            row += [cell(r.rates(objective, r.first, r.most, peer), 1e-6, 3), times(r.peer_ratio(objective, peer))]
        rows.append(row)
    head = ["objective", "vectrail"]
    for peer in r.peers.values():
        head += [peer["title"], "ratio"]
    return (f"### Beside others, million words a second (d {r.first}, {plural(r.most, 'thread')})\n\n"
            + table(head, rows))


def process_table(r):
    rows = []
    for objective in r.settings["objectives"]:
        for name in ["vectrail", *r.peers]:
            for dim in r.settings["dims"]:
                found = r.training(objective, dim, r.most, name)
                if not found:
                    continue
                title = r.peers[name]["title"] if name in r.peers else name
                limit = f"{memory_limit(found[0]) / 1e6:.0f}" if name == "vectrail" else ""
                rows.append([title, TITLES[objective], dim, cell([s["seconds"] for s in found]),
                             cell([s["peak_bytes"] for s in found], 1e-6, 0), limit])
    return (f"### Whole process: reading, training, recording, saving ({plural(r.most, 'thread')})\n\n"
            + table(["program", "objective", "d", "seconds", "peak memory, MB", "tables + 10% + 200 MB"], rows))


def reading_table(r):
    rows = []
    for threads in r.settings["threads"]:
        speeds = [s["reading_bytes_per_second"] for s in r.select(program="vectrail", what="train", threads=threads)]
        rows.append(["vectrail", threads, cell(speeds, 1e-6, 0)])
    for name, peer in r.peers.items():
        speeds = [r.corpus["bytes"] / s["reading_seconds"] for s in r.select(program=name, what="train")]
        rows.append([peer["title"], r.most, cell(speeds, 1e-6, 0)])
    return ("### Reading, MB a second\n\nCounting the words, choosing the vocabulary and, in vectrail, writing the text as "
            "numbers.\n\n" + table(["program", "threads", "MB/s"], rows))


def softmax_table(r):
    rows = []
    for threads in r.settings["threads"]:
        found = r.select(program="vectrail", what="softmax", threads=threads)
        if not found:
            continue
        pairs = [s["gradient"] / (6 * s["words"] * s["dim"]) for s in found]
        rows.append([threads, *(cell([s[part] for s in found], 1e-9, 0) for part in ("peak", "products", "gradient")),
                     cell([100 * s["products"] / s["peak"] for s in found], 1, 0),
                     cell([100 * s["gradient"] / s["peak"] for s in found], 1, 0), cell(pairs, 1e-3, 1)])
    if not rows:
        return ""
    first = r.select(program="vectrail", what="softmax")[0]
    return (f"### Exact softmax ({first['words']:,} words, d {first['dim']}, batches of {first['batch']} pairs)\n\n"
            "GFLOP/s: the BLAS alone on square matrices (the machine's peak), the three products of a batch, and the whole "
            "gradient with its exponentials and sums, counting the products only.\n\n"
            + table(["threads", "peak", "products", "gradient", "products, % of peak", "gradient, % of peak",
                     "thousand pairs/s"], rows))


def softmax_share(r):
    found = r.select(program="vectrail", what="softmax", threads=r.most)
    return middle([100 * s["products"] / s["peak"] for s in found]) if found else None


def questions_table(r):
    found = {name: r.select(program="vectrail", what=name) for name in ("start", "neighbors")}
    rows = [["start of the command (`--version`), ms", cell([s["seconds"] for s in found["start"]], 1e3, 1)],
            ["`neighbors`, one word, whole process, ms", cell([s["seconds"] for s in found["neighbors"]], 1e3, 1)],
            ["`neighbors`, each further word, ms", cell([s["each_seconds"] for s in found["neighbors"]], 1e3)]]
    for form, title in EXPORT_TITLES.items():
        exported = r.select(program="vectrail", what="export", format=form)
        size = f", {exported[0]['bytes'] / 1e6:.0f} MB" if exported else ""
        rows.append([f"`export`, {title}{size}, whole process, ms", cell([s["seconds"] for s in exported], 1e3, 1)])
    return "### Questions and exports, 50,000 vectors of length 100\n\n" + table(["what", "time"], rows)


def accuracy_table(r):
    if not r.accuracy:
        return ""
    tests = list(r.accuracy[0]["scores"])
    rows = []
    for entry in sorted(r.accuracy, key=lambda entry: r.settings["objectives"].index(entry["objective"])):
        title = r.peers[entry["program"]]["title"] if entry["program"] in r.peers else entry["program"]
        scores = [entry["scores"].get(test) for test in tests]
        rows.append([TITLES[entry["objective"]], title, *("-" if s is None else f"{100 * s:.1f}" for s in scores)])
    epochs = plural(r.accuracy[0]["epochs"], "epoch")
    return (f"### Accuracy (d {r.accuracy[0]['dim']}, {epochs})\n\nSpearman's rank correlation times 100 for the sets of "
            "pairs, percent for the analogies ([metrics](metrics.md)).\n\n" + table(["objective", "program", *tests], rows))


# ---- what is aimed at -----------------------------------------------------------------------------------------------

def memory_limit(sample):
    return MEMORY_SHARE * sample["tables_bytes"] + MEMORY_BYTES


def memory_used(r):
    """Peak memory against its limit, where it comes nearest."""
    shares = [sample["peak_bytes"] / memory_limit(sample) for sample in r.select(program="vectrail", what="train")]
    return max(shares) if shares else None


def whole_process(r):
    seconds = middle([sample["seconds"] for sample in r.training("skipgram-ns", 100, r.most)])
    return r.tokens / seconds / 1e6 if seconds else None


def reading(r):
    speeds = [s["reading_bytes_per_second"] for s in r.select(program="vectrail", what="train", threads=r.most)]
    return middle(speeds) / 1e6 if speeds else None


def millions(rate):
    return rate / 1e6 if rate else None


def aims(r):
    """(what, aim, unit, measured). All but memory are to be at least the aim."""
    def rate(objective, dim):
        return millions(r.rate(objective, dim, r.most))

    threads = ratio(r.rate("skipgram-ns", r.first, 2), r.rate("skipgram-ns", r.first, 1))
    avx2 = ratio(r.rate("skipgram-ns", r.first, r.most, kernel="avx2"),
                 r.rate("skipgram-ns", r.first, r.most, kernel="avx512"))
    return [
        ("skip-gram, negative sampling, d 100", 9, " million words/s", rate("skipgram-ns", 100)),
        ("skip-gram, negative sampling, d 300", 4.5, " million words/s", rate("skipgram-ns", 300)),
        ("skip-gram against fastText", 28, "x", r.peer_ratio("skipgram-ns", "fasttext")),
        ("skip-gram against gensim", 16, "x", r.peer_ratio("skipgram-ns", "gensim")),
        ("CBOW, negative sampling, d 100", 11, " million words/s", rate("cbow-ns", 100)),
        ("CBOW against gensim", 4, "x", r.peer_ratio("cbow-ns", "gensim")),
        ("skip-gram, hierarchical softmax, d 100", 4.2, " million words/s", rate("skipgram-hs", 100)),
        ("exact softmax, its products, of the BLAS's peak", 60, "%", softmax_share(r)),
        ("2 threads against 1", 1.8, "x", threads),
        ("AVX2 kernel against AVX-512", 0.5, "x", avx2),
        ("whole process, skip-gram, d 100", 6.5, " million words/s", whole_process(r)),
        ("reading", 400, " MB/s", reading(r)),
        ("peak memory, of tables + 10% + 200 MB", 1, "x", memory_used(r)),
    ]


def aims_table(r):
    rows = []
    for what, aim, unit, value in aims(r):
        least = not what.startswith("peak memory")
        verdict = "not measured"
        if value is not None:
            verdict = "reached" if (value >= aim if least else value <= aim) else f"{100 * abs(value / aim - 1):.0f}% off"
        rows.append([what, f"{'at least' if least else 'at most'} {aim:g}{unit}",
                     "-" if value is None else f"{value:.3g}{unit}", verdict])
    return "### Aims\n\nSet for 2 cores with AVX-512.\n\n" + table(["what", "aim", "here", ""], rows)


def markdown(results):
    r = Results(results)
    parts = [conditions(r), training_table(r), kernels_table(r), peers_table(r), process_table(r), reading_table(r),
             softmax_table(r), questions_table(r), accuracy_table(r), aims_table(r)]
    return "\n".join(part for part in parts if part)


def main(arguments):
    if len(arguments) not in (1, 3) or (len(arguments) == 3 and arguments[1] != "--into"):
        sys.exit(__doc__.split("\n\n")[1])
    with open(arguments[0], encoding="utf-8") as file:
        tables = markdown(json.load(file))
    if len(arguments) == 1:
        print(tables, end="")
        return
    with open(arguments[2], encoding="utf-8") as file:
        before, begin, rest = file.read().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"report: {arguments[2]} has no lines {BEGIN.strip()} and {END.strip()}")
    with open(arguments[2], "w", encoding="utf-8") as file:
        file.write(f"{before}{begin}\n{tables}\n{end}{after}")


if __name__ == "__main__":
    main(sys.argv[1:])
