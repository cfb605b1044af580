/*
 * Going on with a run: the step of the anchor against one computed by hand, for the sparse engine, the exact softmax
 * and networks; the same bits at 1 and 2 threads; words that the new text does not hold; frozen words; where new words
 * begin; a run gone on with twice; the tree of hierarchical softmax. label: threads
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/temporary.h"
#include "vectrail/replay.h"
#include "vectrail/run.h"
#include "vectrail/tune.h"

static const char old_line[] = "king queen castle crown knight throne and the sword of a prince\n"
                               "apple pear orchard fruit tree and the blossom of a cherry garden\n";
static const char new_line[] = "apple pear drone fruit rocket and the laser of a tree\n";

struct place {
  struct vtt_folder *folder;
  const char *old, *fresh, *base;
};

static const char *repeat(struct vtt_folder *folder, const char *name, const char *text, size_t times) {
  const size_t bytes = strlen(text);
  char *all = malloc(bytes * times);
  assert_non_null(all);
  for (size_t k = 0; k < times; k++) memcpy(all + k * bytes, text, bytes);
  const char *path = vtt_write(folder, name, all, bytes * times);
  free(all);
  return path;
}

enum kind { SKIPGRAM, CBOW, TREE, CBOW_TREE, SOFTMAX, FULL, GLOVE, TRANSFORMER };

static void set_kind(struct vt_train_options *train, enum kind kind, uint32_t batch) {
  static const enum vt_model models[] = {[SKIPGRAM] = VT_MODEL_SKIPGRAM, [CBOW] = VT_MODEL_CBOW,
                                         [TREE] = VT_MODEL_SKIPGRAM,     [CBOW_TREE] = VT_MODEL_CBOW,
                                         [SOFTMAX] = VT_MODEL_SKIPGRAM,  [FULL] = VT_MODEL_SKIPGRAM,
                                         [GLOVE] = VT_MODEL_GLOVE,       [TRANSFORMER] = VT_MODEL_TRANSFORMER};
  vt_train_options_for(train, models[kind]);
  if (kind == TREE || kind == CBOW_TREE) train->loss = VT_LOSS_HIERARCHICAL_SOFTMAX;
  if (kind == SOFTMAX || kind == FULL) {
    train->loss = VT_LOSS_SOFTMAX;
    train->schedule = VT_SCHEDULE_CONSTANT;
    train->lr = 5;
    train->batch = kind == FULL ? VT_BATCH_FULL : 512;
  }
  if (kind == GLOVE) {
    train->loss = VT_LOSS_SQUARES;
    train->optimizer = VT_OPTIMIZER_ADAGRAD;
    train->lr = 0.5;
  }
  if (kind != TRANSFORMER) return;
  train->optimizer = VT_OPTIMIZER_SGD;
  train->schedule = VT_SCHEDULE_CONSTANT;
  train->lr = 0.1;
  train->batch = batch;
  train->network.context = 8;
  train->network.layers = 1;
  train->network.heads = 2;
  train->network.clip = 0;
  train->network.warmup = 0;
  train->network.decay = 0;
}

static void open_place(struct place *place, enum kind kind, size_t new_lines, uint32_t batch) {
  place->folder = vtt_folder_create();
  place->old = repeat(place->folder, "old.txt", old_line, 60);
  place->fresh = repeat(place->folder, "new.txt", new_line, new_lines);
  place->base = vtt_path(place->folder, "base");
  struct vt_train_request request = {.inputs = &place->old, .input_count = 1, .run_path = place->base};
  vt_corpus_options_init(&request.corpus);
  vt_train_options_init(&request.train);
  vt_record_options_init(&request.record);
  set_kind(&request.train, kind, batch);
  request.corpus.min_count = 1;
  request.train.dim = 12;
  request.train.sample = 0;
  request.train.epochs = kind == FULL ? 60 : 3;
  request.train.threads = 2;
  request.record.snapshots = 2;
  request.record.probes = 1;
  request.record.output = kind != TRANSFORMER;
  assert_int_equal(vt_train(&request, NULL, NULL), VT_OK);
}

static void close_place(struct place *place) { vtt_folder_remove(place->folder); }

static void fill_request(struct vt_tune_request *request, const struct place *place, const char *name) {
  *request = (struct vt_tune_request){.base = place->base};
  assert_int_equal(vt_tune_options(place->base, &request->train.train, &request->train.corpus, NULL), VT_OK);
  vt_record_options_init(&request->train.record);
  request->train.record.float32 = true;
  request->train.record.snapshots = 3;
  request->train.record.probes = 1;
  request->train.inputs = &place->fresh;
  request->train.input_count = 1;
  request->train.run_path = vtt_path(place->folder, name);
  request->train.train.epochs = 1;
  request->train.train.threads = 1;
}

struct series {
  struct vt_run *run;
  struct vt_vectors *at[8];
  size_t count;
};

static void tune(const struct vt_tune_request *request, struct series *series) {
  struct vt_error error;
  if (vt_tune(request, NULL, &error) != VT_OK) fail_msg("%s", error.message);
  assert_int_equal(vt_run_open(request->train.run_path, &series->run, NULL), VT_OK);
  series->count = vt_run_snapshot_count(series->run);
  if (series->count > 8) series->count = 8;
  for (size_t k = 0; k < series->count; k++)
    assert_int_equal(vt_run_vectors(series->run, vt_run_snapshot_at(series->run, k).step, &series->at[k], NULL), VT_OK);
}

static void close_series(struct series *series) {
  for (size_t k = 0; k < series->count; k++) vt_vectors_free(series->at[k]);
  vt_run_close(series->run);
}

static size_t numbers(const struct series *series) { return series->at[0]->rows * series->at[0]->dim; }

/* One superstep: what moved is what would have moved, times (1 - 2 rate mu) to the power of the words. */
static void test_anchor_of_tables(void **state) {
  const enum kind kinds[] = {SKIPGRAM, CBOW, TREE, CBOW_TREE};
  (void)state;
  for (size_t m = 0; m < sizeof kinds / sizeof kinds[0]; m += vtt_under_tsan ? 2 : 1) {
    struct place place;
    struct vt_tune_request request;
    struct series plain, held, again;
    open_place(&place, kinds[m], 40, 16);
    fill_request(&request, &place, "plain");
    tune(&request, &plain);
    fill_request(&request, &place, "held");
    request.train.train.tuning.anchor = 0.02;
    tune(&request, &held);
    fill_request(&request, &place, "again");
    request.train.train.tuning.anchor = 0.02;
    request.train.train.threads = 2;
    tune(&request, &again);
    assert_int_equal(plain.count, 2); /* step 0 and step 1 */
    const double factor = pow(1 - 2 * (double)(float)request.train.train.lr * 0.02, 40 * 11);
    assert_true(factor > 0.1 && factor < 0.9);
    double moved = 0;
    for (size_t k = 0; k < numbers(&plain); k++) {
      const double start = (double)plain.at[0]->data[k], free = (double)plain.at[1]->data[k] - start;
      assert_true(held.at[0]->data[k] == plain.at[0]->data[k]);
      assert_true(fabs((double)held.at[1]->data[k] - start - factor * free) < 1e-6);
      assert_true(held.at[1]->data[k] == again.at[1]->data[k]);
      moved += free * free;
    }
    assert_true(moved > 1e-4);
    close_series(&plain);
    close_series(&held);
    close_series(&again);
    close_place(&place);
  }
}

