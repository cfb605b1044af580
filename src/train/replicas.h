/*
 * replicas.h: for slow networks, training that is brought together now and then instead of at every superstep.
 *
 * A round gives each of N replicas of the tables K supersteps of the text of its own, one replica's behind the other's;
 * each starts from the same tables and merges its supersteps as usual. Then the replicas are joined as blocks are
 * (merge.h), with a cap of twice the length: a row takes the sum of what the replicas did to it, in their order,
 *
 *   row = start + cap(sum over replicas of (theirs - start)),    of a length up to max(1, 0.4 |row|)
 *
 * This is local SGD (Stich 2019) with a sum in place of its mean: means halve the way of every word that two replicas
 * meet. Frequent words, which both move the same way and far, would overshoot by the plain sum, and a tighter cap, or
 * one that weighs moves by how far they agree, holds words back that should go on: docs/scaling.md has what each rule
 * cost. A round is one step of the run.
 *
 * The number of replicas is a setting of the run: ranks share them out, and any number of ranks gives the same bits.
 * They are not those of exact training.
 *
 * A replica has a table of its own only for the rows that it has moved in this round, which a stamp tells; all others
 * it reads where all replicas started. So nothing is copied when a round begins or ends: a row is taken over when it is
 * first merged, and the join reads the start and what the replicas made of it, and writes the start.
 *
 * Memory: for each replica of this machine both tables once more, and 8 bytes a row.
 */
#ifndef VECTRAIL_TRAIN_REPLICAS_H
#define VECTRAIL_TRAIN_REPLICAS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "train/merge.h"
#include "train/objective/objective.h"

#define VT_REPLICAS_CAP 1.0F
#define VT_REPLICAS_CAP_SHARE 0.4F

struct vt_replicas {
  uint32_t count;
  uint32_t here_begin; /* those that this machine trains */
  uint32_t here_end;
  struct vt_table *tables; /* borrowed: VT_TABLE_COUNT; as all replicas started the round */
  uint32_t stamp;          /* of the round */
  /* By replica, of those of this machine: what it has moved, and the stamps by row. */
  struct vt_table *moved[VT_TABLE_COUNT];
  uint32_t **stamps[VT_TABLE_COUNT];
  /* What each has trained; the sets of those elsewhere, their rows in ascending order in each shard, are filled in by
   * the exchange. */
  struct vt_block *blocks;
  const struct vt_working_set **sets[VT_TABLE_COUNT];
  const float **gathered; /* workers x count */
  uint32_t *cursors;      /* likewise */
};

/* On error nothing is held. here_begin .. here_end: of this machine. */
enum vt_status vt_replicas_init(struct vt_replicas *replicas, struct vt_table *tables, uint32_t count,
                                uint32_t here_begin, uint32_t here_end, int workers, struct vt_error *error);
/* What the ranks of a machine share, zeroed. Again when the arena has memory. */
void vt_replicas_take(struct vt_replicas *replicas, struct vt_arena *arena);
void vt_replicas_release(struct vt_replicas *replicas); /* accepts an all-zero one */

/* A replica of this machine begins a round: the sets of the blocks that it trains copy from it, the mergers merge into
 * it. */
void vt_replicas_begin(struct vt_replicas *replicas, uint32_t replica, struct vt_block *blocks, uint32_t block_count,
                       struct vt_merger mergers[VT_TABLE_COUNT]);
/* No replica trains any more: the mergers are the tables', for the join. */
void vt_replicas_end(struct vt_replicas *replicas, struct vt_merger mergers[VT_TABLE_COUNT]);

/* Joins a shard of a table. Different shards at once, by different workers. */
void vt_replicas_join(struct vt_replicas *replicas, int worker, struct vt_merger *merger,
                      struct vt_merger_scratch *scratch, int table, uint32_t shard);

/* The rows of shards first .. end that a replica of this machine has moved, shard by shard, ascending: how many there
 * are, and the rows one behind the other, as wide as the table's. */
uint32_t vt_replicas_count(const struct vt_replicas *replicas, uint32_t replica, int table, uint32_t first,
                           uint32_t end);
void vt_replicas_copy(const struct vt_replicas *replicas, uint32_t replica, int table, uint32_t first, uint32_t end,
                      uint32_t *ids, float *rows);

#endif
