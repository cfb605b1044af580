/* Going on with a run (label: threads, label: long): wherever it was stopped, and with however many threads it goes on,
 * it ends as if it had never been stopped; what cannot be gone on with is refused and left as it is. */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/checkpoint.h"
#include "run/folder.h"
#include "run/lock.h"
#include "run/safetensors.h"
#include "run/store.h"
#include "support/planted.h"
#include "text/corpus_internal.h"
#include "vectrail/run.h"
#include "vectrail/train.h"

static volatile sig_atomic_t stop;

/* Told at every boundary: stops the training at step `stop_at`, and puts the checkpoint of about `keep_at` aside. */
struct watcher {
  uint64_t stop_at;
  uint64_t keep_at;
  const char *checkpoint;
  const char *kept;
  uint64_t first_told;
  bool told;
  const char *busy; /* a run to try to go on with meanwhile */
  enum vt_status busy_status;
};

static void copy_file(const char *from, const char *to) {
  size_t bytes;
  char *data = vtt_read(from, &bytes);
  FILE *file = fopen(to, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(data, 1, bytes, file), bytes);
  assert_int_equal(fclose(file), 0);
  free(data);
}

static void watch(void *context, const struct vt_train_progress *progress) {
  struct watcher *watcher = context;
  if (!watcher->told) watcher->first_told = progress->step;
  watcher->told = true;
  if (progress->step + 1 >= watcher->stop_at) stop = 1;
  if (watcher->kept != NULL && progress->step >= watcher->keep_at && !vtt_exists(watcher->kept) &&
      vtt_exists(watcher->checkpoint))
    copy_file(watcher->checkpoint, watcher->kept);
  if (watcher->busy != NULL && watcher->busy_status == VT_OK) {
    struct vt_resume_request request;
    vt_resume_request_init(&request);
    request.run_path = watcher->busy;
    watcher->busy_status = vt_resume(&request, NULL, NULL);
  }
}

static const char *const watched[] = {"syn0a", "w0g0"};
static const char *const pairs[] = {"syn0a", "syn0b", "w0g0", "w0g1"};

static void request_init(struct vt_train_request *request, const char *const *inputs, const char *run) {
  *request = (struct vt_train_request){.inputs = inputs, .input_count = 1, .run_path = run};
  vt_corpus_options_init(&request->corpus);
  vt_train_options_init(&request->train);
  vt_record_options_init(&request->record);
  request->corpus.min_count = 1;
  request->train.dim = 20;
  request->train.block_tokens = 32;
  request->train.blocks = 3;
  request->train.epochs = 3;
  request->train.sample = 1e-3;
  request->train.held_out = 0.03;
  request->train.threads = 2;
  request->record.snapshots = 8;
  request->record.metrics = 20;
  request->record.probes = 7;
  request->record.checkpoint_seconds = 0;
  request->record.watch = watched;
  request->record.watch_count = 2;
  request->record.watch_every = 4;
  request->record.pairs = pairs;
  request->record.pair_count = 2;
  request->interrupt = &stop;
}

/* An interrupt before that would stop the reading. */
static void corpus_ready(void *context, const struct vt_corpus_report *report, const struct vt_vocab *vocab) {
  const struct watcher *watcher = context;
  assert_true(report->tokens > 0 && vt_vocab_size(vocab) > 0);
  if (watcher->stop_at == 0) stop = 1;
}

static enum vt_status train_until(struct vt_train_request *request, struct watcher *watcher,
                                  struct vt_train_result *result) {
  struct vt_error error = {.status = VT_OK};
  stop = 0;
  request->corpus_ready = corpus_ready;
  request->corpus_ready_context = watcher;
  request->progress = watch;
  request->progress_context = watcher;
  enum vt_status status = vt_train(request, result, &error);
  if (status != VT_OK && status != VT_ERROR_INTERRUPTED) fail_msg("%s", error.message);
  return status;
}

static enum vt_status resume_until(const char *run, int threads, struct watcher *watcher,
                                   struct vt_train_result *result, struct vt_error *error) {
  struct vt_resume_request request;
  vt_resume_request_init(&request);
  request.run_path = run;
  request.threads = threads;
  request.corpus_ready = corpus_ready;
  request.corpus_ready_context = watcher;
  request.progress = watch;
  request.progress_context = watcher;
  request.interrupt = &stop;
  stop = 0;
  return vt_resume(&request, result, error);
}

