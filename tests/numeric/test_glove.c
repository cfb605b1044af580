/* GloVe (label: threads): its step against differences of the loss, by hand and on every kernel; the loss as anyone can
 * compute it from what a run keeps; the same bits at any number of threads; stopped while counting and gone on with. */
#define _POSIX_C_SOURCE 200809L

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
#include "kernel/kernel.h"
#include "run/folder.h"
#include "run/safetensors.h"
#include "support/planted.h"
#include "support/temporary.h"
#include "train/engine.h"
#include "train/glove_records.h"
#include "train/held_out.h"
#include "vectrail/cooccur.h"
#include "vectrail/run.h"
#include "vectrail/train.h"

/* ---- the step ---------------------------------------------------------------------------------------------------- */

#define DIM 5
#define WIDTH 16

static double uniform(struct vt_rng *rng) { return 2 * (double)vt_rng_unit(rng) - 1; }

/* Vector, bias and the one of a row of either table; sums of squares behind. */
static void fill_row(struct vt_rng *rng, int table, double first, double row[2 * WIDTH]) {
  const int one = table == 0 ? DIM + 1 : DIM;
  for (int k = 0; k < WIDTH; k++) {
    row[k] = k < DIM + 2 ? uniform(rng) : 0;
    row[WIDTH + k] = first;
  }
  row[one] = 1;
  row[WIDTH + one] = (double)INFINITY;
}

static double loss_of(const double *x, const double *y, const struct vt_glove_record_double *record, double penalty) {
  double score = 0, squares = 0;
  for (int k = 0; k < DIM; k++) score += x[k] * y[k], squares += x[k] * x[k] + y[k] * y[k];
  double difference = score + x[DIM] + y[DIM + 1] - record->log_count;
  return record->weight * difference * difference / 2 + penalty * squares;
}

/* With sums of squares of 1e12 a step of AdaGrad is 1e-6 times the rate times the gradient. */
static void step_is_the_difference_of_the_loss(void **state) {
  (void)state;
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 40, 0, 0);
  for (int with_l2 = 0; with_l2 < 2; with_l2++) {
    _Alignas(64) double x[2 * WIDTH], y[2 * WIDTH], old_x[2 * WIDTH], old_y[2 * WIDTH], l2[WIDTH] = {0};
    const double penalty = with_l2 == 1 ? 0.07 : 0, rate = 0.3;
    for (int k = 0; k < DIM; k++) l2[k] = rate * 2 * penalty;
    fill_row(&rng, 0, 1e12, x);
    fill_row(&rng, 1, 1e12, y);
    memcpy(old_x, x, sizeof x);
    memcpy(old_y, y, sizeof y);
    const struct vt_glove_record_double record = {0, 0, 0.6, 1.7};
    struct vt_glove_double block = {.input = x,
                                    .output = y,
                                    .stride = 2 * WIDTH,
                                    .width = WIDTH,
                                    .records = &record,
                                    .count = 1,
                                    .rate = rate,
                                    .l2 = with_l2 == 1 ? l2 : NULL};
    vt_kernel_glove_double(&block);
    for (int t = 0; t < 2; t++) {
      double *old = t == 0 ? old_x : old_y, *now = t == 0 ? x : y;
      for (int k = 0; k < DIM + 2; k++) {
        if (k == (t == 0 ? DIM + 1 : DIM)) {
          assert_true(now[k] == 1);
          continue;
        }
        const double h = 1e-5, at = old[k];
        old[k] = at + h;
        double above = loss_of(old_x, old_y, &record, penalty);
        old[k] = at - h;
        double below = loss_of(old_x, old_y, &record, penalty);
        old[k] = at;
        double gradient = (at - now[k]) * 1e6 / rate;
        assert_true(fabs(gradient - (above - below) / (2 * h)) <= 1e-7);
      }
      for (int k = DIM + 2; k < WIDTH; k++) assert_true(now[k] == 0);
    }
    assert_true(fabs(block.loss / 2 + penalty * 0 - loss_of(old_x, old_y, &record, 0)) <= 1e-12);
  }
}

/* v = (2), u = (3), b = 0.5, c = -1, log X = 1: the difference is 4.5; with weight 1/2 and rate 0.1 the pull is 0.225.
 * r_v = 0.675, h = 1 + r^2, v = 2 - r / sqrt(h); r_u = 0.45; both biases r = 0.225: the same rate as the vectors. */
