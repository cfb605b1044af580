/* table.c: memory and start values of the tables. */
#include "train/table.h"

#include <math.h>

#include "base/memory.h"
#include "base/rng.h"
#include "kernel/kernel.h"

enum vt_status vt_table_init(struct vt_table *table, uint32_t rows, uint32_t dim, struct vt_error *error) {
  size_t width = vt_kernel_width(dim);
  float *data = vt_alloc_aligned(rows, width * sizeof *data);
  if (data == NULL) return VT_FAIL_MEMORY(error, rows * width * sizeof *data);
  *table = (struct vt_table){.data = data, .rows = rows, .dim = dim, .width = width};
  return VT_OK;
}

struct vt_table vt_table_take(uint32_t rows, uint32_t dim, struct vt_arena *arena) {
  size_t width = vt_kernel_width(dim);
  float *data = vt_arena_take(arena, rows * width * sizeof *data);
  return (struct vt_table){.data = data, .rows = rows, .dim = dim, .width = width};
}

struct vt_table vt_table_take_dealt(uint32_t rows, uint32_t dim, uint32_t begin, uint32_t end, struct vt_arena *arena) {
  const size_t rounds = (rows + VT_SHARD_STRIDE - 1) / VT_SHARD_STRIDE, held = rounds * (end - begin) * VT_SHARD_RUN;
  size_t width = vt_kernel_width(dim);
  return (struct vt_table){.data = vt_arena_take(arena, held * width * sizeof(float)),
                           .rows = rows,
                           .dim = dim,
                           .width = width,
                           .dealt = true,
                           .shard_begin = begin,
                           .shard_end = end};
}

void vt_table_release(struct vt_table *table) {
  vt_free_aligned(table->data);
  *table = (struct vt_table){0};
}

void vt_table_start_row(uint64_t seed, uint32_t row, uint32_t dim, float *to) {
  struct vt_rng rng = vt_rng_make(VT_RNG_INIT, seed, VT_TABLE_INPUT, row);
  for (uint32_t k = 0; k < dim; k++) to[k] = (vt_rng_unit(&rng) - 0.5F) / (float)dim;
}

double vt_table_cosine(const struct vt_table *table, uint32_t a, uint32_t b) {
  const float *x = vt_table_row(table, a), *y = vt_table_row(table, b);
  double product = 0, squared_x = 0, squared_y = 0;
  for (uint32_t k = 0; k < table->dim; k++) {
    product += (double)x[k] * (double)y[k];
    squared_x += (double)x[k] * (double)x[k];
    squared_y += (double)y[k] * (double)y[k];
  }
  return squared_x > 0 && squared_y > 0 ? product / sqrt(squared_x * squared_y) : 0;
}
