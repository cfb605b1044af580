/* Libraries that are loaded when they are needed (label: threads). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "base/blas.h"
#include "base/late.h"

static struct {
  double (*cosine)(double);
  int (*nothing)(void);
} table;

static const char *const names[] = {"cos", "vt_no_such_function"};

static struct vt_late_library library_of(const char *file, size_t count) {
  struct vt_late_library library = VT_LATE_LIBRARY(file, "install it", names, &table);
  library.count = count;
  return library;
}

static void what_is_there_is_found(void **state) {
  (void)state;
  struct vt_late_library library = library_of("libm.so.6", 1);
  assert_int_equal(vt_late_load(&library, NULL), VT_OK);
  assert_int_equal(vt_late_load(&library, NULL), VT_OK);
  assert_true(table.cosine(0) >= 1);
}

static void what_is_not_there_is_named(void **state) {
  (void)state;
  struct vt_error error;
  struct vt_late_library missing = library_of("libvectrail-nowhere.so.0", 1);
  assert_int_equal(vt_late_load(&missing, &error), VT_ERROR_UNSUPPORTED);
  assert_non_null(strstr(error.message, "libvectrail-nowhere.so.0"));
  assert_string_equal(error.help, "install it");
  struct vt_late_library other = library_of("libm.so.6", 2);
  assert_int_equal(vt_late_load(&other, &error), VT_ERROR_UNSUPPORTED);
  assert_string_equal(error.message, "the library libm.so.6 has no function vt_no_such_function");
  other.count = 1; /* a failure is not remembered */
  assert_int_equal(vt_late_load(&other, NULL), VT_OK);
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

static void *multiply(void *context) {
  double *sum = context;
  const double a[3] = {1, 2, 3}, b[3] = {4, 5, 6};
  if (vt_blas_open(NULL) == VT_OK) *sum = vt_blas.cblas_ddot(3, a, 1, b, 1);
  return NULL;
}

static void threads_may_open_it_at_once(void **state) {
  (void)state;
  pthread_t threads[4];
  double sums[4] = {0};
  for (int k = 0; k < 4; k++) assert_int_equal(pthread_create(&threads[k], NULL, multiply, &sums[k]), 0);
  for (int k = 0; k < 4; k++) pthread_join(threads[k], NULL);
  for (int k = 0; k < 4; k++) assert_true(sums[k] > 31.9 && sums[k] < 32.1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_there_is_found),
      cmocka_unit_test(what_is_not_there_is_named),
      cmocka_unit_test(threads_may_open_it_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
