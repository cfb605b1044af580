/*
 * reference.c: the kernels in plain C, one lane at a time: what every other kernel is held against, and what runs
 * where no other can. FMA is a library call on processors without one, so this is slow there, and exact.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/half.h"
#include "kernel/kernel.h"
#define UNROLL
#include "kernel/vector.h"

typedef float vf;
#define VF_LANES 1
#define R float
#define STEP struct vt_step
#define GLOVE struct vt_glove
#define GLOVE_RECORD struct vt_glove_record
#define KERNEL(name) reference_##name
#define TILE_INPUTS(n) 1
#define TILE_INPUTS_MAX 1
#define TILE_OUTPUTS VT_STEP_OUTPUTS_MAX
#define SLOT 1
#define SLOT_OUTPUTS 1
#define PRODUCTS_ROWS 1

static inline float vf_zero(void) { return 0; }
static inline float vf_load(const float *p) { return *p; }
static inline void vf_store(float *p, float v) { *p = v; }
static inline float vf_set1(float x) { return x; }
static inline float vf_add(float a, float b) { return a + b; }
static inline float vf_sub(float a, float b) { return a - b; }
static inline float vf_mul(float a, float b) { return a * b; }
static inline float vf_div(float a, float b) { return a / b; }
static inline float vf_sqrt(float a) { return sqrtf(a); }
static inline float vf_fma(float a, float b, float c) { return fmaf(a, b, c); }
static inline float vf_min(float limit, float x) { return limit < x ? limit : x; }
static inline float vf_max(float limit, float x) { return limit > x ? limit : x; }
static inline float vf_shift_to_exponent(float t) {
  uint32_t bits;
  memcpy(&bits, &t, sizeof bits);
  bits <<= 23;
  float power;
  memcpy(&power, &bits, sizeof power);
  return power;
}
#define vf_keep(v) ((void)(v))
static inline float vf_slots(const float *p) { return *p; }

static inline float reference_fold(const float sum[16]) {
  float lanes[16];
  memcpy(lanes, sum, sizeof lanes);
  for (int half = 8; half > 0; half /= 2)
    for (int l = 0; l < half; l++) lanes[l] = lanes[l] + lanes[l + half];
  return lanes[0];
}

static inline float reference_scores(float (*sums)[VT_STEP_OUTPUTS_MAX][16], int j, int rows, int columns) {
  (void)rows, (void)columns;
  return reference_fold(sums[0][j]);
}

static inline void reference_spread(float scores, float *to, int rows) {
  (void)rows;
  *to = scores;
}

typedef float vr;
#define VR_LANES 1
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
#define vr_fold reference_fold

#define reference_glove_fold reference_fold

#include "kernel/exp_template.h"
#include "kernel/step_template.h"
#include "kernel/row_template.h"
#include "kernel/glove_template.h"
#include "kernel/products_template.h"

static void reference_sigmoid(float *values, size_t count) {
  for (size_t i = 0; i < count; i++) values[i] = reference_sigma(values[i]);
}

static void reference_to_half(const float *values, size_t count, uint16_t *halves) {
  vt_half_from_float(halves, values, count);
}

static void reference_from_half(const uint16_t *halves, size_t count, float *values) {
  vt_float_from_half(values, halves, count);
}

static bool reference_runs_here(void) { return true; }

const struct vt_kernel vt_kernel_reference = {
    .name = "reference",
    .runs_here = reference_runs_here,
    .step = reference_step,
    .merge = reference_merge,
    .glove = reference_glove,
    .glove_loss = reference_glove_loss,
    .dot = reference_dot,
    .bag_mean = reference_bag_mean,
    .bag_take = reference_bag_take,
    .bag_give = reference_bag_give,
    .add_scaled = reference_add_scaled,
    .add_products = reference_add_products,
    .largest = reference_largest,
    .exp_sum = reference_exp_sum,
    .sigmoid = reference_sigmoid,
    .products = reference_products,
    .to_half = reference_to_half,
    .from_half = reference_from_half,
};
