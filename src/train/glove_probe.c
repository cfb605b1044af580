/*
 * glove_probe.c: in double, and in the records' order.
 */
#include "train/glove_probe.h"

#include <math.h>

#include "base/memory.h"

static const float *row_of(const struct vt_glove_tables *tables, int t, uint32_t row) {
  return tables->tables[t] + (size_t)row * 2 * tables->width;
}

static double difference_of(const struct vt_glove_tables *tables, const struct vt_glove_record *record) {
  const float *x = row_of(tables, VT_TABLE_INPUT, record->row), *y = row_of(tables, VT_TABLE_OUTPUT, record->column);
  double sum = -(double)record->log_count;
  for (uint32_t k = 0; k < tables->dim + 2; k++) sum += (double)x[k] * (double)y[k];
  return sum;
}

double vt_glove_add_losses(double sum, const struct vt_glove_tables *tables, const struct vt_glove_record *records,
                           size_t count) {
  for (size_t k = 0; k < count; k++) {
    const double difference = difference_of(tables, &records[k]);
    sum += (double)records[k].weight * difference * difference;
  }
  return sum;
}

enum vt_status vt_glove_probe_init(struct vt_glove_probe *probe, uint32_t dim, struct vt_error *error) {
  probe->pulls = vt_alloc(VT_PROBE_PAIRS, sizeof *probe->pulls);
  probe->gradient = vt_alloc_zero((size_t)dim + 2, sizeof *probe->gradient);
  if (probe->pulls != NULL && probe->gradient != NULL) return VT_OK;
  return VT_FAIL_MEMORY(error, (VT_PROBE_PAIRS + (size_t)dim + 2) * sizeof(double));
}

void vt_glove_probe_release(struct vt_glove_probe *probe) {
  vt_free(probe->pulls);
  vt_free(probe->gradient);
}

/* Adds |sum of the gradients of records with the same row (or column)|^2, for stretches of them in order. */
static double side_squared(struct vt_glove_probe *probe, const struct vt_glove_tables *tables,
                           const struct vt_glove_records *records, int t) {
  double *gradient = probe->gradient;
  const uint32_t one = t == VT_TABLE_INPUT ? tables->dim + 1 : tables->dim;
  double squared = 0;
  for (size_t k = 0; k < records->probe_count; k++) {
    const size_t at = t == VT_TABLE_INPUT ? k : records->by_column[k];
    const struct vt_glove_record *record = &records->probe[at], *next = NULL;
    if (k + 1 < records->probe_count) next = &records->probe[t == VT_TABLE_INPUT ? k + 1 : records->by_column[k + 1]];
    const uint32_t row = t == VT_TABLE_INPUT ? record->row : record->column;
    const float *other = t == VT_TABLE_INPUT ? row_of(tables, VT_TABLE_OUTPUT, record->column)
                                             : row_of(tables, VT_TABLE_INPUT, record->row);
    for (uint32_t d = 0; d < tables->dim + 2; d++)
      if (d != one) gradient[d] += probe->pulls[at] * (double)other[d];
    if (next != NULL && (t == VT_TABLE_INPUT ? next->row : next->column) == row) continue;
    for (uint32_t d = 0; d < tables->dim + 2; d++) {
      squared += gradient[d] * gradient[d];
      gradient[d] = 0;
    }
  }
  return squared;
}

struct vt_probe_result vt_glove_probe_measure(struct vt_glove_probe *probe, const struct vt_glove_tables *tables,
                                              const struct vt_glove_records *records) {
  struct vt_probe_result result = {.loss = NAN, .gradient = NAN};
  if (records->probe_count == 0) return result;
  double sum = 0;
  for (size_t k = 0; k < records->probe_count; k++) {
    const double weight = (double)records->probe[k].weight, difference = difference_of(tables, &records->probe[k]);
    sum += weight * difference * difference;
    probe->pulls[k] = 2 * weight * difference / (double)records->probe_count;
  }
  result.loss = sum / (double)records->probe_count;
  result.gradient = sqrt(side_squared(probe, tables, records, VT_TABLE_INPUT) +
                         side_squared(probe, tables, records, VT_TABLE_OUTPUT));
  return result;
}
