/* label: threads. Recording in the background, and reading what was recorded, sound or damaged. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "run/recorder.h"
#include "support/temporary.h"
#include "vectrail/run.h"

#define WORDS 50
#define DIM 7
#define STRIDE 16

static struct vt_vocab *small_vocab(void) {
  static char texts[WORDS][16];
  const char *pointers[WORDS];
  uint64_t counts[WORDS];
  for (unsigned w = 0; w < WORDS; w++) {
    snprintf(texts[w], sizeof texts[w], "từ%u", w);
    pointers[w] = texts[w];
    counts[w] = 1000 - w;
  }
  struct vt_vocab *vocab;
  assert_int_equal(vt_vocab_create(pointers, counts, WORDS, &vocab, NULL), VT_OK);
  return vocab;
}

static float value_at(uint64_t step, size_t row, size_t column) {
  return (float)step + (float)row * 0.5F + (float)column * 0.03125F;
}

static void fill(float *table, uint64_t step) {
  for (size_t row = 0; row < WORDS; row++)
    for (size_t k = 0; k < STRIDE; k++) table[row * STRIDE + k] = k < DIM ? value_at(step, row, k) : 99;
}

static struct vt_recorder *start(struct vtt_folder *folder, const char *name) {
  struct vt_vocab *vocab = small_vocab();
  struct vt_recorder *recorder;
  struct vt_error error;
  assert_int_equal(mkdir(vtt_path(folder, name), 0777), 0);
  if (vt_recorder_create(vtt_path(folder, name), vocab, &recorder, &error) != VT_OK) fail_msg("%s", error.message);
  vt_vocab_free(vocab);
  return recorder;
}

/* Steps 0 .. steps, each with a metric; a snapshot every tenth. */
static void record(struct vt_recorder *recorder, uint64_t steps) {
  float table[WORDS * STRIDE];
  for (uint64_t step = 0; step <= steps; step++) {
    fill(table, step);
    assert_int_equal(vt_recorder_step(recorder, step, 1, step * 100, (double)step / 10, 0.025, NULL), VT_OK);
    assert_int_equal(vt_recorder_metric(recorder, step, "loss", step == 0 ? NAN : 1 / (double)step, NULL), VT_OK);
    assert_int_equal(vt_recorder_trail(recorder, 3, step, table + 3 * STRIDE, DIM, NULL), VT_OK);
    if (step % 10 == 0)
      assert_int_equal(vt_recorder_snapshot(
                           recorder, step, step == steps,
                           &(struct vt_snapshot_source){.input = table, .rows = WORDS, .dim = DIM, .stride = STRIDE},
                           NULL),
                       VT_OK);
  }
}

static void make_run(struct vtt_folder *folder, const char *name) {
  struct vt_recorder *recorder = start(folder, name);
  assert_int_equal(vt_recorder_meta(recorder, "seed", "1", NULL), VT_OK);
  assert_int_equal(vt_recorder_event(recorder, 0, "start", "info", "here we go", NULL), VT_OK);
  record(recorder, 30);
  assert_int_equal(vt_recorder_close(&recorder, NULL), VT_OK);
  assert_null(recorder);
}

static struct vt_run *open_run(const char *path) {
  struct vt_run *run;
  struct vt_error error;
  if (vt_run_open(path, &run, &error) != VT_OK) fail_msg("%s", error.message);
  return run;
}

static void check_vectors(struct vt_run *run, uint64_t asked, uint64_t step) {
  struct vt_vectors *vectors;
  assert_int_equal(vt_run_vectors(run, asked, &vectors, NULL), VT_OK);
  assert_int_equal(vectors->step, step);
  assert_int_equal(vectors->rows, WORDS);
  assert_int_equal(vectors->dim, DIM);
  for (size_t row = 0; row < WORDS; row++)
    for (size_t k = 0; k < DIM; k++)
      assert_true(fabsf(vt_vectors_row(vectors, (uint32_t)row)[k] - value_at(step, row, k)) <= 0.02F);
  vt_vectors_free(vectors);
}

