#define _POSIX_C_SOURCE 200809L
/* Every kernel against the step in double, and against each other bit for bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/memory.h"
#include "base/rng.h"
#include "kernel/kernel.h"

#define WIDTH_PADDED(width) (((width) + 15) / 16 * 16)

/* One step's rows in both precisions. */
struct fixture {
  struct vt_step step;
  struct vt_step_double exact;
  size_t row_floats;
  float *rows; /* inputs, then outputs */
  double *exact_rows;
};

static float uniform(struct vt_rng *rng, float scale) { return (vt_rng_unit(rng) - 0.5F) * 2 * scale; }

static struct fixture *fixture_create(int inputs, int outputs, size_t dim, float scale, uint64_t seed) {
  struct fixture *f = vt_alloc_aligned(1, sizeof *f);
  assert_non_null(f);
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, seed, dim, (uint64_t)(inputs * 100 + outputs));
  size_t width = vt_kernel_width(dim), count = (size_t)(inputs + outputs);
  f->row_floats = WIDTH_PADDED(width);
  f->rows = vt_alloc_aligned(count, f->row_floats * sizeof *f->rows);
  f->exact_rows = vt_alloc_aligned(count, f->row_floats * sizeof *f->exact_rows);
  assert_true(f->rows != NULL && f->exact_rows != NULL);
  for (size_t r = 0; r < count; r++) {
    for (size_t k = 0; k < dim; k++) {
      f->rows[r * f->row_floats + k] = uniform(&rng, scale);
      f->exact_rows[r * f->row_floats + k] = (double)f->rows[r * f->row_floats + k];
    }
  }
  f->step.input_count = f->exact.input_count = inputs;
  f->step.output_count = f->exact.output_count = outputs;
  f->step.width = f->exact.width = width;
  f->step.rate = 0.05F;
  f->exact.rate = (double)f->step.rate;
  for (int i = 0; i < inputs; i++) {
    f->step.inputs[i] = f->rows + (size_t)i * f->row_floats;
    f->exact.inputs[i] = f->exact_rows + (size_t)i * f->row_floats;
  }
  for (int j = 0; j < outputs; j++) {
    f->step.outputs[j] = f->rows + (size_t)(inputs + j) * f->row_floats;
    f->exact.outputs[j] = f->exact_rows + (size_t)(inputs + j) * f->row_floats;
  }
  f->step.labels[0] = f->step.labels[VT_STEP_SCORE_STRIDE] = 1;
  f->exact.labels[0] = f->exact.labels[VT_STEP_SCORE_STRIDE] = 1;
  return f;
}

static void fixture_free(struct fixture *f) {
  vt_free_aligned(f->rows);
  vt_free_aligned(f->exact_rows);
  vt_free_aligned(f);
}

static const size_t dims[] = {1, 3, 8, 15, 16, 17, 24, 100, 104, 128, 300, 1000};
static const float scales[] = {0.005F, 0.5F, 4.0F};

static void step_is_near_the_exact_one(void **state) {
  (void)state;
  for (size_t kernel = 0; kernel < vt_kernel_count(); kernel++) {
    if (!vt_kernel_runs_here(kernel)) continue;
    for (int inputs = 1; inputs <= VT_STEP_INPUTS_MAX; inputs++) {
      for (int outputs = 1; outputs <= VT_STEP_OUTPUTS_MAX; outputs++) {
        size_t dim = dims[(size_t)(inputs * 7 + outputs) % (sizeof dims / sizeof *dims)];
        float scale = scales[(inputs + outputs) % 3];
        struct fixture *f = fixture_create(inputs, outputs, dim, scale, 1);
        vt_kernel_at(kernel)->step(&f->step);
        vt_kernel_step_double(&f->exact);
        /* A coefficient is off by at most rate x (error of a score / 4 + 4 ULP), a score by about sqrt(dim) x 2^-24
         * of the sum of absolute products; a row adds at most 16 terms. */
        double score_bound = (double)dim * (double)scale * (double)scale * 0x1p-23;
        double row_bound = 16 * 0.05 * (score_bound + 0x1p-21) * (double)scale + (double)scale * 0x1p-22 * 16;
        for (int i = 0; i < inputs; i++)
          for (int j = 0; j < outputs; j++)
            assert_true(fabs((double)f->step.scores[i * VT_STEP_SCORE_STRIDE + j] -
                             f->exact.scores[i * VT_STEP_SCORE_STRIDE + j]) <= score_bound);
        for (size_t k = 0; k < (size_t)(inputs + outputs) * f->row_floats; k++)
          assert_true(fabs((double)f->rows[k] - f->exact_rows[k]) <= row_bound);
        fixture_free(f);
      }
    }
  }
}

