/* view_internal.h: what the files of a view share. Not for others. */
#ifndef VECTRAIL_ANALYSIS_VIEW_INTERNAL_H
#define VECTRAIL_ANALYSIS_VIEW_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/pool.h"
#include "kernel/kernel.h"
#include "vectrail/run.h"
#include "vectrail/view.h"

#define VT_VIEW_NEIGHBORS 10
#define VT_VIEW_AMONG 10000

/* The vectors of a snapshot in memory. Who uses one has it acquired; the others may be thrown out. */
struct vt_view_frame {
  float *units; /* words x width, at length 1; a zero vector stays one */
  float *norms; /* words */
  int users;
  bool loading;
  uint64_t used; /* for throwing out the one that was not asked for the longest */
};

struct vt_view {
  struct vt_run *run;
  const struct vt_kernel *kernel;
  struct vt_pool *pool; /* vt_view_prepare's */
  size_t words, map_words, frames, dim, width;
  size_t *snapshot; /* of each frame, its place in the run */
  uint64_t *steps;
  uint32_t *ids; /* 0, 1, 2 ... */

  /* The cache: `lock` guards all of it but the contents of frames that are acquired. */
  pthread_mutex_t lock;
  pthread_cond_t loaded;
  struct vt_view_frame *cache; /* by frame */
  size_t cache_frames, cache_limit;
  uint64_t clock;

  /* The map: x = (v - mean) . basis[0]. */
  double *mean;     /* dim */
  double *basis[2]; /* dim */
  double edge;
  double share[2];
  double *covariance; /* dim x dim, within the pooled snapshots, summed over them */
  size_t pooled_words, pooled_frames;

  /* What vt_view_prepare makes. Each is complete before its flag is raised, and never changes again. */
  int16_t *positions; /* frames x map_words x 2 */
  atomic_bool *positions_there;
  atomic_size_t positions_count;
  uint8_t *movement; /* frames x map_words */
  atomic_bool *movement_there;
  atomic_size_t movement_count;
  uint8_t *cluster_of; /* map_words */
  struct vt_view_cluster clusters[VT_VIEW_CLUSTERS];
  double *together; /* clusters x frames */
  size_t cluster_count;
  atomic_bool clusters_there;
};

/* The vectors of a frame, read where they are not there; vt_view_let_go gives them back. Waits while other threads hold
 * as many frames as there is room for. */
enum vt_status vt_view_acquire(struct vt_view *view, size_t frame, const struct vt_view_frame **vectors,
                               struct vt_error *error);
void vt_view_let_go(struct vt_view *view, size_t frame);

static inline const float *vt_view_row(const struct vt_view *view, const struct vt_view_frame *frame, uint32_t word) {
  return frame->units + (size_t)word * view->width;
}

/* mean, basis, share and edge, from pooled snapshots. before: see the options. */
enum vt_status vt_view_choose_basis(struct vt_view *view, const struct vt_view *before, uint64_t *damaged,
                                    struct vt_error *error);
/* The shares of the variance of the pooled snapshots along two directions of length 1 at right angles. O(dim^2). */
void vt_view_shares(const struct vt_view *view, const double *const directions[2], double share[2]);
/* positions[count][2] of the words 0 .. count - 1 by a mean, two directions, and the coordinate of the edge. */
void vt_view_project(const struct vt_view *view, const struct vt_view_frame *frame, size_t count, const double *mean,
                     const double *const directions[2], double edge, int16_t *positions);

enum vt_status vt_view_make_clusters(struct vt_view *view, uint64_t *damaged, struct vt_error *error);

#endif