static void what_is_recorded_is_read(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  make_run(folder, "run");
  struct vt_run *run = open_run(vtt_path(folder, "run"));
  assert_int_equal(vt_vocab_size(vt_run_vocab(run)), WORDS);
  assert_string_equal(vt_vocab_text(vt_run_vocab(run), 7), "từ7");
  assert_int_equal(vt_vocab_count(vt_run_vocab(run), 7), 993);
  assert_string_equal(vt_run_meta(run, "seed"), "1");
  assert_null(vt_run_meta(run, "nothing"));
  assert_int_equal(vt_run_snapshot_count(run), 4);
  assert_string_equal(vt_run_snapshot_at(run, 0).dtype, "F16");
  assert_string_equal(vt_run_snapshot_at(run, 3).dtype, "F32");
  check_vectors(run, 0, 0);
  check_vectors(run, 19, 10);
  check_vectors(run, VT_STEP_LAST, 30);
  struct vt_run_point *points;
  size_t count;
  assert_int_equal(vt_run_metric(run, "loss", &points, &count, NULL), VT_OK);
  assert_int_equal(count, 31);
  assert_true(isnan(points[0].value) && points[4].value == 0.25 && points[4].step == 4);
  vt_run_points_free(points);
  assert_int_equal(vt_run_metric(run, "unheard", &points, &count, NULL), VT_OK);
  assert_int_equal(count, 0);
  vt_run_points_free(points);
  struct vt_run_step step;
  assert_int_equal(vt_run_last_step(run, &step, NULL), VT_OK);
  assert_true(step.step == 30 && step.tokens == 3000 && step.epoch == 1 && step.lr == 0.025);
  assert_string_equal(vt_run_event_at(run, 0).text, "here we go");
  vt_run_close(run);
  /* One plain file: no log is left beside it. */
  assert_false(vtt_exists(vtt_path(folder, "run/run.db-wal")));
  vtt_folder_remove(folder);
}

static void the_same_record_has_the_same_snapshots(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  make_run(folder, "a");
  make_run(folder, "b");
  for (int step = 0; step <= 30; step += 10) {
    char name[64];
    size_t bytes[2];
    char *data[2];
    for (int k = 0; k < 2; k++) {
      snprintf(name, sizeof name, "%s/snapshots/%d.safetensors", k == 0 ? "a" : "b", step);
      data[k] = vtt_read(vtt_path(folder, name), &bytes[k]);
    }
    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(data[0], data[1], bytes[0]);
    free(data[0]);
    free(data[1]);
  }
  vtt_folder_remove(folder);
}

static void a_run_is_read_while_it_is_written(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_recorder *recorder = start(folder, "run");
  float table[WORDS * STRIDE];
  for (uint64_t step = 0; step < 20; step++) {
    fill(table, step);
    assert_int_equal(vt_recorder_metric(recorder, step, "loss", 1, NULL), VT_OK);
    assert_int_equal(
        vt_recorder_snapshot(
            recorder, step, false,
            &(struct vt_snapshot_source){.input = table, .output = table, .rows = WORDS, .dim = DIM, .stride = STRIDE},
            NULL),
        VT_OK);
    assert_int_equal(vt_recorder_flush(recorder, NULL), VT_OK);
    struct vt_run *run = open_run(vtt_path(folder, "run"));
    assert_int_equal(vt_run_snapshot_count(run), step + 1);
    check_vectors(run, VT_STEP_LAST, step);
    vt_run_close(run);
  }
  assert_int_equal(vt_recorder_close(&recorder, NULL), VT_OK);
  vtt_folder_remove(folder);
}

static void many_rows_pass_through_the_bounded_queue(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_recorder *recorder = start(folder, "run");
  for (uint64_t step = 0; step < 60000; step++)
    assert_int_equal(vt_recorder_metric(recorder, step, "m", (double)step, NULL), VT_OK);
  assert_int_equal(vt_recorder_close(&recorder, NULL), VT_OK);
  struct vt_run *run = open_run(vtt_path(folder, "run"));
  struct vt_run_point *points;
  size_t count;
  assert_int_equal(vt_run_metric(run, "m", &points, &count, NULL), VT_OK);
  assert_int_equal(count, 60000);
  for (size_t k = 0; k < count; k++) assert_true(points[k].value == (double)k);
  vt_run_points_free(points);
  vt_run_close(run);
  vtt_folder_remove(folder);
}

