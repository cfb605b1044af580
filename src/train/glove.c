/*
 * glove.c: the engine of GloVe: counting, putting the records in order, and AdaGrad on them.
 *
 * A step of the run is a stratum: of each group of rows one block, no two of them with a group of columns in common
 * (glove_records.h). Its blocks are trained at the same time, each record after the other and in place: nothing is
 * merged, and the result is that of training the blocks one by one in any order. After as many steps as there are
 * groups each record has been trained once; the strata come in an order drawn for each epoch.
 *
 * How many groups there are follows from the vocabulary and the dimension: the rows of a block should fit the cache of
 * one core. Counting waits for vt_engine_begin: the run is in place by then, and whoever is stopped while counting can
 * go on with it, by counting again.
 */
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "base/pool.h"
#include "base/rng.h"
#include "text/cooccur.h"
#include "train/engine_type.h"
#include "train/glove_biases.h"
#include "train/glove_ledger.h"
#include "train/glove_probe.h"
#include "train/glove_records.h"
#include "train/glove_tune.h"

#define CACHE_BYTES ((uint64_t)1 << 20)
#define GROUPS_LEAST 16
#define FIRST_SQUARES 1.0F /* of every element: so the first steps are no longer than the rate times the gradient */

struct glove {
  struct vt_engine base;
  const struct vt_kernel *kernel;
  struct vt_pool *pool;
  uint32_t words, dim, groups;
  size_t width;                  /* of a row; as many sums of squares stand behind it */
  float *tables[VT_TABLE_COUNT]; /* words x 2 width */
  float *l2;                     /* width; NULL without a penalty */
  struct vt_table seen[VT_TABLE_COUNT];
  bool seen_is_current[VT_TABLE_COUNT];
  struct vt_glove_records records;
  struct vt_glove_record *held_out; /* a sample of the pairs of the sentences held out */
  size_t held_out_count;
  bool begun;
  /* Of a step, by block. */
  struct outcome {
    double loss;
    double step_squared;
    uint32_t bad_row[VT_TABLE_COUNT]; /* the first that left the numbers, or UINT32_MAX */
  } * outcomes;
  float *before; /* by worker: the rows of a block as they were */
  size_t before_floats;
  uint32_t shift;
  atomic_uint next;
  struct vt_glove_ledger *ledger; /* NULL: none is kept */
  struct vt_glove_tuning tuning;  /* of a training that goes on with a run */
  struct vt_glove_probe probe;
};

static float *row_of(const struct glove *engine, int table, uint32_t row) {
  return engine->tables[table] + (size_t)row * 2 * engine->width;
}

/* Rows of a group. */
static uint32_t group_rows(const struct glove *engine, uint32_t group) {
  return (engine->words - group + engine->groups - 1) / engine->groups;
}

/* ---- making and freeing ------------------------------------------------------------------------------------------ */

static uint32_t groups_for(uint32_t words, size_t width) {
  uint64_t bytes = (uint64_t)words * width * 2 * VT_TABLE_COUNT * sizeof(float);
  uint32_t groups = GROUPS_LEAST;
  while (groups < VT_GLOVE_GROUPS_MAX && bytes / groups * 4 > 5 * CACHE_BYTES) groups *= 2;
  while (groups > words) groups /= 2;
  return groups;
}

/* Vectors start as those of the other models do, each table from a stream of its own; biases when all is counted. */
static void start_row(const struct glove *engine, int t, uint32_t row) {
  float *x = row_of(engine, t, row), *squares = x + engine->width;
  const uint32_t dim = engine->dim, one = t == VT_TABLE_INPUT ? dim + 1 : dim;
  struct vt_rng rng = vt_rng_make(VT_RNG_INIT, engine->base.options.seed, (uint64_t)t, row);
  for (uint32_t k = 0; k < dim; k++) x[k] = (vt_rng_unit(&rng) - 0.5F) / (float)dim;
  for (size_t k = 0; k < engine->width; k++) squares[k] = FIRST_SQUARES;
  x[one] = 1;
  squares[one] = INFINITY;
}

