/*
 * association.h: how words go together, as symmetric matrices that are sparse, or sparse beside one constant.
 */
#ifndef VECTRAIL_ANALYSIS_ASSOCIATION_H
#define VECTRAIL_ANALYSIS_ASSOCIATION_H

#include "analysis/spectrum.h"
#include "base/error.h"
#include "base/pool.h"
#include "text/meetings.h"
#include "vectrail/theory.h"

/* values stand at the places of the meetings, which are borrowed; everywhere else, in rows and columns of words that
 * meet any, stands `elsewhere`. */
struct vt_association {
  const struct vt_meetings *meetings;
  double *values; /* less elsewhere */
  double elsewhere;
  double *meets;  /* 1 for words that meet any, else 0 */
  double squares; /* |A|_F^2 */
};

/*
 * With P_ij = #(i, j) / total and P_i = #(i) / total:
 *
 *   quadratic  2 (P_ij - P_i P_j) / (P_ij + P_i P_j), -2 elsewhere          (Karkada et al. 2025, arXiv 2502.09863)
 *   pmi        log(P_ij / (P_i P_j)) - shift, 0 elsewhere                   (Levy and Goldberg 2014)
 *   ppmi       the same where it is above 0, 0 elsewhere
 */
enum vt_status vt_association_create(const struct vt_meetings *meetings, enum vt_association_kind kind, double shift,
                                     struct vt_association *association, struct vt_error *error);
void vt_association_release(struct vt_association *association); /* accepts an all-zero one */

/* The value at a place of the meetings' arrays. */
static inline double vt_association_at(const struct vt_association *association, size_t place) {
  return association->values[place] + association->elsewhere;
}

/* As an operator: a context for vt_association_multiply; threads share out rows. work: for as many vectors as are
 * multiplied at once. Create and release as usual. */
struct vt_association_operator {
  const struct vt_association *association;
  struct vt_pool *pool;
  size_t capacity;
  double *from, *to; /* words x capacity */
};
enum vt_status vt_association_operator_create(const struct vt_association *association, struct vt_pool *pool,
                                              size_t capacity, struct vt_association_operator *made,
                                              struct vt_error *error);
void vt_association_operator_release(struct vt_association_operator *made);
void vt_association_multiply(const void *context, const double *from, double *to, size_t count);

/* vt_spectrum_top of it. */
enum vt_status vt_association_top(const struct vt_association *association, struct vt_pool *pool, size_t count,
                                  bool by_size, double *values, double *vectors, struct vt_error *error);

#endif
