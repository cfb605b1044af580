/*
 * sweep.c: the grid. Dimensions go up; each is tried once on part A, and only those that are not hopeless again, on B
 * and with other seeds. The error falls and rises again over the dimension, so after two in a row that are hopeless the
 * larger ones, which take the most time, are not tried at all.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/association.h"
#include "analysis/sweep_internal.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "run/run_internal.h"

#define SEEDS_MAX 16
#define HOPELESS_IN_A_ROW 2
#define HELD_OUT 0.01 /* of the sentences of a part */

struct sweep {
  const struct vt_sweep_request *request;
  struct vt_sweep *result;
  struct vt_sweep_text text;
  char *texts[2]; /* of A and B, in the folder */
  double *f[2][SEEDS_MAX];
  /* Spectral: all eigenvalues that are asked for, of A and of B. */
  double *values[2], *vectors[2];
  size_t count;
};

void vt_sweep_request_init(struct vt_sweep_request *request) {
  static const uint32_t dims[] = {10, 25, 50, 100, 200, 400};
  *request = (struct vt_sweep_request){
      .seeds = 2, .pairs = 20000, .least = 3, .patience = 0.1, .threads = vt_pool_processors()};
  vt_corpus_options_init(&request->corpus);
  vt_train_options_init(&request->train);
  request->dim_count = sizeof dims / sizeof *dims;
  memcpy(request->dims, dims, sizeof dims);
}

/* ---- one training ------------------------------------------------------------------------------------------------ */

/* The last loss on what was held out. */
static enum vt_status read_held_out(struct vt_run *run, double *loss, struct vt_error *error) {
  struct vt_run_point *points;
  size_t count;
  VT_TRY(vt_run_metric(run, "held_out_loss", &points, &count, error));
  *loss = count > 0 ? points[count - 1].value : (double)NAN;
  vt_run_points_free(points);
  return VT_OK;
}

static enum vt_status read_scores(struct sweep *sweep, const char *path, double *f, struct vt_sweep_point *point,
                                  struct vt_error *error) {
  const struct vt_sweep_targets *targets = &sweep->text.targets;
  struct vt_run *run;
  struct vt_vectors *vectors = NULL;
  VT_TRY(vt_run_open(path, &run, error));
  enum vt_status status = vt_run_vectors(run, VT_STEP_LAST, &vectors, error);
  if (status == VT_OK) status = read_held_out(run, &point->held_out, error);
  const size_t dim = status == VT_OK ? vectors->dim : 0, rows = status == VT_OK ? vectors->rows : 0;
  float *output = vt_alloc(rows * dim, sizeof *output);
  if (status == VT_OK && output == NULL) status = VT_FAIL_MEMORY(error, rows * dim * sizeof *output);
  if (status == VT_OK) status = vt_run_output(run, vt_run_snapshot_count(run) - 1, dim, output, error);
  for (size_t k = 0; status == VT_OK && k < targets->count; k++) {
    f[k] = 0;
    for (size_t d = 0; d < dim; d++)
      f[k] += (double)vectors->data[targets->w[k] * dim + d] * (double)output[targets->c[k] * dim + d];
  }
  point->norm = 0;
  for (size_t w = 0; status == VT_OK && w < rows; w++) {
    double squares = 0;
    for (size_t d = 0; d < dim; d++) squares += (double)vectors->data[w * dim + d] * (double)vectors->data[w * dim + d];
    point->norm += sqrt(squares) / (double)rows;
  }
  vt_free(output);
  vt_vectors_free(vectors);
  vt_run_close(run);
  return status;
}

static enum vt_status train(struct sweep *sweep, struct vt_sweep_point *point, int half, uint32_t seed,
                            const char *name, double *f, struct vt_error *error) {
  const struct vt_sweep_request *request = sweep->request;
  const char *const inputs[] = {sweep->texts[half]};
  struct vt_train_request training = {
      .inputs = inputs, .input_count = 1, .force = request->force, .interrupt = request->interrupt};
  char *path = vt_path_join(request->folder, name);
  if (path == NULL) return VT_FAIL_MEMORY(error, strlen(name));
  if (request->told != NULL) request->told(request->context, name);
  training.run_path = path;
  vt_corpus_options_init(&training.corpus);
  training.corpus.tokens = VT_TOKENS_SPACE;
  training.corpus.vocab = sweep->text.vocab; /* the same words in all */
  training.corpus.threads = request->threads;
  training.train = request->train;
  training.train.dim = point->dim;
  training.train.l2 = point->l2;
  training.train.lr = point->lr;
  training.train.seed = request->train.seed + seed;
  training.train.held_out = HELD_OUT;
  training.train.threads = request->threads;
  vt_record_options_init(&training.record);
  training.record.snapshots = 2;
  training.record.output = true;
  training.record.metrics = 50;
  training.record.probes = 10;
  enum vt_status status = vt_train(&training, NULL, error);
  if (status == VT_OK) status = read_scores(sweep, path, f, point, error);
  vt_free(path);
  return status;
}