static void step_moves_rows(void **state) {
  (void)state;
  struct fixture *f = fixture_create(3, 6, 100, 0.5F, 2), *before = fixture_create(3, 6, 100, 0.5F, 2);
  const struct vt_kernel *kernel;
  assert_int_equal(vt_kernel_choose(NULL, &kernel, NULL), VT_OK);
  kernel->step(&f->step);
  for (size_t row = 0; row < 9; row++)
    assert_memory_not_equal(f->rows + row * f->row_floats, before->rows + row * f->row_floats, 100 * sizeof(float));
  fixture_free(f);
  fixture_free(before);
}

/* Also the zeros behind a row must stay zeros. */
static void all_kernels_give_the_same_bits(void **state) {
  (void)state;
  for (size_t d = 0; d < sizeof dims / sizeof *dims; d++) {
    for (int inputs = 1; inputs <= VT_STEP_INPUTS_MAX; inputs += inputs < 5 ? 1 : 3) {
      for (int outputs = 1; outputs <= VT_STEP_OUTPUTS_MAX; outputs++) {
        struct fixture *reference = fixture_create(inputs, outputs, dims[d], scales[d % 3], 3);
        vt_kernel_reference.step(&reference->step);
        size_t floats = (size_t)(inputs + outputs) * reference->row_floats;
        for (size_t kernel = 0; kernel < vt_kernel_count(); kernel++) {
          if (!vt_kernel_runs_here(kernel)) continue;
          struct fixture *f = fixture_create(inputs, outputs, dims[d], scales[d % 3], 3);
          vt_kernel_at(kernel)->step(&f->step);
          assert_memory_equal(f->rows, reference->rows, floats * sizeof(float));
          for (int i = 0; i < inputs; i++)
            assert_memory_equal(f->step.scores + i * VT_STEP_SCORE_STRIDE,
                                reference->step.scores + i * VT_STEP_SCORE_STRIDE, (size_t)outputs * sizeof(float));
          for (size_t row = 0; row < (size_t)(inputs + outputs); row++)
            for (size_t k = dims[d]; k < f->row_floats; k++) assert_true(f->rows[row * f->row_floats + k] == 0);
          fixture_free(f);
        }
        fixture_free(reference);
      }
    }
  }
}

static void sigmoid_is_accurate_everywhere(void **state) {
  (void)state;
  _Alignas(64) float values[64], reference[64];
  for (int at = 0; at < 540; at++) {
    float from = -100 + (float)at * 0.37F;
    for (int k = 0; k < 64; k++) values[k] = reference[k] = from + (float)k * 0.0057F;
    vt_kernel_reference.sigmoid(reference, 64);
    for (size_t kernel = 0; kernel < vt_kernel_count(); kernel++) {
      if (!vt_kernel_runs_here(kernel)) continue;
      for (int k = 0; k < 64; k++) values[k] = from + (float)k * 0.0057F;
      vt_kernel_at(kernel)->sigmoid(values, 64);
      assert_memory_equal(values, reference, sizeof values);
    }
    for (int k = 0; k < 64; k++) {
      long double x = (long double)(from + (float)k * 0.0057F);
      long double exact = 1 / (1 + expl(-x));
      /* 4 ULP; below e^-87 the exponential is held, so the result is small but not exact. */
      if (x > -86)
        assert_true(fabsl((long double)values[k] - exact) <= exact * 0x1p-21L);
      else
        assert_true(values[k] >= 0 && values[k] < 1e-37F);
    }
  }
}

