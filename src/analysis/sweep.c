/*
 * sweep.c: the grid. Dimensions go up; each is tried once on part A, and only those that are not hopeless again, on B
 * and with other seeds, the best first, as far as the budget goes. The error falls and rises again over the dimension,
 * so after two in a row that are hopeless the larger ones, which take the most time, are not tried at all.
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
#include "base/processors.h"
#include "run/run_internal.h"

#define HOPELESS_IN_A_ROW 2

void vt_sweep_request_init(struct vt_sweep_request *request) {
  static const uint32_t dims[] = {10, 25, 50, 100, 200, 400};
  *request = (struct vt_sweep_request){
      .seeds = 2, .pairs = 20000, .least = 3, .patience = 0.1, .budget = 0.5, .threads = vt_processors()};
  vt_corpus_options_init(&request->corpus);
  vt_train_options_init(&request->train);
  request->dim_count = sizeof dims / sizeof *dims;
  memcpy(request->dims, dims, sizeof dims);
}

static struct vt_sweep_point empty_point(uint32_t dim, double l2, double lr) {
  return (struct vt_sweep_point){.dim = dim,
                                 .l2 = l2,
                                 .lr = lr,
                                 .slope = NAN,
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

/* Each dimension once, on A, up to two in a row that are hopeless. */
static enum vt_status try_once(struct vt_sweep_state *sweep, struct vt_error *error) {
  const struct vt_sweep_request *request = sweep->request;
  double least = INFINITY;
  int in_a_row = 0;
  for (size_t k = 0; k < request->dim_count && in_a_row < HOPELESS_IN_A_ROW; k++) {
    struct vt_sweep_point *point = &sweep->result->dims[k];
    VT_TRY(vt_sweep_run(sweep, point, &sweep->scores[k], 0, 0, error));
    point->hopeless = point->diverged;
    if (!point->diverged) {
      /* The noise is in all of them alike, and no dimension can take it away. */
      const double excess = point->error - point->noise;
      point->hopeless = request->patience > 0 && excess > (1 + request->patience) * least;
      if (excess < least) least = excess;
    }
    in_a_row = point->hopeless ? in_a_row + 1 : 0;
  }
  return VT_OK;
}

/* Those that are worth trying again, the least error first. */
static size_t order_of_errors(const struct vt_sweep *result, size_t order[VT_SWEEP_VALUES_MAX]) {
  size_t count = 0;
  for (size_t k = 0; k < result->dim_count; k++) {
    if (result->dims[k].hopeless || result->dims[k].runs == 0) continue;
    size_t at = count++;
    for (; at > 0 && result->dims[order[at - 1]].first_error > result->dims[k].first_error; at--)
      order[at] = order[at - 1];
    order[at] = k;
  }
  return count;
}

/* What a training takes, in a unit of no matter: reading and drawing words cost as much as some dimensions. The clock
 * would be no rule that gives the same answer twice. */
static double cost_of(uint32_t dim) { return dim + 75.0; }

/* The other half of the text for the best, and for the next ones; then more seeds, likewise: as long as all trainings
 * together stay within a share of what every one of them would take. The best is tried on both halves in any case. */
static enum vt_status try_again(struct vt_sweep_state *sweep, struct vt_error *error) {
  const struct vt_sweep_request *request = sweep->request;
  struct vt_sweep *result = sweep->result;
  const uint32_t seeds = request->spectral ? 1 : request->seeds;
  size_t order[VT_SWEEP_VALUES_MAX];
  const size_t count = order_of_errors(result, order);
  double allowed = 0, spent = 0;
  for (size_t k = 0; k < result->dim_count; k++) {
    allowed += 2 * seeds * cost_of(result->dims[k].dim) * request->budget;
    spent += result->dims[k].runs > 0 || result->dims[k].diverged ? cost_of(result->dims[k].dim) : 0;
  }
  for (uint32_t seed = 0; seed < seeds; seed++)
    for (size_t c = 0; c < count; c++) {
      struct vt_sweep_point *point = &result->dims[order[c]];
      const double cost = (seed == 0 ? 1 : 2) * cost_of(point->dim);
      const bool free_of_cost = request->spectral || (seed == 0 && c == 0);
      if (point->diverged || point->runs < 2 * seed || (!free_of_cost && spent + cost > allowed)) continue;
      spent += cost;
      if (seed > 0) VT_TRY(vt_sweep_run(sweep, point, &sweep->scores[order[c]], 0, seed, error));
      if (!point->diverged) VT_TRY(vt_sweep_run(sweep, point, &sweep->scores[order[c]], 1, seed, error));
    }
  return VT_OK;
}

