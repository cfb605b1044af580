/*
 * measure.h: the sums that every cosine is made of, in one fixed order.
 *
 * Products of floats are formed and added in double: a product of two floats is exact there, and neither the largest
 * floats nor the smallest leave its range. Eight partial sums (lane l takes elements l, l + 8, ...) are folded 4, 2, 1
 * apart: independent chains keep the processor busy, and the order is part of the source, so every compiler and every
 * instruction set gives the same bits.
 */
#ifndef VECTRAIL_ANALYSIS_MEASURE_H
#define VECTRAIL_ANALYSIS_MEASURE_H

#include <math.h>
#include <stddef.h>
#include <string.h>

#define VT_MEASURE_LANES 8

struct vt_measure {
  double product; /* query . row */
  double squared; /* row . row */
};

/* Two doubles in one register, on every processor that has such; spelled out because compilers disagree on whether to
 * find this in plain loops, and that is worth a factor of two. Elementwise, so the bits are those of scalar code. */
typedef double vt_double2 __attribute__((vector_size(16)));
typedef float vt_float2 __attribute__((vector_size(8)));

static inline vt_double2 vt_double2_load(const double *from) {
  vt_double2 two;
  memcpy(&two, from, sizeof two);
  return two;
}

static inline vt_double2 vt_double2_widen(const float *from) {
  vt_float2 two;
  memcpy(&two, from, sizeof two);
  return __builtin_convertvector(two, vt_double2);
}

static inline double vt_measure_fold(double lanes[VT_MEASURE_LANES]) {
  for (int half = VT_MEASURE_LANES / 2; half > 0; half /= 2)
    for (int l = 0; l < half; l++) lanes[l] += lanes[l + half];
  return lanes[0];
}

/* query[dim] against row[dim]. */
static inline struct vt_measure vt_measure_row(const double *query, const float *row, size_t dim) {
  vt_double2 p0 = {0}, p1 = {0}, p2 = {0}, p3 = {0}, s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
  size_t c = 0;
  for (; c + VT_MEASURE_LANES <= dim; c += VT_MEASURE_LANES) {
    vt_double2 x0 = vt_double2_widen(row + c), x1 = vt_double2_widen(row + c + 2);
    vt_double2 x2 = vt_double2_widen(row + c + 4), x3 = vt_double2_widen(row + c + 6);
    p0 += vt_double2_load(query + c) * x0;
    p1 += vt_double2_load(query + c + 2) * x1;
    p2 += vt_double2_load(query + c + 4) * x2;
    p3 += vt_double2_load(query + c + 6) * x3;
    s0 += x0 * x0;
    s1 += x1 * x1;
    s2 += x2 * x2;
    s3 += x3 * x3;
  }
  double product[VT_MEASURE_LANES] = {p0[0], p0[1], p1[0], p1[1], p2[0], p2[1], p3[0], p3[1]};
  double squared[VT_MEASURE_LANES] = {s0[0], s0[1], s1[0], s1[1], s2[0], s2[1], s3[0], s3[1]};
  for (size_t l = 0; c + l < dim; l++) {
    double x = (double)row[c + l];
    product[l] += query[c + l] * x;
    squared[l] += x * x;
  }
  return (struct vt_measure){vt_measure_fold(product), vt_measure_fold(squared)};
}

/* |row|^2, the same bits as vt_measure_row gives. */
static inline double vt_measure_squared(const float *row, size_t dim) {
  double squared[VT_MEASURE_LANES] = {0};
  size_t c = 0;
  for (; c + VT_MEASURE_LANES <= dim; c += VT_MEASURE_LANES)
    for (size_t l = 0; l < VT_MEASURE_LANES; l++) squared[l] += (double)row[c + l] * (double)row[c + l];
  for (size_t l = 0; c + l < dim; l++) squared[l] += (double)row[c + l] * (double)row[c + l];
  return vt_measure_fold(squared);
}

/*
 * The cosine from the three sums. One square root of the product of the squares, not a product of two roots: where the
 * vectors are equal the result is 1 exactly. A zero vector has cosine 0; NaN and infinite vectors give NaN.
 */
static inline double vt_measure_cosine(double product, double squared_a, double squared_b) {
  if (squared_a == 0 || squared_b == 0) return isfinite(product) ? 0 : (double)NAN;
  double cosine = product / sqrt(squared_a * squared_b);
  if (cosine > 1) return 1;
  if (cosine < -1) return -1;
  return cosine;
}

#endif
