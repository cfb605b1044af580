/* test_utf8.c: broken UTF-8, word characters, canonical spellings, and questions to 64 bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <utf8proc.h>

#include "base/rng.h"
#include "text/bytes.h"
#include "text/utf8.h"
#include "vectrail/corpus.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define BAD VT_UTF8_BAD

static const unsigned char *bytes_of(const char *text) { return (const unsigned char *)text; }

static void decodes_every_code_point(void **state) {
  (void)state;
  for (uint32_t code = 0; code <= 0x10FFFF; code++) {
    unsigned char text[4];
    uint32_t back;
    size_t length = vt_utf8_encode(code, text);
    bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    size_t taken = vt_utf8_decode(text, length, &back);
    if (surrogate) {
      assert_int_equal(back, BAD);
      assert_int_equal(taken, 1);
      continue;
    }
    assert_int_equal(back, code);
    assert_int_equal(taken, length);
    /* Cut short it is one bad subpart of all that is there. */
    for (size_t cut = 1; cut < length; cut++) {
      assert_int_equal(vt_utf8_decode(text, cut, &back), cut);
      assert_int_equal(back, BAD);
    }
  }
}

/* The examples of Unicode 15, tables 3-8 to 3-11: one U+FFFD for each maximal subpart. */
static void finds_maximal_subparts(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t bytes;
    uint32_t codes[12];
  } cases[] = {
      {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", 9, {BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, 'A'}},
      {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", 9, {BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD, 'A'}},
      {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", 9, {BAD, BAD, BAD, BAD, BAD, 'A', BAD, BAD, 'B'}},
      {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", 9, {BAD, BAD, BAD, BAD, 'A'}},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    size_t at = 0, n = 0;
    for (; at < cases[i].bytes; n++) {
      uint32_t code;
      at += vt_utf8_decode(bytes_of(cases[i].text) + at, cases[i].bytes - at, &code);
      assert_int_equal(code, cases[i].codes[n]);
    }
    assert_int_equal(at, cases[i].bytes);
    assert_int_equal(cases[i].codes[n], 0);
  }
}

static void counts_bad_bytes(void **state) {
  (void)state;
  size_t first;
  assert_int_equal(vt_utf8_count_bad(bytes_of("ab\xE2\x82z\xFF"), 6, &first), 3);
  assert_int_equal(first, 2);
  assert_int_equal(vt_utf8_count_bad(bytes_of("\xE2\x82\xAC"), 3, &first), 0);
  assert_int_equal(first, 3);
}

static void tells_word_characters(void **state) {
  (void)state;
  const uint64_t *words = vt_utf8_words();
  static const uint32_t in[] = {'a',    'Z',    '7',    0xE9,   0x0301,  0x0903,  0x20DD,  0x4E2D,
                                0x0663, 0x01C5, 0x02B0, 0xFF21, 0x1D49C, 0x20000, 0x1D7CE, 0x1E8D0};
  static const uint32_t out[] = {' ',    '\'',   '_',     '-',     0xA0,   0xB2,   0x2160,   0x2019, 0x3002,
                                 0x200D, 0xFFFD, 0x1F600, 0x10140, 0xE000, 0xFEFF, 0x10FFFF, BAD};
  for (size_t i = 0; i < COUNT(in); i++) assert_true(vt_utf8_is_word(words, in[i]));
  for (size_t i = 0; i < COUNT(out); i++) assert_false(vt_utf8_is_word(words, out[i]));
}

/* ---- canonical spelling ------------------------------------------------------------------------------------------ */

static void becomes(unsigned flags, const char *text, const char *expected) {
  struct vt_canonical *canonical;
  assert_int_equal(vt_canonical_create(flags, &canonical, NULL), VT_OK);
  const unsigned char *result;
  size_t bytes;
  assert_true(vt_canonical_apply(canonical, bytes_of(text), strlen(text), &result, &bytes));
  assert_int_equal(bytes, strlen(expected));
  assert_memory_equal(result, expected, bytes);
  vt_canonical_free(canonical);
}

static void brings_words_to_one_spelling(void **state) {
  (void)state;
  const unsigned fold = VT_CANONICAL_FOLD, apostrophe = VT_CANONICAL_APOSTROPHE;
  becomes(0, "Hello", "Hello");
  becomes(fold, "HeLLo@[`{", "hello@[`{");
  becomes(0, "No\xCC\xA3\xCC\x82i", "N\xE1\xBB\x99i"); /* o, dot below, circumflex: one letter */
  becomes(0, "No\xCC\x82\xCC\xA3i", "N\xE1\xBB\x99i"); /* the marks in the other order */
  becomes(0, "n\xC3\xB4\xCC\xA3i", "n\xE1\xBB\x99i");  /* half composed */
  becomes(fold, "H\xC3\x80 N\xE1\xBB\x98I", "h\xC3\xA0 n\xE1\xBB\x99i");
  becomes(fold,
          "Stra\xC3\x9F"
          "E",
          "strasse");
  becomes(fold, "\xCE\xA3\xCE\x9F\xCE\xA6\xCE\x9F\xCF\x82", "\xCF\x83\xCE\xBF\xCF\x86\xCE\xBF\xCF\x83");
  becomes(fold, "\xCE\xB1\xCD\x85\xCC\x81", "\xCE\xAC\xCE\xB9"); /* decomposed and ordered before folding */
  becomes(apostrophe, "don\xE2\x80\x99t", "don't");
  becomes(0, "don\xE2\x80\x99t", "don\xE2\x80\x99t");
  becomes(0, "a\xE2\x82z\xFF", "a\xEF\xBF\xBDz\xEF\xBF\xBD"); /* a bad subpart becomes one U+FFFD */
}

static void refuses_what_outgrows_a_word(void **state) {
  (void)state;
  struct vt_canonical *canonical;
  assert_int_equal(vt_canonical_create(VT_CANONICAL_FOLD, &canonical, NULL), VT_OK);
  static unsigned char text[VT_WORD_BYTES_MAX];
  const unsigned char *result;
  size_t bytes;
  memset(text, 0xFF, sizeof text); /* each byte becomes three */
  assert_false(vt_canonical_apply(canonical, text, sizeof text, &result, &bytes));
  assert_true(vt_canonical_apply(canonical, text, VT_WORD_BYTES_MAX / 3, &result, &bytes));
  assert_int_equal(bytes, VT_WORD_BYTES_MAX / 3 * 3);
  for (size_t i = 0; i + 2 <= sizeof text; i += 2) memcpy(text + i, "\xC5\x89", 2); /* folds to three bytes */
  assert_false(vt_canonical_apply(canonical, text, sizeof text, &result, &bytes));
  vt_canonical_free(canonical);
}

/* For every character: what utf8proc's own functions make of it, and nothing more when applied again. */
static void agrees_with_utf8proc_and_is_idempotent(void **state) {
  (void)state;
  struct vt_canonical *plain, *folding;
  assert_int_equal(vt_canonical_create(0, &plain, NULL), VT_OK);
  assert_int_equal(vt_canonical_create(VT_CANONICAL_FOLD, &folding, NULL), VT_OK);
  for (uint32_t code = 1; code <= 0x10FFFF; code++) {
    if (code >= 0xD800 && code <= 0xDFFF) continue;
    unsigned char text[8] = "a";
    size_t bytes = 1 + vt_utf8_encode(code, text + 1), once_bytes, twice_bytes;
    const unsigned char *result;
    unsigned char once[64];
    if (utf8proc_category((utf8proc_int32_t)code) != UTF8PROC_CATEGORY_CN) {
      assert_true(vt_canonical_apply(plain, text, bytes, &result, &once_bytes));
      utf8proc_uint8_t *expected = utf8proc_NFC(text);
      assert_int_equal(once_bytes, strlen((char *)expected));
      assert_memory_equal(result, expected, once_bytes);
      free(expected);
    }
    assert_true(vt_canonical_apply(folding, text, bytes, &result, &once_bytes));
    assert_in_range(once_bytes, 1, sizeof once);
    memcpy(once, result, once_bytes);
    assert_true(vt_canonical_apply(folding, once, once_bytes, &result, &twice_bytes));
    assert_int_equal(twice_bytes, once_bytes);
    assert_memory_equal(result, once, once_bytes);
  }
  vt_canonical_free(plain);
  vt_canonical_free(folding);
}

/* ---- 64 bytes ---------------------------------------------------------------------------------------------------- */

static void answers_for_every_byte(void **state) {
  (void)state;
  static const unsigned ranges[][3] = {{0, '\t', '\r'}, {0, ' ', ' '}, {0x20, 'a', 'z'}, {0, '0', '9'},
                                       {0, 0, 0},       {0, 127, 127}, {0, 0, 127},      {0, 1, 126}};
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 1, 2, 3);
  for (int round = 0; round < 2000; round++) {
    unsigned char block[VT_BYTES_BLOCK];
    for (size_t i = 0; i < sizeof block; i++)
      block[i] = round < 4 ? (unsigned char)(64 * (size_t)round + i) : (unsigned char)vt_rng_next(&rng);
    uint64_t high = 0;
    for (size_t i = 0; i < sizeof block; i++) high |= (uint64_t)(block[i] >= 128) << i;
    assert_true(vt_bytes_high(block) == high);
    assert_true(vt_bytes_high_portable(block) == high);
    for (size_t r = 0; r < COUNT(ranges); r++) {
      uint64_t expected = 0;
      for (size_t i = 0; i < sizeof block; i++) {
        unsigned value = block[i] | ranges[r][0];
        expected |= (uint64_t)(value >= ranges[r][1] && value <= ranges[r][2]) << i;
      }
      assert_true(vt_bytes_within(block, ranges[r][0], ranges[r][1], ranges[r][2]) == expected);
      assert_true(vt_bytes_within_portable(block, ranges[r][0], ranges[r][1], ranges[r][2]) == expected);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(decodes_every_code_point),
      cmocka_unit_test(finds_maximal_subparts),
      cmocka_unit_test(counts_bad_bytes),
      cmocka_unit_test(tells_word_characters),
      cmocka_unit_test(brings_words_to_one_spelling),
      cmocka_unit_test(refuses_what_outgrows_a_word),
      cmocka_unit_test(agrees_with_utf8proc_and_is_idempotent),
      cmocka_unit_test(answers_for_every_byte),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
