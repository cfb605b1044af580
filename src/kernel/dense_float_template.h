/*
 * dense_float_template.h: e^x and erf in float by one sequence of operations, for dense_template.h.
 *
 * e^x = 2^n e^r with n = round(x / ln 2), |r| <= 0.347, and e^r its Taylor sum up to r^7 / 5040 (the rest is below
 * 6e-9). erf: Abramowitz and Stegun 1964, 7.1.26, whose error is below 1.5e-7.
 */
#include <stdint.h>
#include <string.h>

typedef float DENSE(vf) __attribute__((vector_size(64)));
typedef int32_t DENSE(vi) __attribute__((vector_size(64)));

#define VF DENSE(vf)
#define VI DENSE(vi)
/* Where the mask is set a, else b; by bits, so that a NaN stays what it is. */
#define CHOOSE(mask, a, b) ((VF)(((VI)(a) & (mask)) | ((VI)(b) & ~(mask))))

__attribute__((always_inline)) static inline void DENSE(exp_parts)(const VF *from, VF *to) {
  const VF zero = {0}, high = zero + 87.0F, low = zero - 87.0F;
  VF x = *from;
  x = CHOOSE(x > high, high, x);
  x = CHOOSE(x < low, low, x);
  /* 1.5 * 2^23 + 127: adding it rounds to a whole number and leaves n + 127 in the lowest bits. */
  VF t = x * 1.44269502F + 12583039.0F;
  VF n = t - 12583039.0F;
  VF r = x - n * 0.693359375F;
  r = r + n * 2.12194442e-4F;
  VF r2 = r * r;
  VF p01 = r + 1.0F, p23 = r * 1.66666672e-1F + 0.5F;
  VF p45 = r * 8.33333377e-3F + 4.16666679e-2F, p67 = r * 1.98412701e-4F + 1.38888892e-3F;
  VF p = p01 + r2 * p23 + (r2 * r2) * (p45 + r2 * p67);
  VI power = (VI)t << 23;
  *to = p * (VF)power;
}

__attribute__((always_inline)) static inline VF *DENSE(exp_in_place)(VF *x) {
  DENSE(exp_parts)(x, x);
  return x;
}
#define VEXP(v) (*DENSE(exp_in_place)(&(v)))

static float DENSE(erf)(float x) {
  float size = x < 0 ? -x : x, t = 1.0F / (1.0F + 0.3275911F * size);
  float sum = ((((1.061405429F * t - 1.453152027F) * t + 1.421413741F) * t - 0.284496736F) * t + 0.254829592F) * t;
  VF e = {0};
  e[0] = -size * size;
  DENSE(exp_parts)(&e, &e);
  float y = 1.0F - sum * e[0];
  return x < 0 ? -y : y;
}
#define ERF DENSE(erf)