static void finish(const char *run, int threads, uint64_t expected_step) {
  struct watcher watcher = {.stop_at = UINT64_MAX};
  struct vt_train_result result;
  struct vt_error error;
  if (resume_until(run, threads, &watcher, &result, &error) != VT_OK) fail_msg("%s", error.message);
  assert_int_equal(result.first_step, expected_step);
  assert_int_equal(watcher.first_told, expected_step);
}

/* ---- two runs, row by row ---------------------------------------------------------------------------------------- */

struct rows {
  char *text; /* all rows of a table, one behind the other */
  size_t bytes;
  size_t count;
  int columns;
  int skipped; /* a column left out, or -1 */
};

static void add_bytes(struct rows *rows, const void *data, size_t bytes) {
  rows->text = realloc(rows->text, rows->bytes + bytes + 1);
  assert_non_null(rows->text);
  if (bytes > 0) memcpy(rows->text + rows->bytes, data, bytes);
  rows->bytes += bytes;
}

static enum vt_status add_row(void *context, const struct vt_store_value *values, struct vt_error *error) {
  struct rows *rows = context;
  (void)error;
  for (int c = 0; c < rows->columns; c++) {
    if (c == rows->skipped) continue;
    add_bytes(rows, &values[c].type, sizeof values[c].type);
    if (values[c].type == VT_STORE_INTEGER) add_bytes(rows, &values[c].integer, sizeof values[c].integer);
    if (values[c].type == VT_STORE_REAL) add_bytes(rows, &values[c].real, sizeof values[c].real);
    if (values[c].type == VT_STORE_TEXT || values[c].type == VT_STORE_BLOB)
      add_bytes(rows, values[c].data, values[c].bytes);
  }
  rows->count++;
  return VT_OK;
}

static struct rows read_rows(const char *run, enum vt_store_table table, int columns, int skipped) {
  struct rows rows = {.columns = columns, .skipped = skipped};
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", run, VT_RUN_DATABASE);
  struct vt_store *store;
  assert_int_equal(vt_store_open(path, &store, NULL), VT_OK);
  assert_int_equal(vt_store_read(store, table, add_row, &rows, NULL), VT_OK);
  vt_store_close(store);
  return rows;
}

static void compare_rows(const char *a, const char *b, enum vt_store_table table, int columns, int skipped) {
  struct rows x = read_rows(a, table, columns, skipped), y = read_rows(b, table, columns, skipped);
  assert_true(x.count > 5);
  assert_int_equal(x.count, y.count);
  assert_int_equal(x.bytes, y.bytes);
  assert_memory_equal(x.text, y.text, x.bytes);
  free(x.text);
  free(y.text);
}

/* The rows hold the SHA-256 of the snapshots; the files must have it. */
static void check_snapshots(const char *path) {
  struct vt_run *run;
  assert_int_equal(vt_run_open(path, &run, NULL), VT_OK);
  for (size_t k = 0; k < vt_run_snapshot_count(run); k++) {
    struct vt_vectors *vectors;
    assert_int_equal(vt_run_vectors(run, vt_run_snapshot_at(run, k).step, &vectors, NULL), VT_OK);
    assert_int_equal(vectors->step, vt_run_snapshot_at(run, k).step);
    vt_vectors_free(vectors);
  }
  vt_run_close(run);
}

static const char *inside(struct vtt_folder *folder, const char *run, const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", strrchr(run, '/') + 1, name);
  return vtt_path(folder, path);
}

static void expect_same(struct vtt_folder *folder, const char *whole, const char *broken) {
  compare_rows(whole, broken, VT_STORE_METRIC, 3, -1);
  compare_rows(whole, broken, VT_STORE_TRAIL, 3, -1);
  compare_rows(whole, broken, VT_STORE_SNAPSHOT, 4, -1);
  compare_rows(whole, broken, VT_STORE_STEP, 5, 3); /* but for the seconds */
  compare_rows(whole, broken, VT_STORE_WORD, 3, -1);
  check_snapshots(broken);
  assert_false(vtt_exists(inside(folder, broken, VT_RUN_CORPUS)));
  assert_false(vtt_exists(inside(folder, broken, VT_RUN_CHECKPOINT)));
  assert_false(vtt_exists(inside(folder, broken, VT_RUN_LOCK)));
}

