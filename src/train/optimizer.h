/*
 * optimizer.h: how a full gradient becomes a step of a whole table. (The sparse engine's steps are merge.h's.)
 *
 *   sgd       v <- (1 - 2 eta lambda) v - eta g
 *   adagrad   g <- g + 2 lambda v;  h <- h + g^2;  v <- v - eta g / (sqrt(h) + 1e-8)    (Duchi et al. 2011)
 *   adamw     m <- 0.9 m + 0.1 g;  h <- 0.999 h + 0.001 g^2;
 *             v <- (1 - 2 eta lambda) v - eta (m / (1 - 0.9^t)) / (sqrt(h / (1 - 0.999^t)) + 1e-8)
 *                                                                            (Loshchilov and Hutter 2019, algorithm 2)
 */
#ifndef VECTRAIL_TRAIN_OPTIMIZER_H
#define VECTRAIL_TRAIN_OPTIMIZER_H

#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"
#include "train/table.h"
#include "vectrail/train.h"

struct vt_optimizer {
  enum vt_optimizer_kind kind;
  struct vt_table *table;  /* borrowed */
  struct vt_table squares; /* h, but with SGD */
  struct vt_table moments; /* m, with AdamW */
  double *row_squares;     /* by row: |applied step|^2; NaN where the row would have left the numbers */
};

enum vt_status vt_optimizer_init(struct vt_optimizer *optimizer, enum vt_optimizer_kind kind, struct vt_table *table,
                                 struct vt_error *error);
void vt_optimizer_release(struct vt_optimizer *optimizer); /* accepts an all-zero one */

struct vt_optimizer_step {
  double rate;
  double l2;
  uint64_t number; /* of this step, from 1 */
};

/* Moves all rows by all threads. A row whose new values are not all finite is left as it was: *bad_row is the first, or
 * UINT32_MAX. Returns the sum over rows of |applied step|^2; the same at any number of threads. */
double vt_optimizer_apply(struct vt_optimizer *optimizer, const struct vt_table *gradient,
                          const struct vt_optimizer_step *step, struct vt_pool *pool, uint32_t *bad_row);

/* Of the row just moved, for a ledger: its step was factors (elementwise) times the gradient, plus decay, plus held
 * (what momentum made of earlier gradients, less what it held back of this one), up to float's rounding. before: the
 * row before the step; gradient: the row's. factors, decay, held: [dim]. */
void vt_optimizer_explain(const struct vt_optimizer *optimizer, uint32_t row, const struct vt_optimizer_step *step,
                          const float *before, const float *gradient, double *factors, double *decay, double *held);

#endif
