/*
 * Learning from preferences: slopes against finite differences in double, through a whole network too; cases worked by
 * hand; a toy of 16 tokens and answers of three, whose 4,096 answers are enumerated: PPO and DPO find the exact optimum
 * pi* ~ pi_ref exp(r / beta), a reward model the order of rewards; the same bits at 1 and 2 threads. label: threads
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
#include "network/align_step.h"
#include "network/preference.h"
#include "support/double_network.h"
#include "vectrail/kernel.h"

/* ---- slopes ------------------------------------------------------------------------------------------------------ */

static void test_slopes(void **state) {
  const double h = 1e-6;
  double slope, ignored;
  (void)state;
  for (int i = 0; i < 5; i++)
    for (int j = 0; j < 6; j++) {
      const double a = -3 + 1.5 * i, b = -2 + 0.7 * j;
      const double difference = (vt_reward_loss(a + h, b, &ignored) - vt_reward_loss(a - h, b, &ignored)) / (2 * h);
      vt_reward_loss(a, b, &slope);
      assert_true(fabs(difference - slope) < 1e-8);
      struct vt_dpo_pair pair = {a, b, 0.3, -0.4}, above = pair, below = pair;
      above.chosen += h;
      below.chosen -= h;
      const double by_chosen = (vt_dpo_loss(&above, 0.6, &ignored) - vt_dpo_loss(&below, 0.6, &ignored)) / (2 * h);
      above = below = pair;
      above.rejected += h;
      below.rejected -= h;
      const double by_rejected = (vt_dpo_loss(&above, 0.6, &ignored) - vt_dpo_loss(&below, 0.6, &ignored)) / (2 * h);
      vt_dpo_loss(&pair, 0.6, &slope);
      assert_true(fabs(by_chosen - slope) < 1e-8 && fabs(by_rejected + slope) < 1e-8);
      const double ppo =
          (vt_ppo_loss(a + h, b, 1 - a, 0.2, &ignored) - vt_ppo_loss(a - h, b, 1 - a, 0.2, &ignored)) / (2 * h);
      vt_ppo_loss(a, b, 1 - a, 0.2, &slope);
      assert_true(fabs(ppo - slope) < 1e-5 * (1 + fabs(slope)));
    }
  /* By hand: equal answers cost log 2; a ratio beyond the clip has no slope where that would be gained, and one where
   * it would be lost. */
  assert_true(fabs(vt_reward_loss(1, 1, &slope) - log(2)) < 1e-15 && slope == -0.5);
  assert_true(fabs(vt_ppo_loss(log(2), 0, 3, 0.2, &slope) + 3.6) < 1e-12 && slope == 0);
  assert_true(fabs(vt_ppo_loss(log(2), 0, -3, 0.2, &slope) - 6) < 1e-12 && fabs(slope - 6) < 1e-12);
  assert_true(isfinite(vt_reward_loss(-1e6, 1e6, &slope)) && isfinite(vt_ppo_loss(1e6, 0, -1, 0.2, &slope)));
}

/* ---- through a network, in double -------------------------------------------------------------------------------- */

#define LENGTH 5

static const struct vt_net_shape small = {.model = VT_MODEL_TRANSFORMER,
                                          .tokens = 7,
                                          .dim = 8,
                                          .context = LENGTH,
                                          .hidden = 12,
                                          .layers = 1,
                                          .heads = 2,
                                          .tied = true,
                                          .epsilon = 1e-5};
static const uint32_t both[2 * LENGTH] = {1, 2, 3, 4, 5, 1, 2, 6, 0, 3};
/* The first two tokens are the prompt's; the second answer is shorter. */
static const uint32_t targets[2 * LENGTH] = {VT_NO_TARGET, 3,           4, 5, VT_NO_TARGET, VT_NO_TARGET, 6, 0,
                                             VT_NO_TARGET, VT_NO_TARGET};

