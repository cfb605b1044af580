/* The exact softmax (label: threads): gradients against differences of the loss written out, two facts that theory is
 * sure of, the way to the optimum, the same bits at any number of threads. */
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
#include "support/engine_fixture.h"
#include "support/planted.h"
#include "support/temporary.h"
#include "train/softmax_batch.h"

static struct vtt_fixture toy_create(void) {
  struct vtt_folder *folder = vtt_folder_create();
  return vtt_fixture_open(folder, vtt_write_text(folder, "toy.txt", vtt_toy), VT_LOSS_SOFTMAX);
}

static void *part(struct vt_engine *engine, const char *name) {
  struct vt_engine_part parts[VT_ENGINE_PARTS_MAX];
  size_t count = vt_engine_parts(engine, parts);
  for (size_t k = 0; k < count; k++)
    if (strcmp(parts[k].name, name) == 0) return parts[k].data;
  fail_msg("no part %s", name);
  return NULL;
}

/* Starts the output table at random, too: at zero most of what can be wrong is zero. */
static void shake(struct vt_engine *engine, size_t cells, double scale) {
  static const char *const names[] = {"input", "output"};
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 20, 0, 0);
  for (int t = 0; t < 2; t++) {
    double *table = part(engine, names[t]);
    for (size_t k = 0; k < cells; k++) table[k] = ((double)vt_rng_unit(&rng) - 0.5) * 2 * scale;
  }
}

/* The mean loss over the expected counts of all pairs, plus the penalty, from the corpus itself. */
static double loss_of(const struct vtt_fixture *f, const double *input, const double *output) {
  const uint32_t *ids = vt_corpus_ids(f->corpus), window = f->options.window, dim = f->options.dim;
  const uint64_t entries = vt_corpus_entries(f->corpus);
  const size_t words = vt_vocab_size(f->vocab);
  double loss = 0, total = 0;
  for (uint64_t centre = 0; centre < entries; centre++) {
    for (uint64_t other = 0; other < entries; other++) {
      uint64_t low = centre < other ? centre : other, high = centre < other ? other : centre;
      bool same_sentence = low != high && high - low <= window;
      for (uint64_t k = low; same_sentence && k <= high; k++) same_sentence = ids[k] != VT_CORPUS_END;
      if (!same_sentence) continue;
      double weight = (double)(window - (high - low) + 1) / window, sum = 0, score = 0;
      for (size_t c = 0; c < words; c++) {
        double s = 0;
        for (uint32_t k = 0; k < dim; k++) s += input[ids[other] * dim + k] * output[c * dim + k];
        sum += exp(s);
        if (c == ids[centre]) score = s;
      }
      loss += weight * (log(sum) - score);
      total += weight;
    }
  }
  double squares = 0;
  for (size_t k = 0; k < words * dim; k++) squares += input[k] * input[k] + output[k] * output[k];
  return loss / total + f->options.l2 * squares;
}

static void run(struct vt_engine *engine) {
  struct vt_error error;
  if (vt_engine_run(engine, NULL, 0, &error) != VT_OK) fail_msg("%s", error.message);
}

