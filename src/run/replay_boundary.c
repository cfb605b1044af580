/*
 * replay_boundary.c: what a replay does between two steps: compare with the snapshot, if there is one, and record.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "run/replay.h"
#include "run/run_internal.h"
#include "run/snapshot.h"

/* ---- the same bits ----------------------------------------------------------------------------------------------- */

static enum vt_status fail_other(const struct vt_replaying *replaying, uint64_t step, const char *table, uint64_t row,
                                 struct vt_error *error) {
  bool softmax = replaying->settings.train.loss == VT_LOSS_SOFTMAX;
  const char *help = softmax ? "the exact softmax gives the same bits on the same kind of processor alone"
                             : "the run's settings were altered, or another version of vectrail trained it";
  return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, help,
                      "%s: at step %" PRIu64 " the replay has other vectors than the run; the first is the %s vector "
                      "of \"%.64s\"",
                      vt_run_path(replaying->run), step, table,
                      vt_vocab_text(vt_run_vocab(replaying->run), (uint32_t)row));
}

static enum vt_status compare_table(const struct vt_replaying *replaying, uint64_t step, const char *name,
                                    const struct vt_snapshot *ours, const void *table, const struct vt_tensor *theirs,
                                    struct vt_error *error) {
  size_t row_bytes = ours->dim * vt_dtype_bytes(ours->dtype);
  if (theirs->dtype != ours->dtype || theirs->rank != 2 || theirs->shape[0] != ours->rows ||
      theirs->shape[1] != ours->dim)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: the snapshot of step %" PRIu64 " has another shape than the settings",
                   vt_run_path(replaying->run), step);
  const unsigned char *a = table, *b = theirs->data;
  for (size_t row = 0; row < ours->rows; row++)
    if (memcmp(a + row * row_bytes, b + row * row_bytes, row_bytes) != 0)
      return fail_other(replaying, step, name, row, error);
  return VT_OK;
}

static struct vt_snapshot_source tables_of(const struct vt_replaying *replaying, bool with_output) {
  const struct vt_table *input = vt_engine_table(replaying->engine, VT_TABLE_INPUT),
                        *output = vt_engine_table(replaying->engine, VT_TABLE_OUTPUT);
  return (struct vt_snapshot_source){.input = input->data,
                                     .output = with_output ? output->data : NULL,
                                     .rows = input->rows,
                                     .dim = input->dim,
                                     .stride = input->width,
                                     .pool = vt_engine_pool(replaying->engine)};
}

/* Packs the tables as the run did and compares what comes of it. */
static enum vt_status compare_snapshot(struct vt_replaying *replaying, struct vt_safetensors *file, uint64_t step,
                                       struct vt_error *error) {
  const struct vt_tensor *input = vt_safetensors_find(file, "input"), *output = vt_safetensors_find(file, "output");
  struct vt_snapshot *ours;
  const struct vt_snapshot_source source = tables_of(replaying, output != NULL);
  VT_TRY(vt_snapshot_take(step, input->dtype, &source, NULL, &ours, error));
  enum vt_status status = compare_table(replaying, step, "input", ours, ours->input, input, error);
  if (status == VT_OK && output != NULL)
    status = compare_table(replaying, step, "output", ours, ours->output, output, error);
  vt_snapshot_free(ours);
  return status;
}

static enum vt_status compare(struct vt_replaying *replaying, uint64_t step, struct vt_error *error) {
  const struct vt_run *run = replaying->run;
  if (replaying->next == vt_run_snapshot_count(run) || vt_run_snapshot_at(run, replaying->next).step != step)
    return VT_OK;
  struct vt_safetensors *file;
  VT_TRY(vt_run_snapshot_file(run, replaying->next, &file, error));
  enum vt_status status = compare_snapshot(replaying, file, step, error);
  vt_safetensors_close(file);
  replaying->next++;
  replaying->result.snapshots++;
  return status;
}

/* ---- the record -------------------------------------------------------------------------------------------------- */

static enum vt_status record_watched(struct vt_replaying *replaying, uint64_t step, struct vt_error *error) {
  const struct vt_table *input = vt_engine_table(replaying->engine, VT_TABLE_INPUT);
  for (size_t k = 0; k < replaying->watch_count; k++)
    VT_TRY(vt_recorder_trail(replaying->recorder, replaying->watch[k], step, vt_table_row(input, replaying->watch[k]),
                             input->dim, error));
  for (size_t k = 0; k < replaying->pair_count; k += 2) {
    uint32_t a = replaying->pairs[k], b = replaying->pairs[k + 1];
    VT_TRY(vt_recorder_pair(replaying->recorder, a, b, step, vt_table_cosine(input, a, b), error));
  }
  return VT_OK;
}

static enum vt_status record_span(void *context, const struct vt_ledger_span *span, struct vt_error *error) {
  struct vt_replaying *replaying = context;
  return vt_recorder_ledger(replaying->recorder, vt_engine_state(replaying->engine)->step, span, error);
}

