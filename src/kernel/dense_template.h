/*
 * dense_template.h: the functions of dense.h but tile, over vectors of 16 lanes that the compiler maps to what the
 * instruction set has.
 *
 * The including file defines R (float or double), DENSE(name), and VEXP(v): e^x of a vector x >= -87, x <= 87; and
 * ERF(x), and for float DENSE_FLOAT.
 */
#include <math.h>
#include <string.h>

#include "kernel/dense.h"
#include "kernel/vector.h"

typedef R DENSE(v16) __attribute__((vector_size(16 * sizeof(R))));
#define V DENSE(v16)
#define LANES 16

/* The last vector of a row, filled up. */
#define LOAD(v, from) memcpy(&(v), (from), sizeof(v))
#define STORE(to, v) memcpy((to), &(v), sizeof(v))
#define LOAD_PART(v, from, count, fill)                                                                                \
  do {                                                                                                                 \
    for (size_t l_ = 0; l_ < LANES; l_++) (v)[l_] = (fill);                                                            \
    memcpy(&(v), (from), (count) * sizeof(R));                                                                         \
  } while (0)
#define STORE_PART(to, v, count) memcpy((to), &(v), (count) * sizeof(R))

/* Runs BODY for each 16 elements from i on; the last time `count` are fewer. In BODY: GET(v, p, fill), PUT(p, v). */
#define GET(v, p, fill)                                                                                                \
  do {                                                                                                                 \
    if (count == LANES)                                                                                                \
      LOAD(v, (p) + i);                                                                                                \
    else                                                                                                               \
      LOAD_PART(v, (p) + i, count, fill);                                                                              \
  } while (0)
#define PUT(p, v)                                                                                                      \
  do {                                                                                                                 \
    if (count == LANES)                                                                                                \
      STORE((p) + i, v);                                                                                               \
    else                                                                                                               \
      STORE_PART((p) + i, v, count);                                                                                   \
  } while (0)
#define EACH_16(n)                                                                                                     \
  for (size_t i = 0, count = (n) < LANES ? (n) : LANES; i < (n); i += LANES, count = (n)-i < LANES ? (n)-i : LANES)

static R DENSE(fold)(const V *v) {
  R lanes[LANES];
  memcpy(lanes, v, sizeof lanes);
  for (size_t half = LANES / 2; half > 0; half /= 2)
    for (size_t l = 0; l < half; l++) lanes[l] += lanes[l + half];
  return lanes[0];
}

static void DENSE(transpose)(const R *from, size_t stride, size_t rows, size_t depth, R *to, size_t to_stride) {
  size_t i = 0;
  typedef R v4 __attribute__((vector_size(4 * sizeof(R))));
  for (; i + 4 <= rows; i += 4) {
    const R *a = from + i * stride;
    size_t k = 0;
    for (; k + 4 <= depth; k += 4) {
      v4 r0, r1, r2, r3;
      memcpy(&r0, a + k, sizeof r0);
      memcpy(&r1, a + stride + k, sizeof r1);
      memcpy(&r2, a + 2 * stride + k, sizeof r2);
      memcpy(&r3, a + 3 * stride + k, sizeof r3);
      v4 low01 = __builtin_shufflevector(r0, r1, 0, 4, 1, 5), high01 = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
      v4 low23 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5), high23 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
      r0 = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
      r1 = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
      r2 = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
      r3 = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
      memcpy(to + k * to_stride + i, &r0, sizeof r0);
      memcpy(to + (k + 1) * to_stride + i, &r1, sizeof r1);
      memcpy(to + (k + 2) * to_stride + i, &r2, sizeof r2);
      memcpy(to + (k + 3) * to_stride + i, &r3, sizeof r3);
    }
    for (; k < depth; k++)
      for (size_t r = 0; r < 4; r++) to[k * to_stride + i + r] = a[r * stride + k];
  }
  for (; i < rows; i++)
    for (size_t k = 0; k < depth; k++) to[k * to_stride + i] = from[i * stride + k];
}