/* One step of SGD at rate 1 is minus the gradient. */
static void full_gradient_is_the_difference_of_the_loss(void **state) {
  (void)state;
  struct vtt_fixture f = toy_create();
  f.options.lr = 1;
  f.options.l2 = 0.01;
  f.options.epochs = 1;
  size_t cells = vt_vocab_size(f.vocab) * f.options.dim;
  struct vt_engine *engine = vtt_fixture_engine(&f);
  shake(engine, cells, 1);
  double *tables[] = {part(engine, "input"), part(engine, "output")};
  double *before[2], *moved[2];
  for (int t = 0; t < 2; t++) {
    before[t] = calloc(cells, sizeof(double));
    moved[t] = calloc(cells, sizeof(double));
    assert_true(before[t] != NULL && moved[t] != NULL);
    memcpy(before[t], tables[t], cells * sizeof(double));
  }
  run(engine);
  f.options.l2 = 0.01;
  double length = 0;
  for (int t = 0; t < 2; t++) memcpy(moved[t], tables[t], cells * sizeof(double));
  for (int t = 0; t < 2; t++) {
    for (size_t k = 0; k < cells; k++) {
      const double h = 1e-5, at = before[t][k];
      before[t][k] = at + h;
      double above = loss_of(&f, before[0], before[1]);
      before[t][k] = at - h;
      double below = loss_of(&f, before[0], before[1]);
      before[t][k] = at;
      double difference = (above - below) / (2 * h), gradient = at - moved[t][k];
      assert_true(fabs(gradient - difference) <= 1e-8);
      length += gradient * gradient;
    }
  }
  const struct vt_engine_state *after = vt_engine_state(engine);
  assert_true(fabs(after->gradient - sqrt(length)) <= 1e-12);
  double squares = 0;
  for (int t = 0; t < 2; t++)
    for (size_t k = 0; k < cells; k++) squares += before[t][k] * before[t][k];
  assert_true(fabs(after->loss_sum + 0.01 * squares - loss_of(&f, before[0], before[1])) <= 1e-12);
  for (int t = 0; t < 2; t++) free(before[t]), free(moved[t]);
  vt_engine_free(engine);
  vtt_fixture_close(&f);
}

/* By hand: with two words that only meet each other, and all outputs zero, P = 1/2, the loss is ln 2, and the output of
 * each word moves by rate (1/2)(1/2) (v_other - v_own). */
static void two_words_by_hand(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vtt_fixture f = vtt_fixture_open(folder, vtt_write_text(folder, "two.txt", "x y\n"), VT_LOSS_SOFTMAX);
  f.options.lr = 2;
  f.options.epochs = 1;
  struct vt_engine *engine = vtt_fixture_engine(&f);
  const double *input = part(engine, "input"), *output = part(engine, "output");
  double v[2][3];
  memcpy(v, input, sizeof v);
  run(engine);
  assert_true(fabs(vt_engine_state(engine)->loss_sum - log(2)) < 1e-15);
  for (int w = 0; w < 2; w++) {
    for (int k = 0; k < 3; k++) {
      assert_true(fabs(output[w * 3 + k] - 2 * 0.25 * (v[1 - w][k] - v[w][k])) < 1e-15);
      assert_true(input[w * 3 + k] == v[w][k]); /* the outputs were zero */
    }
  }
  vt_engine_free(engine);
  vtt_fixture_close(&f);
}

/* Softmax gives sum_c dL/du_c = sum_i (sum_c P_ic - 1) v_i = 0. */
static void the_mean_output_never_moves(void **state) {
  (void)state;
  for (int mini = 0; mini < 2; mini++) {
    struct vtt_fixture f = toy_create();
    f.options.batch = mini == 1 ? 8 : VT_BATCH_FULL;
    f.options.lr = 0.5;
    f.options.epochs = 200;
    size_t words = vt_vocab_size(f.vocab);
    struct vt_engine *engine = vtt_fixture_engine(&f);
    run(engine);
    const struct vt_table *output = vt_engine_table(engine, VT_TABLE_OUTPUT);
    for (uint32_t k = 0; k < f.options.dim; k++) {
      double sum = 0, size = 0;
      for (uint32_t row = 0; row < words; row++) {
        sum += (double)vt_table_row(output, row)[k];
        size += fabs((double)vt_table_row(output, row)[k]);
      }
      assert_true(size > 0.5);
      assert_true(fabs(sum) <= size * 1e-5);
    }
    vt_engine_free(engine);
    vtt_fixture_close(&f);
  }
}

