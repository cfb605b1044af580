/*
 * preference.h: what is learnt from preferences between two answers: three losses, and their slopes, in double.
 *
 *   reward  - log sigma(r_w - r_l)                                         Bradley and Terry 1952; Ouyang et al. 2022
 *   dpo     - log sigma(beta [log pi/pi_ref (y_w) - log pi/pi_ref (y_l)])  Rafailov et al. 2023, equation 7
 *   ppo     - min(rho A, clip(rho, 1 - eps, 1 + eps) A)                    Schulman et al. 2017, equation 7
 *
 * where w is the answer that was chosen, l the one rejected, and rho = pi(y) / pi_old(y) for the whole answer.
 */
#ifndef VECTRAIL_NETWORK_PREFERENCE_H
#define VECTRAIL_NETWORK_PREFERENCE_H

/* *slope: by r_w; by r_l it is the opposite. */
double vt_reward_loss(double chosen, double rejected, double *slope);

struct vt_dpo_pair {
  double chosen, rejected; /* log pi */
  double reference_chosen, reference_rejected;
};
/* beta [log pi/pi_ref (y_w) - log pi/pi_ref (y_l)]: above 0 where the pair is told apart as it was. */
double vt_dpo_margin(const struct vt_dpo_pair *pair, double beta);
/* *slope: by log pi(y_w); by log pi(y_l) it is the opposite. */
double vt_dpo_loss(const struct vt_dpo_pair *pair, double beta, double *slope);

/* *slope: by log pi(y) = now. before: log pi_old(y). */
double vt_ppo_loss(double now, double before, double advantage, double epsilon, double *slope);

#endif
