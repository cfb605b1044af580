/*
 * measure_clusters.c: when the clusters of the end formed. Each snapshot is clustered afresh, from the same random
 * stream; what is compared is which words are together, whatever the clusters are called.
 *
 * A snapshot's clustering is one thread's work, so they are put off and done as many at a time as there are threads.
 */
#include <math.h>
#include <string.h>

#include "analysis/clusters.h"
#include "analysis/measure_run.h"
#include "base/memory.h"

struct place {
  struct vt_clustering clustering;
  uint64_t *table;
  size_t snapshot;
  double silhouette, agreement;
};

struct vt_measure_clusters {
  uint32_t *last; /* the final clusters */
  struct place *places;
  size_t place_count, waiting;
  double *silhouette, *agreement;
};

/* The sample at length 1. */
static void take_units(const struct vt_measuring *m, const struct vt_frame *frame, struct vt_clustering *clustering) {
  for (size_t k = 0; k < m->sample_count; k++) {
    const float *row = vt_frame_row(m, frame, m->sample[k]);
    double norm = frame->norms[m->sample[k]], scale = norm > 0 ? 1 / norm : 0;
    for (size_t d = 0; d < m->width; d++)
      clustering->units[k * clustering->width + d] = (float)(scale * (double)row[d]);
  }
}

enum vt_status vt_measure_clusters_create(struct vt_measuring *m, struct vt_measure_clusters **out,
                                          struct vt_error *error) {
  struct vt_measure_clusters *clusters = vt_alloc_zero(1, sizeof *clusters);
  if (clusters == NULL) return VT_FAIL_MEMORY(error, sizeof *clusters);
  *out = clusters;
  size_t places = (size_t)vt_pool_size(m->pool);
  clusters->last = vt_alloc(m->sample_count, sizeof *clusters->last);
  clusters->places = vt_alloc_zero(places, sizeof *clusters->places);
  if (clusters->last == NULL || clusters->places == NULL)
    return VT_FAIL_MEMORY(error, m->sample_count * sizeof *clusters->last);
  clusters->place_count = places;
  for (size_t k = 0; k < places; k++) {
    struct place *place = &clusters->places[k];
    VT_TRY(vt_clustering_init(&place->clustering, m->kernel, m->sample_count, m->options.clusters, m->dim, error));
    size_t count = place->clustering.clusters;
    place->table = vt_alloc(count * count, sizeof *place->table);
    if (place->table == NULL) return VT_FAIL_MEMORY(error, count * count * sizeof *place->table);
  }
  struct vt_clustering *first = &clusters->places[0].clustering;
  m->out->clusters = first->clusters;
  take_units(m, &m->last, first);
  vt_clustering_run(first);
  memcpy(clusters->last, first->cluster, m->sample_count * sizeof *clusters->last);
  VT_TRY(vt_measuring_series(m, "silhouette", "how well the clusters stand apart; 0: not at all", &clusters->silhouette,
                             error));
  return vt_measuring_series(m, "cluster_agreement", "adjusted Rand index with the final clusters; 0 by chance",
                             &clusters->agreement, error);
}

struct looking {
  const struct vt_measuring *m;
  struct vt_measure_clusters *clusters;
};

static void work_off(void *context, int worker) {
  const struct looking *looking = context;
  struct vt_measure_clusters *clusters = looking->clusters;
  if ((size_t)worker >= clusters->waiting) return;
  struct place *place = &clusters->places[worker];
  vt_clustering_run(&place->clustering);
  place->silhouette = vt_clustering_silhouette(&place->clustering);
  place->agreement = vt_adjusted_rand(place->clustering.cluster, clusters->last, place->clustering.points,
                                      place->clustering.clusters, place->table);
}

void vt_measure_clusters_at(struct vt_measuring *m, struct vt_measure_clusters *clusters,
                            const struct vt_moment *moment) {
  struct place *place = &clusters->places[clusters->waiting++];
  place->snapshot = moment->now->index;
  take_units(m, moment->now, &place->clustering);
  if (clusters->waiting < clusters->place_count && place->snapshot + 1 < m->out->count) return;
  struct looking looking = {m, clusters};
  vt_pool_run(m->pool, work_off, &looking);
  for (size_t k = 0; k < clusters->waiting; k++) {
    clusters->silhouette[clusters->places[k].snapshot] = clusters->places[k].silhouette;
    clusters->agreement[clusters->places[k].snapshot] = clusters->places[k].agreement;
  }
  clusters->waiting = 0;
}

void vt_measure_clusters_free(struct vt_measure_clusters *clusters) {
  if (clusters == NULL) return;
  for (size_t k = 0; k < clusters->place_count; k++) {
    vt_clustering_release(&clusters->places[k].clustering);
    vt_free(clusters->places[k].table);
  }
  vt_free(clusters->places);
  vt_free(clusters->last);
  vt_free(clusters);
}
