/* sparse.c: the sparse engine's supersteps. The order of everything that reaches a table or a reported number is fixed
 * by block, shard and row numbers; threads only choose who works. */
#include "train/engine_type.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "base/memory.h"
#include "base/pool.h"
#include "train/blocks.h"
#include "train/exchange.h"
#include "train/merge.h"
#include "train/objective/objective.h"
#include "train/probe.h"
#include "train/window.h"

struct sparse {
  struct vt_engine base;
  const struct vt_objective *objective;
  struct vt_objective_setup setup;
  struct vt_noise noise;     /* negative sampling */
  struct vt_huffman huffman; /* hierarchical softmax */
  uint32_t *keep;
  struct vt_probe *probe;
  struct vt_probe *held_out_probe; /* where sentences are held out */

  struct vt_table tables[VT_TABLE_COUNT];
  struct vt_table squares[VT_TABLE_COUNT]; /* with AdaGrad only */
  struct vt_decay decay;                   /* with L2 only, as are the next two */
  struct vt_table paid[VT_TABLE_COUNT];    /* what observers see: the tables with all decay applied */
  bool paid_is_current;
  struct vt_merger mergers[VT_TABLE_COUNT];
  struct vt_block *blocks;                            /* options.blocks */
  void *set_memory;                                   /* of their working sets */
  uint32_t block_count;                               /* in this superstep */
  uint32_t own_begin;                                 /* of them those that are trained here, ... */
  uint32_t own_end;                                   /* ... all but where others train too */
  const struct vt_working_set **sets[VT_TABLE_COUNT]; /* the same, by table */

  struct vt_anchor anchor;      /* of a training that goes on with a run */
  struct vt_replicas replicas;  /* options.replicas; else none */
  struct vt_exchange *exchange; /* with the other ranks; NULL where there are none */
  struct vt_pool *pool;
  double pull;      /* of the anchor, in this superstep */
  uint32_t replica; /* that is being trained, in a round; and the rate of the round's first block */
  double first_lr;
  struct vt_objective_scratch **scratch;     /* by worker */
  struct vt_merger_scratch **merger_scratch; /* by worker */
  atomic_uint next_task;
};

/* ---- making and freeing ---------------------------------------------------------------------------------------- */

static enum vt_status create_tables(struct sparse *engine, struct vt_error *error) {
  uint32_t rows = (uint32_t)vt_vocab_size(engine->base.vocab), dim = engine->base.options.dim;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    VT_TRY(vt_table_init(&engine->tables[t], rows, dim, error));
    VT_TRY(vt_merger_init(&engine->mergers[t], &engine->tables[t], engine->setup.kernel, error));
    if (engine->base.options.optimizer != VT_OPTIMIZER_ADAGRAD) continue;
    VT_TRY(vt_table_init(&engine->squares[t], rows, dim, error));
    engine->mergers[t].squares = &engine->squares[t];
  }
  /* The output table starts at zero, as in word2vec. */
  struct vt_table *input = &engine->tables[VT_TABLE_INPUT];
  for (uint32_t row = 0; row < rows; row++)
    vt_table_start_row(engine->base.options.seed, row, dim, vt_table_row(input, row));
  return VT_OK;
}

static enum vt_status create_decay(struct sparse *engine, struct vt_error *error) {
  if (engine->base.options.l2 == 0) return VT_OK;
  VT_TRY(vt_decay_init(&engine->decay, engine->tables[0].rows, error));
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    VT_TRY(vt_table_init(&engine->paid[t], engine->tables[t].rows, engine->tables[t].dim, error));
    engine->mergers[t].decay = &engine->decay;
    engine->mergers[t].role = t;
    for (uint32_t b = 0; b < engine->base.options.blocks; b++) {
      engine->blocks[b].sets[t].decay = &engine->decay;
      engine->blocks[b].sets[t].role = t;
    }
  }
  return VT_OK;
}

