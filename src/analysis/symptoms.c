/*
 * symptoms.c: from the recorded series, from measures over the snapshots, and from the first and last table whole.
 */
#include "analysis/symptoms.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "run/settings.h"

#define FREQUENCY_SAMPLE 2000
#define BANDS 4
#define CHANCE_QUERIES 20
#define CHANCE_AMONG 10000
#define CHANCE_DIM_MAX 64 /* above, random directions are far from one another */

/* ---- recorded series ----------------------------------------------------------------------------------------------
 */

struct series {
  struct vt_run_point *points;
  size_t count;
};

static enum vt_status read_series(struct vt_run *run, const char *name, struct series *series, struct vt_error *error) {
  return vt_run_metric(run, name, &series->points, &series->count, error);
}

/* Mean over the points from one share of the last step to another; NaN where there are none. */
static double mean_between(const struct series *series, double from, double to) {
  double sum = 0, last = series->count > 0 ? (double)series->points[series->count - 1].step : 0;
  size_t count = 0;
  for (size_t k = 0; k < series->count; k++) {
    double step = (double)series->points[k].step, value = series->points[k].value;
    if (step < from * last || step > to * last || !isfinite(value)) continue;
    sum += value;
    count++;
  }
  return count > 0 ? sum / (double)count : (double)NAN;
}

static void look_at_losses(const struct series *probe, const struct series *held_out, struct vt_symptoms *s) {
  for (size_t k = 0; k < probe->count; k++) {
    double value = probe->points[k].value;
    if (k == 0) s->loss_first = value;
    s->loss_bad = s->loss_bad || isinf(value) || (isnan(value) && k > 0 && !isnan(s->loss_first));
    if (!isfinite(value)) continue;
    if (!(value >= s->loss_least)) {
      s->loss_least = value;
      s->loss_least_step = probe->points[k].step;
    }
    s->loss_last = value;
    s->loss_last_step = probe->points[k].step;
  }
  s->loss_fall_mid = 1 - mean_between(probe, 0.5, 0.7) / mean_between(probe, 0.3, 0.5);
  for (size_t k = 0; k < held_out->count; k++) {
    double value = held_out->points[k].value;
    if (!isfinite(value)) continue;
    if (!(value >= s->held_out_least)) {
      s->held_out_least = value;
      s->held_out_least_step = held_out->points[k].step;
    }
    s->held_out_last = value;
    s->held_out_last_step = held_out->points[k].step;
  }
}

static enum vt_status look_at_series(struct vt_run *run, struct vt_symptoms *s, struct vt_error *error) {
  struct series probe = {0}, held_out = {0}, capped = {0}, lr = {0};
  enum vt_status status = read_series(run, "probe_loss", &probe, error);
  if (status == VT_OK) status = read_series(run, "held_out_loss", &held_out, error);
  if (status == VT_OK) status = read_series(run, "capped", &capped, error);
  if (status == VT_OK) status = read_series(run, "lr", &lr, error);
  if (status == VT_OK) {
    look_at_losses(&probe, &held_out, s);
    s->capped = mean_between(&capped, 0.25, 0.75);
    if (lr.count > 0) {
      s->lr = lr.points[0].value;
      s->lr_last = lr.points[lr.count - 1].value;
    }
    status = vt_run_convergence(run, &s->convergence, error);
  }
  vt_run_points_free(probe.points);
  vt_run_points_free(held_out.points);
  vt_run_points_free(capped.points);
  vt_run_points_free(lr.points);
  return status;
}

static enum vt_status look_at_texts(struct vt_run *run, struct vt_symptoms *s, struct vt_error *error) {
  struct series uniformity = {0}, rank = {0};
  enum vt_status status = read_series(run, "uniformity", &uniformity, error);
  if (status == VT_OK) status = read_series(run, "text_rank", &rank, error);
  if (status == VT_OK && uniformity.count > 0) {
    s->uniformity_first = uniformity.points[0].value;
    s->uniformity_last = uniformity.points[uniformity.count - 1].value;
  }
  if (status == VT_OK && rank.count > 0) s->text_rank = rank.points[rank.count - 1].value;
  vt_run_points_free(uniformity.points);
  vt_run_points_free(rank.points);
  return status;
}

static void look_at_events(const struct vt_run *run, struct vt_symptoms *s) {
  for (size_t k = 0; k < vt_run_event_count(run); k++) {
    struct vt_run_event event = vt_run_event_at(run, k);
    if (strcmp(event.kind, "finished") == 0) s->finished = true;
    if (strcmp(event.kind, "diverged") != 0) continue;
    s->diverged = event.text;
    s->diverged_step = event.step;
  }
  const char *base = vt_run_meta(run, "base");
  s->from_run = base != NULL && *base != '\0';
  const char *schedule = vt_run_meta(run, "schedule"), *lr = vt_run_meta(run, "lr");
  s->falling_rate = schedule != NULL && strcmp(schedule, "constant") != 0;
  if (isnan(s->lr) && lr != NULL) (void)vt_settings_parse_real(lr, &s->lr);
}

