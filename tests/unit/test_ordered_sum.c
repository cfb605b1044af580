/* Sums in one order: the tree is the one that is written out by hand, whoever has which terms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "dist/ordered_sum.h"

#define TEXT_BYTES 512

/* Adds up terms begin .. end as words. texts[node]: of the nodes that are left; returns how many they are. */
static uint32_t spell(uint32_t terms, uint32_t begin, uint32_t end, char texts[][TEXT_BYTES],
                      struct vt_ordered_node *nodes) {
  struct vt_ordered_sum sum;
  vt_ordered_sum_begin(&sum, terms);
  for (uint32_t term = begin; term < end; term++) {
    snprintf(texts[sum.count], TEXT_BYTES, "%u", term);
    vt_ordered_sum_put(&sum, (struct vt_ordered_node){term, term + 1});
    while (vt_ordered_sum_fold(&sum)) {
      char both[2 * TEXT_BYTES + 4];
      snprintf(both, sizeof both, "(%s+%s)", texts[sum.count - 1], texts[sum.count]);
      assert_true(strlen(both) < TEXT_BYTES);
      memcpy(texts[sum.count - 1], both, strlen(both) + 1);
    }
  }
  if (nodes != NULL) memcpy(nodes, sum.nodes, sum.count * sizeof *nodes);
  return sum.count;
}

static void trees_are_those_written_by_hand(void **state) {
  static const char *const by_hand[] = {"0",
                                        "(0+1)",
                                        "((0+1)+2)",
                                        "((0+1)+(2+3))",
                                        "(((0+1)+(2+3))+4)",
                                        "(((0+1)+(2+3))+(4+5))",
                                        "(((0+1)+(2+3))+((4+5)+6))",
                                        "(((0+1)+(2+3))+((4+5)+(6+7)))",
                                        "((((0+1)+(2+3))+((4+5)+(6+7)))+8)"};
  (void)state;
  for (uint32_t terms = 1; terms <= 9; terms++) {
    char texts[VT_ORDERED_NODES_MAX][TEXT_BYTES];
    assert_int_equal(spell(terms, 0, terms, texts, NULL), 1);
    assert_string_equal(texts[0], by_hand[terms - 1]);
  }
}

static void who_has_some_terms_is_left_with_few_nodes(void **state) {
  (void)state;
  char texts[VT_ORDERED_NODES_MAX][TEXT_BYTES];
  struct vt_ordered_node nodes[VT_ORDERED_NODES_MAX];
  assert_int_equal(spell(16, 3, 11, texts, nodes), 4);
  assert_string_equal(texts[0], "3");
  assert_string_equal(texts[1], "((4+5)+(6+7))");
  assert_string_equal(texts[2], "(8+9)");
  assert_string_equal(texts[3], "10");
  assert_true(nodes[1].begin == 4 && nodes[1].end == 8);
  /* Behind the last term there is nobody to wait for. */
  assert_int_equal(spell(7, 4, 7, texts, nodes), 1);
  assert_string_equal(texts[0], "((4+5)+6)");
  assert_true(nodes[0].begin == 4 && nodes[0].end == 7);
  struct vt_ordered_sum sum;
  assert_int_equal(vt_ordered_sum_of(&sum, 1, 0, 1), 1);
  assert_int_equal(vt_ordered_sum_of(&sum, 4, 0, 4), 3);
  assert_int_equal(vt_ordered_sum_of(&sum, 65536, 0, 65536), 17);
  assert_int_equal(sum.count, 1);
}

enum { TERMS_MAX = 21, FLOATS = 37 };

/* Terms begin .. end added up where they lie; their nodes go behind the `count` there are. Returns how many there are.
 */
static uint32_t add_some(uint32_t terms, uint32_t begin, uint32_t end, float arrays[][FLOATS],
                         struct vt_ordered_node *nodes, float **at, uint32_t count) {
  struct vt_ordered_sum sum;
  vt_ordered_sum_begin(&sum, terms);
  for (uint32_t term = begin; term < end; term++) {
    at[count + sum.count] = arrays[term];
    vt_ordered_sum_put(&sum, (struct vt_ordered_node){term, term + 1});
    while (vt_ordered_sum_fold(&sum)) vt_ordered_add(at[count + sum.count - 1], at[count + sum.count], FLOATS, NULL);
  }
  memcpy(nodes + count, sum.nodes, sum.count * sizeof *nodes);
  return count + sum.count;
}

/* Of terms that are dealt to three, whose nodes are added up by a plan. */
static void check_dealt(uint32_t terms, uint32_t a, uint32_t b, float arrays[][FLOATS], const float *expected) {
  float dealt[TERMS_MAX][FLOATS], result[FLOATS], *at[3 * VT_ORDERED_NODES_MAX];
  struct vt_ordered_node nodes[3 * VT_ORDERED_NODES_MAX];
  struct vt_ordered_plan plan;
  memcpy(dealt, arrays, sizeof dealt);
  uint32_t count = add_some(terms, 0, a, dealt, nodes, at, 0);
  count = add_some(terms, a, b, dealt, nodes, at, count);
  count = add_some(terms, b, terms, dealt, nodes, at, count);
  assert_int_equal(vt_ordered_plan_init(&plan, terms, nodes, count, NULL), VT_OK);
  assert_true(plan.left_count == 1 && plan.left[0] == 0 && plan.step_count == count - 1);
  vt_ordered_plan_add(&plan, at, FLOATS, result, NULL);
  assert_memory_equal(result, expected, sizeof result);
  vt_ordered_plan_release(&plan);
}

/* An addition of floats rounds, so another order would show. */
static void a_plan_goes_on_where_others_stopped(void **state) {
  (void)state;
  for (uint32_t terms = 3; terms <= TERMS_MAX; terms++) {
    float arrays[TERMS_MAX][FLOATS] = {0}, alone[TERMS_MAX][FLOATS];
    uint32_t random = terms;
    for (uint32_t t = 0; t < terms; t++)
      for (size_t k = 0; k < FLOATS; k++) arrays[t][k] = (float)((random = random * 1664525 + 1013904223) >> 8);
    memcpy(alone, arrays, sizeof alone);
    for (uint32_t step = 1; step < terms; step *= 2) /* the tree, level by level */
      for (uint32_t t = 0; t + step < terms; t += 2 * step)
        for (size_t k = 0; k < FLOATS; k++) alone[t][k] += alone[t + step][k];
    for (uint32_t a = 1; a < terms - 1; a++)
      for (uint32_t b = a + 1; b < terms; b++) check_dealt(terms, a, b, arrays, alone[0]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(trees_are_those_written_by_hand),
      cmocka_unit_test(who_has_some_terms_is_left_with_few_nodes),
      cmocka_unit_test(a_plan_goes_on_where_others_stopped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
