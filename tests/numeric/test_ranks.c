/* Several ranks that train one run together (label: threads, label: long): they give the bits of one process, end
 * together, and go on in other numbers. The ranks are threads here; tests/cli/test_ranks.sh has them as processes under
 * MPI. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dist/ranks.h"
#include "support/planted.h"
#include "support/thread_ranks.h"
#include "vectrail/run.h"
#include "vectrail/train.h"

#define RANKS_MAX 4

/* What every rank asks for, and what came of it. */
struct job {
  struct vt_train_request request;
  struct vt_resume_request resume;
  bool resumes;
  void (*change)(struct vt_train_request *request, int rank); /* may be NULL */
  enum vt_status status[RANKS_MAX];
  struct vt_error error[RANKS_MAX];
  struct vt_train_result result;
};

static void take_part(void *context, struct vt_ranks *ranks) {
  struct job *job = context;
  int rank = vt_ranks_rank(ranks);
  struct vt_train_result result;
  if (job->resumes) {
    struct vt_resume_request resume = job->resume;
    resume.ranks = ranks;
    job->status[rank] = vt_resume(&resume, &result, &job->error[rank]);
  } else {
    struct vt_train_request request = job->request;
    request.train.ranks = ranks;
    if (job->change != NULL) job->change(&request, rank);
    job->status[rank] = vt_train(&request, &result, &job->error[rank]);
  }
  if (rank == 0) job->result = result;
}

static void request_init(struct vt_train_request *request, const char *const *inputs, const char *run) {
  *request = (struct vt_train_request){.inputs = inputs, .input_count = 1, .run_path = run};
  vt_corpus_options_init(&request->corpus);
  vt_train_options_init(&request->train);
  vt_record_options_init(&request->record);
  request->train.dim = 20;
  request->train.block_tokens = 128;
  request->train.blocks = 5; /* which no number of ranks here divides */
  request->train.epochs = 2;
  request->train.sample = 1e-3;
  request->train.threads = 1;
  request->record.snapshots = 5;
  request->record.float32 = true;
  request->record.output = true;
}

static struct vt_run *open_run(const char *path) {
  struct vt_run *run;
  struct vt_error error;
  if (vt_run_open(path, &run, &error) != VT_OK) fail_msg("%s", error.message);
  return run;
}

static void compare_metric(struct vt_run *a, struct vt_run *b, const char *name) {
  struct vt_run_point *x, *y;
  size_t count_x, count_y;
  assert_int_equal(vt_run_metric(a, name, &x, &count_x, NULL), VT_OK);
  assert_int_equal(vt_run_metric(b, name, &y, &count_y, NULL), VT_OK);
  assert_true(count_x > 3 && count_x == count_y);
  for (size_t k = 0; k < count_x; k++)
    assert_true(x[k].step == y[k].step && (x[k].value == y[k].value || (isnan(x[k].value) && isnan(y[k].value))));
  vt_run_points_free(x);
  vt_run_points_free(y);
}

/* Snapshots by their hashes, metrics by their values. */
static void compare_runs(const char *path_a, const char *path_b) {
  struct vt_run *a = open_run(path_a), *b = open_run(path_b);
  size_t count = vt_run_snapshot_count(a);
  assert_true(count >= 4 && count == vt_run_snapshot_count(b));
  for (size_t k = 0; k < count; k++) {
    struct vt_run_snapshot x = vt_run_snapshot_at(a, k), y = vt_run_snapshot_at(b, k);
    assert_int_equal(x.step, y.step);
    assert_string_equal(x.sha256, y.sha256);
  }
  static const char *const metrics[] = {"loss", "probe_loss", "probe_gradient", "step_norm", "capped", "update_ratio"};
  for (size_t k = 0; k < sizeof metrics / sizeof metrics[0]; k++) compare_metric(a, b, metrics[k]);
  vt_run_close(a);
  vt_run_close(b);
}

static void expect_all(const struct job *job, int ranks, enum vt_status status) {
  for (int r = 0; r < ranks; r++)
    if (job->status[r] != status) fail_msg("rank %d: %s", r, job->error[r].message);
}

/* ---- the same bits ----------------------------------------------------------------------------------------------- */

