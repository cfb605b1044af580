/*
 * measure_motion.c: how far and how straight each word of the sample went. A word's path is the sum of its chords from
 * snapshot to snapshot, so it is a lower bound, the better the more snapshots there are.
 */
#include <math.h>
#include <string.h>

#include "analysis/measure_run.h"
#include "base/median.h"
#include "base/memory.h"

#define MOVING_SHARE 0.01 /* as in training: a word moves when it went further than this share of its length */

struct word_motion {
  double path;
  /* At this snapshot. */
  double displacement, norm, start_cosine, chord, turn;
};

struct vt_measure_motion {
  struct word_motion *words; /* of the sample */
  double *ratios;            /* to be sorted */
  double *displacement, *path, *straightness, *norm, *start_cosine;
  double *speed, *moving, *update_ratio, *turn;
};

enum vt_status vt_measure_motion_create(struct vt_measuring *m, struct vt_measure_motion **out,
                                        struct vt_error *error) {
  struct vt_measure_motion *motion = vt_alloc_zero(1, sizeof *motion);
  if (motion == NULL) return VT_FAIL_MEMORY(error, sizeof *motion);
  *out = motion; /* freed by the caller, whatever comes */
  motion->words = vt_alloc_zero(m->sample_count, sizeof *motion->words);
  motion->ratios = vt_alloc(m->sample_count, sizeof *motion->ratios);
  if (motion->words == NULL || motion->ratios == NULL)
    return VT_FAIL_MEMORY(error, m->sample_count * sizeof *motion->words);
  VT_TRY(vt_measuring_series(m, "displacement", "distance from the start", &motion->displacement, error));
  VT_TRY(vt_measuring_series(m, "path", "length of the way gone, snapshot to snapshot", &motion->path, error));
  VT_TRY(vt_measuring_series(m, "straightness", "displacement over path", &motion->straightness, error));
  VT_TRY(vt_measuring_series(m, "norm", "length of the vectors", &motion->norm, error));
  VT_TRY(vt_measuring_series(m, "start_cosine", "cosine with the start", &motion->start_cosine, error));
  VT_TRY(vt_measuring_series(m, "speed", "distance gone in a step", &motion->speed, error));
  VT_TRY(vt_measuring_series(m, "moving", "share of words that went over 1% of their length", &motion->moving, error));
  VT_TRY(vt_measuring_series(m, "update_ratio", "median of the way since the snapshot before over the length",
                             &motion->update_ratio, error));
  return vt_measuring_series(m, "turn", "cosine of successive displacements; below 0: there and back", &motion->turn,
                             error);
}

/* What one word's item needs to know. */
struct looking {
  const struct vt_measuring *m;
  struct vt_measure_motion *motion;
  const struct vt_moment *moment;
};

static double chord(const struct vt_measuring *m, const float *a, const float *b) {
  double squared = 0;
  for (size_t c = 0; c < m->dim; c++) squared += ((double)a[c] - (double)b[c]) * ((double)a[c] - (double)b[c]);
  return sqrt(squared);
}

/* Cosine of now - before with before - before2; NaN where one of them is zero. */
static double turn(const struct vt_measuring *m, const float *now, const float *before, const float *before2) {
  double product = 0, squared = 0, squared_before = 0;
  for (size_t c = 0; c < m->dim; c++) {
    double step = (double)now[c] - (double)before[c], step_before = (double)before[c] - (double)before2[c];
    product += step * step_before;
    squared += step * step;
    squared_before += step_before * step_before;
  }
  double length = sqrt(squared * squared_before);
  return length > 0 ? product / length : (double)NAN;
}

static void look_at_word(void *context, size_t item) {
  const struct looking *looking = context;
  const struct vt_measuring *m = looking->m;
  const struct vt_moment *moment = looking->moment;
  struct word_motion *word = &looking->motion->words[item];
  uint32_t place = m->sample[item];
  const float *now = vt_frame_row(m, moment->now, place), *start = vt_frame_row(m, &m->first, place);
  word->displacement = chord(m, now, start);
  word->norm = moment->now->norms[place];
  double product = 0, norms = word->norm * m->first.norms[place];
  for (size_t c = 0; c < m->dim; c++) product += (double)now[c] * (double)start[c];
  word->start_cosine = norms > 0 ? product / norms : 0;
  word->chord = word->turn = (double)NAN;
  if (moment->before == NULL) return;
  const float *before = vt_frame_row(m, moment->before, place);
  word->chord = chord(m, now, before);
  word->path += word->chord;
  if (moment->before2 != NULL) word->turn = turn(m, now, before, vt_frame_row(m, moment->before2, place));
}

/* Means over the words for which a quantity is defined. */
static void sum_up(struct vt_measuring *m, struct vt_measure_motion *motion, const struct vt_moment *moment) {
  size_t s = moment->now->index, straight_count = 0, turn_count = 0, moving = 0, ratio_count = 0;
  double displacement = 0, path = 0, straightness = 0, norm = 0, start_cosine = 0, chords = 0, turns = 0;
  for (size_t k = 0; k < m->sample_count; k++) {
    const struct word_motion *word = &motion->words[k];
    displacement += word->displacement;
    path += word->path;
    norm += word->norm;
    start_cosine += word->start_cosine;
    if (word->path > 0) {
      straightness += word->displacement / word->path;
      straight_count++;
    }
    if (moment->before == NULL) continue;
    chords += word->chord;
    moving += word->chord > MOVING_SHARE * word->norm;
    if (word->norm > 0) motion->ratios[ratio_count++] = word->chord / word->norm;
    if (isnan(word->turn)) continue;
    turns += word->turn;
    turn_count++;
  }
  double count = (double)m->sample_count;
  motion->displacement[s] = displacement / count;
  motion->path[s] = path / count;
  if (straight_count > 0) motion->straightness[s] = straightness / (double)straight_count;
  motion->norm[s] = norm / count;
  motion->start_cosine[s] = start_cosine / count;
  if (moment->before == NULL) return;
  motion->speed[s] = chords / count / (double)(moment->step - moment->step_before);
  motion->moving[s] = (double)moving / count;
  motion->update_ratio[s] = vt_median(motion->ratios, ratio_count);
  if (turn_count > 0) motion->turn[s] = turns / (double)turn_count;
}

void vt_measure_motion_at(struct vt_measuring *m, struct vt_measure_motion *motion, const struct vt_moment *moment) {
  struct looking looking = {m, motion, moment};
  vt_measuring_each(m, m->sample_count, look_at_word, &looking);
  sum_up(m, motion, moment);
}

void vt_measure_motion_free(struct vt_measure_motion *motion) {
  if (motion == NULL) return;
  vt_free(motion->words);
  vt_free(motion->ratios);
  vt_free(motion);
}
