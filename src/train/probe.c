/*
 * probe.c: drawing and measuring the probe.
 *
 * The gradient of the mean loss needs, for each row, the sum over the pairs that touch it of coefficient x the row on
 * the other side. Which those are never changes, so they are listed once, by row; each measurement then computes all
 * coefficients (threads take pairs) and all rows' sums (threads take rows), and adds up in row order.
 */
#include "train/probe.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"
#include "vectrail/corpus.h"

#define TRIES_PER_PAIR 100
#define POSITIONS_PER_PAIR 100 /* at least so many words of text for each pair of the probe */
#define CHUNK 32               /* pairs or rows that a thread takes at once */

/* One row that the probe touches, and its part of the list of incidences. */
struct probe_row {
  uint32_t table;
  uint32_t row;
  size_t first;
  size_t count;
  double gradient_squared;
};

/* A pair's term v_context . u: which coefficient, and the row on the other side. */
struct incidence {
  uint32_t term;
  uint32_t other;
};

struct vt_probe {
  const struct vt_kernel *kernel;
  uint32_t dim;
  size_t width;
  size_t pairs;
  size_t outputs;      /* per pair: the centre, then the noise */
  uint64_t *positions; /* pairs */
  uint32_t *contexts;  /* pairs: input rows */
  uint32_t *targets;   /* pairs x outputs: output rows */
  float *coefficients; /* the same: d loss / d score */
  double *losses;      /* pairs */
  size_t row_count;
  struct probe_row *rows;
  struct incidence *incidences; /* 2 x pairs x outputs */
  float *gradients;             /* one row of scratch a worker */
  int gradient_workers;
  /* During a measurement. */
  const struct vt_table *tables;
  atomic_size_t next;
};

/* ---- drawing --------------------------------------------------------------------------------------------------- */

static bool survives(const struct vt_objective_setup *setup, struct vt_rng *rng, uint32_t word) {
  return (uint32_t)(vt_rng_next(rng) >> 32) <= setup->keep[word];
}

/* The place of the n-th surviving word to one side within the sentence, or UINT64_MAX. */
static uint64_t walk(const struct vt_objective_setup *setup, struct vt_rng *rng, const uint32_t *ids, uint64_t entries,
                     uint64_t place, bool forward, uint32_t steps) {
  while (steps > 0) {
    if (forward ? place + 1 >= entries : place == 0) return UINT64_MAX;
    place = forward ? place + 1 : place - 1;
    if (ids[place] == VT_CORPUS_END) return UINT64_MAX;
    if (survives(setup, rng, ids[place])) steps--;
  }
  return place;
}

static int compare_drawn(const void *a, const void *b) {
  const uint64_t *x = a, *y = b;
  if (x[0] != y[0]) return x[0] < y[0] ? -1 : 1;
  return (x[1] > y[1]) - (x[1] < y[1]);
}

/* Draws places and their contexts together, as place and context in one array, sorted, each place once. */
static size_t draw_pairs(const struct vt_objective_setup *setup, struct vt_rng *rng, const uint32_t *ids,
                         uint64_t entries, size_t wanted, uint64_t (*drawn)[2]) {
  size_t count = 0;
  for (size_t tries = wanted * TRIES_PER_PAIR; tries > 0 && count < wanted; tries--) {
    __extension__ typedef unsigned __int128 u128;
    uint64_t place = (uint64_t)(((u128)vt_rng_next(rng) * entries) >> 64);
    uint64_t bits = vt_rng_next(rng);
    if (ids[place] == VT_CORPUS_END || !survives(setup, rng, ids[place])) continue;
    /* Training takes a context n words away with probability (window - n + 1) / window: n <= reach. */
    uint32_t window = setup->options->window;
    uint32_t reach = 1 + (uint32_t)(((bits & UINT32_MAX) * window) >> 32);
    uint32_t steps = 1 + vt_rng_below(rng, window);
    if (steps > reach) continue;
    uint64_t context = walk(setup, rng, ids, entries, place, bits >> 63 != 0, steps);
    if (context == UINT64_MAX) continue;
    drawn[count][0] = place;
    drawn[count][1] = context;
    count++;
  }
  qsort(drawn, count, sizeof *drawn, compare_drawn);
  size_t kept = 0;
  for (size_t k = 0; k < count; k++) {
    if (kept > 0 && drawn[kept - 1][0] == drawn[k][0]) continue;
    drawn[kept][0] = drawn[k][0];
    drawn[kept][1] = drawn[k][1];
    kept++;
  }
  return kept;
}

static void draw_noise(const struct vt_objective_setup *setup, struct vt_rng *rng, uint32_t *targets, size_t outputs) {
  for (size_t j = 1; j < outputs; j++) {
    targets[j] = vt_noise_draw(setup->noise, rng);
    for (int tries = 8; tries > 0 && targets[j] == targets[0]; tries--) targets[j] = vt_noise_draw(setup->noise, rng);
  }
}

