/*
 * exp_template.h: e^-x and 1 + e^-x in float by one fixed sequence of IEEE operations, the same in every lane of every
 * kernel.
 *
 * x is held to [-87, 87], so that e^-x is a normal number; NaN passes through. With n = round(-x log2 e) and
 * r = x + n ln 2 (ln 2 in two parts, Cody and Waite), |r| <= 0.347, e^-x = 2^n e^-r, and e^-r is its Taylor sum up to
 * r^7 / 5040 (the rest is below 6e-9, a tenth of an ULP), by Estrin's scheme: nothing hides the latency of this sum in
 * a step, so its depth counts, not its operations. The measured error is under 2 ULP (tests/numeric).
 *
 * The including file defines vf, VF_LANES, vf_load, vf_store, vf_set1, vf_add, vf_sub, vf_mul, vf_fma, vf_min(constant,
 * x) and vf_max(constant, x), which give NaN where x is NaN, and vf_shift_to_exponent(t): the bits of t, shifted left
 * by the 23 bits of a fraction.
 */
ALWAYS_INLINE vf vf_exp_minus_parts(vf x, vf *power) {
  /* 1.5 * 2^23 + 127: adding it rounds to the nearest whole number and leaves n + 127, the exponent field of 2^n, in
   * the lowest bits. */
  const vf rounder = vf_set1(12583039.0F);
  x = vf_max(vf_set1(-87.0F), vf_min(vf_set1(87.0F), x));
  vf t = vf_fma(x, vf_set1(-1.44269502F), rounder);
  vf n = vf_sub(t, rounder);
  vf r = vf_fma(n, vf_set1(0.693359375F), x);
  r = vf_fma(n, vf_set1(-2.12194442e-4F), r);
  vf r2 = vf_mul(r, r);
  vf p01 = vf_sub(vf_set1(1.0F), r);
  vf p23 = vf_fma(r, vf_set1(-1.66666672e-1F), vf_set1(0.5F));
  vf p45 = vf_fma(r, vf_set1(-8.33333377e-3F), vf_set1(4.16666679e-2F));
  vf p67 = vf_fma(r, vf_set1(-1.98412701e-4F), vf_set1(1.38888892e-3F));
  vf p03 = vf_fma(p23, r2, p01);
  vf p47 = vf_fma(p67, r2, p45);
  *power = vf_shift_to_exponent(t);
  return vf_fma(p47, vf_mul(r2, r2), p03);
}

ALWAYS_INLINE vf vf_one_plus_exp_minus(vf x) {
  vf power, p = vf_exp_minus_parts(x, &power);
  return vf_fma(p, power, vf_set1(1.0F));
}

/* What the softmax of a row is made of. Sums in 16 lanes, folded by the tree of kernel.h. */
#define EXP_PARTS (16 / VF_LANES)

static float KERNEL(fold_lanes)(const vf lanes[EXP_PARTS]) {
  _Alignas(64) float values[16];
  UNROLL for (int p = 0; p < EXP_PARTS; p++) vf_store(values + (size_t)p * VF_LANES, lanes[p]);
  for (int half = 8; half > 0; half /= 2)
    for (int l = 0; l < half; l++) values[l] = values[l] + values[l + half];
  return values[0];
}

static float KERNEL(exp_sum)(float *values, size_t count, float shift) {
  vf sum[EXP_PARTS];
  UNROLL for (int p = 0; p < EXP_PARTS; p++) sum[p] = vf_set1(0);
  for (size_t c = 0; c < count; c += 16) {
    UNROLL for (int p = 0; p < EXP_PARTS; p++) {
      float *at = values + c + (size_t)p * VF_LANES;
      vf power, e = vf_exp_minus_parts(vf_sub(vf_set1(shift), vf_load(at)), &power);
      e = vf_mul(e, power);
      vf_store(at, e);
      sum[p] = vf_add(sum[p], e);
    }
  }
  return KERNEL(fold_lanes)(sum);
}

static float KERNEL(largest)(const float *values, size_t count) {
  vf best[EXP_PARTS];
  UNROLL for (int p = 0; p < EXP_PARTS; p++) best[p] = vf_load(values + (size_t)p * VF_LANES);
  for (size_t c = 16; c < count; c += 16) {
    UNROLL for (int p = 0; p < EXP_PARTS; p++) best[p] = vf_max(best[p], vf_load(values + c + (size_t)p * VF_LANES));
  }
  _Alignas(64) float lanes[16];
  UNROLL for (int p = 0; p < EXP_PARTS; p++) vf_store(lanes + (size_t)p * VF_LANES, best[p]);
  float largest = lanes[0];
  for (int l = 1; l < 16; l++) largest = lanes[l] > largest ? lanes[l] : largest;
  return largest;
}
