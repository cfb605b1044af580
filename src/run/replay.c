/*
 * replay.c: a run trained once more.
 *
 * Everything is made ready in a folder within the run: the text as ids, whose names go as soon as they are mapped, and
 * a database with what is recorded on the way. Only when the last snapshot has agreed, the rows are taken over into the
 * database of the run, in one transaction, after the files of further snapshots are in place. Killed before that, a
 * replay leaves its folder, which the next one removes.
 */
#define _POSIX_C_SOURCE 200809L

#include "run/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/memory.h"
#include "run/documents.h"
#include "run/folder.h"
#include "run/lock.h"
#include "run/run_counts.h"
#include "run/run_internal.h"
#include "run/run_recorder.h"
#include "run/session.h"
#include "run/snapshot.h"
#include "run/start.h"

#define STAGING ".replay"
#define DOCUMENT_SOURCES 20000
#define WORD_SOURCES 4000

void vt_replay_request_init(struct vt_replay_request *request) {
  struct vt_train_options defaults;
  vt_train_options_init(&defaults);
  *request = (struct vt_replay_request){.threads = defaults.threads, .until = VT_STEP_LAST, .every = 1};
}

/* ---- may it be replayed ------------------------------------------------------------------------------------------ */

static enum vt_status check_run(struct vt_replaying *replaying, struct vt_error *error) {
  const struct vt_run *run = replaying->run;
  const char *path = vt_run_path(run);
  if (vt_origin_is_adapted(vt_run_meta(run, VT_ORIGIN_KEY)))
    return VT_FAIL(error, VT_ERROR_UNSUPPORTED, "%s: made by vectrail %s, whose steps cannot be replayed", path,
                   vt_run_meta(run, VT_ORIGIN_KEY));
  if (vt_run_meta(run, VT_ORIGIN_KEY) != NULL)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "vectrail compare, measure and neighbors work on it all the same",
                        "%s: vectrail did not train this run, so it cannot train it again", path);
  if (!vt_run_find_event(run, "finished", NULL) && !vt_run_find_event(run, "diverged", NULL))
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "finish it first: vectrail resume FOLDER",
                        "%s: this training was stopped and is not finished", path);
  replaying->last = VT_STEP_LAST;
  for (size_t k = 0; k < vt_run_snapshot_count(run); k++) {
    uint64_t step = vt_run_snapshot_at(run, k).step;
    if (step <= replaying->request->until) replaying->last = step;
  }
  if (replaying->last == VT_STEP_LAST)
    return VT_FAIL(error, VT_ERROR_EMPTY, "%s: no snapshot was recorded up to that step", path);
  if (replaying->request->from >= replaying->last && replaying->request->from > 0)
    return VT_FAIL(error, VT_ERROR_ARGUMENT,
                   "there is nothing to record from step %" PRIu64 " on: the replay ends with the snapshot of step "
                   "%" PRIu64,
                   replaying->request->from, replaying->last);
  return VT_OK;
}

static enum vt_status read_settings(struct vt_replaying *replaying, struct vt_error *error) {
  const struct vt_replay_request *request = replaying->request;
  struct vt_settings *settings = &replaying->settings;
  if (request->every == 0) return VT_FAIL(error, VT_ERROR_ARGUMENT, "every is 0; it must be at least 1");
  if (request->snapshots == 1 || request->snapshots > 100000)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "snapshots is %" PRIu32 "; it must be 0 or lie between 2 and 100000",
                   request->snapshots);
  VT_TRY(vt_settings_read(settings, replaying->run, request->run_path, error));
  settings->train.threads = request->threads;
  settings->train.kernel = request->kernel;
  settings->train.until_converged = false; /* it ends where the run did */
  if (request->ledger_spans > 0) settings->record.ledger_spans = request->ledger_spans;
  settings->record.ledger_sources = request->ledger_sources_set ? request->ledger_sources
                                    : request->by_document      ? DOCUMENT_SOURCES
                                                                : WORD_SOURCES;
  return vt_settings_check(settings, error);
}

