/*
 * recorder.c: a queue, and the thread that empties it.
 *
 * One mutex guards the queue and the flags; the thread takes the whole queue at a time, after letting rows gather for a
 * tenth of a second, and works on it unlocked (record_writer.h). What it wrote is committed once the queue has been
 * empty for a moment, too.
 */
#define _POSIX_C_SOURCE 200809L

#include "run/recorder.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/record_writer.h"

#define BYTES_WAITING_MAX ((size_t)48 << 20) /* of rows */
#define SNAPSHOTS_WAITING_MAX 2
/* Rows gather for so long, or until there are so many: each switch of threads takes time from the training. */
#define LINGER_NANOSECONDS 100000000L
#define LINGER_BYTES ((size_t)512 << 10)

/* Something for the writer, in a queue. What values and rows point to follows it in one block. */
struct item {
  struct item *next;
  struct vt_record record;
  size_t bytes; /* of a row, with all it points to */
};

struct vt_recorder {
  struct vt_record_writer writer; /* the thread's, once it runs */
  pthread_t thread;
  bool running;

  pthread_mutex_t mutex;
  pthread_cond_t changed; /* anything below */
  struct item *first;
  struct item *last;
  size_t bytes_waiting;      /* of rows */
  size_t snapshots_waiting;  /* queued or being written */
  struct vt_snapshot *spent; /* written, for the next one; or NULL */
  bool checkpoint_waiting;   /* likewise */
  bool busy;                 /* the thread holds items or an open transaction */
  bool flushing;             /* somebody waits for that to end */
  bool stopping;
  bool failed;
  struct vt_error failure;
  struct vt_error checkpoint_failure; /* of the last one; its status is VT_OK where it was written */
};

/* ---- the thread -------------------------------------------------------------------------------------------------- */

static void item_free(struct item *item) {
  vt_snapshot_free(item->record.snapshot);
  vt_checkpoint_free(item->record.copy);
  vt_free(item);
}

static void note_failure(struct vt_recorder *recorder, const struct vt_error *failure) {
  pthread_mutex_lock(&recorder->mutex);
  recorder->failed = true;
  recorder->failure = *failure;
  pthread_cond_broadcast(&recorder->changed);
  pthread_mutex_unlock(&recorder->mutex);
}

static void keep_spent(struct vt_recorder *recorder, struct item *item) {
  if (item->record.snapshot->in_files) return; /* files are given back at once */
  pthread_mutex_lock(&recorder->mutex);
  struct vt_snapshot *other = recorder->spent;
  recorder->spent = item->record.snapshot;
  pthread_mutex_unlock(&recorder->mutex);
  item->record.snapshot = other;
}

/* Writes and frees a list; after a failure it only frees. */
static void write_items(struct vt_recorder *recorder, struct item *list, bool failed) {
  struct vt_error error;
  while (list != NULL) {
    struct item *item = list;
    list = item->next;
    if (!failed && vt_record_write(&recorder->writer, &item->record, &error) != VT_OK) {
      failed = true;
      note_failure(recorder, &error);
    }
    bool was_snapshot = item->record.snapshot != NULL, was_checkpoint = item->record.checkpoint != NULL;
    if (was_snapshot) keep_spent(recorder, item);
    item_free(item);
    if (was_snapshot || was_checkpoint) {
      pthread_mutex_lock(&recorder->mutex);
      if (was_snapshot) recorder->snapshots_waiting--;
      if (was_checkpoint) {
        recorder->checkpoint_waiting = false;
        recorder->checkpoint_failure = recorder->writer.checkpoint_failure;
      }
      pthread_cond_broadcast(&recorder->changed);
      pthread_mutex_unlock(&recorder->mutex);
    }
  }
}

static bool is_urgent(const struct vt_recorder *recorder) {
  return recorder->stopping || recorder->flushing || recorder->failed || recorder->snapshots_waiting > 0 ||
         recorder->checkpoint_waiting || recorder->bytes_waiting >= LINGER_BYTES;
}

static void let_rows_gather(struct vt_recorder *recorder) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += LINGER_NANOSECONDS;
  until.tv_sec += until.tv_nsec / 1000000000L;
  until.tv_nsec %= 1000000000L;
  while (!is_urgent(recorder))
    if (pthread_cond_timedwait(&recorder->changed, &recorder->mutex, &until) == ETIMEDOUT) return;
}

