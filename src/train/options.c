/* options.c: defaults and ranges of the trainer's settings. */
#include <math.h>

#include "base/error.h"
#include "base/processors.h"
#include "base/range.h"
#include "vectrail/cooccur.h"
#include "vectrail/kernel.h"
#include "vectrail/train.h"

void vt_train_options_init(struct vt_train_options *options) {
  *options = (struct vt_train_options){
      .model = VT_MODEL_SKIPGRAM,
      .loss = VT_LOSS_NEGATIVE_SAMPLING,
      .dim = 100,
      .window = 5,
      .negative = 5,
      .noise_exponent = 0.75,
      .sample = 1e-4,
      .epochs = 5,
      .lr = 0.025,
      .batch = 512,
      .x_max = 100,
      .alpha = 0.75,
      .memory_bytes = VT_COOCCUR_MEMORY_DEFAULT,
      .seed = 1,
      .block_tokens = 2048,
      .blocks = 8,
      .sync_every = 16,
      .network = {.context = 128,
                  .stride = 1,
                  .hidden = 128,
                  .layers = 4,
                  .heads = 4,
                  .rotary_share = 1,
                  .tied = true,
                  .decay = 0.01,
                  .accumulate = 1},
      .kernel = NULL,
      .threads = vt_processors(),
  };
}

void vt_train_options_for(struct vt_train_options *options, enum vt_model model) {
  options->model = model;
  if (!vt_model_is_network(model)) return;
  const bool nnlm = model == VT_MODEL_NNLM;
  options->loss = VT_LOSS_SOFTMAX;
  options->optimizer = VT_OPTIMIZER_ADAMW;
  options->schedule = nnlm ? VT_SCHEDULE_CONSTANT : VT_SCHEDULE_COSINE;
  options->batch = nnlm ? 32 : 8;
  options->network.context = nnlm ? 6 : 128;
  options->network.stride = nnlm ? 3 : 1;
  options->network.clip = nnlm ? 0 : 1;
  options->network.warmup = nnlm ? 0 : 100;
}

void vt_train_preset_exercise(struct vt_corpus_options *corpus, struct vt_train_options *train) {
  vt_train_options_for(train, VT_MODEL_NNLM);
  train->dim = 100;
  train->epochs = 25;
  corpus->tokens = VT_TOKENS_LETTERS;
  corpus->fold_case = true;
  corpus->min_count = 1;
}

double vt_train_default_lr(const struct vt_train_options *options) {
  if (options->model == VT_MODEL_GLOVE) return 0.5;
  if (vt_model_is_network(options->model)) return options->optimizer == VT_OPTIMIZER_SGD ? 0.1 : 0.001;
  if (options->loss == VT_LOSS_QUADRATIC) return 0; /* the engine knows what is stable */
  if (options->loss == VT_LOSS_SOFTMAX)
    return options->optimizer == VT_OPTIMIZER_SGD ? 5 : options->optimizer == VT_OPTIMIZER_ADAGRAD ? 0.1 : 0.005;
  if (options->optimizer == VT_OPTIMIZER_ADAGRAD) return 0.15;
  if (options->model != VT_MODEL_CBOW) return 0.025;
  return options->cbow_classic ? 0.05 : 0.125;
}

void vt_record_options_init(struct vt_record_options *options) {
  *options = (struct vt_record_options){.snapshots = 40,
                                        .metrics = 2000,
                                        .probes = 100,
                                        .checkpoint_seconds = 60,
                                        .ledger_spans = 10,
                                        .ledger_sources = 4000};
}

static enum vt_status check_softmax(const struct vt_train_options *options, struct vt_error *error) {
  if (options->loss != VT_LOSS_SOFTMAX && options->optimizer == VT_OPTIMIZER_ADAMW)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "use --loss softmax, or --optimizer adagrad",
                        "adamw needs the gradient of whole tables, which only the exact softmax has");
  if (options->loss != VT_LOSS_SOFTMAX) return VT_OK;
  if (options->model != VT_MODEL_SKIPGRAM)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "use --model skipgram, or --loss hs",
                        "the exact softmax is there for skip-gram only");
  return vt_check_count("batch", options->batch, 0, VT_BATCH_MAX, error);
}