static void sigmoid_hands_nan_on(void **state) {
  (void)state;
  for (size_t kernel = 0; kernel < vt_kernel_count(); kernel++) {
    if (!vt_kernel_runs_here(kernel)) continue;
    _Alignas(64) float values[8] = {0, NAN, INFINITY, -INFINITY, 1e30F, -1e30F, 88, -88};
    vt_kernel_at(kernel)->sigmoid(values, 8);
    assert_true(isnan(values[1]));
    assert_true(values[2] == 1.0F && values[4] == 1.0F && values[6] == 1.0F);
    assert_true(values[3] >= 0 && values[3] < 1e-37F && values[5] == values[3] && values[7] == values[3]);
  }
}

static void exponentials_are_accurate(void **state) {
  (void)state;
  enum { COUNT = 320 };
  for (size_t kernel = 0; kernel < vt_kernel_count(); kernel++) {
    if (!vt_kernel_runs_here(kernel)) continue;
    _Alignas(64) float values[COUNT], logits[COUNT];
    struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 11, 0, 0);
    float largest = -1e30F;
    for (int k = 0; k < COUNT; k++) {
      logits[k] = values[k] = uniform(&rng, 30);
      largest = fmaxf(largest, logits[k]);
    }
    assert_true(vt_kernel_at(kernel)->largest(values, COUNT) == largest);
    float sum = vt_kernel_at(kernel)->exp_sum(values, COUNT, largest);
    long double total = 0;
    for (int k = 0; k < COUNT; k++) {
      long double exact = expl((long double)logits[k] - (long double)largest);
      assert_true(fabsl((long double)values[k] - exact) <= exact * 5e-6L); /* the difference is rounded first */
      total += exact;
    }
    assert_true(fabsl((long double)sum - total) <= total * 5e-6L);
    values[17] = NAN;
    assert_true(isnan(vt_kernel_at(kernel)->exp_sum(values, COUNT, 0)));
    for (int k = 0; k < COUNT; k++) values[k] = k == 5 ? 0 : -3e38F;
    assert_true(vt_kernel_at(kernel)->exp_sum(values, COUNT, 0) == 1.0F);
  }
}

static void dot_is_near_and_the_same(void **state) {
  (void)state;
  for (size_t d = 0; d < sizeof dims / sizeof *dims; d++) {
    struct fixture *f = fixture_create(1, 1, dims[d], 0.7F, 4);
    double exact = 0;
    for (size_t k = 0; k < dims[d]; k++) exact += f->exact.inputs[0][k] * f->exact.outputs[0][k];
    float reference = vt_kernel_reference.dot(f->step.inputs[0], f->step.outputs[0], f->step.width);
    assert_true(fabs((double)reference - exact) <= (double)dims[d] * 0.49 * 0x1p-23);
    for (size_t kernel = 0; kernel < vt_kernel_count(); kernel++) {
      if (!vt_kernel_runs_here(kernel)) continue;
      float got = vt_kernel_at(kernel)->dot(f->step.inputs[0], f->step.outputs[0], f->step.width);
      assert_memory_equal(&got, &reference, sizeof got);
    }
    fixture_free(f);
  }
}

/* ---- extended precision ------------------------------------------------------------------------------------------ */

struct extended {
  long double rows[VT_STEP_INPUTS_MAX + VT_STEP_OUTPUTS_MAX][72];
  long double scores[VT_STEP_INPUTS_MAX][VT_STEP_OUTPUTS_MAX];
};