/* f_wc = sum over the d largest of lambda u_w u_c. */
static void spectral_scores(const struct sweep *sweep, uint32_t dim, int half, double *f) {
  const struct vt_sweep_targets *targets = &sweep->text.targets;
  const size_t words = vt_vocab_size(sweep->text.vocab);
  for (size_t k = 0; k < targets->count; k++) {
    f[k] = 0;
    for (size_t m = 0; m < dim && m < sweep->count && sweep->values[half][m] > 0; m++) {
      const double *u = sweep->vectors[half] + m * words;
      f[k] += sweep->values[half][m] * u[targets->w[k]] * u[targets->c[k]];
    }
  }
}

/* One run of a point, into f[half][seed]; one that diverges is marked, and is no error of the sweep. */
static enum vt_status run_once(struct sweep *sweep, struct vt_sweep_point *point, const char *prefix, int half,
                               uint32_t seed, struct vt_error *error) {
  double began = vt_clock_seconds();
  enum vt_status status = VT_OK;
  if (sweep->request->spectral) {
    spectral_scores(sweep, point->dim, half, sweep->f[half][seed]);
  } else {
    char name[96];
    snprintf(name, sizeof name, "%s-%c-seed%" PRIu32, prefix, half == 0 ? 'a' : 'b', seed + 1);
    status = train(sweep, point, half, seed, name, sweep->f[half][seed], error);
  }
  point->seconds += vt_clock_seconds() - began;
  if (status == VT_ERROR_DIVERGED) point->diverged = true;
  if (status == VT_OK) point->runs++;
  return status == VT_ERROR_DIVERGED ? VT_OK : status;
}

static void measure(struct sweep *sweep, struct vt_sweep_point *point, uint32_t seeds_a, uint32_t seeds_b) {
  const uint32_t seeds[2] = {seeds_a, seeds_b};
  double *const *const f[2] = {sweep->f[0], sweep->f[1]};
  vt_sweep_measure(&sweep->text.targets, f, seeds, point);
}

static struct vt_sweep_point empty_point(uint32_t dim, double l2, double lr) {
  return (struct vt_sweep_point){.dim = dim,
                                 .l2 = l2,
                                 .lr = lr,
                                 .error = NAN,
                                 .bias = NAN,
                                 .variance = NAN,
                                 .noise = NAN,
                                 .seed_variance = NAN,
                                 .first_error = NAN,
                                 .norm = NAN,
                                 .held_out = NAN};
}

/* ---- dimensions -------------------------------------------------------------------------------------------------- */

static enum vt_status try_dim(struct sweep *sweep, size_t index, double *least, bool *hopeless,
                              struct vt_error *error) {
  const struct vt_sweep_request *request = sweep->request;
  struct vt_sweep_point *point = &sweep->result->dims[index];
  const uint32_t seeds = request->spectral ? 1 : request->seeds;
  char prefix[48];
  snprintf(prefix, sizeof prefix, "d%" PRIu32, point->dim);
  VT_TRY(run_once(sweep, point, prefix, 0, 0, error));
  if (point->diverged) {
    *hopeless = true;
    return VT_OK;
  }
  measure(sweep, point, 1, 0);
  point->first_error = point->error;
  /* The noise is in all of them alike, and no dimension can take it away. */
  const double excess = point->error - point->noise;
  *hopeless = request->patience > 0 && excess > (1 + request->patience) * *least;
  if (excess < *least) *least = excess;
  if (*hopeless) return VT_OK;
  for (uint32_t seed = 0; seed < seeds; seed++) {
    if (seed > 0) VT_TRY(run_once(sweep, point, prefix, 0, seed, error));
    VT_TRY(run_once(sweep, point, prefix, 1, seed, error));
  }
  if (!point->diverged) measure(sweep, point, seeds, seeds);
  return VT_OK;
}

