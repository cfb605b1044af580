/*
 * quadratic.c: the engine of the quadratic word embedding model (Karkada et al. 2025, arXiv 2502.09863): one table W,
 * and of log(1 + e^-s) and log(1 + e^s) only what is of second order in s = w_i.w_j,
 *
 *   L = sum_ij G_ij [ P_ij (-s + s^2/4) + P_i P_j (s + s^2/4) ] + const
 *
 * With G_ij = g / (P_ij + P_i P_j) all pairs weigh the same, and L = (g/4) |W W' - M|^2 with the matrix M of
 * text/meetings.h. g = 2 / |M|^2, so that L is 1/2 at W = 0 and a step of rate eta is, in the time tau of the closed
 * form, 4 eta / |M|^2 long.
 *
 * Full batches: the gradient g (W W' - M) W = g (W (W'W) - M W), in double. Stripes of rows are shared out to threads,
 * and each stripe is a product of the single-threaded BLAS: the same bits at any number of threads. Sampled batches:
 * pairs from P_ij and from P_i P_j, each with its G_ij; what a row gets is added up in the order of the pairs by the
 * one thread that owns the row.
 */
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/blas.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/rng.h"
#include "kernel/kernel.h"
#include "text/meetings.h"
#include "text/subsample.h"
#include "train/engine_type.h"

#define STRIPE 64 /* rows */
#define POWER_STEPS_MAX 300
#define POWER_TOLERANCE 1e-6
#define RATE_SHARE 0.05 /* of the largest stable rate, where none is given */

/* Half of what one drawn pair does: row += weight (of the loss's slope in s) x the other row. */
struct half {
  uint32_t row, other;
  double weight;
};

struct quadratic {
  struct vt_engine base;
  struct vt_pool *pool;
  struct vt_meetings meetings;
  uint32_t words, dim;
  double *matrix;                  /* M; full batches and the choice of a rate */
  double squares;                  /* |M|^2 */
  double *table, *gradient, *gram; /* words x dim, words x dim, dim x dim */
  double *parts;                   /* a number for each stripe, to be added up in order */
  struct vt_table seen;
  atomic_uint next;
  /* The product with M, for power steps. */
  const double *vector;
  double *image;
  /* Sampled batches. */
  uint64_t per_epoch; /* steps */
  double *cumulative; /* of all pairs that meet, in order of rows */
  double *marginal;   /* cumulative P_i */
  uint32_t *rows;     /* the row of each pair that meets */
  struct half *halves, *sorted;
  size_t *from; /* words + 1: where the halves of a row begin in sorted */
};

static size_t cells(const struct quadratic *engine) { return (size_t)engine->words * engine->dim; }
static size_t stripes(const struct quadratic *engine) { return (engine->words + STRIPE - 1) / STRIPE; }
static bool is_full(const struct quadratic *engine) { return engine->base.options.batch == VT_BATCH_FULL; }

static void show(struct quadratic *engine) {
  for (uint32_t row = 0; row < engine->words; row++)
    for (uint32_t k = 0; k < engine->dim; k++)
      vt_table_row(&engine->seen, row)[k] = (float)engine->table[(size_t)row * engine->dim + k];
}

/* Calls work for every stripe, by all threads; for one nobody else is woken. */
static void each_stripe(struct quadratic *engine, vt_pool_work *work) {
  atomic_store_explicit(&engine->next, 0, memory_order_relaxed);
  if (stripes(engine) == 1)
    work(engine, 0);
  else
    vt_pool_run(engine->pool, work, engine);
}

static bool next_stripe(struct quadratic *engine, size_t *first, size_t *count) {
  size_t stripe = atomic_fetch_add_explicit(&engine->next, 1, memory_order_relaxed);
  if (stripe >= stripes(engine)) return false;
  *first = stripe * STRIPE;
  *count = engine->words - *first < STRIPE ? engine->words - *first : STRIPE;
  return true;
}

