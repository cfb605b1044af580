/*
 * test_diagnose.c: runs made up number by number, each with one thing wrong that a small training does not show by
 * itself: collapse, growth without bounds, halves that overflowed, rule by frequency; and a sound one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "run/recorder.h"
#include "support/temporary.h"
#include "vectrail/diagnose.h"

#define WORDS 400
#define DIM 40
#define SNAPSHOTS 9 /* at steps 0, 10, ... */
#define STEP_LAST 80

/* Element `column` of word `word` at a share of the run. */
typedef float make_element(double done, uint32_t word, uint32_t column);

static float noise(uint32_t stream, uint32_t word, uint32_t column) {
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, stream, word, column);
  return vt_rng_unit(&rng) + vt_rng_unit(&rng) + vt_rng_unit(&rng) - 1.5F;
}

/* From a short random start to a place of its own. */
static float sound_element(double done, uint32_t word, uint32_t column) {
  return 0.01F * noise(1, word, column) + (float)done * noise(2, word, column);
}

/* Places of their own at the half of the run, the same one for all at the end. */
static float collapsing_element(double done, uint32_t word, uint32_t column) {
  double apart = done < 0.5 ? done : 1.02 - done;
  return 0.01F * noise(1, word, column) + (float)apart * noise(2, word, column) + (float)done;
}

static float growing_element(double done, uint32_t word, uint32_t column) {
  return noise(2, word, column) * (float)exp(8 * done - 2);
}

/* Halves end at 65504. */
static float overflowing_element(double done, uint32_t word, uint32_t column) {
  return sound_element(done, word, column) * (done > 0.8 ? 1e6F : 1);
}

/* One direction for each factor of ten of frequency, and some noise. */
static float frequency_element(double done, uint32_t word, uint32_t column) {
  uint32_t band = word < 20 ? 0 : word < 100 ? 1 : 2;
  return (float)done * (0.7F * noise(2, word, column) + noise(3, band, column));
}

static uint64_t count_of(uint32_t word) { return word < 20 ? 2000 : word < 100 ? 300 : 20; }

/* losses: SNAPSHOTS of them, or NULL for a run that recorded none. */
static struct vt_run *make_run(struct vtt_folder *folder, make_element *element, const double *losses, bool counted) {
  static char texts[WORDS][16];
  const char *pointers[WORDS];
  uint64_t counts[WORDS];
  for (uint32_t w = 0; w < WORDS; w++) {
    snprintf(texts[w], sizeof texts[w], "w%u", (unsigned)w);
    pointers[w] = texts[w];
    counts[w] = count_of(w);
  }
  struct vt_vocab *vocab;
  struct vt_recorder *recorder;
  float *table = malloc(sizeof(float) * WORDS * DIM);
  assert_non_null(table);
  assert_int_equal(vt_vocab_create(pointers, counted ? counts : NULL, WORDS, &vocab, NULL), VT_OK);
  assert_int_equal(vt_recorder_create(vtt_folder_path(folder), vocab, &recorder, NULL), VT_OK);
  for (uint64_t s = 0; s < SNAPSHOTS; s++) {
    for (uint32_t w = 0; w < WORDS; w++)
      for (uint32_t c = 0; c < DIM; c++) table[w * DIM + c] = element((double)s / (SNAPSHOTS - 1), w, c);
    assert_int_equal(vt_recorder_snapshot(
                         recorder, 10 * s, false,
                         &(struct vt_snapshot_source){.input = table, .rows = WORDS, .dim = DIM, .stride = DIM}, NULL),
                     VT_OK);
    if (losses != NULL) assert_int_equal(vt_recorder_metric(recorder, 10 * s, "probe_loss", losses[s], NULL), VT_OK);
  }
  assert_int_equal(vt_recorder_close(&recorder, NULL), VT_OK);
  vt_vocab_free(vocab);
  free(table);
  struct vt_run *run;
  assert_int_equal(vt_run_open(vtt_folder_path(folder), &run, NULL), VT_OK);
  return run;
}

static const double good_losses[SNAPSHOTS] = {4.2, 3.5, 3.1, 2.9, 2.8, 2.75, 2.72, 2.71, 2.7};
static const double bad_losses[SNAPSHOTS] = {4.2, 3.5, 3.1, 2.9, 2.8, 3.0, 3.9, 4.9, 6};
static const double no_losses[SNAPSHOTS] = {4.2, 3.5, 3.1, 2.9, 2.8, 2.7, (double)INFINITY, (double)NAN, (double)NAN};

