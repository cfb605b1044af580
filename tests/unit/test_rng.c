/* Streams: reproducible, different where their keys differ, and even. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"

static int compare(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static void the_first_numbers_never_change(void **state) {
  (void)state;
  struct vt_rng a = vt_rng_make(VT_RNG_BLOCK, 1, 2, 3), b = vt_rng_make(VT_RNG_BLOCK, 1, 2, 3);
  for (int k = 0; k < 100; k++) assert_true(vt_rng_next(&a) == vt_rng_next(&b));
}

/* Neighbouring seeds, epochs, places and purposes, 20 numbers each: not one may come twice. A stream that replayed its
 * neighbour shifted by one would give thousands. */
static void neighbouring_streams_share_nothing(void **state) {
  (void)state;
  enum { STREAMS = 4 * 8 * 8 * 8, EACH = 20 };
  uint64_t *numbers = malloc(STREAMS * EACH * sizeof *numbers);
  assert_non_null(numbers);
  size_t count = 0;
  for (unsigned purpose = 1; purpose <= 4; purpose++)
    for (uint64_t seed = 0; seed < 8; seed++)
      for (uint64_t a = 0; a < 8; a++)
        for (uint64_t b = 0; b < 8; b++) {
          struct vt_rng rng = vt_rng_make((enum vt_rng_purpose)purpose, seed, a, b);
          for (int k = 0; k < EACH; k++) numbers[count++] = vt_rng_next(&rng);
        }
  qsort(numbers, count, sizeof *numbers, compare);
  for (size_t k = 1; k < count; k++) assert_true(numbers[k] != numbers[k - 1]);
  free(numbers);
}

/* Across streams and within one: every bit is set half of the time. */
static void bits_are_even(void **state) {
  (void)state;
  enum { NUMBERS = 40000 };
  int ones[2][64] = {{0}};
  struct vt_rng one = vt_rng_make(VT_RNG_BLOCK, 5, 0, 0);
  for (uint64_t k = 0; k < NUMBERS; k++) {
    struct vt_rng other = vt_rng_make(VT_RNG_BLOCK, 5, 1, k);
    uint64_t within = vt_rng_next(&one), across = vt_rng_next(&other);
    for (int bit = 0; bit < 64; bit++) {
      ones[0][bit] += (int)(within >> bit & 1);
      ones[1][bit] += (int)(across >> bit & 1);
    }
  }
  for (int which = 0; which < 2; which++)
    for (int bit = 0; bit < 64; bit++) assert_true(abs(ones[which][bit] - NUMBERS / 2) < 5 * 100); /* 5 sigma */
}

static void below_and_unit_keep_their_range(void **state) {
  (void)state;
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 1, 2, 3);
  double sum = 0;
  int seen[7] = {0};
  for (int k = 0; k < 70000; k++) {
    uint32_t drawn = vt_rng_below(&rng, 7);
    assert_true(drawn < 7);
    seen[drawn]++;
    float unit = vt_rng_unit(&rng);
    assert_true(unit >= 0 && unit < 1);
    sum += (double)unit;
  }
  for (int k = 0; k < 7; k++) assert_true(abs(seen[k] - 10000) < 500);
  assert_true(fabs(sum / 70000 - 0.5) < 0.006);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_numbers_never_change),
      cmocka_unit_test(neighbouring_streams_share_nothing),
      cmocka_unit_test(bits_are_even),
      cmocka_unit_test(below_and_unit_keep_their_range),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
