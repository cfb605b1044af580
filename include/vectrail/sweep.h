/*
 * vectrail/sweep.h: which dimension, which penalty, which rate: a grid of trainings, measured where it counts.
 *
 * The sentences of the text are dealt into two parts to train on, A and B, two to measure on, C and D, and one to
 * choose pairs by, E. For pairs w, c that meet often enough in E, y is what theory has the score be (vectrail/theory.h,
 * struct vt_factorisation: log(p / q), by the counts of C or of D), and f = v_w.u_c what a training on A or on B made
 * of it; where it was not run to its end scores are shrunk, so f is slope v_w.u_c + offset, by least squares over all
 * that a point has (with `spectral`: as it is). Means over the pairs, and over the seeds s, t:
 *
 *   error     mean of (y - f)^2 over {y_C, y_D} x {f_A, f_B}
 *   noise     (y_C - y_D)^2 / 2
 *   variance  (f_As - f_Bt)^2 / 2, another text and another seed; of it by the seed alone: (f_As - f_At)^2 / 2, s and t
 * apart bias^2    ((y_C - f_As) (y_D - f_Bt) + (y_D - f_As) (y_C - f_Bt)) / 2
 *
 * The factors of the bias have no text in common, so its mean is that of (E y - E f)^2; the three add up to the error.
 */
#ifndef VECTRAIL_SWEEP_H
#define VECTRAIL_SWEEP_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/corpus.h"
#include "vectrail/status.h"
#include "vectrail/train.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VT_SWEEP_VALUES_MAX 64

struct vt_sweep_request {
  const char *const *inputs;
  size_t input_count;
  const char *folder; /* to make, its parent must exist: the runs, as d100-a-seed1, sweep.json is the caller's */
  bool force;
  struct vt_corpus_options corpus;
  /* What is not swept. Skip-gram with negative sampling; with `spectral`, window and sample alone are used. */
  struct vt_train_options train;
  bool spectral; /* instead of training: the d largest eigenvalues of the matrix of the quadratic model, y being its
                    entries */
  uint32_t dims[VT_SWEEP_VALUES_MAX]; /* rising */
  size_t dim_count;
  /* Tried at the recommended dimension; the first of each is what dimensions are tried at. None: train's own. */
  double l2s[VT_SWEEP_VALUES_MAX], lrs[VT_SWEEP_VALUES_MAX];
  size_t l2_count, lr_count;
  uint32_t seeds; /* [2] */
  size_t pairs;   /* that are measured on, at most [20000] */
  double least;   /* a pair is expected to meet so often in E, at least [3] */
  /* A dimension whose error, less the noise, is by this share larger than the least is hopeless [0.1]; 0: none is. */
  double patience;
  /* Trainings of dimensions after the first of each are made, the best ones first, as long as all of them together take
   * no more than this share of what every half, seed and dimension would take [0.5], a training being reckoned as dim +
   * 75. The best is tried on both halves in any case. */
  double budget;
  int threads;
  void (*told)(void *context, const char *what); /* before each training; may be NULL */
  void *context;
  const volatile sig_atomic_t *interrupt;
};
VT_API void vt_sweep_request_init(struct vt_sweep_request *request);

#define VT_SWEEP_GROUPS 16 /* of pairs, to tell what is chance */

/* Of a penalty or a rate: no worse than the best, within two standard errors; below it; above it. */
enum vt_sweep_verdict { VT_SWEEP_GOOD, VT_SWEEP_TOO_LOW, VT_SWEEP_TOO_HIGH, VT_SWEEP_DIVERGED };

struct vt_sweep_point {
  char name[80]; /* what its runs' folders begin with */
  uint32_t dim;
  double l2, lr;
  uint32_t runs; /* 0: never tried, for two smaller ones were hopeless; 1: the error alone is known */
  bool hopeless; /* after the first training */
  bool diverged;
  double slope;                                       /* of the line by which scores are read; 1 with spectral */
  double error, bias, variance, noise, seed_variance; /* NaN where not known; bias is bias^2 */
  double first_error;                                 /* of the first run */
  double groups[VT_SWEEP_GROUPS];                     /* error by group of pairs */
  double first_groups[VT_SWEEP_GROUPS];               /* likewise, of the first run */
  double norm;                   /* mean length of a vector at the end of the last training; NaN with spectral */
  double held_out;               /* its mean loss on sentences of its own part that it does not train on; likewise */
  double seconds;                /* of its trainings */
  enum vt_sweep_verdict verdict; /* of penalties and rates */
};

struct vt_sweep {
  struct vt_sweep_point *dims, *l2s, *lrs;
  size_t dim_count, l2_count, lr_count;
  size_t pairs; /* measured on */
  uint64_t words, tokens;
  size_t best;                /* of dims: the least error */
  uint32_t dim_low, dim_high; /* those whose error cannot be told from the best's: within two standard errors */
  /* Where the parabola in log d through the best and its neighbours is least, and two standard errors about it (over
   * groups of pairs), within the neighbours; NaN where the best is at an end of those tried. */
  double vertex, vertex_low, vertex_high;
  size_t best_l2, best_lr;
  double seconds, seconds_all; /* spent on dimensions; what all seeds of all would have taken */
  char why[480];               /* sentences */
};

/* VT_ERROR_EMPTY: too few pairs meet in both parts that are measured on. Others: those of vt_train. Free with
 * vt_sweep_release. The result depends on the text and the request, not on threads, but for the seconds. */
VT_API enum vt_status vt_sweep(const struct vt_sweep_request *request, struct vt_sweep *sweep, struct vt_error *error);
VT_API void vt_sweep_release(struct vt_sweep *sweep); /* accepts an all-zero one */

/* One page without outside parts: tables and pictures. */
VT_API enum vt_status vt_sweep_report(const struct vt_sweep *sweep, const char *path, struct vt_error *error);
/* The picture of the dimensions alone: error, bias^2, variance and noise, SVG. */
VT_API enum vt_status vt_sweep_picture(const struct vt_sweep *sweep, const char *path, struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif
