/*
 * label: threads. Reading runs under adverse circumstances: while another thread writes them, after the writer was
 * killed, where nothing can be written, and damaged in every way. The vectors that a reader is given are bit for bit
 * those that were recorded, or there is an error.
 */
#define _GNU_SOURCE /* setgroups */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <grp.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/half.h"
#include "base/rng.h"
#include "run/recorder.h"
#include "run/safetensors.h"
#include "support/temporary.h"
#include "vectrail/run.h"

#define WORDS 40
#define DIM 6
#define SNAPSHOTS 4 /* of make_run, at steps 0, 10, 20, 30; the last in full precision */
#define STEP_LAST 30
#define NOBODY 65534

/* ---- a run whose every number is known --------------------------------------------------------------------------- */

static struct vt_vocab *make_vocab(void) {
  static char texts[WORDS][16];
  const char *pointers[WORDS];
  uint64_t counts[WORDS];
  for (unsigned w = 0; w < WORDS; w++) {
    snprintf(texts[w], sizeof texts[w], "chữ%u", w);
    pointers[w] = texts[w];
    counts[w] = 500 - w;
  }
  struct vt_vocab *vocab;
  assert_int_equal(vt_vocab_create(pointers, counts, WORDS, &vocab, NULL), VT_OK);
  return vocab;
}

/* Numbers that no half holds exactly, so that halves and floats are told apart. */
static float value_at(uint64_t step, size_t row, size_t column) {
  return ((float)(step * 7919 + row * 104729 + column * 1299709) + 0.3F) * 0x1p-24F;
}

static void fill(float *table, uint64_t step) {
  for (size_t row = 0; row < WORDS; row++)
    for (size_t k = 0; k < DIM; k++) table[row * DIM + k] = value_at(step, row, k);
}

/* Whether vectors are bit for bit the table of a step. */
static bool is_table_of(const struct vt_vectors *vectors, uint64_t step, bool float32) {
  if (vectors->rows != WORDS || vectors->dim != DIM) return false;
  for (size_t row = 0; row < WORDS; row++) {
    for (size_t k = 0; k < DIM; k++) {
      float expected = value_at(step, row, k);
      if (!float32) expected = vt_float_from_half_one(vt_half_from_float_one(expected));
      if (memcmp(&vt_vectors_row(vectors, (uint32_t)row)[k], &expected, sizeof expected) != 0) return false;
    }
  }
  return true;
}

static enum vt_status take_snapshot(struct vt_recorder *recorder, uint64_t step, bool float32) {
  float table[WORDS * DIM], output[WORDS * DIM];
  fill(table, step);
  fill(output, step + 1000);
  return vt_recorder_snapshot(
      recorder, step, float32,
      &(struct vt_snapshot_source){.input = table, .output = output, .rows = WORDS, .dim = DIM, .stride = DIM}, NULL);
}

static struct vt_recorder *begin_run(const char *path) {
  struct vt_vocab *vocab = make_vocab();
  struct vt_recorder *recorder;
  struct vt_error error;
  assert_int_equal(mkdir(path, 0777), 0);
  if (vt_recorder_create(path, vocab, &recorder, &error) != VT_OK) fail_msg("%s", error.message);
  vt_vocab_free(vocab);
  return recorder;
}

static const char *make_run(struct vtt_folder *folder) {
  const char *path = vtt_path(folder, "run");
  struct vt_recorder *recorder = begin_run(path);
  assert_int_equal(vt_recorder_meta(recorder, "seed", "18446744073709551615", NULL), VT_OK);
  assert_int_equal(vt_recorder_meta(recorder, "dim", "6", NULL), VT_OK);
  for (uint64_t step = 0; step <= STEP_LAST; step++) {
    assert_int_equal(vt_recorder_step(recorder, step, 1, step * 100, (double)step / 8, 0.025, NULL), VT_OK);
    assert_int_equal(vt_recorder_metric(recorder, step, "loss", step % 7 == 3 ? NAN : (double)step, NULL), VT_OK);
    assert_int_equal(vt_recorder_pair(recorder, 1, 2, step, 0.5, NULL), VT_OK);
    if (step % 10 == 0) assert_int_equal(take_snapshot(recorder, step, step == STEP_LAST), VT_OK);
  }
  assert_int_equal(vt_recorder_event(recorder, STEP_LAST, "zulu", "info", "", NULL), VT_OK);
  assert_int_equal(vt_recorder_event(recorder, 2, "alpha", "error", "đầu tiên", NULL), VT_OK);
  assert_int_equal(vt_recorder_close(&recorder, NULL), VT_OK);
  return path;
}

