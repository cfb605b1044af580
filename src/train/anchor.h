/*
 * anchor.h: what holds a training that goes on with another one's vectors to where it began.
 *
 * The anchor: the objective is the mean over trained words of their loss, plus mu times the sum of |row - row(0)|^2
 * over the tables. Its gradient is 2 mu (row - row(0)), exactly. The sparse engine takes a step of it with each word
 * trained, so that row - row(0) shrinks by 1 - 2 rate mu, as decay.h has it for |row|^2; networks and the exact softmax
 * add it to the gradient of a step.
 *
 * Frozen rows do not move at all.
 */
#ifndef VECTRAIL_TRAIN_ANCHOR_H
#define VECTRAIL_TRAIN_ANCHOR_H

#include <stdbool.h>

#include "base/error.h"
#include "train/table.h"
#include "vectrail/train.h"

struct vt_anchor {
  struct vt_table tables[VT_TABLE_COUNT]; /* borrowed: what moves; without data where there is no such table */
  float *start[VT_TABLE_COUNT];           /* laid out as the tables: row(0); NULL where nothing is held to it */
  bool *frozen[VT_TABLE_COUNT];           /* by row; NULL where none is */
  double mu;
};

struct vt_anchor_options {
  double mu;
  bool freeze[VT_TABLE_COUNT]; /* the whole table */
  const uint32_t *rows;        /* of the input table that are frozen besides */
  size_t row_count;
};

/* What a training's options hold to its start, and `rows` of the input table besides. */
struct vt_anchor_options vt_anchor_options_of(const struct vt_tuning_options *tuning, const uint32_t *rows,
                                              size_t count);
/* Takes the rows as they are as row(0), where anything is held to it. On error nothing is held. */
enum vt_status vt_anchor_init(struct vt_anchor *anchor, const struct vt_table tables[VT_TABLE_COUNT],
                              const struct vt_anchor_options *options, struct vt_error *error);
void vt_anchor_release(struct vt_anchor *anchor); /* accepts an all-zero one */
static inline bool vt_anchor_holds(const struct vt_anchor *anchor) {
  return anchor->start[VT_TABLE_INPUT] != NULL || anchor->start[VT_TABLE_OUTPUT] != NULL;
}
static inline bool vt_anchor_freezes(const struct vt_anchor *anchor) {
  return anchor->frozen[VT_TABLE_INPUT] != NULL || anchor->frozen[VT_TABLE_OUTPUT] != NULL;
}

/* mu times the sum of |row - row(0)|^2, in double. */
double vt_anchor_penalty(const struct vt_anchor *anchor);
/* Rows [first, end) of a table: row <- row(0) + factor (row - row(0)); a row that is at its start stays there, bit for
 * bit. Different rows may be pulled at once. */
void vt_anchor_pull(const struct vt_anchor *anchor, int table, uint32_t first, uint32_t end, double factor);
/* gradient (laid out as the table): adds 2 mu (row - row(0)), and clears the rows that are frozen. */
void vt_anchor_slope(const struct vt_anchor *anchor, int table, float *gradient);
/* Puts frozen rows back to where they began; returns the sum of squares of what that undid. */
double vt_anchor_restore(const struct vt_anchor *anchor, int table);

#endif
