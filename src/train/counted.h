/*
 * counted.h: training on counts in place of a text: which trainings can, and which counts they take.
 */
#ifndef VECTRAIL_TRAIN_COUNTED_H
#define VECTRAIL_TRAIN_COUNTED_H

#include "base/error.h"
#include "vectrail/cooccur.h"
#include "vectrail/train.h"

/* Sets what the counts have settled: window, sample, one_sided. */
void vt_counted_settle(const struct vt_cooccur *counts, struct vt_train_options *options);
/* VT_ERROR_ARGUMENT: this model or loss needs the text itself, or other counts than these. GloVe: weights by distance;
 * the exact softmax in full batches: linear ones on both sides; the quadratic model: the same, subsampled or not. All:
 * window, sample and sides as in the options, no sentences held out. */
enum vt_status vt_counted_check(const struct vt_train_options *options, const struct vt_cooccur *counts,
                                struct vt_error *error);
/* Whether counts are those that random windows give in expectation: linear weights, both sides, such a window and such
 * subsampling (0: none). VT_ERROR_ARGUMENT with the first that differs. */
enum vt_status vt_counted_check_expected(const struct vt_cooccur *counts, uint32_t window, double sample,
                                         struct vt_error *error);

#endif
