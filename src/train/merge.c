/* merge.c: for each shard, a list of its touched rows and a chain of copies for each, then one kernel call a row. */
#include "train/merge.h"

#include <string.h>

#include "base/memory.h"

#define PREFETCH_AHEAD 3 /* rows */

struct touched {
  uint32_t row;
  uint32_t first; /* chain of copies, in block order */
  uint32_t last;
  uint32_t count;
};

struct copy {
  const float *data;
  uint32_t next;
};

struct vt_merger_scratch {
  struct touched *touched; /* capacity each */
  struct copy *copies;
  size_t capacity;
  const float **gathered; /* the copies of one row */
  size_t gathered_capacity;
}; /* a failed reserve leaves capacities without memory: the engine stops then */

enum vt_status vt_merger_init(struct vt_merger *merger, struct vt_table *table, const struct vt_kernel *kernel,
                              struct vt_error *error) {
  *merger = (struct vt_merger){.table = table, .kernel = kernel, .cap = VT_MERGE_CAP, .cap_share = VT_MERGE_CAP_SHARE};
  merger->touch = vt_alloc_zero(table->rows, sizeof *merger->touch);
  if (merger->touch == NULL) return VT_FAIL_MEMORY(error, table->rows * sizeof *merger->touch);
  return VT_OK;
}

void vt_merger_release(struct vt_merger *merger) {
  vt_free(merger->touch);
  merger->touch = NULL;
}

enum vt_status vt_merger_scratch_create(struct vt_merger_scratch **scratch, struct vt_error *error) {
  *scratch = vt_alloc_zero(1, sizeof **scratch);
  return *scratch == NULL ? VT_FAIL_MEMORY(error, sizeof **scratch) : VT_OK;
}

void vt_merger_scratch_free(struct vt_merger_scratch *scratch) {
  if (scratch == NULL) return;
  vt_free(scratch->touched);
  vt_free(scratch->copies);
  vt_free(scratch->gathered);
  vt_free(scratch);
}

static enum vt_status reserve_rows(struct vt_merger_scratch *scratch, size_t needed, struct vt_error *error) {
  if (needed <= scratch->capacity) return VT_OK;
  size_t capacity = needed + needed / 2;
  vt_free(scratch->touched);
  vt_free(scratch->copies);
  scratch->touched = vt_alloc(capacity, sizeof *scratch->touched);
  scratch->copies = vt_alloc(capacity, sizeof *scratch->copies);
  scratch->capacity = capacity;
  if (scratch->touched == NULL || scratch->copies == NULL)
    return VT_FAIL_MEMORY(error, capacity * (sizeof *scratch->touched + sizeof *scratch->copies));
  return VT_OK;
}

enum vt_status vt_merger_scratch_reserve_rows(struct vt_merger_scratch *scratch, uint32_t rows,
                                              struct vt_error *error) {
  return reserve_rows(scratch, rows, error);
}

enum vt_status vt_merger_scratch_reserve(struct vt_merger_scratch *scratch, const struct vt_working_set *const *sets,
                                         size_t set_count, struct vt_error *error) {
  size_t needed = 0;
  for (uint32_t shard = 0; shard < VT_SHARDS; shard++) {
    size_t copies = 0;
    for (size_t b = 0; b < set_count; b++) copies += sets[b]->shard_start[shard + 1] - sets[b]->shard_start[shard];
    if (copies > needed) needed = copies;
  }
  VT_TRY(reserve_rows(scratch, needed, error));
  if (set_count > scratch->gathered_capacity) {
    vt_free(scratch->gathered);
    scratch->gathered = vt_alloc(set_count, sizeof *scratch->gathered);
    scratch->gathered_capacity = set_count;
    if (scratch->gathered == NULL) return VT_FAIL_MEMORY(error, set_count * sizeof *scratch->gathered);
  }
  return VT_OK;
}

/* Lists the rows of a shard in the order in which the sets first hold them. */
static uint32_t list_touched(const struct vt_merger *merger, struct vt_merger_scratch *scratch,
                             const struct vt_working_set *const *sets, size_t set_count, uint32_t shard) {
  uint32_t rows = 0, copies = 0;
  for (size_t b = 0; b < set_count; b++) {
    const struct vt_working_set *set = sets[b];
    for (uint32_t s = set->shard_start[shard]; s < set->shard_start[shard + 1]; s++, copies++) {
      uint32_t slot = set->by_shard[s], row = set->ids[slot], at = merger->touch[row];
      scratch->copies[copies] = (struct copy){.data = vt_working_set_row(set, slot)};
      if (at < rows && scratch->touched[at].row == row) {
        struct touched *touched = &scratch->touched[at];
        scratch->copies[touched->last].next = copies;
        touched->last = copies;
        touched->count++;
      } else {
        merger->touch[row] = rows;
        scratch->touched[rows++] = (struct touched){.row = row, .first = copies, .last = copies, .count = 1};
      }
    }
  }
  return rows;
}

