/*
 * boundary.c: what happens to a session at a superstep boundary, on the thread that trains, with the workers at rest.
 *
 * In this order: the sums are brought up to date; a checkpoint is taken where one is due; then the step is recorded. So
 * a checkpoint knows nothing of what is recorded at its step, and whoever goes on from it records that step as if it
 * had just been trained.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "run/session.h"

#define SPEED_WINDOW_SECONDS 0.5                  /* words per second are taken over at least so long */
#define CHECKPOINT_COPY_BYTES ((size_t)256 << 20) /* larger tables are written while the training waits, ... */
#define CHECKPOINT_SHARE 0.02                     /* ... but for this share of the time at most */

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static enum vt_status metric(struct vt_session *session, const char *name, double value, struct vt_error *error) {
  return vt_recorder_metric(session->recorder, session->progress.step, name, value, error);
}

static enum vt_status record_drift(struct vt_session *session, struct vt_error *error) {
  static const char *const names[VT_DRIFT_GROUPS] = {"drift_seen", "drift_unseen", "drift_new"};
  double means[VT_DRIFT_GROUPS];
  if (session->settings.train.tuning.words == 0) return VT_OK;
  vt_drift_measure(&session->drift, vt_engine_table(session->engine, VT_TABLE_INPUT), vt_engine_pool(session->engine),
                   means);
  for (int g = 0; g < VT_DRIFT_GROUPS; g++)
    if (!isnan(means[g])) VT_TRY(metric(session, names[g], means[g], error));
  return VT_OK;
}

static enum vt_status record_probe(struct vt_session *session, struct vt_error *error) {
  struct vt_probe_result probe = vt_engine_probe(session->engine);
  struct vt_motion_result motion = vt_motion_measure(&session->motion, vt_engine_table(session->engine, VT_TABLE_INPUT),
                                                     vt_engine_pool(session->engine));
  session->progress.probe_loss = probe.loss;
  session->progress.probe_gradient = probe.gradient;
  VT_TRY(metric(session, "probe_loss", probe.loss, error));
  VT_TRY(metric(session, "probe_gradient", probe.gradient, error));
  if (session->settings.train.held_out > 0)
    VT_TRY(metric(session, "held_out_loss", vt_engine_held_out_loss(session->engine), error));
  VT_TRY(record_drift(session, error));
  VT_TRY(metric(session, "displacement", motion.displacement, error));
  return metric(session, "norm", motion.norm, error);
}

/* One of the measurements at equal distances by which a training is found to have converged. */
static enum vt_status record_measurement(struct vt_session *session, struct vt_error *error) {
  const struct vt_train_progress *progress = &session->progress;
  size_t count = session->measurement_count;
  if (count == session->measurement_capacity || progress->step != count * session->plan.probe_every) return VT_OK;
  struct vt_settle_result settle = vt_settle_measure(&session->settle, session->engine, count == 0);
  session->measurements[session->measurement_count++] =
      (struct vt_measurement){progress->probe_loss, progress->probe_gradient, settle.update_ratio, settle.overlap};
  VT_TRY(metric(session, "update_ratio", settle.update_ratio, error));
  VT_TRY(metric(session, "overlap", settle.overlap, error));
  struct vt_convergence verdict;
  if (session->converged_step > 0 || !vt_convergence_holds(session->measurements, session->measurement_count, &verdict))
    return VT_OK;
  session->converged_step = progress->step;
  session->ended_early = session->settings.train.until_converged;
  char text[160];
  snprintf(text, sizeof text, "converged: loss %+.3f%%, gradient %+.1f%%, median update %.4f, neighbours kept %.2f",
           100 * verdict.loss_change, 100 * verdict.gradient_change, verdict.update_ratio, verdict.overlap);
  return vt_recorder_event(session->recorder, progress->step, "converged", "info", text, error);
}