/* Waits for work with the mutex held; true when an open transaction should be committed first. */
static bool wait_for_work(struct vt_recorder *recorder) {
  while (recorder->first == NULL && !recorder->stopping) {
    if (recorder->writer.in_transaction && recorder->flushing) return true;
    if (!recorder->writer.in_transaction) {
      recorder->busy = false;
      pthread_cond_broadcast(&recorder->changed);
      pthread_cond_wait(&recorder->changed, &recorder->mutex);
      continue;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 1;
    if (pthread_cond_timedwait(&recorder->changed, &recorder->mutex, &until) == ETIMEDOUT) return true;
  }
  let_rows_gather(recorder);
  return false;
}

static void *write_all(void *context) {
  struct vt_recorder *recorder = context;
  struct vt_error error;
  pthread_mutex_lock(&recorder->mutex);
  for (;;) {
    bool must_commit = wait_for_work(recorder);
    if (recorder->stopping && recorder->first == NULL) break;
    struct item *list = recorder->first;
    bool failed = recorder->failed;
    recorder->first = recorder->last = NULL;
    recorder->bytes_waiting = 0;
    recorder->busy = true;
    pthread_cond_broadcast(&recorder->changed);
    pthread_mutex_unlock(&recorder->mutex);
    write_items(recorder, list, failed);
    if (must_commit && vt_record_commit(&recorder->writer, &error) != VT_OK) note_failure(recorder, &error);
    pthread_mutex_lock(&recorder->mutex);
  }
  pthread_mutex_unlock(&recorder->mutex);
  if (vt_record_commit(&recorder->writer, &error) != VT_OK) note_failure(recorder, &error);
  return NULL;
}

/* ---- appending --------------------------------------------------------------------------------------------------- */

/* With the mutex held: the sticky failure, if there is one. */
static enum vt_status failure(const struct vt_recorder *recorder, struct vt_error *error) {
  if (!recorder->failed) return VT_OK;
  if (error != NULL) *error = recorder->failure;
  return recorder->failure.status;
}

/* Takes the item over in any case. */
static enum vt_status append(struct vt_recorder *recorder, struct item *item, struct vt_error *error) {
  bool is_snapshot = item->record.snapshot != NULL;
  pthread_mutex_lock(&recorder->mutex);
  while (!recorder->failed && (recorder->bytes_waiting >= BYTES_WAITING_MAX ||
                               (is_snapshot && recorder->snapshots_waiting >= SNAPSHOTS_WAITING_MAX)))
    pthread_cond_wait(&recorder->changed, &recorder->mutex);
  enum vt_status status = failure(recorder, error);
  if (status == VT_OK) {
    bool was_empty = recorder->first == NULL, was_urgent = is_urgent(recorder);
    if (was_empty)
      recorder->first = item;
    else
      recorder->last->next = item;
    recorder->last = item;
    recorder->bytes_waiting += item->bytes;
    if (is_snapshot) recorder->snapshots_waiting++;
    if (item->record.checkpoint != NULL) recorder->checkpoint_waiting = true;
    if (was_empty || (is_urgent(recorder) && !was_urgent)) pthread_cond_broadcast(&recorder->changed);
  }
  pthread_mutex_unlock(&recorder->mutex);
  if (status != VT_OK) item_free(item);
  return status;
}

/* Copies the row with all it points to, and queues it. */
static enum vt_status append_row(struct vt_recorder *recorder, enum vt_store_table table,
                                 const struct vt_store_value *values, size_t count, struct vt_error *error) {
  size_t bytes = sizeof(struct item);
  for (size_t k = 0; k < count; k++) bytes += values[k].bytes;
  struct item *item = vt_alloc(bytes, 1);
  if (item == NULL) return VT_FAIL_MEMORY(error, bytes);
  *item = (struct item){.record.table = table, .bytes = bytes};
  char *at = (char *)(item + 1);
  for (size_t k = 0; k < count; k++) {
    item->record.values[k] = values[k];
    if (values[k].bytes == 0) continue;
    memcpy(at, values[k].data, values[k].bytes);
    item->record.values[k].data = at;
    at += values[k].bytes;
  }
  return append(recorder, item, error);
}

#define APPEND(recorder, table, error, ...)                                                                            \
  append_row((recorder), (table), (const struct vt_store_value[]){__VA_ARGS__},                                        \
             sizeof((const struct vt_store_value[]){__VA_ARGS__}) / sizeof(struct vt_store_value), (error))

enum vt_status vt_recorder_meta(struct vt_recorder *recorder, const char *key, const char *value,
                                struct vt_error *error) {
  return APPEND(recorder, VT_STORE_META, error, vt_store_text(key), vt_store_text(value));
}

enum vt_status vt_recorder_step(struct vt_recorder *recorder, uint64_t step, uint32_t epoch, uint64_t tokens,
                                double seconds, double lr, struct vt_error *error) {
  return APPEND(recorder, VT_STORE_STEP, error, vt_store_integer(step), vt_store_integer(epoch),
                vt_store_integer(tokens), vt_store_real(seconds), vt_store_real(lr));
}

enum vt_status vt_recorder_metric(struct vt_recorder *recorder, uint64_t step, const char *name, double value,
                                  struct vt_error *error) {
  return APPEND(recorder, VT_STORE_METRIC, error, vt_store_integer(step), vt_store_text(name), vt_store_real(value));
}

enum vt_status vt_recorder_event(struct vt_recorder *recorder, uint64_t step, const char *kind, const char *severity,
                                 const char *text, struct vt_error *error) {
  return APPEND(recorder, VT_STORE_EVENT, error, vt_store_integer(step), vt_store_text(kind), vt_store_text(severity),
                vt_store_text(text));
}

enum vt_status vt_recorder_pair(struct vt_recorder *recorder, uint32_t a, uint32_t b, uint64_t step, double cosine,
                                struct vt_error *error) {
  return APPEND(recorder, VT_STORE_PAIR, error, vt_store_integer(a), vt_store_integer(b), vt_store_integer(step),
                vt_store_real(cosine));
}

enum vt_status vt_recorder_trail(struct vt_recorder *recorder, uint32_t word, uint64_t step, const float *vector,
                                 size_t dim, struct vt_error *error) {
  return APPEND(recorder, VT_STORE_TRAIL, error, vt_store_integer(word), vt_store_integer(step),
                vt_store_blob(vector, dim * sizeof *vector));
}

enum vt_status vt_recorder_ledger(struct vt_recorder *recorder, uint64_t step, const struct vt_ledger_span *span,
                                  struct vt_error *error) {
  if (span->count == 0) return VT_OK;
  const size_t numbers = span->count * sizeof(uint64_t), row = span->dim * sizeof(float);
  const size_t bytes = sizeof(struct item) + 2 * numbers + span->count * row;
  struct item *item = vt_alloc(bytes, 1);
  if (item == NULL) return VT_FAIL_MEMORY(error, bytes);
  uint64_t *keys = (uint64_t *)(item + 1), *updates = keys + span->count;
  float *vectors = (void *)(updates + span->count);
  *item = (struct item){.record = {.ledger = *span, .ledger_step = step}, .bytes = bytes};
  item->record.ledger.keys = memcpy(keys, span->keys, numbers);
  item->record.ledger.updates = memcpy(updates, span->updates, numbers);
  item->record.ledger.vectors = vectors;
  item->record.ledger.stride = span->dim;
  for (size_t e = 0; e < span->count; e++) memcpy(vectors + e * span->dim, span->vectors + e * span->stride, row);
  return append(recorder, item, error);
}

enum vt_status vt_recorder_snapshot(struct vt_recorder *recorder, uint64_t step, bool float32,
                                    const struct vt_snapshot_source *source, struct vt_error *error) {
  struct item *item = vt_alloc_zero(1, sizeof *item);
  if (item == NULL) return VT_FAIL_MEMORY(error, sizeof *item);
  pthread_mutex_lock(&recorder->mutex);
  struct vt_snapshot *spent = recorder->spent;
  recorder->spent = NULL;
  pthread_mutex_unlock(&recorder->mutex);
  enum vt_dtype dtype = float32 ? VT_DTYPE_F32 : VT_DTYPE_F16;
  enum vt_status status = vt_snapshot_take(step, dtype, source, spent, &item->record.snapshot, error);
  if (status != VT_OK) {
    item_free(item);
    return status;
  }
  return append(recorder, item, error);
}

enum vt_status vt_recorder_checkpoint(struct vt_recorder *recorder, const struct vt_checkpoint *checkpoint, bool wait,
                                      struct vt_error *error) {
  struct item *item = vt_alloc_zero(1, sizeof *item);
  if (item == NULL) return VT_FAIL_MEMORY(error, sizeof *item);
  enum vt_status status = wait ? VT_OK : vt_checkpoint_copy(checkpoint, &item->record.copy, error);
  if (status != VT_OK) {
    item_free(item);
    return status;
  }
  item->record.checkpoint = wait ? checkpoint : item->record.copy;
  VT_TRY(append(recorder, item, error));
  if (!wait) return VT_OK;
  VT_TRY(vt_recorder_flush(recorder, error));
  pthread_mutex_lock(&recorder->mutex);
  status = recorder->checkpoint_failure.status;
  if (status != VT_OK && error != NULL) *error = recorder->checkpoint_failure;
  pthread_mutex_unlock(&recorder->mutex);
  return status;
}

bool vt_recorder_has_checkpoint(struct vt_recorder *recorder) {
  pthread_mutex_lock(&recorder->mutex);
  bool waiting = recorder->checkpoint_waiting;
  pthread_mutex_unlock(&recorder->mutex);
  return waiting;
}

enum vt_status vt_recorder_flush(struct vt_recorder *recorder, struct vt_error *error) {
  pthread_mutex_lock(&recorder->mutex);
  recorder->flushing = true;
  pthread_cond_broadcast(&recorder->changed);
  while (!recorder->failed && (recorder->first != NULL || recorder->busy))
    pthread_cond_wait(&recorder->changed, &recorder->mutex);
  recorder->flushing = false;
  enum vt_status status = failure(recorder, error);
  pthread_mutex_unlock(&recorder->mutex);
  return status;
}

/* ---- making and ending ------------------------------------------------------------------------------------------- */

/* vocab: of a run that is made; NULL: go on at `step`. */
static enum vt_status start(const char *run_path, const struct vt_vocab *vocab, uint64_t step, struct vt_recorder **out,
                            struct vt_error *error) {
  struct vt_recorder *recorder = vt_alloc_zero(1, sizeof *recorder);
  if (recorder == NULL) return VT_FAIL_MEMORY(error, sizeof *recorder);
  pthread_mutex_init(&recorder->mutex, NULL);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* a wall clock put back would hold up a commit */
  pthread_cond_init(&recorder->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  recorder->busy = true; /* until the thread says otherwise */
  enum vt_status status = vocab != NULL
                              ? vt_record_writer_create(&recorder->writer, run_path, vocab, error)
                              : vt_record_writer_open(&recorder->writer, run_path, step, VT_STORE_EVENTS_KEEP, error);
  if (status == VT_OK) {
    int code = pthread_create(&recorder->thread, NULL, write_all, recorder);
    recorder->running = code == 0;
    if (code != 0) status = VT_FAIL(error, VT_ERROR_THREAD, "cannot start the recorder: %s", strerror(code));
  }
  if (status != VT_OK) {
    vt_recorder_free(recorder);
    return status;
  }
  *out = recorder;
  return VT_OK;
}

enum vt_status vt_recorder_create(const char *run_path, const struct vt_vocab *vocab, struct vt_recorder **recorder,
                                  struct vt_error *error) {
  return start(run_path, vocab, 0, recorder, error);
}

enum vt_status vt_recorder_open(const char *run_path, uint64_t step, struct vt_recorder **recorder,
                                struct vt_error *error) {
  return start(run_path, NULL, step, recorder, error);
}

enum vt_status vt_recorder_take_back(const char *run_path, uint64_t step, struct vt_error *error) {
  struct vt_record_writer writer = {0};
  enum vt_status status = vt_record_writer_open(&writer, run_path, step, VT_STORE_EVENTS_CUT, error);
  vt_record_writer_release(&writer);
  if (status != VT_OK) return status;
  return vt_sync_folder(run_path, error);
}

static void stop(struct vt_recorder *recorder) {
  pthread_mutex_lock(&recorder->mutex);
  recorder->stopping = true;
  pthread_cond_broadcast(&recorder->changed);
  pthread_mutex_unlock(&recorder->mutex);
  if (recorder->running) pthread_join(recorder->thread, NULL);
  recorder->running = false;
}

void vt_recorder_free(struct vt_recorder *recorder) {
  if (recorder == NULL) return;
  pthread_mutex_lock(&recorder->mutex);
  struct item *dropped = recorder->first;
  recorder->first = recorder->last = NULL;
  pthread_mutex_unlock(&recorder->mutex);
  stop(recorder);
  while (dropped != NULL) {
    struct item *next = dropped->next;
    item_free(dropped);
    dropped = next;
  }
  vt_snapshot_free(recorder->spent);
  vt_record_writer_release(&recorder->writer);
  pthread_cond_destroy(&recorder->changed);
  pthread_mutex_destroy(&recorder->mutex);
  vt_free(recorder);
}

enum vt_status vt_recorder_close(struct vt_recorder **recorder, struct vt_error *error) {
  struct vt_recorder *ending = *recorder;
  *recorder = NULL;
  enum vt_status status = vt_recorder_flush(ending, error);
  if (status == VT_OK) status = vt_sync_folder(ending->writer.path, error);
  vt_recorder_free(ending);
  return status;
}