/* ---- listing what touches what --------------------------------------------------------------------------------- */

struct touch {
  uint32_t table, row, term, other;
};

static int compare_touches(const void *a, const void *b) {
  const struct touch *x = a, *y = b;
  if (x->table != y->table) return x->table < y->table ? -1 : 1;
  if (x->row != y->row) return x->row < y->row ? -1 : 1;
  return (x->term > y->term) - (x->term < y->term);
}

static enum vt_status list_rows(struct vt_probe *probe, struct vt_error *error) {
  size_t terms = probe->pairs * probe->outputs, count = 2 * terms;
  struct touch *touches = vt_alloc(count, sizeof *touches);
  probe->incidences = vt_alloc(count, sizeof *probe->incidences);
  probe->rows = vt_alloc(count, sizeof *probe->rows);
  if (touches == NULL || probe->incidences == NULL || probe->rows == NULL) {
    vt_free(touches);
    return VT_FAIL_MEMORY(error, count * sizeof *probe->rows);
  }
  for (size_t term = 0; term < terms; term++) {
    uint32_t context = probe->contexts[term / probe->outputs], target = probe->targets[term];
    touches[2 * term] = (struct touch){VT_TABLE_INPUT, context, (uint32_t)term, target};
    touches[2 * term + 1] = (struct touch){VT_TABLE_OUTPUT, target, (uint32_t)term, context};
  }
  qsort(touches, count, sizeof *touches, compare_touches);
  for (size_t k = 0; k < count; k++) {
    probe->incidences[k] = (struct incidence){touches[k].term, touches[k].other};
    if (k == 0 || touches[k].table != touches[k - 1].table || touches[k].row != touches[k - 1].row)
      probe->rows[probe->row_count++] =
          (struct probe_row){.table = touches[k].table, .row = touches[k].row, .first = k};
    probe->rows[probe->row_count - 1].count++;
  }
  vt_free(touches);
  return VT_OK;
}

/* ---- making and freeing ---------------------------------------------------------------------------------------- */

static enum vt_status fill(struct vt_probe *probe, const uint32_t *ids, uint64_t entries, size_t wanted,
                           const struct vt_objective_setup *setup, struct vt_error *error) {
  uint64_t(*drawn)[2] = vt_alloc(wanted, sizeof *drawn);
  if (drawn == NULL) return VT_FAIL_MEMORY(error, wanted * sizeof *drawn);
  struct vt_rng rng = vt_rng_make(VT_RNG_PROBE, setup->options->seed, 0, 0);
  probe->pairs = draw_pairs(setup, &rng, ids, entries, wanted, drawn);
  size_t terms = probe->pairs * probe->outputs;
  probe->positions = vt_alloc(probe->pairs, sizeof *probe->positions);
  probe->contexts = vt_alloc(probe->pairs, sizeof *probe->contexts);
  probe->losses = vt_alloc(probe->pairs, sizeof *probe->losses);
  probe->targets = vt_alloc(terms, sizeof *probe->targets);
  probe->coefficients = vt_alloc(terms, sizeof *probe->coefficients);
  if (probe->positions == NULL || probe->contexts == NULL || probe->losses == NULL || probe->targets == NULL ||
      probe->coefficients == NULL) {
    vt_free(drawn);
    return VT_FAIL_MEMORY(error, terms * sizeof *probe->targets);
  }
  for (size_t k = 0; k < probe->pairs; k++) {
    probe->positions[k] = drawn[k][0];
    probe->contexts[k] = ids[drawn[k][1]];
    probe->targets[k * probe->outputs] = ids[drawn[k][0]];
    draw_noise(setup, &rng, probe->targets + k * probe->outputs, probe->outputs);
  }
  vt_free(drawn);
  return list_rows(probe, error);
}

enum vt_status vt_probe_create(const uint32_t *ids, uint64_t entries, uint64_t tokens,
                               const struct vt_objective_setup *setup, struct vt_probe **out, struct vt_error *error) {
  struct vt_probe *probe = vt_alloc_zero(1, sizeof *probe);
  if (probe == NULL) return VT_FAIL_MEMORY(error, sizeof *probe);
  probe->kernel = setup->kernel;
  probe->dim = setup->options->dim;
  probe->width = vt_kernel_width(probe->dim);
  probe->outputs = 1 + (size_t)setup->options->negative;
  size_t wanted = tokens / POSITIONS_PER_PAIR < VT_PROBE_PAIRS ? (size_t)(tokens / POSITIONS_PER_PAIR) : VT_PROBE_PAIRS;
  enum vt_status status = fill(probe, ids, entries, wanted == 0 ? 1 : wanted, setup, error);
  if (status != VT_OK) {
    vt_probe_free(probe);
    return status;
  }
  *out = probe;
  return VT_OK;
}