static enum vt_status create_blocks(struct sparse *engine, struct vt_error *error) {
  uint32_t count = engine->base.options.blocks, capacities[VT_TABLE_COUNT];
  engine->objective->capacities(&engine->base.options, vt_block_entries_max(engine->base.options.block_tokens),
                                capacities);
  engine->blocks = vt_alloc_zero(count, sizeof *engine->blocks);
  size_t block_bytes = 0;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    engine->sets[t] = vt_alloc(count, sizeof *engine->sets[t]);
    block_bytes += vt_working_set_bytes(&engine->tables[t], capacities[t]);
  }
  engine->set_memory = vt_alloc_aligned(count, block_bytes);
  if (engine->blocks == NULL || engine->set_memory == NULL || engine->sets[VT_TABLE_INPUT] == NULL ||
      engine->sets[VT_TABLE_OUTPUT] == NULL)
    return VT_FAIL_HELP(error, VT_ERROR_MEMORY, "use smaller or fewer blocks",
                        "cannot allocate %" PRIu32 " blocks of %zu bytes", count, block_bytes);
  unsigned char *memory = engine->set_memory;
  for (uint32_t b = 0; b < count; b++) {
    for (int t = 0; t < VT_TABLE_COUNT; t++) {
      vt_working_set_init(&engine->blocks[b].sets[t], &engine->tables[t], capacities[t], memory);
      memory += vt_working_set_bytes(&engine->tables[t], capacities[t]);
      engine->sets[t][b] = &engine->blocks[b].sets[t];
    }
  }
  return VT_OK;
}

static enum vt_status create_workers(struct sparse *engine, struct vt_error *error) {
  int count = engine->base.options.threads;
  VT_TRY(vt_pool_create(count, &engine->pool, error));
  engine->scratch = vt_alloc_zero((size_t)count, sizeof(void *));
  engine->merger_scratch = vt_alloc_zero((size_t)count, sizeof(void *));
  if (engine->scratch == NULL || engine->merger_scratch == NULL)
    return VT_FAIL_MEMORY(error, (size_t)count * sizeof(void *));
  uint32_t entries = vt_block_entries_max(engine->base.options.block_tokens);
  for (int worker = 0; worker < count; worker++) {
    VT_TRY(engine->objective->scratch_create(&engine->base.options, entries, &engine->scratch[worker], error));
    VT_TRY(vt_merger_scratch_create(&engine->merger_scratch[worker], error));
  }
  return VT_OK;
}

static enum vt_status create_replicas(struct sparse *engine, struct vt_error *error) {
  const struct vt_train_options *options = &engine->base.options;
  if (options->replicas == 0) return VT_OK;
  int rank = vt_ranks_rank(options->ranks), size = vt_ranks_size(options->ranks);
  return vt_replicas_init(&engine->replicas, engine->tables, options->replicas, vt_deal(options->replicas, size, rank),
                          vt_deal(options->replicas, size, rank + 1), error);
}

static enum vt_status create_exchange(struct sparse *engine, struct vt_error *error) {
  const struct vt_train_options *options = &engine->base.options;
  if (vt_ranks_size(options->ranks) == 1) return VT_OK;
  struct vt_replicas *replicas = &engine->replicas;
  if (options->replicas > 0) {
    const struct vt_exchange_parts parts = {
        .ranks = options->ranks,
        .blocks = replicas->blocks,
        .blocks_max = replicas->count,
        .sets = {replicas->sets[VT_TABLE_INPUT], replicas->sets[VT_TABLE_OUTPUT]},
        .tables = engine->tables,
        .replicas = replicas,
        .mergers = engine->mergers,
    };
    return vt_exchange_create(&parts, &engine->exchange, error);
  }
  const struct vt_exchange_parts parts = {
      .ranks = options->ranks,
      .blocks = engine->blocks,
      .blocks_max = options->blocks,
      .sets = {engine->sets[VT_TABLE_INPUT], engine->sets[VT_TABLE_OUTPUT]},
      .tables = engine->tables,
      .squares = options->optimizer == VT_OPTIMIZER_ADAGRAD ? engine->squares : NULL,
      .decay = options->l2 == 0 ? NULL : &engine->decay,
      .mergers = engine->mergers,
  };
  return vt_exchange_create(&parts, &engine->exchange, error);
}

static enum vt_status create_probes(struct sparse *engine, struct vt_error *error) {
  const struct vt_engine *base = &engine->base;
  struct vt_objective_setup *setup = &engine->setup;
  uint64_t tokens = vt_vocab_tokens(base->vocab);
  if (base->held_out.count > 0) {
    setup->held_out = &base->held_out;
    VT_TRY(vt_probe_create(base->ids, base->entries, tokens, true, setup, &engine->held_out_probe, error));
  }
  VT_TRY(vt_probe_create(base->ids, base->entries, tokens, false, setup, &engine->probe, error));
  setup->probe_positions = vt_probe_positions(engine->probe);
  setup->probe_count = vt_probe_pairs(engine->probe);
  return VT_OK;
}

