/*
 * bpe_words.c: GPT-2's pattern by hand:
 *   's|'t|'re|'ve|'m|'ll|'d| ?letters| ?numbers| ?others|white space but its last, where a word follows|white space
 */
#include <string.h>

#include <utf8proc.h>

#include "text/bpe.h"
#include "text/utf8.h"

enum kind { KIND_LETTER, KIND_NUMBER, KIND_SPACE, KIND_OTHER };

static enum kind kind_at(const unsigned char *text, size_t bytes, size_t at, size_t *length) {
  uint32_t code;
  *length = vt_utf8_decode(text + at, bytes - at, &code);
  if (code == VT_UTF8_BAD) return KIND_OTHER;
  if (code < 128) {
    if ((code | 32) >= 'a' && (code | 32) <= 'z') return KIND_LETTER;
    if (code >= '0' && code <= '9') return KIND_NUMBER;
    return code == ' ' || (code >= '\t' && code <= '\r') || (code >= 0x1C && code <= 0x1F) ? KIND_SPACE : KIND_OTHER;
  }
  switch (utf8proc_category((utf8proc_int32_t)code)) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LL:
  case UTF8PROC_CATEGORY_LT:
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_LO:
    return KIND_LETTER;
  case UTF8PROC_CATEGORY_ND:
  case UTF8PROC_CATEGORY_NL:
  case UTF8PROC_CATEGORY_NO:
    return KIND_NUMBER;
  case UTF8PROC_CATEGORY_ZS:
  case UTF8PROC_CATEGORY_ZL:
  case UTF8PROC_CATEGORY_ZP:
    return KIND_SPACE;
  default:
    return code == 0x85 ? KIND_SPACE : KIND_OTHER;
  }
}

static size_t contraction(const unsigned char *text, size_t bytes, size_t at) {
  static const char *const endings[] = {"s", "t", "re", "ve", "m", "ll", "d"};
  if (text[at] != '\'') return 0;
  for (size_t k = 0; k < sizeof endings / sizeof endings[0]; k++) {
    size_t length = strlen(endings[k]);
    if (bytes - at > length && memcmp(text + at + 1, endings[k], length) == 0) return 1 + length;
  }
  return 0;
}

/* Where the run of one kind that begins at a place ends, no later than it may be long. */
static size_t run_end(const unsigned char *text, size_t bytes, size_t at, enum kind kind, size_t *last) {
  size_t begin = at, length;
  *last = at;
  while (at < bytes && at - begin < VT_BPE_WORD_BYTES_MAX && kind_at(text, bytes, at, &length) == kind) {
    *last = at;
    at += length;
  }
  return at;
}

size_t vt_bpe_word_end(const unsigned char *text, size_t bytes, size_t at) {
  size_t length, last, short_end = contraction(text, bytes, at);
  if (short_end > 0) return at + short_end;
  enum kind kind = kind_at(text, bytes, at, &length);
  if (text[at] == ' ' && at + 1 < bytes) {
    enum kind next = kind_at(text, bytes, at + 1, &length);
    if (next != KIND_SPACE) return run_end(text, bytes, at + 1, next, &last);
  }
  size_t end = run_end(text, bytes, at, kind, &last);
  return kind == KIND_SPACE && end < bytes && last > at ? last : end;
}
