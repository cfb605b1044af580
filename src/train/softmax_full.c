/*
 * softmax_full.c: the engine of full batches. A step is one step of gradient descent on the mean loss over the expected
 * counts of all pairs (pair_counts.h), those of the probe too, plus lambda |v|^2 for every row, and an epoch is a step.
 *
 * All of it is in double: in float the tables cannot come nearer to the optimum than their own last digits, where the
 * gradient still is some 1e-4 of its start. What observers see are the tables rounded to float.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/blas.h"
#include "base/memory.h"
#include "base/pool.h"
#include "text/cooccur.h"
#include "train/anchor.h"
#include "train/pair_counts.h"
#include "train/softmax_gradient.h"
#include "train/softmax_ledger.h"
#include "train/softmax_text.h"

#define EPSILON 1e-8
#define BETA_1 0.9
#define BETA_2 0.999

struct pairs {
  size_t count;
  uint32_t inputs[VT_PROBE_PAIRS], targets[VT_PROBE_PAIRS];
};

struct full {
  struct vt_engine base;
  struct vt_softmax_text text;
  struct vt_pair_counts counts;
  struct pairs drawn; /* the probe, where there is no text */
  struct vt_pool *pool;
  uint32_t words, dim;
  double *tables[VT_TABLE_COUNT];
  double *gradients[VT_TABLE_COUNT];
  double *squares[VT_TABLE_COUNT]; /* but with SGD */
  double *moments[VT_TABLE_COUNT]; /* with AdamW */
  struct vt_table seen[VT_TABLE_COUNT];
  struct vt_softmax_gradient *gradient;
  struct vt_anchor anchor;          /* of a training that goes on with a run: its start is that of `seen` */
  struct vt_softmax_ledger booking; /* where a ledger is kept */
  double *rows_before;              /* of the watched words: watched x dim */
};

/* ---- making and freeing ------------------------------------------------------------------------------------------ */

static size_t cells(const struct full *engine) { return (size_t)engine->words * engine->dim; }

static void show(struct full *engine) {
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    for (uint32_t row = 0; row < engine->words; row++)
      for (uint32_t k = 0; k < engine->dim; k++)
        vt_table_row(&engine->seen[t], row)[k] = (float)engine->tables[t][(size_t)row * engine->dim + k];
}

static enum vt_status create_tables(struct full *engine, struct vt_error *error) {
  const struct vt_train_options *options = &engine->base.options;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    VT_TRY(vt_table_init(&engine->seen[t], engine->words, engine->dim, error));
    bool squares = options->optimizer != VT_OPTIMIZER_SGD, moments = options->optimizer == VT_OPTIMIZER_ADAMW;
    engine->tables[t] = vt_alloc_aligned(cells(engine), sizeof(double));
    engine->gradients[t] = vt_alloc_aligned(cells(engine), sizeof(double));
    engine->squares[t] = squares ? vt_alloc_aligned(cells(engine), sizeof(double)) : NULL;
    engine->moments[t] = moments ? vt_alloc_aligned(cells(engine), sizeof(double)) : NULL;
    if (engine->tables[t] == NULL || engine->gradients[t] == NULL || (squares && engine->squares[t] == NULL) ||
        (moments && engine->moments[t] == NULL))
      return VT_FAIL_MEMORY(error, cells(engine) * sizeof(double));
  }
  for (uint32_t row = 0; row < engine->words; row++) {
    float *start = vt_table_row(&engine->seen[VT_TABLE_INPUT], row);
    vt_table_start_row(options->seed, row, engine->dim, start);
    for (uint32_t k = 0; k < engine->dim; k++)
      engine->tables[VT_TABLE_INPUT][(size_t)row * engine->dim + k] = (double)start[k];
  }
  return VT_OK;
}

