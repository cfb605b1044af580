/* x86.h: single rows on x86-64, 8 floats at a time, for the kernels that have AVX2, FMA and F16C. */
#ifndef VECTRAIL_KERNEL_X86_H
#define VECTRAIL_KERNEL_X86_H

#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/vector.h"

/* A sum of 16 lanes, by the tree of kernel.h. */
ALWAYS_INLINE float vt_x86_fold(const __m256 lanes[2]) {
  __m256 eight = _mm256_add_ps(lanes[0], lanes[1]);
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* __builtin_cpu_supports does not know F16C in every compiler. Asked once: in a virtual machine the host answers, which
 * takes longer than the conversion of a thousand rows. */
static inline bool vt_x86_has_f16c(void) {
  static atomic_int known; /* 1: it has; 2: it has not */
  int answer = atomic_load_explicit(&known, memory_order_relaxed);
  if (answer == 0) {
    unsigned eax, ebx, ecx, edx;
    answer = __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0 ? 1 : 2;
    atomic_store_explicit(&known, answer, memory_order_relaxed);
  }
  return answer == 1;
}

/* Half-precision numbers, 8 at a time: they go to memory faster than that anyway. */
static inline void vt_x86_to_half(const float *values, size_t count, uint16_t *halves) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8)
    _mm_storeu_si128((__m128i *)(void *)(halves + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(values + i), _MM_FROUND_TO_NEAREST_INT));
  for (; i < count; i++) halves[i] = _cvtss_sh(values[i], _MM_FROUND_TO_NEAREST_INT);
}

static inline void vt_x86_from_half(const uint16_t *halves, size_t count, float *values) {
  size_t i = 0;
  for (; i + 8 <= count; i += 8)
    _mm256_storeu_ps(values + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(halves + i))));
  for (; i < count; i++) values[i] = _cvtsh_ss(halves[i]);
}

#endif