/* ---- stopped and gone on with ------------------------------------------------------------------------------------ */

static void plain(struct vt_train_request *request) { request->record.float32 = true; }
static void cbow(struct vt_train_request *request) {
  request->train.model = VT_MODEL_CBOW;
  request->record.output = true;
}
static void hierarchical(struct vt_train_request *request) {
  request->train.loss = VT_LOSS_HIERARCHICAL_SOFTMAX;
  request->train.schedule = VT_SCHEDULE_COSINE;
}
static void penalty(struct vt_train_request *request) {
  request->train.l2 = 1e-4;
  request->train.schedule = VT_SCHEDULE_CONSTANT;
  request->record.output = true;
}
/* So strong that the books of the decay are renewed on the way. */
static void strong_penalty(struct vt_train_request *request) {
  request->train.l2 = 0.2;
  request->train.lr = 0.5;
}
static void adagrad(struct vt_train_request *request) {
  request->train.optimizer = VT_OPTIMIZER_ADAGRAD;
  request->train.l2 = 1e-4;
  request->record.output = true;
}
/* Batches do not end where blocks do, so that there are broken ones. */
static void softmax(struct vt_train_request *request) {
  request->train.loss = VT_LOSS_SOFTMAX;
  request->train.optimizer = VT_OPTIMIZER_ADAMW;
  request->train.batch = 100;
  request->train.lr = 0.01;
  request->record.output = true;
}

static void glove(struct vt_train_request *request) {
  request->train.model = VT_MODEL_GLOVE;
  request->train.loss = VT_LOSS_SQUARES;
  request->train.optimizer = VT_OPTIMIZER_ADAGRAD;
  request->train.held_out = 0;
  request->train.l2 = 1e-5;
  request->train.lr = 0.1;
  request->record.output = true;
}

/* An epoch is a step. */
static void full_batches(struct vt_train_request *request) {
  softmax(request);
  request->train.batch = VT_BATCH_FULL;
  request->train.epochs = 36;
}
static void quadratic(struct vt_train_request *request) {
  request->train.loss = VT_LOSS_QUADRATIC;
  request->train.batch = VT_BATCH_FULL;
  request->train.epochs = 36;
  request->train.held_out = 0;
}
static void quadratic_samples(struct vt_train_request *request) {
  quadratic(request);
  request->train.batch = 50;
  request->train.lr = 0.1;
}

static void stopped_anywhere_it_ends_the_same(void **state) {
  void (*change)(struct vt_train_request *) = *(void (*const *)(struct vt_train_request *)) * state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 160, 3), *whole = vtt_path(folder, "whole");
  struct vt_train_request request;
  struct vt_train_result result;
  struct watcher watcher = {.stop_at = UINT64_MAX};
  request_init(&request, &corpus, whole);
  change(&request);
  assert_int_equal(train_until(&request, &watcher, &result), VT_OK);
  assert_int_equal(result.first_step, 0);
  uint64_t steps = result.steps, per_epoch = steps / 3;
  assert_true(per_epoch > 10);
  const uint64_t stops[] = {0, 1, 2, 7, per_epoch, per_epoch + 1, 2 * per_epoch - 1, steps - 1};
  /* TSan is shown one stop: two threads, a checkpoint at every step, gone on with three. */
  for (size_t k = vtt_under_tsan; k < sizeof stops / sizeof stops[0]; k += vtt_under_tsan ? 8 : vtt_sanitized ? 3 : 1) {
    char name[32];
    snprintf(name, sizeof name, "run%zu", k);
    const char *run = vtt_path(folder, name);
    request.run_path = run;
    request.train.threads = 1 + (int)(k % 3);
    request.record.checkpoint_seconds = k % 2 == 0 ? 0 : 1e-9; /* the latter: at every step */
    struct watcher stopping = {.stop_at = stops[k]};
    assert_int_equal(train_until(&request, &stopping, &result), VT_ERROR_INTERRUPTED);
    assert_int_equal(result.steps, stops[k]);
    finish(run, 1 + (int)((k + 1) % 3), stops[k]);
    expect_same(folder, whole, run);
  }
  vtt_folder_remove(folder);
}

