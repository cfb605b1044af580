/* dense_avx2.c: AVX2 and FMA. A tile is taken in parts of 6 x 2 registers of sums. */
#if defined(__AVX2__)
#include <immintrin.h>

#define R float
#define DENSE(name) avx2_dense_##name
#define DENSE_FLOAT
#include "kernel/dense_float_template.h"
#include "kernel/dense_template.h"

static void tile_part(const float *a, const float *b, size_t depth, float *c, size_t stride, bool add) {
  __m256 sums[6][2];
  UNROLL for (int i = 0; i < 6; i++) sums[i][0] = sums[i][1] = _mm256_setzero_ps();
  for (size_t k = 0; k < depth; k++, a += VT_TILE_ROWS, b += VT_TILE_COLUMNS) {
    const __m256 b0 = _mm256_loadu_ps(b), b1 = _mm256_loadu_ps(b + 8);
    UNROLL for (int i = 0; i < 6; i++) {
      const __m256 ai = _mm256_broadcast_ss(a + i);
      sums[i][0] = _mm256_fmadd_ps(ai, b0, sums[i][0]);
      sums[i][1] = _mm256_fmadd_ps(ai, b1, sums[i][1]);
    }
  }
  UNROLL for (int i = 0; i < 6; i++) {
    float *row = c + (size_t)i * stride;
    if (add) {
      sums[i][0] = _mm256_add_ps(_mm256_loadu_ps(row), sums[i][0]);
      sums[i][1] = _mm256_add_ps(_mm256_loadu_ps(row + 8), sums[i][1]);
    }
    _mm256_storeu_ps(row, sums[i][0]);
    _mm256_storeu_ps(row + 8, sums[i][1]);
  }
}

static void avx2_dense_tile(const float *a, const float *b, size_t depth, float *c, size_t stride, bool add) {
  for (size_t i = 0; i < VT_TILE_ROWS; i += 6)
    for (size_t j = 0; j < VT_TILE_COLUMNS; j += 16) tile_part(a + i, b + j, depth, c + i * stride + j, stride, add);
}

extern const struct vt_dense vt_dense_avx2;
const struct vt_dense vt_dense_avx2 = {DENSE_FUNCTIONS};
#else
typedef int vt_dense_avx2_is_not_compiled_here;
#endif
