/*
 * compare.c: two tables row by row: turned onto each other, word by word, and as wholes.
 *
 * The rotation is that of unit vectors, so it makes the sum of the cosines greatest, every word counting the same
 * (Artetxe et al. 2016), and the cosines are what is asked about. The alignment of kernels takes the vectors as they
 * are, their mean taken off (Kornblith et al. 2019).
 *
 * Sums over words are taken in the order of the words. Memory: three d x d tables and d doubles a thread. Threads: a
 * pool of its own; a word's cosine is one worker's, and no worker's result depends on another's.
 */
#include "vectrail/compare.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/gram.h"
#include "analysis/measure.h"
#include "analysis/polar.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"

#define WORDS_AT_ONCE 256

struct comparing {
  const struct vt_vectors *a, *b;
  size_t rows;
  size_t d; /* of the longer vectors */
  struct vt_pool *pool;
  double *scales[2]; /* [rows]: 1 / |row|, 0 for a zero row */
  double *means[2];  /* [dim] */
  double *rotation;  /* [d][d], or NULL */
  double *turned;    /* [workers][d] */
  struct vt_compare *result;
  atomic_size_t next;
};

/* ---- alignment --------------------------------------------------------------------------------------------------- */

/* The product, of any shape, as the upper left of a square one with zeros around. */
static void pad(const double *product, size_t rows, size_t columns, double *square, size_t d) {
  memset(square, 0, d * d * sizeof *square);
  for (size_t r = 0; r < rows; r++) memcpy(square + r * d, product + r * columns, columns * sizeof *product);
}

static enum vt_status align(struct comparing *comparing, struct vt_error *error) {
  size_t p = comparing->a->dim, q = comparing->b->dim, d = comparing->d;
  const struct vt_gram_table a = {.data = comparing->a->data, .dim = p, .scales = comparing->scales[0]};
  const struct vt_gram_table b = {.data = comparing->b->data, .dim = q, .scales = comparing->scales[1]};
  double *product = vt_alloc(p * q, sizeof *product), *square = vt_alloc(d * d, sizeof *square);
  comparing->rotation = vt_alloc(d * d, sizeof *comparing->rotation);
  enum vt_status status = VT_OK;
  if (product == NULL || square == NULL || comparing->rotation == NULL)
    status = VT_FAIL_MEMORY(error, 3 * d * d * sizeof *product);
  if (status == VT_OK) status = vt_gram(&a, &b, comparing->rows, comparing->pool, product, error);
  if (status == VT_OK) {
    pad(product, p, q, square, d);
    status = vt_polar_rotation(square, d, comparing->pool, comparing->rotation, error);
  }
  vt_free(product);
  vt_free(square);
  return status;
}

/* ---- word by word ------------------------------------------------------------------------------------------------ */

/* The vector of a in the coordinates of b. */
static void turn(const struct comparing *comparing, const float *row, double *turned) {
  size_t d = comparing->d;
  memset(turned, 0, d * sizeof *turned);
  for (size_t i = 0; i < comparing->a->dim; i++) {
    if (comparing->rotation == NULL) {
      turned[i] = (double)row[i];
      continue;
    }
    const double *axis = comparing->rotation + i * d;
    for (size_t c = 0; c < d; c++) turned[c] += (double)row[i] * axis[c];
  }
}

/* Beyond its own length b is zero, so its dim is as far as a product goes; |a| is that of all of it. */
static double cosine(const struct comparing *comparing, uint32_t id, double *turned) {
  const float *a = vt_vectors_row(comparing->a, id), *b = vt_vectors_row(comparing->b, id);
  turn(comparing, a, turned);
  struct vt_measure measure = vt_measure_row(turned, b, comparing->b->dim);
  return vt_measure_cosine(measure.product, vt_measure_squared(a, comparing->a->dim), measure.squared);
}

static void measure_words(void *context, int number) {
  struct comparing *comparing = context;
  double *turned = comparing->turned + (size_t)number * comparing->d;
  for (;;) {
    size_t first = atomic_fetch_add_explicit(&comparing->next, WORDS_AT_ONCE, memory_order_relaxed);
    if (first >= comparing->rows) return;
    for (size_t id = first; id < comparing->rows && id < first + WORDS_AT_ONCE; id++)
      comparing->result->words[id] = (struct vt_compare_word){(uint32_t)id, cosine(comparing, (uint32_t)id, turned)};
  }
}

static int compare_words(const void *left, const void *right) {
  const struct vt_compare_word *a = left, *b = right;
  if (a->value != b->value) return a->value < b->value ? -1 : 1;
  return (a->id > b->id) - (a->id < b->id);
}

static enum vt_status measure_cosines(struct comparing *comparing, struct vt_error *error) {
  size_t rows = comparing->rows, workers = (size_t)vt_pool_size(comparing->pool);
  struct vt_compare *result = comparing->result;
  comparing->turned = vt_alloc(workers * comparing->d, sizeof *comparing->turned);
  result->words = vt_alloc(rows, sizeof *result->words);
  if (comparing->turned == NULL || result->words == NULL) return VT_FAIL_MEMORY(error, rows * sizeof *result->words);
  vt_pool_run(comparing->pool, measure_words, comparing);
  double sum = 0;
  for (size_t r = 0; r < rows; r++) sum += result->words[r].value;
  result->cosine_mean = sum / (double)rows;
  qsort(result->words, rows, sizeof *result->words, compare_words);
  result->cosine_median = (result->words[(rows - 1) / 2].value + result->words[rows / 2].value) / 2;
  return VT_OK;
}

