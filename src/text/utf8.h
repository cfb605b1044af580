/*
 * utf8.h: reading UTF-8 that may be broken, telling word characters, and bringing words to one spelling.
 */
#ifndef VECTRAIL_TEXT_UTF8_H
#define VECTRAIL_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* What a byte sequence that is not UTF-8 decodes to. Not U+FFFD, which may stand in the text by right. */
#define VT_UTF8_BAD UINT32_MAX
#define VT_UTF8_REPLACEMENT UINT32_C(0xFFFD)
#define VT_UTF8_APOSTROPHE UINT32_C(0x2019)

/* Reads one code point from text[bytes], bytes > 0, and returns how many bytes it took. Where the text is not UTF-8
 * (overlong forms, surrogates and values above U+10FFFF included), *code is VT_UTF8_BAD and the length that of the
 * maximal subpart (Unicode 15, 3.9, "U+FFFD Substitution of Maximal Subparts"): at least 1. */
size_t vt_utf8_decode(const unsigned char *text, size_t bytes, uint32_t *code);
/* Writes a code point up to U+10FFFF into out[4] and returns its length. */
size_t vt_utf8_encode(uint32_t code, unsigned char *out);

/* How many of the bytes are no UTF-8; *first is the offset of the first of them, or bytes where there is none. */
size_t vt_utf8_count_bad(const unsigned char *text, size_t bytes, size_t *first);

/* Whether a code point belongs into words: categories L (letters), M (marks) and Nd (decimal digits). The bitmap of
 * the Basic Multilingual Plane is built on the first call of vt_utf8_words and lives as long as the process. */
const uint64_t *vt_utf8_words(void);
bool vt_utf8_is_word_astral(uint32_t code);
static inline bool vt_utf8_is_word(const uint64_t *words, uint32_t code) {
  if (code <= 0xFFFF) return (words[code >> 6] >> (code & 63)) & 1;
  return code != VT_UTF8_BAD && vt_utf8_is_word_astral(code);
}

/* Brings words to their canonical spelling. One per thread. */
struct vt_canonical;
enum vt_canonical_flags {
  VT_CANONICAL_FOLD = 1,      /* case folding */
  VT_CANONICAL_APOSTROPHE = 2 /* U+2019 becomes ' */
};

/* Free with vt_canonical_free (accepts NULL). */
enum vt_status vt_canonical_create(unsigned flags, struct vt_canonical **canonical, struct vt_error *error);
void vt_canonical_free(struct vt_canonical *canonical);

/* The canonical spelling of text[bytes], 0 < bytes <= VT_WORD_BYTES_MAX: bad sequences as U+FFFD, apostrophes and case
 * as the flags say, then NFC. *result points into `canonical` until the next call, or at text itself where that is
 * canonical already; false when it would be longer than VT_WORD_BYTES_MAX. Applying it twice changes nothing more. */
bool vt_canonical_apply(struct vt_canonical *canonical, const unsigned char *text, size_t bytes,
                        const unsigned char **result, size_t *result_bytes);

#endif
