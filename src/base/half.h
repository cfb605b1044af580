/*
 * half.h: float32 to IEEE 754 binary16 and back, bit by bit in portable C, the same everywhere.
 *
 * Rounds to nearest, ties to even; too large becomes infinity; a NaN stays a (quiet) NaN of its sign.
 */
#ifndef VECTRAIL_BASE_HALF_H
#define VECTRAIL_BASE_HALF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t vt_half_from_float_one(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  /* Normal halves: rebias the exponent and round away the 13 lowest bits; a carry runs into the exponent as it should.
   */
  uint32_t normal = (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13;
  /* Subnormal halves: adding 1/2 makes the float adder shift and round, to units of 2^-24. */
  float shifted;
  memcpy(&shifted, &magnitude, sizeof shifted);
  shifted += 0.5F;
  uint32_t small;
  memcpy(&small, &shifted, sizeof small);
  small -= 0x3f000000;
  uint32_t half = magnitude < 0x38800000 ? small : normal; /* 2^-14 */
  half = magnitude >= 0x477ff000 ? 0x7c00 : half;          /* 65520 and up */
  half = magnitude > 0x7f800000 ? 0x7e00 : half;
  return (uint16_t)(sign | half);
}

static inline float vt_float_from_half_one(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = half & 0x7fff;
  uint32_t normal = (magnitude << 13) + 0x38000000;
  float small_value = (float)magnitude * 0x1p-24F;
  uint32_t small;
  memcpy(&small, &small_value, sizeof small);
  uint32_t bits = magnitude < 0x400 ? small : normal;
  bits = magnitude >= 0x7c00 ? 0x7f800000 | (magnitude & 0x3ff) << 13 : bits;
  bits |= sign;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline void vt_half_from_float(uint16_t *to, const float *from, size_t count) {
  for (size_t k = 0; k < count; k++) to[k] = vt_half_from_float_one(from[k]);
}

static inline void vt_float_from_half(float *to, const uint16_t *from, size_t count) {
  for (size_t k = 0; k < count; k++) to[k] = vt_float_from_half_one(from[k]);
}

#endif
