/*
 * Networks: gradients against finite differences in double, for every parameter; float against double; the same bits at
 * 1, 2, 3 and 8 threads and with every kernel; products of matrices against the plain sum. label: threads
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
#include "network/net.h"
#include "support/double_network.h"
#include "support/temporary.h"
#include "vectrail/kernel.h"

#define SEQUENCES 2
#define LENGTH 7

struct model {
  const char *name;
  struct vt_net_shape shape;
};

static const struct model models[] = {
    {"nnlm", {.model = VT_MODEL_NNLM, .tokens = 11, .dim = 5, .context = LENGTH, .hidden = 9, .heads = 1}},
    {"learned, tied",
     {.model = VT_MODEL_TRANSFORMER,
      .tokens = 13,
      .dim = 12,
      .context = 8,
      .hidden = 20,
      .layers = 2,
      .heads = 3,
      .tied = true,
      .epsilon = 1e-5}},
    {"sinusoidal, untied, dropout",
     {.model = VT_MODEL_TRANSFORMER,
      .tokens = 13,
      .dim = 8,
      .context = 7,
      .hidden = 16,
      .layers = 2,
      .heads = 2,
      .positions = VT_POSITIONS_SINUSOIDAL,
      .epsilon = 1e-5,
      .dropout = 0.3}},
    {"rotary, parallel, exact",
     {.model = VT_MODEL_TRANSFORMER,
      .tokens = 10,
      .dim = 16,
      .context = 9,
      .hidden = 24,
      .layers = 2,
      .heads = 2,
      .positions = VT_POSITIONS_ROTARY,
      .rotary = 4,
      .parallel = true,
      .exact_gelu = true,
      .epsilon = 1e-5}},
    {"rotary, tied, dropout",
     {.model = VT_MODEL_TRANSFORMER,
      .tokens = 10,
      .dim = 8,
      .context = 9,
      .hidden = 24,
      .layers = 1,
      .heads = 2,
      .positions = VT_POSITIONS_ROTARY,
      .rotary = 4,
      .tied = true,
      .epsilon = 1e-5,
      .dropout = 0.2}},
};
#define MODELS (sizeof models / sizeof models[0])

/* Values that are far from the start, so that every part matters. */
static void draw_values(const struct vt_net_layout *layout, double *values) {
  memset(values, 0, layout->floats * sizeof *values);
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 1, 2, 3);
  for (size_t p = 0; p < layout->count; p++) {
    const struct vt_net_parameter *parameter = &layout->parameters[p];
    for (size_t row = 0; row < parameter->rows; row++)
      for (size_t k = 0; k < parameter->columns; k++)
        values[parameter->offset + row * parameter->stride + k] =
            (parameter->start == VT_START_ONE ? 1 : 0) + 0.6 * ((double)vt_rng_unit(&rng) - 0.5);
  }
}

static void draw_tokens(const struct vt_net_shape *shape, uint32_t *tokens, uint32_t *targets) {
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 4, 5, 6);
  for (size_t k = 0; k < SEQUENCES * LENGTH; k++) {
    tokens[k] = vt_rng_below(&rng, shape->tokens);
    targets[k] = vt_rng_below(&rng, shape->tokens);
  }
  if (shape->model == VT_MODEL_TRANSFORMER) targets[3] = VT_NO_TARGET;
}

static double pass_double(struct vt_net_double_net *net, const uint32_t *tokens, const uint32_t *targets,
                          bool gradient) {
  vt_net_double_forward(net, tokens, SEQUENCES, LENGTH, true, 7, 8);
  const struct vt_net_double_loss loss = {.targets = targets, .scale = 1, .gradient = gradient};
  double sum = vt_net_double_loss(net, &loss);
  if (!gradient) return sum;
  vt_net_double_backward(net);
  vt_net_double_scatter(net, net->d_input, net->gradients, NULL);
  return sum;
}

struct doubles {
  struct vtt_doubles of;
  uint32_t tokens[SEQUENCES * LENGTH], targets[SEQUENCES * LENGTH];
};

static void open_doubles(struct doubles *d, const struct vt_net_shape *shape) {
  vtt_doubles_open(&d->of, shape, SEQUENCES * LENGTH, true);
  draw_values(&d->of.layout, d->of.values);
  draw_tokens(shape, d->tokens, d->targets);
}

