/* sparse.c: the sparse engine's supersteps. The order of everything that reaches a table or a reported number is fixed
 * by block, shard and row numbers; threads only choose who works. */
#include "train/sparse.h"

/* ---- one superstep --------------------------------------------------------------------------------------------- */

void vt_sparse_lay_out(struct vt_sparse *engine) {
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

void vt_sparse_train_blocks(void *context, int worker) {
  struct vt_sparse *engine = context;
  for (;;) {
    uint32_t b = engine->own_begin + vt_sparse_next(engine);
    if (b >= engine->own_end) return;
    struct vt_block *block = &engine->blocks[b];
    for (int t = 0; t < VT_TABLE_COUNT && !engine->dealt; t++) vt_working_set_clear(&block->sets[t]);
    engine->objective->block(&engine->setup, engine->scratch[worker], block);
    for (int t = 0; t < VT_TABLE_COUNT; t++) vt_working_set_sort(&block->sets[t]);
    if (engine->exchange != NULL && engine->base.options.replicas == 0) vt_exchange_pack(engine->exchange, b);
  }
}

static void merge_shards(void *context, int worker) {
  struct vt_sparse *engine = context;
  uint32_t first = 0, end = VT_SHARDS;
  if (engine->exchange != NULL) vt_exchange_shards(engine->exchange, &first, &end);
  for (;;) {
    uint32_t task = vt_sparse_next(engine);
    if (task >= (end - first) * VT_TABLE_COUNT) return;
    uint32_t t = task / (end - first), shard = first + task % (end - first);
    vt_merger_shard(&engine->mergers[t], engine->merger_scratch[worker], engine->sets[t], engine->block_count, shard);
    if (engine->exchange != NULL) vt_exchange_merged(engine->exchange, (int)t, shard, engine->merger_scratch[worker]);
  }
}

static void take_ledger(void *context, int worker) {
  struct vt_sparse *engine = context;
  (void)worker;
  bool adagrad = engine->base.options.optimizer == VT_OPTIMIZER_ADAGRAD;
  for (;;) {
    uint32_t k = vt_sparse_next(engine);
    if (k >= vt_ledger_words(engine->base.ledger)) return;
    vt_ledger_take(engine->base.ledger, k, engine->block_count, &engine->tables[VT_TABLE_INPUT],
                   adagrad ? &engine->squares[VT_TABLE_INPUT] : NULL);
  }
}

void vt_sparse_run(struct vt_sparse *engine, vt_pool_work *work) {
  atomic_store_explicit(&engine->own_tasks, 0, memory_order_relaxed);
  engine->tasks = &engine->own_tasks;
  vt_pool_run(engine->pool, work, engine);
}

void vt_sparse_run_together(struct vt_sparse *engine, vt_pool_work *work, enum vt_exchange_phase phase) {
  atomic_uint *counter = engine->exchange == NULL ? NULL : vt_exchange_counter(engine->exchange, phase);
  if (counter == NULL) {
    vt_sparse_run(engine, work);
    return;
  }
  engine->tasks = counter;
  vt_pool_run(engine->pool, work, engine);
}

enum vt_status vt_sparse_reserve(struct vt_sparse *engine, const struct vt_working_set **const sets[VT_TABLE_COUNT],
                                 uint32_t count, struct vt_error *error) {
  for (int worker = 0; worker < engine->base.options.threads; worker++)
    for (int t = 0; t < VT_TABLE_COUNT; t++)
      VT_TRY(vt_merger_scratch_reserve(engine->merger_scratch[worker], sets[t], count, error));
  return VT_OK;
}

/* Every word of the superstep has shrunk every row by its block's rate. The ranks of a machine share out the renewal of
 * the books, and nobody reads them before all have done. */
static enum vt_status add_decay(struct vt_sparse *engine, struct vt_error *error) {
  engine->paid_is_current = false;
  if (engine->base.options.l2 == 0) return VT_OK;
  for (uint32_t b = 0; b < engine->block_count; b++)
    vt_decay_add(&engine->decay, (double)engine->blocks[b].rate, engine->base.options.l2, engine->blocks[b].tokens);
  if (!vt_decay_is_due(&engine->decay)) return VT_OK;
  uint32_t begin, end;
  vt_sparse_share_of_rows(engine, &begin, &end);
  vt_decay_renew(&engine->decay, engine->tables, begin, end);
  engine->decay.product = 1;
  return vt_machine_meet(&engine->machine, error);
}

#define ROWS_A_TASK 1024

/* One of the tables, for work that is shared out by rows. */
struct rows {
  struct vt_sparse *engine;
  int table;
};

static void share_rows(struct vt_sparse *engine, vt_pool_range *range) {
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    vt_pool_share(engine->pool, engine->tables[t].rows, ROWS_A_TASK, range, &(struct rows){engine, t});
}

static void pull_rows(void *context, size_t begin, size_t end) {
  const struct rows *rows = context;
  vt_anchor_pull(&rows->engine->anchor, rows->table, (uint32_t)begin, (uint32_t)end, rows->engine->pull);
}

/* Every word of the superstep has drawn every row towards its start, by its block's rate. */
static void add_anchor(struct vt_sparse *engine) {
  const double mu = engine->base.options.tuning.anchor;
  if (mu == 0 || !vt_anchor_holds(&engine->anchor)) return;
  engine->pull = 1;
  for (uint32_t b = 0; b < engine->block_count; b++)
    engine->pull *= vt_decay_factor((double)engine->blocks[b].rate, mu, engine->blocks[b].tokens);
  share_rows(engine, pull_rows);
}

enum vt_status vt_sparse_fail_diverged(const struct vt_sparse *engine, int table, uint32_t row, uint64_t step,
                                       struct vt_error *error) {
  return VT_FAIL_HELP(error, VT_ERROR_DIVERGED, "use a smaller learning rate (--lr)",
                      "training diverged at step %llu: the %s vector of \"%s\" is no longer finite",
                      (unsigned long long)step, table == VT_TABLE_INPUT ? "input" : "output",
                      vt_vocab_text(engine->base.vocab, row));
}

enum vt_status vt_sparse_account(struct vt_sparse *engine, const struct vt_block *blocks, uint32_t count,
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
    if (totals.bad_row != VT_NO_SLOT) return vt_sparse_fail_diverged(engine, t, totals.bad_row, state->step, error);
    state->step_squared += totals.step_squared;
    state->rows_moved += totals.moved;
    state->rows_capped += totals.capped;
  }
  return VT_OK;
}

