/* sweep_internal.h: the text of a sweep, and what is measured on it. */
#ifndef VECTRAIL_ANALYSIS_SWEEP_INTERNAL_H
#define VECTRAIL_ANALYSIS_SWEEP_INTERNAL_H

#include "analysis/shares.h"
#include "base/pool.h"
#include "text/meetings.h"
#include "vectrail/sweep.h"

/* To train on, A and B; to measure on, C and D; to choose pairs by, E. */
enum { VT_SWEEP_A, VT_SWEEP_B, VT_SWEEP_C, VT_SWEEP_D, VT_SWEEP_E, VT_SWEEP_PARTS };

/* The pairs that are measured on, and what they should score. */
struct vt_sweep_targets {
  size_t count;
  uint32_t *w, *c;
  double *y[2]; /* by C, by D */
};

struct vt_sweep_text {
  struct vt_vocab *vocab;
  struct vt_corpus *corpus;
  struct vt_shares shares;
  double *keep; /* NULL: no subsampling */
  struct vt_sweep_targets targets;
};

enum vt_status vt_sweep_text_open(const struct vt_sweep_request *request, struct vt_sweep_text *text,
                                  struct vt_error *error);
void vt_sweep_text_release(struct vt_sweep_text *text);
enum vt_status vt_sweep_text_count(const struct vt_sweep_request *request, const struct vt_sweep_text *text,
                                   size_t part, struct vt_meetings *meetings, struct vt_error *error);
/* Writes part A or B as text whose words stand between blanks. */
enum vt_status vt_sweep_text_write(const struct vt_sweep_text *text, size_t part, const char *path,
                                   struct vt_error *error);

/* What replicates say of the pairs: f[half][seed] points at targets.count scores; seeds[half] of them are there. Fills
 * error, bias, variance, noise, seed_variance, slope and groups of a point; where one half alone is there, the error
 * alone. calibrated: of slope f + offset, the straight line that fits best. */
void vt_sweep_measure(const struct vt_sweep_targets *targets, double *const *const f[2], const uint32_t seeds[2],
                      bool calibrated, struct vt_sweep_point *point);

/* ---- trainings --------------------------------------------------------------------------------------------------- */

#define VT_SWEEP_SEEDS_MAX 16

struct vt_sweep_scores {
  double *f[2][VT_SWEEP_SEEDS_MAX]; /* [half][seed]: of targets.count pairs; NULL: not tried */
  uint32_t seeds[2];
};
void vt_sweep_scores_release(struct vt_sweep_scores *scores);

struct vt_sweep_state {
  const struct vt_sweep_request *request;
  struct vt_sweep *result;
  struct vt_sweep_text text;
  char *texts[2];                                             /* of A and B, in the folder */
  struct vt_sweep_scores scores[VT_SWEEP_VALUES_MAX], others; /* of the dimensions; of a penalty or a rate */
  /* Spectral: all eigenvalues that are asked for, of A and of B. */
  double *values[2], *vectors[2];
  size_t count;
};

/* One training of a point on a half with a seed (the first: 0), seeds in order, half A first; and what all of its
 * trainings so far say. One that diverges is marked, and is no error of the sweep. */
enum vt_status vt_sweep_run(struct vt_sweep_state *sweep, struct vt_sweep_point *point, struct vt_sweep_scores *scores,
                            int half, uint32_t seed, struct vt_error *error);

#endif
