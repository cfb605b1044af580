/*
 * view_clusters.c: the clusters of the last snapshot, and since when they have been there.
 *
 * Spherical k-means on the most frequent words less their mean direction, which all of them share and which would
 * otherwise decide what is near; all other words of the map go to the nearest centre. Backwards in time the same words
 * are followed: whether they were nearer to each other's mean direction than to that of another cluster's words.
 * One thread; the frames are read one by one.
 */
#include <math.h>
#include <string.h>

#include "analysis/clusters.h"
#include "analysis/view_internal.h"
#include "base/memory.h"

#define LEARNT_FROM 4000 /* words */
#define TYPICAL_AMONG 1000

struct tracker {
  struct vt_view *view;
  float *centred; /* a row */
  double *common; /* dim: the mean direction of all words at a frame */
  double *sums;   /* clusters x dim */
  float *centres; /* clusters x width */
};

static void take_common(struct tracker *t, const struct vt_view_frame *frame) {
  const struct vt_view *view = t->view;
  size_t counted = 0;
  memset(t->common, 0, view->dim * sizeof *t->common);
  for (size_t w = 0; w < view->map_words; w++) {
    const float *row = vt_view_row(view, frame, (uint32_t)w);
    if (!(frame->norms[w] > 0)) continue;
    counted++;
    for (size_t c = 0; c < view->dim; c++) t->common[c] += (double)row[c];
  }
  for (size_t c = 0; c < view->dim && counted > 0; c++) t->common[c] /= (double)counted;
}

/* A row less the common direction, at length 1; false where nothing is left. */
static bool centre_row(const struct tracker *t, const struct vt_view_frame *frame, uint32_t word, float *to) {
  const struct vt_view *view = t->view;
  if (!(frame->norms[word] > 0)) return false;
  const float *row = vt_view_row(view, frame, word);
  memset(to, 0, view->width * sizeof *to);
  for (size_t c = 0; c < view->dim; c++) to[c] = row[c] - (float)t->common[c];
  float squared = view->kernel->dot(to, to, view->width);
  if (!(squared > 0)) return false;
  float scale = 1 / sqrtf(squared);
  for (size_t c = 0; c < view->dim; c++) to[c] *= scale;
  return true;
}

static size_t nearest_centre(const struct tracker *t, const float *row, float *cosine) {
  const struct vt_view *view = t->view;
  size_t nearest = 0;
  for (size_t k = 0; k < view->cluster_count; k++) {
    float found = view->kernel->dot(row, t->centres + k * view->width, view->width);
    if (k > 0 && !(found > *cosine)) continue;
    *cosine = found;
    nearest = k;
  }
  return nearest;
}

static enum vt_status learn(struct tracker *t, const struct vt_view_frame *frame, struct vt_error *error) {
  struct vt_view *view = t->view;
  size_t points = view->map_words < LEARNT_FROM ? view->map_words : LEARNT_FROM;
  struct vt_clustering clustering;
  enum vt_status status = vt_clustering_init(&clustering, view->kernel, points, VT_VIEW_CLUSTERS, view->dim, error);
  if (status == VT_OK) {
    for (size_t p = 0; p < points; p++) {
      float *to = clustering.units + p * clustering.width;
      if (!centre_row(t, frame, (uint32_t)p, to)) memset(to, 0, clustering.width * sizeof *to);
    }
    vt_clustering_run(&clustering);
    view->cluster_count = clustering.clusters;
    memset(t->sums, 0, VT_VIEW_CLUSTERS * view->dim * sizeof *t->sums);
    for (size_t p = 0; p < points; p++)
      for (size_t c = 0; c < view->dim; c++)
        t->sums[clustering.cluster[p] * view->dim + c] += (double)clustering.units[p * clustering.width + c];
  }
  vt_clustering_release(&clustering);
  return status;
}

/* Centres at length 1 from the sums. */
static void place_centres(struct tracker *t) {
  const struct vt_view *view = t->view;
  memset(t->centres, 0, VT_VIEW_CLUSTERS * view->width * sizeof *t->centres);
  for (size_t k = 0; k < view->cluster_count; k++) {
    double squared = 0;
    for (size_t c = 0; c < view->dim; c++) squared += t->sums[k * view->dim + c] * t->sums[k * view->dim + c];
    double scale = squared > 0 ? 1 / sqrt(squared) : 0;
    for (size_t c = 0; c < view->dim; c++)
      t->centres[k * view->width + c] = (float)(scale * t->sums[k * view->dim + c]);
  }
}