/* |W'W - C'C| that has come about after the same time of gradient flow, in steps of `rate`. */
static double imbalance(double rate) {
  struct vtt_fixture f = toy_create();
  f.options.lr = rate;
  f.options.epochs = (uint32_t)(5 / rate + 0.5);
  size_t words = vt_vocab_size(f.vocab), dim = f.options.dim;
  struct vt_engine *engine = vtt_fixture_engine(&f);
  shake(engine, words * dim, 0.7);
  const double *w = part(engine, "input"), *c = part(engine, "output");
  double start[9], change = 0;
  for (int pass = 0; pass < 2; pass++) {
    for (size_t i = 0; i < dim; i++) {
      for (size_t j = 0; j < dim; j++) {
        double sum = 0;
        for (size_t row = 0; row < words; row++)
          sum += w[row * dim + i] * w[row * dim + j] - c[row * dim + i] * c[row * dim + j];
        if (pass == 0) start[i * dim + j] = sum;
        change += pass == 0 ? 0 : (sum - start[i * dim + j]) * (sum - start[i * dim + j]);
      }
    }
    if (pass == 0) run(engine);
  }
  vt_engine_free(engine);
  vtt_fixture_close(&f);
  return sqrt(change);
}

/* d/dt (W'W - C'C) = 0 for any loss of W C': what there is, is the size of the steps. */
static void gradient_flow_keeps_the_balance(void **state) {
  (void)state;
  double coarse = imbalance(0.02), fine = imbalance(0.002);
  assert_true(coarse < 0.02);
  assert_true(fine < 0.12 * coarse && fine > 0.08 * coarse);
}

static void the_gradient_goes_to_zero(void **state) {
  (void)state;
  VTT_NOT_FOR_TSAN();
  static const struct {
    enum vt_optimizer_kind optimizer;
    double lr;
  } ways[] = {{VT_OPTIMIZER_SGD, 2}, {VT_OPTIMIZER_ADAGRAD, 0.3}};
  for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
    struct vtt_fixture f = toy_create();
    f.options.optimizer = ways[k].optimizer;
    f.options.lr = ways[k].lr;
    f.options.epochs = 1;
    f.options.l2 = 0.005;
    struct vt_engine *first = vtt_fixture_engine(&f);
    run(first);
    f.options.epochs = 20000;
    struct vt_engine *engine = vtt_fixture_engine(&f);
    run(engine);
    assert_true(vt_engine_state(engine)->gradient <= 1e-6 * vt_engine_state(first)->gradient);
    assert_true(vt_engine_state(engine)->loss_sum < vt_engine_state(first)->loss_sum - 0.1);
    vt_engine_free(first);
    vt_engine_free(engine);
    vtt_fixture_close(&f);
  }
}

/* ---- minibatches ------------------------------------------------------------------------------------------------- */