/* Asks for the row and its copies ahead of time: they lie anywhere, and the kernel would wait for each line. */
static void prefetch_touched(const struct vt_merger *merger, const struct vt_merger_scratch *scratch, uint32_t at) {
  const struct touched *touched = &scratch->touched[at];
  vt_prefetch_row(vt_table_held_row(merger->table, touched->row), merger->table->width);
  if (merger->stamps != NULL && merger->stamps[touched->row] != merger->stamp)
    vt_prefetch_row(vt_table_row(merger->start, touched->row), merger->table->width);
  uint32_t copy = touched->first;
  for (uint32_t c = 0; c < touched->count; c++, copy = scratch->copies[copy].next)
    vt_prefetch_row(scratch->copies[copy].data, merger->table->width);
}

/* The row as it is before the merge, in the table. */
static float *row_before(struct vt_merger *merger, uint32_t row) {
  float *data = vt_table_held_row(merger->table, row);
  if (merger->stamps != NULL && merger->stamps[row] != merger->stamp) {
    memcpy(data, vt_table_row(merger->start, row), merger->table->width * sizeof *data);
    merger->stamps[row] = merger->stamp;
  }
  if (merger->decay != NULL) vt_decay_pay(merger->decay, merger->role, row, data, merger->table->width);
  return data;
}

static void merge_row(struct vt_merger *merger, struct vt_merge_totals *totals, uint32_t row,
                      const float *const *copies, size_t count) {
  struct vt_merge merge = {.row = row_before(merger, row),
                           .squares = merger->squares == NULL ? NULL : vt_table_held_row(merger->squares, row),
                           .rate = merger->rate,
                           .copies = copies,
                           .copy_count = count,
                           .width = merger->table->width,
                           .cap = merger->cap,
                           .cap_share = merger->cap_share};
  merger->kernel->merge(&merge);
  if (!merge.finite) {
    if (row < totals->bad_row) totals->bad_row = row;
    return;
  }
  totals->step_squared += (double)merge.step_squared;
  totals->capped += merge.capped;
}

void vt_merger_shard(struct vt_merger *merger, struct vt_merger_scratch *scratch,
                     const struct vt_working_set *const *sets, size_t set_count, uint32_t shard) {
  uint32_t rows = list_touched(merger, scratch, sets, set_count, shard);
  struct vt_merge_totals totals = {.moved = rows, .bad_row = VT_NO_SLOT};
  for (uint32_t r = 0; r < rows; r++) {
    const struct touched *touched = &scratch->touched[r];
    if (r + PREFETCH_AHEAD < rows) prefetch_touched(merger, scratch, r + PREFETCH_AHEAD);
    uint32_t at = touched->first;
    for (uint32_t c = 0; c < touched->count; c++, at = scratch->copies[at].next)
      scratch->gathered[c] = scratch->copies[at].data;
    merge_row(merger, &totals, touched->row, scratch->gathered, touched->count);
  }
  merger->shards[shard] = totals;
}

void vt_merger_begin(struct vt_merger *merger, uint32_t shard) {
  merger->shards[shard] = (struct vt_merge_totals){.bad_row = VT_NO_SLOT};
}

void vt_merger_add(struct vt_merger *merger, struct vt_merger_scratch *scratch, uint32_t shard, uint32_t row,
                   const float *const *copies, size_t count) {
  struct vt_merge_totals *totals = &merger->shards[shard];
  scratch->touched[totals->moved++] = (struct touched){.row = row};
  merge_row(merger, totals, row, copies, count);
}

uint32_t vt_merger_touched(const struct vt_merger_scratch *scratch, uint32_t k) { return scratch->touched[k].row; }

struct vt_merge_totals vt_merger_totals(const struct vt_merger *merger) {
  struct vt_merge_totals all = {.bad_row = VT_NO_SLOT};
  for (int shard = 0; shard < VT_SHARDS; shard++) {
    const struct vt_merge_totals *part = &merger->shards[shard];
    all.step_squared += part->step_squared;
    all.moved += part->moved;
    all.capped += part->capped;
    if (part->bad_row < all.bad_row) all.bad_row = part->bad_row;
  }
  return all;
}
