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

#include "kernel/vector.h"
#include "kernel/x86.h"

typedef __m512 vf;
#define VF_LANES 16
#define R float
#define STEP struct vt_step
#define GLOVE struct vt_glove
#define GLOVE_RECORD struct vt_glove_record
#define KERNEL(name) avx512_##name
#define TILE_INPUTS(n) 4
#define TILE_INPUTS_MAX 4
#define TILE_OUTPUTS 6
#define SLOT 4
#define SLOT_OUTPUTS 3
#define PRODUCTS_ROWS 12

static inline __m512 vf_zero(void) { return _mm512_setzero_ps(); }
static inline __m512 vf_load(const float *p) { return _mm512_load_ps(p); }
static inline void vf_store(float *p, __m512 v) { _mm512_store_ps(p, v); }
static inline __m512 vf_set1(float x) { return _mm512_set1_ps(x); }
static inline __m512 vf_add(__m512 a, __m512 b) { return _mm512_add_ps(a, b); }
static inline __m512 vf_sub(__m512 a, __m512 b) { return _mm512_sub_ps(a, b); }
static inline __m512 vf_mul(__m512 a, __m512 b) { return _mm512_mul_ps(a, b); }
static inline __m512 vf_div(__m512 a, __m512 b) { return _mm512_div_ps(a, b); }
static inline __m512 vf_sqrt(__m512 a) { return _mm512_sqrt_ps(a); }
static inline __m512 vf_fma(__m512 a, __m512 b, __m512 c) { return _mm512_fmadd_ps(a, b, c); }
/* The second operand is what these instructions give when either is NaN. */
static inline __m512 vf_min(__m512 limit, __m512 x) { return _mm512_min_ps(limit, x); }
static inline __m512 vf_max(__m512 limit, __m512 x) { return _mm512_max_ps(limit, x); }
static inline __m512 vf_shift_to_exponent(__m512 t) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(t), 23));
}
#ifndef vf_keep /* the tests emulate this instruction set, and have none of its registers */
#define vf_keep(v) __asm__("" : "+v"(v))
#endif
static inline __m512 vf_slots(const float *p) { return _mm512_broadcast_f32x4(_mm_loadu_ps(p)); }

/* Four sums of 16 lanes to 4 lanes each, side by side: 8 apart two sums at a time, then 4 apart all four. */
ALWAYS_INLINE __m512 avx512_fold_four(__m512 a, __m512 b, __m512 c, __m512 d) {
  __m512 ab = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
  __m512 cd = _mm512_add_ps(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xee));
  return _mm512_add_ps(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
}

ALWAYS_INLINE __m512 avx512_scores(__m512 (*sums)[VT_STEP_OUTPUTS_MAX][1], const int j, const int rows,
                                   const int columns) {
  const int k = columns > 1 ? j + 1 : j, l = columns > 2 ? j + 2 : j;
  const int second = rows > 1 ? 1 : 0, third = rows > 2 ? 2 : 0, fourth = rows > 3 ? 3 : 0;
  __m512 a = avx512_fold_four(sums[0][j][0], sums[second][j][0], sums[third][j][0], sums[fourth][j][0]);
  __m512 b = avx512_fold_four(sums[0][k][0], sums[second][k][0], sums[third][k][0], sums[fourth][k][0]);
  __m512 c = avx512_fold_four(sums[0][l][0], sums[second][l][0], sums[third][l][0], sums[fourth][l][0]);
  __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)); /* a02 b02 a13 b13, four times */
  __m512 cc = _mm512_add_ps(_mm512_unpacklo_ps(c, c), _mm512_unpackhi_ps(c, c));
  return _mm512_add_ps(_mm512_shuffle_ps(ab, cc, 0x44), _mm512_shuffle_ps(ab, cc, 0xee));
}

ALWAYS_INLINE void avx512_spread(__m512 scores, float *to, const int rows) {
  _mm_storeu_ps(to, _mm512_castps512_ps128(scores));
  if (rows > 1) _mm_storeu_ps(to + VT_STEP_SCORE_STRIDE, _mm512_extractf32x4_ps(scores, 1));
  if (rows > 2) _mm_storeu_ps(to + 2 * VT_STEP_SCORE_STRIDE, _mm512_extractf32x4_ps(scores, 2));
  if (rows > 3) _mm_storeu_ps(to + 3 * VT_STEP_SCORE_STRIDE, _mm512_extractf32x4_ps(scores, 3));
}

typedef __m256 vr;
#define VR_LANES 8
static inline __m256 vr_zero(void) { return _mm256_setzero_ps(); }
static inline __m256 vr_load(const float *p) { return _mm256_load_ps(p); }
static inline void vr_store(float *p, __m256 v) { _mm256_store_ps(p, v); }
static inline __m256 vr_set1(float x) { return _mm256_set1_ps(x); }
static inline __m256 vr_add(__m256 a, __m256 b) { return _mm256_add_ps(a, b); }
static inline __m256 vr_sub(__m256 a, __m256 b) { return _mm256_sub_ps(a, b); }
static inline __m256 vr_mul(__m256 a, __m256 b) { return _mm256_mul_ps(a, b); }
static inline __m256 vr_div(__m256 a, __m256 b) { return _mm256_div_ps(a, b); }
static inline __m256 vr_sqrt(__m256 a) { return _mm256_sqrt_ps(a); }
static inline __m256 vr_fma(__m256 a, __m256 b, __m256 c) { return _mm256_fmadd_ps(a, b, c); }
#define vr_fold vt_x86_fold
#define avx512_to_half vt_x86_to_half
#define avx512_from_half vt_x86_from_half

/* Folds 16 lanes. */
ALWAYS_INLINE float avx512_glove_fold(const __m512 sum[1]) {
  _Alignas(64) float lanes[16];
  _mm512_store_ps(lanes, sum[0]);
  const __m256 halves[2] = {_mm256_load_ps(lanes), _mm256_load_ps(lanes + 8)};
  return vt_x86_fold(halves);
}

#include "kernel/exp_template.h"
#include "kernel/step_template.h"
#include "kernel/row_template.h"
#include "kernel/glove_template.h"
#include "kernel/products_template.h"

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
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && vt_x86_has_f16c() &&
         __builtin_cpu_supports("avx512f");
}

const struct vt_kernel vt_kernel_avx512 = {
    .name = "avx512",
    .runs_here = avx512_runs_here,
    .step = avx512_step,
    .merge = avx512_merge,
    .glove = avx512_glove,
    .glove_loss = avx512_glove_loss,
    .dot = avx512_dot,
    .bag_mean = avx512_bag_mean,
    .bag_take = avx512_bag_take,
    .bag_give = avx512_bag_give,
    .add_scaled = avx512_add_scaled,
    .add_products = avx512_add_products,
    .largest = avx512_largest,
    .exp_sum = avx512_exp_sum,
    .sigmoid = avx512_sigmoid,
    .products = avx512_products,
    .to_half = avx512_to_half,
    .from_half = avx512_from_half,
};
#else
typedef int vt_avx512_is_not_compiled_here;
#endif
