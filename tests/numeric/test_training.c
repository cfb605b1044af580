/* Training as a whole (label: threads, label: long): the same bits at any number of threads, every token trained,
 * divergence told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/planted.h"
#include "support/temporary.h"
#include "vectrail/run.h"
#include "vectrail/train.h"

static void request_init(struct vt_train_request *request, const char *const *inputs, const char *run) {
  *request = (struct vt_train_request){.inputs = inputs, .input_count = 1, .run_path = run};
  vt_corpus_options_init(&request->corpus);
  vt_train_options_init(&request->train);
  vt_record_options_init(&request->record);
  request->train.dim = 20;
  request->train.block_tokens = 128;
  request->train.blocks = 4;
  request->train.epochs = 3;
  request->train.sample = 1e-3;
}

static struct vt_train_result train(const struct vt_train_request *request) {
  struct vt_train_result result;
  struct vt_error error;
  if (vt_train(request, &result, &error) != VT_OK) fail_msg("%s", error.message);
  return result;
}

static struct vt_run *open_run(const char *path) {
  struct vt_run *run;
  struct vt_error error;
  if (vt_run_open(path, &run, &error) != VT_OK) fail_msg("%s", error.message);
  return run;
}

/* Every snapshot file of two runs, byte by byte; returns how many. */
static size_t compare_snapshots(const char *path_a, const char *path_b) {
  struct vt_run *a = open_run(path_a), *b = open_run(path_b);
  size_t count = vt_run_snapshot_count(a);
  assert_int_equal(count, vt_run_snapshot_count(b));
  for (size_t k = 0; k < count; k++) {
    struct vt_run_snapshot x = vt_run_snapshot_at(a, k), y = vt_run_snapshot_at(b, k);
    assert_int_equal(x.step, y.step);
    char name_a[4096], name_b[4096];
    snprintf(name_a, sizeof name_a, "%s/%s", path_a, x.path);
    snprintf(name_b, sizeof name_b, "%s/%s", path_b, y.path);
    size_t bytes_a, bytes_b;
    char *data_a = vtt_read(name_a, &bytes_a), *data_b = vtt_read(name_b, &bytes_b);
    assert_int_equal(bytes_a, bytes_b);
    assert_memory_equal(data_a, data_b, bytes_a);
    assert_string_equal(x.sha256, y.sha256);
    free(data_a);
    free(data_b);
  }
  vt_run_close(a);
  vt_run_close(b);
  return count;
}

/* Metrics come from the same sums, so they agree to the last bit too. */
static void compare_metric(const char *path_a, const char *path_b, const char *name) {
  struct vt_run *a = open_run(path_a), *b = open_run(path_b);
  struct vt_run_point *x, *y;
  size_t count_x, count_y;
  assert_int_equal(vt_run_metric(a, name, &x, &count_x, NULL), VT_OK);
  assert_int_equal(vt_run_metric(b, name, &y, &count_y, NULL), VT_OK);
  assert_true(count_x > 10 && count_x == count_y);
  for (size_t k = 0; k < count_x; k++) {
    assert_int_equal(x[k].step, y[k].step);
    assert_true(x[k].value == y[k].value || (isnan(x[k].value) && isnan(y[k].value)));
  }
  vt_run_points_free(x);
  vt_run_points_free(y);
  vt_run_close(a);
  vt_run_close(b);
}

