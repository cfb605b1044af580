/*
 * engine.c: networks behind the seam of engine_type.h: samples in, loss, gradient, step.
 *
 * A step of the run is one step of the optimiser: `accumulate` batches, each by the mean of its losses. The gradient of
 * each is computed by itself, and they are added up in one order (dist/reduction.h), so that several processes, which
 * share out the batches of a step, come to the bits of one. Each has all parameters, and makes the same step of them.
 *
 * The state to go on from is the parameters, the optimiser's moments, and how many steps it has made; all else follows
 * from the step.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "dist/ranks.h"
#include "dist/reduction.h"
#include "kernel/kernel.h"
#include "network/net.h"
#include "network/routes.h"
#include "network/stream.h"
#include "network/update.h"
#include "train/anchor.h"
#include "train/engine_type.h"

/* That loss and gradient are measured on, at most, and the loss held out, which takes a third of the time. */
#define PROBE_ROWS 2048
#define HELD_OUT_ROWS 8192

struct network {
  struct vt_engine base;
  struct vt_pool *pool;
  struct vt_net_layout layout;
  struct vt_net_net *net;
  struct vt_update update;
  float *values;
  struct vt_reduction *reduction;         /* of the gradients of a step's batches */
  struct vt_table tables[VT_TABLE_COUNT]; /* views of the parameters, without the end mark's row */
  struct vt_token_stream stream, held;
  bool begun; /* the stream is in the order of this epoch */
  struct vt_token_samples batch, probe, held_probe;
  size_t rows_a_sample; /* that the loss is measured on */
  size_t steps_an_epoch;
  struct vt_anchor anchor; /* of a training that goes on with a run */
  struct vt_routes routes; /* where they are measured, or a ledger is kept */
  bool has_routes;
};

/* ---- making and freeing ------------------------------------------------------------------------------------------ */

static enum vt_status create_streams(struct network *engine, struct vt_error *error) {
  struct vt_engine *base = &engine->base;
  const struct vt_net_shape *shape = &engine->layout.shape;
  const bool nnlm = shape->model == VT_MODEL_NNLM;
  const uint32_t end = nnlm ? VT_NO_TARGET : (uint32_t)vt_vocab_size(base->vocab);
  const size_t stride = base->options.network.stride;
  VT_TRY(vt_token_stream_init(&engine->stream, shape, stride, base->ids, base->entries, end, &base->held_out, false,
                              error));
  if (engine->stream.samples == 0)
    return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "use a shorter context (--context), or more text",
                        "the text has %zu tokens, too few for a context of %" PRIu32 " and the token behind it",
                        engine->stream.count, shape->context);
  if (base->held_out.count == 0) return VT_OK;
  VT_TRY(vt_token_stream_init(&engine->held, shape, nnlm ? 1 : stride, base->ids, base->entries, end, &base->held_out,
                              true, error));
  if (engine->held.samples > 0) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "hold more out (--held-out), or use a shorter context (--context)",
                      "the sentences held out have %zu tokens, too few for a context of %" PRIu32, engine->held.count,
                      shape->context);
}

static enum vt_status plan_steps(struct network *engine, struct vt_error *error) {
  const struct vt_train_options *options = &engine->base.options;
  const size_t samples = (size_t)options->batch * options->network.accumulate;
  engine->steps_an_epoch = engine->stream.samples / samples;
  if (engine->steps_an_epoch == 0)
    return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "use a smaller batch (--batch), or a shorter context (--context)",
                        "the text makes %zu samples, and a step takes %zu", engine->stream.samples, samples);
  engine->base.state.steps = (uint64_t)engine->steps_an_epoch * options->epochs;
  return VT_OK;
}

static enum vt_status create_parameters(struct network *engine, struct vt_error *error) {
  const size_t floats = engine->layout.floats;
  engine->values = vt_alloc_aligned(floats, sizeof *engine->values);
  if (engine->values == NULL) return VT_FAIL_MEMORY(error, floats * sizeof(float));
  vt_net_start(&engine->layout, engine->base.options.seed, engine->values);
  const size_t places[VT_TABLE_COUNT] = {VT_NET_TABLE, engine->layout.output};
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    const struct vt_net_parameter *parameter = &engine->layout.parameters[places[t]];
    engine->tables[t] = (struct vt_table){.data = engine->values + parameter->offset,
                                          .rows = (uint32_t)vt_vocab_size(engine->base.vocab),
                                          .dim = (uint32_t)parameter->columns,
                                          .width = parameter->stride};
  }
  return VT_OK;
}

