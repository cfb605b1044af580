/*
 * vectrail/view.h: a run made ready to be looked at: where each word stands on one map at each snapshot, who moved,
 * who belongs together, and the story of a word or of two (docs/metrics.md, "The map").
 *
 * A view is made of the snapshots that a run has when it is opened. One thread calls vt_view_prepare, once; any number
 * of threads may ask all the other questions, before, while and after. Answers do not depend on the number of threads.
 */
#ifndef VECTRAIL_VIEW_H
#define VECTRAIL_VIEW_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/status.h"
#include "vectrail/vectors.h"
#include "vectrail/vocab.h"

#ifdef __cplusplus
extern "C" {
#endif

/* As many as there are hues that everybody can tell apart. */
#define VT_VIEW_CLUSTERS 7
#define VT_VIEW_CLUSTER_WORDS 8
#define VT_VIEW_NO_CLUSTER 255
/* A coordinate of the map is this many of its int16 units from the middle to the edge; what lies beyond is put at
 * +-32767. */
#define VT_VIEW_EDGE 30000

struct vt_view;

struct vt_view_options {
  size_t map_words; /* how many words, the most frequent ones, the map shows; 0: all [200000] */
  /* Of vectors kept in memory; at least what two snapshots take [an eighth of the machine's memory, from 1 to 4 GiB].
   */
  uint64_t cache_bytes;
  int threads; /* at least 1; changes no result [the processors this process may use] */
  /* Steps whose snapshots are left out, because they are damaged; borrowed for the call. */
  const uint64_t *skip;
  size_t skip_count;
  /* A view of the same run from before: the map is turned so that words stay where they were as far as possible. May
   * be NULL. */
  const struct vt_view *before;
};
VT_API void vt_view_options_init(struct vt_view_options *options);

/* Opens a run, and computes the basis of its map. VT_ERROR_EMPTY: there is no snapshot; other errors are those of
 * vt_run_open and vt_run_vectors, *damaged then being the step of the snapshot that cannot be used (UINT64_MAX where it
 * is none; may be NULL). Free with vt_view_free. O(10 snapshots read + words x dim^2 of a sample). */
VT_API enum vt_status vt_view_open(const char *path, const struct vt_view_options *options, struct vt_view **view,
                                   uint64_t *damaged, struct vt_error *error);
VT_API void vt_view_free(struct vt_view *view); /* accepts NULL; nobody may be asking */

/* Computes the positions at all snapshots, the last first, then clusters, then movement. VT_ERROR_INTERRUPTED when the
 * flag (may be NULL) is raised; *damaged as above. O(snapshots x words x dim), and words x 10,000 x dim for movement.
 */
VT_API enum vt_status vt_view_prepare(struct vt_view *view, const volatile sig_atomic_t *interrupt, uint64_t *damaged,
                                      struct vt_error *error);

struct vt_view_facts {
  const struct vt_vocab *vocab;
  size_t words;     /* in the vocabulary */
  size_t map_words; /* words 0 .. map_words - 1 are on the map */
  size_t frames;    /* snapshots */
  size_t dim;
  double share[2];     /* of the variance of the pooled snapshots, that the two directions of the map hold */
  double edge;         /* the coordinate, in units of the vectors, that VT_VIEW_EDGE stands for */
  size_t pooled_words; /* what the basis was computed from */
  size_t pooled_frames;
};
VT_API struct vt_view_facts vt_view_facts(const struct vt_view *view);
/* The step of a frame; frame < frames. */
VT_API uint64_t vt_view_step(const struct vt_view *view, size_t frame);

/* How far vt_view_prepare has come. */
struct vt_view_progress {
  size_t positions; /* frames that are there */
  bool clusters;
  size_t movement; /* frames */
};
VT_API struct vt_view_progress vt_view_progress(const struct vt_view *view);

/* [map_words][2] x and y at a frame, the same linear map of the vectors at all frames; NULL while not there. */
VT_API const int16_t *vt_view_positions(const struct vt_view *view, size_t frame);
/* [map_words] how far a word went since the frame before beyond what its neighbours did, |D_w - mean D of its 10
 * neighbours| / |v_w|, as 255 sqrt of it (1 and above: 255). Neighbours are those of the last snapshot among the 10,000
 * most frequent words. 0 at the first frame. NULL while not there. */
VT_API const uint8_t *vt_view_movement(const struct vt_view *view, size_t frame);
/* [map_words] the cluster of each word, VT_VIEW_NO_CLUSTER for a zero vector; NULL while not there. */
VT_API const uint8_t *vt_view_cluster_of(const struct vt_view *view);

struct vt_view_cluster {
  size_t size;
  uint32_t words[VT_VIEW_CLUSTER_WORDS]; /* its most typical frequent words */
  size_t word_count;
  /* By frame: the share of its words that are nearer to its mean direction at that frame than to the mean direction of
   * any other cluster's words, at that frame. */
  const double *together;
  size_t born; /* the first frame from which on more than half of them stay so */
};
/* The clusters of the last snapshot, tracked back; *count is 0 while they are not there. */
VT_API const struct vt_view_cluster *vt_view_clusters(const struct vt_view *view, size_t *count);

/* ---- questions; any word, frame < frames --------------------------------------------------------------------------
 * Cosines are of the stored vectors, in float. VT_ERROR_ARGUMENT: no such word or frame. Costs are for one frame that
 * is in memory; one that is not is read first. */

/* The k words nearest by cosine among all words, best first. O(words x dim). */
VT_API enum vt_status vt_view_neighbors(struct vt_view *view, uint32_t word, size_t frame, size_t k,
                                        struct vt_neighbor *neighbors, size_t *count, struct vt_error *error);

struct vt_view_pair {
  double cosine;
  uint32_t rank_ab, rank_ba; /* of b among the neighbours of a, from 1, and of a among b's; 0 where not asked for */
};
/* O(dim); with ranks O(words x dim). */
VT_API enum vt_status vt_view_pair_at(struct vt_view *view, uint32_t a, uint32_t b, size_t frame, bool ranks,
                                      struct vt_view_pair *pair, struct vt_error *error);

struct vt_view_word {
  double norm;
  double displacement; /* |v(t) - v(0)|, 0 being the first snapshot */
  double speed;        /* |v(t) - v(t')| / (t - t'), t' the snapshot before; NaN at the first */
};
VT_API enum vt_status vt_view_word_at(struct vt_view *view, uint32_t word, size_t frame, struct vt_view_word *story,
                                      struct vt_error *error);

/* Positions at a frame in the plane of two named directions instead of the map's: x along v_axes[1] - v_axes[0] and y
 * along v_axes[3] - v_axes[2], at right angles to x, both of the last snapshot. positions: [map_words][2], edge: as in
 * the facts. VT_ERROR_EMPTY: the four words span no plane. */
VT_API enum vt_status vt_view_plane(struct vt_view *view, const uint32_t axes[4], size_t frame, int16_t *positions,
                                    double *edge, struct vt_error *error);

/* The shares of the variance, as in the facts, that x and y of that plane hold. O(dim^2). VT_ERROR_EMPTY: as above. */
VT_API enum vt_status vt_view_plane_share(struct vt_view *view, const uint32_t axes[4], double share[2],
                                          struct vt_error *error);

/* Positions [map_words][2] on this map of the words of another table, by their spelling; INT16_MIN, INT16_MIN where it
 * has no such word. align: its vectors are turned first onto those at `frame` (orthogonal Procrustes, Schoenemann 1966,
 * over the words that both have; vectors may be of another length); otherwise its coordinates are taken to be those of
 * this run. threads: at least 1. O(words x dim + 10,000 dim^2 + dim^3). */
VT_API enum vt_status vt_view_place(struct vt_view *view, size_t frame, const struct vt_vectors *other, bool align,
                                    int threads, int16_t *positions, struct vt_error *error);

/* Rank of d, from 1, among the answers to "a is to b as c is to ?" (3CosAdd), a, b and c left out. O(words x dim). */
VT_API enum vt_status vt_view_analogy_rank(struct vt_view *view, const uint32_t words[4], size_t frame, uint32_t *rank,
                                           struct vt_error *error);

/* Histograms of a snapshot's table: its numbers, and cosines of pairs drawn evenly (a fixed sample of 20,000). */
#define VT_VIEW_BINS 60
struct vt_view_table {
  double weight_low, weight_high; /* between them lie the bins */
  uint32_t weights[VT_VIEW_BINS];
  uint32_t cosines[VT_VIEW_BINS]; /* from -1 to 1 */
};
/* low and high: the same for the moments that are compared; values beyond are counted at the ends. */
VT_API enum vt_status vt_view_table_at(struct vt_view *view, size_t frame, double low, double high,
                                       struct vt_view_table *table, struct vt_error *error);
/* The vectors of a word at a frame, at length 1, as [dim] floats. */
VT_API enum vt_status vt_view_unit(struct vt_view *view, uint32_t word, size_t frame, float *unit, double *norm,
                                   struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif
