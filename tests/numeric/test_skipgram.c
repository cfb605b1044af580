/* The objective of skip-gram with negative sampling: its gradient, one block worked by hand, what a block keeps to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "train/objective/objective.h"
#include "vectrail/corpus.h"

/* ---- gradient -------------------------------------------------------------------------------------------------- */

#define GRADIENT_DIM 16

struct rows {
  int inputs;
  int outputs;
  double values[(VT_STEP_INPUTS_MAX + VT_STEP_OUTPUTS_MAX) * GRADIENT_DIM]; /* inputs, then outputs */
};

/* l = sum_i ( - log sigma(v_i . u_0) - sum_{j>0} log sigma(- v_i . u_j) ), written without looking at the kernel. */
static double loss(const struct rows *rows) {
  double sum = 0;
  for (int i = 0; i < rows->inputs; i++) {
    for (int j = 0; j < rows->outputs; j++) {
      double score = 0;
      for (int k = 0; k < GRADIENT_DIM; k++)
        score += rows->values[i * GRADIENT_DIM + k] * rows->values[(rows->inputs + j) * GRADIENT_DIM + k];
      sum -= log(1 / (1 + exp(j == 0 ? -score : score)));
    }
  }
  return sum;
}

static void step_exactly(struct rows *rows, double rate) {
  struct vt_step_double step = {
      .input_count = rows->inputs, .output_count = rows->outputs, .width = GRADIENT_DIM, .rate = rate};
  for (int i = 0; i < rows->inputs; i++) step.inputs[i] = rows->values + i * GRADIENT_DIM;
  for (int j = 0; j < rows->outputs; j++) step.outputs[j] = rows->values + (rows->inputs + j) * GRADIENT_DIM;
  step.labels[0] = step.labels[VT_STEP_SCORE_STRIDE] = 1;
  vt_kernel_step_double(&step);
}

static void step_is_the_gradient(void **state) {
  (void)state;
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 1, 2, 3);
  for (int inputs = 1; inputs <= VT_STEP_INPUTS_MAX; inputs++) {
    for (int outputs = 1; outputs <= VT_STEP_OUTPUTS_MAX; outputs++) {
      struct rows rows = {.inputs = inputs, .outputs = outputs};
      int count = (inputs + outputs) * GRADIENT_DIM;
      for (int k = 0; k < count; k++) rows.values[k] = (double)vt_rng_unit(&rng) - 0.5;
      struct rows moved = rows;
      const double rate = 0.5;
      step_exactly(&moved, rate);
      double largest = 0;
      for (int k = 0; k < count; k++) largest = fmax(largest, fabs(moved.values[k] - rows.values[k]) / rate);
      for (int k = 0; k < count; k++) {
        struct rows up = rows, down = rows;
        const double h = 1e-5;
        up.values[k] += h;
        down.values[k] -= h;
        double numeric = (loss(&up) - loss(&down)) / (2 * h);
        double analytic = (rows.values[k] - moved.values[k]) / rate;
        assert_true(fabs(numeric - analytic) <= 1e-6 * largest);
      }
    }
  }
}

/* ---- one block, worked by hand ---------------------------------------------------------------------------------- */

struct world {
  struct vt_train_options options;
  struct vt_objective_setup setup;
  struct vt_noise noise;
  uint32_t noise_keep[8];
  uint32_t noise_other[8];
  uint32_t keep[8];
  struct vt_table tables[VT_TABLE_COUNT];
  struct vt_block block;
  void *memory[VT_TABLE_COUNT]; /* of its working sets */
  struct vt_objective_scratch *scratch;
};