/* Loss and gradients of a batch in float against the definition in long double; more words than one tile. */
static void batches_agree_with_the_definition(void **state) {
  (void)state;
  enum { WORDS = 1100, DIM = 20, ROWS = 37 };
  struct vt_pool *pool;
  struct vt_table input, output, gradient;
  struct vt_softmax_space *space;
  assert_int_equal(vt_pool_create(2, &pool, NULL), VT_OK);
  assert_int_equal(vt_table_init(&input, WORDS, DIM, NULL), VT_OK);
  assert_int_equal(vt_table_init(&output, WORDS, DIM, NULL), VT_OK);
  assert_int_equal(vt_table_init(&gradient, WORDS, DIM, NULL), VT_OK);
  assert_int_equal(vt_softmax_space_create(ROWS + 5, WORDS, DIM, pool,
                                           vt_kernel_at(0)->runs_here() ? vt_kernel_at(0) : &vt_kernel_reference,
                                           &space, NULL),
                   VT_OK);
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 21, 0, 0);
  for (uint32_t row = 0; row < WORDS; row++)
    for (int k = 0; k < DIM; k++) {
      vt_table_row(&input, row)[k] = vt_rng_unit(&rng) - 0.5F;
      vt_table_row(&output, row)[k] = vt_rng_unit(&rng) - 0.5F;
    }
  uint32_t inputs[ROWS], targets[2 * ROWS];
  size_t start[ROWS + 1];
  float weights[2 * ROWS];
  for (size_t i = 0; i < ROWS; i++) {
    inputs[i] = vt_rng_below(&rng, WORDS);
    start[i] = 2 * i;
    targets[2 * i] = vt_rng_below(&rng, 500);
    targets[2 * i + 1] = 500 + vt_rng_below(&rng, 600);
    weights[2 * i] = 1 + vt_rng_unit(&rng);
    weights[2 * i + 1] = vt_rng_unit(&rng);
  }
  start[ROWS] = 2 * ROWS;
  const struct vt_softmax_batch batch = {ROWS, inputs, start, targets, weights, 0.25F, false};
  double loss = vt_softmax_batch_gradient(space, &input, &output, &batch, &gradient);
  static long double exact_output[WORDS][DIM];
  memset(exact_output, 0, sizeof exact_output);
  long double exact_loss = 0;
  for (size_t i = 0; i < ROWS; i++) {
    static long double p[WORDS];
    long double sum = 0, weight = (long double)weights[2 * i] + (long double)weights[2 * i + 1], pull[DIM] = {0};
    for (uint32_t c = 0; c < WORDS; c++) {
      long double s = 0;
      for (int k = 0; k < DIM; k++)
        s += (long double)vt_table_row(&input, inputs[i])[k] * (long double)vt_table_row(&output, c)[k];
      sum += p[c] = expl(s);
    }
    for (uint32_t c = 0; c < WORDS; c++) {
      long double w = c == targets[2 * i]       ? (long double)weights[2 * i]
                      : c == targets[2 * i + 1] ? (long double)weights[2 * i + 1]
                                                : 0;
      exact_loss -= w * logl(p[c] / sum);
      long double g = 0.25L * (weight * p[c] / sum - w);
      for (int k = 0; k < DIM; k++) {
        pull[k] += g * (long double)vt_table_row(&output, c)[k];
        exact_output[c][k] += g * (long double)vt_table_row(&input, inputs[i])[k];
      }
    }
    for (int k = 0; k < DIM; k++)
      assert_true(fabsl((long double)vt_softmax_input_gradient(space, i)[k] - pull[k]) < 1e-6L);
  }
  assert_true(fabsl((long double)loss - exact_loss) < 1e-5L * exact_loss);
  for (uint32_t c = 0; c < WORDS; c++)
    for (int k = 0; k < DIM; k++)
      assert_true(fabsl((long double)vt_table_row(&gradient, c)[k] - exact_output[c][k]) < 1e-6L);
  vt_softmax_space_free(space);
  vt_table_release(&input);
  vt_table_release(&output);
  vt_table_release(&gradient);
  vt_pool_free(pool);
}

static void same_bits_at_any_number_of_threads(void **state) {
  (void)state;
  static const int threads[] = {2, 8, 1, 3};
  struct vtt_folder *folder = vtt_folder_create();
  struct vtt_fixture f = vtt_fixture_open(folder, vtt_planted_corpus(folder, "planted.txt", 150, 4), VT_LOSS_SOFTMAX);
  f.options.lr = 0.01;
  f.options.epochs = 2;
  f.options.dim = 20;
  f.options.window = 4;
  f.options.block_tokens = 256;
  f.options.optimizer = VT_OPTIMIZER_ADAMW;
  size_t floats = vt_vocab_size(f.vocab) * vt_kernel_width(f.options.dim);
  for (int full = 0; full < 2; full++) {
    float *first = calloc(floats, sizeof *first);
    assert_non_null(first);
    double loss = 0, probe = 0;
    f.options.batch = full == 1 ? VT_BATCH_FULL : 100;
    for (size_t k = 0; k < (vtt_sanitized ? 2 : sizeof threads / sizeof *threads); k++) {
      f.options.threads = threads[k];
      struct vt_engine *engine = vtt_fixture_engine(&f);
      run(engine);
      const float *data = vt_engine_table(engine, VT_TABLE_INPUT)->data;
      double gradient = vt_engine_probe(engine).gradient;
      if (k == 0) {
        memcpy(first, data, floats * sizeof *first);
        loss = vt_engine_state(engine)->loss_sum;
        probe = gradient;
      }
      assert_memory_equal(first, data, floats * sizeof *first);
      assert_true(loss == vt_engine_state(engine)->loss_sum && probe == gradient && isfinite(probe));
      vt_engine_free(engine);
    }
    free(first);
  }
  vtt_fixture_close(&f);
}

