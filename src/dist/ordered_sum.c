/* ordered_sum.c: plain additions, one for each element: the same bits whatever the processor. */
#include "dist/ordered_sum.h"

#include <string.h>

#include "base/memory.h"

#define PIECE_FLOATS 4096 /* that one thread adds up at a time: two of them lie in the first-level cache */

uint32_t vt_ordered_sum_of(struct vt_ordered_sum *sum, uint32_t terms, uint32_t begin, uint32_t end) {
  uint32_t most = 0;
  vt_ordered_sum_begin(sum, terms);
  for (uint32_t term = begin; term < end; term++) {
    vt_ordered_sum_put(sum, (struct vt_ordered_node){term, term + 1});
    if (sum->count > most) most = sum->count;
    while (vt_ordered_sum_fold(sum)) {
    }
  }
  return most;
}

enum vt_status vt_ordered_plan_init(struct vt_ordered_plan *plan, uint32_t terms, const struct vt_ordered_node *nodes,
                                    uint32_t count, struct vt_error *error) {
  struct vt_ordered_sum sum;
  uint32_t at[VT_ORDERED_NODES_MAX];
  *plan = (struct vt_ordered_plan){.nodes = count, .steps = vt_alloc(count, sizeof *plan->steps)};
  if (plan->steps == NULL) return VT_FAIL_MEMORY(error, count * sizeof *plan->steps);
  vt_ordered_sum_begin(&sum, terms);
  for (uint32_t node = 0; node < count; node++) {
    at[sum.count] = node;
    vt_ordered_sum_put(&sum, nodes[node]);
    while (vt_ordered_sum_fold(&sum))
      plan->steps[plan->step_count++] = (struct vt_ordered_step){.to = at[sum.count - 1], .from = at[sum.count]};
  }
  plan->left_count = sum.count;
  memcpy(plan->left, at, sum.count * sizeof *at);
  return VT_OK;
}

void vt_ordered_plan_release(struct vt_ordered_plan *plan) {
  vt_free(plan->steps);
  *plan = (struct vt_ordered_plan){0};
}

/* ---- adding ------------------------------------------------------------------------------------------------------ */

struct adding {
  const struct vt_ordered_plan *plan;
  float *const *arrays;
  float *result;
};

static void add_piece(void *context, size_t begin, size_t end) {
  const struct adding *adding = context;
  const struct vt_ordered_plan *plan = adding->plan;
  for (uint32_t k = 0; k < plan->step_count; k++) {
    const struct vt_ordered_step step = plan->steps[k];
    const float *left = adding->arrays[step.to], *right = adding->arrays[step.from];
    float *to = adding->result != NULL && k + 1 == plan->step_count ? adding->result : adding->arrays[step.to];
    for (size_t at = begin; at < end; at++) to[at] = left[at] + right[at];
  }
}

void vt_ordered_plan_add(const struct vt_ordered_plan *plan, float *const *arrays, size_t count, float *result,
                         struct vt_pool *pool) {
  struct adding adding = {plan, arrays, result};
  vt_pool_share(pool, count, PIECE_FLOATS, add_piece, &adding);
}

struct pair {
  float *left;
  const float *right;
};

static void add_pair(void *context, size_t begin, size_t end) {
  const struct pair *pair = context;
  for (size_t at = begin; at < end; at++) pair->left[at] += pair->right[at];
}

void vt_ordered_add(float *left, const float *right, size_t count, struct vt_pool *pool) {
  struct pair pair = {left, right};
  vt_pool_share(pool, count, PIECE_FLOATS, add_pair, &pair);
}