/* Groups of pairs in which a point is worse than another, on average, and the standard error of that. */
static void compare(const struct vt_sweep_point *a, const struct vt_sweep_point *b, double *mean, double *deviation) {
  double sum = 0, squares = 0;
  int known = 0;
  for (int g = 0; g < VT_SWEEP_GROUPS; g++) {
    double difference = a->groups[g] - b->groups[g];
    if (isnan(difference)) continue;
    sum += difference;
    squares += difference * difference;
    known++;
  }
  *mean = known > 0 ? sum / known : (double)NAN;
  *deviation = known > 1 ? sqrt((squares / known - *mean * *mean) / (known - 1)) : (double)NAN;
}

/* Those that were tried in full: a dimension that was stopped was worse. */
static void choose_dim(struct vt_sweep *result) {
  bool found = false;
  for (size_t k = 0; k < result->dim_count; k++) {
    const struct vt_sweep_point *point = &result->dims[k];
    if (isnan(point->bias) || (found && point->error >= result->dims[result->best].error)) continue;
    result->best = k;
    found = true;
  }
  const struct vt_sweep_point *best = &result->dims[result->best];
  result->dim_low = result->dim_high = best->dim;
  for (size_t k = 0; k < result->dim_count; k++) {
    double mean, deviation;
    if (isnan(result->dims[k].bias)) continue;
    compare(&result->dims[k], best, &mean, &deviation);
    if (!(mean <= 2 * deviation)) continue;
    if (result->dims[k].dim < result->dim_low) result->dim_low = result->dims[k].dim;
    if (result->dims[k].dim > result->dim_high) result->dim_high = result->dims[k].dim;
  }
}

/* What all seeds of all dimensions would have taken: time goes with the dimension, and a constant. */
static void account(struct sweep *sweep) {
  struct vt_sweep *result = sweep->result;
  const double runs = sweep->request->spectral ? 2 : 2.0 * sweep->request->seeds;
  double x = 0, y = 0, xx = 0, xy = 0, n = 0;
  for (size_t k = 0; k < result->dim_count; k++) {
    const struct vt_sweep_point *point = &result->dims[k];
    result->seconds += point->seconds;
    if (point->runs == 0) continue;
    double one = point->seconds / point->runs, dim = point->dim;
    n++, x += dim, y += one, xx += dim * dim, xy += dim * one;
  }
  double slope = n > 1 && xx * n > x * x ? (n * xy - x * y) / (n * xx - x * x) : 0,
         constant = n > 0 ? (y - slope * x) / n : 0;
  for (size_t k = 0; k < result->dim_count; k++) {
    const struct vt_sweep_point *point = &result->dims[k];
    double one = point->runs > 0 ? point->seconds / point->runs : constant + slope * point->dim;
    result->seconds_all += runs * one;
  }
}

static void explain(struct vt_sweep *result) {
  const struct vt_sweep_point *best = &result->dims[result->best];
  const struct vt_sweep_point *less = NULL, *more = NULL;
  for (size_t k = 0; k < result->dim_count; k++) {
    if (isnan(result->dims[k].bias)) continue;
    if (k < result->best) less = &result->dims[k];
    if (k > result->best && more == NULL) more = &result->dims[k];
  }
  const struct vt_sweep_point *const others[] = {less, more};
  int at = snprintf(result->why, sizeof result->why, "At %" PRIu32 " bias^2 is %.4f and variance %.4f, least together.",
                    best->dim, best->bias, best->variance);
  for (int o = 0; o < 2 && at > 0 && (size_t)at < sizeof result->why; o++)
    if (others[o] != NULL)
      at +=
          snprintf(result->why + at, sizeof result->why - (size_t)at, " At %" PRIu32 " bias^2 is %.4f, variance %.4f.",
                   others[o]->dim, others[o]->bias, others[o]->variance);
  if (result->best + 1 == result->dim_count && at > 0 && (size_t)at < sizeof result->why)
    at += snprintf(result->why + at, sizeof result->why - (size_t)at,
                   " It is the largest that was tried; try larger ones.");
  if (best->runs > 0 && at > 0 && (size_t)at < sizeof result->why)
    snprintf(result->why + at, sizeof result->why - (size_t)at, " A training of it took %.2g seconds.",
             best->seconds / best->runs);
}

static enum vt_status sweep_dims(struct sweep *sweep, struct vt_error *error) {
  const struct vt_sweep_request *request = sweep->request;
  double least = INFINITY;
  int in_a_row = 0;
  for (size_t k = 0; k < request->dim_count && in_a_row < HOPELESS_IN_A_ROW; k++) {
    bool hopeless = false;
    VT_TRY(try_dim(sweep, k, &least, &hopeless, error));
    in_a_row = hopeless ? in_a_row + 1 : 0;
  }
  choose_dim(sweep->result);
  if (isnan(sweep->result->dims[sweep->result->best].bias))
    return VT_FAIL_HELP(error, VT_ERROR_DIVERGED, "use a smaller learning rate (--lr)", "all trainings diverged");
  account(sweep);
  explain(sweep->result);
  return VT_OK;
}

