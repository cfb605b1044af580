/* working_set.c: layout and order of a working set. */
#include "train/working_set.h"

#include "base/memory.h"

/* The parts of a set, in the order in which they lie in memory. */
struct layout {
  size_t rows_bytes;
  size_t list_bytes; /* ids, and again by_shard */
  size_t index_size; /* entries, a power of two */
  int index_bits;
  size_t stride;
};

static size_t whole_lines(size_t bytes) {
  return (bytes + VT_CACHE_LINE_BYTES - 1) & ~(size_t)(VT_CACHE_LINE_BYTES - 1);
}

static struct layout lay_out(const struct vt_table *table, uint32_t capacity) {
  struct layout layout = {.stride = (table->width + 15) / 16 * 16, .index_bits = 4};
  while (((uint64_t)1 << layout.index_bits) < 2 * (uint64_t)capacity) layout.index_bits++;
  layout.index_size = (size_t)1 << layout.index_bits;
  layout.rows_bytes = whole_lines(capacity * layout.stride * sizeof(float));
  layout.list_bytes = whole_lines(capacity * sizeof(uint32_t));
  return layout;
}

/* A block cannot touch more rows than there are. */
static uint32_t bounded(const struct vt_table *table, uint32_t capacity) {
  return capacity < table->rows ? capacity : table->rows;
}

size_t vt_working_set_bytes(const struct vt_table *table, uint32_t capacity) {
  struct layout layout = lay_out(table, bounded(table, capacity));
  return layout.rows_bytes + 2 * layout.list_bytes + whole_lines(layout.index_size * sizeof(uint32_t));
}

void vt_working_set_init(struct vt_working_set *set, const struct vt_table *table, uint32_t capacity, void *memory) {
  capacity = bounded(table, capacity);
  struct layout layout = lay_out(table, capacity);
  unsigned char *at = memory;
  *set = (struct vt_working_set){.table = table, .capacity = capacity, .stride = layout.stride};
  set->index_mask = (uint32_t)(layout.index_size - 1);
  set->index_shift = 32 - layout.index_bits;
  set->rows = (float *)(void *)at;
  at += layout.rows_bytes;
  set->ids = (uint32_t *)(void *)at;
  at += layout.list_bytes;
  set->by_shard = (uint32_t *)(void *)at;
  at += layout.list_bytes;
  set->index = (uint32_t *)(void *)at;
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
