/*
 * begin.c: a training from text. A staging folder beside the run gets the encoded corpus and a database that says what
 * is to be done; once it is such that vt_resume could go on with it, it takes the run's place. So a corpus that cannot
 * be read leaves nothing, and whenever the process is killed there is no run or one that can be gone on with.
 */
#define _XOPEN_SOURCE 700 /* realpath */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "dist/ranks.h"
#include "run/folder.h"
#include "run/lock.h"
#include "run/run_counts.h"
#include "run/session.h"
#include "run/team.h"
#include "train/counted.h"
#include "vectrail/version.h"

/* ---- what is written about the run as a whole -------------------------------------------------------------------- */

static enum vt_status meta(struct vt_session *session, struct vt_error *error, const char *key, const char *format, ...)
    VT_PRINTF(4, 5);

static enum vt_status meta(struct vt_session *session, struct vt_error *error, const char *key, const char *format,
                           ...) {
  char value[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(value, sizeof value, format, arguments);
  va_end(arguments);
  return vt_recorder_meta(session->recorder, key, value, error);
}

/* Texts one a line, or two with `between` between them; they may be long, so not through meta(). */
static enum vt_status record_lines(struct vt_session *session, const char *key, const char *const *lines, size_t count,
                                   char between, struct vt_error *error) {
  size_t bytes = 1;
  for (size_t k = 0; k < count; k++) bytes += strlen(lines[k]) + 1;
  char *text = vt_alloc(bytes, 1);
  if (text == NULL) return VT_FAIL_MEMORY(error, bytes);
  size_t at = 0;
  for (size_t k = 0; k < count; k++) {
    size_t length = strlen(lines[k]);
    if (k > 0) text[at++] = k % 2 == 1 ? between : '\n';
    memcpy(text + at, lines[k], length);
    at += length;
  }
  text[at] = '\0';
  enum vt_status status = vt_recorder_meta(session->recorder, key, text, error);
  vt_free(text);
  return status;
}

static enum vt_status record_settings(struct vt_session *session, struct vt_error *error) {
  const struct vt_record_options *record = &session->settings.record;
  VT_TRY(meta(session, error, "vectrail", "%s", vt_version()));
  VT_TRY(vt_settings_write(&session->settings, session->recorder, error));
  VT_TRY(record_lines(session, "watch", record->watch, record->watch_count, '\n', error));
  VT_TRY(record_lines(session, "ledger", record->ledger, record->ledger_count, '\n', error));
  VT_TRY(record_lines(session, "pairs", record->pairs, 2 * record->pair_count, '\t', error));
  if (session->base != NULL) {
    VT_TRY(record_lines(session, "base", &session->base->path, 1, '\n', error));
    VT_TRY(record_lines(session, "freeze", session->base->freeze, session->base->freeze_count, '\n', error));
  }
  VT_TRY(meta(session, error, "threads", "%d", session->settings.train.threads));
  VT_TRY(meta(session, error, "kernel", "%s", vt_engine_kernel_name(session->engine)));
  return meta(session, error, "steps", "%" PRIu64, session->plan.steps);
}

/* By which a replay tells which of the files has changed. */
static enum vt_status record_hashes(struct vt_session *session, size_t count, struct vt_error *error) {
  enum { LINE_BYTES = 17 };
  char *text = vt_alloc(count, LINE_BYTES);
  if (text == NULL) return VT_FAIL_MEMORY(error, count * LINE_BYTES);
  for (size_t i = 0; i < count; i++) {
    snprintf(text + i * LINE_BYTES, LINE_BYTES, "%016" PRIx64, session->input_hashes[i]);
    if (i > 0) text[i * LINE_BYTES - 1] = '\n';
  }
  enum vt_status status = vt_recorder_meta(session->recorder, "input_hashes", text, error);
  vt_free(text);
  return status;
}

static enum vt_status record_inputs(struct vt_session *session, const struct vt_train_request *request,
                                    struct vt_error *error) {
  VT_TRY(record_lines(session, "inputs", request->inputs, request->input_count, '\n', error));
  return record_hashes(session, request->input_count, error);
}

/* Whoever goes on with the run may be somewhere else. */
static enum vt_status record_counts(struct vt_session *session, const char *path, struct vt_error *error) {
  char *place = realpath(path, NULL);
  if (place == NULL) return VT_FAIL(error, VT_ERROR_IO, "%s: cannot find its place: %s", path, strerror(errno));
  enum vt_status status = vt_recorder_meta(session->recorder, VT_COUNTS_META, place, error);
  free(place);
  VT_TRY(status);
  return meta(session, error, VT_COUNTS_META_FINGERPRINT, "%016" PRIx64, vt_cooccur_fingerprint(session->counts));
}

/* How the text was read, or that which was counted. */
static struct vt_corpus_options rules_of(const struct vt_session *session, const struct vt_train_request *request) {
  struct vt_corpus_options rules = request->corpus;
  if (session->counts == NULL) return rules;
  const struct vt_cooccur_source source = vt_cooccur_counted_on(session->counts);
  vt_corpus_options_init(&rules);
  if (!source.rules_known) return rules;
  rules.tokens = source.rule;
  rules.fold_case = source.fold_case;
  rules.min_count = source.min_count;
  rules.max_vocab = source.max_vocab;
  return rules;
}

static enum vt_status record_corpus(struct vt_session *session, const struct vt_train_request *request,
                                    struct vt_error *error) {
  const struct vt_corpus_options rules = rules_of(session, request), *options = &rules;
  const struct vt_corpus_report *report = &session->report;
  const bool counted = session->counts != NULL;
  VT_TRY(counted ? record_counts(session, request->counts, error) : record_inputs(session, request, error));
  VT_TRY(meta(session, error, "tokens_rule", "%s", vt_token_rule_name(options->tokens)));
  VT_TRY(meta(session, error, "fold_case", "%d", options->fold_case));
  VT_TRY(meta(session, error, "min_count", "%" PRIu64, options->min_count));
  VT_TRY(meta(session, error, "max_vocab", "%" PRIu32, options->max_vocab));
  VT_TRY(meta(session, error, "phrases", "%" PRIu32, options->phrases));
  VT_TRY(vt_settings_write_real("phrase_threshold", options->phrase_threshold, session->recorder, error));
  VT_TRY(meta(session, error, "vocab_size", "%zu", vt_vocab_size(session->vocab)));
  VT_TRY(meta(session, error, "corpus_tokens", "%" PRIu64, report->tokens));
  VT_TRY(meta(session, error, "corpus_tokens_read", "%" PRIu64, report->tokens_read));
  VT_TRY(meta(session, error, "corpus_types_read", "%" PRIu64, report->types_read));
  VT_TRY(meta(session, error, "corpus_phrases", "%" PRIu64, report->phrases));
  VT_TRY(meta(session, error, "corpus_lines", "%" PRIu64, report->lines));
  VT_TRY(meta(session, error, "corpus_bytes", "%" PRIu64, report->text_bytes));
  VT_TRY(meta(session, error, "corpus_replaced_bytes", "%" PRIu64, report->replaced_bytes));
  VT_TRY(meta(session, error, "corpus_fingerprint", "%016" PRIx64,
              counted ? vt_cooccur_counted_on(session->counts).fingerprint : vt_corpus_fingerprint(session->corpus)));
  VT_TRY(meta(session, error, "held_out_sentences", "%zu", vt_engine_held_out_sentences(session->engine)));
  VT_TRY(meta(session, error, "held_out_tokens", "%" PRIu64, vt_engine_held_out_tokens(session->engine)));
  return meta(session, error, "probe_pairs", "%zu", vt_engine_probe_pairs(session->engine));
}

/* ---- the folder -------------------------------------------------------------------------------------------------- */

static enum vt_status resolve_word(const struct vt_session *session, const char *word, uint32_t *id,
                                   struct vt_error *error) {
  if (vt_vocab_find(session->vocab, word, id)) return VT_OK;
  char help[sizeof error->help];
  vt_session_suggest(session->vocab, word, help, sizeof help);
  return VT_FAIL_HELP(error, VT_ERROR_NOT_FOUND, help, "the word \"%s\" to watch is not in the vocabulary", word);
}

static enum vt_status resolve_watch(struct vt_session *session, struct vt_error *error) {
  const struct vt_record_options *record = &session->settings.record;
  session->watch = vt_alloc(record->watch_count, sizeof *session->watch);
  if (session->watch == NULL) return VT_FAIL_MEMORY(error, record->watch_count * sizeof *session->watch);
  for (size_t k = 0; k < record->watch_count; k++, session->watch_count++)
    VT_TRY(resolve_word(session, record->watch[k], &session->watch[k], error));
  session->pairs = vt_alloc(2 * record->pair_count, sizeof *session->pairs);
  if (session->pairs == NULL) return VT_FAIL_MEMORY(error, 2 * record->pair_count * sizeof *session->pairs);
  for (size_t k = 0; k < 2 * record->pair_count; k++)
    VT_TRY(resolve_word(session, record->pairs[k], &session->pairs[k], error));
  session->pair_count = record->pair_count;
  if (session->base != NULL)
    VT_TRY(vt_session_find_words(session->vocab, session->base->freeze, session->base->freeze_count, "to freeze",
                                 &session->frozen, &session->frozen_count, error));
  return vt_session_find_words(session->vocab, record->ledger, record->ledger_count, "to keep a ledger of",
                               &session->ledger, &session->ledger_count, error);
}

/* together: with the other ranks, of which each then hears how this one fared so far. */
static enum vt_status encode(struct vt_session *session, const struct vt_train_request *request,
                             const struct vt_corpus_options *options, const char *path, bool together,
                             enum vt_status status, struct vt_error *error) {
  if (together) status = vt_team_agree(session, status, error);
  VT_TRY(status);
  if (together) return vt_team_encode(session, request, options, path, error);
  return vt_corpus_encode(request->inputs, request->input_count, options, path, &session->vocab, &session->corpus,
                          &session->report, error);
}

static enum vt_status read_corpus(struct vt_session *session, const struct vt_train_request *request,
                                  const char *staging, bool together, struct vt_error *error) {
  char *encoded = vt_path_join(staging, VT_RUN_CORPUS), *tokenizer = vt_path_join(staging, VT_RUN_TOKENIZER);
  struct vt_corpus_options options = request->corpus;
  options.tokenizer_out = tokenizer;
  if (options.interrupt == NULL) options.interrupt = request->interrupt;
  /* A cache of a run that has just begun; the first checkpoint syncs it, and whoever goes on verifies it. */
  options.unsynced = true;
  session->input_hashes = vt_alloc_zero(request->input_count, sizeof *session->input_hashes);
  options.input_hashes = session->input_hashes;
  enum vt_status status = VT_OK;
  if (session->input_hashes == NULL || encoded == NULL || tokenizer == NULL)
    status = VT_FAIL_MEMORY(error, request->input_count * sizeof *session->input_hashes);
  status = encode(session, request, &options, encoded, together, status, error);
  vt_free(encoded);
  vt_free(tokenizer);
  VT_TRY(status);
  if (session->report.tokens == 0)
    return VT_FAIL(error, VT_ERROR_EMPTY, "no word of the vocabulary occurs in the corpus");
  if (request->corpus_ready != NULL)
    request->corpus_ready(request->corpus_ready_context, &session->report, session->vocab);
  return VT_OK;
}

static enum vt_status read_counts(struct vt_session *session, const struct vt_train_request *request,
                                  const char *staging, struct vt_error *error) {
  VT_TRY(vt_cooccur_load(request->counts, staging, &session->counts, &session->vocab, error));
  const struct vt_cooccur_source source = vt_cooccur_counted_on(session->counts);
  session->report = (struct vt_corpus_report){.lines = source.sentences, .tokens = source.tokens};
  vt_counted_settle(session->counts, &session->settings.train);
  VT_TRY(vt_counted_check(&session->settings.train, session->counts, error));
  if (request->corpus_ready != NULL)
    request->corpus_ready(request->corpus_ready_context, &session->report, session->vocab);
  return VT_OK;
}

/* The database, complete, and closed: it cannot be moved while it is open. */
static enum vt_status write_database(struct vt_session *session, const struct vt_train_request *request,
                                     const char *staging, struct vt_error *error) {
  VT_TRY(vt_recorder_create(staging, session->vocab, &session->recorder, error));
  VT_TRY(record_settings(session, error));
  VT_TRY(record_corpus(session, request, error));
  VT_TRY(vt_recorder_event(session->recorder, 0, "start", "info", "training started", error));
  return vt_recorder_close(&session->recorder, error);
}

static enum vt_status read_text(struct vt_session *session, const struct vt_train_request *request, const char *staging,
                                bool together, struct vt_error *error) {
  if (request->counts != NULL) return read_counts(session, request, staging, error);
  return read_corpus(session, request, staging, together, error);
}

/* With other ranks, each of the points at which all go on or none does. */
static enum vt_status build(struct vt_session *session, const struct vt_train_request *request, const char *staging,
                            bool together, struct vt_error *error) {
  bool finished = false;
  session->folder = staging;
  enum vt_status status = read_text(session, request, staging, together, error);
  VT_TRY(vt_team_share(session, staging, &finished, status, error));
  VT_TRY(vt_team_agree(session, resolve_watch(session, error), error));
  VT_TRY(vt_team_agree(session, vt_session_prepare(session, error), error));
  VT_TRY(vt_engine_spread(session->engine, error));
  status = write_database(session, request, staging, error);
  if (status == VT_OK) status = vt_run_folder_install(staging, request->run_path, request->force, error);
  session->folder = request->run_path;
  if (status == VT_OK) {
    status = vt_recorder_open(request->run_path, 0, &session->recorder, error);
    if (status != VT_OK) vt_run_folder_abandon(request->run_path);
  }
  return vt_team_agree(session, status, error);
}

static enum vt_status begin(struct vt_session *session, const struct vt_train_request *request,
                            struct vt_error *error) {
  char *staging = NULL;
  bool together = false;
  enum vt_status status = vt_run_folder_stage(request->run_path, request->force, &staging, error);
  if (status == VT_OK) status = vt_run_lock_take(staging, &session->lock, error);
  status = vt_team_plan_reading(session, request, &together, status, error);
  if (status == VT_OK) status = build(session, request, staging, together, error);
  if (status != VT_OK && staging != NULL) {
    vt_recorder_free(session->recorder);
    session->recorder = NULL;
    vt_run_folder_abandon(staging);
  }
  vt_free(staging);
  return status;
}

/* On rank 0, or where there is no other. */
static enum vt_status lead(struct vt_session *session, const struct vt_train_request *request, struct vt_error *error) {
  VT_TRY(begin(session, request, error));
  return vt_team_agree(session, vt_session_train(session, error), error);
}

static enum vt_status check_request(const struct vt_train_request *request, const struct vt_settings *settings,
                                    struct vt_error *error) {
  if (request->counts != NULL && request->input_count > 0)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "leave one of them out",
                        "a run is trained on a text or on counts, not on both");
  if (request->counts != NULL && vt_ranks_size(request->train.ranks) > 1)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "start it without mpirun, with more threads",
                        "counts are trained on by one process, and there are %d", vt_ranks_size(request->train.ranks));
  if (request->counts == NULL && request->input_count == 0)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "pass at least one file, or - for standard input",
                        "no corpus was given");
  return vt_settings_check(settings, error);
}

