/*
 * team.c: rank 0 and the others.
 *
 * The encoded corpus is not sent: all ranks map the file in rank 0's run folder, and each reads the pages of its own
 * blocks. Where a machine does not see that folder, the training is refused.
 */
#define _POSIX_C_SOURCE 200809L

#include "run/team.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "dist/ranks.h"
#include "run/folder.h"
#include "base/rng.h"
#include "text/hash.h"
#include "text/vocab_internal.h"
#include "vectrail/version.h"

enum vt_status vt_team_agree(struct vt_session *session, enum vt_status status, struct vt_error *error) {
  return vt_ranks_agree(session->ranks, status, error);
}

/* ---- the same request -------------------------------------------------------------------------------------------- */

#define EDGE_BYTES ((size_t)64 << 10)

/* A text that grows; failed: out of memory. */
struct description {
  char *text;
  size_t bytes;
  size_t capacity;
  bool failed;
};

static void describe(struct description *description, const char *format, ...) VT_PRINTF(2, 3);

static void describe(struct description *description, const char *format, ...) {
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  size_t needed = description->bytes + (size_t)(length < 0 ? 0 : length) + 1;
  if (!description->failed && needed > description->capacity) {
    char *text = vt_realloc(description->text, 2 * needed, 1);
    if (text != NULL) description->text = text, description->capacity = 2 * needed;
    description->failed = text == NULL;
  }
  if (!description->failed && length >= 0) {
    vsnprintf(description->text + description->bytes, description->capacity - description->bytes, format, again);
    description->bytes += (size_t)length;
  }
  va_end(again);
}

/* The first and the last bytes of a file: enough to tell two texts of the same length apart, nearly always. */
static uint64_t hash_edges(int descriptor, uint64_t bytes) {
  unsigned char *edge = vt_alloc_zero(EDGE_BYTES, 1);
  if (edge == NULL) return 0;
  ssize_t got = pread(descriptor, edge, EDGE_BYTES, 0);
  uint64_t hash = got > 0 ? vt_hash_bytes(edge, (size_t)got) : 0;
  got = pread(descriptor, edge, EDGE_BYTES, bytes > EDGE_BYTES ? (off_t)(bytes - EDGE_BYTES) : 0);
  if (got > 0) hash = vt_mix64(hash) ^ vt_hash_bytes(edge, (size_t)got);
  vt_free(edge);
  return hash;
}

static enum vt_status describe_input(struct description *description, size_t number, const char *path,
                                     struct vt_error *error) {
  if (strcmp(path, "-") == 0) {
    describe(description, "input %zu\t-\n", number);
    return VT_OK;
  }
  int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat info;
  if (descriptor < 0 || fstat(descriptor, &info) != 0) {
    int reason = errno;
    if (descriptor >= 0) (void)close(descriptor);
    return VT_FAIL_HELP(error, VT_ERROR_IO, "all ranks need the inputs under the same path", "%s: cannot open: %s",
                        path, strerror(reason));
  }
  uint64_t bytes = S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0;
  uint64_t hash = S_ISREG(info.st_mode) ? hash_edges(descriptor, bytes) : 0;
  (void)close(descriptor);
  describe(description, "input %zu\t%s, %" PRIu64 " bytes, fingerprint %016" PRIx64 "\n", number, path, bytes, hash);
  return VT_OK;
}

/* One line a setting: its name, a tab, its value. */
static enum vt_status describe_request(struct description *description, const struct vt_session *session,
                                       const struct vt_train_request *request, struct vt_error *error) {
  describe(description, "version\t%s\n", vt_version());
  describe(description, "run\t%s\n", session->run_path);
  describe(description, "tables\t%s\n", session->settings.train.deal_tables ? "dealt" : "whole");
  if (request == NULL) return VT_OK;
  const struct vt_corpus_options *corpus = &request->corpus;
  describe(description, "tokens\t%d\nfold-case\t%d\nmin-count\t%" PRIu64 "\nmax-vocab\t%" PRIu32 "\n",
           (int)corpus->tokens, corpus->fold_case, corpus->min_count, corpus->max_vocab);
  describe(description, "phrases\t%" PRIu32 "\nphrase-threshold\t%.17g\n", corpus->phrases, corpus->phrase_threshold);
  for (size_t k = 0; k < vt_settings_count(); k++) {
    char text[VT_SETTINGS_TEXT_BYTES];
    vt_settings_text(&session->settings, k, text);
    describe(description, "%s\t%s\n", vt_settings_name(k), text);
  }
  for (size_t k = 0; k < request->input_count; k++)
    VT_TRY(describe_input(description, k + 1, request->inputs[k], error));
  return VT_OK;
}