static const struct vt_decay *decay_of(const struct vt_sparse *engine) {
  return engine->base.options.l2 == 0 ? NULL : &engine->decay;
}

/* Merges the blocks, adds the decay, and brings the ledger along, if one is kept. */
static enum vt_status merge_blocks(struct vt_sparse *engine, struct vt_error *error) {
  struct vt_ledger *ledger = engine->base.ledger;
  const struct vt_table *input = &engine->tables[VT_TABLE_INPUT];
  enum vt_status status = vt_sparse_reserve(engine, engine->sets, engine->block_count, error);
  if (status == VT_OK && engine->exchange != NULL) status = vt_exchange_reserve(engine->exchange, error);
  if (engine->exchange == NULL) VT_TRY(status);
  if (ledger != NULL) vt_ledger_before_merge(ledger, engine->block_count, input, decay_of(engine));
  if (status == VT_OK) vt_sparse_run_together(engine, merge_shards, VT_EXCHANGE_SHARDS);
  if (engine->exchange != NULL) VT_TRY(vt_exchange_rows(engine->exchange, status, error));
  if (ledger != NULL) vt_sparse_run(engine, take_ledger);
  VT_TRY(add_decay(engine, error));
  add_anchor(engine);
  if (ledger == NULL) return VT_OK;
  vt_ledger_after_decay(ledger, input);
  return vt_ledger_check(ledger, error);
}

static enum vt_status one_superstep(struct vt_sparse *engine, struct vt_error *error) {
  vt_sparse_lay_out(engine);
  for (int t = 0; t < VT_TABLE_COUNT; t++) engine->mergers[t].rate = (float)engine->base.state.lr;
  engine->own_begin = 0;
  engine->own_end = engine->block_count;
  if (engine->exchange != NULL)
    vt_exchange_begin(engine->exchange, engine->base.state.step + 1, engine->block_count, &engine->own_begin,
                      &engine->own_end);
  if (engine->dealt) {
    vt_sparse_look_away(engine);
    VT_TRY(vt_sparse_fetch(engine, error));
  }
  vt_sparse_run_together(engine, vt_sparse_train_blocks, VT_EXCHANGE_BLOCKS);
  if (engine->exchange != NULL) VT_TRY(vt_exchange_blocks(engine->exchange, VT_OK, error));
  VT_TRY(merge_blocks(engine, error));
  engine->base.state.epoch_ended = engine->base.state.position == engine->base.entries;
  return vt_sparse_account(engine, engine->blocks, engine->block_count, error);
}

