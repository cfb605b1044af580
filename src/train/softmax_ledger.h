/*
 * softmax_ledger.h: the ledger of the exact softmax. With l = log sum_c' e^(u_c'.v) - u_c.v the gradient of v is
 *
 *   dl/dv = sum_c' P(c' | w) u_c' - u_c
 *
 * so at each step each word c' pushes v by its probability, and each target attracts it.
 */
#ifndef VECTRAIL_TRAIN_SOFTMAX_LEDGER_H
#define VECTRAIL_TRAIN_SOFTMAX_LEDGER_H

#include "base/pool.h"
#include "train/ledger.h"
#include "train/optimizer.h"
#include "train/softmax_batch.h"

/* Working memory of an engine's ledger. */
struct vt_softmax_ledger {
  struct vt_ledger *ledger;
  float *before;   /* watched x dim: rows before the step */
  double *vectors; /* watched x 3 dim */
  double *weights; /* watched x words */
  uint32_t words, dim;
};

/* Makes the ledger of the input table, too, which is the caller's to free (as engine->ledger). */
enum vt_status vt_softmax_ledger_init(struct vt_softmax_ledger *space, const struct vt_ledger_options *options,
                                      const struct vt_table *input, const char *kernel, struct vt_ledger **ledger,
                                      struct vt_error *error);
void vt_softmax_ledger_release(struct vt_softmax_ledger *space); /* accepts an all-zero one */

/* What a minibatch tells of itself. */
struct vt_softmax_booking {
  const struct vt_softmax_batch *batch;
  const struct vt_softmax_space *space; /* holds the batch's G and dX */
  const uint64_t *documents;            /* of each row; read by document alone */
  const struct vt_table *input, *output;
  const struct vt_table *input_gradient;
  const struct vt_optimizer *optimizer; /* of the input table */
  const struct vt_optimizer_step *step;
  struct vt_pool *pool;
};
/* Between the gradient and the step, and after the step. Threads share the watched words. */
void vt_softmax_ledger_before(struct vt_softmax_ledger *space, const struct vt_softmax_booking *booking);
void vt_softmax_ledger_after(struct vt_softmax_ledger *space, const struct vt_softmax_booking *booking);

#endif
