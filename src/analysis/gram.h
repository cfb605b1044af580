/*
 * gram.h: products of two tables over their rows, X'Y, in double.
 */
#ifndef VECTRAIL_ANALYSIS_GRAM_H
#define VECTRAIL_ANALYSIS_GRAM_H

#include <stddef.h>

#include "base/error.h"
#include "base/pool.h"

/* A table of rows x dim floats, and how its numbers are taken: (x - mean) * scale. */
struct vt_gram_table {
  const float *data;
  size_t dim;
  const double *mean;   /* [dim], or NULL for zeros */
  const double *scales; /* [rows], or NULL for ones */
};

/* product[x.dim][y.dim] = X'Y. The sum over the rows is taken in their order, in pieces of a fixed size, so it does not
 * depend on the pool. O(rows x.dim y.dim). */
enum vt_status vt_gram(const struct vt_gram_table *x, const struct vt_gram_table *y, size_t rows, struct vt_pool *pool,
                       double *product, struct vt_error *error);

#endif
