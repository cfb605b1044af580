/*
 * merge.h: bringing the private copies of a superstep's blocks back into a table.
 *
 * Row by row, the table takes the sum of what the blocks did to their copies, in block order, its length capped at
 * max(0.5, 0.2 |row|): plain sums let frequent rows, which every block moves the same way, overshoot; averages are
 * stable but lose most of the accuracy. With AdaGrad the sum is first divided, element by element, by the root of all
 * squared gradients so far. Rows belong to VT_SHARDS shards, merged independently by whichever thread is
 * free; sums over rows are formed shard by shard. So the result does not know how many threads there were.
 */
#ifndef VECTRAIL_TRAIN_MERGE_H
#define VECTRAIL_TRAIN_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kernel/kernel.h"
#include "train/decay.h"
#include "train/table.h"
#include "train/working_set.h"

#define VT_MERGE_CAP 0.5F
#define VT_MERGE_CAP_SHARE 0.2F

/* What a merge did to a table. */
struct vt_merge_totals {
  double step_squared; /* sum over rows of |applied step|^2 */
  uint64_t moved;      /* rows */
  uint64_t capped;     /* rows whose step met the cap */
  uint32_t bad_row;    /* smallest row whose step was not a finite number, or VT_NO_SLOT */
};

struct vt_merger_scratch; /* one for each worker */

struct vt_merger {
  struct vt_table *table;
  const struct vt_kernel *kernel;
  struct vt_table *squares; /* AdaGrad's sums; NULL with SGD */
  float rate;               /* of this superstep, with AdaGrad */
  float cap;                /* of a row's step [VT_MERGE_CAP]: this or ... */
  float cap_share;          /* ... so much of the row's length [VT_MERGE_CAP_SHARE] */
  struct vt_decay *decay;   /* NULL without L2: rows pay what they owe before they are merged */
  int role;                 /* of the table, for the decay */
  /* Of a replica that trains apart: a row that has not this stamp is still as it is in `start`, and comes from there.
   */
  uint32_t *stamps; /* by row; else NULL */
  uint32_t stamp;
  const struct vt_table *start;
  uint32_t *touch; /* by row: its place in the list of its shard, if that place holds the row */
  struct vt_merge_totals shards[VT_SHARDS];
};

enum vt_status vt_merger_init(struct vt_merger *merger, struct vt_table *table, const struct vt_kernel *kernel,
                              struct vt_error *error);
void vt_merger_release(struct vt_merger *merger);

enum vt_status vt_merger_scratch_create(struct vt_merger_scratch **scratch, struct vt_error *error);
void vt_merger_scratch_free(struct vt_merger_scratch *scratch); /* accepts NULL */
/* Makes room for any shard of these sets (sorted). To be called before vt_merger_shard, which cannot fail. */
enum vt_status vt_merger_scratch_reserve(struct vt_merger_scratch *scratch, const struct vt_working_set *const *sets,
                                         size_t set_count, struct vt_error *error);

/* The same for as many rows as vt_merger_add will be given in one shard. */
enum vt_status vt_merger_scratch_reserve_rows(struct vt_merger_scratch *scratch, uint32_t rows, struct vt_error *error);

/* Merges one shard of the sets, in their order, into the table, and leaves its totals in merger->shards. Different
 * shards may run at once. */
void vt_merger_shard(struct vt_merger *merger, struct vt_merger_scratch *scratch,
                     const struct vt_working_set *const *sets, size_t set_count, uint32_t shard);

/* The same by hand, for copies that lie elsewhere than in sets: begin with a shard, add its rows, end it. copies:
 * `count` of them, at least 1, in their order. */
void vt_merger_begin(struct vt_merger *merger, uint32_t shard);
void vt_merger_add(struct vt_merger *merger, struct vt_merger_scratch *scratch, uint32_t shard, uint32_t row,
                   const float *const *copies, size_t count);

/* The k-th row that the last merge with this scratch moved, k < the shard's totals.moved. */
uint32_t vt_merger_touched(const struct vt_merger_scratch *scratch, uint32_t k);

/* The totals of all shards, after all were merged. */
struct vt_merge_totals vt_merger_totals(const struct vt_merger *merger);

#endif
