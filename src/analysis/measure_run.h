/*
 * measure_run.h: what the questions of vectrail/measure.h share: the words that are looked at, their vectors at a few
 * successive snapshots, and the series that come out. Not for others.
 *
 * Snapshots are walked once, in order. A question (one file each) sees the snapshot now, the two before it, the first
 * and the last. Work within a snapshot is shared out over threads by item, each item writes what it found to a place
 * of its own, and sums are formed afterwards in item order: the same bits at any number of threads.
 */
#ifndef VECTRAIL_ANALYSIS_MEASURE_RUN_H
#define VECTRAIL_ANALYSIS_MEASURE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"
#include "base/rng.h"
#include "kernel/kernel.h"
#include "vectrail/measure.h"

#define VT_MEASURE_BANDS 4 /* of frequency: 1 to 9 times, 10 to 99, 100 to 999, 1000 and more */

/* The vectors of the selection at one snapshot. */
struct vt_frame {
  size_t index; /* of the snapshot */
  float *rows;  /* selection x width */
  double *norms;
  float *inverse; /* 1 / norm; 0 for a zero vector */
};

struct vt_measuring {
  struct vt_run *run;
  const struct vt_vocab *vocab;
  struct vt_measure_options options;
  struct vt_measures *out;
  const struct vt_kernel *kernel;
  struct vt_pool *pool;
  size_t dim;
  size_t width; /* of rows: dim and zeros */
  /* The selection: ids ascending; words 0 .. among - 1 are its first rows where neighbours are looked for. All other
   * lists of words are places in it. */
  uint32_t *ids;
  size_t rows;
  size_t among;
  uint32_t *sample;
  size_t sample_count;
  /* Neighbours: words by band, rarest band first. */
  uint32_t *queries;
  size_t query_count;
  size_t band_first[VT_MEASURE_BANDS + 1]; /* queries of band b: band_first[b] .. band_first[b + 1] - 1 */
  size_t band_words[VT_MEASURE_BANDS];     /* in the vocabulary */
  bool single;                             /* the story of one word: no series by band, no samples of pairs */
  /* Pairs, as words. */
  struct vt_measure_pair *watched, *together, *apart;
  size_t watched_count, together_count, apart_count;

  struct vt_frame first, last;
};

/* What a question sees at a snapshot; before and before2 are NULL where there is none. */
struct vt_moment {
  const struct vt_frame *now, *before, *before2;
  uint64_t step, step_before;
};

/* ---- for the questions --------------------------------------------------------------------------------------------
 */

/* The place of a word in the selection; it must be there. O(log rows). */
uint32_t vt_measuring_place(const struct vt_measuring *measuring, uint32_t word);
static inline const float *vt_frame_row(const struct vt_measuring *m, const struct vt_frame *frame, uint32_t place) {
  return frame->rows + (size_t)place * m->width;
}
/* Cosine of two places of a frame, in double. */
double vt_frame_cosine(const struct vt_measuring *m, const struct vt_frame *frame, uint32_t a, uint32_t b);

/* A new series, all NaN. *values: one for each snapshot, owned by the result. */
enum vt_status vt_measuring_series(struct vt_measuring *m, const char *name, const char *text, double **values,
                                   struct vt_error *error);
/* A sentence for the notes. */
enum vt_status vt_measuring_note(struct vt_measuring *m, struct vt_error *error, const char *format, ...)
    VT_PRINTF(3, 4);

/* Calls item(context, i) once for each i < count, shared out over the threads. */
typedef void vt_measure_item(void *context, size_t item);
void vt_measuring_each(struct vt_measuring *m, size_t count, vt_measure_item *item, void *context);

/* The k nearest to a place among the first `among` places, itself left out, best first by cosine in float, equal ones
 * by smaller place. neighbors[k], filled up with VT_NO_NEIGHBOR. O(among x dim). */
#define VT_NO_NEIGHBOR UINT32_MAX
#define VT_NEIGHBORS 10
void vt_measuring_nearest(const struct vt_measuring *m, const struct vt_frame *frame, uint32_t place,
                          uint32_t neighbors[VT_NEIGHBORS]);
/* Shared neighbours over all of both; 1 where both are empty. */
double vt_neighbor_overlap(const uint32_t a[VT_NEIGHBORS], const uint32_t b[VT_NEIGHBORS]);

/* ---- the questions: made once the first and the last frame are there, asked at each snapshot in order --------------
 */

struct vt_measure_motion;
enum vt_status vt_measure_motion_create(struct vt_measuring *m, struct vt_measure_motion **motion,
                                        struct vt_error *error);
void vt_measure_motion_at(struct vt_measuring *m, struct vt_measure_motion *motion, const struct vt_moment *moment);
void vt_measure_motion_free(struct vt_measure_motion *motion);

struct vt_measure_pairs;
enum vt_status vt_measure_pairs_create(struct vt_measuring *m, struct vt_measure_pairs **pairs, struct vt_error *error);
void vt_measure_pairs_at(struct vt_measuring *m, struct vt_measure_pairs *pairs, const struct vt_moment *moment);
void vt_measure_pairs_free(struct vt_measure_pairs *pairs);

struct vt_measure_neighbors;
enum vt_status vt_measure_neighbors_create(struct vt_measuring *m, struct vt_measure_neighbors **neighbors,
                                           struct vt_error *error);
void vt_measure_neighbors_at(struct vt_measuring *m, struct vt_measure_neighbors *neighbors,
                             const struct vt_moment *moment);
void vt_measure_neighbors_free(struct vt_measure_neighbors *neighbors);

struct vt_measure_clusters;
enum vt_status vt_measure_clusters_create(struct vt_measuring *m, struct vt_measure_clusters **clusters,
                                          struct vt_error *error);
void vt_measure_clusters_at(struct vt_measuring *m, struct vt_measure_clusters *clusters,
                            const struct vt_moment *moment);
void vt_measure_clusters_free(struct vt_measure_clusters *clusters);

struct vt_measure_shape;
enum vt_status vt_measure_shape_create(struct vt_measuring *m, struct vt_measure_shape **shape, struct vt_error *error);
void vt_measure_shape_at(struct vt_measuring *m, struct vt_measure_shape *shape, const struct vt_moment *moment);
void vt_measure_shape_free(struct vt_measure_shape *shape);

#endif
