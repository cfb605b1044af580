/*
 * utf8.c: broken UTF-8, word characters, canonical spellings.
 *
 * Text comes from anywhere, so the decoder checks everything and never fails: what is not UTF-8 has a length of its
 * own, and decoding goes on behind it. A lead byte is never taken for a continuation, so decoding may start at any
 * byte that is not one and falls in step with a decoder that started earlier; the cutting of chunks relies on this.
 *
 * Word characters are asked for once per character of text that is not ASCII. utf8proc's tables answer in about
 * 10 ns; the flat bitmap of the BMP answers in one load from 8 KiB, of which a script touches a few cache lines, and
 * takes less than a millisecond to build. A second stage would save memory that nobody misses.
 *
 * Canonical spelling. With folding it is NFC(fold(NFD(word))), the caseless form of Unicode 3.13 (D145): folding
 * before decomposing would depend on the order of marks in unnormalised text. utf8proc does the work, into buffers
 * sized for the longest word, so that nothing is allocated per word.
 *
 * Threads: the bitmap is built under pthread_once; a struct vt_canonical belongs to one thread.
 */
#define _POSIX_C_SOURCE 200809L
#include "text/utf8.h"

#include <pthread.h>
#include <string.h>
#include <utf8proc.h>

#include "base/memory.h"
#include "vectrail/corpus.h"

/* No character decomposes canonically or folds to more than 4 code points; none takes more than 4 bytes; a bad byte
 * becomes 3 bytes of U+FFFD. Twice the first bound leaves room for the decomposition of what folding yields. */
#define CODES_MAX (8 * VT_WORD_BYTES_MAX)
#define BYTES_MAX (4 * CODES_MAX)

struct vt_canonical {
  unsigned flags;
  utf8proc_int32_t codes[CODES_MAX];
  unsigned char bytes[BYTES_MAX];
};

static bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

size_t vt_utf8_decode(const unsigned char *text, size_t bytes, uint32_t *code) {
  unsigned lead = text[0];
  if (lead < 0x80) {
    *code = lead;
    return 1;
  }
  *code = VT_UTF8_BAD;
  /* The range of the second byte carries all the special cases (Unicode table 3-7). */
  unsigned low = 0x80, high = 0xBF;
  size_t length;
  uint32_t value;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
    value = lead & 0x1F;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    value = lead & 0x0F;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    value = lead & 0x07;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return 1;
  }
  if (bytes < 2 || text[1] < low || text[1] > high) return 1;
  value = value << 6 | (text[1] & 0x3F);
  for (size_t i = 2; i < length; i++) {
    if (i >= bytes || !is_continuation(text[i])) return i;
    value = value << 6 | (text[i] & 0x3F);
  }
  *code = value;
  return length;
}

size_t vt_utf8_encode(uint32_t code, unsigned char *out) {
  if (code < 0x80) {
    out[0] = (unsigned char)code;
    return 1;
  }
  if (code < 0x800) {
    out[0] = (unsigned char)(0xC0 | code >> 6);
    out[1] = (unsigned char)(0x80 | (code & 0x3F));
    return 2;
  }
  if (code < 0x10000) {
    out[0] = (unsigned char)(0xE0 | code >> 12);
    out[1] = (unsigned char)(0x80 | (code >> 6 & 0x3F));
    out[2] = (unsigned char)(0x80 | (code & 0x3F));
    return 3;
  }
  out[0] = (unsigned char)(0xF0 | code >> 18);
  out[1] = (unsigned char)(0x80 | (code >> 12 & 0x3F));
  out[2] = (unsigned char)(0x80 | (code >> 6 & 0x3F));
  out[3] = (unsigned char)(0x80 | (code & 0x3F));
  return 4;
}

size_t vt_utf8_count_bad(const unsigned char *text, size_t bytes, size_t *first) {
  size_t bad = 0;
  *first = bytes;
  for (size_t i = 0; i < bytes;) {
    uint32_t code;
    size_t length = vt_utf8_decode(text + i, bytes - i, &code);
    if (code == VT_UTF8_BAD) {
      if (bad == 0) *first = i;
      bad += length;
    }
    i += length;
  }
  return bad;
}

/* ---- word characters --------------------------------------------------------------------------------------------- */

