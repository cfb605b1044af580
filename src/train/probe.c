/*
 * probe.c: drawing and measuring the probe.
 *
 * An item is a place in the text: its context (one word for skip-gram, the whole window for CBOW), whose mean input
 * vector is h, and its targets with their labels. With s_j = h . u_j the loss of the item has the derivatives
 * c_j = sigma(s_j) - label_j, and the gradients are c_j h for each target and (sum_j c_j u_j) / m for each of m context
 * words. Which items touch a row never changes, so they are listed once, by row. Each measurement computes h, the c_j
 * and their sums (threads take items), then the gradient of every row (threads take rows), and adds up in row order.
 */
#include "train/probe.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"
#include "train/window.h"
#include "vectrail/corpus.h"

#define FORGET_EVERY 256 /* places: each brings 64 KB of the corpus into memory */
#define TRIES_PER_ITEM 100
#define TRIES_PER_CONTEXT 50 /* a place keeps its chance to have a context drawn for it */
#define PLACES_PER_ITEM 100  /* at least so many words of text for each item of the probe */
#define CHUNK 32             /* items or rows that a thread takes at once */

/* One row that the probe touches, and its part of the list of touches. */
struct probe_row {
  uint32_t table;
  uint32_t row;
  size_t first;
  size_t count;
  double gradient_squared;
};

/* How an item touches a row: as a word of its context (term: UINT32_MAX) or as one of its targets. */
struct touch {
  uint32_t table;
  uint32_t row;
  uint32_t item;
  uint32_t term;
};

struct vt_probe {
  const struct vt_kernel *kernel;
  uint32_t dim;
  size_t width;  /* of a row of the tables */
  size_t stride; /* of means and pulls */
  size_t items;
  uint64_t *positions;   /* items */
  size_t *context_start; /* items + 1 */
  uint32_t *contexts;    /* input rows */
  size_t *target_start;  /* items + 1 */
  uint32_t *targets;     /* output rows */
  float *labels;         /* the same */
  float *coefficients;   /* the same: c_j */
  double *losses;        /* items */
  float *means;          /* items x stride: h */
  float *pulls;          /* items x stride: sum_j c_j u_j */
  size_t row_count;
  struct probe_row *rows;
  struct touch *touches; /* by row */
  float *gradients;      /* one row of scratch a worker */
  /* During a measurement. */
  const struct vt_table *tables;
  atomic_size_t next;
};

/* Of a worker's gradient: a row, and a cache line that keeps it from the next one's. */
static size_t scratch_floats(const struct vt_probe *probe) { return probe->width + 16; }

/* ---- drawing --------------------------------------------------------------------------------------------------- */

static bool survives(const struct vt_objective_setup *setup, struct vt_rng *rng, uint32_t word) {
  return (uint32_t)(vt_rng_next(rng) >> 32) <= setup->keep[word];
}

/* The places of up to `wanted` surviving words to one side within the sentence, nearest first; returns how many. */
static uint32_t walk(const struct vt_objective_setup *setup, struct vt_rng *rng, const uint32_t *ids, uint64_t entries,
                     uint64_t place, bool forward, uint32_t wanted, uint32_t *words) {
  uint32_t found = 0;
  while (found < wanted) {
    if (forward ? place + 1 >= entries : place == 0) break;
    place = forward ? place + 1 : place - 1;
    if (ids[place] == VT_CORPUS_END) break;
    if (survives(setup, rng, ids[place])) words[found++] = ids[place];
  }
  return found;
}

/* The context of a place: for skip-gram one word, drawn as training would meet it; for CBOW all words in the window.
 * words: twice the window. Returns how many; 0 where there is none. */
static uint32_t draw_context(const struct vt_objective_setup *setup, struct vt_rng *rng, const uint32_t *ids,
                             uint64_t entries, uint64_t place, uint32_t *words) {
  uint32_t window = setup->options->window;
  uint32_t reach = 1 + vt_rng_below(rng, window);
  if (setup->options->model == VT_MODEL_CBOW) {
    uint32_t left = walk(setup, rng, ids, entries, place, false, reach, words);
    return left + walk(setup, rng, ids, entries, place, true, reach, words + left);
  }
  /* A context n words away is met with probability (window - n + 1) / window: when n <= reach. */
  uint32_t distance = 1 + vt_rng_below(rng, window);
  bool forward = vt_rng_below(rng, 2) == 1;
  if (distance > reach || walk(setup, rng, ids, entries, place, forward, distance, words) < distance) return 0;
  words[0] = words[distance - 1];
  return 1;
}

