/*
 * run_recorder.c: the recorder's public face: the folder, the lock, the order of steps and the measures of motion, so
 * that what another program records is as whole as what training records.
 *
 * A run that is made is staged beside its place, as training does; a run that is appended to is read first, for its
 * words, its last step, and the vectors that motion is measured from. Nothing is taken from the caller unchecked: the
 * database and the snapshots must be such that every reader can read them.
 *
 * Memory: two copies of the vectors of the sample that motion is measured on. Threads: the recorder's own.
 */
#define _POSIX_C_SOURCE 200809L

#include "run/run_recorder.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run/folder.h"
#include "run/lock.h"
#include "run/recorder.h"
#include "run/run_internal.h"
#include "train/motion.h"
#include "vectrail/import.h"
#include "vectrail/version.h"

#define STEPS_END ((uint64_t)INT64_MAX) /* what the database can count */
#define HALF_END 65520.0F               /* from here on, halves are infinite */

struct vt_run_recorder {
  struct vt_recorder *recorder;
  char *path;
  char *staging; /* where the run is made; NULL once it is in its place */
  bool force;
  int lock;
  const struct vt_vocab *vocab;
  struct vt_vocab *own_vocab; /* of a run that was appended to */
  size_t dim;
  bool has_step;
  uint64_t last_step;
  bool has_snapshot;
  uint64_t last_snapshot;
  uint64_t cut; /* of a run that was appended to: the first step that this sitting may have recorded */
  struct vt_motion motion;
};

static struct vt_table table_of(const struct vt_run_recorder *recorder, const float *input) {
  /* Read only, whatever the type says. */
  return (struct vt_table){.data = (float *)(uintptr_t)input,
                           .rows = (uint32_t)vt_vocab_size(recorder->vocab),
                           .dim = (uint32_t)recorder->dim,
                           .width = recorder->dim};
}

/* ---- making one -------------------------------------------------------------------------------------------------- */

void vt_run_recorder_free(struct vt_run_recorder *recorder) {
  if (recorder == NULL) return;
  vt_recorder_free(recorder->recorder);
  if (recorder->staging != NULL) vt_run_folder_abandon(recorder->staging);
  if (recorder->lock >= 0)
    vt_run_lock_release(recorder->lock, recorder->staging != NULL ? recorder->staging : recorder->path);
  vt_motion_release(&recorder->motion);
  vt_vocab_free(recorder->own_vocab);
  vt_free(recorder->staging);
  vt_free(recorder->path);
  vt_free(recorder);
}

static enum vt_status allocate(const char *path, struct vt_run_recorder **recorder, struct vt_error *error) {
  struct vt_run_recorder *made = vt_alloc_zero(1, sizeof *made);
  if (made == NULL) return VT_FAIL_MEMORY(error, sizeof *made);
  made->lock = -1;
  made->path = vt_copy_string(path);
  if (made->path == NULL) {
    vt_run_recorder_free(made);
    return VT_FAIL_MEMORY(error, strlen(path));
  }
  *recorder = made;
  return VT_OK;
}

static enum vt_status write_count(struct vt_run_recorder *recorder, const char *key, size_t value,
                                  struct vt_error *error) {
  char text[24];
  snprintf(text, sizeof text, "%zu", value);
  return vt_recorder_meta(recorder->recorder, key, text, error);
}

static enum vt_status begin(struct vt_run_recorder *recorder, const char *origin, struct vt_error *error) {
  VT_TRY(vt_run_folder_stage(recorder->path, recorder->force, &recorder->staging, error));
  VT_TRY(vt_run_lock_take(recorder->staging, &recorder->lock, error));
  VT_TRY(vt_recorder_create(recorder->staging, recorder->vocab, &recorder->recorder, error));
  VT_TRY(vt_recorder_meta(recorder->recorder, "vectrail", vt_version(), error));
  VT_TRY(vt_recorder_meta(recorder->recorder, VT_ORIGIN_KEY, origin, error));
  VT_TRY(write_count(recorder, "dim", recorder->dim, error));
  VT_TRY(write_count(recorder, "vocab_size", vt_vocab_size(recorder->vocab), error));
  return vt_recorder_event(recorder->recorder, 0, "start", "info", "recording started", error);
}