/* Two steps by plain descent: the second has 2 mu (v(1) - v(0)) more of a gradient, and nothing else is different. */
static void test_anchor_of_gradients(void **state) {
  const enum kind kinds[] = {SOFTMAX, FULL, TRANSFORMER};
  (void)state;
  for (size_t m = 0; m < sizeof kinds / sizeof kinds[0]; m += vtt_under_tsan ? 2 : 1) {
    struct place place;
    struct vt_tune_request request;
    struct series plain, held, again;
    /* 44 tokens: 5 samples of 8, 2 steps of 2; else an epoch is a step, of one batch. */
    const uint32_t epochs = kinds[m] == TRANSFORMER ? 1 : 2;
    const double mu = kinds[m] == TRANSFORMER ? 0.5 : 0.05;
    open_place(&place, kinds[m], 4, 2);
    fill_request(&request, &place, "plain");
    request.train.train.epochs = epochs;
    tune(&request, &plain);
    fill_request(&request, &place, "held");
    request.train.train.epochs = epochs;
    request.train.train.tuning.anchor = mu;
    tune(&request, &held);
    request.train.run_path = vtt_path(place.folder, "again");
    request.train.train.threads = 2;
    tune(&request, &again);
    assert_int_equal(plain.count, 3);
    const double rate = request.train.train.lr;
    double moved = 0;
    for (size_t k = 0; k < numbers(&plain); k++) {
      const double first = (double)plain.at[1]->data[k] - (double)plain.at[0]->data[k];
      assert_true(held.at[1]->data[k] == plain.at[1]->data[k]);
      assert_true(fabs((double)held.at[2]->data[k] - ((double)plain.at[2]->data[k] - rate * 2 * mu * first)) < 1e-6);
      assert_true(held.at[2]->data[k] == again.at[2]->data[k]);
      moved += first * first;
    }
    assert_true(moved > 1e-4);
    close_series(&plain);
    close_series(&held);
    close_series(&again);
    close_place(&place);
  }
}

