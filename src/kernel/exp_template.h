/*
 * exp_template.h: e^x in float by one fixed sequence of IEEE operations, the same in every lane of every kernel.
 *
 * x is held to [-87, 87], so that the result is a normal number; NaN passes through. With n = round(x log2 e) and
 * r = x - n ln 2 (ln 2 in two parts, Cody and Waite), |r| <= 0.347, e^x = 2^n e^r, and e^r is its Taylor sum up to
 * r^7 / 5040 (the rest is below 6e-9, a tenth of an ULP). The measured error is under 2 ULP (tests/numeric).
 *
 * The including file defines vf, vf_set1, vf_sub, vf_mul, vf_fma, vf_min(constant, x) and vf_max(constant, x), which
 * give x where x is NaN, and vf_power_of_two(t): 2^n from t = n + 1.5 * 2^23.
 */
static inline __attribute__((always_inline)) vf vf_exp(vf x) {
  const vf rounder = vf_set1(12582912.0F); /* 1.5 * 2^23: adding it rounds to the nearest whole number */
  x = vf_max(vf_set1(-87.0F), vf_min(vf_set1(87.0F), x));
  vf t = vf_fma(x, vf_set1(1.44269502F), rounder);
  vf n = vf_sub(t, rounder);
  vf r = vf_fma(n, vf_set1(-0.693359375F), x);
  r = vf_fma(n, vf_set1(2.12194442e-4F), r);
  vf p = vf_set1(1.98412701e-4F);
  p = vf_fma(p, r, vf_set1(1.38888892e-3F));
  p = vf_fma(p, r, vf_set1(8.33333377e-3F));
  p = vf_fma(p, r, vf_set1(4.16666679e-2F));
  p = vf_fma(p, r, vf_set1(1.66666672e-1F));
  p = vf_fma(p, r, vf_set1(0.5F));
  p = vf_fma(p, r, vf_set1(1.0F));
  p = vf_fma(p, r, vf_set1(1.0F));
  return vf_mul(p, vf_power_of_two(t));
}
