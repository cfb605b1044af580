/*
 * record_writer.c: transactions, and the order in which files and rows are put in place.
 */
#define _POSIX_C_SOURCE 200809L

#include "run/record_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "run/folder.h"
#include "vectrail/ledger.h"

#define COMMIT_SECONDS 1.0

/* ---- making and opening ------------------------------------------------------------------------------------------ */

static enum vt_status write_words(struct vt_store *store, const struct vt_vocab *vocab, struct vt_error *error) {
  VT_TRY(vt_store_begin(store, error));
  for (uint32_t id = 0; id < vt_vocab_size(vocab); id++) {
    const struct vt_store_value values[] = {vt_store_integer(id), vt_store_text(vt_vocab_text(vocab, id)),
                                            vt_store_integer(vt_vocab_count(vocab, id))};
    VT_TRY(vt_store_insert(store, VT_STORE_WORD, values, error));
  }
  return vt_store_commit(store, error);
}

static enum vt_status take_path(struct vt_record_writer *writer, const char *path, struct vt_error *error) {
  writer->path = vt_copy_string(path);
  return writer->path == NULL ? VT_FAIL_MEMORY(error, strlen(path)) : VT_OK;
}

enum vt_status vt_record_writer_create(struct vt_record_writer *writer, const char *path, const struct vt_vocab *vocab,
                                       struct vt_error *error) {
  VT_TRY(take_path(writer, path, error));
  char *database = vt_path_join(writer->path, VT_RUN_DATABASE);
  char *snapshots = vt_path_join(writer->path, VT_RUN_SNAPSHOTS);
  enum vt_status status = VT_OK;
  if (database == NULL || snapshots == NULL)
    status = VT_FAIL_MEMORY(error, strlen(writer->path));
  else if (mkdir(snapshots, 0777) != 0)
    status = VT_FAIL(error, VT_ERROR_IO, "%s: cannot make the folder: %s", snapshots, strerror(errno));
  else
    status = vt_store_create(database, &writer->store, error);
  vt_free(database);
  vt_free(snapshots);
  VT_TRY(status);
  return write_words(writer->store, vocab, error);
}

enum vt_status vt_record_writer_open(struct vt_record_writer *writer, const char *path, uint64_t step,
                                     enum vt_store_events events, struct vt_error *error) {
  VT_TRY(take_path(writer, path, error));
  char *database = vt_path_join(writer->path, VT_RUN_DATABASE);
  if (database == NULL) return VT_FAIL_MEMORY(error, strlen(writer->path));
  enum vt_status status = vt_store_open_writable(database, &writer->store, error);
  vt_free(database);
  VT_TRY(status);
  VT_TRY(vt_store_begin(writer->store, error));
  VT_TRY(vt_store_cut(writer->store, step, events, error));
  VT_TRY(vt_store_commit(writer->store, error));
  /* Files after the rows that name them. */
  return vt_run_folder_cut(writer->path, step, error);
}

