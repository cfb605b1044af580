/* exercise.c: the exercise and its companion: trainings, and what their runs say. */
#define _POSIX_C_SOURCE 200809L

#include "vectrail/exercise.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/processors.h"
#include "vectrail/compare.h"
#include "vectrail/train.h"

#define HELD_OUT 0.1
#define NEIGHBORS 10
#define SAMPLE 1000

static const char *const words[VT_EXERCISE_WORDS] = {"time", "machine", "she"};

void vt_exercise_request_init(struct vt_exercise_request *request) {
  *request = (struct vt_exercise_request){.epochs = 25, .runs = 10, .seed = 1, .threads = vt_processors()};
}

const char *vt_exercise_word(size_t index) { return words[index]; }

double vt_exercise_reference(uint32_t epoch) {
  static const struct {
    uint32_t epoch;
    double loss;
  } known[] = {{0, 8.42}, {1, 6.96}, {5, 4.92}, {10, 2.72}, {15, 0.29}, {20, 0.02}, {25, 0.006}};
  for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
    if (known[k].epoch == epoch) return known[k].loss;
  return (double)NAN;
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

static enum vt_status train(const struct vt_exercise_request *request, const char *name, uint64_t seed, double held_out,
                            struct vt_train_result *result, struct vt_error *error) {
  char *path = vt_path_join(request->folder, name);
  if (path == NULL) return VT_FAIL_MEMORY(error, strlen(request->folder));
  static const char *const watch[] = {"time", "machine"};
  struct vt_train_request training = {.inputs = request->inputs,
                                      .input_count = request->input_count,
                                      .run_path = path,
                                      .force = request->force,
                                      .interrupt = request->interrupt};
  vt_corpus_options_init(&training.corpus);
  vt_train_options_init(&training.train);
  vt_record_options_init(&training.record);
  vt_train_preset_exercise(&training.corpus, &training.train);
  training.train.lr = vt_train_default_lr(&training.train);
  training.corpus.threads = training.train.threads = request->threads;
  training.train.epochs = request->epochs;
  training.train.seed = seed;
  training.train.held_out = held_out;
  training.record.float32 = true;
  training.record.watch = watch;
  training.record.watch_count = 2;
  training.record.pairs = watch;
  training.record.pair_count = 1;
  if (request->training != NULL) request->training(request->context, name);
  struct vt_error reason;
  enum vt_status status = vt_train(&training, result, &reason);
  if (status == VT_ERROR_NOT_FOUND && strstr(reason.message, "to watch") != NULL) {
    training.record.watch_count = training.record.pair_count = 0; /* another text, without those words */
    status = vt_train(&training, result, &reason);
  }
  if (status != VT_OK && error != NULL) *error = reason;
  vt_free(path);
  return status;
}

static enum vt_status open_run(const char *folder, const char *name, struct vt_run **run, struct vt_error *error) {
  char *path = vt_path_join(folder, name);
  if (path == NULL) return VT_FAIL_MEMORY(error, strlen(folder));
  enum vt_status status = vt_run_open(path, run, error);
  vt_free(path);
  return status;
}

static enum vt_status make_folder(const char *folder, struct vt_error *error) {
  if (mkdir(folder, 0777) == 0 || errno == EEXIST) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_IO, "make the folder above it first", "%s: cannot make the folder: %s", folder,
                      strerror(errno));
}

/* ---- what a run says --------------------------------------------------------------------------------------------- */

/* Steps are shared out evenly, and every epoch has one. */
static uint64_t steps_an_epoch(uint64_t steps, uint32_t epochs) {
  return epochs > 0 && steps > epochs ? steps / epochs : 1;
}

/* A row of the metric "loss" is the mean since the row before it, and there is one at the end of each epoch. */
static enum vt_status read_means(struct vt_run *run, uint64_t steps, uint32_t epochs, double *means,
                                 struct vt_error *error) {
  struct vt_run_point *points;
  size_t count;
  VT_TRY(vt_run_metric(run, "loss", &points, &count, error));
  const uint64_t an_epoch = steps_an_epoch(steps, epochs);
  uint64_t before = 0;
  for (uint32_t e = 1; e <= epochs; e++) means[e] = 0;
  for (size_t k = 0; k < count; k++) {
    uint64_t epoch = (points[k].step + an_epoch - 1) / an_epoch; /* from 1 */
    if (epoch >= 1 && epoch <= epochs)
      means[epoch] += points[k].value * (double)(points[k].step - before) / (double)an_epoch;
    before = points[k].step;
  }
  vt_run_points_free(points);
  return VT_OK;
}