static void compare_with(struct job *job, const char *alone, struct vtt_folder *folder, int ranks, int machines) {
  struct vt_train_options *train = &job->request.train;
  char name[48];
  snprintf(name, sizeof name, "run%dx%dx%d%s", ranks, train->threads, machines, train->deal_tables ? "dealt" : "");
  job->request.run_path = vtt_path(folder, name);
  vtt_ranks_run(ranks, machines, take_part, job);
  expect_all(job, ranks, VT_OK);
  compare_runs(alone, job->request.run_path);
}

/* all: every number of ranks, threads and machines; otherwise, and under a sanitizer, every second one. */
static void check_bits(void (*set)(struct vt_train_request *request), uint32_t sentences, bool all) {
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", sentences, 1), *alone = vtt_path(folder, "alone");
  struct job job = {0};
  request_init(&job.request, &corpus, alone);
  set(&job.request);
  const bool deals = job.request.train.deal_tables;
  job.request.train.deal_tables = false;
  assert_int_equal(vt_train(&job.request, NULL, &job.error[0]), VT_OK);
  job.request.train.deal_tables = deals;
  for (int ranks = 1; ranks <= RANKS_MAX; ranks++) {
    for (int threads = 1; threads <= 2; threads++) {
      job.request.train.threads = job.request.corpus.threads = threads;
      for (int machines = 1; machines <= ranks; machines++)
        if ((all && !vtt_sanitized) || (ranks + threads + machines) % 2 == 1)
          compare_with(&job, alone, folder, ranks, machines);
    }
  }
  vtt_folder_remove(folder);
}

static void as_it_is(struct vt_train_request *request) { (void)request; }
static void with_paths(struct vt_train_request *request) { request->train.loss = VT_LOSS_HIERARCHICAL_SOFTMAX; }
static void with_cbow(struct vt_train_request *request) { request->train.model = VT_MODEL_CBOW; }
static void with_adagrad(struct vt_train_request *request) { request->train.optimizer = VT_OPTIMIZER_ADAGRAD; }
static void with_decay(struct vt_train_request *request) {
  request->train.l2 = 1e-3; /* so much that the books of the decay are renewed on the way */
  request->train.held_out = 0.1;
}

static void with_replicas(struct vt_train_request *request) {
  request->train.replicas = RANKS_MAX;
  request->train.sync_every = 2;
  request->train.blocks = 2;
}

static void dealt(struct vt_train_request *request) {
  request->train.deal_tables = true;
  request->record.output = true;
}
static void dealt_with_paths(struct vt_train_request *request) {
  with_paths(request);
  dealt(request);
}
static void dealt_with_cbow(struct vt_train_request *request) {
  with_cbow(request);
  dealt(request);
}
static void dealt_with_adagrad(struct vt_train_request *request) {
  with_adagrad(request);
  dealt(request);
  request->train.held_out = 0.1;
}

static void tables_that_are_dealt_change_no_bit(void **state) {
  (void)state;
  check_bits(dealt, 800, true);
  check_bits(dealt_with_paths, 300, false);
  check_bits(dealt_with_cbow, 300, false);
  check_bits(dealt_with_adagrad, 300, false);
}

static void ranks_give_the_bits_of_one_process(void **state) {
  (void)state;
  check_bits(as_it_is, 800, true);
  check_bits(with_paths, 300, false);
  check_bits(with_cbow, 300, false);
  check_bits(with_adagrad, 300, false);
  check_bits(with_decay, 300, false);
  check_bits(with_replicas, 900, true);
}

/* ---- stopping and going on --------------------------------------------------------------------------------------- */

static void with_adagrad_and_decay(struct vt_train_request *request) {
  with_adagrad(request);
  with_decay(request);
}

static volatile sig_atomic_t stop;

static void stop_half_way(void *context, const struct vt_train_progress *progress) {
  (void)context;
  if (progress->step >= progress->steps / 2) stop = 1;
}

static void listen_on_rank_0(struct vt_train_request *request, int rank) {
  if (rank != 0) return;
  request->progress = stop_half_way;
  request->interrupt = &stop;
}

