/*
 * factorisation.c: skip-gram with negative sampling as a factorisation (Levy and Goldberg 2014).
 *
 * A pass over the text draws the pair w, c p = #(w, c) times in expectation, and q times as noise. As trained, a noise
 * word is never the target itself, so that with P_n the noise distribution and K noise words a target
 *
 *   q_wc = K P_n(c) sum over t other than c of #(w, t) / (1 - P_n(t))
 *
 * and x*_wc = log(p / q). (That the K words of a target differ from each other, too, is left out.)
 *
 * Scores are products of the tables over stripes of rows, by all threads; each stripe has sums of its own, which are
 * added up in order.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "analysis/theory.h"
#include "base/blas.h"
#include "base/memory.h"
#include "run/run_internal.h"

#define ROWS 64
#define PAIRS_LOW 3

/* Weighted sums of a fit of y = v.u on x = x*. */
struct sums {
  double w, x, y, xx, xy, yy, off;
  uint64_t pairs;
};

struct stripe {
  struct sums bands[VT_FACTORISATION_BANDS];
  double objective, optimum, unseen_loss, unseen_score, unseen_weight;
  uint64_t unseen;
};

struct work {
  const struct vt_factorisation_setup *setup;
  const float *input, *output;
  size_t dim;
  const double *noise; /* K P_n */
  const double *share; /* 1 / (1 - P_n) */
  const int *band_of;  /* of a word */
  struct stripe *stripes;
  float *scores; /* for each worker ROWS x words */
  atomic_uint next;
};

static double softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }

static void add(struct sums *sums, double weight, double x, double y) {
  sums->w += weight;
  sums->x += weight * x;
  sums->y += weight * y;
  sums->xx += weight * x * x;
  sums->xy += weight * x * y;
  sums->yy += weight * y * y;
  sums->off += weight * (y - x) * (y - x);
  sums->pairs++;
}

static void add_seen(const struct work *work, struct stripe *stripe, int band, double p, double q, double y) {
  double x = log(p / q);
  add(&stripe->bands[band], p * q / (p + q), x, y);
  stripe->objective += p * softplus(-y) + q * softplus(y);
  stripe->optimum += p * softplus(-x) + q * softplus(x);
  (void)work;
}

static void measure_row(const struct work *work, struct stripe *stripe, uint32_t w, const float *scores) {
  const struct vt_meetings *meetings = work->setup->meetings;
  double targets = 0;
  for (size_t k = meetings->start[w]; k < meetings->start[w + 1]; k++)
    targets += meetings->counts[k] * work->share[meetings->others[k]];
  if (!(targets > 0)) return;
  size_t at = meetings->start[w];
  for (uint32_t c = 0; c < meetings->words; c++) {
    double y = (double)scores[c], q = work->noise[c] * targets;
    if (at < meetings->start[w + 1] && meetings->others[at] == c) {
      double p = meetings->counts[at++];
      q -= work->noise[c] * p * work->share[c];
      int band = work->band_of[w] < work->band_of[c] ? work->band_of[w] : work->band_of[c];
      if (q > 0) add_seen(work, stripe, band, p, q, y);
    } else if (q > 0) {
      stripe->unseen++;
      stripe->unseen_loss += q * softplus(y);
      stripe->unseen_score += q * y;
      stripe->unseen_weight += q;
    }
  }
}

static void measure_stripes(void *context, int worker) {
  struct work *work = context;
  const uint32_t words = work->setup->meetings->words;
  float *scores = work->scores + (size_t)worker * ROWS * words;
  for (;;) {
    uint32_t number = atomic_fetch_add_explicit(&work->next, 1, memory_order_relaxed), first = number * ROWS;
    if (first >= words) return;
    uint32_t count = words - first < ROWS ? words - first : ROWS;
    vt_blas.cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, (int)words, (int)work->dim, 1,
                        work->input + (size_t)first * work->dim, (int)work->dim, work->output, (int)work->dim, 0,
                        scores, (int)words);
    for (uint32_t row = 0; row < count; row++)
      measure_row(work, &work->stripes[number], first + row, scores + (size_t)row * words);
  }
}

static struct vt_factorisation_band fit(const struct sums *sums, uint64_t low) {
  struct vt_factorisation_band band = {.low = low, .pairs = sums->pairs, .slope = NAN, .r2 = NAN, .deviation = NAN};
  if (sums->pairs < PAIRS_LOW || !(sums->w > 0)) return band;
  double xx = sums->xx - sums->x * sums->x / sums->w, yy = sums->yy - sums->y * sums->y / sums->w;
  double xy = sums->xy - sums->x * sums->y / sums->w;
  band.deviation = sqrt(sums->off / sums->w);
  if (xx > 0) band.slope = xy / xx;
  if (xx > 0 && yy > 0) band.r2 = xy * xy / (xx * yy);
  return band;
}

static void add_up(const struct work *work, size_t count, struct vt_factorisation *result) {
  static const uint64_t lows[VT_FACTORISATION_BANDS] = {1, 100, 1000, 10000};
  struct sums bands[VT_FACTORISATION_BANDS] = {{0}}, all = {0};
  struct stripe whole = {0};
  for (size_t s = 0; s < count; s++) {
    const struct stripe *stripe = &work->stripes[s];
    for (int b = 0; b < VT_FACTORISATION_BANDS; b++) {
      struct sums *const to[] = {&bands[b], &all};
      for (int t = 0; t < 2; t++) {
        const struct sums *from = &stripe->bands[b];
        to[t]->w += from->w, to[t]->x += from->x, to[t]->y += from->y, to[t]->xx += from->xx;
        to[t]->xy += from->xy, to[t]->yy += from->yy, to[t]->off += from->off, to[t]->pairs += from->pairs;
      }
    }
    whole.objective += stripe->objective, whole.optimum += stripe->optimum, whole.unseen += stripe->unseen;
    whole.unseen_loss += stripe->unseen_loss, whole.unseen_score += stripe->unseen_score;
    whole.unseen_weight += stripe->unseen_weight;
  }
  const double total = work->setup->meetings->total;
  for (int b = 0; b < VT_FACTORISATION_BANDS; b++) result->bands[b] = fit(&bands[b], lows[b]);
  result->all = fit(&all, 1);
  result->objective = whole.objective / total;
  result->optimum = whole.optimum / total;
  result->unseen = whole.unseen;
  result->unseen_loss = whole.unseen_loss / total;
  result->unseen_score = whole.unseen_weight > 0 ? whole.unseen_score / whole.unseen_weight : (double)NAN;
}

