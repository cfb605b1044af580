/* Replicas by hand: a row that both move takes the sum of what they did, a row that one moves keeps all of it, and
 * each replica starts from the same tables, whether the other one lies in this machine's memory or has come as a
 * message.
 */
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
  struct vt_block block;
  void *set_memory[VT_TABLE_COUNT];
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
  assert_int_equal(vt_replicas_init(&fixture->replicas, fixture->tables, 2, 0, 2, 1, NULL), VT_OK);
  struct vt_arena arena = {0};
  vt_replicas_take(&fixture->replicas, &arena);
  arena = (struct vt_arena){.data = fixture->memory = vt_alloc_aligned(arena.used, 1)};
  assert_non_null(fixture->memory);
  vt_replicas_take(&fixture->replicas, &arena);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    fixture->set_memory[t] = vt_alloc_aligned(1, vt_working_set_bytes(&fixture->tables[t], ROWS));
    assert_non_null(fixture->set_memory[t]);
    vt_working_set_init(&fixture->block.sets[t], &fixture->tables[t], ROWS, fixture->set_memory[t]);
    vt_working_set_clear(&fixture->block.sets[t]);
  }
  assert_int_equal(vt_merger_scratch_reserve_rows(fixture->scratch, vt_shard_rows(0, ROWS), NULL), VT_OK);
}

static void release(struct fixture *fixture) {
  vt_replicas_release(&fixture->replicas);
  vt_merger_scratch_free(fixture->scratch);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    vt_merger_release(&fixture->mergers[t]);
    vt_table_release(&fixture->tables[t]);
    vt_free_aligned(fixture->set_memory[t]);
  }
  vt_free_aligned(fixture->memory);
}

/* One superstep of a replica in which two rows of the input table move. */
static void superstep(struct fixture *fixture, uint32_t a, float a_step, uint32_t b, float b_step) {
  struct vt_working_set *set = &fixture->block.sets[VT_TABLE_INPUT];
  vt_working_set_clear(set);
  float *first = vt_working_set_row(set, vt_working_set_slot(set, a));
  for (uint32_t k = 0; k < DIM; k++) first[k] += a_step;
  float *second = vt_working_set_row(set, vt_working_set_slot(set, b));
  for (uint32_t k = 0; k < DIM; k++) second[k] += b_step;
  vt_working_set_sort(set);
  const struct vt_working_set *sets[] = {set};
  assert_int_equal(vt_merger_scratch_reserve(fixture->scratch, sets, 1, NULL), VT_OK);
  for (uint32_t shard = 0; shard < VT_SHARDS; shard++)
    vt_merger_shard(&fixture->mergers[VT_TABLE_INPUT], fixture->scratch, sets, 1, shard);
}

static void expect_rows(const struct fixture *fixture, float both, float first, float second) {
  for (uint32_t row = 0; row < ROWS; row++) {
    float step = row == BOTH ? both : row == FIRST ? first : row == SECOND ? second : 0;
    for (uint32_t k = 0; k < DIM; k++) assert_true(vt_table_row(&fixture->tables[0], row)[k] == (float)row + step);
  }
}

static void train_round(struct fixture *fixture, uint32_t stamp) {
  fixture->replicas.stamp = stamp;
  vt_replicas_begin(&fixture->replicas, 0, &fixture->block, 1, fixture->mergers);
  superstep(fixture, BOTH, 0.125F, FIRST, 0.25F);
  superstep(fixture, BOTH, 0.0625F, FIRST, 0.25F); /* what it moved before is where it goes on from */
  vt_replicas_begin(&fixture->replicas, 1, &fixture->block, 1, fixture->mergers);
  superstep(fixture, BOTH, -0.0625F, SECOND, 0.5F);
  vt_replicas_end(&fixture->replicas, fixture->mergers);
}

static void join(struct fixture *fixture) {
  for (uint32_t shard = 0; shard < VT_SHARDS; shard++)
    vt_replicas_join(&fixture->replicas, 0, &fixture->mergers[0], fixture->scratch, 0, shard);
  assert_int_equal(vt_merger_totals(&fixture->mergers[0]).moved, 3);
  double squared = vt_merger_totals(&fixture->mergers[0]).step_squared;
  assert_true(fabs(squared - DIM * (0.125 * 0.125 + 2 * 0.25)) < 1e-6);
}

static void the_sum_of_what_they_did(void **state) {
  (void)state;
  struct fixture fixture = {0};
  make(&fixture);
  train_round(&fixture, 1);
  expect_rows(&fixture, 0, 0, 0);
  join(&fixture);
  expect_rows(&fixture, 0.125F, 0.5F, 0.5F);
  train_round(&fixture, 2); /* from where the first one ended */
  expect_rows(&fixture, 0.125F, 0.5F, 0.5F);
  join(&fixture);
  expect_rows(&fixture, 0.25F, 1, 1);
  release(&fixture);
}

/* As the exchange brings it: ids and rows, by shard. */
static void the_same_from_elsewhere(void **state) {
  (void)state;
  struct fixture fixture = {0};
  make(&fixture);
  train_round(&fixture, 1);
  uint32_t ids[ROWS], by_shard[ROWS];
  _Alignas(64) float rows[4 * DIM];
  struct vt_working_set set = {.table = &fixture.tables[0], .stride = DIM, .ids = ids, .rows = rows};
  set.by_shard = by_shard;
  for (uint32_t shard = 0; shard < VT_SHARDS; shard++)
    set.shard_start[shard + 1] = set.shard_start[shard] + vt_replicas_count(&fixture.replicas, 1, 0, shard, shard + 1);
  assert_int_equal(set.shard_start[VT_SHARDS], 2);
  vt_replicas_copy(&fixture.replicas, 1, 0, 0, VT_SHARDS, ids, rows);
  assert_true(ids[0] == BOTH && ids[1] == SECOND);
  fixture.replicas.sets[0][1] = &set;
  fixture.replicas.here_end = 1;
  join(&fixture);
  expect_rows(&fixture, 0.125F, 0.5F, 0.5F);
  release(&fixture);
}

static void rows_of_a_shard(void **state) {
  (void)state;
  for (uint32_t rows = 0; rows < 3 * VT_SHARD_STRIDE; rows += 7) {
    uint32_t counted[VT_SHARDS] = {0};
    for (uint32_t row = 0; row < rows; row++) counted[vt_shard_of(row)]++;
    for (uint32_t shard = 0; shard < VT_SHARDS; shard++) assert_int_equal(vt_shard_rows(shard, rows), counted[shard]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_sum_of_what_they_did),
                                     cmocka_unit_test(the_same_from_elsewhere), cmocka_unit_test(rows_of_a_shard)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
