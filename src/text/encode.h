/* encode.h: vt_corpus_encode with its inner sizes open to tests. */
#ifndef VECTRAIL_TEXT_ENCODE_H
#define VECTRAIL_TEXT_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#include "vectrail/corpus.h"

struct vt_encode_sizes {
  size_t chunk_bytes;        /* of text that a thread takes at a time */
  size_t spill_memory_bytes; /* of word numbers kept in memory before a file is made */
  size_t pair_table_bytes;   /* of the table in which pairs of words are counted, for phrases */
};

/* Several processes that read a part of the text each. All calls are collective, in one order. */
struct vt_encode_team {
  int rank; /* 0 writes the corpus */
  int size;
  void *context;
  /* Each says how it fared; all get VT_OK, or one failure. */
  enum vt_status (*agree)(void *context, enum vt_status status, struct vt_error *error);
  /* From a rank to rank 0, which has *data until the next call. */
  enum vt_status (*send)(void *context, const void *data, size_t bytes, struct vt_error *error);
  enum vt_status (*receive)(void *context, int from, const void **data, size_t *bytes, struct vt_error *error);
  /* From rank 0 to all, where *data and *bytes are what rank 0 had, until the next call. */
  enum vt_status (*broadcast)(void *context, const void **data, size_t *bytes, struct vt_error *error);
};

/* Whether inputs can be read in parts: plain files, no phrases, no pieces of words. */
enum vt_status vt_corpus_can_be_shared(const char *const *inputs, size_t input_count,
                                       const struct vt_corpus_options *options, bool *can, struct vt_error *error);
/* As vt_corpus_encode_sized, by all ranks together: vocabulary, corpus and report are those of one process, and rank
 * 0's alone; the others may pass NULL for them. encoded_path: of rank 0; of the others, a place for a temporary file.
 * options->input_hashes must be given. */
enum vt_status vt_corpus_encode_together(const char *const *inputs, size_t input_count,
                                         const struct vt_corpus_options *options, const struct vt_encode_sizes *sizes,
                                         const struct vt_encode_team *team, const char *encoded_path,
                                         struct vt_vocab **vocab, struct vt_corpus **corpus,
                                         struct vt_corpus_report *report, struct vt_error *error);

/* What vt_corpus_encode takes. */
extern const struct vt_encode_sizes vt_encode_default_sizes;

/* As vt_corpus_encode; the sizes change no result. */
enum vt_status vt_corpus_encode_sized(const char *const *inputs, size_t input_count,
                                      const struct vt_corpus_options *options, const struct vt_encode_sizes *sizes,
                                      const char *encoded_path, struct vt_vocab **vocab, struct vt_corpus **corpus,
                                      struct vt_corpus_report *report, struct vt_error *error);

#endif
