/*
 * tokens.c: the tokeniser.
 *
 * Text is taken 64 bytes at a time. Each block is turned into bit masks, one bit a byte: which bytes stand inside a
 * word, which end a line. A word is then a run of ones, found by counting zeros, without a branch for every byte: a
 * loop over bytes mispredicts the end of nearly every word, which alone costs more than the rest of the scan.
 * The scanning loop is compiled twice, once for each rule.
 *
 * Bytes outside ASCII are looked at one character at a time, and only in blocks that have any: their bits are set by
 * the category of the character (rule "words"), and what is not UTF-8 is counted (both rules).
 *
 * Rule "letters": ASCII letters are inside, and runs of one are left out.
 *
 * Rule "words": letters, marks and digits are inside; an apostrophe (' or U+2019) is inside when a word character
 * stands on either side of it. Rule "space": all but ASCII white space is inside.
 *
 * A block knows from its predecessor whether a word is open, and which of its first bytes belong to a character that
 * began there. Behind the text stand spaces, so that the last word is closed like any other.
 *
 * Memory: none of its own. Threads: a scan belongs to one; nothing is shared.
 */
#include "text/tokens.h"

#include <string.h>

#include "text/bytes.h"
#include "text/utf8.h"

#define BLOCK_BYTES VT_BYTES_BLOCK
/* A block of single-letter lines: 32 words and 32 line ends; one more word may be open from before. */
#define BLOCK_TOKENS_MAX 65
_Static_assert(VT_SCAN_TOKENS_MIN >= BLOCK_TOKENS_MAX, "a block must fit");
_Static_assert(VT_SCAN_PADDING_BYTES >= BLOCK_BYTES + 4, "a block and one character behind it must be readable");

struct masks {
  uint64_t inside; /* ASCII only: part of a word */
  uint64_t apostrophe;
  uint64_t newline;
  uint64_t high; /* not ASCII */
};

VT_BYTES_INLINE struct masks classify(const unsigned char *block, enum vt_token_rule rule) {
  struct masks masks = {.newline = vt_bytes_within(block, 0, '\n', '\n'), .high = vt_bytes_high(block)};
  if (rule == VT_TOKENS_SPACE) {
    masks.inside = ~(vt_bytes_within(block, 0, ' ', ' ') | vt_bytes_within(block, 0, '\t', '\r') | masks.high);
  } else {
    masks.inside = vt_bytes_within(block, 0x20, 'a', 'z');
    if (rule == VT_TOKENS_LETTERS) return masks;
    masks.inside |= vt_bytes_within(block, 0, '0', '9');
    masks.apostrophe = vt_bytes_within(block, 0, '\'', '\'');
  }
  return masks;
}

/* ---- characters outside ASCII ------------------------------------------------------------------------------------ */

/* Whether the character at an offset, which may be just behind the text, is a word character. */
static bool word_at(const struct vt_scan *scan, size_t offset) {
  if (offset >= scan->bytes) return false;
  uint32_t code;
  (void)vt_utf8_decode(scan->data + offset, scan->bytes - offset, &code);
  return vt_utf8_is_word(scan->words, code);
}

/* The bytes outside ASCII that are part of words: of the characters that begin in this block, and of the one that
 * reaches into it. `inside` says which ASCII bytes are. */
