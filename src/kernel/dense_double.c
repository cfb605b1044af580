/* dense_double.c: the same in double, for finite differences. */
#include <math.h>

#define R double
#define DENSE(name) double_##name

typedef double double_v __attribute__((vector_size(16 * sizeof(double))));
static double_v *exp_in_place(double_v *v) {
  for (int l = 0; l < 16; l++) (*v)[l] = exp((*v)[l]);
  return v;
}
#define VEXP(v) (*exp_in_place(&(v)))
#define ERF erf
#include "kernel/dense_template.h"

static void double_tile(const double *a, const double *b, size_t depth, double *c, size_t stride, bool add) {
  double sums[VT_TILE_ROWS][VT_TILE_COLUMNS] = {{0}};
  for (size_t k = 0; k < depth; k++, a += VT_TILE_ROWS, b += VT_TILE_COLUMNS)
    for (size_t i = 0; i < VT_TILE_ROWS; i++)
      for (size_t j = 0; j < VT_TILE_COLUMNS; j++) sums[i][j] += a[i] * b[j];
  for (size_t i = 0; i < VT_TILE_ROWS; i++)
    for (size_t j = 0; j < VT_TILE_COLUMNS; j++) c[i * stride + j] = add ? c[i * stride + j] + sums[i][j] : sums[i][j];
}

const struct vt_dense_double vt_dense_in_double = {DENSE_FUNCTIONS};