static enum vt_status create_tables(struct glove *engine, struct vt_error *error) {
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    VT_TRY(vt_table_init(&engine->seen[t], engine->words, engine->dim, error));
    engine->tables[t] = vt_alloc_aligned(engine->words, 2 * engine->width * sizeof(float));
    if (engine->tables[t] == NULL) return VT_FAIL_MEMORY(error, engine->words * 2 * engine->width * sizeof(float));
    for (uint32_t row = 0; row < engine->words; row++) start_row(engine, t, row);
  }
  if (engine->base.options.l2 == 0) return VT_OK;
  engine->l2 = vt_alloc_aligned(engine->width, sizeof *engine->l2);
  return engine->l2 == NULL ? VT_FAIL_MEMORY(error, engine->width * sizeof *engine->l2) : VT_OK;
}

static enum vt_status create_work(struct glove *engine, struct vt_error *error) {
  VT_TRY(vt_pool_create(engine->base.options.threads, &engine->pool, error));
  engine->before_floats = (size_t)group_rows(engine, 0) * engine->width * VT_TABLE_COUNT;
  engine->before = vt_alloc_aligned_raw((size_t)engine->base.options.threads, engine->before_floats * sizeof(float));
  engine->outcomes = vt_alloc_zero(engine->groups, sizeof *engine->outcomes);
  if (engine->before == NULL || engine->outcomes == NULL)
    return VT_FAIL_MEMORY(error, (size_t)engine->base.options.threads * engine->before_floats * sizeof(float));
  return vt_glove_probe_init(&engine->probe, engine->dim, error);
}

static enum vt_status create(struct vt_engine *base, struct vt_error *error) {
  struct glove *engine = (struct glove *)base;
  engine->records.file.descriptor = -1;
  VT_TRY(vt_kernel_choose(base->options.kernel, &engine->kernel, error));
  base->kernel = base->options.kernel = engine->kernel->name;
  engine->words = (uint32_t)vt_vocab_size(base->vocab);
  /* Now, while there is no run that could not be gone on with. */
  if (base->counts == NULL) VT_TRY(vt_cooccur_check_memory(engine->words, base->options.memory_bytes, error));
  engine->dim = base->options.dim;
  engine->width = ((size_t)engine->dim + 2 + 15) / 16 * 16;
  engine->groups = groups_for(engine->words, engine->width);
  base->state.steps = (uint64_t)engine->groups * base->options.epochs;
  VT_TRY(create_tables(engine, error));
  return create_work(engine, error);
}

static void release(struct vt_engine *base) {
  struct glove *engine = (struct glove *)base;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    vt_free_aligned(engine->tables[t]);
    vt_table_release(&engine->seen[t]);
  }
  vt_free_aligned(engine->l2);
  vt_free_aligned(engine->before);
  vt_free(engine->outcomes);
  vt_glove_probe_release(&engine->probe);
  vt_free(engine->held_out);
  vt_glove_records_release(&engine->records);
  vt_glove_ledger_free(engine->ledger);
  vt_glove_tuning_release(&engine->tuning);
  vt_ledger_free(base->ledger);
  vt_pool_free(engine->pool);
}

/* ---- counting ---------------------------------------------------------------------------------------------------- */

static enum vt_status start_biases(struct glove *engine, struct vt_error *error) {
  double *biases[VT_TABLE_COUNT];
  VT_TRY(vt_glove_biases_fit(&engine->records, engine->words, engine->pool, biases, error));
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    for (uint32_t word = 0; word < engine->words; word++)
      row_of(engine, t, word)[engine->dim + (uint32_t)t] = (float)biases[t][word];
    vt_free(biases[t]);
  }
  return VT_OK;
}