static void one_record_by_hand(void **state) {
  (void)state;
  _Alignas(64) double x[2 * WIDTH] = {2, 0.5, 1}, y[2 * WIDTH] = {3, 1, -1};
  for (int k = 0; k < WIDTH; k++) x[WIDTH + k] = y[WIDTH + k] = 1;
  x[WIDTH + 2] = y[WIDTH + 1] = (double)INFINITY;
  const struct vt_glove_record_double record = {0, 0, 0.5, 1};
  struct vt_glove_double block = {
      .input = x, .output = y, .stride = 2 * WIDTH, .width = WIDTH, .records = &record, .count = 1, .rate = 0.1};
  struct vt_glove_double measured = block;
  vt_kernel_glove_loss_double(&measured);
  assert_true(fabs(measured.loss - 0.5 * 4.5 * 4.5) < 1e-15);
  assert_true(x[0] == 2 && y[0] == 3);
  vt_kernel_glove_double(&block);
  assert_true(fabs(block.loss - 0.5 * 4.5 * 4.5) < 1e-15);
  assert_true(fabs(x[0] - (2 - 0.675 / sqrt(1 + 0.675 * 0.675))) < 1e-15);
  assert_true(fabs(y[0] - (3 - 0.45 / sqrt(1 + 0.45 * 0.45))) < 1e-15);
  assert_true(fabs(x[1] - (0.5 - 0.225 / sqrt(1 + 0.225 * 0.225))) < 1e-15);
  assert_true(fabs(y[2] - (-1 - 0.225 / sqrt(1 + 0.225 * 0.225))) < 1e-15);
  assert_true(x[2] == 1 && y[1] == 1);
  assert_true(fabs(x[WIDTH] - (1 + 0.675 * 0.675)) < 1e-15);
}

/* Twenty records on four rows of each table: every kernel near the double, and all with the same bits. */
static void every_kernel_steps_alike(void **state) {
  (void)state;
  enum { ROWS = 4, RECORDS = 20, WIDE = 112 };
  static _Alignas(64) double exact[2][ROWS][2 * WIDE];
  static _Alignas(64) float start[2][ROWS][2 * WIDE], tables[2][ROWS][2 * WIDE], first[2][ROWS][2 * WIDE];
  struct vt_glove_record_double exact_records[RECORDS];
  struct vt_glove_record records[RECORDS];
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 41, 0, 0);
  for (int t = 0; t < 2; t++)
    for (int r = 0; r < ROWS; r++)
      for (int k = 0; k < 2 * WIDE; k++) {
        const bool one = k % WIDE == (t == 0 ? 101 : 100);
        start[t][r][k] = k % WIDE >= 102 ? (k < WIDE ? 0 : 1) : k < WIDE ? (float)uniform(&rng) : 1;
        if (one) start[t][r][k] = k < WIDE ? 1 : INFINITY;
        exact[t][r][k] = (double)start[t][r][k];
      }
  for (uint32_t k = 0; k < RECORDS; k++) {
    records[k] = (struct vt_glove_record){k % ROWS, k * 3 / 2 % ROWS, (float)fabs(uniform(&rng)), (float)uniform(&rng)};
    exact_records[k] = (struct vt_glove_record_double){records[k].row, records[k].column, (double)records[k].weight,
                                                       (double)records[k].log_count};
  }
  struct vt_glove_double truth = {.input = exact[0][0],
                                  .output = exact[1][0],
                                  .stride = 2 * WIDE,
                                  .width = WIDE,
                                  .records = exact_records,
                                  .count = RECORDS,
                                  .rate = (double)0.05F};
  struct vt_glove_double true_measure = truth;
  vt_kernel_glove_loss_double(&true_measure);
  vt_kernel_glove_double(&truth);
  double loss = 0, measure = 0;
  bool is_first = true;
  for (size_t n = 0; n < vt_kernel_count(); n++) {
    if (!vt_kernel_runs_here(n)) continue;
    memcpy(tables, start, sizeof tables);
    struct vt_glove block = {.input = tables[0][0],
                             .output = tables[1][0],
                             .stride = 2 * WIDE,
                             .width = WIDE,
                             .records = records,
                             .count = RECORDS,
                             .rate = 0.05F};
    struct vt_glove measured = block;
    vt_kernel_at(n)->glove_loss(&measured);
    assert_true(fabs(measured.loss - true_measure.loss) <= 1e-4 * true_measure.loss);
    assert_true(is_first || measured.loss == measure);
    measure = measured.loss;
    assert_memory_equal(tables, start, sizeof tables);
    vt_kernel_at(n)->glove(&block);
    assert_true(fabs(block.loss - truth.loss) <= 1e-4 * truth.loss);
    for (int t = 0; t < 2; t++)
      for (int r = 0; r < ROWS; r++)
        for (int k = 0; k < WIDE; k++) assert_true(fabs((double)tables[t][r][k] - exact[t][r][k]) <= 1e-4);
    if (is_first) {
      memcpy(first, tables, sizeof first);
      loss = block.loss;
    }
    assert_memory_equal(first, tables, sizeof first);
    assert_true(loss == block.loss);
    is_first = false;
  }
  assert_false(is_first);
}

