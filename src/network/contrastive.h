/*
 * contrastive.h: vectors that are told apart from one another: InfoNCE, and what is measured of such vectors, in
 * double.
 *
 * With z = x / |x|, pairs (a_i, b_i) and the temperature tau:
 *
 *   InfoNCE = mean over i of - log [ e^(z(a_i).z(b_i) / tau) / sum over j of e^(z(a_i).z(b_j) / tau) ]
 *
 * the b of the other pairs being the negatives (van den Oord, Li and Vinyals 2018; Gao, Yao and Chen 2021, equation 1).
 * Without its denominator, - z(a_i).z(b_i) / tau alone, it is least where all vectors are one.
 */
#ifndef VECTRAIL_NETWORK_CONTRASTIVE_H
#define VECTRAIL_NETWORK_CONTRASTIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct vt_infonce {
  const double *a, *b; /* [count][dim]; a row of zeros is a z of zeros */
  size_t count, dim;
  double temperature;
  bool positives_only;
};
/* The loss, and its slopes by a and b, [count][dim], which are set. VT_ERROR_MEMORY. O(count^2 dim). */
enum vt_status vt_infonce_loss(const struct vt_infonce *batch, double *loss, double *slope_a, double *slope_b,
                               struct vt_error *error);

/* Of the z of x[count][dim] (Wang and Isola 2020): uniformity, log of the mean over pairs i < j of
 * e^(-2 |z_i - z_j|^2): 0 where all are one, -4 where all are orthogonal. rank: the participation ratio of the singular
 * values of z, (sum s^2)^2 / sum s^4: from 1, all on one line, to dim. NaN for fewer than two. x becomes z. */
struct vt_spread {
  double uniformity, rank;
};
struct vt_spread vt_spread_measure(double *x, size_t count, size_t dim);
/* mean over pairs of |z(a_i) - z(b_i)|^2. */
double vt_alignment_measure(const double *a, const double *b, size_t count, size_t dim);

#endif
