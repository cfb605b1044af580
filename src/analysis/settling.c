/*
 * settling.c: do frequent words settle first? One pass over the snapshots, in which each word has two figures: what is
 * left of its way, and since which snapshot it has been near its end. Then they are put in order and into bands.
 */
#include "vectrail/settling.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "analysis/rank.h"
#include "base/distance.h"
#include "base/error.h"
#include "base/median.h"
#include "base/memory.h"
#include "base/range.h"
#include "vectrail/vectors.h"

#define ORDER 0.1     /* the correlation from which on an order is spoken of */
#define BAND_WORDS 10 /* in a band whose median is looked at */

struct word {
  double count, left, step;
  bool still; /* near its end from the start on */
};

struct walk {
  struct vt_run *run;
  const struct vt_vectors *first, *last;
  double within;
  double *left;   /* [rows]; NaN: the word is left out */
  double *before; /* [rows]: |v(t) - v(T)| / |v(0) - v(T)| at the snapshot before */
  size_t *since;  /* [rows]: the snapshot since which it has been near */
};

/* ---- the walk ---------------------------------------------------------------------------------------------------- */

static double distance(const struct vt_vectors *a, const struct vt_vectors *b, size_t id) {
  return sqrt(vt_squared_distance(vt_vectors_row(a, (uint32_t)id), vt_vectors_row(b, (uint32_t)id), a->dim));
}

/* Whether the cosine of v(t) and v(T) is large enough, by |a - b|^2 = |a|^2 + |b|^2 - 2 a.b. */
static bool near(const struct walk *walk, const struct vt_vectors *now, size_t id) {
  const float *a = vt_vectors_row(now, (uint32_t)id), *b = vt_vectors_row(walk->last, (uint32_t)id);
  const size_t dim = now->dim;
  const double aa = vt_squared_length(a, dim), bb = vt_squared_length(b, dim);
  return aa + bb - vt_squared_distance(a, b, dim) >= 2 * walk->within * sqrt(aa * bb);
}

static void begin_walk(struct walk *walk) {
  const struct vt_vectors *last = walk->last;
  for (size_t id = 0; id < last->rows; id++) {
    const bool moved = distance(walk->first, last, id) > 0;
    const bool ends = vt_squared_length(vt_vectors_row(last, (uint32_t)id), last->dim) > 0;
    walk->left[id] = moved && ends ? 0 : (double)NAN;
    walk->before[id] = 1;
    walk->since[id] = 0;
  }
}

static void look(struct walk *walk, const struct vt_vectors *now, size_t snapshot, double share) {
  for (size_t id = 0; id < now->rows; id++) {
    if (isnan(walk->left[id])) continue;
    const double left = distance(now, walk->last, id) / distance(walk->first, walk->last, id);
    walk->left[id] += share * (walk->before[id] + left) / 2;
    walk->before[id] = left;
    if (!near(walk, now, id)) walk->since[id] = snapshot + 1;
  }
}

static enum vt_status go(struct walk *walk, struct vt_error *error) {
  uint64_t before = 0;
  begin_walk(walk);
  for (size_t s = 0; s < vt_run_snapshot_count(walk->run); s++) {
    const uint64_t step = vt_run_snapshot_at(walk->run, s).step;
    struct vt_vectors *vectors;
    VT_TRY(vt_run_vectors(walk->run, step, &vectors, error));
    look(walk, vectors, s, (double)(step - before) / (double)walk->last->step);
    before = step;
    vt_vectors_free(vectors);
  }
  return VT_OK;
}

/* ---- the summary ------------------------------------------------------------------------------------------------- */

/* Of sorted values; between two of them in proportion. */
static double quantile(const double *values, size_t count, double share) {
  if (count == 0) return (double)NAN;
  const double at = share * (double)(count - 1);
  const size_t low = (size_t)at, high = low + 1 < count ? low + 1 : low;
  return values[low] + (at - (double)low) * (values[high] - values[low]);
}

static int by_count(const void *a, const void *b) {
  const double x = ((const struct word *)a)->count, y = ((const struct word *)b)->count;
  return (x < y) - (x > y); /* falling */
}

/* The median of what is left of some words; space[count]. */
static double median_left(const struct word *words, size_t count, double *space) {
  for (size_t k = 0; k < count; k++) space[k] = words[k].left;
  qsort(space, count, sizeof *space, vt_compare_reals);
  return quantile(space, count, 0.5);
}

/* Words of a band, which stand side by side. */
static struct vt_settling_band band_of(const struct word *words, size_t count, double *space) {
  struct vt_settling_band band = {0};
  for (size_t k = 0; k < count; k++)
    if (words[k].still)
      band.still++;
    else
      space[band.words++] = words[k].left;
  qsort(space, band.words, sizeof *space, vt_compare_reals);
  band.left = quantile(space, band.words, 0.5);
  for (size_t k = 0, n = 0; k < count; k++)
    if (!words[k].still) space[n++] = words[k].step;
  qsort(space, band.words, sizeof *space, vt_compare_reals);
  for (int q = 0; q < 3; q++) band.quarter[q] = quantile(space, band.words, (q + 1) / 4.0);
  return band;
}

