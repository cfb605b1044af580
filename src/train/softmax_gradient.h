/*
 * softmax_gradient.h: loss and gradient of the exact softmax over all words, in double, for many targets at once.
 *
 * For an input row v with targets c of weight w_c, a = sum of w_c: the loss is sum of w_c (log sum of exp(v . u_d) - v
 * . u_c), its derivative by the scores a P - w (Mikolov et al. 2013, "Distributed representations of words and
 * phrases", equation 2).
 */
#ifndef VECTRAIL_TRAIN_SOFTMAX_GRADIENT_H
#define VECTRAIL_TRAIN_SOFTMAX_GRADIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"
#include "train/table.h"

/* Input rows and their targets; weights NULL: one target of weight 1 for each row. */
struct vt_softmax_rows {
  size_t count;
  const uint32_t *inputs; /* may repeat */
  const size_t *start;    /* with weights: count + 1 */
  const uint32_t *targets;
  const float *weights;
  double scale; /* of the gradients */
};

struct vt_softmax_gradient;

/* Memory to work in: 16 tables of words x dim, and 512 rows of scores. Needs the BLAS open when it is used. */
enum vt_status vt_softmax_gradient_create(uint32_t words, uint32_t dim, struct vt_softmax_gradient **work,
                                          struct vt_error *error);
void vt_softmax_gradient_free(struct vt_softmax_gradient *work); /* accepts NULL */

/* Of tables [words x dim] the gradients, times scale, and the loss, which is not scaled; the same bits at any number of
 * threads. O(count x words x dim). */
double vt_softmax_gradient_take(struct vt_softmax_gradient *work, const struct vt_softmax_rows *rows,
                                double *const tables[VT_TABLE_COUNT], double *const gradients[VT_TABLE_COUNT],
                                struct vt_pool *pool);

#endif
