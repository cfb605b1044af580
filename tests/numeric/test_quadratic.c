/* The quadratic model (label: threads): counts against expectation by hand, the gradient against differences of the
 * loss written out, the edge of stability, the same bits at any number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/spectrum.h"
#include "base/rng.h"
#include "support/temporary.h"
#include "support/engine_fixture.h"
#include "support/planted.h"
#include "text/subsample.h"
#include "vectrail/theory.h"

/* A table that starts large and a rate of 1, so that a step is the gradient. */
static struct vtt_fixture fixture_create(const char *path, struct vtt_folder *folder) {
  struct vtt_fixture f = vtt_fixture_open(folder, path, VT_LOSS_QUADRATIC);
  f.options.lr = 1;
  f.options.start = 0.7;
  return f;
}

static struct vtt_fixture toy_create(void) {
  struct vtt_folder *folder = vtt_folder_create();
  return fixture_create(vtt_write_text(folder, "toy.txt", vtt_toy), folder);
}

static double *table_of(struct vt_engine *engine) {
  struct vt_engine_part parts[VT_ENGINE_PARTS_MAX];
  assert_int_equal(vt_engine_parts(engine, parts), 1);
  assert_string_equal(parts[0].name, "input");
  return parts[0].data;
}

static void run(struct vt_engine *engine) {
  struct vt_error error;
  if (vt_engine_run(engine, NULL, 0, &error) != VT_OK) fail_msg("%s", error.message);
}

/* ---- counts ------------------------------------------------------------------------------------------------------ */

/* "x y x": window 2 weighs neighbours 1 and the next 1/2; a word that meets itself counts for both. */
static void meetings_by_hand(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vtt_fixture f = fixture_create(vtt_write_text(folder, "three.txt", "x y x\n"), folder);
  struct vt_meetings meetings = vtt_fixture_meetings(&f, 0);
  uint32_t x = 0, y = 0;
  assert_true(vt_vocab_find(f.vocab, "x", &x) && vt_vocab_find(f.vocab, "y", &y));
  assert_true(vt_meetings_of(&meetings, x, y) == 2 && vt_meetings_of(&meetings, y, x) == 2);
  assert_true(vt_meetings_of(&meetings, x, x) == 1 && vt_meetings_of(&meetings, y, y) == 0);
  assert_true(meetings.sums[x] == 3 && meetings.sums[y] == 2 && meetings.total == 5);
  double matrix[4], p = 2.0 / 5, chance = 3.0 / 5 * 2.0 / 5;
  double squares = vt_meetings_quadratic(&meetings, matrix);
  assert_true(fabs(matrix[x * 2 + y] - 2 * (p - chance) / (p + chance)) < 1e-15);
  assert_true(matrix[x * 2 + y] == matrix[y * 2 + x] && matrix[y * 2 + y] == -2);
  double sum = 0;
  for (int k = 0; k < 4; k++) sum += matrix[k] * matrix[k];
  assert_true(fabs(squares - sum) < 1e-12);
  vt_meetings_release(&meetings);
  vtt_fixture_close(&f);
}