static void check_bits(enum vt_model model, enum vt_loss loss, enum vt_optimizer_kind optimizer, uint32_t sentences) {
  static const int threads[] = {2, 8, 1, 3};
  if (vtt_under_tsan) sentences /= 3;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", sentences, 1), *runs[4];
  for (int k = 0; k < (vtt_sanitized ? 2 : 4); k++) {
    char name[16];
    snprintf(name, sizeof name, "run%d", threads[k]);
    runs[k] = vtt_path(folder, name);
    struct vt_train_request request;
    request_init(&request, &corpus, runs[k]);
    request.train.model = model;
    request.train.loss = loss;
    request.train.optimizer = optimizer;
    request.train.threads = request.corpus.threads = threads[k];
    request.record.float32 = true;
    request.record.output = true;
    struct vt_train_result result = train(&request);
    struct vt_run *run = open_run(runs[k]);
    assert_int_equal(result.tokens, 3 * vt_vocab_tokens(vt_run_vocab(run)));
    assert_true(vt_vocab_tokens(vt_run_vocab(run)) > 5 * sentences);
    vt_run_close(run);
    if (k == 0) continue;
    assert_true(compare_snapshots(runs[0], runs[k]) > 10);
    compare_metric(runs[0], runs[k], "loss");
    compare_metric(runs[0], runs[k], "probe_loss");
    compare_metric(runs[0], runs[k], "probe_gradient");
    compare_metric(runs[0], runs[k], "displacement");
  }
  vtt_folder_remove(folder);
}

static void same_bits_at_any_number_of_threads(void **state) {
  (void)state;
  check_bits(VT_MODEL_SKIPGRAM, VT_LOSS_NEGATIVE_SAMPLING, VT_OPTIMIZER_SGD, 1500);
  check_bits(VT_MODEL_SKIPGRAM, VT_LOSS_HIERARCHICAL_SOFTMAX, VT_OPTIMIZER_SGD, 500);
  check_bits(VT_MODEL_CBOW, VT_LOSS_NEGATIVE_SAMPLING, VT_OPTIMIZER_SGD, 500);
  check_bits(VT_MODEL_CBOW, VT_LOSS_HIERARCHICAL_SOFTMAX, VT_OPTIMIZER_SGD, 500);
  check_bits(VT_MODEL_SKIPGRAM, VT_LOSS_NEGATIVE_SAMPLING, VT_OPTIMIZER_ADAGRAD, 500);
}

/* The first digits of the SHA-256 of the last snapshot. */
static uint64_t last_snapshot_hash(const char *corpus, const char *path, void (*change)(struct vt_train_request *)) {
  struct vt_train_request request;
  request_init(&request, &corpus, path);
  request.train.epochs = 1;
  change(&request);
  train(&request);
  struct vt_run *run = open_run(path);
  struct vt_run_snapshot last = vt_run_snapshot_at(run, vt_run_snapshot_count(run) - 1);
  char digits[16];
  snprintf(digits, sizeof digits, "%.12s", last.sha256);
  uint64_t hash = strtoull(digits, NULL, 16);
  vt_run_close(run);
  return hash;
}

static void change_nothing(struct vt_train_request *request) { (void)request; }
static void change_seed(struct vt_train_request *request) { request->train.seed = 2; }
static void change_lr(struct vt_train_request *request) { request->train.lr = 0.03; }
static void change_window(struct vt_train_request *request) { request->train.window = 3; }
static void change_kernel(struct vt_train_request *request) { request->train.kernel = "reference"; }
static void change_record(struct vt_train_request *request) { request->record.probes = 7; }

static void settings_change_the_bits_and_recording_does_not(void **state) {
  (void)state;
  VTT_NOT_FOR_TSAN();
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 400, 1);
  uint64_t plain = last_snapshot_hash(corpus, vtt_path(folder, "plain"), change_nothing);
  assert_true(plain == last_snapshot_hash(corpus, vtt_path(folder, "again"), change_nothing));
  assert_true(plain == last_snapshot_hash(corpus, vtt_path(folder, "record"), change_record));
  assert_true(plain == last_snapshot_hash(corpus, vtt_path(folder, "kernel"), change_kernel));
  assert_true(plain != last_snapshot_hash(corpus, vtt_path(folder, "seed"), change_seed));
  assert_true(plain != last_snapshot_hash(corpus, vtt_path(folder, "lr"), change_lr));
  assert_true(plain != last_snapshot_hash(corpus, vtt_path(folder, "window"), change_window));
  vtt_folder_remove(folder);
}