static void test_finite_differences(void **state) {
  (void)state;
  VTT_NOT_FOR_TSAN();
  for (size_t m = 0; m < MODELS; m++) {
    struct doubles d;
    open_doubles(&d, &models[m].shape);
    pass_double(d.of.net, d.tokens, d.targets, true);
    for (size_t p = 0; p < d.of.layout.count; p++) {
      const struct vt_net_parameter *parameter = &d.of.layout.parameters[p];
      double worst = 0, largest = 0;
      const size_t stride = parameter->rows > 1 ? 5 : 1; /* of matrices, every fifth element */
      for (size_t row = 0; row < parameter->rows; row++)
        for (size_t k = row % stride; k < parameter->columns; k += stride) {
          double *value = d.of.values + parameter->offset + row * parameter->stride + k, kept = *value;
          const double h = 1e-5;
          *value = kept + h;
          double above = pass_double(d.of.net, d.tokens, d.targets, false);
          *value = kept - h;
          double below = pass_double(d.of.net, d.tokens, d.targets, false);
          *value = kept;
          double found = d.of.gradients[parameter->offset + row * parameter->stride + k];
          worst = fmax(worst, fabs((above - below) / (2 * h) - found));
          largest = fmax(largest, fabs(found));
        }
      if (!(worst <= 1e-7 + 1e-6 * largest))
        fail_msg("%s, %s: off by %g of %g", models[m].name, parameter->name, worst, largest);
    }
    vtt_doubles_close(&d.of);
  }
}

/* ---- float ------------------------------------------------------------------------------------------------------- */

struct floats {
  struct vt_net_layout layout;
  struct vt_pool *pool;
  struct vt_net_net *net;
  float *values, *gradients;
  uint32_t tokens[SEQUENCES * LENGTH], targets[SEQUENCES * LENGTH];
  double loss;
};

static void open_floats(struct floats *f, const struct vt_net_shape *shape, const char *kernel, int threads) {
  assert_int_equal(vt_net_layout_init(&f->layout, shape, NULL), VT_OK);
  assert_int_equal(vt_pool_create(threads, &f->pool, NULL), VT_OK);
  assert_int_equal(
      vt_net_create(&f->layout, vt_dense_choose(kernel), f->pool, SEQUENCES * LENGTH, true, true, &f->net, NULL),
      VT_OK);
  double *values = calloc(f->layout.floats, sizeof *values);
  f->values = calloc(f->layout.floats, sizeof *f->values);
  f->gradients = calloc(f->layout.floats, sizeof *f->gradients);
  draw_values(&f->layout, values);
  for (size_t k = 0; k < f->layout.floats; k++) f->values[k] = (float)values[k];
  free(values);
  draw_tokens(shape, f->tokens, f->targets);
  f->net->values = f->values;
  f->net->gradients = f->gradients;
  vt_net_forward(f->net, f->tokens, SEQUENCES, LENGTH, true, 7, 8);
  const struct vt_net_loss loss = {.targets = f->targets, .scale = 1, .gradient = true};
  f->loss = vt_net_loss(f->net, &loss);
  vt_net_backward(f->net);
  vt_net_scatter(f->net, f->net->d_input, f->gradients, NULL);
}

static void close_floats(struct floats *f) {
  vt_net_free(f->net);
  vt_pool_free(f->pool);
  vt_net_layout_release(&f->layout);
  free(f->values);
  free(f->gradients);
}

static void test_float_against_double(void **state) {
  (void)state;
  for (size_t m = 0; m < MODELS; m++) {
    struct doubles d;
    struct floats f;
    open_doubles(&d, &models[m].shape);
    double loss = pass_double(d.of.net, d.tokens, d.targets, true);
    open_floats(&f, &models[m].shape, "reference", 1);
    assert_true(fabs(loss - f.loss) < 1e-5 * loss);
    for (size_t p = 0; p < d.of.layout.count; p++) {
      const struct vt_net_parameter *parameter = &d.of.layout.parameters[p];
      double off = 0, length = 0;
      for (size_t k = parameter->offset; k < parameter->offset + parameter->rows * parameter->stride; k++) {
        off += (d.of.gradients[k] - (double)f.gradients[k]) * (d.of.gradients[k] - (double)f.gradients[k]);
        length += d.of.gradients[k] * d.of.gradients[k];
      }
      if (!(sqrt(off) <= 1e-6 + 2e-5 * sqrt(length)))
        fail_msg("%s, %s: off by %g of %g", models[m].name, parameter->name, sqrt(off), sqrt(length));
    }
    close_floats(&f);
    vtt_doubles_close(&d.of);
  }
}

