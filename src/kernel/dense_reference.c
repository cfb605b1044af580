/* dense_reference.c: in plain C, for every processor, and which table belongs to which kernel. */
#include <string.h>

#define R float
#define DENSE(name) reference_##name
#define DENSE_FLOAT
#include "kernel/dense_float_template.h"
#include "kernel/dense_template.h"

static void reference_tile(const float *a, const float *b, size_t depth, float *c, size_t stride, bool add) {
  float sums[VT_TILE_ROWS][VT_TILE_COLUMNS] = {{0}};
  for (size_t k = 0; k < depth; k++, a += VT_TILE_ROWS, b += VT_TILE_COLUMNS)
    for (size_t i = 0; i < VT_TILE_ROWS; i++)
      for (size_t j = 0; j < VT_TILE_COLUMNS; j++) sums[i][j] = fmaf(a[i], b[j], sums[i][j]);
  for (size_t i = 0; i < VT_TILE_ROWS; i++)
    for (size_t j = 0; j < VT_TILE_COLUMNS; j++) c[i * stride + j] = add ? c[i * stride + j] + sums[i][j] : sums[i][j];
}

static const struct vt_dense dense_reference = {DENSE_FUNCTIONS};
extern const struct vt_dense vt_dense_avx2, vt_dense_avx512;

const struct vt_dense *vt_dense_choose(const char *kernel) {
#if defined(__x86_64__)
  if (strcmp(kernel, "avx512") == 0) return &vt_dense_avx512;
  if (strcmp(kernel, "avx2") == 0) return &vt_dense_avx2;
#else
  (void)kernel;
#endif
  return &dense_reference;
}
