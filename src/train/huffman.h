/*
 * huffman.h: the tree of hierarchical softmax (Morin and Bengio 2005; Mikolov et al. 2013, section 2.1): words are
 * leaves, frequent ones near the root; a word's probability is the product of the decisions along its path, each a
 * logistic regression with the vector of an inner node.
 */
#ifndef VECTRAIL_TRAIN_HUFFMAN_H
#define VECTRAIL_TRAIN_HUFFMAN_H

#include <stdint.h>

#include "base/error.h"
#include "vectrail/vocab.h"

/* A path longer than this would take a text of more than 2^64 words. */
#define VT_HUFFMAN_DEPTH_MAX 96

struct vt_huffman {
  uint32_t words;
  uint64_t *start; /* words + 1: where a word's path begins in the lists below */
  uint32_t *nodes; /* inner nodes 0 .. words - 2 from the root down; the root is the last made, words - 2 */
  uint8_t *turns;  /* 1 where the path takes the second child */
};

/* Ties are broken by id, so the tree is a function of the counts alone. Words without a count weigh 1.
 * O(words + total length of all paths). */
enum vt_status vt_huffman_init(struct vt_huffman *tree, const struct vt_vocab *vocab, struct vt_error *error);
void vt_huffman_release(struct vt_huffman *tree);

/* A tree as numbers that can be kept: of each word, and behind them of each inner node, 2 parent + turn; -1: the root.
 */
static inline size_t vt_huffman_link_count(uint32_t words) { return 2 * (size_t)words - 1; }
void vt_huffman_links(const struct vt_huffman *tree, double *links);
/* VT_ERROR_CORRUPT: that is no tree of so many words. */
enum vt_status vt_huffman_from_links(struct vt_huffman *tree, uint32_t words, const double *links,
                                     struct vt_error *error);
/* A tree that goes on with another: a new root with `known` as its first child and `fresh`, the tree of the words
 * behind those of `known`, as its second. Inner nodes of `known` keep their numbers, those of `fresh` come behind them.
 * fresh NULL: there are no such words. */
void vt_huffman_join_links(const struct vt_huffman *known, const struct vt_huffman *fresh, double *links);

#endif