static enum vt_status create_net(struct network *engine, bool routes, struct vt_error *error) {
  const struct vt_train_options *options = &engine->base.options;
  const size_t rows = (size_t)options->batch * engine->rows_a_sample;
  vt_net_free(engine->net);
  engine->net = NULL;
  VT_TRY(vt_net_create(&engine->layout, vt_dense_choose(options->kernel), engine->pool, rows, true, routes,
                       &engine->net, error));
  engine->net->values = engine->values;
  if (!routes) return VT_OK;
  engine->has_routes = true;
  const size_t tokens = (size_t)options->batch * engine->layout.shape.context * options->network.accumulate;
  return vt_routes_init(&engine->routes, engine->net, tokens, error);
}

static enum vt_status create(struct vt_engine *base, struct vt_error *error) {
  struct network *engine = (struct network *)base;
  const struct vt_train_options *options = &base->options;
  const bool nnlm = options->model == VT_MODEL_NNLM;
  const struct vt_kernel *kernel;
  VT_TRY(vt_kernel_choose(options->kernel, &kernel, error));
  base->kernel = base->options.kernel = kernel->name;
  const struct vt_net_shape shape = vt_net_shape_make(options, (uint32_t)vt_vocab_size(base->vocab), !nnlm);
  VT_TRY(vt_net_layout_init(&engine->layout, &shape, error));
  engine->rows_a_sample = vt_token_sample_rows(&shape);
  VT_TRY(create_streams(engine, error));
  VT_TRY(plan_steps(engine, error));
  VT_TRY(vt_pool_create(options->threads, &engine->pool, error));
  VT_TRY(create_parameters(engine, error));
  VT_TRY(vt_token_samples_init(&engine->batch, &engine->layout.shape, options->batch, error));
  VT_TRY(vt_token_samples_spread(&engine->probe, &engine->stream, PROBE_ROWS, error));
  if (base->held_out.count > 0)
    VT_TRY(vt_token_samples_spread(&engine->held_probe, &engine->held, HELD_OUT_ROWS, error));
  base->probe_pairs = engine->probe.count * engine->rows_a_sample;
  return create_net(engine, options->network.routes, error);
}

/* What ranks of a machine share, and what rests on it. */
static enum vt_status join(struct vt_engine *base, struct vt_error *error) {
  struct network *engine = (struct network *)base;
  const struct vt_train_options *options = &base->options;
  VT_TRY(vt_reduction_create(options->ranks, engine->layout.floats, options->network.accumulate, engine->pool,
                             &engine->reduction, error));
  enum vt_status status =
      vt_update_init(&engine->update, &engine->layout, vt_dense_choose(options->kernel), engine->pool,
                     options->optimizer, engine->values, vt_reduction_sum(engine->reduction), error);
  return vt_ranks_agree(options->ranks, status, error);
}

