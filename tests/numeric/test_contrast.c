/*
 * Contrastive learning: slopes against finite differences in double, through the mean of a whole network too; cases
 * worked by hand; planted pairs that InfoNCE keeps apart and their positives alone collapse; the same bits at 1 and 2
 * threads. label: threads
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/pool.h"
#include "base/rng.h"
#include "network/contrastive.h"
#include "network/encoder.h"
#include "support/double_network.h"
#include "support/temporary.h"
#include "vectrail/kernel.h"

#define PAIRS 5
#define DIM 4

static void test_slopes(void **state) {
  double a[PAIRS * DIM], b[PAIRS * DIM], slope_a[PAIRS * DIM], slope_b[PAIRS * DIM], ignored[2][PAIRS * DIM];
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 81, 0, 0);
  (void)state;
  for (int k = 0; k < PAIRS * DIM; k++) {
    a[k] = (double)vt_rng_unit(&rng) - 0.5;
    b[k] = (double)vt_rng_unit(&rng) - 0.5;
  }
  for (int alone = 0; alone < 2; alone++) {
    const struct vt_infonce batch = {a, b, PAIRS, DIM, 0.3, alone == 1};
    double loss, above, below;
    assert_int_equal(vt_infonce_loss(&batch, &loss, slope_a, slope_b, NULL), VT_OK);
    for (int k = 0; k < 2 * PAIRS * DIM; k++) {
      double *at = k < PAIRS * DIM ? &a[k] : &b[k - PAIRS * DIM], kept = *at;
      const double slope = k < PAIRS * DIM ? slope_a[k] : slope_b[k - PAIRS * DIM];
      *at = kept + 1e-6;
      vt_infonce_loss(&batch, &above, ignored[0], ignored[1], NULL);
      *at = kept - 1e-6;
      vt_infonce_loss(&batch, &below, ignored[0], ignored[1], NULL);
      *at = kept;
      assert_true(fabs((above - below) / 2e-6 - slope) < 1e-7);
    }
  }
}

static void test_by_hand(void **state) {
  /* Two pairs along two axes, with temperature 1: - log(e / (e + 1)). */
  const double a[4] = {3, 0, 0, 2}, b[4] = {1, 0, 0, 5};
  double loss, slope_a[4], slope_b[4], x[4] = {3, 0, 0, 2}, same[4] = {1, 1, 2, 2};
  struct vt_infonce batch = {a, b, 2, 2, 1, false};
  (void)state;
  assert_int_equal(vt_infonce_loss(&batch, &loss, slope_a, slope_b, NULL), VT_OK);
  assert_true(fabs(loss - log(1 + exp(-1))) < 1e-15);
  batch.positives_only = true;
  assert_int_equal(vt_infonce_loss(&batch, &loss, slope_a, slope_b, NULL), VT_OK);
  assert_true(fabs(loss + 1) < 1e-15);
  struct vt_spread spread = vt_spread_measure(x, 2, 2);
  assert_true(fabs(spread.uniformity + 4) < 1e-15 && fabs(spread.rank - 2) < 1e-15);
  spread = vt_spread_measure(same, 2, 2);
  assert_true(fabs(spread.uniformity) < 1e-14 && fabs(spread.rank - 1) < 1e-14);
  assert_true(fabs(vt_alignment_measure(a, b, 2, 2)) < 1e-15);
  assert_true(isnan(vt_spread_measure(x, 1, 2).uniformity));
}

/* ---- through a network, in double -------------------------------------------------------------------------------- */

#define LENGTH 4
#define TEXTS 6 /* three pairs */

static const uint32_t tokens[TEXTS * LENGTH] = {1, 2, 3, 4, 5, 1, 0, 2, 6, 4, 3, 3, 2, 2, 5, 1, 0, 6, 5, 4, 1, 1, 1, 6};
static const uint32_t counts[TEXTS] = {4, 3, 4, 2, 4, 1};

static double contrast_of(struct vtt_doubles *d, bool gradient) {
  const size_t dim = d->layout.shape.dim;
  double means[TEXTS * 8] = {0}, slopes[TEXTS * 8], loss;
  vt_net_double_forward(d->net, tokens, TEXTS, LENGTH, true, 3, 4); /* with dropout */
  for (size_t k = 0; k < TEXTS; k++)
    for (size_t t = 0; t < counts[k]; t++)
      for (size_t i = 0; i < dim; i++)
        means[k * dim + i] += d->net->final[(k * LENGTH + t) * dim + i] / (double)counts[k];
  const struct vt_infonce batch = {means, means + TEXTS / 2 * dim, TEXTS / 2, dim, 0.5, false};
  assert_int_equal(vt_infonce_loss(&batch, &loss, slopes, slopes + TEXTS / 2 * dim, NULL), VT_OK);
  if (!gradient) return loss;
  memset(d->net->d_final, 0, TEXTS * LENGTH * dim * sizeof *d->net->d_final);
  for (size_t k = 0; k < TEXTS; k++)
    for (size_t t = 0; t < counts[k]; t++)
      for (size_t i = 0; i < dim; i++)
        d->net->d_final[(k * LENGTH + t) * dim + i] = slopes[k * dim + i] / (double)counts[k];
  vt_net_double_backward(d->net);
  vt_net_double_scatter(d->net, d->net->d_input, d->gradients, NULL);
  return loss;
}

