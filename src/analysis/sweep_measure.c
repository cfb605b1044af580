/* sweep_measure.c: the parts of the text, the pairs that are measured on, and the decomposition of their error. */
#include <math.h>
#include <string.h>

#include "analysis/association.h"
#include "analysis/sweep_internal.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "text/subsample.h"

#define PAIRS_LEAST 50

static const double parts[VT_SWEEP_PARTS] = {0.35, 0.35, 0.1, 0.1, 0.1};

enum vt_status vt_sweep_text_count(const struct vt_sweep_request *request, const struct vt_sweep_text *text,
                                   size_t part, struct vt_meetings *meetings, struct vt_error *error) {
  const struct vt_meetings_options options = {.window = request->train.window,
                                              .keep = text->keep,
                                              .spans = text->shares.others[part],
                                              .span_count = text->shares.other_counts[part],
                                              .threads = request->threads};
  return vt_meetings_count(text->corpus, &options, meetings, error);
}

/* ---- pairs ------------------------------------------------------------------------------------------------------- */

/* log(p / q) as src/analysis/factorisation.c has it, up to the terms of P_n(c)^2. A half is added to a count, which
 * takes the bias of the logarithm of a Poisson count but for terms of 1 / mean^2 (Haldane 1956, Anscombe 1956). */
struct scoring {
  const struct vt_meetings *meetings;
  const double *noise; /* K P_n */
  bool spectral;
};

static double target(const struct scoring *scoring, uint32_t w, uint32_t c) {
  const struct vt_meetings *meetings = scoring->meetings;
  const double met = vt_meetings_of(meetings, w, c);
  if (!scoring->spectral) return log((met + 0.5) / (scoring->noise[c] * (meetings->sums[w] - met)));
  double chance = meetings->sums[w] / meetings->total * meetings->sums[c];
  return 2 * (met - chance) / (met + chance);
}

/* Pairs are taken by a part of their own: were they taken by the counts they are measured on, those whose counts happen
 * to be high would be preferred. */
static bool takes(const struct vt_sweep_request *request, const struct vt_meetings *by, uint32_t w, size_t place) {
  return by->others[place] != w && by->counts[place] >= request->least;
}

static size_t count_pairs(const struct vt_sweep_request *request, const struct vt_meetings *by) {
  size_t all = 0;
  for (uint32_t w = 0; w < by->words; w++)
    for (size_t k = by->start[w]; k < by->start[w + 1]; k++) all += takes(request, by, w, k);
  return all;
}

/* Every pair with the same probability, by a hash of its words. */
static enum vt_status choose_pairs(const struct vt_sweep_request *request, const struct vt_meetings *by,
                                   const struct vt_meetings measured[2], const double *noise,
                                   struct vt_sweep_targets *targets, struct vt_error *error) {
  const size_t all = count_pairs(request, by);
  if (all < PAIRS_LEAST)
    return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "use more text, or fewer words (--max-vocab, --min-count)",
                        "only %zu pairs of words meet %g times in the tenth of the text that they are chosen by", all,
                        request->least);
  const double share = (double)request->pairs / (double)all;
  size_t capacity = all < request->pairs ? all : request->pairs + request->pairs / 4 + 100;
  targets->w = vt_alloc(capacity, sizeof *targets->w);
  targets->c = vt_alloc(capacity, sizeof *targets->c);
  targets->y[0] = vt_alloc(capacity, sizeof(double));
  targets->y[1] = vt_alloc(capacity, sizeof(double));
  if (targets->w == NULL || targets->c == NULL || targets->y[0] == NULL || targets->y[1] == NULL)
    return VT_FAIL_MEMORY(error, capacity * sizeof(double));
  for (uint32_t w = 0; w < by->words; w++)
    for (size_t k = by->start[w]; k < by->start[w + 1]; k++) {
      const uint32_t c = by->others[k];
      if (!takes(request, by, w, k) || targets->count == capacity) continue;
      struct vt_rng rng = vt_rng_make(VT_RNG_ANALYSIS, request->train.seed, w, c);
      if ((double)vt_rng_unit(&rng) >= share) continue;
      double y[2];
      for (int t = 0; t < 2; t++) y[t] = target(&(struct scoring){&measured[t], noise, request->spectral}, w, c);
      if (!isfinite(y[0]) || !isfinite(y[1])) continue; /* a word that meets nothing there, or one other word alone */
      targets->w[targets->count] = w;
      targets->c[targets->count] = c;
      targets->y[0][targets->count] = y[0];
      targets->y[1][targets->count++] = y[1];
    }
  return VT_OK;
}

