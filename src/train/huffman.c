/* huffman.c: the two-queue construction, and trees kept and put together. Leaves come by ascending weight, inner nodes
 * are made in ascending weight, so the two lightest are always at the heads of the two queues. */
#include "train/huffman.h"

#include <math.h>
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
  /* What was read from a file may go round in circles. */
  for (uint32_t node = build->parents[word]; node != root && length <= VT_HUFFMAN_DEPTH_MAX; length++)
    node = build->parents[build->words + node];
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

static enum vt_status begin_build(struct build *build, struct vt_huffman *tree, uint32_t words,
                                  struct vt_error *error) {
  *build = (struct build){.words = words};
  *tree = (struct vt_huffman){.words = words, .start = vt_alloc(words + (size_t)1, sizeof *tree->start)};
  build->parents = vt_alloc_zero(2 * (size_t)words, sizeof *build->parents);
  build->second = vt_alloc_zero(2 * (size_t)words, sizeof *build->second);
  if (tree->start != NULL && build->parents != NULL && build->second != NULL) return VT_OK;
  return VT_FAIL_MEMORY(error, 2 * (size_t)words * sizeof *build->parents);
}

static void end_build(struct build *build) {
  vt_free(build->leaves);
  vt_free(build->weights);
  vt_free(build->parents);
  vt_free(build->second);
}

static enum vt_status grow(struct build *build, const struct vt_vocab *vocab, struct vt_error *error) {
  const uint32_t words = build->words;
  build->leaves = vt_alloc(words, sizeof *build->leaves);
  build->weights = vt_alloc(words, sizeof *build->weights);
  if (build->leaves == NULL || build->weights == NULL) return VT_FAIL_MEMORY(error, words * sizeof *build->leaves);
  for (uint32_t w = 0; w < words; w++) {
    uint64_t count = vt_vocab_count(vocab, w);
    build->leaves[w] = (struct leaf){.weight = count == 0 ? 1 : count, .word = w};
  }
  qsort(build->leaves, words, sizeof *build->leaves, compare_leaves);
  join(build);
  return VT_OK;
}

enum vt_status vt_huffman_init(struct vt_huffman *tree, const struct vt_vocab *vocab, struct vt_error *error) {
  struct build build;
  enum vt_status status = begin_build(&build, tree, (uint32_t)vt_vocab_size(vocab), error);
  if (status == VT_OK) status = grow(&build, vocab, error);
  if (status == VT_OK) status = list_paths(tree, &build, error);
  end_build(&build);
  if (status != VT_OK) vt_huffman_release(tree);
  return status;
}

void vt_huffman_release(struct vt_huffman *tree) {
  vt_free(tree->start);
  vt_free(tree->nodes);
  vt_free(tree->turns);
  *tree = (struct vt_huffman){0};
}

/* ---- trees that are kept ----------------------------------------------------------------------------------------- */

/* Every link of a tree but its root's, into a larger one: words from `first` on, inner nodes from `node` on. */
static void put_links(const struct vt_huffman *tree, uint32_t first, uint32_t node, uint32_t words, double *links) {
  for (uint32_t w = 0; w < tree->words; w++)
    for (uint64_t at = tree->start[w]; at < tree->start[w + 1]; at++) {
      const bool leaf = at + 1 == tree->start[w + 1];
      links[leaf ? first + w : words + node + tree->nodes[at + 1]] = 2.0 * (node + tree->nodes[at]) + tree->turns[at];
    }
}

void vt_huffman_links(const struct vt_huffman *tree, double *links) {
  put_links(tree, 0, 0, tree->words, links);
  links[vt_huffman_link_count(tree->words) - 1] = -1; /* the root; of one word alone, that word */
}

/* Each inner node must have its two children, once each; that all hang together shows in their paths. */
static bool take_links(struct build *build, const double *links, bool *taken) {
  const size_t count = vt_huffman_link_count(build->words), slots = count - 1;
  for (size_t k = 0; k < slots; k++) {
    if (!(links[k] >= 0) || links[k] >= (double)slots || links[k] != floor(links[k])) return false;
    const size_t slot = (size_t)links[k];
    if (taken[slot]) return false;
    taken[slot] = true;
    build->parents[k] = (uint32_t)(slot / 2);
    build->second[k] = slot % 2;
  }
  return links[slots] == -1;
}

static bool hangs_together(const struct build *build) {
  for (uint32_t w = 0; w < build->words; w++)
    if (path_length(build, w) > VT_HUFFMAN_DEPTH_MAX) return false;
  return true;
}

enum vt_status vt_huffman_from_links(struct vt_huffman *tree, uint32_t words, const double *links,
                                     struct vt_error *error) {
  struct build build;
  enum vt_status status = begin_build(&build, tree, words, error);
  bool *taken = vt_alloc_zero(2 * (size_t)words, sizeof *taken);
  if (status == VT_OK && taken == NULL) status = VT_FAIL_MEMORY(error, 2 * (size_t)words);
  if (status == VT_OK && !(take_links(&build, links, taken) && hangs_together(&build)))
    status = VT_FAIL(error, VT_ERROR_CORRUPT, "the tree of hierarchical softmax that was kept is no tree of %u words",
                     words);
  if (status == VT_OK) status = list_paths(tree, &build, error);
  vt_free(taken);
  end_build(&build);
  if (status != VT_OK) vt_huffman_release(tree);
  return status;
}

void vt_huffman_join_links(const struct vt_huffman *known, const struct vt_huffman *fresh, double *links) {
  if (fresh == NULL) {
    vt_huffman_links(known, links);
    return;
  }
  const struct vt_huffman *const trees[] = {known, fresh};
  const uint32_t words = known->words + fresh->words, root = words - 2;
  uint32_t first = 0, node = 0;
  for (uint32_t side = 0; side < 2; side++) {
    const uint32_t size = trees[side]->words;
    put_links(trees[side], first, node, words, links);
    /* A tree's root is the last of its inner nodes, or its only word. */
    links[size > 1 ? words + node + size - 2 : first] = 2.0 * root + side;
    first += size;
    node += size - 1;
  }
  links[vt_huffman_link_count(words) - 1] = -1;
}