static double sum_parts(const struct quadratic *engine) {
  double sum = 0;
  for (size_t s = 0; s < stripes(engine); s++) sum += engine->parts[s];
  return sum;
}

/* ---- the start --------------------------------------------------------------------------------------------------- */

/* N(0, start^2 / dim), by Box and Muller's method. */
static void start_table(struct quadratic *engine) {
  const struct vt_train_options *options = &engine->base.options;
  const double scale = options->start / sqrt((double)engine->dim);
  for (uint32_t row = 0; row < engine->words; row++) {
    struct vt_rng rng = vt_rng_make(VT_RNG_INIT, options->seed, VT_TABLE_INPUT, row);
    for (uint32_t k = 0; k < engine->dim; k++) {
      double u = ((double)(vt_rng_next(&rng) >> 11) + 1) * 0x1p-53, v = (double)(vt_rng_next(&rng) >> 11) * 0x1p-53;
      engine->table[(size_t)row * engine->dim + k] = scale * sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
    }
  }
}

static void multiply_stripes(void *context, int worker) {
  struct quadratic *engine = context;
  size_t first, count;
  (void)worker;
  while (next_stripe(engine, &first, &count))
    vt_blas.cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)count, (int)engine->words, 1,
                        engine->matrix + first * engine->words, (int)engine->words, engine->vector, 1, 0,
                        engine->image + first, 1);
}

/* The largest eigenvalue of M + shift I by power steps; with shift = |smallest| it is lambda_1 + shift. */
static double power_steps(struct quadratic *engine, double shift, double *vector, double *image) {
  const size_t words = engine->words;
  struct vt_rng rng = vt_rng_make(VT_RNG_INIT, 1, VT_TABLE_COUNT, 0);
  for (size_t i = 0; i < words; i++) vector[i] = (double)vt_rng_unit(&rng) - 0.5;
  double value = 0;
  for (int step = 0; step < POWER_STEPS_MAX; step++) {
    double length = vt_blas.cblas_dnrm2((int)words, vector, 1), before = value;
    if (!(length > 0)) return 0;
    vt_blas.cblas_dscal((int)words, 1 / length, vector, 1);
    engine->vector = vector;
    engine->image = image;
    each_stripe(engine, multiply_stripes);
    vt_blas.cblas_daxpy((int)words, shift, vector, 1, image, 1);
    value = vt_blas.cblas_ddot((int)words, vector, 1, image, 1);
    memcpy(vector, image, words * sizeof *vector);
    if (fabs(value - before) <= POWER_TOLERANCE * fabs(value)) break;
  }
  return value;
}

/* The rate where none is given: a share of the largest at which plain descent is stable. At the minimum W = sum s_i u_i
 * r_i' a change along u_j r_i' has the curvature lambda_i - lambda_j, and 2 lambda_1 where both are the first; so it is
 * stable while eta g < 2 / (lambda_1 + max(lambda_1, - lambda_n)). Power steps come from below, and the share leaves
 * room. */
static enum vt_status choose_rate(struct quadratic *engine, struct vt_error *error) {
  double *vector = vt_alloc(engine->words, sizeof *vector), *image = vt_alloc(engine->words, sizeof *image);
  enum vt_status status = VT_OK;
  if (vector == NULL || image == NULL) status = VT_FAIL_MEMORY(error, 2 * engine->words * sizeof *vector);
  if (status == VT_OK) {
    /* Its largest in size may be a negative one. */
    double extreme = power_steps(engine, 0, vector, image);
    double first = extreme > 0 ? extreme : power_steps(engine, -extreme, vector, image) + extreme;
    double edge = 2 / (first + (-extreme > first ? -extreme : first)), rate = RATE_SHARE * edge * engine->squares / 2;
    if (!(first > 0) || !isfinite(rate))
      status = VT_FAIL_HELP(error, VT_ERROR_EMPTY, "use more text, or a wider window",
                            "no two words of the text meet more often than by chance");
    engine->base.options.lr = engine->base.state.lr = rate;
  }
  vt_free(vector);
  vt_free(image);
  return status;
}

