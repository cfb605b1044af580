/* run.c: a run folder opened for reading. Small tables are read at once; vectors and series when asked for. */
#define _POSIX_C_SOURCE 200809L

#include "vectrail/run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "run/folder.h"
#include "run/run_internal.h"
#include "run/safetensors.h"
#include "run/store.h"

#define DIM_MAX 65536 /* more than any model has; a larger shape is damage */

struct pair {
  char *key;
  char *value;
};

struct vt_run {
  char *path;
  struct vt_store *store;
  struct vt_vocab *vocab;
  struct pair *meta;
  size_t meta_count;
  struct vt_run_snapshot *snapshots; /* own their texts */
  size_t snapshot_count;
  struct vt_run_event *events; /* likewise */
  size_t event_count;
};

/* ---- reading the small tables ------------------------------------------------------------------------------------ */

/* Makes room for one more in an array that grows by doubling; false when out of memory. */
static bool grow(void **array, size_t count, size_t size) {
  if (count != 0 && (count & (count - 1)) != 0) return true;
  void *grown = vt_realloc(*array, count == 0 ? 1 : 2 * count, size);
  if (grown == NULL) return false;
  *array = grown;
  return true;
}

/* A copy of a text column; anything else is damage. */
static enum vt_status copy_text(const struct vt_store_value *value, char **text, struct vt_error *error) {
  if (value->type != VT_STORE_TEXT || value->data == NULL || memchr(value->data, '\0', value->bytes) != NULL)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "damaged database: a text is missing or broken");
  *text = vt_copy_bytes(value->data, value->bytes);
  return *text == NULL ? VT_FAIL_MEMORY(error, value->bytes) : VT_OK;
}

/* A column that counts; anything else is damage. */
static enum vt_status take_count(const struct vt_store_value *value, uint64_t *count, struct vt_error *error) {
  if (value->type != VT_STORE_INTEGER || value->integer < 0)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "damaged database: a step or count is none");
  *count = (uint64_t)value->integer;
  return VT_OK;
}

static enum vt_status add_meta(void *context, const struct vt_store_value *values, struct vt_error *error) {
  struct vt_run *run = context;
  void *array = run->meta;
  if (!grow(&array, run->meta_count, sizeof *run->meta)) return VT_FAIL_MEMORY(error, sizeof *run->meta);
  run->meta = array;
  struct pair *pair = &run->meta[run->meta_count++];
  *pair = (struct pair){0};
  VT_TRY(copy_text(&values[0], &pair->key, error));
  return copy_text(&values[1], &pair->value, error);
}

static enum vt_status add_snapshot(void *context, const struct vt_store_value *values, struct vt_error *error) {
  struct vt_run *run = context;
  void *array = run->snapshots;
  if (!grow(&array, run->snapshot_count, sizeof *run->snapshots)) return VT_FAIL_MEMORY(error, sizeof *run->snapshots);
  run->snapshots = array;
  struct vt_run_snapshot *snapshot = &run->snapshots[run->snapshot_count++];
  *snapshot = (struct vt_run_snapshot){0};
  char *path = NULL, *dtype = NULL, *sha256 = NULL;
  enum vt_status status = take_count(&values[0], &snapshot->step, error);
  if (status == VT_OK) status = copy_text(&values[1], &path, error);
  snapshot->path = path;
  if (status == VT_OK) status = copy_text(&values[2], &dtype, error);
  snapshot->dtype = dtype;
  if (status == VT_OK) status = copy_text(&values[3], &sha256, error);
  snapshot->sha256 = sha256;
  return status;
}

static enum vt_status add_event(void *context, const struct vt_store_value *values, struct vt_error *error) {
  struct vt_run *run = context;
  void *array = run->events;
  if (!grow(&array, run->event_count, sizeof *run->events)) return VT_FAIL_MEMORY(error, sizeof *run->events);
  run->events = array;
  struct vt_run_event *event = &run->events[run->event_count++];
  *event = (struct vt_run_event){0};
  char *kind = NULL, *severity = NULL, *text = NULL;
  enum vt_status status = take_count(&values[0], &event->step, error);
  if (status == VT_OK) status = copy_text(&values[1], &kind, error);
  event->kind = kind;
  if (status == VT_OK) status = copy_text(&values[2], &severity, error);
  event->severity = severity;
  if (status == VT_OK) status = copy_text(&values[3], &text, error);
  event->text = text;
  return status;
}

