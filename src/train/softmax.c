/*
 * softmax.c: the engine of the exact softmax in minibatches. (Full batches: softmax_full.c.)
 *
 * A step of the run is one block of text: its pairs, drawn as skip-gram draws them, are trained in the order of the
 * text, so many at a time, each batch by the mean of its losses.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/pool.h"
#include "train/anchor.h"
#include "train/blocks.h"
#include "train/engine_type.h"
#include "train/optimizer.h"
#include "train/softmax_batch.h"
#include "train/softmax_ledger.h"
#include "train/softmax_text.h"
#include "train/window.h"

struct softmax {
  struct vt_engine base;
  struct vt_softmax_text text;
  struct vt_pool *pool;
  struct vt_softmax_space *space;
  struct vt_table tables[VT_TABLE_COUNT];
  struct vt_table gradients[VT_TABLE_COUNT]; /* rows of the input's are zero between batches */
  struct vt_optimizer optimizers[VT_TABLE_COUNT];
  struct vt_anchor anchor;          /* of a training that goes on with a run */
  struct vt_softmax_ledger booking; /* where a ledger is kept */
  double updates;                   /* steps of the optimisers so far; a part, so a double */
  /* The pairs of a block, and a batch of them. */
  struct vt_token *tokens;
  uint32_t *contexts;
  uint32_t *inputs;
  uint32_t *targets;
  uint64_t *documents; /* the sentence of each pair; where a ledger is kept by document */
  size_t pair_capacity;
  size_t *start;
  float *ones;
};

/* ---- making and freeing ------------------------------------------------------------------------------------------ */

static enum vt_status create_tables(struct softmax *engine, struct vt_error *error) {
  const struct vt_train_options *options = &engine->base.options;
  uint32_t rows = (uint32_t)vt_vocab_size(engine->base.vocab), dim = options->dim;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    VT_TRY(vt_table_init(&engine->tables[t], rows, dim, error));
    VT_TRY(vt_table_init(&engine->gradients[t], rows, dim, error));
    VT_TRY(vt_optimizer_init(&engine->optimizers[t], options->optimizer, &engine->tables[t], error));
  }
  struct vt_table *input = &engine->tables[VT_TABLE_INPUT];
  for (uint32_t row = 0; row < rows; row++) vt_table_start_row(options->seed, row, dim, vt_table_row(input, row));
  return VT_OK;
}

/* Room for all pairs of the longest block. */
static enum vt_status create_pairs(struct softmax *engine, struct vt_error *error) {
  const struct vt_train_options *options = &engine->base.options;
  size_t entries = vt_block_entries_max(options->block_tokens);
  engine->pair_capacity = entries * 2 * options->window;
  engine->tokens = vt_alloc(entries, sizeof *engine->tokens);
  engine->contexts = vt_alloc(2 * (size_t)options->window, sizeof *engine->contexts);
  engine->inputs = vt_alloc(engine->pair_capacity, sizeof *engine->inputs);
  engine->targets = vt_alloc(engine->pair_capacity, sizeof *engine->targets);
  if (engine->tokens == NULL || engine->contexts == NULL || engine->inputs == NULL || engine->targets == NULL)
    return VT_FAIL_MEMORY(error, engine->pair_capacity * sizeof *engine->inputs);
  return VT_OK;
}

/* Batches of pairs with one target each. */
static enum vt_status create_ones(struct softmax *engine, struct vt_error *error) {
  size_t rows = engine->base.options.batch;
  engine->start = vt_alloc(rows + 1, sizeof *engine->start);
  engine->ones = vt_alloc(rows, sizeof *engine->ones);
  if (engine->start == NULL || engine->ones == NULL) return VT_FAIL_MEMORY(error, rows * sizeof *engine->start);
  for (size_t k = 0; k <= rows; k++) engine->start[k] = k;
  for (size_t k = 0; k < rows; k++) engine->ones[k] = 1;
  return VT_OK;
}

