/* The quadratic model and its theory (label: threads): the gradient against differences of the loss written out, counts
 * against expectation by hand, spectra against LAPACK, the closed form against the run, the edge of stability, the same
 * bits at any number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/association.h"
#include "analysis/theory.h"
#include "base/rng.h"
#include "support/planted.h"
#include "text/meetings.h"
#include "text/subsample.h"
#include "train/engine.h"
#include "vectrail/theory.h"

static const char toy[] = "a b c a\nb c a b\nc a b\na d e f\nd e f a d\nf e d a\nb a c b\nd f e\n";

struct fixture {
  struct vtt_folder *folder;
  struct vt_vocab *vocab;
  struct vt_corpus *corpus;
  struct vt_train_options options;
};

static struct fixture fixture_create(const char *path, struct vtt_folder *folder) {
  struct fixture f = {.folder = folder};
  struct vt_corpus_options options;
  vt_corpus_options_init(&options);
  options.min_count = 1;
  assert_int_equal(vt_corpus_encode(&path, 1, &options, vtt_path(folder, "encoded"), &f.vocab, &f.corpus, NULL, NULL),
                   VT_OK);
  vt_train_options_init(&f.options);
  f.options.loss = VT_LOSS_QUADRATIC;
  f.options.batch = VT_BATCH_FULL;
  f.options.schedule = VT_SCHEDULE_CONSTANT;
  f.options.dim = 3;
  f.options.window = 2;
  f.options.sample = 0;
  f.options.threads = 2;
  f.options.lr = 1;
  f.options.start = 0.7;
  return f;
}

static struct fixture toy_create(void) {
  struct vtt_folder *folder = vtt_folder_create();
  return fixture_create(vtt_write_text(folder, "toy.txt", toy), folder);
}

static void fixture_release(struct fixture *f) {
  vt_corpus_free(f->corpus);
  vt_vocab_free(f->vocab);
  vtt_folder_remove(f->folder);
}

static struct vt_engine *engine_create(const struct fixture *f) {
  struct vt_engine *engine;
  struct vt_error error;
  if (vt_engine_create(&f->options, f->vocab, f->corpus, &engine, &error) != VT_OK) fail_msg("%s", error.message);
  return engine;
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

static struct vt_meetings count(const struct fixture *f, double sample) {
  struct vt_meetings meetings;
  double *keep = calloc(vt_vocab_size(f->vocab), sizeof *keep);
  assert_non_null(keep);
  vt_subsample_keep(f->vocab, sample, keep);
  const struct vt_meetings_options options = {
      .window = f->options.window, .keep = sample > 0 ? keep : NULL, .threads = 2};
  struct vt_error error;
  if (vt_meetings_count(f->corpus, &options, &meetings, &error) != VT_OK) fail_msg("%s", error.message);
  free(keep);
  return meetings;
}

/* ---- counts ------------------------------------------------------------------------------------------------------ */

/* "x y x": window 2 weighs neighbours 1 and the next 1/2; a word that meets itself counts for both. */
static void meetings_by_hand(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct fixture f = fixture_create(vtt_write_text(folder, "three.txt", "x y x\n"), folder);
  struct vt_meetings meetings = count(&f, 0);
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
  fixture_release(&f);
}

/* The expectation against what a thousand passes of drawing give. */
static void subsampling_in_expectation(void **state) {
  (void)state;
  enum { PASSES = 20000, WINDOW = 3 };
  struct vtt_folder *folder = vtt_folder_create();
  struct fixture f = fixture_create(vtt_write_text(folder, "text.txt", "a b a c a d a b a\nc a a b d a\n"), folder);
  f.options.window = WINDOW;
  const double threshold = 0.03;
  struct vt_meetings meetings = count(&f, threshold);
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
  struct vt_meetings all = count(&f, 0);
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
  fixture_release(&f);
}

/* ---- the gradient ------------------------------------------------------------------------------------------------ */

/* sum_ij G_ij [P_ij (-s + s^2/4) + P_i P_j (s + s^2/4)] with G_ij = g / (P_ij + P_i P_j), as it is defined; and the
 * penalty. The constant makes it 1/2 at 0. */