static uint64_t word_bitmap[0x10000 / 64];
static pthread_once_t word_bitmap_once = PTHREAD_ONCE_INIT;

static bool is_word_category(uint32_t code) {
  switch (utf8proc_category((utf8proc_int32_t)code)) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LL:
  case UTF8PROC_CATEGORY_LT:
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_LO:
  case UTF8PROC_CATEGORY_MN:
  case UTF8PROC_CATEGORY_MC:
  case UTF8PROC_CATEGORY_ME:
  case UTF8PROC_CATEGORY_ND:
    return true;
  default:
    return false;
  }
}

static void build_word_bitmap(void) {
  for (uint32_t code = 0; code < 0x10000; code++)
    if (is_word_category(code)) word_bitmap[code >> 6] |= UINT64_C(1) << (code & 63);
}

const uint64_t *vt_utf8_words(void) {
  (void)pthread_once(&word_bitmap_once, build_word_bitmap);
  return word_bitmap;
}

bool vt_utf8_is_word_astral(uint32_t code) { return is_word_category(code); }

/* ---- canonical spelling ------------------------------------------------------------------------------------------ */

enum vt_status vt_canonical_create(unsigned flags, struct vt_canonical **out, struct vt_error *error) {
  struct vt_canonical *canonical = vt_alloc(1, sizeof *canonical);
  if (canonical == NULL) return VT_FAIL_MEMORY(error, sizeof *canonical);
  canonical->flags = flags;
  *out = canonical;
  return VT_OK;
}

void vt_canonical_free(struct vt_canonical *canonical) { vt_free(canonical); }

static bool is_ascii(const unsigned char *text, size_t bytes) {
  unsigned char any = 0;
  for (size_t i = 0; i < bytes; i++) any |= text[i];
  return any < 0x80;
}

/* The text as valid UTF-8 into canonical->bytes. */
static size_t repair(struct vt_canonical *canonical, const unsigned char *text, size_t bytes) {
  size_t used = 0;
  for (size_t i = 0; i < bytes;) {
    uint32_t code;
    i += vt_utf8_decode(text + i, bytes - i, &code);
    if (code == VT_UTF8_BAD) code = VT_UTF8_REPLACEMENT;
    if (code == VT_UTF8_APOSTROPHE && (canonical->flags & VT_CANONICAL_APOSTROPHE)) code = '\'';
    used += vt_utf8_encode(code, canonical->bytes + used);
  }
  return used;
}

static size_t write_codes(struct vt_canonical *canonical, size_t count) {
  size_t used = 0;
  for (size_t i = 0; i < count; i++) used += vt_utf8_encode((uint32_t)canonical->codes[i], canonical->bytes + used);
  return used;
}

/* The code points of canonical->bytes[bytes], decomposed as the options say, in canonical order; 0 when the word
 * outgrows the buffer. */
static size_t decompose(struct vt_canonical *canonical, size_t bytes, int options) {
  utf8proc_ssize_t count = utf8proc_decompose(canonical->bytes, (utf8proc_ssize_t)bytes, canonical->codes, CODES_MAX,
                                              (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | options));
  return count < 0 || count > CODES_MAX ? 0 : (size_t)count;
}

bool vt_canonical_apply(struct vt_canonical *canonical, const unsigned char *text, size_t bytes,
                        const unsigned char **result, size_t *result_bytes) {
  bool fold = canonical->flags & VT_CANONICAL_FOLD;
  if (is_ascii(text, bytes)) {
    *result = text;
    *result_bytes = bytes;
    if (!fold) return true;
    for (size_t i = 0; i < bytes; i++) {
      unsigned char c = text[i];
      canonical->bytes[i] = c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
    }
    *result = canonical->bytes;
    return true;
  }
  size_t used = repair(canonical, text, bytes);
  size_t count = decompose(canonical, used, 0);
  if (fold && count > 0) count = decompose(canonical, write_codes(canonical, count), UTF8PROC_CASEFOLD);
  if (count == 0) return false;
  utf8proc_ssize_t composed = utf8proc_normalize_utf32(canonical->codes, (utf8proc_ssize_t)count,
                                                       (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (composed <= 0) return false;
  used = write_codes(canonical, (size_t)composed);
  *result = canonical->bytes;
  *result_bytes = used;
  return used <= VT_WORD_BYTES_MAX;
}
