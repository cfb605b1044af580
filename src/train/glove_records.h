/*
 * glove_records.h: the counts of a text as GloVe trains on them: records (i, j, f(X_ij), log X_ij), grouped by blocks.
 *
 * Words fall into `groups` groups by their id modulo groups, so that each holds frequent words and rare ones. Block (a,
 * b) has the records whose row is of group a and whose column is of group b, in a random order. Blocks without a group
 * in common touch no common row of either table, so they can be trained at the same time, in place (Gemulla et al.
 * 2011, "Large-scale matrix factorization with distributed stochastic gradient descent"), and the rows of one block lie
 * in the cache. Row i of the tables is row i / groups of its group.
 */
#ifndef VECTRAIL_TRAIN_GLOVE_RECORDS_H
#define VECTRAIL_TRAIN_GLOVE_RECORDS_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"
#include "base/scratch.h"
#include "kernel/kernel.h"
#include "vectrail/cooccur.h"
#include "vectrail/train.h"

#define VT_GLOVE_GROUPS_MAX 128

struct vt_glove_records {
  struct vt_scratch file;
  uint32_t groups;
  uint64_t *starts; /* by a x groups + b, and the end: groups^2 + 1 */
  uint64_t count;   /* in the blocks */
  /* A sample spread evenly over all records, which no block has: rows and columns are those of the tables. Ascending by
   * row; by_column: their places, ascending by column. */
  struct vt_glove_record *probe;
  uint32_t *by_column;
  size_t probe_count;
  double weight; /* sum of f(X) over all, the probe too */
};

/* f(x) = min(1, (x / x_max)^alpha). */
double vt_glove_weight(double x, double x_max, double alpha);

/* The records lie in a file without a name in `folder` (NULL: as vt_cooccur_options), 16 bytes each. On error nothing
 * is held. */
enum vt_status vt_glove_records_create(const struct vt_cooccur *counts, const struct vt_train_options *options,
                                       uint32_t groups, const char *folder, struct vt_pool *pool,
                                       const volatile sig_atomic_t *interrupt, struct vt_glove_records *records,
                                       struct vt_error *error);
/* A sample of the records of counts, at most VT_PROBE_PAIRS, spread evenly over them, with rows and columns of the
 * tables, for the loss on a part of the text that nothing is trained on: X is its count in that part, which decides its
 * weight, and log X + `offset` what the model should say of it. *sample (vt_free) is the caller's. */
enum vt_status vt_glove_sample(const struct vt_cooccur *counts, const struct vt_train_options *options, double offset,
                               struct vt_glove_record **sample, size_t *count, struct vt_error *error);
void vt_glove_records_release(struct vt_glove_records *records); /* accepts one with file.descriptor -1 */

static inline const struct vt_glove_record *vt_glove_block(const struct vt_glove_records *records, uint32_t a,
                                                           uint32_t b, size_t *count) {
  const uint64_t *start = &records->starts[(size_t)a * records->groups + b];
  *count = (size_t)(start[1] - start[0]);
  return (const struct vt_glove_record *)(const void *)records->file.data + start[0];
}

#endif
