/*
 * reference.c: the kernels in plain C, one lane at a time: what every other kernel is held against, and what runs
 * where no other can. FMA is a library call on processors without one, so this is slow there, and exact.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernel/kernel.h"

typedef float vf;
#define VF_LANES 1
#define R float
#define STEP struct vt_step
#define KERNEL(name) reference_##name
#define TILE_INPUTS 1
#define TILE_OUTPUTS 1

static inline float vf_zero(void) { return 0; }
static inline float vf_load(const float *p) { return *p; }
static inline void vf_store(float *p, float v) { *p = v; }
static inline float vf_set1(float x) { return x; }
static inline float vf_add(float a, float b) { return a + b; }
static inline float vf_sub(float a, float b) { return a - b; }
static inline float vf_mul(float a, float b) { return a * b; }
static inline float vf_div(float a, float b) { return a / b; }
static inline float vf_fma(float a, float b, float c) { return fmaf(a, b, c); }
static inline float vf_min(float limit, float x) { return limit < x ? limit : x; }
static inline float vf_max(float limit, float x) { return limit > x ? limit : x; }
static inline float vf_power_of_two(float t) {
  uint32_t bits;
  memcpy(&bits, &t, sizeof bits);
  bits = (bits << 23) + UINT32_C(0x3f800000);
  float power;
  memcpy(&power, &bits, sizeof power);
  return power;
}

static inline void reference_reduce(float sums[1][16], int n, float *to) {
  (void)n;
  for (int half = 8; half > 0; half /= 2)
    for (int l = 0; l < half; l++) sums[0][l] = sums[0][l] + sums[0][l + half];
  *to = sums[0][0];
}

typedef float vr;
#define VR_LANES 1
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

static void reference_sigmoid(float *values, size_t count) {
  for (size_t i = 0; i < count; i++) values[i] = reference_sigma(values[i]);
}

static bool reference_runs_here(void) { return true; }

const struct vt_kernel vt_kernel_reference = {
    .name = "reference",
    .runs_here = reference_runs_here,
    .step = reference_step,
    .merge = reference_merge,
    .dot = reference_dot,
    .sigmoid = reference_sigmoid,
};
