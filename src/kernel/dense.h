/*
 * dense.h: what the layers of a network are made of, one table of functions for each instruction set.
 *
 * Every table does the same operations in the same order, so that all give the same bits: sums over a row run in 16
 * lanes (lane l takes elements l, l+16, ...) folded by one tree, products and sums are rounded apart, and e^x is one
 * sequence of operations. In `tile`, the small matrix product under all others (network/gemm_template.h), each element
 * is one chain of fused products over the depth, in order, from 0. The double table is the same source text
 * (dense_template.h) in double, for finite differences.
 *
 * Functions allocate nothing and keep no state. Rows need no alignment and no padding.
 */
#ifndef VECTRAIL_KERNEL_DENSE_H
#define VECTRAIL_KERNEL_DENSE_H

#include <stdbool.h>
#include <stddef.h>

#define VT_TILE_ROWS 12
#define VT_TILE_COLUMNS 32

/* R is a type. NOLINTBEGIN(bugprone-macro-parentheses) */
#define VT_DENSE_TABLE(NAME, R)                                                                                        \
  struct NAME {                                                                                                        \
    /* c[12][32], rows `stride` apart, = or += a' b, with a[depth][12] and b[depth][32]. */                            \
    void (*tile)(const R *a, const R *b, size_t depth, R *c, size_t stride, bool add);                                 \
    /* to[k * to_stride + i] = from[i * stride + k], i < rows, k < depth. */                                           \
    void (*transpose)(const R *from, size_t stride, size_t rows, size_t depth, R *to, size_t to_stride);               \
    /* Layer norm (Ba et al. 2016): y = gain (x - mean) scale + bias, scale = 1 / sqrt(variance + epsilon). */         \
    void (*norm)(const R *x, size_t n, R epsilon, const R *gain, const R *bias, R *y, R *mean, R *scale);              \
    /* dx += the gradient of norm with respect to x. */                                                                \
    void (*norm_back)(const R *dy, const R *x, size_t n, const R *gain, R mean, R scale, R *dx);                       \
    /* The same for gain and bias, added. */                                                                           \
    void (*norm_gain)(const R *dy, const R *x, size_t n, R mean, R scale, R *gain, R *bias);                           \
    /* GELU (Hendrycks and Gimpel 2016): x Phi(x); exact, or by the tanh that they give for it. In place in dy. */     \
    void (*gelu)(const R *x, size_t n, bool exact, R *y);                                                              \
    void (*gelu_back)(const R *x, size_t n, bool exact, R *dy);                                                        \
    R (*largest)(const R *x, size_t n);                                                                                \
    /* x becomes e^(x - shift), x - shift at most 87; returns the sum. */                                              \
    R (*exp_sum)(R * x, size_t n, R shift);                                                                            \
    R (*dot)(const R *a, const R *b, size_t n);                                                                        \
    void (*add)(R * to, const R *from, size_t n);                                                                      \
    void (*multiply)(R * x, size_t n, R factor);                                                                       \
    /* to = (p (d - shift)) factor: the gradient of a softmax. */                                                      \
    void (*softmax_back)(const R *p, const R *d, size_t n, R shift, R factor, R *to);                                  \
    /* AdamW (Loshchilov and Hutter 2019, algorithm 2); m and h are brought up to date and to[n] is what v becomes:    \
     * keep v - rate (m c1) / (sqrt(h c2) + epsilon). Returns the sum of squares of to - v. */                         \
    R (*adamw)(const R *v, const R *g, R *m, R *h, size_t n, const struct vt_adamw *s, R *to);                         \
  }
/* NOLINTEND(bugprone-macro-parentheses) */

/* Of a step of AdamW: g is multiplied by `factor` first. */
struct vt_adamw {
  double factor, rate, keep, beta_1, beta_2, correction_1, correction_2, epsilon;
};

VT_DENSE_TABLE(vt_dense, float);
VT_DENSE_TABLE(vt_dense_double, double);

/* Of the kernel of that name (kernel.h), which must run here. */
const struct vt_dense *vt_dense_choose(const char *kernel);
extern const struct vt_dense_double vt_dense_in_double;

#endif
