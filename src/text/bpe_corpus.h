/* bpe_corpus.h: from texts to a vocabulary of pieces and a file of ids. */
#ifndef VECTRAIL_TEXT_BPE_CORPUS_H
#define VECTRAIL_TEXT_BPE_CORPUS_H

#include "base/error.h"
#include "text/bpe.h"
#include "vectrail/corpus.h"

/* As vt_corpus_encode with VT_TOKENS_BPE, but that the file is not opened. */
enum vt_status vt_bpe_corpus_encode(const char *const *inputs, size_t input_count,
                                    const struct vt_corpus_options *options, const char *path, struct vt_vocab **vocab,
                                    struct vt_corpus_report *report, struct vt_error *error);

/* ids[token] for every token: where the vocabulary has it. VT_ERROR_CORRUPT: it has not. */
enum vt_status vt_bpe_match(const struct vt_bpe *bpe, const struct vt_vocab *vocab, uint32_t *ids,
                            struct vt_error *error);

#endif
