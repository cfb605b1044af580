/*
 * polar.h: the orthogonal matrix nearest to a matrix.
 */
#ifndef VECTRAIL_ANALYSIS_POLAR_H
#define VECTRAIL_ANALYSIS_POLAR_H

#include <stddef.h>

#include "base/error.h"
#include "base/pool.h"

/* rotation[d][d] = U V' where matrix[d][d] = U S V' (Schoenemann 1966): of all orthogonal R the one with the greatest
 * trace(R' matrix). Where singular values are zero there are many; one of them is chosen by a fixed rule. matrix and
 * rotation may not overlap; all numbers finite. O(d^3), some ten times over; the same bits whatever the pool. */
enum vt_status vt_polar_rotation(const double *matrix, size_t d, struct vt_pool *pool, double *rotation,
                                 struct vt_error *error);

#endif
