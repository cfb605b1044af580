/* align_step.c */
#include "network/align_step.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "network/preference.h"

static struct vt_align_measures nothing(void) {
  return (struct vt_align_measures){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
}

static double half_if_equal(double margin) { return margin > 0 ? 1 : margin == 0 ? 0.5 : 0; }

static enum vt_status move(struct vt_policy *policy, const struct vt_align_step *step, uint64_t number,
                           struct vt_error *error) {
  if (vt_policy_step(policy, step->rate, step->clip, number)) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_DIVERGED, "use a smaller learning rate (--lr)",
                      "training diverged at step %" PRIu64 ": the gradient or its step is no longer finite", number);
}

enum vt_status vt_dpo_step(struct vt_policy *policy, const struct vt_answer *answers, size_t pairs,
                           const double *reference, const double *shares, const struct vt_align_step *step,
                           struct vt_align_measures *measures, struct vt_error *error) {
  double *own = vt_alloc(4 * pairs, sizeof *own);
  if (own == NULL) return VT_FAIL_MEMORY(error, 4 * pairs * sizeof *own);
  double *slopes = own + 2 * pairs;
  struct vt_align_measures sums = {0};
  vt_policy_clear(policy);
  vt_policy_score(policy, answers, 2 * pairs, false, own);
  for (size_t k = 0; k < pairs; k++) {
    const struct vt_dpo_pair pair = {own[k], own[pairs + k], reference[k], reference[pairs + k]};
    const double share = (shares == NULL ? 1 : shares[k]) / (double)pairs;
    double slope;
    sums.loss += share * vt_dpo_loss(&pair, step->beta, &slope);
    slopes[k] = share * slope;
    slopes[pairs + k] = -share * slope;
    sums.margin += vt_dpo_margin(&pair, step->beta) / (double)pairs;
    sums.accuracy += half_if_equal(vt_dpo_margin(&pair, step->beta)) / (double)pairs;
    sums.chosen += pair.chosen / (double)pairs;
    sums.rejected += pair.rejected / (double)pairs;
  }
  vt_policy_add(policy, slopes);
  vt_free(own);
  *measures = nothing();
  measures->loss = sums.loss;
  measures->margin = sums.margin;
  measures->accuracy = sums.accuracy;
  measures->chosen = sums.chosen;
  measures->rejected = sums.rejected;
  return move(policy, step, step->number, error);
}

enum vt_status vt_reward_step(struct vt_policy *policy, const struct vt_answer *answers, size_t pairs,
                              const struct vt_align_step *step, struct vt_align_measures *measures,
                              struct vt_error *error) {
  double *rewards = vt_alloc(4 * pairs, sizeof *rewards);
  if (rewards == NULL) return VT_FAIL_MEMORY(error, 4 * pairs * sizeof *rewards);
  double *slopes = rewards + 2 * pairs;
  struct vt_align_measures sums = {0};
  vt_policy_clear(policy);
  vt_policy_rewards(policy, answers, 2 * pairs, rewards);
  for (size_t k = 0; k < pairs; k++) {
    double slope;
    sums.loss += vt_reward_loss(rewards[k], rewards[pairs + k], &slope) / (double)pairs;
    slopes[k] = slope / (double)pairs;
    slopes[pairs + k] = -slope / (double)pairs;
    sums.margin += (rewards[k] - rewards[pairs + k]) / (double)pairs;
    sums.accuracy += half_if_equal(rewards[k] - rewards[pairs + k]) / (double)pairs;
  }
  vt_policy_add_rewards(policy, slopes);
  vt_free(rewards);
  *measures = nothing();
  measures->loss = sums.loss;
  measures->margin = sums.margin;
  measures->accuracy = sums.accuracy;
  return move(policy, step, step->number, error);
}

/* What an answer is worth more than the others of its group (Kool et al. 2019: leave one out). */
static void find_advantages(const double *worths, size_t count, size_t group, double *advantages) {
  for (size_t first = 0; first + group <= count; first += group) {
    double sum = 0;
    for (size_t k = 0; k < group; k++) sum += worths[first + k];
    for (size_t k = 0; k < group; k++)
      advantages[first + k] = worths[first + k] - (sum - worths[first + k]) / (double)(group - 1);
  }
}

struct ppo {
  double *before, *now, *reference, *advantages, *slopes; /* [count] */
  double *memory;
};

static enum vt_status ppo_room(struct ppo *ppo, size_t count, struct vt_error *error) {
  ppo->memory = vt_alloc_zero(5 * count, sizeof *ppo->memory);
  if (ppo->memory == NULL) return VT_FAIL_MEMORY(error, 5 * count * sizeof *ppo->memory);
  ppo->before = ppo->memory;
  ppo->now = ppo->memory + count;
  ppo->reference = ppo->memory + 2 * count;
  ppo->advantages = ppo->memory + 3 * count;
  ppo->slopes = ppo->memory + 4 * count;
  return VT_OK;
}

static enum vt_status inner_steps(struct vt_policy *policy, const struct vt_answer *answers, size_t count,
                                  const struct vt_align_step *step, struct ppo *ppo, struct vt_align_measures *measures,
                                  struct vt_error *error) {
  for (uint32_t inner = 0; inner < step->inner; inner++) {
    double loss = 0, clipped = 0;
    vt_policy_clear(policy);
    vt_policy_score(policy, answers, count, false, ppo->now);
    for (size_t k = 0; k < count; k++) {
      loss +=
          vt_ppo_loss(ppo->now[k], ppo->before[k], ppo->advantages[k], step->epsilon, &ppo->slopes[k]) / (double)count;
      ppo->slopes[k] /= (double)count;
      clipped += (fabs(exp(ppo->now[k] - ppo->before[k]) - 1) > step->epsilon ? 1 : 0) / (double)count;
    }
    vt_policy_add(policy, ppo->slopes);
    if (inner == 0) measures->loss = loss;
    measures->clipped = clipped;
    VT_TRY(move(policy, step, step->number + inner, error));
  }
  return VT_OK;
}

enum vt_status vt_ppo_step(struct vt_policy *policy, const struct vt_answer *answers, size_t count, size_t group,
                           const double *rewards, const struct vt_align_step *step, struct vt_align_measures *measures,
                           struct vt_error *error) {
  struct ppo ppo;
  VT_TRY(ppo_room(&ppo, count, error));
  *measures = nothing();
  measures->reward = measures->penalty = 0;
  vt_policy_score(policy, answers, count, true, ppo.reference);
  vt_policy_score(policy, answers, count, false, ppo.before);
  for (size_t k = 0; k < count; k++) {
    const double penalty = ppo.before[k] - ppo.reference[k];
    ppo.slopes[k] = rewards[k] - step->beta * penalty;
    measures->reward += rewards[k] / (double)count;
    measures->penalty += penalty / (double)count;
  }
  find_advantages(ppo.slopes, count, group, ppo.advantages);
  enum vt_status status = inner_steps(policy, answers, count, step, &ppo, measures, error);
  vt_free(ppo.memory);
  return status;
}
