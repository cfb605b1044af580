/* drift.c: distances in double, by any thread; summed in the order of the rows. */
#include "train/drift.h"

#include <math.h>
#include <string.h>

#include "base/distance.h"
#include "base/memory.h"

#define WORDS_A_PIECE 128

enum vt_status vt_drift_init(struct vt_drift *drift, const struct vt_vocab *vocab, uint32_t words,
                             const struct vt_table *input, struct vt_error *error) {
  *drift = (struct vt_drift){.vocab = vocab, .words = words};
  VT_TRY(vt_table_init(&drift->start, input->rows, input->dim, error));
  drift->shares = vt_alloc(input->rows, sizeof *drift->shares);
  if (drift->shares == NULL) {
    vt_drift_release(drift);
    return VT_FAIL_MEMORY(error, input->rows * sizeof *drift->shares);
  }
  for (uint32_t row = 0; row < input->rows; row++)
    memcpy(vt_table_row(&drift->start, row), vt_table_row(input, row), input->dim * sizeof *input->data);
  return VT_OK;
}

void vt_drift_release(struct vt_drift *drift) {
  vt_table_release(&drift->start);
  vt_free(drift->shares);
  *drift = (struct vt_drift){0};
}

enum vt_drift_group vt_drift_group_of(const struct vt_vocab *vocab, uint32_t words, uint32_t word) {
  if (word >= words) return VT_DRIFT_NEW;
  return vt_vocab_count(vocab, word) > 0 ? VT_DRIFT_SEEN : VT_DRIFT_UNSEEN;
}

struct look {
  struct vt_drift *drift;
  const struct vt_table *input;
};

static void look_at(void *context, size_t begin, size_t end) {
  const struct look *look = context;
  const size_t dim = look->input->dim;
  for (size_t row = begin; row < end; row++) {
    const float *start = vt_table_row(&look->drift->start, (uint32_t)row);
    const double length = sqrt(vt_squared_length(start, dim));
    const double moved = sqrt(vt_squared_distance(vt_table_row(look->input, (uint32_t)row), start, dim));
    look->drift->shares[row] = length > 0 ? moved / length : (double)NAN;
  }
}

void vt_drift_measure(struct vt_drift *drift, const struct vt_table *input, struct vt_pool *pool,
                      double means[VT_DRIFT_GROUPS]) {
  struct look look = {drift, input};
  double sums[VT_DRIFT_GROUPS] = {0}, counts[VT_DRIFT_GROUPS] = {0};
  vt_pool_share(pool, input->rows, WORDS_A_PIECE, look_at, &look);
  for (uint32_t row = 0; row < input->rows; row++) {
    if (isnan(drift->shares[row])) continue;
    const enum vt_drift_group group = vt_drift_group_of(drift->vocab, drift->words, row);
    sums[group] += drift->shares[row];
    counts[group]++;
  }
  for (int g = 0; g < VT_DRIFT_GROUPS; g++) means[g] = counts[g] > 0 ? sums[g] / counts[g] : (double)NAN;
}
