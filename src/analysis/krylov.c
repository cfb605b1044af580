/*
 * krylov.c: the outermost eigenvalues of a large symmetric matrix, by block Lanczos iteration with full
 * orthogonalisation and thick restarts (Wu and Simon 2000, SIAM J. Matrix Anal. Appl. 22).
 *
 * Blocks are small beside what is wanted: for as many products the space then holds polynomials of a higher degree,
 * and those tell eigenvalues apart that lie close together; a block of 16 finds those that coincide up to 16 times
 * over, and rounding finds the others. The images of the whole basis are kept, so that residuals are measured, not
 * inferred.
 *
 * Invariants: the first `count` vectors of the basis are orthonormal, images are theirs, small is basis' images; behind
 * them lies the block that is to come next. Products of matrices are cut into pieces of a fixed size, which threads
 * share, and the BLAS runs single-threaded within: the same bits at any number of threads.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "analysis/spectrum.h"
#include "base/blas.h"
#include "base/memory.h"
#include "base/rng.h"

#define BLOCK 16
#define PIECE 256      /* of rows of the basis, or of columns, that a thread takes at a time */
#define ROUNDS_MAX 500 /* each of some blocks */
#define PASSES_MAX 5   /* of orthogonalising a block */
#define TOLERANCE 1e-9

struct krylov {
  const struct vt_operator *operator;
  size_t n, wanted, keep, capacity, count; /* capacity: vectors of the space when it is full */
  bool by_size;
  double *basis, *images;        /* (capacity + BLOCK) x n, capacity x n */
  double *small, *turned, *ritz; /* capacity x capacity twice, capacity */
  double *coefficients;          /* capacity x BLOCK */
  double *scratch;               /* keep x n */
  double *tau, *work;
  int lwork;
  size_t *order; /* of the Ritz values: the wanted ones first */
};

static enum vt_status create(struct krylov *k, struct vt_error *error) {
  const int n = (int)k->n, block = BLOCK, ask = -1;
  double wanted[2] = {0};
  int info;
  vt_blas.dgeqrf_(&n, &block, NULL, &n, NULL, &wanted[0], &ask, &info);
  vt_blas.dorgqr_(&n, &block, &block, NULL, &n, NULL, &wanted[1], &ask, &info);
  k->lwork = (int)(wanted[0] > wanted[1] ? wanted[0] : wanted[1]);
  k->basis = vt_alloc_aligned_raw((k->capacity + BLOCK) * k->n, sizeof(double));
  k->images = vt_alloc_aligned_raw(k->capacity * k->n, sizeof(double));
  k->small = vt_alloc(k->capacity * k->capacity, sizeof(double));
  k->turned = vt_alloc(k->capacity * k->capacity, sizeof(double));
  k->ritz = vt_alloc(k->capacity, sizeof(double));
  k->coefficients = vt_alloc(k->capacity * BLOCK, sizeof(double));
  k->scratch = vt_alloc_aligned_raw(k->keep * k->n, sizeof(double));
  k->tau = vt_alloc(BLOCK, sizeof(double));
  k->work = vt_alloc((size_t)k->lwork, sizeof(double));
  k->order = vt_alloc(k->capacity, sizeof *k->order);
  if (k->basis != NULL && k->images != NULL && k->small != NULL && k->turned != NULL && k->ritz != NULL &&
      k->coefficients != NULL && k->scratch != NULL && k->tau != NULL && k->work != NULL && k->order != NULL)
    return VT_OK;
  return VT_FAIL_MEMORY(error, (2 * k->capacity + k->keep) * k->n * sizeof(double));
}

static void release(struct krylov *k) {
  vt_free_aligned(k->basis);
  vt_free_aligned(k->images);
  vt_free(k->small);
  vt_free(k->turned);
  vt_free(k->ritz);
  vt_free(k->coefficients);
  vt_free_aligned(k->scratch);
  vt_free(k->tau);
  vt_free(k->work);
  vt_free(k->order);
}

/* ---- products in pieces ------------------------------------------------------------------------------------------ */

struct product {
  const double *a, *b;
  double *c;
  size_t rows, columns, inner;
  double scale, kept; /* c = scale a b + kept c */
};

/* Rows begin .. end of c = a b', a[rows x inner] and b[columns x inner]; c is [rows x columns]. */
static void inner_rows(void *context, size_t begin, size_t end) {
  const struct product *p = context;
  vt_blas.cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)(end - begin), (int)p->columns, (int)p->inner, 1,
                      p->a + begin * p->inner, (int)p->inner, p->b, (int)p->inner, 0, p->c + begin * p->columns,
                      (int)p->columns);
}

