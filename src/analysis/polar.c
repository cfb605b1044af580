/*
 * polar.c: singular vectors by one-sided Jacobi (Hestenes 1958; Demmel and Veselic 1992).
 *
 * Columns of W, at first those of the matrix, are rotated in pairs until all are orthogonal; then W = U S, and the
 * product of the rotations is V. It is simple, as exact as the matrix allows also for small singular values, and a
 * sweep falls into rounds of disjoint pairs (the tournament of round-robin games), so that threads can share a round
 * without changing a bit.
 *
 * Columns shorter than rounding leaves of the matrix are zero for all purposes: nothing turns them, and U is completed
 * by Gram and Schmidt from the unit vectors. Memory: three d x d tables. Threads: those of the pool.
 */
#include "analysis/polar.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/memory.h"

#define LANES 8
#define SWEEPS_MAX 60

struct jacobi {
  size_t d;
  size_t players; /* d, or d + 1 where that is odd */
  double *w;      /* [d][d], a column each */
  double *v;
  size_t *seats;    /* [players]: who sits where in this round */
  double least;     /* squared length below which a column is zero */
  double tolerance; /* of the cosine of two columns: what rounding leaves of it */
  atomic_bool turned;
};

static double dot(const double *a, const double *b, size_t d) {
  double lanes[LANES] = {0};
  size_t c = 0;
  for (; c + LANES <= d; c += LANES)
    for (size_t l = 0; l < LANES; l++) lanes[l] += a[c + l] * b[c + l];
  for (size_t l = 0; c + l < d; l++) lanes[l] += a[c + l] * b[c + l];
  for (size_t half = LANES / 2; half > 0; half /= 2)
    for (size_t l = 0; l < half; l++) lanes[l] += lanes[l + half];
  return lanes[0];
}

static void turn(double *a, double *b, size_t d, double cosine, double sine) {
  for (size_t c = 0; c < d; c++) {
    double x = a[c], y = b[c];
    a[c] = cosine * x - sine * y;
    b[c] = sine * x + cosine * y;
  }
}

static void settle_pair(struct jacobi *jacobi, size_t p, size_t q) {
  size_t d = jacobi->d;
  double *x = jacobi->w + p * d, *y = jacobi->w + q * d;
  double xx = dot(x, x, d), yy = dot(y, y, d), xy = dot(x, y, d);
  if (xx <= jacobi->least || yy <= jacobi->least || fabs(xy) <= jacobi->tolerance * sqrt(xx) * sqrt(yy)) return;
  double zeta = (yy - xx) / (2 * xy);
  double tangent = (zeta < 0 ? -1 : 1) / (fabs(zeta) + sqrt(1 + zeta * zeta));
  double cosine = 1 / sqrt(1 + tangent * tangent), sine = cosine * tangent;
  turn(x, y, d, cosine, sine);
  turn(jacobi->v + p * d, jacobi->v + q * d, d, cosine, sine);
  atomic_store_explicit(&jacobi->turned, true, memory_order_relaxed);
}

struct round {
  struct jacobi *jacobi;
  int workers;
};

static void play_round(void *context, int number) {
  const struct round *round = context;
  const struct jacobi *jacobi = round->jacobi;
  for (size_t k = (size_t)number; k < jacobi->players / 2; k += (size_t)round->workers) {
    size_t p = jacobi->seats[k], q = jacobi->seats[jacobi->players - 1 - k];
    if (p >= jacobi->d || q >= jacobi->d) continue; /* the guest that makes the number even */
    settle_pair(round->jacobi, p < q ? p : q, p < q ? q : p);
  }
}

/* All but the first move on by one seat. */
static void move_on(struct jacobi *jacobi) {
  size_t last = jacobi->seats[jacobi->players - 1];
  memmove(jacobi->seats + 2, jacobi->seats + 1, (jacobi->players - 2) * sizeof *jacobi->seats);
  jacobi->seats[1] = last;
}