/* A step trains a part of the records, each of which draws all rows to their start: as if the way had been shorter by
 * (1 - 2 rate mu) to the power of their number, which is whole. */
static void test_anchor_of_glove(void **state) {
  const double mu = 0.001;
  struct place place;
  struct vt_tune_request request;
  struct series plain, held;
  (void)state;
  open_place(&place, GLOVE, 40, 0);
  fill_request(&request, &place, "plain");
  request.train.record.snapshots = 17; /* of as many steps, but for one */
  tune(&request, &plain);
  fill_request(&request, &place, "held");
  request.train.record.snapshots = 17;
  request.train.train.tuning.anchor = mu;
  tune(&request, &held);
  assert_true(plain.at[1]->step == 1 && held.at[1]->step == 1);
  double moved = 0, along = 0;
  for (size_t k = 0; k < numbers(&plain); k++) {
    const double start = (double)plain.at[0]->data[k], free = (double)plain.at[1]->data[k] - start;
    assert_true(held.at[0]->data[k] == plain.at[0]->data[k]);
    along += free * ((double)held.at[1]->data[k] - start);
    moved += free * free;
  }
  const double share = along / moved, records = log(share) / log(1 - 2 * request.train.train.lr * mu);
  assert_true(moved > 1e-4 && share < 1);
  assert_true(records > 0.5 && fabs(records - round(records)) < 1e-2);
  for (size_t k = 0; k < numbers(&plain); k++) {
    const double start = (double)plain.at[0]->data[k], free = (double)plain.at[1]->data[k] - start;
    assert_true(fabs((double)held.at[1]->data[k] - start - share * free) < 1e-6);
  }
  close_series(&plain);
  close_series(&held);
  close_place(&place);
}

static bool same_row(const struct series *a, size_t from, size_t to, const char *word) {
  uint32_t id;
  assert_true(vt_vocab_find(vt_run_vocab(a->run), word, &id));
  const size_t dim = a->at[0]->dim;
  return memcmp(vt_vectors_row(a->at[from], id), vt_vectors_row(a->at[to], id), dim * sizeof(float)) == 0;
}