/* ---- measures -----------------------------------------------------------------------------------------------------
 */

static double value_at(const struct vt_measures *measures, const char *name, size_t snapshot) {
  const struct vt_measure_series *series = vt_measures_find(measures, name);
  return series == NULL ? (double)NAN : series->values[snapshot];
}

static enum vt_status look_at_measures(struct vt_run *run, int threads, struct vt_symptoms *s, struct vt_error *error) {
  struct vt_measure_options options;
  vt_measure_options_init(&options);
  options.groups = VT_MEASURE_MOTION | VT_MEASURE_PAIRS | VT_MEASURE_SHAPE;
  options.sample_among = VT_SYMPTOM_FREQUENT;
  options.threads = threads;
  struct vt_measures measures;
  VT_TRY(vt_measure_run(run, &options, &measures, error));
  size_t last = measures.count - 1, turns = 0;
  s->snapshots_bad = vt_run_snapshot_count(run) - measures.count;
  s->step_last = measures.steps[last];
  s->dim = measures.dim;
  s->words = measures.words;
  s->frequent = measures.words < VT_SYMPTOM_FREQUENT ? measures.words : VT_SYMPTOM_FREQUENT;
  s->norm_last = value_at(&measures, "norm", last);
  s->norm_growth = s->norm_last / value_at(&measures, "norm", last - measures.count / 4);
  s->cosine_last = value_at(&measures, "random_cosine", last);
  s->rank_last = value_at(&measures, "effective_rank", last);
  s->centred_rank_last = value_at(&measures, "centred_rank", last);
  s->rank_most = s->rank_last;
  double turn = 0;
  for (size_t k = 0; k <= last; k++) {
    double rank = value_at(&measures, "effective_rank", k), turned = value_at(&measures, "turn", k);
    if (3 * measures.steps[k] >= s->step_last && rank > s->rank_most) s->rank_most = rank;
    if (2 * measures.steps[k] < s->step_last || isnan(turned)) continue;
    turn += turned;
    turns++;
  }
  s->turn = turns > 0 ? turn / (double)turns : (double)NAN;
  vt_measures_release(&measures);
  return VT_OK;
}

/* ---- the first and the last table ---------------------------------------------------------------------------------
 */

static void count_unmoved(const struct vt_vectors *first, const struct vt_vectors *last, struct vt_symptoms *s) {
  for (uint32_t w = 0; w < last->rows; w++) {
    const float *a = vt_vectors_row(first, w), *b = vt_vectors_row(last, w);
    double moved = 0, length = 0;
    for (size_t c = 0; c < last->dim; c++) {
      moved += ((double)b[c] - (double)a[c]) * ((double)b[c] - (double)a[c]);
      length += (double)a[c] * (double)a[c];
    }
    if (!(moved < length)) continue;
    s->unmoved++;
    s->unmoved_frequent += 2 * (size_t)w < last->rows;
    uint64_t count = vt_vocab_count(last->vocab, w);
    if (count > s->unmoved_count) s->unmoved_count = count;
  }
}

static size_t band_of(uint64_t count) { return count < 10 ? 0 : count < 100 ? 1 : count < 1000 ? 2 : 3; }

/* Of unit vectors: 1 - (sum of squares about their band's mean) / (sum of squares about the mean of all), the
 * correlation ratio. */
static enum vt_status share_of_frequency(const struct vt_vectors *last, struct vt_symptoms *s, struct vt_error *error) {
  size_t dim = last->dim, count = last->rows < FREQUENCY_SAMPLE ? last->rows : FREQUENCY_SAMPLE, total = 0;
  if (vt_vocab_tokens(last->vocab) == 0) return VT_OK;
  double *sums = vt_alloc_zero((BANDS + 1) * dim, sizeof *sums), points = 0, within = 0, apart = 0;
  size_t sizes[BANDS] = {0};
  if (sums == NULL) return VT_FAIL_MEMORY(error, (BANDS + 1) * dim * sizeof *sums);
  for (size_t k = 0; k < count; k++) {
    uint32_t word = (uint32_t)(k * last->rows / count);
    const float *row = vt_vectors_row(last, word);
    double squared = 0;
    for (size_t c = 0; c < dim; c++) squared += (double)row[c] * (double)row[c];
    if (!(squared > 0)) continue;
    size_t band = band_of(vt_vocab_count(last->vocab, word));
    for (size_t c = 0; c < dim; c++) {
      sums[band * dim + c] += (double)row[c] / sqrt(squared);
      sums[BANDS * dim + c] += (double)row[c] / sqrt(squared);
    }
    sizes[band]++;
    total++;
  }
  points = (double)total;
  for (size_t b = 0; b <= BANDS; b++) {
    double squared = 0, size = b < BANDS ? (double)sizes[b] : points;
    for (size_t c = 0; c < dim; c++) squared += sums[b * dim + c] * sums[b * dim + c];
    if (size > 0 && b < BANDS) within += squared / size;
    if (size > 0 && b == BANDS) apart = squared / size;
  }
  vt_free(sums);
  if (points - apart > 0) s->frequency_share = (within - apart) / (points - apart);
  return VT_OK;
}

