/* test_bpe.c: byte pairs: where words end, what is learnt (by hand, and against counting all pairs anew for each
 * merge), round trips, tokenizer.json, and a text as a corpus of pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "support/temporary.h"
#include "text/bpe.h"
#include "text/bpe_internal.h"
#include "vectrail/corpus.h"

static struct vt_bpe *learn(const char *const *lines, size_t count, size_t tokens) {
  struct vt_bpe_trainer *trainer;
  struct vt_bpe *bpe;
  struct vt_error error;
  assert_int_equal(vt_bpe_trainer_create(&trainer, &error), VT_OK);
  for (size_t k = 0; k < count; k++)
    assert_int_equal(vt_bpe_trainer_add(trainer, (const unsigned char *)lines[k], strlen(lines[k]), &error), VT_OK);
  assert_int_equal(vt_bpe_trainer_learn(trainer, tokens, NULL, &bpe, &error), VT_OK);
  vt_bpe_trainer_free(trainer);
  return bpe;
}

static size_t encode(const struct vt_bpe *bpe, const void *text, size_t bytes, uint32_t **ids) {
  size_t count = 0, capacity = 0;
  *ids = NULL;
  assert_int_equal(vt_bpe_encode(bpe, text, bytes, ids, &count, &capacity, NULL), VT_OK);
  return count;
}

/* Encodes, decodes, and holds the bytes against each other. */
static size_t round_trip(const struct vt_bpe *bpe, const void *text, size_t bytes) {
  uint32_t *ids;
  size_t count = encode(bpe, text, bytes, &ids), at = 0;
  for (size_t k = 0; k < count; k++) {
    size_t length;
    const unsigned char *piece = vt_bpe_bytes(bpe, ids[k], &length);
    assert_true(length > 0 && at + length <= bytes);
    assert_memory_equal((const char *)text + at, piece, length);
    at += length;
  }
  assert_int_equal(at, bytes);
  vt_free(ids);
  return count;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

static void words_end_as_in_gpt2(void **state) {
  (void)state;
  /* Words are shown between bars; the texts are those of the pattern's own cases. */
  static const char *const cases[] = {
      "Hello| world", "It|'s| 2024|,| isn|'t| it|?!", "we|'ve| they|'ll| I|'d| I|'m| you|'re", "a|  | b|   ",
      "tab|\t|then| \t| word", "caf\xC3\xA9| na\xC3\xAFve| \xD0\xBC\xD0\xB8\xD1\x80|123|abc", "x|...'|s",
      " '|s| \"|quoted|\"", "nbsp|\xC2\xA0|next", "\xFF\xFE|bad",
      /* Worked out from the pattern as it is published: contractions in small letters alone, an optional space before
       * letters, numbers or all else, and of blanks the last one left for what follows, where that is no blank. */
      "I|'|S", "don|'t|'ve| '|twas| ''|s", "end|  ", "x|2|y| 3|.|14| -|1", "_|x|_| $|5|%", "a|\n\n| b", "a|\n|\n|b",
      "\t |\t|x", "a|   | b|\xE3\x80\x80|c",                      /* ideographic space */
      "Ti\xE1\xBA\xBFng| Vi\xE1\xBB\x87t| \xC4\x91\xE1\xBA\xB9p", /* Tiếng Việt đẹp; marks of their own are no letters:
                                                                   */
      "Vie|\xCC\xA3\xCC\x82|t| a|\xCC\x81",
      "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E\xE3\x81\xA7\xE3\x81\x99| \xD9\xA3\xC2\xBD", /* kana and signs; digits, 1/2
                                                                                         */
      "hi| \xF0\x9F\x98\x80\xF0\x9F\x91\x8D\xF0\x9F\x8F\xBD!|x", /* a face, a thumb with its skin */
      "\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9|2",          /* two that are joined */
  };
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    char text[128], found[256];
    size_t bytes = 0, length = 0;
    for (const char *at = cases[c]; *at != '\0'; at++)
      if (*at != '|') text[bytes++] = *at;
    for (size_t at = 0, end; at < bytes; at = end) {
      end = vt_bpe_word_end((const unsigned char *)text, bytes, at);
      assert_true(end > at && end <= bytes);
      if (at > 0) found[length++] = '|';
      memcpy(found + length, text + at, end - at);
      length += end - at;
    }
    found[length] = '\0';
    assert_string_equal(found, cases[c]);
  }
  /* A run without end is cut. */
  unsigned char *run = malloc(20000);
  assert_non_null(run);
  memset(run, 'a', 20000);
  assert_in_range(vt_bpe_word_end(run, 20000, 0), VT_BPE_WORD_BYTES_MAX, VT_BPE_WORD_BYTES_MAX + 4);
  free(run);
}

