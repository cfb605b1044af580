/*
 * policy.h: a Transformer whose answers are trained on what they are worth, beside the reference that it began as.
 *
 * An answer is a sequence of tokens of which the first few, at least one, are the prompt; log pi is the sum over the
 * others of log P(token | all before). Answers of different lengths go through in one batch, padded behind: nothing
 * looks ahead. All sums are formed in one order, so the same bits come out at any number of threads.
 */
#ifndef VECTRAIL_NETWORK_POLICY_H
#define VECTRAIL_NETWORK_POLICY_H

#include <stdbool.h>

#include "network/net.h"
#include "network/update.h"

struct vt_answer {
  const uint32_t *tokens;
  uint32_t prompt, count; /* tokens of the prompt, and in all */
};

struct vt_policy {
  const struct vt_net_layout *layout;
  const struct vt_dense *ops;
  struct vt_net_net *net;
  float *values;    /* borrowed; they move */
  float *reference; /* as they were */
  float *gradients;
  struct vt_update update;
  size_t answers_max, length_max;
  /* Of the batch that passed last: */
  size_t answers, length;
  uint32_t *tokens, *targets; /* [answers][length] */
  size_t *ends;               /* the row of each answer's last token */
  float *weights;
  double *losses; /* by row: - log P(target) */
  /* A value read off the last token's row, for reward models: */
  float *head, *head_gradient, *head_moments, *head_squares; /* [dim] */
};

/* values: the layout's parameters. answers_max: in a batch; length_max: of an answer, at most the context. On error
 * nothing is held. Memory: five times the parameters, and the layers of a batch. */
enum vt_status vt_policy_init(struct vt_policy *policy, const struct vt_net_layout *layout, float *values,
                              struct vt_pool *pool, const char *kernel, size_t answers_max, size_t length_max,
                              struct vt_error *error);
/* One that is only asked for rewards: no reference, no gradients, no optimiser. Memory: the layers of a batch. */
enum vt_status vt_policy_init_judge(struct vt_policy *policy, const struct vt_net_layout *layout, float *values,
                                    struct vt_pool *pool, const char *kernel, size_t answers_max, size_t length_max,
                                    struct vt_error *error);
void vt_policy_release(struct vt_policy *policy); /* accepts an all-zero one */

/* log pi of each answer, by the reference or by what it has become; count <= answers_max. */
void vt_policy_score(struct vt_policy *policy, const struct vt_answer *answers, size_t count, bool reference,
                     double *log_probs);
/* head . row of the last token, for each answer. */
void vt_policy_rewards(struct vt_policy *policy, const struct vt_answer *answers, size_t count, double *rewards);

/* A step: clear; then for each batch that was scored (not by the reference) or rewarded, add the gradient, slopes[]
 * being the loss's by log pi, or by the reward, of each answer; then step. */
void vt_policy_clear(struct vt_policy *policy);
void vt_policy_add(struct vt_policy *policy, const double *slopes);
void vt_policy_add_rewards(struct vt_policy *policy, const double *slopes);
/* AdamW without decay; number: from 1. False: the gradient is not finite, or the step left the numbers. */
bool vt_policy_step(struct vt_policy *policy, double rate, double clip, uint64_t number);

/* Writes answers to prompts: tokens[count][length_max], whose first prompts[k].count tokens are the prompt's, and
 * counts[k] in all. An answer ends with the token `end`, after `length` tokens, or where length_max is reached. *kl
 * (may be NULL): the mean over answers of the sum over their places of KL(pi(.|before) | pi_ref(.|before)), nats, of
 * which each place is exact. Drawn from the stream of (seed, key). */
struct vt_policy_draw {
  const struct vt_answer *prompts;
  size_t count;    /* <= answers_max */
  uint32_t length; /* at least 1 */
  uint32_t end;    /* UINT32_MAX: there is none */
  uint64_t seed, key;
};
enum vt_status vt_policy_sample(struct vt_policy *policy, const struct vt_policy_draw *draw, uint32_t *tokens,
                                uint32_t *counts, double *kl, struct vt_error *error);

#endif