static struct vt_glove_tables tables_of(const struct glove *engine) {
  return (struct vt_glove_tables){.tables = engine->tables,
                                  .words = engine->words,
                                  .groups = engine->groups,
                                  .dim = engine->dim,
                                  .width = engine->width,
                                  .decays = engine->l2 != NULL,
                                  .kernel = engine->kernel};
}

static enum vt_status begin_biases(struct glove *engine, struct vt_error *error) {
  const uint32_t known = engine->base.options.tuning.words;
  const struct vt_glove_tables tables = tables_of(engine);
  if (known == 0) return start_biases(engine, error);
  return vt_glove_place_biases(&tables, &engine->records, known, error);
}

/* What is trained on, or what is held out. */
static enum vt_status count_text(const struct glove *engine, bool held_out, const struct vt_engine_place *place,
                                 struct vt_cooccur **counts, double *total, struct vt_error *error) {
  const struct vt_engine *base = &engine->base;
  const struct vt_train_options *options = &base->options;
  struct vt_cooccur_options count;
  vt_cooccur_options_init(&count);
  count.window = options->window;
  count.sides = options->one_sided ? VT_COOCCUR_LEFT : VT_COOCCUR_BOTH;
  count.memory_bytes = options->memory_bytes;
  count.threads = options->threads;
  count.folder = place->folder;
  count.interrupt = place->interrupt;
  const struct vt_cooccur_text text = {.ids = base->ids,
                                       .entries = base->entries,
                                       .words = engine->words,
                                       .spans = base->held_out.spans,
                                       .span_count = base->held_out.count,
                                       .only = held_out,
                                       .corpus = base->corpus};
  struct vt_cooccur_report report = {0};
  enum vt_status status = vt_cooccur_count_text(&text, &count, counts, &report, error);
  *total = report.total;
  vt_corpus_forget(base->corpus);
  return status;
}

/* The counts held out are so many times smaller than those that are trained on; the model knows of the latter. */
static enum vt_status begin_held_out(struct glove *engine, const struct vt_engine_place *place, double trained,
                                     struct vt_error *error) {
  struct vt_cooccur *counts;
  double total;
  enum vt_status status = count_text(engine, true, place, &counts, &total, error);
  if (status == VT_ERROR_EMPTY)
    return VT_FAIL_HELP(error, status, "hold out more, or take another --seed",
                        "no two words meet in the sentences that are held out");
  VT_TRY(status);
  status = vt_glove_sample(counts, &engine->base.options, log(trained / total), &engine->held_out,
                           &engine->held_out_count, error);
  vt_cooccur_free(counts);
  return status;
}

static enum vt_status begin(struct vt_engine *base, const struct vt_engine_place *place, struct vt_error *error) {
  struct glove *engine = (struct glove *)base;
  struct vt_cooccur *own = NULL;
  double total = 0;
  if (engine->begun) return VT_OK;
  if (base->counts == NULL) VT_TRY(count_text(engine, false, place, &own, &total, error));
  enum vt_status status =
      vt_glove_records_create(base->counts == NULL ? own : base->counts, &base->options, engine->groups, place->folder,
                              engine->pool, place->interrupt, &engine->records, error);
  vt_cooccur_free(own);
  if (status == VT_OK && base->held_out.count > 0) status = begin_held_out(engine, place, total, error);
  if (status == VT_OK && base->state.step == 0) status = begin_biases(engine, error);
  VT_TRY(status);
  base->probe_pairs = engine->records.probe_count;
  engine->begun = true;
  return VT_OK;
}

/* ---- a step ------------------------------------------------------------------------------------------------------ */

static struct vt_glove block_of(const struct glove *engine, uint32_t a, uint32_t b) {
  struct vt_glove block = {.input = row_of(engine, VT_TABLE_INPUT, a),
                           .output = row_of(engine, VT_TABLE_OUTPUT, b),
                           .stride = (size_t)engine->groups * 2 * engine->width,
                           .width = engine->width,
                           .rate = (float)engine->base.state.lr,
                           .l2 = engine->l2};
  block.records = vt_glove_block(&engine->records, a, b, &block.count);
  return block;
}

