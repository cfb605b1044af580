/* replicas.c: who reads and writes which table in a round, and the join, which goes through each shard once. */
#include "train/replicas.h"

#include "base/memory.h"

#define PREFETCH_AHEAD 3 /* rows */

enum vt_status vt_replicas_init(struct vt_replicas *replicas, struct vt_table *tables, uint32_t count,
                                uint32_t here_begin, uint32_t here_end, int workers, struct vt_error *error) {
  *replicas = (struct vt_replicas){.count = count, .here_begin = here_begin, .here_end = here_end, .tables = tables};
  size_t cells = (size_t)workers * count;
  replicas->blocks = vt_alloc_zero(count, sizeof *replicas->blocks);
  replicas->gathered = vt_alloc(cells, sizeof *replicas->gathered);
  replicas->cursors = vt_alloc(cells, sizeof *replicas->cursors);
  bool held = replicas->blocks != NULL && replicas->gathered != NULL && replicas->cursors != NULL;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    replicas->sets[t] = vt_alloc_zero(count, sizeof *replicas->sets[t]);
    replicas->moved[t] = vt_alloc_zero(count, sizeof *replicas->moved[t]);
    replicas->stamps[t] = vt_alloc_zero(count, sizeof *replicas->stamps[t]);
    held = held && replicas->sets[t] != NULL && replicas->moved[t] != NULL && replicas->stamps[t] != NULL;
  }
  if (held) return VT_OK;
  vt_replicas_release(replicas);
  return VT_FAIL_MEMORY(error, count * sizeof *replicas->blocks + cells * sizeof *replicas->gathered);
}

void vt_replicas_take(struct vt_replicas *replicas, struct vt_arena *arena) {
  for (uint32_t r = replicas->here_begin; r < replicas->here_end; r++) {
    for (int t = 0; t < VT_TABLE_COUNT; t++) {
      const struct vt_table *table = &replicas->tables[t];
      replicas->moved[t][r] = vt_table_take(table->rows, table->dim, arena);
      replicas->stamps[t][r] = vt_arena_take(arena, table->rows * sizeof *replicas->stamps[t][r]);
    }
  }
}

void vt_replicas_release(struct vt_replicas *replicas) {
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    vt_free(replicas->sets[t]);
    vt_free(replicas->moved[t]);
    vt_free(replicas->stamps[t]);
  }
  vt_free(replicas->blocks);
  vt_free(replicas->gathered);
  vt_free(replicas->cursors);
  *replicas = (struct vt_replicas){0};
}

/* ---- a round ----------------------------------------------------------------------------------------------------- */

void vt_replicas_begin(struct vt_replicas *replicas, uint32_t replica, struct vt_block *blocks, uint32_t block_count,
                       struct vt_merger mergers[VT_TABLE_COUNT]) {
  struct vt_block *sum = &replicas->blocks[replica];
  sum->tokens = sum->loss_pairs = 0;
  sum->loss_sum = 0;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    uint32_t *stamps = replicas->stamps[t][replica];
    struct vt_table *moved = &replicas->moved[t][replica];
    for (uint32_t b = 0; b < block_count; b++) {
      blocks[b].sets[t].stamps = stamps;
      blocks[b].sets[t].stamp = replicas->stamp;
      blocks[b].sets[t].moved = moved;
    }
    mergers[t].table = moved;
    mergers[t].start = &replicas->tables[t];
    mergers[t].stamps = stamps;
    mergers[t].stamp = replicas->stamp;
    mergers[t].cap = VT_MERGE_CAP;
    mergers[t].cap_share = VT_MERGE_CAP_SHARE;
  }
}

void vt_replicas_end(struct vt_replicas *replicas, struct vt_merger mergers[VT_TABLE_COUNT]) {
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    mergers[t].table = &replicas->tables[t];
    mergers[t].start = NULL;
    mergers[t].stamps = NULL;
    mergers[t].cap = VT_REPLICAS_CAP;
    mergers[t].cap_share = VT_REPLICAS_CAP_SHARE;
  }
}

/* ---- the join ---------------------------------------------------------------------------------------------------- */

static bool is_here(const struct vt_replicas *replicas, uint32_t replica) {
  return replica >= replicas->here_begin && replica < replicas->here_end;
}