/* Puts a staged run that is closed into its place. */
static enum vt_status install(struct vt_run_recorder *recorder, struct vt_error *error) {
  VT_TRY(vt_run_folder_install(recorder->staging, recorder->path, recorder->force, error));
  vt_free(recorder->staging);
  recorder->staging = NULL;
  return VT_OK;
}

static enum vt_status create(const char *path, const struct vt_vocab *vocab, size_t dim, bool force, const char *origin,
                             struct vt_run_recorder **out, struct vt_error *error) {
  if (dim == 0 || dim > VT_IMPORT_DIM_MAX)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "vectors of length %zu: 1 to %d are possible", dim, VT_IMPORT_DIM_MAX);
  if (vt_vocab_size(vocab) == 0) return VT_FAIL(error, VT_ERROR_EMPTY, "the vocabulary holds no word");
  struct vt_run_recorder *recorder = NULL;
  VT_TRY(allocate(path, &recorder, error));
  recorder->vocab = vocab;
  recorder->dim = dim;
  recorder->force = force;
  enum vt_status status = begin(recorder, origin, error);
  if (status != VT_OK) {
    vt_run_recorder_free(recorder);
    return status;
  }
  *out = recorder;
  return VT_OK;
}

enum vt_status vt_run_recorder_stage(const char *path, const struct vt_vocab *vocab, size_t dim, bool force,
                                     const char *origin, struct vt_run_recorder **recorder, struct vt_error *error) {
  return create(path, vocab, dim, force, origin, recorder, error);
}

const char *vt_run_recorder_folder(const struct vt_run_recorder *recorder) { return recorder->staging; }

enum vt_status vt_run_recorder_create(const char *path, const struct vt_vocab *vocab, size_t dim, bool force,
                                      struct vt_run_recorder **out, struct vt_error *error) {
  struct vt_run_recorder *recorder = NULL;
  VT_TRY(create(path, vocab, dim, force, VT_ORIGIN_RECORDER, &recorder, error));
  /* A database cannot be moved while it is open. */
  enum vt_status status = vt_recorder_close(&recorder->recorder, error);
  if (status == VT_OK) status = install(recorder, error);
  if (status == VT_OK) {
    status = vt_recorder_open(path, 0, &recorder->recorder, error);
    if (status != VT_OK) vt_run_folder_abandon(path);
  }
  if (status != VT_OK) {
    vt_run_recorder_free(recorder);
    return status;
  }
  *out = recorder;
  return VT_OK;
}

/* ---- going on with one ------------------------------------------------------------------------------------------- */

static void note_step(struct vt_run_recorder *recorder, uint64_t step) {
  if (!recorder->has_step || step > recorder->last_step) recorder->last_step = step;
  recorder->has_step = true;
}

/* Motion goes on from the first snapshot and the last one. */
static enum vt_status take_motion(struct vt_run_recorder *recorder, struct vt_run *run, struct vt_error *error) {
  size_t count = vt_run_snapshot_count(run);
  if (count == 0) return VT_OK;
  recorder->has_snapshot = true;
  recorder->last_snapshot = vt_run_snapshot_at(run, count - 1).step;
  note_step(recorder, recorder->last_snapshot);
  const uint64_t steps[] = {vt_run_snapshot_at(run, 0).step, recorder->last_snapshot};
  for (size_t k = 0; k < 2; k++) {
    struct vt_vectors *vectors;
    VT_TRY(vt_run_vectors(run, steps[k], &vectors, error));
    enum vt_status status = VT_OK;
    struct vt_table table = table_of(recorder, vectors->data);
    if (vectors->dim != recorder->dim)
      status =
          VT_FAIL(error, VT_ERROR_CORRUPT, "%s: the snapshot of step %" PRIu64 " has vectors of length %zu, not %zu",
                  recorder->path, steps[k], vectors->dim, recorder->dim);
    else if (k == 0)
      status = vt_motion_init(&recorder->motion, &table, error);
    else
      vt_motion_mark(&recorder->motion, &table, steps[k], NULL);
    vt_vectors_free(vectors);
    VT_TRY(status);
  }
  return VT_OK;
}

