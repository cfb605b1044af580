/*
 * pair_counts.h: how often each word is expected to meet each other in a window, for full batches.
 *
 * #(w, c) is the expected number of times that skip-gram draws the pair: of two words n apart in a sentence, the one as
 * the centre reaches the other with probability (window - n + 1) / window. Subsampling is left out, and so are the
 * places of the probe as centres (where setup has any) and the sentences that are held out. Counted in whole numbers
 * (times window), so that no order matters.
 */
#ifndef VECTRAIL_TRAIN_PAIR_COUNTS_H
#define VECTRAIL_TRAIN_PAIR_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "train/objective/objective.h"

struct vt_pair_counts {
  uint32_t rows;     /* words that have any pair */
  uint32_t *inputs;  /* ascending */
  size_t *start;     /* rows + 1 */
  uint32_t *targets; /* ascending in each row */
  float *weights;
  double total; /* sum of all weights */
};

/* setup: options and probe positions are used. Memory: about 32 bytes for each different pair while counting. */
enum vt_status vt_pair_counts_create(const struct vt_objective_setup *setup, const uint32_t *ids, uint64_t entries,
                                     struct vt_pair_counts *counts, struct vt_error *error);
void vt_pair_counts_release(struct vt_pair_counts *counts); /* accepts an all-zero one */

#endif
