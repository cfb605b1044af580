/* test_convergence.c: the rule on series made by hand, each condition on its own; sentences held out by their numbers
 * alone; the verdict on what was recorded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "run/convergence.h"
#include "run/recorder.h"
#include "support/temporary.h"
#include "train/held_out.h"
#include "vectrail/corpus.h"

#define COUNT 40

/* A training that falls for 15 measurements and is level from there on. */
static void make_level(struct vt_measurement measurements[COUNT]) {
  for (int k = 0; k < COUNT; k++) {
    double falling = k < 15 ? 15 - k : 0;
    measurements[k] = (struct vt_measurement){
        .loss = 2.5 + 0.1 * falling,
        .gradient = 0.06 - 0.003 * falling,
        .update_ratio = k == 0 ? (double)NAN : 0.13 + 0.02 * falling,
        .overlap = k == 0 ? (double)NAN : 0.5 - 0.02 * falling,
    };
  }
}

static bool holds(const struct vt_measurement *measurements, struct vt_convergence *verdict) {
  *verdict = (struct vt_convergence){0};
  return vt_convergence_holds(measurements, COUNT, verdict);
}

static void a_level_training_has_converged(void **state) {
  (void)state;
  struct vt_measurement measurements[COUNT];
  struct vt_convergence verdict;
  make_level(measurements);
  assert_true(holds(measurements, &verdict));
  assert_true(verdict.loss_level && verdict.gradient_level && verdict.speed_level && verdict.neighbors_level);
  assert_false(verdict.at_rest); /* as much motion as before, but motion */
  assert_int_equal(verdict.measurements, COUNT);
  assert_true(fabs(verdict.loss_change) < 1e-12 && fabs(verdict.overlap - 0.5) < 1e-12);
  /* Of the windows that end at measurement k, the earlier one begins 19 before: 14 is the last that falls, by 0.1 of a
   * sum of 25.1, so the first to hold looks at 15 .. 34. */
  assert_int_equal(vt_convergence_first(measurements, COUNT), 35);
  assert_int_equal(vt_convergence_first(measurements, 34), 0);
  /* Too few to compare. */
  for (size_t k = 0; k <= 20; k++) assert_false(vt_convergence_holds(measurements + 15, k, &verdict));
}

/* Spoils the late window of one series at a time. */
static void each_condition_counts(void **state) {
  (void)state;
  struct vt_measurement good[COUNT], measurements[COUNT];
  struct vt_convergence verdict;
#define SPOILED(change)                                                                                                \
  make_level(good);                                                                                                    \
  for (int k = 0; k < COUNT; k++) {                                                                                    \
    measurements[k] = good[k];                                                                                         \
    if (k >= COUNT - 10) measurements[k].change;                                                                       \
  }
  SPOILED(loss *= 0.998)
  assert_false(holds(measurements, &verdict));
  assert_true(!verdict.loss_level && verdict.gradient_level && verdict.speed_level && verdict.neighbors_level);
  SPOILED(loss *= 0.9995)
  assert_true(holds(measurements, &verdict));
  SPOILED(loss *= 1.05) /* it does not fall any more: training on does not help */
  assert_true(holds(measurements, &verdict));
  SPOILED(gradient *= 1.2)
  assert_false(holds(measurements, &verdict));
  assert_false(verdict.gradient_level);
  SPOILED(update_ratio *= 0.7)
  assert_false(holds(measurements, &verdict));
  assert_false(verdict.speed_level);
  SPOILED(update_ratio = 0.005) /* falling, but to rest */
  assert_true(holds(measurements, &verdict));
  SPOILED(overlap += 0.05)
  assert_false(holds(measurements, &verdict));
  assert_false(verdict.neighbors_level);
  SPOILED(overlap = 0.95)
  assert_true(holds(measurements, &verdict));
  SPOILED(loss = (double)NAN)
  assert_false(holds(measurements, &verdict));
#undef SPOILED
}

/* Nothing moves at the start either; that is no end. */
static void what_has_not_begun_has_not_converged(void **state) {
  (void)state;
  struct vt_measurement measurements[COUNT];
  struct vt_convergence verdict;
  for (int k = 0; k < COUNT; k++)
    measurements[k] = (struct vt_measurement){4.158, 0.001, k == 0 ? (double)NAN : 0.0, k == 0 ? (double)NAN : 1.0};
  assert_false(holds(measurements, &verdict));
  assert_true(!verdict.begun && verdict.at_rest);
}

/* ---- of a run ------------------------------------------------------------------------------------------------------
 */

static void the_verdict_is_read_from_a_run(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *const words[] = {"a"};
  struct vt_vocab *vocab;
  struct vt_recorder *recorder;
  struct vt_measurement measurements[COUNT];
  assert_int_equal(vt_vocab_create(words, NULL, 1, &vocab, NULL), VT_OK);
  assert_int_equal(vt_recorder_create(vtt_folder_path(folder), vocab, &recorder, NULL), VT_OK);
  make_level(measurements);
  for (uint64_t k = 0; k < COUNT; k++) {
    assert_int_equal(vt_recorder_metric(recorder, 7 * k, "probe_loss", measurements[k].loss, NULL), VT_OK);
    /* Probes between the measurements do not count. */
    assert_int_equal(vt_recorder_metric(recorder, 7 * k + 3, "probe_loss", 9, NULL), VT_OK);
    assert_int_equal(vt_recorder_metric(recorder, 7 * k, "probe_gradient", measurements[k].gradient, NULL), VT_OK);
    assert_int_equal(vt_recorder_metric(recorder, 7 * k, "update_ratio", measurements[k].update_ratio, NULL), VT_OK);
    assert_int_equal(vt_recorder_metric(recorder, 7 * k, "overlap", measurements[k].overlap, NULL), VT_OK);
  }
  assert_int_equal(vt_recorder_close(&recorder, NULL), VT_OK);
  struct vt_run *run;
  struct vt_convergence verdict;
  assert_int_equal(vt_run_open(vtt_folder_path(folder), &run, NULL), VT_OK);
  assert_int_equal(vt_run_convergence(run, &verdict, NULL), VT_OK);
  assert_true(verdict.known && verdict.converged);
  assert_int_equal(verdict.step, 7 * 34);
  assert_int_equal(verdict.last_step, 7 * (COUNT - 1));
  vt_run_close(run);
  vt_vocab_free(vocab);
  vtt_folder_remove(folder);
}