/* ---- as wholes --------------------------------------------------------------------------------------------------- */

/* |X'Y|, columns centred or not. */
static enum vt_status norm_of_product(const struct comparing *comparing, int left, int right, bool centred,
                                      double *norm, struct vt_error *error) {
  const struct vt_vectors *tables[] = {comparing->a, comparing->b};
  struct vt_gram_table x = {
      .data = tables[left]->data, .dim = tables[left]->dim, .mean = centred ? comparing->means[left] : NULL};
  struct vt_gram_table y = {
      .data = tables[right]->data, .dim = tables[right]->dim, .mean = centred ? comparing->means[right] : NULL};
  double *product = vt_alloc(x.dim * y.dim, sizeof *product);
  if (product == NULL) return VT_FAIL_MEMORY(error, x.dim * y.dim * sizeof *product);
  enum vt_status status = vt_gram(&x, &y, comparing->rows, comparing->pool, product, error);
  double squares = 0;
  for (size_t k = 0; status == VT_OK && k < x.dim * y.dim; k++) squares += product[k] * product[k];
  *norm = sqrt(squares);
  vt_free(product);
  return status;
}

/* |Y'X|^2 / (|X'X| |Y'Y|), columns centred. */
static enum vt_status measure_cka(struct comparing *comparing, struct vt_error *error) {
  double across, own[2];
  VT_TRY(norm_of_product(comparing, 0, 1, true, &across, error));
  VT_TRY(norm_of_product(comparing, 0, 0, true, &own[0], error));
  VT_TRY(norm_of_product(comparing, 1, 1, true, &own[1], error));
  comparing->result->cka = own[0] > 0 && own[1] > 0 ? across / own[0] * (across / own[1]) : (double)NAN;
  return VT_OK;
}

/* |A A' - B B'|^2 = |A'A|^2 - 2 |A'B|^2 + |B'B|^2. */
static enum vt_status measure_pip(struct comparing *comparing, struct vt_error *error) {
  double across, own[2];
  VT_TRY(norm_of_product(comparing, 0, 1, false, &across, error));
  VT_TRY(norm_of_product(comparing, 0, 0, false, &own[0], error));
  VT_TRY(norm_of_product(comparing, 1, 1, false, &own[1], error));
  const double squares = own[0] * own[0] - 2 * across * across + own[1] * own[1];
  comparing->result->pip_loss = squares > 0 ? sqrt(squares) : 0;
  comparing->result->pip_share = comparing->result->pip_loss / hypot(own[0], own[1]);
  return VT_OK;
}

/* ---- both -------------------------------------------------------------------------------------------------------- */

static enum vt_status prepare(struct comparing *comparing, struct vt_error *error) {
  const struct vt_vectors *tables[] = {comparing->a, comparing->b};
  for (size_t t = 0; t < 2; t++) {
    size_t dim = tables[t]->dim;
    double *scales = vt_alloc(comparing->rows, sizeof *scales), *mean = vt_alloc_zero(dim, sizeof *mean);
    comparing->scales[t] = scales;
    comparing->means[t] = mean;
    if (scales == NULL || mean == NULL) return VT_FAIL_MEMORY(error, comparing->rows * sizeof *scales);
    for (size_t r = 0; r < comparing->rows; r++) {
      const float *row = tables[t]->data + r * dim;
      double squared = vt_measure_squared(row, dim);
      if (!isfinite(squared))
        return VT_FAIL(error, VT_ERROR_CORRUPT, "the vector of \"%.64s\" holds NaN or infinity",
                       vt_vocab_text(tables[t]->vocab, (uint32_t)r));
      scales[r] = squared > 0 ? 1 / sqrt(squared) : 0;
      for (size_t c = 0; c < dim; c++) mean[c] += (double)row[c];
    }
    for (size_t c = 0; c < dim; c++) mean[c] /= (double)comparing->rows;
  }
  return VT_OK;
}

enum vt_status vt_compare_vectors(const struct vt_vectors *a, const struct vt_vectors *b, bool aligned, int threads,
                                  struct vt_compare *result, struct vt_error *error) {
  *result = (struct vt_compare){.aligned = aligned};
  if (a->rows != b->rows || a->rows == 0)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "tables of %zu and %zu rows cannot be compared row by row", a->rows,
                   b->rows);
  struct comparing comparing = {
      .a = a, .b = b, .rows = a->rows, .d = a->dim > b->dim ? a->dim : b->dim, .result = result};
  enum vt_status status = vt_pool_create(threads, &comparing.pool, error);
  if (status == VT_OK) status = prepare(&comparing, error);
  if (status == VT_OK && aligned) status = align(&comparing, error);
  if (status == VT_OK) status = measure_cosines(&comparing, error);
  if (status == VT_OK) status = measure_cka(&comparing, error);
  if (status == VT_OK) status = measure_pip(&comparing, error);
  for (size_t t = 0; t < 2; t++) {
    vt_free(comparing.scales[t]);
    vt_free(comparing.means[t]);
  }
  vt_free(comparing.rotation);
  vt_free(comparing.turned);
  vt_pool_free(comparing.pool);
  if (status != VT_OK) vt_compare_release(result);
  return status;
}

void vt_compare_release(struct vt_compare *result) {
  vt_free(result->words);
  *result = (struct vt_compare){0};
}
