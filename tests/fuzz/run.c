/* run.c: a small run for the fuzz targets, and all questions to a run. */
#include <stdio.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "vectrail/compare.h"
#include "vectrail/diagnose.h"
#include "vectrail/ledger.h"
#include "vectrail/measure.h"
#include "vectrail/recorder.h"
#include "vectrail/run.h"
#include "vectrail/train.h"
#include "vectrail/vectors.h"
#include "vectrail/view.h"

#define WORDS 6
#define DIM 4
#define SNAPSHOTS 3

void vtz_make_run(void) {
  static const char *const texts[WORDS] = {"the", "king", "queen", "crown", "apple", "pear"};
  static const uint64_t counts[WORDS] = {60, 50, 40, 30, 20, 10};
  struct vt_error error;
  struct vt_vocab *vocab;
  struct vt_run_recorder *recorder;
  vtz_require(vt_vocab_create(texts, counts, WORDS, &vocab, &error) == VT_OK, "a vocabulary");
  vtz_require(vt_run_recorder_create(vtz_path("run"), vocab, DIM, true, &recorder, &error) == VT_OK, "a run");
  bool good = true;
  for (uint64_t s = 0; s < SNAPSHOTS; s++) {
    float table[WORDS][DIM];
    for (int w = 0; w < WORDS; w++)
      for (int k = 0; k < DIM; k++) table[w][k] = (float)((w * 7 + k * 3 + (int)s) % 11) / 8 - 0.5F;
    const struct vt_run_step step = {.step = s, .epoch = 1, .tokens = 100 * s, .seconds = (double)s, .lr = 0.025};
    good = good && vt_run_recorder_step(recorder, &step, &error) == VT_OK &&
           vt_run_recorder_metric(recorder, s, "loss", 3.0 - (double)s, &error) == VT_OK &&
           vt_run_recorder_trail(recorder, 1, s, table[1], &error) == VT_OK &&
           vt_run_recorder_vectors(recorder, s, false, table[0], NULL, &error) == VT_OK;
  }
  vtz_require(good && vt_run_recorder_close(&recorder, &error) == VT_OK, "a run that is whole");
  vt_vocab_free(vocab);
}

static enum vt_status take_entry(void *context, const struct vt_ledger_entry *entry, struct vt_error *error) {
  (void)error;
  *(double *)context += (double)entry->vector[0] + (double)strlen(entry->role);
  return VT_OK;
}

static void read_ledger(struct vt_run *run) {
  struct vt_error error;
  uint32_t *words;
  size_t count;
  if (vt_run_ledger_words(run, &words, &count, &error) != VT_OK) return;
  for (size_t k = 0; k < count && k < 4; k++) {
    double sum = 0;
    struct vt_explanation *explanation;
    vt_run_ledger(run, words[k], DIM, take_entry, &sum, &error);
    for (int by = 0; by < 3; by++) {
      const struct vt_explain_request request = {.word = words[k],
                                                 .has_toward = by > 0,
                                                 .toward = by == 1 ? 0 : words[k],
                                                 .centered = by == 2,
                                                 .by = (enum vt_explain_by)by,
                                                 .step = VT_STEP_LAST};
      if (vt_explain(run, &request, &explanation, &error) == VT_OK) vt_explanation_free(explanation);
    }
  }
  vt_run_words_free(words);
}

static void read_vectors(struct vt_run *run) {
  struct vt_error error;
  for (size_t k = 0; k < vt_run_snapshot_count(run) && k < 8; k++) {
    struct vt_run_snapshot snapshot = vt_run_snapshot_at(run, k);
    struct vt_vectors *vectors;
    if (vt_run_vectors(run, snapshot.step, &vectors, &error) != VT_OK) continue;
    vtz_require(vectors->rows == vt_vocab_size(vt_run_vocab(run)), "as many rows as words");
    struct vt_neighbor near[3];
    size_t found;
    vt_vectors_nearest(vectors, vt_vectors_row(vectors, 0), 3, 0, NULL, 0, near, &found, &error);
    vt_vectors_free(vectors);
  }
}

static void measure(struct vt_run *run) {
  struct vt_error error;
  struct vt_measure_options options;
  struct vt_measures measures = {0};
  struct vt_diagnosis diagnosis;
  vt_measure_options_init(&options);
  options.threads = 1;
  options.clusters = 2;
  vt_measure_run(run, &options, &measures, &error);
  vt_measures_release(&measures);
  if (vt_diagnose(run, 1, &diagnosis, &error) == VT_OK)
    vtz_require(diagnosis.finding_count <= VT_AILMENTS && diagnosis.unknown_count <= VT_AILMENTS, "no more than known");
}

static void view(const char *path) {
  struct vt_error error;
  struct vt_view_options options;
  struct vt_view *view;
  uint64_t damaged;
  vt_view_options_init(&options);
  options.threads = 1;
  if (vt_view_open(path, &options, &view, &damaged, &error) != VT_OK) return;
  vt_view_prepare(view, NULL, &damaged, &error);
  vt_view_free(view);
}

static void resume(const char *path) {
  struct vt_error error;
  struct vt_resume_request request;
  struct vt_train_result result;
  vt_resume_request_init(&request);
  request.run_path = path;
  request.threads = 1;
  vt_resume(&request, &result, &error);
}

void vtz_read_run(const char *path) {
  static const char *const metrics[] = {"loss", "displacement", "norm", "probe_loss", "speed"};
  struct vt_error error;
  struct vt_run *run;
  struct vt_run_step last;
  if (vt_run_open(path, &run, &error) != VT_OK) {
    vtz_require(error.message[0] != '\0', "a refusal says why");
  } else {
    size_t length = 0, count;
    for (size_t k = 0; k < vt_run_meta_count(run); k++) {
      const char *key, *value;
      vt_run_meta_at(run, k, &key, &value);
      length += strlen(key) + strlen(value);
    }
    for (size_t k = 0; k < vt_run_event_count(run); k++) length += strlen(vt_run_event_at(run, k).text);
    vtz_require(length < (size_t)1 << 40, "texts end");
    vt_run_last_step(run, &last, &error);
    for (size_t k = 0; k < sizeof metrics / sizeof metrics[0]; k++) {
      struct vt_run_point *points;
      if (vt_run_metric(run, metrics[k], &points, &count, &error) == VT_OK) vt_run_points_free(points);
    }
    if (vt_vocab_size(vt_run_vocab(run)) > 0) {
      read_vectors(run);
      read_ledger(run);
      measure(run);
    }
    vt_run_close(run);
    view(path);
  }
  resume(path);
}
