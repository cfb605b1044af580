/*
 * svd.c: vectors by the singular values of a matrix of association, recorded as a run.
 *
 * The noise is seen in two halves of the text, sentences drawn at random: each has half of what there is, so the
 * difference of their matrices has twice the deviation of the noise in that of the whole.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/association.h"
#include "analysis/shares.h"
#include "base/blas.h"
#include "base/memory.h"
#include "base/processors.h"
#include "run/run_recorder.h"
#include "text/subsample.h"
#include "vectrail/dimension.h"

#define FIRST 32  /* singular values that are looked at first for a choice */
#define GROUPS 16 /* of words, for the error of the noise's estimate */

struct svd {
  struct vt_svd_request *request;
  struct vt_svd_result *result;
  struct vt_vocab *vocab;
  struct vt_corpus *corpus;
  struct vt_cooccur *counts; /* in place of a corpus */
  struct vt_pool *pool;
  double *keep; /* NULL: no subsampling */
  double *values, *vectors;
  size_t count; /* of them */
  struct vt_meetings meetings[2];
  struct vt_association halves[2]; /* kept to be compared; else all zero */
};

void vt_svd_request_init(struct vt_svd_request *request) {
  *request = (struct vt_svd_request){.matrix = VT_ASSOCIATION_PPMI,
                                     .shift = 1,
                                     .dim = 100,
                                     .window = 5,
                                     .alpha = 0.5,
                                     .rank = 200,
                                     .seed = 1,
                                     .threads = vt_processors()};
  vt_corpus_options_init(&request->corpus);
}

static enum vt_status check(const struct vt_svd_request *request, struct vt_error *error) {
  if (request->input_count == 0 && request->counts == NULL)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "no corpus was given");
  if (request->input_count > 0 && request->counts != NULL)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "leave one of them out",
                        "vectors are made of a text or of counts, not of both");
  if (request->counts != NULL && (request->choose || request->dim == 0))
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "name the text in place of its counts, or give --dim alone",
                        "the noise is seen in two halves of a text, which its counts no longer have");
  if (request->dim > 4096)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "dim is %" PRIu32 "; it must lie between 1 and 4096", request->dim);
  if (request->shift < 1 || request->shift > 1000)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "shift is %" PRIu32 "; it must lie between 1 and 1000", request->shift);
  if (!(request->alpha > 0 && request->alpha <= 1))
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "power is %g; it must lie above 0, up to 1", request->alpha);
  if (!(request->sample >= 0 && request->sample <= 1))
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "sample is %g; it must lie between 0 and 1", request->sample);
  if (request->threads < 1)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "threads is %d; it is at least 1", request->threads);
  return VT_OK;
}

static enum vt_status count(const struct svd *svd, const struct vt_shares *shares, size_t share,
                            struct vt_meetings *meetings, struct vt_error *error) {
  if (svd->counts != NULL) return vt_meetings_take(svd->counts, meetings, error);
  struct vt_meetings_options options = {
      .window = svd->request->window, .keep = svd->keep, .threads = svd->request->threads};
  if (shares != NULL) {
    options.spans = shares->others[share];
    options.span_count = shares->other_counts[share];
  }
  return vt_meetings_count(svd->corpus, &options, meetings, error);
}

/* ---- the noise --------------------------------------------------------------------------------------------------- */

/* Sum over a row of (A_ij - B_ij)^2. */
static double row_difference(const struct vt_association *a, const struct vt_association *b, uint32_t w) {
  size_t i = a->meetings->start[w], j = b->meetings->start[w];
  const size_t i_end = a->meetings->start[w + 1], j_end = b->meetings->start[w + 1];
  double sum = 0;
  while (i < i_end || j < j_end) {
    uint32_t left = i < i_end ? a->meetings->others[i] : UINT32_MAX,
             right = j < j_end ? b->meetings->others[j] : UINT32_MAX;
    uint32_t at = left < right ? left : right;
    double x = at == left ? vt_association_at(a, i++) : a->elsewhere;
    double y = at == right ? vt_association_at(b, j++) : b->elsewhere;
    sum += (x - y) * (x - y);
  }
  return sum;
}

/* Half the deviation, and how far it differs among groups of words. The mean difference, which is next to nothing, is
 * left in. */
