/*
 * vectrail/measure.h: what a run's snapshots say about how its vectors moved (docs/metrics.md has every formula).
 *
 * Everything is computed from the stored snapshots, each of which is held against its checksum. The results depend on
 * the run and the options alone, not on the number of threads. NaN stands where a measure is not defined (a speed at
 * the first snapshot, say).
 */
#ifndef VECTRAIL_MEASURE_H
#define VECTRAIL_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/run.h"
#include "vectrail/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Questions, to be added up in struct vt_measure_options. */
enum vt_measure_group {
  VT_MEASURE_MOTION = 1,    /* displacement, path, speed, turns */
  VT_MEASURE_PAIRS = 2,     /* cosines of random, watched, co-occurring pairs; alignment, uniformity */
  VT_MEASURE_NEIGHBORS = 4, /* overlap of neighbourhoods, drift apart from them */
  VT_MEASURE_CLUSTERS = 8,  /* silhouette, agreement with the final clusters */
  VT_MEASURE_SHAPE = 16,    /* norms, mean vector, singular values */
  VT_MEASURE_ALL = 31
};

struct vt_measure_pair {
  uint32_t a, b; /* word ids */
};

struct vt_measure_options {
  unsigned groups;       /* [all] */
  size_t sample_words;   /* words that means are taken over, spread evenly over the ranks; 0: all [1000] */
  size_t sample_among;   /* take them from so many most frequent words; 0: from all [0] */
  size_t neighbor_words; /* words in each frequency band whose neighbours are looked for; 0: all [25] */
  size_t among;          /* neighbours are looked for among so many most frequent words; 0: all [10000] */
  size_t clusters;       /* at least 2 [20] */
  /* Pairs whose cosine is followed, besides those that the run was told to watch. */
  const struct vt_measure_pair *pairs;
  size_t pair_count;
  /* Reads the text again for pairs that meet often, and frequent ones that never meet: from the files that the run
   * was trained on, or from these. Where it cannot be read, or is another text than the run's, the result says so in
   * its notes and these measures are left out. [false] */
  bool cooccurrence;
  const char *const *corpus;
  size_t corpus_count;
  int threads; /* at least 1; changes no result [the processors this process may use] */
};

VT_API void vt_measure_options_init(struct vt_measure_options *options);

struct vt_measure_series {
  char *name;
  const char *text; /* one line of explanation, static */
  double *values;   /* one for each snapshot */
};

struct vt_measures {
  size_t count;    /* snapshots */
  uint64_t *steps; /* of each */
  size_t series_count;
  struct vt_measure_series *series;
  size_t dim;
  double
      *singular_values; /* count x dim, falling; of the sample's vectors over sqrt(words); NULL where not asked for */
  /* What was looked at. */
  size_t words;          /* in the vocabulary */
  size_t sample_words;   /* 0 where no question needed a sample */
  size_t neighbor_words; /* in all bands together; 0 likewise */
  size_t among;
  size_t clusters;
  size_t note_count; /* what could not be measured, and why: sentences */
  char **notes;
};

/* Measures a whole run. VT_ERROR_EMPTY: it has no snapshot yet; VT_ERROR_CORRUPT and VT_ERROR_NOT_FOUND: a snapshot is
 * not what was recorded, or missing, and the message names its file. Free with vt_measures_release. Memory: five to
 * ten tables of the words that are looked at. Time: reading all snapshots, then about
 * snapshots x (neighbor words x among + sample x clusters x 60) products of vectors, shared out over the threads. */
VT_API enum vt_status vt_measure_run(struct vt_run *run, const struct vt_measure_options *options,
                                     struct vt_measures *measures, struct vt_error *error);
/* The story of one word: its motion, norm, neighbours (among options->among) and pairs that hold it. Only `among`,
 * `pairs` and `threads` of the options are used. */
VT_API enum vt_status vt_measure_word(struct vt_run *run, uint32_t word, const struct vt_measure_options *options,
                                      struct vt_measures *measures, struct vt_error *error);
/* Accepts an all-zero one. */
VT_API void vt_measures_release(struct vt_measures *measures);
/* NULL when there is no series of that name. */
VT_API const struct vt_measure_series *vt_measures_find(const struct vt_measures *measures, const char *name);

/*
 * Whether a training converged, by a rule over measurements it took at equal distances (docs/metrics.md): the loss on
 * the probe and its gradient, how far words went, and which neighbours they kept. Each of the four is compared between
 * the last ten measurements and the ten before.
 */
struct vt_convergence {
  bool known;     /* false: the run has no such measurements, and nothing below is set */
  bool converged; /* the rule held at some measurement */
  uint64_t step;  /* the first at which it did; 0 where it never did */
  /* At the last measurement. The changes are set once there are 21 measurements. */
  uint64_t last_step;
  size_t measurements;
  double loss_change;         /* relative, from window to window */
  double gradient_change;     /* relative */
  double update_ratio;        /* mean over the window */
  double update_ratio_change; /* relative */
  double overlap;             /* mean over the window */
  double overlap_change;      /* difference */
  bool begun;                 /* the loss has fallen by more than 1% since the start */
  bool loss_level, gradient_level, speed_level, neighbors_level;
  bool at_rest; /* words and neighbours hardly move at all, rather than as much as before */
};
/* Applies the rule to a run, also one that is still being written. O(measurements). */
VT_API enum vt_status vt_run_convergence(struct vt_run *run, struct vt_convergence *verdict, struct vt_error *error);

/* Draws a metric that runs recorded, a curve for each, as one SVG picture; on a logarithmic axis where the largest
 * value is more than a hundred times the least, which is above 0. VT_ERROR_EMPTY: a run has recorded none of that name;
 * the errors of opening runs; VT_ERROR_IO. */
VT_API enum vt_status vt_metric_picture(const char *const *runs, size_t count, const char *metric, const char *path,
                                        struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif
