/*
 * label: threads. The public recorder: what it takes is what readers read, what it must not take changes nothing, and a
 * run whose recording was broken off can be gone on with.
 */
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

#include "support/temporary.h"
#include "vectrail/recorder.h"
#include "vectrail/train.h"

#define WORDS 3
#define DIM 2

static const float tables[3][WORDS * DIM] = {{0, 0, 1, 0, 0, 1}, {3, 4, 1, 0, 0, 1}, {0.1F, 65504, 1, 2, -3, 1e-7F}};

static struct vt_vocab *make_vocab(void) {
  static const char *const texts[WORDS] = {"one", "hai từ", "3"};
  struct vt_vocab *vocab;
  assert_int_equal(vt_vocab_create(texts, NULL, WORDS, &vocab, NULL), VT_OK);
  return vocab;
}

static struct vt_run_recorder *begin(const char *path, const struct vt_vocab *vocab) {
  struct vt_run_recorder *recorder;
  struct vt_error error;
  if (vt_run_recorder_create(path, vocab, DIM, false, &recorder, &error) != VT_OK) fail_msg("%s", error.message);
  return recorder;
}

static struct vt_run_recorder *go_on(const char *path) {
  struct vt_run_recorder *recorder;
  struct vt_error error;
  if (vt_run_recorder_append(path, &recorder, &error) != VT_OK) fail_msg("%s", error.message);
  return recorder;
}

static struct vt_run *open_run(const char *path) {
  struct vt_run *run;
  struct vt_error error;
  if (vt_run_open(path, &run, &error) != VT_OK) fail_msg("%s", error.message);
  return run;
}

static void assert_table(struct vt_run *run, uint64_t step, const float *table) {
  struct vt_vectors *vectors;
  assert_int_equal(vt_run_vectors(run, step, &vectors, NULL), VT_OK);
  assert_int_equal(vectors->step, step);
  assert_memory_equal(vectors->data, table, sizeof tables[0]);
  vt_vectors_free(vectors);
}

static void assert_point(struct vt_run *run, const char *name, size_t index, double value) {
  struct vt_run_point *points;
  size_t count;
  assert_int_equal(vt_run_metric(run, name, &points, &count, NULL), VT_OK);
  assert_true(index < count);
  if (isnan(value))
    assert_true(isnan(points[index].value));
  else
    assert_true(fabs(points[index].value - value) < 1e-12);
  vt_run_points_free(points);
}

/* ---- what is recorded is read ------------------------------------------------------------------------------------ */

static void what_is_recorded_is_read(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_vocab *vocab = make_vocab();
  const char *path = vtt_path(folder, "run");
  struct vt_run_recorder *recorder = begin(path, vocab);
  uint64_t last;
  assert_false(vt_run_recorder_last_step(recorder, &last));
  assert_int_equal(vt_run_recorder_dim(recorder), DIM);
  assert_ptr_equal(vt_run_recorder_vocab(recorder), vocab);
  assert_int_equal(vt_run_recorder_meta(recorder, "model", "mine", NULL), VT_OK);
  for (uint64_t s = 0; s < 3; s++) {
    const struct vt_run_step step = {.step = 5 * s, .epoch = 2, .tokens = 7, .seconds = 1.5, .lr = 0.1};
    assert_int_equal(vt_run_recorder_step(recorder, &step, NULL), VT_OK);
    assert_int_equal(vt_run_recorder_metric(recorder, 5 * s, "my loss", s == 0 ? (double)NAN : (double)s, NULL), VT_OK);
    assert_int_equal(vt_run_recorder_vectors(recorder, 5 * s, false, tables[s], s == 2 ? tables[0] : NULL, NULL),
                     VT_OK);
  }
  assert_int_equal(vt_run_recorder_trail(recorder, 1, 11, tables[1], NULL), VT_OK);
  assert_int_equal(vt_run_recorder_event(recorder, 11, "note", "warning", "odd", NULL), VT_OK);
  assert_true(vt_run_recorder_last_step(recorder, &last) && last == 11);

  /* While it is being recorded it can be read. */
  assert_int_equal(vt_run_recorder_flush(recorder, NULL), VT_OK);
  struct vt_run *run = open_run(path);
  assert_table(run, 10, tables[2]);
  vt_run_close(run);
  assert_int_equal(vt_run_recorder_close(&recorder, NULL), VT_OK);
  assert_null(recorder);

  run = open_run(path);
  for (uint64_t s = 0; s < 3; s++) assert_table(run, 5 * s, tables[s]);
  assert_string_equal(vt_vocab_text(vt_run_vocab(run), 1), "hai từ");
  assert_string_equal(vt_run_meta(run, "model"), "mine");
  assert_string_equal(vt_run_meta(run, "origin"), "recorder");
  assert_point(run, "my loss", 0, (double)NAN);
  assert_point(run, "my loss", 2, 2);
  /* "one" went from (0, 0) to (3, 4) in five steps, the others stayed. */
  assert_point(run, "displacement", 1, 5.0 / 3);
  assert_point(run, "norm", 1, 7.0 / 3);
  assert_point(run, "speed", 0, (double)NAN);
  assert_point(run, "speed", 1, 1.0 / 3);
  assert_point(run, "moving", 1, 1.0 / 3);
  struct vt_run_step step;
  assert_int_equal(vt_run_last_step(run, &step, NULL), VT_OK);
  assert_true(step.step == 10 && step.epoch == 2 && step.tokens == 7 && step.seconds == 1.5 && step.lr == 0.1);
  assert_int_equal(vt_run_event_count(run), 3);
  assert_string_equal(vt_run_event_at(run, 0).kind, "start");
  assert_string_equal(vt_run_event_at(run, 1).text, "odd");
  assert_string_equal(vt_run_event_at(run, 2).kind, "finished");
  vt_run_close(run);
  assert_false(vtt_exists(vtt_path(folder, "run/run.lock")));
  assert_int_equal(vtt_folder_entries(folder), 1);
  vt_vocab_free(vocab);
  vtt_folder_remove(folder);
}