void vt_probe_free(struct vt_probe *probe) {
  if (probe == NULL) return;
  vt_free(probe->positions);
  vt_free(probe->contexts);
  vt_free(probe->targets);
  vt_free(probe->coefficients);
  vt_free(probe->losses);
  vt_free(probe->rows);
  vt_free(probe->incidences);
  vt_free_aligned(probe->gradients);
  vt_free(probe);
}

size_t vt_probe_pairs(const struct vt_probe *probe) { return probe->pairs; }

const uint64_t *vt_probe_positions(const struct vt_probe *probe) { return probe->positions; }

/* ---- measuring ------------------------------------------------------------------------------------------------- */

/* log(1 + e^x) without overflow. */
static double softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }

/* -log sigma(s) for the centre, -log sigma(-s) for noise; the derivative is sigma(s) - label. */
static void measure_pair(struct vt_probe *probe, size_t pair) {
  const float *context = vt_table_row(&probe->tables[VT_TABLE_INPUT], probe->contexts[pair]);
  double loss = 0;
  for (size_t j = 0; j < probe->outputs; j++) {
    size_t term = pair * probe->outputs + j;
    const float *target = vt_table_row(&probe->tables[VT_TABLE_OUTPUT], probe->targets[term]);
    double score = (double)probe->kernel->dot(context, target, probe->width);
    loss += softplus(j == 0 ? -score : score);
    probe->coefficients[term] = (float)(1 / (1 + exp(-score)) - (j == 0 ? 1 : 0));
  }
  probe->losses[pair] = loss;
}

static void measure_row(struct vt_probe *probe, struct probe_row *row, float *gradient) {
  const struct vt_table *others = &probe->tables[row->table == VT_TABLE_INPUT ? VT_TABLE_OUTPUT : VT_TABLE_INPUT];
  for (size_t k = 0; k < probe->dim; k++) gradient[k] = 0;
  for (size_t i = row->first; i < row->first + row->count; i++) {
    const float *other = vt_table_row(others, probe->incidences[i].other);
    float coefficient = probe->coefficients[probe->incidences[i].term];
    for (size_t k = 0; k < probe->dim; k++) gradient[k] += coefficient * other[k];
  }
  row->gradient_squared = 0;
  for (size_t k = 0; k < probe->dim; k++) row->gradient_squared += (double)gradient[k] * (double)gradient[k];
}

/* The next chunk of `total` things: its first in *first, its end returned; the same number twice when none is left. */
static size_t take_chunk(struct vt_probe *probe, size_t total, size_t *first) {
  *first = atomic_fetch_add_explicit(&probe->next, CHUNK, memory_order_relaxed);
  if (*first >= total) return *first;
  return total - *first < CHUNK ? total : *first + CHUNK;
}

static void measure_pairs(void *context, int worker) {
  struct vt_probe *probe = context;
  (void)worker;
  size_t first, end;
  while ((end = take_chunk(probe, probe->pairs, &first)) > first)
    for (size_t pair = first; pair < end; pair++) measure_pair(probe, pair);
}

static void measure_rows(void *context, int worker) {
  struct vt_probe *probe = context;
  float *gradient = probe->gradients + (size_t)worker * (probe->width + 16);
  size_t first, end;
  while ((end = take_chunk(probe, probe->row_count, &first)) > first)
    for (size_t row = first; row < end; row++) measure_row(probe, &probe->rows[row], gradient);
}

/* Scratch for each worker, made at the first measurement. */
static bool have_gradients(struct vt_probe *probe, int workers) {
  if (probe->gradients != NULL && probe->gradient_workers >= workers) return true;
  vt_free_aligned(probe->gradients);
  probe->gradients = vt_alloc_aligned((size_t)workers, (probe->width + 16) * sizeof *probe->gradients);
  probe->gradient_workers = workers;
  return probe->gradients != NULL;
}

struct vt_probe_result vt_probe_measure(struct vt_probe *probe, const struct vt_table *tables, struct vt_pool *pool) {
  struct vt_probe_result result = {.loss = NAN, .gradient = NAN};
  if (probe->pairs == 0 || !have_gradients(probe, vt_pool_size(pool))) return result;
  probe->tables = tables;
  atomic_store_explicit(&probe->next, 0, memory_order_relaxed);
  vt_pool_run(pool, measure_pairs, probe);
  atomic_store_explicit(&probe->next, 0, memory_order_relaxed);
  vt_pool_run(pool, measure_rows, probe);
  double loss = 0, gradient_squared = 0;
  for (size_t pair = 0; pair < probe->pairs; pair++) loss += probe->losses[pair];
  for (size_t row = 0; row < probe->row_count; row++) gradient_squared += probe->rows[row].gradient_squared;
  result.loss = loss / (double)probe->pairs;
  result.gradient = sqrt(gradient_squared) / (double)probe->pairs;
  return result;
}