/* ---- penalties and rates ----------------------------------------------------------------------------------------- */

/* What is to be said of each value: whether it does as well as the best, and if not, on which side of it it lies. */
static void judge(struct vt_sweep_point *points, size_t count, size_t best, bool penalty) {
  for (size_t k = 0; k < count; k++) {
    double mean, deviation;
    const bool above = penalty ? points[k].l2 > points[best].l2 : points[k].lr > points[best].lr;
    compare(&points[k], &points[best], &mean, &deviation);
    points[k].verdict = points[k].diverged      ? VT_SWEEP_DIVERGED
                        : mean <= 2 * deviation ? VT_SWEEP_GOOD
                        : above                 ? VT_SWEEP_TOO_HIGH
                                                : VT_SWEEP_TOO_LOW;
  }
}

static enum vt_status sweep_others(struct sweep *sweep, struct vt_sweep_point *points, size_t count, const char *what,
                                   size_t *best, struct vt_error *error) {
  for (size_t k = 0; k < count; k++) {
    char prefix[80];
    snprintf(prefix, sizeof prefix, "d%" PRIu32 "-%s%g", points[k].dim, what,
             what[1] == '2' ? points[k].l2 : points[k].lr);
    VT_TRY(run_once(sweep, &points[k], prefix, 0, 0, error));
    if (!points[k].diverged) measure(sweep, &points[k], 1, 0);
    points[k].first_error = points[k].error;
    if (isnan(points[*best].error) || points[k].error < points[*best].error) *best = k;
  }
  judge(points, count, *best, what[1] == '2');
  return VT_OK;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static enum vt_status check(const struct vt_sweep_request *request, struct vt_error *error) {
  if (request->dim_count < 1 || request->dim_count > VT_SWEEP_VALUES_MAX)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "there must be 1 to %d dimensions", VT_SWEEP_VALUES_MAX);
  for (size_t k = 0; k < request->dim_count; k++)
    if (request->dims[k] < 1 || request->dims[k] > 4096 || (k > 0 && request->dims[k] <= request->dims[k - 1]))
      return VT_FAIL(error, VT_ERROR_ARGUMENT, "dimensions must rise, and lie between 1 and 4096");
  if (request->seeds < 1 || request->seeds > SEEDS_MAX)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "seeds is %" PRIu32 "; it must lie between 1 and %d", request->seeds,
                   SEEDS_MAX);
  if (request->train.model != VT_MODEL_SKIPGRAM || request->train.loss != VT_LOSS_NEGATIVE_SAMPLING)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "a sweep is of skip-gram with negative sampling");
  struct vt_train_options one = request->train;
  VT_TRY(vt_train_options_check(&one, error));
  for (size_t k = 0; k < request->lr_count; k++) {
    one.lr = request->lrs[k];
    VT_TRY(vt_train_options_check(&one, error));
  }
  one.lr = request->lr_count > 0 ? request->lrs[0] : request->train.lr;
  for (size_t k = 0; k < request->l2_count; k++) {
    one.l2 = request->l2s[k];
    VT_TRY(vt_train_options_check(&one, error));
  }
  if (request->folder == NULL || mkdir(request->folder, 0777) == 0 || errno == EEXIST) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_IO, "make the folder above it first", "%s: cannot make the folder: %s",
                      request->folder, strerror(errno));
}

static enum vt_status decompose(struct sweep *sweep, struct vt_pool *pool, struct vt_error *error) {
  const size_t words = vt_vocab_size(sweep->text.vocab);
  uint32_t most = sweep->request->dims[sweep->request->dim_count - 1];
  sweep->count = most < words ? most : words;
  for (size_t h = 0; h < 2; h++) {
    struct vt_meetings meetings;
    struct vt_association association = {0};
    sweep->values[h] = vt_alloc(sweep->count, sizeof(double));
    sweep->vectors[h] = vt_alloc(sweep->count * words, sizeof(double));
    if (sweep->values[h] == NULL || sweep->vectors[h] == NULL)
      return VT_FAIL_MEMORY(error, sweep->count * words * sizeof(double));
    VT_TRY(vt_sweep_text_count(sweep->request, &sweep->text, VT_SWEEP_A + h, &meetings, error));
    enum vt_status status = vt_association_create(&meetings, VT_ASSOCIATION_QUADRATIC, 0, &association, error);
    if (status == VT_OK)
      status = vt_association_top(&association, pool, sweep->count, false, sweep->values[h], sweep->vectors[h], error);
    vt_association_release(&association);
    vt_meetings_release(&meetings);
    VT_TRY(status);
  }
  return VT_OK;
}