static double loss_of(const struct fixture *f, const struct vt_meetings *meetings, double squares, const double *w) {
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
  struct fixture f = toy_create();
  f.options.epochs = 1;
  f.options.l2 = 0.01;
  struct vt_meetings meetings = count(&f, 0);
  const size_t cells = meetings.words * f.options.dim;
  double matrix[64], squares = vt_meetings_quadratic(&meetings, matrix), before[64], length = 0;
  assert_true(cells <= 64 && meetings.words * meetings.words <= 64);
  struct vt_engine *engine = engine_create(&f);
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
  fixture_release(&f);
}

/* The mean of many sampled gradients is the exact one. */
static void sampled_gradients_are_right_on_average(void **state) {
  (void)state;
  enum { DRAWS = 400 };
  struct fixture f = toy_create();
  f.options.epochs = 1;
  struct vt_engine *exact = engine_create(&f);
  const size_t cells = vt_vocab_size(f.vocab) * f.options.dim;
  double start[64], mean[64] = {0}, difference = 0, length = 0;
  memcpy(start, table_of(exact), cells * sizeof *start);
  run(exact);
  f.options.batch = 200; /* an epoch is one step */
  for (int n = 0; n < DRAWS; n++) {
    f.options.seed = (uint64_t)n + 10;
    struct vt_engine *engine = engine_create(&f);
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
  fixture_release(&f);
}

/* Descent on 1/4 |W W' - M|^2 is stable below 2 / (lambda_1 + max(lambda_1, - lambda_n)) and not above: here in the
 * engine's own rate. */
static void edge_of_stability(void **state) {
  (void)state;
  /* In the first the negative eigenvalue decides, in the second, of two groups that never meet, the largest. */
  static const char *const texts[] = {toy, "a b c b a c\nb c a b c\nd e f e d f\nf d e d f\n"};
  for (int which = 0; which < 2; which++) {
    struct vtt_folder *folder = vtt_folder_create();
    struct fixture f = fixture_create(vtt_write_text(folder, "text.txt", texts[which]), folder);
    struct vt_meetings meetings = count(&f, 0);
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
      struct vt_engine *engine = engine_create(&f);
      enum vt_status status = vt_engine_run(engine, NULL, 0, NULL);
      if (above == 1)
        assert_true(status == VT_ERROR_DIVERGED || vt_engine_probe(engine).loss > minimum + 1e-4);
      else
        assert_true(status == VT_OK && vt_engine_probe(engine).loss < minimum + 1e-6);
      vt_engine_free(engine);
    }
    /* Where no rate is given, the engine's is a twentieth of the edge. */
    f.options.lr = 0;
    struct vt_engine *engine = engine_create(&f);
    assert_true(fabs(vt_engine_state(engine)->lr / edge - 0.05) < 1e-4);
    vt_engine_free(engine);
    vt_meetings_release(&meetings);
    fixture_release(&f);
  }
}

static void same_bits_at_any_number_of_threads(void **state) {
  (void)state;
  static const int threads[] = {1, 2, 3, 8};
  struct vtt_folder *folder = vtt_folder_create();
  struct fixture f = fixture_create(vtt_planted_corpus(folder, "planted.txt", 150, 4), folder);
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
      struct vt_engine *engine = engine_create(&f);
      run(engine);
      if (k == 0) memcpy(first, table_of(engine), cells * sizeof *first);
      if (k == 0) loss = vt_engine_state(engine)->loss_sum;
      assert_memory_equal(first, table_of(engine), cells * sizeof *first);
      assert_true(loss == vt_engine_state(engine)->loss_sum);
      vt_engine_free(engine);
    }
  }
  free(first);
  fixture_release(&f);
}

/* ---- spectra ----------------------------------------------------------------------------------------------------- */

