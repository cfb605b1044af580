/*
 * corpus.c: the encoded corpus, mapped.
 *
 * The file is a header of 64 bytes and then the stream of 32-bit ids, VT_CORPUS_END after each sentence:
 *
 *    0   8 bytes  "VTCORPUS"
 *    8   u32      version, 1
 *   12   u32      byte order mark, 0x01020304 as the writing machine keeps it: little-endian wherever vectrail has run
 *   16   u64      entries of the stream = tokens + sentences
 *   24   u64      tokens
 *   32   u64      sentences
 *   40   u64      fingerprint of the stream
 *   48   u32      size of the vocabulary: every id is smaller
 *   52   u32      0
 *   56   u64      checksum of the 56 bytes before it
 *
 * The fingerprint is the sum, modulo 2^64, over all positions i of the stream from 0 on, of fold((i + 1) G, id(i) + A),
 * where G = 0x9e3779b97f4a7c15, A = 0xd1b54a32d192ed03, and fold is the exclusive or of the two halves of a 128-bit
 * product. A sum does not care who adds which part of it, so any number of threads computes the same one, and each
 * position weighs its id differently, so moved words show. It tells texts apart; it does not withstand an adversary.
 *
 * The ids are used from the mapping as they are, so a machine of the other byte order refuses the file.
 */
#include "vectrail/corpus.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "text/corpus_internal.h"
#include "text/hash.h"

#define VERSION 1
#define PASSED_BYTES ((uint64_t)16 << 20)
#define BYTE_ORDER_MARK UINT32_C(0x01020304)
#define BYTE_ORDER_SWAPPED UINT32_C(0x04030201)
static const unsigned char magic[8] = {'V', 'T', 'C', 'O', 'R', 'P', 'U', 'S'};

struct vt_corpus {
  struct vt_mapping mapping;
  struct vt_corpus_header header;
};

static uint64_t header_checksum(const struct vt_corpus_header *header) {
  return vt_hash_bytes(header, offsetof(struct vt_corpus_header, checksum));
}

void vt_corpus_header_seal(struct vt_corpus_header *header) {
  memcpy(header->magic, magic, sizeof magic);
  header->version = VERSION;
  header->byte_order = BYTE_ORDER_MARK;
  header->reserved = 0;
  header->checksum = header_checksum(header);
}

static enum vt_status check_header(const char *path, const struct vt_corpus_header *header, size_t bytes,
                                   struct vt_error *error) {
  static const char help[] = "encode the text again";
  if (memcmp(header->magic, magic, sizeof magic) != 0)
    return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, help, "%s: not an encoded corpus", path);
  if (header->byte_order == BYTE_ORDER_SWAPPED)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, help, "%s: was encoded on a machine with the other byte order",
                        path);
  if (header->checksum != header_checksum(header) || header->byte_order != BYTE_ORDER_MARK)
    return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, help, "%s: the header is damaged", path);
  if (header->version > VERSION)
    return VT_FAIL_HELP(error, VT_ERROR_VERSION, "use a newer vectrail, or encode the text again",
                        "%s: format version %u, and this vectrail reads up to %u", path, (unsigned)header->version,
                        (unsigned)VERSION);
  uint64_t stored = (bytes - sizeof *header) / sizeof(uint32_t);
  if (header->tokens > header->entries || header->entries - header->tokens != header->sentences)
    return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, help, "%s: the header contradicts itself", path);
  if (header->entries != stored || (bytes - sizeof *header) % sizeof(uint32_t) != 0)
    return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, help,
                        "%s: holds %zu bytes, and its header speaks of %llu entries of 4 bytes behind 64", path, bytes,
                        (unsigned long long)header->entries);
  return VT_OK;
}

enum vt_status vt_corpus_open(const char *encoded_path, struct vt_corpus **out, struct vt_error *error) {
  struct vt_corpus *corpus = vt_alloc_zero(1, sizeof *corpus);
  if (corpus == NULL) return VT_FAIL_MEMORY(error, sizeof *corpus);
  enum vt_status status = vt_mapping_open(encoded_path, &corpus->mapping, error);
  if (status == VT_OK && corpus->mapping.bytes < sizeof corpus->header)
    status = VT_FAIL_HELP(error, VT_ERROR_CORRUPT, "encode the text again", "%s: too short to be an encoded corpus",
                          encoded_path);
  if (status == VT_OK) {
    memcpy(&corpus->header, corpus->mapping.data, sizeof corpus->header);
    status = check_header(encoded_path, &corpus->header, corpus->mapping.bytes, error);
  }
  if (status != VT_OK) {
    vt_corpus_free(corpus);
    return status;
  }
  *out = corpus;
  return VT_OK;
}

void vt_corpus_free(struct vt_corpus *corpus) {
  if (corpus == NULL) return;
  vt_mapping_release(&corpus->mapping);
  vt_free(corpus);
}

const uint32_t *vt_corpus_ids(const struct vt_corpus *corpus) {
  /* A mapping begins at a page, and the header is a multiple of four. */
  return (const uint32_t *)(const void *)(corpus->mapping.data + sizeof corpus->header);
}

void vt_corpus_forget(const struct vt_corpus *corpus) {
  if (corpus != NULL) vt_mapping_forget(&corpus->mapping, 0, corpus->mapping.bytes);
}

void vt_corpus_passed(const struct vt_corpus *corpus, uint64_t place, uint64_t *kept) {
  if (corpus == NULL) return;
  const size_t header = sizeof corpus->header;
  if (place < *kept) {
    vt_corpus_forget(corpus);
    *kept = 0;
  }
  if (place - *kept < PASSED_BYTES / sizeof(uint32_t)) return;
  vt_mapping_forget(&corpus->mapping, header + *kept * sizeof(uint32_t), header + place * sizeof(uint32_t));
  *kept = place;
}

uint64_t vt_corpus_entries(const struct vt_corpus *corpus) { return corpus->header.entries; }
uint64_t vt_corpus_tokens(const struct vt_corpus *corpus) { return corpus->header.tokens; }
uint64_t vt_corpus_sentences(const struct vt_corpus *corpus) { return corpus->header.sentences; }
uint32_t vt_corpus_vocab_size(const struct vt_corpus *corpus) { return corpus->header.vocab_size; }
uint64_t vt_corpus_fingerprint(const struct vt_corpus *corpus) { return corpus->header.fingerprint; }