/* What a replica made of a row; NULL: it has not moved it. */
static const float *find_copy(const struct vt_replicas *replicas, uint32_t replica, int table, uint32_t row,
                              uint32_t *cursor, uint32_t end) {
  if (is_here(replicas, replica)) {
    bool moved = replicas->stamps[table][replica][row] == replicas->stamp;
    return moved ? vt_table_row(&replicas->moved[table][replica], row) : NULL;
  }
  const struct vt_working_set *set = replicas->sets[table][replica];
  while (*cursor < end && set->ids[*cursor] < row) ++*cursor;
  return *cursor < end && set->ids[*cursor] == row ? vt_working_set_row(set, *cursor) : NULL;
}

/* Asks for a row and what the replicas of this machine made of it ahead of time: the join writes every row that any of
 * them moved, and would wait for each. */
static void prefetch_moved(const struct vt_replicas *replicas, int table, uint32_t row) {
  const struct vt_table *start = &replicas->tables[table];
  bool any = false;
  for (uint32_t r = replicas->here_begin; r < replicas->here_end; r++) {
    if (replicas->stamps[table][r][row] != replicas->stamp) continue;
    vt_prefetch_row(vt_table_row(&replicas->moved[table][r], row), start->width);
    any = true;
  }
  if (any) vt_prefetch_row(vt_table_row(start, row), start->width);
}

/* The row that a shard's walk over runs reaches PREFETCH_AHEAD rows later. */
static uint32_t row_ahead(uint32_t row) {
  const uint32_t ahead = row + PREFETCH_AHEAD;
  return ahead % VT_SHARD_RUN >= PREFETCH_AHEAD ? ahead : ahead - VT_SHARD_RUN + VT_SHARD_STRIDE;
}

void vt_replicas_join(struct vt_replicas *replicas, int worker, struct vt_merger *merger,
                      struct vt_merger_scratch *scratch, int table, uint32_t shard) {
  const uint32_t rows = replicas->tables[table].rows;
  const float **copies = replicas->gathered + (size_t)worker * replicas->count;
  uint32_t *cursors = replicas->cursors + (size_t)worker * replicas->count;
  for (uint32_t r = 0; r < replicas->count; r++)
    cursors[r] = is_here(replicas, r) ? 0 : replicas->sets[table][r]->shard_start[shard];
  vt_merger_begin(merger, shard);
  for (uint32_t begin = shard * VT_SHARD_RUN; begin < rows; begin += VT_SHARD_STRIDE) {
    for (uint32_t row = begin; row < begin + VT_SHARD_RUN && row < rows; row++) {
      size_t count = 0;
      if (row_ahead(row) < rows) prefetch_moved(replicas, table, row_ahead(row));
      for (uint32_t r = 0; r < replicas->count; r++) {
        uint32_t end = is_here(replicas, r) ? 0 : replicas->sets[table][r]->shard_start[shard + 1];
        copies[count] = find_copy(replicas, r, table, row, &cursors[r], end);
        count += copies[count] != NULL;
      }
      if (count > 0) vt_merger_add(merger, scratch, shard, row, copies, count);
    }
  }
}

/* ---- for the messages -------------------------------------------------------------------------------------------- */

/* ids and rows may be NULL: they are counted. */
static uint32_t walk(const struct vt_replicas *replicas, uint32_t replica, int table, uint32_t first, uint32_t end,
                     uint32_t *ids, float *data) {
  const struct vt_table *moved = &replicas->moved[table][replica];
  const uint32_t *stamps = replicas->stamps[table][replica];
  uint32_t count = 0;
  for (uint32_t shard = first; shard < end; shard++) {
    for (uint32_t begin = shard * VT_SHARD_RUN; begin < moved->rows; begin += VT_SHARD_STRIDE) {
      for (uint32_t row = begin; row < begin + VT_SHARD_RUN && row < moved->rows; row++) {
        if (stamps[row] != replicas->stamp) continue;
        if (ids != NULL) {
          ids[count] = row;
          memcpy(data + count * moved->width, vt_table_row(moved, row), moved->width * sizeof *data);
        }
        count++;
      }
    }
  }
  return count;
}

uint32_t vt_replicas_count(const struct vt_replicas *replicas, uint32_t replica, int table, uint32_t first,
                           uint32_t end) {
  return walk(replicas, replica, table, first, end, NULL, NULL);
}

void vt_replicas_copy(const struct vt_replicas *replicas, uint32_t replica, int table, uint32_t first, uint32_t end,
                      uint32_t *ids, float *rows) {
  walk(replicas, replica, table, first, end, ids, rows);
}