static void release(struct vt_engine *base) {
  struct network *engine = (struct network *)base;
  vt_update_release(&engine->update);
  vt_anchor_release(&engine->anchor);
  vt_routes_release(&engine->routes);
  vt_ledger_free(base->ledger);
  vt_net_free(engine->net);
  vt_reduction_free(engine->reduction);
  vt_pool_free(engine->pool);
  vt_net_layout_release(&engine->layout);
  vt_free_aligned(engine->values);
  vt_token_stream_release(&engine->stream);
  vt_token_stream_release(&engine->held);
  vt_token_samples_release(&engine->batch);
  vt_token_samples_release(&engine->probe);
  vt_token_samples_release(&engine->held_probe);
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

/* Where the next gradient is computed, which is zero. */
static float *begin_gradients(struct network *engine) {
  float *gradients = vt_reduction_term(engine->reduction);
  memset(gradients, 0, engine->layout.floats * sizeof *gradients);
  engine->net->gradients = gradients;
  return gradients;
}

static void clear_output(struct network *engine) {
  const struct vt_net_parameter *table = &engine->layout.parameters[VT_NET_TABLE];
  memset(engine->routes.output, 0, table->rows * table->stride * sizeof(float));
}

static void add_output(struct network *engine, float *to) {
  const struct vt_net_parameter *table = &engine->layout.parameters[VT_NET_TABLE];
  for (size_t row = 0; row < table->rows; row++)
    engine->net->ops->add(to + row * table->stride, engine->routes.output + row * table->stride, table->stride);
}

/* Adds the gradient of scale x (the sum of a batch's losses) to what was begun; returns that sum. */
static double add_gradients(struct network *engine, const struct vt_token_samples *samples, size_t first, size_t count,
                            float scale, bool train, uint64_t key) {
  const size_t context = engine->layout.shape.context;
  struct vt_net_net *net = engine->net;
  vt_net_forward(net, samples->inputs + first * context, count, context, train, engine->base.options.seed, key);
  struct vt_net_loss loss = {
      .targets = samples->targets + first * engine->rows_a_sample, .scale = scale, .gradient = true};
  float *table = net->gradients + engine->layout.parameters[VT_NET_TABLE].offset;
  if (train && engine->routes.output != NULL) { /* apart, and then added as it would have been */
    clear_output(engine);
    loss.output_gradient = engine->routes.output;
  }
  double sum = vt_net_loss(net, &loss);
  if (loss.output_gradient != NULL) add_output(engine, table);
  vt_net_backward(net);
  if (train && engine->has_routes) vt_routes_add(&engine->routes, count * context);
  vt_net_scatter(net, net->d_input, table, NULL);
  return sum;
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

/* Names what is no longer finite: the first such vector of the table, else the first such parameter. */
static enum vt_status fail_diverged(const struct network *engine, const float *array, const char *what,
                                    struct vt_error *error) {
  static const char help[] = "use a smaller learning rate (--lr)";
  const uint64_t step = engine->base.state.step;
  for (size_t p = 0; p < engine->layout.count; p++) {
    const struct vt_net_parameter *parameter = &engine->layout.parameters[p];
    for (size_t k = 0; k < parameter->rows * parameter->stride; k++) {
      if (isfinite(array[parameter->offset + k])) continue;
      size_t row = k / parameter->stride;
      if (p == VT_NET_TABLE && row < engine->tables[0].rows)
        return VT_FAIL_HELP(error, VT_ERROR_DIVERGED, help,
                            "training diverged at step %" PRIu64 ": the %s the vector of \"%s\" is no longer finite",
                            step, what, vt_vocab_text(engine->base.vocab, (uint32_t)row));
      return VT_FAIL_HELP(error, VT_ERROR_DIVERGED, help,
                          "training diverged at step %" PRIu64 ": the %s the parameter \"%s\" is no longer finite",
                          step, what, parameter->name);
    }
  }
  return VT_FAIL_HELP(error, VT_ERROR_DIVERGED, help,
                      "training diverged at step %" PRIu64 ": the length of the gradient is no longer finite", step);
}

static struct vt_ledger *base_ledger(const struct network *engine) { return engine->base.ledger; }

static enum vt_status update(struct network *engine, struct vt_error *error) {
  const struct vt_train_options *options = &engine->base.options;
  struct vt_engine_state *state = &engine->base.state;
  const struct vt_update_step step = {.rate = state->lr,
                                      .decay = options->network.decay,
                                      .beta_2 = options->network.beta_2,
                                      .clip = options->network.clip,
                                      .number = state->step};
  if (!vt_update_prepare(&engine->update, &step)) {
    state->step--; /* it was not made */
    enum vt_status status = fail_diverged(engine, engine->update.gradients, "gradient of", error);
    state->step++;
    return status;
  }
  if (engine->has_routes) {
    vt_routes_measure(&engine->routes);
    vt_routes_before(&engine->routes, &engine->update);
  }
  state->step_squared = vt_update_apply(&engine->update);
  if (engine->has_routes && !isnan(state->step_squared)) vt_routes_after(&engine->routes, &engine->update);
  if (base_ledger(engine) != NULL) VT_TRY(vt_ledger_check(base_ledger(engine), error));
  if (!isnan(state->step_squared)) return VT_OK;
  return fail_diverged(engine, engine->values, "step of", error);
}

/* The gradients that belong to a table of the anchor. */
static float *slopes_of(const struct network *engine, int t) {
  return engine->update.gradients + (engine->anchor.tables[t].data - engine->values);
}

static enum vt_status held_update(struct network *engine, struct vt_error *error) {
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    if (engine->anchor.start[t] != NULL) vt_anchor_slope(&engine->anchor, t, slopes_of(engine, t));
  VT_TRY(update(engine, error));
  /* The weight decay alone could have moved them. */
  for (int t = 0; t < VT_TABLE_COUNT; t++) engine->base.state.step_squared -= vt_anchor_restore(&engine->anchor, t);
  if (engine->base.state.step_squared < 0) engine->base.state.step_squared = 0;
  return VT_OK;
}

static double rate(const struct network *engine) {
  const struct vt_train_options *options = &engine->base.options;
  const struct vt_engine_state *state = &engine->base.state;
  const double done = (double)(state->step - 1), warmup = options->network.warmup;
  if (done < warmup) return options->lr * (done + 1) / (warmup + 1);
  return vt_engine_rate(options, (done - warmup) / ((double)state->steps - warmup));
}

/* Where in the corpus the training stands, so that epochs end where the corpus does. */
static void move_on(struct network *engine) {
  struct vt_engine_state *state = &engine->base.state;
  const uint64_t tokens = vt_corpus_tokens(engine->base.corpus) - engine->base.held_out.tokens;
  const uint64_t an_epoch = engine->steps_an_epoch, done = state->step - (state->epoch - 1) * an_epoch;
  state->epoch_ended = done == an_epoch;
  state->position = (uint64_t)((double)engine->base.entries * ((double)done / (double)an_epoch));
  uint64_t in_epoch = (uint64_t)((double)tokens * ((double)done / (double)an_epoch));
  if (state->epoch_ended) {
    state->position = engine->base.entries;
    in_epoch = tokens;
  }
  state->tokens = (state->epoch - 1) * tokens + in_epoch;
}

static void draw_batch(struct network *engine, size_t number) {
  const size_t batch = engine->base.options.batch;
  engine->batch.count = 0;
  for (size_t k = 0; k < batch; k++)
    vt_token_samples_take(&engine->batch, &engine->stream, engine->stream.order[number * batch + k]);
}

/* Those batches of the step that are this process's, and with the others the sum of all gradients. */
static enum vt_status add_batches(struct network *engine, struct vt_error *error) {
  struct vt_engine_state *state = &engine->base.state;
  const size_t accumulate = engine->base.options.network.accumulate;
  const size_t rows = engine->base.options.batch * engine->rows_a_sample;
  const uint64_t in_epoch = (state->step - 1) % engine->steps_an_epoch;
  uint32_t begin, end;
  vt_reduction_begin(engine->reduction, &begin, &end);
  for (uint32_t k = begin; k < end; k++) {
    draw_batch(engine, (size_t)in_epoch * accumulate + k);
    begin_gradients(engine);
    vt_reduction_add(engine->reduction,
                     add_gradients(engine, &engine->batch, 0, engine->batch.count, 1 / (float)(rows * accumulate), true,
                                   (state->step - 1) * accumulate + k));
  }
  VT_TRY(vt_reduction_finish(engine->reduction, error));
  const double *losses = vt_reduction_values(engine->reduction);
  for (size_t k = 0; k < accumulate; k++) state->loss_sum += losses[k];
  state->loss_pairs = rows * accumulate;
  return VT_OK;
}

static enum vt_status step(struct vt_engine *base, struct vt_error *error) {
  struct network *engine = (struct network *)base;
  struct vt_engine_state *state = &base->state;
  if (state->epoch_ended) {
    state->epoch++;
    engine->begun = false;
  }
  if (!engine->begun) vt_token_stream_begin(&engine->stream, base->options.seed, state->epoch - 1);
  engine->begun = true;
  state->step++;
  state->lr = rate(engine);
  state->loss_sum = state->step_squared = 0;
  state->rows_capped = 0;
  state->rows_moved = (uint64_t)VT_TABLE_COUNT * engine->tables[0].rows;
  if (engine->has_routes) vt_routes_begin(&engine->routes);
  enum vt_status status = add_batches(engine, error);
  if (status == VT_OK) status = engine->base.held ? held_update(engine, error) : update(engine, error);
  if (status != VT_OK) {
    vt_reduction_over(engine->reduction); /* what ends a step early ends it on all ranks */
    return status;
  }
  move_on(engine);
  return VT_OK;
}

/* ---- with other ranks -------------------------------------------------------------------------------------------- */

/* All that a checkpoint needs is on every rank. */
static enum vt_status collect(struct vt_engine *base, struct vt_error *error) {
  (void)base;
  (void)error;
  return VT_OK;
}

static enum vt_status stop(struct vt_engine *base, struct vt_error *error) {
  return vt_reduction_stop(((struct network *)base)->reduction, error);
}

static enum vt_status wait_for_zero(struct vt_engine *base, struct vt_error *error) {
  return vt_reduction_wait(((struct network *)base)->reduction, error);
}

static enum vt_status spread(struct vt_engine *base, struct vt_error *error) {
  struct vt_engine_part all[VT_ENGINE_PARTS_MAX];
  const size_t count = vt_engine_parts(base, all);
  for (size_t k = 0; k < count; k++)
    VT_TRY(vt_ranks_broadcast(base->options.ranks, all[k].data, (size_t)all[k].rows * all[k].stride_bytes, error));
  return VT_OK;
}

/* ---- looking in -------------------------------------------------------------------------------------------------- */

static size_t parts(struct vt_engine *base, struct vt_engine_part parts[VT_ENGINE_PARTS_MAX]) {
  struct network *engine = (struct network *)base;
  const uint64_t floats = engine->layout.floats;
  const size_t bytes = engine->layout.floats * sizeof(float);
  size_t count = 0;
  parts[count++] = (struct vt_engine_part){"parameters", VT_PART_F32, engine->values, 1, floats, bytes};
  if (engine->update.moments != NULL) {
    parts[count++] = (struct vt_engine_part){"moments", VT_PART_F32, engine->update.moments, 1, floats, bytes};
    parts[count++] = (struct vt_engine_part){"squares", VT_PART_F32, engine->update.squares, 1, floats, bytes};
  }
  /* Of the last step: whoever goes on from here records it. */
  parts[count++] =
      (struct vt_engine_part){"gradient", VT_PART_F64, &engine->update.gradient, 1, 1, sizeof engine->update.gradient};
  if (engine->has_routes) {
    struct vt_routes *own = &engine->routes;
    const uint64_t routes = own->parts + 1, products = VT_ROUTE_GROUPS * VT_ROUTE_GROUPS;
    parts[count++] = (struct vt_engine_part){"route_sums", VT_PART_F64, own->sums, 1, routes, routes * sizeof(double)};
    parts[count++] =
        (struct vt_engine_part){"route_norms", VT_PART_F64, own->norms, 1, routes, routes * sizeof(double)};
    parts[count++] =
        (struct vt_engine_part){"route_products", VT_PART_F64, own->products, 1, products, sizeof own->products};
    if (engine->routes.moments != NULL) {
      const uint64_t rows = vt_ledger_words(base->ledger) * (routes + 1), dim = engine->layout.shape.dim;
      parts[count++] = (struct vt_engine_part){"route_moments",     VT_PART_F64, engine->routes.moments, rows, dim,
                                               dim * sizeof(double)};
    }
  }
  return count;
}

static void resumed(struct vt_engine *base) { ((struct network *)base)->begun = false; }

/* Whole parameters, the end mark's row included; a tied output matrix is held as the table that it is. */
static enum vt_status started(struct vt_engine *base, const uint32_t *frozen, size_t count, struct vt_error *error) {
  struct network *engine = (struct network *)base;
  const struct vt_tuning_options *tuning = &base->options.tuning;
  const bool tied = engine->layout.output == VT_NET_TABLE;
  const size_t places[VT_TABLE_COUNT] = {VT_NET_TABLE, engine->layout.output};
  struct vt_table tables[VT_TABLE_COUNT] = {0};
  for (int t = 0; t < (tied ? 1 : VT_TABLE_COUNT); t++) {
    const struct vt_net_parameter *parameter = &engine->layout.parameters[places[t]];
    tables[t] = engine->tables[t];
    tables[t].rows = (uint32_t)parameter->rows;
  }
  const struct vt_anchor_options options = {
      .mu = tuning->anchor,
      .freeze = {tuning->freeze_input || (tied && tuning->freeze_output), tuning->freeze_output},
      .rows = frozen,
      .row_count = count};
  VT_TRY(vt_anchor_init(&engine->anchor, tables, &options, error));
  base->held = vt_anchor_holds(&engine->anchor);
  return VT_OK;
}

static const struct vt_table *table(struct vt_engine *base, enum vt_table_role role) {
  return &((struct network *)base)->tables[role];
}

static enum vt_status metrics(struct vt_engine *base, vt_engine_metric_visit *visit, void *context,
                              struct vt_error *error) {
  const struct network *engine = (const struct network *)base;
  VT_TRY(visit(context, "batch_gradient", engine->update.gradient, error));
  return engine->base.options.network.routes ? vt_routes_visit(&engine->routes, visit, context, error) : VT_OK;
}

static enum vt_status keep_ledger(struct vt_engine *base, const struct vt_ledger_options *options,
                                  struct vt_error *error) {
  struct network *engine = (struct network *)base;
  if (options->by_document)
    return VT_FAIL(error, VT_ERROR_UNSUPPORTED, "a network's ledger is kept by route, not by document");
  VT_TRY(vt_ledger_create(options, &engine->tables[VT_TABLE_INPUT], base->kernel, 0, 0, &base->ledger, error));
  if (!engine->has_routes) VT_TRY(create_net(engine, true, error));
  return vt_routes_keep(&engine->routes, base->ledger, &engine->update, error);
}

static const struct vt_net_layout *model(struct vt_engine *base, const float **values) {
  struct network *engine = (struct network *)base;
  *values = engine->values;
  return &engine->layout;
}

/* Both run in batches, and leave gradients that the next step clears; those of the last step may be gone. */
static struct vt_probe_result probe(struct vt_engine *base) {
  struct network *engine = (struct network *)base;
  const struct vt_token_samples *samples = &engine->probe;
  const size_t most = base->options.batch, rows = samples->count * engine->rows_a_sample;
  double loss = 0, squared = 0;
  const float *gradients = begin_gradients(engine);
  for (size_t first = 0; first < samples->count; first += most) {
    size_t count = samples->count - first < most ? samples->count - first : most;
    loss += add_gradients(engine, samples, first, count, 1 / (float)rows, false, 0);
  }
  for (size_t k = 0; k < engine->layout.floats; k++) squared += (double)gradients[k] * (double)gradients[k];
  return (struct vt_probe_result){.loss = loss / (double)rows, .gradient = sqrt(squared)};
}

static double held_out_loss(struct vt_engine *base) {
  struct network *engine = (struct network *)base;
  const struct vt_token_samples *samples = &engine->held_probe;
  const size_t most = base->options.batch, context = engine->layout.shape.context;
  double sum = 0;
  for (size_t first = 0; first < samples->count; first += most) {
    size_t count = samples->count - first < most ? samples->count - first : most;
    vt_net_forward(engine->net, samples->inputs + first * context, count, context, false, 0, 0);
    const struct vt_net_loss loss = {.targets = samples->targets + first * engine->rows_a_sample};
    sum += vt_net_loss(engine->net, &loss);
  }
  return sum / (double)(samples->count * engine->rows_a_sample);
}

const struct vt_engine_type vt_engine_network = {
    .bytes = sizeof(struct network),
    .create = create,
    .join = join,
    .free = release,
    .step = step,
    .parts = parts,
    .resumed = resumed,
    .started = started,
    .table = table,
    .metrics = metrics,
    .model = model,
    .keep_ledger = keep_ledger,
    .probe = probe,
    .held_out_loss = held_out_loss,
    .collect = collect,
    .stop = stop,
    .wait = wait_for_zero,
    .spread = spread,
};