static enum vt_status grows(void *context, const struct vt_store_value *values, struct vt_error *error) {
  double *seconds = context;
  (void)error;
  assert_true(values[3].real >= *seconds);
  *seconds = values[3].real;
  return VT_OK;
}

/* The seconds go on where the sitting before left them. */
static void check_seconds(const char *run) {
  char path[4096];
  double seconds = 0;
  struct vt_store *store;
  snprintf(path, sizeof path, "%s/%s", run, VT_RUN_DATABASE);
  assert_int_equal(vt_store_open(path, &store, NULL), VT_OK);
  assert_int_equal(vt_store_read(store, VT_STORE_STEP, grows, &seconds, NULL), VT_OK);
  vt_store_close(store);
  assert_true(seconds > 0);
}

/* The measurements in the checkpoint are those of the whole run, not of the last sitting. */
static void check_measurements(struct vtt_folder *folder, const char *run) {
  enum { COLUMNS = 4, OVERLAP = 3 };
  struct vt_safetensors *file;
  struct vt_run *opened;
  struct vt_run_point *losses, *overlaps;
  size_t loss_count, overlap_count, before = 0, at = 0;
  uint64_t step;
  assert_int_equal(vt_safetensors_open(inside(folder, run, VT_RUN_CHECKPOINT), &file, NULL), VT_OK);
  const struct vt_tensor *measurements = vt_safetensors_find(file, "measurements");
  assert_non_null(measurements);
  memcpy(&step, vt_safetensors_find(file, "step")->data, sizeof step);
  assert_int_equal(vt_run_open(run, &opened, NULL), VT_OK);
  assert_int_equal(vt_run_metric(opened, "probe_loss", &losses, &loss_count, NULL), VT_OK);
  assert_int_equal(vt_run_metric(opened, "overlap", &overlaps, &overlap_count, NULL), VT_OK);
  /* What was measured at the step itself was measured after the checkpoint, for the readers. */
  while (before < overlap_count && overlaps[before].step < step) before++;
  assert_int_equal(measurements->shape[0], before);
  assert_int_equal(measurements->shape[1], COLUMNS);
  for (size_t k = 0; k < before; k++) {
    const char *row = (const char *)measurements->data + k * COLUMNS * sizeof(double);
    double overlap;
    memcpy(&overlap, row + OVERLAP * sizeof overlap, sizeof overlap);
    while (losses[at].step < overlaps[k].step) at++;
    assert_int_equal(losses[at].step, overlaps[k].step);
    assert_memory_equal(row, &losses[at].value, sizeof(double));
    assert_true(k == 0 ? isnan(overlap) && isnan(overlaps[0].value) : overlap == overlaps[k].value);
  }
  vt_run_points_free(losses);
  vt_run_points_free(overlaps);
  vt_run_close(opened);
  vt_safetensors_close(file);
}

static void stopped_again_and_again(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 160, 3), *whole = vtt_path(folder, "whole");
  const char *run = vtt_path(folder, "run");
  struct vt_train_request request;
  struct vt_train_result result;
  struct watcher watcher = {.stop_at = UINT64_MAX};
  request_init(&request, &corpus, whole);
  assert_int_equal(train_until(&request, &watcher, &result), VT_OK);
  uint64_t steps = result.steps, step = 3;
  request.run_path = run;
  struct watcher stopping = {.stop_at = step};
  assert_int_equal(train_until(&request, &stopping, &result), VT_ERROR_INTERRUPTED);
  for (int sitting = 0; step + 9 < steps; sitting++) {
    struct watcher next = {.stop_at = step + 9};
    assert_int_equal(resume_until(run, 1 + sitting % 4, &next, &result, NULL), VT_ERROR_INTERRUPTED);
    assert_int_equal(result.first_step, step);
    assert_int_equal(result.steps, step + 9);
    check_measurements(folder, run);
    step += 9;
  }
  finish(run, 2, step);
  check_seconds(run);
  expect_same(folder, whole, run);
  vtt_folder_remove(folder);
}

