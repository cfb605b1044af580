/* test_corpus.c: what becomes of small texts, word by word; inputs of every kind; every refusal. label: threads */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "support/temporary.h"
#include "text/corpus_internal.h"
#include "text/encode.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct outcome {
  struct vt_vocab *vocab;
  struct vt_corpus *corpus;
  struct vt_corpus_report report;
};

static struct vt_corpus_options options_for(enum vt_token_rule tokens) {
  struct vt_corpus_options options;
  vt_corpus_options_init(&options);
  options.tokens = tokens;
  options.min_count = 1;
  options.threads = 2;
  return options;
}

static void release(struct outcome *outcome) {
  vt_vocab_free(outcome->vocab);
  vt_corpus_free(outcome->corpus);
  memset(outcome, 0, sizeof *outcome);
}

static struct outcome encode(struct vtt_folder *folder, const char *const *inputs, size_t count,
                             const struct vt_corpus_options *options) {
  struct outcome outcome;
  struct vt_error error = {0};
  enum vt_status status = vt_corpus_encode(inputs, count, options, vtt_path(folder, "encoded"), &outcome.vocab,
                                           &outcome.corpus, &outcome.report, &error);
  if (status != VT_OK) fail_msg("%s: %s", vt_status_name(status), error.message);
  return outcome;
}

/* The corpus as text: words with spaces between them, "|" for the end of a sentence. Free with free(). */
static char *render(const struct outcome *outcome) {
  const uint32_t *ids = vt_corpus_ids(outcome->corpus);
  uint64_t entries = vt_corpus_entries(outcome->corpus), tokens = 0, sentences = 0;
  size_t bytes = 1;
  for (uint64_t i = 0; i < entries; i++)
    bytes += ids[i] == VT_CORPUS_END ? 2 : strlen(vt_vocab_text(outcome->vocab, ids[i])) + 1;
  char *text = calloc(bytes, 1), *out = text;
  assert_non_null(text);
  for (uint64_t i = 0; i < entries; i++) {
    bool end = ids[i] == VT_CORPUS_END;
    const char *word = end ? "|" : vt_vocab_text(outcome->vocab, ids[i]);
    if (out > text && !end && out[-1] != '|') *out++ = ' ';
    size_t length = strlen(word);
    memcpy(out, word, length);
    out += length;
    *(end ? &sentences : &tokens) += 1;
  }
  assert_int_equal(tokens, vt_corpus_tokens(outcome->corpus));
  assert_int_equal(sentences, vt_corpus_sentences(outcome->corpus));
  assert_int_equal(outcome->report.tokens, tokens);
  assert_int_equal(outcome->report.lines, sentences);
  assert_int_equal(vt_vocab_size(outcome->vocab), vt_corpus_vocab_size(outcome->corpus));
  return text;
}

static void reads_bytes_as(const void *bytes, size_t size, const struct vt_corpus_options *options,
                           const char *expected) {
  struct vtt_folder *folder = vtt_folder_create();
  const char *input = vtt_write(folder, "text", bytes, size);
  struct outcome outcome = encode(folder, &input, 1, options);
  assert_int_equal(outcome.report.text_bytes, size);
  char *text = render(&outcome);
  assert_string_equal(text, expected);
  free(text);
  release(&outcome);
  assert_int_equal(vtt_folder_entries(folder), 2);
  vtt_folder_remove(folder);
}

static void reads_words(const char *text, const char *expected) {
  struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
  reads_bytes_as(text, strlen(text), &options, expected);
}

static void reads_space(const char *text, const char *expected) {
  struct vt_corpus_options options = options_for(VT_TOKENS_SPACE);
  reads_bytes_as(text, strlen(text), &options, expected);
}

static void reads_folded(const char *text, const char *expected) {
  struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
  options.fold_case = true;
  reads_bytes_as(text, strlen(text), &options, expected);
}

/* ---- the rules --------------------------------------------------------------------------------------------------- */

