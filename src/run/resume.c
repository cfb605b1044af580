/*
 * resume.c: going on with a run.
 *
 * Nothing in the folder is trusted: the corpus is held against the fingerprint that was recorded, ids against the
 * vocabulary, the checkpoint against its checksum and against what this engine needs. Nothing is changed before all of
 * that has been looked at. The lock is taken first, so what is looked at stays as it is.
 */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/folder.h"
#include "run/lock.h"
#include "run/run_counts.h"
#include "run/run_internal.h"
#include "run/run_recorder.h"
#include "run/session.h"
#include "run/store.h"
#include "run/team.h"
#include "text/corpus_internal.h"
#include "vectrail/kernel.h"
#include "vectrail/version.h"

#define HELP_TEXT "train again from the text: vectrail train CORPUS --run FOLDER --force"

/* ---- may it be gone on with -------------------------------------------------------------------------------------- */

static enum vt_status check_place(const char *path, struct vt_error *error) {
  char *database = vt_path_join(path, VT_RUN_DATABASE);
  if (database == NULL) return VT_FAIL_MEMORY(error, strlen(path));
  struct stat info;
  bool there = stat(database, &info) == 0;
  vt_free(database);
  if (there) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_NOT_FOUND,
                      "a training that was stopped while it read the text has to be begun again with vectrail train",
                      "%s: there is no run here", path);
}

static enum vt_status check_state(const struct vt_run *run, const char *path, struct vt_error *error) {
  struct vt_run_event event;
  if (vt_run_find_event(run, "diverged", &event))
    return VT_FAIL_HELP(error, VT_ERROR_DIVERGED, "train again with a smaller learning rate (--lr)",
                        "%s: the training diverged at step %" PRIu64 ", so there is nothing to go on from", path,
                        event.step);
  const char *version = vt_run_meta(run, "vectrail");
  if (version == NULL || strcmp(version, vt_version()) != 0)
    return VT_FAIL_HELP(error, VT_ERROR_VERSION, "go on with the version that began it, or train again",
                        "%s: begun by vectrail %s; this is %s, whose steps may be others", path,
                        version == NULL ? "of unknown version" : version, vt_version());
  return VT_OK;
}

static uint64_t meta_count(const struct vt_run *run, const char *key) {
  const char *text = vt_run_meta(run, key);
  return text == NULL ? 0 : strtoull(text, NULL, 10);
}

/* ---- what is there ----------------------------------------------------------------------------------------------- */

static enum vt_status read_settings(struct vt_session *session, const struct vt_resume_request *request,
                                    const struct vt_run *run, struct vt_error *error) {
  VT_TRY(vt_settings_read(&session->settings, run, session->run_path, error));
  session->settings.train.threads = request->threads;
  session->settings.train.kernel = request->kernel;
  session->settings.train.ranks = request->ranks;
  session->settings.train.deal_tables = request->deal_tables;
  if (!(request->checkpoint_seconds < 0)) session->settings.record.checkpoint_seconds = request->checkpoint_seconds;
  session->report = (struct vt_corpus_report){
      .text_bytes = meta_count(run, "corpus_bytes"),
      .lines = meta_count(run, "corpus_lines"),
      .tokens_read = meta_count(run, "corpus_tokens_read"),
      .types_read = meta_count(run, "corpus_types_read"),
      .tokens = meta_count(run, "corpus_tokens"),
      .phrases = meta_count(run, "corpus_phrases"),
  };
  return vt_settings_check(&session->settings, error);
}

static enum vt_status read_words(const struct vt_session *session, const struct vt_run *run, const char *key,
                                 uint32_t **ids, size_t *count, struct vt_error *error) {
  return vt_session_read_words(session->vocab, run, session->run_path, key, ids, count, error);
}

static enum vt_status read_watch(struct vt_session *session, const struct vt_run *run, struct vt_error *error) {
  VT_TRY(read_words(session, run, "watch", &session->watch, &session->watch_count, error));
  size_t words = 0;
  VT_TRY(read_words(session, run, "pairs", &session->pairs, &words, error));
  session->pair_count = words / 2;
  VT_TRY(read_words(session, run, "freeze", &session->frozen, &session->frozen_count, error));
  return read_words(session, run, "ledger", &session->ledger, &session->ledger_count, error);
}

