/*
 * align.c: preferences in, a run out: which pairs or prompts make a step, what is measured on the way, when it ends.
 * The steps themselves are network/align_step.h's.
 */
#include "vectrail/align.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/processors.h"
#include "base/range.h"
#include "base/rng.h"
#include "kernel/kernel.h"
#include "network/align_step.h"
#include "run/adapted.h"
#include "run/preferences.h"
#include "run/run_internal.h"

#define REWARD_FILE "reward.safetensors"
#define REWARD_TENSOR "head"
#define KL_PROMPTS 64
#define KL_KEY ((uint64_t)1 << 40) /* of what is drawn to measure, apart from what is trained on */

struct aligning {
  const struct vt_align_request *request;
  struct vt_network *network, *judge_network;
  struct vt_policy policy, judge;
  struct vt_preferences preferences;
  struct vt_adapted adapted;
  double *reference;        /* [2 pairs]: log pi_ref of the chosen ones, then of the rejected */
  uint32_t *order;          /* of pairs, or prompts, in this epoch */
  struct vt_answer *batch;  /* [answers_max] */
  double *numbers;          /* [answers_max] */
  uint32_t *drawn, *counts; /* ppo and measuring: answers as they were drawn */
  size_t units, a_step;     /* pairs or prompts in all, and in a step */
  size_t answers_max;
  uint64_t steps, tokens;
  double kl;
};

void vt_align_options_init(struct vt_align_options *options) {
  *options = (struct vt_align_options){.beta = 0.1,
                                       .lr = 1e-4,
                                       .clip = 1,
                                       .epochs = 1,
                                       .batch = 8,
                                       .samples = 4,
                                       .inner = 2,
                                       .epsilon = 0.2,
                                       .length = 32,
                                       .seed = 1,
                                       .snapshots = 10,
                                       .threads = vt_processors()};
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

static enum vt_status check_options(const struct vt_align_request *request, struct vt_error *error) {
  const struct vt_align_options *options = &request->options;
  if (options->method > VT_ALIGN_DPO)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "unknown method %d", (int)options->method);
  VT_TRY(vt_check_number("beta", options->beta, 1e-6, 1e6, error));
  VT_TRY(vt_check_number("lr", options->lr, 1e-12, 10, error));
  VT_TRY(vt_check_number("clip", options->clip, 0, 1e9, error));
  VT_TRY(vt_check_number("epochs", options->epochs, 1, 1e6, error));
  VT_TRY(vt_check_number("batch", options->batch, 1, 4096, error));
  VT_TRY(vt_check_number("samples", options->samples, 2, 1024, error));
  VT_TRY(vt_check_number("inner", options->inner, 1, 100, error));
  VT_TRY(vt_check_number("epsilon", options->epsilon, 1e-6, 0.999999, error));
  VT_TRY(vt_check_number("length", options->length, 1, 65536, error));
  VT_TRY(vt_check_number("kl", options->kl, 0, 1e6, error));
  VT_TRY(vt_check_number("snapshots", options->snapshots, 2, 100000, error));
  VT_TRY(vt_check_number("threads", options->threads, 1, 1024, error));
  const bool ppo = options->method == VT_ALIGN_PPO;
  if (ppo && request->reward == NULL)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "make one with --method reward, and name it with --reward",
                        "PPO needs a reward model to tell what an answer is worth");
  if (!ppo && request->reward != NULL) return VT_FAIL(error, VT_ERROR_ARGUMENT, "a reward model is for PPO alone");
  if (options->method == VT_ALIGN_REWARD && options->kl > 0)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "a reward model draws no answers, so it has no KL to end at");
  return VT_OK;
}

/* ---- the judge --------------------------------------------------------------------------------------------------- */

static bool same_words(const struct vt_vocab *a, const struct vt_vocab *b) {
  if (a == NULL || b == NULL || vt_vocab_size(a) != vt_vocab_size(b)) return false;
  for (uint32_t id = 0; id < vt_vocab_size(a); id++)
    if (strcmp(vt_vocab_text(a, id), vt_vocab_text(b, id)) != 0) return false;
  return true;
}

