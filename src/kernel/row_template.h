/*
 * row_template.h: the kernels that touch single rows: the merge of a superstep, dot products, the sigmoid alone.
 * Written over the operations that step_template.h lists, after it, with registers that divide VT_KERNEL_PAD
 * floats or, in 16-lane sums, with the same groups and the same tree.
 */

/* A 16-lane sum under way: lanes 0-7 and 8-15 alternate between groups of eight columns. */
struct KERNEL(sum) {
  vr lanes[16 / VR_LANES];
};

static inline __attribute__((always_inline)) void KERNEL(sum_add)(struct KERNEL(sum) * sum, size_t c, const vr *a,
                                                                  const vr *b) {
  int first = c & 8 ? 8 / VR_LANES : 0;
  UNROLL for (int p = 0; p < 8 / VR_LANES; p++) sum->lanes[first + p] = vr_fma(a[p], b[p], sum->lanes[first + p]);
}

static float KERNEL(fold)(const struct KERNEL(sum) * sum) {
  _Alignas(64) float lanes[16];
  UNROLL for (int p = 0; p < 16 / VR_LANES; p++) vr_store(lanes + p * VR_LANES, sum->lanes[p]);
  for (int half = 8; half > 0; half /= 2)
    for (int l = 0; l < half; l++) lanes[l] = lanes[l] + lanes[l + half];
  return lanes[0];
}

static void KERNEL(merge)(struct vt_merge *merge) {
  _Alignas(64) float steps[VT_KERNEL_WIDTH_MAX];
  struct KERNEL(sum) step_sum, row_sum;
  UNROLL for (int p = 0; p < 16 / VR_LANES; p++) step_sum.lanes[p] = row_sum.lanes[p] = vr_zero();
  for (size_t c = 0; c < merge->width; c += 8) {
    vr row[8 / VR_LANES], step[8 / VR_LANES];
    UNROLL for (int p = 0; p < 8 / VR_LANES; p++) {
      row[p] = vr_load(merge->row + c + (size_t)p * VR_LANES);
      step[p] = vr_sub(vr_load(merge->copies[0] + c + (size_t)p * VR_LANES), row[p]);
    }
    for (size_t b = 1; b < merge->copy_count; b++) {
      UNROLL for (int p = 0; p < 8 / VR_LANES; p++)
        step[p] = vr_add(step[p], vr_sub(vr_load(merge->copies[b] + c + (size_t)p * VR_LANES), row[p]));
    }
    UNROLL for (int p = 0; p < 8 / VR_LANES; p++) vr_store(steps + c + (size_t)p * VR_LANES, step[p]);
    KERNEL(sum_add)(&step_sum, c, step, step);
    KERNEL(sum_add)(&row_sum, c, row, row);
  }
  float step_squared = KERNEL(fold)(&step_sum), row_squared = KERNEL(fold)(&row_sum);
  /* Infinity minus infinity is NaN, and so is zero times either: one comparison tests both. */
  merge->finite = (step_squared - step_squared) + (row_squared - row_squared) == 0;
  merge->capped = false;
  merge->step_squared = step_squared;
  if (!merge->finite) return;
  float length = __builtin_sqrtf(step_squared);
  float cap = merge->cap_share * __builtin_sqrtf(row_squared);
  if (cap < merge->cap) cap = merge->cap;
  float scale = 1;
  if (length > cap) {
    scale = cap / length;
    merge->capped = true;
    merge->step_squared = cap * cap;
  }
  vr scales = vr_set1(scale);
  for (size_t c = 0; c < merge->width; c += VR_LANES)
    vr_store(merge->row + c, vr_fma(scales, vr_load(steps + c), vr_load(merge->row + c)));
}

static float KERNEL(dot)(const float *a, const float *b, size_t width) {
  struct KERNEL(sum) sum;
  UNROLL for (int p = 0; p < 16 / VR_LANES; p++) sum.lanes[p] = vr_zero();
  for (size_t c = 0; c < width; c += 8) {
    vr x[8 / VR_LANES], y[8 / VR_LANES];
    UNROLL for (int p = 0; p < 8 / VR_LANES; p++) {
      x[p] = vr_load(a + c + (size_t)p * VR_LANES);
      y[p] = vr_load(b + c + (size_t)p * VR_LANES);
    }
    KERNEL(sum_add)(&sum, c, x, y);
  }
  return KERNEL(fold)(&sum);
}
