/*
 * vectrail/settling.h: when words come to rest, by how often they occur (docs/metrics.md).
 */
#ifndef VECTRAIL_SETTLING_H
#define VECTRAIL_SETTLING_H

#include <stddef.h>
#include <stdint.h>

#include "vectrail/run.h"
#include "vectrail/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Two measures of a word. How much of its way is left: the mean over the training of |v(t) - v(T)| / |v(0) - v(T)|, by
 * trapezoids between snapshots: the smaller, the sooner; 0.5 on a way at constant speed. And the step at which it has
 * settled: that of the first snapshot from which on, to the last, the cosine of v(t) and v(T) is at least `within`.
 * Words that occur only once, those that never moved, and those whose last vector is zero are left out of both. */
#define VT_SETTLING_WITHIN 0.9

/* Words that occur `low` to `high` times, both included. */
struct vt_settling_band {
  uint64_t low, high;
  size_t words;      /* that have settled after their start: the figures are of these */
  size_t still;      /* besides, whose start was within already: they have kept their direction */
  double left;       /* median of what is left; NaN where there are no words, as below */
  double quarter[3]; /* of the steps at which they settled: lower quartile, median, upper quartile */
};
#define VT_SETTLING_BANDS_MAX 20 /* powers of ten of a count */

enum vt_settling_order { VT_SETTLING_FREQUENT_FIRST, VT_SETTLING_RARE_FIRST, VT_SETTLING_NO_ORDER };

struct vt_settling {
  double within;
  size_t snapshots;
  uint64_t steps; /* T */
  /* What is left, of all words. */
  size_t words;
  double frequent; /* median over the more frequent third of the words */
  double middle;
  double rare;
  double correlation; /* Spearman's, of count and what is left; negative: frequent words settle first */
  /* The step, of those words that have settled after their start. */
  size_t settled;
  double step_correlation; /* Spearman's, of count and step */
  /* No order where |step_correlation| is below 0.1 or not defined, or the medians of the rarest and the most frequent
   * band of ten words or more say the opposite. */
  enum vt_settling_order order;
  struct vt_settling_band bands[VT_SETTLING_BANDS_MAX]; /* rare to frequent; those without a word are left out */
  size_t band_count;
};

/* within: above 0, below 1. Reads each snapshot once. VT_ERROR_ARGUMENT; VT_ERROR_EMPTY: the run stands at step 0;
 * those of vt_run_vectors. Memory: four tables' rows, and some 40 bytes a word. */
VT_API enum vt_status vt_settling_measure(struct vt_run *run, double within, struct vt_settling *settling,
                                          struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif
