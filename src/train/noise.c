/* noise.c: building the alias table. Columns are filled in id order from both ends of one work list, so the table is
 * a function of the counts alone. */
#include "train/noise.h"

#include <math.h>

#include "base/memory.h"

/* Pairs every column that is short of 1 with one that is over. weights: scaled to mean 1, consumed. */
static void fill_columns(struct vt_noise *noise, double *weights, uint32_t *work) {
  uint32_t size = noise->size, short_count = 0, over_start = size;
  for (uint32_t w = 0; w < size; w++) {
    if (weights[w] < 1)
      work[short_count++] = w;
    else
      work[--over_start] = w;
  }
  /* What is left in either list at the end is 1 up to rounding. */
  for (uint32_t w = 0; w < size; w++) {
    noise->keep[w] = UINT32_MAX;
    noise->other[w] = w;
  }
  while (short_count > 0 && over_start < size) {
    uint32_t small = work[--short_count], large = work[over_start];
    noise->keep[small] = (uint32_t)(weights[small] * 4294967295.0);
    noise->other[small] = large;
    weights[large] -= 1 - weights[small];
    if (weights[large] < 1) {
      over_start++;
      work[short_count++] = large;
    }
  }
}

/* The default exponent is formed by square roots, which IEEE rounds correctly everywhere; pow may differ in its last
 * bit from one C library to another. */
static double weight(double count, double exponent) {
  if (count == 0) return 0;
  return exponent == 0.75 ? sqrt(count * sqrt(count)) : pow(count, exponent);
}

enum vt_status vt_noise_init(struct vt_noise *noise, const struct vt_vocab *vocab, double exponent,
                             struct vt_error *error) {
  size_t size = vt_vocab_size(vocab);
  double *weights = vt_alloc(size, sizeof *weights);
  uint32_t *work = vt_alloc(size, sizeof *work);
  *noise = (struct vt_noise){.size = (uint32_t)size,
                             .keep = vt_alloc(size, sizeof *noise->keep),
                             .other = vt_alloc(size, sizeof *noise->other)};
  if (weights == NULL || work == NULL || noise->keep == NULL || noise->other == NULL) {
    vt_free(weights);
    vt_free(work);
    vt_noise_release(noise);
    return VT_FAIL_MEMORY(error, size * sizeof *weights);
  }
  double sum = 0;
  for (uint32_t w = 0; w < size; w++) {
    weights[w] = weight((double)vt_vocab_count(vocab, w), exponent);
    sum += weights[w];
  }
  for (uint32_t w = 0; w < size; w++) weights[w] = sum > 0 ? weights[w] / sum * (double)size : 1;
  fill_columns(noise, weights, work);
  vt_free(weights);
  vt_free(work);
  return VT_OK;
}

void vt_noise_release(struct vt_noise *noise) {
  vt_free(noise->keep);
  vt_free(noise->other);
  *noise = (struct vt_noise){0};
}