/* ---- the vocabulary ---------------------------------------------------------------------------------------------- */

struct words {
  char **texts;
  uint64_t *counts;
  size_t count;
};

static enum vt_status add_word(void *context, const struct vt_store_value *values, struct vt_error *error) {
  struct words *words = context;
  if (values[0].type != VT_STORE_INTEGER || values[0].integer != (int64_t)words->count)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "damaged database: word %zu is missing", words->count);
  void *texts = words->texts, *counts = words->counts;
  bool room = grow(&texts, words->count, sizeof *words->texts);
  words->texts = texts;
  room = grow(&counts, words->count, sizeof *words->counts) && room;
  words->counts = counts;
  if (!room) return VT_FAIL_MEMORY(error, words->count * sizeof *words->texts);
  VT_TRY(take_count(&values[2], &words->counts[words->count], error));
  VT_TRY(copy_text(&values[1], &words->texts[words->count], error));
  words->count++;
  return VT_OK;
}

static enum vt_status read_vocab(struct vt_run *run, struct vt_error *error) {
  struct words words = {0};
  enum vt_status status = vt_store_read(run->store, VT_STORE_WORD, add_word, &words, error);
  if (status == VT_OK) {
    status = vt_vocab_create((const char *const *)words.texts, words.counts, words.count, &run->vocab, error);
    if (status == VT_ERROR_FORMAT) status = VT_FAIL(error, VT_ERROR_CORRUPT, "damaged database: words repeat");
  }
  for (size_t k = 0; k < words.count; k++) vt_free(words.texts[k]);
  vt_free(words.texts);
  vt_free(words.counts);
  return status;
}

/* ---- opening and closing ----------------------------------------------------------------------------------------- */

static enum vt_status read_all(struct vt_run *run, struct vt_error *error) {
  VT_TRY(vt_store_read(run->store, VT_STORE_META, add_meta, run, error));
  VT_TRY(vt_store_read(run->store, VT_STORE_SNAPSHOT, add_snapshot, run, error));
  VT_TRY(vt_store_read(run->store, VT_STORE_EVENT, add_event, run, error));
  return read_vocab(run, error);
}

/* Hands a reason on. Those that come from rows do not know where they stand. */
static enum vt_status hand_on(const struct vt_run *run, const struct vt_error *reason, enum vt_status status,
                              struct vt_error *error) {
  if (status == VT_ERROR_CORRUPT && strstr(reason->message, VT_RUN_DATABASE) == NULL)
    return VT_FAIL(error, status, "%s: %s", run->path, reason->message);
  if (status != VT_OK && error != NULL) *error = *reason;
  return status;
}

static enum vt_status open_store(struct vt_run *run, struct vt_error *error) {
  char *database = vt_path_join(run->path, VT_RUN_DATABASE);
  if (database == NULL) return VT_FAIL_MEMORY(error, strlen(run->path));
  enum vt_status status = vt_store_open(database, &run->store, error);
  vt_free(database);
  if (status == VT_ERROR_NOT_FOUND)
    return VT_FAIL_HELP(error, VT_ERROR_NOT_FOUND, "make one with vectrail train CORPUS --run FOLDER",
                        "%s: there is no run here", run->path);
  return status;
}

enum vt_status vt_run_open(const char *path, struct vt_run **out, struct vt_error *error) {
  struct vt_run *run = vt_alloc_zero(1, sizeof *run);
  if (run == NULL) return VT_FAIL_MEMORY(error, sizeof *run);
  run->path = vt_copy_string(path);
  enum vt_status status = run->path == NULL ? VT_FAIL_MEMORY(error, strlen(path)) : open_store(run, error);
  if (status == VT_OK) {
    struct vt_error reason;
    status = hand_on(run, &reason, read_all(run, &reason), error);
  }
  if (status != VT_OK) {
    vt_run_close(run);
    return status;
  }
  *out = run;
  return VT_OK;
}

