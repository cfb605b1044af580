/*
 * gram.c: X'Y by tiles. A worker takes VT_TILE columns of Y and goes over all rows, a piece at a time: the piece's
 * columns of X, one behind the other, are multiplied with a panel of its columns of Y, and the products added to the
 * result. Every element of the result is written by one worker, in the order of the pieces.
 *
 * Memory: a piece of X, a panel and its products for each worker. Threads: those of the pool.
 */
#include "analysis/gram.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "analysis/tile.h"
#include "base/memory.h"

#define PIECE ((size_t)256) /* rows */

struct worker {
  double *columns;  /* [x.dim, padded][PIECE] */
  double *panel;    /* [PIECE][VT_TILE] */
  double *products; /* [x.dim, padded][VT_TILE] */
};

struct job {
  const struct vt_gram_table *x, *y;
  size_t rows;
  double *product;
  struct worker *workers;
  atomic_size_t next_tile;
};

static double element(const struct vt_gram_table *table, size_t row, size_t column) {
  double value = (double)table->data[row * table->dim + column];
  if (table->mean != NULL) value -= table->mean[column];
  return table->scales != NULL ? value * table->scales[row] : value;
}

static void add_piece(const struct job *job, const struct worker *worker, size_t first, size_t tile) {
  size_t rows = job->rows - first < PIECE ? job->rows - first : PIECE, p = job->x->dim, q = job->y->dim;
  size_t begin = tile * VT_TILE, columns = q - begin < VT_TILE ? q - begin : VT_TILE;
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < p; c++) worker->columns[c * rows + r] = element(job->x, first + r, c);
  memset(worker->columns + p * rows, 0, (vt_tile_padded(p) - p) * rows * sizeof *worker->columns);
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < VT_TILE; c++)
      worker->panel[r * VT_TILE + c] = c < columns ? element(job->y, first + r, begin + c) : 0;
  vt_tile_multiply(worker->columns, vt_tile_padded(p), worker->panel, rows, worker->products);
  for (size_t i = 0; i < p; i++)
    for (size_t c = 0; c < columns; c++) job->product[i * q + begin + c] += worker->products[i * VT_TILE + c];
}

static void work(void *context, int number) {
  struct job *job = context;
  size_t tiles = (job->y->dim + VT_TILE - 1) / VT_TILE;
  for (;;) {
    size_t tile = atomic_fetch_add_explicit(&job->next_tile, 1, memory_order_relaxed);
    if (tile >= tiles) return;
    for (size_t first = 0; first < job->rows; first += PIECE) add_piece(job, &job->workers[number], first, tile);
  }
}

enum vt_status vt_gram(const struct vt_gram_table *x, const struct vt_gram_table *y, size_t rows, struct vt_pool *pool,
                       double *product, struct vt_error *error) {
  struct job job = {.x = x, .y = y, .rows = rows, .product = product};
  size_t count = (size_t)vt_pool_size(pool), padded = vt_tile_padded(x->dim);
  memset(product, 0, x->dim * y->dim * sizeof *product);
  job.workers = vt_alloc_zero(count, sizeof *job.workers);
  bool enough = job.workers != NULL;
  for (size_t w = 0; enough && w < count; w++) {
    job.workers[w].columns = vt_alloc(padded, PIECE * sizeof(double));
    job.workers[w].panel = vt_alloc(PIECE, VT_TILE * sizeof(double));
    job.workers[w].products = vt_alloc(padded, VT_TILE * sizeof(double));
    enough = job.workers[w].columns != NULL && job.workers[w].panel != NULL && job.workers[w].products != NULL;
  }
  if (enough) vt_pool_run(pool, work, &job);
  for (size_t w = 0; job.workers != NULL && w < count; w++) {
    vt_free(job.workers[w].columns);
    vt_free(job.workers[w].panel);
    vt_free(job.workers[w].products);
  }
  vt_free(job.workers);
  return enough ? VT_OK : VT_FAIL_MEMORY(error, padded * PIECE * sizeof(double));
}
