/* policy.c */
#include "network/policy.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

/* ---- making and freeing ------------------------------------------------------------------------------------------ */

/* What passing forward takes. */
static enum vt_status make_net(struct vt_policy *policy, struct vt_pool *pool, bool trained, struct vt_error *error) {
  const struct vt_net_layout *layout = policy->layout;
  const size_t rows = policy->answers_max * policy->length_max, dim = layout->shape.dim;
  VT_TRY(vt_net_create(layout, policy->ops, pool, rows, trained, false, &policy->net, error));
  policy->tokens = vt_alloc_zero(rows, sizeof *policy->tokens);
  policy->targets = vt_alloc_zero(rows, sizeof *policy->targets);
  policy->weights = vt_alloc_zero(rows, sizeof *policy->weights);
  policy->losses = vt_alloc_zero(rows, sizeof *policy->losses);
  policy->ends = vt_alloc_zero(policy->answers_max, sizeof *policy->ends);
  policy->head = vt_alloc_zero(5 * dim, sizeof *policy->head);
  if (policy->tokens == NULL || policy->targets == NULL || policy->weights == NULL || policy->losses == NULL ||
      policy->ends == NULL || policy->head == NULL)
    return VT_FAIL_MEMORY(error, rows * sizeof *policy->losses);
  policy->head_gradient = policy->head + dim;
  policy->head_moments = policy->head + 2 * dim;
  policy->head_squares = policy->head + 3 * dim;
  policy->net->values = policy->values;
  return VT_OK;
}

static enum vt_status make_training(struct vt_policy *policy, struct vt_pool *pool, struct vt_error *error) {
  const size_t floats = policy->layout->floats;
  policy->reference = vt_alloc_aligned(floats, sizeof *policy->reference);
  policy->gradients = vt_alloc_aligned(floats, sizeof *policy->gradients);
  if (policy->reference == NULL || policy->gradients == NULL) return VT_FAIL_MEMORY(error, 2 * floats * sizeof(float));
  memcpy(policy->reference, policy->values, floats * sizeof *policy->values);
  policy->net->gradients = policy->gradients;
  return vt_update_init(&policy->update, policy->layout, policy->ops, pool, VT_OPTIMIZER_ADAMW, policy->values,
                        policy->gradients, error);
}

static enum vt_status init(struct vt_policy *policy, const struct vt_net_layout *layout, float *values,
                           struct vt_pool *pool, const char *kernel, size_t answers_max, size_t length_max,
                           bool trained, struct vt_error *error) {
  *policy = (struct vt_policy){.layout = layout,
                               .ops = vt_dense_choose(kernel),
                               .values = values,
                               .answers_max = answers_max,
                               .length_max = length_max};
  enum vt_status status = make_net(policy, pool, trained, error);
  if (status == VT_OK && trained) status = make_training(policy, pool, error);
  if (status != VT_OK) vt_policy_release(policy);
  return status;
}

enum vt_status vt_policy_init(struct vt_policy *policy, const struct vt_net_layout *layout, float *values,
                              struct vt_pool *pool, const char *kernel, size_t answers_max, size_t length_max,
                              struct vt_error *error) {
  return init(policy, layout, values, pool, kernel, answers_max, length_max, true, error);
}

enum vt_status vt_policy_init_judge(struct vt_policy *policy, const struct vt_net_layout *layout, float *values,
                                    struct vt_pool *pool, const char *kernel, size_t answers_max, size_t length_max,
                                    struct vt_error *error) {
  return init(policy, layout, values, pool, kernel, answers_max, length_max, false, error);
}

