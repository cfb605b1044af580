/*
 * test_phrases.c: phrase learning against a plain one, on whole lists of strings; planted phrases; Vietnamese.
 * label: threads
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "base/rng.h"
#include "support/temporary.h"
#include "text/corpus_internal.h"
#include "text/encode.h"
#include "text/pairs.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define FOLDER_TEXT "text"

/* ---- the plain one ----------------------------------------------------------------------------------------------- */

/* Words in order, NULL for the end of a line; each owned. */
struct list {
  char **words;
  size_t count;
};

static void push(struct list *list, char *word) {
  if ((list->count & (list->count - 1)) == 0) {
    list->words = realloc(list->words, (list->count > 0 ? 2 * list->count : 1) * sizeof *list->words);
    assert_non_null(list->words);
  }
  list->words[list->count++] = word;
}

static void free_list(struct list *list) {
  for (size_t i = 0; i < list->count; i++) free(list->words[i]);
  free(list->words);
  *list = (struct list){0};
}

static char *copy(const char *text, size_t bytes) {
  char *word = calloc(bytes + 1, 1);
  assert_non_null(word);
  memcpy(word, text, bytes);
  return word;
}

static struct list split(const char *text) {
  struct list list = {0};
  while (*text != '\0') {
    size_t bytes = strcspn(text, " \n");
    if (bytes > 0) push(&list, copy(text, bytes));
    text += bytes;
    if (*text == '\n') push(&list, NULL);
    text += *text != '\0';
  }
  if (list.count > 0 && list.words[list.count - 1] != NULL) push(&list, NULL);
  return list;
}

/* How often each string occurs in a list of them; NULL is no string. */
struct tally {
  char **words; /* distinct, in order of bytes, borrowed */
  uint64_t *counts;
  size_t count;
};

