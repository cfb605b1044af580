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

#endif
