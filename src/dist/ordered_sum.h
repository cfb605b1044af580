/*
 * ordered_sum.h: sums of several terms in one order, whoever computes which of them.
 *
 * The terms are the leaves of a tree. At each level neighbours are added, the right one to the left one, and whoever
 * has no neighbour goes up as it is; six terms are ((0 + 1) + (2 + 3)) + (4 + 5). A node is named by the terms below
 * it, begin .. end: begin is a multiple of a power of two, and end lies that power further, or where the terms end.
 *
 * Terms, or whole nodes, are put on a stack from left to right, and folded while the two on top are the children of one
 * node. So as many sums stand there at a time as a number has digits, not as many as there are terms; and whoever has
 * only some neighbouring terms is left with the few nodes that they make up, which others can go on with: the tree is
 * the same.
 */
#ifndef VECTRAIL_DIST_ORDERED_SUM_H
#define VECTRAIL_DIST_ORDERED_SUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"

struct vt_ordered_node {
  uint32_t begin, end;
};

#define VT_ORDERED_NODES_MAX 66 /* two of each power of two, the last one put, and one to spare */

struct vt_ordered_sum {
  uint32_t terms; /* there are in all */
  uint32_t count; /* of nodes on the stack */
  struct vt_ordered_node nodes[VT_ORDERED_NODES_MAX];
};

static inline void vt_ordered_sum_begin(struct vt_ordered_sum *sum, uint32_t terms) {
  sum->terms = terms;
  sum->count = 0;
}

/* A node goes on top; it must begin where the one below ends. Fold until it is false before the next one is put. */
static inline void vt_ordered_sum_put(struct vt_ordered_sum *sum, struct vt_ordered_node node) {
  sum->nodes[sum->count++] = node;
}

/* Whether the two on top are to be added now, the upper one to the lower one, number count - 1, which has become their
 * sum; the upper one was number count. */
static inline bool vt_ordered_sum_fold(struct vt_ordered_sum *sum) {
  if (sum->count < 2) return false;
  struct vt_ordered_node *left = &sum->nodes[sum->count - 2], right = sum->nodes[sum->count - 1];
  const uint64_t width = right.begin & (~right.begin + 1), end = right.begin + width; /* of a right child there */
  if (left->begin + width != right.begin || right.end != (end < sum->terms ? end : sum->terms)) return false;
  left->end = right.end;
  sum->count--;
  return true;
}

/* What is left of the terms begin .. end; returns how many nodes stood there at a time, at most. O(end - begin). */
uint32_t vt_ordered_sum_of(struct vt_ordered_sum *sum, uint32_t terms, uint32_t begin, uint32_t end);

/* ---- of arrays of floats ----------------------------------------------------------------------------------------- */

/* left[count] += right[count]. Threads of the pool share it out; NULL: there are none. */
void vt_ordered_add(float *left, const float *right, size_t count, struct vt_pool *pool);

/* How many nodes become few: number `from` of each step is added to number `to`, one step after the other; in the end
 * those that are left hold the sums of what could be added up. */
struct vt_ordered_plan {
  uint32_t nodes;
  uint32_t step_count;
  struct vt_ordered_step {
    uint32_t to, from;
  } * steps;
  uint32_t left_count;
  uint32_t left[VT_ORDERED_NODES_MAX];
};
/* Of nodes[count], each of which begins where the one before ends. Release it in any case. */
enum vt_status vt_ordered_plan_init(struct vt_ordered_plan *plan, uint32_t terms, const struct vt_ordered_node *nodes,
                                    uint32_t count, struct vt_error *error);
void vt_ordered_plan_release(struct vt_ordered_plan *plan); /* accepts an all-zero one */
/* arrays: by node, [count] each. result: where the sum of the last step goes instead, if there is one; or NULL. Threads
 * of the pool share it out, in pieces for which all steps are made one after the other. */
void vt_ordered_plan_add(const struct vt_ordered_plan *plan, float *const *arrays, size_t count, float *result,
                         struct vt_pool *pool);

#endif
