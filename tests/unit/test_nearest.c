/*
 * label: threads. The search among many vectors gives, bit for bit, what as many single searches give: whatever the
 * length of a vector, the number of threads, and however many vectors are nearly or exactly the same. And the products
 * it rests on are the same in all kernels.
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

#include "base/memory.h"
#include "base/rng.h"
#include "kernel/kernel.h"
#include "support/temporary.h"
#include "vectrail/vectors.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct vt_vocab *make_vocab(size_t rows) {
  char(*texts)[24] = malloc(rows * sizeof *texts);
  const char **pointers = malloc(rows * sizeof *pointers);
  for (size_t r = 0; r < rows; r++) {
    snprintf(texts[r], sizeof texts[r], "w%zu", r);
    pointers[r] = texts[r];
  }
  struct vt_vocab *vocab;
  assert_int_equal(vt_vocab_create(pointers, NULL, rows, &vocab, NULL), VT_OK);
  free(texts);
  free(pointers);
  return vocab;
}

/* A table in which ties and near ties abound: groups of rows that are equal, or differ in the last bits, or point the
 * same way with other lengths; zeros; and rows that are not finite. */
static struct vt_vectors *make_vectors(const struct vt_vocab *vocab, size_t dim, uint64_t seed) {
  size_t rows = vt_vocab_size(vocab);
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, seed, rows, dim);
  float *data = vt_vectors_data_alloc(rows, dim);
  assert_non_null(data);
  for (size_t r = 0; r < rows; r++) {
    float *row = data + r * dim;
    const float *other = r == 0 ? row : data + vt_rng_below(&rng, (uint32_t)r) * dim;
    uint32_t kind = r == 0 ? 99 : vt_rng_below(&rng, 20);
    float scale = kind == 1 ? 1e-30F : kind == 2 ? 1e30F : 0.7F;
    for (size_t c = 0; c < dim; c++) {
      if (kind <= 3)
        row[c] = other[c] * scale;
      else if (kind <= 5)
        row[c] = nextafterf(other[c], vt_rng_unit(&rng) < 0.5F ? -9 : 9);
      else if (kind == 6)
        row[c] = 0;
      else
        row[c] = vt_rng_unit(&rng) - 0.5F;
    }
    if (kind == 7) row[vt_rng_below(&rng, (uint32_t)dim)] = r % 2 == 0 ? NAN : INFINITY;
  }
  struct vt_vectors *vectors;
  assert_int_equal(vt_vectors_create(vocab, data, dim, 0, &vectors, NULL), VT_OK);
  return vectors;
}

static bool is_finite(const struct vt_vectors *vectors, uint32_t id) {
  for (size_t c = 0; c < vectors->dim; c++)
    if (!isfinite(vt_vectors_row(vectors, id)[c])) return false;
  return true;
}

static void check(const struct vt_vectors *vectors, const uint32_t *ids, size_t id_count, size_t k, size_t limit,
                  int threads) {
  struct vt_neighbor *many = calloc(id_count * k + 1, sizeof *many), *one = calloc(k + 1, sizeof *one);
  size_t *counts = malloc(id_count * sizeof *counts), count;
  struct vt_error error;
  if (vt_vectors_nearest_many(vectors, ids, id_count, k, limit, threads, many, counts, &error) != VT_OK)
    fail_msg("%s", error.message);
  for (size_t i = 0; i < id_count; i++) {
    assert_int_equal(
        vt_vectors_nearest(vectors, vt_vectors_row(vectors, ids[i]), k, limit, &ids[i], 1, one, &count, NULL), VT_OK);
    assert_int_equal(counts[i], count);
    for (size_t n = 0; n < count; n++) {
      assert_int_equal(many[i * k + n].id, one[n].id);
      assert_memory_equal(&many[i * k + n].cosine, &one[n].cosine, sizeof one[n].cosine);
    }
  }
  free(many);
  free(one);
  free(counts);
}

