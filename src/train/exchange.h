/*
 * exchange.h: one superstep of the sparse engine, shared by several processes.
 *
 * The ranks of one machine (dist/machine.h) have the tables in common, and the copies of the rows that their blocks
 * touch: they work on them as threads do. Between machines rows are sent. The blocks of a superstep are dealt to the
 * ranks by number, the shards of the tables likewise. In a superstep
 *
 *   1. each rank trains its blocks and sends the copies of the rows they touched to the ranks of other machines that
 * own those rows; those of its own machine see them;
 *   2. each rank merges the rows it owns, with the copies of all blocks in block order, exactly as one process would;
 *   3. each rank sends the rows it has merged to one rank of each other machine, which puts them into the tables there.
 *
 * Before 2 and after 3 the ranks of a machine wait for each other. Where there is one machine, its ranks take blocks
 * and shards from counters in common, whoever is free, and nothing is sent at all.
 *
 * Tables may be dealt to the machines, each of which then holds the rows of its ranks' shards alone. A superstep then
 * begins with each rank finding out which rows its blocks will touch, and having them sent by their owners
 * (vt_exchange_fetch); in 3 nothing is sent but what the merges did. Rank 0 sees the whole tables when it wants to, in
 * views that lie in a file.
 *
 * So every row takes the same sums in the same order as in one process, and R ranks give its bits. What belongs to rows
 * and is not needed for training elsewhere (AdaGrad's sums) stays on its owner's machine, until rank 0 asks for it.
 *
 * Failures travel with the messages, or lie where the others look: a rank that cannot go on says so instead of sending
 * its blocks, and all ranks fail in the same superstep with the same message. So does what rank 0 wants from the others
 * at a superstep boundary: to send what they own (for a checkpoint), or to stop. It costs nothing where nothing is
 * wanted.
 */
#ifndef VECTRAIL_TRAIN_EXCHANGE_H
#define VECTRAIL_TRAIN_EXCHANGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/pool.h"
#include "dist/machine.h"
#include "train/merge.h"
#include "train/objective/objective.h"
#include "train/replicas.h"

/* In memory that the ranks of the machine share; opaque. */
struct vt_exchange_common {
  struct vt_exchange_told *told; /* by block */
  struct vt_merge_totals *totals;
  struct vt_exchange_slot *slots;
  struct vt_exchange_counters *counters;
};
/* To be taken from the arena of what the machine shares (zeroed). */
void vt_exchange_lay_out(struct vt_exchange_common *common, const struct vt_machine *machine, uint32_t blocks_max,
                         struct vt_arena *arena);

/* Of the engine, borrowed; all live as long as the exchange. */
struct vt_exchange_parts {
  struct vt_machine *machine; /* of at least 2 ranks in all */
  struct vt_exchange_common common;
  struct vt_block *blocks;
  uint32_t blocks_max;                                /* in a superstep */
  const struct vt_working_set **sets[VT_TABLE_COUNT]; /* by block: of this machine's blocks, or what came of others' */
  struct vt_table *tables;                            /* VT_TABLE_COUNT */
  struct vt_table *squares;                           /* likewise; NULL without AdaGrad */
  struct vt_decay *decay;                             /* NULL without L2 */
  struct vt_replicas *replicas;                       /* NULL where every superstep is brought together */
  struct vt_merger *mergers;                          /* VT_TABLE_COUNT */
  /* The tables are dealt to the machines: rows are asked for before a superstep, and merged rows stay where they are.
   */
  bool dealt;
  struct vt_table *views; /* with it, on rank 0: the tables whole, as observers see them; then squares, if there are */
};

struct vt_exchange;
/* Not collective. */
enum vt_status vt_exchange_create(const struct vt_exchange_parts *parts, struct vt_exchange **exchange,
                                  struct vt_error *error);
void vt_exchange_free(struct vt_exchange *exchange); /* accepts NULL */

/* ---- in a superstep, in this order --------------------------------------------------------------------------------
 */

/* The blocks of `count` that this rank trains, or takes part in training: begin .. end. Forgets the superstep before.
 */
void vt_exchange_begin(struct vt_exchange *exchange, uint64_t step, uint32_t count, uint32_t *begin, uint32_t *end);
/* The counters by which blocks and shards are taken, where the ranks of a machine take them together; at 0 when they
 * are. NULL: what is this rank's is nobody else's. */
enum vt_exchange_phase { VT_EXCHANGE_BLOCKS, VT_EXCHANGE_SHARDS };
atomic_uint *vt_exchange_counter(struct vt_exchange *exchange, enum vt_exchange_phase phase);
/* Collective, where tables are dealt: fills the sets of this rank's blocks, whose slots have been taken, with the rows
 * that they hold, from wherever they are. In place of vt_exchange_blocks it is then here that the others learn what
 * rank 0 wants. local: this rank's failure so far, with its error. */
enum vt_status vt_exchange_fetch(struct vt_exchange *exchange, struct vt_pool *pool, enum vt_status local,
                                 struct vt_error *error);
/* Hands on a trained and sorted block, or a replica; any number of threads, different blocks. */
void vt_exchange_pack(struct vt_exchange *exchange, uint32_t block);
/* Collective: brings to the others what was packed and takes in what they have; then sets[t][b] holds, of every block,
 * at least the rows that this rank owns, and every block what it told of itself. local: this rank's failure so far,
 * with its error. */
enum vt_status vt_exchange_blocks(struct vt_exchange *exchange, enum vt_status local, struct vt_error *error);
/* The shards of each table that this rank merges, or takes part in merging: begin .. end. */
void vt_exchange_shards(const struct vt_exchange *exchange, uint32_t *begin, uint32_t *end);
/* Makes room for what they may hold; its failure is to be handed to vt_exchange_rows. */
enum vt_status vt_exchange_reserve(struct vt_exchange *exchange, struct vt_error *error);
/* Hands on a shard that was merged last with this scratch; any number of threads, different shards. */
void vt_exchange_merged(struct vt_exchange *exchange, int table, uint32_t shard,
                        const struct vt_merger_scratch *scratch);
/* Collective: brings the merged rows to the others and takes in theirs, and what their merges did (vt_merger_totals).
 */
enum vt_status vt_exchange_rows(struct vt_exchange *exchange, enum vt_status local, struct vt_error *error);

/* ---- at a boundary ------------------------------------------------------------------------------------------------
 */

/* On rank 0: makes the squares complete there. Where tables are dealt, the views; with squares false those of the
 * tables alone. */
enum vt_status vt_exchange_collect(struct vt_exchange *exchange, bool squares, struct vt_error *error);
/* Collective, where tables are dealt: what the views of rank 0 hold goes to those who own it. */
enum vt_status vt_exchange_deal(struct vt_exchange *exchange, struct vt_error *error);
/* On rank 0: the others' vt_exchange_blocks, or vt_exchange_wait, ends with VT_ERROR_INTERRUPTED. Does nothing where
 * all have ended together already. */
enum vt_status vt_exchange_stop(struct vt_exchange *exchange, struct vt_error *error);
/* On the others, after the last superstep: does what rank 0 wants until it wants a stop, which is VT_OK. */
enum vt_status vt_exchange_wait(struct vt_exchange *exchange, struct vt_error *error);
/* All ranks have failed together: nobody waits for this one any more. */
void vt_exchange_over(struct vt_exchange *exchange);

#endif
