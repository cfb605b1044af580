/* sparse_create.c: making and freeing the sparse engine. */
#include <inttypes.h>

#include "base/memory.h"
#include "train/sparse.h"
#include "train/window.h"

static size_t block_bytes(const struct vt_sparse *engine, const uint32_t capacities[VT_TABLE_COUNT]) {
  size_t bytes = 0;
  for (int t = 0; t < VT_TABLE_COUNT; t++) bytes += vt_working_set_bytes(&engine->tables[t], capacities[t]);
  return bytes;
}

/* Whole, or this machine's part of it. */
static struct vt_table take_table(const struct vt_sparse *engine, uint32_t rows, struct vt_arena *arena) {
  const struct vt_machine *machine = &engine->machine;
  int size = vt_ranks_size(machine->ranks);
  if (!engine->dealt) return vt_table_take(rows, engine->base.options.dim, arena);
  return vt_table_take_dealt(rows, engine->base.options.dim, vt_deal(VT_SHARDS, size, machine->begin),
                             vt_deal(VT_SHARDS, size, machine->end), arena);
}

/* Everything that the ranks of a machine share, in the same places on all of them. sets: what this rank's blocks copy
 * into; replicas train at the same time, so each rank has its own then. */
static void take_shared(struct vt_sparse *engine, const uint32_t capacities[VT_TABLE_COUNT], struct vt_arena *arena,
                        unsigned char **sets) {
  const struct vt_train_options *options = &engine->base.options;
  uint32_t rows = (uint32_t)vt_vocab_size(engine->base.vocab);
  int ranks = options->replicas > 0 ? vt_machine_ranks(&engine->machine) : 1;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    engine->tables[t] = take_table(engine, rows, arena);
    if (options->optimizer == VT_OPTIMIZER_ADAGRAD) engine->squares[t] = take_table(engine, rows, arena);
  }
  if (options->l2 != 0) vt_decay_take(&engine->decay, rows, arena);
  for (int rank = 0; rank < ranks; rank++) {
    unsigned char *memory = vt_arena_take(arena, options->blocks * block_bytes(engine, capacities));
    if (ranks == 1 || rank == engine->machine.order - engine->machine.begin) *sets = memory;
  }
  if (options->replicas > 0) vt_replicas_take(&engine->replicas, arena);
  if (engine->machine.ranks != NULL)
    vt_exchange_lay_out(&engine->common, &engine->machine, options->replicas > 0 ? options->replicas : options->blocks,
                        arena);
}

/* Collective. */
static enum vt_status create_shared(struct vt_sparse *engine, struct vt_error *error) {
  const struct vt_train_options *options = &engine->base.options;
  uint32_t capacities[VT_TABLE_COUNT];
  unsigned char *sets = NULL;
  struct vt_arena arena = {0};
  engine->objective->capacities(options, vt_block_entries_max(options->block_tokens), capacities);
  take_shared(engine, capacities, &arena, &sets);
  enum vt_status status = vt_machine_share(&engine->machine, arena.used, &engine->memory, error);
  if (status == VT_ERROR_MEMORY)
    return VT_FAIL_HELP(error, status, "use smaller or fewer blocks, a smaller vocabulary or dimension",
                        "cannot allocate %zu bytes for the tables and %" PRIu32 " blocks of %zu bytes", arena.used,
                        options->blocks, block_bytes(engine, capacities));
  VT_TRY(status);
  arena = (struct vt_arena){.data = engine->memory.data};
  take_shared(engine, capacities, &arena, &sets);
  for (uint32_t b = 0; b < options->blocks; b++) {
    for (int t = 0; t < VT_TABLE_COUNT; t++) {
      vt_working_set_init(&engine->blocks[b].sets[t], &engine->tables[t], capacities[t], sets);
      engine->blocks[b].sets[t].from_elsewhere = engine->dealt;
      sets += vt_working_set_bytes(&engine->tables[t], capacities[t]);
    }
  }
  return VT_OK;
}

/* This rank's share of the start. The output table starts at zero, as in word2vec. */
static void start_rows(struct vt_sparse *engine) {
  struct vt_table *input = &engine->tables[VT_TABLE_INPUT];
  uint32_t begin, end;
  vt_sparse_share_of_rows(engine, &begin, &end);
  for (uint32_t row = begin; row < end; row++)
    if (vt_table_holds(input, row))
      vt_table_start_row(engine->base.options.seed, row, input->dim, vt_table_held_row(input, row));
  if (engine->base.options.l2 != 0) vt_decay_start(&engine->decay, begin, end);
}

void vt_sparse_share_of_rows(const struct vt_sparse *engine, uint32_t *begin, uint32_t *end) {
  const struct vt_machine *machine = &engine->machine;
  int place = machine->order - machine->begin;
  *begin = vt_deal(engine->tables[0].rows, vt_machine_ranks(machine), place);
  *end = vt_deal(engine->tables[0].rows, vt_machine_ranks(machine), place + 1);
}

