/* contrastive.c */
#include "network/contrastive.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

static double dot(const double *a, const double *b, size_t n) {
  double sum = 0;
  for (size_t k = 0; k < n; k++) sum += a[k] * b[k];
  return sum;
}

/* z and 1 / |x|; zeros for zeros. */
static double normalise(const double *x, size_t dim, double *z) {
  const double length = sqrt(dot(x, x, dim)), factor = length > 0 ? 1 / length : 0;
  for (size_t k = 0; k < dim; k++) z[k] = factor * x[k];
  return factor;
}

/* The slope by z becomes that by x: (s - (s.z) z) / |x|. */
static void through_length(const double *z, double factor, size_t dim, double *slope) {
  const double along = dot(slope, z, dim);
  for (size_t k = 0; k < dim; k++) slope[k] = factor * (slope[k] - along * z[k]);
}

static void add(double *to, double factor, const double *from, size_t n) {
  for (size_t k = 0; k < n; k++) to[k] += factor * from[k];
}

struct room {
  double *za, *zb, *factor_a, *factor_b, *shares;
};

/* Adds the slopes of - log of the share of b_i among all b, or of the positive alone; returns that loss. */
static double take_row(const struct vt_infonce *batch, const struct room *room, size_t i, double *slope_a,
                       double *slope_b) {
  const size_t dim = batch->dim, n = batch->count;
  const double *z = room->za + i * dim, scale = 1 / (batch->temperature * (double)n);
  double *shares = room->shares, largest = -INFINITY, sum = 0;
  const double own = dot(z, room->zb + i * dim, dim) / batch->temperature;
  add(slope_a + i * dim, -scale, room->zb + i * dim, dim);
  add(slope_b + i * dim, -scale, z, dim);
  if (batch->positives_only) return -own;
  for (size_t j = 0; j < n; j++) {
    shares[j] = dot(z, room->zb + j * dim, dim) / batch->temperature;
    if (shares[j] > largest) largest = shares[j];
  }
  for (size_t j = 0; j < n; j++) {
    shares[j] = exp(shares[j] - largest);
    sum += shares[j];
  }
  for (size_t j = 0; j < n; j++) {
    add(slope_a + i * dim, scale * shares[j] / sum, room->zb + j * dim, dim);
    add(slope_b + j * dim, scale * shares[j] / sum, z, dim);
  }
  return largest + log(sum) - own;
}

enum vt_status vt_infonce_loss(const struct vt_infonce *batch, double *loss, double *slope_a, double *slope_b,
                               struct vt_error *error) {
  const size_t n = batch->count, dim = batch->dim, numbers = 2 * n * dim + 3 * n;
  double *memory = vt_alloc(numbers, sizeof *memory);
  if (memory == NULL) return VT_FAIL_MEMORY(error, numbers * sizeof *memory);
  const struct room room = {memory, memory + n * dim, memory + 2 * n * dim, memory + 2 * n * dim + n,
                            memory + 2 * n * dim + 2 * n};
  for (size_t i = 0; i < n; i++) {
    room.factor_a[i] = normalise(batch->a + i * dim, dim, room.za + i * dim);
    room.factor_b[i] = normalise(batch->b + i * dim, dim, room.zb + i * dim);
  }
  memset(slope_a, 0, n * dim * sizeof *slope_a);
  memset(slope_b, 0, n * dim * sizeof *slope_b);
  *loss = 0;
  for (size_t i = 0; i < n; i++) *loss += take_row(batch, &room, i, slope_a, slope_b) / (double)n;
  for (size_t i = 0; i < n; i++) {
    through_length(room.za + i * dim, room.factor_a[i], dim, slope_a + i * dim);
    through_length(room.zb + i * dim, room.factor_b[i], dim, slope_b + i * dim);
  }
  vt_free(memory);
  return VT_OK;
}

/* sum s^4 = the sum over all ordered pairs of (z_i.z_j)^2. */
struct vt_spread vt_spread_measure(double *x, size_t count, size_t dim) {
  double near = 0, squares = 0, fourths = 0;
  if (count < 2) return (struct vt_spread){NAN, NAN};
  for (size_t i = 0; i < count; i++) {
    normalise(x + i * dim, dim, x + i * dim);
    const double own = dot(x + i * dim, x + i * dim, dim);
    squares += own;
    fourths += own * own;
    for (size_t j = 0; j < i; j++) {
      const double cosine = dot(x + i * dim, x + j * dim, dim);
      near += exp(-4 * (1 - cosine));
      fourths += 2 * cosine * cosine;
    }
  }
  const double pairs = (double)count * ((double)count - 1) / 2;
  return (struct vt_spread){log(near / pairs), fourths > 0 ? squares * squares / fourths : (double)NAN};
}

double vt_alignment_measure(const double *a, const double *b, size_t count, size_t dim) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) {
    const double *x = a + i * dim, *y = b + i * dim;
    const double lengths = sqrt(dot(x, x, dim) * dot(y, y, dim));
    sum += lengths > 0 ? 2 - 2 * dot(x, y, dim) / lengths : 2;
  }
  return count > 0 ? sum / (double)count : (double)NAN;
}
