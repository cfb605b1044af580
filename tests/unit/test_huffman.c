/* The tree of hierarchical softmax is optimal, prefix-free, and a function of the counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "train/huffman.h"

#define MOST 200

static struct vt_vocab *vocab_of(const uint64_t *counts, uint32_t size) {
  static char texts[MOST][16];
  const char *pointers[MOST];
  for (uint32_t w = 0; w < size; w++) {
    snprintf(texts[w], sizeof texts[w], "w%u", (unsigned)w);
    pointers[w] = texts[w];
  }
  struct vt_vocab *vocab;
  assert_int_equal(vt_vocab_create(pointers, counts, size, &vocab, NULL), VT_OK);
  return vocab;
}

/* The least total cost, found the plain way: join the two smallest, over and over. */
static uint64_t least_cost(const uint64_t *counts, uint32_t size) {
  uint64_t left[MOST], cost = 0;
  uint32_t count = size;
  memcpy(left, counts, size * sizeof *left);
  while (count > 1) {
    for (int k = 0; k < 2; k++) { /* the two smallest to the end */
      uint32_t smallest = 0, last = count - 1 - (uint32_t)k;
      for (uint32_t i = 0; i <= last; i++)
        if (left[i] < left[smallest]) smallest = i;
      uint64_t swap = left[smallest];
      left[smallest] = left[last];
      left[last] = swap;
    }
    left[count - 2] += left[count - 1];
    cost += left[count - 2];
    count--;
  }
  return cost;
}

static void check(const uint64_t *counts, uint32_t size) {
  struct vt_vocab *vocab = vocab_of(counts, size);
  struct vt_huffman tree;
  assert_int_equal(vt_huffman_init(&tree, vocab, NULL), VT_OK);
  uint64_t cost = 0;
  double kraft = 0;
  for (uint32_t w = 0; w < size; w++) {
    uint64_t length = tree.start[w + 1] - tree.start[w];
    cost += length * counts[w];
    kraft += exp2(-(double)length);
    for (uint64_t k = tree.start[w]; k < tree.start[w + 1]; k++) {
      assert_true(tree.nodes[k] < size - 1);
      assert_true(tree.turns[k] <= 1);
      /* Numbers fall along a path: children were made before their parent. */
      if (k > tree.start[w]) assert_true(tree.nodes[k] < tree.nodes[k - 1]);
    }
    if (size > 1) assert_int_equal(tree.nodes[tree.start[w]], size - 2);
  }
  assert_int_equal(cost, least_cost(counts, size));
  assert_true(kraft == 1);
  vt_huffman_release(&tree);
  vt_vocab_free(vocab);
}

static void it_is_optimal(void **state) {
  (void)state;
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 1, 0, 0);
  uint64_t counts[MOST];
  for (uint32_t size = 2; size <= MOST; size += 11) {
    for (uint32_t w = 0; w < size; w++) counts[w] = 1 + vt_rng_below(&rng, 1U << vt_rng_below(&rng, 20));
    check(counts, size);
  }
}

static void equal_counts_make_a_balanced_tree(void **state) {
  (void)state;
  uint64_t counts[64];
  for (int k = 0; k < 64; k++) counts[k] = 7;
  check(counts, 64);
}

static void one_word_has_no_path(void **state) {
  (void)state;
  uint64_t count = 5;
  struct vt_vocab *vocab = vocab_of(&count, 1);
  struct vt_huffman tree;
  assert_int_equal(vt_huffman_init(&tree, vocab, NULL), VT_OK);
  assert_int_equal(tree.start[1], 0);
  vt_huffman_release(&tree);
  vt_vocab_free(vocab);
}

static struct vt_huffman tree_of(const uint64_t *counts, uint32_t size) {
  struct vt_vocab *vocab = vocab_of(counts, size);
  struct vt_huffman tree;
  assert_int_equal(vt_huffman_init(&tree, vocab, NULL), VT_OK);
  vt_vocab_free(vocab);
  return tree;
}

static void assert_path(const struct vt_huffman *tree, uint32_t word, const char *wanted) {
  char path[64] = "";
  for (uint64_t k = tree->start[word]; k < tree->start[word + 1]; k++)
    snprintf(path + strlen(path), sizeof path - strlen(path), "%u%c ", (unsigned)tree->nodes[k],
             tree->turns[k] ? 'b' : 'a');
  assert_string_equal(path, wanted);
}

