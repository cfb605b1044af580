/* preference.c */
#include "network/preference.h"

#include <math.h>

/* - log sigma(x), and by x. */
static double logistic_loss(double x, double *slope) {
  *slope = -1 / (1 + exp(x));
  return x > 0 ? log1p(exp(-x)) : log1p(exp(x)) - x;
}

double vt_reward_loss(double chosen, double rejected, double *slope) { return logistic_loss(chosen - rejected, slope); }

double vt_dpo_margin(const struct vt_dpo_pair *pair, double beta) {
  return beta * ((pair->chosen - pair->reference_chosen) - (pair->rejected - pair->reference_rejected));
}

double vt_dpo_loss(const struct vt_dpo_pair *pair, double beta, double *slope) {
  double loss = logistic_loss(vt_dpo_margin(pair, beta), slope);
  *slope *= beta;
  return loss;
}

double vt_ppo_loss(double now, double before, double advantage, double epsilon, double *slope) {
  const double ratio = exp(fmin(now - before, 40)); /* finite, and beyond any clip */
  const double low = 1 - epsilon, high = 1 + epsilon, clipped = ratio < low ? low : ratio > high ? high : ratio;
  const double free = ratio * advantage, bound = clipped * advantage;
  *slope = free <= bound ? -free : 0;
  return -fmin(free, bound);
}