static enum vt_status read_head(struct aligning *aligning, struct vt_error *error) {
  const size_t dim = vt_network_layout(aligning->judge_network)->shape.dim;
  char *path = vt_path_join(aligning->request->reward, REWARD_FILE);
  if (path == NULL) return VT_FAIL_MEMORY(error, strlen(aligning->request->reward));
  struct vt_safetensors *file = NULL;
  struct vt_error reason;
  enum vt_status status = vt_safetensors_open(path, &file, &reason);
  if (status == VT_ERROR_NOT_FOUND)
    status = VT_FAIL_HELP(error, VT_ERROR_NOT_FOUND, "make one with --method reward", "%s: no reward model",
                          aligning->request->reward);
  else if (status != VT_OK)
    *error = reason;
  if (status == VT_OK) {
    const struct vt_tensor *tensor = vt_safetensors_find(file, REWARD_TENSOR);
    if (tensor == NULL || tensor->rank != 1 || tensor->shape[0] != dim)
      status = VT_FAIL(error, VT_ERROR_CORRUPT, "%s: not what reads the rewards of its network", path);
    else
      status = vt_tensor_to_float(tensor, aligning->judge.head, error);
  }
  for (size_t k = 0; status == VT_OK && k < dim; k++)
    if (!isfinite(aligning->judge.head[k]))
      status = VT_FAIL(error, VT_ERROR_CORRUPT, "%s: holds NaN or infinity", path);
  vt_safetensors_close(file);
  vt_free(path);
  return status;
}

static enum vt_status open_judge(struct aligning *aligning, const char *kernel, size_t length, struct vt_error *error) {
  const struct vt_align_request *request = aligning->request;
  if (request->reward == NULL) return VT_OK;
  VT_TRY(vt_network_open(request->reward, request->options.threads, &aligning->judge_network, error));
  const struct vt_net_layout *layout = vt_network_layout(aligning->judge_network);
  if (!same_words(vt_network_vocab(aligning->network), vt_network_vocab(aligning->judge_network)) ||
      layout->shape.tokens != vt_network_tokens(aligning->network) || layout->shape.model != VT_MODEL_TRANSFORMER ||
      layout->shape.context < length)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: a reward model of other words, or a shorter context, than %s",
                   request->reward, request->base);
  VT_TRY(vt_policy_init_judge(&aligning->judge, layout, vt_network_values(aligning->judge_network),
                              vt_network_pool(aligning->network), kernel, aligning->answers_max, length, error));
  return read_head(aligning, error);
}

/* ---- making ready ------------------------------------------------------------------------------------------------ */

static enum vt_status plan(struct aligning *aligning, struct vt_error *error) {
  const struct vt_align_options *options = &aligning->request->options;
  const bool ppo = options->method == VT_ALIGN_PPO;
  aligning->units = ppo ? aligning->preferences.prompt_count : aligning->preferences.count;
  aligning->a_step = options->batch < aligning->units ? options->batch : aligning->units;
  aligning->answers_max = aligning->a_step * (ppo ? options->samples : 2);
  const size_t measured =
      aligning->preferences.prompt_count < KL_PROMPTS ? aligning->preferences.prompt_count : KL_PROMPTS;
  if (aligning->answers_max < measured && options->method != VT_ALIGN_REWARD) aligning->answers_max = measured;
  aligning->steps = (uint64_t)((aligning->units + aligning->a_step - 1) / aligning->a_step) * options->epochs;
  aligning->order = vt_alloc(aligning->units, sizeof *aligning->order);
  aligning->batch = vt_alloc(aligning->answers_max, sizeof *aligning->batch);
  aligning->numbers = vt_alloc(aligning->answers_max, sizeof *aligning->numbers);
  aligning->counts = vt_alloc(aligning->answers_max, sizeof *aligning->counts);
  aligning->reference = vt_alloc(2 * aligning->preferences.count, sizeof *aligning->reference);
  if (aligning->order == NULL || aligning->batch == NULL || aligning->numbers == NULL || aligning->counts == NULL ||
      aligning->reference == NULL)
    return VT_FAIL_MEMORY(error, aligning->units * sizeof *aligning->order);
  return VT_OK;
}

