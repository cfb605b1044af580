/*
 * table.h: a table of trainable rows, float32, row-major, rows padded to the kernels' width with zeros.
 *
 * Where tables are dealt to machines, one holds the rows of its shards alone, in the order of their numbers.
 */
#ifndef VECTRAIL_TRAIN_TABLE_H
#define VECTRAIL_TRAIN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "train/shards.h"

enum vt_table_role {
  VT_TABLE_INPUT = 0,  /* V: the vectors v_w that are published */
  VT_TABLE_OUTPUT = 1, /* U: the vectors u_c that predict contexts */
  VT_TABLE_COUNT = 2
};

struct vt_table {
  float *data; /* rows x width; of a dealt one, those that it holds */
  uint32_t rows;
  uint32_t dim;
  size_t width; /* vt_kernel_width(dim): the distance from row to row */
  bool dealt;   /* it holds shards shard_begin .. shard_end; else all */
  uint32_t shard_begin;
  uint32_t shard_end;
};

/* All zeros. On error nothing is held. */
enum vt_status vt_table_init(struct vt_table *table, uint32_t rows, uint32_t dim, struct vt_error *error);
void vt_table_release(struct vt_table *table);
/* In memory of an arena, zeroed; not to be released. data is NULL while the arena is measured. The second holds shards
 * begin .. end alone. */
struct vt_table vt_table_take(uint32_t rows, uint32_t dim, struct vt_arena *arena);
struct vt_table vt_table_take_dealt(uint32_t rows, uint32_t dim, uint32_t begin, uint32_t end, struct vt_arena *arena);

/* word2vec's start of the input table: uniform on [-1/2, 1/2) / dim. A pure function of seed and row, so that the
 * start of any run can be had again without having been kept. to[dim]. */
void vt_table_start_row(uint64_t seed, uint32_t row, uint32_t dim, float *to);

/* Asks the cache for a row that will be needed soon. */
static inline void vt_prefetch_row(const float *row, size_t width) {
  for (size_t k = 0; k < width; k += 16) __builtin_prefetch(row + k);
}

static inline float *vt_table_row(const struct vt_table *table, uint32_t row) {
  return table->data + (size_t)row * table->width;
}

/* Whether a row is here. */
static inline bool vt_table_holds(const struct vt_table *table, uint32_t row) {
  return !table->dealt || (vt_shard_of(row) >= table->shard_begin && vt_shard_of(row) < table->shard_end);
}

/* The same as vt_table_row for a row that is here, of a table that may be dealt. */
static inline float *vt_table_held_row(const struct vt_table *table, uint32_t row) {
  if (!table->dealt) return vt_table_row(table, row);
  uint32_t round = row / VT_SHARD_STRIDE, run = vt_shard_of(row) - table->shard_begin;
  size_t place = (size_t)round * (table->shard_end - table->shard_begin) + run;
  return table->data + (place * VT_SHARD_RUN + row % VT_SHARD_RUN) * table->width;
}

/* In double; 0 where a row is zero. */
double vt_table_cosine(const struct vt_table *table, uint32_t a, uint32_t b);

#endif
