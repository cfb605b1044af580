/* Every word objective against finite differences of its loss, written down here in double from its definition: one
 * centre with two context words, trained by the real block step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "train/objective/objective.h"
#include "vectrail/corpus.h"

#define WORDS 40
#define DIM 12
#define NOISE 39 /* the only noise word there is */

struct world {
  struct vt_train_options options;
  struct vt_objective_setup setup;
  struct vt_vocab *vocab;
  struct vt_huffman huffman;
  struct vt_noise noise;
  uint32_t noise_keep[WORDS], noise_other[WORDS], keep[WORDS];
  struct vt_table tables[VT_TABLE_COUNT];
  void *memory[VT_TABLE_COUNT];
  struct vt_block block;
  const struct vt_objective *objective;
  struct vt_objective_scratch *scratch;
};

/* The middle word alone is a centre; its window reaches both neighbours. */
static const uint32_t sentence[] = {5, 17, 2, VT_CORPUS_END};
static const uint64_t not_centres[] = {0, 2};
#define CENTRE 17

/* Counts that fall by halves make a deep tree: paths of more than one step's worth of nodes. */
static struct vt_vocab *skewed_vocab(void) {
  static char texts[WORDS][8];
  const char *pointers[WORDS];
  uint64_t counts[WORDS];
  for (unsigned w = 0; w < WORDS; w++) {
    texts[w][0] = 'w';
    texts[w][1] = (char)('a' + w / 20);
    texts[w][2] = (char)('a' + w % 20);
    texts[w][3] = '\0';
    pointers[w] = texts[w];
    counts[w] = (UINT64_C(1) << 40) >> w;
  }
  struct vt_vocab *vocab;
  assert_int_equal(vt_vocab_create(pointers, counts, WORDS, &vocab, NULL), VT_OK);
  return vocab;
}

static struct world *world_create(enum vt_model model, enum vt_loss loss, bool classic) {
  struct world *w = vt_alloc_aligned(1, sizeof *w);
  assert_non_null(w);
  vt_train_options_init(&w->options);
  w->options.model = model;
  w->options.loss = loss;
  w->options.cbow_classic = classic;
  w->options.dim = DIM;
  w->options.window = 1;
  w->options.negative = 1;
  w->vocab = skewed_vocab();
  assert_int_equal(vt_huffman_init(&w->huffman, w->vocab, NULL), VT_OK);
  w->noise = (struct vt_noise){.size = WORDS, .keep = w->noise_keep, .other = w->noise_other};
  for (uint32_t k = 0; k < WORDS; k++) {
    w->keep[k] = UINT32_MAX;
    w->noise_keep[k] = 0;
    w->noise_other[k] = NOISE;
  }
  w->setup = (struct vt_objective_setup){.options = &w->options,
                                         .noise = &w->noise,
                                         .huffman = &w->huffman,
                                         .keep = w->keep,
                                         .probe_positions = not_centres,
                                         .probe_count = 2};
  assert_int_equal(vt_kernel_choose(NULL, &w->setup.kernel, NULL), VT_OK);
  w->objective = model == VT_MODEL_CBOW ? &vt_objective_cbow : &vt_objective_skipgram;
  uint32_t capacities[VT_TABLE_COUNT];
  w->objective->capacities(&w->options, 4, capacities);
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 4, 4, 4);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    assert_int_equal(vt_table_init(&w->tables[t], WORDS, DIM, NULL), VT_OK);
    for (uint32_t row = 0; row < WORDS; row++)
      for (uint32_t k = 0; k < DIM; k++) vt_table_row(&w->tables[t], row)[k] = vt_rng_unit(&rng) - 0.5F;
    w->memory[t] = vt_alloc_aligned(1, vt_working_set_bytes(&w->tables[t], capacities[t]));
    assert_non_null(w->memory[t]);
    vt_working_set_init(&w->block.sets[t], &w->tables[t], capacities[t], w->memory[t]);
    vt_working_set_clear(&w->block.sets[t]);
  }
  w->block.ids = sentence;
  w->block.end = 4;
  w->block.rate = 1e-3F;
  w->block.rng = vt_rng_make(VT_RNG_BLOCK, 1, 0, 0);
  assert_int_equal(w->objective->scratch_create(&w->options, 4, &w->scratch, NULL), VT_OK);
  return w;
}

static void world_free(struct world *w) {
  w->objective->scratch_free(w->scratch);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    vt_free_aligned(w->memory[t]);
    vt_table_release(&w->tables[t]);
  }
  vt_huffman_release(&w->huffman);
  vt_vocab_free(w->vocab);
  vt_free_aligned(w);
}

/* ---- the definition --------------------------------------------------------------------------------------------- */

struct exact {
  double rows[VT_TABLE_COUNT][WORDS][DIM];
};

static double dot(const double *a, const double *b) {
  double sum = 0;
  for (int k = 0; k < DIM; k++) sum += a[k] * b[k];
  return sum;
}

/* - log P(centre | h): the noise word's part, or the path's. */
static double centre_loss(const struct world *w, const struct exact *exact, const double *h) {
  const double(*u)[DIM] = exact->rows[VT_TABLE_OUTPUT];
  if (w->options.loss == VT_LOSS_NEGATIVE_SAMPLING)
    return log(1 + exp(-dot(h, u[CENTRE]))) + log(1 + exp(dot(h, u[NOISE])));
  double sum = 0;
  for (uint64_t k = w->huffman.start[CENTRE]; k < w->huffman.start[CENTRE + 1]; k++) {
    double score = dot(h, u[w->huffman.nodes[k]]);
    sum += log(1 + exp(w->huffman.turns[k] == 0 ? -score : score));
  }
  return sum;
}

