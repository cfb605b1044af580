/*
 * decay.h: L2 regularisation, exact and lazy.
 *
 * The objective is the mean over trained words of their loss, plus lambda times the sum of |row|^2 over both tables. So
 * every word trained shrinks every row by 1 - 2 rate lambda. Rows that nothing touches are not visited for that: the
 * product of all factors so far is kept, and for each row the product up to which it has been paid. Their quotient is
 * what a row still owes; it is paid when a block copies the row and when the merge writes it. Up to rounding that is
 * the same as shrinking all rows at the end of every superstep (tests/unit/test_decay.c).
 *
 * Observers must not change what is trained, so they read a copy of the table with all debts paid (vt_engine_table).
 */
#ifndef VECTRAIL_TRAIN_DECAY_H
#define VECTRAIL_TRAIN_DECAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "train/table.h"

struct vt_decay {
  double product;
  double *paid[VT_TABLE_COUNT]; /* by row */
  uint32_t rows;
};

/* 16 bytes a row, of the arena. */
void vt_decay_take(struct vt_decay *decay, uint32_t rows, struct vt_arena *arena);
/* Rows begin .. end owe nothing. */
void vt_decay_start(struct vt_decay *decay, uint32_t begin, uint32_t end);

/* The factor that a row still owes. Any number of threads may ask while nobody pays. */
static inline float vt_decay_owed(const struct vt_decay *decay, int table, uint32_t row) {
  return (float)(decay->product / decay->paid[table][row]);
}

/* Scales a row of the table by what it owes. Different rows may be paid at once. */
static inline void vt_decay_pay(struct vt_decay *decay, int table, uint32_t row, float *data, size_t width) {
  float owed = vt_decay_owed(decay, table, row);
  decay->paid[table][row] = decay->product;
  if (owed == 1) return;
  for (size_t k = 0; k < width; k++) data[k] *= owed;
}

/* (1 - 2 rate lambda)^words; by repeated squaring, so that the bits are the same everywhere. */
double vt_decay_factor(double rate, double lambda, uint64_t words);
/* Multiplies the product by it. */
void vt_decay_add(struct vt_decay *decay, double rate, double lambda, uint64_t words);
/* When the product has become very small: all rows of both tables are to be paid, in any pieces, and the product then
 * starts anew at 1. Whether it is due is a function of the product alone. */
bool vt_decay_is_due(const struct vt_decay *decay);
void vt_decay_renew(struct vt_decay *decay, struct vt_table tables[VT_TABLE_COUNT], uint32_t begin, uint32_t end);

#endif
