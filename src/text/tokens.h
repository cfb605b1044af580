/*
 * tokens.h: where words and lines stand in a stretch of text.
 */
#ifndef VECTRAIL_TEXT_TOKENS_H
#define VECTRAIL_TEXT_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/corpus.h"

/* What the scanner overwrites behind the text, and what readers of words may load from there. */
#define VT_SCAN_PADDING_BYTES 128
/* The smallest room for tokens that vt_scan_next accepts. */
#define VT_SCAN_TOKENS_MIN 128

/* A word, by its place in the text; bytes 0 is the end of a line at start. */
struct vt_token {
  uint32_t start;
  uint32_t bytes;
};

/* A scan over one stretch of text that was cut by vt_tokens_cut, or is whole. The fields below the line are for
 * reading once vt_scan_next has returned 0. */
struct vt_scan {
  enum vt_token_rule rule;
  const uint64_t *words; /* the bitmap of vt_utf8_words */
  const unsigned char *data;
  size_t bytes;
  size_t position;     /* of the next block */
  size_t open_start;   /* where the word began that is open at the end of the last block */
  uint64_t open;       /* 1 when there is one, else 0 */
  uint64_t spill;      /* bytes of the next block that belong to a character of the last one */
  uint64_t spill_word; /* those of them that are part of a word */
  /* ---- */
  bool too_long; /* stopped at a word longer than VT_WORD_BYTES_MAX, which begins at too_long_start */
  size_t too_long_start;
  size_t bad_bytes; /* that were not UTF-8 */
  size_t bad_start; /* the first of them */
};

/* Begins a scan of data[bytes], bytes < 2^32, behind which VT_SCAN_PADDING_BYTES may be written. The text must hold
 * no NUL byte. */
void vt_scan_start(struct vt_scan *scan, enum vt_token_rule rule, unsigned char *data, size_t bytes);
/* The next words and line ends, in order, at most capacity >= VT_SCAN_TOKENS_MIN of them; 0 at the end of the text, or
 * at a word too long. */
size_t vt_scan_next(struct vt_scan *scan, struct vt_token *tokens, size_t capacity);

/* How far vt_tokens_cut looks back for a place to cut. Where there is none, the text ends in a word too long. */
#define VT_TOKENS_CUT_WINDOW_BYTES (2 * VT_WORD_BYTES_MAX)

/* The last place in data[bytes] where the text can be cut in two and scanned apart with the same result as whole;
 * 0 when there is none in the last VT_TOKENS_CUT_WINDOW_BYTES. */
size_t vt_tokens_cut(enum vt_token_rule rule, const unsigned char *data, size_t bytes);

#endif