/* ---- the engine -------------------------------------------------------------------------------------------------- */

struct fixture {
  struct vtt_folder *folder;
  struct vt_vocab *vocab;
  struct vt_corpus *corpus;
  struct vt_train_options options;
};

static void fixture_fill(struct fixture *f, const char *path) {
  struct vt_corpus_options options;
  vt_corpus_options_init(&options);
  options.min_count = 1;
  assert_int_equal(
      vt_corpus_encode(&path, 1, &options, vtt_path(f->folder, "encoded"), &f->vocab, &f->corpus, NULL, NULL), VT_OK);
  vt_train_options_init(&f->options);
  f->options.model = VT_MODEL_GLOVE;
  f->options.loss = VT_LOSS_SQUARES;
  f->options.optimizer = VT_OPTIMIZER_ADAGRAD;
  f->options.dim = 20;
  f->options.lr = 0.1;
  f->options.x_max = 10;
  f->options.epochs = 3;
  f->options.threads = 2;
  assert_int_equal(vt_train_options_check(&f->options, NULL), VT_OK);
}

static struct fixture fixture_create(uint32_t sentences) {
  struct fixture f = {.folder = vtt_folder_create()};
  fixture_fill(&f, vtt_planted_corpus(f.folder, "corpus.txt", sentences, 3));
  return f;
}

static void fixture_release(struct fixture *f) {
  vt_corpus_free(f->corpus);
  vt_vocab_free(f->vocab);
  vtt_folder_remove(f->folder);
}

static struct vt_engine *engine_create(const struct fixture *f) {
  struct vt_engine *engine;
  struct vt_error error;
  if (vt_engine_create(&f->options, f->vocab, f->corpus, &engine, &error) != VT_OK) fail_msg("%s", error.message);
  return engine;
}

static struct vt_engine_part part(struct vt_engine *engine, const char *name) {
  struct vt_engine_part parts[VT_ENGINE_PARTS_MAX];
  size_t count = vt_engine_parts(engine, parts);
  for (size_t k = 0; k < count; k++)
    if (strcmp(parts[k].name, name) == 0) return parts[k];
  fail_msg("no part %s", name);
  return parts[0];
}

static const float *row(const struct vt_engine_part *part, uint32_t at) {
  return (const float *)(const void *)((const char *)part->data + at * part->stride_bytes);
}

/* Means over all pairs that meet, from the parts and the counts themselves. */
static void measure(const struct fixture *f, struct vt_engine *engine, double *objective, double *squared_error) {
  const struct vt_engine_part v = part(engine, "input"), u = part(engine, "output"), b = part(engine, "input_bias"),
                              c = part(engine, "output_bias");
  struct vt_cooccur_options options;
  struct vt_cooccur *counts;
  vt_cooccur_options_init(&options);
  options.window = f->options.window;
  options.sides = f->options.one_sided ? VT_COOCCUR_LEFT : VT_COOCCUR_BOTH;
  assert_int_equal(vt_cooccur_count(f->corpus, &options, &counts, NULL, NULL), VT_OK);
  double sum = 0, weights = 0;
  for (uint32_t i = 0; i < vt_cooccur_words(counts); i++) {
    const uint32_t *columns;
    const uint64_t *units;
    for (size_t k = 0, n = vt_cooccur_row(counts, i, &columns, &units); k < n; k++) {
      double x = (double)units[k] / (double)vt_cooccur_scale(counts);
      double weight = vt_glove_weight(x, f->options.x_max, f->options.alpha);
      double difference = (double)*row(&b, i) + (double)*row(&c, columns[k]) - log(x);
      for (uint32_t d = 0; d < f->options.dim; d++)
        difference += (double)row(&v, i)[d] * (double)row(&u, columns[k])[d];
      sum += weight * difference * difference;
      weights += weight;
    }
  }
  *objective = sum / (double)vt_cooccur_pairs(counts);
  *squared_error = sum / weights;
  vt_cooccur_free(counts);
}

struct told {
  const struct fixture *f;
  double loss_sum, objective;
  uint64_t loss_pairs;
  int epochs;
  bool checked;
};

