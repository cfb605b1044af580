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

/* From a worker's word number to the id in the vocabulary. */
struct vt_tally_map {
  uint32_t *ids;
  size_t size;
};

struct vt_tally {
  int worker_count;
  struct vt_tally_map *maps; /* [worker_count] */
  uint64_t tokens_read;      /* words of any frequency */
  uint64_t types_read;       /* distinct ones */
  struct vt_vocab *vocab;    /* the caller may take it and leave NULL */
};

/* Merges what was counted, chooses the vocabulary by the options, and empties the workers' tables. VT_ERROR_EMPTY:
 * there is no word, none reaches min_count, or none is in the vocabulary that was given. On failure, too, release it.
 */
enum vt_status vt_tally_make(struct vt_tally *tally, struct vt_count *count, struct vt_pool *pool,
                             struct vt_error *error);
void vt_tally_release(struct vt_tally *tally); /* accepts an all-zero one */

#endif
