/*
 * vectrail/theory.h: a run held against what theory says of it.
 *
 * The quadratic word embedding model has a closed form (Karkada et al. 2025, arXiv 2502.09863). With M_ij = 2 (P_ij -
 * P_i P_j) / (P_ij + P_i P_j), lambda_k and u_k its eigenvalues and vectors, largest first, and a small random start,
 * the table W grows one direction after another,
 *
 *   s_k^2(tau) = lambda_k e^(lambda_k tau) / (e^(lambda_k tau) - 1 + lambda_k / s_k(0)^2),   s_k(0)^2 = |u_k' W(0)|^2
 *
 * where s_k are W's singular values and tau = sum of 4 eta_t / |M|_F^2 over the steps so far (eta_t the rate). It is
 * half grown at tau = ln(lambda_k / s_k(0)^2 - 1) / lambda_k, ends at W W' = sum of lambda_k u_k u_k' over the d
 * largest, and plain descent is stable while eta < |M|_F^2 / 2 x the smaller of 1 / lambda_1 and 2 / |lambda_n| for the
 * most negative eigenvalue. A penalty l2 takes l2 |M|_F^2 from each lambda_k.
 */
#ifndef VECTRAIL_THEORY_H
#define VECTRAIL_THEORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/run.h"
#include "vectrail/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Matrices of association; src/analysis/association.h has the formulas. */
enum vt_association_kind { VT_ASSOCIATION_QUADRATIC, VT_ASSOCIATION_PMI, VT_ASSOCIATION_PPMI };

struct vt_theory_options {
  const char *const *corpus; /* the run's text, where its own files are no longer where they were */
  size_t corpus_count;
  /* In place of the text, a database of its counts (vt_cooccur_load) with linear weights on both sides, the run's
   * window and its subsampling, none for full batches of the exact softmax [NULL] */
  const char *counts;
  size_t modes;         /* directions that are followed, at most the dimension [10] */
  size_t points;        /* snapshots at which the factorisation is measured, the last included; 0: none [4] */
  const char *analogy;  /* questions in word2vec's format, whose sections are looked at; NULL: none */
  size_t restrict_rows; /* answer them among so many most frequent words; 0: all [30000] */
  int threads;          /* at least 1; changes no result [the processors this process may use] */
};
VT_API void vt_theory_options_init(struct vt_theory_options *options);

/* One direction. Steps are fractions; NaN: not reached in the run, or not known. */
struct vt_theory_mode {
  double eigenvalue;                    /* lambda_k, less what a penalty takes */
  double start;                         /* s_k(0)^2 */
  double rise_predicted, rise_measured; /* the step at which s_k^2 is lambda_k / 2 */
  double end_predicted, end_measured;   /* s_k^2 at the last snapshot */
};

/* Levy and Goldberg 2014: at the optimum of skip-gram with negative sampling v_w.u_c = x*_wc = log(p / q), with p how
 * often the pair is expected to be drawn and q how often as noise. Weights are p q / (p + q), the curvature of the loss
 * there. */
struct vt_factorisation_band {
  uint64_t low;   /* the rarer word of the pair occurs at least so often, and less than ten times that; last: or more */
  uint64_t pairs; /* that meet */
  double slope;   /* of v_w.u_c on x*, weighted; NaN where there are too few */
  double r2;      /* of that fit */
  double deviation; /* weighted root mean square of v_w.u_c - x* */
};
#define VT_FACTORISATION_BANDS 4
struct vt_factorisation {
  uint64_t step;
  struct vt_factorisation_band all;
  struct vt_factorisation_band bands[VT_FACTORISATION_BANDS]; /* from 1, 100, 1,000, 10,000 */
  double objective, optimum;                                  /* mean loss per pair drawn, nats, over pairs that meet */
  /* Pairs that never meet have x* = minus infinity and never settle. */
  uint64_t unseen;
  double unseen_loss;  /* their part of the mean loss, whose optimum is 0 */
  double unseen_score; /* mean v_w.u_c, weighted by q */
};

/* v_b - v_a over the pairs of a section ("man woman", "king queen"). If they had nothing in common the eigenvalues of
 * their products would lie below the edge of Marchenko and Pastur; signal is how far the largest is above it. */
struct vt_task {
  char *section;
  size_t pairs;
  /* One for each of points_count snapshots. */
  double *signal;   /* largest squared singular value of the pairs' differences over the edge */
  double *share;    /* of their squared lengths that lies along their mean */
  double *accuracy; /* share of the section's questions answered rightly; NaN where none is covered */
  /* At the last snapshot: the squared singular values of the differences over the edge, falling; `pairs` of them. */
  double *eigenvalues;
};

struct vt_theory {
  bool exact;    /* the quadratic model in full batches: the closed form is about this very run */
  bool has_time; /* the model is quadratic, so tau is known */
  size_t words, dim;
  uint64_t meeting_pairs; /* of words, of words^2 */
  double mean_square;     /* |M|_F^2 / words^2 */
  double lr, lr_edge;     /* largest rate of the run; at which it would become unstable; NaN without time */
  struct vt_theory_mode *modes;
  size_t mode_count;
  size_t overlap_modes; /* 5, or the dimension where that is less */
  double overlap;       /* (1 / 5) |U_5' V_5|_F^2 at the last snapshot, U_5 the run's leading directions, V_5 M's */
  double rise_error;    /* median of |measured - predicted| / predicted over the modes where both are known */
  double
      plateau_error; /* largest |s_k^2 - lambda_k| / lambda_k over the modes that should have settled to 1 in 1,000 */
  size_t plateau_modes; /* how many those are */
  size_t snapshot_count;
  uint64_t *steps;   /* of the snapshots */
  double *tau;       /* NaN without time */
  double *measured;  /* snapshots x modes: s_k^2 */
  double *predicted; /* likewise; NaN without time */
  struct vt_factorisation *factorisation;
  size_t factorisation_count; /* 0: none; why is said in factorisation_missing */
  char factorisation_missing[200];
  struct vt_task *tasks;
  size_t task_count;
};

/* Reads the run's text again. Errors: those of reading it; VT_ERROR_UNSUPPORTED: not a run that was trained on text;
 * VT_ERROR_EMPTY: it has no snapshot. Free with vt_theory_release. */
VT_API enum vt_status vt_theory_run(struct vt_run *run, const struct vt_theory_options *options,
                                    struct vt_theory *theory, struct vt_error *error);
VT_API void vt_theory_release(struct vt_theory *theory); /* accepts an all-zero one */

/* s_k^2 at a time, by the closed form above; without overflow. */
VT_API double vt_theory_curve(double eigenvalue, double start, double tau);

enum vt_theory_drawing {
  VT_DRAW_DIRECTIONS, /* measured singular values and the predicted curves */
  VT_DRAW_SCORES,     /* slope and R^2 of scores on their optimum over the run, by band */
  VT_DRAW_SECTIONS,   /* signal of each section of the analogies over the run */
  VT_DRAW_SPECTRUM    /* eigenvalues of the section with the largest signal beside those of chance */
};
/* One SVG picture. VT_ERROR_IO; VT_ERROR_EMPTY: the theory holds no scores, or no section, to draw. */
VT_API enum vt_status vt_theory_picture(const struct vt_theory *theory, enum vt_theory_drawing drawing,
                                        const char *path, struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif
