/*
 * record_writer.h: rows, snapshots and checkpoints of a run, put on the disk one after the other.
 *
 * A transaction is open from the first row until it is committed: a second later with the next row, with a snapshot, or
 * when asked to. A snapshot's row is inserted after its file is synced and renamed, so a reader never finds a row
 * without its file. A checkpoint is put in place after everything before it is committed. One thread.
 */
#ifndef VECTRAIL_RUN_RECORD_WRITER_H
#define VECTRAIL_RUN_RECORD_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "run/checkpoint.h"
#include "run/snapshot.h"
#include "run/store.h"
#include "train/ledger.h"
#include "vectrail/vocab.h"

#define VT_RECORD_VALUES_MAX 6

/* A snapshot, a checkpoint, rows of the ledger or another row. */
struct vt_record {
  struct vt_snapshot *snapshot;           /* or NULL */
  const struct vt_checkpoint *checkpoint; /* or NULL */
  struct vt_checkpoint *copy;             /* what of it is the record's to free; then failing is a warning */
  struct vt_ledger_span ledger;           /* some rows at once; count 0: none */
  uint64_t ledger_step;
  enum vt_store_table table;
  struct vt_store_value values[VT_RECORD_VALUES_MAX];
};

struct vt_record_writer {
  char *path; /* of the run; a copy */
  struct vt_store *store;
  bool in_transaction;
  double transaction_began;
  struct vt_error checkpoint_failure; /* of the last one; its status is VT_OK where it was written */
};

/* Of a zeroed writer, on error also to be released. Makes run.db and snapshots/ in a folder that exists,
 * and writes all words. */
enum vt_status vt_record_writer_create(struct vt_record_writer *writer, const char *path, const struct vt_vocab *vocab,
                                       struct vt_error *error);
/* Likewise, of a run that is there: removes what was recorded from `step` on. */
enum vt_status vt_record_writer_open(struct vt_record_writer *writer, const char *path, uint64_t step,
                                     enum vt_store_events events, struct vt_error *error);
void vt_record_writer_release(struct vt_record_writer *writer);

enum vt_status vt_record_write(struct vt_record_writer *writer, const struct vt_record *record, struct vt_error *error);
enum vt_status vt_record_commit(struct vt_record_writer *writer, struct vt_error *error);

#endif