/* ---- making and freeing ------------------------------------------------------------------------------------------ */

static enum vt_status count_meetings(struct quadratic *engine, struct vt_error *error) {
  const struct vt_train_options *options = &engine->base.options;
  double *keep = NULL;
  if (engine->base.counts != NULL) return vt_meetings_take(engine->base.counts, &engine->meetings, error);
  if (options->sample > 0) {
    keep = vt_alloc(engine->words, sizeof *keep);
    if (keep == NULL) return VT_FAIL_MEMORY(error, engine->words * sizeof *keep);
    vt_subsample_keep(engine->base.vocab, options->sample, keep);
  }
  const struct vt_meetings_options counting = {.window = options->window, .keep = keep, .threads = options->threads};
  enum vt_status status = vt_meetings_count(engine->base.corpus, &counting, &engine->meetings, error);
  vt_free(keep);
  return status;
}

static enum vt_status create_matrix(struct quadratic *engine, struct vt_error *error) {
  const size_t words = engine->words;
  engine->matrix = vt_alloc_aligned_raw(words * words, sizeof(double));
  if (engine->matrix == NULL)
    return VT_FAIL_HELP(error, VT_ERROR_MEMORY, "use --max-vocab: half the words take a quarter of the memory",
                        "the matrix of %zu words takes %.1f GB, which there are not", words,
                        (double)words * (double)words * 8e-9);
  engine->squares = vt_meetings_quadratic(&engine->meetings, engine->matrix);
  if (engine->squares > 0) return VT_OK;
  return VT_FAIL(error, VT_ERROR_EMPTY, "every two words of the text meet exactly as often as by chance");
}

/* Sampled batches need the sums that pairs are drawn by, and |M|^2, but not M. */
static enum vt_status create_sampling(struct quadratic *engine, struct vt_error *error) {
  const struct vt_meetings *meetings = &engine->meetings;
  const size_t pairs = meetings->start[engine->words], batch = engine->base.options.batch;
  engine->cumulative = vt_alloc(pairs, sizeof(double));
  engine->rows = vt_alloc(pairs, sizeof *engine->rows);
  engine->marginal = vt_alloc(engine->words, sizeof(double));
  engine->halves = vt_alloc(4 * batch, sizeof *engine->halves);
  engine->sorted = vt_alloc(4 * batch, sizeof *engine->sorted);
  engine->from = vt_alloc((size_t)engine->words + 1, sizeof *engine->from);
  if (engine->cumulative == NULL || engine->rows == NULL || engine->marginal == NULL || engine->halves == NULL ||
      engine->sorted == NULL || engine->from == NULL)
    return VT_FAIL_MEMORY(error, pairs * sizeof(double) + 8 * batch * sizeof *engine->halves);
  double met = 0, sums = 0;
  for (uint32_t w = 0; w < engine->words; w++) {
    for (size_t k = meetings->start[w]; k < meetings->start[w + 1]; k++) {
      met += meetings->counts[k];
      engine->cumulative[k] = met;
      engine->rows[k] = w;
    }
    sums += meetings->sums[w];
    engine->marginal[w] = sums;
  }
  uint64_t tokens = vt_vocab_tokens(engine->base.vocab);
  engine->per_epoch = (tokens + batch - 1) / batch;
  return VT_OK;
}