/* The definition in kernel.h, from the rows of a fixture before its step, with nothing shared with the kernels. */
static void step_extended(const struct fixture *f, size_t dim, struct extended *to) {
  int inputs = f->step.input_count, outputs = f->step.output_count;
  for (int r = 0; r < inputs + outputs; r++)
    for (size_t k = 0; k < dim; k++) to->rows[r][k] = (long double)f->rows[(size_t)r * f->row_floats + k];
  for (int i = 0; i < inputs; i++) {
    for (int j = 0; j < outputs; j++) {
      const float *v = f->step.inputs[i], *u = f->step.outputs[j];
      long double score = 0;
      for (size_t k = 0; k < dim; k++) score += (long double)v[k] * (long double)u[k];
      to->scores[i][j] = score;
      long double g = (long double)f->step.rate * ((long double)f->step.labels[j] - 1 / (1 + expl(-score)));
      for (size_t k = 0; k < dim; k++) {
        to->rows[i][k] += g * (long double)u[k];
        to->rows[inputs + j][k] += g * (long double)v[k];
      }
    }
  }
}

/* Bounds as in step_is_near_the_exact_one; what is not finite is so in both. */
static void compare_extended(const struct fixture *f, size_t dim, float scale, const struct extended *exact) {
  int inputs = f->step.input_count, outputs = f->step.output_count;
  long double score_bound = (long double)dim * (long double)(scale * scale) * 0x1p-23L;
  long double row_bound = (0.8L * (score_bound + 0x1p-21L) + 0x1p-18L) * (long double)scale;
  for (int i = 0; i < inputs; i++) {
    for (int j = 0; j < outputs; j++) {
      long double got = (long double)f->step.scores[i * VT_STEP_SCORE_STRIDE + j];
      assert_int_equal(isfinite(got), isfinite(exact->scores[i][j]));
      if (isfinite(got)) assert_true(fabsl(got - exact->scores[i][j]) <= score_bound);
    }
  }
  for (int r = 0; r < inputs + outputs; r++) {
    for (size_t k = 0; k < dim; k++) {
      long double got = (long double)f->rows[(size_t)r * f->row_floats + k];
      assert_int_equal(isfinite(got), isfinite(exact->rows[r][k]));
      if (isfinite(got)) assert_true(fabsl(got - exact->rows[r][k]) <= row_bound);
    }
  }
}

static void every_length_against_extended_precision(void **state) {
  (void)state;
  static const float poisons[] = {0, NAN, INFINITY, -INFINITY};
  static struct extended exact;
  for (size_t kernel = 0; kernel < vt_kernel_count(); kernel++) {
    if (!vt_kernel_runs_here(kernel)) continue;
    for (size_t dim = 1; dim <= 67; dim++) {
      for (int outputs = 1; outputs <= VT_STEP_OUTPUTS_MAX; outputs++) {
        int inputs = 1 + (int)(dim + (size_t)outputs * 5) % VT_STEP_INPUTS_MAX;
        for (size_t p = 0; p < 4; p++) {
          struct fixture *f = fixture_create(inputs, outputs, dim, 0.5F, 8);
          int victim = (int)(dim % (size_t)(inputs + outputs));
          if (p > 0) f->rows[(size_t)victim * f->row_floats + dim / 2] = poisons[p];
          step_extended(f, dim, &exact);
          vt_kernel_at(kernel)->step(&f->step);
          compare_extended(f, dim, 0.5F, &exact);
          fixture_free(f);
        }
      }
    }
  }
}

/* Rows of a table begin at any multiple of 32 bytes. */
static void single_rows_of_every_length_half_a_line_off(void **state) {
  (void)state;
  for (size_t kernel = 0; kernel < vt_kernel_count(); kernel++) {
    if (!vt_kernel_runs_here(kernel)) continue;
    for (size_t dim = 1; dim <= 67; dim++) {
      _Alignas(64) float a[96] = {0}, b[96] = {0};
      struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 9, dim, 0);
      long double product = 0, step_squared = 0;
      for (size_t k = 0; k < dim; k++) {
        a[8 + k] = uniform(&rng, 0.5F);
        b[8 + k] = a[8 + k] + uniform(&rng, 0.01F);
        product += (long double)a[8 + k] * (long double)b[8 + k];
        step_squared += powl((long double)b[8 + k] - (long double)a[8 + k], 2);
      }
      float got = vt_kernel_at(kernel)->dot(a + 8, b + 8, vt_kernel_width(dim));
      assert_true(fabsl((long double)got - product) <= (long double)dim * 0.26L * 0x1p-23L);
      const float *copies[] = {b + 8};
      struct vt_merge merge = {
          .row = a + 8, .copies = copies, .copy_count = 1, .width = vt_kernel_width(dim), .cap = 1, .cap_share = 0.2F};
      vt_kernel_at(kernel)->merge(&merge);
      assert_true(merge.finite && !merge.capped);
      assert_true(fabsl((long double)merge.step_squared - step_squared) <= step_squared * 0x1p-16L);
      for (size_t k = 0; k < 96; k++) assert_true(fabsf(a[k] - b[k]) <= 0x1p-23F);
    }
  }
}