static enum vt_status check_glove(const struct vt_train_options *options, struct vt_error *error) {
  if ((options->model == VT_MODEL_GLOVE) != (options->loss == VT_LOSS_SQUARES))
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "use --model glove without --loss, or another model without squares",
                        "GloVe's loss is weighted squares, and no other model has it");
  if (options->model != VT_MODEL_GLOVE) return VT_OK;
  if (options->optimizer != VT_OPTIMIZER_ADAGRAD)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "GloVe is trained by AdaGrad");
  if (!(options->x_max > 0))
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "x-max is %g; it must be above 0", options->x_max);
  VT_TRY(vt_check_number("x-max", options->x_max, 0, 1e15, error));
  return vt_check_number("alpha", options->alpha, 0, 10, error);
}

static enum vt_status check_transformer(const struct vt_train_options *options, struct vt_error *error) {
  const struct vt_network_options *network = &options->network;
  VT_TRY(vt_check_count("layers", network->layers, 1, 60, error));
  VT_TRY(vt_check_count("heads", network->heads, 1, 64, error));
  if (options->dim % network->heads != 0)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "each head takes the same share of the vector",
                        "heads is %u, which does not divide dim, %u", network->heads, options->dim);
  if (network->positions > VT_POSITIONS_ROTARY)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "unknown positions %d", (int)network->positions);
  const uint32_t width = options->dim / network->heads;
  VT_TRY(vt_check_number("rotary-share", network->rotary_share, 0, 1, error));
  if (network->positions == VT_POSITIONS_ROTARY && network->rotary_share * width < 1.5)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "use fewer heads, a larger dim, or other positions",
                        "rotary positions turn pairs of numbers, and a head has %u, of which %g are turned", width,
                        network->rotary_share * width);
  return vt_check_number("dropout", network->dropout, 0, 0.9, error);
}

static enum vt_status check_network(const struct vt_train_options *options, struct vt_error *error) {
  const struct vt_network_options *network = &options->network;
  if (options->loss != VT_LOSS_SOFTMAX)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "a network's loss is the exact softmax");
  if (options->optimizer == VT_OPTIMIZER_ADAGRAD)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "networks are trained with adamw or sgd, not with adagrad");
  if (options->l2 > 0)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "use --weight-decay", "l2 is %g; networks have no such penalty",
                        options->l2);
  VT_TRY(vt_check_count("batch", options->batch, 1, VT_BATCH_MAX, error));
  VT_TRY(vt_check_count("context", network->context, 1, 65536, error));
  VT_TRY(vt_check_count("stride", network->stride, 1, UINT32_MAX, error));
  VT_TRY(vt_check_count("hidden", network->hidden, 1, 65536, error));
  VT_TRY(vt_check_number("weight-decay", network->decay, 0, 10, error));
  VT_TRY(vt_check_number("beta-2", network->beta_2, 0, 0.999999, error));
  VT_TRY(vt_check_number("clip", network->clip, 0, 1e9, error));
  VT_TRY(vt_check_count("accumulate", network->accumulate, 1, 65536, error));
  return options->model == VT_MODEL_TRANSFORMER ? check_transformer(options, error) : VT_OK;
}

static enum vt_status check_quadratic(const struct vt_train_options *options, struct vt_error *error) {
  VT_TRY(vt_check_number("start", options->start, 0, 10, error));
  if (options->loss != VT_LOSS_QUADRATIC && options->start != 0)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "use --loss quadratic", "start is there for the quadratic loss only");
  if (options->loss != VT_LOSS_QUADRATIC) return VT_OK;
  if (options->model != VT_MODEL_SKIPGRAM)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "use --model skipgram",
                        "the quadratic loss is there for skip-gram only");
  if (options->optimizer != VT_OPTIMIZER_SGD)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "use --optimizer sgd",
                        "the quadratic loss is there to be held against theory, which is that of plain descent");
  if (options->held_out > 0)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "leave --held-out away",
                        "with the quadratic loss no sentences can be held out");
  return vt_check_count("batch", options->batch, 0, VT_BATCH_MAX, error);
}