/* ---- layer norm -------------------------------------------------------------------------------------------------- */

static void DENSE(norm)(const R *x, size_t n, R epsilon, const R *gain, const R *bias, R *y, R *mean, R *scale) {
  V sum = {0}, squares = {0};
  EACH_16(n) {
    V v;
    GET(v, x, 0);
    sum += v;
  }
  const R m = DENSE(fold)(&sum) / (R)n;
  EACH_16(n) {
    V v;
    GET(v, x, m);
    v -= m;
    squares += v * v;
  }
  const R s = 1 / (R)sqrt((double)(DENSE(fold)(&squares) / (R)n + epsilon));
  EACH_16(n) {
    V v, g, b;
    GET(v, x, m);
    GET(g, gain, 0);
    GET(b, bias, 0);
    v = (v - m) * s * g + b;
    PUT(y, v);
  }
  *mean = m;
  *scale = s;
}

/* With z = (x - mean) scale and e = dy gain: dx = scale (e - mean(e) - z mean(e z)). */
static void DENSE(norm_back)(const R *dy, const R *x, size_t n, const R *gain, R mean, R scale, R *dx) {
  V sum = {0}, product = {0};
  EACH_16(n) {
    V d, g, v;
    GET(d, dy, 0);
    GET(g, gain, 0);
    GET(v, x, mean);
    d *= g;
    sum += d;
    product += d * ((v - mean) * scale);
  }
  const R m = DENSE(fold)(&sum) / (R)n, p = DENSE(fold)(&product) / (R)n;
  EACH_16(n) {
    V d, g, v, to;
    GET(d, dy, 0);
    GET(g, gain, 0);
    GET(v, x, mean);
    GET(to, dx, 0);
    to += (d * g - m - (v - mean) * scale * p) * scale;
    PUT(dx, to);
  }
}

static void DENSE(norm_gain)(const R *dy, const R *x, size_t n, R mean, R scale, R *gain, R *bias) {
  EACH_16(n) {
    V d, v, g, b;
    GET(d, dy, 0);
    GET(v, x, mean);
    GET(g, gain, 0);
    GET(b, bias, 0);
    g += d * ((v - mean) * scale);
    b += d;
    PUT(gain, g);
    PUT(bias, b);
  }
}

/* ---- GELU -------------------------------------------------------------------------------------------------------- */

/* (1 + tanh(u)) / 2 = 1 / (1 + e^-2u), u = sqrt(2 / pi) (x + 0.044715 x^3). */
#define TANH_2 ((R)1.5957691216057308) /* 2 sqrt(2 / pi) */
#define TANH_CUBE ((R)0.044715)

static void DENSE(gelu)(const R *x, size_t n, bool exact, R *y) {
  EACH_16(n) {
    V v, share;
    GET(v, x, 0);
    if (exact) {
      for (size_t l = 0; l < LANES; l++) share[l] = ((R)1 + ERF(v[l] * (R)0.70710678118654752)) / 2;
    } else {
      V u = (v + v * v * v * TANH_CUBE) * -TANH_2;
      share = 1 / (VEXP(u) + 1);
    }
    v *= share;
    PUT(y, v);
  }
}

static void DENSE(gelu_back)(const R *x, size_t n, bool exact, R *dy) {
  EACH_16(n) {
    V v, d, slope;
    GET(v, x, 0);
    GET(d, dy, 0);
    if (exact) {
      V e = v * v * (R)-0.5;
      e = VEXP(e) * (R)0.39894228040143268; /* 1 / sqrt(2 pi) */
      for (size_t l = 0; l < LANES; l++) slope[l] = ((R)1 + ERF(v[l] * (R)0.70710678118654752)) / 2;
      slope += v * e;
    } else {
      V u = (v + v * v * v * TANH_CUBE) * -TANH_2;
      V share = 1 / (VEXP(u) + 1);
      slope = share + v * share * (1 - share) * ((v * v * (3 * TANH_CUBE) + 1) * TANH_2);
    }
    d *= slope;
    PUT(dy, d);
  }
}