static enum vt_status record_snapshot(struct vt_session *session, bool last, struct vt_error *error) {
  const struct vt_record_options *record = &session->settings.record;
  const struct vt_table *input = vt_engine_table(session->engine, VT_TABLE_INPUT);
  uint64_t step = session->progress.step;
  struct vt_snapshot_source source = {.input = input->data,
                                      .rows = input->rows,
                                      .dim = input->dim,
                                      .stride = input->width,
                                      .pool = vt_engine_pool(session->engine),
                                      .in_files = session->settings.train.deal_tables};
  if (record->output) {
    source.output = vt_engine_table(session->engine, VT_TABLE_OUTPUT)->data;
    if (!vt_engine_biases(session->engine, source.biases, &source.bias_stride))
      source.biases[0] = source.biases[1] = NULL;
  }
  VT_TRY(vt_recorder_snapshot(session->recorder, step, record->float32 || last, &source, error));
  if (step == 0) return VT_OK;
  struct vt_motion_speed speed = vt_motion_mark(&session->motion, input, step, vt_engine_pool(session->engine));
  session->progress.moving = speed.moving;
  VT_TRY(metric(session, "speed", speed.speed, error));
  return metric(session, "moving", speed.moving, error);
}

static enum vt_status record_watched(struct vt_session *session, struct vt_error *error) {
  if (session->watch_count == 0) return VT_OK; /* the table may have to be made first */
  const struct vt_table *input = vt_engine_table(session->engine, VT_TABLE_INPUT);
  for (size_t k = 0; k < session->watch_count; k++)
    VT_TRY(vt_recorder_trail(session->recorder, session->watch[k], session->progress.step,
                             vt_table_row(input, session->watch[k]), input->dim, error));
  return VT_OK;
}

static enum vt_status record_pairs(struct vt_session *session, struct vt_error *error) {
  if (session->pair_count == 0) return VT_OK;
  const struct vt_table *input = vt_engine_table(session->engine, VT_TABLE_INPUT);
  for (size_t k = 0; k < session->pair_count; k++) {
    uint32_t a = session->pairs[2 * k], b = session->pairs[2 * k + 1];
    VT_TRY(vt_recorder_pair(session->recorder, a, b, session->progress.step, vt_table_cosine(input, a, b), error));
  }
  return VT_OK;
}

static enum vt_status record_span(void *context, const struct vt_ledger_span *span, struct vt_error *error) {
  struct vt_session *session = context;
  return vt_recorder_ledger(session->recorder, session->progress.step, span, error);
}

/* A span is named by the step at which it ends. */
static enum vt_status record_ledger(struct vt_session *session, struct vt_error *error) {
  uint64_t bytes = vt_ledger_bytes(vt_engine_ledger(session->engine));
  if (bytes > session->ledger_bytes) session->ledger_bytes = bytes;
  return vt_engine_close_ledger(session->engine, record_span, session, error);
}

static enum vt_status record_own(void *context, const char *name, double value, struct vt_error *error) {
  return metric(context, name, value, error);
}

static enum vt_status record_step(struct vt_session *session, const struct vt_engine_state *state,
                                  struct vt_error *error) {
  const struct vt_train_progress *progress = &session->progress;
  VT_TRY(vt_recorder_step(session->recorder, state->step, state->epoch, state->tokens, progress->seconds, state->lr,
                          error));
  if (session->settings.record.watch_every == 0) VT_TRY(record_watched(session, error));
  VT_TRY(record_pairs(session, error));
  VT_TRY(metric(session, "lr", state->lr, error));
  if (state->step == 0) return VT_OK;
  VT_TRY(metric(session, "loss", progress->loss, error));
  VT_TRY(metric(session, "step_norm", sqrt(state->step_squared), error));
  if (!isnan(state->gradient)) VT_TRY(metric(session, "gradient", state->gradient, error));
  if (!isnan(state->objective)) VT_TRY(metric(session, "objective", state->objective, error));
  if (!isnan(state->squared_error)) VT_TRY(metric(session, "squared_error", state->squared_error, error));
  double capped = session->rows_moved == 0 ? 0 : (double)session->rows_capped / (double)session->rows_moved;
  VT_TRY(metric(session, "capped", capped, error));
  VT_TRY(vt_engine_metrics(session->engine, record_own, session, error));
  session->loss_sum = 0;
  session->loss_pairs = 0;
  session->rows_moved = session->rows_capped = 0;
  return VT_OK;
}

