/* The merge of several blocks' copies against its definition, row by row, and its report of what is not finite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"
#include "train/merge.h"

#define ROWS 1000
#define DIM 20
#define SETS 5

struct world {
  struct vt_table table;
  struct vt_merger merger;
  struct vt_merger_scratch *scratch;
  struct vt_working_set sets[SETS];
  void *memory[SETS];
  const struct vt_working_set *list[SETS];
};

static void world_init(struct world *w) {
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 3, 0, 0);
  const struct vt_kernel *kernel;
  assert_int_equal(vt_kernel_choose(NULL, &kernel, NULL), VT_OK);
  assert_int_equal(vt_table_init(&w->table, ROWS, DIM, NULL), VT_OK);
  assert_int_equal(vt_merger_init(&w->merger, &w->table, kernel, NULL), VT_OK);
  assert_int_equal(vt_merger_scratch_create(&w->scratch, NULL), VT_OK);
  for (uint32_t row = 0; row < ROWS; row++)
    for (uint32_t k = 0; k < DIM; k++) vt_table_row(&w->table, row)[k] = vt_rng_unit(&rng) - 0.5F;
  for (int b = 0; b < SETS; b++) {
    w->memory[b] = vt_alloc_aligned(1, vt_working_set_bytes(&w->table, 300));
    assert_non_null(w->memory[b]);
    vt_working_set_init(&w->sets[b], &w->table, 300, w->memory[b]);
    vt_working_set_clear(&w->sets[b]);
    w->list[b] = &w->sets[b];
    for (int touch = 0; touch < 280; touch++) {
      /* Low rows are touched by most sets, and again by the same one. */
      uint32_t id = vt_rng_below(&rng, 1 + vt_rng_below(&rng, ROWS));
      float *copy = vt_working_set_row(&w->sets[b], vt_working_set_slot(&w->sets[b], id));
      float scale = vt_rng_below(&rng, 4) == 0 ? 0.6F : 0.01F; /* some beyond the cap */
      for (uint32_t k = 0; k < DIM; k++) copy[k] += scale * (vt_rng_unit(&rng) - 0.5F);
    }
    vt_working_set_sort(&w->sets[b]);
  }
  assert_int_equal(vt_merger_scratch_reserve(w->scratch, w->list, SETS, NULL), VT_OK);
}

static void world_release(struct world *w) {
  for (int b = 0; b < SETS; b++) vt_free_aligned(w->memory[b]);
  vt_merger_scratch_free(w->scratch);
  vt_merger_release(&w->merger);
  vt_table_release(&w->table);
}

static const float *copy_of(const struct vt_working_set *set, uint32_t id) {
  for (uint32_t slot = 0; slot < set->count; slot++)
    if (set->ids[slot] == id) return vt_working_set_row(set, slot);
  return NULL;
}

/* One row by the definition; returns whether any set holds it. */
static bool expect_row(const struct world *w, uint32_t row, double to[DIM], bool *capped) {
  const float *old = vt_table_row(&w->table, row);
  double step[DIM] = {0}, step_squared = 0, row_squared = 0;
  bool touched = false;
  for (int b = 0; b < SETS; b++) {
    const float *copy = copy_of(&w->sets[b], row);
    if (copy == NULL) continue;
    touched = true;
    for (int k = 0; k < DIM; k++) step[k] += (double)copy[k] - (double)old[k];
  }
  for (int k = 0; k < DIM; k++) {
    step_squared += step[k] * step[k];
    row_squared += (double)old[k] * (double)old[k];
  }
  double limit = fmax(0.5, 0.2 * sqrt(row_squared));
  *capped = sqrt(step_squared) > limit;
  for (int k = 0; k < DIM; k++) to[k] = (double)old[k] + step[k] * (*capped ? limit / sqrt(step_squared) : 1);
  return touched;
}

static void merge_all(struct world *w, bool backwards) {
  for (uint32_t k = 0; k < VT_SHARDS; k++)
    vt_merger_shard(&w->merger, w->scratch, w->list, SETS, backwards ? VT_SHARDS - 1 - k : k);
}

static void rows_get_the_capped_sum_of_the_steps(void **state) {
  (void)state;
  struct world w;
  world_init(&w);
  double(*expected)[DIM] = malloc(ROWS * sizeof *expected);
  assert_non_null(expected);
  uint64_t moved = 0, capped_rows = 0;
  for (uint32_t row = 0; row < ROWS; row++) {
    bool capped;
    bool touched = expect_row(&w, row, expected[row], &capped);
    moved += touched;
    capped_rows += touched && capped;
  }
  merge_all(&w, false);
  for (uint32_t row = 0; row < ROWS; row++)
    for (int k = 0; k < DIM; k++) assert_true(fabs((double)vt_table_row(&w.table, row)[k] - expected[row][k]) < 1e-5);
  struct vt_merge_totals totals = vt_merger_totals(&w.merger);
  assert_int_equal(totals.moved, moved);
  assert_int_equal(totals.capped, capped_rows);
  assert_true(capped_rows > 5 && capped_rows < moved / 2);
  assert_int_equal(totals.bad_row, VT_NO_SLOT);
  assert_true(totals.step_squared > 0);
  free(expected);
  world_release(&w);
}

static void the_order_of_shards_does_not_matter(void **state) {
  (void)state;
  struct world forwards, backwards;
  world_init(&forwards);
  world_init(&backwards);
  merge_all(&forwards, false);
  merge_all(&backwards, true);
  assert_memory_equal(forwards.table.data, backwards.table.data, ROWS * forwards.table.width * sizeof(float));
  struct vt_merge_totals a = vt_merger_totals(&forwards.merger), b = vt_merger_totals(&backwards.merger);
  assert_true(a.step_squared == b.step_squared && a.capped == b.capped);
  world_release(&forwards);
  world_release(&backwards);
}

static void the_smallest_bad_row_is_named_and_left_alone(void **state) {
  (void)state;
  struct world w;
  world_init(&w);
  uint32_t smallest = UINT32_MAX;
  for (uint32_t slot = 5; slot < 8; slot++) {
    vt_working_set_row(&w.sets[2], slot)[7] = NAN;
    if (w.sets[2].ids[slot] < smallest) smallest = w.sets[2].ids[slot];
  }
  merge_all(&w, false);
  assert_int_equal(vt_merger_totals(&w.merger).bad_row, smallest);
  for (size_t k = 0; k < ROWS * w.table.width; k++) assert_true(isfinite(w.table.data[k]));
  world_release(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_get_the_capped_sum_of_the_steps),
      cmocka_unit_test(the_order_of_shards_does_not_matter),
      cmocka_unit_test(the_smallest_bad_row_is_named_and_left_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
