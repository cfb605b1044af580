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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_is_optimal),
      cmocka_unit_test(equal_counts_make_a_balanced_tree),
      cmocka_unit_test(one_word_has_no_path),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
