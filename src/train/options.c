/* options.c: defaults and ranges of the trainer's settings. */
#include <math.h>

#include "base/error.h"
#include "base/pool.h"
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
      .seed = 1,
      .block_tokens = 2048,
      .blocks = 8,
      .sync_every = 16,
      .kernel = NULL,
      .threads = vt_pool_processors(),
  };
}

double vt_train_default_lr(const struct vt_train_options *options) {
  if (options->loss == VT_LOSS_SOFTMAX)
    return options->optimizer == VT_OPTIMIZER_SGD ? 5 : options->optimizer == VT_OPTIMIZER_ADAGRAD ? 0.1 : 0.005;
  if (options->optimizer == VT_OPTIMIZER_ADAGRAD) return 0.15;
  if (options->model != VT_MODEL_CBOW) return 0.025;
  return options->cbow_classic ? 0.05 : 0.1;
}

void vt_record_options_init(struct vt_record_options *options) {
  *options = (struct vt_record_options){.snapshots = 40,
                                        .metrics = 2000,
                                        .probes = 100,
                                        .checkpoint_seconds = 60,
                                        .ledger_spans = 10,
                                        .ledger_sources = 4000};
}

static enum vt_status check_count(const char *name, uint64_t value, uint64_t low, uint64_t high,
                                  struct vt_error *error) {
  if (value >= low && value <= high) return VT_OK;
  return VT_FAIL(error, VT_ERROR_ARGUMENT, "%s is %llu; it must lie between %llu and %llu", name,
                 (unsigned long long)value, (unsigned long long)low, (unsigned long long)high);
}

static enum vt_status check_number(const char *name, double value, double low, double high, struct vt_error *error) {
  if (value >= low && value <= high) return VT_OK; /* NaN fails both */
  return VT_FAIL(error, VT_ERROR_ARGUMENT, "%s is %g; it must lie between %g and %g", name, value, low, high);
}

static enum vt_status check_softmax(const struct vt_train_options *options, struct vt_error *error) {
  if (options->loss != VT_LOSS_SOFTMAX && options->optimizer == VT_OPTIMIZER_ADAMW)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "use --loss softmax, or --optimizer adagrad",
                        "adamw needs the gradient of whole tables, which only the exact softmax has");
  if (options->loss != VT_LOSS_SOFTMAX) return VT_OK;
  if (options->model != VT_MODEL_SKIPGRAM)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "use --model skipgram, or --loss hs",
                        "the exact softmax is there for skip-gram only");
  return check_count("batch", options->batch, 0, VT_BATCH_MAX, error);
}

static enum vt_status check_replicas(const struct vt_train_options *options, struct vt_error *error) {
  if (options->replicas == 0) return VT_OK;
  if (options->loss == VT_LOSS_SOFTMAX || options->optimizer != VT_OPTIMIZER_SGD || options->l2 > 0)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "leave --sync at exact, or train by plain sgd without --l2",
                        "only what plain sgd does, by negative sampling or hierarchical softmax, can be joined now "
                        "and then");
  VT_TRY(check_count("sync-every", options->sync_every, 1, 1000000, error));
  return check_count("replicas", options->replicas, 1, 4096, error);
}

enum vt_status vt_train_options_check(const struct vt_train_options *options, struct vt_error *error) {
  if (options->model != VT_MODEL_SKIPGRAM && options->model != VT_MODEL_CBOW)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "unknown model %d", (int)options->model);
  if (options->loss > VT_LOSS_SOFTMAX) return VT_FAIL(error, VT_ERROR_ARGUMENT, "unknown loss %d", (int)options->loss);
  VT_TRY(check_softmax(options, error));
  VT_TRY(check_count("dim", options->dim, 1, 4096, error));
  VT_TRY(check_count("window", options->window, 1, 1000, error));
  bool sampled = options->loss == VT_LOSS_NEGATIVE_SAMPLING;
  VT_TRY(check_count("negative", options->negative, sampled ? 1 : 0, 64, error));
  VT_TRY(check_number("noise-exponent", options->noise_exponent, 0, 1, error));
  VT_TRY(check_number("sample", options->sample, 0, 1, error));
  VT_TRY(check_count("epochs", options->epochs, 1, 1000000, error));
  if (!(options->lr > 0)) return VT_FAIL(error, VT_ERROR_ARGUMENT, "lr is %g; it must be above 0", options->lr);
  VT_TRY(check_number("lr", options->lr, 0, 1000, error));
  if (options->schedule > VT_SCHEDULE_COSINE)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "unknown schedule %d", (int)options->schedule);
  if (options->optimizer > VT_OPTIMIZER_ADAMW)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "unknown optimizer %d", (int)options->optimizer);
  VT_TRY(check_number("l2", options->l2, 0, 0.4 / options->lr, error)); /* 1 - 2 lr l2 stays well above 0 */
  VT_TRY(check_count("block-tokens", options->block_tokens, 16, 65536, error));
  VT_TRY(check_count("blocks", options->blocks, 1, 4096, error));
  if (options->threads < 1 || options->threads > 1024)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "threads is %d; it must lie between 1 and 1024", options->threads);
  VT_TRY(check_replicas(options, error));
  VT_TRY(check_number("held-out", options->held_out, 0, 0.5, error));
  const char *name;
  return vt_kernel_resolve(options->kernel, &name, error);
}