void vt_record_writer_release(struct vt_record_writer *writer) {
  vt_store_close(writer->store);
  vt_free(writer->path);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static enum vt_status begin(struct vt_record_writer *writer, struct vt_error *error) {
  if (writer->in_transaction) return VT_OK;
  VT_TRY(vt_store_begin(writer->store, error));
  writer->in_transaction = true;
  writer->transaction_began = vt_clock_seconds();
  return VT_OK;
}

enum vt_status vt_record_commit(struct vt_record_writer *writer, struct vt_error *error) {
  if (!writer->in_transaction) return VT_OK;
  writer->in_transaction = false;
  return vt_store_commit(writer->store, error);
}

static enum vt_status write_snapshot(struct vt_record_writer *writer, const struct vt_snapshot *snapshot,
                                     struct vt_error *error) {
  char name[VT_SNAPSHOT_NAME_BYTES], sha256[VT_SHA256_TEXT_BYTES];
  VT_TRY(vt_snapshot_write(snapshot, writer->path, name, sha256, error));
  VT_TRY(begin(writer, error));
  const struct vt_store_value values[] = {vt_store_integer(snapshot->step), vt_store_text(name),
                                          vt_store_text(vt_dtype_name(snapshot->dtype)), vt_store_text(sha256)};
  VT_TRY(vt_store_insert(writer->store, VT_STORE_SNAPSHOT, values, error));
  return vt_record_commit(writer, error);
}

/* The text was put in place without waiting for the disk. */
static enum vt_status sync_corpus(const struct vt_record_writer *writer, struct vt_error *error) {
  char *path = vt_path_join(writer->path, VT_RUN_CORPUS);
  if (path == NULL) return VT_FAIL_MEMORY(error, strlen(writer->path));
  struct vt_error reason;
  enum vt_status status = vt_sync_file(path, &reason);
  vt_free(path);
  if (status == VT_OK || status == VT_ERROR_NOT_FOUND) return VT_OK;
  *error = reason;
  return status;
}

/* Who goes on from it relies on all rows before it: they are committed, and synced, first; and on the text. */
static enum vt_status write_checkpoint(struct vt_record_writer *writer, const struct vt_record *record,
                                       struct vt_error *error) {
  VT_TRY(vt_record_commit(writer, error));
  char *path = vt_path_join(writer->path, VT_RUN_CHECKPOINT);
  if (path == NULL) return VT_FAIL_MEMORY(error, strlen(writer->path));
  struct vt_error reason = {.status = VT_OK};
  enum vt_status status = sync_corpus(writer, &reason);
  if (status == VT_OK) status = vt_checkpoint_write(record->checkpoint, path, &reason);
  vt_free(path);
  writer->checkpoint_failure = reason;
  if (status == VT_OK || record->copy == NULL) return VT_OK;
  VT_TRY(begin(writer, error));
  const struct vt_store_value values[] = {vt_store_integer(record->checkpoint->engine.step),
                                          vt_store_text("checkpoint"), vt_store_text("warning"),
                                          vt_store_text(reason.message)};
  return vt_store_insert(writer->store, VT_STORE_EVENT, values, error);
}

/* A row of a span, by role and then source: what reads and writes in that order goes through memory and file in one
 * piece. */
struct placed {
  uint64_t place;
  size_t entry;
};

static int compare_places(const void *a, const void *b) {
  uint64_t x = ((const struct placed *)a)->place, y = ((const struct placed *)b)->place;
  return (x > y) - (x < y);
}

static enum vt_status write_ledger(struct vt_record_writer *writer, const struct vt_record *record,
                                   struct vt_error *error) {
  const struct vt_ledger_span *span = &record->ledger;
  struct placed *order = vt_alloc(span->count, sizeof *order);
  if (order == NULL) return VT_FAIL_MEMORY(error, span->count * sizeof *order);
  for (size_t e = 0; e < span->count; e++) {
    const uint64_t role = vt_ledger_role_of(span->keys[e]), source = vt_ledger_source_of(span->keys[e]);
    order[e] = (struct placed){role << (64 - VT_LEDGER_ROLE_BITS) | source, e};
  }
  qsort(order, span->count, sizeof *order, compare_places);
  enum vt_status status = VT_OK;
  for (size_t at = 0; at < span->count && status == VT_OK; at++) {
    const size_t e = order[at].entry;
    const enum vt_ledger_role role = vt_ledger_role_of(span->keys[e]);
    const uint64_t source = vt_ledger_source_of(span->keys[e]);
    const struct vt_store_value values[] = {
        vt_store_integer(span->word),
        vt_store_integer(source == VT_LEDGER_OTHERS ? (uint64_t)VT_LEDGER_OTHER_SOURCES : source),
        vt_store_text(vt_ledger_role_name(role)),
        vt_store_integer(record->ledger_step),
        vt_store_integer(span->updates[e]),
        vt_store_blob(span->vectors + e * span->stride, span->dim * sizeof *span->vectors)};
    status = vt_store_insert(writer->store, VT_STORE_LEDGER, values, error);
  }
  vt_free(order);
  return status;
}

enum vt_status vt_record_write(struct vt_record_writer *writer, const struct vt_record *record,
                               struct vt_error *error) {
  if (record->snapshot != NULL) return write_snapshot(writer, record->snapshot, error);
  if (record->checkpoint != NULL) return write_checkpoint(writer, record, error);
  VT_TRY(begin(writer, error));
  if (record->ledger.count > 0)
    VT_TRY(write_ledger(writer, record, error));
  else
    VT_TRY(vt_store_insert(writer->store, record->table, record->values, error));
  if (vt_clock_seconds() - writer->transaction_began > COMMIT_SECONDS) return vt_record_commit(writer, error);
  return VT_OK;
}
