/*
 * test_corpus_chunks.c: the encoded corpus does not depend on how the text was cut up, or by how many threads.
 * label: threads
 *
 * Random text of every kind of trouble is read by a tokeniser that is as simple as can be, one character after the
 * other, normalised by utf8proc's own functions, counted by sorting; vt_corpus_encode must give the same words and the
 * same stream with chunks of a few bytes, where nearly every word meets a cut, as with ordinary ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <utf8proc.h>

#include "base/rng.h"
#include "support/temporary.h"
#include "text/corpus_internal.h"
#include "text/encode.h"
#include "text/utf8.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- text -------------------------------------------------------------------------------------------------------- */

struct text {
  unsigned char *data;
  size_t bytes;
};

static const char *const pieces[] = {"the",
                                     "of",
                                     "don",
                                     "x",
                                     "Queen",
                                     "kings",
                                     "antidisestablishmentarianism",
                                     "42",
                                     "e",
                                     "t",
                                     "i",
                                     "o\xCC\xA3\xCC\x82",
                                     "o\xCC\x82\xCC\xA3",
                                     "\xE1\xBB\x99",
                                     "\xCC\x81",
                                     "\xC3\xA0",
                                     "a\xCC\x80",
                                     "\xC3\x89",
                                     "\xC3\x9F",
                                     "\xD0\xBC\xD0\xB8\xD1\x80",
                                     "\xE4\xB8\xAD",
                                     "\xE6\x96\x87",
                                     "\xF0\x9D\x92\x9C",
                                     "\xF0\xA0\x80\x80",
                                     "\xD9\xA3"};
static const char *const separators[] = {" ",
                                         " ",
                                         " ",
                                         " ",
                                         " ",
                                         "\n",
                                         "\r\n",
                                         "\n\n",
                                         "\t",
                                         "\v\f",
                                         ", ",
                                         ".",
                                         "-",
                                         "_",
                                         "\xC2\xA0",
                                         "\xE3\x80\x82",
                                         "\xEF\xBC\x8C",
                                         "\xF0\x9F\x98\x80",
                                         "\xEF\xBF\xBD",
                                         "\xE2\x80\xA8",
                                         "\xEF\xBB\xBF"};
static const char *const apostrophes[] = {"'", "\xE2\x80\x99", "''", "\xE2\x80\x99\xE2\x80\x99", "'\xE2\x80\x99"};
static const char *const broken[] = {
    "\xFF", "\x80", "\xE2\x82", "\xF0\x9D\x92", "\xC0\xAF", "\xED\xA0\x80", "\xBF\xBF\xBF\xBF\xBF"};

static void append(struct text *text, const char *piece) {
  size_t bytes = strlen(piece);
  memcpy(text->data + text->bytes, piece, bytes);
  text->bytes += bytes;
}

/* `spaced` of 16 joints are separators; `bad` of 1024 pieces are no UTF-8. */
static struct text make_text(uint64_t seed, size_t size, unsigned spaced, unsigned bad) {
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, seed, 0, 0);
  struct text text = {malloc(size + 128), 0};
  assert_non_null(text.data);
  while (text.bytes < size) {
    /* Small numbers are drawn more often, as in language. */
    uint32_t a = vt_rng_below(&rng, COUNT(pieces)), b = vt_rng_below(&rng, COUNT(pieces));
    append(&text, pieces[a < b ? a : b]);
    if (vt_rng_below(&rng, 1024) < bad) append(&text, broken[vt_rng_below(&rng, COUNT(broken))]);
    if (vt_rng_below(&rng, 12) == 0) append(&text, apostrophes[vt_rng_below(&rng, COUNT(apostrophes))]);
    if (vt_rng_below(&rng, 16) < spaced) append(&text, separators[vt_rng_below(&rng, COUNT(separators))]);
  }
  return text;
}

/* ---- the simple tokeniser ---------------------------------------------------------------------------------------- */

struct expected {
  char **words; /* NULL: the end of a line */
  size_t count;
};

static bool is_word(uint32_t code) {
  if (code == VT_UTF8_BAD) return false;
  const char *category = utf8proc_category_string((utf8proc_int32_t)code);
  return category[0] == 'L' || category[0] == 'M' || strcmp(category, "Nd") == 0;
}

static bool is_apostrophe(uint32_t code) { return code == '\'' || code == 0x2019; }

static bool is_space(uint32_t code) { return code == ' ' || (code >= '\t' && code <= '\r'); }

