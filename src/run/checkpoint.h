/*
 * checkpoint.h: all that a training would have carried on with, at a superstep boundary, as a file.
 *
 * A checkpoint is taken before anything is recorded about its step; who goes on from it deletes what was recorded from
 * that step on and records it anew. Format: safetensors, described in docs/run-format.md.
 */
#ifndef VECTRAIL_RUN_CHECKPOINT_H
#define VECTRAIL_RUN_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "run/convergence.h"
#include "train/engine.h"
#include "train/settle.h"

#define VT_RUN_CHECKPOINT "checkpoint.safetensors"

/* Arrays are borrowed, unless the struct comes from vt_checkpoint_copy. */
struct vt_checkpoint {
  /* Whose: a checkpoint is read only into the run it was written by. */
  uint64_t seed;
  uint64_t corpus_fingerprint;

  struct vt_engine_state engine;
  struct vt_engine_part parts[VT_ENGINE_PARTS_MAX];
  size_t part_count;
  /* Of struct vt_motion: marked[mark_rows x mark_dim]. */
  float *marked;
  uint32_t mark_rows;
  uint32_t mark_dim;
  uint64_t mark_step;
  /* Of struct vt_settle: marked[settle_rows x mark_dim], lists[settle_queries x VT_SETTLE_NEIGHBORS]. */
  float *settle_marked;
  uint32_t settle_rows;
  uint32_t *settle_lists;
  uint32_t settle_queries;
  /* In order. Reading: room for measurement_capacity. */
  struct vt_measurement *measurements;
  uint64_t measurement_count;
  size_t measurement_capacity;
  /* Summed since the last row of metrics, this step included. */
  double loss_sum;
  uint64_t loss_pairs;
  uint64_t rows_moved;
  uint64_t rows_capped;
  /* The last values told. */
  double loss;
  double probe_loss;
  double probe_gradient;
  double moving;
  double seconds; /* spent training, in all sittings */
  /* NULL: no ledger is kept. Reading: words and dim are expected; the arrays are made, and the caller's to release. */
  struct vt_ledger_packed *ledger;
};

/* Bytes of the engine's parts, which is what copying and writing cost. */
size_t vt_checkpoint_bytes(const struct vt_checkpoint *checkpoint);
/* One that owns its arrays. Free with vt_checkpoint_free (accepts NULL). */
enum vt_status vt_checkpoint_copy(const struct vt_checkpoint *checkpoint, struct vt_checkpoint **copy,
                                  struct vt_error *error);
void vt_checkpoint_free(struct vt_checkpoint *copy);

/* Puts the file in place of an earlier one, whole or not at all. */
enum vt_status vt_checkpoint_write(const struct vt_checkpoint *checkpoint, const char *path, struct vt_error *error);
/* Fills in a checkpoint whose first part is set and whose arrays have the room that is expected.
 * VT_ERROR_NOT_FOUND; VT_ERROR_CORRUPT: damaged, cut off, or of another run. What was filled in by then is useless. */
enum vt_status vt_checkpoint_read(struct vt_checkpoint *checkpoint, const char *path, struct vt_error *error);

#endif