enum vt_status vt_session_begin(struct vt_session *session, const struct vt_train_request *request,
                                struct vt_error *error) {
  session->run_path = session->folder = request->run_path;
  session->ranks = request->train.ranks;
  session->lock = -1;
  session->settings = (struct vt_settings){.train = request->train, .record = request->record};
  session->on_progress = request->progress;
  session->progress_context = request->progress_context;
  session->interrupt = request->interrupt;
  /* A start of 1e-6 and less is no number that float16 could hold. */
  if (request->train.loss == VT_LOSS_QUADRATIC) session->settings.record.float32 = true;
  if (request->train.loss == VT_LOSS_QUADRATIC && request->train.start == 0)
    session->settings.train.start = VT_QUADRATIC_START;
  VT_TRY(vt_team_same(session, request, check_request(request, &session->settings, error), error));
  return vt_team_follows(session) ? vt_team_follow(session, request, error) : lead(session, request, error);
}

enum vt_status vt_train(const struct vt_train_request *request, struct vt_train_result *result,
                        struct vt_error *error) {
  struct vt_error own; /* the message goes into the record even where the caller does not want it */
  struct vt_session session = {.lock = -1};
  enum vt_status status = VT_OK;
  if (error == NULL) error = &own;
  if (request->train.tuning.words > 0)
    status = VT_FAIL(error, VT_ERROR_ARGUMENT, "a training that goes on with a run is begun by vt_tune");
  if (status == VT_OK) status = vt_session_begin(&session, request, error);
  vt_session_result(&session, status, result);
  vt_session_release(&session);
  return status;
}
