/*
 * clusters.h: spherical k-means (Dhillon and Modha 2001), and how good and how alike clusterings are.
 */
#ifndef VECTRAIL_ANALYSIS_CLUSTERS_H
#define VECTRAIL_ANALYSIS_CLUSTERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kernel/kernel.h"

struct vt_clustering {
  const struct vt_kernel *kernel;
  size_t points;
  size_t clusters;
  size_t dim, width;
  float *units;      /* points x width: the vectors at length 1, a zero vector as it is; filled in by the caller */
  uint32_t *cluster; /* of each point: out */
  /* Own memory. */
  float *centres; /* clusters x width */
  float *cosines; /* of each point with its centre */
  double *sums;   /* clusters x dim */
  size_t *sizes;  /* clusters */
  double *near;   /* of each point: scratch */
  uint32_t *best; /* the best start's clusters */
};

/* clusters is brought down to the number of points. Release also after a failure. */
enum vt_status vt_clustering_init(struct vt_clustering *clustering, const struct vt_kernel *kernel, size_t points,
                                  size_t clusters, size_t dim, struct vt_error *error);
void vt_clustering_release(struct vt_clustering *clustering);

/* Fills in `cluster`: the best of three starts by k-means++ (Arthur and Vassilvitskii 2007) from a fixed random stream,
 * each with at most 20 rounds. A pure function of the units. O(points x clusters x dim) for each round. */
void vt_clustering_run(struct vt_clustering *clustering);

/* Mean silhouette (Rousseeuw 1987) with cosine distance; exact, in O(points x clusters x dim): the mean distance of a
 * point to a cluster needs the cluster's sum alone. Points alone in their cluster count 0. NaN with one cluster. */
double vt_clustering_silhouette(struct vt_clustering *clustering);

/* Adjusted Rand index (Hubert and Arabie 1985) of two clusterings with labels below `clusters`; 1: the same, 0: as by
 * chance. table: clusters x clusters counts of scratch. */
double vt_adjusted_rand(const uint32_t *a, const uint32_t *b, size_t points, size_t clusters, uint64_t *table);

#endif
