/* encode.h: vt_corpus_encode with its inner sizes open to tests. */
#ifndef VECTRAIL_TEXT_ENCODE_H
#define VECTRAIL_TEXT_ENCODE_H

#include <stddef.h>

#include "vectrail/corpus.h"

struct vt_encode_sizes {
  size_t chunk_bytes;        /* of text that a thread takes at a time */
  size_t spill_memory_bytes; /* of word numbers kept in memory before a file is made */
  size_t pair_table_bytes;   /* of the table in which pairs of words are counted, for phrases */
};

/* As vt_corpus_encode; the sizes change no result. */
enum vt_status vt_corpus_encode_sized(const char *const *inputs, size_t input_count,
                                      const struct vt_corpus_options *options, const struct vt_encode_sizes *sizes,
                                      const char *encoded_path, struct vt_vocab **vocab, struct vt_corpus **corpus,
                                      struct vt_corpus_report *report, struct vt_error *error);

#endif
