/*
 * objective.h: what an objective supplies to the sparse engine: the step over one block of text.
 *
 * The engine owns everything else: blocks, merge, schedule, recording. A block step reads ids, draws from the block's
 * own random stream, and moves private copies of rows; it must be a pure function of its arguments.
 */
#ifndef VECTRAIL_TRAIN_OBJECTIVE_H
#define VECTRAIL_TRAIN_OBJECTIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/rng.h"
#include "kernel/kernel.h"
#include "train/anchor.h"
#include "train/held_out.h"
#include "train/huffman.h"
#include "train/ledger.h"
#include "train/noise.h"
#include "train/working_set.h"
#include "vectrail/train.h"

/* Constant during a run, shared by all threads. */
struct vt_objective_setup {
  const struct vt_train_options *options;
  const struct vt_kernel *kernel;
  const struct vt_corpus *corpus;   /* to be told what will not be read for a while; may be NULL */
  const struct vt_noise *noise;     /* negative sampling; else NULL */
  const struct vt_huffman *huffman; /* hierarchical softmax; else NULL */
  const uint32_t *keep;             /* per word: a token survives subsampling if its 32 random bits are <= keep[word] */
  const uint64_t *probe_positions;  /* ascending places in the corpus whose word is no centre in training */
  size_t probe_count;
  const struct vt_held_out *held_out; /* sentences that are not trained on; NULL: none */
  const struct vt_ledger *ledger;     /* NULL: none is kept */
  const struct vt_anchor *frozen;     /* NULL: no row is frozen */
};

struct vt_block {
  /* In: entries begin .. end of the id stream. */
  const uint32_t *ids;
  uint64_t begin;
  uint64_t end;
  float rate;
  struct vt_rng rng;
  struct vt_working_set sets[VT_TABLE_COUNT]; /* emptied by the engine */
  struct vt_block_ledger *ledger;             /* NULL: none is kept */
  uint64_t first_sentence;                    /* where a ledger is kept by document: number of the one at `begin` */
  /* Out. */
  uint64_t tokens; /* words read, subsampled away or not */
  double loss_sum; /* over the pairs that were measured, nats */
  uint64_t loss_pairs;
};

/* Scratch memory of one worker; opaque to the engine. */
struct vt_objective_scratch;

struct vt_objective {
  const char *name;
  /* Distinct rows that one block of `entries` may touch in each table. */
  void (*capacities)(const struct vt_train_options *options, uint32_t entries, uint32_t capacities[VT_TABLE_COUNT]);
  enum vt_status (*scratch_create)(const struct vt_train_options *options, uint32_t entries,
                                   struct vt_objective_scratch **scratch, struct vt_error *error);
  void (*scratch_free)(struct vt_objective_scratch *scratch); /* accepts NULL */
  void (*block)(const struct vt_objective_setup *setup, struct vt_objective_scratch *scratch, struct vt_block *block);
  /* Takes the slots that `block` will take, in its order, and trains nothing; what is in the rows does not matter. The
   * random stream and the counts are then to be set back. */
  void (*plan)(const struct vt_objective_setup *setup, struct vt_objective_scratch *scratch, struct vt_block *block);
};

/* After a step: the copies of frozen rows among the given ones are as the table has them, as if they had not moved. */
static inline void vt_block_restore(const struct vt_objective_setup *setup, const struct vt_block *block, int table,
                                    float *const *rows, int count) {
  const struct vt_working_set *set = &block->sets[table];
  const bool *frozen = setup->frozen->frozen[table];
  for (int k = 0; frozen != NULL && k < count; k++) {
    const uint32_t id = set->ids[(size_t)(rows[k] - set->rows) / set->stride];
    if (frozen[id]) memcpy(rows[k], vt_table_row(set->table, id), set->table->width * sizeof *rows[k]);
  }
}

/* The running loss is measured on every 64th centre of a block: enough, and nearly free. */
#define VT_LOSS_EVERY 64

extern const struct vt_objective vt_objective_skipgram;
extern const struct vt_objective vt_objective_cbow;

#endif
