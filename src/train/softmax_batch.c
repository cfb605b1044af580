/*
 * softmax_batch.c: two passes over tiles of TILE words.
 *
 * First: the scores of a tile, its row maxima m, and its scores replaced by e^(s - m) with their row sums. Then, row by
 * row over all tiles in order, the maximum and the normaliser. Second: each tile's row times e^(m - M) a scale / Z is
 * G, of which the targets are taken off, and both products follow while the tile is in the cache. dX is summed by group
 * of tiles, a group by one thread, groups in order.
 */
#include "train/softmax_batch.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/blas.h"
#include "base/memory.h"

#define TILE 512
#define GROUPS 16

struct vt_softmax_space {
  size_t capacity; /* rows */
  uint32_t words;
  uint32_t dim;
  size_t width; /* of rows of X, as of the tables */
  size_t tiles;
  struct vt_pool *pool;
  const struct vt_kernel *kernel;
  float *inputs;        /* X: capacity x width */
  float *scores;        /* tiles x capacity x TILE */
  float *largest;       /* tiles x capacity */
  float *sums;          /* tiles x capacity */
  double *target_score; /* tiles x capacity: sum over targets in the tile of w s */
  float *factors;       /* tiles x capacity */
  float *row_weight;    /* capacity: a_i */
  float *partial;       /* GROUPS x capacity x width */
  /* During a batch. */
  const struct vt_softmax_batch *batch;
  const struct vt_table *output;
  struct vt_table *output_gradient;
  atomic_size_t next;
};

enum vt_status vt_softmax_space_create(size_t rows, uint32_t words, uint32_t dim, struct vt_pool *pool,
                                       const struct vt_kernel *kernel, struct vt_softmax_space **out,
                                       struct vt_error *error) {
  VT_TRY(vt_blas_open(error));
  struct vt_softmax_space *space = vt_alloc_zero(1, sizeof *space);
  if (space == NULL) return VT_FAIL_MEMORY(error, sizeof *space);
  *space = (struct vt_softmax_space){.capacity = rows,
                                     .words = words,
                                     .dim = dim,
                                     .width = vt_kernel_width(dim),
                                     .tiles = ((size_t)words + TILE - 1) / TILE,
                                     .pool = pool,
                                     .kernel = kernel};
  size_t cells = space->tiles * rows;
  space->inputs = vt_alloc_aligned(rows, space->width * sizeof(float));
  space->scores = vt_alloc_aligned(cells, TILE * sizeof(float));
  space->largest = vt_alloc(cells, sizeof *space->largest);
  space->sums = vt_alloc(cells, sizeof *space->sums);
  space->target_score = vt_alloc(cells, sizeof *space->target_score);
  space->factors = vt_alloc(cells, sizeof *space->factors);
  space->row_weight = vt_alloc(rows, sizeof *space->row_weight);
  space->partial = vt_alloc_aligned(GROUPS * rows, space->width * sizeof(float));
  if (space->inputs == NULL || space->scores == NULL || space->largest == NULL || space->sums == NULL ||
      space->target_score == NULL || space->factors == NULL || space->row_weight == NULL || space->partial == NULL) {
    vt_softmax_space_free(space);
    return VT_FAIL_HELP(error, VT_ERROR_MEMORY, "use a smaller batch (--batch) or vocabulary (--max-vocab)",
                        "cannot allocate the scores of %zu pairs against %u words: %zu bytes", rows, words,
                        cells * TILE * sizeof(float));
  }
  *out = space;
  return VT_OK;
}

void vt_softmax_space_free(struct vt_softmax_space *space) {
  if (space == NULL) return;
  vt_free_aligned(space->inputs);
  vt_free_aligned(space->scores);
  vt_free(space->largest);
  vt_free(space->sums);
  vt_free(space->target_score);
  vt_free(space->factors);
  vt_free(space->row_weight);
  vt_free_aligned(space->partial);
  vt_free(space);
}

/* ---- one tile ---------------------------------------------------------------------------------------------------- */

static uint32_t tile_words(const struct vt_softmax_space *space, size_t tile) {
  size_t left = space->words - tile * TILE;
  return (uint32_t)(left < TILE ? left : TILE);
}

static float *tile_scores(const struct vt_softmax_space *space, size_t tile) {
  return space->scores + tile * space->capacity * TILE;
}

/* The targets of a row that lie in the tile: [*from, *to) of batch->targets. */
static void targets_in(const struct vt_softmax_batch *batch, size_t row, size_t tile, size_t *from, size_t *to) {
  size_t low = batch->start[row], high = batch->start[row + 1];
  uint32_t first = (uint32_t)(tile * TILE);
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (batch->targets[middle] < first)
      low = middle + 1;
    else
      high = middle;
  }
  *from = *to = low;
  while (*to < batch->start[row + 1] && batch->targets[*to] - first < TILE) ++*to;
}

static void score_tile(struct vt_softmax_space *space, size_t tile) {
  const struct vt_softmax_batch *batch = space->batch;
  const uint32_t words = tile_words(space, tile), padded = (words + 15) / 16 * 16;
  const float *outputs = vt_table_row(space->output, (uint32_t)(tile * TILE));
  float *scores = tile_scores(space, tile);
  vt_blas.cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)batch->rows, (int)words, (int)space->dim, 1,
                      space->inputs, (int)space->width, outputs, (int)space->width, 0, scores, TILE);
  for (size_t i = 0; i < batch->rows; i++) {
    float *row = scores + i * TILE;
    size_t cell = tile * space->capacity + i, from, to;
    for (uint32_t c = words; c < padded; c++) row[c] = -FLT_MAX;
    targets_in(batch, i, tile, &from, &to);
    space->target_score[cell] = 0;
    for (size_t t = from; t < to; t++)
      space->target_score[cell] += (double)batch->weights[t] * (double)row[batch->targets[t] - tile * TILE];
    space->largest[cell] = space->kernel->largest(row, padded);
    space->sums[cell] = space->kernel->exp_sum(row, padded, space->largest[cell]);
  }
}