static enum vt_status watch(void *context, struct vt_engine *engine, struct vt_error *error) {
  struct told *told = context;
  const struct vt_engine_state *state = vt_engine_state(engine);
  (void)error;
  if (state->step == 0) return VT_OK;
  told->loss_sum += state->loss_sum;
  told->loss_pairs += state->loss_pairs;
  assert_int_equal(isnan(state->objective), !state->epoch_ended);
  if (!state->epoch_ended) return VT_OK;
  double objective, squared_error;
  measure(told->f, engine, &objective, &squared_error);
  assert_true(fabs(state->objective - objective) <= 1e-5 * objective);
  assert_true(fabs(state->squared_error - squared_error) <= 1e-5 * squared_error);
  assert_true(state->objective < told->objective);
  told->objective = state->objective;
  told->epochs++;
  return VT_OK;
}

static void loss_is_the_weighted_mean_and_falls(void **state) {
  (void)state;
  VTT_NOT_FOR_TSAN();
  for (int one_sided = 0; one_sided < 2; one_sided++) {
    struct fixture f = fixture_create(1500);
    f.options.one_sided = one_sided == 1;
    f.options.epochs = 6;
    struct vt_engine *engine = engine_create(&f);
    struct told told = {.f = &f, .objective = (double)INFINITY};
    struct vt_observer observer = {.boundary = watch, .context = &told};
    struct vt_error error;
    if (vt_engine_run(engine, &observer, 1, &error) != VT_OK) fail_msg("%s", error.message);
    assert_int_equal(told.epochs, 6);
    /* Every record but the probe's has been trained once an epoch. */
    uint64_t pairs = told.loss_pairs / 6 + vt_engine_probe_pairs(engine);
    struct vt_cooccur_options options;
    struct vt_cooccur *counts;
    vt_cooccur_options_init(&options);
    options.window = f.options.window;
    options.sides = one_sided == 1 ? VT_COOCCUR_LEFT : VT_COOCCUR_BOTH;
    assert_int_equal(vt_cooccur_count(f.corpus, &options, &counts, NULL, NULL), VT_OK);
    assert_int_equal(pairs, vt_cooccur_pairs(counts));
    assert_true(vt_engine_probe_pairs(engine) > 50);
    vt_cooccur_free(counts);
    struct vt_probe_result probe = vt_engine_probe(engine);
    assert_true(probe.loss > told.objective / 3 && probe.loss < told.objective * 3 && probe.gradient > 0);
    /* Published is the sum. */
    const struct vt_engine_part v = part(engine, "input"), u = part(engine, "output");
    const struct vt_table *sum = vt_engine_table(engine, VT_TABLE_INPUT);
    for (uint32_t i = 0; i < sum->rows; i++)
      for (uint32_t d = 0; d < sum->dim; d++) assert_true(vt_table_row(sum, i)[d] == row(&v, i)[d] + row(&u, i)[d]);
    vt_engine_free(engine);
    fixture_release(&f);
  }
}

static void same_bits_at_any_number_of_threads(void **state) {
  (void)state;
  static const int threads[] = {1, 2, 8};
  for (int with_l2 = 0; with_l2 < 2; with_l2++) {
    struct fixture f = fixture_create(600);
    f.options.l2 = with_l2 == 1 ? 1e-4 : 0;
    struct vt_engine *engines[3];
    for (int k = 0; k < 3; k++) {
      f.options.threads = threads[k];
      f.options.memory_bytes = k == 0 ? VT_COOCCUR_MEMORY_DEFAULT : 100000;
      engines[k] = engine_create(&f);
      struct vt_error error;
      if (vt_engine_run(engines[k], NULL, 0, &error) != VT_OK) fail_msg("%s", error.message);
      struct vt_engine_part own[VT_ENGINE_PARTS_MAX], of_first[VT_ENGINE_PARTS_MAX];
      size_t count = vt_engine_parts(engines[k], own);
      assert_int_equal(vt_engine_parts(engines[0], of_first), count);
      for (size_t p = 0; p < count; p++)
        for (uint32_t i = 0; i < own[p].rows; i++)
          assert_memory_equal(row(&own[p], i), row(&of_first[p], i), own[p].columns * sizeof(float));
      assert_true(vt_engine_state(engines[k])->objective == vt_engine_state(engines[0])->objective);
      assert_true(vt_engine_state(engines[k])->step_squared == vt_engine_state(engines[0])->step_squared);
      assert_true(vt_engine_probe(engines[k]).gradient == vt_engine_probe(engines[0]).gradient);
    }
    for (int k = 0; k < 3; k++) vt_engine_free(engines[k]);
    fixture_release(&f);
  }
}

static double cosine(const struct vt_table *table, uint32_t a, uint32_t b) {
  double product = 0, squared_a = 0, squared_b = 0;
  for (uint32_t d = 0; d < table->dim; d++) {
    const double x = (double)vt_table_row(table, a)[d], y = (double)vt_table_row(table, b)[d];
    product += x * y;
    squared_a += x * x;
    squared_b += y * y;
  }
  return product / sqrt(squared_a * squared_b);
}

