/*
 * sparse_dealt.c: tables that are dealt to machines: the rows of a superstep are brought before it, and rank 0 sees the
 * whole tables, when it looks, in a file.
 *
 * The file has no name and lies below TMPDIR. What was looked at is no longer this process's memory afterwards; the
 * system keeps as much of it as it has room for.
 */
#include "train/sparse.h"

static size_t view_bytes(const struct vt_table *table) { return table->rows * table->width * sizeof(float); }

/* As all machines start. */
static void start_views(struct vt_sparse *engine) {
  struct vt_table *input = &engine->views[VT_TABLE_INPUT];
  for (uint32_t row = 0; row < input->rows; row++)
    vt_table_start_row(engine->base.options.seed, row, input->dim, vt_table_row(input, row));
  engine->views_are_current = engine->squares_are_current = true;
}

enum vt_status vt_sparse_open_views(struct vt_sparse *engine, struct vt_error *error) {
  engine->view_file.descriptor = -1;
  if (!engine->dealt || vt_ranks_rank(engine->base.options.ranks) != 0) return VT_OK;
  const size_t count = engine->base.options.optimizer == VT_OPTIMIZER_ADAGRAD ? 2 * VT_TABLE_COUNT : VT_TABLE_COUNT;
  const struct vt_table *table = &engine->tables[VT_TABLE_INPUT];
  void *data;
  VT_TRY(vt_scratch_open(NULL, &engine->view_file, error));
  VT_TRY(vt_scratch_room(&engine->view_file, count * view_bytes(table), &data, error));
  for (size_t k = 0; k < count; k++) {
    engine->views[k] = (struct vt_table){.rows = table->rows, .dim = table->dim, .width = table->width};
    engine->views[k].data = (float *)data + k * table->rows * table->width;
  }
  start_views(engine);
  return VT_OK;
}

void vt_sparse_close_views(struct vt_sparse *engine) {
  if (engine->dealt && engine->view_file.folder != NULL) vt_scratch_release(&engine->view_file);
}

void vt_sparse_look(struct vt_sparse *engine, bool squares) {
  if ((engine->views_are_current && (!squares || engine->squares_are_current)) || engine->lost.status != VT_OK) return;
  struct vt_error error;
  if (vt_exchange_collect(engine->exchange, squares, &error) != VT_OK) {
    engine->lost = error;
    return;
  }
  engine->views_are_current = true;
  engine->squares_are_current = engine->squares_are_current || squares;
}

void vt_sparse_look_away(struct vt_sparse *engine) {
  if (engine->views_are_current) vt_scratch_forget(&engine->view_file, 0, engine->view_file.bytes);
  engine->views_are_current = engine->squares_are_current = false;
}

static void plan_blocks(void *context, int worker) {
  struct vt_sparse *engine = context;
  for (;;) {
    uint32_t b = engine->own_begin + vt_sparse_next(engine);
    if (b >= engine->own_end) return;
    struct vt_block *block = &engine->blocks[b];
    const struct vt_rng rng = block->rng;
    for (int t = 0; t < VT_TABLE_COUNT; t++) vt_working_set_clear(&block->sets[t]);
    engine->objective->plan(&engine->setup, engine->scratch[worker], block);
    for (int t = 0; t < VT_TABLE_COUNT; t++) vt_working_set_sort(&block->sets[t]);
    block->rng = rng;
    block->tokens = 0;
  }
}

enum vt_status vt_sparse_fetch(struct vt_sparse *engine, struct vt_error *error) {
  enum vt_status local = engine->lost.status;
  if (local != VT_OK) *error = engine->lost;
  if (local == VT_OK) vt_sparse_run(engine, plan_blocks);
  return vt_exchange_fetch(engine->exchange, engine->pool, local, error);
}