/* The rows of a block, put aside; and what has become of them. */
static void keep_rows(const struct glove *engine, const uint32_t groups[VT_TABLE_COUNT], float *before) {
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    for (uint32_t row = groups[t]; row < engine->words; row += engine->groups, before += engine->width)
      memcpy(before, row_of(engine, t, row), engine->width * sizeof *before);
}

static void compare_rows(const struct glove *engine, const uint32_t groups[VT_TABLE_COUNT], const float *before,
                         struct outcome *outcome) {
  outcome->step_squared = 0;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    outcome->bad_row[t] = UINT32_MAX;
    for (uint32_t row = groups[t]; row < engine->words; row += engine->groups, before += engine->width) {
      const float *now = row_of(engine, t, row);
      float lanes[16] = {0}, sum = 0;
      for (size_t c = 0; c < engine->width; c += 16)
        for (size_t l = 0; l < 16; l++) lanes[l] += (now[c + l] - before[c + l]) * (now[c + l] - before[c + l]);
      for (size_t l = 0; l < 16; l++) sum += lanes[l];
      outcome->step_squared += (double)sum;
      if (!isfinite(sum) && outcome->bad_row[t] == UINT32_MAX) outcome->bad_row[t] = row;
    }
  }
}

static void train_blocks(void *context, int worker) {
  struct glove *engine = context;
  float *before = engine->before + (size_t)worker * engine->before_floats;
  for (;;) {
    uint32_t a = atomic_fetch_add_explicit(&engine->next, 1, memory_order_relaxed);
    if (a >= engine->groups) return;
    const uint32_t groups[VT_TABLE_COUNT] = {a, (a + engine->shift) % engine->groups};
    struct vt_glove block = block_of(engine, groups[0], groups[1]);
    keep_rows(engine, groups, before);
    if (engine->ledger != NULL)
      vt_glove_ledger_train(engine->ledger, &block, groups[0], groups[1]);
    else
      engine->kernel->glove(&block);
    engine->outcomes[a].loss = block.loss;
    compare_rows(engine, groups, before, &engine->outcomes[a]);
  }
}

static void measure_rows(void *context, int worker) {
  struct glove *engine = context;
  (void)worker;
  for (;;) {
    uint32_t a = atomic_fetch_add_explicit(&engine->next, 1, memory_order_relaxed);
    if (a >= engine->groups) return;
    engine->outcomes[a].loss = 0;
    for (uint32_t b = 0; b < engine->groups; b++) {
      struct vt_glove block = block_of(engine, a, b);
      engine->kernel->glove_loss(&block);
      engine->outcomes[a].loss += block.loss;
    }
  }
}

static void run_workers(struct glove *engine, vt_pool_work *work) {
  atomic_store_explicit(&engine->next, 0, memory_order_relaxed);
  vt_pool_run(engine->pool, work, engine);
}

/* Which stratum comes at this place of an epoch. */
static uint32_t shift_of(const struct glove *engine, uint32_t epoch, uint32_t place) {
  uint32_t order[VT_GLOVE_GROUPS_MAX];
  struct vt_rng rng = vt_rng_make(VT_RNG_BLOCK, engine->base.options.seed, epoch, UINT64_MAX);
  vt_rng_order(&rng, order, engine->groups);
  return order[place];
}

