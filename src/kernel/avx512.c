/*
 * avx512.c: the kernels for x86-64 with AVX-512F: 32 registers of 16 floats. Compiled with -mavx512f.
 *
 * Scores: tiles of 4 inputs x 6 outputs, 24 accumulators. A row that ends in half a group of 16 is followed by zeros
 * (kernel.h), so whole registers are loaded there too. Single rows belong to the tables, which have no such tail:
 * their kernels use 8-float registers.
 */
#include "kernel/kernel.h"

#if defined(__AVX512F__)
#include <immintrin.h>

#include "kernel/x86.h"

typedef __m512 vf;
#define VF_LANES 16
#define R float
#define STEP struct vt_step
#define KERNEL(name) avx512_##name
#define TILE_INPUTS 4
#define TILE_OUTPUTS 6

static inline __m512 vf_zero(void) { return _mm512_setzero_ps(); }
static inline __m512 vf_load(const float *p) { return _mm512_load_ps(p); }
static inline void vf_store(float *p, __m512 v) { _mm512_store_ps(p, v); }
static inline __m512 vf_set1(float x) { return _mm512_set1_ps(x); }
static inline __m512 vf_add(__m512 a, __m512 b) { return _mm512_add_ps(a, b); }
static inline __m512 vf_sub(__m512 a, __m512 b) { return _mm512_sub_ps(a, b); }
static inline __m512 vf_mul(__m512 a, __m512 b) { return _mm512_mul_ps(a, b); }
static inline __m512 vf_div(__m512 a, __m512 b) { return _mm512_div_ps(a, b); }
static inline __m512 vf_fma(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }
/* The second operand is what these instructions give when either is NaN. */
static inline __m512 vf_min(__m512 limit, __m512 x) { return _mm512_min_ps(limit, x); }
static inline __m512 vf_max(__m512 limit, __m512 x) { return _mm512_max_ps(limit, x); }
static inline __m512 vf_power_of_two(__m512 t) {
  __m512i bits = _mm512_slli_epi32(_mm512_castps_si512(t), 23);
  return _mm512_castsi512_ps(_mm512_add_epi32(bits, _mm512_set1_epi32(0x3f800000)));
}

static inline __attribute__((always_inline)) __m128 avx512_fold4(__m512 sum) {
  __m256 high = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(sum), 1));
  __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(sum), high);
  return _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
}

static inline __attribute__((always_inline)) void avx512_reduce(__m512 sums[TILE_OUTPUTS][1], const int n, float *to) {
  if (n == 1) {
    *to = vt_x86_fold1(avx512_fold4(sums[0][0]));
    return;
  }
  _mm_storeu_ps(to, vt_x86_fold3(avx512_fold4(sums[0][0]), avx512_fold4(sums[1][0]), avx512_fold4(sums[2][0])));
  _mm_storeu_ps(to + 3, vt_x86_fold3(avx512_fold4(sums[3][0]), avx512_fold4(sums[4][0]), avx512_fold4(sums[5][0])));
}

typedef __m256 vr;
#define VR_LANES 8
static inline __m256 vr_zero(void) { return _mm256_setzero_ps(); }
static inline __m256 vr_load(const float *p) { return _mm256_load_ps(p); }
static inline void vr_store(float *p, __m256 v) { _mm256_store_ps(p, v); }
static inline __m256 vr_set1(float x) { return _mm256_set1_ps(x); }
static inline __m256 vr_add(__m256 a, __m256 b) { return _mm256_add_ps(a, b); }
static inline __m256 vr_sub(__m256 a, __m256 b) { return _mm256_sub_ps(a, b); }
static inline __m256 vr_fma(__m256 a, __m256 b, __m256 c) { return _mm256_fmadd_ps(a, b, c); }

#include "kernel/exp_template.h"
#include "kernel/step_template.h"
#include "kernel/row_template.h"

static void avx512_sigmoid(float *values, size_t count) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) _mm512_storeu_ps(values + i, avx512_sigma(_mm512_loadu_ps(values + i)));
  if (i < count) {
    const __mmask16 low = 0xff;
    _mm512_mask_storeu_ps(values + i, low, avx512_sigma(_mm512_maskz_loadu_ps(low, values + i)));
  }
}

static bool avx512_runs_here(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx512f");
}

const struct vt_kernel vt_kernel_avx512 = {
    .name = "avx512",
    .runs_here = avx512_runs_here,
    .step = avx512_step,
    .merge = avx512_merge,
    .dot = avx512_dot,
    .sigmoid = avx512_sigmoid,
};
#else
typedef int vt_avx512_is_not_compiled_here;
#endif
