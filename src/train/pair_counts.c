/* pair_counts.c: rows that are empty are left out; weights become floats. */
#include "train/pair_counts.h"

#include "base/memory.h"
#include "base/rng.h"

static void fill(const struct vt_cooccur *from, struct vt_pair_counts *counts) {
  const double scale = (double)vt_cooccur_scale(from);
  size_t at = 0;
  for (uint32_t word = 0; word < vt_cooccur_words(from); word++) {
    const uint32_t *columns;
    const uint64_t *units;
    const size_t pairs = vt_cooccur_row(from, word, &columns, &units);
    if (pairs == 0) continue;
    counts->inputs[counts->rows] = word;
    counts->start[counts->rows++] = at;
    for (size_t k = 0; k < pairs; k++, at++) {
      counts->targets[at] = columns[k];
      counts->weights[at] = (float)((double)units[k] / scale);
      counts->total += (double)counts->weights[at];
    }
  }
  counts->start[counts->rows] = at;
}

enum vt_status vt_pair_counts_create(const struct vt_cooccur *from, struct vt_pair_counts *counts,
                                     struct vt_error *error) {
  const size_t pairs = (size_t)vt_cooccur_pairs(from), words = vt_cooccur_words(from);
  *counts = (struct vt_pair_counts){.inputs = vt_alloc(words, sizeof *counts->inputs),
                                    .start = vt_alloc(words + 1, sizeof *counts->start),
                                    .targets = vt_alloc(pairs, sizeof *counts->targets),
                                    .weights = vt_alloc(pairs, sizeof *counts->weights)};
  if (counts->inputs == NULL || counts->start == NULL || counts->targets == NULL || counts->weights == NULL) {
    vt_pair_counts_release(counts);
    return VT_FAIL_MEMORY(error, pairs * (sizeof *counts->targets + sizeof *counts->weights));
  }
  fill(from, counts);
  return VT_OK;
}

void vt_pair_counts_release(struct vt_pair_counts *counts) {
  vt_free(counts->inputs);
  vt_free(counts->start);
  vt_free(counts->targets);
  vt_free(counts->weights);
  *counts = (struct vt_pair_counts){0};
}

void vt_pair_counts_sample(const struct vt_pair_counts *counts, uint64_t seed, size_t wanted, uint32_t *inputs,
                           uint32_t *targets) {
  struct vt_rng rng = vt_rng_make(VT_RNG_PROBE, seed, 1, 0);
  const size_t pairs = counts->start[counts->rows];
  const double stretch = counts->total / (double)wanted;
  size_t at = 0, row = 0;
  double passed = (double)counts->weights[0];
  for (size_t k = 0; k < wanted; k++) {
    const double drawn = ((double)k + (double)(vt_rng_next(&rng) >> 11) * 0x1p-53) * stretch;
    while (passed <= drawn && at + 1 < pairs) passed += (double)counts->weights[++at];
    while (counts->start[row + 1] <= at) row++;
    inputs[k] = counts->inputs[row];
    targets[k] = counts->targets[at];
  }
}