static void test_what_moves(void **state) {
  const enum kind kinds[] = {SKIPGRAM, CBOW, TREE, CBOW_TREE, SOFTMAX, FULL, GLOVE, TRANSFORMER};
  static const char *const frozen[] = {"pear", "king"};
  (void)state;
  for (size_t m = 0; m < sizeof kinds / sizeof kinds[0]; m += vtt_under_tsan ? 2 : 1) {
    struct place place;
    struct vt_tune_request request;
    struct series series;
    struct vt_tune_result result;
    open_place(&place, kinds[m], 40, 16);
    fill_request(&request, &place, "new");
    request.freeze = frozen;
    request.freeze_count = 2;
    tune(&request, &series);
    const size_t last = series.count - 1;
    assert_true(same_row(&series, 0, last, "pear") && same_row(&series, 0, last, "king"));
    assert_false(same_row(&series, 0, last, "apple"));
    /* A word that never comes is no centre, context or noise; the rows of a tied network are outputs, too. */
    assert_true(same_row(&series, 0, last, "queen") == (kinds[m] != TRANSFORMER));
    close_series(&series);
    fill_request(&request, &place, "still");
    request.train.train.tuning.freeze_input = true;
    request.train.train.tuning.freeze_output = kinds[m] == GLOVE; /* whose vectors are sums of both */
    assert_int_equal(vt_tune(&request, &result, NULL), VT_OK);
    assert_int_equal(result.fresh, 3);
    assert_int_equal(result.placed, 3);
    assert_int_equal(result.seen, 8);
    assert_true(result.drift_seen == 0 && result.drift_unseen == 0 && result.drift_fresh == 0 && result.output);
    close_place(&place);
  }
}

/* "drone" stands between apple pear and fruit rocket ... in every line: its start is the mean of the old ones. */
static void test_new_words(void **state) {
  static const char *const around[] = {"apple", "pear", "fruit", "and", "the"};
  struct place place;
  struct vt_tune_request request;
  struct series series;
  (void)state;
  open_place(&place, SKIPGRAM, 40, 0);
  fill_request(&request, &place, "new");
  request.train.train.window = 4;
  tune(&request, &series);
  struct vt_run *base;
  struct vt_vectors *before;
  assert_int_equal(vt_run_open(place.base, &base, NULL), VT_OK);
  assert_int_equal(vt_run_vectors(base, VT_STEP_LAST, &before, NULL), VT_OK);
  uint32_t drone, id;
  assert_true(vt_vocab_find(vt_run_vocab(series.run), "drone", &drone));
  for (size_t k = 0; k < before->dim; k++) {
    double mean = 0;
    for (size_t w = 0; w < 5; w++) {
      assert_true(vt_vocab_find(vt_run_vocab(base), around[w], &id));
      mean += (double)vt_vectors_row(before, id)[k] / 5;
    }
    assert_true(fabs((double)vt_vectors_row(series.at[0], drone)[k] - mean) < 1e-6);
  }
  for (uint32_t word = 0; word < before->rows; word++) {
    assert_string_equal(vt_vocab_text(vt_run_vocab(base), word), vt_vocab_text(vt_run_vocab(series.run), word));
    assert_memory_equal(vt_vectors_row(before, word), vt_vectors_row(series.at[0], word), before->dim * sizeof(float));
  }
  vt_vectors_free(before);
  vt_run_close(base);
  close_series(&series);
  close_place(&place);
}

static void test_old_loss(void **state) {
  const enum kind kinds[] = {SKIPGRAM, CBOW_TREE, SOFTMAX, FULL, GLOVE, TRANSFORMER};
  (void)state;
  for (size_t m = 0; m < sizeof kinds / sizeof kinds[0]; m += vtt_under_tsan ? 2 : 1) {
    struct place place;
    struct vt_tune_request request;
    struct vt_tune_old old;
    struct vt_run *base;
    struct vt_run_point *points;
    size_t count;
    open_place(&place, kinds[m], 40, 16);
    fill_request(&request, &place, "new");
    request.train.train.epochs = kinds[m] == FULL ? 60 : 4;
    request.train.train.lr *= 2;
    assert_int_equal(vt_tune(&request, NULL, NULL), VT_OK);
    const struct vt_tune_old_request asked = {.base = place.base, .run = request.train.run_path, .threads = 1};
    assert_int_equal(vt_tune_old_loss(&asked, &old, NULL), VT_OK);
    assert_int_equal(vt_run_open(place.base, &base, NULL), VT_OK);
    assert_int_equal(vt_run_metric(base, "probe_loss", &points, &count, NULL), VT_OK);
    /* Bit for bit, but for tables that are held in double and kept in float, and rows that are kept as a sum. */
    const double far = fabs(old.probe_before - points[count - 1].value);
    assert_true(kinds[m] == FULL || kinds[m] == GLOVE ? far < 1e-5 : far == 0);
    assert_true(kinds[m] == GLOVE ? old.probe_after != old.probe_before : old.probe_after > old.probe_before);
    vt_run_points_free(points);
    vt_run_close(base);
    close_place(&place);
  }
}

