/*
 * avx2.c: the kernels for x86-64 with AVX2 and FMA: 16 registers of 8 floats. Compiled with -mavx2 -mfma.
 *
 * Scores: tiles of 2 inputs x 3 outputs, 12 accumulators (each dot product has two: 16 lanes), three registers left for operands.
 * Update: 6 outputs and their 6 sums in registers; per input one load, one store, and for each output one
 * broadcast and two FMAs, so the FMA units are the limit.
 */
#include "kernel/kernel.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#include "kernel/x86.h"

typedef __m256 vf;
#define VF_LANES 8
#define R float
#define STEP struct vt_step
#define KERNEL(name) avx2_##name
#define TILE_INPUTS 2
#define TILE_OUTPUTS 3

static inline __m256 vf_zero(void) { return _mm256_setzero_ps(); }
static inline __m256 vf_load(const float *p) { return _mm256_load_ps(p); }
static inline void vf_store(float *p, __m256 v) { _mm256_store_ps(p, v); }
static inline __m256 vf_set1(float x) { return _mm256_set1_ps(x); }
static inline __m256 vf_add(__m256 a, __m256 b) { return _mm256_add_ps(a, b); }
static inline __m256 vf_sub(__m256 a, __m256 b) { return _mm256_sub_ps(a, b); }
static inline __m256 vf_mul(__m256 a, __m256 b) { return _mm256_mul_ps(a, b); }
static inline __m256 vf_div(__m256 a, __m256 b) { return _mm256_div_ps(a, b); }
static inline __m256 vf_fma(__m256 a, __m256 b, __m256 c) { return _mm256_fmadd_ps(a, b, c); }
/* The second operand is what these instructions give when either is NaN. */
static inline __m256 vf_min(__m256 limit, __m256 x) { return _mm256_min_ps(limit, x); }
static inline __m256 vf_max(__m256 limit, __m256 x) { return _mm256_max_ps(limit, x); }
static inline __m256 vf_power_of_two(__m256 t) {
  __m256i bits = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(bits, _mm256_set1_epi32(0x3f800000)));
}

static inline __attribute__((always_inline)) __m128 avx2_fold4(const __m256 lanes[2]) {
  __m256 eight = _mm256_add_ps(lanes[0], lanes[1]);
  return _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
}

static inline __attribute__((always_inline)) void avx2_reduce(__m256 sums[TILE_OUTPUTS][2], const int n, float *to) {
  if (n == 1)
    *to = vt_x86_fold1(avx2_fold4(sums[0]));
  else
    _mm_storeu_ps(to, vt_x86_fold3(avx2_fold4(sums[0]), avx2_fold4(sums[1]), avx2_fold4(sums[2])));
}

typedef __m256 vr;
#define VR_LANES 8
#define vr_zero vf_zero
#define vr_load vf_load
#define vr_store vf_store
#define vr_set1 vf_set1
#define vr_add vf_add
#define vr_sub vf_sub
#define vr_fma vf_fma

#include "kernel/exp_template.h"
#include "kernel/step_template.h"
#include "kernel/row_template.h"

static void avx2_sigmoid(float *values, size_t count) {
  for (size_t i = 0; i < count; i += 8) vf_store(values + i, avx2_sigma(vf_load(values + i)));
}

static bool avx2_runs_here(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const struct vt_kernel vt_kernel_avx2 = {
    .name = "avx2",
    .runs_here = avx2_runs_here,
    .step = avx2_step,
    .merge = avx2_merge,
    .dot = avx2_dot,
    .sigmoid = avx2_sigmoid,
};
#else
typedef int vt_avx2_is_not_compiled_here;
#endif
