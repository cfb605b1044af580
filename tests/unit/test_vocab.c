/* test_vocab.c: vocabularies made, searched, saved and loaded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support/temporary.h"
#include "vectrail/vocab.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct vt_vocab *make(const char *const *texts, const uint64_t *counts, size_t size) {
  struct vt_vocab *vocab = NULL;
  struct vt_error error;
  assert_int_equal(vt_vocab_create(texts, counts, size, &vocab, &error), VT_OK);
  return vocab;
}

static void keeps_the_given_order(void **state) {
  (void)state;
  const char *const texts[] = {"pear", "apple", "H\xC3\xA0 N\xE1\xBB\x99i", "a"};
  const uint64_t counts[] = {2, 9, 5, 0};
  struct vt_vocab *vocab = make(texts, counts, COUNT(texts));
  assert_int_equal(vt_vocab_size(vocab), 4);
  assert_int_equal(vt_vocab_tokens(vocab), 16);
  for (uint32_t i = 0; i < COUNT(texts); i++) {
    uint32_t id = 99;
    assert_string_equal(vt_vocab_text(vocab, i), texts[i]);
    assert_int_equal(vt_vocab_count(vocab, i), counts[i]);
    assert_true(vt_vocab_find(vocab, texts[i], &id));
    assert_int_equal(id, i);
  }
  uint32_t id = 99;
  assert_false(vt_vocab_find(vocab, "", &id));
  assert_false(vt_vocab_find(vocab, "pea", &id));
  assert_false(vt_vocab_find(vocab, "pears", &id));
  assert_int_equal(id, 99);
  vt_vocab_free(vocab);
  vt_vocab_free(NULL);
}

static void counts_may_be_missing(void **state) {
  (void)state;
  const char *const texts[] = {"x", "y"};
  struct vt_vocab *vocab = make(texts, NULL, 2);
  assert_int_equal(vt_vocab_count(vocab, 1), 0);
  assert_int_equal(vt_vocab_tokens(vocab), 0);
  vt_vocab_free(vocab);
  vocab = make(NULL, NULL, 0);
  assert_int_equal(vt_vocab_size(vocab), 0);
  uint32_t id;
  assert_false(vt_vocab_find(vocab, "x", &id));
  vt_vocab_free(vocab);
}

static void finds_every_word_of_many(void **state) {
  (void)state;
  enum { SIZE = 20000 };
  static char texts[SIZE][16];
  static const char *pointers[SIZE];
  for (int i = 0; i < SIZE; i++) {
    snprintf(texts[i], sizeof texts[i], "w%x", (unsigned)i * 7919u);
    pointers[i] = texts[i];
  }
  struct vt_vocab *vocab = make(pointers, NULL, SIZE);
  for (uint32_t i = 0; i < SIZE; i++) {
    uint32_t id;
    assert_true(vt_vocab_find(vocab, texts[i], &id));
    assert_int_equal(id, i);
  }
  vt_vocab_free(vocab);
}

static void refuses_repeated_and_empty_words(void **state) {
  (void)state;
  const char *const twice[] = {"one", "two", "one"}, *const empty[] = {"one", ""};
  const uint64_t huge[] = {UINT64_MAX, 1};
  struct vt_vocab *vocab = NULL;
  struct vt_error error;
  assert_int_equal(vt_vocab_create(twice, NULL, 3, &vocab, &error), VT_ERROR_FORMAT);
  assert_string_equal(error.message, "the vocabulary holds \"one\" twice, as words 0 and 2");
  assert_int_equal(vt_vocab_create(empty, NULL, 2, &vocab, &error), VT_ERROR_FORMAT);
  assert_string_equal(error.message, "word 1 of the vocabulary is empty");
  assert_int_equal(vt_vocab_create(twice, huge, 2, &vocab, &error), VT_ERROR_FORMAT);
  assert_int_equal(vt_vocab_create(twice, NULL, (size_t)UINT32_MAX, &vocab, &error), VT_ERROR_ARGUMENT);
  assert_int_equal(vt_vocab_create(empty, NULL, 2, &vocab, NULL), VT_ERROR_FORMAT);
  assert_null(vocab);
}

/* ---- suggestions ------------------------------------------------------------------------------------------------- */

static void suggests(const struct vt_vocab *vocab, const char *text, size_t capacity, const char *expected) {
  uint32_t ids[8];
  char found[256] = "";
  size_t count = vt_vocab_suggest(vocab, text, ids, capacity);
  assert_true(count <= capacity);
  for (size_t i = 0; i < count; i++) {
    size_t used = strlen(found);
    snprintf(found + used, sizeof found - used, "%s%s", used ? " " : "", vt_vocab_text(vocab, ids[i]));
  }
  assert_string_equal(found, expected);
}