static enum vt_status create_parts(struct sparse *engine, struct vt_error *error) {
  const struct vt_train_options *options = &engine->base.options;
  VT_TRY(vt_kernel_choose(options->kernel, &engine->setup.kernel, error));
  VT_TRY(vt_window_keep(options, engine->base.vocab, &engine->keep, error));
  if (options->loss == VT_LOSS_NEGATIVE_SAMPLING) {
    VT_TRY(vt_noise_init(&engine->noise, engine->base.vocab, options->noise_exponent, error));
    engine->setup.noise = &engine->noise;
  } else {
    VT_TRY(vt_huffman_init(&engine->huffman, engine->base.vocab, error));
    engine->setup.huffman = &engine->huffman;
  }
  engine->objective = options->model == VT_MODEL_CBOW ? &vt_objective_cbow : &vt_objective_skipgram;
  engine->setup.options = options;
  engine->setup.keep = engine->keep;
  engine->setup.corpus = engine->base.corpus;
  VT_TRY(create_probes(engine, error));
  VT_TRY(create_tables(engine, error));
  VT_TRY(create_blocks(engine, error));
  VT_TRY(create_decay(engine, error));
  VT_TRY(create_replicas(engine, error));
  VT_TRY(create_exchange(engine, error));
  return create_workers(engine, error);
}

static enum vt_status create(struct vt_engine *base, struct vt_error *error) {
  struct sparse *engine = (struct sparse *)base;
  VT_TRY(create_parts(engine, error));
  const struct vt_train_options *options = &base->options;
  base->kernel = base->options.kernel = engine->setup.kernel->name;
  base->probe_pairs = vt_probe_pairs(engine->probe);
  uint64_t blocks = vt_block_count(base->ids, base->entries, options->block_tokens, base->corpus);
  uint64_t a_step = options->blocks;
  if (options->replicas > 0) a_step *= (uint64_t)options->replicas * options->sync_every;
  base->state.steps = (blocks + a_step - 1) / a_step * options->epochs;
  return VT_OK;
}

static void release(struct vt_engine *base) {
  struct sparse *engine = (struct sparse *)base;
  for (int worker = 0; engine->pool != NULL && worker < engine->base.options.threads; worker++) {
    if (engine->scratch != NULL) engine->objective->scratch_free(engine->scratch[worker]);
    if (engine->merger_scratch != NULL) vt_merger_scratch_free(engine->merger_scratch[worker]);
  }
  vt_free(engine->scratch);
  vt_free(engine->merger_scratch);
  vt_pool_free(engine->pool);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    vt_free(engine->sets[t]);
    vt_merger_release(&engine->mergers[t]);
    vt_table_release(&engine->tables[t]);
    vt_table_release(&engine->squares[t]);
    vt_table_release(&engine->paid[t]);
  }
  vt_anchor_release(&engine->anchor);
  vt_exchange_free(engine->exchange);
  vt_replicas_release(&engine->replicas);
  vt_free(engine->blocks);
  vt_ledger_free(engine->base.ledger);
  vt_free_aligned(engine->set_memory);
  vt_probe_free(engine->probe);
  vt_probe_free(engine->held_out_probe);
  vt_decay_release(&engine->decay);
  vt_noise_release(&engine->noise);
  vt_huffman_release(&engine->huffman);
  vt_free(engine->keep);
}

/* ---- one superstep --------------------------------------------------------------------------------------------- */

/* Cuts the next blocks; a superstep ends with its epoch. */
static void lay_out_blocks(struct sparse *engine) {
  const struct vt_train_options *options = &engine->base.options;
  uint32_t epoch = engine->base.state.epoch - 1;
  engine->block_count = 0;
  while (engine->block_count < options->blocks && engine->base.state.position < engine->base.entries) {
    struct vt_block *block = &engine->blocks[engine->block_count];
    double done = ((double)epoch * (double)engine->base.entries + (double)engine->base.state.position) /
                  ((double)options->epochs * (double)engine->base.entries);
    double lr = vt_engine_rate(options, done);
    if (engine->block_count == 0) engine->base.state.lr = lr;
    block->ids = engine->base.ids;
    block->begin = engine->base.state.position;
    block->end =
        vt_block_end(engine->base.ids, engine->base.entries, engine->base.state.position, options->block_tokens);
    block->rate = (float)lr;
    block->tokens = block->loss_pairs = 0;
    block->loss_sum = 0;
    block->rng = vt_rng_make(VT_RNG_BLOCK, options->seed, epoch, block->begin);
    if (engine->base.ledger != NULL && vt_ledger_is_by_document(engine->base.ledger))
      block->first_sentence = vt_engine_sentences_before(&engine->base, block->begin);
    engine->base.state.position = block->end;
    engine->block_count++;
  }
}

static void train_blocks(void *context, int worker) {
  struct sparse *engine = context;
  for (;;) {
    uint32_t b = engine->own_begin + atomic_fetch_add_explicit(&engine->next_task, 1, memory_order_relaxed);
    if (b >= engine->own_end) return;
    struct vt_block *block = &engine->blocks[b];
    for (int t = 0; t < VT_TABLE_COUNT; t++) vt_working_set_clear(&block->sets[t]);
    engine->objective->block(&engine->setup, engine->scratch[worker], block);
    for (int t = 0; t < VT_TABLE_COUNT; t++) vt_working_set_sort(&block->sets[t]);
    if (engine->exchange != NULL && engine->base.options.replicas == 0) vt_exchange_pack(engine->exchange, b);
  }
}

static void merge_shards(void *context, int worker) {
  struct sparse *engine = context;
  uint32_t first = 0, end = VT_SHARDS;
  if (engine->exchange != NULL) vt_exchange_shards(engine->exchange, &first, &end);
  for (;;) {
    uint32_t task = atomic_fetch_add_explicit(&engine->next_task, 1, memory_order_relaxed);
    if (task >= (end - first) * VT_TABLE_COUNT) return;
    uint32_t t = task / (end - first), shard = first + task % (end - first);
    vt_merger_shard(&engine->mergers[t], engine->merger_scratch[worker], engine->sets[t], engine->block_count, shard);
    if (engine->exchange != NULL) vt_exchange_merged(engine->exchange, (int)t, shard, engine->merger_scratch[worker]);
  }
}

static void take_ledger(void *context, int worker) {
  struct sparse *engine = context;
  (void)worker;
  bool adagrad = engine->base.options.optimizer == VT_OPTIMIZER_ADAGRAD;
  for (;;) {
    uint32_t k = atomic_fetch_add_explicit(&engine->next_task, 1, memory_order_relaxed);
    if (k >= vt_ledger_words(engine->base.ledger)) return;
    vt_ledger_take(engine->base.ledger, k, engine->block_count, &engine->tables[VT_TABLE_INPUT],
                   adagrad ? &engine->squares[VT_TABLE_INPUT] : NULL);
  }
}

static void run_workers(struct sparse *engine, vt_pool_work *work) {
  atomic_store_explicit(&engine->next_task, 0, memory_order_relaxed);
  vt_pool_run(engine->pool, work, engine);
}

static enum vt_status reserve_scratch(struct sparse *engine, const struct vt_working_set **const sets[VT_TABLE_COUNT],
                                      uint32_t count, struct vt_error *error) {
  for (int worker = 0; worker < engine->base.options.threads; worker++)
    for (int t = 0; t < VT_TABLE_COUNT; t++)
      VT_TRY(vt_merger_scratch_reserve(engine->merger_scratch[worker], sets[t], count, error));
  return VT_OK;
}

/* Every word of the superstep has shrunk every row by its block's rate. */
static void add_decay(struct sparse *engine) {
  engine->paid_is_current = false;
  if (engine->base.options.l2 == 0) return;
  for (uint32_t b = 0; b < engine->block_count; b++)
    vt_decay_add(&engine->decay, (double)engine->blocks[b].rate, engine->base.options.l2, engine->blocks[b].tokens);
  vt_decay_renew(&engine->decay, engine->tables);
}

#define ROWS_A_TASK 1024

static void pull_rows(void *context, int worker) {
  struct sparse *engine = context;
  (void)worker;
  const uint32_t rows = engine->tables[0].rows, tasks = (rows + ROWS_A_TASK - 1) / ROWS_A_TASK;
  for (;;) {
    uint32_t task = atomic_fetch_add_explicit(&engine->next_task, 1, memory_order_relaxed);
    if (task >= tasks * VT_TABLE_COUNT) return;
    uint32_t first = task % tasks * ROWS_A_TASK, end = rows - first < ROWS_A_TASK ? rows : first + ROWS_A_TASK;
    vt_anchor_pull(&engine->anchor, (int)(task / tasks), first, end, engine->pull);
  }
}