/* A killed process leaves rows, snapshots and half-written files from after its last checkpoint. */
static void what_came_after_the_checkpoint_is_done_again(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 160, 3), *whole = vtt_path(folder, "whole");
  struct vt_train_request request;
  struct vt_train_result result;
  struct watcher watcher = {.stop_at = UINT64_MAX};
  request_init(&request, &corpus, whole);
  assert_int_equal(train_until(&request, &watcher, &result), VT_OK);
  for (int early = 0; early < 2; early++) { /* with an early checkpoint, and with none at all */
    const char *run = vtt_path(folder, early ? "early" : "none");
    const char *checkpoint = inside(folder, run, VT_RUN_CHECKPOINT);
    const char *kept = vtt_path(folder, "kept.safetensors");
    request.run_path = run;
    request.record.checkpoint_seconds = early ? 1e-9 : 0;
    struct watcher stopping = {.stop_at = result.steps - 4, .keep_at = 6, .checkpoint = checkpoint};
    if (early) stopping.kept = kept;
    struct vt_train_result stopped;
    assert_int_equal(train_until(&request, &stopping, &stopped), VT_ERROR_INTERRUPTED);
    assert_true(vtt_exists(checkpoint));
    if (early)
      assert_int_equal(rename(kept, checkpoint), 0);
    else
      assert_int_equal(unlink(checkpoint), 0);
    const char *orphan = inside(folder, run, "snapshots/1000000.safetensors");
    const char *half = inside(folder, run, "snapshots/.88.safetensors.4711-3.tmp");
    const char *half_checkpoint = inside(folder, run, ".checkpoint.safetensors.4711-4.tmp");
    const char *foreign = inside(folder, run, "notes.txt"), *export = inside(folder, run, "1000000.safetensors");
    const char *const files[] = {orphan, half, half_checkpoint, foreign, export};
    for (size_t k = 0; k < 5; k++) copy_file(corpus, files[k]);
    struct watcher going = {.stop_at = UINT64_MAX};
    struct vt_train_result resumed;
    struct vt_error error;
    if (resume_until(run, 3, &going, &resumed, &error) != VT_OK) fail_msg("%s", error.message);
    assert_true(early ? resumed.first_step >= 1 && resumed.first_step < stopped.steps : resumed.first_step == 0);
    expect_same(folder, whole, run);
    for (size_t k = 0; k < 5; k++) assert_int_equal(vtt_exists(files[k]), k >= 3);
  }
  vtt_folder_remove(folder);
}

static void stopped_while_reading_it_leaves_nothing(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 160, 3), *run = vtt_path(folder, "run");
  struct vt_train_request request;
  struct vt_error error;
  request_init(&request, &corpus, run);
  stop = 1;
  assert_int_equal(vt_train(&request, NULL, &error), VT_ERROR_INTERRUPTED);
  assert_non_null(strstr(error.message, "while reading"));
  assert_int_equal(vtt_folder_entries(folder), 1);
  vtt_folder_remove(folder);
}

/* ---- refused ----------------------------------------------------------------------------------------------------- */

/* A run stopped at step 9. */
static const char *stopped_run(struct vtt_folder *folder, const char *name) {
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 160, 3), *run = vtt_path(folder, name);
  struct vt_train_request request;
  struct vt_train_result result;
  struct watcher watcher = {.stop_at = 9};
  request_init(&request, &corpus, run);
  assert_int_equal(train_until(&request, &watcher, &result), VT_ERROR_INTERRUPTED);
  return run;
}

static void expect_refused(const char *run, enum vt_status status, const char *cause) {
  struct rows before = read_rows(run, VT_STORE_METRIC, 3, -1);
  struct watcher watcher = {.stop_at = UINT64_MAX};
  struct vt_error error;
  enum vt_status refused = resume_until(run, 2, &watcher, NULL, &error);
  if (refused != status || strstr(error.message, cause) == NULL)
    fail_msg("%s expected, with \"%s\": %s, %s", vt_status_name(status), cause, vt_status_name(refused), error.message);
  assert_false(watcher.told);
  struct rows after = read_rows(run, VT_STORE_METRIC, 3, -1);
  assert_int_equal(before.count, after.count);
  free(before.text);
  free(after.text);
}

