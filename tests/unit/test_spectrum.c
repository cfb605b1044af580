/* The outermost eigenvalues of a matrix whose eigenvalues are known: close together, many at the same place, largest in
 * size; the same bits at any number of threads. label: threads */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/spectrum.h"
#include "support/temporary.h"

enum { N = 600, WANTED = 60 };

/* Entry i of vector k of the orthonormal basis of cosines. */
static double cosine(size_t k, size_t i) {
  return sqrt((k == 0 ? 1.0 : 2.0) / N) * cos(3.14159265358979323846 * (double)k * ((double)i + 0.5) / N);
}

static double *matrix_of(const double *values) {
  double *basis = calloc((size_t)N * N, sizeof *basis), *matrix = calloc((size_t)N * N, sizeof *matrix);
  assert_true(basis != NULL && matrix != NULL);
  for (size_t k = 0; k < N; k++)
    for (size_t i = 0; i < N; i++) basis[k * N + i] = cosine(k, i);
  for (size_t k = 0; k < N; k++)
    for (size_t i = 0; values[k] != 0 && i < N; i++) {
      double own = values[k] * basis[k * N + i];
      for (size_t j = 0; j < N; j++) matrix[i * N + j] += own * basis[k * N + j];
    }
  free(basis);
  return matrix;
}

static void find(const double *matrix, int threads, bool by_size, size_t count, double *values, double *vectors) {
  struct vt_pool *pool;
  struct vt_error error;
  assert_int_equal(vt_pool_create(threads, &pool, NULL), VT_OK);
  const struct vt_dense dense = {N, matrix, pool};
  const struct vt_operator operator= {N, vt_dense_multiply, &dense, pool};
  if (vt_spectrum_top(&operator, count, by_size, values, vectors, &error) != VT_OK) fail_msg("%s", error.message);
  vt_pool_free(pool);
}

/* A u = lambda u, and the vectors orthonormal. */
static void check_vectors(const double *matrix, const double *values, const double *vectors, double most) {
  for (size_t a = 0; a < WANTED; a++) {
    double rest = 0;
    for (size_t i = 0; i < N; i++) {
      double sum = 0;
      for (size_t j = 0; j < N; j++) sum += matrix[i * N + j] * vectors[a * N + j];
      rest += (sum - values[a] * vectors[a * N + i]) * (sum - values[a] * vectors[a * N + i]);
    }
    assert_true(sqrt(rest) < 2e-9 * most);
    for (size_t b = 0; b <= a; b++) {
      double sum = 0;
      for (size_t i = 0; i < N; i++) sum += vectors[a * N + i] * vectors[b * N + i];
      assert_true(fabs(sum - (a == b ? 1 : 0)) < 1e-10);
    }
  }
}

/* A few that stand out, then a slope so flat that neighbours differ by one in a thousand. */
static void close_together(void **state) {
  (void)state;
  double known[N], values[WANTED], *vectors = calloc(WANTED * N, sizeof *vectors);
  assert_non_null(vectors);
  for (size_t k = 0; k < N; k++) known[k] = k < 5 ? 100 - 10.0 * (double)k : 20 - 0.02 * (double)k;
  double *matrix = matrix_of(known);
  find(matrix, 2, false, WANTED, values, vectors);
  for (size_t k = 0; k < WANTED; k++) assert_true(fabs(values[k] - known[k]) < 1e-7);
  check_vectors(matrix, values, vectors, 100);
  free(matrix), free(vectors);
}

/* Thirty at the same place, more than a block has vectors; the rest of a low rank, so that the space is soon used up.
 */
static void many_at_one_place(void **state) {
  (void)state;
  double known[N] = {0}, values[WANTED], *vectors = calloc(WANTED * N, sizeof *vectors);
  assert_non_null(vectors);
  for (size_t k = 0; k < 40; k++) known[k] = k < 30 ? 7 : 3 - 0.1 * (double)(k - 30);
  double *matrix = matrix_of(known);
  find(matrix, 2, false, WANTED, values, vectors);
  for (size_t k = 0; k < WANTED; k++) assert_true(fabs(values[k] - (k < 40 ? known[k] : 0)) < 1e-8);
  check_vectors(matrix, values, vectors, 7);
  free(matrix), free(vectors);
}

static void largest_in_size(void **state) {
  (void)state;
  double known[N], values[WANTED], *vectors = calloc(WANTED * N, sizeof *vectors);
  assert_non_null(vectors);
  for (size_t k = 0; k < N; k++) known[k] = (k % 3 == 0 ? -1 : 1) * 50 * pow(0.97, (double)k);
  double *matrix = matrix_of(known);
  find(matrix, 2, true, WANTED, values, vectors);
  for (size_t k = 0; k < WANTED; k++) assert_true(fabs(values[k] - known[k]) < 1e-8);
  check_vectors(matrix, values, vectors, 50);
  find(matrix, 2, false, 2, values, vectors);
  assert_true(fabs(values[0] - known[1]) < 1e-8 && fabs(values[1] - known[2]) < 1e-8);
  free(matrix), free(vectors);
}

static void same_bits_at_any_number_of_threads(void **state) {
  (void)state;
  double known[N], values[2][WANTED], *vectors[2];
  for (size_t k = 0; k < N; k++) known[k] = 30 * pow(0.99, (double)k);
  double *matrix = matrix_of(known);
  for (int t = 0; t < 2; t++) assert_non_null(vectors[t] = calloc(WANTED * N, sizeof(double)));
  find(matrix, 1, false, WANTED, values[0], vectors[0]);
  for (int threads = 2; threads <= 3; threads++) {
    find(matrix, threads, false, WANTED, values[1], vectors[1]);
    assert_memory_equal(values[0], values[1], sizeof values[0]);
    assert_memory_equal(vectors[0], vectors[1], (size_t)WANTED * N * sizeof(double));
  }
  free(matrix), free(vectors[0]), free(vectors[1]);
}

static void what_cannot_be_is_refused(void **state) {
  (void)state;
  double *matrix = calloc((size_t)N * N, sizeof *matrix), values[WANTED],
         *vectors = calloc(WANTED * N, sizeof *vectors);
  assert_true(matrix != NULL && vectors != NULL);
  const struct vt_dense dense = {N, matrix, NULL};
  const struct vt_operator operator= {N, vt_dense_multiply, &dense, NULL};
  assert_int_equal(vt_spectrum_top(&operator, N + 1, false, values, vectors, NULL), VT_ERROR_ARGUMENT);
  for (size_t k = 0; k < (size_t)N * N; k++) matrix[k] = NAN;
  assert_int_equal(vt_spectrum_top(&operator, WANTED, false, values, vectors, NULL), VT_ERROR_FORMAT);
  free(matrix), free(vectors);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(close_together),
      cmocka_unit_test(many_at_one_place),
      cmocka_unit_test(largest_in_size),
      cmocka_unit_test(same_bits_at_any_number_of_threads),
      cmocka_unit_test(what_cannot_be_is_refused),
  };
  VTT_TSAN_RUNS("same_bits_*");
  return cmocka_run_group_tests(tests, NULL, NULL);
}
