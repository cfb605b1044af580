#!/usr/bin/env python3
"""Trains gensim's Word2Vec once, on its fastest path (corpus_file), and prints what each part took as JSON.

usage: bench/gensim_train.py CORPUS SETTINGS [VECTORS]

SETTINGS is JSON: the keyword arguments of Word2Vec. VECTORS: where to write word2vec text. Needs gensim.
"""
import json
import sys
import time

import gensim
from gensim.models import word2vec


def main(corpus, settings, vectors=None):
    settings = json.loads(settings)
    model = word2vec.Word2Vec(**settings)
    start = time.monotonic()
    model.build_vocab(corpus_file=corpus)
    read = time.monotonic()
    model.train(corpus_file=corpus, total_examples=model.corpus_count, total_words=model.corpus_total_words,
                epochs=settings["epochs"])
    trained = time.monotonic()
    if vectors is not None:
        model.wv.save_word2vec_format(vectors)
    print(json.dumps({
        "version": gensim.__version__,
        "compiled": word2vec.FAST_VERSION >= 0,
        "tokens": int(sum(model.wv.get_vecattr(word, "count") for word in model.wv.index_to_key)),
        "reading_seconds": read - start,
        "training_seconds": trained - read,
    }))


if __name__ == "__main__":
    main(*sys.argv[1:])
