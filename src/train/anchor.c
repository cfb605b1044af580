/* anchor.c */
#include "train/anchor.h"

#include <string.h>

#include "base/distance.h"
#include "base/memory.h"

static size_t floats(const struct vt_table *table) { return (size_t)table->rows * table->width; }

static enum vt_status hold(struct vt_anchor *anchor, int t, const struct vt_anchor_options *options,
                           struct vt_error *error) {
  const struct vt_table *table = &anchor->tables[t];
  const bool some = options->freeze[t] || (t == VT_TABLE_INPUT && options->row_count > 0);
  if (table->data == NULL || (options->mu == 0 && !some)) return VT_OK;
  anchor->start[t] = vt_alloc(floats(table), sizeof *anchor->start[t]);
  if (anchor->start[t] == NULL) return VT_FAIL_MEMORY(error, floats(table) * sizeof *anchor->start[t]);
  memcpy(anchor->start[t], table->data, floats(table) * sizeof *table->data);
  if (!some) return VT_OK;
  anchor->frozen[t] = vt_alloc_zero(table->rows, sizeof *anchor->frozen[t]);
  if (anchor->frozen[t] == NULL) return VT_FAIL_MEMORY(error, table->rows * sizeof *anchor->frozen[t]);
  for (uint32_t row = 0; options->freeze[t] && row < table->rows; row++) anchor->frozen[t][row] = true;
  for (size_t k = 0; t == VT_TABLE_INPUT && k < options->row_count; k++) anchor->frozen[t][options->rows[k]] = true;
  return VT_OK;
}

struct vt_anchor_options vt_anchor_options_of(const struct vt_tuning_options *tuning, const uint32_t *rows,
                                              size_t count) {
  return (struct vt_anchor_options){
      .mu = tuning->anchor, .freeze = {tuning->freeze_input, tuning->freeze_output}, .rows = rows, .row_count = count};
}

enum vt_status vt_anchor_init(struct vt_anchor *anchor, const struct vt_table tables[VT_TABLE_COUNT],
                              const struct vt_anchor_options *options, struct vt_error *error) {
  *anchor = (struct vt_anchor){.tables = {tables[VT_TABLE_INPUT], tables[VT_TABLE_OUTPUT]}, .mu = options->mu};
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    enum vt_status status = hold(anchor, t, options, error);
    if (status == VT_OK) continue;
    vt_anchor_release(anchor);
    return status;
  }
  return VT_OK;
}

void vt_anchor_release(struct vt_anchor *anchor) {
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    vt_free(anchor->start[t]);
    vt_free(anchor->frozen[t]);
  }
  *anchor = (struct vt_anchor){0};
}

double vt_anchor_penalty(const struct vt_anchor *anchor) {
  double sum = 0;
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    if (anchor->start[t] != NULL)
      sum += vt_squared_distance(anchor->tables[t].data, anchor->start[t], floats(&anchor->tables[t]));
  return anchor->mu * sum;
}

void vt_anchor_pull(const struct vt_anchor *anchor, int table, uint32_t first, uint32_t end, double factor) {
  const size_t width = anchor->tables[table].width;
  const float share = (float)factor, *start = anchor->start[table];
  float *at = anchor->tables[table].data;
  for (size_t k = first * width; k < end * width; k++) at[k] = start[k] + share * (at[k] - start[k]);
}

void vt_anchor_slope(const struct vt_anchor *anchor, int table, float *gradient) {
  const struct vt_table *moving = &anchor->tables[table];
  if (anchor->start[table] == NULL) return;
  const float twice = (float)(2 * anchor->mu), *start = anchor->start[table];
  for (size_t k = 0; k < floats(moving); k++) gradient[k] += twice * (moving->data[k] - start[k]);
  for (uint32_t row = 0; anchor->frozen[table] != NULL && row < moving->rows; row++)
    if (anchor->frozen[table][row]) memset(gradient + row * moving->width, 0, moving->width * sizeof *gradient);
}

double vt_anchor_restore(const struct vt_anchor *anchor, int table) {
  const struct vt_table *moving = &anchor->tables[table];
  double undone = 0;
  for (uint32_t row = 0; anchor->frozen[table] != NULL && row < moving->rows; row++) {
    if (!anchor->frozen[table][row]) continue;
    float *at = vt_table_row(moving, row);
    const float *start = anchor->start[table] + row * moving->width;
    undone += vt_squared_distance(at, start, moving->width);
    memcpy(at, start, moving->width * sizeof *at);
  }
  return undone;
}