static enum vt_status create(struct vt_engine *base, struct vt_error *error) {
  struct softmax *engine = (struct softmax *)base;
  const struct vt_train_options *options = &base->options;
  VT_TRY(vt_softmax_text_init(&engine->text, base, error));
  VT_TRY(vt_pool_create(options->threads, &engine->pool, error));
  VT_TRY(create_tables(engine, error));
  VT_TRY(create_ones(engine, error));
  VT_TRY(vt_softmax_space_create(options->batch, engine->tables[0].rows, options->dim, engine->pool,
                                 engine->text.setup.kernel, &engine->space, error));
  base->state.steps = vt_block_count(base->ids, base->entries, options->block_tokens, base->corpus) * options->epochs;
  return create_pairs(engine, error);
}

static void release(struct vt_engine *base) {
  struct softmax *engine = (struct softmax *)base;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    vt_optimizer_release(&engine->optimizers[t]);
    vt_table_release(&engine->tables[t]);
    vt_table_release(&engine->gradients[t]);
  }
  vt_anchor_release(&engine->anchor);
  vt_softmax_ledger_release(&engine->booking);
  vt_ledger_free(base->ledger);
  vt_free(engine->documents);
  vt_softmax_space_free(engine->space);
  vt_pool_free(engine->pool);
  vt_softmax_text_release(&engine->text);
  vt_free(engine->tokens);
  vt_free(engine->contexts);
  vt_free(engine->inputs);
  vt_free(engine->targets);
  vt_free(engine->start);
  vt_free(engine->ones);
}

/* ---- gradients --------------------------------------------------------------------------------------------------- */

/* Loss and gradients of a batch; the input rows' gradients are added to their table in the batch's order. */
static double add_gradients(struct softmax *engine, const struct vt_softmax_batch *batch) {
  double loss = vt_softmax_batch_gradient(engine->space, &engine->tables[VT_TABLE_INPUT],
                                          &engine->tables[VT_TABLE_OUTPUT], batch, &engine->gradients[VT_TABLE_OUTPUT]);
  struct vt_table *gradient = &engine->gradients[VT_TABLE_INPUT];
  for (size_t i = 0; i < batch->rows; i++) {
    const float *from = vt_softmax_input_gradient(engine->space, i);
    float *to = vt_table_row(gradient, batch->inputs[i]);
    for (size_t k = 0; k < gradient->width; k++) to[k] += from[k];
  }
  return loss;
}

static void clear_gradients(struct softmax *engine, const uint32_t *inputs, size_t count) {
  struct vt_table *gradient = &engine->gradients[VT_TABLE_INPUT];
  if (engine->base.held) { /* every row has a gradient */
    memset(gradient->data, 0, gradient->rows * gradient->width * sizeof *gradient->data);
    return;
  }
  for (size_t i = 0; i < count; i++) memset(vt_table_row(gradient, inputs[i]), 0, gradient->width * sizeof(float));
}

static double gradient_length(const struct softmax *engine) {
  double squared = 0;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    const struct vt_table *gradient = &engine->gradients[t];
    for (size_t k = 0; k < gradient->rows * gradient->width; k++)
      squared += (double)gradient->data[k] * (double)gradient->data[k];
  }
  return sqrt(squared);
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

/* Moves both tables by the gradients there are, those of the batch, whose pairs begin at `first`. */
static enum vt_status update(struct softmax *engine, const struct vt_softmax_batch *batch, size_t first,
                             struct vt_error *error) {
  const struct vt_train_options *options = &engine->base.options;
  struct vt_engine_state *state = &engine->base.state;
  engine->updates++;
  for (int t = 0; t < VT_TABLE_COUNT && engine->base.held; t++)
    vt_anchor_slope(&engine->anchor, t, engine->gradients[t].data);
  const struct vt_optimizer_step step = {.rate = state->lr, .l2 = options->l2, .number = (uint64_t)engine->updates};
  const struct vt_softmax_booking booking = {
      .batch = batch,
      .space = engine->space,
      .documents = engine->documents == NULL ? NULL : engine->documents + first,
      .input = &engine->tables[VT_TABLE_INPUT],
      .output = &engine->tables[VT_TABLE_OUTPUT],
      .input_gradient = &engine->gradients[VT_TABLE_INPUT],
      .optimizer = &engine->optimizers[VT_TABLE_INPUT],
      .step = &step,
      .pool = engine->pool,
  };
  if (engine->base.ledger != NULL) vt_softmax_ledger_before(&engine->booking, &booking);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    uint32_t bad;
    state->step_squared += vt_optimizer_apply(&engine->optimizers[t], &engine->gradients[t], &step, engine->pool, &bad);
    if (bad == UINT32_MAX) continue;
    return VT_FAIL_HELP(error, VT_ERROR_DIVERGED, "use a smaller learning rate (--lr)",
                        "training diverged at step %" PRIu64 ": the %s vector of \"%s\" is no longer finite",
                        state->step, t == VT_TABLE_INPUT ? "input" : "output", vt_vocab_text(engine->base.vocab, bad));
  }
  if (engine->base.ledger == NULL) return VT_OK;
  vt_softmax_ledger_after(&engine->booking, &booking);
  return vt_ledger_check(engine->base.ledger, error);
}