static void test_network_slopes(void **state) {
  const struct vt_net_shape shape = {.model = VT_MODEL_TRANSFORMER,
                                     .tokens = 7,
                                     .dim = 8,
                                     .context = LENGTH,
                                     .hidden = 12,
                                     .layers = 1,
                                     .heads = 2,
                                     .tied = true,
                                     .epsilon = 1e-5,
                                     .dropout = 0.2};
  struct vtt_doubles d;
  (void)state;
  vtt_doubles_open(&d, &shape, TEXTS * LENGTH, false);
  vtt_check_slopes(&d, 82, contrast_of);
  vtt_doubles_close(&d);
}

/* ---- planted ------------------------------------------------------------------------------------------------------
 */

#define WORDS 16
#define SENTENCES 32
#define WIDE 16

struct planted {
  struct vt_net_layout layout;
  struct vt_pool *pool;
  struct vt_encoder encoder;
  float *values;
  uint32_t tokens[SENTENCES][LENGTH];
  struct vt_answer texts[2 * SENTENCES];
};

static void open_planted(struct planted *p, bool table, int threads) {
  const struct vt_net_shape shape = {.model = VT_MODEL_TRANSFORMER,
                                     .tokens = WORDS,
                                     .dim = WIDE,
                                     .context = LENGTH,
                                     .hidden = 32,
                                     .layers = 1,
                                     .heads = 2,
                                     .tied = true,
                                     .epsilon = 1e-5,
                                     .dropout = 0.1};
  const char *kernel;
  assert_int_equal(vt_kernel_resolve(NULL, &kernel, NULL), VT_OK);
  assert_int_equal(vt_net_layout_init(&p->layout, &shape, NULL), VT_OK);
  assert_int_equal(vt_pool_create(threads, &p->pool, NULL), VT_OK);
  p->values = calloc(p->layout.floats, sizeof *p->values);
  vt_net_start(&p->layout, 5, p->values);
  if (table)
    assert_int_equal(vt_encoder_init_table(&p->encoder, p->values, WORDS, WIDE, p->pool, kernel, 2 * SENTENCES, NULL),
                     VT_OK);
  else
    assert_int_equal(vt_encoder_init(&p->encoder, &p->layout, p->values, p->pool, kernel, 2 * SENTENCES, LENGTH, NULL),
                     VT_OK);
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 83, 0, 0);
  for (size_t k = 0; k < SENTENCES; k++) {
    for (size_t t = 0; t < LENGTH; t++) p->tokens[k][t] = vt_rng_below(&rng, WORDS);
    p->texts[k] = p->texts[SENTENCES + k] = (struct vt_answer){p->tokens[k], 0, LENGTH - (uint32_t)(k % 2)};
  }
}

static void close_planted(struct planted *p) {
  vt_encoder_release(&p->encoder);
  vt_pool_free(p->pool);
  vt_net_layout_release(&p->layout);
  free(p->values);
}

/* Each sentence twice, in two places: what is dropped differs. */
static void train(struct planted *p, bool positives_only, uint64_t steps) {
  static double x[2 * SENTENCES * WIDE], slopes[2 * SENTENCES * WIDE];
  const size_t half = SENTENCES * WIDE;
  for (uint64_t k = 1; k <= steps; k++) {
    double loss;
    vt_encoder_clear(&p->encoder);
    vt_encoder_encode(&p->encoder, p->texts, 2 * SENTENCES, true, 1, k, x);
    const struct vt_infonce batch = {x, x + half, SENTENCES, WIDE, 0.1, positives_only};
    assert_int_equal(vt_infonce_loss(&batch, &loss, slopes, slopes + half, NULL), VT_OK);
    vt_encoder_add(&p->encoder, slopes);
    assert_true(vt_encoder_step(&p->encoder, 3e-3, 1, k));
  }
}

static struct vt_spread spread_of(struct planted *p) {
  static double x[SENTENCES * WIDE];
  vt_encoder_encode(&p->encoder, p->texts, SENTENCES, false, 0, 0, x);
  return vt_spread_measure(x, SENTENCES, WIDE);
}

static void test_planted(void **state) {
  VTT_NOT_FOR_TSAN();
  struct planted apart, alone;
  (void)state;
  open_planted(&apart, false, 2);
  open_planted(&alone, false, 2);
  const struct vt_spread before = spread_of(&apart);
  train(&apart, false, 80);
  train(&alone, true, 300);
  const struct vt_spread after = spread_of(&apart), collapsed = spread_of(&alone);
  assert_true(after.uniformity < before.uniformity - 0.1 && after.rank > before.rank);
  assert_true(collapsed.uniformity > -0.05 && collapsed.rank < 1.1);
  close_planted(&apart);
  close_planted(&alone);
}

static void test_same_bits(void **state) {
  (void)state;
  for (int table = 0; table < 2; table++) {
    struct planted one, two;
    open_planted(&one, table == 1, 1);
    open_planted(&two, table == 1, 2);
    train(&one, false, 3);
    train(&two, false, 3);
    assert_memory_equal(one.values, two.values, one.layout.floats * sizeof *one.values);
    close_planted(&one);
    close_planted(&two);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_slopes),  cmocka_unit_test(test_by_hand),   cmocka_unit_test(test_network_slopes),
      cmocka_unit_test(test_planted), cmocka_unit_test(test_same_bits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