static void check_going_on(void (*set)(struct vt_train_request *request), int before, int after, int machines) {
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 900, 1), *alone = vtt_path(folder, "alone");
  struct job job = {.change = listen_on_rank_0};
  request_init(&job.request, &corpus, alone);
  set(&job.request);
  assert_int_equal(vt_train(&job.request, NULL, &job.error[0]), VT_OK);
  const char *path = job.request.run_path = vtt_path(folder, "run");
  stop = 0;
  vtt_ranks_run(before, machines, take_part, &job);
  expect_all(&job, before, VT_ERROR_INTERRUPTED);
  assert_non_null(strstr(job.error[before - 1].message, "interrupted at step"));
  vt_resume_request_init(&job.resume);
  job.resume.run_path = path;
  job.resume.threads = 1;
  job.resume.deal_tables = job.request.train.deal_tables;
  job.resumes = true;
  vtt_ranks_run(after, machines, take_part, &job);
  expect_all(&job, after, VT_OK);
  assert_true(job.result.first_step > 0 && job.result.steps > job.result.first_step);
  /* The stop left a snapshot that the unbroken run does not have; it is gone again. */
  compare_runs(alone, path);
  vtt_ranks_run(after, machines, take_part, &job); /* finished: nothing is done */
  expect_all(&job, after, VT_OK);
  assert_int_equal(job.result.first_step, job.result.steps);
  vtt_folder_remove(folder);
}

static void a_run_goes_on_with_another_number_of_ranks(void **state) {
  (void)state;
  for (int machines = 1; machines <= 3; machines++) {
    check_going_on(with_adagrad_and_decay, 3, 2, machines);
    check_going_on(with_adagrad_and_decay, 2, 1, machines);
    check_going_on(with_adagrad_and_decay, 1, 4, machines);
    check_going_on(with_replicas, 3, 2, machines);
    check_going_on(dealt_with_adagrad, 3, 4, machines);
  }
}

/* ---- what is refused --------------------------------------------------------------------------------------------- */

static const char *other_corpus, *no_corpus;

static void other_dim(struct vt_train_request *request, int rank) {
  if (rank == 2) request->train.dim = 21;
}
static void other_min_count(struct vt_train_request *request, int rank) {
  if (rank == 1) request->corpus.min_count = 9;
}
static void other_input(struct vt_train_request *request, int rank) {
  if (rank == 1) request->inputs = &other_corpus;
}
static void missing_input(struct vt_train_request *request, int rank) {
  if (rank == 1) request->inputs = &no_corpus;
}
static void bad_lr(struct vt_train_request *request, int rank) {
  if (rank == 1) request->train.lr = -1;
}

static void refuse(struct vtt_folder *folder, struct job *job, int ranks, enum vt_status status, const char *part) {
  size_t entries = vtt_folder_entries(folder);
  vtt_ranks_run(ranks, 1 + ranks % 2, take_part, job);
  expect_all(job, ranks, status);
  for (int r = 0; r < ranks; r++)
    if (strstr(job->error[r].message, part) == NULL) fail_msg("rank %d: %s", r, job->error[r].message);
  assert_int_equal(vtt_folder_entries(folder), entries);
}

static void ranks_that_differ_are_refused(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 100, 1);
  other_corpus = vtt_planted_corpus(folder, "other.txt", 100, 2);
  no_corpus = vtt_path(folder, "missing.txt");
  struct job job = {0};
  request_init(&job.request, &corpus, vtt_path(folder, "run"));
  job.change = other_dim;
  refuse(folder, &job, 3, VT_ERROR_ARGUMENT, "rank 2: dim is 21 here, and 20 on rank 0");
  job.change = other_min_count;
  refuse(folder, &job, 2, VT_ERROR_ARGUMENT, "rank 1: min-count is 9 here, and 5 on rank 0");
  job.change = other_input;
  refuse(folder, &job, 2, VT_ERROR_ARGUMENT, "rank 1: input 1 is ");
  job.change = missing_input;
  refuse(folder, &job, 2, VT_ERROR_IO, "rank 1: ");
  job.change = bad_lr;
  refuse(folder, &job, 2, VT_ERROR_ARGUMENT, "rank 1: lr");
  vtt_folder_remove(folder);
}