/* ---- when it does not go well ----------------------------------------------------------------------------------- */

static void divergence_names_the_word_and_keeps_the_last_snapshot(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 2000, 1), *path = vtt_path(folder, "run");
  struct vt_train_request request;
  request_init(&request, &corpus, path);
  request.train.epochs = 1000;
  request.train.lr = 1000;
  struct vt_error error;
  struct vt_train_result result;
  assert_int_equal(vt_train(&request, &result, &error), VT_ERROR_DIVERGED);
  assert_non_null(strstr(error.message, "vector of \""));
  assert_non_null(strstr(error.message, "step"));
  struct vt_run *run = open_run(path);
  struct vt_vectors *vectors;
  assert_int_equal(vt_run_vectors(run, VT_STEP_LAST, &vectors, NULL), VT_OK);
  for (size_t k = 0; k < vectors->rows * vectors->dim; k++) assert_true(isfinite(vectors->data[k]));
  vt_vectors_free(vectors);
  struct vt_run_event last = vt_run_event_at(run, vt_run_event_count(run) - 1);
  assert_string_equal(last.kind, "diverged");
  vt_run_close(run);
  vtt_folder_remove(folder);
}

static volatile sig_atomic_t stop;

static void stop_in_the_second_epoch(void *context, const struct vt_train_progress *progress) {
  (void)context;
  if (progress->epoch == 2) stop = 1;
}

static void an_interrupt_keeps_where_it_stopped(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 2000, 1), *path = vtt_path(folder, "run");
  struct vt_train_request request;
  request_init(&request, &corpus, path);
  request.progress = stop_in_the_second_epoch;
  request.interrupt = &stop;
  stop = 0;
  struct vt_train_result result;
  struct vt_error error;
  assert_int_equal(vt_train(&request, &result, &error), VT_ERROR_INTERRUPTED);
  struct vt_run *run = open_run(path);
  struct vt_run_snapshot last = vt_run_snapshot_at(run, vt_run_snapshot_count(run) - 1);
  assert_int_equal(last.step, result.steps);
  assert_string_equal(last.dtype, "F32");
  vt_run_close(run);
  vtt_folder_remove(folder);
}

static void errors_leave_no_folder(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_write_text(folder, "corpus.txt", "a b c\n"), *path = vtt_path(folder, "run");
  struct vt_train_request request;
  struct vt_error error;
  request_init(&request, &corpus, path); /* no word five times */
  assert_int_equal(vt_train(&request, NULL, &error), VT_ERROR_EMPTY);
  assert_int_equal(vtt_folder_entries(folder), 1);
  request.corpus.min_count = 1;
  const char *watch = "zebra";
  request.record.watch = &watch;
  request.record.watch_count = 1;
  assert_int_equal(vt_train(&request, NULL, &error), VT_ERROR_NOT_FOUND);
  assert_non_null(strstr(error.message, "zebra"));
  assert_int_equal(vtt_folder_entries(folder), 1);
  request.train.dim = 0;
  assert_int_equal(vt_train(&request, NULL, &error), VT_ERROR_ARGUMENT);
  assert_int_equal(vtt_folder_entries(folder), 1);
  vtt_folder_remove(folder);
}

static void the_smallest_corpus_trains(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_write_text(folder, "corpus.txt", "a b\n"), *path = vtt_path(folder, "run");
  struct vt_train_request request;
  request_init(&request, &corpus, path);
  request.corpus.min_count = 1;
  request.train.sample = 0;
  struct vt_train_result result = train(&request);
  assert_int_equal(result.tokens, 6);
  vtt_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_bits_at_any_number_of_threads),
      cmocka_unit_test(settings_change_the_bits_and_recording_does_not),
      cmocka_unit_test(divergence_names_the_word_and_keeps_the_last_snapshot),
      cmocka_unit_test(an_interrupt_keeps_where_it_stopped),
      cmocka_unit_test(errors_leave_no_folder),
      cmocka_unit_test(the_smallest_corpus_trains),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
