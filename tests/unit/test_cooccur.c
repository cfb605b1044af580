/* Counting which words meet (label: threads): to the unit what a count pair by pair gives, at every number of threads
 * and every limit of memory; what cannot be counted leaves nothing. */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "support/temporary.h"
#include "text/cooccur.h"

#define WORDS 300
#define ENTRIES 30000

/* Sentences of 0 to 40 words, frequent words often. */
static uint32_t *stream_create(uint64_t seed) {
  uint32_t *ids = malloc(ENTRIES * sizeof *ids);
  assert_non_null(ids);
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, seed, 0, 0);
  uint32_t left = 7;
  for (size_t k = 0; k < ENTRIES; k++) {
    double u = (double)vt_rng_unit(&rng);
    ids[k] = left == 0 || k + 1 == ENTRIES ? VT_CORPUS_END : (uint32_t)(u * u * u * WORDS);
    left = left == 0 ? 1 + vt_rng_below(&rng, 40) : left - 1;
  }
  return ids;
}

/* Pair by pair, by the definition. */
static uint64_t *brute_force(const struct vt_cooccur_text *text, const struct vt_cooccur_options *options) {
  uint64_t *table = calloc((size_t)WORDS * WORDS, sizeof *table);
  assert_non_null(table);
  for (uint64_t i = 0; i < text->entries; i++) {
    if (text->ids[i] == VT_CORPUS_END) continue;
    bool skipped = false;
    for (size_t s = 0; s < text->span_count; s++)
      skipped = skipped || (i >= text->spans[s].begin && i < text->spans[s].end);
    for (uint64_t j = i + 1; !skipped && j < text->entries && text->ids[j] != VT_CORPUS_END; j++) {
      if (j - i > options->window) break;
      uint64_t units = vt_cooccur_distance_units(options->weight, options->window, (uint32_t)(j - i));
      table[text->ids[j] * WORDS + text->ids[i]] += units;
      if (options->sides == VT_COOCCUR_BOTH) table[text->ids[i] * WORDS + text->ids[j]] += units;
    }
  }
  return table;
}

static void assert_counts(const struct vt_cooccur *counts, const uint64_t *table) {
  uint64_t pairs = 0;
  for (uint32_t i = 0; i < WORDS; i++) {
    const uint32_t *columns;
    const uint64_t *units;
    size_t n = vt_cooccur_row(counts, i, &columns, &units), at = 0;
    for (uint32_t j = 0; j < WORDS; j++) {
      if (table[i * WORDS + j] == 0) continue;
      assert_true(at < n);
      assert_int_equal(columns[at], j);
      assert_int_equal(units[at], table[i * WORDS + j]);
      at++;
    }
    assert_int_equal(at, n);
    pairs += n;
  }
  assert_int_equal(vt_cooccur_pairs(counts), pairs);
}

static struct vt_cooccur *count(const struct vt_cooccur_text *text, const struct vt_cooccur_options *options,
                                struct vt_cooccur_report *report) {
  struct vt_cooccur *counts;
  struct vt_error error;
  if (vt_cooccur_count_text(text, options, &counts, report, &error) != VT_OK) fail_msg("%s", error.message);
  return counts;
}

static void every_way_counts_the_same(void **state) {
  (void)state;
  uint32_t *ids = stream_create(1);
  const struct vt_cooccur_text text = {.ids = ids, .entries = ENTRIES, .words = WORDS};
  static const uint64_t memory[] = {VT_COOCCUR_MEMORY_DEFAULT, 400000, 60000, 28000};
  static const uint32_t windows[] = {1, 5, 10, 30};
  for (size_t w = 0; w < 4; w += vtt_under_tsan ? 2 : 1) {
    for (int weight = 0; weight < 3; weight++) {
      struct vt_cooccur_options options;
      vt_cooccur_options_init(&options);
      options.window = windows[w];
      options.weight = (enum vt_cooccur_weight)weight;
      options.sides = weight == 1 ? VT_COOCCUR_LEFT : VT_COOCCUR_BOTH;
      uint64_t *table = brute_force(&text, &options);
      for (int m = 0; m < 4; m++) {
        options.memory_bytes = memory[m];
        options.threads = (int[]){1, 2, 3, 8}[(m + (int)w) % 4];
        struct vt_cooccur_report report;
        struct vt_cooccur *counts = count(&text, &options, &report);
        assert_counts(counts, table);
        if (m == 0) assert_int_equal(report.runs, 1);
        if (m == 3) assert_true(report.runs >= 10);
        vt_cooccur_free(counts);
      }
      free(table);
    }
  }
  free(ids);
}