static void splits_into_words(void **state) {
  (void)state;
  reads_words("one two, three.\nfour-five 6 7.8 nine_ten", "one two three|four five 6 7 8 nine ten|");
  reads_words("...a...\n\n   \n(b)\n", "a|b|"); /* lines without a word leave no mark */
  reads_words("\xC3\xA9t\xC3\xA9 \xC2\xAB\xC2\xA0noix\xC2\xA0\xC2\xBB", "\xC3\xA9t\xC3\xA9 noix|");
  reads_words("\xE4\xB8\xAD\xE6\x96\x87\xE3\x80\x82\xE4\xB8\xAD", "\xE4\xB8\xAD\xE6\x96\x87 \xE4\xB8\xAD|");
  reads_words("x\xC2\xB2 \xE2\x85\xA8 \xD9\xA3", "x \xD9\xA3|"); /* superscripts and Roman numerals are no digits */
  reads_words("\xF0\x9D\x92\x9C"
              "b\xF0\x9F\x98\x80"
              "c",
              "\xF0\x9D\x92\x9C"
              "b c|"); /* a letter and a face */
  reads_words("a\xEF\xBF\xBD"
              "b",
              "a b|"); /* U+FFFD itself */
}

static void keeps_inner_apostrophes(void **state) {
  (void)state;
  reads_words("don't 'tis dogs' ' o''clock rock'n'roll", "don't tis dogs o clock rock'n'roll|");
  reads_words("don\xE2\x80\x99t \xE2\x80\x99tis dogs\xE2\x80\x99 a\xE2\x80\x99\xE2\x80\x99"
              "b l'\xC3\xA9t\xC3\xA9",
              "don't tis dogs a b l'\xC3\xA9t\xC3\xA9|");
  reads_words("a'\xE2\x80\x99"
              "b c\xE2\x80\x99'd",
              "a b c d|");
  reads_words("a'\nb\n'c", "a|b|c|");
  reads_words("\xC3\xA9'\xC3\xA9 \xC3\xA9\xE2\x80\x99\xC3\xA9", "\xC3\xA9'\xC3\xA9 \xC3\xA9'\xC3\xA9|");
}

static void splits_at_space(void **state) {
  (void)state;
  reads_space("a,b  'c' \td\v\fe\r\n\nf", "a,b 'c' d e|f|");
  reads_space("a\xC2\xA0"
              "b don\xE2\x80\x99t",
              "a\xC2\xA0"
              "b don\xE2\x80\x99t|"); /* only ASCII white space splits */
}

static void ends_sentences_at_lines(void **state) {
  (void)state;
  reads_words("a b\r\nc\r\n\r\nd", "a b|c|d|");
  reads_words("a\xE2\x80\xA8"
              "b\x0B"
              "c\x0C"
              "d\x85",
              "a b c d|"); /* no other line ends than \n */
  reads_words("\n\n\na", "a|");
}

static void brings_words_to_nfc(void **state) {
  (void)state;
  reads_words("H\xC3\xA0 N\xE1\xBB\x99i", "H\xC3\xA0 N\xE1\xBB\x99i|");
  reads_words("Ha\xCC\x80 No\xCC\xA3\xCC\x82i\nHa\xCC\x80 No\xCC\x82\xCC\xA3i",
              "H\xC3\xA0 N\xE1\xBB\x99i|H\xC3\xA0 N\xE1\xBB\x99i|");
  reads_space("Ha\xCC\x80 H\xC3\xA0", "H\xC3\xA0 H\xC3\xA0|");
}

static void counts_spellings_as_one_word(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *input = vtt_write_text(folder, "t", "Ha\xCC\x80 H\xC3\xA0 h\xC3\xA0 HA\xCC\x80 x x X x x");
  struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
  options.fold_case = true;
  options.min_count = 4;
  struct outcome outcome = encode(folder, &input, 1, &options);
  assert_int_equal(vt_vocab_size(outcome.vocab), 2);
  assert_string_equal(vt_vocab_text(outcome.vocab, 0), "x");
  assert_int_equal(vt_vocab_count(outcome.vocab, 0), 5);
  assert_string_equal(vt_vocab_text(outcome.vocab, 1), "h\xC3\xA0");
  assert_int_equal(vt_vocab_count(outcome.vocab, 1), 4);
  assert_int_equal(outcome.report.types_read, 2);
  assert_int_equal(outcome.report.tokens_read, 9);
  release(&outcome);
  vtt_folder_remove(folder);
}

static void folds_case(void **state) {
  (void)state;
  reads_folded("The THE the \xC3\x89T\xC3\x89 \xC3\xA9t\xC3\xA9", "the the the \xC3\xA9t\xC3\xA9 \xC3\xA9t\xC3\xA9|");
  reads_words("The the", "The the|");
}

