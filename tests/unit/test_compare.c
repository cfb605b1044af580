/*
 * label: threads. Comparing tables: a table turned is the same table, cases small enough to be worked by hand, and the
 * same bits at any number of threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/gram.h"
#include "analysis/polar.h"
#include "base/rng.h"
#include "support/temporary.h"
#include "vectrail/compare.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct vt_vocab *make_vocab(const char *letters) {
  char texts[400][8];
  const char *pointers[400];
  size_t count = strlen(letters);
  for (size_t k = 0; k < count; k++) {
    snprintf(texts[k], sizeof texts[k], "%c", letters[k]);
    pointers[k] = texts[k];
  }
  struct vt_vocab *vocab;
  assert_int_equal(vt_vocab_create(pointers, NULL, count, &vocab, NULL), VT_OK);
  return vocab;
}

static struct vt_vocab *numbered_vocab(size_t count) {
  char(*texts)[24] = malloc(count * sizeof *texts);
  const char **pointers = malloc(count * sizeof *pointers);
  for (size_t k = 0; k < count; k++) {
    snprintf(texts[k], sizeof texts[k], "w%zu", k);
    pointers[k] = texts[k];
  }
  struct vt_vocab *vocab;
  assert_int_equal(vt_vocab_create(pointers, NULL, count, &vocab, NULL), VT_OK);
  free(texts);
  free(pointers);
  return vocab;
}

static struct vt_vectors *make_table(const struct vt_vocab *vocab, size_t dim, const float *values) {
  struct vt_vectors *table;
  size_t rows = vt_vocab_size(vocab);
  float *data = vt_vectors_data_alloc(rows, dim);
  assert_non_null(data);
  if (values != NULL) memcpy(data, values, rows * dim * sizeof *data);
  assert_int_equal(vt_vectors_create(vocab, data, dim, 0, &table, NULL), VT_OK);
  return table;
}

static double uniform(struct vt_rng *rng) { return (double)vt_rng_unit(rng) - 0.5; }

static struct vt_vectors *random_table(const struct vt_vocab *vocab, size_t dim, uint64_t seed) {
  struct vt_vectors *table = make_table(vocab, dim, NULL);
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, seed, dim, 0);
  for (size_t k = 0; k < table->rows * dim; k++) table->data[k] = (float)uniform(&rng);
  return table;
}

/* An orthogonal matrix with determinant of either sign: Gram and Schmidt of random rows. */
static void random_rotation(double *matrix, size_t d, uint64_t seed) {
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, seed, d, 1);
  for (size_t r = 0; r < d; r++) {
    double *row = matrix + r * d, length = 0;
    for (size_t c = 0; c < d; c++) row[c] = uniform(&rng);
    for (int pass = 0; pass < 2; pass++)
      for (size_t o = 0; o < r; o++) {
        double share = 0;
        for (size_t c = 0; c < d; c++) share += row[c] * matrix[o * d + c];
        for (size_t c = 0; c < d; c++) row[c] -= share * matrix[o * d + c];
      }
    for (size_t c = 0; c < d; c++) length += row[c] * row[c];
    for (size_t c = 0; c < d; c++) row[c] /= sqrt(length);
  }
}

/* The table turned into `to` dimensions. */
static struct vt_vectors *turned(const struct vt_vectors *table, const double *rotation, size_t d, size_t to) {
  struct vt_vectors *result = make_table(table->vocab, to, NULL);
  for (size_t r = 0; r < table->rows; r++)
    for (size_t c = 0; c < to; c++) {
      double sum = 0;
      for (size_t k = 0; k < table->dim; k++) sum += (double)table->data[r * table->dim + k] * rotation[k * d + c];
      result->data[r * to + c] = (float)sum;
    }
  return result;
}

static struct vt_compare compare(const struct vt_vectors *a, const struct vt_vectors *b, bool align, int threads) {
  struct vt_compare result;
  struct vt_error error;
  if (vt_compare_vectors(a, b, align, threads, &result, &error) != VT_OK) fail_msg("%s", error.message);
  return result;
}