static enum vt_status take_run(struct vt_run_recorder *recorder, struct vt_run *run, struct vt_error *error) {
  if (vt_run_meta(run, VT_ORIGIN_KEY) == NULL)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "go on with it by vectrail resume, or choose another folder",
                        "%s: vectrail trained this run; only runs that were imported or recorded can be appended to",
                        recorder->path);
  const char *dim = vt_run_meta(run, "dim");
  uint64_t length = dim == NULL ? 0 : strtoull(dim, NULL, 10);
  if (length == 0 || length > VT_IMPORT_DIM_MAX)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: damaged database: no length of the vectors", recorder->path);
  recorder->dim = (size_t)length;
  recorder->vocab = vt_run_vocab(run);
  VT_TRY(take_motion(recorder, run, error));
  struct vt_run_step last;
  struct vt_error reason;
  enum vt_status status = vt_run_last_step(run, &last, &reason);
  if (status == VT_OK) note_step(recorder, last.step);
  if (status != VT_OK && status != VT_ERROR_EMPTY) {
    if (error != NULL) *error = reason;
    return status;
  }
  /* The mark of the end stands at the last step of which anything was recorded. */
  for (size_t k = 0; k < vt_run_event_count(run); k++)
    if (vt_run_event_at(run, k).step > 0) note_step(recorder, vt_run_event_at(run, k).step);
  if (recorder->has_step && recorder->last_step >= STEPS_END)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: damaged database: step %" PRIu64, recorder->path, recorder->last_step);
  recorder->cut = recorder->has_step ? recorder->last_step + 1 : 0;
  recorder->own_vocab = vt_run_take_vocab(run);
  return VT_OK;
}

static enum vt_status go_on(struct vt_run_recorder *recorder, struct vt_error *error) {
  struct vt_run *run;
  /* The first look is that no lock is made where there is no run; the second sees what was written before the lock. */
  VT_TRY(vt_run_open(recorder->path, &run, error));
  vt_run_close(run);
  VT_TRY(vt_run_lock_take(recorder->path, &recorder->lock, error));
  VT_TRY(vt_run_open(recorder->path, &run, error));
  enum vt_status status = take_run(recorder, run, error);
  vt_run_close(run);
  VT_TRY(status);
  return vt_recorder_open(recorder->path, STEPS_END, &recorder->recorder, error);
}

enum vt_status vt_run_recorder_append(const char *path, struct vt_run_recorder **out, struct vt_error *error) {
  struct vt_run_recorder *recorder = NULL;
  VT_TRY(allocate(path, &recorder, error));
  enum vt_status status = go_on(recorder, error);
  if (status != VT_OK) {
    vt_run_recorder_free(recorder);
    return status;
  }
  *out = recorder;
  return VT_OK;
}

void vt_run_recorder_undo(struct vt_run_recorder *recorder) {
  if (recorder == NULL) return;
  vt_recorder_free(recorder->recorder);
  recorder->recorder = NULL;
  if (recorder->staging == NULL) (void)vt_recorder_take_back(recorder->path, recorder->cut, NULL);
  vt_run_recorder_free(recorder);
}

/* ---- recording --------------------------------------------------------------------------------------------------- */

const struct vt_vocab *vt_run_recorder_vocab(const struct vt_run_recorder *recorder) { return recorder->vocab; }

size_t vt_run_recorder_dim(const struct vt_run_recorder *recorder) { return recorder->dim; }

bool vt_run_recorder_last_step(const struct vt_run_recorder *recorder, uint64_t *step) {
  if (recorder->has_step) *step = recorder->last_step;
  return recorder->has_step;
}

static enum vt_status check_step(const struct vt_run_recorder *recorder, uint64_t step, struct vt_error *error) {
  if (step >= STEPS_END)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "step %" PRIu64 " is too large: up to 2^63 - 2", step);
  if (!recorder->has_step || step >= recorder->last_step) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "record steps in their order",
                      "step %" PRIu64 " comes after step %" PRIu64 " was recorded", step, recorder->last_step);
}