static void skips_a_byte_order_mark(void **state) {
  (void)state;
  reads_words("\xEF\xBB\xBFone two", "one two|");
  reads_space("\xEF\xBB\xBFone \xEF\xBB\xBFtwo", "one \xEF\xBB\xBFtwo|"); /* only at the beginning */
}

static void counts_bytes_that_are_not_utf8(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *const inputs[] = {vtt_write_text(folder, "0", "fine\n"),
                                vtt_write_text(folder, "1", "caf\xE9 au lait \xE2\x82 x\xFFy\n")};
  struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
  struct outcome outcome = encode(folder, inputs, 2, &options);
  char *text = render(&outcome);
  assert_string_equal(text, "fine|caf au lait x y|");
  free(text);
  assert_int_equal(outcome.report.replaced_bytes, 4);
  assert_int_equal(outcome.report.replaced_input, 1);
  assert_int_equal(outcome.report.replaced_offset, 3);
  release(&outcome);
  options.tokens = VT_TOKENS_SPACE;
  outcome = encode(folder, inputs, 2, &options);
  text = render(&outcome);
  assert_string_equal(text, "fine|caf\xEF\xBF\xBD au lait \xEF\xBF\xBD x\xEF\xBF\xBDy|");
  free(text);
  assert_int_equal(outcome.report.replaced_bytes, 4);
  release(&outcome);
  vtt_folder_remove(folder);
}

/* ---- the vocabulary ---------------------------------------------------------------------------------------------- */

static void orders_and_cuts_the_vocabulary(void **state) {
  (void)state;
  static const char text[] = "b a c b a d\ne c\nb\nd b\n";
  struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
  reads_bytes_as(text, strlen(text), &options, "b a c b a d|e c|b|d b|");
  options.min_count = 2;
  reads_bytes_as(text, strlen(text), &options, "b a c b a d|c|b|d b|");
  options.max_vocab = 2; /* of a, c and d with two each, the first by bytes */
  reads_bytes_as(text, strlen(text), &options, "b a b a|b|b|");
  options.min_count = 5;
  options.max_vocab = 0;
  options.tokens = VT_TOKENS_SPACE;
  static const char more[] = "x x x\ny\nx x\ny y";
  reads_bytes_as(more, strlen(more), &options, "x x x|x x|"); /* sentences left empty leave no mark */
}

static void reports_what_it_saw(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *input = vtt_write_text(folder, "t", "a a b\nc\na b\n");
  struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
  options.min_count = 2;
  struct outcome outcome = encode(folder, &input, 1, &options);
  assert_int_equal(outcome.report.input_bytes, 12);
  assert_int_equal(outcome.report.text_bytes, 12);
  assert_int_equal(outcome.report.lines, 2);
  assert_int_equal(outcome.report.tokens_read, 6);
  assert_int_equal(outcome.report.types_read, 3);
  assert_int_equal(outcome.report.tokens, 5);
  assert_int_equal(outcome.report.replaced_bytes, 0);
  assert_int_equal(vt_vocab_tokens(outcome.vocab), 5);
  release(&outcome);
  vtt_folder_remove(folder);
}