/* Every half, and between any two neighbours the places where rounding turns, at counts that leave any rest. */
static void halves_as_their_definition(void **state) {
  (void)state;
  enum { COUNT = 67 };
  for (size_t kernel = 0; kernel < vt_kernel_count(); kernel++) {
    if (!vt_kernel_runs_here(kernel)) continue;
    const struct vt_kernel *k = vt_kernel_at(kernel);
    for (uint32_t bits = 0; bits < 0x10000; bits += 3) {
      uint16_t halves[COUNT + 1], back[COUNT + 1];
      float values[COUNT + 1];
      size_t count = 1 + bits % COUNT;
      for (size_t i = 0; i < count; i++) halves[i] = (uint16_t)(bits + i);
      values[count] = 1234;
      k->from_half(halves, count, values);
      assert_true(values[count] == 1234);
      for (size_t i = 0; i < count; i++) {
        float value = vt_float_from_half_one(halves[i]);
        assert_true(isnan(value) ? isnan(values[i]) : memcmp(&value, &values[i], sizeof value) == 0);
        /* Halfway to the next, and a hair to either side of it. */
        float halfway = values[i] + (vt_float_from_half_one((uint16_t)(halves[i] + 1)) - values[i]) / 2;
        values[i] = i % 3 == 0 ? halfway : nextafterf(halfway, i % 3 == 1 ? INFINITY : -INFINITY);
      }
      back[count] = 4321;
      k->to_half(values, count, back);
      assert_int_equal(back[count], 4321);
      for (size_t i = 0; i < count; i++) {
        uint16_t half = vt_half_from_float_one(values[i]);
        assert_true(isnan(values[i]) ? (back[i] & 0x7fff) > 0x7c00 : back[i] == half);
      }
    }
  }
}

/* The definition in kernel.h: the sum and the shares in extended precision, a row that is there twice gets both. */
static void bags_of_every_length_half_a_line_off(void **state) {
  (void)state;
  enum { ROWS = 5 };
  for (size_t kernel = 0; kernel < vt_kernel_count(); kernel++) {
    if (!vt_kernel_runs_here(kernel)) continue;
    for (size_t dim = 1; dim <= 67; dim++) {
      for (size_t count = 1; count <= ROWS + 1; count++) {
        _Alignas(64) float rows[ROWS][96] = {{0}}, own[3][96] = {{0}}, before[ROWS][96];
        struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 12, dim, count);
        for (int r = 0; r < ROWS; r++)
          for (size_t k = 0; k < dim; k++) rows[r][8 + k] = uniform(&rng, 0.5F);
        memcpy(before, rows, sizeof rows);
        float *members[ROWS + 1] = {rows[0] + 8, rows[1] + 8, rows[2] + 8, rows[3] + 8, rows[4] + 8, rows[1] + 8};
        struct vt_bag bag = {.rows = members,
                             .count = count,
                             .width = vt_kernel_width(dim),
                             .mean = own[0] + 8,
                             .moved = own[1] + 8,
                             .delta = own[2] + 8};
        vt_kernel_at(kernel)->bag_mean(&bag);
        assert_memory_equal(bag.mean, bag.moved, bag.width * sizeof(float));
        for (int step = 1; step <= 2; step++) {
          for (size_t k = 0; k < dim; k++) bag.moved[k] += 0.25F * (float)step;
          vt_kernel_at(kernel)->bag_take(&bag);
          assert_memory_equal(bag.mean, bag.moved, bag.width * sizeof(float));
        }
        vt_kernel_at(kernel)->bag_give(&bag, 0.5F);
        for (size_t k = 0; k < dim; k++) {
          long double sum = 0;
          for (size_t i = 0; i < count; i++) sum += (long double)before[i < ROWS ? i : 1][8 + k];
          assert_true(fabsl((long double)bag.mean[k] - sum / (long double)count) <= 0x1p-22L);
          assert_true(fabsf(bag.delta[k] - 0.75F) <= 0x1p-22F);
          for (size_t r = 0; r < ROWS; r++) {
            float given = r < count ? r == 1 && count > ROWS ? 0.75F : 0.375F : 0;
            assert_true(fabsf(rows[r][8 + k] - before[r][8 + k] - given) <= 0x1p-21F);
          }
        }
        for (size_t k = dim; k < bag.width; k++) assert_true(bag.mean[k] == 0 && bag.delta[k] == 0);
      }
    }
  }
}