static char *canonical_word(const uint32_t *codes, size_t count, const struct vt_corpus_options *options) {
  unsigned char *text = malloc(4 * count + 1);
  assert_non_null(text);
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t code = codes[i] == VT_UTF8_BAD ? 0xFFFD : codes[i];
    if (code == 0x2019 && options->tokens == VT_TOKENS_WORDS) code = '\'';
    bytes += (size_t)utf8proc_encode_char((utf8proc_int32_t)code, text + bytes);
  }
  text[bytes] = '\0';
  unsigned char *first = options->fold_case ? utf8proc_NFD(text) : utf8proc_NFC(text), *second = NULL;
  free(text);
  if (!options->fold_case) return (char *)first;
  assert_true(utf8proc_map(
                  first, 0, &second,
                  (utf8proc_option_t)(UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD)) > 0);
  free(first);
  return (char *)second;
}

static struct expected tokenise(const struct text *text, const struct vt_corpus_options *options) {
  uint32_t *codes = malloc((text->bytes + 1) * sizeof *codes);
  struct expected expected = {malloc((text->bytes + 2) * sizeof(char *)), 0};
  assert_non_null(codes);
  assert_non_null(expected.words);
  size_t count = 0;
  for (size_t i = 0; i < text->bytes; count++) i += vt_utf8_decode(text->data + i, text->bytes - i, &codes[count]);
  codes[count] = '\n';
  for (size_t i = 0; i <= count; i++) {
    size_t start = i;
    for (; i < count; i++) {
      bool inner = i > start && is_apostrophe(codes[i]) && is_word(codes[i - 1]) && is_word(codes[i + 1]);
      if (options->tokens == VT_TOKENS_SPACE ? is_space(codes[i]) : !is_word(codes[i]) && !inner) break;
    }
    if (i > start) expected.words[expected.count++] = canonical_word(codes + start, i - start, options);
    if (codes[i] == '\n') expected.words[expected.count++] = NULL;
  }
  free(codes);
  return expected;
}

static void free_expected(struct expected *expected) {
  for (size_t i = 0; i < expected->count; i++) free(expected->words[i]);
  free(expected->words);
}

