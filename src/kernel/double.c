/* double.c: the step in double precision, from the template that makes all others: what finite differences and
 * error bounds are held against. Not for training. */
#include <math.h>

#include "kernel/kernel.h"

typedef double vf;
#define VF_LANES 1
#define R double
#define STEP struct vt_step_double
#define KERNEL(name) double_##name
#define TILE_INPUTS 1
#define TILE_OUTPUTS 1

static inline double vf_zero(void) { return 0; }
static inline double vf_load(const double *p) { return *p; }
static inline void vf_store(double *p, double v) { *p = v; }
static inline double vf_set1(double x) { return x; }
static inline double vf_add(double a, double b) { return a + b; }
static inline double vf_sub(double a, double b) { return a - b; }
static inline double vf_mul(double a, double b) { return a * b; }
static inline double vf_div(double a, double b) { return a / b; }
static inline double vf_fma(double a, double b, double c) { return fma(a, b, c); }
static inline double vf_exp(double x) { return exp(x); }

static inline void double_reduce(double sums[1][16], int n, double *to) {
  (void)n;
  for (int half = 8; half > 0; half /= 2)
    for (int l = 0; l < half; l++) sums[0][l] = sums[0][l] + sums[0][l + half];
  *to = sums[0][0];
}

#include "kernel/step_template.h"

void vt_kernel_step_double(struct vt_step_double *step) { double_step(step); }