/* Groups of pairs in which a point is worse than another, on average, and the standard error of that; like with like:
 * where one of them was tried once, by the first training of both. */
static void compare(const struct vt_sweep_point *a, const struct vt_sweep_point *b, double *mean, double *deviation) {
  const bool both = !isnan(a->bias) && !isnan(b->bias);
  double sum = 0, squares = 0;
  int known = 0;
  for (int g = 0; g < VT_SWEEP_GROUPS; g++) {
    double difference = both ? a->groups[g] - b->groups[g] : a->first_groups[g] - b->first_groups[g];
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
    if (result->dims[k].runs == 0) continue;
    compare(&result->dims[k], best, &mean, &deviation);
    if (!(mean <= 2 * deviation)) continue;
    if (result->dims[k].dim < result->dim_low) result->dim_low = result->dims[k].dim;
    if (result->dims[k].dim > result->dim_high) result->dim_high = result->dims[k].dim;
  }
}

/* The vertex of the parabola through three points of log d, from the errors of all groups but one (`without` below
 * VT_SWEEP_GROUPS); NaN where it has none. */
static double vertex(const struct vt_sweep_point *three, int without) {
  double x[3], y[3];
  for (int p = 0; p < 3; p++) {
    double sum = 0, known = 0;
    for (int g = 0; g < VT_SWEEP_GROUPS; g++)
      if (g != without && !isnan(three[p].first_groups[g])) sum += three[p].first_groups[g], known++;
    x[p] = log(three[p].dim);
    y[p] = sum / known;
  }
  /* Divided differences: y[0] + a (x - x0) + b (x - x0)(x - x1). */
  double a = (y[1] - y[0]) / (x[1] - x[0]), b = ((y[2] - y[1]) / (x[2] - x[1]) - a) / (x[2] - x[0]);
  if (!(b > 0)) return NAN;
  double at = (x[0] + x[1]) / 2 - a / (2 * b);
  return fmin(fmax(at, x[0]), x[2]);
}

/* Between the best and its neighbours; the interval from leaving out one group of pairs after the other (jackknife). */
static void interpolate(struct vt_sweep *result) {
  result->vertex = result->vertex_low = result->vertex_high = NAN;
  if (result->best == 0 || result->best + 1 >= result->dim_count) return;
  const struct vt_sweep_point *three = &result->dims[result->best - 1];
  for (int p = 0; p < 3; p++)
    if (three[p].runs == 0) return;
  const double whole = vertex(three, VT_SWEEP_GROUPS);
  double sum = 0, squares = 0, known = 0;
  for (int g = 0; g < VT_SWEEP_GROUPS; g++) {
    double own = vertex(three, g);
    if (isnan(three[1].first_groups[g])) continue;
    sum += own, squares += own * own, known++;
  }
  const double spread = 2 * sqrt(fmax(0, (known - 1) * (squares / known - sum / known * (sum / known))));
  if (isnan(whole) || isnan(spread) || known < 2) return;
  result->vertex = exp(whole);
  result->vertex_low = fmax(exp(whole - spread), three[0].dim);
  result->vertex_high = fmin(exp(whole + spread), three[2].dim);
}