static uint64_t classify_high(struct vt_scan *scan, uint64_t high, uint64_t inside) {
  inside |= scan->spill_word;
  high &= ~scan->spill;
  scan->spill = scan->spill_word = 0;
  while (high != 0) {
    unsigned bit = (unsigned)__builtin_ctzll(high);
    size_t offset = scan->position + bit;
    uint32_t code;
    /* High bytes lie within the text: the padding is ASCII. */
    size_t length = vt_utf8_decode(scan->data + offset, scan->bytes - offset, &code);
    uint64_t span = (UINT64_C(1) << length) - 1;
    bool word = false;
    if (code == VT_UTF8_BAD) {
      if (scan->bad_bytes == 0) scan->bad_start = offset;
      scan->bad_bytes += length;
    } else if (scan->rule == VT_TOKENS_WORDS) {
      word = vt_utf8_is_word(scan->words, code);
      if (code == VT_UTF8_APOSTROPHE) {
        uint64_t before = bit > 0 ? inside >> (bit - 1) & 1 : scan->open;
        word = before != 0 && word_at(scan, offset + length);
      }
    }
    if (word) inside |= span << bit;
    high &= ~(span << bit);
    if (bit + length > BLOCK_BYTES) {
      scan->spill = span >> (BLOCK_BYTES - bit);
      scan->spill_word = word ? scan->spill : 0;
    }
  }
  return inside;
}

