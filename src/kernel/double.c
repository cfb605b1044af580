/* double.c: the step in double precision, from the template that makes all others: what finite differences and
 * error bounds are held against. Not for training. */
#include <math.h>
#include <string.h>

#include "kernel/kernel.h"
#define UNROLL
#include "kernel/vector.h"

typedef double vf;
#define VF_LANES 1
#define R double
#define STEP struct vt_step_double
#define GLOVE struct vt_glove_double
#define GLOVE_RECORD struct vt_glove_record_double
#define KERNEL(name) double_##name
#define TILE_INPUTS(n) 1
#define TILE_INPUTS_MAX 1
#define TILE_OUTPUTS VT_STEP_OUTPUTS_MAX
#define SLOT 1
#define SLOT_OUTPUTS 1

static inline double vf_zero(void) { return 0; }
static inline double vf_load(const double *p) { return *p; }
static inline void vf_store(double *p, double v) { *p = v; }
static inline double vf_set1(double x) { return x; }
static inline double vf_sub(double a, double b) { return a - b; }
static inline double vf_mul(double a, double b) { return a * b; }
static inline double vf_div(double a, double b) { return a / b; }
static inline double vf_sqrt(double a) { return sqrt(a); }
static inline double vf_fma(double a, double b, double c) { return fma(a, b, c); }
static inline double vf_one_plus_exp_minus(double x) { return 1 + exp(-x); }
#define vf_keep(v) ((void)(v))
static inline double vf_slots(const double *p) { return *p; }

static inline double double_scores(double (*sums)[VT_STEP_OUTPUTS_MAX][16], int j, int rows, int columns) {
  (void)rows, (void)columns;
  double *lanes = sums[0][j];
  for (int half = 8; half > 0; half /= 2)
    for (int l = 0; l < half; l++) lanes[l] = lanes[l] + lanes[l + half];
  return lanes[0];
}

static inline void double_spread(double scores, double *to, int rows) {
  (void)rows;
  *to = scores;
}

static inline double double_glove_fold(const double sum[16]) {
  double lanes[16];
  memcpy(lanes, sum, sizeof lanes);
  for (int half = 8; half > 0; half /= 2)
    for (int l = 0; l < half; l++) lanes[l] += lanes[l + half];
  return lanes[0];
}

#include "kernel/step_template.h"
#include "kernel/glove_template.h"

void vt_kernel_step_double(struct vt_step_double *step) { double_step(step); }
void vt_kernel_glove_double(struct vt_glove_double *block) { double_glove(block); }
void vt_kernel_glove_loss_double(struct vt_glove_double *block) { double_glove_loss(block); }
