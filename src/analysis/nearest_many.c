/*
 * nearest_many.c: the neighbours of many words at once.
 *
 * Two passes in one. Unit vectors in float are multiplied by the kernel's panels, which gives every cosine to within a
 * known error; only where it comes that near to the worst neighbour kept so far is the cosine computed as
 * vt_vectors_nearest does, and only that decides. So the answer is that of the slow search, to the last bit, while
 * nearly all multiplications are those of a fast one.
 *
 * The error: rounding to float moves a unit vector's elements by 2^-24 of themselves each, and a fused sum over d
 * products by d 2^-24 of the sum of their sizes, which is at most 1 (Cauchy and Schwarz): (d + 2) 2^-24 (1 + d 2^-24)
 * in all, for d up to 65536 less than SLACK.
 *
 * Each query is answered by one thread, its rows in ascending order, so no thread changes anything. Memory: the unit
 * table in float, and for each thread a block of queries in float and double. Threads: a pool of its own; tiles, then
 * blocks of queries are dealt by an atomic counter.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "analysis/measure.h"
#include "analysis/nearest.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/pool.h"
#include "kernel/kernel.h"

#define SLACK(dim) (1.01 * ((double)(dim) + 16) * 0x1p-24)
/* Queries that one thread takes at a time, a multiple of VT_PANEL_ROWS: with 100 dimensions they stay in the
 * second-level cache while the table passes by. */
#define BLOCK ((size_t)20 * VT_PANEL_ROWS)
/* Fewer are asked one by one: a copy of the table would cost more. */
#define MANY 4

struct worker {
  float *units;      /* [block][dim] */
  double *queries;   /* [block][dim] */
  double *squared;   /* [block] */
  float *thresholds; /* [block]: a product below it is no neighbour */
  float *products;   /* [block][VT_PANEL] */
};

struct job {
  const struct vt_vectors *vectors;
  const uint32_t *ids;
  size_t id_count;
  size_t k;
  size_t limit;
  const struct vt_kernel *kernel;
  size_t tiles;  /* of VT_PANEL rows */
  float *panels; /* [tiles][dim][VT_PANEL] */
  size_t block;
  struct worker *workers;
  int worker_count;
  atomic_size_t next_tile;
  atomic_size_t next_block;
  struct vt_neighbor *neighbors;
  size_t *counts;
};

/* to[i * stride] = row / |row|; zeros for a zero row. */
static void put_unit(const float *row, size_t dim, float *to, size_t stride) {
  double squared = vt_measure_squared(row, dim);
  double scale = squared > 0 ? 1 / sqrt(squared) : 0;
  for (size_t c = 0; c < dim; c++) to[c * stride] = (float)(scale * (double)row[c]);
}

static void fill_panels(void *context, int number) {
  struct job *job = context;
  size_t dim = job->vectors->dim;
  (void)number;
  for (;;) {
    size_t tile = atomic_fetch_add_explicit(&job->next_tile, 1, memory_order_relaxed);
    if (tile >= job->tiles) return;
    float *panel = job->panels + tile * dim * VT_PANEL;
    for (size_t r = 0; r < VT_PANEL; r++) {
      size_t row = tile * VT_PANEL + r;
      if (row < job->limit)
        put_unit(job->vectors->data + row * dim, dim, panel + r, VT_PANEL);
      else
        for (size_t c = 0; c < dim; c++) panel[c * VT_PANEL + r] = 0;
    }
  }
}

static void take_queries(const struct job *job, const struct worker *worker, size_t first, size_t count) {
  size_t dim = job->vectors->dim;
  for (size_t q = 0; q < count; q++) {
    const float *row = job->vectors->data + job->ids[first + q] * dim;
    put_unit(row, dim, worker->units + q * dim, 1);
    for (size_t c = 0; c < dim; c++) worker->queries[q * dim + c] = (double)row[c];
    worker->squared[q] = vt_measure_squared(row, dim);
    worker->thresholds[q] = -INFINITY;
    job->counts[first + q] = 0;
  }
  /* The rows that fill the last group up ask for nothing. */
  size_t padded = (count + VT_PANEL_ROWS - 1) / VT_PANEL_ROWS * VT_PANEL_ROWS;
  memset(worker->units + count * dim, 0, (padded - count) * dim * sizeof *worker->units);
}

