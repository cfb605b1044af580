/* vocab_internal.h: what a vocabulary is made of, for the other files of text/. */
#ifndef VECTRAIL_TEXT_VOCAB_INTERNAL_H
#define VECTRAIL_TEXT_VOCAB_INTERNAL_H

#include "base/error.h"
#include "vectrail/vocab.h"

/* As many ids as there can be: two values of uint32_t stay free for marks. */
#define VT_VOCAB_SIZE_MAX ((size_t)UINT32_MAX - 1)

struct vt_vocab {
  size_t size;
  uint64_t tokens;   /* the sum of the counts */
  uint64_t *counts;  /* [size] */
  uint64_t *offsets; /* [size + 1]: text id stands at texts + offsets[id], terminated */
  char *texts;
  uint32_t *index;    /* hash table of ids, linear probing, at most half full; UINT32_MAX where free */
  size_t index_count; /* a power of two */
};

/* A word on its way into a vocabulary; text need not be terminated. */
struct vt_vocab_entry {
  const char *text;
  size_t bytes;
  uint64_t count;
  uint32_t source; /* whatever the maker wants to know of it after sorting */
};

/* Makes a vocabulary of the entries in their order. A repeated or empty word, or counts that add up to 2^64 or more,
 * are VT_ERROR_FORMAT; *culprit (may be NULL) is then the entry. */
enum vt_status vt_vocab_build(const struct vt_vocab_entry *entries, size_t size, struct vt_vocab **vocab,
                              size_t *culprit, struct vt_error *error);
/* Brings entries into the order of ids: larger count first, then bytes ascending. */
void vt_vocab_sort(struct vt_vocab_entry *entries, size_t size);
/* Looks up a text that need not be terminated. */
bool vt_vocab_find_bytes(const struct vt_vocab *vocab, const char *text, size_t bytes, uint32_t *id);

#endif