/* The definitions in kernel.h: one rounding for each element, and nothing beyond the row. */
static void sums_of_every_length_half_a_line_off(void **state) {
  (void)state;
  for (size_t kernel = 0; kernel < vt_kernel_count(); kernel++) {
    if (!vt_kernel_runs_here(kernel)) continue;
    for (size_t dim = 1; dim <= 67; dim++) {
      const size_t width = vt_kernel_width(dim);
      _Alignas(64) float to[96], from[96], factors[96], before[96];
      struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 14, dim, 0);
      for (size_t k = 0; k < 96; k++) {
        to[k] = before[k] = uniform(&rng, 2);
        from[k] = uniform(&rng, 2);
        factors[k] = uniform(&rng, 2);
      }
      if (dim > 3) from[8 + 2] = dim % 2 == 0 ? NAN : INFINITY;
      vt_kernel_at(kernel)->add_scaled(to + 8, from + 8, 0.3F, width);
      for (size_t k = 0; k < 96; k++) {
        const float exact = k >= 8 && k < 8 + width ? fmaf(0.3F, from[k], before[k]) : before[k];
        assert_true(to[k] == exact || (isnan(to[k]) && isnan(exact)));
        to[k] = before[k];
      }
      vt_kernel_at(kernel)->add_products(to + 8, from + 8, factors + 8, width);
      for (size_t k = 0; k < 96; k++) {
        const float exact = k >= 8 && k < 8 + width ? fmaf(factors[k], from[k], before[k]) : before[k];
        assert_true(to[k] == exact || (isnan(to[k]) && isnan(exact)));
      }
    }
  }
}

/* ---- merge ----------------------------------------------------------------------------------------------------- */

/* The definition in kernel.h, in double. */
static void merge_exactly(const double *row, const float *const *copies, size_t count, size_t dim, double cap,
                          double share, double *to, double *length) {
  double step_squared = 0, row_squared = 0;
  for (size_t k = 0; k < dim; k++) {
    to[k] = 0;
    for (size_t b = 0; b < count; b++) to[k] += (double)copies[b][k] - row[k];
    step_squared += to[k] * to[k];
    row_squared += row[k] * row[k];
  }
  double limit = fmax(cap, share * sqrt(row_squared)), scale = fmin(1, limit / sqrt(step_squared));
  *length = scale * sqrt(step_squared);
  for (size_t k = 0; k < dim; k++) to[k] = row[k] + scale * to[k];
}