static void suggests_near_spellings(void **state) {
  (void)state;
  const char *const texts[] = {"king", "queen",    "the",  "queens", "green", "kin", "ring", "th", "\xC3\xA9t\xC3\xA9",
                               "ete",  "abcdefgh", "keeen"};
  const uint64_t counts[] = {50, 40, 900, 12, 30, 8, 70, 3, 5, 4, 2, 1};
  struct vt_vocab *vocab = make(texts, counts, COUNT(texts));
  suggests(vocab, "quene", 8, "queen queens"); /* a swap is one edit, a swap and an insertion two */
  suggests(vocab, "king", 8, "king ring kin"); /* itself first; then the more frequent of equal distance */
  suggests(vocab, "kking", 8, "king ring kin");
  suggests(vocab, "kking", 2, "king ring"); /* the nearest, not the first found */
  suggests(vocab, "kking", 1, "king");
  suggests(vocab, "kking", 0, "");
  suggests(vocab, "teh", 8, "the th");                       /* up to three code points: one edit only */
  suggests(vocab, "\xC3\xA9te", 8, "\xC3\xA9t\xC3\xA9 ete"); /* code points, not bytes */
  suggests(vocab, "badcfegh", 8, "");                        /* three swaps */
  suggests(vocab, "badcefgh", 8, "abcdefgh");
  suggests(vocab, "zzzzzz", 8, "");
  suggests(vocab, "", 8, "");
  vt_vocab_free(vocab);
}

static unsigned slow_distance(const char *a, const char *b) {
  unsigned table[16][16];
  unsigned m = (unsigned)strlen(a), n = (unsigned)strlen(b);
  for (unsigned i = 0; i <= m; i++) {
    for (unsigned j = 0; j <= n; j++) {
      unsigned best = i == 0 ? j : j == 0 ? i : table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      if (i > 0 && table[i - 1][j] + 1 < best) best = table[i - 1][j] + 1;
      if (j > 0 && table[i][j - 1] + 1 < best) best = table[i][j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && table[i - 2][j - 2] + 1 < best)
        best = table[i - 2][j - 2] + 1;
      table[i][j] = best;
    }
  }
  return table[m][n];
}

