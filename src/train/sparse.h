/*
 * sparse.h: the parts of the sparse engine, for the files that it is made of: sparse.c (supersteps, and what others see
 * of it), sparse_create.c (making and freeing), sparse_rounds.c (replicas that train apart), sparse_dealt.c (tables
 * that no machine holds whole). Nobody else includes it.
 */
#ifndef VECTRAIL_TRAIN_SPARSE_H
#define VECTRAIL_TRAIN_SPARSE_H

#include <stdatomic.h>

#include "base/pool.h"
#include "base/scratch.h"
#include "train/anchor.h"
#include "train/blocks.h"
#include "train/engine_type.h"
#include "train/exchange.h"
#include "train/merge.h"
#include "train/objective/objective.h"
#include "train/probe.h"
#include "train/replicas.h"

struct vt_sparse {
  struct vt_engine base;
  const struct vt_objective *objective;
  struct vt_objective_setup setup;
  struct vt_noise noise;     /* negative sampling */
  struct vt_huffman huffman; /* hierarchical softmax */
  uint32_t *keep;
  struct vt_probe *probe;
  struct vt_probe *held_out_probe; /* where sentences are held out */

  /* What the ranks of a machine share: tables, squares, what is paid of the decay, working sets, replicas. */
  struct vt_machine machine;
  struct vt_machine_memory memory;
  struct vt_exchange_common common;

  struct vt_table tables[VT_TABLE_COUNT];
  struct vt_table squares[VT_TABLE_COUNT]; /* with AdaGrad only */
  struct vt_decay decay;                   /* with L2 only, as are the next two */
  struct vt_table paid[VT_TABLE_COUNT];    /* what observers see: the tables with all decay applied */
  bool paid_is_current;
  struct vt_merger mergers[VT_TABLE_COUNT];
  struct vt_block *blocks;                            /* options.blocks */
  uint32_t block_count;                               /* in this superstep */
  uint32_t own_begin;                                 /* of them those that may be trained here, ... */
  uint32_t own_end;                                   /* ... all but where other machines train too */
  const struct vt_working_set **sets[VT_TABLE_COUNT]; /* the same, by table */

  /* Where tables are dealt to machines, on rank 0: what observers see, tables and then squares, in a file; and at which
   * step it was as it is. */
  bool dealt;
  struct vt_scratch view_file;
  struct vt_table views[2 * VT_TABLE_COUNT];
  bool views_are_current;
  bool squares_are_current;
  struct vt_error lost; /* when the rows were to be looked at; VT_OK: nothing was */

  struct vt_anchor anchor;      /* of a training that goes on with a run */
  struct vt_replicas replicas;  /* options.replicas; else none */
  struct vt_exchange *exchange; /* with the other ranks; NULL where there are none */
  struct vt_pool *pool;
  double pull;            /* of the anchor, in this superstep */
  uint32_t replica_begin; /* those that are trained here, in a round; and the rate of the round's first block */
  uint32_t replica_end;
  double first_lr;
  struct vt_objective_scratch **scratch;     /* by worker */
  struct vt_merger_scratch **merger_scratch; /* by worker */
  atomic_uint own_tasks;
  atomic_uint *tasks; /* what is taken by workers: own_tasks, or a counter that other ranks take from too */
};

/* sparse_create.c: of the engine's type. */
enum vt_status vt_sparse_create(struct vt_engine *base, struct vt_error *error);
enum vt_status vt_sparse_join(struct vt_engine *base, struct vt_error *error);
void vt_sparse_release(struct vt_engine *base);

/* Cuts the next blocks; a superstep ends with its epoch. */
void vt_sparse_lay_out(struct vt_sparse *engine);
/* Work for vt_sparse_run: blocks from own_begin to own_end. */
void vt_sparse_train_blocks(void *context, int worker);
void vt_sparse_run(struct vt_sparse *engine, vt_pool_work *work);
/* The same for work that the ranks of this machine may share out among each other. */
void vt_sparse_run_together(struct vt_sparse *engine, vt_pool_work *work, enum vt_exchange_phase phase);
/* The next number to be worked on. */
static inline uint32_t vt_sparse_next(struct vt_sparse *engine) {
  return atomic_fetch_add_explicit(engine->tasks, 1, memory_order_relaxed);
}
/* Room for merging `count` sets of each table. */
enum vt_status vt_sparse_reserve(struct vt_sparse *engine, const struct vt_working_set **const sets[VT_TABLE_COUNT],
                                 uint32_t count, struct vt_error *error);
/* The rows of each table that this rank sees to where its machine's ranks share out all of them: begin .. end. */
void vt_sparse_share_of_rows(const struct vt_sparse *engine, uint32_t *begin, uint32_t *end);
enum vt_status vt_sparse_fail_diverged(const struct vt_sparse *engine, int table, uint32_t row, uint64_t step,
                                       struct vt_error *error);
/* Sums up the superstep, or the round, in block and shard order, and reports a row that left the numbers. */
enum vt_status vt_sparse_account(struct vt_sparse *engine, const struct vt_block *blocks, uint32_t count,
                                 struct vt_error *error);

/* sparse_dealt.c: where tables are dealt. Makes the views, on rank 0, with the start in them. */
enum vt_status vt_sparse_open_views(struct vt_sparse *engine, struct vt_error *error);
void vt_sparse_close_views(struct vt_sparse *engine);
/* On rank 0, at a boundary: the views are as the tables are, where nothing is lost (engine->lost). */
void vt_sparse_look(struct vt_sparse *engine, bool squares);
/* The tables have changed. */
void vt_sparse_look_away(struct vt_sparse *engine);
/* Takes the slots of this rank's blocks and has their rows brought. */
enum vt_status vt_sparse_fetch(struct vt_sparse *engine, struct vt_error *error);

/* sparse_rounds.c: in place of a superstep, where options.replicas > 0: sync_every supersteps of each replica, and then
 * all are joined (replicas.h). */
enum vt_status vt_sparse_round(struct vt_sparse *engine, struct vt_error *error);

#endif