static enum vt_status check_text(const char *what, const char *text, struct vt_error *error) {
  if (text != NULL && *text != '\0') return VT_OK;
  return VT_FAIL(error, VT_ERROR_ARGUMENT, "%s is empty", what);
}

enum vt_status vt_run_recorder_step(struct vt_run_recorder *recorder, const struct vt_run_step *step,
                                    struct vt_error *error) {
  VT_TRY(check_step(recorder, step->step, error));
  if (isnan(step->seconds) || isnan(step->lr))
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "step %" PRIu64 ": seconds or lr is NaN", step->step);
  if (step->tokens > INT64_MAX)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "step %" PRIu64 ": %" PRIu64 " tokens are too many", step->step,
                   step->tokens);
  VT_TRY(vt_recorder_step(recorder->recorder, step->step, step->epoch, step->tokens, step->seconds, step->lr, error));
  note_step(recorder, step->step);
  return VT_OK;
}

enum vt_status vt_run_recorder_metric(struct vt_run_recorder *recorder, uint64_t step, const char *name, double value,
                                      struct vt_error *error) {
  VT_TRY(check_step(recorder, step, error));
  VT_TRY(check_text("the name of a metric", name, error));
  VT_TRY(vt_recorder_metric(recorder->recorder, step, name, value, error));
  note_step(recorder, step);
  return VT_OK;
}

/* Every number of a table must be such that readers can work with it. */
static enum vt_status check_table(const struct vt_run_recorder *recorder, uint64_t step, bool float16,
                                  const float *table, struct vt_error *error) {
  size_t rows = vt_vocab_size(recorder->vocab);
  for (size_t k = 0; k < rows * recorder->dim; k++) {
    if (isfinite(table[k]) && (!float16 || fabsf(table[k]) < HALF_END)) continue;
    const char *word = vt_vocab_text(recorder->vocab, (uint32_t)(k / recorder->dim));
    if (isfinite(table[k]))
      return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "keep float32",
                          "step %" PRIu64 ": the vector of \"%.64s\" holds %g, which is too large for float16", step,
                          word, (double)table[k]);
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "the training diverged: use a smaller learning rate",
                        "step %" PRIu64 ": the vector of \"%.64s\" holds NaN or infinity", step, word);
  }
  return VT_OK;
}

static enum vt_status record_motion(struct vt_run_recorder *recorder, uint64_t step, const float *input,
                                    struct vt_error *error) {
  struct vt_table table = table_of(recorder, input);
  struct vt_motion_speed speed = {.speed = NAN, .moving = NAN};
  if (recorder->has_snapshot) {
    speed = vt_motion_mark(&recorder->motion, &table, step, NULL);
  } else {
    VT_TRY(vt_motion_init(&recorder->motion, &table, error));
    recorder->motion.marked_step = step;
  }
  struct vt_motion_result motion = vt_motion_measure(&recorder->motion, &table, NULL);
  VT_TRY(vt_recorder_metric(recorder->recorder, step, "displacement", motion.displacement, error));
  VT_TRY(vt_recorder_metric(recorder->recorder, step, "norm", motion.norm, error));
  VT_TRY(vt_recorder_metric(recorder->recorder, step, "speed", speed.speed, error));
  return vt_recorder_metric(recorder->recorder, step, "moving", speed.moving, error);
}

enum vt_status vt_run_recorder_vectors(struct vt_run_recorder *recorder, uint64_t step, bool float16,
                                       const float *input, const float *output, struct vt_error *error) {
  VT_TRY(check_step(recorder, step, error));
  if (recorder->has_snapshot && step <= recorder->last_snapshot)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "record each step's vectors once",
                        "step %" PRIu64 " has its vectors already", step);
  VT_TRY(check_table(recorder, step, float16, input, error));
  if (output != NULL) VT_TRY(check_table(recorder, step, float16, output, error));
  VT_TRY(record_motion(recorder, step, input, error));
  const struct vt_snapshot_source source = {.input = input,
                                            .output = output,
                                            .rows = vt_vocab_size(recorder->vocab),
                                            .dim = recorder->dim,
                                            .stride = recorder->dim};
  VT_TRY(vt_recorder_snapshot(recorder->recorder, step, !float16, &source, error));
  recorder->has_snapshot = true;
  recorder->last_snapshot = step;
  note_step(recorder, step);
  return VT_OK;
}

