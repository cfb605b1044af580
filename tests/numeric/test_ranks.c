/* Several ranks that train one run together (label: threads, label: long): they give the bits of one process, end
 * together, and go on in other numbers. The ranks are threads here; tests/cli/test_ranks.sh has them as processes under
 * MPI. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "dist/ranks.h"
#include "support/planted.h"
#include "support/rank_jobs.h"
#include "support/thread_ranks.h"
#include "vectrail/run.h"
#include "vectrail/train.h"
#include "vectrail/tune.h"

#define RANKS_MAX VTT_RANKS_MAX

static void request_init(struct vt_train_request *request, const char *const *inputs, const char *run) {
  vtt_request_init(request, inputs, run);
  request->train.dim = 20;
  request->train.block_tokens = 128;
  request->train.blocks = 5; /* which no number of ranks here divides */
  request->train.sample = 1e-3;
}

/* ---- the same bits ----------------------------------------------------------------------------------------------- */

static void compare_with(struct vtt_job *job, const char *alone, struct vtt_folder *folder, int ranks, int machines) {
  struct vt_train_options *train = &job->request.train;
  char name[48];
  snprintf(name, sizeof name, "run%dx%dx%d%s", ranks, train->threads, machines, train->deal_tables ? "dealt" : "");
  job->request.run_path = vtt_path(folder, name);
  vtt_job_run(job, ranks, machines);
  vtt_job_expect(job, ranks, VT_OK);
  vtt_compare_runs(alone, job->request.run_path);
}

static void check_bits(void (*set)(struct vt_train_request *request), uint32_t sentences, bool all) {
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", sentences, 1), *alone = vtt_path(folder, "alone");
  struct vtt_job job = {0};
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
        if (vtt_job_tries(ranks, threads, machines, all)) compare_with(&job, alone, folder, ranks, machines);
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
  check_bits(dealt, 320, true);
  if (vtt_under_tsan) return; /* the others send the same messages */
  check_bits(dealt_with_paths, 120, false);
  check_bits(dealt_with_cbow, 120, false);
  check_bits(dealt_with_adagrad, 120, false);
}

static void ranks_give_the_bits_of_one_process(void **state) {
  (void)state;
  check_bits(as_it_is, 320, true);
  check_bits(with_replicas, 360, true);
  if (vtt_under_tsan) return;
  check_bits(with_paths, 120, false);
  check_bits(with_cbow, 120, false);
  check_bits(with_adagrad, 120, false);
  check_bits(with_decay, 120, false);
}

/* ---- stopping and going on --------------------------------------------------------------------------------------- */

static void with_adagrad_and_decay(struct vt_train_request *request) {
  with_adagrad(request);
  with_decay(request);
}

static void check_going_on(void (*set)(struct vt_train_request *request), int before, int after, int machines) {
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 360, 1);
  struct vt_train_request request;
  request_init(&request, &corpus, NULL);
  set(&request);
  vtt_check_going_on(&request, folder, before, after, machines);
  vtt_folder_remove(folder);
}

static void a_run_goes_on_with_another_number_of_ranks(void **state) {
  (void)state;
  for (int machines = vtt_sanitized ? 2 : 1; machines <= (vtt_sanitized ? 2 : 3); machines++) {
    check_going_on(with_adagrad_and_decay, 3, 2, machines);
    check_going_on(with_replicas, 3, 2, machines);
    if (vtt_under_tsan) continue;
    check_going_on(with_adagrad_and_decay, 2, 1, machines);
    check_going_on(with_adagrad_and_decay, 1, 4, machines);
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

static void ranks_that_differ_are_refused(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 100, 1);
  other_corpus = vtt_planted_corpus(folder, "other.txt", 100, 2);
  no_corpus = vtt_path(folder, "missing.txt");
  struct vtt_job job = {0};
  request_init(&job.request, &corpus, vtt_path(folder, "run"));
  job.change = other_dim;
  vtt_job_refuse(folder, &job, 3, VT_ERROR_ARGUMENT, "rank 2: dim is 21 here, and 20 on rank 0");
  job.change = other_min_count;
  vtt_job_refuse(folder, &job, 2, VT_ERROR_ARGUMENT, "rank 1: min-count is 9 here, and 5 on rank 0");
  job.change = other_input;
  vtt_job_refuse(folder, &job, 2, VT_ERROR_ARGUMENT, "rank 1: input 1 is ");
  job.change = missing_input;
  vtt_job_refuse(folder, &job, 2, VT_ERROR_IO, "rank 1: ");
  job.change = bad_lr;
  vtt_job_refuse(folder, &job, 2, VT_ERROR_ARGUMENT, "rank 1: lr");
  vtt_folder_remove(folder);
}

static void what_ranks_cannot_do_is_refused(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 100, 1), *word = "syn1a";
  struct vtt_job job = {0};
  request_init(&job.request, &corpus, vtt_path(folder, "run"));
  job.request.corpus.min_count = 1;
  job.request.train.blocks = 3;
  vtt_job_refuse(folder, &job, 4, VT_ERROR_ARGUMENT, "4 ranks share the 3 blocks");
  job.request.train.blocks = 4;
  job.request.train.replicas = 3;
  vtt_job_refuse(folder, &job, 4, VT_ERROR_ARGUMENT, "4 ranks share 3 replicas");
  job.request.train.optimizer = VT_OPTIMIZER_ADAGRAD;
  vtt_job_refuse(folder, &job, 2, VT_ERROR_ARGUMENT, "only what plain sgd does");
  job.request.train.optimizer = VT_OPTIMIZER_SGD;
  job.request.train.replicas = 0;
  job.request.train.deal_tables = true;
  job.request.train.l2 = 0.1;
  vtt_job_refuse(folder, &job, 2, VT_ERROR_UNSUPPORTED, "tables are dealt");
  job.request.train.deal_tables = false;
  job.request.train.l2 = 0;
  job.request.record.ledger = &word;
  job.request.record.ledger_count = 1;
  vtt_job_refuse(folder, &job, 2, VT_ERROR_UNSUPPORTED, "ledger");
  job.request.record.ledger_count = 0;
  job.request.corpus.min_count = 1000000;
  vtt_job_refuse(folder, &job, 2, VT_ERROR_EMPTY, "no word occurs");
  job.request.corpus.min_count = 5;
  job.request.run_path = vtt_path(folder, "nowhere/run");
  vtt_job_refuse(folder, &job, 2, VT_ERROR_IO, "cannot make the run folder");
  vtt_folder_remove(folder);
}

