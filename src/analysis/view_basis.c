/*
 * view_basis.c: one linear basis for a whole run.
 *
 * The two directions of greatest variance of the vectors of up to POOL_WORDS words at up to POOL_FRAMES snapshots, all
 * taken together (Pearson 1901). As the map is linear and the same at every step, what moves on it has moved, and what
 * is straight on it was straight. The directions come from subspace iteration on the covariance matrix, in double,
 * started from fixed vectors: the same answer everywhere. They carry more directions than two along, so that the
 * iteration converges by the ratio of the second to the ninth eigenvalue.
 */
#include <math.h>
#include <string.h>

#include "analysis/gram.h"
#include "analysis/view_internal.h"
#include "base/memory.h"
#include "base/rng.h"

#define POOL_WORDS 4000
#define POOL_FRAMES 10
#define CARRIED 8
#define ROUNDS 60

static double product(const double *a, const double *b, size_t n) {
  double sum = 0;
  for (size_t c = 0; c < n; c++) sum += a[c] * b[c];
  return sum;
}

/* Makes vectors[0 .. count-1] orthonormal in order; one that has nothing left of its own becomes zero. */
static void orthonormalise(double *vectors, size_t count, size_t n) {
  for (size_t k = 0; k < count; k++) {
    double *v = vectors + k * n;
    double whole = sqrt(product(v, v, n));
    for (int again = 0; again < 2; again++)
      for (size_t j = 0; j < k; j++) {
        const double *u = vectors + j * n;
        double along = product(u, v, n);
        for (size_t c = 0; c < n; c++) v[c] -= along * u[c];
      }
    double left = sqrt(product(v, v, n));
    double scale = left > 1e-12 * whole && left > 0 ? 1 / left : 0;
    for (size_t c = 0; c < n; c++) v[c] *= scale;
  }
}

/* The first directions of a symmetric matrix, the greatest first; values: along each of them. */
static enum vt_status main_directions(const double *matrix, size_t n, double *vectors, double *values,
                                      struct vt_error *error) {
  double *images = vt_alloc(CARRIED * n, sizeof *images);
  if (images == NULL) return VT_FAIL_MEMORY(error, CARRIED * n * sizeof *images);
  struct vt_rng rng = vt_rng_make(VT_RNG_ANALYSIS, 3, n, 0);
  for (size_t k = 0; k < CARRIED * n; k++) vectors[k] = (double)vt_rng_unit(&rng) - 0.5;
  orthonormalise(vectors, CARRIED, n);
  for (int round = 0; round < ROUNDS; round++) {
    for (size_t k = 0; k < CARRIED; k++)
      for (size_t r = 0; r < n; r++) images[k * n + r] = product(matrix + r * n, vectors + k * n, n);
    memcpy(vectors, images, CARRIED * n * sizeof *vectors);
    orthonormalise(vectors, CARRIED, n);
  }
  for (size_t k = 0; k < CARRIED; k++) {
    for (size_t r = 0; r < n; r++) images[r] = product(matrix + r * n, vectors + k * n, n);
    values[k] = product(images, vectors + k * n, n);
  }
  vt_free(images);
  return VT_OK;
}

/* The pooled rows, as they are: words spread evenly over the ranks, snapshots spread evenly, the last one included. */
static enum vt_status pool_rows(struct vt_view *view, float **out, uint64_t *damaged, struct vt_error *error) {
  size_t words = view->map_words < POOL_WORDS ? view->map_words : POOL_WORDS;
  size_t frames = view->frames < POOL_FRAMES ? view->frames : POOL_FRAMES;
  view->pooled_words = words;
  view->pooled_frames = frames;
  float *rows = vt_alloc(words * frames * view->dim, sizeof *rows);
  if (rows == NULL) return VT_FAIL_MEMORY(error, words * frames * view->dim * sizeof *rows);
  for (size_t f = 0; f < frames; f++) {
    size_t frame = frames == 1 ? 0 : f * (view->frames - 1) / (frames - 1);
    const struct vt_view_frame *vectors;
    enum vt_status status = vt_view_acquire(view, frame, &vectors, error);
    if (status != VT_OK) {
      *damaged = view->steps[frame];
      vt_free(rows);
      return status;
    }
    for (size_t k = 0; k < words; k++) {
      uint32_t word = (uint32_t)(k * view->map_words / words);
      const float *unit = vt_view_row(view, vectors, word);
      float *to = rows + (f * words + k) * view->dim;
      for (size_t c = 0; c < view->dim; c++) to[c] = unit[c] * vectors->norms[word];
    }
    vt_view_let_go(view, frame);
  }
  *out = rows;
  return VT_OK;
}