/* Every word of the superstep has drawn every row towards its start, by its block's rate. */
static void add_anchor(struct sparse *engine) {
  const double mu = engine->base.options.tuning.anchor;
  if (mu == 0 || !vt_anchor_holds(&engine->anchor)) return;
  engine->pull = 1;
  for (uint32_t b = 0; b < engine->block_count; b++)
    engine->pull *= vt_decay_factor((double)engine->blocks[b].rate, mu, engine->blocks[b].tokens);
  run_workers(engine, pull_rows);
}

static enum vt_status fail_diverged(const struct sparse *engine, int table, uint32_t row, uint64_t step,
                                    struct vt_error *error) {
  return VT_FAIL_HELP(error, VT_ERROR_DIVERGED, "use a smaller learning rate (--lr)",
                      "training diverged at step %llu: the %s vector of \"%s\" is no longer finite",
                      (unsigned long long)step, table == VT_TABLE_INPUT ? "input" : "output",
                      vt_vocab_text(engine->base.vocab, row));
}

/* ---- a round of replicas (replicas.h) --------------------------------------------------------------------------- */

static void merge_superstep_of_replica(void *context, int worker) {
  struct sparse *engine = context;
  for (;;) {
    uint32_t task = atomic_fetch_add_explicit(&engine->next_task, 1, memory_order_relaxed);
    if (task >= VT_SHARDS * VT_TABLE_COUNT) return;
    uint32_t t = task / VT_SHARDS, shard = task % VT_SHARDS;
    vt_merger_shard(&engine->mergers[t], engine->merger_scratch[worker], engine->sets[t], engine->block_count, shard);
    vt_replicas_note(&engine->replicas, (int)t, shard, (uint32_t)engine->mergers[t].shards[shard].moved,
                     engine->merger_scratch[worker]);
  }
}

static void put_aside(void *context, int worker) {
  struct sparse *engine = context;
  (void)worker;
  for (;;) {
    uint32_t task = atomic_fetch_add_explicit(&engine->next_task, 1, memory_order_relaxed);
    if (task >= VT_SHARDS * VT_TABLE_COUNT) return;
    vt_replicas_put_aside(&engine->replicas, engine->replica, (int)(task / VT_SHARDS), task % VT_SHARDS);
  }
}

static void pack_replicas(void *context, int worker) {
  struct sparse *engine = context;
  (void)worker;
  for (;;) {
    uint32_t r = engine->replicas.own_begin + atomic_fetch_add_explicit(&engine->next_task, 1, memory_order_relaxed);
    if (r >= engine->replicas.own_end) return;
    vt_exchange_pack(engine->exchange, r);
  }
}

static void join_shards(void *context, int worker) {
  struct sparse *engine = context;
  struct vt_replicas *replicas = &engine->replicas;
  struct vt_merger_scratch *scratch = engine->merger_scratch[worker];
  uint32_t first = 0, end = VT_SHARDS;
  if (engine->exchange != NULL) vt_exchange_shards(engine->exchange, &first, &end);
  for (;;) {
    uint32_t task = atomic_fetch_add_explicit(&engine->next_task, 1, memory_order_relaxed);
    if (task >= (end - first) * VT_TABLE_COUNT) return;
    uint32_t t = task / (end - first), shard = first + task % (end - first);
    vt_merger_shard(&engine->mergers[t], scratch, replicas->sets[t], replicas->count, shard);
    if (engine->exchange != NULL) vt_exchange_merged(engine->exchange, (int)t, shard, scratch);
    for (uint32_t k = 0; k < engine->mergers[t].shards[shard].moved; k++)
      vt_replicas_settle(replicas, (int)t, vt_merger_touched(scratch, k));
  }
}

/* Sums up the superstep, or the round, in block and shard order, and reports a row that left the numbers. */
static enum vt_status account(struct sparse *engine, const struct vt_block *blocks, uint32_t count,
                              struct vt_error *error) {
  struct vt_engine_state *state = &engine->base.state;
  state->step++;
  state->loss_sum = 0;
  state->loss_pairs = 0;
  for (uint32_t b = 0; b < count; b++) {
    state->tokens += blocks[b].tokens;
    state->loss_sum += blocks[b].loss_sum;
    state->loss_pairs += blocks[b].loss_pairs;
  }
  state->step_squared = 0;
  state->rows_moved = state->rows_capped = 0;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    struct vt_merge_totals totals = vt_merger_totals(&engine->mergers[t]);
    if (totals.bad_row != VT_NO_SLOT) return fail_diverged(engine, t, totals.bad_row, state->step, error);
    state->step_squared += totals.step_squared;
    state->rows_moved += totals.moved;
    state->rows_capped += totals.capped;
  }
  return VT_OK;
}

