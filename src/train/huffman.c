/* huffman.c: the two-queue construction. Leaves come by ascending weight, inner nodes are made in ascending weight, so
 * the two lightest are always at the heads of the two queues. */
#include "train/huffman.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"

struct leaf {
  uint64_t weight;
  uint32_t word;
};

struct build {
  uint32_t words;
  struct leaf *leaves; /* by ascending weight, then descending id: rare words first */
  uint64_t *weights;   /* of inner nodes */
  uint32_t *parents;   /* of words, then of inner nodes */
  uint8_t *second;     /* whether it is its parent's second child */
  uint32_t next_leaf;
  uint32_t next_inner;
};

static int compare_leaves(const void *a, const void *b) {
  const struct leaf *x = a, *y = b;
  if (x->weight != y->weight) return x->weight < y->weight ? -1 : 1;
  return (x->word < y->word) - (x->word > y->word);
}

/* Takes the lighter head of the two queues (a leaf where they weigh the same): a word, or words + inner node. */
static uint32_t take_lightest(struct build *build, uint32_t made, uint64_t *weight) {
  bool leaf = build->next_leaf < build->words && (build->next_inner >= made || build->leaves[build->next_leaf].weight <=
                                                                                   build->weights[build->next_inner]);
  if (leaf) {
    *weight = build->leaves[build->next_leaf].weight;
    return build->leaves[build->next_leaf++].word;
  }
  *weight = build->weights[build->next_inner];
  return build->words + build->next_inner++;
}

static void join(struct build *build) {
  for (uint32_t node = 0; node + 1 < build->words; node++) {
    uint64_t first_weight, second_weight;
    uint32_t first = take_lightest(build, node, &first_weight), second = take_lightest(build, node, &second_weight);
    build->weights[node] = first_weight + second_weight;
    build->parents[first] = build->parents[second] = node;
    build->second[first] = 0;
    build->second[second] = 1;
  }
}

static uint32_t path_length(const struct build *build, uint32_t word) {
  if (build->words < 2) return 0;
  uint32_t length = 1, root = build->words - 2;
  for (uint32_t node = build->parents[word]; node != root; node = build->parents[build->words + node]) length++;
  return length;
}

static enum vt_status list_paths(struct vt_huffman *tree, const struct build *build, struct vt_error *error) {
  uint64_t total = 0;
  for (uint32_t w = 0; w < tree->words; w++) {
    uint32_t length = path_length(build, w);
    if (length > VT_HUFFMAN_DEPTH_MAX)
      return VT_FAIL(error, VT_ERROR_UNSUPPORTED, "the counts make a Huffman tree deeper than %d",
                     VT_HUFFMAN_DEPTH_MAX);
    tree->start[w] = total;
    total += length;
  }
  tree->start[tree->words] = total;
  tree->nodes = vt_alloc(total, sizeof *tree->nodes);
  tree->turns = vt_alloc(total, sizeof *tree->turns);
  if (tree->nodes == NULL || tree->turns == NULL) return VT_FAIL_MEMORY(error, total * sizeof *tree->nodes);
  for (uint32_t w = 0; w < tree->words; w++) {
    uint32_t at = w;
    for (uint64_t place = tree->start[w + 1]; place > tree->start[w]; at = tree->words + build->parents[at]) {
      place--;
      tree->nodes[place] = build->parents[at];
      tree->turns[place] = build->second[at];
    }
  }
  return VT_OK;
}

enum vt_status vt_huffman_init(struct vt_huffman *tree, const struct vt_vocab *vocab, struct vt_error *error) {
  uint32_t words = (uint32_t)vt_vocab_size(vocab);
  struct build build = {.words = words};
  *tree = (struct vt_huffman){.words = words, .start = vt_alloc(words + (size_t)1, sizeof *tree->start)};
  build.leaves = vt_alloc(words, sizeof *build.leaves);
  build.weights = vt_alloc(words, sizeof *build.weights);
  build.parents = vt_alloc(2 * (size_t)words, sizeof *build.parents);
  build.second = vt_alloc(2 * (size_t)words, sizeof *build.second);
  enum vt_status status = VT_OK;
  if (tree->start == NULL || build.leaves == NULL || build.weights == NULL || build.parents == NULL ||
      build.second == NULL) {
    status = VT_FAIL_MEMORY(error, words * sizeof *build.leaves);
  } else {
    for (uint32_t w = 0; w < words; w++) {
      uint64_t count = vt_vocab_count(vocab, w);
      build.leaves[w] = (struct leaf){.weight = count == 0 ? 1 : count, .word = w};
    }
    qsort(build.leaves, words, sizeof *build.leaves, compare_leaves);
    join(&build);
    status = list_paths(tree, &build, error);
  }
  vt_free(build.leaves);
  vt_free(build.weights);
  vt_free(build.parents);
  vt_free(build.second);
  if (status != VT_OK) vt_huffman_release(tree);
  return status;
}

void vt_huffman_release(struct vt_huffman *tree) {
  vt_free(tree->start);
  vt_free(tree->nodes);
  vt_free(tree->turns);
  *tree = (struct vt_huffman){0};
}