/* A vocabulary of `words` words, each kept, each equally likely as noise. */
static struct world *world_create(uint32_t words, uint32_t dim, uint32_t window, uint32_t negative, const uint32_t *ids,
                                  uint64_t entries) {
  struct world *w = vt_alloc_aligned(1, sizeof *w);
  assert_non_null(w);
  vt_train_options_init(&w->options);
  w->options.dim = dim;
  w->options.window = window;
  w->options.negative = negative;
  w->noise = (struct vt_noise){.size = words, .keep = w->noise_keep, .other = w->noise_other};
  for (uint32_t k = 0; k < words; k++) w->noise_keep[k] = w->keep[k] = UINT32_MAX;
  w->setup = (struct vt_objective_setup){.options = &w->options, .noise = &w->noise, .keep = w->keep};
  assert_int_equal(vt_kernel_choose(NULL, &w->setup.kernel, NULL), VT_OK);
  uint32_t capacities[VT_TABLE_COUNT];
  vt_objective_skipgram.capacities(&w->options, (uint32_t)entries, capacities);
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 9, 9, 9);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    assert_int_equal(vt_table_init(&w->tables[t], words, dim, NULL), VT_OK);
    for (uint32_t row = 0; row < words; row++)
      for (uint32_t k = 0; k < dim; k++) vt_table_row(&w->tables[t], row)[k] = vt_rng_unit(&rng) - 0.5F;
    w->memory[t] = vt_alloc_aligned(1, vt_working_set_bytes(&w->tables[t], capacities[t]));
    assert_non_null(w->memory[t]);
    vt_working_set_init(&w->block.sets[t], &w->tables[t], capacities[t], w->memory[t]);
    vt_working_set_clear(&w->block.sets[t]);
  }
  w->block.ids = ids;
  w->block.end = entries;
  w->block.rate = 0.1F;
  w->block.rng = vt_rng_make(VT_RNG_BLOCK, 1, 0, 0);
  assert_int_equal(vt_objective_skipgram.scratch_create(&w->options, (uint32_t)entries, &w->scratch, NULL), VT_OK);
  return w;
}

static void world_free(struct world *w) {
  vt_objective_skipgram.scratch_free(w->scratch);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    vt_free_aligned(w->memory[t]);
    vt_table_release(&w->tables[t]);
  }
  vt_free_aligned(w);
}

static const float *moved_row(struct world *w, int table, uint32_t row) {
  return vt_working_set_row(&w->block.sets[table], vt_working_set_slot(&w->block.sets[table], row));
}

/* "0 1" with window 1 and one noise word, which can only be the other word than the centre. Centre 0 has context 1:
 * v1 against u0 (label 1) and u1 (label 0); then centre 1 has context 0: v0 against u1 (1) and u0 (0). */
static void two_words_by_hand(void **state) {
  (void)state;
  const uint32_t ids[] = {0, 1, VT_CORPUS_END};
  struct world *w = world_create(2, 2, 1, 1, ids, 3);
  double v[2][2], u[2][2];
  for (uint32_t row = 0; row < 2; row++) {
    for (uint32_t k = 0; k < 2; k++) {
      v[row][k] = (double)vt_table_row(&w->tables[VT_TABLE_INPUT], row)[k];
      u[row][k] = (double)vt_table_row(&w->tables[VT_TABLE_OUTPUT], row)[k];
    }
  }
  double rate = (double)w->block.rate, total = 0;
  for (int centre = 0; centre < 2; centre++) {
    int context = 1 - centre, noise = 1 - centre;
    double positive = v[context][0] * u[centre][0] + v[context][1] * u[centre][1];
    double negative = v[context][0] * u[noise][0] + v[context][1] * u[noise][1];
    double g = rate * (1 - 1 / (1 + exp(-positive))), h = rate * (0 - 1 / (1 + exp(-negative)));
    if (centre == 0) total = log(1 + exp(-positive)) + log(1 + exp(negative)); /* every 64th centre is measured */
    for (int k = 0; k < 2; k++) {
      double old = v[context][k];
      v[context][k] += g * u[centre][k] + h * u[noise][k];
      u[centre][k] += g * old;
      u[noise][k] += h * old;
    }
  }
  vt_objective_skipgram.block(&w->setup, w->scratch, &w->block);
  assert_int_equal(w->block.tokens, 2);
  assert_int_equal(w->block.loss_pairs, 1);
  assert_true(fabs(w->block.loss_sum - total) < 1e-6);
  for (uint32_t row = 0; row < 2; row++) {
    for (uint32_t k = 0; k < 2; k++) {
      assert_true(fabs((double)moved_row(w, VT_TABLE_INPUT, row)[k] - v[row][k]) < 1e-6);
      assert_true(fabs((double)moved_row(w, VT_TABLE_OUTPUT, row)[k] - u[row][k]) < 1e-6);
    }
  }
  world_free(w);
}

/* ---- what a block keeps to -------------------------------------------------------------------------------------- */

static void windows_end_with_their_sentence(void **state) {
  (void)state;
  const uint32_t ids[] = {0, VT_CORPUS_END, 1, VT_CORPUS_END, 2, VT_CORPUS_END};
  struct world *w = world_create(4, 8, 5, 2, ids, 6);
  vt_objective_skipgram.block(&w->setup, w->scratch, &w->block);
  assert_int_equal(w->block.tokens, 3);
  assert_int_equal(w->block.loss_pairs, 0);
  for (uint32_t row = 0; row < 3; row++)
    assert_memory_equal(moved_row(w, VT_TABLE_INPUT, row), vt_table_row(&w->tables[VT_TABLE_INPUT], row),
                        8 * sizeof(float));
  world_free(w);
}