static int compare_words(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static struct tally count_words(const struct list *list) {
  struct tally tally = {malloc((list->count + 1) * sizeof(char *)), calloc(list->count + 1, sizeof(uint64_t)), 0};
  size_t used = 0;
  for (size_t i = 0; i < list->count; i++)
    if (list->words[i] != NULL) tally.words[used++] = list->words[i];
  qsort(tally.words, used, sizeof *tally.words, compare_words);
  for (size_t i = 0; i < used; i++) {
    if (tally.count == 0 || strcmp(tally.words[tally.count - 1], tally.words[i]) != 0)
      tally.words[tally.count++] = tally.words[i];
    tally.counts[tally.count - 1]++;
  }
  return tally;
}

static uint64_t count_of(const struct tally *tally, const char *word) {
  char **found = bsearch(&word, tally->words, tally->count, sizeof *tally->words, compare_words);
  return found == NULL ? 0 : tally->counts[found - tally->words];
}

static void free_tally(struct tally *tally) {
  free(tally->words);
  free(tally->counts);
}

static char *glue(const char *first, const char *separator, const char *second) {
  size_t bytes = strlen(first) + strlen(separator) + strlen(second) + 1;
  char *both = malloc(bytes);
  assert_non_null(both);
  snprintf(both, bytes, "%s%s%s", first, separator, second);
  return both;
}

static bool both_words(const struct list *list, size_t i) {
  return i > 0 && list->words[i - 1] != NULL && list->words[i] != NULL;
}

static struct list join_once(const struct list *list, uint64_t min_count, double threshold) {
  struct list pairs = {0}, joined = {0};
  size_t words = 0;
  for (size_t i = 0; i < list->count; i++) {
    words += list->words[i] != NULL;
    push(&pairs, both_words(list, i) ? glue(list->words[i - 1], " ", list->words[i]) : NULL);
  }
  struct tally singles = count_words(list), doubles = count_words(&pairs);
  bool taken = false; /* the word before is part of a phrase */
  for (size_t i = 0; i < list->count; i++) {
    bool phrase = false;
    if (both_words(list, i) && !taken) {
      uint64_t both = count_of(&doubles, pairs.words[i]);
      double product = (double)count_of(&singles, list->words[i - 1]) * (double)count_of(&singles, list->words[i]);
      phrase = both > min_count && (double)(both - min_count) * (double)words / product > threshold;
    }
    if (phrase) {
      char *first = joined.words[--joined.count];
      push(&joined, glue(first, "_", list->words[i]));
      free(first);
    } else {
      push(&joined, list->words[i] == NULL ? NULL : copy(list->words[i], strlen(list->words[i])));
    }
    taken = phrase;
  }
  free_tally(&singles);
  free_tally(&doubles);
  free_list(&pairs);
  return joined;
}

static struct list join(const char *text, const struct vt_corpus_options *options) {
  struct list list = split(text);
  for (uint32_t i = 0; i < options->phrases; i++) {
    struct list joined = join_once(&list, options->min_count, options->phrase_threshold);
    free_list(&list);
    list = joined;
  }
  return list;
}

/* ---- comparing --------------------------------------------------------------------------------------------------- */

struct made {
  struct vt_vocab *vocab;
  struct vt_corpus *corpus;
  struct vt_corpus_report report;
};

static const struct vt_encode_sizes usual = {1 << 18, 1 << 20, 1 << 20};

static struct made encode(struct vtt_folder *folder, const struct vt_corpus_options *options,
                          const struct vt_encode_sizes *sizes) {
  const char *input = vtt_path(folder, FOLDER_TEXT);
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

static struct vt_corpus_options options_for(uint32_t phrases, double threshold, uint64_t min_count) {
  struct vt_corpus_options options;
  vt_corpus_options_init(&options);
  options.tokens = VT_TOKENS_SPACE;
  options.min_count = min_count;
  options.phrases = phrases;
  options.phrase_threshold = threshold;
  return options;
}

/* What a list of words should have been encoded as; written holds the words of the text itself. */
static void check(const struct list *list, const struct tally *written, const struct made *made,
                  const struct vt_corpus_options *options) {
  struct tally tally = count_words(list);
  size_t size = 0, phrases = 0;
  for (size_t i = 0; i < tally.count; i++) {
    uint32_t id;
    bool inside = tally.counts[i] >= options->min_count;
    if (vt_vocab_find(made->vocab, tally.words[i], &id) != inside) fail_msg("%s", tally.words[i]);
    if (!inside) continue;
    assert_int_equal(vt_vocab_count(made->vocab, id), tally.counts[i]);
    phrases += count_of(written, tally.words[i]) == 0;
    size++;
  }
  assert_int_equal(vt_vocab_size(made->vocab), size);
  assert_int_equal(made->report.phrases, phrases);
  for (uint32_t id = 1; id < size; id++) {
    uint64_t before = vt_vocab_count(made->vocab, id - 1), here = vt_vocab_count(made->vocab, id);
    assert_true(before > here ||
                (before == here && strcmp(vt_vocab_text(made->vocab, id - 1), vt_vocab_text(made->vocab, id)) < 0));
  }
  const uint32_t *ids = vt_corpus_ids(made->corpus);
  uint64_t at = 0, entries = vt_corpus_entries(made->corpus), tokens = 0;
  bool open = false;
  for (size_t i = 0; i < list->count; i++) {
    uint32_t id = VT_CORPUS_END;
    if (list->words[i] != NULL ? !vt_vocab_find(made->vocab, list->words[i], &id) : !open) continue;
    assert_true(at < entries);
    if (ids[at] != id) fail_msg("entry %llu is %u instead of %u", (unsigned long long)at, ids[at], id);
    at++;
    open = list->words[i] != NULL;
    tokens += open;
  }
  assert_int_equal(at, entries);
  assert_int_equal(made->report.tokens, tokens);
  assert_int_equal(vt_vocab_tokens(made->vocab), tokens);
  assert_true(vt_corpus_fingerprint(made->corpus) == vt_corpus_hash_entries(ids, entries, 0));
  free_tally(&tally);
}

/* Every way to cut and to spill the text, to divide the counting into rounds, and to share it out. */
static size_t check_all_ways(const char *text, const struct vt_corpus_options *given) {
  static const struct vt_encode_sizes sizes[] = {{1 << 18, 1 << 20, 1 << 20},
                                                 {1, 0, 0},
                                                 {1, 1 << 20, 4096},
                                                 {2, 3000, 0},
                                                 {5, 0, 1 << 20},
                                                 {40, 400, 1024},
                                                 {900, 0, 0},
                                                 {3000, 1 << 20, 16384}};
  struct vtt_folder *folder = vtt_folder_create();
  (void)vtt_write_text(folder, FOLDER_TEXT, text);
  struct list list = join(text, given), plain = split(text);
  struct tally written = count_words(&plain);
  size_t phrases = 0;
  for (size_t i = 0; i < COUNT(sizes); i++) {
    struct vt_corpus_options options = *given;
    options.threads = i % 4 == 3 ? 8 : 1 + (int)i % 4;
    struct made made = encode(folder, &options, &sizes[i]);
    check(&list, &written, &made, &options);
    phrases = made.report.phrases;
    free_made(&made);
  }
  free_tally(&written);
  free_list(&list);
  free_list(&plain);
  vtt_folder_remove(folder);
  return phrases;
}

/* Words of which small numbers are frequent; many of them bring another one along; some look like phrases already, or
 * repeat. A line has one word or hundreds. */
static char *make_text(uint64_t seed, size_t words) {
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, seed, 0, 0);
  char *text = malloc(16 * words + 64), *out = text;
  assert_non_null(text);
  uint32_t previous = 0, repeat = 0, longest = 2 + vt_rng_below(&rng, 400);
  for (size_t i = 0; i < words; i++) {
    uint32_t word = vt_rng_below(&rng, 60) * vt_rng_below(&rng, 60) / 60;
    if (previous % 3 == 1 && vt_rng_below(&rng, 4) > 0) word = previous * 7 % 61;
    if (repeat > 0) repeat--, word = previous;
    if (vt_rng_below(&rng, 200) == 0) repeat = vt_rng_below(&rng, 9);
    out += snprintf(out, 8, "w%u", word);
    if (vt_rng_below(&rng, 50) == 0) out += snprintf(out, 8, "_w%u", word * 7 % 61);
    *out++ = vt_rng_below(&rng, longest) == 0 ? '\n' : ' ';
    previous = word;
  }
  *out = '\0';
  return text;
}

static void agrees_with_the_plain_one(void **state) {
  (void)state;
  static const double thresholds[] = {0, 1, 3, 8};
  size_t phrases = 0;
  for (uint64_t seed = 0; seed < 12; seed += vtt_sanitized ? 5 : 1) {
    char *text = make_text(seed, 200 + 120 * seed);
    struct vt_corpus_options options = options_for(1 + (uint32_t)seed % 3, thresholds[seed % 4], 1 + seed / 4 * 2);
    phrases += check_all_ways(text, &options);
    free(text);
  }
  assert_true(phrases > (vtt_sanitized ? 40 : 200));
}

/* Every pair is a phrase: whether the first word of a stretch is joined depends on the first word of the text. */
static void long_runs_are_joined_from_the_left(void **state) {
  (void)state;
  enum { WORDS = 1000 };
  for (size_t words = WORDS; words <= WORDS + 1; words++) {
    for (unsigned kinds = 1; kinds <= 2; kinds++) {
      char *text = calloc(2 * words + 1, 1);
      assert_non_null(text);
      for (size_t i = 0; i < words; i++) text[2 * i] = (char)('a' + i % kinds), text[2 * i + 1] = ' ';
      for (uint32_t passes = 1; passes <= 3; passes++) {
        struct vt_corpus_options options = options_for(passes, 0, 1);
        assert_true(check_all_ways(text, &options) > 0);
      }
      free(text);
    }
  }
}

/* ---- what becomes of small texts --------------------------------------------------------------------------------- */

/* lines[count], repeated so often. */
static struct made encode_lines(struct vtt_folder *folder, const char *const *lines, size_t count, size_t times,
                                const struct vt_corpus_options *options) {
  size_t bytes = 1;
  for (size_t i = 0; i < count; i++) bytes += strlen(lines[i]) + 1;
  char *text = malloc(bytes * times), *out = text;
  assert_non_null(text);
  for (size_t i = 0; i < count * times; i++) out += snprintf(out, bytes, "%s\n", lines[i % count]);
  (void)vtt_write_text(folder, FOLDER_TEXT, text);
  free(text);
  return encode(folder, options, &usual);
}

static void has(const struct made *made, const char *word, uint64_t count) {
  uint32_t id;
  bool found = vt_vocab_find(made->vocab, word, &id);
  if (found != (count > 0)) fail_msg("\"%s\" is%s in the vocabulary", word, found ? "" : " not");
  if (found) assert_int_equal(vt_vocab_count(made->vocab, id), count);
}

/* Each word of "new york" also stands elsewhere, "red" and "new" meet as often as chance has it. With a min_count of 25
 * the other pairs that a line makes are too rare. */
static const char *const city[] = {
    "in new york i saw a red house and a new road",   "new york is a city of red stone",
    "a red road leads to new york by night",          "by night a house is red or new",
    "i saw new york times and i saw york by night",   "the city of new york by night",
    "a new house of stone stands in a red city road", "i read new york times in a house"};

static void finds_what_was_planted(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_corpus_options options = options_for(0, 3.4, 25);
  struct made made = encode_lines(folder, city, COUNT(city), 20, &options);
  has(&made, "new_york", 0);
  has(&made, "new", 180);
  assert_int_equal(made.report.phrases, 0);
  uint64_t read = made.report.tokens_read, tokens = made.report.tokens;
  free_made(&made);

  options.phrases = 1;
  made = encode_lines(folder, city, COUNT(city), 20, &options);
  has(&made, "new_york", 120);
  has(&made, "new", 60);
  has(&made, "york", 0);   /* 20 are left, which is not enough */
  has(&made, "times", 40); /* york has been joined to the left */
  has(&made, "york_times", 0);
  has(&made, "red_house", 0);
  has(&made, "a_new", 0);
  assert_int_equal(made.report.tokens_read, read);
  assert_true(made.report.tokens < tokens);
  free_made(&made);

  options.phrases = 2;
  made = encode_lines(folder, city, COUNT(city), 20, &options);
  has(&made, "new_york_times", 40);
  has(&made, "new_york", 80);
  has(&made, "times", 0);
  free_made(&made);

  options.phrase_threshold = VT_PHRASE_THRESHOLD_MAX;
  made = encode_lines(folder, city, COUNT(city), 20, &options);
  assert_int_equal(made.report.phrases, 0);
  assert_int_equal(made.report.tokens, tokens);
  free_made(&made);
  vtt_folder_remove(folder);
}

/* The score is n(a b) - min_count against chance: 20 words, both of "new york" 4 times, three of them together. */
static void the_threshold_is_exact(void **state) {
  (void)state;
  static const char *const lines[] = {"new york a b c d e", "f new york g h i j", "new york k york l new"};
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_corpus_options options = options_for(1, 2.5, 1); /* (3 - 1) 20 / (4 4) */
  struct made made = encode_lines(folder, lines, COUNT(lines), 1, &options);
  assert_int_equal(made.report.tokens_read, 20);
  has(&made, "new_york", 0);
  free_made(&made);
  options.phrase_threshold = 2.4999999;
  made = encode_lines(folder, lines, COUNT(lines), 1, &options);
  has(&made, "new_york", 3);
  has(&made, "new", 1);
  free_made(&made);
  vtt_folder_remove(folder);
}

/* A rare word in between keeps two words apart, although it is left out in the end; so does a line end. */
static void only_neighbours_are_joined(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_corpus_options options = options_for(3, 0.01, 5);
  char lines[40][32];
  const char *given[COUNT(lines)];
  for (size_t i = 0; i < COUNT(lines); i++) {
    if (i < 20)
      snprintf(lines[i], sizeof lines[i], "new rare%zu york", i);
    else
      snprintf(lines[i], sizeof lines[i], "%s", i % 2 ? "york" : "new");
    given[i] = lines[i];
  }
  struct made made = encode_lines(folder, given, COUNT(given), 1, &options);
  has(&made, "new", 30);
  has(&made, "york", 30);
  assert_int_equal(vt_vocab_size(made.vocab), 2);
  assert_int_equal(made.report.tokens, 60);
  free_made(&made);
  vtt_folder_remove(folder);
}

/* Syllables typed in two ways are the same, and so are the compounds they make. */
static void joins_vietnamese_syllables(void **state) {
  (void)state;
  static const char *const lines[] = {
      "H\xE1\xBB\x8D"
      "c sinh \xC4\x91i h\xE1\xBB\x8D"
      "c.", /* Học sinh đi học. */
      "ho\xCC\xA3"
      "c sinh \xC4\x91\xE1\xBA\xBFn tr\xC6\xB0\xE1\xBB\x9Dng, sinh vi\xC3\xAAn \xE1\xBB\x9F nh\xC3\xA0",
      "h\xE1\xBB\x8D"
      "c sinh \xC4\x91\xE1\xBB\x8D"
      "c s\xC3\xA1"
      "ch v\xC3\xA0 \xC4\x91i ch\xC6\xA1i \xE1\xBB\x9F nh\xC3\xA0 tr\xC6\xB0\xE1\xBB\x9Dng"};
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_corpus_options options = options_for(1, 2, 5);
  options.tokens = VT_TOKENS_WORDS;
  options.fold_case = true;
  struct made made = encode_lines(folder, lines, COUNT(lines), 10, &options);
  has(&made,
      "h\xE1\xBB\x8D"
      "c_sinh",
      30);
  has(&made,
      "h\xE1\xBB\x8D"
      "c",
      10);
  has(&made, "sinh", 0); /* the other ones are in sinh_viên */
  has(&made, "sinh_vi\xC3\xAAn", 10);
  free_made(&made);
  vtt_folder_remove(folder);
}

/* a_b stands in the text, and a b are joined to it; a_b c and a b_c are one phrase. */
static void joins_to_words_that_are_there(void **state) {
  (void)state;
  static const char *const lines[] = {"a b c x\n", "a_b c y\n", "a b_c z\n", "b c x a\n", "c x y\n", "z a_b_c\n"};
  char text[1024];
  size_t used = 0;
  for (size_t i = 0; i < 20 * COUNT(lines); i++)
    used += (size_t)snprintf(text + used, sizeof text - used, "%s", lines[i % COUNT(lines)]);
  for (uint32_t passes = 1; passes <= 4; passes++) {
    struct vt_corpus_options options = options_for(passes, 1, 1);
    assert_true(check_all_ways(text, &options) > 0);
  }
}

static void chooses_the_vocabulary_afterwards(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_corpus_options options = options_for(1, 3.4, 25);
  options.max_vocab = 3;
  struct made made = encode_lines(folder, city, COUNT(city), 20, &options);
  assert_int_equal(vt_vocab_size(made.vocab), 3);
  has(&made, "a", 160);
  has(&made, "new_york", 120);
  has(&made, "red", 100);
  assert_int_equal(made.report.phrases, 1);
  free_made(&made);
  vtt_folder_remove(folder);
}

/* A word that would be too long is not made. */
static void long_words_stay_apart(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  for (size_t first = 2047; first <= 2048; first++) {
    char line[4200] = "";
    memset(line, 'x', first + 1 + 2048);
    line[first] = ' ';
    const char *const lines[] = {line, "some other words"};
    struct vt_corpus_options options = options_for(1, 1, 1);
    struct made made = encode_lines(folder, lines, 2, 10, &options);
    line[first] = '_';
    has(&made, line, first == 2047 ? 10 : 0);
    free_made(&made);
  }
  vtt_folder_remove(folder);
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

static void threads_change_nothing(void **state) {
  (void)state;
  static const struct {
    int threads;
    struct vt_encode_sizes sizes;
  } ways[] = {{1, {1 << 18, 1 << 22, 1 << 22}},
              {2, {20000, 1 << 22, 1 << 22}},
              {3, {5000, 1 << 14, 1 << 14}},
              {8, {20000, 0, 1 << 22}}};
  struct vtt_folder *folder = vtt_folder_create();
  char *text = make_text(99, 120000);
  (void)vtt_write_text(folder, FOLDER_TEXT, text);
  char *first = NULL, *first_words = NULL;
  size_t first_bytes = 0;
  for (size_t i = 0; i < COUNT(ways); i++) {
    struct vt_corpus_options options = options_for(3, 2, 5);
    options.threads = ways[i].threads;
    struct made made = encode(folder, &options, &ways[i].sizes);
    assert_true(made.report.phrases > 20);
    assert_int_equal(vt_vocab_save(made.vocab, vtt_path(folder, "words"), NULL), VT_OK);
    size_t bytes;
    char *encoded = vtt_read(vtt_path(folder, "encoded"), &bytes), *words = vtt_read(vtt_path(folder, "words"), NULL);
    (void)remove(vtt_path(folder, "words"));
    free_made(&made);
    if (i == 0) {
      first = encoded;
      first_words = words;
      first_bytes = bytes;
      continue;
    }
    assert_int_equal(bytes, first_bytes);
    assert_memory_equal(encoded, first, bytes);
    assert_string_equal(words, first_words);
    free(encoded);
    free(words);
  }
  free(first);
  free(first_words);
  free(text);
  vtt_folder_remove(folder);
}

static void the_table_of_pairs_fills_up(void **state) {
  (void)state;
  struct vt_pairs pairs;
  assert_int_equal(vt_pairs_init(&pairs, 100, 1, NULL), VT_OK);
  assert_int_equal(pairs.slot_count, 128);
  assert_int_equal(pairs.limit, 96);
  for (int round = 0; round < 2; round++) {
    for (uint32_t i = 0; i < 96; i++) {
      uint64_t key = vt_pair_key(i, i / 2);
      assert_int_equal(vt_pair_first(key), i);
      assert_int_equal(vt_pair_second(key), i / 2);
      assert_true(vt_pairs_add(&pairs, key, vt_pair_hash(key), i + 1));
      assert_true(vt_pairs_add(&pairs, key, vt_pair_hash(key), 3));
    }
    for (uint32_t i = 0; i < 96; i++)
      assert_int_equal(atomic_load(&vt_pairs_find(&pairs, vt_pair_key(i, i / 2))->count), i + 4);
    assert_null(vt_pairs_find(&pairs, vt_pair_key(0, 1)));
    uint64_t one_more = vt_pair_key(UINT32_MAX - 2, UINT32_MAX - 2);
    assert_int_equal(vt_pair_first(one_more), UINT32_MAX - 2);
    assert_false(vt_pairs_add(&pairs, one_more, vt_pair_hash(one_more), 1));
    vt_pairs_clear(&pairs);
    assert_null(vt_pairs_find(&pairs, vt_pair_key(0, 0)));
  }
  vt_pairs_release(&pairs);
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

static void refuses(struct vtt_folder *folder, const struct vt_corpus_options *options, enum vt_status expected,
                    const char *message) {
  const char *input = vtt_path(folder, FOLDER_TEXT);
  struct made made = {0};
  struct vt_error error = {0};
  assert_int_equal(
      vt_corpus_encode(&input, 1, options, vtt_path(folder, "encoded"), &made.vocab, &made.corpus, NULL, &error),
      expected);
  assert_string_equal(error.message, message);
  assert_null(made.vocab);
  assert_null(made.corpus);
  assert_int_equal(vtt_folder_entries(folder), 1);
}

static void refuses_wrong_options(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  (void)vtt_write_text(folder, FOLDER_TEXT, "a a a a a\n");
  struct vt_corpus_options options = options_for(VT_PHRASES_MAX + 1, 100, 1);
  refuses(folder, &options, VT_ERROR_ARGUMENT, "101 passes for phrases: at most 100");
  options = options_for(1, (double)NAN, 1);
  refuses(folder, &options, VT_ERROR_ARGUMENT, "a phrase threshold of nan; it must lie between 0 and 1e+12");
  options = options_for(1, -1, 1);
  refuses(folder, &options, VT_ERROR_ARGUMENT, "a phrase threshold of -1; it must lie between 0 and 1e+12");
  options = options_for(1, 2e12, 1);
  refuses(folder, &options, VT_ERROR_ARGUMENT, "a phrase threshold of 2e+12; it must lie between 0 and 1e+12");
  const char *const words[] = {"a"};
  struct vt_vocab *given;
  assert_int_equal(vt_vocab_create(words, NULL, 1, &given, NULL), VT_OK);
  options = options_for(1, 100, 1);
  options.vocab = given;
  refuses(folder, &options, VT_ERROR_ARGUMENT, "phrases are new words, and with a given vocabulary there can be none");
  vt_vocab_free(given);
  /* Four pairs, but only two of them can be joined. */
  options = options_for(1, 0, 3);
  refuses(folder, &options, VT_ERROR_EMPTY,
          "no word occurs 3 times, which --min-count asks for: the most frequent one occurs 2 times");
  vtt_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(agrees_with_the_plain_one),     cmocka_unit_test(long_runs_are_joined_from_the_left),
      cmocka_unit_test(finds_what_was_planted),        cmocka_unit_test(the_threshold_is_exact),
      cmocka_unit_test(only_neighbours_are_joined),    cmocka_unit_test(joins_vietnamese_syllables),
      cmocka_unit_test(joins_to_words_that_are_there), cmocka_unit_test(chooses_the_vocabulary_afterwards),
      cmocka_unit_test(long_words_stay_apart),         cmocka_unit_test(threads_change_nothing),
      cmocka_unit_test(the_table_of_pairs_fills_up),   cmocka_unit_test(refuses_wrong_options),
  };
  VTT_TSAN_RUNS("threads_*");
  return cmocka_run_group_tests(tests, NULL, NULL);
}
