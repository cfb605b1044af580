/* Where blocks are cut, and at which steps a run is recorded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "run/plan.h"
#include "train/blocks.h"
#include "vectrail/corpus.h"

static void a_block_ends_with_a_sentence(void **state) {
  (void)state;
  uint32_t ids[100];
  for (uint32_t k = 0; k < 100; k++) ids[k] = k % 10 == 9 ? VT_CORPUS_END : k;
  assert_int_equal(vt_block_end(ids, 100, 0, 16), 20);
  assert_int_equal(vt_block_end(ids, 100, 20, 20), 40);
  assert_int_equal(vt_block_end(ids, 100, 90, 16), 100);
  assert_int_equal(vt_block_count(ids, 100, 16, NULL), 5);
}

static void a_long_sentence_is_cut(void **state) {
  (void)state;
  uint32_t ids[1000] = {0};
  ids[999] = VT_CORPUS_END;
  assert_int_equal(vt_block_end(ids, 1000, 0, 100), 200);
  assert_int_equal(vt_block_end(ids, 1000, 800, 100), 1000);
  assert_int_equal(vt_block_count(ids, 1000, 100, NULL), 5);
}

static void blocks_cover_the_corpus(void **state) {
  (void)state;
  static uint32_t ids[20000];
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 1, 0, 0);
  for (int k = 0; k < 20000; k++) ids[k] = vt_rng_below(&rng, 40) == 0 ? VT_CORPUS_END : 1;
  for (uint32_t size = 16; size < 3000; size = size * 3 / 2) {
    uint64_t begin = 0, count = 0;
    while (begin < 20000) {
      uint64_t end = vt_block_end(ids, 20000, begin, size);
      assert_true(end > begin && end - begin <= vt_block_entries_max(size));
      begin = end;
      count++;
    }
    assert_int_equal(count, vt_block_count(ids, 20000, size, NULL));
  }
}

static void snapshots_are_dense_early_and_reach_both_ends(void **state) {
  (void)state;
  struct vt_record_options record;
  vt_record_options_init(&record);
  const uint64_t steps[] = {1, 2, 7, 40, 100, 1000, 4765, 1000000};
  for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
    struct vt_plan plan;
    assert_int_equal(vt_plan_init(&plan, steps[s], &record, NULL), VT_OK);
    assert_int_equal(plan.snapshots[0], 0);
    assert_int_equal(plan.snapshots[plan.snapshot_count - 1], steps[s]);
    assert_true(plan.snapshot_count <= 40);
    for (size_t k = 1; k < plan.snapshot_count; k++) assert_true(plan.snapshots[k] > plan.snapshots[k - 1]);
    if (steps[s] >= 1000) {
      assert_true(plan.snapshot_count >= 36);
      assert_true(plan.snapshots[8] <= steps[s] / 20); /* some of the ten early ones fall together */
    }
    uint64_t metrics = 0, probes = 0;
    for (uint64_t step = 0; step <= steps[s]; step++) {
      if (vt_plan_is_snapshot(&plan, step)) assert_true(vt_plan_is_probe(&plan, step));
      if (vt_plan_is_probe(&plan, step)) assert_true(vt_plan_is_metric(&plan, step));
      metrics += vt_plan_is_metric(&plan, step);
      probes += vt_plan_is_probe(&plan, step);
    }
    assert_true(metrics <= 4000 && probes <= 250);
    assert_true(vt_plan_is_snapshot(&plan, 0) && vt_plan_is_snapshot(&plan, steps[s]));
    vt_plan_release(&plan);
  }
}

static void two_snapshots_are_the_start_and_the_end(void **state) {
  (void)state;
  struct vt_record_options record;
  vt_record_options_init(&record);
  record.snapshots = 2;
  struct vt_plan plan;
  assert_int_equal(vt_plan_init(&plan, 500, &record, NULL), VT_OK);
  assert_int_equal(plan.snapshot_count, 2);
  vt_plan_release(&plan);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_block_ends_with_a_sentence),
      cmocka_unit_test(a_long_sentence_is_cut),
      cmocka_unit_test(blocks_cover_the_corpus),
      cmocka_unit_test(snapshots_are_dense_early_and_reach_both_ends),
      cmocka_unit_test(two_snapshots_are_the_start_and_the_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