static double dpo_of(struct vtt_doubles *d, bool gradient) {
  double losses[2 * LENGTH], slope;
  struct vt_dpo_pair pair = {.reference_chosen = -5, .reference_rejected = -4.2};
  vt_net_double_forward(d->net, both, 2, LENGTH, false, 0, 0);
  const struct vt_net_double_loss look = {.targets = targets, .losses = losses};
  vt_net_double_loss(d->net, &look);
  for (int t = 0; t < LENGTH; t++) {
    pair.chosen -= losses[t];
    pair.rejected -= losses[LENGTH + t];
  }
  const double loss = vt_dpo_loss(&pair, 0.7, &slope);
  if (!gradient) return loss;
  double weights[2 * LENGTH];
  for (int t = 0; t < LENGTH; t++) {
    weights[t] = -slope;
    weights[LENGTH + t] = slope;
  }
  const struct vt_net_double_loss back = {.targets = targets, .weights = weights, .scale = 1, .gradient = true};
  vt_net_double_loss(d->net, &back);
  vt_net_double_backward(d->net);
  vt_net_double_scatter(d->net, d->net->d_input, d->gradients, NULL);
  return loss;
}

static void test_network_slopes(void **state) {
  struct vtt_doubles d;
  (void)state;
  vtt_doubles_open(&d, &small, 2 * LENGTH, false);
  vtt_check_slopes(&d, 71, dpo_of);
  vtt_doubles_close(&d);
}

/* What is found then does not depend on a sanitizer; the steps themselves are taken under all, in test_same_bits. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOW true
#else
#define SLOW false
#endif

/* ---- the toy ----------------------------------------------------------------------------------------------------- */

#define WORDS 16
#define ANSWERS (WORDS * WORDS * WORDS)
#define BETA 0.5
#define BATCH 512

struct toy {
  struct vt_net_layout layout;
  struct vt_pool *pool;
  struct vt_policy policy;
  float *values;
  uint32_t *tokens; /* [ANSWERS][4]: the prompt, and three more */
  struct vt_answer *answers;
  double *reference, *reward, *best; /* log pi_ref, r, log pi* */
};

static void score_all(struct toy *toy, bool reference, double *to) {
  for (size_t first = 0; first < ANSWERS; first += BATCH)
    vt_policy_score(&toy->policy, toy->answers + first, BATCH, reference, to + first);
}

static double reward_of(const uint32_t *tokens) {
  static const double single[3] = {0.9, 0.6, 0.4};
  double sum = tokens[2] == tokens[1] ? 0.5 : 0;
  for (int t = 0; t < 3; t++) sum += single[t] * cos(0.7 * (double)tokens[1 + t] + t);
  return sum;
}

static void open_toy(struct toy *toy, int threads) {
  const struct vt_net_shape shape = {.model = VT_MODEL_TRANSFORMER,
                                     .tokens = WORDS,
                                     .dim = 32,
                                     .context = 4,
                                     .hidden = 64,
                                     .layers = 1,
                                     .heads = 2,
                                     .epsilon = 1e-5};
  assert_int_equal(vt_net_layout_init(&toy->layout, &shape, NULL), VT_OK);
  assert_int_equal(vt_pool_create(threads, &toy->pool, NULL), VT_OK);
  toy->values = calloc(toy->layout.floats, sizeof *toy->values);
  vt_net_start(&toy->layout, 3, toy->values);
  /* The reference is no uniform distribution. */
  float *output = toy->values + toy->layout.parameters[toy->layout.output].offset;
  for (size_t k = 0; k < (size_t)WORDS * toy->layout.parameters[toy->layout.output].stride; k++) output[k] *= 8;
  const char *kernel;
  assert_int_equal(vt_kernel_resolve(NULL, &kernel, NULL), VT_OK);
  assert_int_equal(vt_policy_init(&toy->policy, &toy->layout, toy->values, toy->pool, kernel, BATCH, 4, NULL), VT_OK);
  toy->tokens = malloc(ANSWERS * 4 * sizeof *toy->tokens);
  toy->answers = malloc(ANSWERS * sizeof *toy->answers);
  toy->reference = malloc(ANSWERS * sizeof(double));
  toy->reward = malloc(ANSWERS * sizeof(double));
  toy->best = malloc(ANSWERS * sizeof(double));
  for (uint32_t y = 0; y < ANSWERS; y++) {
    const uint32_t tokens[4] = {0, y % WORDS, y / WORDS % WORDS, y / WORDS / WORDS};
    memcpy(toy->tokens + 4 * y, tokens, sizeof tokens);
    toy->answers[y] = (struct vt_answer){toy->tokens + 4 * y, 1, 4};
    toy->reward[y] = reward_of(tokens);
  }
  score_all(toy, true, toy->reference);
  double mass = 0, all = 0;
  for (size_t y = 0; y < ANSWERS; y++) {
    mass += exp(toy->reference[y]);
    all += exp(toy->reference[y] + toy->reward[y] / BETA);
  }
  assert_true(fabs(mass - 1) < 1e-5);
  for (size_t y = 0; y < ANSWERS; y++) toy->best[y] = toy->reference[y] + toy->reward[y] / BETA - log(all);
}

