/*
 * session.c: one sitting of a training: engine, recorder and observer brought together, and the end of it told.
 *
 * A training is begun by making a run folder that stands at step 0 (begin.c), or found in a folder that stands
 * somewhere (resume.c); from there on there is no difference. The encoded corpus and the checkpoint stay in the folder
 * until the training is finished, or has diverged; after anything else they are what the next sitting needs.
 */
#include "run/session.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "run/folder.h"
#include "run/lock.h"
#include "run/model_file.h"
#include "run/start.h"

/* Where the training goes on with a run: its vectors in place of the engine's own start. */
static enum vt_status start_from_base(struct vt_session *session, struct vt_error *error) {
  struct vt_engine *engine = session->engine;
  const uint32_t words = session->settings.train.tuning.words;
  if (words == 0) return VT_OK;
  if (session->base == NULL) {
    VT_TRY(vt_start_read(engine, session->folder, error));
  } else {
    VT_TRY(session->base->fill(session->base->context, session, error));
    VT_TRY(vt_start_write(engine, session->settings.train.tuning.tree, session->folder, error));
  }
  VT_TRY(vt_engine_started(engine, session->frozen, session->frozen_count, error));
  return vt_drift_init(&session->drift, session->vocab, words, vt_engine_table(engine, VT_TABLE_INPUT), error);
}

uint64_t vt_session_fingerprint(const struct vt_session *session) {
  return session->counts != NULL ? vt_cooccur_fingerprint(session->counts) : vt_corpus_fingerprint(session->corpus);
}

static enum vt_status create_engine(struct vt_session *session, struct vt_error *error) {
  const struct vt_train_options *options = &session->settings.train;
  if (session->counts != NULL)
    return vt_engine_create_counted(options, session->vocab, session->counts, &session->engine, error);
  return vt_engine_create(options, session->vocab, session->corpus, &session->engine, error);
}

enum vt_status vt_session_prepare(struct vt_session *session, struct vt_error *error) {
  struct vt_settings *settings = &session->settings;
  if (session->base == NULL)
    VT_TRY(vt_start_tree(&settings->train, vt_vocab_size(session->vocab), session->folder, &session->tree, error));
  if (session->tree != NULL) settings->train.tuning.tree = session->tree;
  VT_TRY(create_engine(session, error));
  VT_TRY(start_from_base(session, error));
  const struct vt_ledger_options ledger = {
      .words = session->ledger, .word_count = session->ledger_count, .sources = settings->record.ledger_sources};
  if (session->ledger_count > 0) VT_TRY(vt_engine_keep_ledger(session->engine, &ledger, error));
  if (settings->train.lr == 0) session->settings.train.lr = vt_engine_state(session->engine)->lr; /* the engine chose */
  uint64_t steps = vt_engine_state(session->engine)->steps;
  VT_TRY(vt_plan_init(&session->plan, steps, &settings->record, error));
  VT_TRY(vt_motion_init(&session->motion, vt_engine_table(session->engine, VT_TABLE_INPUT), error));
  VT_TRY(vt_settle_init(&session->settle, vt_engine_table(session->engine, VT_TABLE_INPUT), error));
  session->measurement_capacity = (size_t)(steps / session->plan.probe_every) + 1;
  session->measurements = vt_alloc_zero(session->measurement_capacity, sizeof *session->measurements);
  if (session->measurements == NULL)
    return VT_FAIL_MEMORY(error, session->measurement_capacity * sizeof *session->measurements);
  session->progress = (struct vt_train_progress){
      .steps = steps,
      .epochs = settings->train.epochs,
      .tokens_total = (session->report.tokens - vt_engine_held_out_tokens(session->engine)) * settings->train.epochs,
      .loss = NAN,
      .probe_loss = NAN,
      .probe_gradient = NAN,
      .moving = NAN,
  };
  return VT_OK;
}

static enum vt_status record_verdict(struct vt_session *session, struct vt_error *error) {
  char step[24];
  snprintf(step, sizeof step, "%" PRIu64, session->converged_step);
  VT_TRY(vt_recorder_meta(session->recorder, "converged_step", step, error));
  return vt_recorder_meta(session->recorder, "converged", session->converged_step > 0 ? "1" : "0", error);
}

static enum vt_status save_model(struct vt_session *session, struct vt_error *error) {
  const float *values;
  const struct vt_net_layout *layout = vt_engine_model(session->engine, &values);
  return layout == NULL ? VT_OK : vt_model_save(session->run_path, layout, values, error);
}

/* Notes how the training ended, and closes the record. That it is finished is the last thing noted: whoever finds that,
 * finds everything. Returns the first thing that went wrong. */
