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
  for (size_t w = 0; w < 4; w++) {
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
      cmocka_unit_test(distances_by_hand),         cmocka_unit_test(scales_are_exact_up_to_22),
      cmocka_unit_test(every_way_counts_the_same), cmocka_unit_test(spans_are_left_out),
      cmocka_unit_test(bad_options_are_named),     cmocka_unit_test(a_full_disk_leaves_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