/* All words of up to six letters from {a, b}, against the whole table of distances. */
static void suggests_exactly_what_is_near(void **state) {
  (void)state;
  enum { SIZE = 126 };
  static char texts[SIZE][8];
  const char *pointers[SIZE];
  int size = 0;
  for (int length = 1; length <= 6; length++)
    for (int bits = 0; bits < 1 << length; bits++, size++) {
      for (int i = 0; i < length; i++) texts[size][i] = bits >> i & 1 ? 'a' : 'b';
      pointers[size] = texts[size];
    }
  assert_int_equal(size, SIZE);
  struct vt_vocab *vocab = make(pointers, NULL, SIZE);
  for (int w = 0; w < SIZE; w++) {
    uint32_t ids[SIZE];
    size_t count = vt_vocab_suggest(vocab, texts[w], ids, SIZE), expected = 0;
    unsigned limit = strlen(texts[w]) <= 3 ? 1 : 2, last = 0;
    for (int i = 0; i < SIZE; i++) expected += slow_distance(texts[w], texts[i]) <= limit;
    assert_int_equal(count, expected);
    for (size_t i = 0; i < count; i++) {
      unsigned distance = slow_distance(texts[w], texts[ids[i]]);
      assert_in_range(distance, last, limit);
      if (i > 0 && distance == last) assert_true(ids[i] > ids[i - 1]);
      last = distance;
    }
  }
  vt_vocab_free(vocab);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static void saves_and_loads(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *const texts[] = {"the", "c\xC3\xB4te", "don't", "a", "b"};
  const uint64_t counts[] = {UINT64_MAX - 100, 12, 7, 7, 0};
  struct vt_vocab *vocab = make(texts, counts, COUNT(texts)), *loaded = NULL;
  struct vt_error error;
  const char *path = vtt_path(folder, "vocab.txt");
  assert_int_equal(vt_vocab_save(vocab, path, &error), VT_OK);
  assert_int_equal(vtt_folder_entries(folder), 1);
  char *text = vtt_read(path, NULL);
  assert_string_equal(text, "the 18446744073709551515\nc\xC3\xB4te 12\ndon't 7\na 7\nb 0\n");
  free(text);
  assert_int_equal(vt_vocab_load(path, &loaded, &error), VT_OK);
  const char *const order[] = {"the", "c\xC3\xB4te", "a", "don't", "b"}; /* equal counts: by bytes */
  assert_int_equal(vt_vocab_size(loaded), 5);
  for (uint32_t i = 0; i < 5; i++) assert_string_equal(vt_vocab_text(loaded, i), order[i]);
  assert_int_equal(vt_vocab_count(loaded, 0), UINT64_MAX - 100);
  assert_int_equal(vt_vocab_tokens(loaded), UINT64_MAX - 74);
  vt_vocab_free(vocab);
  vt_vocab_free(loaded);
  vtt_folder_remove(folder);
}

static void does_not_save_white_space(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *const texts[] = {"new", "new york"};
  struct vt_vocab *vocab = make(texts, NULL, 2);
  struct vt_error error;
  assert_int_equal(vt_vocab_save(vocab, vtt_path(folder, "v"), &error), VT_ERROR_FORMAT);
  assert_non_null(strstr(error.message, "word 1, \"new york\""));
  assert_int_equal(vtt_folder_entries(folder), 0);
  vt_vocab_free(vocab);
  vtt_folder_remove(folder);
}

static void loads_any_order_and_line_end(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_write_text(folder, "v", "rare 1\r\ncommon\t30\nmiddle 7");
  struct vt_vocab *vocab = NULL;
  assert_int_equal(vt_vocab_load(path, &vocab, NULL), VT_OK);
  assert_string_equal(vt_vocab_text(vocab, 0), "common");
  assert_string_equal(vt_vocab_text(vocab, 1), "middle");
  assert_string_equal(vt_vocab_text(vocab, 2), "rare");
  assert_int_equal(vt_vocab_count(vocab, 2), 1);
  vt_vocab_free(vocab);
  vtt_folder_remove(folder);
}

static void names_the_bad_line(void **state) {
  (void)state;
  static const struct {
    const char *text;
    enum vt_status status;
    const char *message; /* behind the path */
  } cases[] = {
      {"", VT_ERROR_EMPTY, ": the vocabulary file is empty"},
      {"a 1\nb\n", VT_ERROR_FORMAT, ":2: expected \"word count\""},
      {"a 1\n\nb 2\n", VT_ERROR_FORMAT, ":2: expected \"word count\""},
      {" 5\n", VT_ERROR_FORMAT, ":1: expected \"word count\""},
      {"a x\n", VT_ERROR_FORMAT, ":1: the count is not a number below 2^64"},
      {"a -1\n", VT_ERROR_FORMAT, ":1: the count is not a number below 2^64"},
      {"a \n", VT_ERROR_FORMAT, ":1: the count is not a number below 2^64"},
      {"a 18446744073709551616\n", VT_ERROR_FORMAT, ":1: the count is not a number below 2^64"},
      {"a b 3\n", VT_ERROR_FORMAT, ":1: the word holds white space or a NUL byte"},
      {"b 2\n\xFF 3\n", VT_ERROR_FORMAT, ":2: the word is not UTF-8"},
      {"x 3\na 1\nb 9\na 7\n", VT_ERROR_FORMAT, ":4: the word \"a\" stands on line 2 already"},
      {"a 18446744073709551615\nb 1\n", VT_ERROR_FORMAT, ": the counts of the vocabulary add up to more than 2^64"},
  };
  struct vtt_folder *folder = vtt_folder_create();
  for (size_t i = 0; i < COUNT(cases); i++) {
    const char *path = vtt_write_text(folder, "v", cases[i].text);
    struct vt_vocab *vocab = NULL;
    struct vt_error error;
    assert_int_equal(vt_vocab_load(path, &vocab, &error), cases[i].status);
    assert_null(vocab);
    assert_string_equal(error.message + strlen(path), cases[i].message);
  }
  struct vt_vocab *vocab = NULL;
  const char *path = vtt_write(folder, "v", "a\0b 3\n", 6);
  assert_int_equal(vt_vocab_load(path, &vocab, NULL), VT_ERROR_FORMAT);
  assert_int_not_equal(vt_vocab_load(vtt_path(folder, "missing"), &vocab, NULL), VT_OK);
  assert_null(vocab);
  vtt_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(keeps_the_given_order),
      cmocka_unit_test(counts_may_be_missing),
      cmocka_unit_test(finds_every_word_of_many),
      cmocka_unit_test(refuses_repeated_and_empty_words),
      cmocka_unit_test(suggests_near_spellings),
      cmocka_unit_test(suggests_exactly_what_is_near),
      cmocka_unit_test(saves_and_loads),
      cmocka_unit_test(does_not_save_white_space),
      cmocka_unit_test(loads_any_order_and_line_end),
      cmocka_unit_test(names_the_bad_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