static enum vt_status finish(struct vt_session *session, enum vt_status ended, struct vt_error *error) {
  const char *kind = "finished", *severity = "info", *text = "training finished";
  struct vt_error later;
  if (ended == VT_ERROR_INTERRUPTED) kind = "interrupted", severity = "warning", text = error->message;
  if (ended == VT_ERROR_DIVERGED) kind = "diverged", severity = "error", text = error->message;
  bool told = ended == VT_OK || ended == VT_ERROR_INTERRUPTED || ended == VT_ERROR_DIVERGED;
  if (told) {
    uint64_t step = vt_engine_state(session->engine)->step;
    char early[96];
    if (ended == VT_OK && session->ended_early) {
      snprintf(early, sizeof early, "training finished at step %" PRIu64 " of %" PRIu64 ": it has converged", step,
               session->plan.steps);
      text = early;
    }
    enum vt_status status = VT_OK;
    if (ended == VT_OK) status = save_model(session, &later);
    if (ended == VT_OK && status == VT_OK) status = record_verdict(session, &later);
    if (status == VT_OK) status = vt_recorder_event(session->recorder, step, kind, severity, text, &later);
    if (status == VT_OK) status = vt_recorder_close(&session->recorder, &later);
    if (status == VT_OK && ended != VT_ERROR_INTERRUPTED) vt_run_folder_tidy(session->run_path);
    if (status != VT_OK && ended == VT_OK) {
      *error = later;
      ended = status;
    }
  }
  vt_recorder_free(session->recorder);
  session->recorder = NULL;
  return ended;
}

/* Known for sure only once the engine is ready. */
static enum vt_status record_probe_pairs(struct vt_session *session, struct vt_error *error) {
  char pairs[24];
  snprintf(pairs, sizeof pairs, "%zu", vt_engine_probe_pairs(session->engine));
  return vt_recorder_meta(session->recorder, "probe_pairs", pairs, error);
}

enum vt_status vt_session_train(struct vt_session *session, struct vt_error *error) {
  struct vt_observer observer = {.boundary = vt_session_boundary, .context = session};
  session->is_in_place = true;
  vt_session_start_clock(session);
  const struct vt_engine_place place = {.folder = session->run_path, .interrupt = session->interrupt};
  enum vt_status status = vt_engine_begin(session->engine, &place, error);
  if (status == VT_OK) status = record_probe_pairs(session, error);
  if (status == VT_OK && session->first_step > 0) status = vt_session_record(session, false, error);
  if (status == VT_OK) status = vt_engine_run(session->engine, &observer, 1, error);
  struct vt_error lost;
  if (vt_engine_stop(session->engine, &lost) != VT_OK && status == VT_OK) {
    *error = lost;
    status = lost.status;
  }
  if (status == VT_ERROR_INTERRUPTED && session->ended_early) status = VT_OK;
  session->progress.seconds = session->seconds_before + vt_clock_seconds() - session->started;
  return finish(session, status, error);
}

void vt_session_result(const struct vt_session *session, enum vt_status status, struct vt_train_result *result) {
  if (result == NULL) return;
  const struct vt_train_progress *progress = &session->progress;
  *result = (struct vt_train_result){
      .steps = progress->step,
      .first_step = session->first_step,
      .tokens = progress->tokens,
      .seconds = progress->seconds,
      .words_per_second = progress->seconds > 0 ? (double)progress->tokens / progress->seconds : 0,
      .loss = progress->probe_loss,
      .converged = status == VT_OK && session->converged_step > 0,
      .converged_step = status == VT_OK ? session->converged_step : 0,
      .ledger_bytes = session->ledger_bytes,
      .resumable = session->is_in_place && status != VT_OK && status != VT_ERROR_DIVERGED,
      .kernel = session->engine == NULL ? NULL : vt_engine_kernel_name(session->engine),
  };
}

void vt_session_release(struct vt_session *session) {
  vt_recorder_free(session->recorder);
  vt_motion_release(&session->motion);
  vt_settle_release(&session->settle);
  vt_drift_release(&session->drift);
  vt_plan_release(&session->plan);
  vt_engine_free(session->engine);
  vt_corpus_free(session->corpus);
  vt_cooccur_free(session->counts);
  vt_vocab_free(session->vocab);
  vt_free(session->watch);
  vt_free(session->pairs);
  vt_free(session->measurements);
  vt_free(session->ledger);
  vt_free(session->frozen);
  vt_free(session->tree);
  vt_free(session->input_hashes);
  if (session->lock >= 0) vt_run_lock_release(session->lock, session->run_path);
}