static enum vt_status check_corpus(const struct vt_session *session, const struct vt_run *run, const char *path,
                                   struct vt_error *error) {
  const uint32_t *ids = vt_corpus_ids(session->corpus);
  uint64_t entries = vt_corpus_entries(session->corpus), tokens = 0;
  size_t size = vt_vocab_size(session->vocab);
  uint64_t computed = 0, kept = 0;
  bool known = true;
  for (uint64_t i = 0; i < entries; i++) {
    known = known && (ids[i] < size || ids[i] == VT_CORPUS_END);
    tokens += ids[i] != VT_CORPUS_END;
    computed += vt_corpus_hash_entries(ids + i, 1, i);
    vt_corpus_passed(session->corpus, i, &kept);
  }
  vt_corpus_forget(session->corpus);
  char fingerprint[24];
  snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, computed);
  const char *recorded = vt_run_meta(run, "corpus_fingerprint");
  if (!known || recorded == NULL || strcmp(recorded, fingerprint) != 0 ||
      computed != vt_corpus_fingerprint(session->corpus) || tokens != session->report.tokens)
    return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, HELP_TEXT,
                        "%s: not the text that this run was begun with: fingerprint %s, recorded %.32s", path,
                        fingerprint, recorded == NULL ? "none" : recorded);
  return VT_OK;
}

static enum vt_status open_corpus(struct vt_session *session, const struct vt_run *run, struct vt_error *error) {
  char *path = vt_path_join(session->run_path, VT_RUN_CORPUS);
  if (path == NULL) return VT_FAIL_MEMORY(error, strlen(session->run_path));
  struct vt_error reason;
  enum vt_status status = vt_corpus_open(path, &session->corpus, &reason);
  if (status == VT_OK)
    status = check_corpus(session, run, path, error);
  else if (status == VT_ERROR_NOT_FOUND)
    status = VT_FAIL_HELP(error, status, HELP_TEXT, "%s: the encoded text is missing", path);
  else
    status = VT_FAIL_HELP(error, status, HELP_TEXT, "%s", reason.message);
  vt_free(path);
  return status;
}

/* Where there is no checkpoint the session stays at step 0. */
static enum vt_status read_checkpoint(struct vt_session *session, struct vt_error *error) {
  char *path = vt_path_join(session->run_path, VT_RUN_CHECKPOINT);
  if (path == NULL) return VT_FAIL_MEMORY(error, strlen(session->run_path));
  struct vt_checkpoint checkpoint = vt_session_checkpoint(session);
  struct vt_ledger_packed ledger = {.words = session->ledger_count, .dim = session->settings.train.dim};
  if (session->ledger_count > 0) checkpoint.ledger = &ledger;
  struct vt_error reason;
  enum vt_status status = vt_checkpoint_read(&checkpoint, path, &reason);
  vt_free(path);
  if (status == VT_OK) status = vt_session_restore(session, &checkpoint, &reason);
  vt_ledger_packed_release(&ledger);
  if (status == VT_ERROR_NOT_FOUND) return VT_OK;
  if (status != VT_OK) *error = reason;
  return status;
}

struct rows {
  const struct vt_session *session;
  uint64_t next;    /* the next step of which a row is to come */
  uint64_t missing; /* the first of which there was none; UINT64_MAX: none is missing so far */
};

static uint64_t next_recorded(const struct vt_plan *plan, uint64_t step) {
  while (step < plan->steps && !vt_plan_is_metric(plan, step)) step++;
  return step;
}

static enum vt_status take_step_row(void *context, const struct vt_store_value *values, struct vt_error *error) {
  struct rows *rows = context;
  uint64_t step = values[0].type == VT_STORE_INTEGER ? (uint64_t)values[0].integer : 0;
  (void)error;
  if (step > rows->next && rows->missing == UINT64_MAX) rows->missing = rows->next;
  if (step >= rows->next) rows->next = next_recorded(&rows->session->plan, step + 1);
  return VT_OK;
}

/* All that was recorded before a checkpoint was on the disk before it. Where rows are gone all the same (a log that was
 * deleted, or whose damage makes SQLite end it early), going on would make a run with a gap in it. */
static enum vt_status check_rows(const struct vt_session *session, struct vt_error *error) {
  struct rows rows = {.session = session, .missing = UINT64_MAX};
  if (session->first_step == 0) return VT_OK;
  char *path = vt_path_join(session->run_path, VT_RUN_DATABASE);
  if (path == NULL) return VT_FAIL_MEMORY(error, strlen(session->run_path));
  struct vt_store *store;
  enum vt_status status = vt_store_open(path, &store, error);
  vt_free(path);
  VT_TRY(status);
  status = vt_store_read(store, VT_STORE_STEP, take_step_row, &rows, error);
  vt_store_close(store);
  VT_TRY(status);
  if (rows.missing == UINT64_MAX) rows.missing = rows.next;
  if (rows.missing >= session->first_step) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, "remove its " VT_RUN_CHECKPOINT " to begin again at step 0",
                      "%s/" VT_RUN_DATABASE ": damaged: the record of step %" PRIu64
                      " is gone, but the checkpoint stands at step %" PRIu64,
                      session->run_path, rows.missing, session->first_step);
}

static enum vt_status load(struct vt_session *session, const struct vt_resume_request *request, struct vt_run *run,
                           struct vt_error *error) {
  VT_TRY(check_state(run, session->run_path, error));
  VT_TRY(read_settings(session, request, run, error));
  session->vocab = vt_run_take_vocab(run);
  VT_TRY(read_watch(session, run, error));
  if (vt_run_has_counts(run)) return vt_run_counts_open(run, NULL, session->run_path, &session->counts, error);
  return open_corpus(session, run, error);
}

static enum vt_status prepare(struct vt_session *session, struct vt_error *error) {
  VT_TRY(vt_session_prepare(session, error));
  VT_TRY(read_checkpoint(session, error));
  return check_rows(session, error);
}

/* ---- a finished run ---------------------------------------------------------------------------------------------- */

static const char *static_kernel_name(const char *name) {
  for (size_t k = 0; name != NULL && k < vt_kernel_count(); k++)
    if (strcmp(vt_kernel_name(k), name) == 0) return vt_kernel_name(k);
  return NULL;
}

/* The result as the finishing process had it; what it had no time to remove goes now. */
static enum vt_status tell_finished(struct vt_run *run, const char *path, struct vt_train_result *result,
                                    struct vt_error *error) {
  vt_run_folder_tidy(path);
  struct vt_run_step last;
  VT_TRY(vt_run_last_step(run, &last, error));
  struct vt_run_point *points;
  size_t count;
  VT_TRY(vt_run_metric(run, "probe_loss", &points, &count, error));
  const char *converged = vt_run_meta(run, "converged");
  if (result != NULL)
    *result = (struct vt_train_result){
        .steps = last.step,
        .first_step = last.step,
        .tokens = last.tokens,
        .seconds = last.seconds,
        .words_per_second = last.seconds > 0 ? (double)last.tokens / last.seconds : 0,
        .loss = count == 0 ? NAN : points[count - 1].value,
        .converged = converged != NULL && strcmp(converged, "1") == 0,
        .converged_step = meta_count(run, "converged_step"),
        .kernel = static_kernel_name(vt_run_meta(run, "kernel")),
    };
  vt_run_points_free(points);
  return VT_OK;
}

/* The process may have been killed before it closed the database. */
static enum vt_status settle(const char *path, struct vt_error *error) {
  char *database = vt_path_join(path, VT_RUN_DATABASE);
  if (database == NULL) return VT_FAIL_MEMORY(error, strlen(path));
  enum vt_status status = vt_store_settle(database, error);
  vt_free(database);
  return status;
}

/* ---- going on ---------------------------------------------------------------------------------------------------- */