/* ---- learning ---------------------------------------------------------------------------------------------------- */

/* aaabdaaabac: aa stands there 4 times; then ab and Za twice, of which ab comes first by its tokens; then Zab twice. */
static void learns_by_hand(void **state) {
  (void)state;
  static const char *const line[] = {"aaabdaaabac"};
  struct vt_bpe *bpe = learn(line, 1, 1000);
  assert_int_equal(vt_bpe_size(bpe), 259); /* no pair is left that occurs twice */
  assert_string_equal(vt_bpe_spelling(bpe, 256), "aa");
  assert_string_equal(vt_bpe_spelling(bpe, 257), "ab");
  assert_string_equal(vt_bpe_spelling(bpe, 258), "aaab");
  uint32_t *ids;
  size_t count = encode(bpe, "aaabdaaabac", 11, &ids);
  static const uint32_t expected[] = {258, 'd', 258, 'a', 'c'};
  assert_int_equal(count, 5);
  assert_memory_equal(ids, expected, sizeof expected);
  vt_free(ids);
  vt_bpe_free(bpe);
  struct vt_bpe_trainer *trainer;
  struct vt_error error;
  assert_int_equal(vt_bpe_trainer_create(&trainer, &error), VT_OK);
  assert_int_equal(vt_bpe_trainer_learn(trainer, 255, NULL, &bpe, &error), VT_ERROR_ARGUMENT);
  vt_bpe_trainer_free(trainer);
}

#define LINES_MAX 1200
#define LINE_BYTES 80
#define TOKENS 420

struct lines {
  size_t count;
  const char *at[LINES_MAX];
  char text[LINES_MAX][LINE_BYTES];
};

/* Lines of the letters of an alphabet, of at least so many bytes each and less than `longest`. */
static void make_lines(struct lines *lines, size_t count, const char *alphabet, size_t shortest, size_t longest) {
  struct vt_rng rng = vt_rng_make(VT_RNG_ORDER, 7, 0, 0);
  const uint32_t letters = (uint32_t)strlen(alphabet);
  lines->count = count;
  for (size_t k = 0; k < count; k++) {
    size_t length = shortest + vt_rng_below(&rng, (uint32_t)(longest - shortest));
    for (size_t c = 0; c < length; c++) lines->text[k][c] = alphabet[vt_rng_below(&rng, letters)];
    lines->text[k][length] = '\0';
    lines->at[k] = lines->text[k];
  }
}

struct naive {
  uint32_t *words[LINES_MAX * LINE_BYTES];
  size_t lengths[LINES_MAX * LINE_BYTES], count;
  uint32_t pairs[TOKENS][TOKENS];
};

static void split(struct naive *naive, const struct lines *lines) {
  for (size_t k = 0; k < lines->count; k++) {
    const unsigned char *line = (const unsigned char *)lines->at[k];
    const size_t bytes = strlen(lines->at[k]);
    for (size_t at = 0, end; at < bytes; at = end) {
      end = vt_bpe_word_end(line, bytes, at);
      uint32_t *word = calloc(end - at, sizeof *word);
      assert_non_null(word);
      for (size_t c = at; c < end; c++) word[c - at] = line[c];
      naive->words[naive->count] = word;
      naive->lengths[naive->count++] = end - at;
    }
  }
}

/* The pair that occurs most often, the first by its tokens among equals; false: none occurs twice. */
static bool most_frequent(struct naive *naive, uint32_t *left, uint32_t *right) {
  memset(naive->pairs, 0, sizeof naive->pairs);
  for (size_t w = 0; w < naive->count; w++)
    for (size_t k = 0; k + 1 < naive->lengths[w]; k++) naive->pairs[naive->words[w][k]][naive->words[w][k + 1]]++;
  uint32_t most = 1;
  for (uint32_t a = 0; a < TOKENS; a++)
    for (uint32_t b = 0; b < TOKENS; b++) {
      if (naive->pairs[a][b] <= most) continue;
      most = naive->pairs[a][b];
      *left = a;
      *right = b;
    }
  return most > 1;
}