static enum vt_status find_words(struct vt_replaying *replaying, struct vt_error *error) {
  const struct vt_replay_request *request = replaying->request;
  const struct vt_vocab *vocab = vt_run_vocab(replaying->run);
  VT_TRY(vt_session_find_words(vocab, request->watch, request->watch_count, "to watch", &replaying->watch,
                               &replaying->watch_count, error));
  VT_TRY(vt_session_find_words(vocab, request->ledger, request->ledger_count, "to keep a ledger of", &replaying->ledger,
                               &replaying->ledger_count, error));
  replaying->pairs = vt_alloc(2 * request->pair_count, sizeof *replaying->pairs);
  if (replaying->pairs == NULL) return VT_FAIL_MEMORY(error, 2 * request->pair_count * sizeof *replaying->pairs);
  for (size_t k = 0; k < 2 * request->pair_count; k++) {
    uint32_t *one;
    size_t count;
    VT_TRY(vt_session_find_words(vocab, request->pairs + k, 1, "of a pair", &one, &count, error));
    replaying->pairs[replaying->pair_count++] = *one;
    vt_free(one);
  }
  return VT_OK;
}

/* ---- making ready ------------------------------------------------------------------------------------------------ */

static enum vt_status make_staging(struct vt_replaying *replaying, struct vt_error *error) {
  const char *path = replaying->request->run_path;
  replaying->staging = vt_path_join(path, STAGING);
  if (replaying->staging == NULL) return VT_FAIL_MEMORY(error, strlen(path));
  vt_run_folder_abandon(replaying->staging); /* of a replay that was killed */
  if (mkdir(replaying->staging, 0777) == 0) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_IO, "copy the run to a folder that can be written to",
                      "%s: cannot make a folder in the run: %s", path, strerror(errno));
}

static enum vt_status open_counts(struct vt_replaying *replaying, struct vt_error *error) {
  const struct vt_replay_request *request = replaying->request;
  if (request->by_document)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "keep the ledger by word",
                        "the run was trained on counts, which have no documents");
  if (request->input_count > 1)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "the run was trained on one file of counts, and %zu files were given",
                   request->input_count);
  return vt_run_counts_open(replaying->run, request->input_count == 1 ? request->inputs[0] : NULL, replaying->staging,
                            &replaying->counts, error);
}

static enum vt_status open_text(struct vt_replaying *replaying, struct vt_error *error) {
  const struct vt_replay_request *request = replaying->request;
  if (vt_run_has_counts(replaying->run)) return open_counts(replaying, error);
  const struct vt_run_text_options options = {.inputs = request->inputs,
                                              .input_count = request->input_count,
                                              .threads = request->threads,
                                              .folder = replaying->staging,
                                              .lines = request->by_document,
                                              .progress = request->reading,
                                              .progress_context = request->reading_context,
                                              .interrupt = request->interrupt};
  return vt_run_text_open(replaying->run, &options, &replaying->text, error);
}

/* As the run did that went on with another one. */
static enum vt_status start_from_base(struct vt_replaying *replaying, struct vt_error *error) {
  const char *path = replaying->request->run_path;
  uint32_t *frozen;
  size_t count;
  if (replaying->settings.train.tuning.words == 0) return VT_OK;
  VT_TRY(vt_start_read(replaying->engine, path, error));
  VT_TRY(vt_session_read_words(vt_run_vocab(replaying->run), replaying->run, path, "freeze", &frozen, &count, error));
  enum vt_status status = vt_engine_started(replaying->engine, frozen, count, error);
  vt_free(frozen);
  return status;
}

static enum vt_status make_engine(struct vt_replaying *replaying, struct vt_error *error) {
  struct vt_settings *settings = &replaying->settings;
  const struct vt_vocab *vocab = vt_run_vocab(replaying->run);
  VT_TRY(vt_start_tree(&settings->train, vt_vocab_size(vocab), replaying->request->run_path, &replaying->tree, error));
  settings->train.tuning.tree = replaying->tree;
  if (replaying->counts != NULL)
    VT_TRY(vt_engine_create_counted(&settings->train, vocab, replaying->counts, &replaying->engine, error));
  else
    VT_TRY(vt_engine_create(&settings->train, vocab, replaying->text.corpus, &replaying->engine, error));
  VT_TRY(start_from_base(replaying, error));
  uint64_t steps = vt_engine_state(replaying->engine)->steps;
  if (replaying->last > steps)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: a snapshot of step %" PRIu64 ", and %" PRIu64 " steps by its settings",
                   replaying->request->run_path, replaying->last, steps);
  VT_TRY(vt_plan_init(&replaying->plan, steps, &settings->record, error));
  struct vt_record_options added = settings->record;
  added.snapshots = replaying->request->snapshots;
  return added.snapshots > 0 ? vt_plan_init(&replaying->added, steps, &added, error) : VT_OK;
}

/* ---- taking over ------------------------------------------------------------------------------------------------- */