static enum vt_status open_record(struct vt_session *session, const struct vt_resume_request *request,
                                  struct vt_error *error) {
  if (request->corpus_ready != NULL)
    request->corpus_ready(request->corpus_ready_context, &session->report, session->vocab);
  VT_TRY(vt_recorder_open(session->run_path, session->first_step, &session->recorder, error));
  char text[128];
  snprintf(text, sizeof text, "resumed at step %" PRIu64 " with %d threads, kernel %s", session->first_step,
           session->settings.train.threads, vt_engine_kernel_name(session->engine));
  return vt_recorder_event(session->recorder, session->first_step, "resumed", "info", text, error);
}

/* With other ranks, each of the points at which all go on or none does. */
static enum vt_status go_on(struct vt_session *session, const struct vt_resume_request *request,
                            struct vt_error *error) {
  VT_TRY(vt_team_agree(session, VT_OK, error));
  VT_TRY(vt_team_agree(session, prepare(session, error), error));
  VT_TRY(vt_engine_spread(session->engine, error));
  VT_TRY(vt_team_agree(session, open_record(session, request, error), error));
  return vt_team_agree(session, vt_session_train(session, error), error);
}

void vt_resume_request_init(struct vt_resume_request *request) {
  struct vt_train_options defaults;
  vt_train_options_init(&defaults);
  *request = (struct vt_resume_request){.threads = defaults.threads, .checkpoint_seconds = -1};
}

static enum vt_status resume_run(struct vt_session *session, const struct vt_resume_request *request,
                                 struct vt_run *run, bool *finished, struct vt_train_result *result,
                                 struct vt_error *error) {
  if (vt_origin_is_adapted(vt_run_meta(run, VT_ORIGIN_KEY)))
    return VT_FAIL(error, VT_ERROR_UNSUPPORTED, "%s: made by vectrail %s, which finishes a run or leaves none",
                   request->run_path, vt_run_meta(run, VT_ORIGIN_KEY));
  if (vt_run_meta(run, VT_ORIGIN_KEY) != NULL)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "append to it by vectrail import --append",
                        "%s: vectrail did not train this run, so it cannot go on with the training", request->run_path);
  *finished = vt_run_find_event(run, "finished", NULL);
  return *finished ? tell_finished(run, request->run_path, result, error) : load(session, request, run, error);
}

static enum vt_status find(struct vt_session *session, const struct vt_resume_request *request, bool *finished,
                           struct vt_train_result *result, struct vt_error *error) {
  VT_TRY(check_place(request->run_path, error));
  VT_TRY(vt_run_lock_take(request->run_path, &session->lock, error));
  struct vt_run *run;
  VT_TRY(vt_run_open(request->run_path, &run, error));
  enum vt_status status = resume_run(session, request, run, finished, result, error);
  /* A second connection would keep the database from being closed for good. */
  vt_run_close(run);
  VT_TRY(status);
  return *finished ? settle(request->run_path, error) : VT_OK;
}

/* On rank 0, or where there is no other. */
static enum vt_status lead(struct vt_session *session, const struct vt_resume_request *request, bool *finished,
                           struct vt_train_result *result, struct vt_error *error) {
  enum vt_status status = find(session, request, finished, result, error);
  VT_TRY(vt_team_share(session, request->run_path, finished, status, error));
  return *finished ? vt_team_agree(session, VT_OK, error) : go_on(session, request, error);
}

enum vt_status vt_resume(const struct vt_resume_request *request, struct vt_train_result *result,
                         struct vt_error *error) {
  struct vt_error own;
  if (error == NULL) error = &own;
  struct vt_session session = {
      .run_path = request->run_path,
      .folder = request->run_path,
      .ranks = request->ranks,
      .lock = -1,
      .settings = {.train = {.kernel = request->kernel,
                             .threads = request->threads,
                             .ranks = request->ranks,
                             .deal_tables = request->deal_tables}},
      .on_progress = request->progress,
      .progress_context = request->progress_context,
      .interrupt = request->interrupt,
  };
  bool finished = false;
  VT_TRY(vt_team_same(&session, NULL, VT_OK, error));
  enum vt_status status = vt_team_follows(&session) ? vt_team_follow(&session, NULL, error)
                                                    : lead(&session, request, &finished, result, error);
  if (!finished) vt_session_result(&session, status, result);
  vt_session_release(&session);
  return status;
}
