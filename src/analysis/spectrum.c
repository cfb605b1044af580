/* spectrum.c: the BLAS and LAPACK run single-threaded; what threads share, they share in fixed pieces. */
#include "analysis/spectrum.h"

#include <cblas.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "analysis/lapack.h"
#include "base/memory.h"
#include "base/rng.h"

#define STRIPE 128
#define EXTRA 12 /* vectors of a block beyond those that are wanted */
#define DEPTH 5  /* blocks of the Krylov space after the first */
#define ROUNDS_MAX 60
#define TOLERANCE 1e-9

/* ---- dense matrices ---------------------------------------------------------------------------------------------- */

struct multiplying {
  const struct vt_dense *dense;
  const double *from;
  double *to;
  size_t count;
  atomic_uint next;
};

static void multiply_stripes(void *context, int worker) {
  struct multiplying *m = context;
  const size_t n = m->dense->n;
  (void)worker;
  for (;;) {
    size_t first = (size_t)atomic_fetch_add_explicit(&m->next, 1, memory_order_relaxed) * STRIPE;
    if (first >= n) return;
    size_t width = n - first < STRIPE ? n - first : STRIPE;
    /* Columns first .. of the product are from times the rows first .. of the matrix, which is symmetric. */
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m->count, (int)width, (int)n, 1, m->from, (int)n,
                m->dense->matrix + first * n, (int)n, 0, m->to + first, (int)n);
  }
}

void vt_dense_multiply(const void *context, const double *from, double *to, size_t count) {
  struct multiplying m = {.dense = context, .from = from, .to = to, .count = count};
  atomic_init(&m.next, 0);
  openblas_set_num_threads(1);
  vt_pool_run(m.dense->pool, multiply_stripes, &m);
}

/* ---- all of a small one ------------------------------------------------------------------------------------------ */

enum vt_status vt_spectrum_full(double *matrix, size_t n, double *values, struct vt_error *error) {
  if (n == 0) return VT_OK;
  const int size = (int)n;
  int info = 0, ask = -1, iwanted = 0;
  double wanted = 0;
  openblas_set_num_threads(1);
  dsyevd_("V", "L", &size, matrix, &size, values, &wanted, &ask, &iwanted, &ask, &info);
  int lwork = (int)wanted, liwork = iwanted;
  double *work = vt_alloc((size_t)lwork, sizeof *work);
  int *iwork = vt_alloc((size_t)liwork, sizeof *iwork);
  enum vt_status status = VT_OK;
  if (work == NULL || iwork == NULL) status = VT_FAIL_MEMORY(error, (size_t)lwork * sizeof *work);
  if (status == VT_OK) dsyevd_("V", "L", &size, matrix, &size, values, work, &lwork, iwork, &liwork, &info);
  if (status == VT_OK && info != 0)
    status = VT_FAIL(error, VT_ERROR_FORMAT, "the eigenvalues of a matrix of %zu rows could not be found", n);
  vt_free(work);
  vt_free(iwork);
  if (status != VT_OK) return status;
  for (size_t k = 0; k < n / 2; k++) { /* they come rising */
    double value = values[k];
    values[k] = values[n - 1 - k];
    values[n - 1 - k] = value;
    cblas_dswap(size, matrix + k * n, 1, matrix + (n - 1 - k) * n, 1);
  }
  return VT_OK;
}

enum vt_status vt_spectrum_rows(const float *rows, size_t count, size_t dim, double *values, double *vectors,
                                struct vt_error *error) {
  double *gram = vt_alloc_zero(dim * dim, sizeof *gram), *row = vt_alloc(dim, sizeof *row);
  enum vt_status status = VT_OK;
  if (gram == NULL || row == NULL) status = VT_FAIL_MEMORY(error, dim * dim * sizeof *gram);
  for (size_t i = 0; status == VT_OK && i < count; i++) {
    for (size_t k = 0; k < dim; k++) row[k] = (double)rows[i * dim + k];
    cblas_dsyr(CblasRowMajor, CblasUpper, (int)dim, 1, row, 1, gram, (int)dim); /* rows are added in order */
  }
  if (status == VT_OK) status = vt_spectrum_full(gram, dim, values, error);
  if (status == VT_OK && vectors != NULL) memcpy(vectors, gram, dim * dim * sizeof *gram);
  vt_free(gram);
  vt_free(row);
  return status;
}