/* Block Krylov iteration against LAPACK, on the matrix of a text, as it is and as sparse beside a constant. */
static void spectra_agree_with_lapack(void **state) {
  (void)state;
  enum { TOP = 6 };
  struct vtt_folder *folder = vtt_folder_create();
  struct fixture f = fixture_create(vtt_planted_corpus(folder, "planted.txt", 3000, 4), folder);
  struct vt_meetings meetings = count(&f, 0);
  const size_t n = meetings.words;
  assert_true(n > 200);
  double *matrix = calloc(n * n, sizeof *matrix), *full = calloc(n * n, sizeof *full), *all = calloc(n, sizeof *all);
  double *vectors = calloc(TOP * n, sizeof *vectors), values[TOP];
  assert_true(matrix != NULL && full != NULL && all != NULL && vectors != NULL);
  double squares = vt_meetings_quadratic(&meetings, matrix);
  memcpy(full, matrix, n * n * sizeof *full);
  assert_int_equal(vt_spectrum_full(full, n, all, NULL), VT_OK);
  struct vt_pool *pool;
  assert_int_equal(vt_pool_create(2, &pool, NULL), VT_OK);
  struct vt_association association;
  assert_int_equal(vt_association_create(&meetings, VT_ASSOCIATION_QUADRATIC, 0, &association, NULL), VT_OK);
  assert_true(fabs(association.squares - squares) < 1e-9 * squares);
  for (int sparse = 0; sparse < 2; sparse++) {
    const struct vt_dense dense = {n, matrix, pool};
    const struct vt_operator operator= {n, vt_dense_multiply, &dense, pool};
    assert_int_equal(sparse == 0 ? vt_spectrum_top(&operator, TOP, false, values, vectors, NULL)
                                 : vt_association_top(&association, pool, TOP, false, values, vectors, NULL),
                     VT_OK);
    for (int k = 0; k < TOP; k++) {
      assert_true(fabs(values[k] - all[k]) < 1e-8 * all[0]);
      double along = 0;
      for (size_t i = 0; i < n; i++) along += vectors[(size_t)k * n + i] * full[(size_t)k * n + i];
      assert_true(fabs(fabs(along) - 1) < 1e-6);
    }
  }
  /* Largest in size: the constant -2 makes a negative one. */
  assert_int_equal(vt_association_top(&association, pool, 1, true, values, vectors, NULL), VT_OK);
  assert_true(fabs(values[0] - all[n - 1]) < 1e-8 * fabs(all[n - 1]) && values[0] < 0);
  vt_association_release(&association);
  vt_pool_free(pool);
  free(matrix), free(full), free(all), free(vectors);
  vt_meetings_release(&meetings);
  fixture_release(&f);
}

/* ---- theory against a run ---------------------------------------------------------------------------------------- */

static void curve_solves_its_equation(void **state) {
  (void)state;
  static const double eigenvalues[] = {3, 0.5, 0, 1e-13, -0.7};
  for (size_t k = 0; k < 5; k++)
    for (int doubled = 0; doubled < 9; doubled++) {
      const double tau = ldexp(0.1, doubled), lambda = eigenvalues[k], h = 1e-5, x = vt_theory_curve(lambda, 1e-3, tau);
      double slope = (vt_theory_curve(lambda, 1e-3, tau + h) - vt_theory_curve(lambda, 1e-3, tau - h)) / (2 * h);
      assert_true(fabs(slope - (lambda - x) * x) < 1e-7 * (1 + fabs(slope)));
    }
  assert_true(vt_theory_curve(2, 1e-12, 0) == 1e-12 && fabs(vt_theory_curve(2, 1e-12, 1e4) - 2) < 1e-12);
}

static enum vt_status train_and_ask(const char *text, const char *path, const struct vt_train_options *train,
                                    bool output, struct vt_theory *theory) {
  struct vt_train_request request = {.inputs = &text, .input_count = 1, .run_path = path, .force = true};
  struct vt_error error;
  vt_corpus_options_init(&request.corpus);
  vt_record_options_init(&request.record);
  request.corpus.min_count = 1;
  request.train = *train;
  request.record.snapshots = 200;
  request.record.output = output;
  request.record.float32 = true;
  if (vt_train(&request, NULL, &error) != VT_OK) fail_msg("%s", error.message);
  struct vt_run *run;
  struct vt_theory_options options;
  vt_theory_options_init(&options);
  options.threads = 2;
  if (vt_run_open(path, &run, &error) != VT_OK) fail_msg("%s", error.message);
  enum vt_status status = vt_theory_run(run, &options, theory, &error);
  if (status != VT_OK) fail_msg("%s", error.message);
  vt_run_close(run);
  return status;
}