void vt_policy_release(struct vt_policy *policy) {
  vt_update_release(&policy->update);
  vt_net_free(policy->net);
  vt_free_aligned(policy->reference);
  vt_free_aligned(policy->gradients);
  vt_free(policy->tokens);
  vt_free(policy->targets);
  vt_free(policy->weights);
  vt_free(policy->losses);
  vt_free(policy->ends);
  vt_free(policy->head);
  *policy = (struct vt_policy){0};
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

/* Lays the answers out and passes them forward. What is padded is token 0, behind everything that counts. */
static void pass(struct vt_policy *policy, const struct vt_answer *answers, size_t count, bool reference) {
  size_t length = 0;
  for (size_t k = 0; k < count; k++)
    if (answers[k].count > length) length = answers[k].count;
  policy->answers = count;
  policy->length = length;
  for (size_t k = 0; k < count; k++) {
    uint32_t *tokens = policy->tokens + k * length, *targets = policy->targets + k * length;
    for (size_t t = 0; t < length; t++) {
      const bool behind = t + 1 < answers[k].count, asked = behind && t + 1 >= answers[k].prompt;
      tokens[t] = t < answers[k].count ? answers[k].tokens[t] : 0;
      targets[t] = asked ? answers[k].tokens[t + 1] : VT_NO_TARGET;
    }
    policy->ends[k] = k * length + answers[k].count - 1;
  }
  policy->net->values = reference ? policy->reference : policy->values;
  vt_net_forward(policy->net, policy->tokens, count, length, false, 0, 0);
}

void vt_policy_score(struct vt_policy *policy, const struct vt_answer *answers, size_t count, bool reference,
                     double *log_probs) {
  pass(policy, answers, count, reference);
  const struct vt_net_loss loss = {.targets = policy->targets, .losses = policy->losses};
  vt_net_loss(policy->net, &loss);
  for (size_t k = 0; k < count; k++) {
    log_probs[k] = 0;
    for (size_t t = 0; t < policy->length; t++) log_probs[k] -= policy->losses[k * policy->length + t];
  }
  policy->net->values = policy->values;
}

void vt_policy_rewards(struct vt_policy *policy, const struct vt_answer *answers, size_t count, double *rewards) {
  const size_t dim = policy->layout->shape.dim;
  pass(policy, answers, count, false);
  for (size_t k = 0; k < count; k++) {
    const float *row = policy->net->final + policy->ends[k] * dim;
    rewards[k] = 0;
    for (size_t i = 0; i < dim; i++) rewards[k] += (double)policy->head[i] * (double)row[i];
  }
}

/* ---- a step ------------------------------------------------------------------------------------------------------ */

void vt_policy_clear(struct vt_policy *policy) {
  memset(policy->gradients, 0, policy->layout->floats * sizeof *policy->gradients);
  memset(policy->head_gradient, 0, policy->layout->shape.dim * sizeof *policy->head_gradient);
}

static void go_back(struct vt_policy *policy) {
  vt_net_backward(policy->net);
  vt_net_scatter(policy->net, policy->net->d_input, policy->gradients + policy->layout->parameters[VT_NET_TABLE].offset,
                 NULL);
}

/* The loss of a place is - log P, so its weight is minus the slope. */
void vt_policy_add(struct vt_policy *policy, const double *slopes) {
  for (size_t k = 0; k < policy->answers; k++)
    for (size_t t = 0; t < policy->length; t++) policy->weights[k * policy->length + t] = (float)-slopes[k];
  const struct vt_net_loss loss = {
      .targets = policy->targets, .weights = policy->weights, .scale = 1, .gradient = true};
  vt_net_loss(policy->net, &loss);
  go_back(policy);
}

void vt_policy_add_rewards(struct vt_policy *policy, const double *slopes) {
  const size_t dim = policy->layout->shape.dim;
  memset(policy->net->d_final, 0, policy->net->rows * dim * sizeof *policy->net->d_final);
  for (size_t k = 0; k < policy->answers; k++) {
    const float slope = (float)slopes[k], *row = policy->net->final + policy->ends[k] * dim;
    float *to = policy->net->d_final + policy->ends[k] * dim;
    for (size_t i = 0; i < dim; i++) {
      to[i] = slope * policy->head[i];
      policy->head_gradient[i] += slope * row[i];
    }
  }
  go_back(policy);
}

static bool step_head(struct vt_policy *policy) {
  const size_t dim = policy->layout->shape.dim;
  float *to = policy->head + 4 * dim; /* room behind its arrays */
  const float moved = policy->ops->adamw(policy->head, policy->head_gradient, policy->head_moments,
                                         policy->head_squares, dim, &policy->update.adamw, to);
  if (!isfinite(moved)) return false;
  memcpy(policy->head, to, dim * sizeof *to);
  return true;
}

bool vt_policy_step(struct vt_policy *policy, double rate, double clip, uint64_t number) {
  const struct vt_update_step step = {.rate = rate, .clip = clip, .number = number};
  if (!vt_update_prepare(&policy->update, &step)) return false;
  return !isnan(vt_update_apply(&policy->update)) && step_head(policy);
}

/* ---- drawing answers --------------------------------------------------------------------------------------------- */

struct drawing {
  struct vt_policy *policy;
  const struct vt_policy_draw *draw;
  struct vt_answer *answers; /* [count]: as far as they are */
  bool *done;
  float *own; /* [count][tokens]: logits */
  double kl;
};

/* The logits behind every answer, into to[count][tokens]. */
static void look_ahead(struct drawing *d, bool reference, float *to) {
  struct vt_net_net *net = d->policy->net;
  const size_t tokens = d->policy->layout->shape.tokens;
  pass(d->policy, d->answers, d->draw->count, reference);
  for (size_t first = 0; first < d->draw->count; first += net->logit_rows) {
    size_t count = d->draw->count - first < net->logit_rows ? d->draw->count - first : net->logit_rows;
    const float *logits = vt_net_rows_logits(net, d->policy->ends + first, count);
    for (size_t k = 0; k < count; k++)
      memcpy(to + (first + k) * tokens, logits + k * net->logit_stride, tokens * sizeof *to);
  }
  net->values = d->policy->values;
}

/* log of the sum of the exponentials. */
static double normaliser(const float *logits, size_t tokens) {
  double largest = (double)logits[0];
  for (size_t k = 1; k < tokens; k++)
    if ((double)logits[k] > largest) largest = (double)logits[k];
  double sum = exp((double)logits[0] - largest);
  for (size_t k = 1; k < tokens; k++) sum += exp((double)logits[k] - largest);
  return largest + log(sum);
}

static double divergence(const float *own, const float *other, size_t tokens) {
  const double a = normaliser(own, tokens), b = normaliser(other, tokens);
  double sum = 0;
  for (size_t k = 0; k < tokens; k++) {
    const double p = (double)own[k] - a, q = (double)other[k] - b;
    sum += exp(p) * (p - q);
  }
  return sum;
}

static uint32_t choose(const float *logits, size_t tokens, struct vt_rng *rng) {
  const double all = normaliser(logits, tokens);
  double left = (double)(vt_rng_next(rng) >> 11) * 0x1p-53;
  for (size_t k = 0; k < tokens; k++) {
    left -= exp((double)logits[k] - all);
    if (left < 0) return (uint32_t)k;
  }
  return (uint32_t)tokens - 1;
}

static bool draw_place(struct drawing *d, uint32_t place, uint32_t *tokens, const float *other) {
  const size_t words = d->policy->layout->shape.tokens, stride = d->policy->length_max;
  bool more = false;
  for (size_t k = 0; k < d->draw->count; k++) {
    struct vt_answer *answer = &d->answers[k];
    if (d->done[k]) continue;
    const float *logits = d->own + k * words;
    struct vt_rng rng = vt_rng_make(VT_RNG_ANSWER, d->draw->seed, d->draw->key, (uint64_t)k << 20 | place);
    if (other != NULL) d->kl += divergence(logits, other + k * words, words);
    const uint32_t token = choose(logits, words, &rng);
    tokens[k * stride + answer->count++] = token;
    d->done[k] = token == d->draw->end || answer->count == stride || place + 1 == d->draw->length;
    more = more || !d->done[k];
  }
  return more;
}

enum vt_status vt_policy_sample(struct vt_policy *policy, const struct vt_policy_draw *draw, uint32_t *tokens,
                                uint32_t *counts, double *kl, struct vt_error *error) {
  const size_t count = draw->count, words = policy->layout->shape.tokens, stride = policy->length_max;
  struct drawing d = {.policy = policy, .draw = draw};
  d.answers = vt_alloc(count, sizeof *d.answers);
  d.done = vt_alloc_zero(count, sizeof *d.done);
  d.own = vt_alloc(count * words, sizeof *d.own);
  float *other = kl == NULL ? NULL : vt_alloc(count * words, sizeof *other);
  enum vt_status status = VT_OK;
  if (d.answers == NULL || d.done == NULL || d.own == NULL || (kl != NULL && other == NULL))
    status = VT_FAIL_MEMORY(error, 2 * count * words * sizeof *d.own);
  for (size_t k = 0; status == VT_OK && k < count; k++) {
    memcpy(tokens + k * stride, draw->prompts[k].tokens, draw->prompts[k].count * sizeof *tokens);
    d.answers[k] = (struct vt_answer){tokens + k * stride, draw->prompts[k].count, draw->prompts[k].count};
    d.done[k] = draw->prompts[k].count >= stride;
  }
  bool more = status == VT_OK;
  for (uint32_t place = 0; more && place < draw->length; place++) {
    look_ahead(&d, false, d.own);
    if (other != NULL) look_ahead(&d, true, other);
    more = draw_place(&d, place, tokens, other);
  }
  for (size_t k = 0; status == VT_OK && k < count; k++) counts[k] = d.answers[k].count;
  if (kl != NULL) *kl = count == 0 ? 0 : d.kl / (double)count;
  vt_free(d.answers);
  vt_free(d.done);
  vt_free(d.own);
  vt_free(other);
  return status;
}
