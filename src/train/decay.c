/* decay.c: the books of the lazy decay. */
#include "train/decay.h"

#include "base/memory.h"

#define RENEW_BELOW 1e-100

enum vt_status vt_decay_init(struct vt_decay *decay, uint32_t rows, struct vt_error *error) {
  *decay = (struct vt_decay){.product = 1, .rows = rows};
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    decay->paid[t] = vt_alloc(rows, sizeof *decay->paid[t]);
    if (decay->paid[t] == NULL) {
      vt_decay_release(decay);
      return VT_FAIL_MEMORY(error, rows * sizeof *decay->paid[t]);
    }
    for (uint32_t row = 0; row < rows; row++) decay->paid[t][row] = 1;
  }
  return VT_OK;
}

void vt_decay_release(struct vt_decay *decay) {
  for (int t = 0; t < VT_TABLE_COUNT; t++) vt_free(decay->paid[t]);
  *decay = (struct vt_decay){0};
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

void vt_decay_renew(struct vt_decay *decay, struct vt_table tables[VT_TABLE_COUNT]) {
  if (decay->product >= RENEW_BELOW) return;
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    for (uint32_t row = 0; row < decay->rows; row++)
      vt_decay_pay(decay, t, row, vt_table_row(&tables[t], row), tables[t].width);
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    for (uint32_t row = 0; row < decay->rows; row++) decay->paid[t][row] = 1;
  decay->product = 1;
}