enum vt_status vt_run_recorder_trail(struct vt_run_recorder *recorder, uint32_t word, uint64_t step,
                                     const float *vector, struct vt_error *error) {
  VT_TRY(check_step(recorder, step, error));
  if (word >= vt_vocab_size(recorder->vocab))
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "there is no word %" PRIu32 " in a vocabulary of %zu", word,
                   vt_vocab_size(recorder->vocab));
  VT_TRY(vt_recorder_trail(recorder->recorder, word, step, vector, recorder->dim, error));
  note_step(recorder, step);
  return VT_OK;
}

enum vt_status vt_run_recorder_event(struct vt_run_recorder *recorder, uint64_t step, const char *kind,
                                     const char *severity, const char *text, struct vt_error *error) {
  VT_TRY(check_step(recorder, step, error));
  VT_TRY(check_text("the kind of an event", kind, error));
  VT_TRY(check_text("the text of an event", text, error));
  if (strcmp(kind, "start") == 0 || strcmp(kind, "finished") == 0)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "events of the kind \"%s\" are the recorder's own", kind);
  if (severity == NULL ||
      (strcmp(severity, "info") != 0 && strcmp(severity, "warning") != 0 && strcmp(severity, "error") != 0))
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "the severity of an event is info, warning or error");
  VT_TRY(vt_recorder_event(recorder->recorder, step, kind, severity, text, error));
  note_step(recorder, step);
  return VT_OK;
}

enum vt_status vt_run_recorder_meta(struct vt_run_recorder *recorder, const char *key, const char *value,
                                    struct vt_error *error) {
  static const char *const own[] = {"schema", "vectrail", VT_ORIGIN_KEY, "dim", "vocab_size"};
  VT_TRY(check_text("a key", key, error));
  for (size_t k = 0; k < sizeof own / sizeof own[0]; k++)
    if (strcmp(key, own[k]) == 0) return VT_FAIL(error, VT_ERROR_ARGUMENT, "the key \"%s\" is the recorder's own", key);
  return vt_recorder_meta(recorder->recorder, key, value, error);
}

enum vt_status vt_run_recorder_note(struct vt_run_recorder *recorder, uint64_t step, const char *kind, const char *text,
                                    struct vt_error *error) {
  return vt_recorder_event(recorder->recorder, step, kind, "info", text, error);
}

/* ---- ending ------------------------------------------------------------------------------------------------------ */

enum vt_status vt_run_recorder_flush(struct vt_run_recorder *recorder, struct vt_error *error) {
  return vt_recorder_flush(recorder->recorder, error);
}

static enum vt_status end(struct vt_run_recorder *recorder, struct vt_error *error) {
  uint64_t step = recorder->has_step ? recorder->last_step : 0;
  VT_TRY(vt_recorder_event(recorder->recorder, step, "finished", "info", "recording finished", error));
  VT_TRY(vt_recorder_close(&recorder->recorder, error));
  return recorder->staging == NULL ? VT_OK : install(recorder, error);
}

enum vt_status vt_run_recorder_close(struct vt_run_recorder **recorder, struct vt_error *error) {
  struct vt_run_recorder *ending = *recorder;
  *recorder = NULL;
  enum vt_status status = end(ending, error);
  vt_run_recorder_free(ending);
  return status;
}

enum vt_status vt_run_recorder_close_or_undo(struct vt_run_recorder **recorder, struct vt_error *error) {
  struct vt_run_recorder *ending = *recorder;
  *recorder = NULL;
  enum vt_status status = end(ending, error);
  if (status == VT_OK)
    vt_run_recorder_free(ending);
  else
    vt_run_recorder_undo(ending);
  return status;
}
