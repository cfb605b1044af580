/* corpus_internal.h: the head of an encoded corpus, for who writes one. */
#ifndef VECTRAIL_TEXT_CORPUS_INTERNAL_H
#define VECTRAIL_TEXT_CORPUS_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "text/hash.h"
#include "vectrail/corpus.h"

#define VT_CORPUS_HEADER_BYTES 64

/* The layout is described in corpus.c. */
struct vt_corpus_header {
  unsigned char magic[8];
  uint32_t version;
  uint32_t byte_order;
  uint64_t entries;
  uint64_t tokens;
  uint64_t sentences;
  uint64_t fingerprint;
  uint32_t vocab_size;
  uint32_t reserved;
  uint64_t checksum;
};
_Static_assert(sizeof(struct vt_corpus_header) == VT_CORPUS_HEADER_BYTES, "the header is written as it stands");

/* Fills in magic, version, byte order and checksum. */
void vt_corpus_header_seal(struct vt_corpus_header *header);

/* What ids[count], which stand at `position` of the stream, add to its fingerprint. */
static inline uint64_t vt_corpus_hash_entries(const uint32_t *ids, size_t count, uint64_t position) {
  uint64_t sum = 0, key = (position + 1) * UINT64_C(0x9e3779b97f4a7c15);
  for (size_t i = 0; i < count; i++, key += UINT64_C(0x9e3779b97f4a7c15))
    sum += vt_hash_fold(key, ids[i] + UINT64_C(0xd1b54a32d192ed03));
  return sum;
}

#endif