static uint32_t draw_targets(const struct vt_objective_setup *setup, struct vt_rng *rng, uint32_t word,
                             uint32_t *targets, float *labels) {
  if (setup->options->loss == VT_LOSS_HIERARCHICAL_SOFTMAX) {
    const struct vt_huffman *tree = setup->huffman;
    uint32_t count = (uint32_t)(tree->start[word + 1] - tree->start[word]);
    for (uint32_t k = 0; k < count; k++) {
      targets[k] = tree->nodes[tree->start[word] + k];
      labels[k] = tree->turns[tree->start[word] + k] == 0 ? 1 : 0;
    }
    return count;
  }
  targets[0] = word;
  labels[0] = 1;
  if (setup->options->loss == VT_LOSS_SOFTMAX) return 1; /* against all words */
  for (uint32_t j = 1; j <= setup->options->negative; j++) {
    targets[j] = vt_noise_draw(setup->noise, rng);
    for (int tries = 8; tries > 0 && targets[j] == word; tries--) targets[j] = vt_noise_draw(setup->noise, rng);
    labels[j] = 0;
  }
  return 1 + setup->options->negative;
}

static int compare_places(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static bool is_held_out(const struct vt_objective_setup *setup, uint64_t place) {
  if (setup->held_out == NULL) return false;
  size_t span = vt_held_out_after(setup->held_out, place);
  return span < setup->held_out->count && place >= setup->held_out->spans[span].begin;
}

/* Places that survive subsampling, either of what is trained on or of what is held out, ascending, each once; returns
 * how many. */
static size_t draw_places(const struct vt_objective_setup *setup, struct vt_rng *rng, const uint32_t *ids,
                          uint64_t entries, bool held_out, size_t wanted, uint64_t *places) {
  __extension__ typedef unsigned __int128 u128;
  size_t count = 0, kept = 0;
  uint64_t among = held_out ? setup->held_out->tokens : entries;
  for (size_t tries = wanted * TRIES_PER_ITEM; tries > 0 && count < wanted; tries--) {
    if (tries % FORGET_EVERY == 0) vt_corpus_forget(setup->corpus);
    uint64_t place = (uint64_t)(((u128)vt_rng_next(rng) * among) >> 64);
    if (held_out) place = vt_held_out_place(setup->held_out, place);
    if (!held_out && is_held_out(setup, place)) continue;
    if (ids[place] != VT_CORPUS_END && survives(setup, rng, ids[place])) places[count++] = place;
  }
  qsort(places, count, sizeof *places, compare_places);
  for (size_t k = 0; k < count; k++)
    if (kept == 0 || places[kept - 1] != places[k]) places[kept++] = places[k];
  return kept;
}

/* Draws context and targets of each place, with a stream of its own; a place without a context is left out. */
static void draw_items(struct vt_probe *probe, const struct vt_objective_setup *setup, const uint32_t *ids,
                       uint64_t entries, size_t places) {
  size_t kept = 0;
  probe->context_start[0] = probe->target_start[0] = 0;
  for (size_t k = 0; k < places; k++) {
    if (k % FORGET_EVERY == 0) vt_corpus_forget(setup->corpus);
    uint64_t place = probe->positions[k];
    size_t contexts = probe->context_start[kept], targets = probe->target_start[kept];
    uint32_t context_count = 0;
    for (uint64_t try = 0; try < TRIES_PER_CONTEXT && context_count == 0; try++) {
      struct vt_rng rng = vt_rng_make(VT_RNG_PROBE, setup->options->seed, place, try + 1);
      context_count = draw_context(setup, &rng, ids, entries, place, probe->contexts + contexts);
      if (context_count > 0)
        probe->target_start[kept + 1] =
            targets + draw_targets(setup, &rng, ids[place], probe->targets + targets, probe->labels + targets);
    }
    if (context_count == 0) continue;
    probe->context_start[kept + 1] = contexts + context_count;
    probe->positions[kept++] = place;
  }
  probe->items = kept;
}

/* ---- listing what touches what --------------------------------------------------------------------------------- */

static int compare_touches(const void *a, const void *b) {
  const struct touch *x = a, *y = b;
  if (x->table != y->table) return x->table < y->table ? -1 : 1;
  if (x->row != y->row) return x->row < y->row ? -1 : 1;
  if (x->item != y->item) return x->item < y->item ? -1 : 1;
  return (x->term > y->term) - (x->term < y->term);
}

static enum vt_status list_rows(struct vt_probe *probe, struct vt_error *error) {
  size_t count = probe->context_start[probe->items] + probe->target_start[probe->items], at = 0;
  probe->touches = vt_alloc(count, sizeof *probe->touches);
  probe->rows = vt_alloc(count, sizeof *probe->rows);
  if (probe->touches == NULL || probe->rows == NULL) return VT_FAIL_MEMORY(error, count * sizeof *probe->rows);
  for (size_t item = 0; item < probe->items; item++) {
    for (size_t c = probe->context_start[item]; c < probe->context_start[item + 1]; c++)
      probe->touches[at++] = (struct touch){VT_TABLE_INPUT, probe->contexts[c], (uint32_t)item, UINT32_MAX};
    for (size_t t = probe->target_start[item]; t < probe->target_start[item + 1]; t++)
      probe->touches[at++] = (struct touch){VT_TABLE_OUTPUT, probe->targets[t], (uint32_t)item, (uint32_t)t};
  }
  qsort(probe->touches, count, sizeof *probe->touches, compare_touches);
  for (size_t k = 0; k < count; k++) {
    const struct touch *touch = &probe->touches[k];
    if (k == 0 || touch[0].table != touch[-1].table || touch[0].row != touch[-1].row)
      probe->rows[probe->row_count++] = (struct probe_row){.table = touch->table, .row = touch->row, .first = k};
    probe->rows[probe->row_count - 1].count++;
  }
  return VT_OK;
}

/* ---- making and freeing ---------------------------------------------------------------------------------------- */

static enum vt_status allocate(struct vt_probe *probe, size_t wanted, const struct vt_train_options *options,
                               struct vt_error *error) {
  size_t contexts = wanted * 2 * options->window;
  size_t targets =
      wanted * (options->loss == VT_LOSS_HIERARCHICAL_SOFTMAX ? VT_HUFFMAN_DEPTH_MAX : 1 + (size_t)options->negative);
  probe->positions = vt_alloc(wanted, sizeof *probe->positions);
  probe->context_start = vt_alloc(wanted + 1, sizeof *probe->context_start);
  probe->target_start = vt_alloc(wanted + 1, sizeof *probe->target_start);
  probe->contexts = vt_alloc(contexts, sizeof *probe->contexts);
  probe->targets = vt_alloc(targets, sizeof *probe->targets);
  probe->labels = vt_alloc(targets, sizeof *probe->labels);
  probe->coefficients = vt_alloc(targets, sizeof *probe->coefficients);
  probe->losses = vt_alloc(wanted, sizeof *probe->losses);
  probe->means = vt_alloc_aligned(wanted * probe->stride, sizeof *probe->means);
  probe->pulls = vt_alloc_aligned(wanted * probe->stride, sizeof *probe->pulls);
  if (probe->positions == NULL || probe->context_start == NULL || probe->target_start == NULL ||
      probe->contexts == NULL || probe->targets == NULL || probe->labels == NULL || probe->coefficients == NULL ||
      probe->losses == NULL || probe->means == NULL || probe->pulls == NULL)
    return VT_FAIL_MEMORY(error, contexts * sizeof *probe->contexts + targets * sizeof *probe->targets);
  return VT_OK;
}

enum vt_status vt_probe_create(const uint32_t *ids, uint64_t entries, uint64_t tokens, bool held_out,
                               const struct vt_objective_setup *setup, int workers, struct vt_probe **out,
                               struct vt_error *error) {
  struct vt_probe *probe = vt_alloc_zero(1, sizeof *probe);
  if (probe == NULL) return VT_FAIL_MEMORY(error, sizeof *probe);
  probe->kernel = setup->kernel;
  probe->dim = setup->options->dim;
  probe->width = vt_kernel_width(probe->dim);
  probe->stride = (probe->width + 15) / 16 * 16;
  uint64_t most = held_out ? setup->held_out->tokens : tokens / PLACES_PER_ITEM;
  size_t wanted = most < VT_PROBE_PAIRS ? (size_t)most : VT_PROBE_PAIRS;
  if (wanted == 0) wanted = 1;
  enum vt_status status = allocate(probe, wanted, setup->options, error);
  if (status == VT_OK && workers > 0) {
    const size_t floats = (size_t)workers * scratch_floats(probe);
    probe->gradients = vt_alloc_aligned(floats, sizeof *probe->gradients);
    if (probe->gradients == NULL) status = VT_FAIL_MEMORY(error, floats * sizeof *probe->gradients);
  }
  if (status == VT_OK) {
    struct vt_rng rng = vt_rng_make(VT_RNG_PROBE, setup->options->seed, 0, held_out ? 1 : 0);
    draw_items(probe, setup, ids, entries, draw_places(setup, &rng, ids, entries, held_out, wanted, probe->positions));
    status = list_rows(probe, error);
  }
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
  vt_free(probe->context_start);
  vt_free(probe->contexts);
  vt_free(probe->target_start);
  vt_free(probe->targets);
  vt_free(probe->labels);
  vt_free(probe->coefficients);
  vt_free(probe->losses);
  vt_free_aligned(probe->means);
  vt_free_aligned(probe->pulls);
  vt_free(probe->rows);
  vt_free(probe->touches);
  vt_free_aligned(probe->gradients);
  vt_free(probe);
}

size_t vt_probe_pairs(const struct vt_probe *probe) { return probe->items; }

const uint64_t *vt_probe_positions(const struct vt_probe *probe) { return probe->positions; }

/* ---- measuring ------------------------------------------------------------------------------------------------- */

static void add_scaled(float *restrict to, const float *restrict from, float scale, size_t count) {
  for (size_t k = 0; k < count; k++) to[k] += scale * from[k];
}

static void measure_item(struct vt_probe *probe, size_t item) {
  float *mean = probe->means + item * probe->stride, *pull = probe->pulls + item * probe->stride;
  size_t first = probe->context_start[item], end = probe->context_start[item + 1];
  for (size_t k = 0; k < probe->dim; k++) mean[k] = pull[k] = 0;
  for (size_t c = first; c < end; c++)
    add_scaled(mean, vt_table_row(&probe->tables[VT_TABLE_INPUT], probe->contexts[c]), 1 / (float)(end - first),
               probe->dim);
  double loss = 0;
  for (size_t t = probe->target_start[item]; t < probe->target_start[item + 1]; t++) {
    const float *target = vt_table_row(&probe->tables[VT_TABLE_OUTPUT], probe->targets[t]);
    double score = (double)probe->kernel->dot(mean, target, probe->width);
    loss += vt_softplus(probe->labels[t] > 0 ? -score : score);
    probe->coefficients[t] = (float)(1 / (1 + exp(-score)) - (double)probe->labels[t]);
    add_scaled(pull, target, probe->coefficients[t], probe->dim);
  }
  probe->losses[item] = loss;
}

static void measure_row(struct vt_probe *probe, struct probe_row *row, float *gradient) {
  for (size_t k = 0; k < probe->dim; k++) gradient[k] = 0;
  for (size_t i = row->first; i < row->first + row->count; i++) {
    const struct touch *touch = &probe->touches[i];
    size_t contexts = probe->context_start[touch->item + 1] - probe->context_start[touch->item];
    if (touch->term == UINT32_MAX)
      add_scaled(gradient, probe->pulls + touch->item * probe->stride, 1 / (float)contexts, probe->dim);
    else
      add_scaled(gradient, probe->means + touch->item * probe->stride, probe->coefficients[touch->term], probe->dim);
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

static void measure_items(void *context, int worker) {
  struct vt_probe *probe = context;
  (void)worker;
  size_t first, end;
  while ((end = take_chunk(probe, probe->items, &first)) > first)
    for (size_t item = first; item < end; item++) measure_item(probe, item);
}

static void measure_rows(void *context, int worker) {
  struct vt_probe *probe = context;
  float *gradient = probe->gradients + (size_t)worker * scratch_floats(probe);
  size_t first, end;
  while ((end = take_chunk(probe, probe->row_count, &first)) > first)
    for (size_t row = first; row < end; row++) measure_row(probe, &probe->rows[row], gradient);
}

double vt_probe_loss(struct vt_probe *probe, const struct vt_table *tables, struct vt_pool *pool) {
  if (probe->items == 0) return (double)NAN;
  probe->tables = tables;
  atomic_store_explicit(&probe->next, 0, memory_order_relaxed);
  vt_pool_run(pool, measure_items, probe);
  double loss = 0;
  for (size_t item = 0; item < probe->items; item++) loss += probe->losses[item];
  return loss / (double)probe->items;
}

struct vt_probe_result vt_probe_measure(struct vt_probe *probe, const struct vt_table *tables, struct vt_pool *pool) {
  struct vt_probe_result result = {.loss = NAN, .gradient = NAN};
  if (probe->items == 0) return result;
  result.loss = vt_probe_loss(probe, tables, pool);
  atomic_store_explicit(&probe->next, 0, memory_order_relaxed);
  vt_pool_run(pool, measure_rows, probe);
  double gradient_squared = 0;
  for (size_t row = 0; row < probe->row_count; row++) gradient_squared += probe->rows[row].gradient_squared;
  result.gradient = sqrt(gradient_squared) / (double)probe->items;
  return result;
}

void vt_probe_pair(const struct vt_probe *probe, size_t pair, uint32_t *context, uint32_t *target) {
  *context = probe->contexts[probe->context_start[pair]];
  *target = probe->targets[probe->target_start[pair]];
}
