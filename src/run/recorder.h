/*
 * recorder.h: writes a run while it is trained, without holding it up.
 *
 * The calls append to a queue in memory; one background thread owns the database and the snapshot files, and commits
 * once a second and after every snapshot. The queue is bounded: at most two snapshots and some ten thousand rows
 * wait, then the caller waits too. What went wrong in the background is returned by the next call and by every call
 * after it. Used by one thread.
 */
#ifndef VECTRAIL_RUN_RECORDER_H
#define VECTRAIL_RUN_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "run/checkpoint.h"
#include "run/snapshot.h"
#include "train/ledger.h"
#include "vectrail/vocab.h"

struct vt_recorder;

/* Makes run.db and snapshots/ in a folder that exists, and writes all words. End with vt_recorder_close, or give up
 * with vt_recorder_free. */
enum vt_status vt_recorder_create(const char *run_path, const struct vt_vocab *vocab, struct vt_recorder **recorder,
                                  struct vt_error *error);

/* Opens the record of a run to go on with at `step`: what was recorded at that step or after it is removed, with the
 * files of those snapshots and what a killed process left half-written. */
enum vt_status vt_recorder_open(const char *run_path, uint64_t step, struct vt_recorder **recorder,
                                struct vt_error *error);

/* Removes from the record of a run that nobody writes what was added to it from `step` on: rows, events and files.
 * Errors: of the database and of the files; then all of it may be there still, or the files alone, which no row lists.
 */
enum vt_status vt_recorder_take_back(const char *run_path, uint64_t step, struct vt_error *error);

/* Texts are copied. A value of NaN is recorded as NULL. */
enum vt_status vt_recorder_meta(struct vt_recorder *recorder, const char *key, const char *value,
                                struct vt_error *error);
enum vt_status vt_recorder_step(struct vt_recorder *recorder, uint64_t step, uint32_t epoch, uint64_t tokens,
                                double seconds, double lr, struct vt_error *error);
enum vt_status vt_recorder_metric(struct vt_recorder *recorder, uint64_t step, const char *name, double value,
                                  struct vt_error *error);
enum vt_status vt_recorder_event(struct vt_recorder *recorder, uint64_t step, const char *kind, const char *severity,
                                 const char *text, struct vt_error *error);
enum vt_status vt_recorder_pair(struct vt_recorder *recorder, uint32_t a, uint32_t b, uint64_t step, double cosine,
                                struct vt_error *error);
/* vector[dim] is copied. */
enum vt_status vt_recorder_trail(struct vt_recorder *recorder, uint32_t word, uint64_t step, const float *vector,
                                 size_t dim, struct vt_error *error);
/* What a span of the ledger that ends at a step has of a word; it is copied. */
enum vt_status vt_recorder_ledger(struct vt_recorder *recorder, uint64_t step, const struct vt_ledger_span *span,
                                  struct vt_error *error);

/* Converted into memory of the recorder's own before the call returns; the file and its row in `snapshot` follow. */
enum vt_status vt_recorder_snapshot(struct vt_recorder *recorder, uint64_t step, bool float32,
                                    const struct vt_snapshot_source *source, struct vt_error *error);

/* Puts a checkpoint in place, once all that was appended before it is committed. `wait`: it is borrowed, and the call
 * returns when it is in place, or why it is not. Otherwise it is copied, and where it cannot be written an event says
 * so and the recording goes on: the checkpoint before it is still there. */
enum vt_status vt_recorder_checkpoint(struct vt_recorder *recorder, const struct vt_checkpoint *checkpoint, bool wait,
                                      struct vt_error *error);
/* Whether one is still being written: then the next one should be left for later. */
bool vt_recorder_has_checkpoint(struct vt_recorder *recorder);

/* Waits until all so far is written, synced, and visible to readers. */
enum vt_status vt_recorder_flush(struct vt_recorder *recorder, struct vt_error *error);
/* Flushes and closes; *recorder is NULL afterwards, whatever the status. */
enum vt_status vt_recorder_close(struct vt_recorder **recorder, struct vt_error *error);
/* Stops without waiting for what is queued. Accepts NULL. */
void vt_recorder_free(struct vt_recorder *recorder);

#endif