/* The expectation against what a thousand passes of drawing give. */
static void subsampling_in_expectation(void **state) {
  (void)state;
  enum { PASSES = 20000, WINDOW = 3 };
  struct vtt_folder *folder = vtt_folder_create();
  struct vtt_fixture f = fixture_create(vtt_write_text(folder, "text.txt", "a b a c a d a b a\nc a a b d a\n"), folder);
  f.options.window = WINDOW;
  const double threshold = 0.03;
  struct vt_meetings meetings = vtt_fixture_meetings(&f, threshold);
  const uint32_t words = (uint32_t)vt_vocab_size(f.vocab), *ids = vt_corpus_ids(f.corpus);
  double keep[8], drawn[8][8] = {{0}};
  assert_int_equal(words, 4);
  vt_subsample_keep(f.vocab, threshold, keep);
  assert_true(keep[0] < 0.5 && keep[3] <= 1);
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 3, 0, 0);
  for (int pass = 0; pass < PASSES; pass++) {
    uint32_t kept[32];
    size_t length = 0;
    for (uint64_t i = 0; i < vt_corpus_entries(f.corpus); i++) {
      if (ids[i] != VT_CORPUS_END) {
        if ((double)vt_rng_unit(&rng) < keep[ids[i]]) kept[length++] = ids[i];
        continue;
      }
      for (size_t c = 0; c < length; c++) {
        size_t reach = 1 + vt_rng_below(&rng, WINDOW);
        for (size_t o = 0; o < length; o++)
          if (o != c && (o < c ? c - o : o - c) <= reach) drawn[kept[o]][kept[c]] += 1.0 / PASSES;
      }
      length = 0;
    }
  }
  for (uint32_t a = 0; a < words; a++)
    for (uint32_t b = 0; b < words; b++) {
      double expected = vt_meetings_of(&meetings, a, b);
      assert_true(fabs(drawn[a][b] - expected) < 0.02 * expected + 0.02);
      assert_true(expected == vt_meetings_of(&meetings, b, a));
    }
  /* With every word kept both ways of counting agree. */
  struct vt_meetings all = vtt_fixture_meetings(&f, 0);
  double one[4] = {1, 1, 1, 1};
  const struct vt_meetings_options options = {.window = WINDOW, .keep = one, .threads = 1};
  struct vt_meetings slow;
  assert_int_equal(vt_meetings_count(f.corpus, &options, &slow, NULL), VT_OK);
  for (uint32_t a = 0; a < words; a++)
    for (uint32_t b = 0; b < words; b++)
      assert_true(fabs(vt_meetings_of(&all, a, b) - vt_meetings_of(&slow, a, b)) < 1e-4);
  vt_meetings_release(&all);
  vt_meetings_release(&slow);
  vt_meetings_release(&meetings);
  vtt_fixture_close(&f);
}

/* ---- the gradient ------------------------------------------------------------------------------------------------ */

/* sum_ij G_ij [P_ij (-s + s^2/4) + P_i P_j (s + s^2/4)] with G_ij = g / (P_ij + P_i P_j), as it is defined; and the
 * penalty. The constant makes it 1/2 at 0. */
static double loss_of(const struct vtt_fixture *f, const struct vt_meetings *meetings, double squares,
                      const double *w) {
  const size_t words = meetings->words, dim = f->options.dim;
  double loss = 0.5;
  for (uint32_t i = 0; i < words; i++)
    for (uint32_t j = 0; j < words; j++) {
      double s = 0, joint = vt_meetings_of(meetings, i, j) / meetings->total;
      double chance = meetings->sums[i] / meetings->total * meetings->sums[j] / meetings->total;
      for (size_t k = 0; k < dim; k++) s += w[i * dim + k] * w[j * dim + k];
      loss += 2 / squares / (joint + chance) * (joint * (-s + s * s / 4) + chance * (s + s * s / 4));
    }
  for (size_t k = 0; k < words * dim; k++) loss += f->options.l2 * w[k] * w[k];
  return loss;
}

static void gradient_is_the_difference_of_the_loss(void **state) {
  (void)state;
  struct vtt_fixture f = toy_create();
  f.options.epochs = 1;
  f.options.l2 = 0.01;
  struct vt_meetings meetings = vtt_fixture_meetings(&f, 0);
  const size_t cells = meetings.words * f.options.dim;
  double matrix[64], squares = vt_meetings_quadratic(&meetings, matrix), before[64], length = 0;
  assert_true(cells <= 64 && meetings.words * meetings.words <= 64);
  struct vt_engine *engine = vtt_fixture_engine(&f);
  memcpy(before, table_of(engine), cells * sizeof *before);
  run(engine);
  for (size_t k = 0; k < cells; k++) {
    const double h = 1e-5, at = before[k];
    before[k] = at + h;
    double above = loss_of(&f, &meetings, squares, before);
    before[k] = at - h;
    double below = loss_of(&f, &meetings, squares, before);
    before[k] = at;
    double gradient = at - table_of(engine)[k]; /* one step at rate 1 */
    assert_true(fabs(gradient - (above - below) / (2 * h)) < 1e-9);
    length += gradient * gradient;
  }
  const struct vt_engine_state *after = vt_engine_state(engine);
  double penalty = 0;
  for (size_t k = 0; k < cells; k++) penalty += f.options.l2 * before[k] * before[k];
  assert_true(fabs(after->gradient - sqrt(length)) < 1e-12);
  assert_true(fabs(after->loss_sum + penalty - loss_of(&f, &meetings, squares, before)) < 1e-12);
  vt_engine_free(engine);
  vt_meetings_release(&meetings);
  vtt_fixture_close(&f);
}

