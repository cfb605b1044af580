/*
 * measure_pairs.c: cosines of pairs of words: drawn at random, watched, meeting often in the text, never meeting.
 */
#include <math.h>
#include <stdio.h>

#include "analysis/measure_run.h"
#include "base/memory.h"

#define RANDOM_PAIRS 5000
#define BAND_95 1.959963984540054 /* a normal variable lies within so many deviations 95 times in a hundred */

struct vt_measure_pairs {
  struct vt_measure_pair *random; /* places */
  size_t random_count;
  double *cosine, *deviation, *outside, *uniformity;
  double *together, *apart, *alignment;
  double **watched;
};

static enum vt_status draw_random(struct vt_measuring *m, struct vt_measure_pairs *pairs, struct vt_error *error) {
  size_t words = m->sample_count;
  if (words < 2) return VT_OK;
  pairs->random = vt_alloc(RANDOM_PAIRS, sizeof *pairs->random);
  if (pairs->random == NULL) return VT_FAIL_MEMORY(error, RANDOM_PAIRS * sizeof *pairs->random);
  struct vt_rng rng = vt_rng_make(VT_RNG_ANALYSIS, 1, words, 0);
  for (size_t p = 0; p < RANDOM_PAIRS; p++) {
    uint32_t a = vt_rng_below(&rng, (uint32_t)words), b = vt_rng_below(&rng, (uint32_t)words - 1);
    pairs->random[p] = (struct vt_measure_pair){m->sample[a], m->sample[b + (b >= a)]};
  }
  pairs->random_count = RANDOM_PAIRS;
  return VT_OK;
}

static enum vt_status random_series(struct vt_measuring *m, struct vt_measure_pairs *pairs, struct vt_error *error) {
  VT_TRY(vt_measuring_series(m, "random_cosine", "mean cosine of random pairs; 0 by chance", &pairs->cosine, error));
  VT_TRY(vt_measuring_series(m, "random_deviation", "its standard deviation; 1 / sqrt(dim) by chance",
                             &pairs->deviation, error));
  VT_TRY(vt_measuring_series(m, "random_outside", "share of random pairs outside 1.96 / sqrt(dim); 0.05 by chance",
                             &pairs->outside, error));
  return vt_measuring_series(m, "uniformity", "log mean e^(-2 |x - y|^2) of random pairs; -4 by chance, 0: one point",
                             &pairs->uniformity, error);
}

static enum vt_status watched_series(struct vt_measuring *m, struct vt_measure_pairs *pairs, struct vt_error *error) {
  pairs->watched = vt_alloc(m->watched_count, sizeof *pairs->watched);
  if (pairs->watched == NULL) return VT_FAIL_MEMORY(error, m->watched_count * sizeof *pairs->watched);
  for (size_t p = 0; p < m->watched_count; p++) {
    char name[160];
    snprintf(name, sizeof name, "cosine %.64s %.64s", vt_vocab_text(m->vocab, m->ids[m->watched[p].a]),
             vt_vocab_text(m->vocab, m->ids[m->watched[p].b]));
    VT_TRY(vt_measuring_series(m, name, "cosine of a watched pair", &pairs->watched[p], error));
  }
  return VT_OK;
}

enum vt_status vt_measure_pairs_create(struct vt_measuring *m, struct vt_measure_pairs **out, struct vt_error *error) {
  struct vt_measure_pairs *pairs = vt_alloc_zero(1, sizeof *pairs);
  if (pairs == NULL) return VT_FAIL_MEMORY(error, sizeof *pairs);
  *out = pairs;
  if (!m->single) VT_TRY(draw_random(m, pairs, error));
  if (pairs->random_count > 0) VT_TRY(random_series(m, pairs, error));
  if (m->together_count > 0) {
    VT_TRY(
        vt_measuring_series(m, "together_cosine", "mean cosine of the pairs that meet most", &pairs->together, error));
    VT_TRY(vt_measuring_series(m, "alignment", "mean |x - y|^2 of those, as unit vectors", &pairs->alignment, error));
  }
  if (m->apart_count > 0)
    VT_TRY(
        vt_measuring_series(m, "apart_cosine", "mean cosine of frequent words that never meet", &pairs->apart, error));
  return watched_series(m, pairs, error);
}

static double mean_cosine(const struct vt_measuring *m, const struct vt_frame *frame,
                          const struct vt_measure_pair *pairs, size_t count) {
  double sum = 0;
  for (size_t p = 0; p < count; p++) sum += vt_frame_cosine(m, frame, pairs[p].a, pairs[p].b);
  return sum / (double)count;
}

static void look_at_random(const struct vt_measuring *m, struct vt_measure_pairs *pairs, const struct vt_frame *frame) {
  double sum = 0, squared = 0, near = 0, band = BAND_95 / sqrt((double)m->dim), count = (double)pairs->random_count;
  size_t outside = 0, s = frame->index;
  for (size_t p = 0; p < pairs->random_count; p++) {
    double cosine = vt_frame_cosine(m, frame, pairs->random[p].a, pairs->random[p].b);
    sum += cosine;
    squared += cosine * cosine;
    near += exp(-4 + 4 * cosine); /* |x - y|^2 = 2 - 2 cos for unit vectors */
    outside += fabs(cosine) > band;
  }
  double mean = sum / count, variance = squared / count - mean * mean;
  pairs->cosine[s] = mean;
  pairs->deviation[s] = sqrt(variance > 0 ? variance : 0);
  pairs->outside[s] = (double)outside / count;
  pairs->uniformity[s] = log(near / count);
}

void vt_measure_pairs_at(struct vt_measuring *m, struct vt_measure_pairs *pairs, const struct vt_moment *moment) {
  const struct vt_frame *now = moment->now;
  size_t s = now->index;
  if (pairs->random_count > 0) look_at_random(m, pairs, now);
  if (m->together_count > 0) {
    pairs->together[s] = mean_cosine(m, now, m->together, m->together_count);
    pairs->alignment[s] = 2 - 2 * pairs->together[s];
  }
  if (m->apart_count > 0) pairs->apart[s] = mean_cosine(m, now, m->apart, m->apart_count);
  for (size_t p = 0; p < m->watched_count; p++)
    pairs->watched[p][s] = vt_frame_cosine(m, now, m->watched[p].a, m->watched[p].b);
}

void vt_measure_pairs_free(struct vt_measure_pairs *pairs) {
  if (pairs == NULL) return;
  vt_free(pairs->random);
  vt_free(pairs->watched);
  vt_free(pairs);
}
