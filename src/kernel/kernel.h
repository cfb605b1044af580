/*
 * kernel.h: the numeric kernels, one table of functions for each instruction set.
 *
 * Every kernel does the same operations in the same order: sums run in 16 partial sums (lane l takes elements
 * l, l+16, ...) folded by one tree (8, 4, 2, 1 apart), products are fused into sums (FMA), and 1 + e^-x is one
 * sequence of IEEE operations (exp_template.h). So all kernels give the same bits; the tests hold them to that, NaN
 * excepted: a NaN is one in all of them, but its sign and payload are the processor's. The reference kernel is plain
 * C; the others are the same template (step_template.h) over another set of vector operations.
 *
 * A row is `width` floats, width a multiple of VT_KERNEL_PAD, aligned to 32 bytes, elements past the dimension
 * zero: steps keep them zero. The rows of a step are aligned to 64 bytes and followed by zeros up to a multiple of
 * 16, which a step may rewrite with zeros. Kernels allocate nothing, log nothing and keep no state.
 */
#ifndef VECTRAIL_KERNEL_KERNEL_H
#define VECTRAIL_KERNEL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/kernel.h"

#define VT_KERNEL_PAD 8          /* rows are padded to this many floats */
#define VT_STEP_INPUTS_MAX 16    /* input rows in one step */
#define VT_STEP_OUTPUTS_MAX 6    /* output rows in one step: with their sums they fill an AVX2 register file */
#define VT_STEP_SCORE_STRIDE 8   /* scores[input * VT_STEP_SCORE_STRIDE + output] */
#define VT_KERNEL_WIDTH_MAX 4096 /* floats in a row */
#define VT_PANEL 16              /* columns of a panel */
#define VT_PANEL_ROWS 12         /* rows come in multiples of so many */
#define VT_ADAGRAD_EPSILON 1e-8F

/* dim rounded up to a whole number of pads. */
static inline size_t vt_kernel_width(size_t dim) { return (dim + VT_KERNEL_PAD - 1) / VT_KERNEL_PAD * VT_KERNEL_PAD; }

/*
 * One step of logistic regression of outputs on inputs, both moving (Mikolov et al. 2013, eq. 4, as a minibatch):
 *
 *   s_ij = v_i . u_j                        written to scores
 *   g_ij = rate label_j - rate / (1 + e^-s_ij)
 *   v_i += sum_j g_ij u_j                   with the old u and the old v on the right
 *   u_j += sum_i g_ij v_i
 */
struct vt_step {
  float *inputs[VT_STEP_INPUTS_MAX];   /* distinct rows v_i */
  float *outputs[VT_STEP_OUTPUTS_MAX]; /* distinct rows u_j, none of them an input */
  int input_count;                     /* 1 .. VT_STEP_INPUTS_MAX */
  int output_count;                    /* 1 .. VT_STEP_OUTPUTS_MAX */
  size_t width;
  float rate;
  _Alignas(64) float labels[2 * VT_STEP_SCORE_STRIDE]; /* per output, 0 or 1; the second half repeats the first */
  /* Out. Columns from output_count on are undefined. */
  _Alignas(64) float scores[VT_STEP_INPUTS_MAX * VT_STEP_SCORE_STRIDE];
};

/* The same step in double, from the same source text: what finite differences and error bounds are held against. */
struct vt_step_double {
  double *inputs[VT_STEP_INPUTS_MAX];
  double *outputs[VT_STEP_OUTPUTS_MAX];
  int input_count;
  int output_count;
  size_t width;
  double rate;
  double labels[2 * VT_STEP_SCORE_STRIDE];
  double scores[VT_STEP_INPUTS_MAX * VT_STEP_SCORE_STRIDE];
};

/*
 * Adds to a row the sum of what several blocks did to their copies of it, its length capped:
 *
 *   step = sum_b (copy_b - row), in order;  step *= min(1, max(cap, cap_share |row|) / |step|);  row += step
 *
 * Where |step|^2 or |row|^2 is not finite the row is left alone and finite is false.
 *
 * With squares the step is AdaGrad's (Duchi, Hazan and Singer 2011; as the outer optimiser of local SGD: Reddi et al.
 * 2021, algorithm 2), before it is capped, for each element k:
 *
 *   g_k = step_k / rate;  squares_k += g_k^2;  step_k = rate g_k / (sqrt(squares_k) + VT_ADAGRAD_EPSILON)
 */
struct vt_merge {
  float *row;
  float *squares; /* as wide and as aligned as a row, or NULL */
  float rate;     /* above 0, with squares */
  const float *const *copies;
  size_t copy_count; /* at least 1 */
  size_t width;
  float cap;
  float cap_share;
  /* Out. */
  float step_squared; /* |applied step|^2 */
  bool capped;
  bool finite;
};