static enum vt_status create_mergers(struct vt_sparse *engine, struct vt_error *error) {
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    VT_TRY(vt_merger_init(&engine->mergers[t], &engine->tables[t], engine->setup.kernel, error));
    if (engine->base.options.optimizer == VT_OPTIMIZER_ADAGRAD) engine->mergers[t].squares = &engine->squares[t];
    if (engine->base.options.l2 == 0) continue;
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
  uint32_t count = engine->base.options.blocks;
  engine->blocks = vt_alloc_zero(count, sizeof *engine->blocks);
  if (engine->blocks == NULL) return VT_FAIL_MEMORY(error, count * sizeof *engine->blocks);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    engine->sets[t] = vt_alloc(count, sizeof *engine->sets[t]);
    if (engine->sets[t] == NULL) return VT_FAIL_MEMORY(error, count * sizeof *engine->sets[t]);
    for (uint32_t b = 0; b < count; b++) engine->sets[t][b] = &engine->blocks[b].sets[t];
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
  const struct vt_machine *machine = &engine->machine;
  if (options->replicas == 0) return VT_OK;
  int size = vt_ranks_size(options->ranks);
  return vt_replicas_init(&engine->replicas, engine->tables, options->replicas,
                          vt_deal(options->replicas, size, machine->begin),
                          vt_deal(options->replicas, size, machine->end), options->threads, error);
}

static enum vt_status create_exchange(struct vt_sparse *engine, struct vt_error *error) {
  const struct vt_train_options *options = &engine->base.options;
  if (engine->machine.ranks == NULL) return VT_OK;
  struct vt_replicas *replicas = &engine->replicas;
  const bool apart = options->replicas > 0;
  struct vt_exchange_parts parts = {
      .machine = &engine->machine,
      .common = engine->common,
      .blocks = apart ? replicas->blocks : engine->blocks,
      .blocks_max = apart ? replicas->count : options->blocks,
      .tables = engine->tables,
      .squares = options->optimizer == VT_OPTIMIZER_ADAGRAD ? engine->squares : NULL,
      .decay = options->l2 == 0 ? NULL : &engine->decay,
      .replicas = apart ? replicas : NULL,
      .mergers = engine->mergers,
      .dealt = engine->dealt,
      .views = engine->views[0].data == NULL ? NULL : engine->views,
  };
  for (int t = 0; t < VT_TABLE_COUNT; t++) parts.sets[t] = apart ? replicas->sets[t] : engine->sets[t];
  return vt_exchange_create(&parts, &engine->exchange, error);
}

static enum vt_status create_probes(struct vt_sparse *engine, struct vt_error *error) {
  const struct vt_engine *base = &engine->base;
  struct vt_objective_setup *setup = &engine->setup;
  uint64_t tokens = vt_vocab_tokens(base->vocab);
  if (base->held_out.count > 0) {
    setup->held_out = &base->held_out;
    VT_TRY(vt_probe_create(base->ids, base->entries, tokens, true, setup, 0, &engine->held_out_probe, error));
  }
  VT_TRY(vt_probe_create(base->ids, base->entries, tokens, false, setup, base->options.threads, &engine->probe, error));
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
  VT_TRY(create_blocks(engine, error));
  return create_workers(engine, error);
}

/* Of what is shared there is a piece for each rank to see to; all is there when all have agreed. */
enum vt_status vt_sparse_join(struct vt_engine *base, struct vt_error *error) {
  struct vt_sparse *engine = (struct vt_sparse *)base;
  struct vt_ranks *ranks = vt_ranks_size(base->options.ranks) > 1 ? base->options.ranks : NULL;
  VT_TRY(vt_machine_find(ranks, &engine->machine, error));
  engine->dealt = base->options.deal_tables && engine->machine.machines > 1;
  /* The tables' shape is known before their place is. */
  struct vt_arena measure = {0};
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    engine->tables[t] = vt_table_take((uint32_t)vt_vocab_size(base->vocab), base->options.dim, &measure);
  enum vt_status status = create_replicas(engine, error);
  if (ranks != NULL) status = vt_ranks_agree(ranks, status, error);
  VT_TRY(status);
  VT_TRY(create_shared(engine, error));
  status = create_mergers(engine, error);
  if (status == VT_OK) status = vt_sparse_open_views(engine, error);
  if (status == VT_OK) status = create_exchange(engine, error);
  if (status == VT_OK) start_rows(engine);
  return ranks != NULL ? vt_ranks_agree(ranks, status, error) : status;
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
    vt_table_release(&engine->paid[t]);
  }
  vt_anchor_release(&engine->anchor);
  vt_exchange_free(engine->exchange);
  vt_sparse_close_views(engine);
  vt_replicas_release(&engine->replicas);
  vt_free(engine->blocks);
  vt_ledger_free(engine->base.ledger);
  vt_machine_unshare(&engine->machine, &engine->memory);
  vt_machine_release(&engine->machine);
  vt_probe_free(engine->probe);
  vt_probe_free(engine->held_out_probe);
  vt_noise_release(&engine->noise);
  vt_huffman_release(&engine->huffman);
  vt_free(engine->keep);
}
