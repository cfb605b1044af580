/*
 * clusters.c: one clustering, by one thread. Cosines are in float, by the kernel (the same bits everywhere), sums in
 * double and in the order of the points.
 */
#include "analysis/clusters.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

#define STARTS 3
#define ROUNDS 20
#define STILL 200 /* a start is done when no more than one point in so many changes its cluster */

enum vt_status vt_clustering_init(struct vt_clustering *c, const struct vt_kernel *kernel, size_t points,
                                  size_t clusters, size_t dim, struct vt_error *error) {
  if (clusters > points) clusters = points;
  *c = (struct vt_clustering){.kernel = kernel, .points = points, .clusters = clusters, .dim = dim};
  c->width = vt_kernel_width(dim);
  c->units = vt_alloc_aligned(points * c->width, sizeof *c->units);
  c->centres = vt_alloc_aligned(clusters * c->width, sizeof *c->centres);
  c->cluster = vt_alloc_zero(points, sizeof *c->cluster);
  c->best = vt_alloc_zero(points, sizeof *c->best);
  c->cosines = vt_alloc(points, sizeof *c->cosines);
  c->near = vt_alloc(points, sizeof *c->near);
  c->sums = vt_alloc(clusters * dim, sizeof *c->sums);
  c->sizes = vt_alloc(clusters, sizeof *c->sizes);
  if (c->units == NULL || c->centres == NULL || c->cluster == NULL || c->best == NULL || c->cosines == NULL ||
      c->near == NULL || c->sums == NULL || c->sizes == NULL)
    return VT_FAIL_MEMORY(error, points * c->width * sizeof *c->units);
  return VT_OK;
}

void vt_clustering_release(struct vt_clustering *c) {
  vt_free_aligned(c->units);
  vt_free_aligned(c->centres);
  vt_free(c->cluster);
  vt_free(c->best);
  vt_free(c->cosines);
  vt_free(c->near);
  vt_free(c->sums);
  vt_free(c->sizes);
  *c = (struct vt_clustering){0};
}

static const float *unit(const struct vt_clustering *c, size_t point) { return c->units + point * c->width; }
static float *centre(const struct vt_clustering *c, size_t k) { return c->centres + k * c->width; }

/* k-means++: each further centre is a point, drawn in proportion to its distance (1 - cosine, half the squared distance
 * of unit vectors) from the nearest centre so far. */
static void start(struct vt_clustering *c, struct vt_rng *rng) {
  size_t chosen = vt_rng_below(rng, (uint32_t)c->points);
  for (size_t p = 0; p < c->points; p++) c->near[p] = 2;
  for (size_t k = 0;; k++) {
    memcpy(centre(c, k), unit(c, chosen), c->width * sizeof(float));
    if (k + 1 == c->clusters) return;
    double total = 0;
    for (size_t p = 0; p < c->points; p++) {
      double distance = 1 - (double)c->kernel->dot(unit(c, p), centre(c, k), c->width);
      if (distance < 0) distance = 0;
      if (distance < c->near[p]) c->near[p] = distance;
      total += c->near[p];
    }
    double left = (double)(vt_rng_next(rng) >> 11) * 0x1p-53 * total;
    chosen = 0;
    while (chosen + 1 < c->points && left >= c->near[chosen]) left -= c->near[chosen++];
  }
}

/* Each point to its nearest centre, the first of equal ones; how many changed. */
static size_t assign(struct vt_clustering *c) {
  size_t changed = 0;
  for (size_t p = 0; p < c->points; p++) {
    uint32_t nearest = 0;
    float best = c->kernel->dot(unit(c, p), centre(c, 0), c->width);
    for (uint32_t k = 1; k < c->clusters; k++) {
      float cosine = c->kernel->dot(unit(c, p), centre(c, k), c->width);
      if (!(cosine > best)) continue;
      best = cosine;
      nearest = k;
    }
    changed += c->cluster[p] != nearest;
    c->cluster[p] = nearest;
    c->cosines[p] = best;
  }
  return changed;
}

