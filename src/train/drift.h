/*
 * drift.h: how far words are from where a training that goes on with another run found them, by what the new text says
 * of them: words that it holds, words that it does not, and words that are new.
 */
#ifndef VECTRAIL_TRAIN_DRIFT_H
#define VECTRAIL_TRAIN_DRIFT_H

#include "base/error.h"
#include "base/pool.h"
#include "train/table.h"
#include "vectrail/vocab.h"

enum vt_drift_group { VT_DRIFT_SEEN, VT_DRIFT_UNSEEN, VT_DRIFT_NEW, VT_DRIFT_GROUPS };

struct vt_drift {
  const struct vt_vocab *vocab; /* borrowed; counts of the new text */
  uint32_t words;               /* the first so many are not new */
  struct vt_table start;        /* rows, with the width of the table */
  double *shares;               /* by row: |v - v(0)| / |v(0)|; NaN where v(0) is zero */
};

/* Takes the table as it is for the start. On error nothing is held. */
enum vt_status vt_drift_init(struct vt_drift *drift, const struct vt_vocab *vocab, uint32_t words,
                             const struct vt_table *input, struct vt_error *error);
void vt_drift_release(struct vt_drift *drift); /* accepts an all-zero one */

enum vt_drift_group vt_drift_group_of(const struct vt_vocab *vocab, uint32_t words, uint32_t word);
/* The means over the words of each group of |v - v(0)| / |v(0)|; NaN for a group that has none. */
void vt_drift_measure(struct vt_drift *drift, const struct vt_table *input, struct vt_pool *pool,
                      double means[VT_DRIFT_GROUPS]);

#endif
