/* bpe.c: tokens, merges, and encoding with them. */
#include "text/bpe.h"

#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "text/bpe_internal.h"
#include "text/utf8.h"

/* ---- spelling ---------------------------------------------------------------------------------------------------- */

static bool stands_for_itself(unsigned byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

/* Bytes that cannot be seen are the code points from 256 on, in order. */
uint32_t vt_bpe_byte_to_code(unsigned char byte) {
  if (stands_for_itself(byte)) return byte;
  uint32_t code = 256;
  for (unsigned k = 0; k < byte; k++) code += !stands_for_itself(k);
  return code;
}

int vt_bpe_code_to_byte(uint32_t code) {
  if (code < 256) return stands_for_itself(code) ? (int)code : -1;
  uint32_t next = 256;
  for (unsigned byte = 0; byte < 256; byte++)
    if (!stands_for_itself(byte) && next++ == code) return (int)byte;
  return -1;
}

static char *spell(const unsigned char *bytes, size_t length) {
  unsigned char *text = vt_alloc(2 * length + 1, 1);
  size_t at = 0;
  for (size_t k = 0; text != NULL && k < length; k++) at += vt_utf8_encode(vt_bpe_byte_to_code(bytes[k]), text + at);
  if (text != NULL) text[at] = '\0';
  return (char *)text;
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

enum vt_status vt_bpe_make(size_t tokens, size_t merges, struct vt_bpe **out, struct vt_error *error) {
  struct vt_bpe *bpe = vt_alloc_zero(1, sizeof *bpe);
  if (bpe == NULL) return VT_FAIL_MEMORY(error, sizeof *bpe);
  bpe->bytes = vt_alloc_zero(tokens, sizeof *bpe->bytes);
  bpe->lengths = vt_alloc_zero(tokens, sizeof *bpe->lengths);
  bpe->spellings = vt_alloc_zero(tokens, sizeof *bpe->spellings);
  bpe->merges = vt_alloc(merges, sizeof *bpe->merges);
  if (bpe->bytes == NULL || bpe->lengths == NULL || bpe->spellings == NULL || bpe->merges == NULL) {
    vt_bpe_free(bpe);
    return VT_FAIL_MEMORY(error, tokens * sizeof *bpe->bytes);
  }
  for (size_t k = 0; k < 256; k++) bpe->single[k] = VT_BPE_NONE;
  *out = bpe;
  return VT_OK;
}

enum vt_status vt_bpe_add_token(struct vt_bpe *bpe, const unsigned char *bytes, size_t length, struct vt_error *error) {
  const size_t token = bpe->size;
  bpe->bytes[token] = (unsigned char *)vt_copy_bytes((const char *)bytes, length);
  bpe->spellings[token] = spell(bytes, length);
  bpe->lengths[token] = (uint32_t)length;
  bpe->size++;
  if (bpe->bytes[token] == NULL || bpe->spellings[token] == NULL) return VT_FAIL_MEMORY(error, length);
  if (length == 1) bpe->single[bytes[0]] = (uint32_t)token;
  return VT_OK;
}

static size_t hash_pair(const struct vt_bpe *bpe, uint32_t left, uint32_t right) {
  return (size_t)vt_mix64((uint64_t)left << 32 | right) & (bpe->index_size - 1);
}

/* The place of a pair's merge, or VT_BPE_NONE. */
static uint32_t find_merge(const struct vt_bpe *bpe, uint32_t left, uint32_t right) {
  for (size_t at = hash_pair(bpe, left, right);; at = (at + 1) & (bpe->index_size - 1)) {
    uint32_t merge = bpe->index[at];
    if (merge == VT_BPE_NONE || (bpe->merges[merge].left == left && bpe->merges[merge].right == right)) return merge;
  }
}

enum vt_status vt_bpe_seal(struct vt_bpe *bpe, struct vt_error *error) {
  for (size_t byte = 0; byte < 256; byte++)
    if (bpe->single[byte] == VT_BPE_NONE)
      return VT_FAIL(error, VT_ERROR_UNSUPPORTED, "no token stands for byte %zu alone: not a byte-level encoding",
                     byte);
  for (bpe->index_size = 16; bpe->index_size < 2 * bpe->merge_count; bpe->index_size *= 2) {
  }
  bpe->index = vt_alloc(bpe->index_size, sizeof *bpe->index);
  if (bpe->index == NULL) return VT_FAIL_MEMORY(error, bpe->index_size * sizeof *bpe->index);
  for (size_t k = 0; k < bpe->index_size; k++) bpe->index[k] = VT_BPE_NONE;
  for (size_t m = 0; m < bpe->merge_count; m++) {
    const struct vt_bpe_merge *merge = &bpe->merges[m];
    if (find_merge(bpe, merge->left, merge->right) != VT_BPE_NONE) continue; /* the first one counts */
    size_t at = hash_pair(bpe, merge->left, merge->right);
    while (bpe->index[at] != VT_BPE_NONE) at = (at + 1) & (bpe->index_size - 1);
    bpe->index[at] = (uint32_t)m;
  }
  return VT_OK;
}

void vt_bpe_free(struct vt_bpe *bpe) {
  if (bpe == NULL) return;
  for (size_t k = 0; k < bpe->size; k++) {
    if (bpe->bytes != NULL) vt_free(bpe->bytes[k]);
    if (bpe->spellings != NULL) vt_free(bpe->spellings[k]);
  }
  vt_free(bpe->bytes);
  vt_free(bpe->lengths);
  vt_free(bpe->spellings);
  vt_free(bpe->merges);
  vt_free(bpe->index);
  vt_free(bpe);
}

size_t vt_bpe_size(const struct vt_bpe *bpe) { return bpe->size; }
const char *vt_bpe_spelling(const struct vt_bpe *bpe, uint32_t token) { return bpe->spellings[token]; }

const unsigned char *vt_bpe_bytes(const struct vt_bpe *bpe, uint32_t token, size_t *bytes) {
  *bytes = bpe->lengths[token];
  return bpe->bytes[token];
}

/* ---- encoding ---------------------------------------------------------------------------------------------------- */

/* Joins tokens[count] of one word; returns how many are left. */
static size_t join(const struct vt_bpe *bpe, uint32_t *tokens, size_t count) {
  while (count > 1) {
    uint32_t best = VT_BPE_NONE;
    for (size_t k = 0; k + 1 < count; k++) {
      uint32_t merge = find_merge(bpe, tokens[k], tokens[k + 1]);
      if (merge < best) best = merge;
    }
    if (best == VT_BPE_NONE) break;
    const struct vt_bpe_merge *merge = &bpe->merges[best];
    size_t kept = 0;
    for (size_t k = 0; k < count; k++) {
      bool meets = k + 1 < count && tokens[k] == merge->left && tokens[k + 1] == merge->right;
      tokens[kept++] = meets ? merge->made : tokens[k];
      k += meets;
    }
    count = kept;
  }
  return count;
}

enum vt_status vt_bpe_encode(const struct vt_bpe *bpe, const unsigned char *text, size_t bytes, uint32_t **ids,
                             size_t *count, size_t *capacity, struct vt_error *error) {
  for (size_t at = 0, end; at < bytes; at = end) {
    end = vt_bpe_word_end(text, bytes, at);
    if (*capacity - *count < end - at) {
      size_t wanted = 2 * *capacity + (end - at) + 64;
      uint32_t *grown = vt_realloc(*ids, wanted, sizeof *grown);
      if (grown == NULL) return VT_FAIL_MEMORY(error, wanted * sizeof *grown);
      *ids = grown;
      *capacity = wanted;
    }
    uint32_t *word = *ids + *count;
    for (size_t k = at; k < end; k++) word[k - at] = bpe->single[text[k]];
    *count += join(bpe, word, end - at);
  }
  return VT_OK;
}