static void estimate(const struct vt_association halves[2], struct vt_svd_result *result) {
  const uint32_t words = halves[0].meetings->words;
  double sums[GROUPS] = {0}, whole = 0, spread = 0;
  size_t sizes[GROUPS] = {0};
  for (uint32_t w = 0; w < words; w++) {
    double sum = row_difference(&halves[0], &halves[1], w);
    sums[w % GROUPS] += sum;
    sizes[w % GROUPS]++;
    whole += sum;
  }
  result->sigma = sqrt(whole / ((double)words * (double)words)) / 2;
  for (int g = 0; g < GROUPS; g++) {
    double own = sizes[g] == 0 ? result->sigma : sqrt(sums[g] / ((double)sizes[g] * (double)words)) / 2;
    spread += (own - result->sigma) * (own - result->sigma) / (GROUPS * (GROUPS - 1.0));
  }
  result->sigma_error = result->sigma > 0 ? sqrt(spread) / result->sigma : (double)NAN;
}

static void release_halves(struct svd *svd) {
  for (size_t h = 0; h < 2; h++) {
    vt_association_release(&svd->halves[h]);
    vt_meetings_release(&svd->meetings[h]);
  }
}

static enum vt_status measure_noise(struct svd *svd, struct vt_error *error) {
  const struct vt_svd_request *request = svd->request;
  static const double halves_shares[] = {0.5, 0.5};
  struct vt_shares shares;
  VT_TRY(vt_shares_draw(svd->corpus, request->seed, halves_shares, 2, &shares, error));
  enum vt_status status = VT_OK;
  for (size_t h = 0; h < 2 && status == VT_OK; h++) {
    status = count(svd, &shares, h, &svd->meetings[h], error);
    if (status == VT_OK)
      status = vt_association_create(&svd->meetings[h], request->matrix, log((double)request->shift), &svd->halves[h],
                                     error);
  }
  if (status == VT_OK) estimate(svd->halves, svd->result);
  if (!request->halves) release_halves(svd);
  vt_shares_release(&shares);
  return status;
}

static enum vt_status choose(struct svd *svd, struct vt_error *error) {
  struct vt_svd_result *result = svd->result;
  result->signal = vt_alloc(result->spectrum_count, sizeof *result->signal);
  if (result->signal == NULL) return VT_FAIL_MEMORY(error, result->spectrum_count * sizeof *result->signal);
  for (size_t k = 0; k < result->spectrum_count && result->spectrum[k] > result->edge; k++)
    result->signal[result->signals++] = result->spectrum[k] - result->edge;
  result->cut = result->signals == result->spectrum_count && result->signals < result->words;
  const struct vt_pip_model model = {result->signal, result->signals, result->words, result->sigma,
                                     svd->request->alpha};
  result->choice = vt_pip_choose(&model);
  result->chosen = result->choice.best > 0;
  if (result->chosen) result->bound = vt_pip_bound(&model, result->choice.best);
  return VT_OK;
}

/* ---- the vectors ------------------------------------------------------------------------------------------------- */

/* The `count` largest. */
static enum vt_status find(struct svd *svd, const struct vt_association *association, size_t count,
                           struct vt_error *error) {
  struct vt_svd_result *result = svd->result;
  const bool by_size = svd->request->matrix != VT_ASSOCIATION_QUADRATIC; /* its model has no negative directions */
  vt_free(svd->values);
  vt_free(svd->vectors);
  vt_free(result->spectrum);
  svd->count = count < result->words ? count : result->words;
  svd->values = vt_alloc(svd->count, sizeof(double));
  svd->vectors = vt_alloc(svd->count * result->words, sizeof(double));
  result->spectrum = vt_alloc(svd->count, sizeof(double));
  if (svd->values == NULL || svd->vectors == NULL || result->spectrum == NULL)
    return VT_FAIL_MEMORY(error, svd->count * result->words * sizeof(double));
  VT_TRY(vt_association_top(association, svd->pool, svd->count, by_size, svd->values, svd->vectors, error));
  result->spectrum_count = svd->count;
  for (size_t k = 0; k < svd->count; k++)
    result->spectrum[k] = by_size ? fabs(svd->values[k]) : (svd->values[k] > 0 ? svd->values[k] : 0);
  return VT_OK;
}

/* The size of a direction in the vectors. */
static double weight(const struct svd *svd, double value, double power) {
  if (svd->request->matrix == VT_ASSOCIATION_QUADRATIC && value < 0) return 0;
  return pow(fabs(value), power * svd->request->alpha);
}

