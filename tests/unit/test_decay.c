/* Lazy L2 decay against decay of every row at every step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "train/decay.h"

#define ROWS 50
#define DIM 8
#define STEPS 400

static void init_tables(struct vt_table tables[VT_TABLE_COUNT], double dense[VT_TABLE_COUNT][ROWS][DIM]) {
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 6, 0, 0);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    assert_int_equal(vt_table_init(&tables[t], ROWS, DIM, NULL), VT_OK);
    for (uint32_t row = 0; row < ROWS; row++) {
      for (int k = 0; k < DIM; k++) {
        vt_table_row(&tables[t], row)[k] = vt_rng_unit(&rng) + 0.5F;
        dense[t][row][k] = (double)vt_table_row(&tables[t], row)[k];
      }
    }
  }
}

/* Each step touches a few rows, adds something to them, then shrinks all. */
static void run(double lambda, double rate, uint64_t words, double tolerance) {
  static double dense[VT_TABLE_COUNT][ROWS][DIM];
  struct vt_table tables[VT_TABLE_COUNT];
  struct vt_decay decay;
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 7, 0, 0);
  init_tables(tables, dense);
  struct vt_arena arena = {.data = vt_alloc_aligned(4, ROWS * sizeof(double))};
  assert_non_null(arena.data);
  vt_decay_take(&decay, ROWS, &arena);
  vt_decay_start(&decay, 0, ROWS);
  for (int step = 0; step < STEPS; step++) {
    for (int touch = 0; touch < 3; touch++) {
      int t = (int)vt_rng_below(&rng, VT_TABLE_COUNT);
      uint32_t row = vt_rng_below(&rng, 1 + vt_rng_below(&rng, ROWS));
      vt_decay_pay(&decay, t, row, vt_table_row(&tables[t], row), DIM);
      for (int k = 0; k < DIM; k++) {
        float moved = vt_rng_unit(&rng) * 0.1F;
        vt_table_row(&tables[t], row)[k] += moved;
        dense[t][row][k] += (double)moved;
      }
    }
    vt_decay_add(&decay, rate, lambda, words);
    if (vt_decay_is_due(&decay)) { /* in two pieces, as two ranks share it out */
      vt_decay_renew(&decay, tables, ROWS / 2, ROWS);
      vt_decay_renew(&decay, tables, 0, ROWS / 2);
      decay.product = 1;
    }
    double factor = pow(1 - 2 * rate * lambda, (double)words);
    for (int t = 0; t < VT_TABLE_COUNT; t++)
      for (int row = 0; row < ROWS; row++)
        for (int k = 0; k < DIM; k++) dense[t][row][k] *= factor;
  }
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    for (uint32_t row = 0; row < ROWS; row++) {
      vt_decay_pay(&decay, t, row, vt_table_row(&tables[t], row), DIM);
      for (int k = 0; k < DIM; k++) {
        double want = dense[t][row][k];
        assert_true(fabs((double)vt_table_row(&tables[t], row)[k] - want) <= tolerance * fabs(want) + 1e-37);
      }
    }
    vt_table_release(&tables[t]);
  }
  vt_free_aligned(arena.data);
}

static void lazy_is_dense(void **state) {
  (void)state;
  run(1e-6, 0.025, 16384, 1e-5);
  run(1e-4, 0.025, 1000, 1e-5);
}

/* So strong that the product would leave the range of double within the run: it is renewed. */
static void a_product_that_would_vanish_is_renewed(void **state) {
  (void)state;
  run(0.01, 0.025, 16384, 1e-4);
}

static void owing_nothing_changes_no_bit(void **state) {
  (void)state;
  struct vt_decay decay;
  struct vt_arena arena = {.data = vt_alloc_aligned(2, VT_CACHE_LINE_BYTES)};
  assert_non_null(arena.data);
  vt_decay_take(&decay, 1, &arena);
  vt_decay_start(&decay, 0, 1);
  vt_decay_add(&decay, 0.025, 1e-5, 1000);
  float row[DIM] = {0.1F, -3, 7, 1e-30F, 0, 1, 2, 3}, before[DIM];
  vt_decay_pay(&decay, 0, 0, row, DIM);
  assert_true(row[0] < 0.1F);
  for (int k = 0; k < DIM; k++) before[k] = row[k];
  vt_decay_pay(&decay, 0, 0, row, DIM);
  assert_memory_equal(row, before, sizeof row);
  vt_free_aligned(arena.data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lazy_is_dense),
      cmocka_unit_test(a_product_that_would_vanish_is_renewed),
      cmocka_unit_test(owing_nothing_changes_no_bit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