static enum vt_status create(struct vt_engine *base, struct vt_error *error) {
  struct quadratic *engine = (struct quadratic *)base;
  VT_TRY(vt_meetings_check_dense(vt_vocab_size(base->vocab), error));
  engine->words = (uint32_t)vt_vocab_size(base->vocab);
  engine->dim = base->options.dim;
  VT_TRY(vt_blas_open(error));
  VT_TRY(count_meetings(engine, error));
  VT_TRY(vt_pool_create(base->options.threads, &engine->pool, error));
  VT_TRY(vt_table_init(&engine->seen, engine->words, engine->dim, error));
  engine->table = vt_alloc_aligned(cells(engine), sizeof(double));
  engine->gradient = vt_alloc_aligned(cells(engine), sizeof(double));
  engine->gram = vt_alloc_aligned((size_t)engine->dim * engine->dim, sizeof(double));
  engine->parts = vt_alloc_zero(stripes(engine), sizeof(double));
  if (engine->table == NULL || engine->gradient == NULL || engine->gram == NULL || engine->parts == NULL)
    return VT_FAIL_MEMORY(error, 2 * cells(engine) * sizeof(double));
  VT_TRY(create_matrix(engine, error));
  if (base->options.lr == 0) VT_TRY(choose_rate(engine, error));
  engine->per_epoch = 1;
  if (!is_full(engine)) VT_TRY(create_sampling(engine, error));
  if (base->options.start == 0) base->options.start = VT_QUADRATIC_START;
  start_table(engine);
  show(engine);
  const struct vt_kernel *kernel; /* none is used; the one that would be is told, as for all engines */
  VT_TRY(vt_kernel_choose(base->options.kernel, &kernel, error));
  base->kernel = base->options.kernel = kernel->name;
  base->state.steps = engine->per_epoch * base->options.epochs;
  return VT_OK;
}

static void release(struct vt_engine *base) {
  struct quadratic *engine = (struct quadratic *)base;
  vt_free_aligned(engine->matrix);
  vt_free_aligned(engine->table);
  vt_free_aligned(engine->gradient);
  vt_free_aligned(engine->gram);
  vt_free(engine->parts);
  vt_free(engine->cumulative);
  vt_free(engine->rows);
  vt_free(engine->marginal);
  vt_free(engine->halves);
  vt_free(engine->sorted);
  vt_free(engine->from);
  vt_table_release(&engine->seen);
  vt_meetings_release(&engine->meetings);
  vt_pool_free(engine->pool);
}

/* ---- the exact gradient ------------------------------------------------------------------------------------------ */

/* A stripe of M W into the gradient, its share of tr(W' M W) into parts, and then W (W'W) - M W, times g. */
static void gradient_stripes(void *context, int worker) {
  struct quadratic *engine = context;
  const int words = (int)engine->words, dim = (int)engine->dim;
  const double scale = 2 / engine->squares;
  size_t first, count;
  (void)worker;
  while (next_stripe(engine, &first, &count)) {
    double *to = engine->gradient + first * engine->dim;
    const double *own = engine->table + first * engine->dim;
    vt_blas.cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)count, dim, words, 1,
                        engine->matrix + first * engine->words, words, engine->table, dim, 0, to, dim);
    engine->parts[first / STRIPE] = vt_blas.cblas_ddot((int)count * dim, own, 1, to, 1);
    vt_blas.cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)count, dim, dim, scale, own, dim, engine->gram,
                        dim, -scale, to, dim);
  }
}

/* L, and its gradient into engine->gradient: |W W'|^2 is |W'W|^2. */
static double gradient(struct quadratic *engine) {
  const int dim = (int)engine->dim;
  vt_blas.cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, dim, dim, (int)engine->words, 1, engine->table, dim,
                      engine->table, dim, 0, engine->gram, dim);
  each_stripe(engine, gradient_stripes);
  double squares = vt_blas.cblas_ddot(dim * dim, engine->gram, 1, engine->gram, 1);
  return (squares - 2 * sum_parts(engine) + engine->squares) / (2 * engine->squares);
}