/* What ends a superstep early ends it on all ranks. */
static enum vt_status superstep(struct vt_engine *base, struct vt_error *error) {
  struct vt_sparse *engine = (struct vt_sparse *)base;
  if (engine->base.state.epoch_ended) {
    engine->base.state.epoch++;
    engine->base.state.position = 0;
  }
  enum vt_status status = base->options.replicas > 0 ? vt_sparse_round(engine, error) : one_superstep(engine, error);
  if (status != VT_OK) vt_exchange_over(engine->exchange);
  return status;
}

/* ---- with other ranks ------------------------------------------------------------------------------------------ */

static enum vt_status collect(struct vt_engine *base, struct vt_error *error) {
  struct vt_sparse *engine = (struct vt_sparse *)base;
  if (!engine->dealt) return vt_exchange_collect(engine->exchange, true, error);
  vt_sparse_look(engine, true);
  if (engine->lost.status != VT_OK) *error = engine->lost;
  return engine->lost.status;
}

static enum vt_status stop(struct vt_engine *base, struct vt_error *error) {
  return vt_exchange_stop(((struct vt_sparse *)base)->exchange, error);
}

/* What a machine shares goes to the first of its ranks; the one number that it does not, to all. */
static enum vt_status spread(struct vt_engine *base, struct vt_error *error) {
  struct vt_sparse *engine = (struct vt_sparse *)base;
  struct vt_engine_part parts[VT_ENGINE_PARTS_MAX];
  if (engine->dealt) return vt_exchange_deal(engine->exchange, error);
  size_t count = vt_engine_parts(base, parts);
  for (size_t k = 0; k < count; k++) {
    size_t bytes = (size_t)parts[k].rows * parts[k].stride_bytes;
    VT_TRY(parts[k].data == &engine->decay.product
               ? vt_ranks_broadcast(base->options.ranks, parts[k].data, bytes, error)
               : vt_machine_spread(&engine->machine, parts[k].data, bytes, error));
  }
  return VT_OK;
}

static enum vt_status wait_for_zero(struct vt_engine *base, struct vt_error *error) {
  return vt_exchange_wait(((struct vt_sparse *)base)->exchange, error);
}

/* ---- looking in ------------------------------------------------------------------------------------------------ */

/* Copies the tables with all decay applied. */
static void pay_rows(void *context, size_t begin, size_t end) {
  const struct rows *rows = context;
  const struct vt_sparse *engine = rows->engine;
  for (size_t row = begin; row < end; row++) {
    float owed = vt_decay_owed(&engine->decay, rows->table, (uint32_t)row);
    float *to = vt_table_row(&engine->paid[rows->table], (uint32_t)row);
    const float *from = vt_table_row(&engine->tables[rows->table], (uint32_t)row);
    for (size_t k = 0; k < engine->tables[rows->table].width; k++) to[k] = owed * from[k];
  }
}

/* What observers see of the tables: themselves, or the copy with all decay applied, or the views of tables that are
 * dealt, made when first asked for. */
static const struct vt_table *seen_tables(struct vt_sparse *engine) {
  if (engine->dealt) vt_sparse_look(engine, false);
  if (engine->base.options.l2 == 0) return engine->dealt ? engine->views : engine->tables;
  if (!engine->paid_is_current) share_rows(engine, pay_rows);
  engine->paid_is_current = true;
  return engine->paid;
}

static const struct vt_table *table(struct vt_engine *base, enum vt_table_role role) {
  return &seen_tables((struct vt_sparse *)base)[role];
}

static struct vt_engine_part table_part(const char *name, const struct vt_table *table) {
  return (struct vt_engine_part){name,        VT_PART_F32, table->data,
                                 table->rows, table->dim,  table->width * sizeof *table->data};
}