/* The exact cosine decides. */
static void look_at(const struct job *job, const struct worker *worker, size_t first, size_t q, size_t row) {
  size_t dim = job->vectors->dim, k = job->k, *count = &job->counts[first + q];
  struct vt_neighbor *heap = job->neighbors + (first + q) * k;
  if (job->ids[first + q] == row) return;
  struct vt_measure measure = vt_measure_row(worker->queries + q * dim, job->vectors->data + row * dim, dim);
  struct vt_neighbor found = {(uint32_t)row, vt_measure_cosine(measure.product, worker->squared[q], measure.squared)};
  if (isnan(found.cosine) || !vt_nearest_wanted(heap, *count, k, found)) return;
  *count = vt_nearest_take(heap, *count, k, found);
  if (*count == k) worker->thresholds[q] = (float)(heap[0].cosine - SLACK(dim));
}

/* Four floats in a register, and what comparing them gives; spelled out, for compilers compare one at a time here,
 * which takes a fifth of the whole search. */
typedef float float4 __attribute__((vector_size(16)));
typedef int32_t mask4 __attribute__((vector_size(16)));

/* Whether one of a tile's products reaches the threshold; NaN does not. */
static bool any_reaches(const float products[VT_PANEL], float threshold) {
  const float4 least = {threshold, threshold, threshold, threshold};
  mask4 reached = {0};
  for (size_t r = 0; r < VT_PANEL; r += 4) {
    float4 four;
    memcpy(&four, products + r, sizeof four);
    reached |= four >= least;
  }
  uint64_t halves[2];
  memcpy(halves, &reached, sizeof halves);
  return (halves[0] | halves[1]) != 0;
}

static void look_at_tile(const struct job *job, const struct worker *worker, size_t first, size_t count, size_t tile) {
  size_t begin = tile * VT_PANEL, rows = job->limit - begin < VT_PANEL ? job->limit - begin : VT_PANEL;
  for (size_t q = 0; q < count; q++) {
    const float *products = worker->products + q * VT_PANEL;
    if (!any_reaches(products, worker->thresholds[q])) continue;
    /* A threshold may rise on the way. */
    for (size_t r = 0; r < rows; r++)
      if (products[r] >= worker->thresholds[q]) look_at(job, worker, first, q, begin + r);
  }
}

static void answer_blocks(void *context, int number) {
  struct job *job = context;
  const struct worker *worker = &job->workers[number];
  size_t dim = job->vectors->dim;
  for (;;) {
    size_t first = atomic_fetch_add_explicit(&job->next_block, 1, memory_order_relaxed) * job->block;
    if (first >= job->id_count) return;
    size_t count = job->id_count - first < job->block ? job->id_count - first : job->block;
    size_t padded = (count + VT_PANEL_ROWS - 1) / VT_PANEL_ROWS * VT_PANEL_ROWS;
    take_queries(job, worker, first, count);
    for (size_t tile = 0; tile < job->tiles; tile++) {
      job->kernel->products(worker->units, padded, job->panels + tile * dim * VT_PANEL, dim, worker->products);
      look_at_tile(job, worker, first, count, tile);
    }
    for (size_t q = 0; q < count; q++) vt_nearest_sort(job->neighbors + (first + q) * job->k, job->counts[first + q]);
  }
}

/* ---- setting it up ----------------------------------------------------------------------------------------------- */

static enum vt_status check_ids(const struct vt_vectors *vectors, const uint32_t *ids, size_t id_count,
                                struct vt_error *error) {
  for (size_t i = 0; i < id_count; i++) {
    if (ids[i] >= vectors->rows)
      return VT_FAIL(error, VT_ERROR_ARGUMENT, "there is no row %lu in a table of %zu rows", (unsigned long)ids[i],
                     vectors->rows);
    /* Squares of floats do not overflow in double. */
    if (!isfinite(vt_measure_squared(vectors->data + ids[i] * vectors->dim, vectors->dim)))
      return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, "take an earlier step, or train with a smaller learning rate",
                          "the vector of \"%.64s\" holds NaN or infinity", vt_vocab_text(vectors->vocab, ids[i]));
  }
  return VT_OK;
}