static enum vt_status look_at_tables(struct vt_run *run, struct vt_symptoms *s, struct vt_error *error) {
  struct vt_vectors *first = NULL, *last = NULL;
  enum vt_status status = vt_run_vectors(run, vt_run_snapshot_at(run, 0).step, &first, error);
  if (status == VT_OK) status = vt_run_vectors(run, s->step_last, &last, error);
  if (status == VT_OK && s->step_last > first->step) count_unmoved(first, last, s);
  if (status == VT_OK) status = share_of_frequency(last, s, error);
  vt_vectors_free(first);
  vt_vectors_free(last);
  return status;
}

/* ---- chance -------------------------------------------------------------------------------------------------------
 */

/* A normal variable, near enough: the sum of twelve uniform ones. */
static float about_normal(struct vt_rng *rng) {
  float sum = 0;
  for (int k = 0; k < 12; k++) sum += vt_rng_unit(rng);
  return sum - 6;
}

static void find_tenth(const float *units, size_t rows, size_t dim, size_t query, double best[10]) {
  for (int k = 0; k < 10; k++) best[k] = -1;
  for (size_t r = 0; r < rows; r++) {
    double product = 0;
    if (r == query) continue;
    for (size_t c = 0; c < dim; c++) product += (double)units[r * dim + c] * (double)units[query * dim + c];
    if (product <= best[9]) continue;
    int at = 9;
    for (; at > 0 && product > best[at - 1]; at--) best[at] = best[at - 1];
    best[at] = product;
  }
}

/* How near ten words come to a word by chance alone: directions drawn at random, as many as there are words. */
static enum vt_status look_at_chance(struct vt_symptoms *s, struct vt_error *error) {
  size_t rows = s->words < CHANCE_AMONG ? s->words : CHANCE_AMONG, dim = s->dim;
  if (dim > CHANCE_DIM_MAX || rows < 20) return VT_OK;
  float *units = vt_alloc(rows * dim, sizeof *units);
  if (units == NULL) return VT_FAIL_MEMORY(error, rows * dim * sizeof *units);
  struct vt_rng rng = vt_rng_make(VT_RNG_ANALYSIS, 3, dim, rows);
  for (size_t r = 0; r < rows; r++) {
    double squared = DBL_MIN;
    for (size_t c = 0; c < dim; c++) {
      units[r * dim + c] = about_normal(&rng);
      squared += (double)units[r * dim + c] * (double)units[r * dim + c];
    }
    for (size_t c = 0; c < dim; c++) units[r * dim + c] = (float)((double)units[r * dim + c] / sqrt(squared));
  }
  double sum = 0;
  for (size_t q = 0; q < CHANCE_QUERIES; q++) {
    double best[10];
    find_tenth(units, rows, dim, q * rows / CHANCE_QUERIES, best);
    sum += best[9];
  }
  s->chance_neighbor = sum / CHANCE_QUERIES;
  vt_free(units);
  return VT_OK;
}

enum vt_status vt_symptoms_gather(struct vt_run *run, int threads, struct vt_symptoms *s, struct vt_error *error) {
  double unknown = (double)NAN;
  *s = (struct vt_symptoms){
      .lr = unknown,
      .lr_last = unknown,
      .loss_first = unknown,
      .loss_last = unknown,
      .loss_least = unknown,
      .loss_fall_mid = unknown,
      .held_out_least = unknown,
      .held_out_last = unknown,
      .capped = unknown,
      .frequency_share = unknown,
      .chance_neighbor = unknown,
      .uniformity_first = unknown,
      .uniformity_last = unknown,
      .text_rank = unknown,
  };
  VT_TRY(look_at_series(run, s, error));
  VT_TRY(look_at_texts(run, s, error));
  look_at_events(run, s);
  VT_TRY(look_at_measures(run, threads, s, error));
  VT_TRY(look_at_tables(run, s, error));
  return look_at_chance(s, error);
}