/* From e^(s - m) to G. */
static void finish_tile(struct vt_softmax_space *space, size_t tile) {
  const struct vt_softmax_batch *batch = space->batch;
  const uint32_t words = tile_words(space, tile);
  for (size_t i = 0; i < batch->rows; i++) {
    float *row = tile_scores(space, tile) + i * TILE;
    const float factor = space->factors[tile * space->capacity + i];
    for (uint32_t c = 0; c < words; c++) row[c] *= factor;
    size_t from, to;
    targets_in(batch, i, tile, &from, &to);
    for (size_t t = from; t < to; t++) row[batch->targets[t] - tile * TILE] -= batch->scale * batch->weights[t];
  }
}

static void multiply_tile(struct vt_softmax_space *space, size_t tile, float *partial, bool first) {
  const struct vt_softmax_batch *batch = space->batch;
  const int rows = (int)batch->rows, words = (int)tile_words(space, tile), dim = (int)space->dim,
            width = (int)space->width;
  const float *scores = tile_scores(space, tile), *outputs = vt_table_row(space->output, (uint32_t)(tile * TILE));
  float *gradient = vt_table_row(space->output_gradient, (uint32_t)(tile * TILE));
  vt_blas.cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, dim, words, 1, scores, TILE, outputs, width,
                      first ? 0 : 1, partial, width);
  vt_blas.cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, words, dim, rows, 1, scores, TILE, space->inputs, width,
                      batch->add ? 1 : 0, gradient, width);
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static void score_tiles(void *context, int worker) {
  struct vt_softmax_space *space = context;
  (void)worker;
  for (;;) {
    size_t tile = atomic_fetch_add_explicit(&space->next, 1, memory_order_relaxed);
    if (tile >= space->tiles) return;
    score_tile(space, tile);
  }
}

/* A group is every GROUPS-th tile. */
static void multiply_groups(void *context, int worker) {
  struct vt_softmax_space *space = context;
  (void)worker;
  for (;;) {
    size_t group = atomic_fetch_add_explicit(&space->next, 1, memory_order_relaxed);
    if (group >= GROUPS) return;
    float *partial = space->partial + group * space->capacity * space->width;
    for (size_t tile = group; tile < space->tiles; tile += GROUPS) {
      finish_tile(space, tile);
      multiply_tile(space, tile, partial, tile == group);
    }
  }
}

/* The normaliser of a row over all tiles; returns the row's loss. */
static double normalise(struct vt_softmax_space *space, size_t i) {
  const struct vt_softmax_batch *batch = space->batch;
  float largest = space->largest[i];
  double sum = 0, target_score = 0, weight = 0;
  for (size_t cell = i; cell < space->tiles * space->capacity; cell += space->capacity)
    if (space->largest[cell] > largest) largest = space->largest[cell];
  for (size_t cell = i; cell < space->tiles * space->capacity; cell += space->capacity) {
    sum += (double)space->sums[cell] * exp((double)space->largest[cell] - (double)largest);
    target_score += space->target_score[cell];
  }
  for (size_t t = batch->start[i]; t < batch->start[i + 1]; t++) weight += (double)batch->weights[t];
  for (size_t cell = i; cell < space->tiles * space->capacity; cell += space->capacity)
    space->factors[cell] =
        (float)(exp((double)space->largest[cell] - (double)largest) * weight * (double)batch->scale / sum);
  return weight * ((double)largest + log(sum)) - target_score;
}

/* Groups in order. */
static void add_partials(struct vt_softmax_space *space) {
  size_t groups = space->tiles < GROUPS ? space->tiles : GROUPS, floats = space->batch->rows * space->width;
  for (size_t group = 1; group < groups; group++) {
    const float *partial = space->partial + group * space->capacity * space->width;
    for (size_t k = 0; k < floats; k++) space->partial[k] += partial[k];
  }
}

double vt_softmax_batch_gradient(struct vt_softmax_space *space, const struct vt_table *input,
                                 const struct vt_table *output, const struct vt_softmax_batch *batch,
                                 struct vt_table *output_gradient) {
  space->batch = batch;
  space->output = output;
  space->output_gradient = output_gradient;
  for (size_t i = 0; i < batch->rows; i++)
    memcpy(space->inputs + i * space->width, vt_table_row(input, batch->inputs[i]), space->width * sizeof(float));
  atomic_store_explicit(&space->next, 0, memory_order_relaxed);
  vt_pool_run(space->pool, score_tiles, space);
  double loss = 0;
  for (size_t i = 0; i < batch->rows; i++) loss += normalise(space, i);
  atomic_store_explicit(&space->next, 0, memory_order_relaxed);
  vt_pool_run(space->pool, multiply_groups, space);
  add_partials(space);
  return loss;
}

const float *vt_softmax_input_gradient(const struct vt_softmax_space *space, size_t row) {
  return space->partial + row * space->width;
}

float vt_softmax_gradient_at(const struct vt_softmax_space *space, size_t row, uint32_t word) {
  return tile_scores(space, word / TILE)[row * TILE + word % TILE];
}