static void close_toy(struct toy *toy) {
  vt_policy_release(&toy->policy);
  vt_pool_free(toy->pool);
  vt_net_layout_release(&toy->layout);
  free(toy->values);
  free(toy->tokens);
  free(toy->answers);
  free(toy->reference);
  free(toy->reward);
  free(toy->best);
}

/* KL(pi | pi*), exactly. */
static double distance(struct toy *toy, double *own) {
  double sum = 0;
  score_all(toy, false, own);
  for (size_t y = 0; y < ANSWERS; y++) sum += exp(own[y]) * (own[y] - toy->best[y]);
  return sum;
}

static double rate_of(uint64_t k, uint64_t steps) { return 4e-3 * (1 - (double)k / (double)steps) + 1e-5; }

static uint32_t number_of(const uint32_t *tokens) { return tokens[1] + WORDS * (tokens[2] + WORDS * tokens[3]); }

static void draw(struct toy *toy, uint64_t key, uint32_t *tokens, double *kl) {
  uint32_t counts[BATCH];
  static const uint32_t begin[1] = {0};
  struct vt_answer prompts[BATCH];
  for (size_t k = 0; k < BATCH; k++) prompts[k] = (struct vt_answer){begin, 1, 1};
  const struct vt_policy_draw asked = {
      .prompts = prompts, .count = BATCH, .length = 3, .end = UINT32_MAX, .seed = 5, .key = key};
  assert_int_equal(vt_policy_sample(&toy->policy, &asked, tokens, counts, kl, NULL), VT_OK);
  for (size_t k = 0; k < BATCH; k++) assert_int_equal(counts[k], 4);
}

static void run_ppo(struct toy *toy, uint64_t steps) {
  static uint32_t tokens[BATCH * 4];
  struct vt_answer answers[BATCH];
  double rewards[BATCH];
  struct vt_align_measures measures;
  for (uint64_t k = 0; k < steps; k++) {
    draw(toy, k, tokens, NULL);
    for (size_t i = 0; i < BATCH; i++) {
      answers[i] = toy->answers[number_of(tokens + 4 * i)];
      rewards[i] = toy->reward[number_of(tokens + 4 * i)];
    }
    const struct vt_align_step step = {
        .rate = rate_of(k, steps), .clip = 1, .number = 2 * k + 1, .beta = BETA, .epsilon = 0.2, .inner = 2};
    assert_int_equal(vt_ppo_step(&toy->policy, answers, BATCH, BATCH, rewards, &step, &measures, NULL), VT_OK);
  }
}

/* Every pair in both orders, each by how likely it is to be chosen so. */
static void run_dpo(struct toy *toy, uint64_t steps) {
  struct vt_answer answers[BATCH];
  double reference[BATCH], shares[BATCH / 2];
  struct vt_align_measures measures;
  for (uint64_t k = 0; k < steps; k++) {
    struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 72, k, 0);
    for (size_t i = 0; i < BATCH / 2; i += 2) {
      const uint32_t a = vt_rng_below(&rng, ANSWERS), b = vt_rng_below(&rng, ANSWERS);
      const double p = 1 / (1 + exp(toy->reward[b] - toy->reward[a]));
      const uint32_t order[4] = {a, b, b, a}; /* chosen, chosen, rejected, rejected */
      for (size_t j = 0; j < 4; j++) {
        const size_t at = j / 2 * (BATCH / 2) + i + j % 2;
        answers[at] = toy->answers[order[j]];
        reference[at] = toy->reference[order[j]];
      }
      shares[i] = p;
      shares[i + 1] = 1 - p;
    }
    const struct vt_align_step step = {.rate = rate_of(k, steps), .clip = 1, .number = k + 1, .beta = BETA};
    assert_int_equal(vt_dpo_step(&toy->policy, answers, BATCH / 2, reference, shares, &step, &measures, NULL), VT_OK);
  }
}