/* Sums of the blocks, in their order; a row that left the numbers ends the training. */
static enum vt_status account(struct glove *engine, struct vt_error *error) {
  struct vt_engine_state *state = &engine->base.state;
  uint32_t bad[VT_TABLE_COUNT] = {UINT32_MAX, UINT32_MAX};
  for (uint32_t a = 0; a < engine->groups; a++) {
    const struct outcome *outcome = &engine->outcomes[a];
    size_t count;
    (void)vt_glove_block(&engine->records, a, (a + engine->shift) % engine->groups, &count);
    state->loss_sum += outcome->loss;
    state->loss_pairs += count;
    state->step_squared += outcome->step_squared;
    for (int t = 0; t < VT_TABLE_COUNT; t++)
      if (outcome->bad_row[t] < bad[t]) bad[t] = outcome->bad_row[t];
  }
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    if (bad[t] != UINT32_MAX)
      return VT_FAIL_HELP(error, VT_ERROR_DIVERGED, "use a smaller learning rate (--lr)",
                          "training diverged at step %" PRIu64 ": the %s vector of \"%s\" is no longer finite",
                          state->step, t == VT_TABLE_INPUT ? "input" : "output",
                          vt_vocab_text(engine->base.vocab, bad[t]));
  return VT_OK;
}

/* Over all records, those of the probe too. */
static void measure_all(struct glove *engine) {
  struct vt_engine_state *state = &engine->base.state;
  run_workers(engine, measure_rows);
  const struct vt_glove_tables tables = tables_of(engine);
  double sum = 0;
  for (uint32_t a = 0; a < engine->groups; a++) sum += engine->outcomes[a].loss;
  sum = vt_glove_add_losses(sum, &tables, engine->records.probe, engine->records.probe_count);
  state->objective = sum / (double)(engine->records.count + engine->records.probe_count);
  state->squared_error = sum / engine->records.weight;
}

static enum vt_status step(struct vt_engine *base, struct vt_error *error) {
  struct glove *engine = (struct glove *)base;
  struct vt_engine_state *state = &base->state;
  const uint64_t words = vt_vocab_tokens(base->vocab) - base->held_out.tokens;
  const uint32_t place = (uint32_t)(state->step % engine->groups);
  state->lr = vt_engine_rate(&base->options, (double)state->step / (double)state->steps);
  state->step++;
  if (state->epoch_ended) state->epoch++;
  state->epoch_ended = place + 1 == engine->groups;
  state->position =
      state->epoch_ended ? base->entries : (uint64_t)((double)base->entries * (place + 1) / engine->groups);
  state->tokens = words * (state->epoch - 1) + (uint64_t)((double)words * (place + 1) / engine->groups);
  state->loss_sum = state->step_squared = 0;
  state->loss_pairs = 0;
  state->rows_moved = (uint64_t)VT_TABLE_COUNT * engine->words;
  state->objective = state->squared_error = NAN;
  memset(engine->seen_is_current, 0, sizeof engine->seen_is_current);
  engine->shift = shift_of(engine, state->epoch - 1, place);
  for (uint32_t k = 0; engine->l2 != NULL && k < engine->dim; k++)
    engine->l2[k] = (float)(2 * state->lr * base->options.l2);
  if (engine->ledger != NULL) vt_glove_ledger_before(engine->ledger);
  run_workers(engine, train_blocks);
  VT_TRY(account(engine, error));
  vt_glove_tuning_pull(&engine->tuning, state->lr, state->loss_pairs, engine->pool);
  if (engine->ledger != NULL) VT_TRY(vt_glove_ledger_after(engine->ledger, engine->pool, error));
  if (state->epoch_ended) measure_all(engine);
  return VT_OK;
}

/* ---- looking in -------------------------------------------------------------------------------------------------- */

static struct vt_engine_part part_of(const struct glove *engine, const char *name, int t, size_t from,
                                     uint32_t columns) {
  return (struct vt_engine_part){name,          VT_PART_F32, engine->tables[t] + from,
                                 engine->words, columns,     2 * engine->width * sizeof(float)};
}