void vt_run_close(struct vt_run *run) {
  if (run == NULL) return;
  for (size_t k = 0; k < run->meta_count; k++) {
    vt_free(run->meta[k].key);
    vt_free(run->meta[k].value);
  }
  /* The texts are ours; const is for those who look. */
  for (size_t k = 0; k < run->snapshot_count; k++) {
    vt_free((char *)(uintptr_t)run->snapshots[k].path);
    vt_free((char *)(uintptr_t)run->snapshots[k].dtype);
    vt_free((char *)(uintptr_t)run->snapshots[k].sha256);
  }
  for (size_t k = 0; k < run->event_count; k++) {
    vt_free((char *)(uintptr_t)run->events[k].kind);
    vt_free((char *)(uintptr_t)run->events[k].severity);
    vt_free((char *)(uintptr_t)run->events[k].text);
  }
  vt_free(run->meta);
  vt_free(run->snapshots);
  vt_free(run->events);
  vt_vocab_free(run->vocab);
  vt_store_close(run->store);
  vt_free(run->path);
  vt_free(run);
}

/* ---- what was read ----------------------------------------------------------------------------------------------- */

const struct vt_vocab *vt_run_vocab(const struct vt_run *run) { return run->vocab; }

struct vt_vocab *vt_run_take_vocab(struct vt_run *run) {
  struct vt_vocab *vocab = run->vocab;
  run->vocab = NULL;
  return vocab;
}

struct vt_store *vt_run_store(struct vt_run *run) {
  return run->store;
}

const char *vt_run_path(const struct vt_run *run) { return run->path; }

const char *vt_run_meta(const struct vt_run *run, const char *key) {
  for (size_t k = 0; k < run->meta_count; k++)
    if (strcmp(run->meta[k].key, key) == 0) return run->meta[k].value;
  return NULL;
}

size_t vt_run_meta_count(const struct vt_run *run) { return run->meta_count; }

void vt_run_meta_at(const struct vt_run *run, size_t index, const char **key, const char **value) {
  *key = run->meta[index].key;
  *value = run->meta[index].value;
}

size_t vt_run_snapshot_count(const struct vt_run *run) { return run->snapshot_count; }

struct vt_run_snapshot vt_run_snapshot_at(const struct vt_run *run, size_t index) {
  return run->snapshots[index];
}

size_t vt_run_event_count(const struct vt_run *run) { return run->event_count; }

struct vt_run_event vt_run_event_at(const struct vt_run *run, size_t index) {
  return run->events[index];
}

bool vt_run_find_event(const struct vt_run *run, const char *kind, struct vt_run_event *event) {
  for (size_t k = 0; k < run->event_count; k++) {
    if (strcmp(run->events[k].kind, kind) != 0) continue;
    if (event != NULL) *event = run->events[k];
    return true;
  }
  return false;
}

/* ---- series ------------------------------------------------------------------------------------------------------ */

struct points {
  struct vt_run_point *points;
  size_t count;
};

static enum vt_status add_point(void *context, const struct vt_store_value *values, struct vt_error *error) {
  struct points *points = context;
  void *array = points->points;
  if (!grow(&array, points->count, sizeof *points->points)) return VT_FAIL_MEMORY(error, sizeof *points->points);
  points->points = array;
  struct vt_run_point *point = &points->points[points->count++];
  point->value = values[2].real;
  return take_count(&values[0], &point->step, error);
}

enum vt_status vt_run_metric(struct vt_run *run, const char *name, struct vt_run_point **points, size_t *count,
                             struct vt_error *error) {
  struct points found = {0};
  struct vt_error reason;
  enum vt_status status = vt_store_read_metric(run->store, name, add_point, &found, &reason);
  if (status != VT_OK) {
    vt_free(found.points);
    return hand_on(run, &reason, status, error);
  }
  *points = found.points;
  *count = found.count;
  return VT_OK;
}

void vt_run_points_free(struct vt_run_point *points) { vt_free(points); }

struct last_step {
  struct vt_run_step step;
  bool found;
};

static enum vt_status take_step(void *context, const struct vt_store_value *values, struct vt_error *error) {
  struct last_step *last = context;
  uint64_t epoch = 0;
  last->found = true;
  VT_TRY(take_count(&values[0], &last->step.step, error));
  VT_TRY(take_count(&values[1], &epoch, error));
  VT_TRY(take_count(&values[2], &last->step.tokens, error));
  if (epoch > UINT32_MAX) return VT_FAIL(error, VT_ERROR_CORRUPT, "damaged database: epoch %" PRIu64, epoch);
  last->step.epoch = (uint32_t)epoch;
  last->step.seconds = values[3].real;
  last->step.lr = values[4].real;
  return VT_OK;
}