/* The pairs of a block: each context word predicts the centre. */
static size_t draw_pairs(struct softmax *engine, struct vt_block *block) {
  const struct vt_token *tokens = engine->tokens;
  uint32_t count = vt_window_draw(&engine->text.setup, block, engine->tokens);
  size_t pairs = 0;
  for (uint32_t begin = 0, end = 0; begin < count; begin = end) {
    end = vt_window_sentence_end(tokens, count, begin);
    for (uint32_t centre = begin; centre < end; centre++) {
      if (tokens[centre].probe) continue;
      uint32_t contexts = vt_window_contexts(tokens, begin, end, centre, engine->contexts);
      for (uint32_t c = 0; c < contexts; c++, pairs++) {
        engine->inputs[pairs] = engine->contexts[c];
        engine->targets[pairs] = tokens[centre].word;
        if (engine->documents != NULL) engine->documents[pairs] = block->first_sentence + tokens[centre].sentence;
      }
    }
  }
  return pairs;
}

static enum vt_status train_pairs(struct softmax *engine, size_t pairs, struct vt_error *error) {
  const size_t most = engine->base.options.batch;
  for (size_t first = 0; first < pairs; first += most) {
    size_t rows = pairs - first < most ? pairs - first : most;
    const struct vt_softmax_batch batch = {.rows = rows,
                                           .inputs = engine->inputs + first,
                                           .start = engine->start,
                                           .targets = engine->targets + first,
                                           .weights = engine->ones,
                                           .scale = 1 / (float)rows};
    engine->base.state.loss_sum += add_gradients(engine, &batch);
    VT_TRY(update(engine, &batch, first, error));
    clear_gradients(engine, batch.inputs, rows);
  }
  return VT_OK;
}

static enum vt_status step(struct vt_engine *base, struct vt_error *error) {
  struct softmax *engine = (struct softmax *)base;
  const struct vt_train_options *options = &base->options;
  struct vt_engine_state *state = &base->state;
  state->step++;
  state->loss_sum = state->step_squared = 0;
  state->rows_capped = 0;
  state->rows_moved = (uint64_t)VT_TABLE_COUNT * engine->tables[0].rows;
  if (state->epoch_ended) {
    state->epoch++;
    state->position = 0;
  }
  uint32_t epoch = state->epoch - 1;
  double entries = (double)engine->base.entries;
  state->lr =
      vt_engine_rate(options, ((double)epoch * entries + (double)state->position) / (options->epochs * entries));
  struct vt_block block = {
      .ids = engine->base.ids,
      .begin = state->position,
      .end = vt_block_end(engine->base.ids, engine->base.entries, state->position, options->block_tokens),
      .rng = vt_rng_make(VT_RNG_BLOCK, options->seed, epoch, state->position)};
  if (engine->documents != NULL) block.first_sentence = vt_engine_sentences_before(base, block.begin);
  size_t pairs = draw_pairs(engine, &block);
  state->tokens += block.tokens;
  state->position = block.end;
  state->epoch_ended = state->position == engine->base.entries;
  state->loss_pairs = pairs;
  return train_pairs(engine, pairs, error);
}

/* ---- looking in -------------------------------------------------------------------------------------------------- */