/* words: sorted by count, falling. */
static void put_into_bands(const struct word *words, size_t count, double *space, struct vt_settling *settling) {
  size_t end = count;
  for (uint64_t low = 1; end > 0 && settling->band_count < VT_SETTLING_BANDS_MAX; low *= 10) {
    size_t begin = end;
    while (begin > 0 && words[begin - 1].count < 10 * (double)low) begin--;
    if (begin < end) {
      struct vt_settling_band *band = &settling->bands[settling->band_count++];
      *band = band_of(words + begin, end - begin, space);
      band->low = low;
      band->high = low > UINT64_MAX / 10 ? UINT64_MAX : 10 * low - 1;
    }
    end = begin;
  }
}

/* Most words are of few bands, in which the correlation may be another than among all; so the outermost bands have to
 * say the same. */
static enum vt_settling_order order_of(const struct vt_settling *settling) {
  const struct vt_settling_band *rare = NULL, *frequent = NULL;
  for (size_t b = 0; b < settling->band_count; b++) {
    if (settling->bands[b].words < BAND_WORDS) continue;
    if (rare == NULL) rare = &settling->bands[b];
    frequent = &settling->bands[b];
  }
  const double difference = rare == NULL ? 0 : frequent->quarter[1] - rare->quarter[1];
  if (settling->step_correlation <= -ORDER && difference <= 0) return VT_SETTLING_FREQUENT_FIRST;
  if (settling->step_correlation >= ORDER && difference >= 0) return VT_SETTLING_RARE_FIRST;
  return VT_SETTLING_NO_ORDER;
}

static enum vt_status correlate(const struct word *words, size_t count, double *space, struct vt_settling *settling,
                                struct vt_error *error) {
  double *others = space + count;
  for (size_t k = 0; k < count; k++) {
    space[k] = words[k].count;
    others[k] = words[k].left;
  }
  VT_TRY(vt_rank_correlation(space, others, count, &settling->correlation, error));
  for (size_t k = 0; k < count; k++) {
    if (words[k].still) continue;
    space[settling->settled] = words[k].count;
    others[settling->settled++] = words[k].step;
  }
  VT_TRY(vt_rank_correlation(space, others, settling->settled, &settling->step_correlation, error));
  return VT_OK;
}

/* space[2 count] */
static enum vt_status summarise(struct word *words, size_t count, double *space, struct vt_settling *settling,
                                struct vt_error *error) {
  const size_t third = count / 3;
  settling->words = count;
  qsort(words, count, sizeof *words, by_count);
  settling->frequent = median_left(words, third, space);
  settling->middle = median_left(words + third, count - 2 * third, space);
  settling->rare = median_left(words + (count - third), third, space);
  VT_TRY(correlate(words, count, space, settling, error));
  put_into_bands(words, count, space, settling);
  settling->order = order_of(settling);
  return VT_OK;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static size_t take_words(const struct walk *walk, struct word *words) {
  size_t count = 0;
  for (size_t id = 0; id < walk->last->rows; id++) {
    const uint64_t times = vt_vocab_count(walk->last->vocab, (uint32_t)id);
    if (times < 2 || isnan(walk->left[id])) continue;
    words[count] = (struct word){.count = (double)times,
                                 .left = walk->left[id],
                                 .step = (double)vt_run_snapshot_at(walk->run, walk->since[id]).step,
                                 .still = walk->since[id] == 0};
    count++;
  }
  return count;
}

static enum vt_status measure(struct walk *walk, struct vt_settling *settling, struct vt_error *error) {
  const size_t rows = walk->last->rows;
  struct word *words = vt_alloc(rows, sizeof *words);
  double *space = vt_alloc(2 * rows, sizeof *space);
  walk->left = vt_alloc(rows, sizeof *walk->left);
  walk->before = vt_alloc(rows, sizeof *walk->before);
  walk->since = vt_alloc(rows, sizeof *walk->since);
  enum vt_status status = VT_OK;
  if (words == NULL || space == NULL || walk->left == NULL || walk->before == NULL || walk->since == NULL)
    status = VT_FAIL_MEMORY(error, rows * sizeof *words);
  if (status == VT_OK) status = go(walk, error);
  if (status == VT_OK) status = summarise(words, take_words(walk, words), space, settling, error);
  vt_free(words);
  vt_free(space);
  vt_free(walk->left);
  vt_free(walk->before);
  vt_free(walk->since);
  return status;
}

enum vt_status vt_settling_measure(struct vt_run *run, double within, struct vt_settling *settling,
                                   struct vt_error *error) {
  struct vt_vectors *first, *last;
  *settling = (struct vt_settling){.within = within, .snapshots = vt_run_snapshot_count(run)};
  VT_TRY(vt_check_number("within", within, 1e-6, 0.999999, error));
  VT_TRY(vt_run_vectors(run, 0, &first, error));
  enum vt_status status = vt_run_vectors(run, VT_STEP_LAST, &last, error);
  if (status == VT_OK) {
    settling->steps = last->step;
    struct walk walk = {.run = run, .first = first, .last = last, .within = within};
    if (last->step == 0)
      status = VT_FAIL(error, VT_ERROR_EMPTY, "the run stands at step 0: nothing has settled");
    else
      status = measure(&walk, settling, error);
    vt_vectors_free(last);
  }
  vt_vectors_free(first);
  return status;
}