/* Of the longest that is trained on, and with drawn answers of the longest that can come. */
static size_t longest(const struct aligning *aligning) {
  const struct vt_align_options *options = &aligning->request->options;
  const size_t context = vt_network_context(aligning->network);
  size_t length = aligning->preferences.longest;
  for (size_t p = 0; options->method != VT_ALIGN_REWARD && p < aligning->preferences.prompt_count; p++)
    if (aligning->preferences.prompts[p].count + options->length > length)
      length = aligning->preferences.prompts[p].count + options->length;
  return length < context ? length : context;
}

static void score_pairs(struct aligning *aligning, bool reference, double *log_probs) {
  const size_t pairs = aligning->preferences.count;
  for (size_t first = 0; first < 2 * pairs; first += aligning->answers_max) {
    const size_t count = 2 * pairs - first < aligning->answers_max ? 2 * pairs - first : aligning->answers_max;
    for (size_t k = 0; k < count; k++)
      aligning->batch[k] = first + k < pairs ? aligning->preferences.chosen[first + k]
                                             : aligning->preferences.rejected[first + k - pairs];
    vt_policy_score(&aligning->policy, aligning->batch, count, reference, log_probs + first);
  }
}

static const char *const method_names[] = {"reward", "ppo", "dpo"};

static enum vt_status begin_run(struct aligning *aligning, struct vt_error *error) {
  const struct vt_align_request *request = aligning->request;
  const struct vt_align_options *options = &request->options;
  const struct vt_adapted_options made = {.network = aligning->network,
                                          .base = request->base,
                                          .path = request->run_path,
                                          .force = request->force,
                                          .origin = VT_ORIGIN_ALIGN,
                                          .steps = aligning->steps,
                                          .snapshots = options->snapshots};
  VT_TRY(vt_adapted_begin(&aligning->adapted, &made, error));
  VT_TRY(vt_adapted_meta(&aligning->adapted, "align_method", method_names[options->method], error));
  VT_TRY(vt_adapted_meta(&aligning->adapted, "align_preferences", request->preferences, error));
  if (request->reward != NULL) VT_TRY(vt_adapted_meta(&aligning->adapted, "align_reward", request->reward, error));
  const struct vt_adapted_value numbers[] = {{"align_beta", options->beta},        {"align_lr", options->lr},
                                             {"align_clip", options->clip},        {"align_epochs", options->epochs},
                                             {"align_batch", options->batch},      {"align_samples", options->samples},
                                             {"align_inner", options->inner},      {"align_epsilon", options->epsilon},
                                             {"align_length", options->length},    {"align_kl", options->kl},
                                             {"align_seed", (double)options->seed}};
  for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++)
    VT_TRY(vt_adapted_meta_real(&aligning->adapted, numbers[k].name, numbers[k].value, error));
  return VT_OK;
}

static enum vt_status prepare(struct aligning *aligning, struct vt_error *error) {
  const struct vt_align_request *request = aligning->request;
  const struct vt_kernel *kernel;
  VT_TRY(check_options(request, error));
  VT_TRY(vt_kernel_choose(NULL, &kernel, error));
  VT_TRY(vt_network_open(request->base, request->options.threads, &aligning->network, error));
  if (vt_network_layout(aligning->network)->shape.model != VT_MODEL_TRANSFORMER)
    return VT_FAIL(error, VT_ERROR_UNSUPPORTED, "%s: no Transformer, which alone can be trained so", request->base);
  VT_TRY(vt_preferences_read(&aligning->preferences, request->preferences, aligning->network, error));
  VT_TRY(plan(aligning, error));
  const size_t length = longest(aligning);
  aligning->drawn = vt_alloc(aligning->answers_max * length, sizeof *aligning->drawn);
  if (aligning->drawn == NULL) return VT_FAIL_MEMORY(error, aligning->answers_max * length * sizeof *aligning->drawn);
  VT_TRY(begin_run(aligning, error));
  VT_TRY(vt_policy_init(&aligning->policy, vt_network_layout(aligning->network), vt_network_values(aligning->network),
                        vt_network_pool(aligning->network), kernel->name, aligning->answers_max, length, error));
  VT_TRY(open_judge(aligning, kernel->name, length, error));
  score_pairs(aligning, true, aligning->reference);
  return VT_OK;
}