static void expect_optimum(void (*train)(struct toy *toy, uint64_t steps), uint64_t steps) {
  struct toy toy;
  double *own = malloc(ANSWERS * sizeof *own), drawn;
  static uint32_t tokens[BATCH * 4];
  open_toy(&toy, 2);
  const double before = distance(&toy, own);
  assert_true(before > 0.3);
  train(&toy, steps);
  const double after = distance(&toy, own);
  print_message("KL(pi | pi*): %.4f before, %.5f after\n", before, after);
  assert_true(after < 0.01 && after > -1e-6);
  /* What is drawn estimates the divergence from the reference. */
  double exact = 0;
  for (size_t y = 0; y < ANSWERS; y++) exact += exp(own[y]) * (own[y] - toy.reference[y]);
  draw(&toy, 1 << 20, tokens, &drawn);
  assert_true(fabs(drawn - exact) < 0.1 * exact);
  free(own);
  close_toy(&toy);
}

static void test_ppo(void **state) {
  (void)state;
  if (SLOW) skip();
  expect_optimum(run_ppo, 140);
}

static void test_dpo(void **state) {
  (void)state;
  if (SLOW) skip();
  expect_optimum(run_dpo, 500);
}

static void test_reward(void **state) {
  struct toy toy;
  struct vt_align_measures measures = {0};
  (void)state;
  if (SLOW) skip();
  open_toy(&toy, 2);
  for (uint64_t k = 0; k < 120; k++) {
    struct vt_answer answers[BATCH];
    struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 73, k, 0);
    for (size_t i = 0; i < BATCH / 2; i++) {
      uint32_t a = vt_rng_below(&rng, ANSWERS), b = vt_rng_below(&rng, ANSWERS);
      const bool first = toy.reward[a] > toy.reward[b];
      answers[i] = toy.answers[first ? a : b];
      answers[BATCH / 2 + i] = toy.answers[first ? b : a];
    }
    const struct vt_align_step step = {.rate = rate_of(k, 120), .clip = 1, .number = k + 1};
    assert_int_equal(vt_reward_step(&toy.policy, answers, BATCH / 2, &step, &measures, NULL), VT_OK);
    if (k == 0) assert_true(measures.accuracy == 0.5 && fabs(measures.loss - log(2)) < 1e-9); /* the head is zero */
  }
  assert_true(measures.accuracy > 0.95);
  close_toy(&toy);
}

static void test_same_bits(void **state) {
  struct toy one, two;
  (void)state;
  open_toy(&one, 1);
  open_toy(&two, 2);
  run_dpo(&one, 2);
  run_dpo(&two, 2);
  run_ppo(&one, 2);
  run_ppo(&two, 2);
  assert_memory_equal(one.values, two.values, one.layout.floats * sizeof *one.values);
  close_toy(&one);
  close_toy(&two);
}

static void test_diverged(void **state) {
  struct toy toy;
  struct vt_align_measures measures;
  struct vt_error error;
  (void)state;
  open_toy(&toy, 1);
  toy.values[toy.layout.parameters[toy.layout.last_norm].offset] = NAN;
  const double reference[2] = {0};
  const struct vt_align_step step = {.rate = 1e-3, .number = 7, .beta = 1};
  assert_int_equal(vt_dpo_step(&toy.policy, toy.answers, 1, reference, NULL, &step, &measures, &error),
                   VT_ERROR_DIVERGED);
  assert_non_null(strstr(error.message, "step 7"));
  close_toy(&toy);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_slopes),   cmocka_unit_test(test_network_slopes), cmocka_unit_test(test_ppo),
      cmocka_unit_test(test_dpo),      cmocka_unit_test(test_reward),         cmocka_unit_test(test_same_bits),
      cmocka_unit_test(test_diverged),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
