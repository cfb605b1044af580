/*
 * ledger_sums.h: sums of vectors by key, in float32: what a ledger is made of.
 *
 * Entries stand in the order in which their keys were first met, so whatever walks over them does so in an order that
 * depends on the keys alone and not on the memory they lie in.
 */
#ifndef VECTRAIL_TRAIN_LEDGER_SUMS_H
#define VECTRAIL_TRAIN_LEDGER_SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vt_ledger_sums {
  size_t width; /* of a vector: a row of the kernels (kernel.h) */
  size_t count;
  size_t capacity;
  uint64_t *keys;    /* count */
  uint64_t *updates; /* count: how many updates were added */
  float *vectors;    /* count x width, 64-byte aligned */
  uint32_t *index;   /* open addressing over keys; a power of two, at least twice the capacity */
  size_t index_size;
};

/* Empty, and without memory until something is added. */
void vt_ledger_sums_init(struct vt_ledger_sums *sums, size_t width);
void vt_ledger_sums_release(struct vt_ledger_sums *sums); /* accepts an all-zero one */
/* Forgets all entries and keeps the memory. */
void vt_ledger_sums_clear(struct vt_ledger_sums *sums);

/* The vector of a key, zero at first, with `updates` more noted; valid until the next call. NULL: out of memory. */
float *vt_ledger_sums_at(struct vt_ledger_sums *sums, uint64_t key, uint64_t updates);
/* For a key that is to be added to soon: its place in the index, and, when that is in the cache, the sum itself. */
void vt_ledger_sums_prefetch_index(const struct vt_ledger_sums *sums, uint64_t key);
void vt_ledger_sums_prefetch(const struct vt_ledger_sums *sums, uint64_t key);

/* Keeps, of the keys whose lowest bits under `mask` are `value`, the `keep` longest vectors (equal ones: by smaller
 * key) and adds the others to the entry `others`, which is kept and not counted. False: out of memory, nothing is
 * changed then. */
bool vt_ledger_sums_prune(struct vt_ledger_sums *sums, uint64_t mask, uint64_t value, size_t keep, uint64_t others);

/* Memory held. */
size_t vt_ledger_sums_bytes(const struct vt_ledger_sums *sums);

#endif
