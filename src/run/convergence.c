/*
 * convergence.c: each of four series must have become level, or come to rest (docs/metrics.md). The training applies
 * the rule as it goes on, the readers to what was recorded: the same numbers, so the same answer.
 */
#include "run/convergence.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

#define LOSS_FALL 0.001     /* level: falls by less than this share from one window to the next, ... */
#define LOSS_BEGUN 0.99     /* ... once it has fallen below this share of the first */
#define GRADIENT_CHANGE 0.1 /* level: changes by less than this share */
#define RATIO_FALL 0.25     /* level: falls by less than this share: lengths grow on */
#define RATIO_REST 0.01     /* at rest: half the words go less than this share of their length */
#define OVERLAP_RISE 0.03   /* level: rises by less than this */
#define OVERLAP_REST 0.9    /* at rest */

/* The mean of one series over a window that ends before measurements[end]. */
static double window_mean(const struct vt_measurement *measurements, size_t end, size_t offset) {
  double sum = 0;
  for (size_t k = end - VT_CONVERGENCE_WINDOW; k < end; k++) {
    double value;
    memcpy(&value, (const char *)&measurements[k] + offset, sizeof value);
    sum += value;
  }
  return sum / VT_CONVERGENCE_WINDOW;
}

bool vt_convergence_holds(const struct vt_measurement *measurements, size_t count, struct vt_convergence *verdict) {
  verdict->measurements = count;
  /* The first one compares with nothing, so it is in no window. */
  if (count < 2 * VT_CONVERGENCE_WINDOW + 1) return false;
  size_t late = count, before = count - VT_CONVERGENCE_WINDOW;
#define BOTH(field)                                                                                                    \
  double field = window_mean(measurements, late, offsetof(struct vt_measurement, field)),                              \
         field##_before = window_mean(measurements, before, offsetof(struct vt_measurement, field))
  BOTH(loss);
  BOTH(gradient);
  BOTH(update_ratio);
  BOTH(overlap);
#undef BOTH
  verdict->loss_change = loss / loss_before - 1;
  verdict->gradient_change = gradient / gradient_before - 1;
  verdict->update_ratio = update_ratio;
  verdict->update_ratio_change = update_ratio / update_ratio_before - 1;
  verdict->overlap = overlap;
  verdict->overlap_change = overlap - overlap_before;
  verdict->begun = loss < LOSS_BEGUN * measurements[0].loss;
  verdict->loss_level = verdict->begun && verdict->loss_change > -LOSS_FALL;
  verdict->gradient_level = fabs(verdict->gradient_change) < GRADIENT_CHANGE;
  verdict->at_rest = update_ratio < RATIO_REST && overlap > OVERLAP_REST;
  verdict->speed_level = update_ratio < RATIO_REST || verdict->update_ratio_change > -RATIO_FALL;
  verdict->neighbors_level = overlap > OVERLAP_REST || verdict->overlap_change < OVERLAP_RISE;
  return verdict->loss_level && verdict->gradient_level && verdict->speed_level && verdict->neighbors_level;
}

size_t vt_convergence_first(const struct vt_measurement *measurements, size_t count) {
  struct vt_convergence unused;
  for (size_t k = 1; k <= count; k++)
    if (vt_convergence_holds(measurements, k, &unused)) return k;
  return 0;
}

/* ---- of a run -----------------------------------------------------------------------------------------------------
 */

/* Fills in a series at the steps of the measurements; where it has no point there, NaN stays. */
static enum vt_status take_series(struct vt_run *run, const char *name, const struct vt_run_point *at, size_t count,
                                  struct vt_measurement *measurements, size_t offset, struct vt_error *error) {
  struct vt_run_point *points;
  size_t point_count, p = 0;
  VT_TRY(vt_run_metric(run, name, &points, &point_count, error));
  for (size_t k = 0; k < count; k++) {
    double value = (double)NAN;
    while (p < point_count && points[p].step < at[k].step) p++;
    if (p < point_count && points[p].step == at[k].step) value = points[p].value;
    memcpy((char *)&measurements[k] + offset, &value, sizeof value);
  }
  vt_run_points_free(points);
  return VT_OK;
}

static enum vt_status judge(struct vt_run *run, const struct vt_run_point *at, size_t count,
                            struct vt_measurement *measurements, struct vt_convergence *verdict,
                            struct vt_error *error) {
#define TAKE(name, field)                                                                                              \
  VT_TRY(take_series(run, name, at, count, measurements, offsetof(struct vt_measurement, field), error))
  TAKE("probe_loss", loss);
  TAKE("probe_gradient", gradient);
  TAKE("update_ratio", update_ratio);
  TAKE("overlap", overlap);
#undef TAKE
  vt_convergence_holds(measurements, count, verdict);
  size_t first = vt_convergence_first(measurements, count);
  verdict->known = true;
  verdict->converged = first > 0;
  verdict->step = first > 0 ? at[first - 1].step : 0;
  verdict->last_step = at[count - 1].step;
  return VT_OK;
}

enum vt_status vt_run_convergence(struct vt_run *run, struct vt_convergence *verdict, struct vt_error *error) {
  *verdict = (struct vt_convergence){0};
  struct vt_run_point *at;
  size_t count;
  VT_TRY(vt_run_metric(run, "overlap", &at, &count, error));
  enum vt_status status = VT_OK;
  if (count > 0) {
    struct vt_measurement *measurements = vt_alloc(count, sizeof *measurements);
    status = measurements == NULL ? VT_FAIL_MEMORY(error, count * sizeof *measurements)
                                  : judge(run, at, count, measurements, verdict, error);
    vt_free(measurements);
  }
  vt_run_points_free(at);
  return status;
}
