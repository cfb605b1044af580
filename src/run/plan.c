/* plan.c: which steps. */
#include "run/plan.h"

#include <math.h>

#include "base/memory.h"

#define EARLY_SHARE 0.25 /* of the snapshots */
#define EARLY_END 0.05   /* of the steps */

static void add(struct vt_plan *plan, uint64_t step) {
  if (step > plan->steps) step = plan->steps;
  if (plan->snapshot_count == 0 || step > plan->snapshots[plan->snapshot_count - 1])
    plan->snapshots[plan->snapshot_count++] = step;
}

static uint64_t at_least_one(uint64_t value) { return value == 0 ? 1 : value; }

enum vt_status vt_plan_init(struct vt_plan *plan, uint64_t steps, const struct vt_record_options *options,
                            struct vt_error *error) {
  uint32_t count = options->snapshots;
  *plan = (struct vt_plan){.steps = steps, .ledger_spans = options->ledger_spans};
  plan->snapshots = vt_alloc((size_t)count + 1, sizeof *plan->snapshots);
  if (plan->snapshots == NULL) return VT_FAIL_MEMORY(error, (count + (size_t)1) * sizeof *plan->snapshots);
  plan->metric_every = at_least_one((steps + options->metrics / 2) / at_least_one(options->metrics));
  plan->probe_every = at_least_one(steps / at_least_one(options->probes));

  uint32_t early = (uint32_t)(EARLY_SHARE * count);
  double early_end = EARLY_END * (double)steps;
  add(plan, 0);
  for (uint32_t k = 0; k < early && early_end >= 1; k++)
    add(plan, (uint64_t)(pow(early_end, early == 1 ? 1 : (double)k / (early - 1)) + 0.5));
  uint32_t rest = count - 1 - early; /* after step 0; the end included */
  double from = early > 0 && early_end >= 1 ? early_end : 0;
  for (uint32_t k = 1; k <= rest; k++) add(plan, (uint64_t)(from + ((double)steps - from) * k / rest + 0.5));
  add(plan, steps);
  return VT_OK;
}

void vt_plan_release(struct vt_plan *plan) {
  vt_free(plan->snapshots);
  *plan = (struct vt_plan){0};
}

/* The place of a step among the snapshots, or their number. */
static size_t find_snapshot(const struct vt_plan *plan, uint64_t step) {
  size_t low = 0, high = plan->snapshot_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (plan->snapshots[middle] < step)
      low = middle + 1;
    else
      high = middle;
  }
  return low < plan->snapshot_count && plan->snapshots[low] == step ? low : plan->snapshot_count;
}

bool vt_plan_is_snapshot(const struct vt_plan *plan, uint64_t step) {
  return find_snapshot(plan, step) < plan->snapshot_count;
}

/* Spans are told apart by the whole part of (snapshot x spans) / (snapshots - 1). */
bool vt_plan_is_span_end(const struct vt_plan *plan, uint64_t step) {
  uint64_t place = find_snapshot(plan, step), last = plan->snapshot_count - 1;
  if (place == 0 || place > last) return false;
  return place * plan->ledger_spans / last > (place - 1) * plan->ledger_spans / last;
}

bool vt_plan_is_probe(const struct vt_plan *plan, uint64_t step) {
  return step % plan->probe_every == 0 || vt_plan_is_snapshot(plan, step);
}

bool vt_plan_is_metric(const struct vt_plan *plan, uint64_t step) {
  return step % plan->metric_every == 0 || vt_plan_is_probe(plan, step);
}