/* Those of the probe too, or the optimum would not be that of the text. */
static enum vt_status count_text(const struct vt_engine *base, struct vt_cooccur **counts, struct vt_error *error) {
  const struct vt_cooccur_text text = {.ids = base->ids,
                                       .entries = base->entries,
                                       .words = (uint32_t)vt_vocab_size(base->vocab),
                                       .spans = base->held_out.spans,
                                       .span_count = base->held_out.count,
                                       .corpus = base->corpus};
  struct vt_cooccur_options options;
  vt_cooccur_options_init(&options);
  options.window = base->options.window;
  options.weight = VT_COOCCUR_LINEAR;
  options.threads = base->options.threads;
  return vt_cooccur_count_text(&text, &options, counts, NULL, error);
}

/* Where there are counts alone, the probe is drawn from them. */
static enum vt_status count_pairs(struct full *engine, struct vt_error *error) {
  struct vt_engine *base = &engine->base;
  struct vt_cooccur *own = NULL;
  if (base->counts == NULL) VT_TRY(count_text(base, &own, error));
  const bool given = own == NULL;
  enum vt_status status = vt_pair_counts_create(given ? base->counts : own, &engine->counts, error);
  vt_cooccur_free(own);
  if (status == VT_OK && given) {
    base->probe_pairs = engine->drawn.count = VT_PROBE_PAIRS;
    vt_pair_counts_sample(&engine->counts, base->options.seed, VT_PROBE_PAIRS, engine->drawn.inputs,
                          engine->drawn.targets);
  }
  return status;
}

static enum vt_status create(struct vt_engine *base, struct vt_error *error) {
  struct full *engine = (struct full *)base;
  size_t words = vt_vocab_size(base->vocab);
  if (words > VT_BATCH_FULL_WORDS_MAX)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "use --max-vocab, a larger --min-count, or --batch N",
                        "a full batch takes at most %d words; this text has %zu", VT_BATCH_FULL_WORDS_MAX, words);
  engine->words = (uint32_t)words;
  engine->dim = base->options.dim;
  VT_TRY(vt_softmax_text_init(&engine->text, base, error));
  VT_TRY(count_pairs(engine, error));
  VT_TRY(vt_pool_create(base->options.threads, &engine->pool, error));
  VT_TRY(create_tables(engine, error));
  VT_TRY(vt_softmax_gradient_create(engine->words, engine->dim, &engine->gradient, error));
  VT_TRY(vt_blas_open(error));
  base->state.steps = base->options.epochs;
  return VT_OK;
}

static void release(struct vt_engine *base) {
  struct full *engine = (struct full *)base;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    vt_free_aligned(engine->tables[t]);
    vt_free_aligned(engine->gradients[t]);
    vt_free_aligned(engine->squares[t]);
    vt_free_aligned(engine->moments[t]);
    vt_table_release(&engine->seen[t]);
  }
  vt_softmax_gradient_free(engine->gradient);
  vt_anchor_release(&engine->anchor);
  vt_softmax_ledger_release(&engine->booking);
  vt_ledger_free(base->ledger);
  vt_free(engine->rows_before);
  vt_pair_counts_release(&engine->counts);
  vt_softmax_text_release(&engine->text);
  vt_pool_free(engine->pool);
}

/* ---- the gradient ------------------------------------------------------------------------------------------------ */

/* Of the loss, into engine->gradients; returns the loss, unscaled. */
static double differentiate(struct full *engine, const struct vt_softmax_rows *rows) {
  return vt_softmax_gradient_take(engine->gradient, rows, engine->tables, engine->gradients, engine->pool);
}

/* Adds the anchor's part, 2 mu (v - v(0)); rows that are frozen have no gradient at all. */
static void hold(struct full *engine) {
  const struct vt_anchor *anchor = &engine->anchor;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    if (anchor->start[t] == NULL) continue;
    for (uint32_t row = 0; row < engine->words; row++) {
      double *to = engine->gradients[t] + (size_t)row * engine->dim;
      const double *at = engine->tables[t] + (size_t)row * engine->dim;
      const float *start = anchor->start[t] + (size_t)row * engine->seen[t].width;
      const bool frozen = anchor->frozen[t] != NULL && anchor->frozen[t][row];
      for (uint32_t k = 0; k < engine->dim; k++)
        to[k] = frozen ? 0 : to[k] + 2 * anchor->mu * (at[k] - (double)start[k]);
    }
  }
}