static void release(struct aligning *aligning) {
  vt_adapted_release(&aligning->adapted);
  vt_policy_release(&aligning->policy);
  vt_policy_release(&aligning->judge);
  vt_preferences_release(&aligning->preferences);
  vt_network_free(aligning->judge_network);
  vt_network_free(aligning->network);
  vt_free(aligning->reference);
  vt_free(aligning->order);
  vt_free(aligning->batch);
  vt_free(aligning->numbers);
  vt_free(aligning->counts);
  vt_free(aligning->drawn);
}

/* ---- drawing ----------------------------------------------------------------------------------------------------- */

/* Answers to the prompts in `batch`, which then holds them. */
static enum vt_status draw(struct aligning *aligning, size_t count, uint64_t key, double *kl, struct vt_error *error) {
  const struct vt_policy_draw asked = {.prompts = aligning->batch,
                                       .count = count,
                                       .length = aligning->request->options.length,
                                       .end = vt_network_end(aligning->network),
                                       .seed = aligning->request->options.seed,
                                       .key = key};
  VT_TRY(vt_policy_sample(&aligning->policy, &asked, aligning->drawn, aligning->counts, kl, error));
  for (size_t k = 0; k < count; k++) {
    aligning->batch[k].tokens = aligning->drawn + k * aligning->policy.length_max;
    aligning->batch[k].count = aligning->counts[k];
  }
  return VT_OK;
}

/* One answer to each of the first prompts. */
static enum vt_status measure_kl(struct aligning *aligning, struct vt_error *error) {
  const size_t prompts = aligning->preferences.prompt_count, count = prompts < KL_PROMPTS ? prompts : KL_PROMPTS;
  for (size_t k = 0; k < count; k++) aligning->batch[k] = aligning->preferences.prompts[k];
  return draw(aligning, count, KL_KEY, &aligning->kl, error);
}

/* ---- a step ------------------------------------------------------------------------------------------------------ */

static void draw_order(struct aligning *aligning, uint64_t epoch) {
  struct vt_rng rng = vt_rng_make(VT_RNG_ORDER, aligning->request->options.seed, epoch, 1);
  vt_rng_order(&rng, aligning->order, aligning->units);
}

static enum vt_status step_pairs(struct aligning *aligning, const uint32_t *which, size_t pairs,
                                 const struct vt_align_step *step, struct vt_align_measures *measures,
                                 struct vt_error *error) {
  const struct vt_preferences *preferences = &aligning->preferences;
  for (size_t k = 0; k < pairs; k++) {
    aligning->batch[k] = preferences->chosen[which[k]];
    aligning->batch[pairs + k] = preferences->rejected[which[k]];
    aligning->numbers[k] = aligning->reference[which[k]];
    aligning->numbers[pairs + k] = aligning->reference[preferences->count + which[k]];
    aligning->tokens += aligning->batch[k].count + aligning->batch[pairs + k].count;
  }
  if (aligning->request->options.method == VT_ALIGN_REWARD)
    return vt_reward_step(&aligning->policy, aligning->batch, pairs, step, measures, error);
  return vt_dpo_step(&aligning->policy, aligning->batch, pairs, aligning->numbers, NULL, step, measures, error);
}

static enum vt_status step_prompts(struct aligning *aligning, const uint32_t *which, size_t prompts,
                                   const struct vt_align_step *step, struct vt_align_measures *measures,
                                   struct vt_error *error) {
  const size_t samples = aligning->request->options.samples, count = prompts * samples;
  for (size_t k = 0; k < count; k++) aligning->batch[k] = aligning->preferences.prompts[which[k / samples]];
  VT_TRY(draw(aligning, count, step->number, NULL, error));
  vt_policy_rewards(&aligning->judge, aligning->batch, count, aligning->numbers);
  for (size_t k = 0; k < count; k++) aligning->tokens += aligning->batch[k].count;
  return vt_ppo_step(&aligning->policy, aligning->batch, count, samples, aligning->numbers, step, measures, error);
}

