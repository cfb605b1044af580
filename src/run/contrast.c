/*
 * contrast.c: texts in, a run out: which pairs make a step, and what is measured on the way. The loss is
 * network/contrastive.h's, the vectors are network/encoder.h's.
 */
#include "vectrail/contrast.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/processors.h"
#include "base/range.h"
#include "base/rng.h"
#include "kernel/kernel.h"
#include "network/contrastive.h"
#include "network/encoder.h"
#include "run/adapted.h"
#include "run/text_pairs.h"

#define PROBE_TEXTS 256
#define PROBE_KEY ((uint64_t)1 << 40) /* of what is dropped to measure, apart from what is trained with */

struct contrasting {
  const struct vt_contrast_request *request;
  struct vt_run *run;         /* of a table; else the network's */
  struct vt_network *network; /* NULL: the vectors alone are trained */
  struct vt_vectors *vectors; /* of a table */
  struct vt_pool *pool;       /* likewise */
  struct vt_encoder encoder;
  struct vt_text_pairs pairs;
  struct vt_adapted adapted;
  uint32_t *order;
  size_t a_step, steps_an_epoch, probed;
  struct vt_answer *batch;  /* [2 the larger of a step and the probe] */
  double *encoded, *slopes; /* as many, by dim */
  uint64_t steps, tokens;
};

void vt_contrast_options_init(struct vt_contrast_options *options) {
  *options = (struct vt_contrast_options){.temperature = 0.05,
                                          .dropout = 0.1,
                                          .lr = 1e-4,
                                          .clip = 1,
                                          .epochs = 1,
                                          .batch = 64,
                                          .seed = 1,
                                          .snapshots = 10,
                                          .probes = 20,
                                          .threads = vt_processors()};
}

static enum vt_status check_options(const struct vt_contrast_options *options, struct vt_error *error) {
  VT_TRY(vt_check_number("temperature", options->temperature, 1e-3, 100, error));
  VT_TRY(vt_check_number("dropout", options->dropout, 0, 0.9, error));
  VT_TRY(vt_check_number("lr", options->lr, 1e-12, 10, error));
  VT_TRY(vt_check_number("clip", options->clip, 0, 1e9, error));
  VT_TRY(vt_check_number("epochs", options->epochs, 1, 1e6, error));
  VT_TRY(vt_check_number("batch", options->batch, 2, 4096, error));
  VT_TRY(vt_check_number("snapshots", options->snapshots, 2, 100000, error));
  VT_TRY(vt_check_number("probes", options->probes, 1, 1e6, error));
  return vt_check_number("threads", options->threads, 1, 1024, error);
}

/* ---- making ready ------------------------------------------------------------------------------------------------ */

static enum vt_status open_base(struct contrasting *c, struct vt_error *error) {
  const struct vt_contrast_request *request = c->request;
  struct vt_run *run;
  VT_TRY(vt_run_open(request->base, &run, error));
  const char *model = vt_run_meta(run, "model");
  const bool transformer = model != NULL && strcmp(model, "transformer") == 0,
             nnlm = model != NULL && strcmp(model, "nnlm") == 0;
  c->run = run;
  if (nnlm)
    return VT_FAIL(error, VT_ERROR_UNSUPPORTED, "%s: a feed-forward network reads a window of words, and no text",
                   request->base);
  if (!transformer) {
    VT_TRY(vt_run_vectors(run, VT_STEP_LAST, &c->vectors, error));
    return vt_pool_create(request->options.threads, &c->pool, error);
  }
  c->run = NULL;
  VT_TRY(vt_network_open_run(run, request->options.threads, &c->network, error));
  c->run = vt_network_run(c->network);
  vt_network_set_dropout(c->network, request->options.dropout);
  return VT_OK;
}

static enum vt_status check_pairs(const struct contrasting *c, struct vt_error *error) {
  if (c->pairs.paired) return VT_OK;
  if (c->network == NULL)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "give pairs of texts, with a tab between",
                        "lines of one text are pairs by what dropout leaves of them, which a Transformer alone has");
  if (c->request->options.dropout > 0) return VT_OK;
  return VT_FAIL(error, VT_ERROR_ARGUMENT,
                 "dropout is 0, with which the lines are no pairs: both of one are the same vector");
}

static enum vt_status make_encoder(struct contrasting *c, size_t texts, struct vt_error *error) {
  const struct vt_kernel *kernel;
  VT_TRY(vt_kernel_choose(NULL, &kernel, error));
  if (c->network == NULL)
    return vt_encoder_init_table(&c->encoder, c->vectors->data, c->vectors->rows, c->vectors->dim, c->pool,
                                 kernel->name, texts, error);
  return vt_encoder_init(&c->encoder, vt_network_layout(c->network), vt_network_values(c->network),
                         vt_network_pool(c->network), kernel->name, texts, c->pairs.longest, error);
}