/* ---- the rotation ------------------------------------------------------------------------------------------------ */

static void the_rotation_is_the_nearest(void **state) {
  (void)state;
  VTT_NOT_FOR_TSAN();
  static const size_t sizes[] = {1, 2, 3, 8, 33, 64};
  for (size_t s = 0; s < COUNT(sizes); s++)
    for (size_t missing = 0; missing < 3 && missing <= sizes[s]; missing++) {
      size_t d = sizes[s];
      double *matrix = calloc(d * d, sizeof *matrix), *rotation = calloc(d * d, sizeof *rotation);
      double *again = calloc(d * d, sizeof *again);
      struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 3, d, missing);
      /* Of the last rows, `missing` repeat the first one or are zero: the rank is not full. */
      for (size_t k = 0; k < d * d; k++) matrix[k] = uniform(&rng) * (k / d + missing < d ? 1 : 0);
      if (missing == 2 && d > 2) memcpy(matrix + (d - 1) * d, matrix, d * sizeof *matrix);
      for (int threads = 1; threads <= 3; threads++) {
        struct vt_pool *pool;
        assert_int_equal(vt_pool_create(threads, &pool, NULL), VT_OK);
        assert_int_equal(vt_polar_rotation(matrix, d, pool, threads == 1 ? rotation : again, NULL), VT_OK);
        if (threads > 1) assert_memory_equal(rotation, again, d * d * sizeof *again);
        vt_pool_free(pool);
      }
      /* It is orthogonal, and R'M is symmetric with no negative sum of a principal minor of one or two: the polar
       * form. */
      for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < d; j++) {
          double own = 0, ij = 0, ji = 0, ii = 0, jj = 0;
          for (size_t k = 0; k < d; k++) {
            own += rotation[k * d + i] * rotation[k * d + j];
            ij += rotation[k * d + i] * matrix[k * d + j];
            ji += rotation[k * d + j] * matrix[k * d + i];
            ii += rotation[k * d + i] * matrix[k * d + i];
            jj += rotation[k * d + j] * matrix[k * d + j];
          }
          assert_true(fabs(own - (i == j)) < 1e-12);
          assert_true(fabs(ij - ji) < 1e-11);
          assert_true(ii > -1e-11 && ii * jj - ij * ji > -1e-10);
        }
      free(matrix);
      free(rotation);
      free(again);
    }
}

static void a_product_over_rows(void **state) {
  (void)state;
  /* More rows than a piece, more columns than a tile, scaled and centred, at any number of threads. */
  struct vt_vocab *vocab = numbered_vocab(700);
  struct vt_vectors *x = random_table(vocab, 35, 1), *y = random_table(vocab, 70, 2);
  double scales[700], mean[70], *expected = malloc(35 * 70 * sizeof *expected), *got = malloc(35 * 70 * sizeof *got);
  double *first = malloc(35 * 70 * sizeof *first);
  for (size_t r = 0; r < 700; r++) scales[r] = 1.0 / (double)(r + 1);
  for (size_t c = 0; c < 70; c++) mean[c] = (double)c / 70;
  for (size_t i = 0; i < 35; i++)
    for (size_t j = 0; j < 70; j++) {
      double sum = 0;
      for (size_t r = 0; r < 700; r++)
        sum += scales[r] * (double)x->data[r * 35 + i] * ((double)y->data[r * 70 + j] - mean[j]);
      expected[i * 70 + j] = sum;
    }
  const struct vt_gram_table left = {.data = x->data, .dim = 35, .scales = scales};
  const struct vt_gram_table right = {.data = y->data, .dim = 70, .mean = mean};
  for (int threads = 1; threads <= 3; threads++) {
    struct vt_pool *pool;
    assert_int_equal(vt_pool_create(threads, &pool, NULL), VT_OK);
    assert_int_equal(vt_gram(&left, &right, 700, pool, got, NULL), VT_OK);
    for (size_t k = 0; k < 35 * 70; k++) assert_true(fabs(got[k] - expected[k]) < 1e-13);
    if (threads == 1) memcpy(first, got, 35 * 70 * sizeof *first);
    assert_memory_equal(first, got, 35 * 70 * sizeof *first);
    vt_pool_free(pool);
  }
  free(expected);
  free(got);
  free(first);
  vt_vectors_free(x);
  vt_vectors_free(y);
  vt_vocab_free(vocab);
}

