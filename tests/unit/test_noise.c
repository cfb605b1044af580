/* The alias table draws each word as often as it should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "train/noise.h"

static struct vt_vocab *vocab_of(const uint64_t *counts, size_t size) {
  const char *texts[] = {"a", "b", "c", "d", "e", "f"};
  struct vt_vocab *vocab;
  assert_int_equal(vt_vocab_create(texts, counts, size, &vocab, NULL), VT_OK);
  return vocab;
}

/* The probability of each word, read off the table itself. */
static void probabilities(const struct vt_noise *noise, double *p) {
  for (uint32_t w = 0; w < noise->size; w++) p[w] = 0;
  for (uint32_t w = 0; w < noise->size; w++) {
    double keep = (double)noise->keep[w] / 4294967295.0;
    p[w] += keep / noise->size;
    p[noise->other[w]] += (1 - keep) / noise->size;
  }
}

static void check(const uint64_t *counts, size_t size, double exponent) {
  struct vt_vocab *vocab = vocab_of(counts, size);
  struct vt_noise noise;
  assert_int_equal(vt_noise_init(&noise, vocab, exponent, NULL), VT_OK);
  double p[6], sum = 0;
  probabilities(&noise, p);
  for (size_t w = 0; w < size; w++) sum += counts[w] == 0 ? 0 : pow((double)counts[w], exponent);
  for (size_t w = 0; w < size; w++) {
    double expected = counts[w] == 0 ? 0 : pow((double)counts[w], exponent) / sum;
    assert_true(fabs(p[w] - expected) < 1e-8);
  }
  vt_noise_release(&noise);
  vt_vocab_free(vocab);
}

static void words_have_their_probability(void **state) {
  (void)state;
  const uint64_t counts[] = {1000000, 5000, 37, 5, 5, 1};
  check(counts, 6, 0.75);
  check(counts, 6, 1);
  check(counts, 6, 0.5);
  check(counts, 6, 0);
  check(counts, 1, 0.75);
  const uint64_t with_zeros[] = {10, 3, 0, 0};
  check(with_zeros, 4, 0.75);
}

static void without_any_count_all_are_equal(void **state) {
  (void)state;
  struct vt_vocab *vocab = vocab_of(NULL, 3);
  struct vt_noise noise;
  assert_int_equal(vt_noise_init(&noise, vocab, 0.75, NULL), VT_OK);
  double p[3];
  probabilities(&noise, p);
  for (int w = 0; w < 3; w++) assert_true(fabs(p[w] - 1.0 / 3) < 1e-8);
  vt_noise_release(&noise);
  vt_vocab_free(vocab);
}

static void draws_follow_the_table(void **state) {
  (void)state;
  const uint64_t counts[] = {60, 30, 10};
  struct vt_vocab *vocab = vocab_of(counts, 3);
  struct vt_noise noise;
  assert_int_equal(vt_noise_init(&noise, vocab, 1, NULL), VT_OK);
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 1, 1, 1);
  const int draws = 200000;
  int seen[3] = {0};
  for (int k = 0; k < draws; k++) seen[vt_noise_draw(&noise, &rng)]++;
  for (int w = 0; w < 3; w++) {
    double p = (double)counts[w] / 100, sigma = sqrt(p * (1 - p) / draws);
    assert_true(fabs((double)seen[w] / draws - p) < 5 * sigma);
  }
  vt_noise_release(&noise);
  vt_vocab_free(vocab);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(words_have_their_probability),
      cmocka_unit_test(without_any_count_all_are_equal),
      cmocka_unit_test(draws_follow_the_table),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