/* The mean of many sampled gradients is the exact one. */
static void sampled_gradients_are_right_on_average(void **state) {
  (void)state;
  if (vtt_sanitized) skip(); /* long, and over paths that other tests take */
  enum { DRAWS = 400 };
  struct vtt_fixture f = toy_create();
  f.options.epochs = 1;
  struct vt_engine *exact = vtt_fixture_engine(&f);
  const size_t cells = vt_vocab_size(f.vocab) * f.options.dim;
  double start[64], mean[64] = {0}, difference = 0, length = 0;
  memcpy(start, table_of(exact), cells * sizeof *start);
  run(exact);
  f.options.batch = 200; /* an epoch is one step */
  for (int n = 0; n < DRAWS; n++) {
    f.options.seed = (uint64_t)n + 10;
    struct vt_engine *engine = vtt_fixture_engine(&f);
    memcpy(table_of(engine), start, cells * sizeof *start);
    run(engine);
    assert_int_equal(vt_engine_state(engine)->step, 1);
    for (size_t k = 0; k < cells; k++) mean[k] += (start[k] - table_of(engine)[k]) / DRAWS;
    vt_engine_free(engine);
  }
  for (size_t k = 0; k < cells; k++) {
    double gradient = start[k] - table_of(exact)[k];
    difference += (mean[k] - gradient) * (mean[k] - gradient);
    length += gradient * gradient;
  }
  assert_true(sqrt(difference / length) < 0.03);
  vt_engine_free(exact);
  vtt_fixture_close(&f);
}

/* Descent on 1/4 |W W' - M|^2 is stable below 2 / (lambda_1 + max(lambda_1, - lambda_n)) and not above: here in the
 * engine's own rate. */
static void edge_of_stability(void **state) {
  (void)state;
  if (vtt_sanitized) skip(); /* long, and over paths that other tests take */
  /* In the first the negative eigenvalue decides, in the second, of two groups that never meet, the largest. */
  static const char *const texts[] = {vtt_toy, "a b c b a c\nb c a b c\nd e f e d f\nf d e d f\n"};
  for (int which = 0; which < 2; which++) {
    struct vtt_folder *folder = vtt_folder_create();
    struct vtt_fixture f = fixture_create(vtt_write_text(folder, "text.txt", texts[which]), folder);
    struct vt_meetings meetings = vtt_fixture_meetings(&f, 0);
    double matrix[64], values[8], squares = vt_meetings_quadratic(&meetings, matrix);
    assert_int_equal(vt_spectrum_full(matrix, meetings.words, values, NULL), VT_OK);
    const double last = values[meetings.words - 1];
    assert_true((-last > values[0]) == (which == 0));
    const double edge = squares / 2 * (2 / (values[0] + (which == 0 ? -last : values[0])));
    f.options.start = 1e-3;
    f.options.epochs = 3000;
    f.options.dim = 6;
    double minimum = 0;
    for (size_t k = 0; k < meetings.words; k++) minimum += values[k] > 0 ? 0 : values[k] * values[k] / (2 * squares);
    for (int above = 0; above < 2; above++) {
      f.options.lr = edge * (above == 1 ? 1.03 : 0.97);
      struct vt_engine *engine = vtt_fixture_engine(&f);
      enum vt_status status = vt_engine_run(engine, NULL, 0, NULL);
      if (above == 1)
        assert_true(status == VT_ERROR_DIVERGED || vt_engine_probe(engine).loss > minimum + 1e-4);
      else
        assert_true(status == VT_OK && vt_engine_probe(engine).loss < minimum + 1e-6);
      vt_engine_free(engine);
    }
    /* Where no rate is given, the engine's is a twentieth of the edge. */
    f.options.lr = 0;
    struct vt_engine *engine = vtt_fixture_engine(&f);
    assert_true(fabs(vt_engine_state(engine)->lr / edge - 0.05) < 1e-4);
    vt_engine_free(engine);
    vt_meetings_release(&meetings);
    vtt_fixture_close(&f);
  }
}

