/*
 * softmax_batch.h: loss and gradients of the exact softmax for many input rows at once, as matrix products.
 *
 * With S = X C', P_i = softmax of row i of S, weights w_ic of the targets of row i and a_i their sum, this computes
 *
 *   loss = sum_i sum_c w_ic (- log P_ic)            (skip-gram's own objective: Mikolov et al. 2013, eq. 1 and 2)
 *   G_ic = scale (a_i P_ic - w_ic);   dX = G C;   dC = G' X
 *
 * in fixed tiles of the vocabulary: threads take tiles, the BLAS runs single-threaded in each, and sums over tiles are
 * formed in a fixed order, so that the same bits come out at any number of threads. (Not of BLAS kernels: another
 * processor may give others.)
 */
#ifndef VECTRAIL_TRAIN_SOFTMAX_BATCH_H
#define VECTRAIL_TRAIN_SOFTMAX_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"
#include "kernel/kernel.h"
#include "train/table.h"

/* Input rows and their targets; the targets of a row stand in ascending order, each once. */
struct vt_softmax_batch {
  size_t rows;
  const uint32_t *inputs;  /* rows; may repeat */
  const size_t *start;     /* rows + 1: where the targets of each row begin */
  const uint32_t *targets; /* output rows */
  const float *weights;    /* likewise */
  float scale;
  bool add; /* to the gradients there are, instead of replacing them */
};

struct vt_softmax_space; /* working memory */

/* For batches of up to `rows` rows against `words` words of `dim` floats. Memory: rows x words floats, and
 * 16 x rows x dim. pool and kernel are borrowed. Free with vt_softmax_space_free (accepts NULL). */
enum vt_status vt_softmax_space_create(size_t rows, uint32_t words, uint32_t dim, struct vt_pool *pool,
                                       const struct vt_kernel *kernel, struct vt_softmax_space **space,
                                       struct vt_error *error);
void vt_softmax_space_free(struct vt_softmax_space *space);

/* Returns the loss. output_gradient is as wide as the tables. */
double vt_softmax_batch_gradient(struct vt_softmax_space *space, const struct vt_table *input,
                                 const struct vt_table *output, const struct vt_softmax_batch *batch,
                                 struct vt_table *output_gradient);
/* G_ic of the last batch. Valid until the next. */
float vt_softmax_gradient_at(const struct vt_softmax_space *space, size_t row, uint32_t word);
/* dX of the last batch: row i, dim floats. Valid until the next. */
const float *vt_softmax_input_gradient(const struct vt_softmax_space *space, size_t row);

#endif
