/*
 * softmax_gradient.c: threads take groups of rows; the BLAS runs single-threaded in each; each group sums its part of
 * both gradients, and the groups are added up in order: the same bits at any number of threads.
 */
#include "train/softmax_gradient.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/blas.h"
#include "base/memory.h"

#define GROUPS 8
#define ROWS 64 /* of a group, at a time */

struct group {
  double *x;        /* ROWS x dim */
  double *scores;   /* ROWS x words */
  double *pull;     /* ROWS x dim */
  double *gradient; /* of the output table: words x dim */
  double *input;    /* of the input table: words x dim */
  double loss;
};

struct vt_softmax_gradient {
  uint32_t words, dim;
  struct group groups[GROUPS];
  /* While it is taken. */
  const struct vt_softmax_rows *rows;
  double *const *tables;
  atomic_uint next;
};

static size_t cells(const struct vt_softmax_gradient *work) { return (size_t)work->words * work->dim; }

enum vt_status vt_softmax_gradient_create(uint32_t words, uint32_t dim, struct vt_softmax_gradient **out,
                                          struct vt_error *error) {
  struct vt_softmax_gradient *work = vt_alloc_zero(1, sizeof *work);
  if (work == NULL) return VT_FAIL_MEMORY(error, sizeof *work);
  work->words = words;
  work->dim = dim;
  for (int g = 0; g < GROUPS; g++) {
    struct group *group = &work->groups[g];
    group->x = vt_alloc_aligned(ROWS, dim * sizeof(double));
    group->scores = vt_alloc_aligned(ROWS, words * sizeof(double));
    group->pull = vt_alloc_aligned(ROWS, dim * sizeof(double));
    group->gradient = vt_alloc_aligned(cells(work), sizeof(double));
    group->input = vt_alloc_aligned(cells(work), sizeof(double));
    if (group->x == NULL || group->scores == NULL || group->pull == NULL || group->gradient == NULL ||
        group->input == NULL) {
      vt_softmax_gradient_free(work);
      return VT_FAIL_MEMORY(error, (size_t)words * dim * sizeof(double));
    }
  }
  *out = work;
  return VT_OK;
}

void vt_softmax_gradient_free(struct vt_softmax_gradient *work) {
  if (work == NULL) return;
  for (int g = 0; g < GROUPS; g++) {
    vt_free_aligned(work->groups[g].x);
    vt_free_aligned(work->groups[g].scores);
    vt_free_aligned(work->groups[g].pull);
    vt_free_aligned(work->groups[g].gradient);
    vt_free_aligned(work->groups[g].input);
  }
  vt_free(work);
}

/* A row of scores becomes its row of G = scale (a P - w); returns its loss. */
static double differentiate_row(const struct vt_softmax_rows *rows, size_t row, uint32_t words, double *scores) {
  size_t from = rows->weights == NULL ? row : rows->start[row],
         to = rows->weights == NULL ? row + 1 : rows->start[row + 1];
  double largest = scores[0], sum = 0, weight = 0, target_score = 0;
  for (uint32_t c = 1; c < words; c++)
    if (scores[c] > largest) largest = scores[c];
  for (size_t t = from; t < to; t++) {
    double w = rows->weights == NULL ? 1 : (double)rows->weights[t];
    weight += w;
    target_score += w * scores[rows->targets[t]];
  }
  for (uint32_t c = 0; c < words; c++) sum += scores[c] = exp(scores[c] - largest);
  const double factor = rows->scale * weight / sum;
  for (uint32_t c = 0; c < words; c++) scores[c] *= factor;
  for (size_t t = from; t < to; t++)
    scores[rows->targets[t]] -= rows->scale * (rows->weights == NULL ? 1 : (double)rows->weights[t]);
  return weight * (largest + log(sum)) - target_score;
}

/* Rows first .. first + count of the batch. */
static void add_rows(const struct vt_softmax_gradient *work, struct group *group, size_t first, size_t count) {
  const struct vt_softmax_rows *rows = work->rows;
  const int n = (int)count, words = (int)work->words, dim = (int)work->dim;
  const double *input = work->tables[VT_TABLE_INPUT], *output = work->tables[VT_TABLE_OUTPUT];
  for (size_t i = 0; i < count; i++)
    memcpy(group->x + i * work->dim, input + (size_t)rows->inputs[first + i] * work->dim, work->dim * sizeof(double));
  vt_blas.cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, words, dim, 1, group->x, dim, output, dim, 0,
                      group->scores, words);
  for (size_t i = 0; i < count; i++)
    group->loss += differentiate_row(rows, first + i, work->words, group->scores + i * work->words);
  vt_blas.cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, dim, words, 1, group->scores, words, output, dim, 0,
                      group->pull, dim);
  vt_blas.cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, words, dim, n, 1, group->scores, words, group->x, dim, 1,
                      group->gradient, dim);
  for (size_t i = 0; i < count; i++) {
    double *to = group->input + (size_t)rows->inputs[first + i] * work->dim;
    for (uint32_t k = 0; k < work->dim; k++) to[k] += group->pull[i * work->dim + k];
  }
}

/* A group is a stretch of rows. */
static void add_groups(void *context, int worker) {
  struct vt_softmax_gradient *work = context;
  (void)worker;
  const size_t rows = work->rows->count, each = (rows + GROUPS - 1) / GROUPS;
  for (;;) {
    unsigned number = atomic_fetch_add_explicit(&work->next, 1, memory_order_relaxed);
    if (number >= GROUPS) return;
    struct group *group = &work->groups[number];
    group->loss = 0;
    memset(group->gradient, 0, cells(work) * sizeof(double));
    memset(group->input, 0, cells(work) * sizeof(double));
    size_t end = (number + 1) * each < rows ? (number + 1) * each : rows;
    for (size_t first = number * each; first < end; first += ROWS)
      add_rows(work, group, first, end - first < ROWS ? end - first : ROWS);
  }
}

double vt_softmax_gradient_take(struct vt_softmax_gradient *work, const struct vt_softmax_rows *rows,
                                double *const tables[VT_TABLE_COUNT], double *const gradients[VT_TABLE_COUNT],
                                struct vt_pool *pool) {
  work->rows = rows;
  work->tables = tables;
  atomic_store_explicit(&work->next, 0, memory_order_relaxed);
  vt_pool_run(pool, add_groups, work);
  double loss = 0;
  for (int g = 0; g < GROUPS; g++) loss += work->groups[g].loss;
  for (size_t k = 0; k < cells(work); k++) {
    double input = 0, output = 0;
    for (int g = 0; g < GROUPS; g++) {
      input += work->groups[g].input[k];
      output += work->groups[g].gradient[k];
    }
    gradients[VT_TABLE_INPUT][k] = input;
    gradients[VT_TABLE_OUTPUT][k] = output;
  }
  return loss;
}
