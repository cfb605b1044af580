/* ledger_sums.c: dense arrays, and an index over their keys. */
#include "train/ledger_sums.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

#define NONE UINT32_MAX
#define CAPACITY_FIRST 32

void vt_ledger_sums_init(struct vt_ledger_sums *sums, size_t width) { *sums = (struct vt_ledger_sums){.width = width}; }

void vt_ledger_sums_release(struct vt_ledger_sums *sums) {
  vt_free(sums->keys);
  vt_free(sums->updates);
  vt_free_aligned(sums->vectors);
  vt_free(sums->index);
  vt_ledger_sums_init(sums, sums->width);
}

void vt_ledger_sums_clear(struct vt_ledger_sums *sums) {
  if (sums->count > 0) memset(sums->index, 0xff, sums->index_size * sizeof *sums->index);
  sums->count = 0;
}

size_t vt_ledger_sums_bytes(const struct vt_ledger_sums *sums) {
  return sums->capacity * (2 * sizeof(uint64_t) + sums->width * sizeof(float)) + sums->index_size * sizeof(uint32_t);
}

/* Where a key stands in the index, or the free place where it would. */
static size_t place_of(const struct vt_ledger_sums *sums, uint64_t key) {
  size_t at = (size_t)vt_mix64(key) & (sums->index_size - 1);
  while (sums->index[at] != NONE && sums->keys[sums->index[at]] != key) at = (at + 1) & (sums->index_size - 1);
  return at;
}

static void index_all(struct vt_ledger_sums *sums) {
  memset(sums->index, 0xff, sums->index_size * sizeof *sums->index);
  for (size_t k = 0; k < sums->count; k++) sums->index[place_of(sums, sums->keys[k])] = (uint32_t)k;
}

/* Each array that could be had is kept, so that a failure leaves sound sums of the old capacity. */
static bool grow(struct vt_ledger_sums *sums) {
  size_t capacity = sums->capacity == 0 ? CAPACITY_FIRST : 2 * sums->capacity, index_size = 2 * capacity;
  if (capacity > NONE) return false;
  uint64_t *keys = vt_realloc(sums->keys, capacity, sizeof *keys);
  if (keys != NULL) sums->keys = keys;
  uint64_t *updates = vt_realloc(sums->updates, capacity, sizeof *updates);
  if (updates != NULL) sums->updates = updates;
  float *vectors = vt_alloc_aligned_raw(capacity, sums->width * sizeof *vectors);
  uint32_t *index = vt_alloc(index_size, sizeof *index);
  if (keys == NULL || updates == NULL || vectors == NULL || index == NULL) {
    vt_free_aligned(vectors);
    vt_free(index);
    return false;
  }
  if (sums->count > 0) memcpy(vectors, sums->vectors, sums->count * sums->width * sizeof *vectors);
  vt_free_aligned(sums->vectors);
  vt_free(sums->index);
  sums->vectors = vectors;
  sums->index = index;
  sums->index_size = index_size;
  sums->capacity = capacity;
  index_all(sums);
  return true;
}

float *vt_ledger_sums_at(struct vt_ledger_sums *sums, uint64_t key, uint64_t updates) {
  if (sums->index_size > 0) {
    uint32_t found = sums->index[place_of(sums, key)];
    if (found != NONE) {
      sums->updates[found] += updates;
      return sums->vectors + (size_t)found * sums->width;
    }
  }
  if (sums->count == sums->capacity && !grow(sums)) return NULL;
  size_t made = sums->count++;
  sums->keys[made] = key;
  sums->updates[made] = updates;
  sums->index[place_of(sums, key)] = (uint32_t)made; /* keys[made] is set already, and nothing points to it yet */
  float *vector = sums->vectors + made * sums->width;
  memset(vector, 0, sums->width * sizeof *vector);
  return vector;
}

void vt_ledger_sums_prefetch_index(const struct vt_ledger_sums *sums, uint64_t key) {
  if (sums->index_size > 0) __builtin_prefetch(&sums->index[(size_t)vt_mix64(key) & (sums->index_size - 1)]);
}

void vt_ledger_sums_prefetch(const struct vt_ledger_sums *sums, uint64_t key) {
  if (sums->index_size == 0) return;
  uint32_t found = sums->index[(size_t)vt_mix64(key) & (sums->index_size - 1)]; /* mostly this one */
  if (found == NONE) return;
  __builtin_prefetch(&sums->keys[found]);
  __builtin_prefetch(&sums->updates[found], 1);
  const float *vector = sums->vectors + (size_t)found * sums->width;
  for (size_t k = 0; k < sums->width; k += 16) __builtin_prefetch(vector + k, 1);
}

/* ---- pruning ----------------------------------------------------------------------------------------------------- */

struct ranked {
  double squared;
  uint64_t key;
  uint32_t entry;
};

/* Longest first, then smaller keys: a total order. */
static int compare_ranked(const void *a, const void *b) {
  const struct ranked *x = a, *y = b;
  if (x->squared != y->squared) return x->squared < y->squared ? 1 : -1;
  return (x->key > y->key) - (x->key < y->key);
}

static double squared_length(const float *vector, size_t width) {
  double sum = 0;
  for (size_t k = 0; k < width; k++) sum += (double)vector[k] * (double)vector[k];
  return sum;
}

static int compare_entries(const void *a, const void *b) {
  uint32_t x = ((const struct ranked *)a)->entry, y = ((const struct ranked *)b)->entry;
  return (x > y) - (x < y);
}

/* Adds the entries of a list, ascending, to `others` and closes the gaps they leave. */
static bool fold(struct vt_ledger_sums *sums, const struct ranked *list, size_t count, uint64_t others) {
  uint64_t updates = 0;
  for (size_t r = 0; r < count; r++) updates += sums->updates[list[r].entry];
  float *sum = vt_ledger_sums_at(sums, others, updates);
  if (sum == NULL) return false;
  for (size_t r = 0; r < count; r++) {
    const float *vector = sums->vectors + (size_t)list[r].entry * sums->width;
    for (size_t k = 0; k < sums->width; k++) sum[k] += vector[k];
  }
  size_t kept = 0, next = 0;
  for (size_t e = 0; e < sums->count; e++) {
    if (next < count && list[next].entry == e) {
      next++;
      continue;
    }
    sums->keys[kept] = sums->keys[e];
    sums->updates[kept] = sums->updates[e];
    memmove(sums->vectors + kept * sums->width, sums->vectors + e * sums->width, sums->width * sizeof *sums->vectors);
    kept++;
  }
  sums->count = kept;
  index_all(sums);
  return true;
}

bool vt_ledger_sums_prune(struct vt_ledger_sums *sums, uint64_t mask, uint64_t value, size_t keep, uint64_t others) {
  size_t count = 0;
  for (size_t e = 0; e < sums->count; e++) count += (sums->keys[e] & mask) == value && sums->keys[e] != others;
  if (count <= keep) return true;
  struct ranked *ranked = vt_alloc(count, sizeof *ranked);
  if (ranked == NULL) return false;
  size_t at = 0;
  for (size_t e = 0; e < sums->count; e++) {
    if ((sums->keys[e] & mask) != value || sums->keys[e] == others) continue;
    ranked[at++] = (struct ranked){.squared = squared_length(sums->vectors + e * sums->width, sums->width),
                                   .key = sums->keys[e],
                                   .entry = (uint32_t)e};
  }
  qsort(ranked, count, sizeof *ranked, compare_ranked);
  qsort(ranked + keep, count - keep, sizeof *ranked, compare_entries);
  bool done = fold(sums, ranked + keep, count - keep, others);
  vt_free(ranked);
  return done;
}