static enum vt_status plan(struct contrasting *c, struct vt_error *error) {
  const struct vt_contrast_options *options = &c->request->options;
  c->a_step = options->batch < c->pairs.count ? options->batch : c->pairs.count;
  c->steps_an_epoch = c->pairs.count / c->a_step; /* what is left over is too few negatives */
  c->steps = (uint64_t)c->steps_an_epoch * options->epochs;
  c->probed = c->pairs.count < PROBE_TEXTS ? c->pairs.count : PROBE_TEXTS;
  const size_t texts = 2 * (c->probed > c->a_step ? c->probed : c->a_step);
  VT_TRY(make_encoder(c, texts, error));
  c->order = vt_alloc(c->pairs.count, sizeof *c->order);
  c->batch = vt_alloc(texts, sizeof *c->batch);
  c->encoded = vt_alloc(texts * c->encoder.dim, sizeof *c->encoded);
  c->slopes = vt_alloc(texts * c->encoder.dim, sizeof *c->slopes);
  if (c->order == NULL || c->batch == NULL || c->encoded == NULL || c->slopes == NULL)
    return VT_FAIL_MEMORY(error, 2 * texts * c->encoder.dim * sizeof *c->encoded);
  return VT_OK;
}

static enum vt_status begin_run(struct contrasting *c, struct vt_error *error) {
  const struct vt_contrast_request *request = c->request;
  const struct vt_contrast_options *options = &request->options;
  const struct vt_adapted_options made = {.network = c->network,
                                          .run = c->run,
                                          .table = c->vectors == NULL ? NULL : c->vectors->data,
                                          .dim = c->encoder.dim,
                                          .base = request->base,
                                          .path = request->run_path,
                                          .force = request->force,
                                          .origin = VT_ORIGIN_CONTRAST,
                                          .steps = c->steps,
                                          .snapshots = options->snapshots,
                                          .probes = options->probes};
  VT_TRY(vt_adapted_begin(&c->adapted, &made, error));
  VT_TRY(vt_adapted_meta(&c->adapted, "contrast_text", request->text, error));
  const struct vt_adapted_value numbers[] = {{"contrast_temperature", options->temperature},
                                             {"contrast_positives_only", options->positives_only ? 1 : 0},
                                             {"contrast_paired", c->pairs.paired ? 1 : 0},
                                             {"contrast_dropout", options->dropout},
                                             {"contrast_lr", options->lr},
                                             {"contrast_clip", options->clip},
                                             {"contrast_epochs", options->epochs},
                                             {"contrast_batch", options->batch},
                                             {"contrast_seed", (double)options->seed}};
  for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++)
    VT_TRY(vt_adapted_meta_real(&c->adapted, numbers[k].name, numbers[k].value, error));
  return VT_OK;
}

static enum vt_status prepare(struct contrasting *c, struct vt_error *error) {
  VT_TRY(check_options(&c->request->options, error));
  VT_TRY(open_base(c, error));
  VT_TRY(vt_text_pairs_read(&c->pairs, c->request->text, c->run, c->network, error));
  VT_TRY(check_pairs(c, error));
  VT_TRY(plan(c, error));
  return begin_run(c, error);
}

static void release(struct contrasting *c) {
  vt_adapted_release(&c->adapted);
  vt_encoder_release(&c->encoder);
  vt_text_pairs_release(&c->pairs);
  vt_vectors_free(c->vectors);
  vt_pool_free(c->pool);
  if (c->network == NULL) vt_run_close(c->run);
  vt_network_free(c->network);
  vt_free(c->order);
  vt_free(c->batch);
  vt_free(c->encoded);
  vt_free(c->slopes);
}

/* ---- measuring --------------------------------------------------------------------------------------------------- */

/* Texts spread evenly over the file: pairs as they are trained on, and the first of each with nothing dropped. */
static struct vt_contrast_measures measure(struct contrasting *c) {
  const size_t n = c->probed, dim = c->encoder.dim;
  for (size_t k = 0; k < n; k++) {
    c->batch[k] = c->pairs.first[k * c->pairs.count / n];
    c->batch[n + k] = c->pairs.second[k * c->pairs.count / n];
  }
  vt_encoder_encode(&c->encoder, c->batch, 2 * n, !c->pairs.paired, c->request->options.seed, PROBE_KEY, c->encoded);
  struct vt_contrast_measures measures = {.alignment = vt_alignment_measure(c->encoded, c->encoded + n * dim, n, dim)};
  vt_encoder_encode(&c->encoder, c->batch, n, false, 0, 0, c->encoded);
  const struct vt_spread spread = vt_spread_measure(c->encoded, n, dim);
  measures.uniformity = spread.uniformity;
  measures.rank = spread.rank;
  return measures;
}