/* The lines that the ledger speaks of, and their text, into the database of the staging folder. */
static enum vt_status keep_documents(struct vt_replaying *replaying, const char *database, struct vt_error *error) {
  if (!replaying->request->by_document || replaying->ledger_count == 0) return VT_OK;
  struct vt_store *store;
  VT_TRY(vt_store_open_writable(database, &store, error));
  enum vt_status status = vt_documents_keep(store, &replaying->text, &replaying->result.documents, error);
  vt_store_close(store);
  return status;
}

/* Snapshots are put in place before the rows that name them. */
static enum vt_status move_snapshots(struct vt_replaying *replaying, struct vt_error *error) {
  for (size_t k = 0; k < replaying->added.snapshot_count; k++) {
    char name[VT_SNAPSHOT_NAME_BYTES];
    snprintf(name, sizeof name, VT_RUN_SNAPSHOTS "/%" PRIu64 VT_SNAPSHOT_ENDING, replaying->added.snapshots[k]);
    char *from = vt_path_join(replaying->staging, name), *to = vt_path_join(replaying->request->run_path, name);
    enum vt_status status = VT_OK;
    if (from == NULL || to == NULL)
      status = VT_FAIL_MEMORY(error, sizeof name);
    else if (rename(from, to) != 0 && errno != ENOENT)
      status = VT_FAIL(error, VT_ERROR_IO, "%s: cannot put the snapshot in place: %s", to, strerror(errno));
    vt_free(from);
    vt_free(to);
    VT_TRY(status);
  }
  char *folder = vt_path_join(replaying->request->run_path, VT_RUN_SNAPSHOTS);
  if (folder == NULL) return VT_FAIL_MEMORY(error, 1);
  enum vt_status status = replaying->result.added > 0 ? vt_sync_folder(folder, error) : VT_OK;
  vt_free(folder);
  return status;
}

/* Words as lines of a key of meta, those that are there and those that are new. */
static enum vt_status extend_list(struct vt_store *store, const struct vt_run *run, const char *key,
                                  const uint32_t *words, size_t count, size_t in_a_line, struct vt_error *error) {
  if (count == 0) return VT_OK;
  const struct vt_vocab *vocab = vt_run_vocab(run);
  char *text = NULL;
  size_t bytes;
  FILE *stream = open_memstream(&text, &bytes);
  if (stream == NULL) return VT_FAIL_MEMORY(error, count);
  const char *there = vt_run_meta(run, key);
  fputs(there == NULL ? "" : there, stream);
  for (size_t k = 0; k < count; k += in_a_line) {
    char line[2 * VT_WORD_BYTES_MAX + 4];
    snprintf(line, sizeof line, "%s%s%s", vt_vocab_text(vocab, words[k]), in_a_line == 2 ? "\t" : "",
             in_a_line == 2 ? vt_vocab_text(vocab, words[k + 1]) : "");
    bool known = false;
    for (const char *at = there; at != NULL && *at != '\0' && !known;) {
      size_t length = strcspn(at, "\n");
      known = length == strlen(line) && strncmp(at, line, length) == 0;
      at += length + (at[length] == '\n');
    }
    if (!known) fprintf(stream, "%s%s", ftell(stream) > 0 ? "\n" : "", line);
  }
  /* Where memory runs out only while the stream is closed, that says nothing of it: there is no text. */
  const bool failed = ferror(stream) != 0;
  enum vt_status status = fclose(stream) == 0 && !failed && text != NULL ? VT_OK : VT_FAIL_MEMORY(error, bytes);
  if (status == VT_OK) {
    const struct vt_store_value values[] = {vt_store_text(key), vt_store_text(text)};
    status = vt_store_insert(store, VT_STORE_META, values, error);
  }
  free(text);
  return status;
}

static enum vt_status note_event(const struct vt_replaying *replaying, struct vt_store *store, struct vt_error *error) {
  char text[256];
  snprintf(text, sizeof text,
           "replayed %" PRIu64 " steps, %zu snapshots agree bit by bit; recorded: %zu words, %zu pairs, ledger of %zu "
           "words%s, %zu snapshots",
           replaying->result.steps, replaying->result.snapshots, replaying->watch_count, replaying->pair_count / 2,
           replaying->ledger_count, replaying->request->by_document ? " by document" : "", replaying->result.added);
  const struct vt_store_value values[] = {vt_store_integer(replaying->last), vt_store_text("replayed"),
                                          vt_store_text("info"), vt_store_text(text)};
  return vt_store_insert(store, VT_STORE_EVENT, values, error);
}

