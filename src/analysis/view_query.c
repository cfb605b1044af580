/*
 * view_query.c: questions about words at a frame. Each holds one frame at a time, so that no two questions can wait for
 * each other's frames.
 */
#include <math.h>
#include <string.h>

#include "analysis/nearest.h"
#include "analysis/view_internal.h"
#include "base/memory.h"
#include "base/rng.h"

static enum vt_status check(const struct vt_view *view, uint32_t word, size_t frame, struct vt_error *error) {
  if (word >= view->words) return VT_FAIL(error, VT_ERROR_ARGUMENT, "there is no word %u", (unsigned)word);
  if (frame >= view->frames) return VT_FAIL(error, VT_ERROR_ARGUMENT, "there is no snapshot %zu", frame);
  return VT_OK;
}

enum vt_status vt_view_neighbors(struct vt_view *view, uint32_t word, size_t frame, size_t k,
                                 struct vt_neighbor *neighbors, size_t *count, struct vt_error *error) {
  VT_TRY(check(view, word, frame, error));
  const struct vt_view_frame *vectors;
  VT_TRY(vt_view_acquire(view, frame, &vectors, error));
  const float *query = vt_view_row(view, vectors, word);
  size_t found = 0;
  for (uint32_t w = 0; w < view->words && k > 0; w++) {
    if (w == word) continue;
    struct vt_neighbor candidate = {
        .id = w, .cosine = (double)view->kernel->dot(query, vt_view_row(view, vectors, w), view->width)};
    if (vt_nearest_wanted(neighbors, found, k, candidate)) found = vt_nearest_take(neighbors, found, k, candidate);
  }
  vt_view_let_go(view, frame);
  vt_nearest_sort(neighbors, found);
  *count = found;
  return VT_OK;
}

/* From 1; ties by smaller id, as in the lists. */
static uint32_t rank_of(const struct vt_view *view, const struct vt_view_frame *vectors, uint32_t of, uint32_t among) {
  const float *query = vt_view_row(view, vectors, among);
  float limit = view->kernel->dot(query, vt_view_row(view, vectors, of), view->width);
  uint32_t rank = 1;
  for (uint32_t w = 0; w < view->words; w++) {
    if (w == of || w == among) continue;
    float cosine = view->kernel->dot(query, vt_view_row(view, vectors, w), view->width);
    rank += cosine > limit || (cosine == limit && w < of);
  }
  return rank;
}

enum vt_status vt_view_pair_at(struct vt_view *view, uint32_t a, uint32_t b, size_t frame, bool ranks,
                               struct vt_view_pair *pair, struct vt_error *error) {
  VT_TRY(check(view, a, frame, error));
  VT_TRY(check(view, b, frame, error));
  const struct vt_view_frame *vectors;
  VT_TRY(vt_view_acquire(view, frame, &vectors, error));
  *pair = (struct vt_view_pair){0};
  pair->cosine = (double)view->kernel->dot(vt_view_row(view, vectors, a), vt_view_row(view, vectors, b), view->width);
  if (ranks && a != b) {
    pair->rank_ab = rank_of(view, vectors, b, a);
    pair->rank_ba = rank_of(view, vectors, a, b);
  }
  vt_view_let_go(view, frame);
  return VT_OK;
}

/* A word's vector in full length. */
static enum vt_status copy_row(struct vt_view *view, uint32_t word, size_t frame, double *to, struct vt_error *error) {
  const struct vt_view_frame *vectors;
  VT_TRY(vt_view_acquire(view, frame, &vectors, error));
  const float *row = vt_view_row(view, vectors, word);
  for (size_t c = 0; c < view->dim; c++) to[c] = (double)row[c] * (double)vectors->norms[word];
  vt_view_let_go(view, frame);
  return VT_OK;
}

static double distance(const double *a, const double *b, size_t n) {
  double squared = 0;
  for (size_t c = 0; c < n; c++) squared += (a[c] - b[c]) * (a[c] - b[c]);
  return sqrt(squared);
}