static enum vt_status record(struct contrasting *c, uint64_t step, double rate, double loss, bool now,
                             struct vt_contrast_measures *last, struct vt_error *error) {
  const bool probe = now || vt_plan_is_probe(&c->adapted.plan, step) || vt_plan_is_snapshot(&c->adapted.plan, step);
  struct vt_contrast_measures found = {NAN, NAN, NAN};
  VT_TRY(vt_adapted_snapshot(&c->adapted, step, now, error));
  if (probe) found = *last = measure(c);
  if (!probe && !vt_plan_is_metric(&c->adapted.plan, step)) return VT_OK;
  const struct vt_adapted_value values[] = {
      {"loss", loss}, {"alignment", found.alignment}, {"uniformity", found.uniformity}, {"text_rank", found.rank}};
  const uint32_t epoch = (uint32_t)((step + c->steps_an_epoch - 1) / c->steps_an_epoch);
  return vt_adapted_step(&c->adapted, step, epoch, c->tokens, rate, values, sizeof values / sizeof values[0], error);
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

static void draw_order(struct contrasting *c, uint64_t epoch) {
  struct vt_rng rng = vt_rng_make(VT_RNG_ORDER, c->request->options.seed, epoch, 2);
  vt_rng_order(&rng, c->order, c->pairs.count);
}

static enum vt_status take_step(struct contrasting *c, uint64_t step, double rate, double *loss,
                                struct vt_error *error) {
  const struct vt_contrast_options *options = &c->request->options;
  const size_t n = c->a_step, dim = c->encoder.dim, in_epoch = (size_t)((step - 1) % c->steps_an_epoch);
  if (in_epoch == 0) draw_order(c, (step - 1) / c->steps_an_epoch);
  for (size_t k = 0; k < n; k++) {
    const uint32_t which = c->order[in_epoch * n + k];
    c->batch[k] = c->pairs.first[which];
    c->batch[n + k] = c->pairs.second[which];
    c->tokens += c->batch[k].count + c->batch[n + k].count;
  }
  vt_encoder_clear(&c->encoder);
  vt_encoder_encode(&c->encoder, c->batch, 2 * n, true, options->seed, step, c->encoded);
  const struct vt_infonce batch = {c->encoded, c->encoded + n * dim, n,
                                   dim,        options->temperature, options->positives_only};
  VT_TRY(vt_infonce_loss(&batch, loss, c->slopes, c->slopes + n * dim, error));
  vt_encoder_add(&c->encoder, c->slopes);
  if (vt_encoder_step(&c->encoder, rate, options->clip, step)) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_DIVERGED, "use a smaller learning rate (--lr)",
                      "training diverged at step %" PRIu64 ": the gradient or its step is no longer finite", step);
}

static enum vt_status train(struct contrasting *c, struct vt_contrast_result *result, struct vt_error *error) {
  const struct vt_contrast_request *request = c->request;
  const double began = vt_clock_seconds();
  bool stopped = false;
  VT_TRY(record(c, 0, request->options.lr, NAN, false, &result->before, error));
  if (vt_is_interrupted(request->interrupt)) return vt_adapted_stopped(NULL, 0, c->steps, error);
  for (uint64_t step = 1; step <= c->steps && !stopped; step++) {
    const double rate = request->options.lr * (1 - (double)(step - 1) / (double)c->steps);
    VT_TRY(take_step(c, step, rate, &result->loss, error));
    stopped = step < c->steps && vt_is_interrupted(request->interrupt);
    VT_TRY(record(c, step, rate, result->loss, stopped, &result->after, error));
    result->steps = step;
    const struct vt_contrast_progress progress = {step, c->steps, result->loss, vt_clock_seconds() - began};
    if (request->progress != NULL) request->progress(request->progress_context, &progress);
  }
  if (stopped) VT_TRY(vt_adapted_note_stop(&c->adapted, result->steps, error));
  result->pairs = c->pairs.count;
  result->skipped = c->pairs.skipped;
  result->dropout = !c->pairs.paired;
  result->seconds = vt_clock_seconds() - began;
  result->drift = vt_adapted_drift(&c->adapted);
  return VT_OK;
}

enum vt_status vt_contrast(const struct vt_contrast_request *request, struct vt_contrast_result *result,
                           struct vt_error *error) {
  struct vt_error own;
  struct vt_contrast_result ignored;
  struct contrasting c = {.request = request};
  if (error == NULL) error = &own;
  if (result == NULL) result = &ignored;
  *result = (struct vt_contrast_result){0};
  enum vt_status status = prepare(&c, error);
  if (status == VT_OK) status = train(&c, result, error);
  if (status == VT_OK) status = vt_adapted_end(&c.adapted, NULL, NULL, 0, error);
  if (status == VT_OK && c.adapted.stopped)
    status = vt_adapted_stopped(request->run_path, result->steps, c.steps, error);
  release(&c);
  return status;
}
