/* glove_tune.c */
#include "train/glove_tune.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "train/decay.h"

#define ROWS_A_TASK 256

static float *row_of(const struct vt_glove_tables *tables, int table, size_t row) {
  return tables->tables[table] + row * 2 * tables->width;
}

/* ---- what is held ------------------------------------------------------------------------------------------------ */

static void freeze(const struct vt_glove_tables *tables, int table, size_t row) {
  float *squares = row_of(tables, table, row) + tables->width;
  for (uint32_t k = 0; k < tables->dim; k++) squares[k] = INFINITY;
}

enum vt_status vt_glove_tuning_init(struct vt_glove_tuning *tuning, const struct vt_glove_tables *tables,
                                    const struct vt_tuning_options *options, const uint32_t *frozen, size_t count,
                                    struct vt_error *error) {
  const bool whole[VT_TABLE_COUNT] = {options->freeze_input, options->freeze_output};
  const size_t floats = (size_t)VT_TABLE_COUNT * tables->words * tables->dim;
  *tuning = (struct vt_glove_tuning){.tables = *tables, .mu = options->anchor};
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    for (size_t row = 0; whole[t] && row < tables->words; row++) freeze(tables, t, row);
    for (size_t k = 0; k < count; k++) freeze(tables, t, frozen[k]);
  }
  if (options->anchor == 0) return VT_OK;
  tuning->start = vt_alloc(floats, sizeof *tuning->start);
  if (tuning->start == NULL) return VT_FAIL_MEMORY(error, floats * sizeof *tuning->start);
  float *to = tuning->start;
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    for (size_t row = 0; row < tables->words; row++, to += tables->dim)
      memcpy(to, row_of(tables, t, row), tables->dim * sizeof *to);
  return VT_OK;
}

void vt_glove_tuning_release(struct vt_glove_tuning *tuning) {
  vt_free(tuning->start);
  *tuning = (struct vt_glove_tuning){0};
}

static void pull_rows(void *context, size_t begin, size_t end) {
  const struct vt_glove_tuning *tuning = context;
  const struct vt_glove_tables *tables = &tuning->tables;
  for (size_t k = begin; k < end; k++) {
    const float *start = tuning->start + k * tables->dim;
    float *at = row_of(tables, k < tables->words ? VT_TABLE_INPUT : VT_TABLE_OUTPUT, k % tables->words);
    for (uint32_t d = 0; d < tables->dim; d++) at[d] = start[d] + tuning->factor * (at[d] - start[d]);
  }
}

void vt_glove_tuning_pull(struct vt_glove_tuning *tuning, double rate, uint64_t records, struct vt_pool *pool) {
  if (tuning->start == NULL) return;
  tuning->factor = (float)vt_decay_factor(rate, tuning->mu, records);
  vt_pool_share(pool, (size_t)VT_TABLE_COUNT * tuning->tables.words, ROWS_A_TASK, pull_rows, tuning);
}

/* ---- biases of new words ----------------------------------------------------------------------------------------- */

struct fresh {
  double *rests[VT_TABLE_COUNT], *weights[VT_TABLE_COUNT]; /* by new word: of weight x rest, and of weight */
};

static void add_record(const struct vt_glove_tables *tables, const struct vt_glove_record *record, size_t row,
                       size_t column, uint32_t known, struct fresh *fresh) {
  if (row < known && column < known) return;
  const float *x = row_of(tables, VT_TABLE_INPUT, row), *y = row_of(tables, VT_TABLE_OUTPUT, column);
  const size_t words[VT_TABLE_COUNT] = {row, column};
  double rest = (double)record->log_count;
  for (uint32_t k = 0; k < tables->dim + 2; k++) rest -= (double)x[k] * (double)y[k];
  if (row >= known && column >= known) rest /= 2;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    if (words[t] < known) continue;
    fresh->rests[t][words[t] - known] += (double)record->weight * rest;
    fresh->weights[t][words[t] - known] += (double)record->weight;
  }
}

enum vt_status vt_glove_place_biases(const struct vt_glove_tables *tables, const struct vt_glove_records *records,
                                     uint32_t known, struct vt_error *error) {
  const size_t count = tables->words - known;
  double *memory = vt_alloc_zero(4 * count, sizeof *memory);
  if (memory == NULL) return VT_FAIL_MEMORY(error, 4 * count * sizeof *memory);
  struct fresh fresh = {{memory, memory + count}, {memory + 2 * count, memory + 3 * count}};
  for (uint32_t a = 0; a < tables->groups; a++)
    for (uint32_t b = 0; b < tables->groups; b++) {
      size_t n;
      const struct vt_glove_record *block = vt_glove_block(records, a, b, &n);
      for (size_t k = 0; k < n; k++)
        add_record(tables, &block[k], (size_t)block[k].row * tables->groups + a,
                   (size_t)block[k].column * tables->groups + b, known, &fresh);
    }
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    for (size_t w = 0; w < count; w++)
      if (fresh.weights[t][w] > 0)
        row_of(tables, t, known + w)[tables->dim + (uint32_t)t] = (float)(fresh.rests[t][w] / fresh.weights[t][w]);
  vt_free(memory);
  return VT_OK;
}