/* P_n ~ count^exponent, as src/train/noise.c. */
static void prepare_noise(const struct vt_factorisation_setup *setup, double *noise, double *share, int *band_of) {
  const size_t words = vt_vocab_size(setup->vocab);
  double sum = 0;
  for (uint32_t w = 0; w < words; w++) {
    uint64_t times = vt_vocab_count(setup->vocab, w);
    noise[w] = times == 0 ? 0 : pow((double)times, setup->noise_exponent);
    band_of[w] = times >= 10000 ? 3 : times >= 1000 ? 2 : times >= 100 ? 1 : 0;
    sum += noise[w];
  }
  for (uint32_t w = 0; w < words; w++) {
    double p = sum > 0 ? noise[w] / sum : 1 / (double)words;
    share[w] = p < 1 ? 1 / (1 - p) : 0;
    noise[w] = setup->negative * p;
  }
}

enum vt_status vt_factorisation_at(const struct vt_factorisation_setup *setup, const float *input, const float *output,
                                   size_t dim, struct vt_factorisation *result, struct vt_error *error) {
  VT_TRY(vt_blas_open(error));
  const size_t words = setup->meetings->words, stripes = (words + ROWS - 1) / ROWS;
  double *noise = vt_alloc(words, sizeof *noise), *share = vt_alloc(words, sizeof *share);
  int *band_of = vt_alloc(words, sizeof *band_of);
  struct work work = {.setup = setup, .input = input, .output = output, .dim = dim};
  work.stripes = vt_alloc_zero(stripes, sizeof *work.stripes);
  work.scores = vt_alloc((size_t)vt_pool_size(setup->pool) * ROWS * words, sizeof *work.scores);
  enum vt_status status = VT_OK;
  if (noise == NULL || share == NULL || band_of == NULL || work.stripes == NULL || work.scores == NULL)
    status = VT_FAIL_MEMORY(error, (size_t)vt_pool_size(setup->pool) * ROWS * words * sizeof *work.scores);
  if (status == VT_OK) {
    prepare_noise(setup, noise, share, band_of);
    work.noise = noise;
    work.share = share;
    work.band_of = band_of;
    atomic_init(&work.next, 0);
    vt_pool_run(setup->pool, measure_stripes, &work);
    add_up(&work, stripes, result);
  }
  vt_free(noise);
  vt_free(share);
  vt_free(band_of);
  vt_free(work.stripes);
  vt_free(work.scores);
  return status;
}

static enum vt_status measure_snapshot(struct vt_run *run, const struct vt_factorisation_setup *setup, size_t index,
                                       size_t dim, struct vt_factorisation *result, struct vt_error *error) {
  struct vt_vectors *vectors;
  VT_TRY(vt_run_vectors(run, vt_run_snapshot_at(run, index).step, &vectors, error));
  float *output = vt_alloc_aligned_raw(vectors->rows * dim, sizeof *output);
  enum vt_status status = output == NULL ? VT_FAIL_MEMORY(error, vectors->rows * dim * sizeof *output)
                                         : vt_run_output(run, index, dim, output, error);
  if (status == VT_OK) status = vt_factorisation_at(setup, vectors->data, output, dim, result, error);
  result->step = vt_run_snapshot_at(run, index).step;
  vt_free_aligned(output);
  vt_vectors_free(vectors);
  return status;
}

enum vt_status vt_factorisation_measure(struct vt_run *run, const struct vt_settings *settings,
                                        const struct vt_meetings *meetings, const struct vt_theory_options *options,
                                        struct vt_pool *pool, struct vt_theory *theory, struct vt_error *error) {
  char *missing = theory->factorisation_missing;
  const size_t snapshots = theory->snapshot_count;
  if (options->points == 0) return VT_OK;
  if (settings->train.loss != VT_LOSS_NEGATIVE_SAMPLING || settings->train.model != VT_MODEL_SKIPGRAM) {
    snprintf(missing, sizeof theory->factorisation_missing, "it is known for skip-gram with negative sampling alone");
    return VT_OK;
  }
  if (!settings->record.output) {
    snprintf(missing, sizeof theory->factorisation_missing, "the run kept no output vectors; train with --save-output");
    return VT_OK;
  }
  size_t points = options->points < snapshots ? options->points : snapshots;
  theory->factorisation = vt_alloc_zero(points, sizeof *theory->factorisation);
  if (theory->factorisation == NULL) return VT_FAIL_MEMORY(error, points * sizeof *theory->factorisation);
  const struct vt_factorisation_setup setup = {meetings, vt_run_vocab(run), settings->train.noise_exponent,
                                               settings->train.negative, pool};
  for (size_t p = 0; p < points; p++, theory->factorisation_count++)
    VT_TRY(measure_snapshot(run, &setup, ((p + 1) * snapshots + points - 1) / points - 1, theory->dim,
                            &theory->factorisation[p], error));
  return VT_OK;
}
