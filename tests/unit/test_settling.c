/* test_settling.c: words whose way is made by hand settle where it says, whichever of them are frequent; what has
 * nothing to settle is left out, and ranks share what ties share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "analysis/rank.h"
#include "support/temporary.h"
#include "vectrail/recorder.h"
#include "vectrail/settling.h"

#define GROUP 12 /* words that go the same way */
#define GROUPS 3
#define WORDS (GROUPS * GROUP + 4)
#define SNAPSHOTS 5

/* Words of group g turn from (0, 1) to (1, 0) with snapshot g + 1; the last four: turned already, never moved, of one
 * occurrence, ending at zero. */
static void fill(float *rows, int snapshot) {
  for (int w = 0; w < WORDS; w++) {
    const int g = w / GROUP;
    const bool turned = g < GROUPS && snapshot > g;
    rows[2 * w] = turned ? 2 : 0;
    rows[2 * w + 1] = turned ? 0 : 1;
  }
  const float kept[] = {snapshot == 0 ? 1 : 2, 0, 1, 1, snapshot > 3 ? 1 : 0, 1, snapshot > 3 ? 0 : 1, 0};
  for (int k = 0; k < 8; k++) rows[2 * (WORDS - 4) + k] = kept[k];
}

static struct vt_settling settle(const uint64_t counts[GROUPS], double within) {
  struct vtt_folder *folder = vtt_folder_create();
  char names[WORDS][16];
  const char *texts[WORDS];
  uint64_t times[WORDS];
  for (int w = 0; w < WORDS; w++) {
    snprintf(names[w], sizeof names[w], "w%d", w);
    texts[w] = names[w];
    times[w] = w / GROUP < GROUPS ? counts[w / GROUP] + (uint64_t)(w % GROUP) : w == WORDS - 2 ? 1 : 5;
  }
  struct vt_vocab *vocab;
  struct vt_run_recorder *recorder;
  struct vt_run *run;
  struct vt_error error;
  struct vt_settling settling;
  const char *path = vtt_path(folder, "run");
  assert_int_equal(vt_vocab_create(texts, times, WORDS, &vocab, NULL), VT_OK);
  assert_int_equal(vt_run_recorder_create(path, vocab, 2, false, &recorder, NULL), VT_OK);
  for (int s = 0; s < SNAPSHOTS; s++) {
    float rows[2 * WORDS];
    fill(rows, s);
    assert_int_equal(vt_run_recorder_vectors(recorder, (uint64_t)(10 * s), true, rows, NULL, NULL), VT_OK);
  }
  assert_int_equal(vt_run_recorder_close(&recorder, NULL), VT_OK);
  assert_int_equal(vt_run_open(path, &run, NULL), VT_OK);
  if (vt_settling_measure(run, within, &settling, &error) != VT_OK) fail_msg("%s", error.message);
  assert_int_equal(vt_settling_measure(run, 1.5, &(struct vt_settling){0}, NULL), VT_ERROR_ARGUMENT);
  vt_run_close(run);
  vt_vocab_free(vocab);
  vtt_folder_remove(folder);
  return settling;
}

static void assert_near(double value, double wanted) {
  if (!(fabs(value - wanted) < 1e-9)) fail_msg("%.12g, not %.12g", value, wanted);
}

/* Group g is settled at step 10 (g + 1), and had the share (2 g + 1) / 8 of its way left. */
static void assert_band(const struct vt_settling_band *band, uint64_t low, int group) {
  assert_int_equal(band->low, low);
  assert_int_equal(band->high, 10 * low - 1);
  assert_int_equal(band->words, GROUP);
  assert_near(band->left, (2 * group + 1) / 8.0);
  for (int q = 0; q < 3; q++) assert_near(band->quarter[q], 10 * (group + 1));
}

static void frequent_words_settle_first(void **state) {
  (void)state;
  const struct vt_settling settling = settle((const uint64_t[]){1000, 100, 10}, 0.9);
  assert_int_equal(settling.snapshots, SNAPSHOTS);
  assert_int_equal(settling.steps, 40);
  assert_int_equal(settling.words, GROUPS * GROUP + 1);
  assert_int_equal(settling.settled, GROUPS * GROUP);
  assert_int_equal(settling.band_count, 4);
  assert_int_equal(settling.bands[0].words, 0); /* of 1 to 9 there is one, that was turned already */
  assert_int_equal(settling.bands[0].still, 1);
  assert_true(isnan(settling.bands[0].left) && isnan(settling.bands[0].quarter[1]));
  assert_band(&settling.bands[1], 10, 2);
  assert_band(&settling.bands[2], 100, 1);
  assert_band(&settling.bands[3], 1000, 0);
  assert_int_equal(settling.order, VT_SETTLING_FREQUENT_FIRST);
  /* Of 36 words in three groups of equals: sqrt((1 - 1/9) / (1 - 1/36^2)). */
  assert_near(settling.step_correlation, -sqrt((1 - 1 / 9.0) / (1 - 1 / 1296.0)));
  assert_near(settling.frequent, 1 / 8.0);
  assert_near(settling.rare, 5 / 8.0);
}

static void rare_words_settle_first(void **state) {
  (void)state;
  const struct vt_settling settling = settle((const uint64_t[]){10, 100, 1000}, 0.9);
  assert_int_equal(settling.order, VT_SETTLING_RARE_FIRST);
  assert_true(settling.step_correlation > 0.9 && settling.correlation > 0.9);
  assert_band(&settling.bands[1], 10, 0);
}

static void without_an_order_none_is_told(void **state) {
  (void)state;
  const struct vt_settling settling = settle((const uint64_t[]){100, 1000, 100}, 0.9);
  assert_int_equal(settling.order, VT_SETTLING_NO_ORDER);
}

/* The rarest settle last, but the most frequent after those in the middle, and of the rarest there are few. */
static void bands_have_a_say(void **state) {
  (void)state;
  const struct vt_settling settling = settle((const uint64_t[]){30, 1000, 1}, 0.9);
  assert_true(settling.step_correlation < -0.1);
  assert_int_equal(settling.band_count, 3);
  assert_int_equal(settling.bands[0].words, 8); /* 2 to 9 */
  assert_int_equal(settling.bands[1].words, 3 + GROUP);
  assert_near(settling.bands[1].quarter[1], 10);
  assert_near(settling.bands[2].quarter[1], 20);
  assert_int_equal(settling.order, VT_SETTLING_NO_ORDER);
}

static void ranks_share_what_ties_share(void **state) {
  (void)state;
  double rho;
  const double a[] = {1, 2, 2, 3}, b[] = {10, 30, 20, 40}, level[] = {7, 7, 7, 7};
  assert_int_equal(vt_rank_correlation(a, b, 4, &rho, NULL), VT_OK); /* ranks 1 2.5 2.5 4 against 1 3 2 4 */
  assert_near(rho, 4.5 / sqrt(4.5 * 5));
  assert_int_equal(vt_rank_correlation(a, level, 4, &rho, NULL), VT_OK);
  assert_true(isnan(rho));
  assert_int_equal(vt_rank_correlation(a, b, 0, &rho, NULL), VT_OK);
  assert_true(isnan(rho));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(frequent_words_settle_first),   cmocka_unit_test(rare_words_settle_first),
      cmocka_unit_test(without_an_order_none_is_told), cmocka_unit_test(bands_have_a_say),
      cmocka_unit_test(ranks_share_what_ties_share),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
