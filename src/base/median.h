/* median.h: real numbers in rising order, and the one in their middle. */
#ifndef VECTRAIL_BASE_MEDIAN_H
#define VECTRAIL_BASE_MEDIAN_H

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

/* For qsort, over doubles; there must be no NaN among them. */
static inline int vt_compare_reals(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The middle one, or the mean of the two in the middle; puts the values in order. NaN: there are none. */
static inline double vt_median(double *values, size_t count) {
  if (count == 0) return (double)NAN;
  qsort(values, count, sizeof *values, vt_compare_reals);
  return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

#endif
