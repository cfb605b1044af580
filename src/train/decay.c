/* decay.c: the books of the lazy decay. */
#include "train/decay.h"

#define RENEW_BELOW 1e-100

void vt_decay_take(struct vt_decay *decay, uint32_t rows, struct vt_arena *arena) {
  *decay = (struct vt_decay){.product = 1, .rows = rows};
  for (int t = 0; t < VT_TABLE_COUNT; t++) decay->paid[t] = vt_arena_take(arena, rows * sizeof *decay->paid[t]);
}

void vt_decay_start(struct vt_decay *decay, uint32_t begin, uint32_t end) {
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    for (uint32_t row = begin; row < end; row++) decay->paid[t][row] = 1;
}

double vt_decay_factor(double rate, double lambda, uint64_t words) {
  double factor = 1, square = 1 - 2 * rate * lambda;
  while (words > 0) {
    if (words & 1) factor *= square;
    square *= square;
    words >>= 1;
  }
  return factor;
}

void vt_decay_add(struct vt_decay *decay, double rate, double lambda, uint64_t words) {
  decay->product *= vt_decay_factor(rate, lambda, words);
}

bool vt_decay_is_due(const struct vt_decay *decay) { return decay->product < RENEW_BELOW; }

void vt_decay_renew(struct vt_decay *decay, struct vt_table tables[VT_TABLE_COUNT], uint32_t begin, uint32_t end) {
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    for (uint32_t row = begin; row < end; row++)
      vt_decay_pay(decay, t, row, vt_table_row(&tables[t], row), tables[t].width);
  vt_decay_start(decay, begin, end);
}