/* What all seeds of all dimensions would have taken: time goes with the dimension, and a constant. */
static void account(struct vt_sweep_state *sweep) {
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

static enum vt_status sweep_dims(struct vt_sweep_state *sweep, struct vt_error *error) {
  VT_TRY(try_once(sweep, error));
  VT_TRY(try_again(sweep, error));
  choose_dim(sweep->result);
  if (isnan(sweep->result->dims[sweep->result->best].bias))
    return VT_FAIL_HELP(error, VT_ERROR_DIVERGED, "use a smaller learning rate (--lr)", "all trainings diverged");
  interpolate(sweep->result);
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

static enum vt_status sweep_others(struct vt_sweep_state *sweep, struct vt_sweep_point *points, size_t count,
                                   const char *what, size_t *best, struct vt_error *error) {
  for (size_t k = 0; k < count; k++) {
    snprintf(points[k].name, sizeof points[k].name, "d%" PRIu32 "-%s%g", points[k].dim, what,
             what[1] == '2' ? points[k].l2 : points[k].lr);
    VT_TRY(vt_sweep_run(sweep, &points[k], &sweep->others, 0, 0, error));
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
  if (!(request->budget > 0 && request->budget <= 1))
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "budget is %g; it must lie above 0, up to 1", request->budget);
  if (request->seeds < 1 || request->seeds > VT_SWEEP_SEEDS_MAX)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "seeds is %" PRIu32 "; it must lie between 1 and %d", request->seeds,
                   VT_SWEEP_SEEDS_MAX);
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
  return VT_OK;
}

static enum vt_status make_folder(const char *path, bool *made, struct vt_error *error) {
  if (path == NULL) return VT_OK;
  *made = mkdir(path, 0777) == 0;
  if (*made || errno == EEXIST) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_IO, "make the folder above it first", "%s: cannot make the folder: %s", path,
                      strerror(errno));
}

static enum vt_status decompose(struct vt_sweep_state *sweep, struct vt_pool *pool, struct vt_error *error) {
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

static enum vt_status prepare(struct vt_sweep_state *sweep, struct vt_error *error) {
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
  for (size_t k = 0; k < request->dim_count; k++) {
    result->dims[k] = empty_point(request->dims[k], l2, lr);
    snprintf(result->dims[k].name, sizeof result->dims[k].name, "d%" PRIu32, request->dims[k]);
  }
  for (size_t h = 0; h < 2; h++) {
    if (request->spectral) continue;
    sweep->texts[h] = vt_path_join(request->folder, h == 0 ? "part-a.txt" : "part-b.txt");
    if (sweep->texts[h] == NULL) return VT_FAIL_MEMORY(error, strlen(request->folder));
    VT_TRY(vt_sweep_text_write(&sweep->text, VT_SWEEP_A + h, sweep->texts[h], error));
  }
  return VT_OK;
}

static enum vt_status run(struct vt_sweep_state *sweep, struct vt_error *error) {
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
  bool made = false;
  VT_TRY(check(request, error));
  VT_TRY(make_folder(request->folder, &made, error));
  struct vt_sweep_state sweep = {.request = request, .result = result};
  enum vt_status status = run(&sweep, error);
  vt_sweep_text_release(&sweep.text);
  for (size_t k = 0; k < VT_SWEEP_VALUES_MAX; k++) vt_sweep_scores_release(&sweep.scores[k]);
  vt_sweep_scores_release(&sweep.others);
  for (size_t h = 0; h < 2; h++) {
    if (sweep.texts[h] != NULL) unlink(sweep.texts[h]);
    vt_free(sweep.texts[h]);
    vt_free(sweep.values[h]);
    vt_free(sweep.vectors[h]);
  }
  if (status != VT_OK) vt_sweep_release(result);
  if (made) rmdir(request->folder); /* where no training is in it */
  return status;
}

void vt_sweep_release(struct vt_sweep *sweep) {
  vt_free(sweep->dims);
  vt_free(sweep->l2s);
  vt_free(sweep->lrs);
  *sweep = (struct vt_sweep){0};
}
