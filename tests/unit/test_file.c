/* Files that are whole or absent, and half-precision numbers. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/half.h"
#include "base/memory.h"
#include "base/rng.h"
#include "support/temporary.h"

static void committed_files_hold_all_that_was_written(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "out");
  struct vt_output *output;
  char *big = malloc(1000003), *text = malloc(5001);
  assert_true(big != NULL && text != NULL);
  memset(big, 'x', 1000003);
  memset(text, 'y', 5000);
  text[5000] = '\0';
  assert_int_equal(vt_output_open(path, &output, NULL), VT_OK);
  assert_int_equal(vt_output_write(output, "head", 4, NULL), VT_OK);
  assert_int_equal(vt_output_write(output, big, 1000003, NULL), VT_OK);
  assert_int_equal(vt_output_printf(output, NULL, "%d%s", 42, text), VT_OK);
  assert_int_equal(vt_output_rewrite(output, 1, "EA", 2, NULL), VT_OK);
  assert_int_equal(vt_output_rewrite(output, 2000000, "no", 2, NULL), VT_ERROR_ARGUMENT);
  assert_false(vtt_exists(path));
  assert_int_equal(vt_output_commit(output, NULL), VT_OK);
  size_t bytes;
  char *got = vtt_read(path, &bytes);
  assert_int_equal(bytes, 4 + 1000003 + 2 + 5000);
  assert_memory_equal(got, "hEAd", 4);
  assert_memory_equal(got + 4, big, 1000003);
  assert_memory_equal(got + 1000007, "42yyy", 5);
  assert_int_equal(vtt_folder_entries(folder), 1);
  free(got);
  free(big);
  free(text);
  vtt_folder_remove(folder);
}

static void aborted_files_leave_nothing(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_write_text(folder, "out", "before");
  struct vt_output *output;
  assert_int_equal(vt_output_open(path, &output, NULL), VT_OK);
  assert_int_equal(vt_output_write(output, "after", 5, NULL), VT_OK);
  vt_output_abort(output);
  vt_output_abort(NULL);
  char *got = vtt_read(path, NULL);
  assert_string_equal(got, "before");
  assert_int_equal(vtt_folder_entries(folder), 1);
  free(got);
  vtt_folder_remove(folder);
}

static void errors_name_the_target(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_output *output;
  struct vt_error error;
  assert_int_equal(vt_output_open(vtt_path(folder, "missing/out"), &output, &error), VT_ERROR_IO);
  assert_non_null(strstr(error.message, "missing/out"));
  assert_int_equal(vt_output_open(vtt_folder_path(folder), &output, &error), VT_ERROR_IO);
  assert_non_null(strstr(error.message, "directory"));
  struct vt_mapping mapping;
  assert_int_equal(vt_mapping_open(vtt_path(folder, "none"), &mapping, &error), VT_ERROR_NOT_FOUND);
  assert_int_equal(vt_mapping_open(vtt_folder_path(folder), &mapping, &error), VT_ERROR_IO);
  assert_int_equal(vt_mapping_open(vtt_write_text(folder, "empty", ""), &mapping, &error), VT_OK);
  assert_int_equal(mapping.bytes, 0);
  assert_non_null(mapping.data);
  vt_mapping_release(&mapping);
  vtt_folder_remove(folder);
}

static void check_join(const char *folder, const char *name, const char *expected) {
  char *joined = vt_path_join(folder, name);
  assert_string_equal(joined, expected);
  vt_free(joined);
}

static void paths_join_with_one_slash(void **state) {
  (void)state;
  check_join("a/b", "c", "a/b/c");
  check_join("a/b//", "c", "a/b/c");
  check_join("/", "c", "/c");
  check_join(".", "c", "./c");
}

/* ---- half precision ---------------------------------------------------------------------------------------------- */

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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(committed_files_hold_all_that_was_written),
      cmocka_unit_test(aborted_files_leave_nothing),
      cmocka_unit_test(errors_name_the_target),
      cmocka_unit_test(paths_join_with_one_slash),
      cmocka_unit_test(every_half_is_read_and_written_back),
      cmocka_unit_test(floats_round_to_the_nearest_half),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