enum vt_status vt_session_record(struct vt_session *session, bool stopping, struct vt_error *error) {
  const struct vt_engine_state *state = vt_engine_state(session->engine);
  uint32_t watch_every = session->settings.record.watch_every;
  bool snapshot = vt_plan_is_snapshot(&session->plan, state->step) || stopping;
  bool probe = snapshot || state->epoch_ended || vt_plan_is_probe(&session->plan, state->step);
  if (probe) VT_TRY(record_probe(session, error));
  if (probe) VT_TRY(record_measurement(session, error));
  bool last = state->step == state->steps || stopping || session->ended_early;
  if (snapshot || session->ended_early) VT_TRY(record_snapshot(session, last, error));
  if (watch_every > 0 && state->step % watch_every == 0) VT_TRY(record_watched(session, error));
  bool span = state->step == 0 || vt_plan_is_span_end(&session->plan, state->step) || stopping || session->ended_early;
  if (span && session->ledger_count > 0) VT_TRY(record_ledger(session, error));
  if (probe || vt_plan_is_metric(&session->plan, state->step)) VT_TRY(record_step(session, state, error));
  if (session->on_progress != NULL) session->on_progress(session->progress_context, &session->progress);
  if (!session->ended_early || state->step == state->steps) return VT_OK;
  return VT_FAIL(error, VT_ERROR_INTERRUPTED, "converged at step %" PRIu64, state->step);
}

/* ---- checkpoints ------------------------------------------------------------------------------------------------- */

struct vt_checkpoint vt_session_checkpoint(struct vt_session *session) {
  const struct vt_train_progress *progress = &session->progress;
  struct vt_checkpoint checkpoint = {
      .seed = session->settings.train.seed,
      .corpus_fingerprint = vt_session_fingerprint(session),
      .engine = *vt_engine_state(session->engine),
      .marked = session->motion.marked,
      .mark_rows = session->motion.count,
      .mark_dim = session->motion.dim,
      .mark_step = session->motion.marked_step,
      .settle_marked = session->settle.marked,
      .settle_rows = session->settle.count,
      .settle_lists = session->settle.lists,
      .settle_queries = session->settle.queries,
      .measurements = session->measurements,
      .measurement_count = session->measurement_count,
      .measurement_capacity = session->measurement_capacity,
      .loss_sum = session->loss_sum,
      .loss_pairs = session->loss_pairs,
      .rows_moved = session->rows_moved,
      .rows_capped = session->rows_capped,
      .loss = progress->loss,
      .probe_loss = progress->probe_loss,
      .probe_gradient = progress->probe_gradient,
      .moving = progress->moving,
      .seconds = progress->seconds,
  };
  checkpoint.part_count = vt_engine_parts(session->engine, checkpoint.parts);
  return checkpoint;
}

enum vt_status vt_session_restore(struct vt_session *session, const struct vt_checkpoint *checkpoint,
                                  struct vt_error *error) {
  VT_TRY(vt_engine_resume(session->engine, &checkpoint->engine, error));
  if (checkpoint->ledger != NULL)
    VT_TRY(vt_ledger_unpack(vt_engine_ledger(session->engine), checkpoint->ledger, error));
  struct vt_train_progress *progress = &session->progress;
  session->motion.marked_step = checkpoint->mark_step;
  session->measurement_count = (size_t)checkpoint->measurement_count;
  size_t converged = vt_convergence_first(session->measurements, session->measurement_count);
  session->converged_step = converged > 0 ? (converged - 1) * session->plan.probe_every : 0;
  session->loss_sum = checkpoint->loss_sum;
  session->loss_pairs = checkpoint->loss_pairs;
  session->rows_moved = checkpoint->rows_moved;
  session->rows_capped = checkpoint->rows_capped;
  progress->step = checkpoint->engine.step;
  progress->epoch = checkpoint->engine.epoch;
  progress->tokens = checkpoint->engine.tokens;
  progress->lr = checkpoint->engine.lr;
  progress->epoch_ended = checkpoint->engine.epoch_ended;
  progress->loss = checkpoint->loss;
  progress->probe_loss = checkpoint->probe_loss;
  progress->probe_gradient = checkpoint->probe_gradient;
  progress->moving = checkpoint->moving;
  progress->seconds = session->seconds_before = session->speed_seconds = checkpoint->seconds;
  session->speed_tokens = checkpoint->engine.tokens;
  session->first_step = checkpoint->engine.step;
  return VT_OK;
}

static void plan_checkpoint(struct vt_session *session, double held_up) {
  double wait = session->settings.record.checkpoint_seconds;
  if (wait < held_up / CHECKPOINT_SHARE) wait = held_up / CHECKPOINT_SHARE;
  session->checkpoint_due = vt_clock_seconds() + wait;
}