/* Of the loss and the penalty together: |g + 2 lambda v|. */
static double gradient_length(const struct full *engine, double l2) {
  double squared = 0;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    for (size_t k = 0; k < cells(engine); k++) {
      double g = engine->gradients[t][k] + 2 * l2 * engine->tables[t][k];
      squared += g * g;
    }
  }
  return sqrt(squared);
}

/* ---- the step ---------------------------------------------------------------------------------------------------- */

/* As optimizer.h, in double. */
static double element_step(struct full *engine, int t, size_t k, double rate, double number) {
  double g = engine->gradients[t][k];
  if (engine->squares[t] == NULL) return -rate * g;
  double *h = &engine->squares[t][k];
  if (engine->moments[t] == NULL) {
    g += 2 * engine->base.options.l2 * engine->tables[t][k];
    *h += g * g;
    return -rate * g / (sqrt(*h) + EPSILON);
  }
  double *m = &engine->moments[t][k];
  *m = BETA_1 * *m + (1 - BETA_1) * g;
  *h = BETA_2 * *h + (1 - BETA_2) * g * g;
  return -rate * (*m / (1 - pow(BETA_1, number))) / (sqrt(*h / (1 - pow(BETA_2, number))) + EPSILON);
}

/* ---- the ledger -------------------------------------------------------------------------------------------------- */

/* The pairs of one input row, as parts of its gradient: scale (a P_c u_c - w_c u_c). */
static void note_row(struct full *engine, const struct vt_softmax_rows *rows, size_t k, size_t row) {
  struct vt_ledger *ledger = engine->base.ledger;
  const double *v = engine->tables[VT_TABLE_INPUT] + (size_t)rows->inputs[row] * engine->dim;
  const double *output = engine->tables[VT_TABLE_OUTPUT];
  double *scores = engine->booking.weights + k * engine->words, largest = -INFINITY, sum = 0, weight = 0;
  for (uint32_t c = 0; c < engine->words; c++) {
    scores[c] = 0;
    for (uint32_t d = 0; d < engine->dim; d++) scores[c] += v[d] * output[(size_t)c * engine->dim + d];
    if (scores[c] > largest) largest = scores[c];
  }
  for (uint32_t c = 0; c < engine->words; c++) sum += scores[c] = exp(scores[c] - largest);
  for (size_t t = rows->start[row]; t < rows->start[row + 1]; t++) {
    const uint32_t target = rows->targets[t];
    weight += (double)rows->weights[t];
    vt_ledger_part_double(ledger, k, vt_ledger_key(target, VT_LEDGER_ATTRACTED),
                          -rows->scale * (double)rows->weights[t], output + (size_t)target * engine->dim);
  }
  for (uint32_t c = 0; c < engine->words; c++)
    vt_ledger_part_double(ledger, k, vt_ledger_key(c, VT_LEDGER_PUSHED), rows->scale * weight * scores[c] / sum,
                          output + (size_t)c * engine->dim);
}

static void note_words(struct full *engine, const struct vt_softmax_rows *rows) {
  struct vt_ledger *ledger = engine->base.ledger;
  for (size_t k = 0; k < vt_ledger_words(ledger); k++) {
    const uint32_t id = vt_ledger_word(ledger, k);
    memcpy(engine->rows_before + k * engine->dim, engine->tables[VT_TABLE_INPUT] + (size_t)id * engine->dim,
           engine->dim * sizeof(double));
    for (size_t row = 0; row < rows->count; row++)
      if (rows->inputs[row] == id) note_row(engine, rows, k, row);
  }
}

/* How element k of the input table was moved: as element_step and update have it, taken apart. */
static void explain_element(const struct full *engine, size_t k, double before, double *factor, double *decay,
                            double *held) {
  const struct vt_engine_state *state = &engine->base.state;
  const double *h = engine->squares[VT_TABLE_INPUT], *m = engine->moments[VT_TABLE_INPUT], number = (double)state->step;
  *factor = -state->lr;
  if (h != NULL && m == NULL) *factor = -state->lr / (sqrt(h[k]) + EPSILON);
  if (h != NULL && m != NULL)
    *factor = -state->lr / (1 - pow(BETA_1, number)) / (sqrt(h[k] / (1 - pow(BETA_2, number))) + EPSILON);
  *decay = (m == NULL ? *factor : -state->lr) * 2 * engine->base.options.l2 * before;
  *held = m == NULL ? 0 : *factor * (m[k] - engine->gradients[VT_TABLE_INPUT][k]);
}

