/* test_clusters.c: k-means finds planted clusters, the silhouette against its definition, the adjusted Rand index and
 * eigenvalues against cases whose answer is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/clusters.h"
#include "analysis/eigen.h"
#include "base/rng.h"

#define POINTS 90
#define DIM 11
#define PLANTED 3

/* Points about three random directions, at length 1; label p % 3. */
static void plant(struct vt_clustering *clustering, float noise) {
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 5, 0, 0);
  float centres[PLANTED][DIM];
  for (size_t k = 0; k < PLANTED; k++)
    for (size_t d = 0; d < DIM; d++) centres[k][d] = vt_rng_unit(&rng) - 0.5F;
  for (size_t p = 0; p < POINTS; p++) {
    float *unit = clustering->units + p * clustering->width;
    double squared = 0;
    for (size_t d = 0; d < DIM; d++) {
      unit[d] = centres[p % PLANTED][d] + noise * (vt_rng_unit(&rng) - 0.5F);
      squared += (double)unit[d] * (double)unit[d];
    }
    for (size_t d = 0; d < DIM; d++) unit[d] = (float)((double)unit[d] / sqrt(squared));
  }
}

static const struct vt_kernel *any_kernel(void) {
  const struct vt_kernel *kernel;
  assert_int_equal(vt_kernel_choose(NULL, &kernel, NULL), VT_OK);
  return kernel;
}

static void planted_clusters_are_found(void **state) {
  (void)state;
  struct vt_clustering clustering;
  assert_int_equal(vt_clustering_init(&clustering, any_kernel(), POINTS, PLANTED, DIM, NULL), VT_OK);
  plant(&clustering, 0.2F);
  vt_clustering_run(&clustering);
  uint32_t truth[POINTS];
  uint64_t table[PLANTED * PLANTED];
  for (uint32_t p = 0; p < POINTS; p++) truth[p] = p % PLANTED;
  assert_true(vt_adjusted_rand(clustering.cluster, truth, POINTS, PLANTED, table) == 1);
  assert_true(vt_clustering_silhouette(&clustering) > 0.8);
  vt_clustering_release(&clustering);
}

/* Rousseeuw's definition, distance by distance. */
static double plain_silhouette(const struct vt_clustering *c) {
  double total = 0;
  for (size_t p = 0; p < c->points; p++) {
    double sums[8] = {0};
    size_t sizes[8] = {0};
    for (size_t q = 0; q < c->points; q++) {
      if (q == p) continue;
      double product = 0;
      for (size_t d = 0; d < c->dim; d++)
        product += (double)c->units[p * c->width + d] * (double)c->units[q * c->width + d];
      sums[c->cluster[q]] += 1 - product;
      sizes[c->cluster[q]]++;
    }
    size_t own = c->cluster[p];
    if (sizes[own] == 0) continue;
    double within = sums[own] / (double)sizes[own], apart = (double)INFINITY;
    for (size_t k = 0; k < c->clusters; k++)
      if (k != own && sizes[k] > 0) apart = fmin(apart, sums[k] / (double)sizes[k]);
    total += (apart - within) / fmax(apart, within);
  }
  return total / (double)c->points;
}

static void silhouette_is_what_is_defined(void **state) {
  (void)state;
  struct vt_clustering clustering;
  assert_int_equal(vt_clustering_init(&clustering, any_kernel(), POINTS, 5, DIM, NULL), VT_OK);
  plant(&clustering, 1.0F);
  vt_clustering_run(&clustering);
  assert_true(fabs(vt_clustering_silhouette(&clustering) - plain_silhouette(&clustering)) < 1e-6);
  /* Any labels, one of them alone. */
  for (size_t p = 0; p < POINTS; p++) clustering.cluster[p] = p == 17 ? 4 : (uint32_t)(p * p % 4);
  assert_true(fabs(vt_clustering_silhouette(&clustering) - plain_silhouette(&clustering)) < 1e-6);
  /* All in one: there is nothing to compare with. */
  memset(clustering.cluster, 0, POINTS * sizeof *clustering.cluster);
  assert_true(isnan(vt_clustering_silhouette(&clustering)));
  vt_clustering_release(&clustering);
}

static void clustering_is_a_function_of_its_points(void **state) {
  (void)state;
  uint32_t first[POINTS];
  bool have_first = false;
  for (size_t k = 0; k < vt_kernel_count(); k++) {
    if (!vt_kernel_runs_here(k)) continue;
    struct vt_clustering clustering;
    assert_int_equal(vt_clustering_init(&clustering, vt_kernel_at(k), POINTS, 7, DIM, NULL), VT_OK);
    plant(&clustering, 1.5F);
    vt_clustering_run(&clustering);
    if (!have_first) memcpy(first, clustering.cluster, sizeof first);
    have_first = true;
    assert_memory_equal(first, clustering.cluster, sizeof first);
    vt_clustering_release(&clustering);
  }
}

static void few_points_make_few_clusters(void **state) {
  (void)state;
  struct vt_clustering clustering;
  assert_int_equal(vt_clustering_init(&clustering, any_kernel(), 2, 20, 3, NULL), VT_OK);
  assert_int_equal(clustering.clusters, 2);
  clustering.units[0] = 1; /* the other one stays zero: it has no direction */
  vt_clustering_run(&clustering);
  assert_true(clustering.cluster[0] < 2 && clustering.cluster[1] < 2);
  vt_clustering_release(&clustering);
}

