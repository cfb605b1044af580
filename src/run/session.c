/*
 * session.c: one training, from text to run folder. The only place where reading, engine and recording meet: the
 * engine knows this file as an observer, the recorder as its caller.
 *
 * Order of things on disk: a staging folder beside the run gets the encoded corpus; once there is something to train
 * it takes the run's place; only then the database is opened in it. So a corpus that cannot be read leaves nothing.
 */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "run/folder.h"
#include "run/plan.h"
#include "run/recorder.h"
#include "train/engine.h"
#include "train/motion.h"
#include "vectrail/corpus.h"
#include "vectrail/train.h"
#include "vectrail/version.h"

#define CORPUS_FILE "corpus.ids"
#define SPEED_WINDOW_SECONDS 0.5 /* words per second are taken over at least so long */
#define CONVERGED_CHANGE 1e-3    /* see is_converged */

struct session {
  const struct vt_train_request *request;
  struct vt_vocab *vocab;
  struct vt_corpus *corpus;
  struct vt_corpus_report report;
  struct vt_engine *engine;
  struct vt_recorder *recorder;
  struct vt_plan plan;
  struct vt_motion motion;
  uint32_t *watch;

  double started; /* clock */
  struct vt_train_progress progress;
  double speed_seconds; /* where the window of words_per_second began */
  uint64_t speed_tokens;
  /* Summed since the last row of metrics. */
  double loss_sum;
  uint64_t loss_pairs;
  uint64_t rows_moved;
  uint64_t rows_capped;
  uint64_t last_snapshot; /* step */
  /* Probe losses in order, for the verdict. */
  double *probes;
  size_t probe_count;
  size_t probe_capacity;
};

/* ---- what is written about the run as a whole ------------------------------------------------------------------ */

static enum vt_status meta(struct session *session, struct vt_error *error, const char *key, const char *format, ...)
    VT_PRINTF(4, 5);

