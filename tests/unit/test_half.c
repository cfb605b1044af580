/* Half-precision numbers: every half, every rounding, and tables of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/half.h"
#include "base/rng.h"

/* The value of a half by its definition. */
static double half_value(uint16_t half) {
  int exponent = half >> 10 & 31;
  double fraction = half & 1023, sign = half & 0x8000 ? -1 : 1;
  if (exponent == 31) return fraction == 0 ? sign * INFINITY : NAN;
  return sign * (exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25));
}

static void every_half_is_read_and_written_back(void **state) {
  (void)state;
  for (uint32_t bits = 0; bits < 65536; bits++) {
    uint16_t half = (uint16_t)bits;
    float value = vt_float_from_half_one(half);
    double exact = half_value(half);
    if (isnan(exact)) {
      assert_true(isnan(value) && isnan(vt_float_from_half_one(vt_half_from_float_one(value))));
    } else {
      assert_true((double)value == exact && (signbit(value) != 0) == (half >> 15 != 0));
      assert_int_equal(vt_half_from_float_one(value), half);
    }
  }
}

/* The nearest half, an even one where two are as near; found by looking at both neighbours. */
static void check_rounding(float value) {
  uint16_t got = vt_half_from_float_one(value);
  double error = fabs(half_value(got) - (double)value);
  uint16_t magnitude = got & 0x7fff, sign = got & 0x8000;
  if (magnitude == 0x7c00) {
    assert_true(fabs((double)value) >= 65520);
    return;
  }
  assert_true(fabs((double)value) < 65520);
  for (int step = -1; step <= 1; step += 2) {
    if (magnitude == 0 && step < 0) continue;
    uint16_t neighbour = (uint16_t)(sign | (magnitude + step));
    double other = magnitude + step == 0x7c00 ? 65536 : fabs(half_value(neighbour));
    double distance = fabs(other - fabs((double)value));
    assert_true(distance > error || (distance == error && (got & 1) == 0));
  }
}

static void floats_round_to_the_nearest_half(void **state) {
  (void)state;
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 1, 0, 0);
  for (int k = 0; k < 300000; k++) {
    float value = ldexpf(vt_rng_unit(&rng) - 0.5F, (int)vt_rng_below(&rng, 50) - 30);
    check_rounding(value);
  }
  for (uint32_t bits = 0; bits < 0x7c00; bits++) { /* every tie, and just beside it */
    float low = vt_float_from_half_one((uint16_t)bits), high = vt_float_from_half_one((uint16_t)(bits + 1));
    float middle = bits == 0x7bff ? 65520 : low + (high - low) / 2;
    check_rounding(middle);
    check_rounding(-middle);
    check_rounding(nextafterf(middle, 0));
    check_rounding(nextafterf(middle, INFINITY));
  }
  assert_int_equal(vt_half_from_float_one(INFINITY), 0x7c00);
  assert_int_equal(vt_half_from_float_one(-INFINITY), 0xfc00);
  assert_int_equal(vt_half_from_float_one(-0.0F), 0x8000);
}

static void what_is_no_number_stays_so_with_its_sign(void **state) {
  (void)state;
  static const uint32_t patterns[] = {0x7f800001, 0x7fbfffff, 0x7fc00000, 0x7fffffff};
  for (size_t k = 0; k < sizeof patterns / sizeof *patterns; k++) {
    for (uint32_t sign = 0; sign < 2; sign++) {
      uint32_t bits = patterns[k] | sign << 31;
      float value;
      memcpy(&value, &bits, sizeof value);
      uint16_t half = vt_half_from_float_one(value);
      assert_true((half & 0x7c00) == 0x7c00 && (half & 0x3ff) != 0);
      assert_int_equal(half >> 15, sign);
    }
  }
}

/* Tables are converted by vector instructions where there are some: the same bits, at every length and alignment. */
static void tables_convert_as_single_numbers_do(void **state) {
  (void)state;
  enum { COUNT = 70 };
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 4, 0, 0);
  for (size_t offset = 0; offset < 4; offset++) {
    for (size_t count = 0; count + offset < COUNT; count++) {
      float from[COUNT], back[COUNT + 1];
      uint16_t halves[COUNT + 1];
      for (size_t k = 0; k < COUNT; k++) {
        uint32_t bits = (uint32_t)(vt_rng_next(&rng) >> 32);
        memcpy(&from[k], &bits, sizeof bits);
        if (k % 2 == 0) from[k] = ldexpf(vt_rng_unit(&rng) - 0.5F, (int)vt_rng_below(&rng, 50) - 30);
      }
      halves[offset + count] = 0x1234;
      vt_half_from_float(halves + offset, from + offset, count);
      assert_int_equal(halves[offset + count], 0x1234);
      back[offset + count] = 42;
      vt_float_from_half(back + offset, halves + offset, count);
      assert_true(back[offset + count] == 42);
      for (size_t k = offset; k < offset + count; k++) {
        assert_int_equal(halves[k], vt_half_from_float_one(from[k]));
        float value = vt_float_from_half_one(halves[k]);
        assert_memory_equal(&back[k], &value, sizeof value);
      }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_half_is_read_and_written_back),
      cmocka_unit_test(floats_round_to_the_nearest_half),
      cmocka_unit_test(what_is_no_number_stays_so_with_its_sign),
      cmocka_unit_test(tables_convert_as_single_numbers_do),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