static enum vt_status find_targets(const struct vt_sweep_request *request, struct vt_sweep_text *text,
                                   struct vt_error *error) {
  const size_t words = vt_vocab_size(text->vocab);
  struct vt_meetings measured[3] = {{0}}; /* C, D, E */
  double *noise = vt_alloc(words, sizeof *noise), sum = 0;
  enum vt_status status = noise == NULL ? VT_FAIL_MEMORY(error, words * sizeof *noise) : VT_OK;
  for (uint32_t w = 0; status == VT_OK && w < words; w++)
    sum += noise[w] = pow((double)vt_vocab_count(text->vocab, w), request->train.noise_exponent);
  for (uint32_t w = 0; status == VT_OK && w < words; w++) noise[w] *= request->train.negative / sum;
  for (size_t t = 0; t < 3 && status == VT_OK; t++)
    status = vt_sweep_text_count(request, text, VT_SWEEP_C + t, &measured[t], error);
  if (status == VT_OK) status = choose_pairs(request, &measured[2], measured, noise, &text->targets, error);
  for (size_t t = 0; t < 3; t++) vt_meetings_release(&measured[t]);
  vt_free(noise);
  return status;
}

enum vt_status vt_sweep_text_open(const struct vt_sweep_request *request, struct vt_sweep_text *text,
                                  struct vt_error *error) {
  struct vt_corpus_options options = request->corpus;
  if (options.interrupt == NULL) options.interrupt = request->interrupt;
  VT_TRY(vt_corpus_encode_unnamed(request->inputs, request->input_count, &options, &text->vocab, &text->corpus, NULL,
                                  error));
  VT_TRY(vt_shares_draw(text->corpus, request->train.seed, parts, VT_SWEEP_PARTS, &text->shares, error));
  const size_t words = vt_vocab_size(text->vocab);
  if (request->train.sample > 0) {
    text->keep = vt_alloc(words, sizeof *text->keep);
    if (text->keep == NULL) return VT_FAIL_MEMORY(error, words * sizeof *text->keep);
    vt_subsample_keep(text->vocab, request->train.sample, text->keep);
  }
  return find_targets(request, text, error);
}

void vt_sweep_text_release(struct vt_sweep_text *text) {
  vt_shares_release(&text->shares);
  vt_corpus_free(text->corpus);
  vt_vocab_free(text->vocab);
  vt_free(text->keep);
  vt_free(text->targets.w);
  vt_free(text->targets.c);
  vt_free(text->targets.y[0]);
  vt_free(text->targets.y[1]);
  *text = (struct vt_sweep_text){0};
}

static enum vt_status write_sentences(const struct vt_sweep_text *text, size_t part, struct vt_output *output,
                                      struct vt_error *error) {
  const uint32_t *ids = vt_corpus_ids(text->corpus);
  const uint64_t entries = vt_corpus_entries(text->corpus);
  const struct vt_span *others = text->shares.others[part];
  size_t span = 0;
  for (uint64_t place = 0; place < entries; place++) {
    while (span < text->shares.other_counts[part] && others[span].end < place) span++;
    if (span < text->shares.other_counts[part] && others[span].begin <= place) continue; /* its end mark too */
    if (ids[place] == VT_CORPUS_END) {
      VT_TRY(vt_output_write(output, "\n", 1, error));
      continue;
    }
    const char *word = vt_vocab_text(text->vocab, ids[place]);
    VT_TRY(vt_output_write(output, word, strlen(word), error));
    VT_TRY(vt_output_write(output, " ", 1, error));
  }
  return VT_OK;
}

enum vt_status vt_sweep_text_write(const struct vt_sweep_text *text, size_t part, const char *path,
                                   struct vt_error *error) {
  struct vt_output *output;
  VT_TRY(vt_output_open(path, &output, error));
  enum vt_status status = write_sentences(text, part, output, error);
  if (status == VT_OK) return vt_output_commit_unsynced(output, error);
  vt_output_abort(output);
  return status;
}