static void a_damaged_checkpoint_is_refused(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *run = stopped_run(folder, "run"), *name = "run/" VT_RUN_CHECKPOINT;
  const char *checkpoint = inside(folder, run, VT_RUN_CHECKPOINT);
  size_t bytes;
  char *good = vtt_read(checkpoint, &bytes), *bad = malloc(bytes + 1);
  assert_non_null(bad);
  const size_t lengths[] = {0, 1, 7, 8, 100, bytes / 2, bytes - 1};
  for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
    vtt_write(folder, name, good, lengths[k]);
    expect_refused(run, VT_ERROR_CORRUPT, VT_RUN_CHECKPOINT);
  }
  for (size_t at = 3; at < bytes; at += bytes / 40) { /* a bit anywhere */
    memcpy(bad, good, bytes);
    bad[at] = (char)(bad[at] ^ 4);
    vtt_write(folder, name, bad, bytes);
    expect_refused(run, VT_ERROR_CORRUPT, VT_RUN_CHECKPOINT);
  }
  vtt_write(folder, name, good, bytes);
  finish(run, 2, 9);
  free(good);
  free(bad);
  vtt_folder_remove(folder);
}

static void the_checkpoint_of_another_run_is_refused(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *run = stopped_run(folder, "run"), *checkpoint = inside(folder, run, VT_RUN_CHECKPOINT);
  const char *corpus = vtt_path(folder, "corpus.txt"), *other = vtt_path(folder, "other");
  static const char *const causes[] = {"another run", "\"input\"", "no place of this run"};
  for (int k = 0; k < 3; k++) {
    struct vt_train_request request;
    struct vt_train_result result;
    struct watcher watcher = {.stop_at = 9};
    request_init(&request, &corpus, other);
    request.force = true;
    if (k == 0) request.train.seed = 2;
    if (k == 1) request.train.dim = 21;
    if (k == 2) request.train.epochs = 4;
    assert_int_equal(train_until(&request, &watcher, &result), VT_ERROR_INTERRUPTED);
    copy_file(inside(folder, other, VT_RUN_CHECKPOINT), checkpoint);
    expect_refused(run, VT_ERROR_CORRUPT, causes[k]);
  }
  vtt_folder_remove(folder);
}

/* The encoded text with two words changed places, in a header that says so, or a header that says something else. */
static void write_forged(struct vtt_folder *folder, const char *name, const char *good, size_t bytes, bool swapped) {
  char *forged = malloc(bytes);
  assert_non_null(forged);
  memcpy(forged, good, bytes);
  struct vt_corpus_header header;
  memcpy(&header, forged, sizeof header);
  uint32_t *ids = malloc(bytes - sizeof header);
  assert_non_null(ids);
  memcpy(ids, forged + sizeof header, bytes - sizeof header);
  size_t other = 1;
  while (ids[other] == ids[0] || ids[other] == VT_CORPUS_END) other++;
  uint32_t first = ids[0];
  ids[0] = ids[other];
  ids[other] = first;
  header.fingerprint = vt_corpus_hash_entries(ids, (size_t)header.entries, 0);
  vt_corpus_header_seal(&header);
  memcpy(forged, &header, sizeof header);
  if (swapped) memcpy(forged + sizeof header, ids, bytes - sizeof header);
  vtt_write(folder, name, forged, bytes);
  free(ids);
  free(forged);
}

static void another_corpus_is_refused(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *run = stopped_run(folder, "run"), *name = "run/" VT_RUN_CORPUS;
  const char *encoded = inside(folder, run, VT_RUN_CORPUS);
  size_t bytes;
  char *good = vtt_read(encoded, &bytes), *bad = malloc(bytes);
  assert_non_null(bad);
  for (size_t at = 1; at < bytes; at += bytes / 30) {
    memcpy(bad, good, bytes);
    bad[at] = (char)(bad[at] ^ 64);
    vtt_write(folder, name, bad, bytes);
    expect_refused(run, VT_ERROR_CORRUPT, VT_RUN_CORPUS);
  }
  for (int swapped = 0; swapped < 2; swapped++) {
    write_forged(folder, name, good, bytes, swapped == 1);
    expect_refused(run, VT_ERROR_CORRUPT, "not the text that this run was begun with");
  }
  vtt_write(folder, name, good, bytes - 4);
  expect_refused(run, VT_ERROR_CORRUPT, VT_RUN_CORPUS);
  assert_int_equal(unlink(encoded), 0);
  expect_refused(run, VT_ERROR_NOT_FOUND, VT_RUN_CORPUS);
  /* A sound file, of another text. */
  const char *text = vtt_planted_corpus(folder, "another.txt", 400, 4);
  struct vt_corpus_options options;
  struct vt_vocab *vocab;
  struct vt_corpus *corpus;
  vt_corpus_options_init(&options);
  assert_int_equal(vt_corpus_encode(&text, 1, &options, encoded, &vocab, &corpus, NULL, NULL), VT_OK);
  vt_vocab_free(vocab);
  vt_corpus_free(corpus);
  expect_refused(run, VT_ERROR_CORRUPT, "not the text that this run was begun with");
  vtt_write(folder, name, good, bytes);
  finish(run, 2, 9);
  free(good);
  free(bad);
  vtt_folder_remove(folder);
}