static struct vt_run *open_run(const char *path) {
  struct vt_run *run;
  struct vt_error error;
  if (vt_run_open(path, &run, &error) != VT_OK) fail_msg("%s", error.message);
  return run;
}

static void check_vectors(struct vt_run *run, uint64_t asked, uint64_t step, bool float32) {
  struct vt_vectors *vectors;
  struct vt_error error;
  if (vt_run_vectors(run, asked, &vectors, &error) != VT_OK) fail_msg("%s", error.message);
  assert_int_equal(vectors->step, step);
  assert_true(is_table_of(vectors, step, float32));
  vt_vectors_free(vectors);
}

/* ---- sound runs -------------------------------------------------------------------------------------------------- */

static void vectors_come_back_bit_for_bit(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_run *run = open_run(make_run(folder));
  check_vectors(run, 0, 0, false);
  check_vectors(run, 9, 0, false);
  check_vectors(run, 10, 10, false);
  check_vectors(run, STEP_LAST - 1, 20, false);
  check_vectors(run, STEP_LAST, STEP_LAST, true);
  check_vectors(run, VT_STEP_LAST, STEP_LAST, true);
  vt_run_close(run);
  vt_run_close(NULL);
  vtt_folder_remove(folder);
}

static void small_tables_come_back_in_their_order(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_run *run = open_run(make_run(folder));
  const char *before = "";
  bool found = false;
  for (size_t k = 0; k < vt_run_meta_count(run); k++) {
    const char *key, *value;
    vt_run_meta_at(run, k, &key, &value);
    assert_true(strcmp(before, key) < 0);
    assert_string_equal(vt_run_meta(run, key), value);
    before = key;
    found = found || strcmp(value, "18446744073709551615") == 0;
  }
  assert_true(found);
  /* Events stand as they happened, whatever their steps. */
  assert_int_equal(vt_run_event_count(run), 2);
  struct vt_run_event first = vt_run_event_at(run, 0), second = vt_run_event_at(run, 1);
  assert_true(first.step == STEP_LAST && second.step == 2);
  assert_string_equal(first.kind, "zulu");
  assert_string_equal(first.text, "");
  assert_string_equal(second.severity, "error");
  assert_string_equal(second.text, "đầu tiên");
  for (size_t k = 0; k < vt_run_snapshot_count(run); k++) {
    struct vt_run_snapshot snapshot = vt_run_snapshot_at(run, k);
    assert_int_equal(snapshot.step, 10 * k);
    assert_int_equal(strlen(snapshot.sha256), 64);
  }
  vt_run_close(run);
  vtt_folder_remove(folder);
}

static void a_run_that_only_began_has_nothing_yet(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "run");
  struct vt_recorder *recorder = begin_run(path);
  struct vt_run *run = open_run(path);
  struct vt_vectors *vectors;
  struct vt_run_step step;
  struct vt_error error;
  assert_int_equal(vt_vocab_size(vt_run_vocab(run)), WORDS);
  assert_int_equal(vt_run_vectors(run, VT_STEP_LAST, &vectors, &error), VT_ERROR_NOT_FOUND);
  assert_non_null(strstr(error.message, "yet"));
  assert_int_equal(vt_run_last_step(run, &step, &error), VT_ERROR_EMPTY);
  vt_run_close(run);
  assert_int_equal(take_snapshot(recorder, 5, false), VT_OK);
  assert_int_equal(vt_recorder_close(&recorder, NULL), VT_OK);
  run = open_run(path);
  assert_int_equal(vt_run_vectors(run, 4, &vectors, &error), VT_ERROR_NOT_FOUND);
  assert_non_null(strstr(error.message, "at that step or before"));
  vt_run_close(run);
  vtt_folder_remove(folder);
}

/* ---- readers beside a writer ------------------------------------------------------------------------------------- */

struct reader {
  const char *path;
  atomic_bool stopping;
  atomic_bool stopped;
  atomic_size_t vectors_read;
  const char *wrong; /* what was, or NULL */
};

/* What a reader sees at one moment is whole: a snapshot for each row, a series without a gap, and never less than
 * before. NULL, or what is wrong. cmocka's assertions are for its own thread only. */