static const struct vt_finding *find(const struct vt_diagnosis *diagnosis, enum vt_ailment ailment) {
  for (size_t k = 0; k < diagnosis->finding_count; k++)
    if (diagnosis->findings[k].ailment == ailment) return &diagnosis->findings[k];
  return NULL;
}

/* The one thing that is found, and what its evidence holds. */
static void check(make_element *element, const double *losses, enum vt_ailment ailment, const char *evidence) {
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_run *run = make_run(folder, element, losses, true);
  struct vt_diagnosis diagnosis, again;
  assert_int_equal(vt_diagnose(run, 1, &diagnosis, NULL), VT_OK);
  const struct vt_finding *finding = find(&diagnosis, ailment);
  assert_non_null(finding);
  for (size_t k = 0; k < diagnosis.finding_count; k++)
    if (&diagnosis.findings[k] != finding) fail_msg("accused, too: %s", diagnosis.findings[k].evidence);
  if (strstr(finding->evidence, evidence) == NULL) fail_msg("evidence: %s", finding->evidence);
  assert_true(finding->what[0] != '\0' && finding->remedy[0] != '\0');
  for (size_t k = 0; k < diagnosis.sound_count; k++) assert_true(diagnosis.sound[k] != ailment);
  assert_int_equal(vt_diagnose(run, 3, &again, NULL), VT_OK);
  assert_memory_equal(&diagnosis, &again, sizeof diagnosis);
  vt_run_close(run);
  vtt_folder_remove(folder);
}

static void what_is_wrong_is_found(void **state) {
  (void)state;
  check(collapsing_element, good_losses, VT_AILMENT_COLLAPSED,
        "two of the 400 most frequent words have a mean cosine of 1.00");
  check(growing_element, good_losses, VT_AILMENT_DIVERGING,
        "over the last quarter of the snapshots the vectors grew 7.4");
  check(sound_element, bad_losses, VT_AILMENT_DIVERGING,
        "rose from 2.800 at step 40 to 6.000 at step 80 (4.200 at the start)");
  check(overflowing_element, good_losses, VT_AILMENT_DIVERGED,
        "the last 2 snapshots hold NaN or infinities; the last sound one is of step 60");
  check(sound_element, no_losses, VT_AILMENT_DIVERGED, "the loss on the probe is not finite");
  check(frequency_element, good_losses, VT_AILMENT_RULED_BY_FREQUENCY, "% of the variance of directions");
}

static void what_is_sound_is_not_accused(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_run *run = make_run(folder, sound_element, good_losses, true);
  struct vt_diagnosis diagnosis;
  assert_int_equal(vt_diagnose(run, 2, &diagnosis, NULL), VT_OK);
  assert_int_equal(diagnosis.finding_count, 0);
  assert_int_equal(diagnosis.sound_count + diagnosis.unknown_count, VT_AILMENTS);
  vt_run_close(run);
  vtt_folder_remove(folder);
}

/* As imported vectors are. */
static void what_was_not_recorded_is_said_to_be_unknown(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_run *run = make_run(folder, sound_element, NULL, false);
  struct vt_diagnosis diagnosis;
  assert_int_equal(vt_diagnose(run, 2, &diagnosis, NULL), VT_OK);
  assert_int_equal(diagnosis.finding_count, 0);
  const enum vt_ailment unknown[] = {VT_AILMENT_RATE_TOO_LOW, VT_AILMENT_STOPPED_EARLY, VT_AILMENT_OVERFITTED,
                                     VT_AILMENT_RULED_BY_FREQUENCY};
  assert_int_equal(diagnosis.unknown_count, sizeof unknown / sizeof unknown[0]);
  for (size_t k = 0; k < diagnosis.unknown_count; k++) {
    assert_int_equal(diagnosis.unknown[k].ailment, unknown[k]);
    assert_true(diagnosis.unknown[k].why[0] != '\0');
  }
  vt_run_close(run);
  vtt_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_wrong_is_found),
      cmocka_unit_test(what_is_sound_is_not_accused),
      cmocka_unit_test(what_was_not_recorded_is_said_to_be_unknown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
