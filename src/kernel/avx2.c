/*
 * avx2.c: the kernels for x86-64 with AVX2, FMA and F16C: 16 registers of 8 floats. Compiled for these.
 *
 * Scores: tiles of 2 inputs x 3 outputs, 12 accumulators (each dot product has two: 16 lanes), three registers left for
 * operands; 5 loads for 6 FMAs, where a Zen 3 can do 2 of each in a cycle.
 * Update: 6 outputs and their 6 sums in registers; per input one load, one store, and for each output one
 * broadcast and two FMAs, so the FMA units are the limit.
 */
#include "kernel/kernel.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#include "kernel/vector.h"
#include "kernel/x86.h"

typedef __m256 vf;
#define VF_LANES 8
#define R float
#define STEP struct vt_step
#define GLOVE struct vt_glove
#define GLOVE_RECORD struct vt_glove_record
#define KERNEL(name) avx2_##name
#define TILE_INPUTS(n) ((n) == 1 ? 4 : 2)
#define TILE_INPUTS_MAX 4
#define TILE_OUTPUTS 3
#define SLOT 4
#define SLOT_OUTPUTS 3
#define PRODUCTS_ROWS 6

static inline __m256 vf_zero(void) { return _mm256_setzero_ps(); }
static inline __m256 vf_load(const float *p) { return _mm256_load_ps(p); }
static inline void vf_store(float *p, __m256 v) { _mm256_store_ps(p, v); }
static inline __m256 vf_set1(float x) { return _mm256_set1_ps(x); }
static inline __m256 vf_add(__m256 a, __m256 b) { return _mm256_add_ps(a, b); }
static inline __m256 vf_sub(__m256 a, __m256 b) { return _mm256_sub_ps(a, b); }
static inline __m256 vf_mul(__m256 a, __m256 b) { return _mm256_mul_ps(a, b); }
static inline __m256 vf_div(__m256 a, __m256 b) { return _mm256_div_ps(a, b); }
static inline __m256 vf_sqrt(__m256 a) { return _mm256_sqrt_ps(a); }
static inline __m256 vf_fma(__m256 a, __m256 b, __m256 c) { return _mm256_fmadd_ps(a, b, c); }
/* The second operand is what these instructions give when either is NaN. */
static inline __m256 vf_min(__m256 limit, __m256 x) { return _mm256_min_ps(limit, x); }
static inline __m256 vf_max(__m256 limit, __m256 x) { return _mm256_max_ps(limit, x); }
static inline __m256 vf_shift_to_exponent(__m256 t) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(t), 23));
}
#define vf_keep(v) __asm__("" : "+x"(v))
static inline __m256 vf_slots(const float *p) { return _mm256_broadcast_ps((const __m128 *)(const void *)p); }

/* Two sums of 16 lanes to 4 lanes each, side by side. */
ALWAYS_INLINE __m256 avx2_fold_pair(const __m256 a[2], const __m256 b[2]) {
  __m256 x = _mm256_add_ps(a[0], a[1]), y = _mm256_add_ps(b[0], b[1]);
  return _mm256_add_ps(_mm256_blend_ps(x, y, 0xf0), _mm256_permute2f128_ps(x, y, 0x21));
}

ALWAYS_INLINE __m256 avx2_scores(__m256 (*sums)[VT_STEP_OUTPUTS_MAX][2], const int j, const int rows,
                                 const int columns) {
  const int k = columns > 1 ? j + 1 : j, l = columns > 2 ? j + 2 : j, i = rows - 1;
  __m256 a = avx2_fold_pair(sums[0][j], sums[i][j]);
  __m256 b = avx2_fold_pair(sums[0][k], sums[i][k]);
  __m256 c = avx2_fold_pair(sums[0][l], sums[i][l]);
  __m256 ab = _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)); /* a02 b02 a13 b13, twice */
  __m256 cc = _mm256_add_ps(_mm256_unpacklo_ps(c, c), _mm256_unpackhi_ps(c, c));
  return _mm256_add_ps(_mm256_shuffle_ps(ab, cc, 0x44), _mm256_shuffle_ps(ab, cc, 0xee));
}

ALWAYS_INLINE void avx2_spread(__m256 scores, float *to, const int rows) {
  _mm_storeu_ps(to, _mm256_castps256_ps128(scores));
  if (rows > 1) _mm_storeu_ps(to + VT_STEP_SCORE_STRIDE, _mm256_extractf128_ps(scores, 1));
}

typedef __m256 vr;
#define VR_LANES 8
#define vr_zero vf_zero
#define vr_load vf_load
#define vr_store vf_store
#define vr_set1 vf_set1
#define vr_add vf_add
#define vr_sub vf_sub
#define vr_mul vf_mul
#define vr_div vf_div
static inline __m256 vr_sqrt(__m256 a) { return _mm256_sqrt_ps(a); }
#define vr_fma vf_fma
#define vr_fold vt_x86_fold

#define avx2_glove_fold vt_x86_fold
#define avx2_to_half vt_x86_to_half
#define avx2_from_half vt_x86_from_half

#include "kernel/exp_template.h"
#include "kernel/step_template.h"
#include "kernel/row_template.h"
#include "kernel/glove_template.h"
#include "kernel/products_template.h"

static void avx2_sigmoid(float *values, size_t count) {
  for (size_t i = 0; i < count; i += 8) vf_store(values + i, avx2_sigma(vf_load(values + i)));
}

static bool avx2_runs_here(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && vt_x86_has_f16c();
}

const struct vt_kernel vt_kernel_avx2 = {
    .name = "avx2",
    .runs_here = avx2_runs_here,
    .step = avx2_step,
    .merge = avx2_merge,
    .glove = avx2_glove,
    .glove_loss = avx2_glove_loss,
    .dot = avx2_dot,
    .bag_mean = avx2_bag_mean,
    .bag_take = avx2_bag_take,
    .bag_give = avx2_bag_give,
    .add_scaled = avx2_add_scaled,
    .add_products = avx2_add_products,
    .largest = avx2_largest,
    .exp_sum = avx2_exp_sum,
    .sigmoid = avx2_sigmoid,
    .products = avx2_products,
    .to_half = avx2_to_half,
    .from_half = avx2_from_half,
};
#else
typedef int vt_avx2_is_not_compiled_here;
#endif