/* "a b c" and "b a": by hand, with 6 units for a word at one's side and 3 for the next but one. */
static void distances_by_hand(void **state) {
  (void)state;
  static const uint32_t ids[] = {0, 1, 2, VT_CORPUS_END, 1, 0, VT_CORPUS_END};
  const struct vt_cooccur_text text = {.ids = ids, .entries = 7, .words = 3};
  struct vt_cooccur_options options;
  vt_cooccur_options_init(&options);
  options.window = 3;
  struct vt_cooccur_report report;
  struct vt_cooccur *counts = count(&text, &options, &report);
  assert_int_equal(vt_cooccur_scale(counts), 6);
  assert_true(report.total == 7.0);
  const uint32_t *columns;
  const uint64_t *units;
  assert_int_equal(vt_cooccur_row(counts, 0, &columns, &units), 2);
  assert_int_equal(columns[0], 1);
  assert_int_equal(units[0], 12);
  assert_int_equal(columns[1], 2);
  assert_int_equal(units[1], 3);
  assert_int_equal(vt_cooccur_row_units(counts, 1), 18);
  vt_cooccur_free(counts);
}

static void scales_are_exact_up_to_22(void **state) {
  (void)state;
  for (uint32_t window = 1; window <= 22; window++) {
    uint64_t scale = vt_cooccur_distance_units(VT_COOCCUR_DISTANCE, window, 1);
    for (uint32_t n = 1; n <= window; n++)
      assert_int_equal(vt_cooccur_distance_units(VT_COOCCUR_DISTANCE, window, n) * n, scale);
  }
  for (uint32_t n = 1; n <= 1000; n++) {
    double exact = 232792560.0 / n;
    assert_true(fabs((double)vt_cooccur_distance_units(VT_COOCCUR_DISTANCE, 1000, n) - exact) <= 2.2e-6 * exact);
  }
}

static void spans_are_left_out(void **state) {
  (void)state;
  uint32_t *ids = stream_create(2);
  struct vt_span spans[ENTRIES / 8];
  size_t count_of = 0;
  uint64_t begin = 0;
  for (uint64_t k = 0, sentence = 0; k < ENTRIES; k++) {
    if (ids[k] != VT_CORPUS_END) continue;
    if (sentence++ % 9 == 4 && k > begin) spans[count_of++] = (struct vt_span){.begin = begin, .end = k};
    begin = k + 1;
  }
  const struct vt_cooccur_text text = {
      .ids = ids, .entries = ENTRIES, .words = WORDS, .spans = spans, .span_count = count_of};
  struct vt_cooccur_options options;
  vt_cooccur_options_init(&options);
  uint64_t *table = brute_force(&text, &options);
  for (int small = 0; small < 2; small++) {
    if (small == 1) options.memory_bytes = 30000;
    struct vt_cooccur *counts = count(&text, &options, NULL);
    assert_counts(counts, table);
    vt_cooccur_free(counts);
  }
  free(table);
  free(ids);
}

/* Every pair from its own place, by the formula of text/subsample.h. */
static uint64_t *expected_by_hand(const struct vt_cooccur_text *text, uint32_t window) {
  uint64_t *table = calloc((size_t)WORDS * WORDS, sizeof *table);
  assert_non_null(table);
  for (uint64_t i = 0; i < text->entries; i++)
    for (uint64_t j = i + 1; text->ids[i] != VT_CORPUS_END && text->ids[j] != VT_CORPUS_END; j++) {
      double between[8] = {1}, reach = 0, mass = 0;
      for (uint64_t k = i + 1; k < j; k++) {
        const double kept = text->keep[text->ids[k]];
        for (uint32_t m = window; m-- > 0;) between[m] = between[m] * (1 - kept) + (m > 0 ? between[m - 1] * kept : 0);
      }
      for (uint32_t m = 0; m < window; m++) {
        reach += between[m] * ((double)(window - m) / (double)window);
        mass += between[m];
      }
      if (mass < 0x1p-14) break;
      const double met = text->keep[text->ids[i]] * text->keep[text->ids[j]] * reach;
      const uint64_t units = (uint64_t)(met * 1048576 + 0.5);
      table[text->ids[i] * WORDS + text->ids[j]] += units;
      table[text->ids[j] * WORDS + text->ids[i]] += units;
    }
  return table;
}