static const char *read_once(struct reader *reader, size_t *snapshots_before, size_t *points_before) {
  struct vt_run *run;
  if (vt_run_open(reader->path, &run, NULL) != VT_OK) return "the run does not open";
  const char *wrong = NULL;
  size_t snapshots = vt_run_snapshot_count(run), count = 0;
  struct vt_vectors *vectors;
  struct vt_run_point *points = NULL;
  if (snapshots < *snapshots_before) wrong = "a snapshot is gone";
  if (snapshots > 0 && wrong == NULL) {
    if (vt_run_vectors(run, VT_STEP_LAST, &vectors, NULL) != VT_OK) {
      wrong = "a snapshot that is listed cannot be read";
    } else {
      if (!is_table_of(vectors, vectors->step, false)) wrong = "a snapshot is not what was recorded";
      atomic_fetch_add(&reader->vectors_read, 1);
      vt_vectors_free(vectors);
    }
  }
  if (wrong == NULL && vt_run_metric(run, "loss", &points, &count, NULL) != VT_OK) wrong = "the series cannot be read";
  if (wrong == NULL && count < *points_before) wrong = "points of the series are gone";
  for (size_t k = 0; k < count && wrong == NULL; k++)
    if (points[k].step != k || points[k].value != (double)k) wrong = "the series has a gap";
  vt_run_points_free(points);
  vt_run_close(run);
  *snapshots_before = snapshots;
  *points_before = count;
  return wrong;
}

static void *read_until_stopped(void *context) {
  struct reader *reader = context;
  size_t snapshots = 0, points = 0;
  while (!atomic_load(&reader->stopping) && reader->wrong == NULL)
    reader->wrong = read_once(reader, &snapshots, &points);
  atomic_store(&reader->stopped, true);
  return NULL;
}

/* So that reading and writing do meet, however the threads are scheduled. */
static void wait_until_it_has_read(struct reader *reader) {
  while (atomic_load(&reader->vectors_read) == 0 && !atomic_load(&reader->stopped))
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void readers_see_whole_states_while_a_writer_writes(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "run");
  struct vt_recorder *recorder = begin_run(path);
  struct reader readers[2] = {{.path = path}, {.path = path}};
  pthread_t threads[2];
  for (int k = 0; k < 2; k++) assert_int_equal(pthread_create(&threads[k], NULL, read_until_stopped, &readers[k]), 0);
  enum vt_status status = VT_OK;
  for (uint64_t step = 0; step < 150 && status == VT_OK; step++) {
    status = vt_recorder_metric(recorder, step, "loss", (double)step, NULL);
    if (status == VT_OK && step % 3 == 0) status = take_snapshot(recorder, step, false);
    if (status == VT_OK && step % 25 == 0) status = vt_recorder_flush(recorder, NULL);
    if (step == 50)
      for (int k = 0; k < 2; k++) wait_until_it_has_read(&readers[k]);
  }
  enum vt_status closed = vt_recorder_close(&recorder, NULL);
  for (int k = 0; k < 2; k++) {
    atomic_store(&readers[k].stopping, true);
    pthread_join(threads[k], NULL);
  }
  assert_int_equal(status, VT_OK);
  assert_int_equal(closed, VT_OK);
  for (int k = 0; k < 2; k++)
    if (readers[k].wrong != NULL) fail_msg("%s", readers[k].wrong);
  struct vt_run *run = open_run(path);
  assert_int_equal(vt_run_snapshot_count(run), 50);
  vt_run_close(run);
  vtt_folder_remove(folder);
}

/* Writes without end, and tells through a pipe each step that was flushed. */
static void write_until_killed(const char *path, int told) {
  struct vt_recorder *recorder = begin_run(path);
  for (uint32_t step = 0;; step++) {
    if (vt_recorder_metric(recorder, step, "loss", step, NULL) != VT_OK) _exit(1);
    if (take_snapshot(recorder, step, false) != VT_OK) _exit(2);
    if (step % 5 != 4) continue;
    if (vt_recorder_flush(recorder, NULL) != VT_OK) _exit(3);
    if (write(told, &step, sizeof step) != sizeof step) _exit(4);
  }
}

/* Kills a writer some time after its first flush; the last step of which it said that it was flushed. */
static uint32_t kill_a_writer(const char *path, long after_ns) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    close(ends[0]);
    write_until_killed(path, ends[1]);
  }
  close(ends[1]);
  uint32_t flushed = 0, next;
  assert_int_equal(read(ends[0], &flushed, sizeof flushed), sizeof flushed);
  nanosleep(&(struct timespec){.tv_nsec = after_ns}, NULL);
  assert_int_equal(kill(child, SIGKILL), 0);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  while (read(ends[0], &next, sizeof next) == sizeof next) flushed = next;
  close(ends[0]);
  return flushed;
}