/* Every word of the map to its cluster; for each cluster the frequent words nearest to its centre. */
static void deal(struct tracker *t, const struct vt_view_frame *frame) {
  struct vt_view *view = t->view;
  float best[VT_VIEW_CLUSTERS][VT_VIEW_CLUSTER_WORDS] = {{0}};
  for (size_t w = 0; w < view->map_words; w++) {
    if (!centre_row(t, frame, (uint32_t)w, t->centred)) {
      view->cluster_of[w] = VT_VIEW_NO_CLUSTER;
      continue;
    }
    float cosine = 0;
    size_t k = nearest_centre(t, t->centred, &cosine);
    struct vt_view_cluster *cluster = &view->clusters[k];
    view->cluster_of[w] = (uint8_t)k;
    cluster->size++;
    if (w >= TYPICAL_AMONG) continue;
    size_t at = cluster->word_count;
    if (at == VT_VIEW_CLUSTER_WORDS && !(cosine > best[k][at - 1])) continue;
    if (at < VT_VIEW_CLUSTER_WORDS)
      cluster->word_count++;
    else
      at--;
    for (; at > 0 && cosine > best[k][at - 1]; at--) {
      best[k][at] = best[k][at - 1];
      cluster->words[at] = cluster->words[at - 1];
    }
    best[k][at] = cosine;
    cluster->words[at] = (uint32_t)w;
  }
}

/* The share of each cluster's words that is nearest to its own mean direction at a frame. */
static void track(struct tracker *t, const struct vt_view_frame *frame, size_t index) {
  struct vt_view *view = t->view;
  size_t kept[VT_VIEW_CLUSTERS] = {0};
  take_common(t, frame);
  memset(t->sums, 0, VT_VIEW_CLUSTERS * view->dim * sizeof *t->sums);
  for (size_t w = 0; w < view->map_words; w++) {
    uint8_t k = view->cluster_of[w];
    if (k == VT_VIEW_NO_CLUSTER || !centre_row(t, frame, (uint32_t)w, t->centred)) continue;
    for (size_t c = 0; c < view->dim; c++) t->sums[k * view->dim + c] += (double)t->centred[c];
  }
  place_centres(t);
  for (size_t w = 0; w < view->map_words; w++) {
    uint8_t k = view->cluster_of[w];
    float cosine = 0;
    if (k == VT_VIEW_NO_CLUSTER || !centre_row(t, frame, (uint32_t)w, t->centred)) continue;
    kept[k] += nearest_centre(t, t->centred, &cosine) == k;
  }
  for (size_t k = 0; k < view->cluster_count; k++) {
    size_t size = view->clusters[k].size;
    view->together[k * view->frames + index] = size > 0 ? (double)kept[k] / (double)size : 0;
  }
}

static enum vt_status follow(struct tracker *t, uint64_t *damaged, struct vt_error *error) {
  struct vt_view *view = t->view;
  for (size_t f = view->frames; f-- > 0;) {
    const struct vt_view_frame *frame;
    enum vt_status status = vt_view_acquire(view, f, &frame, error);
    if (status == VT_OK && f + 1 == view->frames) {
      take_common(t, frame);
      status = learn(t, frame, error);
      if (status == VT_OK) {
        place_centres(t);
        deal(t, frame);
      }
    }
    if (status == VT_OK) {
      track(t, frame, f);
      vt_view_let_go(view, f);
    } else {
      *damaged = view->steps[f];
      return status;
    }
  }
  return VT_OK;
}

enum vt_status vt_view_make_clusters(struct vt_view *view, uint64_t *damaged, struct vt_error *error) {
  struct tracker t = {.view = view};
  t.centred = vt_alloc_aligned(view->width, sizeof *t.centred);
  t.common = vt_alloc_zero(view->dim, sizeof *t.common);
  t.sums = vt_alloc_zero(VT_VIEW_CLUSTERS * view->dim, sizeof *t.sums);
  t.centres = vt_alloc_aligned(VT_VIEW_CLUSTERS * view->width, sizeof *t.centres);
  enum vt_status status = t.centred == NULL || t.common == NULL || t.sums == NULL || t.centres == NULL
                              ? VT_FAIL_MEMORY(error, VT_VIEW_CLUSTERS * view->dim * sizeof *t.sums)
                              : follow(&t, damaged, error);
  for (size_t k = 0; k < view->cluster_count && status == VT_OK; k++) {
    struct vt_view_cluster *cluster = &view->clusters[k];
    cluster->together = view->together + k * view->frames;
    cluster->born = view->frames - 1;
    while (cluster->born > 0 && cluster->together[cluster->born - 1] > 0.5) cluster->born--;
  }
  vt_free_aligned(t.centred);
  vt_free(t.common);
  vt_free(t.sums);
  vt_free_aligned(t.centres);
  if (status == VT_OK) atomic_store_explicit(&view->clusters_there, true, memory_order_release);
  return status;
}