/* ---- two tables -------------------------------------------------------------------------------------------------- */

static void a_turned_table_is_the_same(void **state) {
  (void)state;
  VTT_NOT_FOR_TSAN();
  struct vt_vocab *vocab = numbered_vocab(300);
  for (uint64_t seed = 0; seed < 4; seed++) {
    size_t dim = 20, wide = seed < 2 ? dim : 27;
    double rotation[27 * 27];
    random_rotation(rotation, wide, seed);
    struct vt_vectors *a = random_table(vocab, dim, seed), *b = turned(a, rotation, wide, wide);
    struct vt_compare there = compare(a, b, true, 2), back = compare(b, a, true, 1), raw = compare(a, b, false, 1);
    assert_true(there.aligned && !raw.aligned);
    assert_true(there.words[0].value > 1 - 1e-12 && back.words[0].value > 1 - 1e-12);
    assert_true(fabs(there.cka - 1) < 1e-6 && fabs(back.cka - 1) < 1e-6 && fabs(raw.cka - 1) < 1e-6);
    assert_true(raw.cosine_mean < 0.5);
    const struct vt_vectors *tables[] = {a, b};
    struct vt_stability stability;
    assert_int_equal(vt_stability_measure(tables, 2, 10, 0, 2, &stability, NULL), VT_OK);
    assert_int_equal(stability.word_count, 300);
    assert_true(stability.mean > 0.999); /* rounding may swap the tenth and the eleventh */
    vt_stability_release(&stability);
    vt_compare_release(&there);
    vt_compare_release(&back);
    vt_compare_release(&raw);
    vt_vectors_free(a);
    vt_vectors_free(b);
  }
  vt_vocab_free(vocab);
}

static void threads_change_no_bit(void **state) {
  (void)state;
  struct vt_vocab *vocab = numbered_vocab(1000);
  struct vt_vectors *a = random_table(vocab, 40, 1), *b = random_table(vocab, 50, 2);
  struct vt_compare first = compare(a, b, true, 1);
  for (int threads = 2; threads <= 5; threads++) {
    struct vt_compare other = compare(a, b, true, threads);
    for (size_t k = 0; k < 1000; k++) {
      assert_int_equal(first.words[k].id, other.words[k].id);
      assert_memory_equal(&first.words[k].value, &other.words[k].value, sizeof(double));
    }
    assert_memory_equal(&first.cka, &other.cka, sizeof(double));
    assert_memory_equal(&first.cosine_mean, &other.cosine_mean, sizeof(double));
    vt_compare_release(&other);
  }
  vt_compare_release(&first);
  vt_vectors_free(a);
  vt_vectors_free(b);
  vt_vocab_free(vocab);
}