static void a_writer_killed_at_any_moment_loses_nothing_flushed(void **state) {
  (void)state;
  for (long round = 0; round < 6; round++) {
    struct vtt_folder *folder = vtt_folder_create();
    const char *path = vtt_path(folder, "run");
    uint32_t flushed = kill_a_writer(path, round * 3700000);
    struct vt_run *run = open_run(path);
    assert_true(vt_run_snapshot_count(run) >= flushed + 1);
    for (size_t k = 0; k < vt_run_snapshot_count(run); k++) check_vectors(run, k, k, false);
    struct vt_run_point *points;
    size_t count;
    assert_int_equal(vt_run_metric(run, "loss", &points, &count, NULL), VT_OK);
    assert_true(count >= flushed + 1);
    for (size_t k = 0; k < count; k++) assert_true(points[k].step == k && points[k].value == (double)k);
    vt_run_points_free(points);
    vt_run_close(run);
    /* Gone on with, it is a run as any other, without a trace of what was under way. */
    struct vt_recorder *recorder;
    assert_int_equal(vt_recorder_open(path, flushed, &recorder, NULL), VT_OK);
    assert_int_equal(take_snapshot(recorder, flushed, true), VT_OK);
    assert_int_equal(vt_recorder_close(&recorder, NULL), VT_OK);
    assert_false(vtt_exists(vtt_path(folder, "run/run.db-wal")));
    run = open_run(path);
    assert_int_equal(vt_run_snapshot_count(run), flushed + 1);
    check_vectors(run, VT_STEP_LAST, flushed, true);
    vt_run_close(run);
    vtt_folder_remove(folder);
  }
}

/* Runs lie on media and in folders that nobody may write to. In a process of its own that is not root: 0 if all is as
 * it was recorded. */
static int read_as_stranger(const char *path) {
  struct vt_run *run;
  struct vt_vectors *vectors;
  if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) return 1;
  if (vt_run_open(path, &run, NULL) != VT_OK) return 2;
  if (vt_run_vectors(run, VT_STEP_LAST, &vectors, NULL) != VT_OK) return 3;
  if (!is_table_of(vectors, STEP_LAST, true)) return 4;
  vt_vectors_free(vectors);
  vt_run_close(run);
  return 0;
}

static void a_folder_without_write_permission_is_enough(void **state) {
  (void)state;
  static const char *const folders[] = {"run/snapshots", "run", ""};
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = make_run(folder);
  for (int k = 0; k < 3; k++) assert_int_equal(chmod(vtt_path(folder, folders[k]), 0555), 0);
  assert_int_equal(chmod(vtt_path(folder, "run/run.db"), 0444), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) _exit(read_as_stranger(path));
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  for (int k = 2; k >= 0; k--) assert_int_equal(chmod(vtt_path(folder, folders[k]), 0755), 0);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  vtt_folder_remove(folder);
}

/* ---- damage ------------------------------------------------------------------------------------------------------ */

static void check_snapshot_refused(struct vt_run *run, uint64_t step) {
  struct vt_vectors *vectors;
  struct vt_error error;
  assert_int_equal(vt_run_vectors(run, step, &vectors, &error), VT_ERROR_CORRUPT);
  assert_non_null(strstr(error.message, "snapshots/"));
}

static void no_changed_bit_of_a_snapshot_goes_unseen(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_run *run = open_run(make_run(folder));
  static const char name[] = "run/snapshots/20.safetensors";
  size_t bytes;
  char *data = vtt_read(vtt_path(folder, name), &bytes);
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 5, 0, 0);
  for (int k = 0; k < 200; k++) {
    size_t at = vt_rng_below(&rng, (uint32_t)bytes);
    char bit = (char)(1 << vt_rng_below(&rng, 8));
    data[at] ^= bit;
    vtt_write(folder, name, data, bytes);
    check_snapshot_refused(run, 20);
    data[at] ^= bit;
  }
  static const size_t shortened[] = {0, 1, 7, 8, 9, 100};
  for (size_t k = 0; k < sizeof shortened / sizeof *shortened; k++) {
    vtt_write(folder, name, data, shortened[k]);
    check_snapshot_refused(run, 20);
  }
  vtt_write(folder, name, data, bytes - 1);
  check_snapshot_refused(run, 20);
  vtt_write(folder, name, data, bytes + 1); /* with the zero that vtt_read puts behind it */
  check_snapshot_refused(run, 20);
  vtt_write(folder, name, data, bytes);
  check_vectors(run, 20, 20, false);
  free(data);
  vt_run_close(run);
  vtt_folder_remove(folder);
}