static void the_trail_is_where_readers_look(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_vocab *vocab = make_vocab();
  struct vt_run_recorder *recorder = begin(vtt_path(folder, "run"), vocab);
  assert_int_equal(vt_run_recorder_trail(recorder, 2, 4, tables[1], NULL), VT_OK);
  assert_int_equal(vt_run_recorder_close(&recorder, NULL), VT_OK);
  sqlite3 *database;
  sqlite3_stmt *rows;
  assert_int_equal(sqlite3_open(vtt_path(folder, "run/run.db"), &database), SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(database, "SELECT word, step, vector FROM trail", -1, &rows, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(rows), SQLITE_ROW);
  assert_int_equal(sqlite3_column_int(rows, 0), 2);
  assert_int_equal(sqlite3_column_int(rows, 1), 4);
  assert_int_equal(sqlite3_column_bytes(rows, 2), DIM * 4);
  assert_memory_equal(sqlite3_column_blob(rows, 2), tables[1], DIM * 4);
  sqlite3_finalize(rows);
  sqlite3_close(database);
  vt_vocab_free(vocab);
  vtt_folder_remove(folder);
}

/* ---- what it must not take --------------------------------------------------------------------------------------- */

#define REFUSED(call) assert_int_equal((call), VT_ERROR_ARGUMENT)

static void nonsense_is_refused(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_vocab *vocab = make_vocab();
  const char *path = vtt_path(folder, "run");
  struct vt_run_recorder *recorder = NULL;
  REFUSED(vt_run_recorder_create(path, vocab, 0, false, &recorder, NULL));
  REFUSED(vt_run_recorder_create(path, vocab, 65537, false, &recorder, NULL));
  assert_int_equal(vtt_folder_entries(folder), 0);
  recorder = begin(path, vocab);
  assert_int_equal(vt_run_recorder_vectors(recorder, 10, false, tables[0], NULL, NULL), VT_OK);
  float bad[WORDS * DIM];
  memcpy(bad, tables[0], sizeof bad);
  static const float values[] = {NAN, INFINITY, -INFINITY};
  struct vt_error error;
  for (size_t k = 0; k < 3; k++) {
    bad[3] = values[k];
    REFUSED(vt_run_recorder_vectors(recorder, 20, false, bad, NULL, &error));
    assert_non_null(strstr(error.message, "step 20: the vector of \"hai từ\""));
    REFUSED(vt_run_recorder_vectors(recorder, 20, false, tables[0], bad, NULL));
  }
  bad[3] = 65520;
  REFUSED(vt_run_recorder_vectors(recorder, 20, true, bad, NULL, NULL));
  bad[3] = 65519;
  assert_int_equal(vt_run_recorder_vectors(recorder, 20, true, bad, NULL, NULL), VT_OK);
  REFUSED(vt_run_recorder_vectors(recorder, 20, false, tables[0], NULL, NULL));
  REFUSED(vt_run_recorder_vectors(recorder, 19, false, tables[0], NULL, NULL));
  REFUSED(vt_run_recorder_metric(recorder, 19, "loss", 1, NULL));
  REFUSED(vt_run_recorder_metric(recorder, 20, "", 1, NULL));
  REFUSED(vt_run_recorder_metric(recorder, UINT64_MAX, "loss", 1, NULL));
  REFUSED(vt_run_recorder_step(recorder, &(struct vt_run_step){.step = 1}, NULL));
  REFUSED(vt_run_recorder_step(recorder, &(struct vt_run_step){.step = 30, .lr = (double)NAN}, NULL));
  REFUSED(vt_run_recorder_step(recorder, &(struct vt_run_step){.step = 30, .tokens = UINT64_MAX}, NULL));
  REFUSED(vt_run_recorder_trail(recorder, WORDS, 30, tables[0], NULL));
  REFUSED(vt_run_recorder_event(recorder, 30, "finished", "info", "no", NULL));
  REFUSED(vt_run_recorder_event(recorder, 30, "note", "loud", "no", NULL));
  REFUSED(vt_run_recorder_event(recorder, 30, "note", "info", "", NULL));
  REFUSED(vt_run_recorder_event(recorder, 30, NULL, "info", "no", NULL));
  static const char *const own[] = {"schema", "vectrail", "origin", "dim", "vocab_size", ""};
  for (size_t k = 0; k < 6; k++) REFUSED(vt_run_recorder_meta(recorder, own[k], "1", NULL));
  assert_int_equal(vt_run_recorder_close(&recorder, NULL), VT_OK);
  struct vt_run *run = open_run(path);
  assert_int_equal(vt_run_snapshot_count(run), 2);
  assert_int_equal(vt_run_event_count(run), 2);
  vt_run_close(run);
  vt_vocab_free(vocab);
  vtt_folder_remove(folder);
}

static void one_writer_and_no_run_replaced_unasked(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_vocab *vocab = make_vocab();
  const char *path = vtt_path(folder, "run");
  struct vt_run_recorder *first = begin(path, vocab), *second = NULL;
  assert_int_equal(vt_run_recorder_append(path, &second, NULL), VT_ERROR_BUSY);
  assert_int_equal(vt_run_recorder_create(path, vocab, DIM, false, &second, NULL), VT_ERROR_EXISTS);
  assert_int_equal(vt_run_recorder_create(path, vocab, DIM, true, &second, NULL), VT_ERROR_BUSY);
  assert_int_equal(vt_run_recorder_vectors(first, 0, false, tables[0], NULL, NULL), VT_OK);
  assert_int_equal(vt_run_recorder_close(&first, NULL), VT_OK);
  assert_int_equal(vt_run_recorder_create(path, vocab, DIM, true, &second, NULL), VT_OK);
  assert_int_equal(vt_run_recorder_vectors(second, 3, false, tables[1], NULL, NULL), VT_OK);
  assert_int_equal(vt_run_recorder_close(&second, NULL), VT_OK);
  struct vt_run *run = open_run(path);
  assert_int_equal(vt_run_snapshot_count(run), 1);
  assert_table(run, 3, tables[1]);
  vt_run_close(run);
  assert_int_equal(vtt_folder_entries(folder), 1);
  vt_vocab_free(vocab);
  vtt_folder_remove(folder);
}

/* ---- going on ---------------------------------------------------------------------------------------------------- */

static void a_recording_broken_off_is_gone_on_with(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_vocab *vocab = make_vocab();
  const char *path = vtt_path(folder, "run");
  struct vt_run_recorder *recorder = begin(path, vocab);
  assert_int_equal(vt_run_recorder_vectors(recorder, 2, false, tables[0], NULL, NULL), VT_OK);
  assert_int_equal(vt_run_recorder_metric(recorder, 6, "loss", 4, NULL), VT_OK);
  assert_int_equal(vt_run_recorder_step(recorder, &(struct vt_run_step){.step = 6}, NULL), VT_OK);
  assert_int_equal(vt_run_recorder_flush(recorder, NULL), VT_OK);
  vt_run_recorder_free(recorder);
  vt_vocab_free(vocab);

  recorder = go_on(path);
  uint64_t last;
  assert_true(vt_run_recorder_last_step(recorder, &last) && last == 6);
  assert_int_equal(vt_run_recorder_dim(recorder), DIM);
  assert_string_equal(vt_vocab_text(vt_run_recorder_vocab(recorder), 2), "3");
  REFUSED(vt_run_recorder_vectors(recorder, 5, false, tables[1], NULL, NULL));
  assert_int_equal(vt_run_recorder_vectors(recorder, 7, false, tables[1], NULL, NULL), VT_OK);
  assert_int_equal(vt_run_recorder_close(&recorder, NULL), VT_OK);
  struct vt_run *run = open_run(path);
  assert_table(run, 2, tables[0]);
  assert_table(run, 7, tables[1]);
  /* From the start of the first sitting; speed over the five steps since its last snapshot. */
  assert_point(run, "displacement", 1, 5.0 / 3);
  assert_point(run, "speed", 1, 1.0 / 3);
  assert_int_equal(vt_run_event_count(run), 2);
  vt_run_close(run);
  /* Finished, and gone on with all the same. */
  recorder = go_on(path);
  assert_true(vt_run_recorder_last_step(recorder, &last) && last == 7);
  assert_int_equal(vt_run_recorder_close(&recorder, NULL), VT_OK);
  vtt_folder_remove(folder);
}

static void only_what_was_recorded_is_gone_on_with(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_run_recorder *recorder = NULL;
  assert_int_equal(vt_run_recorder_append(vtt_path(folder, "none"), &recorder, NULL), VT_ERROR_NOT_FOUND);
  assert_int_equal(vtt_folder_entries(folder), 0);
  struct vt_train_request request = {0};
  vt_corpus_options_init(&request.corpus);
  vt_train_options_init(&request.train);
  vt_record_options_init(&request.record);
  const char *text = vtt_write_text(folder, "text", "a b a b a b a b a b c a b a b a b a b a b\n"), *inputs[] = {text};
  request.inputs = inputs;
  request.input_count = 1;
  request.run_path = vtt_path(folder, "trained");
  request.corpus.min_count = 1;
  request.train.dim = 4;
  request.train.epochs = 1;
  struct vt_error error;
  if (vt_train(&request, NULL, &error) != VT_OK) fail_msg("%s", error.message);
  assert_int_equal(vt_run_recorder_append(request.run_path, &recorder, NULL), VT_ERROR_UNSUPPORTED);
  assert_false(vtt_exists(vtt_path(folder, "trained/run.lock")));
  vtt_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_recorded_is_read),
      cmocka_unit_test(the_trail_is_where_readers_look),
      cmocka_unit_test(nonsense_is_refused),
      cmocka_unit_test(one_writer_and_no_run_replaced_unasked),
      cmocka_unit_test(a_recording_broken_off_is_gone_on_with),
      cmocka_unit_test(only_what_was_recorded_is_gone_on_with),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