static const struct vt_decay *decay_of(const struct sparse *engine) {
  return engine->base.options.l2 == 0 ? NULL : &engine->decay;
}

/* Merges the blocks, adds the decay, and brings the ledger along, if one is kept. */
static enum vt_status merge_blocks(struct sparse *engine, struct vt_error *error) {
  struct vt_ledger *ledger = engine->base.ledger;
  const struct vt_table *input = &engine->tables[VT_TABLE_INPUT];
  enum vt_status status = reserve_scratch(engine, engine->sets, engine->block_count, error);
  if (status == VT_OK && engine->exchange != NULL) status = vt_exchange_reserve(engine->exchange, error);
  if (engine->exchange == NULL) VT_TRY(status);
  if (ledger != NULL) vt_ledger_before_merge(ledger, engine->block_count, input, decay_of(engine));
  if (status == VT_OK) run_workers(engine, merge_shards);
  if (engine->exchange != NULL) VT_TRY(vt_exchange_rows(engine->exchange, status, error));
  if (ledger != NULL) run_workers(engine, take_ledger);
  add_decay(engine);
  add_anchor(engine);
  if (ledger == NULL) return VT_OK;
  vt_ledger_after_decay(ledger, input);
  return vt_ledger_check(ledger, error);
}

/* A replica's supersteps; of another rank's, only the text is passed over. */
static enum vt_status train_replica(struct sparse *engine, uint32_t replica, bool own, struct vt_error *error) {
  struct vt_block *sum = &engine->replicas.blocks[replica];
  enum vt_status status = VT_OK;
  engine->replica = replica;
  if (own) vt_replicas_begin(&engine->replicas, replica);
  for (uint32_t k = 0; k < engine->base.options.sync_every && engine->base.state.position < engine->base.entries; k++) {
    lay_out_blocks(engine);
    if (replica == 0 && k == 0) engine->first_lr = engine->base.state.lr;
    if (!own || status != VT_OK) continue;
    engine->own_end = engine->block_count;
    run_workers(engine, train_blocks);
    status = reserve_scratch(engine, engine->sets, engine->block_count, error);
    if (status != VT_OK) continue;
    run_workers(engine, merge_superstep_of_replica);
    for (uint32_t b = 0; b < engine->block_count; b++) {
      sum->tokens += engine->blocks[b].tokens;
      sum->loss_sum += engine->blocks[b].loss_sum;
      sum->loss_pairs += engine->blocks[b].loss_pairs;
    }
    for (int t = 0; t < VT_TABLE_COUNT && status == VT_OK; t++) {
      uint32_t bad_row = vt_merger_totals(&engine->mergers[t]).bad_row;
      if (bad_row != VT_NO_SLOT) status = fail_diverged(engine, t, bad_row, engine->base.state.step + 1, error);
    }
  }
  if (!own) return VT_OK;
  vt_replicas_lay_out(&engine->replicas, replica);
  run_workers(engine, put_aside);
  return status;
}

static enum vt_status join_replicas(struct sparse *engine, enum vt_status status, struct vt_error *error) {
  struct vt_replicas *replicas = &engine->replicas;
  if (engine->exchange != NULL) {
    if (status == VT_OK) run_workers(engine, pack_replicas);
    VT_TRY(vt_exchange_blocks(engine->exchange, status, error));
  }
  VT_TRY(status);
  status = reserve_scratch(engine, replicas->sets, replicas->count, error);
  if (status == VT_OK && engine->exchange != NULL) status = vt_exchange_reserve(engine->exchange, error);
  if (status == VT_OK) run_workers(engine, join_shards);
  return engine->exchange == NULL ? status : vt_exchange_rows(engine->exchange, status, error);
}

static enum vt_status one_round(struct sparse *engine, struct vt_error *error) {
  struct vt_replicas *replicas = &engine->replicas;
  uint32_t begin = replicas->own_begin, end = replicas->own_end;
  enum vt_status status = VT_OK;
  engine->own_begin = 0;
  engine->paid_is_current = false;
  if (engine->exchange != NULL)
    vt_exchange_begin(engine->exchange, engine->base.state.step + 1, replicas->count, &begin, &end);
  for (uint32_t r = 0; r < replicas->count; r++) {
    bool own = r >= begin && r < end && status == VT_OK;
    enum vt_status trained = train_replica(engine, r, own, error);
    if (trained != VT_OK) status = trained;
  }
  engine->base.state.lr = engine->first_lr;
  VT_TRY(join_replicas(engine, status, error));
  engine->base.state.epoch_ended = engine->base.state.position == engine->base.entries;
  return account(engine, replicas->blocks, replicas->count, error);
}

