/* sparse_create.c: making and freeing the sparse engine. */
#include <inttypes.h>

#include "base/memory.h"
#include "train/sparse.h"
#include "train/window.h"

static enum vt_status create_tables(struct vt_sparse *engine, struct vt_error *error) {
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

static enum vt_status create_decay(struct vt_sparse *engine, struct vt_error *error) {
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

static enum vt_status create_blocks(struct vt_sparse *engine, struct vt_error *error) {
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

static enum vt_status create_workers(struct vt_sparse *engine, struct vt_error *error) {
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

static enum vt_status create_replicas(struct vt_sparse *engine, struct vt_error *error) {
  const struct vt_train_options *options = &engine->base.options;
  if (options->replicas == 0) return VT_OK;
  int rank = vt_ranks_rank(options->ranks), size = vt_ranks_size(options->ranks);
  return vt_replicas_init(&engine->replicas, engine->tables, options->replicas, vt_deal(options->replicas, size, rank),
                          vt_deal(options->replicas, size, rank + 1), error);
}

static enum vt_status create_exchange(struct vt_sparse *engine, struct vt_error *error) {
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

static enum vt_status create_probes(struct vt_sparse *engine, struct vt_error *error) {
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

static enum vt_status create_parts(struct vt_sparse *engine, struct vt_error *error) {
  const struct vt_train_options *options = &engine->base.options;
  VT_TRY(vt_kernel_choose(options->kernel, &engine->setup.kernel, error));
  VT_TRY(vt_window_keep(options, engine->base.vocab, &engine->keep, error));
  if (options->loss == VT_LOSS_NEGATIVE_SAMPLING) {
    VT_TRY(vt_noise_init(&engine->noise, engine->base.vocab, options->noise_exponent, error));
    engine->setup.noise = &engine->noise;
  } else {
    const double *links = options->tuning.tree;
    const uint32_t words = (uint32_t)vt_vocab_size(engine->base.vocab);
    VT_TRY(links == NULL ? vt_huffman_init(&engine->huffman, engine->base.vocab, error)
                         : vt_huffman_from_links(&engine->huffman, words, links, error));
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

enum vt_status vt_sparse_create(struct vt_engine *base, struct vt_error *error) {
  struct vt_sparse *engine = (struct vt_sparse *)base;
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

void vt_sparse_release(struct vt_engine *base) {
  struct vt_sparse *engine = (struct vt_sparse *)base;
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