#define TOPICS 8
#define TOPIC_WORDS 6

/* Sentences of twelve words, four out of five from their topic and the others from any: all words meet, those of one
 * topic more often. (GloVe sees only pairs that do meet.) */
static const char *topics_corpus(struct vtt_folder *folder) {
  enum { SENTENCES = 4000, BYTES = SENTENCES * 12 * 8 };
  char *text = malloc(BYTES);
  assert_non_null(text);
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 42, 0, 0);
  size_t at = 0;
  for (int k = 0; k < SENTENCES; k++) {
    const uint32_t topic = vt_rng_below(&rng, TOPICS);
    for (int w = 0; w < 12; w++) {
      const uint32_t from = vt_rng_below(&rng, 5) == 0 ? vt_rng_below(&rng, TOPICS) : topic;
      at += (size_t)snprintf(text + at, BYTES - at, "t%uw%u%c", from, vt_rng_below(&rng, TOPIC_WORDS),
                             w == 11 ? '\n' : ' ');
    }
  }
  const char *path = vtt_write(folder, "topics.txt", text, at);
  free(text);
  return path;
}

/* Words whose nearest is of their own topic. */
static int words_at_home(const struct fixture *f, struct vt_engine *engine) {
  const struct vt_table *table = vt_engine_table(engine, VT_TABLE_INPUT);
  int home = 0;
  for (uint32_t a = 0; a < table->rows; a++) {
    uint32_t best = a == 0 ? 1 : 0;
    for (uint32_t b = 0; b < table->rows; b++)
      if (b != a && cosine(table, a, b) > cosine(table, a, best)) best = b;
    home += vt_vocab_text(f->vocab, a)[1] == vt_vocab_text(f->vocab, best)[1];
  }
  return home;
}

/* f(X) (v.u + b + c - log X - log(trained / held out))^2, as a mean over all pairs of the sentences held out, which are
 * few enough here to be the whole sample. */
static double held_out_by_hand(const struct fixture *f, struct vt_engine *engine, uint64_t *trained_pairs) {
  const struct vt_engine_part v = part(engine, "input"), u = part(engine, "output"), b = part(engine, "input_bias"),
                              c = part(engine, "output_bias");
  const uint32_t *ids = vt_corpus_ids(f->corpus);
  const uint32_t words = (uint32_t)vt_vocab_size(f->vocab);
  struct vt_held_out held_out;
  assert_int_equal(
      vt_held_out_init(&held_out, ids, vt_corpus_entries(f->corpus), NULL, f->options.seed, f->options.held_out, NULL),
      VT_OK);
  double *tables[2], totals[2] = {0};
  for (int t = 0; t < 2; t++) tables[t] = calloc((size_t)words * words, sizeof(double));
  assert_true(tables[0] != NULL && tables[1] != NULL);
  for (uint64_t i = 0, span = 0; i < vt_corpus_entries(f->corpus); i++) {
    while (span < held_out.count && i >= held_out.spans[span].end) span++;
    const int t = span < held_out.count && i >= held_out.spans[span].begin;
    for (uint64_t j = i + 1; ids[i] != VT_CORPUS_END && ids[j] != VT_CORPUS_END && j - i <= f->options.window; j++) {
      tables[t][ids[i] * words + ids[j]] += 1 / (double)(j - i);
      tables[t][ids[j] * words + ids[i]] += 1 / (double)(j - i);
      totals[t] += 2 / (double)(j - i);
    }
  }
  double sum = 0;
  uint64_t pairs = 0;
  *trained_pairs = 0;
  for (uint32_t i = 0; i < words; i++)
    for (uint32_t j = 0; j < words; j++) {
      const double x = tables[1][i * words + j];
      *trained_pairs += tables[0][i * words + j] > 0;
      if (!(x > 0)) continue;
      double difference = (double)*row(&b, i) + (double)*row(&c, j) - log(x * totals[0] / totals[1]);
      for (uint32_t d = 0; d < f->options.dim; d++) difference += (double)row(&v, i)[d] * (double)row(&u, j)[d];
      sum += vt_glove_weight(x, f->options.x_max, f->options.alpha) * difference * difference;
      pairs++;
    }
  assert_true(pairs > 100 && pairs <= 2000);
  for (int t = 0; t < 2; t++) free(tables[t]);
  vt_held_out_release(&held_out);
  return sum / (double)pairs;
}

static enum vt_status add_pairs(void *context, struct vt_engine *engine, struct vt_error *error) {
  (void)error;
  *(uint64_t *)context += vt_engine_state(engine)->loss_pairs;
  return VT_OK;
}

