/*
 * engine_type.h: what an engine is made of; engine.c knows them all, nobody else does.
 *
 * An engine trains two tables in steps: the sparse engine (sparse.c) by block-synchronous SGD, the exact softmax by
 * whole gradients, in minibatches (softmax.c) and in full batches (softmax_full.c), GloVe by strata of its counts
 * (glove.c), networks by whole gradients again, whose table of tokens is one of many matrices (network/engine.c). The
 * quadratic model (quadratic.c) has one table in both roles.
 */
#ifndef VECTRAIL_TRAIN_ENGINE_TYPE_H
#define VECTRAIL_TRAIN_ENGINE_TYPE_H

#include "train/engine.h"
#include "train/held_out.h"

/* The first member of every engine. */
struct vt_engine {
  const struct vt_engine_type *type;
  struct vt_train_options options;
  const struct vt_vocab *vocab;
  const struct vt_corpus *corpus;  /* NULL: it is trained on counts */
  const struct vt_cooccur *counts; /* NULL: on a text */
  const uint32_t *ids;             /* of the corpus; NULL with counts */
  uint64_t entries;
  uint64_t kept; /* of vt_corpus_passed */
  struct vt_engine_state state;
  struct vt_held_out held_out; /* what is not to be trained on; empty: everything is */
  const char *kernel;
  size_t probe_pairs;
  struct vt_ledger *ledger; /* NULL: none is kept */
  bool held;                /* something is anchored or frozen */
  uint64_t sentences;       /* that end before entry `sentences_end`; for a ledger by document */
  uint64_t sentences_end;
};

/* The functions of engine.h of the same names. create finds everything but the type filled in, and sets state.steps,
 * kernel and probe_pairs; when it fails, engine.c calls free, so that free must bear an engine half made. */
struct vt_engine_type {
  size_t bytes; /* of the engine's own structure */
  enum vt_status (*create)(struct vt_engine *engine, struct vt_error *error);
  /* NULL: nothing else is to be made. With other ranks it is collective, and called when all have created theirs; what
   * ends it ends it on all. */
  enum vt_status (*join)(struct vt_engine *engine, struct vt_error *error);
  void (*free)(struct vt_engine *engine); /* but not the structure itself */
  /* NULL: nothing is to be made ready. Called once or more often; probe_pairs may change. */
  enum vt_status (*begin)(struct vt_engine *engine, const struct vt_engine_place *place, struct vt_error *error);
  enum vt_status (*step)(struct vt_engine *engine, struct vt_error *error);
  size_t (*parts)(struct vt_engine *engine, struct vt_engine_part parts[VT_ENGINE_PARTS_MAX]);
  /* The state has been replaced: forget what was derived from the one before. */
  void (*resumed)(struct vt_engine *engine);
  /* NULL: it lies in those of the parts that hold vectors. */
  size_t (*start)(struct vt_engine *engine, struct vt_engine_part parts[VT_ENGINE_PARTS_MAX]);
  /* Those parts have been filled; NULL: there is nothing else to do. Called once or more often. */
  void (*filled)(struct vt_engine *engine);
  /* NULL: this engine cannot go on with another run. Sets engine->held. */
  enum vt_status (*started)(struct vt_engine *engine, const uint32_t *frozen, size_t count, struct vt_error *error);
  const struct vt_table *(*table)(struct vt_engine *engine, enum vt_table_role role);
  /* NULL: the model has none. Returns the stride. */
  size_t (*biases)(const struct vt_engine *engine, const float *biases[VT_TABLE_COUNT]);
  struct vt_probe_result (*probe)(struct vt_engine *engine);
  double (*held_out_loss)(struct vt_engine *engine); /* called only where sentences are held out */
  /* NULL: there are none. */
  enum vt_status (*metrics)(struct vt_engine *engine, vt_engine_metric_visit *visit, void *context,
                            struct vt_error *error);
  /* A network's parameters and what they are; NULL: this engine trains tables alone. */
  const struct vt_net_layout *(*model)(struct vt_engine *engine, const float **values);
  /* NULL where this engine cannot keep a ledger; keep_ledger sets engine->ledger, which is the engine's to free, and is
   * called at step 0 or later (a replay may begin one in the middle). VT_ERROR_UNSUPPORTED: not by document. */
  enum vt_status (*keep_ledger)(struct vt_engine *engine, const struct vt_ledger_options *options,
                                struct vt_error *error);
  /* The input table as it lies, and the decay that it owes (or NULL); NULL: nothing is owed, and `table` shows it. */
  const struct vt_table *(*owing)(const struct vt_engine *engine, const struct vt_decay **decay);
  struct vt_pool *(*pool)(const struct vt_engine *engine); /* NULL: none is lent */
  /* With other ranks: NULL where this engine trains in one process alone; never called there. */
  enum vt_status (*collect)(struct vt_engine *engine, struct vt_error *error);
  enum vt_status (*stop)(struct vt_engine *engine, struct vt_error *error);
  enum vt_status (*wait)(struct vt_engine *engine, struct vt_error *error);
  /* Brings what the parts of rank 0 hold to the others. */
  enum vt_status (*spread)(struct vt_engine *engine, struct vt_error *error);
};

extern const struct vt_engine_type vt_engine_sparse, vt_engine_softmax, vt_engine_softmax_full, vt_engine_glove,
    vt_engine_quadratic;
extern const struct vt_engine_type vt_engine_network; /* in src/network */

/* How many sentences end before an entry: the number of the one that begins there. Cheap where it is asked in ascending
 * order but for new epochs. */
uint64_t vt_engine_sentences_before(struct vt_engine *engine, uint64_t entry);

/* The rate after a share of the run, by the schedule of the options. */
double vt_engine_rate(const struct vt_train_options *options, double done);

#endif
