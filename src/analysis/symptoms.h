/*
 * symptoms.h: the numbers that a diagnosis rests on. NaN where a run does not tell.
 */
#ifndef VECTRAIL_ANALYSIS_SYMPTOMS_H
#define VECTRAIL_ANALYSIS_SYMPTOMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vectrail/measure.h"

#define VT_SYMPTOM_FREQUENT                                                                                            \
  2000 /* words that cosines and ranks are taken of: rare ones share a direction of their own */

struct vt_symptoms {
  /* What was trained. */
  size_t words, dim;
  double lr, lr_last; /* at the start, at the last recorded step */
  bool falling_rate;
  bool finished;
  const char *diverged; /* the event's text, borrowed from the run, or NULL */
  uint64_t diverged_step;
  bool from_run;        /* its vectors began as another run's, not at random */
  size_t snapshots_bad; /* at the end, that hold NaN or infinities */
  /* The loss on the probe, and on what is held out. */
  double loss_first, loss_last, loss_least;
  uint64_t loss_least_step, loss_last_step;
  bool loss_bad;        /* a value is not finite */
  double loss_fall_mid; /* relative, from 30..50% of the run to 50..70% */
  double held_out_least, held_out_last;
  uint64_t held_out_least_step, held_out_last_step;
  struct vt_convergence convergence;
  /* Of the texts that a contrastive training tells apart (network/contrastive.h). */
  double uniformity_first, uniformity_last, text_rank;
  double capped; /* mean over the steps from a quarter to three quarters of the run */
  /* Of the frequent words, at the last sound snapshot, and over time. */
  uint64_t step_last;
  size_t frequent;
  double norm_last, norm_growth; /* growth: over the last quarter of the snapshots */
  double turn;                   /* mean over the second half of the snapshots */
  double cosine_last, rank_last, centred_rank_last;
  double rank_most; /* since a third of the run; of the rank that is not centred */
  /* Of all words. */
  size_t unmoved, unmoved_frequent; /* nearer to their start than its length; those among the first half of the ranks */
  uint64_t unmoved_count;           /* the largest count among them */
  double frequency_share;           /* of the variance of directions that lies between frequency bands */
  double chance_neighbor;           /* cosine of the tenth neighbour among random directions */
};

enum vt_status vt_symptoms_gather(struct vt_run *run, int threads, struct vt_symptoms *symptoms,
                                  struct vt_error *error);

#endif