static void check_merge(const struct vt_kernel *kernel, size_t dim, int copies, float step_scale, bool capped) {
  /* The row is the only input; the outputs are its copies, moved. */
  struct fixture *f = fixture_create(1, copies, dim, 0.5F, 5);
  for (int b = 0; b < copies; b++)
    for (size_t k = 0; k < dim; k++) f->step.outputs[b][k] = f->step.inputs[0][k] + step_scale * f->step.outputs[b][k];
  double *exact = calloc(dim, sizeof *exact), length;
  assert_non_null(exact);
  const float *const *moved = (const float *const *)f->step.outputs;
  merge_exactly(f->exact.inputs[0], moved, (size_t)copies, dim, 0.5, 0.2, exact, &length);
  struct vt_merge merge = {.row = f->step.inputs[0],
                           .copies = moved,
                           .copy_count = (size_t)copies,
                           .width = f->step.width,
                           .cap = 0.5F,
                           .cap_share = 0.2F};
  kernel->merge(&merge);
  assert_true(merge.finite);
  assert_int_equal(merge.capped, capped);
  assert_true(fabs(sqrt((double)merge.step_squared) - length) <= 1e-5 * length);
  for (size_t k = 0; k < dim; k++) assert_true(fabs((double)merge.row[k] - exact[k]) <= 4e-6);
  free(exact);
  fixture_free(f);
}

static void merge_adds_and_caps(void **state) {
  (void)state;
  for (size_t kernel = 0; kernel < vt_kernel_count(); kernel++) {
    if (!vt_kernel_runs_here(kernel)) continue;
    for (int copies = 1; copies <= VT_STEP_OUTPUTS_MAX; copies++) {
      check_merge(vt_kernel_at(kernel), 100, copies, 0.001F, false);
      check_merge(vt_kernel_at(kernel), 100, copies, 1.0F, true);
      check_merge(vt_kernel_at(kernel), 24, copies, 0.01F, false);
    }
  }
}

/* Three steps, by the definition in kernel.h in double. */
static void merge_by_adagrad(void **state) {
  (void)state;
  enum { DIM = 100, WIDTH = 104 };
  for (size_t kernel = 0; kernel < vt_kernel_count(); kernel++) {
    if (!vt_kernel_runs_here(kernel)) continue;
    _Alignas(64) float row[WIDTH] = {0}, squares[WIDTH] = {0}, copy[2][WIDTH] = {{0}};
    double exact[DIM] = {0}, exact_squares[DIM] = {0};
    struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 10, 0, 0);
    for (int step = 0; step < 3; step++) {
      double length = 0;
      for (size_t k = 0; k < DIM; k++) {
        double g = 0;
        for (int b = 0; b < 2; b++) {
          copy[b][k] = row[k] + uniform(&rng, 0.01F);
          g += ((double)copy[b][k] - (double)row[k]) / (double)0.05F;
        }
        exact_squares[k] += g * g;
        double moved = (double)0.05F * g / (sqrt(exact_squares[k]) + (double)VT_ADAGRAD_EPSILON);
        exact[k] += moved;
        length += moved * moved;
      }
      const float *copies[] = {copy[0], copy[1]};
      struct vt_merge merge = {.row = row,
                               .squares = squares,
                               .rate = 0.05F,
                               .copies = copies,
                               .copy_count = 2,
                               .width = WIDTH,
                               .cap = 10,
                               .cap_share = 0.2F};
      vt_kernel_at(kernel)->merge(&merge);
      assert_true(merge.finite && !merge.capped);
      assert_true(fabs((double)merge.step_squared - length) <= 1e-4 * length);
      for (size_t k = 0; k < DIM; k++) {
        assert_true(fabs((double)row[k] - exact[k]) <= 2e-5);
        assert_true(fabs((double)squares[k] - exact_squares[k]) <= 1e-4 * exact_squares[k] + 1e-9);
      }
      for (size_t k = DIM; k < WIDTH; k++) assert_true(row[k] == 0 && squares[k] == 0);
    }
    /* What is not finite leaves both alone. */
    float before[WIDTH];
    memcpy(before, squares, sizeof before);
    copy[0][3] = NAN;
    const float *copies[] = {copy[0]};
    struct vt_merge merge = {.row = row,
                             .squares = squares,
                             .rate = 0.05F,
                             .copies = copies,
                             .copy_count = 1,
                             .width = WIDTH,
                             .cap = 10,
                             .cap_share = 0.2F};
    vt_kernel_at(kernel)->merge(&merge);
    assert_false(merge.finite);
    assert_memory_equal(before, squares, sizeof before);
  }
}