/* The bars of the paper's setting, on some 300 words. */
static void the_run_goes_as_theory_says(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *text = vtt_planted_corpus(folder, "planted.txt", 4000, 4);
  struct vt_train_options options;
  vt_train_options_init(&options);
  options.loss = VT_LOSS_QUADRATIC;
  options.batch = VT_BATCH_FULL;
  options.schedule = VT_SCHEDULE_CONSTANT;
  options.lr = 0;
  options.dim = 20;
  options.window = 5;
  options.sample = 0;
  options.epochs = 5000;
  options.threads = 1; /* the bits are the same, and long tests are not to depend on who else is at work */
  struct vt_theory theory;
  train_and_ask(text, vtt_path(folder, "run"), &options, false, &theory);
  assert_true(theory.exact && theory.has_time && theory.words > 250);
  assert_true(theory.overlap >= 0.99 && theory.overlap <= 1 + 1e-9);
  assert_true(theory.rise_error <= 0.05);
  assert_true(theory.plateau_modes >= 5 && theory.plateau_error <= 0.01);
  assert_true(fabs(theory.lr / theory.lr_edge - 0.05) < 1e-3);
  assert_true(theory.factorisation_count == 0 && theory.factorisation_missing[0] != '\0');
  for (size_t k = 0; k < 5; k++)
    assert_true(theory.modes[k].rise_predicted > 500 && theory.modes[k].rise_measured > 500);
  vt_theory_release(&theory);
  /* A penalty takes l2 |M|^2 from every eigenvalue. */
  options.l2 = 1e-5;
  struct vt_theory less;
  train_and_ask(text, vtt_path(folder, "less"), &options, false, &less);
  assert_true(less.plateau_modes >= 5 && less.plateau_error <= 0.01 && less.rise_error <= 0.05);
  vt_theory_release(&less);
  vtt_folder_remove(folder);
}

/* ---- factorisation ----------------------------------------------------------------------------------------------- */

/* Two words that only meet each other: p = q would be met at x* = log(p / q); by hand with K = 1 and flat noise. */
static void factorisation_by_hand(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct fixture f = fixture_create(vtt_write_text(folder, "t.txt", "x y z\nx y\nz x\n"), folder);
  f.options.window = 1;
  struct vt_meetings meetings = count(&f, 0);
  struct vt_pool *pool;
  assert_int_equal(vt_pool_create(2, &pool, NULL), VT_OK);
  /* Counts x 3, y 2, z 2; xy 2, yz 1, xz 1. Noise with exponent 0: 1/3 each, and 1/2 for each that is not the target.
   */
  const struct vt_factorisation_setup setup = {&meetings, f.vocab, 0, 1, pool};
  uint32_t x = 0, y = 0, z = 0;
  assert_true(vt_vocab_find(f.vocab, "x", &x) && vt_vocab_find(f.vocab, "y", &y) && vt_vocab_find(f.vocab, "z", &z));
  double p[3][3] = {{0}}, q[3][3], best[3][3], optimum = 0, unseen = 0;
  p[x][y] = p[y][x] = 2, p[y][z] = p[z][y] = 1, p[x][z] = p[z][x] = 1;
  for (int w = 0; w < 3; w++)
    for (int c = 0; c < 3; c++) {
      q[w][c] = 0;
      for (int t = 0; t < 3; t++)
        if (t != c) q[w][c] += p[w][t] / 2;
    }
  float input[9], output[9];
  for (int k = 0; k < 9; k++) input[k] = k % 4 == 0 ? 1 : 0; /* the output table is the scores, transposed */
  for (int w = 0; w < 3; w++)
    for (int c = 0; c < 3; c++) {
      best[w][c] = p[w][c] > 0 ? log(p[w][c] / q[w][c]) : -30;
      output[c * 3 + w] = (float)best[w][c];
      if (p[w][c] > 0)
        optimum += (p[w][c] * log1p(exp(-best[w][c])) + q[w][c] * log1p(exp(best[w][c]))) / meetings.total;
      else
        unseen += q[w][c] * log1p(exp(-30)) / meetings.total;
    }
  struct vt_factorisation result;
  assert_int_equal(vt_factorisation_at(&setup, input, output, 3, &result, NULL), VT_OK);
  assert_int_equal(result.all.pairs, 6);
  assert_int_equal(result.unseen, 3);
  assert_true(fabs(result.all.slope - 1) < 1e-6 && fabs(result.all.r2 - 1) < 1e-6 && result.all.deviation < 1e-6);
  assert_true(fabs(result.optimum - optimum) < 1e-9 && fabs(result.objective - optimum) < 1e-9);
  assert_true(fabs(result.unseen_loss - unseen) < 1e-15 && fabs(result.unseen_score + 30) < 1e-5);
  /* Half of every score: the slope is a half, and the objective is above its optimum. */
  for (int k = 0; k < 9; k++) output[k] /= 2;
  assert_int_equal(vt_factorisation_at(&setup, input, output, 3, &result, NULL), VT_OK);
  assert_true(fabs(result.all.slope - 0.5) < 1e-6 && result.objective > result.optimum + 1e-3);
  vt_pool_free(pool);
  vt_meetings_release(&meetings);
  fixture_release(&f);
}

