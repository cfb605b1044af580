/*
 * spectrum.h: eigenvalues and eigenvectors of symmetric matrices: all of a small one, the outermost of a large one.
 */
#ifndef VECTRAIL_ANALYSIS_SPECTRUM_H
#define VECTRAIL_ANALYSIS_SPECTRUM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/pool.h"

/* A symmetric matrix, known by what it does: to[c] = A from[c] for `count` vectors of length n that lie one behind the
 * other. */
struct vt_operator {
  size_t n;
  void (*multiply)(const void *context, const double *from, double *to, size_t count);
  const void *context;
  struct vt_pool *pool; /* shares out the work beside the products; NULL: the calling thread does it alone */
};

/* A dense matrix [n x n] as an operator: a context for vt_dense_multiply. Threads share out stripes of it. */
struct vt_dense {
  size_t n;
  const double *matrix;
  struct vt_pool *pool;
};
void vt_dense_multiply(const void *context, const double *from, double *to, size_t count);

/*
 * The `count` eigenvalues that are largest (by_size: largest in size), falling, into values[count], and their vectors
 * of length 1, one behind the other, into vectors[count x n]. Randomised block Krylov iteration (Musco and Musco 2015;
 * small blocks: Meyer, Musco and Musco 2024) with thick restarts, until |A u - lambda u| <= 1e-9 |A| for each; where
 * many of a small matrix are wanted, all of it by LAPACK. The random start is fixed, so the same matrix gives the same
 * bits, at any number of threads. Memory: about 40 bytes x n x count, or 24 n^2. VT_ERROR_ARGUMENT: count above n;
 * VT_ERROR_FORMAT: it does not come to an end, which only NaN or infinities make it do.
 */
enum vt_status vt_spectrum_top(const struct vt_operator *operator, size_t count, bool by_size, double *values,
                               double *vectors, struct vt_error *error);

/* All eigenvalues of matrix[n x n], falling, into values[n]; row k of the matrix becomes the vector of values[k].
 * O(n^3): LAPACK's dsyevd. */
enum vt_status vt_spectrum_full(double *matrix, size_t n, double *values, struct vt_error *error);

/* The eigenvalues of rows' rows, falling, into values[dim]: the squared singular values of rows[count x dim]; and where
 * vectors[dim x dim] is given, the right singular vectors, one a row. */
enum vt_status vt_spectrum_rows(const float *rows, size_t count, size_t dim, double *values, double *vectors,
                                struct vt_error *error);

#endif
