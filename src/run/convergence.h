/*
 * convergence.h: the rule by which a training counts as converged, over measurements taken at equal distances.
 */
#ifndef VECTRAIL_RUN_CONVERGENCE_H
#define VECTRAIL_RUN_CONVERGENCE_H

#include <stddef.h>

#include "vectrail/measure.h"

#define VT_CONVERGENCE_WINDOW 10 /* measurements on each side of the comparison */

/* One measurement; NaN where there is none. */
struct vt_measurement {
  double loss;         /* on the probe */
  double gradient;     /* likewise */
  double update_ratio; /* since the measurement before */
  double overlap;      /* likewise */
};

/* Looks at the last 2 x VT_CONVERGENCE_WINDOW measurements; fills in all of *verdict but `known` and the steps. False
 * where the rule does not hold, or there are fewer measurements. */
bool vt_convergence_holds(const struct vt_measurement *measurements, size_t count, struct vt_convergence *verdict);
/* The first number of measurements at which the rule holds; 0 where it never does. */
size_t vt_convergence_first(const struct vt_measurement *measurements, size_t count);

#endif