/* ---- the decomposition ------------------------------------------------------------------------------------------- */

/* Of scores, so that they are read as slope f + offset. */
struct calibration {
  double slope, offset;
};

/* Least squares over all y and all f of both halves. */
static struct calibration calibrate(const struct vt_sweep_targets *targets, double *const *const f[2],
                                    const uint32_t seeds[2]) {
  double x = 0, y = 0, xx = 0, xy = 0, n = 0;
  for (size_t k = 0; k < targets->count; k++) {
    const double own = (targets->y[0][k] + targets->y[1][k]) / 2;
    for (int h = 0; h < 2; h++)
      for (uint32_t s = 0; s < seeds[h]; s++) {
        const double at = f[h][s][k];
        n++, x += at, y += own, xx += at * at, xy += at * own;
      }
  }
  const double spread = n * xx - x * x;
  struct calibration fit = {.slope = spread > 0 ? (n * xy - x * y) / spread : 0};
  fit.offset = n > 0 ? (y - fit.slope * x) / n : 0;
  return fit;
}

struct pair_sums {
  double error, bias, variance, noise, seed_variance;
};

static struct pair_sums of_pair(const struct vt_sweep_targets *targets, double *const *const f[2],
                                const uint32_t seeds[2], struct calibration fit, size_t pair) {
  const double c = targets->y[0][pair], d = targets->y[1][pair];
  double mean[2] = {0}, square[2] = {0}, within = 0;
  int halves = 0, repeated = 0;
  for (int h = 0; h < 2; h++) {
    for (uint32_t s = 0; s < seeds[h]; s++) {
      const double own = fit.slope * f[h][s][pair] + fit.offset;
      mean[h] += own / seeds[h];
      square[h] += own * own / seeds[h];
    }
    halves += seeds[h] > 0;
    if (seeds[h] < 2) continue;
    within += (square[h] - mean[h] * mean[h]) * seeds[h] / (seeds[h] - 1.0);
    repeated++;
  }
  /* (y - f)^2 over both y and all f of a half: y^2 - 2 y f + f^2. */
  double error = 0;
  for (int h = 0; h < 2; h++)
    if (seeds[h] > 0) error += ((c * c + d * d) / 2 - (c + d) * mean[h] + square[h]) / halves;
  struct pair_sums sums = {.error = error, .noise = (c - d) * (c - d) / 2};
  sums.seed_variance = repeated > 0 ? within / repeated : (double)NAN;
  sums.variance = (square[0] + square[1]) / 2 - mean[0] * mean[1];
  sums.bias = c * d + mean[0] * mean[1] - (c + d) * (mean[0] + mean[1]) / 2;
  return sums;
}

void vt_sweep_measure(const struct vt_sweep_targets *targets, double *const *const f[2], const uint32_t seeds[2],
                      bool calibrated, struct vt_sweep_point *point) {
  const struct calibration fit = calibrated ? calibrate(targets, f, seeds) : (struct calibration){.slope = 1};
  size_t sizes[VT_SWEEP_GROUPS] = {0};
  struct pair_sums all = {0};
  memset(point->groups, 0, sizeof point->groups);
  for (size_t k = 0; k < targets->count; k++) {
    struct pair_sums sums = of_pair(targets, f, seeds, fit, k);
    /* By one of the words: pairs that share it are not independent. */
    size_t group = targets->w[k] % VT_SWEEP_GROUPS;
    point->groups[group] += sums.error;
    sizes[group]++;
    all.error += sums.error;
    all.bias += sums.bias;
    all.variance += sums.variance;
    all.noise += sums.noise;
    all.seed_variance += sums.seed_variance;
  }
  const double count = (double)targets->count;
  for (int g = 0; g < VT_SWEEP_GROUPS; g++)
    point->groups[g] = sizes[g] > 0 ? point->groups[g] / (double)sizes[g] : (double)NAN;
  const bool both = seeds[0] > 0 && seeds[1] > 0;
  point->slope = fit.slope;
  point->error = all.error / count;
  point->bias = both ? all.bias / count : (double)NAN;
  point->variance = both ? all.variance / count : (double)NAN;
  point->noise = all.noise / count;
  point->seed_variance = all.seed_variance / count;
}