static void a_failure_in_the_background_is_told(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_recorder *recorder = start(folder, "run");
  assert_int_equal(vt_recorder_flush(recorder, NULL), VT_OK);
  assert_int_equal(rmdir(vtt_path(folder, "run/snapshots")), 0);
  vtt_write_text(folder, "run/snapshots", "in the way");
  float table[WORDS * STRIDE];
  fill(table, 1);
  struct vt_error error;
  enum vt_status status = vt_recorder_snapshot(
      recorder, 1, false, &(struct vt_snapshot_source){.input = table, .rows = WORDS, .dim = DIM, .stride = STRIDE},
      &error);
  if (status == VT_OK) status = vt_recorder_flush(recorder, &error);
  assert_int_equal(status, VT_ERROR_IO);
  assert_non_null(strstr(error.message, "snapshots/1"));
  assert_int_equal(vt_recorder_metric(recorder, 2, "loss", 1, &error), VT_ERROR_IO);
  assert_int_equal(vt_recorder_close(&recorder, &error), VT_ERROR_IO);
  assert_null(recorder);
  vtt_folder_remove(folder);
}

/* A writer that is killed leaves a run that can be read as far as it was committed. */
static void a_killed_writer_leaves_a_run(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "run");
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    struct vt_recorder *recorder = start(folder, "run");
    record(recorder, 20);
    _exit(vt_recorder_flush(recorder, NULL) == VT_OK ? 7 : 8);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(WEXITSTATUS(status), 7);
  assert_true(vtt_exists(vtt_path(folder, "run/run.db-wal")));
  struct vt_run *run = open_run(path);
  assert_int_equal(vt_run_snapshot_count(run), 3);
  check_vectors(run, VT_STEP_LAST, 20);
  vt_run_close(run);
  vtt_folder_remove(folder);
}

/* ---- damage ------------------------------------------------------------------------------------------------------ */