static enum vt_status meta(struct session *session, struct vt_error *error, const char *key, const char *format, ...) {
  char value[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(value, sizeof value, format, arguments);
  va_end(arguments);
  return vt_recorder_meta(session->recorder, key, value, error);
}

/* The shortest of two texts that reads back as the same number: "0.05", not "0.050000000000000003". */
static enum vt_status meta_real(struct session *session, struct vt_error *error, const char *key, double value) {
  char text[32];
  snprintf(text, sizeof text, "%.15g", value);
  if (strtod(text, NULL) != value) snprintf(text, sizeof text, "%.17g", value);
  return vt_recorder_meta(session->recorder, key, text, error);
}

/* Names of inputs one a line; they may be long, so not through meta(). */
static enum vt_status record_inputs(struct session *session, struct vt_error *error) {
  const struct vt_train_request *request = session->request;
  size_t bytes = 1;
  for (size_t k = 0; k < request->input_count; k++) bytes += strlen(request->inputs[k]) + 1;
  char *names = vt_alloc(bytes, 1);
  if (names == NULL) return VT_FAIL_MEMORY(error, bytes);
  size_t at = 0;
  for (size_t k = 0; k < request->input_count; k++) {
    size_t length = strlen(request->inputs[k]);
    if (k > 0) names[at++] = '\n';
    memcpy(names + at, request->inputs[k], length);
    at += length;
  }
  names[at] = '\0';
  enum vt_status status = vt_recorder_meta(session->recorder, "inputs", names, error);
  vt_free(names);
  return status;
}

static enum vt_status record_settings(struct session *session, struct vt_error *error) {
  const struct vt_train_options *train = &session->request->train;
  VT_TRY(meta(session, error, "vectrail", "%s", vt_version()));
  VT_TRY(meta(session, error, "model", train->model == VT_MODEL_CBOW ? "cbow" : "skipgram"));
  VT_TRY(meta(session, error, "loss", train->loss == VT_LOSS_HIERARCHICAL_SOFTMAX ? "hs" : "ns"));
  VT_TRY(meta(session, error, "dim", "%" PRIu32, train->dim));
  VT_TRY(meta(session, error, "window", "%" PRIu32, train->window));
  VT_TRY(meta(session, error, "negative", "%" PRIu32, train->negative));
  VT_TRY(meta_real(session, error, "noise_exponent", train->noise_exponent));
  VT_TRY(meta_real(session, error, "sample", train->sample));
  VT_TRY(meta(session, error, "epochs", "%" PRIu32, train->epochs));
  VT_TRY(meta_real(session, error, "lr", train->lr));
  VT_TRY(meta(session, error, "cbow_classic", "%d", train->cbow_classic));
  VT_TRY(meta(session, error, "seed", "%" PRIu64, train->seed));
  VT_TRY(meta(session, error, "block_tokens", "%" PRIu32, train->block_tokens));
  VT_TRY(meta(session, error, "blocks", "%" PRIu32, train->blocks));
  VT_TRY(meta(session, error, "threads", "%d", train->threads));
  VT_TRY(meta(session, error, "kernel", "%s", vt_engine_kernel_name(session->engine)));
  return meta(session, error, "steps", "%" PRIu64, session->plan.steps);
}

static enum vt_status record_corpus(struct session *session, struct vt_error *error) {
  const struct vt_corpus_options *options = &session->request->corpus;
  const struct vt_corpus_report *report = &session->report;
  VT_TRY(record_inputs(session, error));
  VT_TRY(meta(session, error, "tokens_rule", "%s", options->tokens == VT_TOKENS_SPACE ? "space" : "words"));
  VT_TRY(meta(session, error, "fold_case", "%d", options->fold_case));
  VT_TRY(meta(session, error, "min_count", "%" PRIu64, options->min_count));
  VT_TRY(meta(session, error, "max_vocab", "%" PRIu32, options->max_vocab));
  VT_TRY(meta(session, error, "vocab_size", "%zu", vt_vocab_size(session->vocab)));
  VT_TRY(meta(session, error, "corpus_tokens", "%" PRIu64, report->tokens));
  VT_TRY(meta(session, error, "corpus_tokens_read", "%" PRIu64, report->tokens_read));
  VT_TRY(meta(session, error, "corpus_types_read", "%" PRIu64, report->types_read));
  VT_TRY(meta(session, error, "corpus_lines", "%" PRIu64, report->lines));
  VT_TRY(meta(session, error, "corpus_bytes", "%" PRIu64, report->text_bytes));
  VT_TRY(meta(session, error, "corpus_replaced_bytes", "%" PRIu64, report->replaced_bytes));
  VT_TRY(meta(session, error, "corpus_fingerprint", "%016" PRIx64, vt_corpus_fingerprint(session->corpus)));
  VT_TRY(meta(session, error, "probe_pairs", "%zu", vt_engine_probe_pairs(session->engine)));
  return VT_OK;
}

/* ---- what is written at a superstep boundary --------------------------------------------------------------------- */

static enum vt_status metric(struct session *session, const char *name, double value, struct vt_error *error) {
  return vt_recorder_metric(session->recorder, session->progress.step, name, value, error);
}

static enum vt_status record_probe(struct session *session, struct vt_error *error) {
  struct vt_probe_result probe = vt_engine_probe(session->engine);
  struct vt_motion_result motion =
      vt_motion_measure(&session->motion, vt_engine_table(session->engine, VT_TABLE_INPUT));
  session->progress.probe_loss = probe.loss;
  session->progress.probe_gradient = probe.gradient;
  if (session->probe_count < session->probe_capacity) session->probes[session->probe_count++] = probe.loss;
  VT_TRY(metric(session, "probe_loss", probe.loss, error));
  VT_TRY(metric(session, "probe_gradient", probe.gradient, error));
  VT_TRY(metric(session, "displacement", motion.displacement, error));
  return metric(session, "norm", motion.norm, error);
}

static enum vt_status record_snapshot(struct session *session, bool last, struct vt_error *error) {
  const struct vt_record_options *record = &session->request->record;
  const struct vt_table *input = vt_engine_table(session->engine, VT_TABLE_INPUT);
  const struct vt_table *output = vt_engine_table(session->engine, VT_TABLE_OUTPUT);
  uint64_t step = session->progress.step;
  VT_TRY(vt_recorder_snapshot(session->recorder, step, record->float32 || last, input->data,
                              record->output ? output->data : NULL, input->rows, input->dim, input->width, error));
  session->last_snapshot = step;
  if (step == 0) return VT_OK;
  struct vt_motion_speed speed = vt_motion_mark(&session->motion, input, step);
  session->progress.moving = speed.moving;
  VT_TRY(metric(session, "speed", speed.speed, error));
  return metric(session, "moving", speed.moving, error);
}

static enum vt_status record_step(struct session *session, const struct vt_engine_state *state,
                                  struct vt_error *error) {
  const struct vt_train_progress *progress = &session->progress;
  VT_TRY(vt_recorder_step(session->recorder, state->step, state->epoch, state->tokens, progress->seconds, state->lr,
                          error));
  const struct vt_table *input = vt_engine_table(session->engine, VT_TABLE_INPUT);
  for (size_t k = 0; k < session->request->record.watch_count; k++)
    VT_TRY(vt_recorder_trail(session->recorder, session->watch[k], state->step, vt_table_row(input, session->watch[k]),
                             input->dim, error));
  VT_TRY(metric(session, "lr", state->lr, error));
  if (state->step == 0) return VT_OK;
  VT_TRY(metric(session, "loss", progress->loss, error));
  VT_TRY(metric(session, "step_norm", sqrt(state->step_squared), error));
  double capped = session->rows_moved == 0 ? 0 : (double)session->rows_capped / (double)session->rows_moved;
  VT_TRY(metric(session, "capped", capped, error));
  session->loss_sum = 0;
  session->loss_pairs = 0;
  session->rows_moved = session->rows_capped = 0;
  return VT_OK;
}

static void update_progress(struct session *session, const struct vt_engine_state *state) {
  struct vt_train_progress *progress = &session->progress;
  progress->step = state->step;
  progress->epoch = state->epoch;
  progress->tokens = state->tokens;
  progress->lr = state->lr;
  progress->epoch_ended = state->epoch_ended;
  progress->seconds = vt_clock_seconds() - session->started;
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

static enum vt_status at_boundary(void *context, struct vt_engine *engine, struct vt_error *error) {
  struct session *session = context;
  const struct vt_engine_state *state = vt_engine_state(engine);
  const struct vt_train_request *request = session->request;
  update_progress(session, state);
  bool last = state->step == state->steps;
  bool interrupted = request->interrupt != NULL && *request->interrupt != 0 && !last;
  bool snapshot = vt_plan_is_snapshot(&session->plan, state->step) || interrupted;
  bool probe = snapshot || state->epoch_ended || vt_plan_is_probe(&session->plan, state->step);
  if (probe) VT_TRY(record_probe(session, error));
  if (snapshot) VT_TRY(record_snapshot(session, last || interrupted, error));
  if (probe || vt_plan_is_metric(&session->plan, state->step)) VT_TRY(record_step(session, state, error));
  if (request->progress != NULL) request->progress(request->progress_context, &session->progress);
  if (interrupted)
    return VT_FAIL(error, VT_ERROR_INTERRUPTED, "interrupted at step %" PRIu64 " of %" PRIu64, state->step,
                   state->steps);
  return VT_OK;
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

/* The probe loss has settled when its mean over the last tenth of the measurements differs from that over the tenth
 * before by less than one part in a thousand. A falling learning rate settles anything: docs/metrics.md. */
static bool is_converged(const struct session *session) {
  size_t tenth = session->probe_count / 10;
  if (tenth == 0) return false;
  double late = 0, before = 0;
  for (size_t k = 0; k < tenth; k++) {
    late += session->probes[session->probe_count - 1 - k];
    before += session->probes[session->probe_count - 1 - tenth - k];
  }
  return fabs(late - before) < CONVERGED_CHANGE * fabs(before);
}

/* "did you mean king, ring?" or, with nothing near, what a word must be to be watched. */
static void suggest(const struct vt_vocab *vocab, const char *word, char *help, size_t bytes) {
  uint32_t near[3];
  size_t count = vt_vocab_suggest(vocab, word, near, 3);
  size_t at = (size_t)snprintf(
      help, bytes, "%s", count == 0 ? "watch words that the corpus holds often enough (--min-count)" : "did you mean ");
  for (size_t k = 0; k < count && at < bytes; k++)
    at += (size_t)snprintf(help + at, bytes - at, "%s%s%s", k == 0 ? "" : ", ", vt_vocab_text(vocab, near[k]),
                           k + 1 == count ? "?" : "");
}

static enum vt_status resolve_watch(struct session *session, struct vt_error *error) {
  const struct vt_record_options *record = &session->request->record;
  session->watch = vt_alloc(record->watch_count, sizeof *session->watch);
  if (session->watch == NULL) return VT_FAIL_MEMORY(error, record->watch_count * sizeof *session->watch);
  for (size_t k = 0; k < record->watch_count; k++) {
    if (vt_vocab_find(session->vocab, record->watch[k], &session->watch[k])) continue;
    char help[sizeof error->help];
    suggest(session->vocab, record->watch[k], help, sizeof help);
    return VT_FAIL_HELP(error, VT_ERROR_NOT_FOUND, help, "the word \"%s\" to watch is not in the vocabulary",
                        record->watch[k]);
  }
  return VT_OK;
}

static enum vt_status read_corpus(struct session *session, const char *staging, struct vt_error *error) {
  const struct vt_train_request *request = session->request;
  char *encoded = vt_path_join(staging, CORPUS_FILE);
  if (encoded == NULL) return VT_FAIL_MEMORY(error, strlen(staging));
  enum vt_status status = vt_corpus_encode(request->inputs, request->input_count, &request->corpus, encoded,
                                           &session->vocab, &session->corpus, &session->report, error);
  vt_free(encoded);
  VT_TRY(status);
  if (session->report.tokens == 0)
    return VT_FAIL(error, VT_ERROR_EMPTY, "no word of the vocabulary occurs in the corpus");
  if (request->corpus_ready != NULL)
    request->corpus_ready(request->corpus_ready_context, &session->report, session->vocab);
  return VT_OK;
}

static enum vt_status prepare(struct session *session, struct vt_error *error) {
  VT_TRY(resolve_watch(session, error));
  VT_TRY(vt_engine_create(&session->request->train, session->vocab, session->corpus, &session->engine, error));
  uint64_t steps = vt_engine_state(session->engine)->steps;
  VT_TRY(vt_plan_init(&session->plan, steps, &session->request->record, error));
  VT_TRY(vt_motion_init(&session->motion, vt_engine_table(session->engine, VT_TABLE_INPUT), error));
  /* Probes at their own steps, at snapshots and at epoch ends. */
  session->probe_capacity =
      (size_t)(steps / session->plan.probe_every) + session->plan.snapshot_count + session->request->train.epochs + 2;
  session->probes = vt_alloc(session->probe_capacity, sizeof *session->probes);
  if (session->probes == NULL) return VT_FAIL_MEMORY(error, session->probe_capacity * sizeof *session->probes);
  session->progress = (struct vt_train_progress){
      .steps = steps,
      .epochs = session->request->train.epochs,
      .tokens_total = session->report.tokens * session->request->train.epochs,
      .loss = NAN,
      .probe_loss = NAN,
      .probe_gradient = NAN,
      .moving = NAN,
  };
  return VT_OK;
}

static enum vt_status open_recorder(struct session *session, struct vt_error *error) {
  VT_TRY(vt_recorder_create(session->request->run_path, session->vocab, &session->recorder, error));
  VT_TRY(record_settings(session, error));
  VT_TRY(record_corpus(session, error));
  VT_TRY(vt_recorder_event(session->recorder, 0, "start", "info", "training started", error));
  /* From here on a reader finds a run. */
  return vt_recorder_flush(session->recorder, error);
}

/* Notes how the training ended, and closes the record; returns the first thing that went wrong. */
static enum vt_status finish(struct session *session, enum vt_status ended, struct vt_error *error) {
  const char *kind = "finished", *severity = "info", *text = "training finished";
  struct vt_error later;
  if (ended == VT_ERROR_INTERRUPTED) kind = "interrupted", severity = "warning", text = error->message;
  if (ended == VT_ERROR_DIVERGED) kind = "diverged", severity = "error", text = error->message;
  bool told = ended == VT_OK || ended == VT_ERROR_INTERRUPTED || ended == VT_ERROR_DIVERGED;
  if (told) {
    uint64_t step = vt_engine_state(session->engine)->step;
    enum vt_status status = vt_recorder_event(session->recorder, step, kind, severity, text, &later);
    if (status == VT_OK && ended == VT_OK) status = meta(session, &later, "converged", "%d", is_converged(session));
    if (status == VT_OK) status = vt_recorder_close(&session->recorder, &later);
    if (status != VT_OK && ended == VT_OK) {
      if (error != NULL) *error = later;
      ended = status;
    }
  }
  vt_recorder_free(session->recorder);
  session->recorder = NULL;
  return ended;
}

/* The encoded corpus is a cache: once the training is over nothing needs it. */
static void drop_encoded_corpus(const char *folder) {
  char *encoded = vt_path_join(folder, CORPUS_FILE);
  if (encoded != NULL) unlink(encoded);
  vt_free(encoded);
}

static enum vt_status train(struct session *session, struct vt_error *error) {
  enum vt_status status = open_recorder(session, error);
  if (status != VT_OK) {
    vt_recorder_free(session->recorder);
    session->recorder = NULL;
    vt_run_folder_abandon(session->request->run_path);
    return status;
  }
  struct vt_observer observer = {.boundary = at_boundary, .context = session};
  session->started = vt_clock_seconds();
  status = vt_engine_run(session->engine, &observer, 1, error);
  session->progress.seconds = vt_clock_seconds() - session->started;
  status = finish(session, status, error);
  drop_encoded_corpus(session->request->run_path);
  return status;
}

static enum vt_status run_session(struct session *session, struct vt_error *error) {
  const struct vt_train_request *request = session->request;
  char *staging = NULL;
  VT_TRY(vt_run_folder_stage(request->run_path, request->force, &staging, error));
  enum vt_status status = read_corpus(session, staging, error);
  if (status == VT_OK) status = prepare(session, error);
  if (status == VT_OK) status = vt_run_folder_install(staging, request->run_path, request->force, error);
  if (status != VT_OK) vt_run_folder_abandon(staging);
  vt_free(staging);
  return status == VT_OK ? train(session, error) : status;
}

static void release(struct session *session) {
  vt_motion_release(&session->motion);
  vt_plan_release(&session->plan);
  vt_engine_free(session->engine);
  vt_corpus_free(session->corpus);
  vt_vocab_free(session->vocab);
  vt_free(session->watch);
  vt_free(session->probes);
}

static enum vt_status check_request(const struct vt_train_request *request, struct vt_error *error) {
  if (request->input_count == 0)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "pass at least one file, or - for standard input",
                        "no corpus was given");
  if (request->record.snapshots < 2 || request->record.snapshots > 100000)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "snapshots is %" PRIu32 "; it must lie between 2 and 100000",
                   request->record.snapshots);
  return vt_train_options_check(&request->train, error);
}

enum vt_status vt_train(const struct vt_train_request *request, struct vt_train_result *result,
                        struct vt_error *error) {
  struct vt_error own; /* finish() needs the message even where the caller does not */
  if (error == NULL) error = &own;
  VT_TRY(check_request(request, error));
  struct session session = {.request = request};
  enum vt_status status = run_session(&session, error);
  if (result != NULL) {
    *result = (struct vt_train_result){
        .steps = session.progress.step,
        .tokens = session.progress.tokens,
        .seconds = session.progress.seconds,
        .words_per_second =
            session.progress.seconds > 0 ? (double)session.progress.tokens / session.progress.seconds : 0,
        .loss = session.progress.probe_loss,
        .converged = status == VT_OK && is_converged(&session),
        .kernel = session.engine == NULL ? NULL : vt_engine_kernel_name(session.engine),
    };
  }
  release(&session);
  return status;
}