static void put_meta(const char *run, const char *key, const char *value) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", run, VT_RUN_DATABASE);
  struct vt_store *store;
  assert_int_equal(vt_store_open_writable(path, &store, NULL), VT_OK);
  const struct vt_store_value values[] = {vt_store_text(key), vt_store_text(value)};
  assert_int_equal(vt_store_begin(store, NULL), VT_OK);
  assert_int_equal(vt_store_insert(store, VT_STORE_META, values, NULL), VT_OK);
  assert_int_equal(vt_store_commit(store, NULL), VT_OK);
  vt_store_close(store);
}

static void settings_that_make_no_sense_are_refused(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *run = stopped_run(folder, "run");
  static const struct {
    const char *key, *bad, *good;
    enum vt_status status;
  } cases[] = {
      {"lr", "much", "0.025", VT_ERROR_CORRUPT},        {"lr", "nan", "0.025", VT_ERROR_CORRUPT},
      {"dim", "20x", "20", VT_ERROR_CORRUPT},           {"dim", "-1", "20", VT_ERROR_CORRUPT},
      {"dim", "4294967316", "20", VT_ERROR_CORRUPT},    {"dim", "0", "20", VT_ERROR_ARGUMENT},
      {"model", "magic", "skipgram", VT_ERROR_CORRUPT}, {"float32", "2", "0", VT_ERROR_CORRUPT},
      {"snapshots", "1", "8", VT_ERROR_ARGUMENT},       {"watch", "syn0a\nzebra", "syn0a\nw0g0", VT_ERROR_CORRUPT},
      {"corpus_tokens", "12", NULL, VT_ERROR_CORRUPT},
  };
  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    put_meta(run, cases[k].key, cases[k].bad);
    expect_refused(run, cases[k].status, "");
    if (cases[k].good != NULL) put_meta(run, cases[k].key, cases[k].good);
  }
  put_meta(run, "vectrail", "99.9.9");
  expect_refused(run, VT_ERROR_VERSION, "99.9.9");
  vtt_folder_remove(folder);
}

static void a_diverged_run_is_refused(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 2000, 1), *run = vtt_path(folder, "run");
  struct vt_train_request request;
  request_init(&request, &corpus, run);
  request.train.epochs = 1000;
  request.train.lr = 1000;
  request.record.checkpoint_seconds = 1e-9;
  request.interrupt = NULL;
  assert_int_equal(vt_train(&request, NULL, NULL), VT_ERROR_DIVERGED);
  expect_refused(run, VT_ERROR_DIVERGED, "diverged at step");
  assert_false(vtt_exists(inside(folder, run, VT_RUN_CHECKPOINT)));
  assert_false(vtt_exists(inside(folder, run, VT_RUN_CORPUS)));
  vtt_folder_remove(folder);
}

static void one_writer_at_a_time(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *run = stopped_run(folder, "run"), *corpus = vtt_path(folder, "corpus.txt");
  struct watcher watcher = {.stop_at = 20, .busy = run};
  assert_int_equal(resume_until(run, 2, &watcher, NULL, NULL), VT_ERROR_INTERRUPTED);
  assert_int_equal(watcher.busy_status, VT_ERROR_BUSY);
  int lock;
  assert_int_equal(vt_run_lock_take(run, &lock, NULL), VT_OK);
  struct vt_train_request request;
  struct vt_error error;
  request_init(&request, &corpus, run);
  request.force = true;
  assert_int_equal(vt_train(&request, NULL, &error), VT_ERROR_BUSY);
  char number[32];
  snprintf(number, sizeof number, "process %ld ", (long)getpid());
  assert_non_null(strstr(error.message, number));
  vt_run_lock_release(lock, run);
  finish(run, 2, 20);
  vtt_folder_remove(folder);
}

