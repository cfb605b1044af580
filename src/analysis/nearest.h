/*
 * nearest.h: the k best so far, as a heap in the caller's array with the worst on top.
 *
 * (cosine, then smaller id) is a total order, so which are kept, and their order, does not depend on the order in which
 * they came.
 */
#ifndef VECTRAIL_ANALYSIS_NEAREST_H
#define VECTRAIL_ANALYSIS_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

#include "vectrail/vectors.h"

/* Whether a comes before b in the answer. */
static inline bool vt_nearest_better(struct vt_neighbor a, struct vt_neighbor b) {
  return a.cosine != b.cosine ? a.cosine > b.cosine : a.id < b.id;
}

/* Lets heap[0] sink until no child is worse than it. */
static inline void vt_nearest_sink(struct vt_neighbor *heap, size_t count) {
  struct vt_neighbor moving = heap[0];
  size_t at = 0;
  for (;;) {
    size_t child = 2 * at + 1;
    if (child >= count) break;
    if (child + 1 < count && vt_nearest_better(heap[child], heap[child + 1])) child++;
    if (!vt_nearest_better(moving, heap[child])) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = moving;
}

/* Whether `found` would be among the k best; k > 0. */
static inline bool vt_nearest_wanted(const struct vt_neighbor *heap, size_t count, size_t k, struct vt_neighbor found) {
  return count < k || vt_nearest_better(found, heap[0]);
}

/* Takes one that is wanted; returns how many there are now. */
static inline size_t vt_nearest_take(struct vt_neighbor *heap, size_t count, size_t k, struct vt_neighbor found) {
  if (count == k) {
    heap[0] = found;
    vt_nearest_sink(heap, count);
    return count;
  }
  size_t at = count;
  while (at > 0) {
    size_t parent = (at - 1) / 2;
    if (!vt_nearest_better(heap[parent], found)) break;
    heap[at] = heap[parent];
    at = parent;
  }
  heap[at] = found;
  return count + 1;
}

/* Best first, in place: the worst of what is left goes behind it. */
static inline void vt_nearest_sort(struct vt_neighbor *heap, size_t count) {
  while (count > 1) {
    struct vt_neighbor worst = heap[0];
    heap[0] = heap[--count];
    heap[count] = worst;
    vt_nearest_sink(heap, count);
  }
}

#endif
