/* bpe_internal.h: what an encoding is made of, for the files that make, read and use it. */
#ifndef VECTRAIL_TEXT_BPE_INTERNAL_H
#define VECTRAIL_TEXT_BPE_INTERNAL_H

#include "text/bpe.h"

#define VT_BPE_NONE UINT32_MAX

struct vt_bpe_merge {
  uint32_t left, right, made;
};

struct vt_bpe {
  size_t size;
  unsigned char **bytes; /* by token */
  uint32_t *lengths;
  char **spellings;
  uint32_t single[256];        /* the token of each byte */
  struct vt_bpe_merge *merges; /* in order: place is rank */
  size_t merge_count;
  uint32_t *index; /* hash table of merges by their pair, at most half full; VT_BPE_NONE where free */
  size_t index_size;
};

/* With room for so many; tokens and merges are then added. */
enum vt_status vt_bpe_make(size_t tokens, size_t merges, struct vt_bpe **bpe, struct vt_error *error);
/* Token number bpe->size. */
enum vt_status vt_bpe_add_token(struct vt_bpe *bpe, const unsigned char *bytes, size_t length, struct vt_error *error);
/* Once all merges are there. */
enum vt_status vt_bpe_seal(struct vt_bpe *bpe, struct vt_error *error);

/* The character that stands for a byte, and back: -1 where a code point stands for none. */
uint32_t vt_bpe_byte_to_code(unsigned char byte);
int vt_bpe_code_to_byte(uint32_t code);

#endif