static void merge_gives_the_same_bits(void **state) {
  (void)state;
  for (int copies = 1; copies <= VT_STEP_OUTPUTS_MAX; copies++) {
    float reference[128];
    for (size_t at = vt_kernel_count(); at-- > 0;) { /* the reference is the last */
      if (!vt_kernel_runs_here(at)) continue;
      struct fixture *f = fixture_create(1, copies, 100, 0.5F, 6);
      struct vt_merge merge = {.row = f->step.inputs[0],
                               .copies = (const float *const *)f->step.outputs,
                               .copy_count = (size_t)copies,
                               .width = f->step.width,
                               .cap = 0.5F,
                               .cap_share = 0.2F};
      vt_kernel_at(at)->merge(&merge);
      if (at == vt_kernel_count() - 1)
        memcpy(reference, merge.row, f->step.width * sizeof *reference);
      else
        assert_memory_equal(merge.row, reference, f->step.width * sizeof *reference);
      fixture_free(f);
    }
  }
}

static void merge_refuses_what_is_not_finite(void **state) {
  (void)state;
  const float poisons[] = {NAN, INFINITY, -INFINITY, 3e38F};
  for (size_t kernel = 0; kernel < vt_kernel_count(); kernel++) {
    if (!vt_kernel_runs_here(kernel)) continue;
    for (size_t p = 0; p < 4; p++) {
      struct fixture *f = fixture_create(1, 2, 100, 0.5F, 7);
      float before[100];
      memcpy(before, f->step.inputs[0], sizeof before);
      f->step.outputs[1][37] = poisons[p];
      struct vt_merge merge = {.row = f->step.inputs[0],
                               .copies = (const float *const *)f->step.outputs,
                               .copy_count = 2,
                               .width = f->step.width,
                               .cap = 0.5F,
                               .cap_share = 0.2F};
      vt_kernel_at(kernel)->merge(&merge);
      assert_false(merge.finite);
      assert_memory_equal(f->step.inputs[0], before, sizeof before);
      fixture_free(f);
    }
  }
}

/* ---- choosing -------------------------------------------------------------------------------------------------- */

static void choosing_by_name(void **state) {
  (void)state;
  struct vt_error error;
  const char *name;
  assert_string_equal(vt_kernel_name(vt_kernel_count() - 1), "reference");
  assert_true(vt_kernel_runs_here(vt_kernel_count() - 1));
  assert_int_equal(vt_kernel_resolve("reference", &name, &error), VT_OK);
  assert_string_equal(name, "reference");
  assert_int_equal(vt_kernel_resolve("mmx", &name, &error), VT_ERROR_UNSUPPORTED);
  setenv("VECTRAIL_KERNEL", "reference", 1);
  assert_int_equal(vt_kernel_resolve(NULL, &name, &error), VT_OK);
  assert_string_equal(name, "reference");
  setenv("VECTRAIL_KERNEL", "nonsense", 1);
  assert_int_equal(vt_kernel_resolve(NULL, &name, &error), VT_ERROR_UNSUPPORTED);
  unsetenv("VECTRAIL_KERNEL");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(step_is_near_the_exact_one),
      cmocka_unit_test(step_moves_rows),
      cmocka_unit_test(all_kernels_give_the_same_bits),
      cmocka_unit_test(sigmoid_is_accurate_everywhere),
      cmocka_unit_test(sigmoid_hands_nan_on),
      cmocka_unit_test(exponentials_are_accurate),
      cmocka_unit_test(dot_is_near_and_the_same),
      cmocka_unit_test(every_length_against_extended_precision),
      cmocka_unit_test(single_rows_of_every_length_half_a_line_off),
      cmocka_unit_test(halves_as_their_definition),
      cmocka_unit_test(bags_of_every_length_half_a_line_off),
      cmocka_unit_test(sums_of_every_length_half_a_line_off),
      cmocka_unit_test(merge_adds_and_caps),
      cmocka_unit_test(merge_by_adagrad),
      cmocka_unit_test(merge_gives_the_same_bits),
      cmocka_unit_test(merge_refuses_what_is_not_finite),
      cmocka_unit_test(choosing_by_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
