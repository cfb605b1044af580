/*
 * replicas.h: for slow networks, training that is brought together now and then instead of at every superstep.
 *
 * A round gives each of N replicas of the tables K supersteps of the text of its own, one replica's behind the other's;
 * each starts from the same tables and merges its supersteps as usual. Then the replicas are joined by the rule that
 * joins blocks (merge.h): a row takes the sum of what the replicas did to it, in their order, its length capped,
 *
 *   row = start + cap(sum over replicas of (theirs - start))
 *
 * This is local SGD (Stich 2019) with a sum in place of its mean: means halve the way of every word that two replicas
 * meet, and cost far more accuracy (docs/scaling.md). A round is one step of the run.
 *
 * The number of replicas is a setting of the run: ranks share them out, and any number of ranks gives the same bits.
 * They are not those of exact training. A rank trains its replicas one after the other, in the tables; what a replica
 * did is put aside as a working set of its touched rows, and the rows go back to their start.
 *
 * Memory: both tables once more, and for each replica of this rank up to that much.
 */
#ifndef VECTRAIL_TRAIN_REPLICAS_H
#define VECTRAIL_TRAIN_REPLICAS_H

#include <stdint.h>

#include "base/error.h"
#include "train/merge.h"
#include "train/objective/objective.h"

struct vt_replicas {
  uint32_t count;
  uint32_t own_begin; /* those that this rank trains */
  uint32_t own_end;
  struct vt_table *tables;                /* borrowed: VT_TABLE_COUNT */
  struct vt_table starts[VT_TABLE_COUNT]; /* as all replicas started the round */
  /* What they have become, in the form of blocks whose sets hold every row they touched; others' are filled in by the
   * exchange. */
  struct vt_block *blocks;
  const struct vt_working_set **sets[VT_TABLE_COUNT];
  void *memory;
  uint8_t *touched[VT_TABLE_COUNT]; /* by row: in the replica that is being trained */
  uint32_t *lists[VT_TABLE_COUNT];  /* the same by shard, each shard's from list_start[shard] on */
  uint32_t list_start[VT_SHARDS + 1];
  uint32_t list_count[VT_TABLE_COUNT][VT_SHARDS];
};

/* The tables are at their start. */
enum vt_status vt_replicas_init(struct vt_replicas *replicas, struct vt_table *tables, uint32_t count,
                                uint32_t own_begin, uint32_t own_end, struct vt_error *error);
void vt_replicas_release(struct vt_replicas *replicas); /* accepts an all-zero one */

/* Forgets what a replica of this rank became in the round before. */
void vt_replicas_begin(struct vt_replicas *replicas, uint32_t replica);
/* After a shard of a superstep was merged with this scratch: `rows` rows of it moved. Different shards at once. */
void vt_replicas_note(struct vt_replicas *replicas, int table, uint32_t shard, uint32_t rows,
                      const struct vt_merger_scratch *scratch);
/* When the replica has done its supersteps: lays its rows out; then, for every shard, puts them aside and the table's
 * rows back. Different shards at once. */
void vt_replicas_lay_out(struct vt_replicas *replicas, uint32_t replica);
void vt_replicas_put_aside(struct vt_replicas *replicas, uint32_t replica, int table, uint32_t shard);

/* A row has its value for the next round. */
static inline void vt_replicas_settle(struct vt_replicas *replicas, int table, uint32_t row) {
  const struct vt_table *from = &replicas->tables[table];
  memcpy(vt_table_row(&replicas->starts[table], row), vt_table_row(from, row), from->width * sizeof(float));
}

#endif