/* Finds the first line of `mine` that differs from zero's. */
static enum vt_status compare(const char *mine, const char *zero, int rank, struct vt_error *error) {
  while (*mine != '\0' || *zero != '\0') {
    int bytes = (int)strcspn(mine, "\n"), zero_bytes = (int)strcspn(zero, "\n");
    if (bytes != zero_bytes || memcmp(mine, zero, (size_t)bytes) != 0) {
      int name = (int)strcspn(zero, "\t\n"), mine_name = (int)strcspn(mine, "\t\n");
      if (name == mine_name && memcmp(mine, zero, (size_t)name) == 0 && name < bytes && name < zero_bytes)
        return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "start all ranks with the same command, inputs and version",
                            "%.*s is %.*s here, and %.*s on rank 0", name, mine, bytes - name - 1, mine + name + 1,
                            zero_bytes - name - 1, zero + name + 1);
      return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "start all ranks with the same command, inputs and version",
                          "rank %d was asked for \"%.*s\", and rank 0 for \"%.*s\"", rank, bytes, mine, zero_bytes,
                          zero);
    }
    mine += bytes + (mine[bytes] == '\n');
    zero += zero_bytes + (zero[zero_bytes] == '\n');
  }
  return VT_OK;
}

enum vt_status vt_team_same(struct vt_session *session, const struct vt_train_request *request, enum vt_status status,
                            struct vt_error *error) {
  if (vt_ranks_size(session->ranks) == 1) return status;
  struct description description = {0};
  struct vt_box zero = {0};
  if (status == VT_OK) status = describe_request(&description, session, request, error);
  if (status == VT_OK && description.failed) status = VT_FAIL_MEMORY(error, description.capacity);
  if (status == VT_OK || description.bytes == 0) describe(&description, "%s", "");
  struct vt_error network;
  const char *mine = description.text == NULL ? "" : description.text;
  enum vt_status told =
      vt_ranks_broadcast_box(session->ranks, mine, description.bytes + (description.text != NULL), &zero, &network);
  if (told != VT_OK) {
    *error = network;
    status = told;
  } else if (status == VT_OK && vt_team_follows(session) && zero.bytes > 1 && zero.data[zero.bytes - 1] == '\0') {
    status = compare(mine, (const char *)zero.data, vt_ranks_rank(session->ranks), error);
  }
  vt_box_release(&zero);
  vt_free(description.text);
  return vt_team_agree(session, status, error);
}

/* ---- what rank 0 has --------------------------------------------------------------------------------------------- */

/* What the others are told; then the vocabulary: counts[words], and the words, each with its terminator. */
struct shared {
  struct vt_train_options train;
  struct vt_corpus_report report;
  uint64_t fingerprint;
  uint64_t words;
  uint64_t texts_bytes;
  bool finished;
  char corpus[1024]; /* path */
};

static enum vt_status fill_shared(const struct vt_session *session, const char *folder, bool finished,
                                  struct shared *shared, struct vt_error *error) {
  *shared = (struct shared){.train = session->settings.train, .report = session->report, .finished = finished};
  if (finished) return VT_OK;
  shared->fingerprint = vt_corpus_fingerprint(session->corpus);
  shared->words = vt_vocab_size(session->vocab);
  shared->texts_bytes = session->vocab->offsets[shared->words];
  int length = snprintf(shared->corpus, sizeof shared->corpus, "%s/%s", folder, VT_RUN_CORPUS);
  if (length < 0 || (size_t)length >= sizeof shared->corpus)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "%s: the path is too long to be told to other ranks", folder);
  return VT_OK;
}

static enum vt_status send_vocab(struct vt_session *session, const struct shared *shared, struct vt_error *error) {
  VT_TRY(vt_ranks_broadcast(session->ranks, session->vocab->counts, shared->words * sizeof(uint64_t), error));
  return vt_ranks_broadcast(session->ranks, session->vocab->texts, shared->texts_bytes, error);
}

static enum vt_status build_vocab(struct vt_session *session, const struct shared *shared, const uint64_t *counts,
                                  const char *texts, struct vt_error *error) {
  struct vt_vocab_entry *entries = vt_alloc(shared->words, sizeof *entries);
  if (entries == NULL) return VT_FAIL_MEMORY(error, shared->words * sizeof *entries);
  size_t at = 0;
  for (size_t k = 0; k < shared->words && at < shared->texts_bytes; k++) {
    entries[k] = (struct vt_vocab_entry){texts + at, strlen(texts + at), counts[k], 0};
    at += entries[k].bytes + 1;
  }
  enum vt_status status = vt_vocab_build(entries, shared->words, &session->vocab, NULL, error);
  vt_free(entries);
  return status;
}