static enum vt_status check_replicas(const struct vt_train_options *options, struct vt_error *error) {
  if (options->replicas == 0) return VT_OK;
  if (options->loss == VT_LOSS_SOFTMAX || options->loss == VT_LOSS_SQUARES || options->loss == VT_LOSS_QUADRATIC ||
      options->optimizer != VT_OPTIMIZER_SGD || options->l2 > 0)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "leave --sync at exact, or train by plain sgd without --l2",
                        "only what plain sgd does, by negative sampling or hierarchical softmax, can be joined now "
                        "and then");
  VT_TRY(vt_check_count("sync-every", options->sync_every, 1, 1000000, error));
  return vt_check_count("replicas", options->replicas, 1, 4096, error);
}

static enum vt_status check_tuning(const struct vt_train_options *options, struct vt_error *error) {
  const struct vt_tuning_options *tuning = &options->tuning;
  const bool holds = tuning->anchor != 0 || tuning->freeze_input || tuning->freeze_output;
  VT_TRY(vt_check_number("anchor", tuning->anchor, 0, 0.4 / options->lr, error)); /* 1 - 2 lr mu stays above 0 */
  if (tuning->words == 0 && !holds) return VT_OK;
  if (tuning->words == 0)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "only a training that goes on with a run can be held to where it began");
  if (options->replicas > 0)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "replicas are %u; a training that goes on with a run has none",
                   options->replicas);
  if (holds && options->l2 > 0)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "use --l2 0",
                        "rows cannot be drawn to zero (l2 is %g) and held to where they began at once", options->l2);
  return VT_OK;
}

enum vt_status vt_train_options_check(const struct vt_train_options *options, struct vt_error *error) {
  if (options->model > VT_MODEL_TRANSFORMER)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "unknown model %d", (int)options->model);
  if (options->loss > VT_LOSS_QUADRATIC)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "unknown loss %d", (int)options->loss);
  VT_TRY(vt_model_is_network(options->model) ? check_network(options, error) : check_softmax(options, error));
  VT_TRY(check_glove(options, error));
  VT_TRY(check_quadratic(options, error));
  VT_TRY(vt_check_count("dim", options->dim, 1, 4096, error));
  VT_TRY(vt_check_count("window", options->window, 1, 1000, error));
  bool sampled = options->loss == VT_LOSS_NEGATIVE_SAMPLING;
  VT_TRY(vt_check_count("negative", options->negative, sampled ? 1 : 0, 64, error));
  VT_TRY(vt_check_number("noise-exponent", options->noise_exponent, 0, 1, error));
  VT_TRY(vt_check_number("sample", options->sample, 0, 1, error));
  VT_TRY(vt_check_count("epochs", options->epochs, 1, 1000000, error));
  const bool quadratic = options->loss == VT_LOSS_QUADRATIC, own_rate = quadratic && options->lr == 0;
  if (!(options->lr > 0) && !own_rate)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "lr is %g; it must be above 0", options->lr);
  VT_TRY(vt_check_number("lr", options->lr, 0, quadratic ? 1e12 : 1000, error));
  if (options->schedule > VT_SCHEDULE_COSINE)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "unknown schedule %d", (int)options->schedule);
  if (options->optimizer > VT_OPTIMIZER_ADAMW)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "unknown optimizer %d", (int)options->optimizer);
  VT_TRY(vt_check_number("l2", options->l2, 0, own_rate ? 1000 : 0.4 / options->lr,
                         error)); /* 1 - 2 lr l2 stays above 0 */
  VT_TRY(vt_check_count("block-tokens", options->block_tokens, 16, 65536, error));
  VT_TRY(vt_check_count("blocks", options->blocks, 1, 4096, error));
  if (options->threads < 1 || options->threads > 1024)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "threads is %d; it must lie between 1 and 1024", options->threads);
  VT_TRY(check_replicas(options, error));
  VT_TRY(check_tuning(options, error));
  VT_TRY(vt_check_number("held-out", options->held_out, 0, 0.5, error));
  const char *name;
  return vt_kernel_resolve(options->kernel, &name, error);
}
