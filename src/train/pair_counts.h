/*
 * pair_counts.h: how often each word is expected to meet each other in a window, for full batches.
 *
 * #(w, c) is the expected number of times that skip-gram draws the pair: of two words n apart in a sentence, the one as
 * the centre reaches the other with probability (window - n + 1) / window. These are the counts of text/cooccur.h with
 * linear weights, on both sides. Subsampling is left out, and so are the sentences that are held out.
 */
#ifndef VECTRAIL_TRAIN_PAIR_COUNTS_H
#define VECTRAIL_TRAIN_PAIR_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vectrail/cooccur.h"

struct vt_pair_counts {
  uint32_t rows;     /* words that have any pair */
  uint32_t *inputs;  /* ascending */
  size_t *start;     /* rows + 1 */
  uint32_t *targets; /* ascending in each row */
  float *weights;
  double total; /* sum of all weights */
};

/* The counts may go afterwards. 8 bytes for each pair. */
enum vt_status vt_pair_counts_create(const struct vt_cooccur *from, struct vt_pair_counts *counts,
                                     struct vt_error *error);
void vt_pair_counts_release(struct vt_pair_counts *counts); /* accepts an all-zero one */

/* Draws `wanted` pairs by their weights, one out of each of so many equal stretches of the total, into inputs[wanted]
 * and targets[wanted]. One pass over the pairs. */
void vt_pair_counts_sample(const struct vt_pair_counts *counts, uint64_t seed, size_t wanted, uint32_t *inputs,
                           uint32_t *targets);

#endif