enum vt_status vt_view_word_at(struct vt_view *view, uint32_t word, size_t frame, struct vt_view_word *story,
                               struct vt_error *error) {
  VT_TRY(check(view, word, frame, error));
  double *rows = vt_alloc_zero(3 * view->dim, sizeof *rows);
  if (rows == NULL) return VT_FAIL_MEMORY(error, 3 * view->dim * sizeof *rows);
  double *now = rows, *before = rows + view->dim, *first = before + view->dim;
  enum vt_status status = copy_row(view, word, frame, now, error);
  if (status == VT_OK) status = copy_row(view, word, frame > 0 ? frame - 1 : 0, before, error);
  if (status == VT_OK) status = copy_row(view, word, 0, first, error);
  if (status == VT_OK) {
    memset(story, 0, sizeof *story);
    for (size_t c = 0; c < view->dim; c++) story->norm += now[c] * now[c];
    story->norm = sqrt(story->norm);
    story->displacement = distance(now, first, view->dim);
    story->speed = frame > 0 ? distance(now, before, view->dim) / (double)(view->steps[frame] - view->steps[frame - 1])
                             : (double)NAN;
  }
  vt_free(rows);
  return status;
}

/* x and y: orthonormal directions of a plane; the middle is the mean of the four words. */
static enum vt_status span_plane(struct vt_view *view, const uint32_t axes[4], double *rows, double *directions[2],
                                 double *middle, double *edge, struct vt_error *error) {
  size_t n = view->dim, last = view->frames - 1;
  for (size_t k = 0; k < 4; k++) VT_TRY(copy_row(view, axes[k], last, rows + k * n, error));
  double lengths[2] = {0, 0}, along = 0;
  for (size_t c = 0; c < n; c++) {
    directions[0][c] = rows[n + c] - rows[c];
    directions[1][c] = rows[3 * n + c] - rows[2 * n + c];
    middle[c] = (rows[c] + rows[n + c] + rows[2 * n + c] + rows[3 * n + c]) / 4;
    lengths[0] += directions[0][c] * directions[0][c];
    lengths[1] += directions[1][c] * directions[1][c];
  }
  for (int axis = 0; axis < 2; axis++)
    for (size_t c = 0; c < n; c++) directions[axis][c] /= lengths[axis] > 0 ? sqrt(lengths[axis]) : 1;
  for (size_t c = 0; c < n; c++) along += directions[0][c] * directions[1][c];
  double left = 0;
  for (size_t c = 0; c < n; c++) {
    directions[1][c] -= along * directions[0][c];
    left += directions[1][c] * directions[1][c];
  }
  if (!(lengths[0] > 0) || !(left > 1e-12))
    return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "choose two differences that do not point the same way",
                        "these words span no plane");
  for (size_t c = 0; c < n; c++) directions[1][c] /= sqrt(left);
  *edge = view->edge;
  return VT_OK;
}

enum vt_status vt_view_plane(struct vt_view *view, const uint32_t axes[4], size_t frame, int16_t *positions,
                             double *edge, struct vt_error *error) {
  for (size_t k = 0; k < 4; k++) VT_TRY(check(view, axes[k], frame, error));
  double *rows = vt_alloc(7 * view->dim, sizeof *rows);
  if (rows == NULL) return VT_FAIL_MEMORY(error, 7 * view->dim * sizeof *rows);
  double *directions[2] = {rows + 4 * view->dim, rows + 5 * view->dim}, *middle = rows + 6 * view->dim;
  enum vt_status status = span_plane(view, axes, rows, directions, middle, edge, error);
  const struct vt_view_frame *vectors;
  if (status == VT_OK) status = vt_view_acquire(view, frame, &vectors, error);
  if (status == VT_OK) {
    const double *const both[2] = {directions[0], directions[1]};
    vt_view_project(view, vectors, view->map_words, middle, both, *edge, positions);
    vt_view_let_go(view, frame);
  }
  vt_free(rows);
  return status;
}

enum vt_status vt_view_plane_share(struct vt_view *view, const uint32_t axes[4], double share[2],
                                   struct vt_error *error) {
  for (size_t k = 0; k < 4; k++) VT_TRY(check(view, axes[k], 0, error));
  double *rows = vt_alloc(7 * view->dim, sizeof *rows), edge;
  if (rows == NULL) return VT_FAIL_MEMORY(error, 7 * view->dim * sizeof *rows);
  double *directions[2] = {rows + 4 * view->dim, rows + 5 * view->dim}, *middle = rows + 6 * view->dim;
  enum vt_status status = span_plane(view, axes, rows, directions, middle, &edge, error);
  const double *const both[2] = {directions[0], directions[1]};
  if (status == VT_OK) vt_view_shares(view, both, share);
  vt_free(rows);
  return status;
}