static size_t parts(struct vt_engine *base, struct vt_engine_part parts[VT_ENGINE_PARTS_MAX]) {
  static const char *const names[][VT_TABLE_COUNT] = {{"input", "output"},
                                                      {"input_bias", "output_bias"},
                                                      {"input_squares", "output_squares"},
                                                      {"input_bias_squares", "output_bias_squares"}};
  const struct glove *engine = (const struct glove *)base;
  size_t count = 0;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    const size_t bias = t == VT_TABLE_INPUT ? engine->dim : engine->dim + 1;
    parts[count++] = part_of(engine, names[0][t], t, 0, engine->dim);
    parts[count++] = part_of(engine, names[1][t], t, bias, 1);
    parts[count++] = part_of(engine, names[2][t], t, engine->width, engine->dim);
    parts[count++] = part_of(engine, names[3][t], t, engine->width + bias, 1);
  }
  return count;
}

static void resumed(struct vt_engine *base) {
  struct glove *engine = (struct glove *)base;
  memset(engine->seen_is_current, 0, sizeof engine->seen_is_current);
}

static enum vt_status started(struct vt_engine *base, const uint32_t *frozen, size_t count, struct vt_error *error) {
  struct glove *engine = (struct glove *)base;
  const struct vt_tuning_options *options = &base->options.tuning;
  const struct vt_glove_tables tables = tables_of(engine);
  base->held = options->anchor > 0 || options->freeze_input || options->freeze_output || count > 0;
  return vt_glove_tuning_init(&engine->tuning, &tables, options, frozen, count, error);
}

/* The vectors that are published are the sums of both tables' (Pennington et al. 2014, section 4.2). */
static const struct vt_table *table(struct vt_engine *base, enum vt_table_role role) {
  struct glove *engine = (struct glove *)base;
  struct vt_table *seen = &engine->seen[role];
  for (uint32_t row = 0; !engine->seen_is_current[role] && row < engine->words; row++) {
    const float *v = row_of(engine, VT_TABLE_INPUT, row), *u = row_of(engine, VT_TABLE_OUTPUT, row);
    float *to = vt_table_row(seen, row);
    for (uint32_t k = 0; k < engine->dim; k++) to[k] = role == VT_TABLE_INPUT ? v[k] + u[k] : u[k];
  }
  engine->seen_is_current[role] = true;
  return seen;
}

static struct vt_pool *pool(const struct vt_engine *base) { return ((const struct glove *)base)->pool; }

static size_t biases(const struct vt_engine *base, const float *biases[VT_TABLE_COUNT]) {
  const struct glove *engine = (const struct glove *)base;
  biases[VT_TABLE_INPUT] = engine->tables[VT_TABLE_INPUT] + engine->dim;
  biases[VT_TABLE_OUTPUT] = engine->tables[VT_TABLE_OUTPUT] + engine->dim + 1;
  return 2 * engine->width;
}

static struct vt_probe_result probe(struct vt_engine *base) {
  struct glove *engine = (struct glove *)base;
  const struct vt_glove_tables tables = tables_of(engine);
  return vt_glove_probe_measure(&engine->probe, &tables, &engine->records);
}

static double held_out_loss(struct vt_engine *base) {
  const struct glove *engine = (const struct glove *)base;
  const struct vt_glove_tables tables = tables_of(engine);
  return vt_glove_add_losses(0, &tables, engine->held_out, engine->held_out_count) / (double)engine->held_out_count;
}

static enum vt_status keep_ledger(struct vt_engine *base, const struct vt_ledger_options *options,
                                  struct vt_error *error) {
  struct glove *engine = (struct glove *)base;
  const struct vt_glove_tables tables = tables_of(engine);
  return vt_glove_ledger_create(options, &tables, &engine->seen[VT_TABLE_INPUT], &engine->ledger, &base->ledger, error);
}

const struct vt_engine_type vt_engine_glove = {
    .bytes = sizeof(struct glove),
    .create = create,
    .free = release,
    .begin = begin,
    .step = step,
    .parts = parts,
    .resumed = resumed,
    .filled = resumed,
    .started = started,
    .table = table,
    .biases = biases,
    .pool = pool,
    .probe = probe,
    .held_out_loss = held_out_loss,
    .keep_ledger = keep_ledger,
};