static enum vt_status one_superstep(struct sparse *engine, struct vt_error *error) {
  lay_out_blocks(engine);
  for (int t = 0; t < VT_TABLE_COUNT; t++) engine->mergers[t].rate = (float)engine->base.state.lr;
  engine->own_begin = 0;
  engine->own_end = engine->block_count;
  if (engine->exchange != NULL)
    vt_exchange_begin(engine->exchange, engine->base.state.step + 1, engine->block_count, &engine->own_begin,
                      &engine->own_end);
  run_workers(engine, train_blocks);
  if (engine->exchange != NULL) VT_TRY(vt_exchange_blocks(engine->exchange, VT_OK, error));
  VT_TRY(merge_blocks(engine, error));
  engine->base.state.epoch_ended = engine->base.state.position == engine->base.entries;
  return account(engine, engine->blocks, engine->block_count, error);
}

/* What ends a superstep early ends it on all ranks. */
static enum vt_status superstep(struct vt_engine *base, struct vt_error *error) {
  struct sparse *engine = (struct sparse *)base;
  if (engine->base.state.epoch_ended) {
    engine->base.state.epoch++;
    engine->base.state.position = 0;
  }
  enum vt_status status = base->options.replicas > 0 ? one_round(engine, error) : one_superstep(engine, error);
  if (status != VT_OK) vt_exchange_over(engine->exchange);
  return status;
}

/* ---- with other ranks ------------------------------------------------------------------------------------------ */

static enum vt_status collect(struct vt_engine *base, struct vt_error *error) {
  return vt_exchange_collect(((struct sparse *)base)->exchange, error);
}

static enum vt_status stop(struct vt_engine *base, struct vt_error *error) {
  return vt_exchange_stop(((struct sparse *)base)->exchange, error);
}

static enum vt_status wait_for_zero(struct vt_engine *base, struct vt_error *error) {
  return vt_exchange_wait(((struct sparse *)base)->exchange, error);
}

/* ---- looking in ------------------------------------------------------------------------------------------------ */

/* Copies the tables with all decay applied. */
static void pay_rows(void *context, int worker) {
  struct sparse *engine = context;
  (void)worker;
  uint32_t rows = engine->tables[0].rows, tasks = (rows + ROWS_A_TASK - 1) / ROWS_A_TASK;
  for (;;) {
    uint32_t task = atomic_fetch_add_explicit(&engine->next_task, 1, memory_order_relaxed);
    if (task >= tasks * VT_TABLE_COUNT) return;
    int t = (int)(task / tasks);
    uint32_t first = task % tasks * ROWS_A_TASK, end = rows - first < ROWS_A_TASK ? rows : first + ROWS_A_TASK;
    for (uint32_t row = first; row < end; row++) {
      float owed = vt_decay_owed(&engine->decay, t, row), *to = vt_table_row(&engine->paid[t], row);
      const float *from = vt_table_row(&engine->tables[t], row);
      for (size_t k = 0; k < engine->tables[t].width; k++) to[k] = owed * from[k];
    }
  }
}

/* What observers see of the tables: themselves, or the copy with all decay applied, made when first asked for. */
static const struct vt_table *seen_tables(struct sparse *engine) {
  if (engine->base.options.l2 == 0) return engine->tables;
  if (!engine->paid_is_current) run_workers(engine, pay_rows);
  engine->paid_is_current = true;
  return engine->paid;
}

static const struct vt_table *table(struct vt_engine *base, enum vt_table_role role) {
  return &seen_tables((struct sparse *)base)[role];
}

static struct vt_engine_part table_part(const char *name, const struct vt_table *table) {
  return (struct vt_engine_part){name,        VT_PART_F32, table->data,
                                 table->rows, table->dim,  table->width * sizeof *table->data};
}

