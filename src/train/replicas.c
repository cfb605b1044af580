/* replicas.c: lists of touched rows by shard, so that threads share them and the merge finds them in its order. */
#include "train/replicas.h"

#include "base/memory.h"

static enum vt_status allocate_sets(struct vt_replicas *replicas, struct vt_error *error) {
  uint32_t rows = replicas->tables[0].rows;
  size_t bytes = 0;
  for (int t = 0; t < VT_TABLE_COUNT; t++) bytes += vt_working_set_bytes(&replicas->tables[t], rows);
  uint32_t own = replicas->own_end - replicas->own_begin;
  replicas->memory = vt_alloc_aligned_raw(own, bytes);
  if (replicas->memory == NULL) return VT_FAIL_MEMORY(error, own * bytes);
  unsigned char *memory = replicas->memory;
  for (uint32_t r = 0; r < replicas->count; r++) {
    for (int t = 0; t < VT_TABLE_COUNT; t++) {
      struct vt_working_set *set = &replicas->blocks[r].sets[t];
      replicas->sets[t][r] = set;
      if (r >= replicas->own_begin && r < replicas->own_end) {
        vt_working_set_init(set, &replicas->tables[t], rows, memory);
        memory += vt_working_set_bytes(&replicas->tables[t], rows);
      } else {
        *set = (struct vt_working_set){.table = &replicas->tables[t], .capacity = rows};
      }
    }
  }
  return VT_OK;
}

static enum vt_status allocate(struct vt_replicas *replicas, struct vt_error *error) {
  uint32_t rows = replicas->tables[0].rows;
  replicas->blocks = vt_alloc_zero(replicas->count, sizeof *replicas->blocks);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    VT_TRY(vt_table_init(&replicas->starts[t], rows, replicas->tables[t].dim, error));
    memcpy(replicas->starts[t].data, replicas->tables[t].data, rows * replicas->tables[t].width * sizeof(float));
    replicas->sets[t] = vt_alloc(replicas->count, sizeof(void *));
    replicas->touched[t] = vt_alloc_zero(rows, 1);
    replicas->lists[t] = vt_alloc(rows, sizeof(uint32_t));
    if (replicas->blocks == NULL || replicas->sets[t] == NULL || replicas->touched[t] == NULL ||
        replicas->lists[t] == NULL)
      return VT_FAIL_MEMORY(error, rows * (1 + sizeof(uint32_t)) + replicas->count * sizeof *replicas->blocks);
  }
  return allocate_sets(replicas, error);
}

enum vt_status vt_replicas_init(struct vt_replicas *replicas, struct vt_table *tables, uint32_t count,
                                uint32_t own_begin, uint32_t own_end, struct vt_error *error) {
  *replicas = (struct vt_replicas){.count = count, .own_begin = own_begin, .own_end = own_end, .tables = tables};
  for (uint32_t row = 0; row < tables[0].rows; row++) replicas->list_start[vt_shard_of(row) + 1]++;
  for (int shard = 0; shard < VT_SHARDS; shard++) replicas->list_start[shard + 1] += replicas->list_start[shard];
  return allocate(replicas, error);
}

void vt_replicas_release(struct vt_replicas *replicas) {
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    vt_table_release(&replicas->starts[t]);
    vt_free(replicas->sets[t]);
    vt_free(replicas->touched[t]);
    vt_free(replicas->lists[t]);
  }
  vt_free(replicas->blocks);
  vt_free_aligned(replicas->memory);
  *replicas = (struct vt_replicas){0};
}

void vt_replicas_begin(struct vt_replicas *replicas, uint32_t replica) {
  struct vt_block *block = &replicas->blocks[replica];
  block->tokens = block->loss_pairs = 0;
  block->loss_sum = 0;
  memset(replicas->list_count, 0, sizeof replicas->list_count);
}

void vt_replicas_note(struct vt_replicas *replicas, int table, uint32_t shard, uint32_t rows,
                      const struct vt_merger_scratch *scratch) {
  uint8_t *touched = replicas->touched[table];
  uint32_t *list = replicas->lists[table] + replicas->list_start[shard], count = replicas->list_count[table][shard];
  for (uint32_t k = 0; k < rows; k++) {
    uint32_t row = vt_merger_touched(scratch, k);
    if (touched[row]) continue;
    touched[row] = 1;
    list[count++] = row;
  }
  replicas->list_count[table][shard] = count;
}

void vt_replicas_lay_out(struct vt_replicas *replicas, uint32_t replica) {
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    struct vt_working_set *set = &replicas->blocks[replica].sets[t];
    set->shard_start[0] = 0;
    for (int shard = 0; shard < VT_SHARDS; shard++)
      set->shard_start[shard + 1] = set->shard_start[shard] + replicas->list_count[t][shard];
    set->count = set->shard_start[VT_SHARDS];
  }
}

void vt_replicas_put_aside(struct vt_replicas *replicas, uint32_t replica, int table, uint32_t shard) {
  struct vt_working_set *set = &replicas->blocks[replica].sets[table];
  const uint32_t *list = replicas->lists[table] + replicas->list_start[shard];
  size_t bytes = set->table->width * sizeof(float);
  for (uint32_t k = 0; k < replicas->list_count[table][shard]; k++) {
    uint32_t row = list[k], slot = set->shard_start[shard] + k;
    float *moved = vt_table_row(&replicas->tables[table], row);
    set->ids[slot] = row;
    set->by_shard[slot] = slot;
    memcpy(vt_working_set_row(set, slot), moved, bytes);
    memcpy(moved, vt_table_row(&replicas->starts[table], row), bytes);
    replicas->touched[table][row] = 0;
  }
}