static void book_words(struct full *engine) {
  struct vt_ledger *ledger = engine->base.ledger;
  for (size_t k = 0; k < vt_ledger_words(ledger); k++) {
    const uint32_t id = vt_ledger_word(ledger, k), dim = engine->dim;
    double *vectors = engine->booking.vectors + 3 * k * dim;
    for (uint32_t d = 0; d < dim; d++)
      explain_element(engine, (size_t)id * dim + d, engine->rows_before[k * dim + d], &vectors[d], &vectors[dim + d],
                      &vectors[2 * dim + d]);
    vt_ledger_step(ledger, k, vectors, engine->base.options.l2 > 0 ? vectors + dim : NULL,
                   engine->moments[VT_TABLE_INPUT] != NULL ? vectors + 2 * dim : NULL);
  }
}

/* A table in which something is no longer a float is a training that has diverged. */
static enum vt_status update(struct full *engine, struct vt_error *error) {
  struct vt_engine_state *state = &engine->base.state;
  const bool apart = engine->base.options.optimizer != VT_OPTIMIZER_ADAGRAD;
  const double keep = apart ? 1 - 2 * state->lr * engine->base.options.l2 : 1;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    for (size_t k = 0; k < cells(engine); k++) {
      double *v = &engine->tables[t][k];
      double moved = keep * *v + element_step(engine, t, k, state->lr, (double)state->step);
      state->step_squared += (moved - *v) * (moved - *v);
      if (!isfinite((float)moved))
        return VT_FAIL_HELP(error, VT_ERROR_DIVERGED, "use a smaller learning rate (--lr)",
                            "training diverged at step %" PRIu64 ": the %s vector of \"%s\" is no longer finite",
                            state->step, t == VT_TABLE_INPUT ? "input" : "output",
                            vt_vocab_text(engine->base.vocab, (uint32_t)(k / engine->dim)));
      *v = moved;
    }
  }
  show(engine);
  return VT_OK;
}

static enum vt_status step(struct vt_engine *base, struct vt_error *error) {
  struct full *engine = (struct full *)base;
  struct vt_engine_state *state = &base->state;
  const struct vt_pair_counts *counts = &engine->counts;
  state->step++;
  state->epoch = (uint32_t)state->step;
  state->lr = vt_engine_rate(&base->options, (double)(state->step - 1) / (double)state->steps);
  const struct vt_softmax_rows rows = {counts->rows,    counts->inputs,  counts->start,
                                       counts->targets, counts->weights, 1 / counts->total};
  state->loss_sum = differentiate(engine, &rows) / counts->total;
  if (base->held) hold(engine);
  state->loss_pairs = 1;
  state->gradient = gradient_length(engine, base->options.l2);
  state->tokens += vt_vocab_tokens(base->vocab);
  state->rows_moved = (uint64_t)VT_TABLE_COUNT * engine->words;
  state->rows_capped = 0;
  state->step_squared = 0;
  /* The whole text is behind after each step; the position says so only at the end, when the last epoch is. */
  state->epoch_ended = state->step == state->steps;
  state->position = state->epoch_ended ? base->entries : 0;
  if (base->ledger == NULL) return update(engine, error);
  note_words(engine, &rows);
  VT_TRY(update(engine, error));
  book_words(engine);
  return vt_ledger_check(base->ledger, error);
}

/* ---- looking in -------------------------------------------------------------------------------------------------- */

static size_t parts(struct vt_engine *base, struct vt_engine_part parts[VT_ENGINE_PARTS_MAX]) {
  static const char *const names[][VT_TABLE_COUNT] = {
      {"input", "output"}, {"input_squares", "output_squares"}, {"input_moments", "output_moments"}};
  struct full *engine = (struct full *)base;
  size_t count = 0;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    double *const arrays[] = {engine->tables[t], engine->squares[t], engine->moments[t]};
    for (int a = 0; a < 3; a++) {
      if (arrays[a] == NULL) continue;
      parts[count++] = (struct vt_engine_part){names[a][t],   VT_PART_F64, arrays[a],
                                               engine->words, engine->dim, engine->dim * sizeof(double)};
    }
  }
  return count;
}

