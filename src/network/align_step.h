/*
 * align_step.h: one step of a policy (policy.h) by each of the losses of preference.h.
 */
#ifndef VECTRAIL_NETWORK_ALIGN_STEP_H
#define VECTRAIL_NETWORK_ALIGN_STEP_H

#include "network/policy.h"

struct vt_align_step {
  double rate, clip;
  uint64_t number; /* of the step, from 1 */
  double beta;     /* dpo, ppo */
  double epsilon;  /* ppo: how far rho may go from 1 */
  uint32_t inner;  /* ppo: steps on the same answers */
};

/* Means over the batch, as they were before the step; what a method does not have is NaN. */
struct vt_align_measures {
  double loss;
  double accuracy;         /* share of pairs in which the chosen answer is worth more; equal ones count a half */
  double margin;           /* dpo: beta [...]; reward: r_w - r_l */
  double chosen, rejected; /* dpo: log pi of the answers */
  double reward;           /* ppo: r(y), without the penalty */
  double penalty;          /* ppo: log pi/pi_ref (y) */
  double clipped;          /* ppo: share of answers whose rho is outside, in the last inner step */
};

/* answers[2 pairs]: those that were chosen, then those rejected in the same order; 2 pairs <= answers_max.
 * reference[2 pairs]: log pi_ref of each. shares[pairs]: how much each pair counts; NULL: 1. The loss is the mean over
 * the pairs of share times loss. VT_ERROR_DIVERGED: the gradient, or what would come of it, is not finite. */
enum vt_status vt_dpo_step(struct vt_policy *policy, const struct vt_answer *answers, size_t pairs,
                           const double *reference, const double *shares, const struct vt_align_step *step,
                           struct vt_align_measures *measures, struct vt_error *error);
enum vt_status vt_reward_step(struct vt_policy *policy, const struct vt_answer *answers, size_t pairs,
                              const struct vt_align_step *step, struct vt_align_measures *measures,
                              struct vt_error *error);
/* answers[count]: drawn from the policy as it is, `group` (at least 2) of each prompt one behind the other;
 * rewards[count]. The advantage of an answer is r - beta log pi/pi_ref less the mean of that over the others of its
 * group. One step of the optimiser for each of `inner`; number is that of the first. */
enum vt_status vt_ppo_step(struct vt_policy *policy, const struct vt_answer *answers, size_t count, size_t group,
                           const double *rewards, const struct vt_align_step *step, struct vt_align_measures *measures,
                           struct vt_error *error);

#endif
