/* sparse_rounds.c: replicas of the tables train apart, one after the other here, and are joined. */
#include "train/sparse.h"

static void merge_superstep_of_replica(void *context, int worker) {
  struct vt_sparse *engine = context;
  for (;;) {
    uint32_t task = vt_sparse_next(engine);
    if (task >= VT_SHARDS * VT_TABLE_COUNT) return;
    uint32_t t = task / VT_SHARDS, shard = task % VT_SHARDS;
    vt_merger_shard(&engine->mergers[t], engine->merger_scratch[worker], engine->sets[t], engine->block_count, shard);
  }
}

static void pack_replicas(void *context, int worker) {
  struct vt_sparse *engine = context;
  (void)worker;
  for (;;) {
    uint32_t r = engine->replica_begin + vt_sparse_next(engine);
    if (r >= engine->replica_end) return;
    vt_exchange_pack(engine->exchange, r);
  }
}

static void join_shards(void *context, int worker) {
  struct vt_sparse *engine = context;
  struct vt_replicas *replicas = &engine->replicas;
  struct vt_merger_scratch *scratch = engine->merger_scratch[worker];
  uint32_t first = 0, end = VT_SHARDS;
  if (engine->exchange != NULL) vt_exchange_shards(engine->exchange, &first, &end);
  for (;;) {
    uint32_t task = vt_sparse_next(engine);
    if (task >= (end - first) * VT_TABLE_COUNT) return;
    uint32_t t = task / (end - first), shard = first + task % (end - first);
    vt_replicas_join(replicas, worker, &engine->mergers[t], scratch, (int)t, shard);
    if (engine->exchange != NULL) vt_exchange_merged(engine->exchange, (int)t, shard, scratch);
  }
}

/* A replica's supersteps; of another rank's, only the text is passed over. */
static enum vt_status train_replica(struct vt_sparse *engine, uint32_t replica, bool own, struct vt_error *error) {
  struct vt_block *sum = &engine->replicas.blocks[replica];
  enum vt_status status = VT_OK;
  if (own) vt_replicas_begin(&engine->replicas, replica, engine->blocks, engine->base.options.blocks, engine->mergers);
  for (uint32_t k = 0; k < engine->base.options.sync_every && engine->base.state.position < engine->base.entries; k++) {
    vt_sparse_lay_out(engine);
    if (replica == 0 && k == 0) engine->first_lr = engine->base.state.lr;
    if (!own || status != VT_OK) continue;
    engine->own_begin = 0;
    engine->own_end = engine->block_count;
    vt_sparse_run(engine, vt_sparse_train_blocks);
    status = vt_sparse_reserve(engine, engine->sets, engine->block_count, error);
    if (status != VT_OK) continue;
    vt_sparse_run(engine, merge_superstep_of_replica);
    for (uint32_t b = 0; b < engine->block_count; b++) {
      sum->tokens += engine->blocks[b].tokens;
      sum->loss_sum += engine->blocks[b].loss_sum;
      sum->loss_pairs += engine->blocks[b].loss_pairs;
    }
    for (int t = 0; t < VT_TABLE_COUNT && status == VT_OK; t++) {
      uint32_t bad_row = vt_merger_totals(&engine->mergers[t]).bad_row;
      if (bad_row != VT_NO_SLOT)
        status = vt_sparse_fail_diverged(engine, t, bad_row, engine->base.state.step + 1, error);
    }
  }
  if (own) vt_replicas_end(&engine->replicas, engine->mergers);
  return status;
}

static enum vt_status join_replicas(struct vt_sparse *engine, enum vt_status status, struct vt_error *error) {
  if (engine->exchange != NULL) {
    if (status == VT_OK) vt_sparse_run(engine, pack_replicas);
    VT_TRY(vt_exchange_blocks(engine->exchange, status, error));
  }
  VT_TRY(status);
  for (int worker = 0; worker < engine->base.options.threads && status == VT_OK; worker++)
    status = vt_merger_scratch_reserve_rows(engine->merger_scratch[worker],
                                            vt_shard_rows(0, engine->tables[VT_TABLE_INPUT].rows), error);
  if (status == VT_OK && engine->exchange != NULL) status = vt_exchange_reserve(engine->exchange, error);
  if (status == VT_OK) vt_sparse_run_together(engine, join_shards, VT_EXCHANGE_SHARDS);
  return engine->exchange == NULL ? status : vt_exchange_rows(engine->exchange, status, error);
}

enum vt_status vt_sparse_round(struct vt_sparse *engine, struct vt_error *error) {
  struct vt_replicas *replicas = &engine->replicas;
  uint32_t begin = 0, end = replicas->count;
  enum vt_status status = VT_OK;
  engine->paid_is_current = false;
  replicas->stamp = (uint32_t)engine->base.state.step + 1;
  if (engine->exchange != NULL)
    vt_exchange_begin(engine->exchange, engine->base.state.step + 1, replicas->count, &begin, &end);
  engine->replica_begin = begin;
  engine->replica_end = end;
  for (uint32_t r = 0; r < replicas->count; r++) {
    bool own = r >= begin && r < end && status == VT_OK;
    enum vt_status trained = train_replica(engine, r, own, error);
    if (trained != VT_OK) status = trained;
  }
  engine->base.state.lr = engine->first_lr;
  VT_TRY(join_replicas(engine, status, error));
  engine->base.state.epoch_ended = engine->base.state.position == engine->base.entries;
  return vt_sparse_account(engine, replicas->blocks, replicas->count, error);
}
