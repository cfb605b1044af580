/*
 * motion.h: how far the input vectors have moved, on a sample of words spread evenly over the ranks.
 */
#ifndef VECTRAIL_TRAIN_MOTION_H
#define VECTRAIL_TRAIN_MOTION_H

#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"
#include "train/table.h"

#define VT_MOTION_WORDS 4096 /* at most; all words where there are no more */
#define VT_MOTION_SHARE 0.01 /* a word counts as moving when it went further than this share of its length */

struct vt_motion {
  uint32_t count;
  uint32_t *words;
  float *start;  /* count x dim: v(0) */
  float *marked; /* count x dim: v at the last mark */
  uint64_t marked_step;
  uint32_t dim;
  double *moved;   /* scratch: what each word went ... */
  double *lengths; /* ... and how long it is */
};

/* Means over the sample; NaN where they are not defined yet. */
struct vt_motion_result {
  double displacement; /* |v(t) - v(0)| */
  double norm;         /* |v(t)| */
};
struct vt_motion_speed {
  double speed;  /* |v(t) - v(mark)| / steps since the mark */
  double moving; /* share of words with |v(t) - v(mark)| > VT_MOTION_SHARE |v(t)| */
};

/* input: the table at its start. Marks step 0. */
enum vt_status vt_motion_init(struct vt_motion *motion, const struct vt_table *input, struct vt_error *error);
void vt_motion_release(struct vt_motion *motion);

/* O(words x dim), shared out to the pool's threads; pool may be NULL. */
struct vt_motion_result vt_motion_measure(struct vt_motion *motion, const struct vt_table *input, struct vt_pool *pool);
/* Speed since the last mark; the mark moves to `step`. Cost as above. */
struct vt_motion_speed vt_motion_mark(struct vt_motion *motion, const struct vt_table *input, uint64_t step,
                                      struct vt_pool *pool);

#endif