static void merge(struct naive *naive, const struct vt_bpe_merge *merge) {
  for (size_t w = 0; w < naive->count; w++) {
    size_t kept = 0;
    uint32_t *word = naive->words[w];
    for (size_t k = 0; k < naive->lengths[w]; k++) {
      bool meets = k + 1 < naive->lengths[w] && word[k] == merge->left && word[k + 1] == merge->right;
      word[kept++] = meets ? merge->made : word[k];
      k += meets;
    }
    naive->lengths[w] = kept;
  }
}

static void expect_what_counting_anew_finds(const struct lines *lines) {
  struct vt_bpe *bpe = learn(lines->at, lines->count, TOKENS);
  assert_true(bpe->merge_count > 100);
  struct naive *naive = calloc(1, sizeof *naive);
  assert_non_null(naive);
  split(naive, lines);
  for (size_t m = 0; m < bpe->merge_count; m++) {
    uint32_t left = 0, right = 0;
    assert_true(most_frequent(naive, &left, &right));
    assert_int_equal(bpe->merges[m].left, left);
    assert_int_equal(bpe->merges[m].right, right);
    merge(naive, &bpe->merges[m]);
  }
  for (size_t w = 0; w < naive->count; w++) free(naive->words[w]);
  free(naive);
  /* No two tokens are spelled alike. */
  for (uint32_t a = 0; a < vt_bpe_size(bpe); a++)
    for (uint32_t b = 0; b < a; b++) assert_string_not_equal(vt_bpe_spelling(bpe, a), vt_bpe_spelling(bpe, b));
  /* The order of the lines does not matter. */
  const char *backwards[LINES_MAX];
  for (size_t k = 0; k < lines->count; k++) backwards[k] = lines->at[lines->count - 1 - k];
  struct vt_bpe *other = learn(backwards, lines->count, TOKENS);
  assert_int_equal(other->merge_count, bpe->merge_count);
  assert_memory_equal(other->merges, bpe->merges, bpe->merge_count * sizeof *bpe->merges);
  vt_bpe_free(other);
  vt_bpe_free(bpe);
}

/* Of few letters, so that pairs overlap and spell the same in more than one way; and of so many that there are more
 * words, and pairs, than the tables of either have room for at first. */
