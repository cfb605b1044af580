/* Networks that several ranks train together (label: threads, label: long): the batches of a step are shared out, and
 * the bits are those of one process. The ranks are threads here; tests/cli/test_ranks.sh has them as processes under
 * MPI. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "support/planted.h"
#include "support/rank_jobs.h"

#define SENTENCES 64 /* some dozen steps, in each of which the ranks meet a hundred times */

typedef void setting(struct vt_train_request *request);

static void nnlm(struct vt_train_request *request) {
  vt_train_options_for(&request->train, VT_MODEL_NNLM);
  request->train.lr = 0.01;
  request->train.dim = 6;
  request->train.batch = 8;
  request->train.network.context = 3;
  request->train.network.hidden = 9;
  request->train.network.accumulate = 4;
  request->record.output = false; /* it is no table, where the hidden layer is wider than the vectors */
}

static void transformer(struct vt_train_request *request) {
  vt_train_options_for(&request->train, VT_MODEL_TRANSFORMER);
  request->train.lr = 0.01;
  request->train.dim = 8;
  request->train.batch = 2;
  request->train.network.context = 8;
  request->train.network.layers = 1;
  request->train.network.heads = 2;
  request->train.network.warmup = 3;
  request->train.network.dropout = 0.1;
  request->train.network.accumulate = 6;
}

static void nnlm_by_sgd(struct vt_train_request *request) {
  nnlm(request);
  request->train.optimizer = VT_OPTIMIZER_SGD;
  request->train.network.accumulate = 5;
  request->train.held_out = 0.1;
}

static void untied_transformer(struct vt_train_request *request) {
  transformer(request);
  request->train.network.tied = false;
  request->train.network.accumulate = 4;
}

static void request_init(struct vt_train_request *request, const char *const *inputs, const char *run, setting *set) {
  vtt_request_init(request, inputs, run);
  set(request);
}

/* ---- the same bits ----------------------------------------------------------------------------------------------- */

static void check_bits(setting *set, bool all) {
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", SENTENCES, 1), *alone = vtt_path(folder, "alone");
  struct vtt_job job = {0};
  request_init(&job.request, &corpus, alone, set);
  assert_int_equal(vt_train(&job.request, NULL, &job.error[0]), VT_OK);
  for (int ranks = 1; ranks <= VTT_RANKS_MAX; ranks++) {
    for (int threads = 1; threads <= 2; threads++) {
      job.request.train.threads = job.request.corpus.threads = threads;
      for (int machines = 1; machines <= ranks; machines++) {
        if (!vtt_job_tries(ranks, threads, machines, all)) continue;
        char name[48];
        snprintf(name, sizeof name, "run%dx%dx%d", ranks, threads, machines);
        job.request.run_path = vtt_path(folder, name);
        vtt_job_run(&job, ranks, machines);
        vtt_job_expect(&job, ranks, VT_OK);
        vtt_compare_runs(alone, job.request.run_path);
      }
    }
  }
  vtt_folder_remove(folder);
}

static void ranks_give_the_bits_of_one_process(void **state) {
  (void)state;
  check_bits(transformer, true);
  check_bits(nnlm, false);
  check_bits(nnlm_by_sgd, false);
  check_bits(untied_transformer, false);
}

/* ---- stopping and going on --------------------------------------------------------------------------------------- */

static void check_going_on(setting *set, int before, int after, int machines) {
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", SENTENCES, 1);
  struct vt_train_request request;
  request_init(&request, &corpus, NULL, set);
  vtt_check_going_on(&request, folder, before, after, machines);
  vtt_folder_remove(folder);
}

static void a_run_goes_on_with_another_number_of_ranks(void **state) {
  (void)state;
  for (int machines = vtt_sanitized ? 2 : 1; machines <= (vtt_sanitized ? 2 : 3); machines++) {
    check_going_on(transformer, 3, 2, machines);
    check_going_on(nnlm, 1, 4, machines);
  }
  check_going_on(nnlm_by_sgd, 2, 1, 1);
}

/* ---- ending together --------------------------------------------------------------------------------------------- */

static void steep(struct vt_train_request *request) {
  transformer(request);
  request->train.optimizer = VT_OPTIMIZER_SGD;
  request->train.lr = 1000;
  request->train.network.clip = 0;
  request->train.network.warmup = 0;
  request->train.epochs = 1000;
}

/* The run of one process names the same parameter at the same step. */
static void all_diverge_together(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", SENTENCES, 1);
  struct vt_train_request request;
  struct vt_error alone;
  request_init(&request, &corpus, vtt_path(folder, "alone"), steep);
  assert_int_equal(vt_train(&request, NULL, &alone), VT_ERROR_DIVERGED);
  for (int machines = vtt_sanitized ? 2 : 1; machines <= (vtt_sanitized ? 2 : 3); machines++) {
    struct vtt_job job = {.request = request};
    char name[16];
    snprintf(name, sizeof name, "run%d", machines);
    job.request.run_path = vtt_path(folder, name);
    vtt_job_run(&job, 3, machines);
    vtt_job_expect(&job, 3, VT_ERROR_DIVERGED);
    for (int rank = 0; rank < 3; rank++) assert_string_equal(job.error[rank].message, alone.message);
    struct vt_run *run = vtt_run_open(job.request.run_path);
    assert_string_equal(vt_run_event_at(run, vt_run_event_count(run) - 1).kind, "diverged");
    vt_run_close(run);
  }
  vtt_folder_remove(folder);
}

/* ---- what is refused --------------------------------------------------------------------------------------------- */

static void what_ranks_cannot_do_is_refused(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", SENTENCES, 1), *word = "the0";
  struct vtt_job job = {0};
  request_init(&job.request, &corpus, vtt_path(folder, "run"), nnlm);
  job.request.corpus.min_count = 1;
  job.request.train.network.accumulate = 3;
  vtt_job_refuse(folder, &job, 4, VT_ERROR_ARGUMENT, "4 ranks share the 3 batches of a step");
  assert_non_null(strstr(job.error[3].help, "--accumulate"));
  job.request.train.network.routes = true;
  vtt_job_refuse(folder, &job, 2, VT_ERROR_UNSUPPORTED, "routes are measured where one process trains");
  job.request.train.network.routes = false;
  job.request.train.deal_tables = true;
  vtt_job_refuse(folder, &job, 2, VT_ERROR_UNSUPPORTED, "a network's parameters are not dealt");
  job.request.train.deal_tables = false;
  job.request.record.ledger = &word;
  job.request.record.ledger_count = 1;
  vtt_job_refuse(folder, &job, 2, VT_ERROR_UNSUPPORTED, "a ledger is kept where one process trains");
  vtt_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ranks_give_the_bits_of_one_process),
      cmocka_unit_test(a_run_goes_on_with_another_number_of_ranks),
      cmocka_unit_test(all_diverge_together),
      cmocka_unit_test(what_ranks_cannot_do_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
