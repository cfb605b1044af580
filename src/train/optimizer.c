/* optimizer.c: rows are independent, so threads share them out; sums are formed afterwards in row order. */
#include "train/optimizer.h"

#include <math.h>
#include <stdatomic.h>

#include "base/memory.h"
#include "kernel/kernel.h"

#define ROWS_A_TASK 256
#define BETA_1 0.9F
#define BETA_2 0.999F

enum vt_status vt_optimizer_init(struct vt_optimizer *optimizer, enum vt_optimizer_kind kind, struct vt_table *table,
                                 struct vt_error *error) {
  *optimizer = (struct vt_optimizer){.kind = kind, .table = table};
  optimizer->row_squares = vt_alloc_zero(table->rows, sizeof *optimizer->row_squares);
  if (optimizer->row_squares == NULL) return VT_FAIL_MEMORY(error, table->rows * sizeof *optimizer->row_squares);
  if (kind != VT_OPTIMIZER_SGD) VT_TRY(vt_table_init(&optimizer->squares, table->rows, table->dim, error));
  if (kind == VT_OPTIMIZER_ADAMW) VT_TRY(vt_table_init(&optimizer->moments, table->rows, table->dim, error));
  return VT_OK;
}

void vt_optimizer_release(struct vt_optimizer *optimizer) {
  vt_free(optimizer->row_squares);
  vt_table_release(&optimizer->squares);
  vt_table_release(&optimizer->moments);
  *optimizer = (struct vt_optimizer){0};
}

struct job {
  struct vt_optimizer *optimizer;
  const struct vt_table *gradient;
  float rate, keep;                 /* eta; what is left of v: 1 - 2 eta lambda, but with AdaGrad 1 */
  float penalty;                    /* 2 lambda, with AdaGrad, else 0 */
  float correction_1, correction_2; /* 1 / (1 - beta^t) */
  atomic_uint next;
};

/* The step without the decay, into step[width]. */
static void row_step(const struct job *job, uint32_t row, float *restrict step) {
  const struct vt_optimizer *optimizer = job->optimizer;
  const float *restrict g = vt_table_row(job->gradient, row);
  const float *restrict v = vt_table_row(optimizer->table, row);
  const size_t width = optimizer->table->width;
  if (optimizer->kind == VT_OPTIMIZER_SGD) {
    for (size_t k = 0; k < width; k++) step[k] = -job->rate * g[k];
    return;
  }
  float *restrict h = vt_table_row(&optimizer->squares, row);
  if (optimizer->kind == VT_OPTIMIZER_ADAGRAD) {
    for (size_t k = 0; k < width; k++) {
      float whole = g[k] + job->penalty * v[k];
      h[k] += whole * whole;
      step[k] = -job->rate * whole / (sqrtf(h[k]) + VT_ADAGRAD_EPSILON);
    }
    return;
  }
  float *restrict m = vt_table_row(&optimizer->moments, row);
  for (size_t k = 0; k < width; k++) {
    m[k] = BETA_1 * m[k] + (1 - BETA_1) * g[k];
    h[k] = BETA_2 * h[k] + (1 - BETA_2) * g[k] * g[k];
    step[k] = -job->rate * (m[k] * job->correction_1) / (sqrtf(h[k] * job->correction_2) + VT_ADAGRAD_EPSILON);
  }
}

static void move_row(const struct job *job, uint32_t row) {
  _Alignas(64) float step[VT_KERNEL_WIDTH_MAX];
  float *restrict v = vt_table_row(job->optimizer->table, row);
  const size_t width = job->optimizer->table->width;
  row_step(job, row, step);
  double squared = 0;
  float sum = 0;
  for (size_t k = 0; k < width; k++) {
    float moved = job->keep * v[k] + step[k];
    sum += moved * moved;
    squared += (double)(moved - v[k]) * (double)(moved - v[k]);
    step[k] = moved;
  }
  job->optimizer->row_squares[row] = isfinite(sum) ? squared : (double)NAN;
  if (!isfinite(sum)) return;
  for (size_t k = 0; k < width; k++) v[k] = step[k];
}

static void move_rows(void *context, int worker) {
  struct job *job = context;
  (void)worker;
  const uint32_t rows = job->optimizer->table->rows;
  for (;;) {
    uint32_t first = ROWS_A_TASK * atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed);
    if (first >= rows) return;
    uint32_t end = rows - first < ROWS_A_TASK ? rows : first + ROWS_A_TASK;
    for (uint32_t row = first; row < end; row++) move_row(job, row);
  }
}

double vt_optimizer_apply(struct vt_optimizer *optimizer, const struct vt_table *gradient,
                          const struct vt_optimizer_step *step, struct vt_pool *pool, uint32_t *bad_row) {
  const bool adagrad = optimizer->kind == VT_OPTIMIZER_ADAGRAD;
  struct job job = {.optimizer = optimizer,
                    .gradient = gradient,
                    .rate = (float)step->rate,
                    .keep = adagrad ? 1 : (float)(1 - 2 * step->rate * step->l2),
                    .penalty = (float)(2 * step->l2),
                    .correction_1 = (float)(1 / (1 - pow((double)BETA_1, (double)step->number))),
                    .correction_2 = (float)(1 / (1 - pow((double)BETA_2, (double)step->number)))};
  vt_pool_run(pool, move_rows, &job);
  double squared = 0;
  *bad_row = UINT32_MAX;
  for (uint32_t row = 0; row < optimizer->table->rows; row++) {
    if (!isnan(optimizer->row_squares[row])) {
      squared += optimizer->row_squares[row];
    } else if (*bad_row == UINT32_MAX) {
      *bad_row = row;
    }
  }
  return squared;
}

void vt_optimizer_explain(const struct vt_optimizer *optimizer, uint32_t row, const struct vt_optimizer_step *step,
                          const float *before, const float *gradient, double *factors, double *decay, double *held) {
  const bool sgd = optimizer->kind == VT_OPTIMIZER_SGD, adagrad = optimizer->kind == VT_OPTIMIZER_ADAGRAD;
  const float *h = sgd ? NULL : vt_table_row(&optimizer->squares, row);
  const float *m = sgd || adagrad ? NULL : vt_table_row(&optimizer->moments, row);
  const double number = (double)step->number, epsilon = (double)VT_ADAGRAD_EPSILON;
  const double correction_1 = 1 / (1 - pow((double)BETA_1, number)),
               correction_2 = 1 / (1 - pow((double)BETA_2, number));
  for (uint32_t k = 0; k < optimizer->table->dim; k++) {
    factors[k] = -step->rate;
    if (adagrad) factors[k] = -step->rate / (sqrt((double)h[k]) + epsilon);
    if (m != NULL) factors[k] = -step->rate * correction_1 / (sqrt((double)h[k] * correction_2) + epsilon);
    decay[k] = (adagrad ? factors[k] : -step->rate) * 2 * step->l2 * (double)before[k];
    held[k] = m != NULL ? factors[k] * ((double)m[k] - (double)gradient[k]) : 0;
  }
}