static void test_same_bits(void **state) {
  (void)state;
  static const int threads[] = {1, 2, 3, 8};
  for (size_t m = 0; m < MODELS; m++) {
    struct floats first;
    open_floats(&first, &models[m].shape, "reference", 1);
    for (size_t k = 0; k < vt_kernel_count(); k++) {
      for (size_t t = 0; vt_kernel_runs_here(k) && t < sizeof threads / sizeof threads[0]; t++) {
        struct floats other;
        open_floats(&other, &models[m].shape, vt_kernel_name(k), threads[t]);
        assert_true(other.loss == first.loss);
        assert_memory_equal(other.gradients, first.gradients, first.layout.floats * sizeof(float));
        close_floats(&other);
      }
    }
    close_floats(&first);
  }
}

/* ---- routes ------------------------------------------------------------------------------------------------------ */

static void test_routes_add_up(void **state) {
  (void)state;
  for (size_t m = 0; m < MODELS; m++) {
    struct floats f;
    const struct vt_net_shape *shape = &models[m].shape;
    open_floats(&f, shape, "reference", 2);
    const size_t tokens = SEQUENCES * LENGTH, floats = tokens * shape->dim;
    float *part = calloc(floats, sizeof *part);
    double *sum = calloc(floats, sizeof *sum), off = 0, length = 0;
    for (size_t r = 0; r < vt_route_count(shape); r++) {
      double own = 0;
      vt_net_route(f.net, r, part);
      for (size_t k = 0; k < floats; k++) {
        sum[k] += (double)part[k];
        own += (double)part[k] * (double)part[k];
      }
      assert_true(own > 0);
    }
    for (size_t k = 0; k < floats; k++) {
      off += (sum[k] - (double)f.net->d_input[k]) * (sum[k] - (double)f.net->d_input[k]);
      length += (double)f.net->d_input[k] * (double)f.net->d_input[k];
    }
    assert_true(sqrt(off) <= 1e-5 * sqrt(length));
    free(part);
    free(sum);
    close_floats(&f);
  }
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

static void test_products(void **state) {
  (void)state;
  static const size_t sizes[][3] = {{1, 1, 1}, {12, 32, 7}, {13, 33, 300}, {100, 260, 5}, {40, 9, 600}};
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 9, 9, 9);
  struct vt_net_gemm space;
  struct vt_pool *pool;
  assert_int_equal(vt_net_gemm_init(&space, 1, 256, NULL), VT_OK); /* so that products fall into parts */
  assert_int_equal(vt_pool_create(3, &pool, NULL), VT_OK);
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
    for (int form = 0; form < 8; form++) {
      const size_t m = sizes[s][0], n = sizes[s][1], depth = sizes[s][2];
      const bool a_deep = form & 1, b_deep = form & 2, add = form & 4;
      float *a = malloc(m * depth * sizeof *a), *b = malloc(n * depth * sizeof *b), *c = malloc(m * n * sizeof *c);
      double *wanted = malloc(m * n * sizeof *wanted);
      for (size_t k = 0; k < m * depth; k++) a[k] = vt_rng_unit(&rng) - 0.5F;
      for (size_t k = 0; k < n * depth; k++) b[k] = vt_rng_unit(&rng) - 0.5F;
      for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
          c[i * n + j] = (float)form;
          wanted[i * n + j] = add ? form : 0;
          for (size_t k = 0; k < depth; k++)
            wanted[i * n + j] +=
                (double)a[a_deep ? k * m + i : i * depth + k] * (double)b[b_deep ? k * n + j : j * depth + k];
        }
      vt_net_multiply(&space, vt_dense_choose("reference"), pool, m, n, depth,
                      (struct vt_net_factor){a, a_deep ? m : depth, a_deep},
                      (struct vt_net_factor){b, b_deep ? n : depth, b_deep}, c, n, add);
      for (size_t k = 0; k < m * n; k++) assert_true(fabs(wanted[k] - (double)c[k]) < 1e-4);
      free(a);
      free(b);
      free(c);
      free(wanted);
    }
  vt_pool_free(pool);
  vt_net_gemm_release(&space);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_products),
      cmocka_unit_test(test_finite_differences),
      cmocka_unit_test(test_float_against_double),
      cmocka_unit_test(test_same_bits),
      cmocka_unit_test(test_routes_add_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