static void learns_what_counting_anew_finds(void **state) {
  (void)state;
  static struct lines lines;
  make_lines(&lines, 60, "aaab bc", 20, LINE_BYTES - 1);
  expect_what_counting_anew_finds(&lines);
  make_lines(&lines, LINES_MAX, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", 6, 14);
  expect_what_counting_anew_finds(&lines);
}

/* ---- round trips and files --------------------------------------------------------------------------------------- */

static void any_bytes_come_back(void **state) {
  (void)state;
  static const char *const lines[] = {"the cat sat on the mat", "the other cat, that the first cat hated"};
  struct vt_bpe *bpe = learn(lines, 2, 300);
  struct vt_rng rng = vt_rng_make(VT_RNG_ORDER, 3, 0, 0);
  unsigned char text[5000];
  for (size_t k = 0; k < sizeof text; k++) text[k] = (unsigned char)vt_rng_below(&rng, 256);
  round_trip(bpe, text, sizeof text);
  memset(text, 'a', sizeof text);
  round_trip(bpe, text, sizeof text);
  assert_true(round_trip(bpe, lines[0], strlen(lines[0])) < strlen(lines[0]) * 3 / 4);
  vt_bpe_free(bpe);
}

static void a_file_says_all_of_it(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  static struct lines lines;
  make_lines(&lines, 60, "aaab bc", 20, LINE_BYTES - 1);
  struct vt_bpe *bpe = learn(lines.at, lines.count, TOKENS), *again;
  const char *path = vtt_path(folder, "tokenizer.json"), *second = vtt_path(folder, "second.json");
  struct vt_error error;
  assert_int_equal(vt_bpe_write(bpe, path, &error), VT_OK);
  assert_int_equal(vt_bpe_read(path, &again, &error), VT_OK);
  assert_int_equal(vt_bpe_size(again), vt_bpe_size(bpe));
  for (uint32_t k = 0; k < vt_bpe_size(bpe); k++)
    assert_string_equal(vt_bpe_spelling(again, k), vt_bpe_spelling(bpe, k));
  assert_int_equal(again->merge_count, bpe->merge_count);
  assert_memory_equal(again->merges, bpe->merges, bpe->merge_count * sizeof *bpe->merges);
  assert_int_equal(vt_bpe_write(again, second, &error), VT_OK);
  char *a = vtt_read(path, NULL), *b = vtt_read(second, NULL);
  assert_string_equal(a, b);
  free(a);
  free(b);
  vt_bpe_free(again);
  vt_bpe_free(bpe);
  vtt_folder_remove(folder);
}

/* All bytes, then what a test adds; `rest` closes the file. */
static const char *write_tokenizer(struct vtt_folder *folder, const char *tokens, const char *rest) {
  static char text[32768];
  int at = snprintf(text, sizeof text, "{\"model\": {\"type\": \"BPE\", \"vocab\": {");
  for (unsigned byte = 0; byte < 256; byte++)
    at += snprintf(text + at, sizeof text - (size_t)at, "%s\"\\u%04x\": %u", byte == 0 ? "" : ", ",
                   (unsigned)vt_bpe_byte_to_code((unsigned char)byte), byte);
  snprintf(text + at, sizeof text - (size_t)at, "%s%s", tokens, rest);
  return vtt_write_text(folder, "given.json", text);
}

static void reads_what_others_wrote(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_bpe *bpe;
  struct vt_error error;
  /* Merges as pairs and as text; a token that no merge makes. */
  const char *path =
      write_tokenizer(folder, ", \"th\": 256, \"\\u0120th\": 257, \"the\": 258",
                      "}, \"merges\": [\"t h\", [\"\\u0120\", \"th\"], [\"th\", \"e\"]]}, \"added_tokens\": "
                      "[{\"id\": 259, \"content\": \"<|end of text|>\"}]}");
  if (vt_bpe_read(path, &bpe, &error) != VT_OK) fail_msg("%s", error.message);
  assert_int_equal(vt_bpe_size(bpe), 260);
  uint32_t *ids;
  size_t count = encode(bpe, "the the", 7, &ids);
  static const uint32_t expected[] = {258, 257, 'e'}; /* the second merge takes the t h before the third can */
  assert_int_equal(count, 3);
  assert_memory_equal(ids, expected, sizeof expected);
  vt_free(ids);
  round_trip(bpe, "<|end of text|>", 15);
  vt_bpe_free(bpe);
  static const struct {
    const char *tokens, *rest;
    enum vt_status status;
    const char *says;
  } bad[] = {
      {"", "}, \"merges\": [\"t h\"]}}", VT_ERROR_CORRUPT, "merge 0 is of tokens that there are not"},
      {", \"th\": 300", "}, \"merges\": []}}", VT_ERROR_CORRUPT, "\"th\" has no number of its own"},
      {", \"th\": 255", "}, \"merges\": []}}", VT_ERROR_CORRUPT, "has no number of its own"},
      {"", "}, \"merges\": [7]}}", VT_ERROR_CORRUPT, "a merge makes no sense"},
      {"", "}, \"merges\": {}}}", VT_ERROR_UNSUPPORTED, "not a tokenizer.json of byte-pair encoding"},
      {"", "}, \"merges\": [", VT_ERROR_CORRUPT, "not a tokenizer.json: line 1"},
  };
  for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
    path = write_tokenizer(folder, bad[k].tokens, bad[k].rest);
    assert_int_equal(vt_bpe_read(path, &bpe, &error), bad[k].status);
    if (strstr(error.message, bad[k].says) == NULL) fail_msg("%s", error.message);
  }
  path = vtt_write_text(folder, "few.json", "{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": []}}");
  assert_int_equal(vt_bpe_read(path, &bpe, &error), VT_ERROR_UNSUPPORTED);
  vtt_folder_remove(folder);
}

/* ---- a corpus ---------------------------------------------------------------------------------------------------- */

