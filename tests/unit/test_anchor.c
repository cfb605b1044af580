/* The anchor: its gradient against finite differences in double, its pull by hand, and frozen rows. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "train/anchor.h"

#define ROWS 5
#define DIM 7

struct fixture {
  struct vt_table tables[VT_TABLE_COUNT];
  struct vt_anchor anchor;
};

static void move(struct fixture *f, uint64_t seed) {
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 61, seed, 0);
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    for (uint32_t row = 0; row < ROWS; row++)
      for (int k = 0; k < DIM; k++) vt_table_row(&f->tables[t], row)[k] += vt_rng_unit(&rng) - 0.5F;
}

static void open_fixture(struct fixture *f, const struct vt_anchor_options *options) {
  for (int t = 0; t < VT_TABLE_COUNT; t++) assert_int_equal(vt_table_init(&f->tables[t], ROWS, DIM, NULL), VT_OK);
  move(f, 1);
  assert_int_equal(vt_anchor_init(&f->anchor, f->tables, options, NULL), VT_OK);
}

static void close_fixture(struct fixture *f) {
  vt_anchor_release(&f->anchor);
  for (int t = 0; t < VT_TABLE_COUNT; t++) vt_table_release(&f->tables[t]);
}

static void test_finite_differences(void **state) {
  struct fixture f;
  const struct vt_anchor_options options = {.mu = 0.7};
  float gradient[ROWS * 64] = {0};
  (void)state;
  open_fixture(&f, &options);
  assert_true(vt_anchor_penalty(&f.anchor) == 0);
  move(&f, 2);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    const size_t width = f.tables[t].width;
    assert_true(width * ROWS <= sizeof gradient / sizeof gradient[0]);
    memset(gradient, 0, sizeof gradient);
    vt_anchor_slope(&f.anchor, t, gradient);
    for (uint32_t row = 0; row < ROWS; row++)
      for (int k = 0; k < DIM; k++) {
        float *at = &vt_table_row(&f.tables[t], row)[k], kept = *at;
        *at = kept + 0.0625F;
        double above = vt_anchor_penalty(&f.anchor), high = (double)*at;
        *at = kept - 0.0625F;
        double below = vt_anchor_penalty(&f.anchor), low = (double)*at;
        *at = kept;
        /* A parabola: the central difference is exact but for rounding. */
        assert_true(fabs((above - below) / (high - low) - (double)gradient[row * width + (size_t)k]) < 1e-5);
      }
  }
  close_fixture(&f);
}

static void test_pull(void **state) {
  struct fixture f;
  const struct vt_anchor_options options = {.mu = 0.5};
  (void)state;
  open_fixture(&f, &options);
  float *row = vt_table_row(&f.tables[0], 2), *still = vt_table_row(&f.tables[0], 3), before = row[1], kept = still[4];
  row[1] = before + 1;
  vt_anchor_pull(&f.anchor, 0, 0, ROWS, 0.25);
  assert_true(fabsf(row[1] - (before + 0.25F)) < 1e-6F);
  assert_true(still[4] == kept);
  close_fixture(&f);
}

static void test_frozen(void **state) {
  struct fixture f;
  const uint32_t rows[] = {1, 4};
  const struct vt_anchor_options options = {.freeze = {false, true}, .rows = rows, .row_count = 2};
  float before[DIM], gradient[ROWS * 64];
  (void)state;
  open_fixture(&f, &options);
  assert_true(vt_anchor_holds(&f.anchor) && vt_anchor_freezes(&f.anchor));
  memcpy(before, vt_table_row(&f.tables[0], 4), sizeof before);
  move(&f, 3);
  for (size_t k = 0; k < ROWS * 64; k++) gradient[k] = 1;
  vt_anchor_slope(&f.anchor, 0, gradient);
  for (uint32_t row = 0; row < ROWS; row++)
    assert_true(gradient[row * f.tables[0].width] == (row == 1 || row == 4 ? 0.F : 1.F));
  assert_true(vt_anchor_restore(&f.anchor, 0) > 0);
  assert_memory_equal(before, vt_table_row(&f.tables[0], 4), sizeof before);
  assert_true(vt_anchor_restore(&f.anchor, 0) == 0);
  assert_true(vt_anchor_restore(&f.anchor, 1) > 0); /* all rows of the second table */
  close_fixture(&f);
  const struct vt_anchor_options none = {0};
  open_fixture(&f, &none);
  assert_false(vt_anchor_holds(&f.anchor));
  close_fixture(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_finite_differences),
      cmocka_unit_test(test_pull),
      cmocka_unit_test(test_frozen),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
