/* test_vectors.c: cosines, neighbours and analogies against hand-computed values and a plain full sort. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "vectrail/vectors.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A table of rows called "w0", "w1", ... */
struct table {
  struct vt_vocab *vocab;
  struct vt_vectors *vectors;
};

static struct table make_table(const float *data, size_t rows, size_t dim) {
  char(*names)[24] = malloc(rows * sizeof *names);
  const char **texts = malloc(rows * sizeof *texts);
  assert_true(names != NULL && texts != NULL);
  for (size_t i = 0; i < rows; i++) {
    (void)snprintf(names[i], sizeof names[i], "w%zu", i);
    texts[i] = names[i];
  }
  struct table table;
  assert_int_equal(vt_vocab_create(texts, NULL, rows, &table.vocab, NULL), VT_OK);
  float *copy = vt_vectors_data_alloc(rows, dim);
  assert_non_null(copy);
  memcpy(copy, data, rows * dim * sizeof *copy);
  assert_int_equal(vt_vectors_create(table.vocab, copy, dim, 7, &table.vectors, NULL), VT_OK);
  free(texts);
  free(names);
  return table;
}

static void free_table(struct table table) {
  vt_vectors_free(table.vectors);
  vt_vocab_free(table.vocab);
}

static void assert_close(double value, double expected) {
  if (!(fabs(value - expected) <= 1e-15)) fail_msg("%.17g is not %.17g", value, expected);
}

static void test_table_holds_what_it_was_given(void **state) {
  (void)state;
  const float data[][3] = {{1, 2, 3}, {4, 5, 6}};
  struct table table = make_table(data[0], 2, 3);
  assert_int_equal(table.vectors->rows, 2);
  assert_int_equal(table.vectors->dim, 3);
  assert_int_equal(table.vectors->step, 7);
  assert_ptr_equal(table.vectors->vocab, table.vocab);
  assert_memory_equal(vt_vectors_row(table.vectors, 1), data[1], sizeof data[1]);
  free_table(table);
  vt_vectors_free(NULL);
}

static void test_cosine(void **state) {
  (void)state;
  const float data[][2] = {{3, 4}, {4, 3}, {-6, -8}, {0, 0}, {NAN, 1}, {INFINITY, 1}, {3e38F, 3e38F}, {1e-45F, 1e-45F}};
  struct table table = make_table(data[0], COUNT(data), 2);
  const struct vt_vectors *v = table.vectors;
  assert_close(vt_vectors_cosine(v, 0, 1), 24.0 / 25);
  assert_true(vt_vectors_cosine(v, 0, 1) == vt_vectors_cosine(v, 1, 0));
  assert_true(vt_vectors_cosine(v, 0, 0) == 1);
  assert_true(vt_vectors_cosine(v, 0, 2) == -1);
  assert_true(vt_vectors_cosine(v, 0, 3) == 0);
  assert_true(vt_vectors_cosine(v, 3, 3) == 0);
  assert_true(isnan(vt_vectors_cosine(v, 0, 4)));
  assert_true(isnan(vt_vectors_cosine(v, 5, 0)));
  assert_true(isnan(vt_vectors_cosine(v, 3, 4)));
  /* Neither the largest floats nor the smallest overflow or vanish. */
  assert_true(vt_vectors_cosine(v, 6, 7) == 1);
  free_table(table);
}

static const float square[][2] = {{1, 0}, {0, 1}, {2, 0}, {-1, 0}, {0, 0}, {1, 1}, {0, -3}};

static void assert_ids(const struct vt_neighbor *found, size_t count, const uint32_t *ids, size_t expected) {
  assert_int_equal(count, expected);
  for (size_t i = 0; i < count; i++) assert_int_equal(found[i].id, ids[i]);
}

