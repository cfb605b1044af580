/*
 * pairs.c: counting pairs by many threads in one table.
 *
 * One table for all threads, because the pairs of a text are many and tables of their own would hold most of them
 * several times. The size is fixed: whoever fills it decides what to do when it is full.
 *
 * Invariants: linear probing; a key is set once, by compare and swap, and stays until the table is cleared, so whoever
 * passes a slot by need not look again. Every thread may set one key more than the limit before it hears that the
 * table is full; the free slots are more than the threads, so probing ends.
 *
 * Threads: keys and counts are atomic, without order among them; sums of counts do not depend on it. What was added is
 * read after the threads have met.
 */
#include "text/pairs.h"

#include "base/memory.h"

enum vt_status vt_pairs_init(struct vt_pairs *pairs, size_t slots, int threads, struct vt_error *error) {
  size_t needed = 8 * (size_t)threads;
  if (needed < slots) needed = slots;
  pairs->slot_count = 16;
  while (pairs->slot_count < needed) pairs->slot_count *= 2;
  pairs->limit = pairs->slot_count / 4 * 3;
  atomic_init(&pairs->used, 0);
  pairs->slots = vt_alloc_aligned(pairs->slot_count, sizeof *pairs->slots);
  return pairs->slots != NULL ? VT_OK : VT_FAIL_MEMORY(error, pairs->slot_count * sizeof *pairs->slots);
}

void vt_pairs_release(struct vt_pairs *pairs) {
  vt_free_aligned(pairs->slots);
  pairs->slots = NULL;
}

void vt_pairs_clear(struct vt_pairs *pairs) {
  for (size_t i = 0; i < pairs->slot_count; i++) {
    atomic_store_explicit(&pairs->slots[i].key, 0, memory_order_relaxed);
    atomic_store_explicit(&pairs->slots[i].count, 0, memory_order_relaxed);
  }
  atomic_store(&pairs->used, 0);
}

bool vt_pairs_add(struct vt_pairs *pairs, uint64_t key, uint64_t hash, uint64_t count) {
  bool room = true;
  for (size_t at = hash & (pairs->slot_count - 1);; at = (at + 1) & (pairs->slot_count - 1)) {
    struct vt_pair_slot *slot = &pairs->slots[at];
    uint64_t there = atomic_load_explicit(&slot->key, memory_order_relaxed);
    if (there == 0 &&
        atomic_compare_exchange_strong_explicit(&slot->key, &there, key, memory_order_relaxed, memory_order_relaxed)) {
      room = atomic_fetch_add_explicit(&pairs->used, 1, memory_order_relaxed) < pairs->limit;
      there = key;
    }
    if (there != key) continue;
    atomic_fetch_add_explicit(&slot->count, count, memory_order_relaxed);
    return room;
  }
}

struct vt_pair_slot *vt_pairs_find(const struct vt_pairs *pairs, uint64_t key) {
  for (size_t at = vt_pair_hash(key) & (pairs->slot_count - 1);; at = (at + 1) & (pairs->slot_count - 1)) {
    uint64_t there = atomic_load_explicit(&pairs->slots[at].key, memory_order_relaxed);
    if (there == key) return &pairs->slots[at];
    if (there == 0) return NULL;
  }
}