static void settle(struct jacobi *jacobi, struct vt_pool *pool) {
  struct round round = {jacobi, vt_pool_size(pool)};
  for (int sweep = 0; sweep < SWEEPS_MAX; sweep++) {
    atomic_store_explicit(&jacobi->turned, false, memory_order_relaxed);
    for (size_t k = 1; k < jacobi->players; k++) {
      vt_pool_run(pool, play_round, &round);
      move_on(jacobi);
    }
    if (!atomic_load_explicit(&jacobi->turned, memory_order_relaxed)) return;
  }
}

/* Makes column k a unit vector orthogonal to all that are units already. */
static void complete(struct jacobi *jacobi, size_t k, const bool *is_unit) {
  size_t d = jacobi->d;
  double *column = jacobi->w + k * d;
  for (size_t axis = 0; axis < d; axis++) {
    memset(column, 0, d * sizeof *column);
    column[axis] = 1;
    for (int pass = 0; pass < 2; pass++) /* twice is enough (Kahan) */
      for (size_t j = 0; j < d; j++) {
        if (!is_unit[j]) continue;
        double share = dot(column, jacobi->w + j * d, d);
        for (size_t c = 0; c < d; c++) column[c] -= share * jacobi->w[j * d + c];
      }
    double length = sqrt(dot(column, column, d));
    /* Of the axes left, one has at least this part outside of what is there. */
    if (length * length * (double)(2 * d) < 1) continue;
    for (size_t c = 0; c < d; c++) column[c] /= length;
    return;
  }
}

static void make_units(struct jacobi *jacobi, bool *is_unit) {
  size_t d = jacobi->d;
  for (size_t k = 0; k < d; k++) {
    double squared = dot(jacobi->w + k * d, jacobi->w + k * d, d), length = sqrt(squared);
    is_unit[k] = squared > jacobi->least;
    for (size_t c = 0; is_unit[k] && c < d; c++) jacobi->w[k * d + c] /= length;
  }
  for (size_t k = 0; k < d; k++) {
    if (is_unit[k]) continue;
    complete(jacobi, k, is_unit);
    is_unit[k] = true;
  }
}

static void start(struct jacobi *jacobi, const double *matrix) {
  size_t d = jacobi->d;
  double squares = 0;
  for (size_t r = 0; r < d; r++)
    for (size_t c = 0; c < d; c++) {
      jacobi->w[c * d + r] = matrix[r * d + c];
      jacobi->v[c * d + r] = r == c;
      squares += matrix[r * d + c] * matrix[r * d + c];
    }
  double rounding = (double)d * DBL_EPSILON;
  jacobi->least = squares * rounding * rounding;
  jacobi->tolerance = sqrt((double)d) * DBL_EPSILON;
  for (size_t k = 0; k < jacobi->players; k++) jacobi->seats[k] = k;
}

enum vt_status vt_polar_rotation(const double *matrix, size_t d, struct vt_pool *pool, double *rotation,
                                 struct vt_error *error) {
  struct jacobi jacobi = {.d = d, .players = d + d % 2};
  jacobi.w = vt_alloc(d * d, sizeof *jacobi.w);
  jacobi.v = vt_alloc(d * d, sizeof *jacobi.v);
  jacobi.seats = vt_alloc(jacobi.players, sizeof *jacobi.seats);
  bool *is_unit = vt_alloc(d, sizeof *is_unit);
  enum vt_status status = VT_OK;
  if (jacobi.w == NULL || jacobi.v == NULL || jacobi.seats == NULL || is_unit == NULL)
    status = VT_FAIL_MEMORY(error, d * d * sizeof(double));
  if (status == VT_OK) {
    start(&jacobi, matrix);
    settle(&jacobi, pool);
    make_units(&jacobi, is_unit);
    memset(rotation, 0, d * d * sizeof *rotation);
    for (size_t k = 0; k < d; k++)
      for (size_t r = 0; r < d; r++) {
        double share = jacobi.w[k * d + r];
        for (size_t c = 0; c < d; c++) rotation[r * d + c] += share * jacobi.v[k * d + c];
      }
  }
  vt_free(jacobi.w);
  vt_free(jacobi.v);
  vt_free(jacobi.seats);
  vt_free(is_unit);
  return status;
}