static int compare_words(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Every id of the vocabulary has the count that sorting all words gives, ids are in order, no word is left out. */
static void check_vocabulary(const struct expected *expected, const struct vt_vocab *vocab, uint64_t min_count) {
  char **sorted = malloc((expected->count + 1) * sizeof *sorted);
  assert_non_null(sorted);
  size_t count = 0, found = 0;
  for (size_t i = 0; i < expected->count; i++)
    if (expected->words[i] != NULL) sorted[count++] = expected->words[i];
  qsort(sorted, count, sizeof *sorted, compare_words);
  for (size_t i = 0, run; i < count; i += run) {
    for (run = 1; i + run < count && strcmp(sorted[i], sorted[i + run]) == 0;) run++;
    uint32_t id = 0;
    assert_int_equal(vt_vocab_find(vocab, sorted[i], &id), run >= min_count);
    if (run < min_count) continue;
    assert_int_equal(vt_vocab_count(vocab, id), run);
    found++;
  }
  assert_int_equal(vt_vocab_size(vocab), found);
  for (uint32_t id = 1; id < found; id++) {
    uint64_t before = vt_vocab_count(vocab, id - 1), here = vt_vocab_count(vocab, id);
    assert_true(before > here ||
                (before == here && strcmp(vt_vocab_text(vocab, id - 1), vt_vocab_text(vocab, id)) < 0));
  }
  free(sorted);
}

static void check_stream(const struct expected *expected, const struct vt_vocab *vocab,
                         const struct vt_corpus *corpus) {
  const uint32_t *ids = vt_corpus_ids(corpus);
  uint64_t at = 0, entries = vt_corpus_entries(corpus);
  bool open = false;
  for (size_t i = 0; i < expected->count; i++) {
    uint32_t id = VT_CORPUS_END;
    if (expected->words[i] != NULL && !vt_vocab_find(vocab, expected->words[i], &id)) continue;
    if (expected->words[i] == NULL && !open) continue;
    assert_true(at < entries);
    if (ids[at] != id) fail_msg("entry %llu is %u instead of %u", (unsigned long long)at, ids[at], id);
    at++;
    open = expected->words[i] != NULL;
  }
  assert_int_equal(at, entries);
  assert_true(vt_corpus_fingerprint(corpus) == vt_corpus_hash_entries(ids, entries, 0));
}

/* ---- comparing --------------------------------------------------------------------------------------------------- */

struct made {
  struct vt_vocab *vocab;
  struct vt_corpus *corpus;
  struct vt_corpus_report report;
};

static struct made encode(struct vtt_folder *folder, const char *input, const struct vt_corpus_options *options,
                          const struct vt_encode_sizes *sizes) {
  struct made made;
  struct vt_error error = {0};
  enum vt_status status = vt_corpus_encode_sized(&input, 1, options, sizes, vtt_path(folder, "encoded"), &made.vocab,
                                                 &made.corpus, &made.report, &error);
  if (status != VT_OK) fail_msg("%s: %s", vt_status_name(status), error.message);
  assert_int_equal(vtt_folder_entries(folder), 2);
  return made;
}

static void free_made(struct made *made) {
  vt_vocab_free(made->vocab);
  vt_corpus_free(made->corpus);
}

static void check_text(const struct text *text, const struct vt_corpus_options *given, const size_t *chunk_bytes,
                       size_t chunk_count) {
  struct vtt_folder *folder = vtt_folder_create();
  const char *input = vtt_write(folder, "text", text->data, text->bytes);
  struct expected expected = tokenise(text, given);
  size_t first_bad, bad = vt_utf8_count_bad(text->data, text->bytes, &first_bad);
  for (size_t i = 0; i < chunk_count; i++) {
    struct vt_corpus_options options = *given;
    options.threads = 1 + (int)i % 3;
    /* Some numbers stay in memory, the others go through the file. */
    struct vt_encode_sizes sizes = {.chunk_bytes = chunk_bytes[i], .spill_memory_bytes = i % 2 ? 4096 : 0};
    struct made made = encode(folder, input, &options, &sizes);
    check_vocabulary(&expected, made.vocab, options.min_count);
    check_stream(&expected, made.vocab, made.corpus);
    assert_int_equal(made.report.replaced_bytes, bad);
    if (bad > 0) assert_int_equal(made.report.replaced_offset, first_bad);
    free_made(&made);
  }
  free_expected(&expected);
  vtt_folder_remove(folder);
}

static void cutting_changes_nothing(void **state) {
  (void)state;
  static const size_t chunk_bytes[] = {1, 2, 3, 7, 64, 65, 1000, 1 << 20};
  for (uint64_t seed = 0; seed < 12; seed += vtt_sanitized ? 5 : 1) {
    /* From text without a break for many lines to one where each piece is a word. */
    struct text text = make_text(seed, 6000, 4 + (unsigned)seed, seed % 3 == 2 ? 40 : 0);
    for (int rule = 0; rule < 4; rule++) {
      struct vt_corpus_options options;
      vt_corpus_options_init(&options);
      options.tokens = rule & 1 ? VT_TOKENS_SPACE : VT_TOKENS_WORDS;
      options.fold_case = rule & 2;
      options.min_count = 1 + seed % 4;
      check_text(&text, &options, chunk_bytes, COUNT(chunk_bytes));
    }
    free(text.data);
  }
}

/* Text with no ASCII separator at all must still be cut, or one thread would get all of it. */
static void text_without_ascii_is_cut(void **state) {
  (void)state;
  static const size_t chunk_bytes[] = {100, 20000, 1 << 20};
  static const char *const parts[] = {"\xE4\xB8\xAD\xE6\x96\x87",
                                      "\xE3\x80\x82",
                                      "\xE2\x80\x99\xE2\x80\x99",
                                      "\xE6\x96\x87\xE2\x80\x99\xE4\xB8\xAD",
                                      "\xEF\xBC\x8C",
                                      "\xF0\x9D\x92\x9C"};
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 77, 0, 0);
  struct text text = {malloc(200128), 0};
  assert_non_null(text.data);
  while (text.bytes < 200000) append(&text, parts[vt_rng_below(&rng, COUNT(parts))]);
  struct vt_corpus_options options;
  vt_corpus_options_init(&options);
  options.min_count = 1;
  check_text(&text, &options, chunk_bytes, COUNT(chunk_bytes));
  free(text.data);
}

/* Continuation bytes over more than a window, with nothing to fall in step with, and a word right behind them. */
static void long_runs_of_bad_bytes_are_cut(void **state) {
  (void)state;
  enum { RUN = 9000, WORD = 2500, EACH = 100000, SIZE = 8 * EACH };
  static const size_t chunk_bytes[] = {50, 9000, 10000, 11000, 12000, 13000, 1 << 20};
  struct text text = {malloc(SIZE), SIZE};
  assert_non_null(text.data);
  for (size_t i = 0; i < SIZE; i++) text.data[i] = i % 5 ? 'w' : ' ';
  for (size_t i = EACH - RUN - WORD; i < SIZE; i += EACH) {
    memset(text.data + i, 0x80, RUN);
    memset(text.data + i + RUN, 'v', WORD);
  }
  struct vt_corpus_options options;
  vt_corpus_options_init(&options);
  check_text(&text, &options, chunk_bytes, COUNT(chunk_bytes));
  free(text.data);
}