static void test_nearest_orders_and_breaks_ties(void **state) {
  (void)state;
  struct table table = make_table(square[0], COUNT(square), 2);
  struct vt_neighbor found[20];
  size_t count = 99;
  const float east[] = {5, 0};
  /* More asked for than there are: all of them, equal cosines by smaller id. */
  assert_int_equal(vt_vectors_nearest(table.vectors, east, 20, 0, NULL, 0, found, &count, NULL), VT_OK);
  assert_ids(found, count, (const uint32_t[]){0, 2, 5, 1, 4, 6, 3}, 7);
  assert_true(found[0].cosine == 1 && found[1].cosine == 1 && found[6].cosine == -1);
  assert_close(found[2].cosine, sqrt(0.5));
  assert_true(found[3].cosine == 0 && found[4].cosine == 0 && found[5].cosine == 0);
  assert_int_equal(vt_vectors_nearest(table.vectors, east, 1, 0, NULL, 0, found, &count, NULL), VT_OK);
  assert_ids(found, count, (const uint32_t[]){0}, 1);
  /* The tie is cut in the middle: the smaller ids stay. */
  assert_int_equal(vt_vectors_nearest(table.vectors, east, 5, 0, NULL, 0, found, &count, NULL), VT_OK);
  assert_ids(found, count, (const uint32_t[]){0, 2, 5, 1, 4}, 5);
  free_table(table);
}

static void test_nearest_limits_and_exclusions(void **state) {
  (void)state;
  struct table table = make_table(square[0], COUNT(square), 2);
  struct vt_neighbor found[20];
  size_t count = 99;
  const float east[] = {5, 0}, nowhere[] = {0, 0};
  const uint32_t exclude[] = {5, 0, 0, 1000};
  assert_int_equal(vt_vectors_nearest(table.vectors, east, 3, 0, exclude, 4, found, &count, NULL), VT_OK);
  assert_ids(found, count, (const uint32_t[]){2, 1, 4}, 3);
  assert_int_equal(vt_vectors_nearest(table.vectors, east, 9, 2, NULL, 0, found, &count, NULL), VT_OK);
  assert_ids(found, count, (const uint32_t[]){0, 1}, 2);
  assert_int_equal(vt_vectors_nearest(table.vectors, east, 9, 1000, exclude, 2, found, &count, NULL), VT_OK);
  assert_ids(found, count, (const uint32_t[]){2, 1, 4, 6, 3}, 5);
  assert_int_equal(vt_vectors_nearest(table.vectors, east, 9, 1, exclude, 2, found, &count, NULL), VT_OK);
  assert_int_equal(count, 0);
  assert_int_equal(vt_vectors_nearest(table.vectors, east, 0, 0, NULL, 0, NULL, &count, NULL), VT_OK);
  assert_int_equal(count, 0);
  assert_int_equal(vt_vectors_nearest(table.vectors, nowhere, 2, 0, NULL, 0, found, &count, NULL), VT_OK);
  assert_ids(found, count, (const uint32_t[]){0, 1}, 2);
  assert_true(found[0].cosine == 0 && found[1].cosine == 0);
  free_table(table);
}

static void test_nearest_without_direction(void **state) {
  (void)state;
  const float data[][2] = {{NAN, 0}, {1, 0}, {0, INFINITY}, {0, 1}};
  struct table table = make_table(data[0], COUNT(data), 2);
  struct vt_neighbor found[4];
  size_t count = 99;
  struct vt_error error;
  assert_int_equal(vt_vectors_nearest(table.vectors, data[1], 4, 0, NULL, 0, found, &count, &error), VT_OK);
  assert_ids(found, count, (const uint32_t[]){1, 3}, 2);
  count = 99;
  assert_int_equal(vt_vectors_nearest(table.vectors, data[2], 4, 0, NULL, 0, found, &count, &error), VT_ERROR_ARGUMENT);
  assert_non_null(strstr(error.message, "element 1"));
  assert_int_equal(count, 99);
  free_table(table);
}

static int by_cosine(const void *a, const void *b) {
  const struct vt_neighbor *x = a, *y = b;
  if (x->cosine != y->cosine) return x->cosine > y->cosine ? -1 : 1;
  return (x->id > y->id) - (x->id < y->id);
}