/* Counts 4, 2, 1 make: node 0 of words 2 and 1, node 1 of node 0 and word 0, or the other way round where 0 is lighter.
 */
static void a_kept_tree_is_the_same(void **state) {
  (void)state;
  const uint64_t counts[] = {4, 2, 1};
  struct vt_huffman tree = tree_of(counts, 3), again;
  double links[5];
  vt_huffman_links(&tree, links);
  const double wanted[] = {3, 1, 0, 2, -1};
  for (size_t k = 0; k < 5; k++) assert_true(links[k] == wanted[k]);
  assert_int_equal(vt_huffman_from_links(&again, 3, links, NULL), VT_OK);
  for (uint32_t w = 0; w <= 3; w++) assert_int_equal(again.start[w], tree.start[w]);
  assert_memory_equal(again.nodes, tree.nodes, tree.start[3] * sizeof *tree.nodes);
  assert_memory_equal(again.turns, tree.turns, tree.start[3] * sizeof *tree.turns);
  vt_huffman_release(&tree);
  vt_huffman_release(&again);
}

static void trees_are_put_side_by_side(void **state) {
  (void)state;
  const uint64_t counts[] = {4, 2, 1}, few[] = {7, 5};
  struct vt_huffman known = tree_of(counts, 3), fresh = tree_of(few, 2), lone = tree_of(few, 1), joined;
  double links[9];
  vt_huffman_join_links(&known, &fresh, links);
  assert_int_equal(vt_huffman_from_links(&joined, 5, links, NULL), VT_OK);
  assert_path(&joined, 0, "3a 1b "); /* behind the new root, 3, as before */
  assert_path(&joined, 1, "3a 1a 0b ");
  assert_path(&joined, 2, "3a 1a 0a ");
  assert_path(&joined, 3, "3b 2b ");
  assert_path(&joined, 4, "3b 2a ");
  vt_huffman_release(&joined);
  vt_huffman_join_links(&known, &lone, links);
  assert_int_equal(vt_huffman_from_links(&joined, 4, links, NULL), VT_OK);
  assert_path(&joined, 2, "2a 1a 0a ");
  assert_path(&joined, 3, "2b ");
  vt_huffman_release(&joined);
  vt_huffman_join_links(&lone, &lone, links);
  assert_int_equal(vt_huffman_from_links(&joined, 2, links, NULL), VT_OK);
  assert_path(&joined, 1, "0b ");
  vt_huffman_release(&joined);
  vt_huffman_join_links(&known, NULL, links);
  assert_int_equal(vt_huffman_from_links(&joined, 3, links, NULL), VT_OK);
  assert_path(&joined, 0, "1b ");
  vt_huffman_release(&joined);
  vt_huffman_release(&known);
  vt_huffman_release(&fresh);
  vt_huffman_release(&lone);
}

static void what_is_no_tree_is_refused(void **state) {
  (void)state;
  struct vt_huffman tree;
  /* a child that two have, a circle, a fraction, beyond the end, NaN, a root with a parent */
  const double bad[][5] = {{3, 1, 1, 2, -1},    {0, 1, 4, 3, -1},           {3, 1, 0.5, 2, -1},
                           {3, 1, 0, 2000, -1}, {3, 1, (double)NAN, 2, -1}, {3, 1, 0, 2, 0}};
  for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++)
    assert_int_equal(vt_huffman_from_links(&tree, 3, bad[k], NULL), VT_ERROR_CORRUPT);
  /* Nodes 0 and 1 each other's child; the root has two words. */
  const double circle[] = {0, 2, 4, 5, 3, 1, -1};
  assert_int_equal(vt_huffman_from_links(&tree, 4, circle, NULL), VT_ERROR_CORRUPT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_is_optimal),
      cmocka_unit_test(equal_counts_make_a_balanced_tree),
      cmocka_unit_test(one_word_has_no_path),
      cmocka_unit_test(a_kept_tree_is_the_same),
      cmocka_unit_test(trees_are_put_side_by_side),
      cmocka_unit_test(what_is_no_tree_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