static void sql(struct vtt_folder *folder, const char *statement) {
  sqlite3 *database;
  assert_int_equal(sqlite3_open(vtt_path(folder, "run/run.db"), &database), SQLITE_OK);
  assert_int_equal(sqlite3_exec(database, statement, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(database);
}

static void check_refused(struct vtt_folder *folder, enum vt_status expected) {
  struct vt_run *run;
  struct vt_error error;
  assert_int_equal(vt_run_open(vtt_path(folder, "run"), &run, &error), expected);
  assert_non_null(strstr(error.message, "run"));
}

static void what_is_no_run_is_refused(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  check_refused(folder, VT_ERROR_NOT_FOUND);
  assert_int_equal(mkdir(vtt_path(folder, "run"), 0777), 0);
  check_refused(folder, VT_ERROR_NOT_FOUND);
  vtt_write_text(folder, "run/run.db", "this is no database, however long the text that stands in it may be");
  check_refused(folder, VT_ERROR_CORRUPT);
  vtt_write_text(folder, "run/run.db", "");
  check_refused(folder, VT_ERROR_CORRUPT);
  vtt_folder_remove(folder);
}

static void a_newer_schema_is_refused(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  make_run(folder, "run");
  sql(folder, "PRAGMA user_version = 2");
  check_refused(folder, VT_ERROR_VERSION);
  vtt_folder_remove(folder);
}

static void words_that_are_missing_or_repeat_are_damage(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  make_run(folder, "run");
  sql(folder, "DELETE FROM word WHERE id = 5");
  check_refused(folder, VT_ERROR_CORRUPT);
  vtt_folder_remove(folder);
}

static void damaged_snapshots_are_refused(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  make_run(folder, "run");
  size_t bytes;
  char *data = vtt_read(vtt_path(folder, "run/snapshots/10.safetensors"), &bytes);
  data[bytes - 3] ^= 1;
  vtt_write(folder, "run/snapshots/10.safetensors", data, bytes);
  free(data);
  assert_int_equal(unlink(vtt_path(folder, "run/snapshots/20.safetensors")), 0);
  struct vt_run *run = open_run(vtt_path(folder, "run"));
  struct vt_vectors *vectors;
  struct vt_error error;
  assert_int_equal(vt_run_vectors(run, 10, &vectors, &error), VT_ERROR_CORRUPT);
  assert_non_null(strstr(error.message, "10.safetensors"));
  assert_int_equal(vt_run_vectors(run, 20, &vectors, &error), VT_ERROR_NOT_FOUND);
  assert_non_null(strstr(error.message, "20.safetensors"));
  assert_string_equal(error.help, "ask for step 10 or 30: their snapshots are there");
  check_vectors(run, 30, 30);
  assert_int_equal(unlink(vtt_path(folder, "run/snapshots/10.safetensors")), 0);
  assert_int_equal(unlink(vtt_path(folder, "run/snapshots/30.safetensors")), 0);
  assert_int_equal(vt_run_vectors(run, 10, &vectors, &error), VT_ERROR_NOT_FOUND);
  assert_string_equal(error.help, "ask for step 0: its snapshot is there");
  assert_int_equal(unlink(vtt_path(folder, "run/snapshots/0.safetensors")), 0);
  assert_int_equal(vt_run_vectors(run, VT_STEP_LAST, &vectors, &error), VT_ERROR_NOT_FOUND);
  assert_non_null(strstr(error.help, "no snapshot is there"));
  vt_run_close(run);
  vtt_folder_remove(folder);
}

static void paths_that_leave_the_run_are_refused(void **state) {
  (void)state;
  static const char *const paths[] = {"../secret",  "/etc/passwd",       "snapshots/../../secret",
                                      "snapshots/", "snapshots/.hidden", "elsewhere/30.safetensors"};
  struct vtt_folder *folder = vtt_folder_create();
  make_run(folder, "run");
  for (size_t k = 0; k < sizeof paths / sizeof *paths; k++) {
    char statement[128];
    snprintf(statement, sizeof statement, "UPDATE snapshot SET path = '%s' WHERE step = 30", paths[k]);
    sql(folder, statement);
    struct vt_run *run = open_run(vtt_path(folder, "run"));
    struct vt_vectors *vectors;
    assert_int_equal(vt_run_vectors(run, VT_STEP_LAST, &vectors, NULL), VT_ERROR_CORRUPT);
    vt_run_close(run);
  }
  vtt_folder_remove(folder);
}

/* Bits flipped anywhere in the database, and the end cut off: an error or a run, never a crash. */
static void flipped_bits_never_crash_a_reader(void **state) {
  (void)state;
  VTT_NOT_FOR_TSAN();
  struct vtt_folder *folder = vtt_folder_create();
  make_run(folder, "run");
  size_t bytes;
  char *data = vtt_read(vtt_path(folder, "run/run.db"), &bytes);
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 3, 0, 0);
  int refused = 0;
  for (int k = 0; k < 250; k++) {
    size_t at = vt_rng_below(&rng, (uint32_t)bytes), length = k < 200 ? bytes : vt_rng_below(&rng, (uint32_t)bytes);
    char before = data[at];
    data[at] = (char)(data[at] ^ (1 << vt_rng_below(&rng, 8)));
    vtt_write(folder, "run/run.db", data, length);
    data[at] = before;
    struct vt_run *run;
    if (vt_run_open(vtt_path(folder, "run"), &run, NULL) != VT_OK) {
      refused++;
      continue;
    }
    struct vt_vectors *vectors;
    if (vt_run_vectors(run, VT_STEP_LAST, &vectors, NULL) == VT_OK) vt_vectors_free(vectors);
    struct vt_run_point *points;
    size_t count;
    if (vt_run_metric(run, "loss", &points, &count, NULL) == VT_OK) vt_run_points_free(points);
    vt_run_close(run);
  }
  assert_true(refused > 40); /* the cut ones, at least */
  free(data);
  vtt_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_recorded_is_read),
      cmocka_unit_test(the_same_record_has_the_same_snapshots),
      cmocka_unit_test(a_run_is_read_while_it_is_written),
      cmocka_unit_test(many_rows_pass_through_the_bounded_queue),
      cmocka_unit_test(a_failure_in_the_background_is_told),
      cmocka_unit_test(a_killed_writer_leaves_a_run),
      cmocka_unit_test(what_is_no_run_is_refused),
      cmocka_unit_test(a_newer_schema_is_refused),
      cmocka_unit_test(words_that_are_missing_or_repeat_are_damage),
      cmocka_unit_test(damaged_snapshots_are_refused),
      cmocka_unit_test(paths_that_leave_the_run_are_refused),
      cmocka_unit_test(flipped_bits_never_crash_a_reader),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
