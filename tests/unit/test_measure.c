/*
 * label: threads. What a run's snapshots say about how its vectors moved: the same bits at any number of threads, for
 * the whole run and for one word. (What the numbers mean is held against NumPy by tests/cli/test_measure.sh.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "support/planted.h"
#include "support/rank_jobs.h"
#include "vectrail/measure.h"
#include "vectrail/run.h"

enum { SNAPSHOTS = 5, DIM = 12 };

static struct vtt_folder *folder;
static struct vt_run *run;

static int train(void **state) {
  (void)state;
  folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 400, 1);
  static const char *const watched[] = {"syn0a", "syn0b"};
  struct vt_train_request request;
  vtt_request_small(&request, &corpus, vtt_path(folder, "run"), DIM);
  request.train.epochs = 3;
  request.record.snapshots = SNAPSHOTS;
  request.record.watch = watched;
  request.record.watch_count = 2;
  if (vt_train(&request, NULL, NULL) != VT_OK) return -1;
  run = vtt_run_open(request.run_path);
  return 0;
}

static int forget(void **state) {
  (void)state;
  vt_run_close(run);
  vtt_folder_remove(folder);
  return 0;
}

/* Every question, about a part of the words, so that what is chosen is seen to be the same too. */
static struct vt_measure_options options_for(int threads) {
  struct vt_measure_options options;
  vt_measure_options_init(&options);
  options.sample_words = 100;
  options.neighbor_words = 7;
  options.among = 120;
  options.clusters = 6;
  options.cooccurrence = true;
  options.threads = threads;
  return options;
}

static void expect_same(const struct vt_measures *a, const struct vt_measures *b) {
  assert_int_equal(a->count, b->count);
  assert_int_equal(a->note_count, 0);
  assert_int_equal(b->note_count, 0);
  assert_int_equal(a->series_count, b->series_count);
  for (size_t s = 0; s < a->series_count; s++) {
    assert_string_equal(a->series[s].name, b->series[s].name);
    if (memcmp(a->series[s].values, b->series[s].values, a->count * sizeof(double)) != 0)
      fail_msg("%s is not the same", a->series[s].name);
  }
  assert_true((a->singular_values == NULL) == (b->singular_values == NULL));
  if (a->singular_values != NULL)
    assert_memory_equal(a->singular_values, b->singular_values, a->count * a->dim * sizeof(double));
}

static void threads_change_no_bit_of_a_run(void **state) {
  (void)state;
  struct vt_measures first = {0};
  struct vt_error error;
  for (int threads = 1; threads <= 4; threads += vtt_sanitized ? 2 : 1) {
    const struct vt_measure_options options = options_for(threads);
    struct vt_measures measures;
    if (vt_measure_run(run, &options, &measures, &error) != VT_OK) fail_msg("%s", error.message);
    if (threads == 1) {
      first = measures;
      continue;
    }
    expect_same(&first, &measures);
    vt_measures_release(&measures);
  }
  assert_int_equal(first.count, SNAPSHOTS);
  assert_int_equal(first.dim, DIM);
  assert_int_equal(first.sample_words, 100);
  assert_int_equal(first.among, 120);
  /* Something has moved, and each group of questions has been answered. */
  static const char *const names[] = {"displacement", "cosine syn0a syn0b", "together_cosine",
                                      "overlap_last", "silhouette",         "norm"};
  for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
    const struct vt_measure_series *series = vt_measures_find(&first, names[k]);
    if (series == NULL) fail_msg("no series called %s", names[k]);
    assert_true(isfinite(series->values[SNAPSHOTS - 1]) && series->values[SNAPSHOTS - 1] != 0);
  }
  assert_non_null(first.singular_values);
  assert_null(vt_measures_find(&first, "nothing"));
  vt_measures_release(&first);
}

static void threads_change_no_bit_of_a_word(void **state) {
  (void)state;
  uint32_t word;
  struct vt_measures first = {0};
  assert_true(vt_vocab_find(vt_run_vocab(run), "syn0a", &word));
  for (int threads = 1; threads <= 3; threads++) {
    const struct vt_measure_options options = options_for(threads);
    struct vt_measures measures;
    assert_int_equal(vt_measure_word(run, word, &options, &measures, NULL), VT_OK);
    if (threads == 1) {
      first = measures;
      continue;
    }
    expect_same(&first, &measures);
    vt_measures_release(&measures);
  }
  const struct vt_measure_series *moved = vt_measures_find(&first, "displacement");
  assert_non_null(moved);
  assert_true(moved->values[0] == 0 && moved->values[SNAPSHOTS - 1] > 0);
  vt_measures_release(&first);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(threads_change_no_bit_of_a_run),
      cmocka_unit_test(threads_change_no_bit_of_a_word),
  };
  return cmocka_run_group_tests(tests, train, forget);
}