/*
 * GloVe (Pennington et al. 2014, equation 8) with AdaGrad (Duchi et al. 2011), one record after the other. Rows are
 *
 *   input   v_1 .. v_d, b, 1, 0 .. 0        output   u_1 .. u_d, 1, c, 0 .. 0
 *
 * width elements, behind which stand as many sums of squares h, so that x . y = v.u + b + c. Those of the ones are
 * infinite, so that they stay. For a record:
 *
 *   difference = x . y - log_count                        loss += weight difference^2
 *   r_x = rate weight difference y + l2 x                 (with the old x and y, as r_y)
 *   h += r^2;  x -= r / sqrt(h)                           element by element, of both rows
 */
struct vt_glove_record {
  uint32_t row;    /* of the block */
  uint32_t column; /* likewise */
  float weight;    /* f(X) */
  float log_count; /* log X */
};

struct vt_glove {
  float *input;  /* of row 0 of the block, aligned to 64 bytes */
  float *output; /* likewise */
  size_t stride; /* from row to row of the block; a multiple of 16 */
  size_t width;  /* a multiple of 16 */
  const struct vt_glove_record *records;
  size_t count;
  float rate;
  const float *l2; /* by element: rate times twice the penalty; width floats, aligned to 64 bytes. NULL: none */
  double loss;     /* the sum is added to it, record after record */
};

/* The same in double, likewise. */
struct vt_glove_record_double {
  uint32_t row;
  uint32_t column;
  double weight;
  double log_count;
};
struct vt_glove_double {
  double *input;
  double *output;
  size_t stride;
  size_t width;
  const struct vt_glove_record_double *records;
  size_t count;
  double rate;
  const double *l2;
  double loss;
};

/*
 * A bag of rows whose mean is trained (CBOW). bag_mean: mean = (row_0 + row_1 + ...) (1 / count), summed in order;
 * moved is the same, delta zero. bag_take, after a step that moved `moved`: delta += moved - mean; moved = mean again.
 * bag_give: row_i += share delta, fused, one row after the other, so that a row that is there twice gets it twice.
 */
struct vt_bag {
  float *const *rows;
  size_t count; /* at least 1 */
  size_t width; /* of mean, moved and delta, which are aligned as rows */
  float *mean;
  float *moved;
  float *delta;
};

struct vt_kernel {
  const char *name;
  bool (*runs_here)(void);
  void (*step)(struct vt_step *step);
  void (*merge)(struct vt_merge *merge);
  void (*glove)(struct vt_glove *block);
  void (*glove_loss)(struct vt_glove *block); /* the loss alone; nothing moves */
  float (*dot)(const float *a, const float *b, size_t width);
  void (*bag_mean)(const struct vt_bag *bag);
  void (*bag_take)(const struct vt_bag *bag);
  void (*bag_give)(const struct vt_bag *bag, float share);
  /* to += factor from, and to += factors from, elementwise and fused; all of `width`, 32-byte aligned. */
  void (*add_scaled)(float *to, const float *from, float factor, size_t width);
  void (*add_products)(float *to, const float *from, const float *factors, size_t width);
  /* For softmax; count a multiple of 16, values 64-byte aligned. exp_sum: values become e^(value - shift), value -
   * shift at most 87 and taken for -87 below that; returns their sum. With a NaN among the values the sum is one. */
  float (*largest)(const float *values, size_t count);
  float (*exp_sum)(float *values, size_t count, float shift);
  void (*sigmoid)(float *values, size_t count); /* in place; count a multiple of 8, values 32-byte aligned */
  /* to[count][VT_PANEL] = rows[count][depth] times panel[depth][VT_PANEL]; count a multiple of VT_PANEL_ROWS, panel and
   * to 64-byte aligned, rows anyhow. Each product is one sum over the depth in order, fused, from 0. */
  void (*products)(const float *rows, size_t count, const float *panel, size_t depth, float *to);
  /* float32 to IEEE 754 binary16, to the nearest, ties to even, as base/half.h; and back, which is exact. Any count,
   * anywhere. */
  void (*to_half)(const float *values, size_t count, uint16_t *halves);
  void (*from_half)(const uint16_t *halves, size_t count, float *values);
};

extern const struct vt_kernel vt_kernel_reference;
void vt_kernel_step_double(struct vt_step_double *step);
void vt_kernel_glove_double(struct vt_glove_double *block);
void vt_kernel_glove_loss_double(struct vt_glove_double *block);

/* The kernel for a name as vt_kernel_resolve takes it. */
enum vt_status vt_kernel_choose(const char *choice, const struct vt_kernel **kernel, struct vt_error *error);
/* index < vt_kernel_count(). */
const struct vt_kernel *vt_kernel_at(size_t index);

#endif
