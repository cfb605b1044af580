/* x86.h: single rows on x86-64, 8 floats at a time, for the kernels that have AVX2. */
#ifndef VECTRAIL_KERNEL_X86_H
#define VECTRAIL_KERNEL_X86_H

#include <immintrin.h>

#include "kernel/vector.h"

/* A sum of 16 lanes, by the tree of kernel.h. */
ALWAYS_INLINE float vt_x86_fold(const __m256 lanes[2]) {
  __m256 eight = _mm256_add_ps(lanes[0], lanes[1]);
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

#endif
