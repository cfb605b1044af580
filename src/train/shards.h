/*
 * shards.h: the parts of a table that are merged, and owned, independently: fixed, whatever the threads and ranks.
 *
 * Neighbouring rows share a shard in runs, a cache line of the merge's index; runs go round the shards.
 */
#ifndef VECTRAIL_TRAIN_SHARDS_H
#define VECTRAIL_TRAIN_SHARDS_H

#include <stdint.h>

#define VT_SHARDS 64
#define VT_SHARD_RUN_BITS 4 /* 16 rows */
#define VT_SHARD_RUN (UINT32_C(1) << VT_SHARD_RUN_BITS)
#define VT_SHARD_STRIDE ((uint32_t)VT_SHARDS << VT_SHARD_RUN_BITS) /* from run to run of a shard */

static inline uint32_t vt_shard_of(uint32_t row) { return (row >> VT_SHARD_RUN_BITS) % VT_SHARDS; }

/* How many rows of a table of `rows` are in a shard. */
static inline uint32_t vt_shard_rows(uint32_t shard, uint32_t rows) {
  uint32_t rest = rows % VT_SHARD_STRIDE, begin = shard << VT_SHARD_RUN_BITS;
  uint32_t last = rest <= begin ? 0 : rest - begin;
  return rows / VT_SHARD_STRIDE * VT_SHARD_RUN + (last < VT_SHARD_RUN ? last : VT_SHARD_RUN);
}

#endif