/* Rows of few distinct values tie often; the k best must be the head of the full sort, whatever k. */
static void check_against_sort(size_t rows, size_t dim, size_t k, uint64_t seed) {
  float *data = malloc(rows * dim * sizeof *data);
  struct vt_neighbor *all = malloc(rows * sizeof *all), *found = malloc(k * sizeof *found);
  assert_true(data != NULL && all != NULL && found != NULL);
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, seed, rows, dim);
  for (size_t i = 0; i < rows * dim; i++) data[i] = (float)vt_rng_below(&rng, 5) - 2;
  struct table table = make_table(data, rows, dim);
  for (uint32_t i = 0; i < rows; i++)
    all[i] = (struct vt_neighbor){i, vt_vectors_cosine(table.vectors, (uint32_t)(rows / 2), i)};
  qsort(all, rows, sizeof *all, by_cosine);
  size_t count = 0;
  const float *query = vt_vectors_row(table.vectors, (uint32_t)(rows / 2));
  assert_int_equal(vt_vectors_nearest(table.vectors, query, k, 0, NULL, 0, found, &count, NULL), VT_OK);
  assert_int_equal(count, k < rows ? k : rows);
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(found[i].id, all[i].id);
    assert_true(found[i].cosine == all[i].cosine);
  }
  free_table(table);
  free(found);
  free(all);
  free(data);
}

static void test_nearest_is_the_head_of_a_sort(void **state) {
  (void)state;
  static const size_t dims[] = {1, 2, 7, 8, 9, 33, 100};
  static const size_t ks[] = {1, 2, 10, 63, 499, 500, 501};
  for (size_t d = 0; d < COUNT(dims); d++)
    for (size_t k = 0; k < COUNT(ks); k++) check_against_sort(500, dims[d], ks[k], d * 100 + k);
}

static void test_analogy(void **state) {
  (void)state;
  /* Royalty on one axis, sex on another; lengths differ and must not matter. */
  enum { MAN, WOMAN, KING, QUEEN, CROWN, ZERO, BROKEN };
  const float data[][3] = {{2, 0, 1}, {0, 3, 1.5F}, {4, 0, 6}, {0, 1, 1.5F}, {1, 1, 60}, {0, 0, 0}, {NAN, 0, 0}};
  struct table table = make_table(data[0], COUNT(data), 3);
  struct vt_neighbor found[8];
  size_t count = 0;
  struct vt_error error;
  assert_int_equal(vt_vectors_analogy(table.vectors, MAN, KING, WOMAN, 2, found, &count, &error), VT_OK);
  assert_ids(found, count, (const uint32_t[]){QUEEN, CROWN}, 2);
  /* By hand: b/|b| - a/|a| + c/|c| against queen. */
  double man = sqrt(5), king = sqrt(52), woman = sqrt(11.25);
  double query[] = {4 / king - 2 / man, 3 / woman, 6 / king - 1 / man + 1.5 / woman};
  double length = sqrt(query[0] * query[0] + query[1] * query[1] + query[2] * query[2]);
  assert_close(found[0].cosine, (query[1] + 1.5 * query[2]) / length / sqrt(3.25));
  /* The three asked are left out, even where they would win: only queen, crown and zero remain. */
  assert_int_equal(vt_vectors_analogy(table.vectors, MAN, KING, WOMAN, 8, found, &count, &error), VT_OK);
  assert_int_equal(count, 3);
  for (size_t i = 0; i < count; i++) assert_true(found[i].id >= QUEEN);
  /* A zero vector adds nothing: the nearest to man alone. */
  assert_int_equal(vt_vectors_analogy(table.vectors, ZERO, MAN, ZERO, 1, found, &count, &error), VT_OK);
  assert_ids(found, count, (const uint32_t[]){KING}, 1);
  assert_int_equal(vt_vectors_analogy(table.vectors, MAN, BROKEN, WOMAN, 1, found, &count, &error), VT_ERROR_CORRUPT);
  assert_non_null(strstr(error.message, "\"w6\""));
  assert_int_equal(vt_vectors_analogy(table.vectors, MAN, KING, 7, 1, found, &count, &error), VT_ERROR_ARGUMENT);
  free_table(table);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table_holds_what_it_was_given),
      cmocka_unit_test(test_cosine),
      cmocka_unit_test(test_nearest_orders_and_breaks_ties),
      cmocka_unit_test(test_nearest_limits_and_exclusions),
      cmocka_unit_test(test_nearest_without_direction),
      cmocka_unit_test(test_nearest_is_the_head_of_a_sort),
      cmocka_unit_test(test_analogy),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