/* Columns begin .. end of c = scale a b + kept c, a[rows x inner], b[inner x columns]. */
static void outer_columns(void *context, size_t begin, size_t end) {
  const struct product *p = context;
  vt_blas.cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)p->rows, (int)(end - begin), (int)p->inner,
                      p->scale, p->a, (int)p->inner, p->b + begin, (int)p->columns, p->kept, p->c + begin,
                      (int)p->columns);
}

/* ---- the space --------------------------------------------------------------------------------------------------- */

/* The block behind the basis: orthogonal to all of it, and within itself. Where next to nothing of a vector is left,
 * what is left is rounding, and is made orthogonal anew until it is: a direction like any other that is not in the
 * basis yet. */
static void orthogonalise(struct krylov *k) {
  const int n = (int)k->n, block = BLOCK;
  double *own = k->basis + k->count * k->n;
  int info;
  for (int pass = 0; pass < PASSES_MAX; pass++) {
    if (k->count > 0) {
      struct product along = {
          .a = k->basis, .b = own, .c = k->coefficients, .rows = k->count, .columns = BLOCK, .inner = k->n};
      vt_pool_share(k->operator->pool, k->count, PIECE, inner_rows, &along);
      for (size_t i = 0; i < k->count; i++)
        for (size_t b = 0; b < BLOCK; b++) k->scratch[b * k->count + i] = k->coefficients[i * BLOCK + b];
      struct product less = {.a = k->scratch,
                             .b = k->basis,
                             .c = own,
                             .rows = BLOCK,
                             .columns = k->n,
                             .inner = k->count,
                             .scale = -1,
                             .kept = 1};
      vt_pool_share(k->operator->pool, k->n, PIECE, outer_columns, &less);
    }
    vt_blas.dgeqrf_(&n, &block, own, &n, k->tau, k->work, &k->lwork, &info);
    double least = INFINITY;
    for (size_t b = 0; b < BLOCK; b++) least = fmin(least, fabs(own[b * k->n + b]));
    vt_blas.dorgqr_(&n, &block, &block, own, &n, k->tau, k->work, &k->lwork, &info);
    if (pass > 0 && !(least < 0.5)) return; /* vectors of length 1 that lost little */
  }
}

/* Takes the next block into the basis; what the matrix makes of it is the one after. */
static void expand(struct krylov *k) {
  const size_t n = k->n, count = k->count + BLOCK;
  double *own = k->basis + k->count * n, *image = k->images + k->count * n;
  k->operator->multiply(k->operator->context, own, image, BLOCK);
  struct product p = {.a = k->basis, .b = image, .c = k->coefficients, .rows = count, .columns = BLOCK, .inner = n};
  vt_pool_share(k->operator->pool, count, PIECE, inner_rows, &p);
  for (size_t i = 0; i < count; i++)
    for (size_t b = 0; b < BLOCK; b++)
      k->small[i * k->capacity + k->count + b] = k->small[(k->count + b) * k->capacity + i] =
          k->coefficients[i * BLOCK + b];
  k->count = count;
  memcpy(k->basis + count * n, image, BLOCK * n * sizeof(double));
  orthogonalise(k);
}

/* ---- Ritz values ------------------------------------------------------------------------------------------------- */

/* In order: largest, or largest in size, first. */
static void sort_ritz(struct krylov *k) {
  /* They come falling: merged from both ends. */
  for (size_t i = 0, low = 0, high = k->count; i < k->count; i++)
    k->order[i] = k->by_size && fabs(k->ritz[high - 1]) > fabs(k->ritz[low]) ? --high : low++;
}

/* The first keep of basis and of images become those of the best Ritz values. */
static void turn(struct krylov *k) {
  double *const arrays[] = {k->basis, k->images};
  for (size_t b = 0; b < k->keep; b++)
    memcpy(k->small + b * k->count, k->turned + k->order[b] * k->count, k->count * sizeof(double));
  for (int a = 0; a < 2; a++) {
    struct product p = {.a = k->small,
                        .b = arrays[a],
                        .c = k->scratch,
                        .rows = k->keep,
                        .columns = k->n,
                        .inner = k->count,
                        .scale = 1};
    vt_pool_share(k->operator->pool, k->n, PIECE, outer_columns, &p);
    memcpy(arrays[a], k->scratch, k->keep * k->n * sizeof(double));
  }
}

