/*
 * pairs.h: a table of pairs of word numbers with a count each, filled by many threads.
 */
#ifndef VECTRAIL_TEXT_PAIRS_H
#define VECTRAIL_TEXT_PAIRS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/rng.h"

struct vt_pair_slot {
  _Atomic uint64_t key; /* 0: free */
  _Atomic uint64_t count;
};

struct vt_pairs {
  struct vt_pair_slot *slots;
  size_t slot_count; /* a power of two */
  size_t limit;      /* how many pairs it takes */
  _Atomic size_t used;
};

/* A pair of word numbers, both below 2^32 - 1, as one that is not 0. */
static inline uint64_t vt_pair_key(uint32_t first, uint32_t second) { return ((uint64_t)first << 32 | second) + 1; }
static inline uint32_t vt_pair_first(uint64_t key) { return (uint32_t)((key - 1) >> 32); }
static inline uint32_t vt_pair_second(uint64_t key) { return (uint32_t)(key - 1); }
/* Different pairs have different hashes. */
static inline uint64_t vt_pair_hash(uint64_t key) { return vt_mix64(key); }

/* A table of at least `slots` slots; three quarters of them are used, and `threads` may fill it at once. */
enum vt_status vt_pairs_init(struct vt_pairs *pairs, size_t slots, int threads, struct vt_error *error);
void vt_pairs_release(struct vt_pairs *pairs); /* accepts an all-zero one */
/* Forgets all pairs. Not while another thread is at it. */
void vt_pairs_clear(struct vt_pairs *pairs);

/* Adds to the count of a pair. False: the table is full, and nothing more can be added before it is cleared; the pairs
 * counted so far are worth nothing then. Safe to call from many threads, until one of them has got false. */
bool vt_pairs_add(struct vt_pairs *pairs, uint64_t key, uint64_t hash, uint64_t count);
/* The slot of a pair; NULL where there is none. Safe beside other calls, but those that add. */
struct vt_pair_slot *vt_pairs_find(const struct vt_pairs *pairs, uint64_t key);

static inline void vt_pairs_prefetch(const struct vt_pairs *pairs, uint64_t hash) {
  __builtin_prefetch(&pairs->slots[hash & (pairs->slot_count - 1)], 1);
}

#endif