static void add_up(struct vt_clustering *c) {
  memset(c->sums, 0, c->clusters * c->dim * sizeof *c->sums);
  memset(c->sizes, 0, c->clusters * sizeof *c->sizes);
  for (size_t p = 0; p < c->points; p++) {
    double *sum = c->sums + c->cluster[p] * c->dim;
    for (size_t d = 0; d < c->dim; d++) sum[d] += (double)unit(c, p)[d];
    c->sizes[c->cluster[p]]++;
  }
}

/* The mean direction of its points; a centre without a direction stays where it is. */
static void move_centres(struct vt_clustering *c) {
  add_up(c);
  for (size_t k = 0; k < c->clusters; k++) {
    const double *sum = c->sums + k * c->dim;
    double squared = 0;
    for (size_t d = 0; d < c->dim; d++) squared += sum[d] * sum[d];
    if (!(squared > 0)) continue;
    double scale = 1 / sqrt(squared);
    for (size_t d = 0; d < c->dim; d++) centre(c, k)[d] = (float)(scale * sum[d]);
  }
}

void vt_clustering_run(struct vt_clustering *c) {
  double best = -(double)INFINITY;
  for (uint64_t s = 0; s < STARTS && c->points > 0; s++) {
    struct vt_rng rng = vt_rng_make(VT_RNG_ANALYSIS, 2, c->clusters, s);
    start(c, &rng);
    assign(c);
    for (int round = 0; round < ROUNDS; round++) {
      move_centres(c);
      if (assign(c) <= c->points / STILL) break;
    }
    double together = 0;
    for (size_t p = 0; p < c->points; p++) together += (double)c->cosines[p];
    if (!(together > best)) continue;
    best = together;
    memcpy(c->best, c->cluster, c->points * sizeof *c->best);
  }
  memcpy(c->cluster, c->best, c->points * sizeof *c->best);
}

double vt_clustering_silhouette(struct vt_clustering *c) {
  add_up(c);
  double total = 0;
  size_t filled = 0;
  for (size_t k = 0; k < c->clusters; k++) filled += c->sizes[k] > 0;
  if (filled < 2) return (double)NAN;
  for (size_t p = 0; p < c->points; p++) {
    size_t own = c->cluster[p];
    if (c->sizes[own] < 2) continue;
    double within = 0, apart = (double)INFINITY, squared = 0;
    for (size_t d = 0; d < c->dim; d++) squared += (double)unit(c, p)[d] * (double)unit(c, p)[d];
    for (size_t k = 0; k < c->clusters; k++) {
      if (c->sizes[k] == 0) continue;
      double product = 0;
      const double *sum = c->sums + k * c->dim;
      for (size_t d = 0; d < c->dim; d++) product += (double)unit(c, p)[d] * sum[d];
      double distance = 1 - product / (double)c->sizes[k];
      if (k == own)
        within = 1 - (product - squared) / (double)(c->sizes[k] - 1);
      else if (distance < apart)
        apart = distance;
    }
    double larger = within > apart ? within : apart;
    if (larger > 0) total += (apart - within) / larger;
  }
  return total / (double)c->points;
}

static double pairs_of(double count) { return count * (count - 1) / 2; }

double vt_adjusted_rand(const uint32_t *a, const uint32_t *b, size_t points, size_t clusters, uint64_t *table) {
  memset(table, 0, clusters * clusters * sizeof *table);
  for (size_t p = 0; p < points; p++) table[a[p] * clusters + b[p]]++;
  double both = 0, of_a = 0, of_b = 0;
  for (size_t i = 0; i < clusters; i++) {
    double row = 0, column = 0;
    for (size_t j = 0; j < clusters; j++) {
      both += pairs_of((double)table[i * clusters + j]);
      row += (double)table[i * clusters + j];
      column += (double)table[j * clusters + i];
    }
    of_a += pairs_of(row);
    of_b += pairs_of(column);
  }
  double all = pairs_of((double)points);
  if (!(all > 0)) return (double)NAN;
  double expected = of_a * of_b / all, most = (of_a + of_b) / 2;
  return most == expected ? 1 : (both - expected) / (most - expected);
}