/* ---- the outermost of a large one -------------------------------------------------------------------------------- */

struct krylov {
  const struct vt_operator *operator;
  size_t n, wanted, block, size; /* size: of the whole space */
  bool by_size;
  double *basis, *images; /* size x n */
  double *small, *ritz;   /* size x size, size */
  double *coefficients;   /* size x block */
  double *tau, *work;
  int lwork;
  size_t *order; /* of the Ritz values: the wanted ones first */
};

static enum vt_status create(struct krylov *k, struct vt_error *error) {
  const int n = (int)k->n, block = (int)k->block, ask = -1;
  double wanted[2] = {0};
  int info;
  dgeqrf_(&n, &block, NULL, &n, NULL, &wanted[0], &ask, &info);
  dorgqr_(&n, &block, &block, NULL, &n, NULL, &wanted[1], &ask, &info);
  k->lwork = (int)(wanted[0] > wanted[1] ? wanted[0] : wanted[1]);
  k->basis = vt_alloc_aligned_raw(k->size * k->n, sizeof(double));
  k->images = vt_alloc_aligned_raw(k->size * k->n, sizeof(double));
  k->small = vt_alloc(k->size * k->size, sizeof(double));
  k->ritz = vt_alloc(k->size, sizeof(double));
  k->coefficients = vt_alloc(k->size * k->block, sizeof(double));
  k->tau = vt_alloc(k->block, sizeof(double));
  k->work = vt_alloc((size_t)k->lwork, sizeof(double));
  k->order = vt_alloc(k->size, sizeof *k->order);
  if (k->basis != NULL && k->images != NULL && k->small != NULL && k->ritz != NULL && k->coefficients != NULL &&
      k->tau != NULL && k->work != NULL && k->order != NULL)
    return VT_OK;
  return VT_FAIL_MEMORY(error, 2 * k->size * k->n * sizeof(double));
}

static void release(struct krylov *k) {
  vt_free_aligned(k->basis);
  vt_free_aligned(k->images);
  vt_free(k->small);
  vt_free(k->ritz);
  vt_free(k->coefficients);
  vt_free(k->tau);
  vt_free(k->work);
  vt_free(k->order);
}

/* Block `number` of the basis: orthogonal to those before it, twice for the digits' sake, and within itself. */
static void orthogonalise(struct krylov *k, size_t number) {
  const int n = (int)k->n, block = (int)k->block, before = (int)(number * k->block);
  double *own = k->basis + number * k->block * k->n;
  int info;
  for (int pass = 0; pass < 2; pass++) {
    if (before > 0) {
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, block, before, n, 1, own, n, k->basis, n, 0, k->coefficients,
                  before);
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, block, n, before, -1, k->coefficients, before, k->basis, n,
                  1, own, n);
    }
    dgeqrf_(&n, &block, own, &n, k->tau, k->work, &k->lwork, &info);
    dorgqr_(&n, &block, &block, own, &n, k->tau, k->work, &k->lwork, &info);
  }
}

static void build(struct krylov *k) {
  const size_t stride = k->block * k->n;
  for (size_t number = 0; number * k->block < k->size; number++) {
    if (number > 0) memcpy(k->basis + number * stride, k->images + (number - 1) * stride, stride * sizeof(double));
    orthogonalise(k, number);
    k->operator->multiply(k->operator->context, k->basis + number * stride, k->images + number * stride, k->block);
  }
}

