/*
 * measure_shape.c: the cloud of vectors as a whole: norms against frequency, its common part, how many directions it
 * fills. Singular values come from the d x d matrix of the sample's products, in double.
 */
#include <math.h>
#include <string.h>

#include "analysis/eigen.h"
#include "analysis/measure_run.h"
#include "base/memory.h"

struct vt_measure_shape {
  double *log_counts; /* of the sample; NaN where the count is not known */
  double *gram, *centred, *values, *spread, *scratch, *mean;
  double *slope, *correlation, *mean_share, *effective_rank, *centred_rank, *participation;
};

enum vt_status vt_measure_shape_create(struct vt_measuring *m, struct vt_measure_shape **out, struct vt_error *error) {
  struct vt_measure_shape *shape = vt_alloc_zero(1, sizeof *shape);
  if (shape == NULL) return VT_FAIL_MEMORY(error, sizeof *shape);
  *out = shape;
  struct vt_measures *result = m->out;
  shape->log_counts = vt_alloc(m->sample_count, sizeof(double));
  shape->gram = vt_alloc(m->dim * m->dim, sizeof(double));
  shape->centred = vt_alloc(m->dim * m->dim, sizeof(double));
  shape->values = vt_alloc(m->dim, sizeof(double));
  shape->spread = vt_alloc(m->dim, sizeof(double));
  shape->scratch = vt_alloc(m->dim, sizeof(double));
  shape->mean = vt_alloc(m->dim, sizeof(double));
  result->singular_values = vt_alloc(result->count * m->dim, sizeof(double));
  if (shape->log_counts == NULL || shape->gram == NULL || shape->centred == NULL || shape->spread == NULL ||
      shape->values == NULL || shape->scratch == NULL || shape->mean == NULL || result->singular_values == NULL)
    return VT_FAIL_MEMORY(error, m->dim * m->dim * sizeof(double));
  for (size_t k = 0; k < m->sample_count; k++) {
    uint64_t count = vt_vocab_count(m->vocab, m->ids[m->sample[k]]);
    shape->log_counts[k] = count > 0 ? log((double)count) : (double)NAN;
  }
  VT_TRY(vt_measuring_series(m, "norm_slope", "norm gained for each factor e of frequency", &shape->slope, error));
  VT_TRY(
      vt_measuring_series(m, "norm_correlation", "correlation of norm with log frequency", &shape->correlation, error));
  VT_TRY(vt_measuring_series(m, "mean_share", "|mean vector|^2 over the mean |vector|^2", &shape->mean_share, error));
  VT_TRY(vt_measuring_series(m, "effective_rank", "directions in use: e^entropy of the singular values",
                             &shape->effective_rank, error));
  VT_TRY(vt_measuring_series(m, "centred_rank", "the same without the mean vector", &shape->centred_rank, error));
  return vt_measuring_series(m, "participation", "participation ratio of the squared singular values",
                             &shape->participation, error);
}

/* Least squares of norm on log count, over words whose count is known. */
static void fit_norms(const struct vt_measuring *m, struct vt_measure_shape *shape, const struct vt_frame *frame) {
  double n = 0, mean_x = 0, mean_y = 0, xx = 0, yy = 0, xy = 0;
  for (size_t k = 0; k < m->sample_count; k++) {
    if (isnan(shape->log_counts[k])) continue;
    n++;
    mean_x += shape->log_counts[k];
    mean_y += frame->norms[m->sample[k]];
  }
  mean_x /= n;
  mean_y /= n;
  for (size_t k = 0; k < m->sample_count; k++) {
    if (isnan(shape->log_counts[k])) continue;
    double x = shape->log_counts[k] - mean_x, y = frame->norms[m->sample[k]] - mean_y;
    xx += x * x;
    yy += y * y;
    xy += x * y;
  }
  if (n < 2 || !(xx > 0)) return;
  shape->slope[frame->index] = xy / xx;
  if (yy > 0) shape->correlation[frame->index] = xy / sqrt(xx * yy);
}

struct looking {
  const struct vt_measuring *m;
  struct vt_measure_shape *shape;
  const struct vt_frame *frame;
};