static void by_hand(void **state) {
  (void)state;
  /* A quarter turn; then d stands still while the others have turned by it. */
  struct vt_vocab *vocab = make_vocab("abcd");
  static const float still[] = {2, 0, 0, 1, -1, 0, 0, -3}, quarter[] = {0, 1, -1, 0, 0, -1, 1, 0};
  struct vt_vectors *a = make_table(vocab, 2, still), *b = make_table(vocab, 2, quarter);
  struct vt_compare raw = compare(a, b, false, 1), aligned = compare(a, b, true, 1);
  assert_true(raw.cosine_mean == 0 && raw.cosine_median == 0);
  for (size_t k = 0; k < 4; k++) assert_true(fabs(aligned.words[k].value - 1) < 1e-15);
  vt_compare_release(&raw);
  vt_compare_release(&aligned);
  b->data[6] = 0, b->data[7] = -3;
  /* M = A'B sums the outer products of unit rows: a (1,0)x(0,1), b (0,1)x(-1,0), c (1,0)x(0,1), d (0,1)x(0,1): M = (0
   * 2; -1 1). The angle that makes the trace of R'M greatest has tangent (2 + 1) / (0 + 1); a quarter turn has fewer of
   * it, so a, b and c are off by 90 - atan(3) degrees, and d by atan(3). */
  aligned = compare(a, b, true, 1);
  double angle = atan(3);
  assert_int_equal(aligned.words[0].id, 3);
  assert_true(fabs(aligned.words[0].value - cos(angle)) < 1e-14);
  for (size_t k = 1; k < 4; k++) assert_true(fabs(aligned.words[k].value - sin(angle)) < 1e-14);
  assert_true(fabs(aligned.cosine_median - sin(angle)) < 1e-14);
  vt_compare_release(&aligned);
  vt_vectors_free(a);
  vt_vectors_free(b);
  vt_vocab_free(vocab);
}

static void alignment_of_kernels_by_hand(void **state) {
  (void)state;
  struct vt_vocab *vocab = make_vocab("abc");
  static const float up[] = {1, 2, 3}, bend[] = {5, 4, 5}, same[] = {7, 7, 7}, half[] = {1, 2, 2};
  struct vt_vectors *x = make_table(vocab, 1, up), *y = make_table(vocab, 1, bend), *z = make_table(vocab, 1, same),
                    *h = make_table(vocab, 1, half);
  /* Centred: (-1, 0, 1) . (1/3, -2/3, 1/3) = 0; and with (-2/3, 1/3, 1/3): 1 / (2 x 2/3) = 3/4. */
  struct vt_compare orthogonal = compare(x, y, false, 1), constant = compare(x, z, false, 1),
                    partly = compare(x, h, false, 1), own = compare(x, x, true, 1);
  assert_true(fabs(orthogonal.cka) < 1e-15);
  assert_true(isnan(constant.cka));
  assert_true(fabs(partly.cka - 0.75) < 1e-14);
  assert_true(fabs(own.cka - 1) < 1e-15 && own.cosine_mean == 1);
  vt_compare_release(&orthogonal);
  vt_compare_release(&constant);
  vt_compare_release(&partly);
  vt_compare_release(&own);
  vt_vectors_free(x);
  vt_vectors_free(y);
  vt_vectors_free(z);
  vt_vectors_free(h);
  vt_vocab_free(vocab);
}

/* ---- several ----------------------------------------------------------------------------------------------------- */

static void stability_by_hand(void **state) {
  (void)state;
  struct vt_vocab *vocab = make_vocab("abcd");
  /* In the first two, a and b point the same way, and c and d; in the third a and c, b and d. */
  static const float one[] = {1, 0, 1, 0.1F, 0, 1, 0.1F, 1}, two[] = {5, 0, 4, 0.1F, 0, 3, 0.1F, 2},
                     three[] = {1, 0, 0, 1, 1, 0.1F, 0.1F, 1};
  struct vt_vectors *tables[] = {make_table(vocab, 2, one), make_table(vocab, 2, two), make_table(vocab, 2, three)};
  const struct vt_vectors *const all[] = {tables[0], tables[1], tables[2]};
  struct vt_stability stability;
  assert_int_equal(vt_stability_measure(all, 3, 1, 0, 1, &stability, NULL), VT_OK);
  assert_true(stability.pairs[0 * 3 + 1] == 1 && stability.pairs[1 * 3 + 0] == 1 && stability.pairs[2 * 3 + 2] == 1);
  assert_true(stability.pairs[0 * 3 + 2] == 0 && stability.pairs[1 * 3 + 2] == 0);
  for (uint32_t k = 0; k < 4; k++)
    assert_true(stability.words[k].id == k && fabs(stability.words[k].value - 1.0 / 3) < 1e-15);
  assert_true(fabs(stability.mean - 1.0 / 3) < 1e-15);
  vt_stability_release(&stability);
  /* With more neighbours asked for than there are, all are shared. */
  assert_int_equal(vt_stability_measure(all, 3, 9, 2, 1, &stability, NULL), VT_OK);
  assert_true(stability.word_count == 2 && stability.mean == 1);
  vt_stability_release(&stability);
  /* Two neighbours of three: a has b, d and then c, d; b has a, d and d, c; c has d, b and a, d; d has c, b and b, c.
   */
  assert_int_equal(vt_stability_measure(all + 1, 2, 2, 0, 1, &stability, NULL), VT_OK);
  assert_true(fabs(stability.mean - 0.5) < 1e-15 && stability.words[3].id == 3 && stability.words[3].value == 1);
  vt_stability_release(&stability);
  assert_int_equal(vt_stability_measure(all, 1, 1, 0, 1, &stability, NULL), VT_ERROR_ARGUMENT);
  assert_int_equal(vt_stability_measure(all, 3, 0, 0, 1, &stability, NULL), VT_ERROR_ARGUMENT);
  for (size_t t = 0; t < 3; t++) vt_vectors_free(tables[t]);
  vt_vocab_free(vocab);
}