static volatile sig_atomic_t stop;

static void stop_at_once(void *context, const struct vt_train_progress *progress) {
  (void)context;
  if (progress->step > 0) stop = 1;
}

/* What it began with, and what holds it there, is not told to other ranks. */
static void a_tuning_goes_on_alone(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 300, 1);
  struct vt_train_request base;
  struct vt_tune_request tune = {.base = vtt_path(folder, "base")};
  struct vtt_job job = {.resumes = true};
  request_init(&base, &corpus, tune.base);
  assert_int_equal(vt_train(&base, NULL, NULL), VT_OK);
  request_init(&tune.train, &corpus, vtt_path(folder, "run"));
  assert_int_equal(vt_tune_options(tune.base, &tune.train.train, &tune.train.corpus, NULL), VT_OK);
  tune.train.train.tuning.anchor = 0.01;
  tune.train.progress = stop_at_once;
  tune.train.interrupt = &stop;
  assert_int_equal(vt_tune(&tune, NULL, NULL), VT_ERROR_INTERRUPTED);
  vt_resume_request_init(&job.resume);
  job.resume.run_path = tune.train.run_path;
  job.resume.threads = 1;
  vtt_job_refuse(folder, &job, 2, VT_ERROR_UNSUPPORTED, "what goes on with another run's vectors");
  vtt_job_run(&job, 1, 1);
  vtt_job_expect(&job, 1, VT_OK);
  vtt_folder_remove(folder);
}

static void check_diverging(int machines, uint32_t replicas, bool deals) {
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 500, 1);
  struct vtt_job job = {0};
  request_init(&job.request, &corpus, vtt_path(folder, "run"));
  job.request.train.epochs = 1000;
  job.request.train.lr = 1000;
  job.request.train.replicas = replicas;
  job.request.train.deal_tables = deals;
  vtt_job_run(&job, 3, machines);
  vtt_job_expect(&job, 3, VT_ERROR_DIVERGED);
  assert_string_equal(job.error[0].message, job.error[2].message);
  struct vt_run *run = vtt_run_open(job.request.run_path);
  assert_string_equal(vt_run_event_at(run, vt_run_event_count(run) - 1).kind, "diverged");
  vt_run_close(run);
  vtt_folder_remove(folder);
}

/* Exactly, all find it out at once; in replicas, one tells the others. */
static void all_diverge_together(void **state) {
  (void)state;
  for (int machines = vtt_sanitized ? 2 : 1; machines <= (vtt_sanitized ? 2 : 3); machines++) {
    check_diverging(machines, 0, false);
    check_diverging(machines, 0, true);
    check_diverging(machines, 3, false);
  }
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

/* Longer than what is sent at once. */
static void broadcast_much(void *context, struct vt_ranks *ranks) {
  (void)context;
  const size_t count = ((size_t)9 << 20) + 3;
  uint32_t *numbers = vt_alloc_zero(count, sizeof *numbers);
  assert_non_null(numbers);
  for (uint32_t k = 0; vt_ranks_rank(ranks) == 0 && k < count; k++) numbers[k] = k;
  assert_int_equal(vt_ranks_broadcast(ranks, numbers, count * sizeof *numbers, NULL), VT_OK);
  uint32_t right = 0;
  while (right < count && numbers[right] == right) right++;
  assert_int_equal(right, count);
  vt_free(numbers);
}

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
  vtt_ranks_run(3, 1, broadcast_much, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(collective_calls),
      cmocka_unit_test(ranks_give_the_bits_of_one_process),
      cmocka_unit_test(tables_that_are_dealt_change_no_bit),
      cmocka_unit_test(a_run_goes_on_with_another_number_of_ranks),
      cmocka_unit_test(ranks_that_differ_are_refused),
      cmocka_unit_test(what_ranks_cannot_do_is_refused),
      cmocka_unit_test(a_tuning_goes_on_alone),
      cmocka_unit_test(all_diverge_together),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