/* One row of the lower triangle of V'V / words; words are added up in order. */
static void gram_row(void *context, size_t item) {
  const struct looking *looking = context;
  const struct vt_measuring *m = looking->m;
  double *row = looking->shape->gram + item * m->dim;
  memset(row, 0, (item + 1) * sizeof *row);
  for (size_t k = 0; k < m->sample_count; k++) {
    const float *vector = vt_frame_row(m, looking->frame, m->sample[k]);
    double x = (double)vector[item] / (double)m->sample_count;
    for (size_t c = 0; c <= item; c++) row[c] += x * (double)vector[c];
  }
}

/* The singular values behind the eigenvalues of the matrix in `gram`, which is overwritten. */
static void singular_values(const struct vt_measuring *m, struct vt_measure_shape *shape, double *singular) {
  bool found = vt_eigenvalues(shape->gram, m->dim, shape->values, shape->scratch);
  for (size_t c = 0; c < m->dim; c++)
    singular[c] = found ? (shape->values[c] > 0 ? sqrt(shape->values[c]) : 0) : (double)NAN;
}

/* e^entropy of the shares; NaN where they are all zero. */
static double rank_of(const double *singular, size_t count) {
  double sum = 0, entropy = 0;
  for (size_t c = 0; c < count; c++) sum += singular[c];
  for (size_t c = 0; c < count; c++) {
    double share = singular[c] / sum;
    if (share > 0) entropy -= share * log(share);
  }
  return sum > 0 ? exp(entropy) : (double)NAN;
}

static void spectrum(struct vt_measuring *m, struct vt_measure_shape *shape, size_t s) {
  double *singular = m->out->singular_values + s * m->dim, squares = 0, fourths = 0;
  /* Without the mean: the matrix less its mean vector's products. */
  for (size_t r = 0; r < m->dim; r++)
    for (size_t c = 0; c <= r; c++)
      shape->centred[r * m->dim + c] = shape->gram[r * m->dim + c] - shape->mean[r] * shape->mean[c];
  singular_values(m, shape, singular);
  shape->effective_rank[s] = rank_of(singular, m->dim);
  for (size_t c = 0; c < m->dim; c++) {
    squares += singular[c] * singular[c];
    fourths += singular[c] * singular[c] * singular[c] * singular[c];
  }
  if (fourths > 0) shape->participation[s] = squares * squares / fourths;
  double *whole = shape->gram;
  shape->gram = shape->centred;
  singular_values(m, shape, shape->spread);
  shape->centred = shape->gram;
  shape->gram = whole;
  shape->centred_rank[s] = rank_of(shape->spread, m->dim);
}

void vt_measure_shape_at(struct vt_measuring *m, struct vt_measure_shape *shape, const struct vt_moment *moment) {
  const struct vt_frame *frame = moment->now;
  fit_norms(m, shape, frame);
  double mean_squared = 0, squared = 0, count = (double)m->sample_count;
  memset(shape->mean, 0, m->dim * sizeof *shape->mean);
  for (size_t k = 0; k < m->sample_count; k++) {
    const float *vector = vt_frame_row(m, frame, m->sample[k]);
    for (size_t c = 0; c < m->dim; c++) shape->mean[c] += (double)vector[c] / count;
    squared += frame->norms[m->sample[k]] * frame->norms[m->sample[k]] / count;
  }
  for (size_t c = 0; c < m->dim; c++) mean_squared += shape->mean[c] * shape->mean[c];
  if (squared > 0) shape->mean_share[frame->index] = mean_squared / squared;
  struct looking looking = {m, shape, frame};
  vt_measuring_each(m, m->dim, gram_row, &looking);
  spectrum(m, shape, frame->index);
}

void vt_measure_shape_free(struct vt_measure_shape *shape) {
  if (shape == NULL) return;
  vt_free(shape->log_counts);
  vt_free(shape->gram);
  vt_free(shape->centred);
  vt_free(shape->spread);
  vt_free(shape->values);
  vt_free(shape->scratch);
  vt_free(shape->mean);
  vt_free(shape);
}