static enum vt_status take_step(struct aligning *aligning, uint64_t number, double rate,
                                struct vt_align_measures *measures, struct vt_error *error) {
  const struct vt_align_options *options = &aligning->request->options;
  const bool ppo = options->method == VT_ALIGN_PPO;
  const uint64_t an_epoch = aligning->steps / options->epochs, in_epoch = (number - 1) % an_epoch;
  if (in_epoch == 0) draw_order(aligning, (number - 1) / an_epoch);
  const size_t first = (size_t)in_epoch * aligning->a_step, left = aligning->units - first;
  const size_t count = left < aligning->a_step ? left : aligning->a_step;
  const struct vt_align_step step = {.rate = rate,
                                     .clip = options->clip,
                                     .number = ppo ? (number - 1) * options->inner + 1 : number,
                                     .beta = options->beta,
                                     .epsilon = options->epsilon,
                                     .inner = options->inner};
  if (ppo) return step_prompts(aligning, aligning->order + first, count, &step, measures, error);
  return step_pairs(aligning, aligning->order + first, count, &step, measures, error);
}

static enum vt_status record(struct aligning *aligning, uint64_t step, double rate,
                             const struct vt_align_measures *measures, bool now, struct vt_error *error) {
  const uint64_t an_epoch = aligning->steps / aligning->request->options.epochs;
  const struct vt_adapted_value values[] = {
      {"loss", measures->loss},         {"accuracy", measures->accuracy},     {"margin", measures->margin},
      {"log_chosen", measures->chosen}, {"log_rejected", measures->rejected}, {"reward", measures->reward},
      {"penalty", measures->penalty},   {"clipped", measures->clipped},       {"kl", aligning->kl}};
  if (!now && !vt_plan_is_metric(&aligning->adapted.plan, step) && !vt_plan_is_snapshot(&aligning->adapted.plan, step))
    return VT_OK;
  return vt_adapted_step(&aligning->adapted, step, (uint32_t)((step + an_epoch - 1) / an_epoch), aligning->tokens, rate,
                         values, sizeof values / sizeof values[0], error);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static bool has_kl(const struct aligning *aligning) { return aligning->request->options.method != VT_ALIGN_REWARD; }

/* Whether the KL ends it here. Without a goal it is measured where the plan has a probe, and at the last step. */
static enum vt_status look(struct aligning *aligning, uint64_t step, bool last, bool *reached, struct vt_error *error) {
  const double goal = aligning->request->options.kl;
  aligning->kl = NAN;
  if (!has_kl(aligning)) return VT_OK;
  if (goal > 0 || vt_plan_is_probe(&aligning->adapted.plan, step) || last) VT_TRY(measure_kl(aligning, error));
  *reached = goal > 0 && aligning->kl >= goal;
  return VT_OK;
}

static enum vt_status train(struct aligning *aligning, struct vt_align_result *result,
                            struct vt_align_measures *measures, struct vt_error *error) {
  const struct vt_align_request *request = aligning->request;
  const double began = vt_clock_seconds();
  VT_TRY(vt_adapted_snapshot(&aligning->adapted, 0, false, error));
  bool stopped = false;
  if (vt_is_interrupted(request->interrupt)) return vt_adapted_stopped(NULL, 0, aligning->steps, error);
  for (uint64_t step = 1; step <= aligning->steps && !result->reached && !stopped; step++) {
    const double rate = request->options.lr * (1 - (double)(step - 1) / (double)aligning->steps);
    VT_TRY(take_step(aligning, step, rate, measures, error));
    stopped = step < aligning->steps && vt_is_interrupted(request->interrupt);
    VT_TRY(look(aligning, step, stopped || step == aligning->steps, &result->reached, error));
    VT_TRY(vt_adapted_snapshot(&aligning->adapted, step, stopped || result->reached, error));
    VT_TRY(record(aligning, step, rate, measures, stopped, error));
    result->steps = step;
    const struct vt_align_progress progress = {step, aligning->steps, measures->loss, aligning->kl,
                                               vt_clock_seconds() - began};
    if (request->progress != NULL) request->progress(request->progress_context, &progress);
  }
  result->seconds = vt_clock_seconds() - began;
  if (stopped && !result->reached) VT_TRY(vt_adapted_note_stop(&aligning->adapted, result->steps, error));
  return VT_OK;
}

static double mean(const double *values, size_t count) {
  double sum = 0;
  for (size_t k = 0; k < count; k++) sum += values[k];
  return sum / (double)count;
}

static void tell_moved(const struct aligning *aligning, struct vt_align_result *result) {
  struct vt_adapted_moved moved[VT_ALIGN_MOVED];
  const struct vt_vocab *vocab = vt_network_vocab(aligning->network);
  result->drift = vt_adapted_drift(&aligning->adapted);
  result->moved_count = vt_adapted_farthest(&aligning->adapted, moved, VT_ALIGN_MOVED);
  for (size_t k = 0; k < result->moved_count; k++) {
    snprintf(result->moved[k].word, sizeof result->moved[k].word, "%s", vt_vocab_text(vocab, moved[k].word));
    result->moved[k].drift = moved[k].drift;
    result->moved[k].cosine = moved[k].cosine;
  }
}

static void tell(struct aligning *aligning, const struct vt_align_measures *measures, struct vt_align_result *result) {
  const size_t pairs = aligning->preferences.count;
  result->pairs = pairs;
  result->prompts = aligning->preferences.prompt_count;
  result->loss = measures->loss;
  result->accuracy = measures->accuracy;
  result->margin = measures->margin;
  result->log_chosen = measures->chosen;
  result->log_rejected = measures->rejected;
  result->reward = measures->reward;
  result->kl = aligning->kl;
  result->log_chosen_before = result->log_rejected_before = NAN;
  result->log_chosen_after = result->log_rejected_after = NAN;
  tell_moved(aligning, result);
  if (!has_kl(aligning)) return; /* a reward model writes no answers */
  result->log_chosen_before = mean(aligning->reference, pairs);
  result->log_rejected_before = mean(aligning->reference + pairs, pairs);
  score_pairs(aligning, false, aligning->reference);
  result->log_chosen_after = mean(aligning->reference, pairs);
  result->log_rejected_after = mean(aligning->reference + pairs, pairs);
}

static enum vt_status align(struct aligning *aligning, struct vt_align_result *result, struct vt_error *error) {
  struct vt_align_measures measures = {0};
  VT_TRY(prepare(aligning, error));
  VT_TRY(train(aligning, result, &measures, error));
  tell(aligning, &measures, result);
  const struct vt_tensor head = {.name = REWARD_TENSOR,
                                 .dtype = VT_DTYPE_F32,
                                 .rank = 1,
                                 .shape = {vt_network_layout(aligning->network)->shape.dim},
                                 .data = aligning->policy.head};
  const bool reward = aligning->request->options.method == VT_ALIGN_REWARD;
  VT_TRY(vt_adapted_end(&aligning->adapted, REWARD_FILE, &head, reward ? 1 : 0, error));
  if (!aligning->adapted.stopped) return VT_OK;
  return vt_adapted_stopped(aligning->request->run_path, result->steps, aligning->steps, error);
}

enum vt_status vt_align(const struct vt_align_request *request, struct vt_align_result *result,
                        struct vt_error *error) {
  struct vt_error own;
  struct vt_align_result ignored;
  struct aligning aligning = {.request = request, .kl = NAN};
  if (error == NULL) error = &own;
  if (result == NULL) result = &ignored;
  *result = (struct vt_align_result){0};
  enum vt_status status = align(&aligning, result, error);
  release(&aligning);
  return status;
}