static void words_in_common(void **state) {
  (void)state;
  struct vt_vocab *first = make_vocab("zyxab"), *second = make_vocab("bxqz"), *third = make_vocab("qw");
  static const float a[] = {1, 2, 3, 4, 5}, b[] = {10, 10, 20, 20, 30, 30, 40, 40}, c[] = {1, 2};
  struct vt_vectors *one = make_table(first, 1, a), *two = make_table(second, 2, b), *three = make_table(third, 1, c);
  const struct vt_vectors *const tables[] = {one, two}, *const none[] = {one, three};
  struct vt_vocab *vocab = NULL;
  struct vt_vectors *common[2] = {NULL, NULL};
  assert_int_equal(vt_vectors_common(tables, 2, 0, &vocab, common, NULL), VT_OK);
  assert_int_equal(vt_vocab_size(vocab), 3);
  assert_string_equal(vt_vocab_text(vocab, 0), "z");
  assert_string_equal(vt_vocab_text(vocab, 2), "b");
  assert_true(common[0]->data[0] == 1 && common[0]->data[1] == 3 && common[0]->data[2] == 5);
  assert_true(common[1]->data[0] == 40 && common[1]->data[2] == 20 && common[1]->data[5] == 10);
  for (size_t t = 0; t < 2; t++) vt_vectors_free(common[t]);
  vt_vocab_free(vocab);
  assert_int_equal(vt_vectors_common(tables, 2, 2, &vocab, common, NULL), VT_OK);
  assert_int_equal(vt_vocab_size(vocab), 1);
  for (size_t t = 0; t < 2; t++) vt_vectors_free(common[t]);
  vt_vocab_free(vocab);
  struct vt_error error;
  assert_int_equal(vt_vectors_common(none, 2, 0, &vocab, common, &error), VT_ERROR_EMPTY);
  two->data[2] = NAN; /* of x */
  assert_int_equal(vt_vectors_common(tables, 2, 0, &vocab, common, &error), VT_ERROR_CORRUPT);
  assert_non_null(strstr(error.message, "\"x\""));
  struct vt_compare result;
  assert_int_equal(vt_compare_vectors(one, two, true, 1, &result, NULL), VT_ERROR_ARGUMENT);
  vt_vectors_free(one);
  vt_vectors_free(two);
  vt_vectors_free(three);
  vt_vocab_free(first);
  vt_vocab_free(second);
  vt_vocab_free(third);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_rotation_is_the_nearest),
      cmocka_unit_test(a_product_over_rows),
      cmocka_unit_test(a_turned_table_is_the_same),
      cmocka_unit_test(threads_change_no_bit),
      cmocka_unit_test(by_hand),
      cmocka_unit_test(alignment_of_kernels_by_hand),
      cmocka_unit_test(stability_by_hand),
      cmocka_unit_test(words_in_common),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