static size_t parts(struct vt_engine *base, struct vt_engine_part parts[VT_ENGINE_PARTS_MAX]) {
  struct sparse *engine = (struct sparse *)base;
  static const char *const names[VT_TABLE_COUNT] = {"input", "output"};
  static const char *const squares_names[VT_TABLE_COUNT] = {"input_squares", "output_squares"};
  static const char *const paid_names[VT_TABLE_COUNT] = {"input_paid", "output_paid"};
  struct vt_engine_part *at = parts;
  for (int t = 0; t < VT_TABLE_COUNT; t++) *at++ = table_part(names[t], &engine->tables[t]);
  for (int t = 0; t < VT_TABLE_COUNT && engine->base.options.optimizer == VT_OPTIMIZER_ADAGRAD; t++)
    *at++ = table_part(squares_names[t], &engine->squares[t]);
  if (engine->base.options.l2 == 0) return (size_t)(at - parts);
  *at++ = (struct vt_engine_part){"decay_product", VT_PART_F64, &engine->decay.product, 1, 1, sizeof(double)};
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    *at++ = (struct vt_engine_part){paid_names[t],      VT_PART_F64, engine->decay.paid[t],
                                    engine->decay.rows, 1,           sizeof(double)};
  return (size_t)(at - parts);
}

static void resumed(struct vt_engine *base) {
  struct sparse *engine = (struct sparse *)base;
  engine->paid_is_current = false;
  for (int t = 0; t < VT_TABLE_COUNT && base->options.replicas > 0; t++)
    for (uint32_t row = 0; row < engine->tables[t].rows; row++) vt_replicas_settle(&engine->replicas, t, row);
}

static enum vt_status started(struct vt_engine *base, const uint32_t *frozen, size_t count, struct vt_error *error) {
  struct sparse *engine = (struct sparse *)base;
  const struct vt_tuning_options *tuning = &base->options.tuning;
  if (base->options.loss != VT_LOSS_NEGATIVE_SAMPLING)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "train the run with --loss ns",
                        "hierarchical softmax predicts along a tree of its text's counts, which other text does not "
                        "have");
  const struct vt_anchor_options options = {.mu = tuning->anchor,
                                            .freeze = {tuning->freeze_input, tuning->freeze_output},
                                            .rows = frozen,
                                            .row_count = count};
  VT_TRY(vt_anchor_init(&engine->anchor, engine->tables, &options, error));
  engine->setup.frozen = vt_anchor_freezes(&engine->anchor) ? &engine->anchor : NULL;
  base->held = vt_anchor_holds(&engine->anchor);
  engine->paid_is_current = false;
  return VT_OK;
}

static struct vt_probe_result probe(struct vt_engine *base) {
  struct sparse *engine = (struct sparse *)base;
  return vt_probe_measure(engine->probe, seen_tables(engine), engine->pool);
}

static double held_out_loss(struct vt_engine *base) {
  struct sparse *engine = (struct sparse *)base;
  return vt_probe_loss(engine->held_out_probe, seen_tables(engine), engine->pool);
}

static enum vt_status keep_ledger(struct vt_engine *base, const struct vt_ledger_options *options,
                                  struct vt_error *error) {
  struct sparse *engine = (struct sparse *)base;
  uint32_t blocks = engine->base.options.blocks, capacity = engine->blocks[0].sets[VT_TABLE_INPUT].capacity;
  VT_TRY(vt_ledger_create(options, &engine->tables[VT_TABLE_INPUT], blocks, capacity, &base->ledger, error));
  engine->setup.ledger = base->ledger;
  for (uint32_t b = 0; b < blocks; b++) engine->blocks[b].ledger = vt_ledger_block(base->ledger, b);
  return VT_OK;
}

static enum vt_status close_ledger(struct vt_engine *base, vt_ledger_visit *visit, void *context,
                                   struct vt_error *error) {
  struct sparse *engine = (struct sparse *)base;
  const struct vt_table *input = &engine->tables[VT_TABLE_INPUT];
  if (base->state.step == 0) return vt_ledger_start(base->ledger, input, visit, context, error);
  return vt_ledger_close(base->ledger, input, decay_of(engine), visit, context, error);
}

static struct vt_pool *pool(const struct vt_engine *base) { return ((const struct sparse *)base)->pool; }

const struct vt_engine_type vt_engine_sparse = {
    .bytes = sizeof(struct sparse),
    .create = create,
    .free = release,
    .step = superstep,
    .parts = parts,
    .resumed = resumed,
    .started = started,
    .table = table,
    .probe = probe,
    .held_out_loss = held_out_loss,
    .keep_ledger = keep_ledger,
    .close_ledger = close_ledger,
    .pool = pool,
    .collect = collect,
    .stop = stop,
    .wait = wait_for_zero,
};