enum vt_status vt_run_last_step(struct vt_run *run, struct vt_run_step *step, struct vt_error *error) {
  struct last_step last = {0};
  struct vt_error reason;
  enum vt_status status = vt_store_read_last_step(run->store, take_step, &last, &reason);
  if (status != VT_OK) return hand_on(run, &reason, status, error);
  if (!last.found) return VT_FAIL(error, VT_ERROR_EMPTY, "%s: no step was recorded yet", run->path);
  *step = last.step;
  return VT_OK;
}

/* ---- vectors ----------------------------------------------------------------------------------------------------- */

static const struct vt_run_snapshot *find_snapshot(const struct vt_run *run, uint64_t step) {
  const struct vt_run_snapshot *found = NULL;
  for (size_t k = 0; k < run->snapshot_count && run->snapshots[k].step <= step; k++) found = &run->snapshots[k];
  return found;
}

/* A path from the database must stay inside the run: "snapshots/" and a plain name. */
static bool is_snapshot_path(const char *path) {
  static const char folder[] = VT_RUN_SNAPSHOTS "/";
  const char *name = path + sizeof folder - 1;
  return strncmp(path, folder, sizeof folder - 1) == 0 && *name != '\0' && *name != '.' && strchr(name, '/') == NULL;
}

/* Whether an open file is the snapshot that was recorded; its input tensor. */
static enum vt_status check_input(const struct vt_run *run, const struct vt_run_snapshot *snapshot, const char *path,
                                  const struct vt_safetensors *file, const struct vt_tensor **tensor,
                                  struct vt_error *error) {
  char sha256[VT_SHA256_TEXT_BYTES];
  vt_safetensors_sha256(file, sha256);
  const struct vt_tensor *input = vt_safetensors_find(file, "input");
  bool sound = strcmp(sha256, snapshot->sha256) == 0 && input != NULL && input->rank == 2 &&
               input->shape[0] == vt_vocab_size(run->vocab) && input->shape[1] > 0 && input->shape[1] <= DIM_MAX &&
               (input->dtype == VT_DTYPE_F16 || input->dtype == VT_DTYPE_BF16 || input->dtype == VT_DTYPE_F32 ||
                input->dtype == VT_DTYPE_F64);
  if (!sound)
    return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, "other snapshots may be sound: see vectrail info",
                        "%s: not the snapshot that was recorded", path);
  *tensor = input;
  return VT_OK;
}

static bool has_file(const struct vt_run *run, const struct vt_run_snapshot *snapshot) {
  char *path = vt_path_join(run->path, snapshot->path);
  struct stat info;
  bool there = path != NULL && is_snapshot_path(snapshot->path) && stat(path, &info) == 0;
  vt_free(path);
  return there;
}

/* Says that a snapshot's file is missing, and which are there next to it. */
static void say_missing(const struct vt_run *run, const struct vt_run_snapshot *snapshot, const char *path,
                        struct vt_error *error) {
  const struct vt_run_snapshot *before = snapshot, *after = snapshot + 1, *end = run->snapshots + run->snapshot_count;
  while (before > run->snapshots && !has_file(run, before - 1)) before--;
  while (after < end && !has_file(run, after)) after++;
  char help[128];
  if (before > run->snapshots && after < end)
    snprintf(help, sizeof help, "ask for step %" PRIu64 " or %" PRIu64 ": their snapshots are there", before[-1].step,
             after->step);
  else if (before > run->snapshots || after < end)
    snprintf(help, sizeof help, "ask for step %" PRIu64 ": its snapshot is there",
             after < end ? after->step : before[-1].step);
  else
    snprintf(help, sizeof help, "copy the folder " VT_RUN_SNAPSHOTS " of the run, too: no snapshot is there");
  (void)VT_FAIL_HELP(error, VT_ERROR_NOT_FOUND, help, "%s: the snapshot of step %" PRIu64 " is missing", path,
                     snapshot->step);
}

/* Opens the file of a snapshot and holds it against what was recorded. */
static enum vt_status open_snapshot(const struct vt_run *run, const struct vt_run_snapshot *snapshot,
                                    struct vt_safetensors **out, const struct vt_tensor **input,
                                    struct vt_error *error) {
  if (!is_snapshot_path(snapshot->path))
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: damaged database: snapshot path \"%.64s\"", run->path, snapshot->path);
  char *path = vt_path_join(run->path, snapshot->path);
  if (path == NULL) return VT_FAIL_MEMORY(error, strlen(run->path));
  struct vt_safetensors *file;
  struct vt_error reason;
  enum vt_status status = vt_safetensors_open(path, &file, &reason);
  if (status == VT_OK) {
    status = check_input(run, snapshot, path, file, input, error);
    if (status == VT_OK)
      *out = file;
    else
      vt_safetensors_close(file);
  } else if (status == VT_ERROR_NOT_FOUND) {
    say_missing(run, snapshot, path, error);
  } else if (error != NULL) {
    *error = reason;
  }
  vt_free(path);
  return status;
}