static void many_is_one_by_one(void **state) {
  (void)state;
  static const size_t dims[] = {1, 2, 3, 7, 16, 33, 100, 300};
  static const size_t sizes[] = {1, 15, 16, 17, 250, 700};
  for (size_t d = 0; d < COUNT(dims); d += vtt_under_tsan ? 3 : 1)
    for (size_t s = 0; s < COUNT(sizes); s++) {
      struct vt_vocab *vocab = make_vocab(sizes[s]);
      struct vt_vectors *vectors = make_vectors(vocab, dims[d], d * 10 + s);
      uint32_t ids[300];
      size_t id_count = 0;
      for (uint32_t r = 0; r < sizes[s] && id_count < COUNT(ids); r++)
        if (is_finite(vectors, r)) ids[id_count++] = r;
      for (int threads = 1; threads <= 3; threads++) check(vectors, ids, id_count, 10, 0, threads);
      check(vectors, ids, id_count, 1, sizes[s] / 2 + 1, 2);
      check(vectors, ids, id_count < 20 ? id_count : 20, sizes[s] + 5, 0, 2);
      check(vectors, ids, id_count, 0, 0, 2);
      vt_vectors_free(vectors);
      vt_vocab_free(vocab);
    }
}

static void what_cannot_be_asked_is_refused(void **state) {
  (void)state;
  struct vt_vocab *vocab = make_vocab(20);
  struct vt_vectors *vectors = make_vectors(vocab, 5, 1);
  for (size_t k = 0; k < 100; k++) vectors->data[k] = (float)k;
  struct vt_neighbor neighbors[60];
  size_t counts[6];
  struct vt_error error;
  uint32_t ids[6] = {0, 1, 2, 3, 4, 20};
  assert_int_equal(vt_vectors_nearest_many(vectors, ids, 6, 10, 0, 2, neighbors, counts, &error), VT_ERROR_ARGUMENT);
  ids[5] = 7;
  assert_int_equal(vt_vectors_nearest_many(vectors, ids, 6, 10, 0, 2, neighbors, counts, &error), VT_OK);
  vectors->data[7 * 5 + 2] = NAN;
  assert_int_equal(vt_vectors_nearest_many(vectors, ids, 6, 10, 0, 2, neighbors, counts, &error), VT_ERROR_CORRUPT);
  assert_non_null(strstr(error.message, "\"w7\""));
  assert_int_equal(vt_vectors_nearest_many(vectors, ids, 0, 10, 0, 2, neighbors, counts, &error), VT_OK);
  vt_vectors_free(vectors);
  vt_vocab_free(vocab);
}

static void products_are_the_same_in_all_kernels(void **state) {
  (void)state;
  static const size_t depths[] = {0, 1, 7, 100, 301};
  for (size_t d = 0; d < COUNT(depths); d++) {
    enum { ROWS = 3 * VT_PANEL_ROWS };
    size_t depth = depths[d];
    struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 4, depth, 0);
    float *rows = malloc(ROWS * depth * sizeof *rows + 4), *panel = vt_alloc_aligned(depth, VT_PANEL * sizeof *panel);
    float *expected = vt_alloc_aligned(ROWS, VT_PANEL * sizeof *expected);
    float *got = vt_alloc_aligned(ROWS + 1, VT_PANEL * sizeof *got);
    for (size_t k = 0; k < ROWS * depth; k++) rows[k] = vt_rng_unit(&rng) - 0.5F;
    for (size_t k = 0; k < VT_PANEL * depth; k++) panel[k] = vt_rng_unit(&rng) - 0.5F;
    for (size_t i = 0; i < ROWS; i++)
      for (size_t j = 0; j < VT_PANEL; j++) {
        float sum = 0;
        for (size_t c = 0; c < depth; c++) sum = fmaf(rows[i * depth + c], panel[c * VT_PANEL + j], sum);
        expected[i * VT_PANEL + j] = sum;
      }
    for (size_t kernel = 0; kernel < vt_kernel_count(); kernel++) {
      if (!vt_kernel_runs_here(kernel)) continue;
      for (size_t count = 0; count <= ROWS; count += VT_PANEL_ROWS) {
        for (size_t k = 0; k < (ROWS + 1) * VT_PANEL; k++) got[k] = 7;
        vt_kernel_at(kernel)->products(rows, count, panel, depth, got);
        assert_memory_equal(got, expected, count * VT_PANEL * sizeof *got);
        for (size_t k = count * VT_PANEL; k < (ROWS + 1) * VT_PANEL; k++) assert_true(got[k] == 7);
      }
    }
    free(rows);
    vt_free_aligned(panel);
    vt_free_aligned(expected);
    vt_free_aligned(got);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(many_is_one_by_one),
      cmocka_unit_test(what_cannot_be_asked_is_refused),
      cmocka_unit_test(products_are_the_same_in_all_kernels),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
