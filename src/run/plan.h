/*
 * plan.h: at which steps a run is recorded. A pure function of the number of steps and of the record options, so that
 * a run that was cut off and taken up again records at the same steps.
 */
#ifndef VECTRAIL_RUN_PLAN_H
#define VECTRAIL_RUN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vectrail/train.h"

struct vt_plan {
  uint64_t steps;
  uint64_t *snapshots; /* ascending, the first 0 and the last `steps` */
  size_t snapshot_count;
  uint64_t metric_every; /* steps */
  uint64_t probe_every;
  uint64_t ledger_spans;
};

/* Snapshots: a quarter of them from step 1 to a twentieth of the run, each about the same factor after the one before
 * (vectors find their place early); the rest evenly to the end. Fewer where steps are fewer. */
enum vt_status vt_plan_init(struct vt_plan *plan, uint64_t steps, const struct vt_record_options *options,
                            struct vt_error *error);
void vt_plan_release(struct vt_plan *plan);

bool vt_plan_is_snapshot(const struct vt_plan *plan, uint64_t step); /* O(log snapshots) */
/* Whether a span of the ledger ends: always at a snapshot behind step 0, spans being about as many snapshots long. */
bool vt_plan_is_span_end(const struct vt_plan *plan, uint64_t step);
bool vt_plan_is_probe(const struct vt_plan *plan, uint64_t step);  /* snapshots are measured too */
bool vt_plan_is_metric(const struct vt_plan *plan, uint64_t step); /* probes too */

#endif
