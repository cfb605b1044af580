/*
 * distance.h: lengths and distances of float rows, in double: eight running sums, added up in one order, so that the
 * compiler can work on several numbers at a time and the bits are the same everywhere.
 */
#ifndef VECTRAIL_BASE_DISTANCE_H
#define VECTRAIL_BASE_DISTANCE_H

#include <stddef.h>

#define VT_DISTANCE_LANES 8

static inline double vt_distance_fold(const double sums[VT_DISTANCE_LANES]) {
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

/* |a - b|^2 */
static inline double vt_squared_distance(const float *a, const float *b, size_t dim) {
  double sums[VT_DISTANCE_LANES] = {0};
  size_t k = 0;
  for (; k + VT_DISTANCE_LANES <= dim; k += VT_DISTANCE_LANES)
    for (size_t lane = 0; lane < VT_DISTANCE_LANES; lane++) {
      double difference = (double)a[k + lane] - (double)b[k + lane];
      sums[lane] += difference * difference;
    }
  for (size_t lane = 0; k < dim; k++, lane++) {
    double difference = (double)a[k] - (double)b[k];
    sums[lane] += difference * difference;
  }
  return vt_distance_fold(sums);
}

/* |a|^2 */
static inline double vt_squared_length(const float *a, size_t dim) {
  double sums[VT_DISTANCE_LANES] = {0};
  size_t k = 0;
  for (; k + VT_DISTANCE_LANES <= dim; k += VT_DISTANCE_LANES)
    for (size_t lane = 0; lane < VT_DISTANCE_LANES; lane++) sums[lane] += (double)a[k + lane] * (double)a[k + lane];
  for (size_t lane = 0; k < dim; k++, lane++) sums[lane] += (double)a[k] * (double)a[k];
  return vt_distance_fold(sums);
}

#endif