static struct vt_engine_part table_part(const char *name, const struct vt_table *table) {
  return (struct vt_engine_part){name,        VT_PART_F32, table->data,
                                 table->rows, table->dim,  table->width * sizeof *table->data};
}

static size_t parts(struct vt_engine *base, struct vt_engine_part parts[VT_ENGINE_PARTS_MAX]) {
  static const char *const names[][VT_TABLE_COUNT] = {
      {"input", "output"}, {"input_squares", "output_squares"}, {"input_moments", "output_moments"}};
  struct softmax *engine = (struct softmax *)base;
  size_t count = 0;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    const struct vt_optimizer *optimizer = &engine->optimizers[t];
    parts[count++] = table_part(names[0][t], &engine->tables[t]);
    if (optimizer->squares.data != NULL) parts[count++] = table_part(names[1][t], &optimizer->squares);
    if (optimizer->moments.data != NULL) parts[count++] = table_part(names[2][t], &optimizer->moments);
  }
  parts[count++] = (struct vt_engine_part){"updates", VT_PART_F64, &engine->updates, 1, 1, sizeof engine->updates};
  return count;
}

static void resumed(struct vt_engine *base) { (void)base; }

static enum vt_status started(struct vt_engine *base, const uint32_t *frozen, size_t count, struct vt_error *error) {
  struct softmax *engine = (struct softmax *)base;
  const struct vt_anchor_options options = vt_anchor_options_of(&base->options.tuning, frozen, count);
  VT_TRY(vt_anchor_init(&engine->anchor, engine->tables, &options, error));
  base->held = vt_anchor_holds(&engine->anchor);
  return VT_OK;
}

static const struct vt_table *table(struct vt_engine *base, enum vt_table_role role) {
  return &((struct softmax *)base)->tables[role];
}

/* A probe's pairs as batches. Their gradients use the tables that the next step begins anew. */
static struct vt_probe_result measure(struct softmax *engine, const struct vt_probe *pairs) {
  struct vt_probe_result result = {.loss = NAN, .gradient = NAN};
  uint32_t inputs[VT_PROBE_PAIRS], targets[VT_PROBE_PAIRS];
  const size_t count = vt_softmax_text_pairs(pairs, inputs, targets), most = engine->base.options.batch;
  if (count == 0) return result;
  double loss = 0;
  for (size_t first = 0; first < count; first += most) {
    const struct vt_softmax_batch batch = {.rows = count - first < most ? count - first : most,
                                           .inputs = inputs + first,
                                           .start = engine->start,
                                           .targets = targets + first,
                                           .weights = engine->ones,
                                           .scale = 1 / (float)count,
                                           .add = first > 0};
    loss += add_gradients(engine, &batch);
  }
  result.loss = loss / (double)count;
  result.gradient = gradient_length(engine);
  clear_gradients(engine, inputs, count);
  return result;
}

static struct vt_probe_result probe(struct vt_engine *base) {
  struct softmax *engine = (struct softmax *)base;
  return measure(engine, engine->text.probe);
}

static double held_out_loss(struct vt_engine *base) {
  struct softmax *engine = (struct softmax *)base;
  return measure(engine, engine->text.held_out_probe).loss;
}

static enum vt_status keep_ledger(struct vt_engine *base, const struct vt_ledger_options *options,
                                  struct vt_error *error) {
  struct softmax *engine = (struct softmax *)base;
  VT_TRY(vt_softmax_ledger_init(&engine->booking, options, &engine->tables[VT_TABLE_INPUT], base->kernel, &base->ledger,
                                error));
  if (!options->by_document) return VT_OK;
  engine->documents = vt_alloc(engine->pair_capacity, sizeof *engine->documents);
  return engine->documents == NULL ? VT_FAIL_MEMORY(error, engine->pair_capacity * sizeof *engine->documents) : VT_OK;
}

const struct vt_engine_type vt_engine_softmax = {
    .bytes = sizeof(struct softmax),
    .create = create,
    .free = release,
    .step = step,
    .parts = parts,
    .resumed = resumed,
    .started = started,
    .table = table,
    .probe = probe,
    .held_out_loss = held_out_loss,
    .keep_ledger = keep_ledger,
};