static enum vt_status ignore_span(void *context, const struct vt_ledger_span *span, struct vt_error *error) {
  (void)context, (void)span, (void)error;
  return VT_OK;
}

/* The ledger begins here: what each vector is now, is what it starts from. */
static enum vt_status begin_ledger(struct vt_replaying *replaying, struct vt_error *error) {
  const struct vt_replay_request *request = replaying->request;
  const struct vt_ledger_options options = {.words = replaying->ledger,
                                            .word_count = replaying->ledger_count,
                                            .by_document = request->by_document,
                                            .sources = replaying->settings.record.ledger_sources};
  struct vt_engine *engine = replaying->engine;
  VT_TRY(vt_engine_keep_ledger(engine, &options, error));
  /* Nothing was booked yet; what a row owes by now is not the ledger's. */
  VT_TRY(vt_engine_close_ledger(engine, ignore_span, NULL, error));
  return vt_ledger_start(vt_engine_ledger(engine), vt_engine_table(engine, VT_TABLE_INPUT), record_span, replaying,
                         error);
}

static enum vt_status record_ledger(struct vt_replaying *replaying, uint64_t step, struct vt_error *error) {
  if (replaying->ledger_count == 0 || step < replaying->request->from) return VT_OK;
  if (step == replaying->request->from) return begin_ledger(replaying, error);
  if (!vt_plan_is_span_end(&replaying->plan, step) && step != replaying->last) return VT_OK;
  uint64_t bytes = vt_ledger_bytes(vt_engine_ledger(replaying->engine));
  if (bytes > replaying->result.ledger_bytes) replaying->result.ledger_bytes = bytes;
  return vt_engine_close_ledger(replaying->engine, record_span, replaying, error);
}

/* A snapshot that the run does not have. */
static enum vt_status add_snapshot(struct vt_replaying *replaying, uint64_t step, bool compared,
                                   struct vt_error *error) {
  if (compared || step < replaying->request->from || replaying->added.snapshot_count == 0 ||
      !vt_plan_is_snapshot(&replaying->added, step))
    return VT_OK;
  const struct vt_record_options *record = &replaying->settings.record;
  const struct vt_snapshot_source source = tables_of(replaying, record->output);
  replaying->result.added++;
  return vt_recorder_snapshot(replaying->recorder, step, record->float32, &source, error);
}

/* ---- the observer ------------------------------------------------------------------------------------------------ */

static uint64_t tokens_of(const struct vt_replaying *replaying) {
  return replaying->counts == NULL ? vt_corpus_tokens(replaying->text.corpus)
                                   : vt_cooccur_counted_on(replaying->counts).tokens;
}

static void tell_progress(struct vt_replaying *replaying, const struct vt_engine_state *state) {
  const struct vt_replay_request *request = replaying->request;
  struct vt_replay_result *result = &replaying->result;
  result->steps = state->step;
  result->tokens = state->tokens;
  result->seconds = vt_clock_seconds() - replaying->started;
  result->words_per_second = result->seconds > 0 ? (double)state->tokens / result->seconds : 0;
  if (request->progress == NULL) return;
  const struct vt_train_progress progress = {
      .step = state->step,
      .steps = replaying->last,
      .epoch = state->epoch,
      .epochs = replaying->settings.train.epochs,
      .tokens = state->tokens,
      .tokens_total = tokens_of(replaying) * replaying->settings.train.epochs,
      .seconds = result->seconds,
      .words_per_second = result->words_per_second,
      .lr = state->lr,
      .loss = state->loss_pairs > 0 ? state->loss_sum / (double)state->loss_pairs : (double)NAN,
      .probe_loss = NAN,
      .probe_gradient = NAN,
      .moving = NAN,
      .epoch_ended = state->epoch_ended,
  };
  request->progress(request->progress_context, &progress);
}

enum vt_status vt_replay_boundary(void *context, struct vt_engine *engine, struct vt_error *error) {
  struct vt_replaying *replaying = context;
  const struct vt_engine_state *state = vt_engine_state(engine);
  const struct vt_replay_request *request = replaying->request;
  size_t before = replaying->next;
  if (vt_is_interrupted(request->interrupt))
    return VT_FAIL(error, VT_ERROR_INTERRUPTED, "interrupted at step %" PRIu64 "; the run is as it was", state->step);
  VT_TRY(compare(replaying, state->step, error));
  if (state->step >= request->from && state->step % request->every == 0)
    VT_TRY(record_watched(replaying, state->step, error));
  VT_TRY(record_ledger(replaying, state->step, error));
  VT_TRY(add_snapshot(replaying, state->step, replaying->next > before, error));
  tell_progress(replaying, state);
  replaying->ended = state->step == replaying->last;
  if (!replaying->ended) return VT_OK;
  return VT_FAIL(error, VT_ERROR_INTERRUPTED, "replayed to step %" PRIu64, state->step);
}
