/* Arrays of several ranks become one sum (label: threads): the bits of a process alone, on one machine and on several,
 * round after round; and rank 0 ends the rounds wherever the others stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dist/reduction.h"
#include "support/thread_ranks.h"

#define RANKS_MAX 5
#define ROUNDS 4

struct given {
  size_t floats;
  uint32_t terms;
  int threads;
  int stop_after; /* rank 0 stops after so many rounds; the others would make ROUNDS */
  float *sums;    /* [ROUNDS][floats]: of a process alone */
};

static float number(uint64_t round, uint32_t term, size_t k) {
  uint64_t x = (round * 1000003 + term) * 1000003 + k;
  x = (x ^ (x >> 31)) * UINT64_C(0x9E3779B97F4A7C15);
  return (float)(int32_t)(x >> 32) / 65536;
}

static double value(uint64_t round, uint32_t term) { return (double)round + 1.0 / (1 + term); }

static enum vt_status make_round(struct vt_reduction *reduction, const struct given *given, uint64_t round,
                                 struct vt_error *error) {
  uint32_t begin, end;
  vt_reduction_begin(reduction, &begin, &end);
  assert_true(begin < end && end <= given->terms);
  for (uint32_t term = begin; term < end; term++) {
    float *at = vt_reduction_term(reduction);
    for (size_t k = 0; k < given->floats; k++) at[k] = number(round, term, k);
    vt_reduction_add(reduction, value(round, term));
  }
  return vt_reduction_finish(reduction, error);
}

/* Level by level. */
static void add_alone(const struct given *given) {
  float *all = malloc(given->terms * given->floats * sizeof *all);
  assert_non_null(all);
  for (uint64_t round = 0; round < ROUNDS; round++) {
    for (uint32_t term = 0; term < given->terms; term++)
      for (size_t k = 0; k < given->floats; k++) all[term * given->floats + k] = number(round, term, k);
    for (uint32_t step = 1; step < given->terms; step *= 2)
      for (uint32_t term = 0; term + step < given->terms; term += 2 * step)
        for (size_t k = 0; k < given->floats; k++)
          all[term * given->floats + k] += all[(term + step) * given->floats + k];
    memcpy(given->sums + round * given->floats, all, given->floats * sizeof *all);
  }
  free(all);
}

static void take_part(void *context, struct vt_ranks *ranks) {
  const struct given *given = context;
  const int rank = vt_ranks_rank(ranks);
  struct vt_pool *pool;
  struct vt_reduction *reduction;
  struct vt_error error;
  assert_int_equal(vt_pool_create(given->threads, &pool, &error), VT_OK);
  if (vt_reduction_create(ranks, given->floats, given->terms, pool, &reduction, &error) != VT_OK)
    fail_msg("%s", error.message);
  enum vt_status status = VT_OK;
  uint64_t round = 0;
  for (; round < ROUNDS && status == VT_OK; round++) {
    if (rank == 0 && round == (uint64_t)given->stop_after) break;
    status = make_round(reduction, given, round, &error);
    if (status != VT_OK) break;
    assert_memory_equal(vt_reduction_sum(reduction), given->sums + round * given->floats,
                        given->floats * sizeof(float));
    for (uint32_t term = 0; term < given->terms; term++)
      assert_true(vt_reduction_values(reduction)[term] == value(round, term));
    /* Rank 0 looks around while the others are on their way. */
    if (rank == 0 && vt_ranks_size(ranks) > 1) memset(vt_reduction_term(reduction), 1, given->floats * sizeof(float));
  }
  assert_int_equal(round, given->stop_after);
  if (rank == 0)
    assert_int_equal(vt_reduction_stop(reduction, &error), VT_OK);
  else if (given->stop_after < ROUNDS)
    assert_int_equal(status, VT_ERROR_INTERRUPTED);
  else
    assert_int_equal(vt_reduction_wait(reduction, &error), VT_OK);
  assert_int_equal(vt_reduction_stop(reduction, &error), VT_OK); /* nobody waits any more */
  assert_int_equal(vt_ranks_agree(ranks, VT_OK, &error), VT_OK);
  vt_reduction_free(reduction);
  vt_pool_free(pool);
}

static void check(size_t floats, uint32_t terms, int stop_after) {
  struct given given = {.floats = floats, .terms = terms, .stop_after = stop_after};
  given.sums = malloc(ROUNDS * floats * sizeof *given.sums);
  assert_non_null(given.sums);
  add_alone(&given);
  for (int ranks = 1; ranks <= RANKS_MAX && ranks <= (int)terms; ranks++)
    for (int machines = 1; machines <= ranks; machines++) {
      if (ranks == 1 && stop_after < ROUNDS) continue;
      given.threads = 1 + (ranks + machines) % 2;
      vtt_ranks_run(ranks, machines, take_part, &given);
    }
  free(given.sums);
}

static void all_get_the_sum_of_one_process(void **state) {
  (void)state;
  check(20000, 1, ROUNDS);
  check(20000, 6, ROUNDS);
  check(1000, 5, ROUNDS);
  check(37, 13, ROUNDS); /* ranges of few lines, and ragged ones */
  check(5, 16, ROUNDS);  /* ranges without a line */
}

static void rank_0_ends_the_rounds(void **state) {
  (void)state;
  check(1000, 6, 0);
  check(1000, 7, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_get_the_sum_of_one_process),
      cmocka_unit_test(rank_0_ends_the_rounds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