/* Some megabytes with a large vocabulary, so that the tables grow and all threads have their share. */
static struct text make_large_text(void) {
  struct text text = make_text(5, 2 << 20, 10, 2);
  struct text large = {malloc(2 * text.bytes + (4 << 20)), 0};
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 6, 0, 0);
  assert_non_null(large.data);
  for (size_t i = 0; i < text.bytes; i++) {
    large.data[large.bytes++] = text.data[i];
    if (text.data[i] != ' ') continue;
    char word[64];
    unsigned n = vt_rng_below(&rng, 1u << (4 + vt_rng_below(&rng, 13)));
    snprintf(word, sizeof word, n % 3 ? "n%u " : "anumberwithaverylongname%u ", n);
    append(&large, word);
  }
  free(text.data);
  return large;
}

static void threads_change_nothing(void **state) {
  (void)state;
  struct text text = make_large_text();
  static const int threads[] = {1, 2, 3, 8};
  for (int rule = 0; rule < (vtt_under_tsan ? 1 : 2); rule++) {
    struct vtt_folder *folder = vtt_folder_create();
    const char *input = vtt_write(folder, "text", text.data, text.bytes);
    struct vt_corpus_options options;
    vt_corpus_options_init(&options);
    options.tokens = rule ? VT_TOKENS_SPACE : VT_TOKENS_WORDS;
    options.fold_case = rule == 0;
    options.min_count = 2;
    char *first = NULL, *first_words = NULL;
    size_t first_bytes = 0;
    for (size_t i = 0; i < COUNT(threads); i += vtt_sanitized ? 3 : 1) {
      options.threads = threads[i];
      const struct vt_encode_sizes sizes = {.chunk_bytes = 100000,
                                            .spill_memory_bytes = i % 2 ? (size_t)1 << 30 : 1 << 20};
      struct made made = encode(folder, input, &options, &sizes);
      assert_int_equal(vt_vocab_save(made.vocab, vtt_path(folder, "words"), NULL), VT_OK);
      size_t bytes;
      char *encoded = vtt_read(vtt_path(folder, "encoded"), &bytes), *words = vtt_read(vtt_path(folder, "words"), NULL);
      (void)remove(vtt_path(folder, "words"));
      if (i == 0) {
        struct expected expected = tokenise(&text, &options);
        check_vocabulary(&expected, made.vocab, options.min_count);
        check_stream(&expected, made.vocab, made.corpus);
        free_expected(&expected);
        first = encoded;
        first_words = words;
        first_bytes = bytes;
      } else {
        assert_int_equal(bytes, first_bytes);
        assert_memory_equal(encoded, first, bytes);
        assert_string_equal(words, first_words);
        free(encoded);
        free(words);
      }
      free_made(&made);
    }
    free(first);
    free(first_words);
    vtt_folder_remove(folder);
  }
  free(text.data);
}

/* ---- progress ---------------------------------------------------------------------------------------------------- */

struct progress {
  uint64_t calls, last, total;
  bool backwards, beyond;
};

/* Runs on the threads of the encoder, where an assertion must not jump out. */
static void note_progress(void *context, uint64_t bytes, uint64_t total) {
  struct progress *progress = context;
  progress->backwards |= bytes < progress->last;
  progress->beyond |= bytes > total;
  progress->calls++;
  progress->last = bytes;
  progress->total = total;
}

static void progress_goes_to_the_end(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct text text = make_text(3, 50000, 10, 0);
  const char *input = vtt_write(folder, "text", text.data, text.bytes);
  struct progress progress = {0};
  struct vt_corpus_options options;
  vt_corpus_options_init(&options);
  options.threads = 2;
  options.progress = note_progress;
  options.progress_context = &progress;
  const struct vt_encode_sizes sizes = {.chunk_bytes = 5000, .spill_memory_bytes = 1 << 20};
  struct made made = encode(folder, input, &options, &sizes);
  assert_in_range(progress.calls, 10, 12);
  assert_false(progress.backwards);
  assert_false(progress.beyond);
  assert_int_equal(progress.last, text.bytes);
  assert_int_equal(progress.total, text.bytes);
  free_made(&made);
  free(text.data);
  vtt_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cutting_changes_nothing),        cmocka_unit_test(text_without_ascii_is_cut),
      cmocka_unit_test(long_runs_of_bad_bytes_are_cut), cmocka_unit_test(threads_change_nothing),
      cmocka_unit_test(progress_goes_to_the_end),
  };
  VTT_TSAN_RUNS("threads_*");
  return cmocka_run_group_tests(tests, NULL, NULL);
}