static double loss(const struct world *w, const struct exact *exact) {
  const double *a = exact->rows[VT_TABLE_INPUT][sentence[0]], *b = exact->rows[VT_TABLE_INPUT][sentence[2]];
  if (w->options.model == VT_MODEL_SKIPGRAM) return centre_loss(w, exact, a) + centre_loss(w, exact, b);
  double mean[DIM];
  for (int k = 0; k < DIM; k++) mean[k] = (a[k] + b[k]) / 2;
  return centre_loss(w, exact, mean);
}

/* What the block step did to a row, divided by - rate; rows it did not touch moved by nothing. */
static double moved(struct world *w, int table, uint32_t row, int k) {
  const struct vt_working_set *set = &w->block.sets[table];
  for (uint32_t slot = 0; slot < set->count; slot++)
    if (set->ids[slot] == row)
      return ((double)vt_table_row(&w->tables[table], row)[k] - (double)vt_working_set_row(set, slot)[k]) /
             (double)w->block.rate;
  return 0;
}

static void check(enum vt_model model, enum vt_loss kind, bool classic) {
  struct world *w = world_create(model, kind, classic);
  static struct exact exact;
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    for (uint32_t row = 0; row < WORDS; row++)
      for (int k = 0; k < DIM; k++) exact.rows[t][row][k] = (double)vt_table_row(&w->tables[t], row)[k];
  w->objective->block(&w->setup, w->scratch, &w->block);
  assert_int_equal(w->block.tokens, 3);
  assert_int_equal(w->block.loss_pairs, model == VT_MODEL_SKIPGRAM ? 2 : 1);
  /* Skip-gram over more than one step's worth of nodes takes them in sequence, so its loss is that of rows that have
   * moved by a little. */
  assert_true(fabs(w->block.loss_sum - loss(w, &exact)) < 2e-3);
  double largest = 0;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    for (uint32_t row = 0; row < WORDS; row++) {
      for (int k = 0; k < DIM; k++) {
        const double h = 1e-5;
        double at = exact.rows[t][row][k];
        exact.rows[t][row][k] = at + h;
        double up = loss(w, &exact);
        exact.rows[t][row][k] = at - h;
        double down = loss(w, &exact);
        exact.rows[t][row][k] = at;
        double numeric = (up - down) / (2 * h);
        if (t == VT_TABLE_INPUT && classic) numeric *= 2; /* times the number of context words */
        largest = fmax(largest, fabs(numeric));
        /* The step is float, of size 1e-3 on numbers of size 1/2: 2^-25 / 1e-3 = 3e-5. In sequence, each part of
         * the path sees what the parts before did: rate x curvature. */
        bool in_sequence = model == VT_MODEL_SKIPGRAM && kind == VT_LOSS_HIERARCHICAL_SOFTMAX;
        assert_true(fabs(moved(w, t, row, k) - numeric) < (in_sequence ? 5e-3 : 3e-4));
      }
    }
  }
  assert_true(largest > 0.1);
  world_free(w);
}

static void skipgram_by_negative_sampling(void **state) {
  (void)state;
  check(VT_MODEL_SKIPGRAM, VT_LOSS_NEGATIVE_SAMPLING, false);
}

static void skipgram_by_hierarchical_softmax(void **state) {
  (void)state;
  check(VT_MODEL_SKIPGRAM, VT_LOSS_HIERARCHICAL_SOFTMAX, false);
}

static void cbow_by_negative_sampling(void **state) {
  (void)state;
  check(VT_MODEL_CBOW, VT_LOSS_NEGATIVE_SAMPLING, false);
}

static void cbow_by_hierarchical_softmax(void **state) {
  (void)state;
  check(VT_MODEL_CBOW, VT_LOSS_HIERARCHICAL_SOFTMAX, false);
}

static void cbow_as_word2vec_takes_it(void **state) {
  (void)state;
  check(VT_MODEL_CBOW, VT_LOSS_NEGATIVE_SAMPLING, true);
}

/* The probabilities of all words along their paths add up to 1: hierarchical softmax is a distribution. */
static void the_tree_is_a_distribution(void **state) {
  (void)state;
  struct world *w = world_create(VT_MODEL_SKIPGRAM, VT_LOSS_HIERARCHICAL_SOFTMAX, false);
  const float *h = vt_table_row(&w->tables[VT_TABLE_INPUT], 3);
  double total = 0;
  for (uint32_t word = 0; word < WORDS; word++) {
    double p = 1;
    for (uint64_t k = w->huffman.start[word]; k < w->huffman.start[word + 1]; k++) {
      const float *node = vt_table_row(&w->tables[VT_TABLE_OUTPUT], w->huffman.nodes[k]);
      double score = 0;
      for (int d = 0; d < DIM; d++) score += (double)h[d] * (double)node[d];
      p *= 1 / (1 + exp(w->huffman.turns[k] == 0 ? -score : score));
    }
    total += p;
  }
  assert_true(fabs(total - 1) < 1e-12);
  assert_true(w->huffman.start[CENTRE + 1] - w->huffman.start[CENTRE] > VT_STEP_OUTPUTS_MAX);
  world_free(w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(skipgram_by_negative_sampling), cmocka_unit_test(skipgram_by_hierarchical_softmax),
      cmocka_unit_test(cbow_by_negative_sampling),     cmocka_unit_test(cbow_by_hierarchical_softmax),
      cmocka_unit_test(cbow_as_word2vec_takes_it),     cmocka_unit_test(the_tree_is_a_distribution),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