static size_t parts(struct vt_engine *base, struct vt_engine_part parts[VT_ENGINE_PARTS_MAX]) {
  struct vt_sparse *engine = (struct vt_sparse *)base;
  static const char *const names[VT_TABLE_COUNT] = {"input", "output"};
  static const char *const squares_names[VT_TABLE_COUNT] = {"input_squares", "output_squares"};
  static const char *const paid_names[VT_TABLE_COUNT] = {"input_paid", "output_paid"};
  struct vt_engine_part *at = parts;
  const struct vt_table *tables = engine->dealt ? engine->views : engine->tables;
  const struct vt_table *squares = engine->dealt ? engine->views + VT_TABLE_COUNT : engine->squares;
  for (int t = 0; t < VT_TABLE_COUNT; t++) *at++ = table_part(names[t], &tables[t]);
  for (int t = 0; t < VT_TABLE_COUNT && engine->base.options.optimizer == VT_OPTIMIZER_ADAGRAD; t++)
    *at++ = table_part(squares_names[t], &squares[t]);
  if (engine->base.options.l2 == 0) return (size_t)(at - parts);
  *at++ = (struct vt_engine_part){"decay_product", VT_PART_F64, &engine->decay.product, 1, 1, sizeof(double)};
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    *at++ = (struct vt_engine_part){paid_names[t],      VT_PART_F64, engine->decay.paid[t],
                                    engine->decay.rows, 1,           sizeof(double)};
  return (size_t)(at - parts);
}

static void resumed(struct vt_engine *base) {
  struct vt_sparse *engine = (struct vt_sparse *)base;
  engine->paid_is_current = false;
}

static enum vt_status started(struct vt_engine *base, const uint32_t *frozen, size_t count, struct vt_error *error) {
  struct vt_sparse *engine = (struct vt_sparse *)base;
  const struct vt_anchor_options options = vt_anchor_options_of(&base->options.tuning, frozen, count);
  VT_TRY(vt_anchor_init(&engine->anchor, engine->tables, &options, error));
  engine->setup.frozen = vt_anchor_freezes(&engine->anchor) ? &engine->anchor : NULL;
  base->held = vt_anchor_holds(&engine->anchor);
  engine->paid_is_current = false;
  return VT_OK;
}

static struct vt_probe_result probe(struct vt_engine *base) {
  struct vt_sparse *engine = (struct vt_sparse *)base;
  return vt_probe_measure(engine->probe, seen_tables(engine), engine->pool);
}

static double held_out_loss(struct vt_engine *base) {
  struct vt_sparse *engine = (struct vt_sparse *)base;
  return vt_probe_loss(engine->held_out_probe, seen_tables(engine), engine->pool);
}

static enum vt_status keep_ledger(struct vt_engine *base, const struct vt_ledger_options *options,
                                  struct vt_error *error) {
  struct vt_sparse *engine = (struct vt_sparse *)base;
  uint32_t blocks = engine->base.options.blocks, capacity = engine->blocks[0].sets[VT_TABLE_INPUT].capacity;
  VT_TRY(
      vt_ledger_create(options, &engine->tables[VT_TABLE_INPUT], base->kernel, blocks, capacity, &base->ledger, error));
  engine->setup.ledger = base->ledger;
  for (uint32_t b = 0; b < blocks; b++) engine->blocks[b].ledger = vt_ledger_block(base->ledger, b);
  return VT_OK;
}

static const struct vt_table *owing(const struct vt_engine *base, const struct vt_decay **decay) {
  const struct vt_sparse *engine = (const struct vt_sparse *)base;
  *decay = decay_of(engine);
  return &engine->tables[VT_TABLE_INPUT];
}

static struct vt_pool *pool(const struct vt_engine *base) { return ((const struct vt_sparse *)base)->pool; }

const struct vt_engine_type vt_engine_sparse = {
    .bytes = sizeof(struct vt_sparse),
    .create = vt_sparse_create,
    .join = vt_sparse_join,
    .free = vt_sparse_release,
    .step = superstep,
    .parts = parts,
    .resumed = resumed,
    .started = started,
    .table = table,
    .probe = probe,
    .held_out_loss = held_out_loss,
    .keep_ledger = keep_ledger,
    .owing = owing,
    .pool = pool,
    .collect = collect,
    .stop = stop,
    .wait = wait_for_zero,
    .spread = spread,
};
