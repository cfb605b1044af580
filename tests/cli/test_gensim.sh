#!/usr/bin/env bash
# What we export is what others read: gensim opens both word2vec formats, NumPy the arrays, and all of them find the
# neighbours that `vectrail neighbors` finds. Skipped (77) where there is no Python with gensim. (label: optimised, for what it
# looks at is in the files.)
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"
set -eo pipefail

if ! python_has gensim numpy; then
  echo "no Python with gensim and numpy here (Debian: python3-gensim): nothing was compared"
  exit 77
fi

# Topics of twelve words each; a sentence stays within one. Some words are not ASCII.
python3 - >corpus.txt <<'PYTHON'
import random
draw = random.Random(7)
words = [f"{stem}{i}" for stem in ("river", "café", "Straße", "漢字", "don't") for i in "abcdefghijkl"]
for line in range(6000):
    topic = draw.randrange(5) * 12
    print(*(words[topic + draw.randrange(12)] for _ in range(draw.randrange(4, 12))))
PYTHON

"$VECTRAIL" train corpus.txt --run run --dim 20 --epochs 2 --min-count 1 --sample 0 --tokens space --threads 2 --seed 3 \
  >train.out 2>train.err || { cat train.err >&2; exit 1; }

export_as() { # export_as FORMAT FILE EXPECTED_FILES...
  local format=$1 file=$2
  shift 2
  "$VECTRAIL" export run -o "$file" --format "$format" >export.out 2>export.err || { cat export.err >&2; exit 1; }
  for expected in "$@"; do [ -s "$expected" ] || { echo "$format: no $expected" >&2; exit 1; }; done
}
mkdir array tensor
export_as w2v-text vectors.txt vectors.txt
export_as w2v-binary vectors.bin vectors.bin
export_as npy array/vectors.npy array/vectors.npy array/vectors.vocab.txt
export_as safetensors tensor/vectors.safetensors tensor/vectors.safetensors tensor/vectors.vocab.txt
export_as projector vectors.tsv vectors.tsv vectors.metadata.tsv

for word in rivera caféb Straßec 漢字d "don'te"; do
  "$VECTRAIL" neighbors run "$word" -k 10 --json >>neighbors.json
done

python3 - <<'PYTHON'
import json, struct
import numpy
from gensim.models import KeyedVectors

def lines(path):
    with open(path, encoding="utf-8", newline="\n") as file:
        return file.read().rstrip("\n").split("\n")

def from_gensim(path, binary):
    loaded = KeyedVectors.load_word2vec_format(path, binary=binary)
    return loaded.index_to_key, loaded.vectors

def from_safetensors(path):
    data = open(path, "rb").read()
    length = struct.unpack("<Q", data[:8])[0]
    tensor = json.loads(data[8 : 8 + length])["input"]
    assert tensor["dtype"] == "F32", tensor
    begin, end = tensor["data_offsets"]
    return numpy.frombuffer(data[8 + length + begin : 8 + length + end], "<f4").reshape(tensor["shape"])

def from_projector():
    head, *rows = lines("vectors.metadata.tsv")
    assert head == "word\tcount", head
    counts = [int(row.split("\t")[1]) for row in rows]
    assert counts == sorted(counts, reverse=True), "counts do not fall"
    return [row.split("\t")[0] for row in rows], numpy.loadtxt("vectors.tsv", delimiter="\t", dtype="f4")

text_words, text = from_gensim("vectors.txt", False)
tables = {
    "w2v-text": (text_words, text),
    "w2v-binary": from_gensim("vectors.bin", True),
    "npy": (lines("array/vectors.vocab.txt"), numpy.load("array/vectors.npy", allow_pickle=False)),
    "safetensors": (lines("tensor/vectors.vocab.txt"), from_safetensors("tensor/vectors.safetensors")),
    "projector": from_projector(),
}
for name, (words, vectors) in tables.items():
    assert vectors.shape == (60, 20), f"{name}: {vectors.shape}"
    assert vectors.dtype == numpy.float32, f"{name}: {vectors.dtype}"
    assert words == text_words, f"{name}: the words differ from those of w2v-text"
    assert vectors.tobytes() == text.tobytes(), f"{name}: the numbers differ from those of w2v-text"
assert numpy.abs(text).max() > 0

def check(name, word, ours, theirs, cosine_of):
    """Both lists hold the same ten, each at the same cosine, in the same order but for cosines that are equal to 1e-5."""
    assert len(ours) == len(theirs) == 10, f"{name}: {word}: {len(ours)} and {len(theirs)} neighbours"
    for rank, (our, their) in enumerate(zip(ours, theirs)):
        assert abs(our["cosine"] - their[1]) < 1e-5, f"{name}: {word}: rank {rank + 1}: {our} and {their}"
        assert abs(our["cosine"] - cosine_of(our["word"])) < 1e-5, f"{name}: {word}: {our}"
        assert our["word"] == their[0] or abs(cosine_of(their[0]) - our["cosine"]) < 1e-5, f"{name}: {word}: {our} {their}"

reports = [json.loads(line) for line in lines("neighbors.json")]
assert len(reports) == 5, len(reports)
for report in reports:
    word, ours = report["word"], report["neighbors"]
    for name in ("w2v-text", "w2v-binary"):
        model = KeyedVectors.load_word2vec_format("vectors.txt" if name == "w2v-text" else "vectors.bin",
                                                  binary=name == "w2v-binary")
        check(name, word, ours, model.most_similar(word, topn=10), lambda other: float(model.similarity(word, other)))
    for name, (words, vectors) in tables.items():
        table = vectors.astype("f8")
        at = words.index(word)
        cosines = table @ table[at] / (numpy.linalg.norm(table, axis=1) * numpy.linalg.norm(table[at]))
        best = [(words[i], cosines[i]) for i in numpy.argsort(-cosines, kind="stable") if i != at][:10]
        check(name, word, ours, best, lambda other: cosines[words.index(other)])
PYTHON