/* The values of a metric before training and at the end of each epoch. */
static enum vt_status read_ends(struct vt_run *run, const char *name, uint64_t steps, uint32_t epochs, double *ends,
                                struct vt_error *error) {
  struct vt_run_point *points;
  size_t count;
  VT_TRY(vt_run_metric(run, name, &points, &count, error));
  const uint64_t an_epoch = steps_an_epoch(steps, epochs);
  for (uint32_t e = 0; e <= epochs; e++) ends[e] = (double)NAN;
  for (size_t k = 0; k < count; k++) {
    uint64_t epoch = points[k].step / an_epoch;
    if (points[k].step % an_epoch == 0 && epoch <= epochs) ends[epoch] = points[k].value;
  }
  vt_run_points_free(points);
  return VT_OK;
}

static double cosine(const struct vt_vectors *vectors, const char *a, const char *b) {
  uint32_t ids[2];
  if (!vt_vocab_find(vectors->vocab, a, &ids[0]) || !vt_vocab_find(vectors->vocab, b, &ids[1])) return (double)NAN;
  return vt_vectors_cosine(vectors, ids[0], ids[1]);
}

static enum vt_status read_cosines(struct vt_run *run, uint64_t step, double cosines[VT_EXERCISE_PAIRS], size_t *dim,
                                   struct vt_error *error) {
  struct vt_vectors *vectors;
  VT_TRY(vt_run_vectors(run, step, &vectors, error));
  for (size_t k = 0; k < VT_EXERCISE_PAIRS; k++)
    cosines[k] = cosine(vectors, words[k], words[(k + 1) % VT_EXERCISE_WORDS]);
  if (dim != NULL) *dim = vectors->dim;
  vt_vectors_free(vectors);
  return VT_OK;
}

/* ---- the exercise ------------------------------------------------------------------------------------------------ */

static enum vt_status read_exercise(struct vt_run *run, struct vt_exercise *exercise, struct vt_error *error) {
  double cosines[VT_EXERCISE_PAIRS];
  size_t dim;
  exercise->vocabulary = vt_vocab_size(vt_run_vocab(run));
  exercise->tokens = vt_vocab_tokens(vt_run_vocab(run));
  VT_TRY(read_ends(run, "probe_loss", exercise->steps, exercise->epochs, exercise->after, error));
  VT_TRY(read_means(run, exercise->steps, exercise->epochs, exercise->loss, error));
  exercise->loss[0] = exercise->after[0];
  VT_TRY(read_cosines(run, 0, cosines, &dim, error));
  exercise->before_cosine = cosines[0];
  exercise->band = 1 / sqrt((double)dim);
  VT_TRY(read_cosines(run, VT_STEP_LAST, cosines, NULL, error));
  exercise->after_cosine = cosines[0];
  return VT_OK;
}

static enum vt_status run_exercise(const struct vt_exercise_request *request, struct vt_exercise *exercise,
                                   struct vt_error *error) {
  struct vt_train_result result;
  struct vt_run *run;
  VT_TRY(train(request, "exercise", request->seed, 0, &result, error));
  exercise->steps = result.steps;
  VT_TRY(open_run(request->folder, "exercise", &run, error));
  enum vt_status status = read_exercise(run, exercise, error);
  vt_run_close(run);
  VT_TRY(status);
  VT_TRY(train(request, "held-out", request->seed, HELD_OUT, &result, error));
  VT_TRY(open_run(request->folder, "held-out", &run, error));
  status = read_ends(run, "held_out_loss", result.steps, exercise->epochs, exercise->held_out, error);
  vt_run_close(run);
  return status;
}

enum vt_status vt_exercise_run(const struct vt_exercise_request *request, struct vt_exercise *exercise,
                               struct vt_error *error) {
  *exercise = (struct vt_exercise){.epochs = request->epochs};
  size_t count = (size_t)request->epochs + 1;
  exercise->loss = vt_alloc_zero(count, sizeof *exercise->loss);
  exercise->after = vt_alloc_zero(count, sizeof *exercise->after);
  exercise->held_out = vt_alloc_zero(count, sizeof *exercise->held_out);
  enum vt_status status = VT_OK;
  if (exercise->loss == NULL || exercise->after == NULL || exercise->held_out == NULL)
    status = VT_FAIL_MEMORY(error, count * sizeof *exercise->loss);
  if (status == VT_OK) status = make_folder(request->folder, error);
  if (status == VT_OK) status = run_exercise(request, exercise, error);
  if (status != VT_OK) vt_exercise_release(exercise);
  return status;
}