/* What a process leaves that is killed after its last row and before it closes the database. */
static void leave_database_open(const char *run) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", run, VT_RUN_DATABASE);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    struct vt_store *store;
    const struct vt_store_value values[] = {vt_store_text("last"), vt_store_text("words")};
    bool done = vt_store_open_writable(path, &store, NULL) == VT_OK && vt_store_begin(store, NULL) == VT_OK &&
                vt_store_insert(store, VT_STORE_META, values, NULL) == VT_OK && vt_store_commit(store, NULL) == VT_OK;
    _exit(done ? 0 : 1);
  }
  int ended;
  assert_int_equal(waitpid(child, &ended, 0), child);
  assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
}

static void a_finished_run_stays_as_it_is(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *run = stopped_run(folder, "run");
  finish(run, 1, 9);
  struct rows before = read_rows(run, VT_STORE_EVENT, 4, -1);
  /* What the finishing process would leave if it were killed before its last act. */
  copy_file(vtt_path(folder, "corpus.txt"), inside(folder, run, VT_RUN_CORPUS));
  leave_database_open(run);
  const char *log = inside(folder, run, VT_RUN_DATABASE "-wal");
  assert_true(vtt_exists(log));
  struct watcher watcher = {.stop_at = UINT64_MAX};
  struct vt_train_result result;
  assert_int_equal(resume_until(run, 2, &watcher, &result, NULL), VT_OK);
  assert_false(watcher.told);
  assert_true(result.steps > 9 && result.first_step == result.steps);
  assert_true(result.loss > 0 && result.tokens > 0 && result.kernel != NULL);
  assert_false(vtt_exists(inside(folder, run, VT_RUN_CORPUS)));
  assert_false(vtt_exists(inside(folder, run, VT_RUN_LOCK)));
  assert_false(vtt_exists(log));
  struct rows after = read_rows(run, VT_STORE_EVENT, 4, -1);
  assert_int_equal(before.bytes, after.bytes);
  assert_memory_equal(before.text, after.text, before.bytes);
  free(before.text);
  free(after.text);
  assert_int_equal(resume_until(vtt_path(folder, "nothing"), 2, &watcher, &result, NULL), VT_ERROR_NOT_FOUND);
  assert_int_equal(resume_until(vtt_folder_path(folder), 2, &watcher, &result, NULL), VT_ERROR_NOT_FOUND);
  assert_false(vtt_exists(vtt_path(folder, VT_RUN_LOCK)));
  vtt_folder_remove(folder);
}

static void (*const changes[])(struct vt_train_request *) = {plain,          cbow,      hierarchical,     penalty,
                                                             strong_penalty, adagrad,   softmax,          glove,
                                                             full_batches,   quadratic, quadratic_samples};

int main(void) {
#define STOPPED(index)                                                                                                 \
  {                                                                                                                    \
    "stopped_anywhere_it_ends_the_same: " #index, stopped_anywhere_it_ends_the_same, NULL, NULL,                       \
        (void *)(uintptr_t)&changes[index]                                                                             \
  }
  const struct CMUnitTest tests[] = {
      STOPPED(0),
      STOPPED(1),
      STOPPED(2),
      STOPPED(3),
      STOPPED(4),
      STOPPED(5),
      STOPPED(6),
      STOPPED(7),
      STOPPED(8),
      STOPPED(9),
      STOPPED(10),
      cmocka_unit_test(stopped_again_and_again),
      cmocka_unit_test(what_came_after_the_checkpoint_is_done_again),
      cmocka_unit_test(stopped_while_reading_it_leaves_nothing),
      cmocka_unit_test(a_damaged_checkpoint_is_refused),
      cmocka_unit_test(the_checkpoint_of_another_run_is_refused),
      cmocka_unit_test(another_corpus_is_refused),
      cmocka_unit_test(settings_that_make_no_sense_are_refused),
      cmocka_unit_test(a_diverged_run_is_refused),
      cmocka_unit_test(one_writer_at_a_time),
      cmocka_unit_test(a_finished_run_stays_as_it_is),
  };
  VTT_TSAN_RUNS("stopped_*");
  return cmocka_run_group_tests(tests, NULL, NULL);
}