static enum vt_status prepare(struct sweep *sweep, struct vt_error *error) {
  const struct vt_sweep_request *request = sweep->request;
  struct vt_sweep *result = sweep->result;
  VT_TRY(vt_sweep_text_open(request, &sweep->text, error));
  result->pairs = sweep->text.targets.count;
  result->words = vt_vocab_size(sweep->text.vocab);
  result->tokens = vt_corpus_tokens(sweep->text.corpus);
  const double l2 = request->l2_count > 0 ? request->l2s[0] : request->train.l2;
  const double lr = request->lr_count > 0 ? request->lrs[0] : request->train.lr;
  result->dims = vt_alloc(request->dim_count, sizeof *result->dims);
  result->l2s = vt_alloc(request->l2_count, sizeof *result->l2s);
  result->lrs = vt_alloc(request->lr_count, sizeof *result->lrs);
  if (result->dims == NULL || result->l2s == NULL || result->lrs == NULL)
    return VT_FAIL_MEMORY(error, request->dim_count * sizeof *result->dims);
  result->dim_count = request->dim_count;
  for (size_t k = 0; k < request->dim_count; k++) result->dims[k] = empty_point(request->dims[k], l2, lr);
  for (size_t h = 0; h < 2; h++) {
    for (uint32_t s = 0; s < request->seeds; s++) {
      sweep->f[h][s] = vt_alloc(result->pairs, sizeof(double));
      if (sweep->f[h][s] == NULL) return VT_FAIL_MEMORY(error, result->pairs * sizeof(double));
    }
    if (request->spectral) continue;
    sweep->texts[h] = vt_path_join(request->folder, h == 0 ? "part-a.txt" : "part-b.txt");
    if (sweep->texts[h] == NULL) return VT_FAIL_MEMORY(error, strlen(request->folder));
    VT_TRY(vt_sweep_text_write(&sweep->text, VT_SWEEP_A + h, sweep->texts[h], error));
  }
  return VT_OK;
}

static enum vt_status run(struct sweep *sweep, struct vt_error *error) {
  const struct vt_sweep_request *request = sweep->request;
  struct vt_sweep *result = sweep->result;
  VT_TRY(prepare(sweep, error));
  struct vt_pool *pool = NULL;
  if (request->spectral) {
    VT_TRY(vt_pool_create(request->threads, &pool, error));
    enum vt_status status = decompose(sweep, pool, error);
    vt_pool_free(pool);
    VT_TRY(status);
    return sweep_dims(sweep, error);
  }
  VT_TRY(sweep_dims(sweep, error));
  const struct vt_sweep_point *best = &result->dims[result->best];
  for (size_t k = 0; k < request->l2_count; k++) result->l2s[k] = empty_point(best->dim, request->l2s[k], best->lr);
  for (size_t k = 0; k < request->lr_count; k++) result->lrs[k] = empty_point(best->dim, best->l2, request->lrs[k]);
  result->l2_count = request->l2_count > 1 ? request->l2_count : 0;
  result->lr_count = request->lr_count > 1 ? request->lr_count : 0;
  VT_TRY(sweep_others(sweep, result->l2s, result->l2_count, "l2-", &result->best_l2, error));
  return sweep_others(sweep, result->lrs, result->lr_count, "lr-", &result->best_lr, error);
}

enum vt_status vt_sweep(const struct vt_sweep_request *request, struct vt_sweep *result, struct vt_error *error) {
  *result = (struct vt_sweep){0};
  VT_TRY(check(request, error));
  struct sweep sweep = {.request = request, .result = result};
  enum vt_status status = run(&sweep, error);
  vt_sweep_text_release(&sweep.text);
  for (size_t h = 0; h < 2; h++) {
    for (uint32_t s = 0; s < SEEDS_MAX; s++) vt_free(sweep.f[h][s]);
    if (sweep.texts[h] != NULL) unlink(sweep.texts[h]);
    vt_free(sweep.texts[h]);
    vt_free(sweep.values[h]);
    vt_free(sweep.vectors[h]);
  }
  if (status != VT_OK) vt_sweep_release(result);
  return status;
}

void vt_sweep_release(struct vt_sweep *sweep) {
  vt_free(sweep->dims);
  vt_free(sweep->l2s);
  vt_free(sweep->lrs);
  *sweep = (struct vt_sweep){0};
}
