#!/usr/bin/env python3
"""A PyTorch training whose embedding table is watched by vectrail while it trains.

    python3 examples/pytorch_watch.py text.txt --run runs/torch

Each checkpoint is a safetensors file, written beside its place and renamed, so that whoever sees it sees all of it; then
`vectrail import --append` makes it the next snapshot of the run. From the first one on every reading command works:

    vectrail similarity runs/torch king queen --over-time
    vectrail neighbors runs/torch king --step 0

`write_safetensors`, `write_words` and `Watch` are all that is needed in a training of your own; they use nothing but the
standard library and ask of a table that it has shape, dtype and bytes, so a NumPy array will do as well as a tensor.
"""

import argparse
import collections
import json
import os
import pathlib
import struct
import subprocess
import sys

try:
    import torch
except ImportError:  # the writing and watching below works without it
    torch = None

# ---- what a training of your own takes from here --------------------------------------------------------------------

DTYPES = {"float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64"}


def table_bytes(table):
    """Shape, name of the type, and little-endian bytes of a tensor of PyTorch or an array of NumPy."""
    if torch is not None and isinstance(table, torch.Tensor):
        table = table.detach().to("cpu").contiguous()
        dtype = str(table.dtype).removeprefix("torch.")
        if table.dtype == torch.bfloat16:  # NumPy does not know it; its bits are those of a 16-bit integer
            table = table.view(torch.int16)
        return tuple(table.shape), DTYPES[dtype], table.numpy().tobytes()
    return tuple(table.shape), DTYPES[str(table.dtype)], table.tobytes()


def replace_file(path, pieces):
    """Writes pieces beside path, syncs and renames: path is the old file or the new one, never half of it."""
    path = pathlib.Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(beside, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_safetensors(path, tensors):
    """{name: table} as a safetensors file: 8 bytes of header length, a JSON header, the data."""
    header, data, offset = {}, [], 0
    for name, table in tensors.items():
        shape, dtype, raw = table_bytes(table)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + len(raw)]}
        data.append(raw)
        offset += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    replace_file(path, [struct.pack("<Q", len(text)), text, *data])


def write_words(path, words):
    """A word a line, in the order of the rows."""
    for word in words:
        if not word or "\n" in word or "\r" in word:
            raise ValueError(f"a word a line: {word!r} cannot be written")
    replace_file(path, ["".join(f"{word}\n" for word in words).encode()])


class Watch:
    """Hands checkpoints of an embedding table to vectrail, one after the other."""

    def __init__(self, run, words, folder, tensor="embedding.weight", vectrail="vectrail"):
        self.run, self.tensor, self.vectrail = str(run), tensor, vectrail
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.words = self.folder / "words.txt"
        write_words(self.words, words)
        self.begun = False

    def checkpoint(self, step, table):
        """Writes the table as a checkpoint of this step and imports it."""
        path = self.folder / f"step_{step}.safetensors"
        write_safetensors(path, {self.tensor: table})
        command = [self.vectrail, "import", str(path), "--run", self.run, "--steps", str(step), "--quiet"]
        command += ["--vocab", str(self.words), "--tensor", self.tensor]
        command += ["--append"] if self.begun else ["--force"]
        subprocess.run(command, check=True)
        self.begun = True


# ---- a training to watch: skip-gram with negative sampling ----------------------------------------------------------


def read_corpus(path, min_count):
    """The vocabulary, most frequent first, its counts, and the sentences as numbers."""
    with open(path, encoding="utf-8") as file:
        sentences = [line.split() for line in file]
    counts = collections.Counter(word for sentence in sentences for word in sentence)
    words = sorted((w for w in counts if counts[w] >= min_count), key=lambda w: (-counts[w], w))
    numbers = {word: number for number, word in enumerate(words)}
    sentences = [[numbers[word] for word in sentence if word in numbers] for sentence in sentences]
    return words, [counts[word] for word in words], sentences


def pairs_of(sentences, window):
    """Every centre with every word of its window."""
    pairs = []
    for sentence in sentences:
        for at, centre in enumerate(sentence):
            for other in range(max(0, at - window), min(len(sentence), at + window + 1)):
                if other != at:
                    pairs.append((centre, sentence[other]))
    return pairs


def train(arguments):
    torch.manual_seed(arguments.seed)
    words, counts, sentences = read_corpus(arguments.corpus, arguments.min_count)
    pairs = pairs_of(sentences, arguments.window)
    if not pairs:
        sys.exit("pytorch_watch: no word has another one in its window")
    pairs = torch.tensor(pairs)
    noise = torch.tensor(counts, dtype=torch.float64) ** 0.75
    embedding = torch.nn.Embedding(len(words), arguments.dim)
    output = torch.nn.Embedding(len(words), arguments.dim)
    torch.nn.init.uniform_(embedding.weight, -0.5 / arguments.dim, 0.5 / arguments.dim)
    torch.nn.init.zeros_(output.weight)
    optimizer = torch.optim.Adam([*embedding.parameters(), *output.parameters()], lr=arguments.lr)
    watch = Watch(arguments.run, words, arguments.checkpoints, vectrail=arguments.vectrail)
    step = 0
    watch.checkpoint(step, embedding.weight)
    for epoch in range(arguments.epochs):
        for batch in torch.randperm(len(pairs)).split(arguments.batch):
            centre, context = pairs[batch, 0], pairs[batch, 1]
            negative = torch.multinomial(noise, len(batch) * arguments.negative, replacement=True)
            v = embedding(centre)
            near = (v * output(context)).sum(dim=1)
            far = torch.bmm(output(negative.view(len(batch), -1)), v.unsqueeze(2)).squeeze(2)
            logsigmoid = torch.nn.functional.logsigmoid
            loss = -(logsigmoid(near) + logsigmoid(-far).sum(dim=1)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step % arguments.every == 0:
                watch.checkpoint(step, embedding.weight)
                print(f"epoch={epoch + 1} step={step} loss={loss.item():.4f}", file=sys.stderr)
    if step % arguments.every != 0:
        watch.checkpoint(step, embedding.weight)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", help="text, a sentence a line, words with spaces between")
    parser.add_argument("--run", required=True, help="the run folder to make, or to replace")
    parser.add_argument("--checkpoints", default="checkpoints", help="where the safetensors files go")
    parser.add_argument("--vectrail", default="vectrail", help="the command")
    parser.add_argument("--every", type=int, default=200, help="steps between checkpoints")
    parser.add_argument("--dim", type=int, default=50)
    parser.add_argument("--window", type=int, default=4)
    parser.add_argument("--negative", type=int, default=5)
    parser.add_argument("--min-count", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--lr", type=float, default=0.005)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if torch is None:
        sys.exit("pytorch_watch: this training needs PyTorch (https://pytorch.org)")
    train(arguments)


if __name__ == "__main__":
    main()