static enum vt_status allocate(struct job *job, struct vt_error *error) {
  size_t dim = job->vectors->dim;
  job->panels = vt_alloc_aligned_raw(job->tiles * dim, VT_PANEL * sizeof *job->panels);
  job->workers = vt_alloc_zero((size_t)job->worker_count, sizeof *job->workers);
  if (job->panels == NULL || job->workers == NULL)
    return VT_FAIL_MEMORY(error, job->tiles * dim * VT_PANEL * sizeof *job->panels);
  for (int w = 0; w < job->worker_count; w++) {
    struct worker *worker = &job->workers[w];
    worker->units = vt_alloc(job->block * dim, sizeof *worker->units);
    worker->queries = vt_alloc(job->block * dim, sizeof *worker->queries);
    worker->squared = vt_alloc(job->block, sizeof *worker->squared);
    worker->thresholds = vt_alloc(job->block, sizeof *worker->thresholds);
    worker->products = vt_alloc_aligned(job->block, VT_PANEL * sizeof *worker->products);
    if (worker->units == NULL || worker->queries == NULL || worker->squared == NULL || worker->thresholds == NULL ||
        worker->products == NULL)
      return VT_FAIL_MEMORY(error, job->block * (dim + VT_PANEL) * sizeof(double));
  }
  return VT_OK;
}

static void release(struct job *job) {
  for (int w = 0; job->workers != NULL && w < job->worker_count; w++) {
    vt_free(job->workers[w].units);
    vt_free(job->workers[w].queries);
    vt_free(job->workers[w].squared);
    vt_free(job->workers[w].thresholds);
    vt_free_aligned(job->workers[w].products);
  }
  vt_free(job->workers);
  vt_free_aligned(job->panels);
}

/* As many blocks for each thread, of nearly the same size. */
static void plan(struct job *job, int threads) {
  size_t blocks = (job->id_count + BLOCK - 1) / BLOCK, workers = (size_t)threads;
  size_t most = (job->id_count + VT_PANEL_ROWS - 1) / VT_PANEL_ROWS;
  if (workers > most) workers = most;
  blocks = (blocks + workers - 1) / workers * workers;
  job->block = ((job->id_count + blocks - 1) / blocks + VT_PANEL_ROWS - 1) / VT_PANEL_ROWS * VT_PANEL_ROWS;
  job->worker_count = (int)workers;
}

static enum vt_status answer_many(struct job *job, int threads, struct vt_error *error) {
  struct vt_pool *pool = NULL;
  VT_TRY(vt_kernel_choose(NULL, &job->kernel, error));
  plan(job, threads);
  enum vt_status status = allocate(job, error);
  if (status == VT_OK) status = vt_pool_create(job->worker_count, &pool, error);
  if (status == VT_OK) {
    vt_pool_run(pool, fill_panels, job);
    vt_pool_run(pool, answer_blocks, job);
  }
  vt_pool_free(pool);
  release(job);
  return status;
}

enum vt_status vt_vectors_nearest_many(const struct vt_vectors *vectors, const uint32_t *ids, size_t id_count, size_t k,
                                       size_t limit, int threads, struct vt_neighbor *neighbors, size_t *counts,
                                       struct vt_error *error) {
  if (limit == 0 || limit > vectors->rows) limit = vectors->rows;
  VT_TRY(check_ids(vectors, ids, id_count, error));
  for (size_t i = 0; i < id_count && (id_count < MANY || k == 0); i++)
    VT_TRY(vt_vectors_nearest(vectors, vt_vectors_row(vectors, ids[i]), k, limit, &ids[i], 1, neighbors + i * k,
                              &counts[i], error));
  if (id_count < MANY || k == 0) return VT_OK;
  struct job job = {.vectors = vectors,
                    .ids = ids,
                    .id_count = id_count,
                    .k = k,
                    .limit = limit,
                    .tiles = (limit + VT_PANEL - 1) / VT_PANEL,
                    .neighbors = neighbors,
                    .counts = counts};
  return answer_many(&job, threads, error);
}