static void encodes_against_a_given_vocabulary(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *input = vtt_write_text(folder, "t", "the Cat sat\nnobody\non the cat\n");
  const char *const texts[] = {"cat", "dog", "the"};
  const uint64_t counts[] = {100, 90, 80};
  struct vt_vocab *given;
  assert_int_equal(vt_vocab_create(texts, counts, 3, &given, NULL), VT_OK);
  struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
  options.vocab = given;
  options.fold_case = true;
  options.min_count = 1000; /* does not apply */
  options.max_vocab = 1;
  struct outcome outcome = encode(folder, &input, 1, &options);
  char *text = render(&outcome);
  assert_string_equal(text, "the cat|the cat|");
  free(text);
  static const uint64_t expected[] = {2, 0, 2};
  for (uint32_t i = 0; i < 3; i++) {
    assert_string_equal(vt_vocab_text(outcome.vocab, i), texts[i]);
    assert_int_equal(vt_vocab_count(outcome.vocab, i), expected[i]);
  }
  release(&outcome);
  vt_vocab_free(given);
  vtt_folder_remove(folder);
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

static void reads_inputs_in_turn(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *const inputs[] = {vtt_write_text(folder, "0", "a b"), vtt_write_text(folder, "1", ""),
                                vtt_write_text(folder, "2",
                                               "\xEF\xBB\xBF"
                                               "c\nd"),
                                vtt_write_text(folder, "3", "\xEF\xBB\xBF")};
  struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
  struct outcome outcome = encode(folder, inputs, COUNT(inputs), &options);
  char *text = render(&outcome);
  assert_string_equal(text, "a b|c|d|"); /* the end of an input ends the sentence */
  assert_int_equal(outcome.report.text_bytes, 12);
  free(text);
  release(&outcome);
  vtt_folder_remove(folder);
}

static void reads_standard_input(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *input = "-";
  assert_non_null(freopen(vtt_write_text(folder, "in", "from a pipe\n"), "rb", stdin));
  struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
  struct outcome outcome = encode(folder, &input, 1, &options);
  char *text = render(&outcome);
  assert_string_equal(text, "from a pipe|");
  free(text);
  release(&outcome);
  vtt_folder_remove(folder);
}

static size_t pack_gzip(const char *text, unsigned char *out, size_t capacity) {
  z_stream stream = {0};
  assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = (Bytef *)(uintptr_t)text;
  stream.avail_in = (uInt)strlen(text);
  stream.next_out = out;
  stream.avail_out = (uInt)capacity;
  assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
  size_t bytes = stream.total_out;
  (void)deflateEnd(&stream);
  return bytes;
}

static size_t pack_zstd(const char *text, unsigned char *out, size_t capacity) {
  size_t bytes = ZSTD_compress(out, capacity, text, strlen(text), 3);
  assert_false(ZSTD_isError(bytes));
  return bytes;
}

static size_t pack_xz(const char *text, unsigned char *out, size_t capacity) {
  size_t bytes = 0;
  assert_int_equal(
      lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, NULL, (const uint8_t *)text, strlen(text), out, &bytes, capacity),
      LZMA_OK);
  return bytes;
}

typedef size_t pack(const char *text, unsigned char *out, size_t capacity);
static pack *const packers[] = {pack_gzip, pack_zstd, pack_xz};

static void reads_compressed(void **state) {
  (void)state;
  for (size_t p = 0; p < COUNT(packers); p++) {
    unsigned char packed[1024];
    /* Two members, the second one going on with the word. */
    size_t first = packers[p]("one tw", packed, sizeof packed);
    size_t bytes = first + packers[p]("o\nthree", packed + first, sizeof packed - first);
    struct vtt_folder *folder = vtt_folder_create();
    const char *input = vtt_write(folder, "packed", packed, bytes);
    struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
    struct outcome outcome = encode(folder, &input, 1, &options);
    char *text = render(&outcome);
    assert_string_equal(text, "one two|three|");
    assert_int_equal(outcome.report.input_bytes, bytes);
    assert_int_equal(outcome.report.text_bytes, 13);
    free(text);
    release(&outcome);
    vtt_folder_remove(folder);
  }
}