/* Minibatches bring synonyms, which never meet, together. */
static void synonyms_close_up(void **state) {
  (void)state;
  VTT_NOT_FOR_TSAN();
  struct vtt_folder *folder = vtt_folder_create();
  struct vtt_fixture f = vtt_fixture_open(folder, vtt_planted_corpus(folder, "planted.txt", 1500, 5), VT_LOSS_SOFTMAX);
  f.options.lr = 0.01;
  f.options.epochs = 3;
  f.options.dim = 20;
  f.options.window = 5;
  f.options.batch = 256;
  f.options.sample = 1e-3;
  f.options.optimizer = VT_OPTIMIZER_ADAMW;
  struct vt_engine *engine = vtt_fixture_engine(&f);
  run(engine);
  const struct vt_table *input = vt_engine_table(engine, VT_TABLE_INPUT);
  double alike = 0, others = 0;
  for (int s = 0; s < VTT_SYNONYMS; s++) {
    char names[3][32];
    uint32_t ids[3];
    snprintf(names[0], sizeof names[0], "syn%da", s);
    snprintf(names[1], sizeof names[1], "syn%db", s);
    snprintf(names[2], sizeof names[2], "syn%db", (s + 1) % VTT_SYNONYMS);
    for (int w = 0; w < 3; w++) assert_true(vt_vocab_find(f.vocab, names[w], &ids[w]));
    double products[3] = {0}, squares[3] = {0};
    for (int w = 0; w < 3; w++)
      for (uint32_t k = 0; k < f.options.dim; k++) {
        products[w] += (double)vt_table_row(input, ids[0])[k] * (double)vt_table_row(input, ids[w])[k];
        squares[w] += (double)vt_table_row(input, ids[w])[k] * (double)vt_table_row(input, ids[w])[k];
      }
    alike += products[1] / sqrt(squares[0] * squares[1]) / VTT_SYNONYMS;
    others += products[2] / sqrt(squares[0] * squares[2]) / VTT_SYNONYMS;
  }
  assert_true(alike > 0.8 && others < 0.5);
  vt_engine_free(engine);
  vtt_fixture_close(&f);
}

static void divergence_is_told_and_nothing_is_lost(void **state) {
  (void)state;
  for (int full = 0; full < 2; full++) {
    struct vtt_fixture f = toy_create();
    f.options.lr = 1000;
    f.options.epochs = 500;
    f.options.batch = full == 1 ? VT_BATCH_FULL : 8;
    struct vt_engine *engine = vtt_fixture_engine(&f);
    shake(engine, full == 1 ? vt_vocab_size(f.vocab) * f.options.dim : 0, 3);
    struct vt_error error;
    assert_int_equal(vt_engine_run(engine, NULL, 0, &error), VT_ERROR_DIVERGED);
    assert_non_null(strstr(error.message, "is no longer finite"));
    for (int t = 0; t < VT_TABLE_COUNT; t++) {
      const struct vt_table *table = vt_engine_table(engine, (enum vt_table_role)t);
      for (size_t k = 0; k < table->rows * table->width; k++) assert_true(isfinite(table->data[k]));
    }
    vt_engine_free(engine);
    vtt_fixture_close(&f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(full_gradient_is_the_difference_of_the_loss),
      cmocka_unit_test(two_words_by_hand),
      cmocka_unit_test(the_mean_output_never_moves),
      cmocka_unit_test(gradient_flow_keeps_the_balance),
      cmocka_unit_test(the_gradient_goes_to_zero),
      cmocka_unit_test(batches_agree_with_the_definition),
      cmocka_unit_test(same_bits_at_any_number_of_threads),
      cmocka_unit_test(synonyms_close_up),
      cmocka_unit_test(divergence_is_told_and_nothing_is_lost),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