/* The bytes of the block at scan->position that stand inside words. */
VT_BYTES_INLINE uint64_t inside_words(struct vt_scan *scan, const struct masks *masks, enum vt_token_rule rule) {
  uint64_t inside = masks->inside;
  if (masks->high != 0) {
    uint64_t classified = classify_high(scan, masks->high, inside);
    /* Under rule "space" every byte outside ASCII is part of a word, under "letters" none; the characters were only
     * checked. */
    inside = rule == VT_TOKENS_WORDS ? classified : rule == VT_TOKENS_SPACE ? inside | masks->high : inside;
  }
  if (rule == VT_TOKENS_WORDS && masks->apostrophe != 0) {
    uint64_t after = inside >> 1;
    if (masks->apostrophe >> 63 && word_at(scan, scan->position + BLOCK_BYTES)) after |= UINT64_C(1) << 63;
    inside |= masks->apostrophe & (inside << 1 | scan->open) & after;
  }
  return inside;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

void vt_scan_start(struct vt_scan *scan, enum vt_token_rule rule, unsigned char *data, size_t bytes) {
  *scan = (struct vt_scan){.rule = rule, .words = vt_utf8_words(), .data = data, .bytes = bytes};
  memset(data + bytes, ' ', VT_SCAN_PADDING_BYTES);
}

/* Words that end at the bits of ends, in order; *starts loses those used up. */
VT_BYTES_INLINE struct vt_token *put_words(struct vt_scan *scan, uint64_t ends, uint64_t *starts,
                                           struct vt_token *out) {
  uint32_t base = (uint32_t)scan->position;
  if (scan->open && ends != 0) {
    /* Only a word that was open before this block can be long. */
    size_t bytes = base + (unsigned)__builtin_ctzll(ends) - scan->open_start;
    scan->open = 0;
    ends &= ends - 1;
    if (bytes > VT_WORD_BYTES_MAX) {
      scan->too_long = true;
      scan->too_long_start = scan->open_start;
      return out;
    }
    *out++ = (struct vt_token){(uint32_t)scan->open_start, (uint32_t)bytes};
  }
  uint64_t left = *starts;
  while (ends != 0) {
    unsigned start = (unsigned)__builtin_ctzll(left), end = (unsigned)__builtin_ctzll(ends);
    *out++ = (struct vt_token){base + start, end - start};
    left &= left - 1;
    ends &= ends - 1;
  }
  *starts = left;
  return out;
}

VT_BYTES_INLINE size_t scan_blocks(struct vt_scan *scan, struct vt_token *tokens, size_t capacity,
                                   enum vt_token_rule rule) {
  struct vt_token *out = tokens, *limit = tokens + capacity - BLOCK_TOKENS_MAX;
  while (scan->position <= scan->bytes && out <= limit) {
    struct masks masks = classify(scan->data + scan->position, rule);
    uint64_t inside = inside_words(scan, &masks, rule);
    uint64_t before = inside << 1 | scan->open;
    uint64_t starts = inside & ~before, ends = ~inside & before;
    for (uint64_t newlines = masks.newline; newlines != 0; newlines &= newlines - 1) {
      uint64_t line = newlines ^ (newlines - 1); /* up to the newline, its own bit included: it ends a word too */
      out = put_words(scan, ends & line, &starts, out);
      if (scan->too_long) break;
      ends &= ~line;
      *out++ = (struct vt_token){(uint32_t)scan->position + (unsigned)__builtin_ctzll(newlines), 0};
    }
    if (!scan->too_long) out = put_words(scan, ends, &starts, out);
    if (scan->too_long) {
      scan->position = scan->bytes + 1;
      break;
    }
    if (starts != 0) {
      scan->open = 1;
      scan->open_start = scan->position + (unsigned)__builtin_ctzll(starts);
    }
    scan->position += BLOCK_BYTES;
  }
  return (size_t)(out - tokens);
}

/* A single letter is no word. */
static size_t scan_letters(struct vt_scan *scan, struct vt_token *tokens, size_t capacity) {
  size_t count = scan_blocks(scan, tokens, capacity, VT_TOKENS_LETTERS), kept = 0;
  for (size_t k = 0; k < count; k++)
    if (tokens[k].bytes != 1) tokens[kept++] = tokens[k];
  return kept;
}

size_t vt_scan_next(struct vt_scan *scan, struct vt_token *tokens, size_t capacity) {
  size_t count = 0;
  /* A batch without any token does not mean that the text is over. */
  while (count == 0 && scan->position <= scan->bytes)
    count = scan->rule == VT_TOKENS_SPACE     ? scan_blocks(scan, tokens, capacity, VT_TOKENS_SPACE)
            : scan->rule == VT_TOKENS_LETTERS ? scan_letters(scan, tokens, capacity)
                                              : scan_blocks(scan, tokens, capacity, VT_TOKENS_WORDS);
  return count;
}

/* ---- cutting ----------------------------------------------------------------------------------------------------- */

/* ASCII bytes behind which no word goes on, whatever follows. An apostrophe is none: what stands before it counts. */
static bool separates(enum vt_token_rule rule, unsigned char c) {
  if (rule == VT_TOKENS_SPACE) return c == ' ' || (c >= '\t' && c <= '\r');
  if (c >= 0x80 || c == '\'') return false;
  unsigned char folded = c | 0x20;
  return !(c >= '0' && c <= '9') && !(folded >= 'a' && folded <= 'z');
}

/* The last cut behind a character, for text such as Chinese that has no ASCII in it. `from` is at most a window away;
 * the cut is a place where the scanner would be outside of any word with no apostrophe to decide about. */
static size_t cut_behind_character(const unsigned char *data, size_t from, size_t bytes) {
  const uint64_t *words = vt_utf8_words();
  size_t begin = from;
  while (from < bytes && (data[from] & 0xC0) == 0x80) from++;
  /* A character has at most three of these bytes: of a longer run the last one is no UTF-8, and separates. */
  size_t cut = from - begin > 3 ? from : 0;
  bool word = true; /* what stands before is not known, so an apostrophe there may be an inner one */
  while (from < bytes) {
    uint32_t code;
    size_t length = vt_utf8_decode(data + from, bytes - from, &code);
    from += length;
    if (code == VT_UTF8_BAD && from == bytes) break; /* the rest of the character may be still to come */
    bool apostrophe = code == '\'' || code == VT_UTF8_APOSTROPHE;
    bool outside = !vt_utf8_is_word(words, code) && !(apostrophe && word);
    if (outside) cut = from;
    word = vt_utf8_is_word(words, code);
  }
  return cut;
}

size_t vt_tokens_cut(enum vt_token_rule rule, const unsigned char *data, size_t bytes) {
  size_t low = bytes > VT_TOKENS_CUT_WINDOW_BYTES ? bytes - VT_TOKENS_CUT_WINDOW_BYTES : 0;
  for (size_t i = bytes; i > low; i--)
    if (separates(rule, data[i - 1])) return i;
  return rule != VT_TOKENS_SPACE ? cut_behind_character(data, low, bytes) : 0;
}
