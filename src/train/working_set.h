/*
 * working_set.h: a block's private copies of the rows it touches.
 *
 * A block trains on copies, in the order of its text, and leaves them for the merge; the table itself is not written
 * while blocks run. The copies of a block sit together in the second-level cache, which is most of the speed.
 * Rows are aligned to 64 bytes and padded with zeros to a multiple of 16 floats (kernel.h).
 */
#ifndef VECTRAIL_TRAIN_WORKING_SET_H
#define VECTRAIL_TRAIN_WORKING_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "train/decay.h"
#include "train/shards.h"
#include "train/table.h"

#define VT_NO_SLOT UINT32_MAX

struct vt_working_set {
  const struct vt_table *table;
  uint32_t capacity;
  uint32_t count;
  size_t stride;   /* floats from row to row */
  float *rows;     /* capacity x stride */
  uint32_t *ids;   /* by slot: which row of the table it copies */
  uint32_t *index; /* open addressing over ids: slot or VT_NO_SLOT */
  uint32_t index_mask;
  int index_shift;
  uint32_t *by_shard; /* slots ordered by shard, first touched first; see vt_working_set_sort */
  uint32_t shard_start[VT_SHARDS + 1];
  const struct vt_decay *decay; /* what rows owe is paid by their copies too; NULL without L2 */
  int role;                     /* of the table, for the decay */
  /* Of a replica that trains apart: rows whose stamp this is lie in `moved`, the others in the table; else NULL. */
  const uint32_t *stamps;
  uint32_t stamp;
  const struct vt_table *moved;
  bool from_elsewhere; /* the rows are filled in by others: nothing is copied from the table, which holds only some */
};

/* Memory that a set needs: all sets of an engine share one allocation, so that it is backed by huge pages; working
 * sets in small pages lose a third of the speed to address translation. capacity: distinct rows at most. */
size_t vt_working_set_bytes(const struct vt_table *table, uint32_t capacity);
/* memory: so many bytes, aligned to a cache line, owned by the caller and alive as long as the set; it is not touched,
 * for ranks may share it. The set is to be cleared before it is used. */
void vt_working_set_init(struct vt_working_set *set, const struct vt_table *table, uint32_t capacity, void *memory);
/* Forgets all rows. */
void vt_working_set_clear(struct vt_working_set *set);
/* Orders the slots by shard, for the merge. */
void vt_working_set_sort(struct vt_working_set *set);

/* Where a row is copied from. */
static inline const float *vt_working_set_source(const struct vt_working_set *set, uint32_t id) {
  const bool moved = set->stamps != NULL && set->stamps[id] == set->stamp;
  return vt_table_row(moved ? set->moved : set->table, id);
}

/* The slot of a row of the table, copied in at its first call, unless it comes from elsewhere. */
static inline uint32_t vt_working_set_slot(struct vt_working_set *set, uint32_t id) {
  uint32_t at = (id * UINT32_C(2654435769)) >> set->index_shift;
  for (;;) {
    uint32_t slot = set->index[at];
    if (slot == VT_NO_SLOT) break;
    if (set->ids[slot] == id) return slot;
    at = (at + 1) & set->index_mask;
  }
  uint32_t slot = set->count++;
  set->index[at] = slot;
  set->ids[slot] = id;
  if (set->from_elsewhere) return slot;
  float *row = set->rows + (size_t)slot * set->stride;
  size_t width = set->table->width;
  memcpy(row, vt_working_set_source(set, id), width * sizeof *row);
  if (set->decay != NULL) {
    float owed = vt_decay_owed(set->decay, set->role, id);
    for (size_t k = 0; k < width; k++) row[k] *= owed;
  }
  if (width < set->stride) memset(row + width, 0, (set->stride - width) * sizeof *row);
  return slot;
}

/* Asks the cache for the table's row, if the set will have to copy it. */
static inline void vt_working_set_prefetch(const struct vt_working_set *set, uint32_t id) {
  if (!set->from_elsewhere) vt_prefetch_row(vt_working_set_source(set, id), set->table->width);
}

static inline float *vt_working_set_row(const struct vt_working_set *set, uint32_t slot) {
  return set->rows + (size_t)slot * set->stride;
}

#endif
