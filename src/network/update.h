/*
 * update.h: how the gradient of all parameters becomes a step.
 *
 *   sgd     v <- (1 - eta decay) v - eta g
 *   adamw   Loshchilov and Hutter 2019, algorithm 2, with beta 0.9 and 0.999 (Transformer: 0.95), epsilon 1e-8
 *
 * where g is the gradient, cut to the length of `clip`. The decay is on all parameters of nnlm, as PyTorch has it, and
 * on the matrices of a Transformer.
 */
#ifndef VECTRAIL_NETWORK_UPDATE_H
#define VECTRAIL_NETWORK_UPDATE_H

#include "base/error.h"
#include "base/pool.h"
#include "kernel/dense.h"
#include "network/shape.h"

struct vt_update_chunk {
  size_t offset, count;
  bool decay;
};

struct vt_update {
  const struct vt_net_layout *layout;
  const struct vt_dense *ops;
  struct vt_pool *pool;
  enum vt_optimizer_kind kind; /* SGD or AdamW */
  float *values, *gradients;   /* borrowed */
  float *moments, *squares;    /* with AdamW */
  struct vt_update_chunk *chunks;
  size_t chunk_count;
  double *sums; /* by chunk */
  /* Of the last step: */
  double gradient; /* |g| before it was cut */
  struct vt_adamw adamw;
};

enum vt_status vt_update_init(struct vt_update *update, const struct vt_net_layout *layout, const struct vt_dense *ops,
                              struct vt_pool *pool, enum vt_optimizer_kind kind, float *values, float *gradients,
                              struct vt_error *error);
void vt_update_release(struct vt_update *update); /* accepts an all-zero one */

struct vt_update_step {
  double rate, decay, clip; /* clip 0: never */
  double beta_2;            /* of AdamW's squares; 0: nnlm 0.999, Transformers 0.95 */
  uint64_t number;          /* from 1 */
};

/* Measures |g| and settles what the step will be. False: the gradient is not finite; nothing may be done then. */
bool vt_update_prepare(struct vt_update *update, const struct vt_update_step *step);
/* Makes it. Returns the sum of squares of what the parameters moved; NaN: some would have left the numbers, and stay
 * where they were. */
double vt_update_apply(struct vt_update *update);

#endif