enum vt_status vt_view_analogy_rank(struct vt_view *view, const uint32_t words[4], size_t frame, uint32_t *rank,
                                    struct vt_error *error) {
  for (size_t k = 0; k < 4; k++) VT_TRY(check(view, words[k], frame, error));
  float *query = vt_alloc_aligned(view->width, sizeof *query);
  if (query == NULL) return VT_FAIL_MEMORY(error, view->width * sizeof *query);
  const struct vt_view_frame *vectors;
  enum vt_status status = vt_view_acquire(view, frame, &vectors, error);
  if (status == VT_OK) {
    const float *a = vt_view_row(view, vectors, words[0]), *b = vt_view_row(view, vectors, words[1]),
                *c = vt_view_row(view, vectors, words[2]);
    for (size_t k = 0; k < view->dim; k++) query[k] = b[k] - a[k] + c[k];
    float limit = view->kernel->dot(query, vt_view_row(view, vectors, words[3]), view->width);
    *rank = 1;
    for (uint32_t w = 0; w < view->words; w++) {
      if (w == words[0] || w == words[1] || w == words[2] || w == words[3]) continue;
      float score = view->kernel->dot(query, vt_view_row(view, vectors, w), view->width);
      *rank += score > limit || (score == limit && w < words[3]);
    }
    vt_view_let_go(view, frame);
  }
  vt_free_aligned(query);
  return status;
}

static size_t bin_of(double value, double low, double high) {
  double at = (value - low) / (high - low) * VT_VIEW_BINS;
  return at < 0 ? 0 : at >= VT_VIEW_BINS ? VT_VIEW_BINS - 1 : (size_t)at;
}

enum vt_status vt_view_table_at(struct vt_view *view, size_t frame, double low, double high,
                                struct vt_view_table *table, struct vt_error *error) {
  VT_TRY(check(view, 0, frame, error));
  if (!(high > low)) return VT_FAIL(error, VT_ERROR_ARGUMENT, "the range is empty");
  const struct vt_view_frame *vectors;
  VT_TRY(vt_view_acquire(view, frame, &vectors, error));
  *table = (struct vt_view_table){.weight_low = low, .weight_high = high};
  /* Up to two thousand words, spread evenly over the ranks, tell the histogram of millions of numbers. */
  size_t words = view->words < 2000 ? view->words : 2000;
  for (size_t k = 0; k < words; k++) {
    uint32_t w = (uint32_t)(k * view->words / words);
    const float *row = vt_view_row(view, vectors, w);
    for (size_t c = 0; c < view->dim; c++)
      table->weights[bin_of((double)row[c] * (double)vectors->norms[w], low, high)]++;
  }
  struct vt_rng rng = vt_rng_make(VT_RNG_ANALYSIS, 4, view->words, 0);
  for (size_t k = 0; k < 20000 && view->words > 1; k++) {
    uint32_t a = vt_rng_below(&rng, (uint32_t)view->words), b = vt_rng_below(&rng, (uint32_t)view->words - 1);
    if (b >= a) b++;
    double cosine =
        (double)view->kernel->dot(vt_view_row(view, vectors, a), vt_view_row(view, vectors, b), view->width);
    table->cosines[bin_of(cosine, -1, 1)]++;
  }
  vt_view_let_go(view, frame);
  return VT_OK;
}

enum vt_status vt_view_unit(struct vt_view *view, uint32_t word, size_t frame, float *unit, double *norm,
                            struct vt_error *error) {
  VT_TRY(check(view, word, frame, error));
  const struct vt_view_frame *vectors;
  VT_TRY(vt_view_acquire(view, frame, &vectors, error));
  memcpy(unit, vt_view_row(view, vectors, word), view->dim * sizeof *unit);
  *norm = (double)vectors->norms[word];
  vt_view_let_go(view, frame);
  return VT_OK;
}