/* The largest |A u - theta u| of those that are wanted. */
static double residual(const struct krylov *k) {
  double worst = 0;
  for (size_t b = 0; b < k->wanted; b++) {
    double squares = 0, value = k->ritz[k->order[b]];
    for (size_t i = 0; i < k->n; i++) {
      double rest = k->images[b * k->n + i] - value * k->basis[b * k->n + i];
      squares += rest * rest;
    }
    if (!(sqrt(squares) <= worst)) worst = sqrt(squares);
  }
  return worst;
}

/* Ritz values and vectors of the full space, which is then cut down to the best of them and the block that comes next.
 * What is left of the wanted ones over the largest value; NaN where there is none. */
static double restart(struct krylov *k, struct vt_error *error) {
  const size_t n = k->n;
  for (size_t i = 0; i < k->count; i++)
    memcpy(k->turned + i * k->count, k->small + i * k->capacity, k->count * sizeof(double));
  if (vt_spectrum_full(k->turned, k->count, k->ritz, error) != VT_OK) return NAN;
  sort_ritz(k);
  double largest = fmax(fabs(k->ritz[0]), fabs(k->ritz[k->count - 1]));
  turn(k);
  double left = residual(k);
  memmove(k->basis + k->keep * n, k->basis + k->count * n, BLOCK * n * sizeof(double));
  memset(k->small, 0, k->capacity * k->capacity * sizeof(double));
  for (size_t b = 0; b < k->keep; b++) k->small[b * k->capacity + b] = k->ritz[k->order[b]];
  k->count = k->keep;
  return largest > 0 ? left / largest : left;
}

static enum vt_status iterate(struct krylov *k, double *values, double *vectors, struct vt_error *error) {
  struct vt_rng rng = vt_rng_make(VT_RNG_ANALYSIS, 1, k->n, BLOCK);
  for (size_t i = 0; i < BLOCK * k->n; i++) k->basis[i] = (double)vt_rng_unit(&rng) - 0.5;
  orthogonalise(k);
  double left = NAN;
  for (int round = 0; round < ROUNDS_MAX; round++) {
    while (k->count < k->capacity) expand(k);
    left = restart(k, error);
    if (!(left > TOLERANCE)) break;
  }
  if (!(left <= TOLERANCE))
    return VT_FAIL(error, VT_ERROR_FORMAT, "the largest eigenvalues of a matrix of %zu rows could not be found", k->n);
  for (size_t b = 0; b < k->wanted; b++) values[b] = k->ritz[k->order[b]];
  memcpy(vectors, k->basis, k->wanted * k->n * sizeof *vectors);
  return VT_OK;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static enum vt_status by_full(const struct vt_operator *operator, size_t count, bool by_size, double *values,
                              double *vectors, struct vt_error *error) {
  const size_t n = operator->n;
  double *unit = vt_alloc_zero(n * n, sizeof *unit), *matrix = vt_alloc(n * n, sizeof *matrix);
  double *all = vt_alloc(n, sizeof *all);
  enum vt_status status = VT_OK;
  if (unit == NULL || matrix == NULL || all == NULL) status = VT_FAIL_MEMORY(error, 2 * n * n * sizeof *unit);
  if (status == VT_OK) {
    for (size_t i = 0; i < n; i++) unit[i * n + i] = 1;
    operator->multiply(operator->context, unit, matrix, n);
    status = vt_spectrum_full(matrix, n, all, error);
  }
  for (size_t k = 0, low = 0, high = n; status == VT_OK && k < count; k++) {
    size_t at = by_size && fabs(all[high - 1]) > fabs(all[low]) ? --high : low++;
    values[k] = all[at];
    memcpy(vectors + k * n, matrix + at * n, n * sizeof *vectors);
  }
  vt_free(unit);
  vt_free(matrix);
  vt_free(all);
  return status;
}

enum vt_status vt_spectrum_top(const struct vt_operator *operator, size_t count, bool by_size, double *values,
                               double *vectors, struct vt_error *error) {
  if (count == 0) return VT_OK;
  if (count > operator->n)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "%zu eigenvalues are asked of a matrix of %zu rows", count, operator->n);
  VT_TRY(vt_blas_open(error));
  struct krylov k = {.operator= operator, .n = operator->n, .wanted = count, .by_size = by_size};
  k.keep = (count + count / 4 + BLOCK) / BLOCK * BLOCK;
  k.capacity = k.keep + (count < 6 * BLOCK ? 6 * BLOCK : count / BLOCK * BLOCK);
  if (2 * k.capacity > k.n) return by_full(operator, count, by_size, values, vectors, error);
  enum vt_status status = create(&k, error);
  if (status == VT_OK) status = iterate(&k, values, vectors, error);
  release(&k);
  return status;
}