static void probe_places_are_no_centres(void **state) {
  (void)state;
  const uint32_t ids[] = {0, 1, VT_CORPUS_END};
  const uint64_t probes[] = {0, 1};
  struct world *w = world_create(2, 8, 1, 1, ids, 3);
  w->setup.probe_positions = probes;
  w->setup.probe_count = 2;
  vt_objective_skipgram.block(&w->setup, w->scratch, &w->block);
  assert_int_equal(w->block.tokens, 2);
  assert_int_equal(w->block.loss_pairs, 0);
  assert_memory_equal(moved_row(w, VT_TABLE_INPUT, 0), vt_table_row(&w->tables[VT_TABLE_INPUT], 0), 8 * sizeof(float));
  world_free(w);
}

/* A context word that occurs twice must be moved twice, not half. More contexts than a step holds, and more noise. */
static void repeated_and_many_contexts_stay_finite_and_are_all_trained(void **state) {
  (void)state;
  uint32_t ids[64];
  for (int k = 0; k < 63; k++) ids[k] = (uint32_t)(k % 3);
  ids[63] = VT_CORPUS_END;
  struct world *w = world_create(8, 8, 30, 20, ids, 64);
  vt_objective_skipgram.block(&w->setup, w->scratch, &w->block);
  assert_int_equal(w->block.tokens, 63);
  assert_true(w->block.loss_pairs > 0); /* one centre measured, with many contexts */
  for (uint32_t row = 0; row < 3; row++) {
    const float *moved = moved_row(w, VT_TABLE_INPUT, row);
    assert_memory_not_equal(moved, vt_table_row(&w->tables[VT_TABLE_INPUT], row), 8 * sizeof(float));
    for (int k = 0; k < 8; k++) assert_true(isfinite(moved[k]));
  }
  world_free(w);
}

static void subsampled_words_are_counted_but_not_trained(void **state) {
  (void)state;
  const uint32_t ids[] = {0, 1, 0, 1, 0, 2, VT_CORPUS_END};
  struct world *w = world_create(3, 8, 5, 1, ids, 7);
  w->keep[0] = w->keep[1] = 0; /* practically never */
  vt_objective_skipgram.block(&w->setup, w->scratch, &w->block);
  assert_int_equal(w->block.tokens, 6);
  assert_int_equal(w->block.loss_pairs, 0);
  world_free(w);
}

static void a_block_is_a_function_of_its_stream(void **state) {
  (void)state;
  uint32_t ids[65];
  for (int k = 0; k < 64; k++) ids[k] = (uint32_t)((k * k + k) / 2 * 3 % 7 + k / 9) % 7;
  ids[64] = VT_CORPUS_END;
  struct world *a = world_create(7, 24, 3, 3, ids, 65), *b = world_create(7, 24, 3, 3, ids, 65),
               *c = world_create(7, 24, 3, 3, ids, 65);
  c->block.rng = vt_rng_make(VT_RNG_BLOCK, 1, 0, 1);
  vt_objective_skipgram.block(&a->setup, a->scratch, &a->block);
  vt_objective_skipgram.block(&b->setup, b->scratch, &b->block);
  vt_objective_skipgram.block(&c->setup, c->scratch, &c->block);
  for (uint32_t row = 0; row < 7; row++) {
    assert_memory_equal(moved_row(a, VT_TABLE_INPUT, row), moved_row(b, VT_TABLE_INPUT, row), 24 * sizeof(float));
    assert_memory_not_equal(moved_row(a, VT_TABLE_INPUT, row), moved_row(c, VT_TABLE_INPUT, row), 24 * sizeof(float));
  }
  world_free(a);
  world_free(b);
  world_free(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(step_is_the_gradient),
      cmocka_unit_test(two_words_by_hand),
      cmocka_unit_test(windows_end_with_their_sentence),
      cmocka_unit_test(probe_places_are_no_centres),
      cmocka_unit_test(repeated_and_many_contexts_stay_finite_and_are_all_trained),
      cmocka_unit_test(subsampled_words_are_counted_but_not_trained),
      cmocka_unit_test(a_block_is_a_function_of_its_stream),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
