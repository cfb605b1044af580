/*
 * remap.h: the numbers that counting put away become the encoded corpus.
 */
#ifndef VECTRAIL_TEXT_REMAP_H
#define VECTRAIL_TEXT_REMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"
#include "base/pool.h"
#include "text/count.h"
#include "text/tally.h"

struct vt_remap_total {
  uint64_t entries; /* tokens + sentences */
  uint64_t tokens;
  uint64_t sentences;
  uint64_t fingerprint; /* vt_corpus_hash_entries of all of them */
  /* For whoever puts it behind other text: whether there is any word or line end in it, whether a line end comes before
   * the first word, and whether its last sentence is open. */
  bool begun;
  bool leads;
  bool open;
};

/* Writes the ids of all stretches to output, in order; to lines, which may be NULL, where the line of each sentence
 * stands in the text (struct vt_corpus_options). */
enum vt_status vt_remap_run(struct vt_count *count, const struct vt_tally *tally, struct vt_pool *pool,
                            struct vt_output *output, struct vt_output *lines, struct vt_remap_total *total,
                            struct vt_error *error);

#endif