static void what_is_held_out_is_measured_and_not_trained_on(void **state) {
  (void)state;
  VTT_NOT_FOR_TSAN();
  struct fixture f = fixture_create(300);
  f.options.held_out = 0.06;
  double losses[3];
  for (int k = 0; k < 3; k++) {
    f.options.threads = (int[]){1, 2, 8}[k];
    f.options.memory_bytes = k == 1 ? 100000 : VT_COOCCUR_MEMORY_DEFAULT;
    struct vt_engine *engine = engine_create(&f);
    struct vt_error error;
    uint64_t trained, pairs = 0;
    const struct vt_observer observer = {.boundary = add_pairs, .context = &pairs};
    if (vt_engine_begin(engine, &(struct vt_engine_place){0}, &error) != VT_OK) fail_msg("%s", error.message);
    const double before = vt_engine_held_out_loss(engine);
    assert_true(fabs(before - held_out_by_hand(&f, engine, &trained)) <= 1e-5 * before);
    if (vt_engine_run(engine, &observer, 1, &error) != VT_OK) fail_msg("%s", error.message);
    losses[k] = vt_engine_held_out_loss(engine);
    assert_true(fabs(losses[k] - held_out_by_hand(&f, engine, &trained)) <= 1e-5 * losses[k]);
    assert_true(losses[k] < before && losses[k] == losses[0]);
    assert_int_equal(pairs / f.options.epochs + vt_engine_probe_pairs(engine), trained);
    assert_int_equal(vt_engine_state(engine)->tokens,
                     3 * (vt_vocab_tokens(f.vocab) - vt_engine_held_out_tokens(engine)));
    vt_engine_free(engine);
  }
  fixture_release(&f);
}

static void planted_topics_are_found(void **state) {
  (void)state;
  VTT_NOT_FOR_TSAN();
  struct fixture f = {.folder = vtt_folder_create()};
  const char *path = topics_corpus(f.folder);
  fixture_fill(&f, path);
  f.options.epochs = 15;
  f.options.lr = vt_train_default_lr(&f.options);
  f.options.dim = 8;
  f.options.x_max = 100;
  struct vt_engine *engine = engine_create(&f);
  assert_int_equal(vt_vocab_size(f.vocab), TOPICS * TOPIC_WORDS);
  assert_true(words_at_home(&f, engine) < TOPICS * TOPIC_WORDS / 2);
  assert_int_equal(vt_engine_run(engine, NULL, 0, NULL), VT_OK);
  int home = words_at_home(&f, engine);
  if (home < TOPICS * TOPIC_WORDS * 95 / 100) fail_msg("%d of %d words", home, TOPICS * TOPIC_WORDS);
  vt_engine_free(engine);
  fixture_release(&f);
}

static double squares_of(const struct vt_engine_part *part) {
  double sum = 0;
  for (uint32_t i = 0; i < part->rows; i++)
    for (uint32_t d = 0; d < part->columns; d++) sum += (double)row(part, i)[d] * (double)row(part, i)[d];
  return sum;
}

static void a_penalty_keeps_vectors_short(void **state) {
  (void)state;
  VTT_NOT_FOR_TSAN();
  double squares[2];
  for (int with_l2 = 0; with_l2 < 2; with_l2++) {
    struct fixture f = fixture_create(600);
    f.options.l2 = with_l2 == 1 ? 0.1 : 0;
    struct vt_engine *engine = engine_create(&f);
    assert_int_equal(vt_engine_run(engine, NULL, 0, NULL), VT_OK);
    const struct vt_engine_part v = part(engine, "input");
    squares[with_l2] = squares_of(&v);
    vt_engine_free(engine);
    fixture_release(&f);
  }
  assert_true(squares[1] < 0.7 * squares[0]);
}

/* What left the numbers is found at the end of its step, and named. */
static void what_is_not_finite_is_named(void **state) {
  (void)state;
  struct fixture f = fixture_create(600);
  struct vt_engine *engine = engine_create(&f);
  struct vt_engine_part v = part(engine, "input");
  uint32_t word;
  assert_true(vt_vocab_find(f.vocab, "w3g1", &word));
  *(float *)(void *)((char *)v.data + word * v.stride_bytes) = 3e38F;
  struct vt_error error;
  assert_int_equal(vt_engine_run(engine, NULL, 0, &error), VT_ERROR_DIVERGED);
  assert_non_null(strstr(error.message, "training diverged at step 1: the "));
  assert_non_null(strstr(error.message, "vector of \""));
  vt_engine_free(engine);
  fixture_release(&f);
}