static void a_run_without_measurements_has_no_verdict(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *const words[] = {"a"};
  struct vt_vocab *vocab;
  struct vt_recorder *recorder;
  assert_int_equal(vt_vocab_create(words, NULL, 1, &vocab, NULL), VT_OK);
  assert_int_equal(vt_recorder_create(vtt_folder_path(folder), vocab, &recorder, NULL), VT_OK);
  assert_int_equal(vt_recorder_metric(recorder, 1, "probe_loss", 4, NULL), VT_OK);
  assert_int_equal(vt_recorder_close(&recorder, NULL), VT_OK);
  struct vt_run *run;
  struct vt_convergence verdict = {.known = true};
  assert_int_equal(vt_run_open(vtt_folder_path(folder), &run, NULL), VT_OK);
  assert_int_equal(vt_run_convergence(run, &verdict, NULL), VT_OK);
  assert_false(verdict.known || verdict.converged);
  vt_run_close(run);
  vt_vocab_free(vocab);
  vtt_folder_remove(folder);
}

/* ---- sentences held out ---------------------------------------------------------------------------------------------
 */

#define SENTENCES 5000

/* Sentence n has n % 4 + 1 words. */
static uint64_t make_ids(uint32_t *ids) {
  uint64_t entries = 0;
  for (uint32_t n = 0; n < SENTENCES; n++) {
    for (uint32_t w = 0; w <= n % 4; w++) ids[entries++] = n;
    ids[entries++] = VT_CORPUS_END;
  }
  return entries;
}

static void a_share_of_the_sentences_is_held_out(void **state) {
  (void)state;
  static uint32_t ids[SENTENCES * 5];
  uint64_t entries = make_ids(ids), tokens = 0;
  struct vt_held_out held_out, again, other;
  assert_int_equal(vt_held_out_init(&held_out, ids, entries, NULL, 1, 0.02, NULL), VT_OK);
  assert_true(held_out.count > 70 && held_out.count < 135); /* 100, give or take 10 */
  for (size_t s = 0; s < held_out.count; s++) {
    const struct vt_span *span = &held_out.spans[s];
    assert_true(span->begin < span->end && (s == 0 || span[-1].end < span->begin));
    assert_int_equal(span->end - span->begin, ids[span->begin] % 4 + 1);
    assert_int_equal(ids[span->end], VT_CORPUS_END);
    assert_int_equal(span->before, tokens);
    for (uint64_t k = 0; k < span->end - span->begin; k++)
      assert_int_equal(vt_held_out_place(&held_out, tokens + k), span->begin + k);
    assert_int_equal(vt_held_out_after(&held_out, span->begin), s);
    assert_int_equal(vt_held_out_after(&held_out, span->end - 1), s);
    assert_int_equal(vt_held_out_after(&held_out, span->end), s + 1);
    tokens += span->end - span->begin;
  }
  assert_int_equal(held_out.tokens, tokens);
  /* By seed and number alone: the first half of the text gives the first half of the choice. */
  assert_int_equal(vt_held_out_init(&again, ids, held_out.spans[40].begin, NULL, 1, 0.02, NULL), VT_OK);
  assert_int_equal(again.count, 40);
  for (size_t s = 0; s < 40; s++) assert_int_equal(again.spans[s].begin, held_out.spans[s].begin);
  assert_int_equal(vt_held_out_init(&other, ids, entries, NULL, 2, 0.02, NULL), VT_OK);
  assert_true(other.count != held_out.count || other.spans[0].begin != held_out.spans[0].begin);
  vt_held_out_release(&held_out);
  vt_held_out_release(&again);
  vt_held_out_release(&other);
}

static void none_or_all_is_refused(void **state) {
  (void)state;
  const uint32_t ids[] = {1, 2, VT_CORPUS_END};
  struct vt_held_out held_out;
  struct vt_error error;
  assert_int_equal(vt_held_out_init(&held_out, ids, 3, NULL, 1, 1e-9, &error), VT_ERROR_EMPTY);
  assert_string_equal(error.message, "--held-out 1e-09 takes none of the 1 sentences");
  assert_int_equal(vt_held_out_init(&held_out, ids, 3, NULL, 1, 1, &error), VT_ERROR_EMPTY);
  assert_string_equal(error.message, "--held-out 1 takes all of the 1 sentences");
  /* A text may end without an end mark. */
  assert_int_equal(vt_held_out_init(&held_out, ids, 2, NULL, 1, 1, &error), VT_ERROR_EMPTY);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_level_training_has_converged),
      cmocka_unit_test(each_condition_counts),
      cmocka_unit_test(what_has_not_begun_has_not_converged),
      cmocka_unit_test(the_verdict_is_read_from_a_run),
      cmocka_unit_test(a_run_without_measurements_has_no_verdict),
      cmocka_unit_test(a_share_of_the_sentences_is_held_out),
      cmocka_unit_test(none_or_all_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