static void same_bits_at_any_number_of_threads(void **state) {
  (void)state;
  static const int threads[] = {1, 2, 3, 8};
  struct vtt_folder *folder = vtt_folder_create();
  struct vtt_fixture f = fixture_create(vtt_planted_corpus(folder, "planted.txt", 150, 4), folder);
  f.options.dim = 20;
  f.options.epochs = 3;
  f.options.start = 0.1;
  f.options.lr = 0.01; /* few pairs, each with a large weight */
  const size_t cells = vt_vocab_size(f.vocab) * f.options.dim;
  double *first = calloc(cells, sizeof *first);
  assert_non_null(first);
  for (int full = 0; full < 2; full++) {
    f.options.batch = full == 1 ? VT_BATCH_FULL : 300;
    double loss = 0;
    for (size_t k = 0; k < sizeof threads / sizeof *threads; k++) {
      f.options.threads = threads[k];
      struct vt_engine *engine = vtt_fixture_engine(&f);
      run(engine);
      if (k == 0) memcpy(first, table_of(engine), cells * sizeof *first);
      if (k == 0) loss = vt_engine_state(engine)->loss_sum;
      assert_memory_equal(first, table_of(engine), cells * sizeof *first);
      assert_true(loss == vt_engine_state(engine)->loss_sum);
      vt_engine_free(engine);
    }
  }
  free(first);
  vtt_fixture_close(&f);
}

static void what_cannot_be_is_refused(void **state) {
  (void)state;
  struct vt_train_options options;
  struct vt_error error;
  vt_train_options_init(&options);
  options.start = 0.1;
  assert_int_equal(vt_train_options_check(&options, &error), VT_ERROR_ARGUMENT);
  options.loss = VT_LOSS_QUADRATIC;
  options.lr = 0;
  assert_int_equal(vt_train_options_check(&options, &error), VT_OK);
  options.optimizer = VT_OPTIMIZER_ADAGRAD;
  assert_int_equal(vt_train_options_check(&options, &error), VT_ERROR_ARGUMENT);
  options.optimizer = VT_OPTIMIZER_SGD;
  options.held_out = 0.01;
  assert_int_equal(vt_train_options_check(&options, &error), VT_ERROR_ARGUMENT);
  options.held_out = 0;
  options.model = VT_MODEL_CBOW;
  assert_int_equal(vt_train_options_check(&options, &error), VT_ERROR_ARGUMENT);
  assert_int_equal(vt_meetings_check_dense(100000, &error), VT_ERROR_ARGUMENT);
  assert_non_null(strstr(error.message, "80.0 GB"));
  assert_non_null(strstr(error.help, "--max-vocab"));
  assert_int_equal(vt_meetings_check_dense(VT_DENSE_WORDS_MAX, &error), VT_OK);
}

static void divergence_is_told(void **state) {
  (void)state;
  struct vtt_fixture f = toy_create();
  f.options.lr = 1e6;
  f.options.epochs = 50;
  struct vt_engine *engine = vtt_fixture_engine(&f);
  struct vt_error error;
  assert_int_equal(vt_engine_run(engine, NULL, 0, &error), VT_ERROR_DIVERGED);
  assert_non_null(strstr(error.message, "is no longer finite"));
  vt_engine_free(engine);
  vtt_fixture_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(meetings_by_hand),
      cmocka_unit_test(subsampling_in_expectation),
      cmocka_unit_test(gradient_is_the_difference_of_the_loss),
      cmocka_unit_test(sampled_gradients_are_right_on_average),
      cmocka_unit_test(edge_of_stability),
      cmocka_unit_test(same_bits_at_any_number_of_threads),
      cmocka_unit_test(what_cannot_be_is_refused),
      cmocka_unit_test(divergence_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
