/*
 * held_out.h: sentences of the corpus that are never trained on, to see whether the loss falls on them too.
 *
 * Sentence n (from 0, in the order of the encoded corpus) is held out when the first number of the random stream of
 * (seed, n) falls below the share: which ones depends on nothing else.
 */
#ifndef VECTRAIL_TRAIN_HELD_OUT_H
#define VECTRAIL_TRAIN_HELD_OUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "text/span.h"
#include "vectrail/corpus.h"

struct vt_held_out {
  struct vt_span *spans; /* ascending */
  size_t count;
  uint64_t tokens; /* words in all of them */
};

/* corpus: whose ids they are, to give back its memory on the way; or NULL. VT_ERROR_EMPTY: by chance no sentence is
 * held out, or all are. O(entries). */
enum vt_status vt_held_out_init(struct vt_held_out *held_out, const uint32_t *ids, uint64_t entries,
                                const struct vt_corpus *corpus, uint64_t seed, double share, struct vt_error *error);
void vt_held_out_release(struct vt_held_out *held_out); /* accepts an all-zero one */

/* The first span that ends behind a place: `count` where there is none. O(log count). */
size_t vt_held_out_after(const struct vt_held_out *held_out, uint64_t place);
/* The place of the n-th word held out; n < tokens. O(log count). */
uint64_t vt_held_out_place(const struct vt_held_out *held_out, uint64_t n);

#endif
