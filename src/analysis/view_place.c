/*
 * view_place.c: the words of another table on a view's map.
 *
 * Another training has coordinates of its own, so its vectors are turned first onto those of the view, by the words
 * that both have (as in compare.c). Turning and projecting are both linear: the two directions of the map are turned
 * the other way once, and each word costs two products.
 */
#include <math.h>
#include <string.h>

#include "analysis/gram.h"
#include "analysis/polar.h"
#include "analysis/view_internal.h"
#include "base/memory.h"

#define TURN_BY 10000 /* words */

struct placing {
  struct vt_view *view;
  const struct vt_vectors *other;
  uint32_t *counterpart; /* map_words; UINT32_MAX: none */
  double *directions[2]; /* other->dim */
};

/* The unit vectors of the words that both have, side by side. */
static size_t gather(const struct placing *p, const struct vt_view_frame *frame, float *mine, float *theirs) {
  size_t count = 0, dim = p->other->dim;
  for (size_t w = 0; w < p->view->map_words && count < TURN_BY; w++) {
    if (p->counterpart[w] == UINT32_MAX) continue;
    const float *row = vt_vectors_row(p->other, p->counterpart[w]);
    double squared = 0;
    for (size_t c = 0; c < dim; c++) squared += (double)row[c] * (double)row[c];
    if (!(squared > 0) || !isfinite(squared)) continue;
    for (size_t c = 0; c < dim; c++) theirs[count * dim + c] = (float)((double)row[c] / sqrt(squared));
    memcpy(mine + count * p->view->dim, vt_view_row(p->view, frame, (uint32_t)w), p->view->dim * sizeof *mine);
    count++;
  }
  return count;
}

/* The directions of the map in the coordinates of the other table: R b, with R the rotation of the other onto ours. */
static enum vt_status turn_directions(struct placing *p, const struct vt_view_frame *frame, struct vt_pool *pool,
                                      struct vt_error *error) {
  size_t own = p->view->dim, dim = p->other->dim, d = own > dim ? own : dim;
  float *mine = vt_alloc(TURN_BY * own, sizeof *mine), *theirs = vt_alloc(TURN_BY * dim, sizeof *theirs);
  double *product = vt_alloc(dim * own, sizeof *product), *square = vt_alloc_zero(d * d, sizeof *square);
  double *rotation = vt_alloc(d * d, sizeof *rotation);
  enum vt_status status = VT_OK;
  if (mine == NULL || theirs == NULL || product == NULL || square == NULL || rotation == NULL)
    status = VT_FAIL_MEMORY(error, TURN_BY * (own + dim) * sizeof *mine);
  if (status == VT_OK) {
    const size_t count = gather(p, frame, mine, theirs);
    const struct vt_gram_table x = {.data = theirs, .dim = dim}, y = {.data = mine, .dim = own};
    status = vt_gram(&x, &y, count, pool, product, error);
  }
  if (status == VT_OK) {
    for (size_t r = 0; r < dim; r++) memcpy(square + r * d, product + r * own, own * sizeof *product);
    status = vt_polar_rotation(square, d, pool, rotation, error);
  }
  for (int axis = 0; axis < 2 && status == VT_OK; axis++)
    for (size_t r = 0; r < dim; r++) {
      double sum = 0;
      for (size_t c = 0; c < own; c++) sum += rotation[r * d + c] * p->view->basis[axis][c];
      p->directions[axis][r] = sum;
    }
  vt_free(mine);
  vt_free(theirs);
  vt_free(product);
  vt_free(square);
  vt_free(rotation);
  return status;
}

static int16_t to_unit(double at, double edge) {
  double scaled = at / edge * VT_VIEW_EDGE;
  return (int16_t)lrint(scaled > 32767 ? 32767 : scaled < -32767 ? -32767 : scaled);
}

static void place_words(const struct placing *p, int16_t *positions) {
  const struct vt_view *view = p->view;
  double middle[2] = {0, 0};
  for (int axis = 0; axis < 2; axis++)
    for (size_t c = 0; c < view->dim; c++) middle[axis] += view->mean[c] * view->basis[axis][c];
  for (size_t w = 0; w < view->map_words; w++) {
    if (p->counterpart[w] == UINT32_MAX) {
      positions[2 * w] = positions[2 * w + 1] = INT16_MIN;
      continue;
    }
    const float *row = vt_vectors_row(p->other, p->counterpart[w]);
    for (int axis = 0; axis < 2; axis++) {
      double at = -middle[axis];
      for (size_t c = 0; c < p->other->dim; c++) at += (double)row[c] * p->directions[axis][c];
      positions[2 * w + (size_t)axis] = to_unit(isfinite(at) ? at : 0, view->edge);
    }
  }
}

static enum vt_status place(struct placing *p, size_t frame, bool align, int threads, int16_t *positions,
                            struct vt_error *error) {
  size_t words = p->view->map_words;
  p->counterpart = vt_alloc(words, sizeof *p->counterpart);
  for (int axis = 0; axis < 2; axis++) p->directions[axis] = vt_alloc_zero(p->other->dim, sizeof(double));
  if (p->counterpart == NULL || p->directions[0] == NULL || p->directions[1] == NULL)
    return VT_FAIL_MEMORY(error, words * sizeof *p->counterpart);
  for (size_t w = 0; w < words; w++)
    if (!vt_vocab_find(p->other->vocab, vt_vocab_text(vt_run_vocab(p->view->run), (uint32_t)w), &p->counterpart[w]))
      p->counterpart[w] = UINT32_MAX;
  if (!align) {
    for (int axis = 0; axis < 2; axis++)
      memcpy(p->directions[axis], p->view->basis[axis], p->view->dim * sizeof(double));
    place_words(p, positions);
    return VT_OK;
  }
  const struct vt_view_frame *vectors;
  struct vt_pool *pool;
  VT_TRY(vt_pool_create(threads, &pool, error)); /* the view's own is vt_view_prepare's */
  enum vt_status status = vt_view_acquire(p->view, frame, &vectors, error);
  if (status == VT_OK) {
    status = turn_directions(p, vectors, pool, error);
    vt_view_let_go(p->view, frame);
  }
  vt_pool_free(pool);
  if (status == VT_OK) place_words(p, positions);
  return status;
}

enum vt_status vt_view_place(struct vt_view *view, size_t frame, const struct vt_vectors *other, bool align,
                             int threads, int16_t *positions, struct vt_error *error) {
  if (frame >= view->frames) return VT_FAIL(error, VT_ERROR_ARGUMENT, "there is no snapshot %zu", frame);
  if (threads < 1) return VT_FAIL(error, VT_ERROR_ARGUMENT, "at least one thread is needed");
  if (!align && other->dim != view->dim)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "vectors of other lengths have to be turned");
  struct placing p = {.view = view, .other = other};
  enum vt_status status = place(&p, frame, align, threads, positions, error);
  vt_free(p.counterpart);
  vt_free(p.directions[0]);
  vt_free(p.directions[1]);
  return status;
}