static void subsampled_counts_are_the_same_every_way(void **state) {
  (void)state;
  uint32_t *ids = stream_create(5);
  double keep[WORDS];
  for (uint32_t w = 0; w < WORDS; w++) keep[w] = w < 40 ? 0.05 + 0.02 * w : 1;
  const struct vt_cooccur_text text = {.ids = ids, .entries = ENTRIES, .words = WORDS, .keep = keep};
  uint64_t *table = expected_by_hand(&text, 5);
  for (int m = 0; m < 3; m++) {
    struct vt_cooccur_options options;
    vt_cooccur_options_init(&options);
    options.window = 5;
    options.weight = VT_COOCCUR_LINEAR;
    options.memory_bytes = (uint64_t[]){VT_COOCCUR_MEMORY_DEFAULT, 60000, 28000}[m];
    options.threads = (int[]){2, 1, 8}[m];
    struct vt_cooccur *counts = count(&text, &options, NULL);
    assert_int_equal(vt_cooccur_scale(counts), 1048576);
    assert_counts(counts, table);
    vt_cooccur_free(counts);
  }
  free(table);
  free(ids);
}

/* Counts of a text, in a file. */
static void save_some(const char *path, struct vtt_folder *folder) {
  const char *text = vtt_write_text(folder, "text.txt", "a b c a d\nb a c\nd d a b\n");
  struct vt_corpus_options reading;
  struct vt_cooccur_options options;
  struct vt_vocab *vocab;
  struct vt_corpus *corpus;
  struct vt_cooccur *counts;
  vt_corpus_options_init(&reading);
  reading.min_count = 1;
  assert_int_equal(vt_corpus_encode_unnamed(&text, 1, &reading, &vocab, &corpus, NULL, NULL), VT_OK);
  vt_cooccur_options_init(&options);
  options.window = 3;
  options.weight = VT_COOCCUR_LINEAR;
  options.sample = 0.3;
  options.vocab = vocab;
  options.rules = &reading;
  assert_int_equal(vt_cooccur_count(corpus, &options, &counts, NULL, NULL), VT_OK);
  assert_int_equal(vt_cooccur_save(counts, vocab, path, NULL), VT_OK);
  struct vt_cooccur *read;
  struct vt_vocab *words;
  struct vt_error error;
  if (vt_cooccur_load(path, NULL, &read, &words, &error) != VT_OK) fail_msg("%s", error.message);
  assert_int_equal(vt_vocab_size(words), vt_vocab_size(vocab));
  for (uint32_t w = 0; w < vt_vocab_size(vocab); w++) {
    const uint32_t *columns[2];
    const uint64_t *units[2];
    assert_string_equal(vt_vocab_text(words, w), vt_vocab_text(vocab, w));
    assert_int_equal(vt_vocab_count(words, w), vt_vocab_count(vocab, w));
    const size_t pairs = vt_cooccur_row(counts, w, &columns[0], &units[0]);
    assert_int_equal(vt_cooccur_row(read, w, &columns[1], &units[1]), pairs);
    assert_memory_equal(columns[0], columns[1], pairs * sizeof **columns);
    assert_memory_equal(units[0], units[1], pairs * sizeof **units);
  }
  const struct vt_cooccur_options by = vt_cooccur_counted_by(read);
  const struct vt_cooccur_source on = vt_cooccur_counted_on(read);
  assert_true(by.window == 3 && by.weight == VT_COOCCUR_LINEAR && by.sides == VT_COOCCUR_BOTH && by.sample == 0.3);
  assert_true(vt_cooccur_scale(read) == vt_cooccur_scale(counts) && vt_cooccur_pairs(read) == vt_cooccur_pairs(counts));
  assert_true(on.tokens == 12 && on.sentences == 3 && on.fingerprint == vt_corpus_fingerprint(corpus));
  assert_true(on.rules_known && on.rule == VT_TOKENS_WORDS && on.min_count == 1 && !on.fold_case);
  vt_cooccur_free(read);
  vt_vocab_free(words);
  vt_cooccur_free(counts);
  vt_corpus_free(corpus);
  vt_vocab_free(vocab);
}

