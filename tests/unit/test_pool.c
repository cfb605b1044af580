/* The team of threads, and lengths that threads measure. */
/* label: threads */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/distance.h"
#include "base/pool.h"

#define ITEMS_MAX 1000

struct seen {
  size_t piece;
  atomic_int times[ITEMS_MAX];
  atomic_size_t longest;
};

static void note(void *context, size_t begin, size_t end) {
  struct seen *seen = context;
  size_t longest = atomic_load(&seen->longest);
  while (end - begin > longest && !atomic_compare_exchange_weak(&seen->longest, &longest, end - begin)) continue;
  for (size_t k = begin; k < end; k++) atomic_fetch_add(&seen->times[k], 1);
}

static void every_item_is_shared_out_once(void **state) {
  (void)state;
  static const size_t counts[] = {0, 1, 7, 128, 129, ITEMS_MAX}, pieces[] = {1, 7, 128, 5000};
  for (int size = 0; size <= 3; size++) {
    struct vt_pool *pool = NULL;
    if (size > 0) assert_int_equal(vt_pool_create(size, &pool, NULL), VT_OK);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
      for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
        struct seen seen = {0};
        vt_pool_share(pool, counts[c], pieces[p], note, &seen);
        for (size_t k = 0; k < ITEMS_MAX; k++) assert_int_equal(seen.times[k], k < counts[c]);
        assert_true(seen.longest <= pieces[p]);
      }
    vt_pool_free(pool);
  }
}

static void lengths_are_those_of_plain_sums(void **state) {
  (void)state;
  float a[67], b[67];
  for (size_t k = 0; k < 67; k++) {
    a[k] = (float)(k * 37 % 23) - 11;
    b[k] = (float)(k * 53 % 19) / 4;
  }
  for (size_t dim = 0; dim <= 67; dim++) {
    double distance = 0, length = 0; /* whole quarters: no sum rounds */
    for (size_t k = 0; k < dim; k++) {
      distance += ((double)a[k] - (double)b[k]) * ((double)a[k] - (double)b[k]);
      length += (double)a[k] * (double)a[k];
    }
    assert_true(vt_squared_distance(a, b, dim) == distance);
    assert_true(vt_squared_length(a, dim) == length);
  }
  const float nothing[3] = {0, NAN, 1};
  assert_true(isnan(vt_squared_length(nothing, 3)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_item_is_shared_out_once),
      cmocka_unit_test(lengths_are_those_of_plain_sums),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
