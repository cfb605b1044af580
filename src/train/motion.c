/* motion.c: distances in double, by any thread; summed in rank order. */
#include "train/motion.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/distance.h"
#include "base/memory.h"

enum vt_status vt_motion_init(struct vt_motion *motion, const struct vt_table *input, struct vt_error *error) {
  uint32_t count = input->rows < VT_MOTION_WORDS ? input->rows : VT_MOTION_WORDS;
  *motion = (struct vt_motion){.count = count, .dim = input->dim};
  motion->words = vt_alloc(count, sizeof *motion->words);
  motion->start = vt_alloc((size_t)count * input->dim, sizeof *motion->start);
  motion->marked = vt_alloc((size_t)count * input->dim, sizeof *motion->marked);
  motion->moved = vt_alloc(count, sizeof *motion->moved);
  motion->lengths = vt_alloc(count, sizeof *motion->lengths);
  if (motion->words == NULL || motion->start == NULL || motion->marked == NULL || motion->moved == NULL ||
      motion->lengths == NULL) {
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
  vt_free(motion->moved);
  vt_free(motion->lengths);
  *motion = (struct vt_motion){0};
}

#define WORDS_A_PIECE 128

struct look {
  struct vt_motion *motion;
  const struct vt_table *input;
  float *from; /* of motion: what the words are held against */
  bool mark;   /* it takes over where they are now */
};

static void look_at(void *context, size_t begin, size_t end) {
  const struct look *look = context;
  struct vt_motion *motion = look->motion;
  for (size_t k = begin; k < end; k++) {
    const float *row = vt_table_row(look->input, motion->words[k]);
    float *from = look->from + k * motion->dim;
    motion->moved[k] = sqrt(vt_squared_distance(row, from, motion->dim));
    motion->lengths[k] = sqrt(vt_squared_length(row, motion->dim));
    if (look->mark) memcpy(from, row, motion->dim * sizeof *row);
  }
}

struct vt_motion_result vt_motion_measure(struct vt_motion *motion, const struct vt_table *input,
                                          struct vt_pool *pool) {
  struct look look = {.motion = motion, .input = input, .from = motion->start};
  vt_pool_share(pool, motion->count, WORDS_A_PIECE, look_at, &look);
  struct vt_motion_result sums = {0};
  for (uint32_t k = 0; k < motion->count; k++) {
    sums.displacement += motion->moved[k];
    sums.norm += motion->lengths[k];
  }
  double count = motion->count;
  return (struct vt_motion_result){.displacement = sums.displacement / count, .norm = sums.norm / count};
}

struct vt_motion_speed vt_motion_mark(struct vt_motion *motion, const struct vt_table *input, uint64_t step,
                                      struct vt_pool *pool) {
  struct look look = {.motion = motion, .input = input, .from = motion->marked, .mark = true};
  vt_pool_share(pool, motion->count, WORDS_A_PIECE, look_at, &look);
  double path = 0;
  uint32_t moving = 0;
  for (uint32_t k = 0; k < motion->count; k++) {
    path += motion->moved[k];
    if (motion->moved[k] > VT_MOTION_SHARE * motion->lengths[k]) moving++;
  }
  double steps = (double)(step - motion->marked_step), count = motion->count;
  motion->marked_step = step;
  if (steps == 0) return (struct vt_motion_speed){.speed = NAN, .moving = NAN};
  return (struct vt_motion_speed){.speed = path / count / steps, .moving = (double)moving / count};
}
