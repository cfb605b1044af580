/*
 * shares.h: the sentences of a text, dealt into shares at random: halves to see the noise by, tests to measure on.
 */
#ifndef VECTRAIL_ANALYSIS_SHARES_H
#define VECTRAIL_ANALYSIS_SHARES_H

#include "base/error.h"
#include "text/span.h"
#include "vectrail/corpus.h"

#define VT_SHARES_MAX 5

struct vt_shares {
  size_t count;
  struct vt_span *others[VT_SHARES_MAX]; /* the sentences that are not of that share, ascending */
  size_t other_counts[VT_SHARES_MAX];
};

/* Sentence n falls into a share by the first number of the stream of (seed, n), which is all that decides. shares: they
 * sum to 1. VT_ERROR_EMPTY: a share has no sentence. */
enum vt_status vt_shares_draw(const struct vt_corpus *corpus, uint64_t seed, const double *shares, size_t count,
                              struct vt_shares *drawn, struct vt_error *error);
void vt_shares_release(struct vt_shares *drawn); /* accepts an all-zero one */

#endif
