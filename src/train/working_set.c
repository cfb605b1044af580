/* working_set.c: memory and order of a working set. Pages are touched only as far as a block needs them. */
#include "train/working_set.h"

#include "base/memory.h"

enum vt_status vt_working_set_init(struct vt_working_set *set, const struct vt_table *table, uint32_t capacity,
                                   struct vt_error *error) {
  if (capacity > table->rows) capacity = table->rows;
  int bits = 4;
  while (((uint64_t)1 << bits) < 2 * (uint64_t)capacity) bits++;
  size_t index_size = (size_t)1 << bits;
  *set = (struct vt_working_set){.table = table, .capacity = capacity};
  set->stride = (table->width + 15) / 16 * 16;
  set->index_mask = (uint32_t)(index_size - 1);
  set->index_shift = 32 - bits;
  set->rows = vt_alloc_aligned(capacity, set->stride * sizeof *set->rows);
  set->ids = vt_alloc(capacity, sizeof *set->ids);
  set->by_shard = vt_alloc(capacity, sizeof *set->by_shard);
  set->index = vt_alloc(index_size, sizeof *set->index);
  if (set->rows == NULL || set->ids == NULL || set->by_shard == NULL || set->index == NULL) {
    size_t bytes = capacity * set->stride * sizeof *set->rows;
    vt_working_set_release(set);
    return VT_FAIL_HELP(error, VT_ERROR_MEMORY, "use smaller or fewer blocks",
                        "cannot allocate %zu bytes for the rows of a block", bytes);
  }
  vt_working_set_clear(set);
  return VT_OK;
}

void vt_working_set_release(struct vt_working_set *set) {
  vt_free_aligned(set->rows);
  vt_free(set->ids);
  vt_free(set->by_shard);
  vt_free(set->index);
  *set = (struct vt_working_set){0};
}

void vt_working_set_clear(struct vt_working_set *set) {
  set->count = 0;
  memset(set->index, 0xff, ((size_t)set->index_mask + 1) * sizeof *set->index);
}

void vt_working_set_sort(struct vt_working_set *set) {
  uint32_t next[VT_SHARDS] = {0};
  for (uint32_t slot = 0; slot < set->count; slot++) next[vt_shard_of(set->ids[slot])]++;
  uint32_t start = 0;
  for (int shard = 0; shard < VT_SHARDS; shard++) {
    set->shard_start[shard] = start;
    start += next[shard];
    next[shard] = set->shard_start[shard];
  }
  set->shard_start[VT_SHARDS] = start;
  for (uint32_t slot = 0; slot < set->count; slot++) set->by_shard[next[vt_shard_of(set->ids[slot])]++] = slot;
}