enum vt_status vt_run_vectors(struct vt_run *run, uint64_t step, struct vt_vectors **vectors, struct vt_error *error) {
  const struct vt_run_snapshot *snapshot = find_snapshot(run, step);
  if (snapshot == NULL)
    return VT_FAIL(error, VT_ERROR_NOT_FOUND, "%s: no snapshot was recorded%s", run->path,
                   run->snapshot_count == 0 ? " yet" : " at that step or before it");
  struct vt_safetensors *file;
  const struct vt_tensor *input;
  VT_TRY(open_snapshot(run, snapshot, &file, &input, error));
  size_t rows = (size_t)input->shape[0], dim = (size_t)input->shape[1];
  float *data = vt_vectors_data_alloc(rows, dim);
  enum vt_status status = data == NULL ? VT_FAIL_MEMORY(error, rows * dim * sizeof *data) : VT_OK;
  if (status == VT_OK) status = vt_tensor_to_float(input, data, error);
  if (status == VT_OK)
    status = vt_vectors_create(run->vocab, data, dim, snapshot->step, vectors, error);
  else
    vt_free_aligned(data);
  vt_safetensors_close(file);
  return status;
}

enum vt_status vt_run_snapshot_file(const struct vt_run *run, size_t index, struct vt_safetensors **file,
                                    struct vt_error *error) {
  const struct vt_tensor *input;
  return open_snapshot(run, &run->snapshots[index], file, &input, error);
}

enum vt_status vt_run_dim(const struct vt_run *run, size_t index, size_t *dim, struct vt_error *error) {
  struct vt_safetensors *file;
  const struct vt_tensor *input;
  VT_TRY(open_snapshot(run, &run->snapshots[index], &file, &input, error));
  *dim = (size_t)input->shape[1];
  vt_safetensors_close(file);
  return VT_OK;
}

enum vt_status vt_run_rows(const struct vt_run *run, size_t index, const uint32_t *ids, size_t count, size_t dim,
                           size_t width, float *rows, struct vt_error *error) {
  const struct vt_run_snapshot *snapshot = &run->snapshots[index];
  struct vt_safetensors *file;
  const struct vt_tensor *input;
  VT_TRY(open_snapshot(run, snapshot, &file, &input, error));
  enum vt_status status = VT_OK;
  if (input->shape[1] != dim)
    status = VT_FAIL(error, VT_ERROR_CORRUPT, "%s/%s: vectors of %" PRIu64 " numbers, where the run has %zu", run->path,
                     snapshot->path, input->shape[1], dim);
  size_t row_bytes = dim * vt_dtype_bytes(input->dtype);
  for (size_t k = 0; k < count && status == VT_OK; k++) {
    struct vt_tensor row = *input;
    row.data = (const unsigned char *)input->data + ids[k] * row_bytes;
    row.bytes = row_bytes;
    status = vt_tensor_to_float(&row, rows + k * width, error);
    for (size_t c = dim; c < width; c++) rows[k * width + c] = 0;
  }
  vt_safetensors_close(file);
  return status;
}

enum vt_status vt_run_output(const struct vt_run *run, size_t index, size_t dim, float *output,
                             struct vt_error *error) {
  const struct vt_run_snapshot *snapshot = &run->snapshots[index];
  struct vt_safetensors *file;
  const struct vt_tensor *input;
  VT_TRY(open_snapshot(run, snapshot, &file, &input, error));
  const struct vt_tensor *found = vt_safetensors_find(file, "output");
  enum vt_status status = VT_OK;
  if (found == NULL)
    status = VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "train with --save-output", "%s: the run kept no output vectors",
                          run->path);
  else if (found->rank != 2 || found->shape[0] != vt_vocab_size(run->vocab) || found->shape[1] != dim)
    status = VT_FAIL(error, VT_ERROR_CORRUPT, "%s/%s: the output vectors are of another shape than the input vectors",
                     run->path, snapshot->path);
  else
    status = vt_tensor_to_float(found, output, error);
  vt_safetensors_close(file);
  return status;
}