/* A long training on a small text comes to the optimum, pair by pair. */
static void negative_sampling_comes_to_its_optimum(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_train_options options;
  char text[40000] = "";
  size_t at = 0;
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 9, 0, 0);
  for (int line = 0; line < 600; line++) { /* ten words, each of which meets every other, some more often */
    uint32_t topic = vt_rng_below(&rng, 2);
    for (int k = 0; k < 6; k++)
      at += (size_t)snprintf(text + at, sizeof text - at, "w%u ",
                             vt_rng_below(&rng, 3) == 0 ? vt_rng_below(&rng, 10) : topic * 5 + vt_rng_below(&rng, 5));
    at += (size_t)snprintf(text + at, sizeof text - at, "\n");
  }
  vt_train_options_init(&options);
  options.dim = 12;
  options.window = 2;
  options.negative = 1; /* that the noise words of a target differ from each other is left out by the formula */
  options.sample = 0.05;
  options.epochs = 300;
  options.block_tokens = 128;
  options.blocks = 2;
  options.threads = 1;
  struct vt_theory theory;
  train_and_ask(vtt_write_text(folder, "text.txt", text), vtt_path(folder, "run"), &options, true, &theory);
  assert_true(!theory.exact && !theory.has_time && isnan(theory.rise_error));
  assert_int_equal(theory.factorisation_count, 4);
  const struct vt_factorisation *last = &theory.factorisation[3];
  assert_true(last->unseen <= 10);
  assert_true(last->all.slope > 0.9 && last->all.slope < 1.1);
  assert_true(last->all.r2 > 0.95);
  assert_true(last->objective - last->optimum >= 0 && last->objective - last->optimum < 0.003);
  vt_theory_release(&theory);
  vtt_folder_remove(folder);
}

/* The mean of what is not 0 is that of n x dim entries of variance 1, and the law's ends are its ends. */
static void law_of_chance(void **state) {
  (void)state;
  static const size_t sizes[][2] = {{20, 100}, {100, 100}, {150, 40}};
  for (size_t k = 0; k < 3; k++) {
    const size_t n = sizes[k][0], dim = sizes[k][1], known = n < dim ? n : dim;
    const double edge = pow(sqrt((double)n) + sqrt((double)dim), 2);
    double mean = 0;
    for (int q = 0; q < 500; q++) mean += vt_marchenko_pastur(n, dim, (q + 0.5) / 500) * edge / 500;
    assert_true(fabs(mean * (double)known / ((double)n * (double)dim) - 1) < 0.01);
    assert_true(vt_marchenko_pastur(n, dim, 1e-9) > 0.97 &&
                vt_marchenko_pastur(n, dim, 0.2) > vt_marchenko_pastur(n, dim, 0.8));
  }
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
  struct fixture f = toy_create();
  f.options.lr = 1e6;
  f.options.epochs = 50;
  struct vt_engine *engine = engine_create(&f);
  struct vt_error error;
  assert_int_equal(vt_engine_run(engine, NULL, 0, &error), VT_ERROR_DIVERGED);
  assert_non_null(strstr(error.message, "is no longer finite"));
  vt_engine_free(engine);
  fixture_release(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(meetings_by_hand),
      cmocka_unit_test(subsampling_in_expectation),
      cmocka_unit_test(gradient_is_the_difference_of_the_loss),
      cmocka_unit_test(sampled_gradients_are_right_on_average),
      cmocka_unit_test(edge_of_stability),
      cmocka_unit_test(same_bits_at_any_number_of_threads),
      cmocka_unit_test(spectra_agree_with_lapack),
      cmocka_unit_test(curve_solves_its_equation),
      cmocka_unit_test(the_run_goes_as_theory_says),
      cmocka_unit_test(factorisation_by_hand),
      cmocka_unit_test(negative_sampling_comes_to_its_optimum),
      cmocka_unit_test(law_of_chance),
      cmocka_unit_test(what_cannot_be_is_refused),
      cmocka_unit_test(divergence_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
