/*
 * blocks.h: how the corpus is cut into blocks.
 *
 * A block ends with the first sentence that reaches block_tokens entries, or after twice as many where no sentence
 * ends before. The cut depends on the text and on block_tokens alone, and any block can be found from the place
 * where the one before it ended.
 */
#ifndef VECTRAIL_TRAIN_BLOCKS_H
#define VECTRAIL_TRAIN_BLOCKS_H

#include <stdint.h>

#include "vectrail/corpus.h"

/* Entries in the longest block. */
static inline uint32_t vt_block_entries_max(uint32_t block_tokens) { return 2 * block_tokens; }

/* Where the block that begins at `begin` ends; begin < entries. */
uint64_t vt_block_end(const uint32_t *ids, uint64_t entries, uint64_t begin, uint32_t block_tokens);

/* Blocks in one pass over the corpus, whose memory is given back on the way (it may be NULL, and the ids anywhere).
 * O(entries / block_tokens x sentence length). */
uint64_t vt_block_count(const uint32_t *ids, uint64_t entries, uint32_t block_tokens, const struct vt_corpus *corpus);

#endif
