/* blocks.c: cutting. */
#include "train/blocks.h"

uint64_t vt_block_end(const uint32_t *ids, uint64_t entries, uint64_t begin, uint32_t block_tokens) {
  uint64_t left = entries - begin;
  if (left <= block_tokens) return entries;
  uint64_t longest = vt_block_entries_max(block_tokens);
  uint64_t last = begin + (left < longest ? left : longest);
  uint64_t end = begin + block_tokens;
  while (end < last && ids[end - 1] != VT_CORPUS_END) end++;
  return end;
}

uint64_t vt_block_count(const uint32_t *ids, uint64_t entries, uint32_t block_tokens, const struct vt_corpus *corpus) {
  uint64_t count = 0, kept = 0;
  for (uint64_t begin = 0; begin < entries; count++) {
    begin = vt_block_end(ids, entries, begin, block_tokens);
    vt_corpus_passed(corpus, begin, &kept);
  }
  vt_corpus_forget(corpus);
  return count;
}