static enum vt_status take_rows(struct vt_replaying *replaying, struct vt_store *store, struct vt_error *error) {
  const struct vt_run *run = replaying->run;
  VT_TRY(vt_store_begin(store, error));
  VT_TRY(vt_store_take_attached(store, error));
  VT_TRY(extend_list(store, run, "watch", replaying->watch, replaying->watch_count, 1, error));
  VT_TRY(extend_list(store, run, "pairs", replaying->pairs, replaying->pair_count, 2, error));
  VT_TRY(extend_list(store, run, "ledger", replaying->ledger, replaying->ledger_count, 1, error));
  VT_TRY(note_event(replaying, store, error));
  return vt_store_commit(store, error);
}

static enum vt_status take_over(struct vt_replaying *replaying, struct vt_error *error) {
  char *from = vt_path_join(replaying->staging, VT_RUN_DATABASE),
       *to = vt_path_join(replaying->request->run_path, VT_RUN_DATABASE);
  struct vt_store *store = NULL;
  enum vt_status status = VT_OK;
  if (from == NULL || to == NULL) status = VT_FAIL_MEMORY(error, strlen(replaying->request->run_path));
  if (status == VT_OK) status = keep_documents(replaying, from, error);
  if (status == VT_OK) status = move_snapshots(replaying, error);
  if (status == VT_OK) status = vt_store_open_writable(to, &store, error);
  if (status == VT_OK) status = vt_store_attach(store, from, error);
  if (status == VT_OK) status = take_rows(replaying, store, error);
  /* A second connection would keep the database from being closed for good. */
  vt_run_close(replaying->run);
  replaying->run = NULL;
  vt_store_close(store);
  vt_free(from);
  vt_free(to);
  return status;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static bool records(const struct vt_replaying *replaying) {
  return replaying->watch_count + replaying->pair_count + replaying->ledger_count > 0 ||
         replaying->request->snapshots > 0;
}

static enum vt_status train(struct vt_replaying *replaying, struct vt_error *error) {
  struct vt_observer observer = {.boundary = vt_replay_boundary, .context = replaying};
  replaying->started = vt_clock_seconds();
  enum vt_status status = vt_engine_run(replaying->engine, &observer, 1, error);
  replaying->result.kernel = vt_engine_kernel_name(replaying->engine);
  return status == VT_ERROR_INTERRUPTED && replaying->ended ? VT_OK : status;
}

static enum vt_status replay(struct vt_replaying *replaying, struct vt_error *error) {
  VT_TRY(vt_run_open(replaying->request->run_path, &replaying->run, error));
  VT_TRY(check_run(replaying, error));
  VT_TRY(read_settings(replaying, error));
  VT_TRY(find_words(replaying, error));
  VT_TRY(make_staging(replaying, error));
  VT_TRY(open_text(replaying, error));
  VT_TRY(make_engine(replaying, error));
  if (records(replaying))
    VT_TRY(vt_recorder_create(replaying->staging, vt_run_vocab(replaying->run), &replaying->recorder, error));
  VT_TRY(train(replaying, error));
  if (replaying->recorder == NULL) return VT_OK;
  VT_TRY(vt_recorder_close(&replaying->recorder, error));
  return take_over(replaying, error);
}

static void release(struct vt_replaying *replaying) {
  vt_recorder_free(replaying->recorder);
  vt_engine_free(replaying->engine);
  vt_plan_release(&replaying->plan);
  vt_plan_release(&replaying->added);
  vt_run_text_release(&replaying->text);
  vt_cooccur_free(replaying->counts);
  vt_run_close(replaying->run);
  if (replaying->staging != NULL) vt_run_folder_abandon(replaying->staging);
  vt_free(replaying->staging);
  vt_free(replaying->watch);
  vt_free(replaying->pairs);
  vt_free(replaying->ledger);
  vt_free(replaying->tree);
}

/* That there is no run is told by opening it; the lock would make a file. */
static enum vt_status check_place(const char *path, struct vt_error *error) {
  struct vt_run *run;
  VT_TRY(vt_run_open(path, &run, error));
  vt_run_close(run);
  return VT_OK;
}

enum vt_status vt_replay(const struct vt_replay_request *request, struct vt_replay_result *result,
                         struct vt_error *error) {
  struct vt_error own;
  if (error == NULL) error = &own;
  int lock;
  VT_TRY(check_place(request->run_path, error));
  VT_TRY(vt_run_lock_take(request->run_path, &lock, error));
  struct vt_replaying replaying = {.request = request};
  enum vt_status status = replay(&replaying, error);
  if (result != NULL) *result = replaying.result;
  release(&replaying);
  vt_run_lock_release(lock, request->run_path);
  return status;
}