static void adjusted_rand_of_known_tables(void **state) {
  (void)state;
  uint64_t table[16];
  const uint32_t a[] = {0, 0, 0, 1, 1, 1}, named[] = {2, 2, 2, 0, 0, 0}, crossed[] = {0, 0, 1, 1, 2, 2};
  assert_true(vt_adjusted_rand(a, named, 6, 4, table) == 1);
  /* By hand: pairs 2 together in both, 6 in a, 3 in crossed, 15 in all: (2 - 1.2) / (4.5 - 1.2). */
  assert_true(fabs(vt_adjusted_rand(a, crossed, 6, 4, table) - 0.8 / 3.3) < 1e-12);
  /* Worse than by chance: 2 x 2, each pair torn apart. (0 - 2/3) / (2 - 2/3) */
  const uint32_t pairs[] = {0, 0, 1, 1}, torn[] = {0, 1, 0, 1};
  assert_true(fabs(vt_adjusted_rand(pairs, torn, 4, 4, table) + 0.5) < 1e-12);
}

/* ---- eigenvalues ---------------------------------------------------------------------------------------------------
 */

#define SIZE 40

static void eigenvalues_of_known_matrices(void **state) {
  (void)state;
  static double a[SIZE * SIZE], values[SIZE], scratch[SIZE];
  /* 2 on the diagonal, -1 beside it: 2 - 2 cos(k pi / (n + 1)). */
  for (size_t i = 0; i < SIZE; i++)
    for (size_t j = 0; j < SIZE; j++) a[i * SIZE + j] = i == j ? 2 : (i == j + 1 || j == i + 1 ? -1 : 0);
  assert_true(vt_eigenvalues(a, SIZE, values, scratch));
  for (size_t k = 0; k < SIZE; k++)
    assert_true(fabs(values[k] - (2 - 2 * cos((double)(SIZE - k) * 3.14159265358979323846 / (SIZE + 1)))) < 1e-13);
  /* All ones: n, and zeros. */
  for (size_t i = 0; i < SIZE * SIZE; i++) a[i] = 1;
  assert_true(vt_eigenvalues(a, SIZE, values, scratch));
  assert_true(fabs(values[0] - SIZE) < 1e-12);
  for (size_t k = 1; k < SIZE; k++) assert_true(fabs(values[k]) < 1e-12);
  /* A diagonal comes out sorted; nothing but zeros; one number; none. */
  memset(a, 0, sizeof a);
  for (size_t i = 0; i < SIZE; i++) a[i * SIZE + i] = (double)(i * 7 % SIZE) - 5;
  assert_true(vt_eigenvalues(a, SIZE, values, scratch));
  for (size_t k = 0; k < SIZE; k++) assert_true(values[k] == (double)(SIZE - 1 - k) - 5);
  memset(a, 0, sizeof a);
  assert_true(vt_eigenvalues(a, SIZE, values, scratch));
  assert_true(values[0] == 0 && values[SIZE - 1] == 0);
  a[0] = -3;
  assert_true(vt_eigenvalues(a, 1, values, scratch));
  assert_true(values[0] == -3);
  assert_true(vt_eigenvalues(a, 0, values, scratch));
}

/* A = Q D Q' with Q a product of reflections: the eigenvalues go in and come out, over twelve orders of magnitude. */
static void eigenvalues_survive_a_rotation(void **state) {
  (void)state;
  static double a[SIZE * SIZE], values[SIZE], scratch[SIZE];
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 6, 0, 0);
  memset(a, 0, sizeof a);
  for (size_t i = 0; i < SIZE; i++) a[i * SIZE + i] = pow(10, -(double)i * 12 / SIZE);
  for (int reflection = 0; reflection < 5; reflection++) {
    double v[SIZE], squared = 0, p[SIZE] = {0}, along = 0;
    for (size_t i = 0; i < SIZE; i++) {
      v[i] = (double)vt_rng_unit(&rng) - 0.5;
      squared += v[i] * v[i];
    }
    for (size_t i = 0; i < SIZE; i++)
      for (size_t j = 0; j < SIZE; j++) p[i] += 2 * a[i * SIZE + j] * v[j] / squared;
    for (size_t i = 0; i < SIZE; i++) along += p[i] * v[i] / squared;
    for (size_t i = 0; i < SIZE; i++)
      for (size_t j = 0; j < SIZE; j++) a[i * SIZE + j] -= v[i] * p[j] + p[i] * v[j] - 2 * along * v[i] * v[j];
  }
  assert_true(vt_eigenvalues(a, SIZE, values, scratch));
  for (size_t k = 0; k < SIZE; k++) assert_true(fabs(values[k] - pow(10, -(double)k * 12 / SIZE)) < 1e-14);
}

static void a_matrix_without_numbers_has_no_eigenvalues(void **state) {
  (void)state;
  double a[9] = {1, 2, 3, 2, (double)NAN, 4, 3, 4, 5}, values[3], scratch[3];
  assert_false(vt_eigenvalues(a, 3, values, scratch));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(planted_clusters_are_found),
      cmocka_unit_test(silhouette_is_what_is_defined),
      cmocka_unit_test(clustering_is_a_function_of_its_points),
      cmocka_unit_test(few_points_make_few_clusters),
      cmocka_unit_test(adjusted_rand_of_known_tables),
      cmocka_unit_test(eigenvalues_of_known_matrices),
      cmocka_unit_test(eigenvalues_survive_a_rotation),
      cmocka_unit_test(a_matrix_without_numbers_has_no_eigenvalues),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
