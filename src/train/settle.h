/*
 * settle.h: whether the vectors are coming to rest, measured while they are trained: how far words went since the
 * measurement before, and which of their neighbours they kept.
 *
 * Distances are over up to 1,024 words spread evenly over the ranks; neighbours are those of 32 words among the 2,048
 * most frequent. Threads of the engine share them out; sums are formed in a fixed order.
 */
#ifndef VECTRAIL_TRAIN_SETTLE_H
#define VECTRAIL_TRAIN_SETTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "kernel/kernel.h"
#include "train/engine.h"
#include "train/table.h"

#define VT_SETTLE_WORDS 1024
#define VT_SETTLE_QUERIES 32
#define VT_SETTLE_AMONG 2048
#define VT_SETTLE_NEIGHBORS 10

struct vt_settle {
  uint32_t count; /* words */
  uint32_t dim;
  uint32_t queries;
  uint32_t among;
  const struct vt_kernel *kernel;
  float *marked;                  /* count x dim: where the words were */
  uint32_t *lists;                /* queries x VT_SETTLE_NEIGHBORS: their neighbours then */
  double *ratios;                 /* scratch */
  double kept[VT_SETTLE_QUERIES]; /* scratch: what each query kept */
  float *inverse;                 /* scratch: 1 / length of the rows that neighbours are looked for among */
};

struct vt_settle_result {
  double update_ratio; /* median over words of |v - v before| / |v| */
  double overlap;      /* mean over queries of the Jaccard index of the neighbours now and before */
};

enum vt_status vt_settle_init(struct vt_settle *settle, const struct vt_table *input, struct vt_error *error);
void vt_settle_release(struct vt_settle *settle); /* accepts an all-zero one */

/* Compares with the measurement before, and is from then on what the next compares with. first: there is none, and both
 * results are NaN. */
struct vt_settle_result vt_settle_measure(struct vt_settle *settle, struct vt_engine *engine, bool first);

#endif
