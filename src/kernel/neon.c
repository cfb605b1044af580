/*
 * neon.c: the kernels for 64-bit ARM, where NEON is always there: 32 registers of 4 floats.
 *
 * Scores: tiles of 2 inputs x 3 outputs, 24 accumulators (each dot product has four: 16 lanes).
 * Update: 6 outputs and their 6 sums in registers, with room for a second column if the compiler wants it.
 */
#include "kernel/kernel.h"

#if defined(__AARCH64EL__)
#include <arm_neon.h>

#include "kernel/vector.h"

typedef float32x4_t vf;
#define VF_LANES 4
#define R float
#define STEP struct vt_step
#define GLOVE struct vt_glove
#define GLOVE_RECORD struct vt_glove_record
#define KERNEL(name) neon_##name
#define TILE_INPUTS(n) 2
#define TILE_INPUTS_MAX 2
#define TILE_OUTPUTS 3
#define SLOT 4
#define SLOT_OUTPUTS 3
#define PRODUCTS_ROWS 4

static inline float32x4_t vf_zero(void) { return vdupq_n_f32(0); }
static inline float32x4_t vf_load(const float *p) { return vld1q_f32(p); }
static inline void vf_store(float *p, float32x4_t v) { vst1q_f32(p, v); }
static inline float32x4_t vf_set1(float x) { return vdupq_n_f32(x); }
static inline float32x4_t vf_add(float32x4_t a, float32x4_t b) { return vaddq_f32(a, b); }
static inline float32x4_t vf_sub(float32x4_t a, float32x4_t b) { return vsubq_f32(a, b); }
static inline float32x4_t vf_mul(float32x4_t a, float32x4_t b) { return vmulq_f32(a, b); }
static inline float32x4_t vf_div(float32x4_t a, float32x4_t b) { return vdivq_f32(a, b); }
static inline float32x4_t vf_sqrt(float32x4_t a) { return vsqrtq_f32(a); }
static inline float32x4_t vf_fma(float32x4_t a, float32x4_t b, float32x4_t c) { return vfmaq_f32(c, a, b); }
/* These give NaN where either operand is one. */
static inline float32x4_t vf_min(float32x4_t limit, float32x4_t x) { return vminq_f32(limit, x); }
static inline float32x4_t vf_max(float32x4_t limit, float32x4_t x) { return vmaxq_f32(limit, x); }
static inline float32x4_t vf_shift_to_exponent(float32x4_t t) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vreinterpretq_s32_f32(t), 23));
}
#define vf_keep(v) __asm__("" : "+w"(v))
static inline float32x4_t vf_slots(const float *p) { return vld1q_f32(p); }

/* A sum of 16 lanes to 4: first 8 apart, then 4. */
ALWAYS_INLINE float32x4_t neon_fold4(const float32x4_t lanes[4]) {
  return vaddq_f32(vaddq_f32(lanes[0], lanes[2]), vaddq_f32(lanes[1], lanes[3]));
}

/* Two sums of 4 lanes to 2 lanes each: a02 a13 b02 b13. */
ALWAYS_INLINE float32x4_t neon_fold2(float32x4_t a, float32x4_t b) {
  return vaddq_f32(vcombine_f32(vget_low_f32(a), vget_low_f32(b)), vcombine_f32(vget_high_f32(a), vget_high_f32(b)));
}

ALWAYS_INLINE float32x4_t neon_scores(float32x4_t (*sums)[VT_STEP_OUTPUTS_MAX][4], const int j, const int rows,
                                      const int columns) {
  (void)rows; /* always one */
  const int k = columns > 1 ? j + 1 : j, l = columns > 2 ? j + 2 : j;
  float32x4_t a = neon_fold4(sums[0][j]), b = neon_fold4(sums[0][k]), c = neon_fold4(sums[0][l]);
  return vpaddq_f32(neon_fold2(a, b), neon_fold2(c, c));
}

ALWAYS_INLINE void neon_spread(float32x4_t scores, float *to, const int rows) {
  (void)rows; /* always one */
  vst1q_f32(to, scores);
}

ALWAYS_INLINE float neon_fold(const float32x4_t lanes[4]) {
  float32x4_t four = neon_fold4(lanes);
  float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
  return vget_lane_f32(vpadd_f32(two, two), 0);
}

typedef float32x4_t vr;
#define VR_LANES 4
#define vr_zero vf_zero
#define vr_load vf_load
#define vr_store vf_store
#define vr_set1 vf_set1
#define vr_add vf_add
#define vr_sub vf_sub
#define vr_mul vf_mul
#define vr_div vf_div
#define vr_sqrt vf_sqrt
#define vr_fma vf_fma
#define vr_fold neon_fold

#define neon_glove_fold neon_fold

#include "kernel/exp_template.h"
#include "kernel/step_template.h"
#include "kernel/row_template.h"
#include "kernel/glove_template.h"
#include "kernel/products_template.h"

static void neon_sigmoid(float *values, size_t count) {
  for (size_t i = 0; i < count; i += 4) vf_store(values + i, neon_sigma(vf_load(values + i)));
}

static void neon_to_half(const float *values, size_t count, uint16_t *halves) {
  size_t i = 0;
  for (; i + 4 <= count; i += 4) vst1_u16(halves + i, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(values + i))));
  for (; i < count; i++) halves[i] = vget_lane_u16(vreinterpret_u16_f16(vcvt_f16_f32(vdupq_n_f32(values[i]))), 0);
}

static void neon_from_half(const uint16_t *halves, size_t count, float *values) {
  size_t i = 0;
  for (; i + 4 <= count; i += 4) vst1q_f32(values + i, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(halves + i))));
  for (; i < count; i++) values[i] = vgetq_lane_f32(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(halves[i]))), 0);
}

static bool neon_runs_here(void) { return true; }

const struct vt_kernel vt_kernel_neon = {
    .name = "neon",
    .runs_here = neon_runs_here,
    .step = neon_step,
    .merge = neon_merge,
    .glove = neon_glove,
    .glove_loss = neon_glove_loss,
    .dot = neon_dot,
    .bag_mean = neon_bag_mean,
    .bag_take = neon_bag_take,
    .bag_give = neon_bag_give,
    .add_scaled = neon_add_scaled,
    .add_products = neon_add_products,
    .largest = neon_largest,
    .exp_sum = neon_exp_sum,
    .sigmoid = neon_sigmoid,
    .products = neon_products,
    .to_half = neon_to_half,
    .from_half = neon_from_half,
};
#else
typedef int vt_neon_is_not_compiled_here;
#endif