/* |gradient + 2 l2 W|. */
static double gradient_length(const struct quadratic *engine) {
  double sum = 0;
  for (size_t k = 0; k < cells(engine); k++) {
    double g = engine->gradient[k] + 2 * engine->base.options.l2 * engine->table[k];
    sum += g * g;
  }
  return sqrt(sum);
}

/* ---- sampled gradients ------------------------------------------------------------------------------------------- */

/* The first place whose cumulative sum is above a draw. */
static size_t draw(const double *cumulative, size_t count, struct vt_rng *rng) {
  double at = (double)(vt_rng_next(rng) >> 11) * 0x1p-53 * cumulative[count - 1];
  size_t low = 0, high = count - 1;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (cumulative[middle] > at)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/* G_ij / batch for a pair. */
static double pair_weight(const struct quadratic *engine, uint32_t i, uint32_t j) {
  const struct vt_meetings *meetings = &engine->meetings;
  double joint = vt_meetings_of(meetings, i, j) / meetings->total;
  double chance = meetings->sums[i] / meetings->total * (meetings->sums[j] / meetings->total);
  return 2 / engine->squares / (joint + chance) / (double)engine->base.options.batch;
}

/* Both halves of a pair, whose slope in s is weight (s/2 -+ 1); returns its loss, beside that at s = 0. */
static double add_pair(struct quadratic *engine, size_t number, uint32_t i, uint32_t j, double sign) {
  const double weight = pair_weight(engine, i, j);
  double s = vt_blas.cblas_ddot((int)engine->dim, engine->table + (size_t)i * engine->dim, 1,
                                engine->table + (size_t)j * engine->dim, 1);
  double slope = weight * (s / 2 - sign);
  engine->halves[2 * number] = (struct half){i, j, slope};
  engine->halves[2 * number + 1] = (struct half){j, i, slope};
  return weight * (s * s / 4 - sign * s);
}

/* Sorted by row, the order within a row kept. */
static void sort_halves(struct quadratic *engine, size_t count) {
  memset(engine->from, 0, ((size_t)engine->words + 1) * sizeof *engine->from);
  for (size_t k = 0; k < count; k++) engine->from[engine->halves[k].row + 1]++;
  for (uint32_t w = 0; w < engine->words; w++) engine->from[w + 1] += engine->from[w];
  for (size_t k = 0; k < count; k++) engine->sorted[engine->from[engine->halves[k].row]++] = engine->halves[k];
  for (uint32_t w = engine->words; w > 0; w--) engine->from[w] = engine->from[w - 1];
  engine->from[0] = 0;
}

static void sampled_stripes(void *context, int worker) {
  struct quadratic *engine = context;
  size_t first, count;
  (void)worker;
  while (next_stripe(engine, &first, &count)) {
    memset(engine->gradient + first * engine->dim, 0, count * engine->dim * sizeof(double));
    for (size_t k = engine->from[first]; k < engine->from[first + count]; k++) {
      const struct half *half = &engine->sorted[k];
      vt_blas.cblas_daxpy((int)engine->dim, half->weight, engine->table + (size_t)half->other * engine->dim, 1,
                          engine->gradient + (size_t)half->row * engine->dim, 1);
    }
  }
}

static double sampled_gradient(struct quadratic *engine) {
  const size_t batch = engine->base.options.batch, pairs = engine->meetings.start[engine->words];
  struct vt_rng rng = vt_rng_make(VT_RNG_BLOCK, engine->base.options.seed, 0, engine->base.state.step);
  double loss = 0.5;
  for (size_t k = 0; k < batch; k++) {
    size_t met = draw(engine->cumulative, pairs, &rng);
    loss += add_pair(engine, 2 * k, engine->rows[met], engine->meetings.others[met], 1);
    uint32_t i = (uint32_t)draw(engine->marginal, engine->words, &rng);
    uint32_t j = (uint32_t)draw(engine->marginal, engine->words, &rng);
    loss += add_pair(engine, 2 * k + 1, i, j, -1);
  }
  sort_halves(engine, 4 * batch);
  each_stripe(engine, sampled_stripes);
  return loss;
}

/* ---- the step ---------------------------------------------------------------------------------------------------- */

/* A table in which something is no longer a float is a training that has diverged. */
static enum vt_status update(struct quadratic *engine, struct vt_error *error) {
  struct vt_engine_state *state = &engine->base.state;
  const double keep = 1 - 2 * state->lr * engine->base.options.l2;
  for (size_t k = 0; k < cells(engine); k++) {
    double *v = &engine->table[k], moved = keep * *v - state->lr * engine->gradient[k];
    state->step_squared += (moved - *v) * (moved - *v);
    if (!isfinite((float)moved))
      return VT_FAIL_HELP(error, VT_ERROR_DIVERGED, "use a smaller learning rate; without --lr a stable one is chosen",
                          "training diverged at step %" PRIu64 ": the vector of \"%s\" is no longer finite",
                          state->step, vt_vocab_text(engine->base.vocab, (uint32_t)(k / engine->dim)));
    *v = moved;
  }
  show(engine);
  return VT_OK;
}

static enum vt_status step(struct vt_engine *base, struct vt_error *error) {
  struct quadratic *engine = (struct quadratic *)base;
  struct vt_engine_state *state = &base->state;
  state->step++;
  const uint64_t within = (state->step - 1) % engine->per_epoch + 1;
  state->epoch = (uint32_t)((state->step - 1) / engine->per_epoch + 1);
  state->lr = vt_engine_rate(&base->options, (double)(state->step - 1) / (double)state->steps);
  state->loss_sum = is_full(engine) ? gradient(engine) : sampled_gradient(engine);
  state->loss_pairs = 1;
  state->gradient = is_full(engine) ? gradient_length(engine) : (double)NAN;
  const uint64_t tokens = vt_vocab_tokens(base->vocab);
  state->tokens = (state->epoch - 1) * tokens + tokens / engine->per_epoch * within;
  state->rows_moved = engine->words;
  state->rows_capped = 0;
  state->step_squared = 0;
  /* In full batches the whole text is behind after each step; the position says so only at the end, when the last epoch
   * is. */
  const bool last = within == engine->per_epoch;
  if (last) state->tokens = state->epoch * tokens;
  state->epoch_ended = is_full(engine) ? state->step == state->steps : last;
  state->position = state->epoch_ended ? base->entries : 0;
  return update(engine, error);
}

/* ---- looking in -------------------------------------------------------------------------------------------------- */

static size_t parts(struct vt_engine *base, struct vt_engine_part parts[VT_ENGINE_PARTS_MAX]) {
  struct quadratic *engine = (struct quadratic *)base;
  parts[0] = (struct vt_engine_part){"input",       VT_PART_F64, engine->table,
                                     engine->words, engine->dim, engine->dim * sizeof(double)};
  return 1;
}

static void resumed(struct vt_engine *base) { show((struct quadratic *)base); }

/* The two roles of a word have one vector. */
static const struct vt_table *table(struct vt_engine *base, enum vt_table_role role) {
  (void)role;
  return &((struct quadratic *)base)->seen;
}

/* There is nothing that no step trains on: the loss and the gradient are those of all pairs. */
static struct vt_probe_result probe(struct vt_engine *base) {
  struct quadratic *engine = (struct quadratic *)base;
  double loss = gradient(engine);
  return (struct vt_probe_result){.loss = loss, .gradient = gradient_length(engine)};
}

static double held_out_loss(struct vt_engine *base) {
  (void)base;
  return NAN; /* refused by vt_train_options_check */
}

const struct vt_engine_type vt_engine_quadratic = {
    .bytes = sizeof(struct quadratic),
    .create = create,
    .free = release,
    .step = step,
    .parts = parts,
    .resumed = resumed,
    .table = table,
    .probe = probe,
    .held_out_loss = held_out_loss,
};