static void a_text_becomes_a_corpus(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *inputs[] = {vtt_write_text(folder, "a.txt", "\xEF\xBB\xBFthe cat sat\r\n\n  the dog\tsat on the cat\n"),
                          vtt_write_text(folder, "b.txt", "no line end")};
  const char *ids_path = vtt_path(folder, "ids"), *lines_path = vtt_path(folder, "lines"),
             *tokenizer = vtt_path(folder, "t.json");
  struct vt_corpus_options options;
  vt_corpus_options_init(&options);
  uint64_t hashes[2];
  options.tokens = VT_TOKENS_BPE;
  options.bpe_tokens = 270;
  options.tokenizer_out = tokenizer;
  options.lines_path = lines_path;
  options.input_hashes = hashes;
  struct vt_vocab *vocab, *vocab_again;
  struct vt_corpus *corpus, *again;
  struct vt_corpus_report report;
  struct vt_error error;
  if (vt_corpus_encode(inputs, 2, &options, ids_path, &vocab, &corpus, &report, &error) != VT_OK)
    fail_msg("%s", error.message);
  assert_true(vt_vocab_size(vocab) > 260 && vt_vocab_size(vocab) <= 270);
  assert_int_equal(report.lines, 3);
  assert_int_equal(vt_corpus_sentences(corpus), 3);
  /* Put together again, the text is what it was, but for what ends a line. */
  char text[256];
  size_t at = 0;
  struct vt_bpe *bpe;
  assert_int_equal(vt_bpe_read(tokenizer, &bpe, &error), VT_OK);
  uint64_t counted = 0;
  for (uint64_t k = 0; k < vt_corpus_entries(corpus); k++) {
    uint32_t id = vt_corpus_ids(corpus)[k];
    if (id == VT_CORPUS_END) {
      text[at++] = '|';
      continue;
    }
    counted++;
    for (uint32_t t = 0; t < vt_bpe_size(bpe); t++) {
      if (strcmp(vt_bpe_spelling(bpe, t), vt_vocab_text(vocab, id)) != 0) continue;
      size_t length;
      const unsigned char *bytes = vt_bpe_bytes(bpe, t, &length);
      assert_true(at + length < sizeof text - 1);
      memcpy(text + at, bytes, length);
      at += length;
    }
  }
  text[at] = '\0';
  assert_string_equal(text, "the cat sat|  the dog\tsat on the cat|no line end|");
  assert_true(counted == report.tokens && counted == vt_vocab_tokens(vocab));
  uint64_t *lines = (uint64_t *)(void *)vtt_read(lines_path, NULL);
  assert_true(lines[0] == 0 && lines[1] == 2 && lines[2] == (uint64_t)1 << VT_CORPUS_LINE_BITS);
  free(lines);
  /* Again by the tokenizer that was kept, with the vocabulary given, as a replay does it: the same ids. */
  options.tokenizer = tokenizer;
  options.tokenizer_out = NULL;
  options.vocab = vocab;
  const char *second = vtt_path(folder, "again");
  assert_int_equal(vt_corpus_encode(inputs, 2, &options, second, &vocab_again, &again, NULL, &error), VT_OK);
  assert_true(vt_corpus_fingerprint(again) == vt_corpus_fingerprint(corpus));
  vt_vocab_free(vocab_again);
  vt_corpus_free(again);
  vt_bpe_free(bpe);
  vt_vocab_free(vocab);
  vt_corpus_free(corpus);
  options.vocab = NULL;
  options.phrases = 1;
  assert_int_equal(vt_corpus_encode(inputs, 2, &options, second, &vocab, &corpus, NULL, &error), VT_ERROR_ARGUMENT);
  options.phrases = 0;
  inputs[0] = vtt_write(folder, "nul", "a\0b", 3);
  assert_int_equal(vt_corpus_encode(inputs, 1, &options, second, &vocab, &corpus, NULL, &error), VT_ERROR_FORMAT);
  inputs[0] = vtt_write_text(folder, "empty", "\n\n");
  assert_int_equal(vt_corpus_encode(inputs, 1, &options, second, &vocab, &corpus, NULL, &error), VT_ERROR_EMPTY);
  vtt_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(words_end_as_in_gpt2),
      cmocka_unit_test(learns_by_hand),
      cmocka_unit_test(learns_what_counting_anew_finds),
      cmocka_unit_test(any_bytes_come_back),
      cmocka_unit_test(a_file_says_all_of_it),
      cmocka_unit_test(reads_what_others_wrote),
      cmocka_unit_test(a_text_becomes_a_corpus),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
