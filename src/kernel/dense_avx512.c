/* dense_avx512.c: AVX-512F. A tile is 12 x 2 registers of sums; with two of b and one of a they fill the file. */
#if defined(__AVX512F__)
#include <immintrin.h>

#define R float
#define DENSE(name) avx512_dense_##name
#define DENSE_FLOAT
#include "kernel/dense_float_template.h"
#include "kernel/dense_template.h"

static void avx512_dense_tile(const float *a, const float *b, size_t depth, float *c, size_t stride, bool add) {
  __m512 sums[VT_TILE_ROWS][2];
  UNROLL for (int i = 0; i < VT_TILE_ROWS; i++) sums[i][0] = sums[i][1] = _mm512_setzero_ps();
  for (size_t k = 0; k < depth; k++, a += VT_TILE_ROWS, b += VT_TILE_COLUMNS) {
    const __m512 b0 = _mm512_loadu_ps(b), b1 = _mm512_loadu_ps(b + 16);
    UNROLL for (int i = 0; i < VT_TILE_ROWS; i++) {
      const __m512 ai = _mm512_set1_ps(a[i]);
      sums[i][0] = _mm512_fmadd_ps(ai, b0, sums[i][0]);
      sums[i][1] = _mm512_fmadd_ps(ai, b1, sums[i][1]);
    }
  }
  UNROLL for (int i = 0; i < VT_TILE_ROWS; i++) {
    float *row = c + (size_t)i * stride;
    if (add) {
      sums[i][0] = _mm512_add_ps(_mm512_loadu_ps(row), sums[i][0]);
      sums[i][1] = _mm512_add_ps(_mm512_loadu_ps(row + 16), sums[i][1]);
    }
    _mm512_storeu_ps(row, sums[i][0]);
    _mm512_storeu_ps(row + 16, sums[i][1]);
  }
}

extern const struct vt_dense vt_dense_avx512;
const struct vt_dense vt_dense_avx512 = {DENSE_FUNCTIONS};
#else
typedef int vt_dense_avx512_is_not_compiled_here;
#endif