static void reads_large_compressed(void **state) {
  (void)state;
  enum { WORDS = 300000 };
  char *text = malloc(WORDS * 8 + 1), *out = text;
  assert_non_null(text);
  for (unsigned i = 0; i < WORDS; i++) out += snprintf(out, 9, "w%u%c", i * 2654435761u % 10007, i % 9 ? ' ' : '\n');
  for (size_t p = 0; p < COUNT(packers); p += vtt_under_tsan ? COUNT(packers) : 1) {
    size_t capacity = WORDS * 8;
    unsigned char *packed = malloc(capacity);
    assert_non_null(packed);
    struct vtt_folder *folder = vtt_folder_create();
    const char *inputs[] = {vtt_write_text(folder, "plain", text), NULL};
    inputs[1] = vtt_write(folder, "packed", packed, packers[p](text, packed, capacity));
    struct vt_corpus_options options = options_for(VT_TOKENS_SPACE);
    struct outcome plain = encode(folder, &inputs[0], 1, &options), unpacked = encode(folder, &inputs[1], 1, &options);
    assert_int_equal(vt_corpus_tokens(plain.corpus), WORDS);
    assert_true(vt_corpus_fingerprint(plain.corpus) == vt_corpus_fingerprint(unpacked.corpus));
    assert_int_equal(vt_corpus_entries(plain.corpus), vt_corpus_entries(unpacked.corpus));
    release(&plain);
    release(&unpacked);
    vtt_folder_remove(folder);
    free(packed);
  }
  free(text);
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

/* The message is compared from its place in "PATH: ..." on; %s in expected stands for the path. */
static void refuses(const char *const *inputs, size_t count, const struct vt_corpus_options *options,
                    enum vt_status expected_status, const char *expected) {
  struct vtt_folder *folder = vtt_folder_create();
  const char *encoded = vtt_path(folder, "encoded");
  for (int threads = 1; threads <= 3; threads++) {
    struct vt_corpus_options some = *options;
    some.threads = threads;
    struct vt_vocab *vocab = NULL;
    struct vt_corpus *corpus = NULL;
    struct vt_error error = {0};
    enum vt_status status = vt_corpus_encode(inputs, count, &some, encoded, &vocab, &corpus, NULL, &error);
    if (status != expected_status || strcmp(error.message, expected) != 0)
      fail_msg("%s, \"%s\" instead of %s, \"%s\"", vt_status_name(status), error.message,
               vt_status_name(expected_status), expected);
    assert_int_equal(error.status, status);
    assert_null(vocab);
    assert_null(corpus);
    assert_int_equal(vtt_folder_entries(folder), 0);
  }
  vtt_folder_remove(folder);
}

static void refuses_bytes(const void *bytes, size_t size, const struct vt_corpus_options *options,
                          enum vt_status status, const char *expected) {
  struct vtt_folder *folder = vtt_folder_create();
  const char *input = vtt_write(folder, "text", bytes, size);
  char message[512];
  snprintf(message, sizeof message, "%s: %s", input, expected);
  refuses(&input, 1, options, status, message);
  vtt_folder_remove(folder);
}

static void refuses_what_is_not_text(void **state) {
  (void)state;
  struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
  refuses_bytes("ab\0c\0", 5, &options, VT_ERROR_FORMAT, "byte 2 is NUL: this is binary data, not text");
  refuses_bytes("\xFF\xFEt\0", 4, &options, VT_ERROR_FORMAT,
                "byte 0 begins a byte order mark of UTF-16, and the text must be UTF-8");
  refuses_bytes("\xFE\xFF\0t", 4, &options, VT_ERROR_FORMAT,
                "byte 0 begins a byte order mark of UTF-16, and the text must be UTF-8");
  refuses_bytes("\xFF\xFE\0\0t\0\0\0", 8, &options, VT_ERROR_FORMAT,
                "byte 0 begins a byte order mark of UTF-32, and the text must be UTF-8");
  refuses_bytes("\0\0\xFE\xFF\0\0\0t", 8, &options, VT_ERROR_FORMAT,
                "byte 0 begins a byte order mark of UTF-32, and the text must be UTF-8");
  char bad[200];
  memset(bad, 'a', sizeof bad);
  for (size_t i = 0; i < 21; i++) bad[9 * i + 5] = '\xC0';
  refuses_bytes(bad, sizeof bad, &options, VT_ERROR_FORMAT,
                "21 of the first 200 bytes are not UTF-8 (the first is byte 5): this is binary data, not text");
  bad[5] = 'a'; /* 20 of 200 is not more than a tenth */
  struct vtt_folder *folder = vtt_folder_create();
  const char *input = vtt_write(folder, "text", bad, sizeof bad);
  struct outcome outcome = encode(folder, &input, 1, &options);
  assert_int_equal(outcome.report.replaced_bytes, 20);
  release(&outcome);
  vtt_folder_remove(folder);
}

static void refuses_text_that_turns_binary(void **state) {
  (void)state;
  enum { SIZE = 400000, GOOD = 300000 };
  char *text = malloc(SIZE);
  assert_non_null(text);
  for (size_t i = 0; i < SIZE; i++) text[i] = i >= GOOD && i % 2 ? '\xFF' : i % 7 ? 'x' : ' ';
  struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
  refuses_bytes(text, SIZE, &options, VT_ERROR_FORMAT,
                "50000 of 400000 bytes are not UTF-8: this is binary data, not text");
  free(text);
}

static void refuses_words_too_long(void **state) {
  (void)state;
  enum { SIZE = 3000000 };
  char *text = malloc(SIZE);
  assert_non_null(text);
  struct vt_corpus_options words = options_for(VT_TOKENS_WORDS), space = options_for(VT_TOKENS_SPACE);
  memset(text, 'x', SIZE);
  memcpy(text, "some text\n", 10);
  static const char expected[] = "the word at byte 10 is longer than 4096 bytes";
  refuses_bytes(text, SIZE, &words, VT_ERROR_FORMAT, expected);
  refuses_bytes(text, SIZE, &space, VT_ERROR_FORMAT, expected);
  refuses_bytes(text, 10 + 4097, &words, VT_ERROR_FORMAT, expected);
  struct vtt_folder *folder = vtt_folder_create();
  const char *input = vtt_write(folder, "text", text, 10 + 4096); /* as long as may be */
  struct outcome outcome = encode(folder, &input, 1, &words);
  assert_int_equal(vt_corpus_tokens(outcome.corpus), 3);
  release(&outcome);
  vtt_folder_remove(folder);
  memset(text + 10, '\xFF', 2000); /* short enough as it stands, too long as U+FFFD */
  memset(text + 2010, ' ', 30000);
  refuses_bytes(text, 2010 + 30000, &space, VT_ERROR_FORMAT, expected);
  free(text);
}

/* The error at the smallest place wins, also when other threads are at others already. */
static void reads_to_the_first_bad_place(void **state) {
  (void)state;
  enum { SIZE = 6000000 };
  char *text = malloc(SIZE);
  assert_non_null(text);
  for (size_t i = 0; i < SIZE; i++) text[i] = i % 6 ? 'x' : ' ';
  struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
  for (size_t i = 1500000; i < SIZE; i += 700000) text[i] = '\0';
  refuses_bytes(text, SIZE, &options, VT_ERROR_FORMAT, "byte 1500000 is NUL: this is binary data, not text");
  memset(text + 1400001, 'y', 5000); /* a word too long before it */
  refuses_bytes(text, SIZE, &options, VT_ERROR_FORMAT, "the word at byte 1399999 is longer than 4096 bytes");
  text[1402000] = '\0'; /* a NUL inside of that word cuts it short */
  refuses_bytes(text, SIZE, &options, VT_ERROR_FORMAT, "byte 1402000 is NUL: this is binary data, not text");
  free(text);
}

static void refuses_what_cannot_be_read(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
  const char *good = vtt_write_text(folder, "good", "a b c\n");
  const char *missing[] = {good, vtt_path(folder, "missing")}, *directory = vtt_folder_path(folder);
  char message[512];
  snprintf(message, sizeof message, "%s: cannot open: No such file or directory", missing[1]);
  refuses(missing, 2, &options, VT_ERROR_IO, message);
  snprintf(message, sizeof message, "%s: is a directory", directory);
  refuses(&directory, 1, &options, VT_ERROR_IO, message);
  if (geteuid() != 0) {
    const char *secret = vtt_write_text(folder, "secret", "a b c\n");
    assert_int_equal(chmod(secret, 0), 0);
    snprintf(message, sizeof message, "%s: cannot open: Permission denied", secret);
    refuses(&secret, 1, &options, VT_ERROR_IO, message);
  }
  const char *const twice[] = {"-", good, "-"};
  refuses(twice, 3, &options, VT_ERROR_ARGUMENT, "standard input is given 2 times as an input");
  refuses(twice, 0, &options, VT_ERROR_EMPTY, "no input was given");
  vtt_folder_remove(folder);
}

static void refuses_damaged_compression(void **state) {
  (void)state;
  static const char *const names[] = {"gzip", "zstd", "xz"};
  struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
  for (size_t p = 0; p < COUNT(packers); p++) {
    unsigned char packed[1024];
    size_t bytes = packers[p]("one two three four five six seven eight nine ten\n", packed, sizeof packed);
    char message[128];
    snprintf(message, sizeof message, "the %s data end too early, at byte %zu", names[p], bytes - 3);
    refuses_bytes(packed, bytes - 3, &options, VT_ERROR_IO, message);
    struct vtt_folder *folder = vtt_folder_create();
    static const char *const kinds[] = {"garbage behind", "a changed byte"};
    for (size_t k = 0; k < COUNT(kinds); k++) {
      unsigned char broken[1024];
      memcpy(broken, packed, bytes);
      memcpy(broken + bytes, "garbage of 19 bytes", 19);
      /* The last bytes of each format are a checksum, or what it covers. */
      if (k == 1) broken[bytes - 5] ^= 0x55;
      const char *input = vtt_write(folder, kinds[k], broken, k == 0 ? bytes + 19 : bytes);
      struct vt_vocab *vocab = NULL;
      struct vt_corpus *corpus = NULL;
      struct vt_error error;
      char start[512];
      snprintf(start, sizeof start, "%s: damaged %s data near byte ", input, names[p]);
      enum vt_status status =
          vt_corpus_encode(&input, 1, &options, vtt_path(folder, "encoded"), &vocab, &corpus, NULL, &error);
      /* zstd frames made in one go carry no checksum: the change is then in the text, or found by the entropy coder. */
      if (k == 1 && packers[p] == pack_zstd && status == VT_OK) {
        vt_vocab_free(vocab);
        vt_corpus_free(corpus);
        continue;
      }
      assert_int_equal(status, VT_ERROR_IO);
      error.message[strlen(start)] = '\0';
      assert_string_equal(error.message, start);
    }
    vtt_folder_remove(folder);
  }
}

static void refuses_empty_corpora(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
  const char *const empty[] = {vtt_write_text(folder, "0", ""), vtt_write_text(folder, "1", " \n\n ... \n")};
  refuses(empty, 1, &options, VT_ERROR_EMPTY, "the inputs hold no word");
  refuses(empty, 2, &options, VT_ERROR_EMPTY, "the inputs hold no word");
  const char *rare = vtt_write_text(folder, "rare", "a b c b\n");
  options.min_count = 3;
  refuses(&rare, 1, &options, VT_ERROR_EMPTY,
          "no word occurs 3 times, which --min-count asks for: the most frequent one occurs 2 times");
  const char *const texts[] = {"x", "y"};
  struct vt_vocab *given;
  assert_int_equal(vt_vocab_create(texts, NULL, 2, &given, NULL), VT_OK);
  options.vocab = given;
  refuses(&rare, 1, &options, VT_ERROR_EMPTY, "none of the 4 words of the text is in the vocabulary");
  vt_vocab_free(given);
  vtt_folder_remove(folder);
}

static void refuses_wrong_options(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *input = vtt_write_text(folder, "t", "a\n");
  struct vt_vocab *vocab = NULL;
  struct vt_corpus *corpus = NULL;
  const char *encoded = vtt_path(folder, "encoded");
  struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
  options.min_count = 0;
  assert_int_equal(vt_corpus_encode(&input, 1, &options, encoded, &vocab, &corpus, NULL, NULL), VT_ERROR_ARGUMENT);
  options = options_for((enum vt_token_rule)7);
  assert_int_equal(vt_corpus_encode(&input, 1, &options, encoded, &vocab, &corpus, NULL, NULL), VT_ERROR_ARGUMENT);
  options = options_for(VT_TOKENS_WORDS);
  options.threads = 0;
  assert_int_equal(vt_corpus_encode(&input, 1, &options, encoded, &vocab, &corpus, NULL, NULL), VT_ERROR_ARGUMENT);
  options.threads = 1;
  encoded = vtt_path(folder, "nowhere/encoded");
  assert_int_equal(vt_corpus_encode(&input, 1, &options, encoded, &vocab, &corpus, NULL, NULL), VT_ERROR_IO);
  assert_null(vocab);
  assert_null(corpus);
  vtt_folder_remove(folder);
}

/* ---- the encoded file -------------------------------------------------------------------------------------------- */

static void opens_again(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *input = vtt_write_text(folder, "t", "b a b\nc a\n");
  struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
  struct outcome outcome = encode(folder, &input, 1, &options);
  struct vt_corpus *again;
  assert_int_equal(vt_corpus_open(vtt_path(folder, "encoded"), &again, NULL), VT_OK);
  static const uint32_t expected[] = {1, 0, 1, VT_CORPUS_END, 2, 0, VT_CORPUS_END};
  assert_int_equal(vt_corpus_entries(again), COUNT(expected));
  assert_memory_equal(vt_corpus_ids(again), expected, sizeof expected);
  assert_int_equal(vt_corpus_tokens(again), 5);
  assert_int_equal(vt_corpus_sentences(again), 2);
  assert_int_equal(vt_corpus_vocab_size(again), 3);
  assert_true(vt_corpus_fingerprint(again) == vt_corpus_hash_entries(expected, COUNT(expected), 0));
  assert_true(vt_corpus_fingerprint(again) == vt_corpus_fingerprint(outcome.corpus));
  vt_corpus_free(again);
  vt_corpus_free(NULL);
  size_t bytes, unsynced_bytes;
  char *synced = vtt_read(vtt_path(folder, "encoded"), &bytes);
  options.unsynced = true;
  struct outcome unsynced = encode(folder, &input, 1, &options);
  char *other = vtt_read(vtt_path(folder, "encoded"), &unsynced_bytes);
  assert_int_equal(bytes, unsynced_bytes);
  assert_memory_equal(synced, other, bytes);
  free(synced);
  free(other);
  release(&unsynced);
  release(&outcome);
  vtt_folder_remove(folder);
}

static void refuses_damaged_files(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *input = vtt_write_text(folder, "t", "b a b\nc a\n");
  struct vt_corpus_options options = options_for(VT_TOKENS_WORDS);
  struct outcome outcome = encode(folder, &input, 1, &options);
  release(&outcome);
  size_t bytes;
  char *file = vtt_read(vtt_path(folder, "encoded"), &bytes);
  assert_int_equal(bytes, 64 + 4 * 7);
  struct vt_corpus *corpus = NULL;
  for (size_t i = 0; i < VT_CORPUS_HEADER_BYTES; i++) {
    for (int bit = 0; bit < 8; bit++) {
      file[i] = (char)(file[i] ^ 1 << bit);
      assert_int_equal(vt_corpus_open(vtt_write(folder, "x", file, bytes), &corpus, NULL), VT_ERROR_CORRUPT);
      file[i] = (char)(file[i] ^ 1 << bit);
    }
  }
  for (size_t cut = 0; cut < bytes; cut++)
    assert_int_equal(vt_corpus_open(vtt_write(folder, "x", file, cut), &corpus, NULL), VT_ERROR_CORRUPT);
  char longer[64 + 4 * 8] = {0};
  memcpy(longer, file, bytes);
  assert_int_equal(vt_corpus_open(vtt_write(folder, "x", longer, sizeof longer), &corpus, NULL), VT_ERROR_CORRUPT);
  assert_int_equal(vt_corpus_open(vtt_write(folder, "x", file, bytes), &corpus, NULL), VT_OK);
  vt_corpus_free(corpus);
  corpus = NULL;
  struct vt_error error;
  assert_int_not_equal(vt_corpus_open(vtt_path(folder, "missing"), &corpus, &error), VT_OK);
  assert_non_null(strstr(error.message, "missing"));
  assert_null(corpus);
  free(file);
  vtt_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(splits_into_words),
      cmocka_unit_test(keeps_inner_apostrophes),
      cmocka_unit_test(splits_at_space),
      cmocka_unit_test(ends_sentences_at_lines),
      cmocka_unit_test(brings_words_to_nfc),
      cmocka_unit_test(counts_spellings_as_one_word),
      cmocka_unit_test(folds_case),
      cmocka_unit_test(skips_a_byte_order_mark),
      cmocka_unit_test(counts_bytes_that_are_not_utf8),
      cmocka_unit_test(orders_and_cuts_the_vocabulary),
      cmocka_unit_test(reports_what_it_saw),
      cmocka_unit_test(encodes_against_a_given_vocabulary),
      cmocka_unit_test(reads_inputs_in_turn),
      cmocka_unit_test(reads_standard_input),
      cmocka_unit_test(reads_compressed),
      cmocka_unit_test(reads_large_compressed),
      cmocka_unit_test(refuses_what_is_not_text),
      cmocka_unit_test(refuses_text_that_turns_binary),
      cmocka_unit_test(refuses_words_too_long),
      cmocka_unit_test(reads_to_the_first_bad_place),
      cmocka_unit_test(refuses_what_cannot_be_read),
      cmocka_unit_test(refuses_damaged_compression),
      cmocka_unit_test(refuses_empty_corpora),
      cmocka_unit_test(refuses_wrong_options),
      cmocka_unit_test(opens_again),
      cmocka_unit_test(refuses_damaged_files),
  };
  VTT_TSAN_RUNS("reads_*");
  return cmocka_run_group_tests(tests, NULL, NULL);
}