static void bad_options_are_named(void **state) {
  (void)state;
  struct fixture f = fixture_create(100);
  struct vt_error error;
  f.options.x_max = 0;
  assert_int_equal(vt_train_options_check(&f.options, &error), VT_ERROR_ARGUMENT);
  assert_string_equal(error.message, "x-max is 0; it must be above 0");
  f.options.x_max = 10;
  f.options.alpha = (double)NAN;
  assert_int_equal(vt_train_options_check(&f.options, NULL), VT_ERROR_ARGUMENT);
  f.options.alpha = 0.75;
  f.options.loss = VT_LOSS_NEGATIVE_SAMPLING;
  assert_int_equal(vt_train_options_check(&f.options, NULL), VT_ERROR_ARGUMENT);
  f.options.loss = VT_LOSS_SQUARES;
  f.options.memory_bytes = 1000;
  assert_int_equal(vt_train_options_check(&f.options, NULL), VT_OK);
  struct vt_engine *engine;
  assert_int_equal(vt_engine_create(&f.options, f.vocab, f.corpus, &engine, &error), VT_ERROR_ARGUMENT);
  assert_non_null(strstr(error.message, "memory is 1000 bytes"));
  fixture_release(&f);
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t stop;

static void stop_before_counting(void *context, const struct vt_corpus_report *report, const struct vt_vocab *vocab) {
  (void)context, (void)report, (void)vocab;
  stop = 1;
}

static void request_init(struct vt_train_request *request, const struct fixture *f, const char *const *inputs,
                         const char *run) {
  *request = (struct vt_train_request){.inputs = inputs, .input_count = 1, .run_path = run, .train = f->options};
  vt_corpus_options_init(&request->corpus);
  vt_record_options_init(&request->record);
  request->corpus.min_count = 1;
  request->record.output = true;
  request->interrupt = &stop;
}

static double last_metric(struct vt_run *run, const char *name, size_t *count) {
  struct vt_run_point *points;
  assert_int_equal(vt_run_metric(run, name, &points, count, NULL), VT_OK);
  assert_true(*count > 0);
  double value = points[*count - 1].value;
  vt_run_points_free(points);
  return value;
}

/* From the files of the run alone: v is the sum less u, and the biases lie beside them. */
static void check_objective(const struct fixture *f, const char *path) {
  struct vt_run *run;
  size_t count;
  assert_int_equal(vt_run_open(path, &run, NULL), VT_OK);
  const double told = last_metric(run, "objective", &count);
  assert_int_equal(count, f->options.epochs);
  char name[4096];
  snprintf(name, sizeof name, "%s/%s/%llu.safetensors", path, VT_RUN_SNAPSHOTS,
           (unsigned long long)vt_run_snapshot_at(run, vt_run_snapshot_count(run) - 1).step);
  vt_run_close(run);
  struct vt_safetensors *file;
  assert_int_equal(vt_safetensors_open(name, &file, NULL), VT_OK);
  const float *sum = vt_safetensors_find(file, "input")->data, *u = vt_safetensors_find(file, "output")->data;
  const float *b = vt_safetensors_find(file, "input_bias")->data, *c = vt_safetensors_find(file, "output_bias")->data;
  struct vt_cooccur_options options;
  struct vt_cooccur *counts;
  vt_cooccur_options_init(&options);
  options.window = f->options.window;
  assert_int_equal(vt_cooccur_count(f->corpus, &options, &counts, NULL, NULL), VT_OK);
  const uint32_t dim = f->options.dim;
  double total = 0;
  for (uint32_t i = 0; i < vt_cooccur_words(counts); i++) {
    const uint32_t *columns;
    const uint64_t *units;
    for (size_t k = 0, n = vt_cooccur_row(counts, i, &columns, &units); k < n; k++) {
      double x = (double)units[k] / (double)vt_cooccur_scale(counts);
      double difference = (double)b[i] + (double)c[columns[k]] - log(x);
      for (uint32_t d = 0; d < dim; d++)
        difference += ((double)sum[i * dim + d] - (double)u[i * dim + d]) * (double)u[columns[k] * dim + d];
      total += vt_glove_weight(x, f->options.x_max, f->options.alpha) * difference * difference;
    }
  }
  total /= (double)vt_cooccur_pairs(counts);
  assert_true(fabs(total - told) <= 1e-5 * told);
  vt_cooccur_free(counts);
  vt_safetensors_close(file);
}

static void stop_at_step_20(void *context, const struct vt_train_progress *progress) {
  (void)context;
  if (progress->step == 20) stop = 1;
}

/* Stopped on its way, with sentences held out: the same losses of them, as numbers, in the end. */
static void stopped_with_sentences_held_out(void **state) {
  (void)state;
  struct fixture f = fixture_create(600);
  f.options.held_out = 0.05;
  const char *corpus = vtt_path(f.folder, "corpus.txt");
  const char *const paths[] = {vtt_path(f.folder, "whole"), vtt_path(f.folder, "broken")};
  struct vt_run_point *points[2];
  size_t counts[2];
  stop = 0;
  for (int k = 0; k < 2; k++) {
    struct vt_train_request request;
    struct vt_error error;
    request_init(&request, &f, &corpus, paths[k]);
    if (k == 1) request.progress = stop_at_step_20;
    assert_int_equal(vt_train(&request, NULL, &error), k == 1 ? VT_ERROR_INTERRUPTED : VT_OK);
    struct vt_resume_request resume;
    vt_resume_request_init(&resume);
    resume.run_path = paths[k];
    resume.threads = 1;
    struct vt_train_result result;
    if (k == 1 && vt_resume(&resume, &result, &error) != VT_OK) fail_msg("%s", error.message);
    if (k == 1) assert_int_equal(result.first_step, 21); /* the callback comes behind the look at the flag */
    struct vt_run *run;
    assert_int_equal(vt_run_open(paths[k], &run, NULL), VT_OK);
    assert_int_equal(vt_run_metric(run, "held_out_loss", &points[k], &counts[k], NULL), VT_OK);
    vt_run_close(run);
  }
  stop = 0;
  /* One more where it stopped. */
  assert_true(counts[0] > 10 && counts[1] >= counts[0]);
  for (size_t i = 0, j = 0; i < counts[0]; i++) {
    while (points[1][j].step < points[0][i].step) j++;
    assert_true(points[1][j].step == points[0][i].step && points[1][j].value == points[0][i].value);
  }
  assert_true(points[0][counts[0] - 1].value < points[0][0].value);
  for (int k = 0; k < 2; k++) vt_run_points_free(points[k]);
  fixture_release(&f);
}

static void stopped_while_counting_it_can_be_gone_on_with(void **state) {
  (void)state;
  struct fixture f = fixture_create(600);
  const char *corpus = vtt_path(f.folder, "corpus.txt"), *whole = vtt_path(f.folder, "whole"),
             *broken = vtt_path(f.folder, "broken");
  struct vt_train_request request;
  struct vt_error error;
  stop = 0;
  request_init(&request, &f, &corpus, whole);
  if (vt_train(&request, NULL, &error) != VT_OK) fail_msg("%s", error.message);
  check_objective(&f, whole);
  request.run_path = broken;
  request.corpus_ready = stop_before_counting;
  assert_int_equal(vt_train(&request, NULL, &error), VT_ERROR_INTERRUPTED);
  assert_string_equal(error.message, "interrupted while counting");
  assert_true(vtt_exists(broken));
  struct vt_resume_request resume;
  vt_resume_request_init(&resume);
  resume.run_path = broken;
  resume.threads = 1;
  struct vt_train_result result;
  if (vt_resume(&resume, &result, &error) != VT_OK) fail_msg("%s", error.message);
  assert_int_equal(result.first_step, 0);
  stop = 0;
  struct vt_run *runs[2];
  struct vt_vectors *vectors[2];
  for (int k = 0; k < 2; k++) {
    assert_int_equal(vt_run_open(k == 0 ? whole : broken, &runs[k], NULL), VT_OK);
    assert_int_equal(vt_run_vectors(runs[k], VT_STEP_LAST, &vectors[k], NULL), VT_OK);
  }
  assert_int_equal(vectors[0]->step, vectors[1]->step);
  for (uint32_t i = 0; i < vt_vocab_size(f.vocab); i++)
    assert_memory_equal(vectors[0]->data + (size_t)i * f.options.dim, vectors[1]->data + (size_t)i * f.options.dim,
                        f.options.dim * sizeof(float));
  for (int k = 0; k < 2; k++) {
    vt_vectors_free(vectors[k]);
    vt_run_close(runs[k]);
  }
  fixture_release(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(step_is_the_difference_of_the_loss),
      cmocka_unit_test(one_record_by_hand),
      cmocka_unit_test(every_kernel_steps_alike),
      cmocka_unit_test(loss_is_the_weighted_mean_and_falls),
      cmocka_unit_test(same_bits_at_any_number_of_threads),
      cmocka_unit_test(what_is_held_out_is_measured_and_not_trained_on),
      cmocka_unit_test(planted_topics_are_found),
      cmocka_unit_test(a_penalty_keeps_vectors_short),
      cmocka_unit_test(what_is_not_finite_is_named),
      cmocka_unit_test(bad_options_are_named),
      cmocka_unit_test(stopped_while_counting_it_can_be_gone_on_with),
      cmocka_unit_test(stopped_with_sentences_held_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