/* Both messages are taken whatever comes of them, or the ranks would get out of step. */
static enum vt_status receive_vocab(struct vt_session *session, const struct shared *shared, struct vt_error *error) {
  struct vt_box counts = {0}, texts = {0};
  enum vt_status status = vt_ranks_broadcast_box(session->ranks, NULL, 0, &counts, error);
  if (status == VT_OK) status = vt_ranks_broadcast_box(session->ranks, NULL, 0, &texts, error);
  if (status == VT_OK && (counts.bytes != shared->words * sizeof(uint64_t) || texts.bytes != shared->texts_bytes ||
                          texts.bytes == 0 || texts.data[texts.bytes - 1] != '\0'))
    status = VT_FAIL(error, VT_ERROR_CORRUPT, "what rank 0 sent is no vocabulary");
  if (status == VT_OK)
    status = build_vocab(session, shared, (const uint64_t *)(const void *)counts.data, (const char *)texts.data, error);
  vt_box_release(&counts);
  vt_box_release(&texts);
  return status;
}

static enum vt_status open_shared(struct vt_session *session, const struct shared *shared, struct vt_error *error) {
  static const char help[] = "put the run folder where all machines see it under the same path";
  struct vt_error reason;
  if (vt_corpus_open(shared->corpus, &session->corpus, &reason) != VT_OK)
    return VT_FAIL_HELP(error, reason.status, help, "the encoded text of rank 0 cannot be read here: %s",
                        reason.message);
  if (vt_corpus_fingerprint(session->corpus) != shared->fingerprint)
    return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, help, "%s: another text than that of rank 0", shared->corpus);
  return VT_OK;
}

static enum vt_status take_shared(struct vt_session *session, const struct shared *shared, struct vt_error *error) {
  struct vt_train_options mine = session->settings.train;
  session->settings.train = shared->train;
  session->settings.train.kernel = mine.kernel; /* what this machine has */
  session->settings.train.threads = mine.threads;
  session->settings.train.ranks = mine.ranks;
  session->settings.train.deal_tables = mine.deal_tables;
  session->report = shared->report;
  if (shared->finished) return VT_OK;
  VT_TRY(receive_vocab(session, shared, error));
  return open_shared(session, shared, error);
}

enum vt_status vt_team_share(struct vt_session *session, const char *folder, bool *finished, enum vt_status status,
                             struct vt_error *error) {
  if (vt_ranks_size(session->ranks) == 1) return status;
  struct shared shared = {0};
  bool follows = vt_team_follows(session);
  if (status == VT_OK && !follows) status = fill_shared(session, folder, *finished, &shared, error);
  VT_TRY(vt_team_agree(session, status, error));
  VT_TRY(vt_ranks_broadcast(session->ranks, &shared, sizeof shared, error));
  *finished = shared.finished;
  if (follows)
    status = take_shared(session, &shared, error);
  else if (!shared.finished)
    status = send_vocab(session, &shared, error);
  return vt_team_agree(session, status, error);
}

/* What rank 0 has read, or all have. */
static enum vt_status follow_reading(struct vt_session *session, const struct vt_train_request *request, bool *finished,
                                     struct vt_error *error) {
  bool together = false;
  enum vt_status status = VT_OK;
  if (request != NULL) VT_TRY(vt_team_plan_reading(session, request, &together, VT_OK, error));
  if (together) status = vt_team_help_reading(session, request, error);
  return vt_team_share(session, NULL, finished, status, error);
}

enum vt_status vt_team_follow(struct vt_session *session, const struct vt_train_request *request,
                              struct vt_error *error) {
  bool finished = false;
  VT_TRY(follow_reading(session, request, &finished, error));
  if (finished) return vt_team_agree(session, VT_OK, error);
  VT_TRY(vt_team_agree(session, VT_OK, error));
  enum vt_status status =
      vt_engine_create(&session->settings.train, session->vocab, session->corpus, &session->engine, error);
  VT_TRY(vt_team_agree(session, status, error));
  VT_TRY(vt_engine_spread(session->engine, error));
  VT_TRY(vt_team_agree(session, VT_OK, error));
  status = vt_engine_follow(session->engine, error);
  return vt_team_agree(session, status, error);
}