static void resumed(struct vt_engine *base) { show((struct full *)base); }

static size_t start(struct vt_engine *base, struct vt_engine_part parts[VT_ENGINE_PARTS_MAX]) {
  static const char *const names[VT_TABLE_COUNT] = {"input", "output"};
  const struct full *engine = (const struct full *)base;
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    parts[t] = (struct vt_engine_part){names[t],      VT_PART_F32, engine->seen[t].data,
                                       engine->words, engine->dim, engine->seen[t].width * sizeof(float)};
  return VT_TABLE_COUNT;
}

static void filled(struct vt_engine *base) {
  struct full *engine = (struct full *)base;
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    for (uint32_t row = 0; row < engine->words; row++)
      for (uint32_t k = 0; k < engine->dim; k++)
        engine->tables[t][(size_t)row * engine->dim + k] = (double)vt_table_row(&engine->seen[t], row)[k];
}

static enum vt_status started(struct vt_engine *base, const uint32_t *frozen, size_t count, struct vt_error *error) {
  struct full *engine = (struct full *)base;
  const struct vt_anchor_options options = vt_anchor_options_of(&base->options.tuning, frozen, count);
  VT_TRY(vt_anchor_init(&engine->anchor, engine->seen, &options, error));
  base->held = vt_anchor_holds(&engine->anchor);
  return VT_OK;
}

static const struct vt_table *table(struct vt_engine *base, enum vt_table_role role) {
  return &((struct full *)base)->seen[role];
}

static struct vt_probe_result measure(struct full *engine, const struct pairs *pairs) {
  if (pairs->count == 0) return (struct vt_probe_result){.loss = NAN, .gradient = NAN};
  const struct vt_softmax_rows rows = {pairs->count,   pairs->inputs, NULL,
                                       pairs->targets, NULL,          1 / (double)pairs->count};
  double loss = differentiate(engine, &rows) / (double)pairs->count;
  return (struct vt_probe_result){.loss = loss, .gradient = gradient_length(engine, 0)};
}

static struct vt_probe_result measure_probe(struct full *engine, const struct vt_probe *probe) {
  struct pairs pairs;
  pairs.count = vt_softmax_text_pairs(probe, pairs.inputs, pairs.targets);
  return measure(engine, &pairs);
}

static struct vt_probe_result probe(struct vt_engine *base) {
  struct full *engine = (struct full *)base;
  return base->counts != NULL ? measure(engine, &engine->drawn) : measure_probe(engine, engine->text.probe);
}

static double held_out_loss(struct vt_engine *base) {
  struct full *engine = (struct full *)base;
  return measure_probe(engine, engine->text.held_out_probe).loss;
}

static enum vt_status keep_ledger(struct vt_engine *base, const struct vt_ledger_options *options,
                                  struct vt_error *error) {
  struct full *engine = (struct full *)base;
  if (options->by_document)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "keep it by source, or train in minibatches (--batch N)",
                        "a step of a full batch is of all the text at once: there is no ledger of it by document");
  engine->rows_before = vt_alloc(options->word_count * engine->dim, sizeof *engine->rows_before);
  if (engine->rows_before == NULL) return VT_FAIL_MEMORY(error, options->word_count * engine->dim * sizeof(double));
  return vt_softmax_ledger_init(&engine->booking, options, &engine->seen[VT_TABLE_INPUT], base->kernel, &base->ledger,
                                error);
}

const struct vt_engine_type vt_engine_softmax_full = {
    .bytes = sizeof(struct full),
    .create = create,
    .free = release,
    .step = step,
    .parts = parts,
    .resumed = resumed,
    .start = start,
    .filled = filled,
    .started = started,
    .table = table,
    .probe = probe,
    .held_out_loss = held_out_loss,
    .keep_ledger = keep_ledger,
};