/* Of a run that had gone on with another one, to a third text, and back to be asked of the one between. */
static void test_twice(void **state) {
  const enum kind kinds[] = {SKIPGRAM, TREE};
  static const char third_line[] = "king drone castle harbour and the anchor of a rocket\n";
  (void)state;
  for (size_t m = 0; m < sizeof kinds / sizeof kinds[0]; m += vtt_under_tsan ? 2 : 1) {
    struct place place;
    struct vt_tune_request request;
    struct vt_tune_result result;
    struct vt_tune_old old;
    struct vt_run *between;
    struct vt_run_point *points;
    size_t count;
    open_place(&place, kinds[m], 40, 16);
    fill_request(&request, &place, "between");
    assert_int_equal(vt_tune(&request, NULL, NULL), VT_OK);
    place.base = request.train.run_path;
    place.fresh = repeat(place.folder, "third.txt", third_line, 40);
    fill_request(&request, &place, "last");
    request.train.train.epochs = 4;
    request.train.train.lr *= 2;
    assert_int_equal(vt_tune(&request, &result, NULL), VT_OK);
    assert_int_equal(result.fresh, 2);
    const struct vt_tune_old_request asked = {.base = place.base, .run = request.train.run_path, .threads = 1};
    assert_int_equal(vt_tune_old_loss(&asked, &old, NULL), VT_OK);
    assert_int_equal(vt_run_open(place.base, &between, NULL), VT_OK);
    assert_int_equal(vt_run_metric(between, "probe_loss", &points, &count, NULL), VT_OK);
    assert_true(old.probe_before == points[count - 1].value);
    assert_true(old.probe_after > old.probe_before);
    struct vt_replay_request replay;
    struct vt_error error;
    vt_replay_request_init(&replay);
    replay.run_path = request.train.run_path;
    if (vt_replay(&replay, NULL, &error) != VT_OK) fail_msg("%s", error.message);
    vt_run_points_free(points);
    vt_run_close(between);
    close_place(&place);
  }
}

/* Its optimum is where it is, wherever one begins. */
static void test_what_cannot_go_on(void **state) {
  struct place place;
  struct vt_train_options train;
  struct vt_corpus_options corpus;
  struct vt_error error;
  (void)state;
  place.folder = vtt_folder_create();
  place.old = repeat(place.folder, "old.txt", old_line, 60);
  struct vt_train_request request = {
      .inputs = &place.old, .input_count = 1, .run_path = vtt_path(place.folder, "quadratic")};
  vt_corpus_options_init(&request.corpus);
  vt_train_options_init(&request.train);
  vt_record_options_init(&request.record);
  request.train.loss = VT_LOSS_QUADRATIC;
  request.train.batch = VT_BATCH_FULL;
  request.train.lr = 0;
  request.train.dim = 4;
  request.train.epochs = 2;
  request.record.snapshots = 2;
  assert_int_equal(vt_train(&request, NULL, NULL), VT_OK);
  assert_int_equal(vt_tune_options(request.run_path, &train, &corpus, &error), VT_ERROR_UNSUPPORTED);
  assert_non_null(strstr(error.message, "quadratic"));
  close_place(&place);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_anchor_of_tables),
      cmocka_unit_test(test_anchor_of_gradients),
      cmocka_unit_test(test_anchor_of_glove),
      cmocka_unit_test(test_what_moves),
      cmocka_unit_test(test_new_words),
      cmocka_unit_test(test_old_loss),
      cmocka_unit_test(test_twice),
      cmocka_unit_test(test_what_cannot_go_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