static void what_ranks_cannot_do_is_refused(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 100, 1), *word = "syn1a";
  struct job job = {0};
  request_init(&job.request, &corpus, vtt_path(folder, "run"));
  job.request.corpus.min_count = 1;
  job.request.train.blocks = 3;
  refuse(folder, &job, 4, VT_ERROR_ARGUMENT, "4 ranks share the 3 blocks");
  job.request.train.blocks = 4;
  job.request.train.replicas = 3;
  refuse(folder, &job, 4, VT_ERROR_ARGUMENT, "4 ranks share 3 replicas");
  job.request.train.optimizer = VT_OPTIMIZER_ADAGRAD;
  refuse(folder, &job, 2, VT_ERROR_ARGUMENT, "only what plain sgd does");
  job.request.train.optimizer = VT_OPTIMIZER_SGD;
  job.request.train.replicas = 0;
  job.request.train.deal_tables = true;
  job.request.train.l2 = 0.1;
  refuse(folder, &job, 2, VT_ERROR_UNSUPPORTED, "tables are dealt");
  job.request.train.deal_tables = false;
  job.request.train.l2 = 0;
  job.request.record.ledger = &word;
  job.request.record.ledger_count = 1;
  refuse(folder, &job, 2, VT_ERROR_UNSUPPORTED, "ledger");
  job.request.record.ledger_count = 0;
  job.request.corpus.min_count = 1000000;
  refuse(folder, &job, 2, VT_ERROR_EMPTY, "no word occurs");
  job.request.corpus.min_count = 5;
  job.request.run_path = vtt_path(folder, "nowhere/run");
  refuse(folder, &job, 2, VT_ERROR_IO, "cannot make the run folder");
  vtt_folder_remove(folder);
}

static void check_diverging(int machines, uint32_t replicas, bool deals) {
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 500, 1);
  struct job job = {0};
  request_init(&job.request, &corpus, vtt_path(folder, "run"));
  job.request.train.epochs = 1000;
  job.request.train.lr = 1000;
  job.request.train.replicas = replicas;
  job.request.train.deal_tables = deals;
  vtt_ranks_run(3, machines, take_part, &job);
  expect_all(&job, 3, VT_ERROR_DIVERGED);
  assert_string_equal(job.error[0].message, job.error[2].message);
  struct vt_run *run = open_run(job.request.run_path);
  assert_string_equal(vt_run_event_at(run, vt_run_event_count(run) - 1).kind, "diverged");
  vt_run_close(run);
  vtt_folder_remove(folder);
}

/* Exactly, all find it out at once; in replicas, one tells the others. */
static void all_diverge_together(void **state) {
  (void)state;
  for (int machines = 1; machines <= 3; machines++) {
    check_diverging(machines, 0, false);
    check_diverging(machines, 0, true);
    check_diverging(machines, 3, false);
  }
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

static void exchange_words(void *context, struct vt_ranks *ranks) {
  (void)context;
  int rank = vt_ranks_rank(ranks), size = vt_ranks_size(ranks), all[RANKS_MAX * 2 - 1];
  struct vt_error error;
  char word[8] = "none";
  if (rank == 0) snprintf(word, sizeof word, "zero");
  assert_int_equal(vt_ranks_broadcast(ranks, word, sizeof word, &error), VT_OK);
  assert_string_equal(word, "zero");
  int mine = 10 * rank;
  assert_int_equal(vt_ranks_all_gather(ranks, &mine, sizeof mine, all, &error), VT_OK);
  for (int r = 0; r < size; r++) assert_int_equal(all[r], 10 * r);
  assert_true(vt_ranks_all(ranks, true));
  assert_true(vt_ranks_all(ranks, rank != size - 1) == false);
  enum vt_status status = rank == 0 ? VT_OK : VT_FAIL(&error, VT_ERROR_IO, "broken %d", rank);
  status = vt_ranks_agree(ranks, status, &error);
  assert_int_equal(status, size == 1 ? VT_OK : VT_ERROR_IO);
  if (size > 1) assert_string_equal(error.message, "rank 1: broken 1");
}

static void collective_calls(void **state) {
  (void)state;
  for (int size = 1; size < RANKS_MAX * 2; size++) vtt_ranks_run(size, 1, exchange_words, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(collective_calls),
      cmocka_unit_test(ranks_give_the_bits_of_one_process),
      cmocka_unit_test(tables_that_are_dealt_change_no_bit),
      cmocka_unit_test(a_run_goes_on_with_another_number_of_ranks),
      cmocka_unit_test(ranks_that_differ_are_refused),
      cmocka_unit_test(what_ranks_cannot_do_is_refused),
      cmocka_unit_test(all_diverge_together),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