/* |A A' - B B'|^2 = |A'A|^2 + |B'B|^2 - 2 |A'B|^2, A and B the vectors of the halves in 1, 2, ... dimensions. */
static enum vt_status compare_halves(struct svd *svd, struct vt_error *error) {
  struct vt_svd_result *result = svd->result;
  const size_t words = result->words, count = result->spectrum_count;
  const bool by_size = svd->request->matrix != VT_ASSOCIATION_QUADRATIC;
  double *values[2] = {NULL, NULL}, *vectors[2] = {NULL, NULL}, *along = vt_alloc(count * count, sizeof *along);
  result->halves = vt_alloc(count, sizeof *result->halves);
  enum vt_status status =
      along == NULL || result->halves == NULL ? VT_FAIL_MEMORY(error, count * count * sizeof *along) : VT_OK;
  for (size_t h = 0; h < 2 && status == VT_OK; h++) {
    values[h] = vt_alloc(count, sizeof(double));
    vectors[h] = vt_alloc(count * words, sizeof(double));
    if (values[h] == NULL || vectors[h] == NULL)
      status = VT_FAIL_MEMORY(error, count * words * sizeof(double));
    else
      status = vt_association_top(&svd->halves[h], svd->pool, count, by_size, values[h], vectors[h], error);
  }
  if (status == VT_OK)
    vt_blas.cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, (int)count, (int)words, 1, vectors[0],
                        (int)words, vectors[1], (int)words, 0, along, (int)count);
  double squares = 0;
  for (size_t k = 0; status == VT_OK && k < count; k++) {
    squares += weight(svd, values[0][k], 4) + weight(svd, values[1][k], 4);
    for (size_t i = 0; i <= k; i++) { /* what the new row and the new column of A'B add */
      const double row = along[k * count + i], column = along[i * count + k];
      squares -= 2 * weight(svd, values[0][k], 2) * weight(svd, values[1][i], 2) * row * row;
      if (i < k) squares -= 2 * weight(svd, values[0][i], 2) * weight(svd, values[1][k], 2) * column * column;
    }
    result->halves[k] = squares > 0 ? sqrt(squares) : 0;
  }
  for (size_t h = 0; h < 2; h++) {
    vt_free(values[h]);
    vt_free(vectors[h]);
  }
  vt_free(along);
  return status;
}

/* As many as the vectors need; for the choice twice as many, until one is found that noise alone could make: those
 * within the noise lie close together and take long to be told apart. */
static enum vt_status decompose(struct svd *svd, struct vt_error *error) {
  const struct vt_svd_request *request = svd->request;
  struct vt_svd_result *result = svd->result;
  struct vt_meetings meetings;
  struct vt_association association = {0};
  VT_TRY(count(svd, NULL, 0, &meetings, error));
  result->pairs = meetings.start[meetings.words];
  enum vt_status status =
      vt_association_create(&meetings, request->matrix, log((double)request->shift), &association, error);
  size_t wanted = request->choose && request->dim < FIRST ? FIRST : request->dim;
  if (request->choose && wanted > request->rank && request->rank >= request->dim) wanted = request->rank;
  while (status == VT_OK) {
    status = find(svd, &association, wanted, error);
    if (status != VT_OK || !request->choose || wanted >= request->rank || svd->count == result->words) break;
    if (result->spectrum[svd->count - 1] <= result->edge) break;
    wanted = 2 * wanted < request->rank ? 2 * wanted : request->rank;
  }
  vt_association_release(&association);
  vt_meetings_release(&meetings);
  return status;
}

static enum vt_status record_settings(const struct vt_svd_request *request, const struct vt_cooccur *counts,
                                      struct vt_run_recorder *recorder, struct vt_error *error) {
  static const char *const names[] = {"quadratic", "pmi", "ppmi"};
  char text[64];
  VT_TRY(vt_run_recorder_meta(recorder, "model", "svd", error));
  VT_TRY(vt_run_recorder_meta(recorder, "matrix", names[request->matrix], error));
  snprintf(text, sizeof text, "%" PRIu32, request->shift);
  VT_TRY(vt_run_recorder_meta(recorder, "shift", text, error));
  snprintf(text, sizeof text, "%" PRIu32, request->window);
  VT_TRY(vt_run_recorder_meta(recorder, "window", text, error));
  const char *weight =
      vt_cooccur_weight_name(counts == NULL ? VT_COOCCUR_LINEAR : vt_cooccur_counted_by(counts).weight);
  VT_TRY(vt_run_recorder_meta(recorder, "weight", weight, error));
  snprintf(text, sizeof text, "%g", request->sample);
  VT_TRY(vt_run_recorder_meta(recorder, "sample", text, error));
  snprintf(text, sizeof text, "%g", request->alpha);
  return vt_run_recorder_meta(recorder, "power", text, error);
}