/* The Ritz values in order: largest, or largest in size, first. */
static void sort_ritz(struct krylov *k) {
  for (size_t i = 0; i < k->size; i++) { /* few: by insertion */
    size_t at = i;
    double key = k->by_size ? fabs(k->ritz[i]) : k->ritz[i];
    while (at > 0 && (k->by_size ? fabs(k->ritz[k->order[at - 1]]) : k->ritz[k->order[at - 1]]) < key) {
      k->order[at] = k->order[at - 1];
      at--;
    }
    k->order[at] = i;
  }
}

/* Ritz values and vectors; the block's best become block 0 of the basis, their images block 0 of the images. Returns
 * the largest residual of those that are wanted, over the largest Ritz value in size; NaN where that is none. */
static double rayleigh_ritz(struct krylov *k, double *scratch, struct vt_error *error) {
  const int n = (int)k->n, size = (int)k->size;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, size, size, n, 1, k->basis, n, k->images, n, 0, k->small, size);
  for (size_t i = 0; i < k->size; i++)
    for (size_t j = 0; j < i; j++)
      k->small[i * k->size + j] = k->small[j * k->size + i] =
          (k->small[i * k->size + j] + k->small[j * k->size + i]) / 2;
  if (vt_spectrum_full(k->small, k->size, k->ritz, error) != VT_OK) return NAN;
  sort_ritz(k);
  for (size_t b = 0; b < k->block; b++)
    memcpy(k->coefficients + b * k->size, k->small + k->order[b] * k->size, k->size * sizeof(double));
  double *const arrays[] = {k->basis, k->images};
  for (int a = 0; a < 2; a++) {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)k->block, n, size, 1, k->coefficients, size, arrays[a],
                n, 0, scratch, n);
    memcpy(arrays[a], scratch, k->block * k->n * sizeof(double));
  }
  double worst = 0, largest = fmax(fabs(k->ritz[0]), fabs(k->ritz[k->size - 1]));
  for (size_t b = 0; b < k->wanted; b++) {
    double squares = 0, value = k->ritz[k->order[b]];
    for (size_t i = 0; i < k->n; i++) {
      double rest = k->images[b * k->n + i] - value * k->basis[b * k->n + i];
      squares += rest * rest;
    }
    worst = fmax(worst, sqrt(squares));
  }
  return largest > 0 ? worst / largest : 0;
}

static enum vt_status iterate(struct krylov *k, double *values, double *vectors, struct vt_error *error) {
  double *scratch = vt_alloc_aligned_raw(k->block * k->n, sizeof *scratch);
  if (scratch == NULL) return VT_FAIL_MEMORY(error, k->block * k->n * sizeof *scratch);
  struct vt_rng rng = vt_rng_make(VT_RNG_ANALYSIS, 1, k->n, k->block);
  for (size_t i = 0; i < k->block * k->n; i++) k->basis[i] = (double)vt_rng_unit(&rng) - 0.5;
  double residual = NAN;
  for (int round = 0; round < ROUNDS_MAX; round++) {
    build(k);
    residual = rayleigh_ritz(k, scratch, error);
    if (!(residual > TOLERANCE)) break;
  }
  vt_free_aligned(scratch);
  if (!(residual <= TOLERANCE))
    return VT_FAIL(error, VT_ERROR_FORMAT, "the largest eigenvalues of a matrix of %zu rows could not be found", k->n);
  for (size_t b = 0; b < k->wanted; b++) values[b] = k->ritz[k->order[b]];
  memcpy(vectors, k->basis, k->wanted * k->n * sizeof *vectors);
  return VT_OK;
}

/* Where the space would fill most of the whole one, all of it is taken. */
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
  openblas_set_num_threads(1);
  struct krylov k = {
      .operator= operator, .n = operator->n, .wanted = count, .block = count + EXTRA, .by_size = by_size};
  k.size = k.block * (DEPTH + 1);
  if (2 * k.size > 3 * k.n / 2) return by_full(operator, count, by_size, values, vectors, error);
  enum vt_status status = create(&k, error);
  if (status == VT_OK) status = iterate(&k, values, vectors, error);
  release(&k);
  return status;
}
