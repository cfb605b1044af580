/* settling.c: do frequent words settle first? One pass over the snapshots. */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "vectrail/exercise.h"
#include "vectrail/vectors.h"

struct word {
  double count, left; /* how much of its way it has to go, in the mean */
  double rank_count, rank_left;
};

static double distance(const struct vt_vectors *a, const struct vt_vectors *b, uint32_t id) {
  const float *x = vt_vectors_row(a, id), *y = vt_vectors_row(b, id);
  double squared = 0;
  for (size_t k = 0; k < a->dim; k++) squared += ((double)x[k] - (double)y[k]) * ((double)x[k] - (double)y[k]);
  return sqrt(squared);
}

/* left_of[id]: the mean over the training of how much of its way a word has still to go (trapezoids between snapshots).
 */
static enum vt_status walk(struct vt_run *run, const struct vt_vectors *first, const struct vt_vectors *last,
                           double *left_of, struct vt_error *error) {
  const size_t rows = last->rows;
  double *before = vt_alloc(rows, sizeof *before); /* what was left at the snapshot before */
  if (before == NULL) return VT_FAIL_MEMORY(error, rows * sizeof *before);
  for (size_t id = 0; id < rows; id++) {
    before[id] = 1;
    left_of[id] = distance(first, last, (uint32_t)id) > 0 ? 0 : (double)NAN;
  }
  enum vt_status status = VT_OK;
  uint64_t step_before = 0;
  for (size_t s = 0; status == VT_OK && s < vt_run_snapshot_count(run); s++) {
    uint64_t step = vt_run_snapshot_at(run, s).step;
    struct vt_vectors *vectors;
    status = vt_run_vectors(run, step, &vectors, error);
    if (status != VT_OK) break;
    const double share = (double)(step - step_before) / (double)last->step;
    for (size_t id = 0; id < rows; id++) {
      if (isnan(left_of[id])) continue;
      double left = distance(vectors, last, (uint32_t)id) / distance(first, last, (uint32_t)id);
      left_of[id] += share * (before[id] + left) / 2;
      before[id] = left;
    }
    step_before = step;
    vt_vectors_free(vectors);
  }
  vt_free(before);
  return status;
}

static int by_count(const void *a, const void *b) {
  double x = ((const struct word *)a)->count, y = ((const struct word *)b)->count;
  return (x < y) - (x > y); /* falling */
}

static int by_left(const void *a, const void *b) {
  double x = ((const struct word *)a)->left, y = ((const struct word *)b)->left;
  return (x > y) - (x < y);
}

/* Equal ones share the mean of their ranks. */
static void rank_lefts(struct word *words, size_t count) {
  for (size_t k = 0, end; k < count; k = end) {
    for (end = k; end < count && words[end].left == words[k].left;) end++;
    for (size_t i = k; i < end; i++) words[i].rank_left = (double)(k + end - 1) / 2;
  }
}

static void rank_counts(struct word *words, size_t count) {
  for (size_t k = 0, end; k < count; k = end) {
    for (end = k; end < count && words[end].count == words[k].count;) end++;
    for (size_t i = k; i < end; i++) words[i].rank_count = -(double)(k + end - 1) / 2;
  }
}

static double correlate(const struct word *words, size_t count) {
  double mean_a = 0, mean_b = 0, ab = 0, aa = 0, bb = 0;
  for (size_t k = 0; k < count; k++) {
    mean_a += words[k].rank_count / (double)count;
    mean_b += words[k].rank_left / (double)count;
  }
  for (size_t k = 0; k < count; k++) {
    double a = words[k].rank_count - mean_a, b = words[k].rank_left - mean_b;
    ab += a * b;
    aa += a * a;
    bb += b * b;
  }
  return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : (double)NAN;
}

static double median(struct word *words, size_t count) {
  qsort(words, count, sizeof *words, by_left);
  return count == 0 ? (double)NAN : (words[(count - 1) / 2].left + words[count / 2].left) / 2;
}

static void summarise(struct word *words, size_t count, struct vt_settling *settling) {
  settling->words = count;
  qsort(words, count, sizeof *words, by_left);
  rank_lefts(words, count);
  qsort(words, count, sizeof *words, by_count);
  rank_counts(words, count);
  settling->correlation = count > 1 ? correlate(words, count) : (double)NAN;
  size_t third = count / 3;
  settling->frequent = median(words, third);
  settling->middle = median(words + third, count - 2 * third);
  settling->rare = median(words + (count - third), third);
}

static enum vt_status measure(struct vt_run *run, const struct vt_vectors *first, const struct vt_vectors *last,
                              struct vt_settling *settling, struct vt_error *error) {
  if (last->step == 0) return VT_FAIL(error, VT_ERROR_EMPTY, "the run stands at step 0: nothing has settled");
  const size_t rows = last->rows;
  double *left_of = vt_alloc(rows, sizeof *left_of);
  struct word *words = vt_alloc_zero(rows, sizeof *words);
  enum vt_status status = VT_OK;
  if (left_of == NULL || words == NULL) status = VT_FAIL_MEMORY(error, rows * sizeof *words);
  if (status == VT_OK) status = walk(run, first, last, left_of, error);
  size_t count = 0;
  for (size_t id = 0; status == VT_OK && id < rows; id++) {
    uint64_t times = vt_vocab_count(last->vocab, (uint32_t)id);
    if (times < 2 || isnan(left_of[id])) continue;
    words[count] = (struct word){.count = (double)times, .left = left_of[id]};
    count++;
  }
  if (status == VT_OK) summarise(words, count, settling);
  vt_free(left_of);
  vt_free(words);
  return status;
}

enum vt_status vt_settling_measure(struct vt_run *run, struct vt_settling *settling, struct vt_error *error) {
  struct vt_vectors *first, *last;
  *settling = (struct vt_settling){0};
  VT_TRY(vt_run_vectors(run, 0, &first, error));
  enum vt_status status = vt_run_vectors(run, VT_STEP_LAST, &last, error);
  if (status == VT_OK) {
    status = measure(run, first, last, settling, error);
    vt_vectors_free(last);
  }
  vt_vectors_free(first);
  return status;
}