static void sql(struct vtt_folder *folder, const char *statement) {
  sqlite3 *database;
  char *reason = NULL;
  assert_int_equal(sqlite3_open(vtt_path(folder, "run/run.db"), &database), SQLITE_OK);
  if (sqlite3_exec(database, statement, NULL, NULL, &reason) != SQLITE_OK) fail_msg("%s: %s", statement, reason);
  assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

/* Files that are sound, and of the hash in the table, but hold no vectors for these words. */
static void other_tables_are_not_taken_for_vectors(void **state) {
  (void)state;
  static const float numbers[(WORDS + 1) * DIM];
  static const struct vt_tensor others[] = {
      {.name = "input", .dtype = VT_DTYPE_F32, .rank = 2, .shape = {WORDS + 1, DIM}, .data = numbers},
      {.name = "input", .dtype = VT_DTYPE_F32, .rank = 2, .shape = {WORDS - 1, DIM}, .data = numbers},
      {.name = "input", .dtype = VT_DTYPE_F32, .rank = 2, .shape = {WORDS, 0}, .data = numbers},
      {.name = "input", .dtype = VT_DTYPE_F32, .rank = 1, .shape = {WORDS}, .data = numbers},
      {.name = "input", .dtype = VT_DTYPE_F32, .rank = 3, .shape = {WORDS, DIM, 1}, .data = numbers},
      {.name = "input", .dtype = VT_DTYPE_F32, .rank = 0, .data = numbers},
      {.name = "output", .dtype = VT_DTYPE_F32, .rank = 2, .shape = {WORDS, DIM}, .data = numbers},
      {.name = "input", .dtype = VT_DTYPE_U32, .rank = 2, .shape = {WORDS, DIM}, .data = numbers},
  };
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = make_run(folder), *file = vtt_path(folder, "run/snapshots/20.safetensors");
  for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
    char sha256[VT_SHA256_TEXT_BYTES], statement[160];
    assert_int_equal(vt_safetensors_write(file, NULL, 0, &others[k], 1, sha256, NULL), VT_OK);
    snprintf(statement, sizeof statement, "UPDATE snapshot SET sha256 = '%s' WHERE step = 20", sha256);
    sql(folder, statement);
    struct vt_run *run = open_run(path);
    check_snapshot_refused(run, 20);
    check_vectors(run, 10, 10, false);
    vt_run_close(run);
  }
  vtt_folder_remove(folder);
}

static void rows_that_make_no_sense_are_damage(void **state) {
  (void)state;
  VTT_NOT_FOR_TSAN();
  static const char *const statements[] = {
      "UPDATE word SET id = 1000 WHERE id = 5",
      "UPDATE word SET id = -1 WHERE id = 0",
      "UPDATE word SET text = x'c3' WHERE id = 5",
      "UPDATE word SET text = 'a' || char(0) || 'b' WHERE id = 5",
      "UPDATE word SET count = -1 WHERE id = 5",
      "UPDATE word SET count = 'many' WHERE id = 5",
      "UPDATE meta SET value = x'00' WHERE key = 'seed'",
      "UPDATE snapshot SET step = -1 WHERE step = 20",
      "UPDATE snapshot SET sha256 = x'00' WHERE step = 20",
      "UPDATE event SET kind = x'00'",
      "UPDATE event SET step = 'then'",
      "ALTER TABLE word RENAME COLUMN text TO name",
      "DROP TABLE snapshot",
      "PRAGMA user_version = -1",
      "PRAGMA user_version = 0",
      "PRAGMA application_id = 0",
  };
  for (size_t k = 0; k < sizeof statements / sizeof *statements; k++) {
    struct vtt_folder *folder = vtt_folder_create();
    const char *path = make_run(folder);
    sql(folder, statements[k]);
    struct vt_run *run;
    struct vt_error error;
    enum vt_status status = vt_run_open(path, &run, &error);
    if (status == VT_OK) vt_run_close(run);
    if (status != VT_ERROR_CORRUPT) fail_msg("%s: %s", statements[k], vt_status_name(status));
    assert_non_null(strstr(error.message, path));
    vtt_folder_remove(folder);
  }
}

