/*
 * softmax_speed.c: how near the exact softmax comes to what the processor can multiply.
 *
 *   softmax_speed THREADS [SECONDS [WORDS DIM BATCH]]
 *
 * prints one line of JSON, floating-point operations a second, medians of ROUNDS of at least SECONDS each:
 *   "peak"      the BLAS alone on square matrices of PEAK_SIZE, one in each thread: the machine's measured peak;
 *   "gradient"  loss and both gradients of a batch (src/train/softmax_batch.h), counting its three matrix products
 *               only, 6 x BATCH x WORDS x DIM, but timing all it does: exponentials, sums and targets too;
 *   "products"  those three products alone, in the same tiles.
 */
#define _POSIX_C_SOURCE 200809L
#include <cblas.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "base/pool.h"
#include "train/softmax_batch.h"

#define ROUNDS 7
#define ROUND_SECONDS 0.4 /* where none are asked for */
#define PEAK_SIZE 1024
#define TILE 512

struct bench {
  struct vt_pool *pool;
  int threads;
  double seconds; /* of a round */
  uint32_t words, dim;
  size_t batch;
  /* The peak: [threads] of three matrices each. */
  float **squares;
  /* A batch. */
  struct vt_softmax_space *space;
  struct vt_table input, output, gradient;
  struct vt_softmax_batch work;
  float *scores; /* [threads] of batch x TILE */
  float *left;   /* [threads] of batch x width */
  atomic_size_t next;
};

static double now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void *need(void *memory) {
  if (memory != NULL) return memory;
  (void)fprintf(stderr, "softmax_speed: out of memory\n");
  exit(1);
}

static float *random_floats(size_t count) {
  float *numbers = need(vt_alloc_aligned(count, sizeof *numbers));
  for (size_t k = 0; k < count; k++) numbers[k] = (float)(k * 2654435761U % 1021) / 1021 - 0.5F;
  return numbers;
}

/* ---- what is timed: each returns the operations it did ------------------------------------------------------------
 */

static void square(void *context, int worker) {
  struct bench *bench = context;
  const int n = PEAK_SIZE;
  float *a = bench->squares[worker], *b = a + PEAK_SIZE * PEAK_SIZE, *c = b + PEAK_SIZE * PEAK_SIZE;
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, n, n, 1, a, n, b, n, 0, c, n);
}

static double peak(struct bench *bench) {
  vt_pool_run(bench->pool, square, bench);
  return 2.0 * PEAK_SIZE * PEAK_SIZE * PEAK_SIZE * bench->threads;
}

static double operations(const struct bench *bench) {
  return 6.0 * (double)bench->batch * (double)bench->words * (double)bench->dim;
}

static double gradient(struct bench *bench) {
  (void)vt_softmax_batch_gradient(bench->space, &bench->input, &bench->output, &bench->work, &bench->gradient);
  return operations(bench);
}

static void multiply(void *context, int worker) {
  struct bench *bench = context;
  const int rows = (int)bench->batch, dim = (int)bench->dim, width = (int)bench->input.width;
  float *scores = bench->scores + (size_t)worker * bench->batch * TILE;
  float *left = bench->left + (size_t)worker * bench->batch * bench->input.width;
  for (;;) {
    size_t first = TILE * atomic_fetch_add_explicit(&bench->next, 1, memory_order_relaxed);
    if (first >= bench->words) return;
    const int words = (int)(bench->words - first < TILE ? bench->words - first : TILE);
    const float *outputs = vt_table_row(&bench->output, (uint32_t)first), *inputs = bench->input.data;
    float *gradients = vt_table_row(&bench->gradient, (uint32_t)first);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, words, dim, 1, inputs, width, outputs, width, 0, scores,
                TILE);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, dim, words, 1, scores, TILE, outputs, width, 0, left,
                width);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, words, dim, rows, 1, scores, TILE, inputs, width, 0, gradients,
                width);
  }
}

static double products(struct bench *bench) {
  atomic_store(&bench->next, 0);
  vt_pool_run(bench->pool, multiply, bench);
  return operations(bench);
}

/* ---- */

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double once(struct bench *bench, double (*work)(struct bench *)) {
  double start = now(), done = 0, seconds;
  do done += work(bench);
  while ((seconds = now() - start) < bench->seconds);
  return done / seconds;
}

static void set_up(struct bench *bench) {
  struct vt_error error;
  const struct vt_kernel *kernel;
  if (vt_kernel_choose(NULL, &kernel, &error) != VT_OK ||
      vt_pool_create(bench->threads, &bench->pool, &error) != VT_OK ||
      vt_softmax_space_create(bench->batch, bench->words, bench->dim, bench->pool, kernel, &bench->space, &error) !=
          VT_OK ||
      vt_table_init(&bench->input, (uint32_t)bench->batch, bench->dim, &error) != VT_OK ||
      vt_table_init(&bench->output, bench->words, bench->dim, &error) != VT_OK ||
      vt_table_init(&bench->gradient, bench->words, bench->dim, &error) != VT_OK) {
    (void)fprintf(stderr, "softmax_speed: %s\n", error.message);
    exit(1);
  }
  bench->squares = need(vt_alloc((size_t)bench->threads, sizeof *bench->squares));
  for (int t = 0; t < bench->threads; t++) bench->squares[t] = random_floats((size_t)3 * PEAK_SIZE * PEAK_SIZE);
  bench->scores = random_floats((size_t)bench->threads * bench->batch * TILE);
  bench->left = random_floats((size_t)bench->threads * bench->batch * bench->input.width);
  for (uint32_t row = 0; row < bench->words; row++)
    vt_table_start_row(1, row, bench->dim, vt_table_row(&bench->output, row));
  uint32_t *inputs = need(vt_alloc(bench->batch, sizeof *inputs)),
           *targets = need(vt_alloc(bench->batch, sizeof *targets));
  size_t *start = need(vt_alloc(bench->batch + 1, sizeof *start));
  float *weights = need(vt_alloc(bench->batch, sizeof *weights));
  start[0] = 0;
  for (uint32_t k = 0, target = 0; k < bench->batch; k++) {
    vt_table_start_row(2, k, bench->dim, vt_table_row(&bench->input, k));
    inputs[k] = k, targets[k] = target, start[k + 1] = k + 1, weights[k] = 1;
    target = target + 1 < bench->words ? target + 1 : 0;
  }
  bench->work = (struct vt_softmax_batch){
      .rows = bench->batch, .inputs = inputs, .start = start, .targets = targets, .weights = weights, .scale = 1};
}

int main(int argc, char **argv) {
  if (argc != 2 && argc != 3 && argc != 6) {
    (void)fprintf(stderr, "usage: softmax_speed THREADS [SECONDS [WORDS DIM BATCH]]\n");
    return 2;
  }
  struct bench bench = {.threads = (int)strtol(argv[1], NULL, 10),
                        .seconds = argc > 2 ? strtod(argv[2], NULL) : ROUND_SECONDS,
                        .words = 5000,
                        .dim = 100,
                        .batch = 512};
  if (argc == 6) {
    bench.words = (uint32_t)strtoul(argv[3], NULL, 10);
    bench.dim = (uint32_t)strtoul(argv[4], NULL, 10);
    bench.batch = strtoul(argv[5], NULL, 10);
  }
  if (bench.threads < 1 || bench.words < 1 || bench.dim < 1 || bench.batch < 1) return 2;
  set_up(&bench);
  double (*const work[])(struct bench *) = {peak, gradient, products};
  double rates[3][ROUNDS];
  for (int round = 0; round < ROUNDS; round++)
    for (int k = 0; k < 3; k++) rates[k][round] = once(&bench, work[k]);
  for (int k = 0; k < 3; k++) qsort(rates[k], ROUNDS, sizeof rates[k][0], by_size);
  (void)printf("{\"threads\":%d,\"words\":%" PRIu32 ",\"dim\":%" PRIu32
               ",\"batch\":%zu,\"peak\":%.4g,\"gradient\":%.4g,"
               "\"products\":%.4g,\"blas\":\"%s\"}\n",
               bench.threads, bench.words, bench.dim, bench.batch, rates[0][ROUNDS / 2], rates[1][ROUNDS / 2],
               rates[2][ROUNDS / 2], openblas_get_config());
  return 0;
}