/* Copied, so that training goes on while it is written; without a copy where that would take too much memory. It not
 * being written is no reason to stop a training: the run says so and keeps the checkpoint before. */
static enum vt_status take_periodic_checkpoint(struct vt_session *session, struct vt_checkpoint checkpoint,
                                               struct vt_error *error) {
  struct vt_error reason;
  enum vt_status status = VT_ERROR_MEMORY;
  if (vt_checkpoint_bytes(&checkpoint) <= CHECKPOINT_COPY_BYTES && !session->settings.train.deal_tables)
    status = vt_recorder_checkpoint(session->recorder, &checkpoint, false, &reason);
  double began = vt_clock_seconds(), held_up = 0;
  if (status == VT_ERROR_MEMORY) {
    status = vt_recorder_checkpoint(session->recorder, &checkpoint, true, &reason);
    held_up = vt_clock_seconds() - began;
  }
  plan_checkpoint(session, held_up);
  if (status == VT_OK) return VT_OK;
  /* If it is the record as a whole that failed, this fails too. */
  return vt_recorder_event(session->recorder, session->progress.step, "checkpoint", "warning", reason.message, error);
}

/* At step 0 there is nothing that could be lost. */
static bool is_checkpoint_due(struct vt_session *session, bool stopping) {
  if (session->progress.step == 0) return false;
  bool due = session->settings.record.checkpoint_seconds > 0 && vt_clock_seconds() >= session->checkpoint_due;
  return stopping || (due && !vt_recorder_has_checkpoint(session->recorder));
}

static enum vt_status take_checkpoint(struct vt_session *session, bool stopping, struct vt_error *error) {
  if (!is_checkpoint_due(session, stopping)) return VT_OK;
  VT_TRY(vt_engine_collect(session->engine, error));
  struct vt_checkpoint checkpoint = vt_session_checkpoint(session);
  struct vt_ledger_packed ledger = {0};
  if (session->ledger_count > 0) {
    VT_TRY(vt_ledger_pack(vt_engine_ledger(session->engine), &ledger, error));
    checkpoint.ledger = &ledger;
  }
  enum vt_status status = stopping ? vt_recorder_checkpoint(session->recorder, &checkpoint, true, error)
                                   : take_periodic_checkpoint(session, checkpoint, error);
  vt_ledger_packed_release(&ledger);
  return status;
}

/* ---- the observer ------------------------------------------------------------------------------------------------ */

void vt_session_start_clock(struct vt_session *session) {
  session->started = vt_clock_seconds();
  plan_checkpoint(session, 0);
}

static void update_progress(struct vt_session *session, const struct vt_engine_state *state) {
  struct vt_train_progress *progress = &session->progress;
  progress->step = state->step;
  progress->epoch = state->epoch;
  progress->tokens = state->tokens;
  progress->lr = state->lr;
  progress->epoch_ended = state->epoch_ended;
  progress->seconds = session->seconds_before + vt_clock_seconds() - session->started;
  session->loss_sum += state->loss_sum;
  session->loss_pairs += state->loss_pairs;
  session->rows_moved += state->rows_moved;
  session->rows_capped += state->rows_capped;
  if (session->loss_pairs > 0) progress->loss = session->loss_sum / (double)session->loss_pairs;
  double span = progress->seconds - session->speed_seconds;
  if (span >= SPEED_WINDOW_SECONDS || progress->words_per_second == 0) {
    if (span > 0) progress->words_per_second = (double)(progress->tokens - session->speed_tokens) / span;
    session->speed_seconds = progress->seconds;
    session->speed_tokens = progress->tokens;
  }
}

enum vt_status vt_session_boundary(void *context, struct vt_engine *engine, struct vt_error *error) {
  struct vt_session *session = context;
  const struct vt_engine_state *state = vt_engine_state(engine);
  update_progress(session, state);
  bool stopping = vt_is_interrupted(session->interrupt) && state->step < state->steps;
  if (state->step < state->steps) VT_TRY(take_checkpoint(session, stopping, error));
  VT_TRY(vt_session_record(session, stopping, error));
  if (!stopping) return VT_OK;
  return VT_FAIL(error, VT_ERROR_INTERRUPTED, "interrupted at step %" PRIu64 " of %" PRIu64, state->step, state->steps);
}
