/* motion.c: distances in double, summed in rank order. */
#include "train/motion.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

enum vt_status vt_motion_init(struct vt_motion *motion, const struct vt_table *input, struct vt_error *error) {
  uint32_t count = input->rows < VT_MOTION_WORDS ? input->rows : VT_MOTION_WORDS;
  *motion = (struct vt_motion){.count = count, .dim = input->dim};
  motion->words = vt_alloc(count, sizeof *motion->words);
  motion->start = vt_alloc((size_t)count * input->dim, sizeof *motion->start);
  motion->marked = vt_alloc((size_t)count * input->dim, sizeof *motion->marked);
  if (motion->words == NULL || motion->start == NULL || motion->marked == NULL) {
    vt_motion_release(motion);
    return VT_FAIL_MEMORY(error, (size_t)count * input->dim * sizeof *motion->start);
  }
  for (uint32_t k = 0; k < count; k++) {
    motion->words[k] = (uint32_t)((uint64_t)k * input->rows / count);
    const float *row = vt_table_row(input, motion->words[k]);
    memcpy(motion->start + (size_t)k * input->dim, row, input->dim * sizeof *row);
    memcpy(motion->marked + (size_t)k * input->dim, row, input->dim * sizeof *row);
  }
  return VT_OK;
}

void vt_motion_release(struct vt_motion *motion) {
  vt_free(motion->words);
  vt_free(motion->start);
  vt_free(motion->marked);
  *motion = (struct vt_motion){0};
}

static double distance(const float *a, const float *b, uint32_t dim) {
  double sum = 0;
  for (uint32_t k = 0; k < dim; k++) {
    double difference = (double)a[k] - (double)b[k];
    sum += difference * difference;
  }
  return sqrt(sum);
}

static double length(const float *a, uint32_t dim) {
  double sum = 0;
  for (uint32_t k = 0; k < dim; k++) sum += (double)a[k] * (double)a[k];
  return sqrt(sum);
}

struct vt_motion_result vt_motion_measure(const struct vt_motion *motion, const struct vt_table *input) {
  struct vt_motion_result sums = {0};
  for (uint32_t k = 0; k < motion->count; k++) {
    const float *row = vt_table_row(input, motion->words[k]);
    sums.displacement += distance(row, motion->start + (size_t)k * motion->dim, motion->dim);
    sums.norm += length(row, motion->dim);
  }
  double count = motion->count;
  return (struct vt_motion_result){.displacement = sums.displacement / count, .norm = sums.norm / count};
}

struct vt_motion_speed vt_motion_mark(struct vt_motion *motion, const struct vt_table *input, uint64_t step) {
  double path = 0;
  uint32_t moving = 0;
  for (uint32_t k = 0; k < motion->count; k++) {
    const float *row = vt_table_row(input, motion->words[k]);
    float *marked = motion->marked + (size_t)k * motion->dim;
    double moved = distance(row, marked, motion->dim);
    path += moved;
    if (moved > VT_MOTION_SHARE * length(row, motion->dim)) moving++;
    memcpy(marked, row, motion->dim * sizeof *row);
  }
  double steps = (double)(step - motion->marked_step), count = motion->count;
  motion->marked_step = step;
  if (steps == 0) return (struct vt_motion_speed){.speed = NAN, .moving = NAN};
  return (struct vt_motion_speed){.speed = path / count / steps, .moving = (double)moving / count};
}