void vt_exercise_release(struct vt_exercise *exercise) {
  vt_free(exercise->loss);
  vt_free(exercise->after);
  vt_free(exercise->held_out);
  *exercise = (struct vt_exercise){0};
}

/* ---- its companion ----------------------------------------------------------------------------------------------- */

static enum vt_status run_once(const struct vt_exercise_request *request, uint32_t number, struct vt_run **run,
                               struct vt_vectors **last, struct vt_exercise_stability *stability,
                               struct vt_error *error) {
  char name[24];
  snprintf(name, sizeof name, "run-%u", (unsigned)(number + 1));
  struct vt_train_result result;
  VT_TRY(train(request, name, request->seed + number, 0, &result, error));
  VT_TRY(open_run(request->folder, name, run, error));
  VT_TRY(read_cosines(*run, 0, stability->before[number], NULL, error));
  VT_TRY(read_cosines(*run, VT_STEP_LAST, stability->after[number], NULL, error));
  double *means = vt_alloc_zero((size_t)request->epochs + 1, sizeof *means);
  if (means == NULL) return VT_FAIL_MEMORY(error, (size_t)request->epochs * sizeof *means);
  enum vt_status status = read_means(*run, result.steps, request->epochs, means, error);
  stability->loss[number] = means[request->epochs];
  vt_free(means);
  VT_TRY(status);
  return vt_run_vectors(*run, VT_STEP_LAST, last, error);
}

static enum vt_status run_all(const struct vt_exercise_request *request, struct vt_run **runs,
                              struct vt_vectors **lasts, struct vt_exercise_stability *stability,
                              struct vt_error *error) {
  for (uint32_t k = 0; k < request->runs; k++) VT_TRY(run_once(request, k, &runs[k], &lasts[k], stability, error));
  struct vt_stability measured;
  VT_TRY(vt_stability_measure((const struct vt_vectors *const *)lasts, request->runs, NEIGHBORS, SAMPLE,
                              request->threads, &measured, error));
  stability->overlap = measured.mean;
  /* Of two random sets of k among n, k^2 / n are shared. */
  double shared = (double)NEIGHBORS * NEIGHBORS / (double)(lasts[0]->rows - 1);
  stability->by_chance = shared / (2 * NEIGHBORS - shared);
  vt_stability_release(&measured);
  return VT_OK;
}

enum vt_status vt_exercise_stability_run(const struct vt_exercise_request *request,
                                         struct vt_exercise_stability *stability, struct vt_error *error) {
  *stability = (struct vt_exercise_stability){.runs = request->runs};
  if (request->runs < 2) return VT_FAIL(error, VT_ERROR_ARGUMENT, "stability needs at least 2 runs");
  stability->before = vt_alloc_zero(request->runs, sizeof *stability->before);
  stability->after = vt_alloc_zero(request->runs, sizeof *stability->after);
  stability->loss = vt_alloc_zero(request->runs, sizeof *stability->loss);
  struct vt_run **runs = vt_alloc_zero(request->runs, sizeof *runs);
  struct vt_vectors **lasts = vt_alloc_zero(request->runs, sizeof *lasts);
  enum vt_status status = VT_OK;
  if (stability->before == NULL || stability->after == NULL || stability->loss == NULL || runs == NULL || lasts == NULL)
    status = VT_FAIL_MEMORY(error, request->runs * sizeof *runs);
  if (status == VT_OK) status = make_folder(request->folder, error);
  if (status == VT_OK) status = run_all(request, runs, lasts, stability, error);
  for (uint32_t k = 0; lasts != NULL && k < request->runs; k++) vt_vectors_free(lasts[k]);
  for (uint32_t k = 0; runs != NULL && k < request->runs; k++) vt_run_close(runs[k]);
  vt_free(runs);
  vt_free(lasts);
  if (status != VT_OK) vt_exercise_stability_release(stability);
  return status;
}

void vt_exercise_stability_release(struct vt_exercise_stability *stability) {
  vt_free(stability->before);
  vt_free(stability->after);
  vt_free(stability->loss);
  *stability = (struct vt_exercise_stability){0};
}