/* ---- softmax ----------------------------------------------------------------------------------------------------- */

static R DENSE(largest)(const R *x, size_t n) {
  R best[LANES];
  for (size_t l = 0; l < LANES; l++) best[l] = x[0];
  size_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (size_t l = 0; l < LANES; l++) best[l] = x[i + l] > best[l] ? x[i + l] : best[l];
  for (; i < n; i++) best[0] = x[i] > best[0] ? x[i] : best[0];
  for (size_t l = 1; l < LANES; l++) best[0] = best[l] > best[0] ? best[l] : best[0];
  return best[0];
}

static R DENSE(exp_sum)(R *x, size_t n, R shift) {
  V sum = {0};
  EACH_16(n) {
    V v;
    GET(v, x, shift);
    v -= shift;
    v = VEXP(v);
    PUT(x, v);
    if (count < LANES)
      for (size_t l = count; l < LANES; l++) v[l] = 0;
    sum += v;
  }
  return DENSE(fold)(&sum);
}

static void DENSE(softmax_back)(const R *p, const R *d, size_t n, R shift, R factor, R *to) {
  EACH_16(n) {
    V a, b;
    GET(a, p, 0);
    GET(b, d, 0);
    a = a * (b - shift) * factor;
    PUT(to, a);
  }
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static R DENSE(dot)(const R *a, const R *b, size_t n) {
  V sum = {0};
  EACH_16(n) {
    V v, w;
    GET(v, a, 0);
    GET(w, b, 0);
    sum += v * w;
  }
  return DENSE(fold)(&sum);
}

static void DENSE(add)(R *to, const R *from, size_t n) {
  EACH_16(n) {
    V v, w;
    GET(v, to, 0);
    GET(w, from, 0);
    v += w;
    PUT(to, v);
  }
}

static void DENSE(multiply)(R *x, size_t n, R factor) {
  EACH_16(n) {
    V v;
    GET(v, x, 0);
    v *= factor;
    PUT(x, v);
  }
}

#ifdef DENSE_FLOAT
#define ROOT sqrtf
#else
#define ROOT sqrt
#endif
static R DENSE(adamw)(const R *v, const R *g, R *m, R *h, size_t n, const struct vt_adamw *s, R *to) {
  const R beta_1 = (R)s->beta_1, beta_2 = (R)s->beta_2, c1 = (R)s->correction_1, c2 = (R)s->correction_2;
  const R rate = (R)s->rate, keep = (R)s->keep, epsilon = (R)s->epsilon, factor = (R)s->factor;
  V sum = {0};
  EACH_16(n) {
    V value, gradient, first, second, root;
    GET(value, v, 0);
    GET(gradient, g, 0);
    GET(first, m, 0);
    GET(second, h, 0);
    gradient *= factor;
    first = first * beta_1 + gradient * (1 - beta_1);
    second = second * beta_2 + gradient * gradient * (1 - beta_2);
    PUT(m, first);
    PUT(h, second);
    root = second * c2;
    for (size_t l = 0; l < LANES; l++) root[l] = ROOT(root[l]);
    V moved = value * keep - rate * (first * c1) / (root + epsilon);
    PUT(to, moved);
    moved -= value;
    sum += moved * moved;
  }
  return DENSE(fold)(&sum);
}

#define DENSE_FUNCTIONS                                                                                                \
  .tile = DENSE(tile), .transpose = DENSE(transpose), .norm = DENSE(norm), .norm_back = DENSE(norm_back),              \
  .norm_gain = DENSE(norm_gain), .gelu = DENSE(gelu), .gelu_back = DENSE(gelu_back), .largest = DENSE(largest),        \
  .exp_sum = DENSE(exp_sum), .dot = DENSE(dot), .add = DENSE(add), .multiply = DENSE(multiply),                        \
  .softmax_back = DENSE(softmax_back), .adamw = DENSE(adamw)