/* Turns the two directions within their plane, and mirrors them where that is nearer, onto those of an earlier view. */
static void turn_onto(struct vt_view *view, const struct vt_view *before) {
  size_t n = view->dim;
  double m[2][2], turned[2];
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++) m[i][j] = product(view->basis[i], before->basis[j], n);
  /* The orthogonal matrix nearest to m: of the rotations and reflections the one with the greater sum of products. */
  double rotate_c = m[0][0] + m[1][1], rotate_s = m[0][1] - m[1][0];
  double mirror_c = m[0][0] - m[1][1], mirror_s = m[0][1] + m[1][0];
  double rotate = hypot(rotate_c, rotate_s), mirror = hypot(mirror_c, mirror_s);
  double length = rotate >= mirror ? rotate : mirror;
  if (!(length > 0)) return;
  double q[2][2];
  if (rotate >= mirror) {
    q[0][0] = q[1][1] = rotate_c / length;
    q[0][1] = rotate_s / length;
    q[1][0] = -q[0][1];
  } else {
    q[0][0] = mirror_c / length;
    q[1][1] = -q[0][0];
    q[0][1] = q[1][0] = mirror_s / length;
  }
  for (size_t c = 0; c < n; c++) {
    for (int j = 0; j < 2; j++) turned[j] = view->basis[0][c] * q[0][j] + view->basis[1][c] * q[1][j];
    view->basis[0][c] = turned[0];
    view->basis[1][c] = turned[1];
  }
}

/* So that the picture is the same each time: more of the sum of the coordinates is positive. */
static void choose_signs(struct vt_view *view) {
  for (int axis = 0; axis < 2; axis++) {
    double sum = 0;
    for (size_t c = 0; c < view->dim; c++) sum += view->basis[axis][c];
    if (sum < 0)
      for (size_t c = 0; c < view->dim; c++) view->basis[axis][c] = -view->basis[axis][c];
  }
}

/* The farthest pooled word lies just within the edge. */
static void choose_edge(struct vt_view *view, const float *rows, size_t count) {
  double farthest = 0;
  for (size_t k = 0; k < count; k++)
    for (int axis = 0; axis < 2; axis++) {
      double at = 0;
      for (size_t c = 0; c < view->dim; c++)
        at += ((double)rows[k * view->dim + c] - view->mean[c]) * view->basis[axis][c];
      if (fabs(at) > farthest) farthest = fabs(at);
    }
  view->edge = farthest > 0 ? 1.02 * farthest : 1;
}

/* The covariance of words within each pooled snapshot, summed over the snapshots. */
static enum vt_status sum_covariances(struct vt_view *view, const float *rows, double *sum, struct vt_error *error) {
  size_t n = view->dim, words = view->pooled_words;
  double *one = vt_alloc(n * n, sizeof *one), *mean = vt_alloc(n, sizeof *mean);
  enum vt_status status = one == NULL || mean == NULL ? VT_FAIL_MEMORY(error, n * n * sizeof *one) : VT_OK;
  if (status == VT_OK) memset(sum, 0, n * n * sizeof *sum);
  for (size_t f = 0; f < view->pooled_frames && status == VT_OK; f++) {
    const float *frame = rows + f * words * n;
    memset(mean, 0, n * sizeof *mean);
    for (size_t k = 0; k < words; k++)
      for (size_t c = 0; c < n; c++) mean[c] += (double)frame[k * n + c] / (double)words;
    struct vt_gram_table table = {.data = frame, .dim = n, .mean = mean};
    status = vt_gram(&table, &table, words, view->pool, one, error);
    for (size_t c = 0; c < n * n && status == VT_OK; c++) sum[c] += one[c];
  }
  vt_free(one);
  vt_free(mean);
  return status;
}

