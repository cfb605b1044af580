/* Replicas by hand: a row that both move takes the mean of what they did, a row that one moves keeps all of it, and
 * each replica starts from the same tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/memory.h"
#include "train/replicas.h"

#define ROWS 300
#define DIM 8
#define BOTH 3
#define FIRST 40
#define SECOND 299

struct fixture {
  struct vt_table tables[VT_TABLE_COUNT];
  struct vt_merger mergers[VT_TABLE_COUNT];
  struct vt_merger_scratch *scratch;
  struct vt_replicas replicas;
  struct vt_working_set set;
  void *memory;
};

static void make(struct fixture *fixture) {
  const struct vt_kernel *kernel;
  assert_int_equal(vt_kernel_choose(NULL, &kernel, NULL), VT_OK);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    assert_int_equal(vt_table_init(&fixture->tables[t], ROWS, DIM, NULL), VT_OK);
    for (uint32_t row = 0; row < ROWS; row++)
      for (uint32_t k = 0; k < DIM; k++) vt_table_row(&fixture->tables[t], row)[k] = (float)row;
    assert_int_equal(vt_merger_init(&fixture->mergers[t], &fixture->tables[t], kernel, NULL), VT_OK);
  }
  assert_int_equal(vt_merger_scratch_create(&fixture->scratch, NULL), VT_OK);
  assert_int_equal(vt_replicas_init(&fixture->replicas, fixture->tables, 2, 0, 2, NULL), VT_OK);
  fixture->memory = vt_alloc_aligned(1, vt_working_set_bytes(&fixture->tables[0], ROWS));
  assert_non_null(fixture->memory);
  vt_working_set_init(&fixture->set, &fixture->tables[0], ROWS, fixture->memory);
}

static void release(struct fixture *fixture) {
  vt_replicas_release(&fixture->replicas);
  vt_merger_scratch_free(fixture->scratch);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    vt_merger_release(&fixture->mergers[t]);
    vt_table_release(&fixture->tables[t]);
  }
  vt_free_aligned(fixture->memory);
}

/* One superstep of a replica in which two rows of the input table move. */
static void superstep(struct fixture *fixture, uint32_t a, float a_step, uint32_t b, float b_step) {
  struct vt_working_set *set = &fixture->set;
  vt_working_set_clear(set);
  float *first = vt_working_set_row(set, vt_working_set_slot(set, a));
  for (uint32_t k = 0; k < DIM; k++) first[k] += a_step;
  float *second = vt_working_set_row(set, vt_working_set_slot(set, b));
  for (uint32_t k = 0; k < DIM; k++) second[k] += b_step;
  vt_working_set_sort(set);
  const struct vt_working_set *sets[] = {set};
  assert_int_equal(vt_merger_scratch_reserve(fixture->scratch, sets, 1, NULL), VT_OK);
  for (uint32_t shard = 0; shard < VT_SHARDS; shard++) {
    vt_merger_shard(&fixture->mergers[0], fixture->scratch, sets, 1, shard);
    vt_replicas_note(&fixture->replicas, 0, shard, (uint32_t)fixture->mergers[0].shards[shard].moved, fixture->scratch);
  }
}

static void close_replica(struct fixture *fixture, uint32_t replica) {
  vt_replicas_lay_out(&fixture->replicas, replica);
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    for (uint32_t shard = 0; shard < VT_SHARDS; shard++) vt_replicas_put_aside(&fixture->replicas, replica, t, shard);
  for (uint32_t row = 0; row < ROWS; row++)
    for (uint32_t k = 0; k < DIM; k++)
      assert_true(vt_table_row(&fixture->tables[0], row)[k] == vt_table_row(&fixture->replicas.starts[0], row)[k]);
}

static void the_sum_of_what_they_did(void **state) {
  (void)state;
  struct fixture fixture;
  make(&fixture);
  vt_replicas_begin(&fixture.replicas, 0);
  superstep(&fixture, BOTH, 0.125F, FIRST, 0.25F);
  superstep(&fixture, BOTH, 0.0625F, FIRST, 0.25F); /* what it moved before is where it goes on from */
  close_replica(&fixture, 0);
  vt_replicas_begin(&fixture.replicas, 1);
  superstep(&fixture, BOTH, -0.0625F, SECOND, 0.5F);
  close_replica(&fixture, 1);
  const struct vt_working_set *const *sets = fixture.replicas.sets[0];
  assert_int_equal(sets[0]->count, 2);
  assert_int_equal(sets[1]->count, 2);
  assert_int_equal(vt_merger_scratch_reserve(fixture.scratch, sets, 2, NULL), VT_OK);
  for (uint32_t shard = 0; shard < VT_SHARDS; shard++)
    vt_merger_shard(&fixture.mergers[0], fixture.scratch, sets, 2, shard);
  assert_int_equal(vt_merger_totals(&fixture.mergers[0]).moved, 3);
  for (uint32_t row = 0; row < ROWS; row++) {
    float step = row == BOTH ? 0.125F : row == FIRST || row == SECOND ? 0.5F : 0;
    for (uint32_t k = 0; k < DIM; k++) assert_true(vt_table_row(&fixture.tables[0], row)[k] == (float)row + step);
  }
  double squared = vt_merger_totals(&fixture.mergers[0]).step_squared;
  assert_true(fabs(squared - DIM * (0.125 * 0.125 + 2 * 0.25)) < 1e-6);
  release(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_sum_of_what_they_did)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