static enum vt_status record(const struct svd *svd, struct vt_error *error) {
  const size_t words = svd->result->words, dim = svd->result->dim;
  float *input = vt_alloc(words * dim, sizeof *input), *output = vt_alloc(words * dim, sizeof *output);
  struct vt_run_recorder *recorder = NULL;
  enum vt_status status = VT_OK;
  if (input == NULL || output == NULL) status = VT_FAIL_MEMORY(error, 2 * words * dim * sizeof *input);
  for (size_t k = 0; status == VT_OK && k < dim; k++) {
    double size = pow(svd->result->spectrum[k], svd->request->alpha), sign = svd->values[k] < 0 ? -1 : 1;
    for (size_t w = 0; w < words; w++) {
      input[w * dim + k] = (float)(size * svd->vectors[k * words + w]);
      output[w * dim + k] = (float)(sign * size * svd->vectors[k * words + w]);
    }
  }
  if (status == VT_OK)
    status = vt_run_recorder_stage(svd->request->run_path, svd->vocab, dim, svd->request->force, VT_ORIGIN_RECORDER,
                                   &recorder, error);
  if (status == VT_OK) status = record_settings(svd->request, svd->counts, recorder, error);
  if (status == VT_OK)
    status = vt_run_recorder_step(
        recorder, &(struct vt_run_step){.step = 0, .epoch = 1, .tokens = vt_vocab_tokens(svd->vocab)}, error);
  if (status == VT_OK) status = vt_run_recorder_vectors(recorder, 0, false, input, output, error);
  if (status == VT_OK) status = vt_run_recorder_close_or_undo(&recorder, error);
  vt_run_recorder_free(recorder);
  vt_free(input);
  vt_free(output);
  return status;
}

static enum vt_status read_counts(struct svd *svd, struct vt_error *error) {
  struct vt_svd_request *request = svd->request;
  VT_TRY(vt_cooccur_load(request->counts, NULL, &svd->counts, &svd->vocab, error));
  const struct vt_cooccur_options by = vt_cooccur_counted_by(svd->counts);
  if (by.sides != VT_COOCCUR_BOTH)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "count them without --one-sided",
                        "the counts are of one side, and make no symmetric matrix");
  request->window = by.window;
  request->sample = by.sample;
  return VT_OK;
}

static enum vt_status read_text(struct svd *svd, struct vt_error *error) {
  const struct vt_svd_request *request = svd->request;
  struct vt_corpus_options options = request->corpus;
  if (options.interrupt == NULL) options.interrupt = request->interrupt;
  VT_TRY(vt_corpus_encode_unnamed(request->inputs, request->input_count, &options, &svd->vocab, &svd->corpus, NULL,
                                  error));
  if (request->sample == 0) return VT_OK;
  svd->keep = vt_alloc(vt_vocab_size(svd->vocab), sizeof *svd->keep);
  if (svd->keep == NULL) return VT_FAIL_MEMORY(error, vt_vocab_size(svd->vocab) * sizeof *svd->keep);
  vt_subsample_keep(svd->vocab, request->sample, svd->keep);
  return VT_OK;
}

static enum vt_status run(struct svd *svd, struct vt_error *error) {
  const struct vt_svd_request *request = svd->request;
  struct vt_svd_result *result = svd->result;
  VT_TRY((request->counts != NULL ? read_counts : read_text)(svd, error));
  result->words = vt_vocab_size(svd->vocab);
  VT_TRY(vt_pool_create(request->threads, &svd->pool, error));
  if (request->choose) {
    VT_TRY(measure_noise(svd, error));
    result->edge = 2 * result->sigma * sqrt((double)result->words);
  }
  VT_TRY(decompose(svd, error));
  if (request->choose) VT_TRY(choose(svd, error));
  if (request->choose && request->halves) VT_TRY(compare_halves(svd, error));
  result->dim = request->dim > 0 ? request->dim : (uint32_t)result->choice.best;
  if (result->dim > svd->count) result->dim = (uint32_t)svd->count;
  if (request->run_path == NULL) return VT_OK;
  if (result->dim == 0)
    return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "use more text, fewer words (--max-vocab), or name a dimension (--dim)",
                        "no direction stands out of the noise, whose edge is %.4g; the largest singular value is %.4g",
                        result->edge, result->spectrum[0]);
  return record(svd, error);
}

enum vt_status vt_svd(const struct vt_svd_request *request, struct vt_svd_result *result, struct vt_error *error) {
  *result = (struct vt_svd_result){0};
  VT_TRY(check(request, error));
  struct vt_svd_request own = *request;
  if (own.dim == 0) own.choose = true;
  struct svd svd = {.request = &own, .result = result};
  enum vt_status status = run(&svd, error);
  release_halves(&svd);
  vt_pool_free(svd.pool);
  vt_corpus_free(svd.corpus);
  vt_cooccur_free(svd.counts);
  vt_vocab_free(svd.vocab);
  vt_free(svd.keep);
  vt_free(svd.values);
  vt_free(svd.vectors);
  if (status != VT_OK) vt_svd_result_release(result);
  return status;
}

void vt_svd_result_release(struct vt_svd_result *result) {
  vt_free(result->spectrum);
  vt_free(result->signal);
  vt_free(result->halves);
  *result = (struct vt_svd_result){0};
}
