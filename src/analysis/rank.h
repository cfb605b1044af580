/*
 * rank.h: how alike two orders are.
 *
 * Spearman's rho is Pearson's correlation of ranks, tied values taking the mean of their ranks. Ranks are multiples of
 * one half and sums run in the order given, so the result is the same everywhere.
 */
#ifndef VECTRAIL_ANALYSIS_RANK_H
#define VECTRAIL_ANALYSIS_RANK_H

#include <stddef.h>

#include "base/error.h"

/* Of a[count] and b[count], none of them NaN; *rho is NaN where all of a or all of b are equal. O(count log count).
 * VT_ERROR_MEMORY. */
enum vt_status vt_rank_correlation(const double *a, const double *b, size_t count, double *rho, struct vt_error *error);

#endif