/* A byte here and there: what is read is the same, or nothing is. */
static void damage_is_seen(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "counts.db"), *broken = vtt_path(folder, "broken.db");
  save_some(path, folder);
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  static unsigned char bytes[1 << 16];
  const size_t size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  struct vt_cooccur *whole, *read;
  struct vt_vocab *words;
  struct vt_error error;
  assert_int_equal(vt_cooccur_load(path, NULL, &whole, &words, NULL), VT_OK);
  vt_vocab_free(words);
  int refused = 0, differ = 0;
  for (size_t at = 0; at < size; at++) {
    if (at % (bytes[at] == 0 ? 977 : 5) != 0) continue; /* most of it is empty */
    const unsigned char kept = bytes[at];
    bytes[at] ^= 0x10;
    file = fopen(broken, "wb");
    assert_true(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
    bytes[at] = kept;
    enum vt_status status = vt_cooccur_load(broken, NULL, &read, &words, &error);
    refused += status != VT_OK;
    if (status != VT_OK && error.message[0] == '\0') fail_msg("nothing is said about byte %zu", at);
    if (status != VT_OK) continue;
    differ += vt_cooccur_fingerprint(read) != vt_cooccur_fingerprint(whole);
    vt_cooccur_free(read);
    vt_vocab_free(words);
  }
  assert_true(refused > 60);
  assert_int_equal(differ, 0);
  vt_cooccur_free(whole);
  assert_int_equal(vt_cooccur_load(vtt_path(folder, "none.db"), NULL, &read, &words, &error), VT_ERROR_NOT_FOUND);
  assert_int_equal(vt_cooccur_load(vtt_path(folder, "text.txt"), NULL, &read, &words, &error), VT_ERROR_CORRUPT);
  vtt_folder_remove(folder);
}

static void bad_options_are_named(void **state) {
  (void)state;
  uint32_t *ids = stream_create(3);
  const struct vt_cooccur_text text = {.ids = ids, .entries = ENTRIES, .words = WORDS};
  struct vt_cooccur_options options;
  vt_cooccur_options_init(&options);
  struct vt_cooccur *counts;
  struct vt_error error;
  options.memory_bytes = 5000;
  assert_int_equal(vt_cooccur_count_text(&text, &options, &counts, NULL, &error), VT_ERROR_ARGUMENT);
  assert_non_null(strstr(error.message, "memory is 5000 bytes; counting 300 words takes "));
  /* What it says it takes is enough. */
  options.memory_bytes = strtoull(strstr(error.message, "takes ") + 6, NULL, 10);
  options.threads = 8;
  vt_cooccur_free(count(&text, &options, NULL));
  options.memory_bytes--;
  assert_int_equal(vt_cooccur_count_text(&text, &options, &counts, NULL, &error), VT_ERROR_ARGUMENT);
  options.memory_bytes++;
  options.window = 0;
  assert_int_equal(vt_cooccur_count_text(&text, &options, &counts, NULL, &error), VT_ERROR_ARGUMENT);
  options.window = 1001;
  assert_int_equal(vt_cooccur_count_text(&text, &options, &counts, NULL, &error), VT_ERROR_ARGUMENT);
  options.window = 10;
  volatile sig_atomic_t stop = 1;
  options.interrupt = &stop;
  assert_int_equal(vt_cooccur_count_text(&text, &options, &counts, NULL, &error), VT_ERROR_INTERRUPTED);
  static const uint32_t alone[] = {0, VT_CORPUS_END, 1, VT_CORPUS_END};
  const struct vt_cooccur_text nobody = {.ids = alone, .entries = 4, .words = 2};
  options.interrupt = NULL;
  assert_int_equal(vt_cooccur_count_text(&nobody, &options, &counts, NULL, &error), VT_ERROR_EMPTY);
  free(ids);
}

/* A disk that is full, as a process may be told by its limit on files. */
static void a_full_disk_leaves_nothing(void **state) {
  (void)state;
  uint32_t *ids = stream_create(4);
  const struct vt_cooccur_text text = {.ids = ids, .entries = ENTRIES, .words = WORDS};
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_cooccur_options options;
  vt_cooccur_options_init(&options);
  options.folder = vtt_folder_path(folder);
  for (int small = 0; small < 2; small++) {
    if (small == 1) options.memory_bytes = 30000;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      signal(SIGXFSZ, SIG_IGN);
      struct rlimit limit = {100000, 100000};
      struct vt_cooccur *counts;
      struct vt_error error;
      if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(2);
      enum vt_status status = vt_cooccur_count_text(&text, &options, &counts, NULL, &error);
      _exit(status == VT_ERROR_IO && strstr(error.message, "cannot write to a temporary file") != NULL ? 0 : 1);
    }
    int ended;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
  }
  /* Hidden names are counted too. */
  assert_int_equal(vtt_folder_entries(folder), 0);
  vtt_folder_remove(folder);
  free(ids);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(distances_by_hand),
      cmocka_unit_test(scales_are_exact_up_to_22),
      cmocka_unit_test(every_way_counts_the_same),
      cmocka_unit_test(spans_are_left_out),
      cmocka_unit_test(subsampled_counts_are_the_same_every_way),
      cmocka_unit_test(damage_is_seen),
      cmocka_unit_test(bad_options_are_named),
      cmocka_unit_test(a_full_disk_leaves_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