static void series_that_make_no_sense_are_damage(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = make_run(folder);
  sql(folder, "UPDATE metric SET step = -1 WHERE step = 4; UPDATE step SET tokens = 'all' WHERE step = 30");
  struct vt_run *run = open_run(path);
  struct vt_run_point *points;
  struct vt_run_step step;
  struct vt_error error;
  size_t count;
  assert_int_equal(vt_run_metric(run, "loss", &points, &count, &error), VT_ERROR_CORRUPT);
  assert_non_null(strstr(error.message, path));
  assert_int_equal(vt_run_last_step(run, &step, &error), VT_ERROR_CORRUPT);
  assert_non_null(strstr(error.message, path));
  vt_run_close(run);
  sql(folder, "UPDATE step SET tokens = 1, epoch = 4294967296 WHERE step = 30; UPDATE metric SET step = 4, "
              "value = 'much' WHERE step = -1");
  run = open_run(path);
  assert_int_equal(vt_run_last_step(run, &step, &error), VT_ERROR_CORRUPT);
  assert_int_equal(vt_run_metric(run, "loss", &points, &count, NULL), VT_OK);
  assert_true(count == STEP_LAST + 1 && points[4].step == 4 && isnan(points[4].value));
  vt_run_points_free(points);
  vt_run_close(run);
  vtt_folder_remove(folder);
}

/* Everything that can be asked is asked. True: the run opened, and the last vectors were had; then they are those of a
 * snapshot that was recorded, though the damage may make it another one. */
static bool read_damaged(const char *path) {
  struct vt_run *run;
  if (vt_run_open(path, &run, NULL) != VT_OK) return false;
  struct vt_vectors *vectors;
  struct vt_run_point *points;
  struct vt_run_step step;
  size_t count;
  if (vt_run_metric(run, "loss", &points, &count, NULL) == VT_OK) vt_run_points_free(points);
  (void)vt_run_last_step(run, &step, NULL);
  bool given = vt_run_vectors(run, VT_STEP_LAST, &vectors, NULL) == VT_OK;
  if (given) {
    bool recorded = false;
    for (uint64_t k = 0; k < SNAPSHOTS; k++) recorded = recorded || is_table_of(vectors, 10 * k, 10 * k == STEP_LAST);
    assert_true(recorded);
    vt_vectors_free(vectors);
  }
  vt_run_close(run);
  return given;
}

static void write_database(struct vtt_folder *folder, const char *data, size_t bytes) {
  vtt_write(folder, "run/run.db", data, bytes);
  unlink(vtt_path(folder, "run/run.db-wal")); /* of a reader that took the damaged file for one with a log */
  unlink(vtt_path(folder, "run/run.db-shm"));
}

static void damaged_databases_give_errors_or_what_was_recorded(void **state) {
  (void)state;
  VTT_NOT_FOR_TSAN();
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = make_run(folder);
  size_t bytes, refused = 0;
  char *data = vtt_read(vtt_path(folder, "run/run.db"), &bytes);
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 6, 0, 0);
  for (int k = 0; k < 300; k++) {
    /* A third of them in the file's header, where a bit means most. */
    size_t at = vt_rng_below(&rng, k % 3 == 0 ? 100 : (uint32_t)bytes);
    char bit = (char)(1 << vt_rng_below(&rng, 8));
    data[at] ^= bit;
    write_database(folder, data, bytes);
    refused += !read_damaged(path);
    data[at] ^= bit;
  }
  assert_true(refused > 0);
  for (size_t length = 0; length < bytes; length += 1024) {
    write_database(folder, data, length);
    refused += !read_damaged(path);
    write_database(folder, data, length + 1);
    refused += !read_damaged(path);
  }
  assert_true(refused > bytes / 1024);
  write_database(folder, data, bytes);
  assert_true(read_damaged(path));
  free(data);
  vtt_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(vectors_come_back_bit_for_bit),
      cmocka_unit_test(small_tables_come_back_in_their_order),
      cmocka_unit_test(a_run_that_only_began_has_nothing_yet),
      cmocka_unit_test(readers_see_whole_states_while_a_writer_writes),
      cmocka_unit_test(a_writer_killed_at_any_moment_loses_nothing_flushed),
      cmocka_unit_test(a_folder_without_write_permission_is_enough),
      cmocka_unit_test(no_changed_bit_of_a_snapshot_goes_unseen),
      cmocka_unit_test(other_tables_are_not_taken_for_vectors),
      cmocka_unit_test(rows_that_make_no_sense_are_damage),
      cmocka_unit_test(series_that_make_no_sense_are_damage),
      cmocka_unit_test(damaged_databases_give_errors_or_what_was_recorded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
