/* counted.c: what counts must be for each loss; one line says what they are not. */
#include "train/counted.h"

#include <inttypes.h>
#include <stdio.h>

static bool is_full_softmax(const struct vt_train_options *options) {
  return options->model == VT_MODEL_SKIPGRAM && options->loss == VT_LOSS_SOFTMAX && options->batch == VT_BATCH_FULL;
}

void vt_counted_settle(const struct vt_cooccur *counts, struct vt_train_options *options) {
  const struct vt_cooccur_options by = vt_cooccur_counted_by(counts);
  options->window = by.window;
  options->sample = by.sample;
  options->one_sided = by.sides == VT_COOCCUR_LEFT;
}

static enum vt_status check_weight(const struct vt_cooccur_options *by, enum vt_cooccur_weight wanted,
                                   struct vt_error *error) {
  if (by->weight == wanted) return VT_OK;
  char help[64];
  snprintf(help, sizeof help, "count them with --weight %s", vt_cooccur_weight_name(wanted));
  return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, help, "the counts have %s weights, and this takes %s ones",
                      vt_cooccur_weight_name(by->weight), vt_cooccur_weight_name(wanted));
}

enum vt_status vt_counted_check_expected(const struct vt_cooccur *counts, uint32_t window, double sample,
                                         struct vt_error *error) {
  const struct vt_cooccur_options by = vt_cooccur_counted_by(counts);
  VT_TRY(check_weight(&by, VT_COOCCUR_LINEAR, error));
  if (by.sides != VT_COOCCUR_BOTH)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "count them without --one-sided",
                        "the counts are of one side, and this takes those of both");
  if (by.window != window)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "count them with the same --window",
                        "the counts have a window of %" PRIu32 ", and this takes one of %" PRIu32, by.window, window);
  if (by.sample == sample) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "count them with the same --sample",
                      "the counts are subsampled at %g, and this takes those at %g", by.sample, sample);
}

enum vt_status vt_counted_check(const struct vt_train_options *options, const struct vt_cooccur *counts,
                                struct vt_error *error) {
  const struct vt_cooccur_options by = vt_cooccur_counted_by(counts);
  const bool glove = options->model == VT_MODEL_GLOVE, quadratic = options->loss == VT_LOSS_QUADRATIC;
  if (!glove && !quadratic && !is_full_softmax(options))
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT,
                        "counts serve --model glove, --loss softmax --batch full, and --loss quadratic",
                        "this model and loss are trained on a text, word after word, not on counts");
  if (options->held_out > 0)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "train on the text itself",
                        "no sentences can be held out of counts, which have none");
  if (!glove) return vt_counted_check_expected(counts, options->window, quadratic ? options->sample : 0, error);
  VT_TRY(check_weight(&by, VT_COOCCUR_DISTANCE, error));
  if (by.window == options->window && (by.sides == VT_COOCCUR_LEFT) == options->one_sided) return VT_OK;
  return VT_FAIL(error, VT_ERROR_ARGUMENT,
                 "the counts have a window of %" PRIu32 " on %s, and this takes %" PRIu32 " on %s", by.window,
                 by.sides == VT_COOCCUR_LEFT ? "one side" : "both sides", options->window,
                 options->one_sided ? "one side" : "both sides");
}
