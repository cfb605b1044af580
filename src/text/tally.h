/*
 * tally.h: from the tables of the workers to one vocabulary.
 */
#ifndef VECTRAIL_TEXT_TALLY_H
#define VECTRAIL_TEXT_TALLY_H

#include <stdint.h>

#include "base/pool.h"
#include "text/count.h"
#include "vectrail/vocab.h"

/* In a map: a word outside the vocabulary. */
#define VT_TALLY_OUTSIDE UINT32_MAX

/* From the numbers of a worker's words to those of table 0, and at the end to ids. */
struct vt_tally_map {
  uint32_t *ids;
  size_t size;
};

struct vt_tally {
  int worker_count;
  struct vt_tally_map *maps; /* [worker_count] */
  uint64_t tokens_read;      /* words of any frequency */
  uint64_t types_read;       /* distinct ones */
  size_t spellings;          /* size of table 0 when all were merged; what joining adds stands behind */
  uint64_t phrases;          /* words of the vocabulary that joining added */
  struct vt_vocab *vocab;    /* the caller may take it and leave NULL */
};

/* Merges what was counted into the table of worker 0; the maps lead to its canonical words. VT_ERROR_EMPTY: there is
 * no word. On failure, too, release it. */
enum vt_status vt_tally_merge(struct vt_tally *tally, struct vt_count *count, struct vt_pool *pool,
                              struct vt_error *error);
/* Words that another process counted, into the table of worker 0: texts[bytes], one behind the other with a terminator
 * each, and how often each occurs there. To be called after the merge, which may have been VT_ERROR_EMPTY. */
enum vt_status vt_tally_add(struct vt_count *count, const uint64_t *counts, size_t words, const char *texts,
                            size_t bytes, struct vt_error *error);
/* When all were added: what was read in all. VT_ERROR_EMPTY: there is no word. */
enum vt_status vt_tally_added(struct vt_tally *tally, const struct vt_count *count, struct vt_error *error);

/* Chooses the vocabulary by the options, leads the maps to its ids, and empties the table. VT_ERROR_EMPTY: no word
 * reaches min_count, or none is in the vocabulary that was given. */
enum vt_status vt_tally_choose(struct vt_tally *tally, struct vt_count *count, struct vt_pool *pool,
                               struct vt_error *error);
void vt_tally_release(struct vt_tally *tally); /* accepts an all-zero one */

#endif
