/* x86.h: the last folds of 16-lane sums, shared by the kernels for x86-64: from 4 lanes to 2 to 1. */
#ifndef VECTRAIL_KERNEL_X86_H
#define VECTRAIL_KERNEL_X86_H

#include <immintrin.h>

static inline __attribute__((always_inline)) float vt_x86_fold1(__m128 a) {
  __m128 two = _mm_add_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* Three at once: lanes 0, 1, 2 of the result; lane 3 repeats lane 2. */
static inline __attribute__((always_inline)) __m128 vt_x86_fold3(__m128 a, __m128 b, __m128 c) {
  __m128 ab = _mm_add_ps(_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b)); /* a02 b02 a13 b13 */
  __m128 cc = _mm_add_ps(_mm_unpacklo_ps(c, c), _mm_unpackhi_ps(c, c));
  return _mm_add_ps(_mm_movelh_ps(ab, cc), _mm_movehl_ps(cc, ab));
}

#endif