static enum vt_status find_basis(struct vt_view *view, const float *rows, size_t count, struct vt_error *error) {
  size_t n = view->dim;
  double *covariance = view->covariance, *vectors = vt_alloc_zero(CARRIED * n, sizeof *vectors);
  double values[CARRIED], total = 0;
  enum vt_status status = vectors == NULL ? VT_FAIL_MEMORY(error, CARRIED * n * sizeof *vectors) : VT_OK;
  if (status == VT_OK) {
    for (size_t k = 0; k < count; k++)
      for (size_t c = 0; c < n; c++) view->mean[c] += (double)rows[k * n + c];
    for (size_t c = 0; c < n; c++) view->mean[c] /= (double)count;
    status = sum_covariances(view, rows, covariance, error);
  }
  if (status == VT_OK) status = main_directions(covariance, n, vectors, values, error);
  if (status == VT_OK) {
    for (size_t c = 0; c < n; c++) total += covariance[c * n + c];
    for (int axis = 0; axis < 2; axis++) {
      memcpy(view->basis[axis], vectors + (size_t)axis * n, n * sizeof(double));
      view->share[axis] = total > 0 ? values[axis] / total : 0;
    }
  }
  vt_free(vectors);
  return status;
}

void vt_view_shares(const struct vt_view *view, const double *const directions[2], double share[2]) {
  size_t n = view->dim;
  double total = 0;
  for (size_t c = 0; c < n; c++) total += view->covariance[c * n + c];
  for (int axis = 0; axis < 2; axis++) {
    double along = 0;
    for (size_t c = 0; c < n; c++)
      along += directions[axis][c] * product(view->covariance + c * n, directions[axis], n);
    share[axis] = total > 0 ? along / total : 0;
  }
}

enum vt_status vt_view_choose_basis(struct vt_view *view, const struct vt_view *before, uint64_t *damaged,
                                    struct vt_error *error) {
  float *rows = NULL;
  VT_TRY(pool_rows(view, &rows, damaged, error));
  size_t count = view->pooled_words * view->pooled_frames;
  enum vt_status status = find_basis(view, rows, count, error);
  if (status == VT_OK) {
    if (before != NULL && before->dim == view->dim)
      turn_onto(view, before);
    else
      choose_signs(view);
    choose_edge(view, rows, count);
  }
  vt_free(rows);
  return status;
}

static int16_t to_unit(double at, double edge) {
  double scaled = at / edge * VT_VIEW_EDGE;
  return (int16_t)lrint(scaled > 32767 ? 32767 : scaled < -32767 ? -32767 : scaled);
}

void vt_view_project(const struct vt_view *view, const struct vt_view_frame *frame, size_t count, const double *mean,
                     const double *const directions[2], double edge, int16_t *positions) {
  double middle[2] = {product(mean, directions[0], view->dim), product(mean, directions[1], view->dim)};
  for (size_t w = 0; w < count; w++) {
    const float *unit = vt_view_row(view, frame, (uint32_t)w);
    double at[2] = {0, 0};
    for (size_t c = 0; c < view->dim; c++) {
      at[0] += (double)unit[c] * directions[0][c];
      at[1] += (double)unit[c] * directions[1][c];
    }
    double norm = (double)frame->norms[w];
    positions[2 * w] = to_unit(norm * at[0] - middle[0], edge);
    positions[2 * w + 1] = to_unit(norm * at[1] - middle[1], edge);
  }
}
