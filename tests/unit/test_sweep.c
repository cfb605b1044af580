/* What a sweep says of scores: the parts of the error by hand, scores read by a straight line, pairs whose halves
 * disagree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "analysis/sweep_internal.h"
#include "base/rng.h"

enum { PAIRS = 64 };

struct scores {
  double y[2][PAIRS], f[2][2][PAIRS];
  uint32_t w[PAIRS];
  struct vt_sweep_targets targets;
  double *rows[2][2];
};

static void draw(struct scores *s) {
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 31, 0, 0);
  for (uint32_t k = 0; k < PAIRS; k++) {
    const double truth = 3 * (double)vt_rng_unit(&rng) - 1;
    s->w[k] = k / 3;
    for (int t = 0; t < 2; t++) s->y[t][k] = truth + 0.2 * (double)vt_rng_unit(&rng);
    for (int h = 0; h < 2; h++)
      for (int r = 0; r < 2; r++) s->f[h][r][k] = 0.4 * truth - 0.3 + 0.1 * (double)vt_rng_unit(&rng);
  }
  s->targets = (struct vt_sweep_targets){.count = PAIRS, .w = s->w, .y = {s->y[0], s->y[1]}};
  for (int h = 0; h < 2; h++)
    for (int r = 0; r < 2; r++) s->rows[h][r] = s->f[h][r];
}

static struct vt_sweep_point measure(struct scores *s, const uint32_t seeds[2], bool calibrated) {
  struct vt_sweep_point point = {0};
  double *const *const f[2] = {s->rows[0], s->rows[1]};
  vt_sweep_measure(&s->targets, f, seeds, calibrated, &point);
  return point;
}

/* The mean of (y - slope f - offset)^2, written out. */
static double error_of(const struct scores *s, double slope, double offset) {
  double sum = 0;
  for (size_t k = 0; k < PAIRS; k++)
    for (int t = 0; t < 2; t++)
      for (int h = 0; h < 2; h++)
        for (int r = 0; r < 2; r++) sum += pow(s->y[t][k] - slope * s->f[h][r][k] - offset, 2) / (8.0 * PAIRS);
  return sum;
}

static void parts_add_up(void **state) {
  (void)state;
  struct scores s;
  draw(&s);
  for (int calibrated = 0; calibrated < 2; calibrated++) {
    struct vt_sweep_point point = measure(&s, (uint32_t[]){2, 2}, calibrated == 1);
    assert_true(fabs(point.bias + point.variance + point.noise - point.error) < 1e-12);
    assert_true(point.seed_variance > 0 && point.noise > 0);
    if (calibrated == 0) assert_true(point.slope == 1 && fabs(point.error - error_of(&s, 1, 0)) < 1e-12);
  }
  struct vt_sweep_point once = measure(&s, (uint32_t[]){1, 0}, true);
  assert_true(isnan(once.bias) && isnan(once.variance) && once.error > 0);
}

/* No other line does better. */
static void line_is_the_best(void **state) {
  (void)state;
  struct scores s;
  draw(&s);
  struct vt_sweep_point point = measure(&s, (uint32_t[]){2, 2}, true);
  assert_true(point.slope > 1.8 && point.slope < 2.6);
  double least = INFINITY;
  for (int a = -20; a <= 20; a++)
    for (int b = -200; b <= 200; b++) least = fmin(least, error_of(&s, point.slope + a * 1e-3, b * 0.01));
  assert_true(point.error <= least + 1e-9 && point.error > least - 1e-3);
}

/* Scores that are the truth, shrunk and moved, have no bias left. */
static void shrinking_is_no_error(void **state) {
  (void)state;
  struct scores s;
  draw(&s);
  for (size_t k = 0; k < PAIRS; k++) {
    s.y[1][k] = s.y[0][k];
    for (int h = 0; h < 2; h++)
      for (int r = 0; r < 2; r++) s.f[h][r][k] = 0.25 * s.y[0][k] - 2;
  }
  struct vt_sweep_point point = measure(&s, (uint32_t[]){2, 2}, true);
  assert_true(fabs(point.slope - 4) < 1e-9 && fabs(point.error) < 1e-12 && fabs(point.variance) < 1e-12);
  assert_true(measure(&s, (uint32_t[]){2, 2}, false).error > 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parts_add_up),
      cmocka_unit_test(line_is_the_best),
      cmocka_unit_test(shrinking_is_no_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
