/*
 * row_template.h: the kernels that touch single rows: the merge of a superstep, dot products, and bags of rows.
 *
 * Written over registers vr of VR_LANES floats, which divides VT_KERNEL_PAD, since rows of the tables end with their
 * pads: vr_zero() vr_load(p) vr_store(p, v) vr_set1(x) vr_add vr_sub vr_mul vr_div vr_sqrt vr_fma(a, b, c) = a b + c,
 * and vr_fold(sum), which folds 16 lanes by the tree of kernel.h.
 */
#define ROW_PARTS (16 / VR_LANES)

/* What the copies moved in `parts` registers of columns from c on, to steps; the squares of it and of the row, to sums.
 */
ALWAYS_INLINE void KERNEL(merge_columns)(const struct vt_merge *merge, float *steps, size_t c, vr step_sum[ROW_PARTS],
                                         vr row_sum[ROW_PARTS], const int parts) {
  vr row[ROW_PARTS], step[ROW_PARTS];
  UNROLL for (int p = 0; p < parts; p++) {
    row[p] = vr_load(merge->row + c + (size_t)p * VR_LANES);
    step[p] = vr_sub(vr_load(merge->copies[0] + c + (size_t)p * VR_LANES), row[p]);
  }
  for (size_t b = 1; b < merge->copy_count; b++) {
    const float *copy = merge->copies[b] + c;
    UNROLL for (int p = 0; p < parts; p++) step[p] =
        vr_add(step[p], vr_sub(vr_load(copy + (size_t)p * VR_LANES), row[p]));
  }
  UNROLL for (int p = 0; p < parts; p++) {
    vr_store(steps + c + (size_t)p * VR_LANES, step[p]);
    step_sum[p] = vr_fma(step[p], step[p], step_sum[p]);
    row_sum[p] = vr_fma(row[p], row[p], row_sum[p]);
  }
}

/* Turns the steps of `parts` registers of columns from c on into AdaGrad's; their squares to the sum. */
ALWAYS_INLINE void KERNEL(adagrad_columns)(const struct vt_merge *merge, float *steps, size_t c, vr step_sum[ROW_PARTS],
                                           const int parts) {
  UNROLL for (int p = 0; p < parts; p++) {
    float *at = steps + c + (size_t)p * VR_LANES, *squares = merge->squares + c + (size_t)p * VR_LANES;
    vr g = vr_div(vr_load(at), vr_set1(merge->rate));
    vr h = vr_fma(g, g, vr_load(squares));
    vr_store(squares, h);
    vr step = vr_div(vr_load(at), vr_add(vr_sqrt(h), vr_set1(VT_ADAGRAD_EPSILON)));
    vr_store(at, step);
    step_sum[p] = vr_fma(step, step, step_sum[p]);
  }
}

/* Returns |step|^2. No function of the usual path: that has its registers for itself. */
__attribute__((noinline)) static float KERNEL(adagrad)(const struct vt_merge *merge, float *steps) {
  vr step_sum[ROW_PARTS];
  UNROLL for (int p = 0; p < ROW_PARTS; p++) step_sum[p] = vr_zero();
  size_t c = 0;
  for (; c + 16 <= merge->width; c += 16) KERNEL(adagrad_columns)(merge, steps, c, step_sum, ROW_PARTS);
  if (c < merge->width) KERNEL(adagrad_columns)(merge, steps, c, step_sum, ROW_PARTS / 2);
  return vr_fold(step_sum);
}

static void KERNEL(merge)(struct vt_merge *merge) {
  _Alignas(64) float steps[VT_KERNEL_WIDTH_MAX];
  vr step_sum[ROW_PARTS], row_sum[ROW_PARTS];
  UNROLL for (int p = 0; p < ROW_PARTS; p++) step_sum[p] = row_sum[p] = vr_zero();
  const size_t width = merge->width;
  size_t c = 0;
  for (; c + 16 <= width; c += 16) KERNEL(merge_columns)(merge, steps, c, step_sum, row_sum, ROW_PARTS);
  if (c < width) KERNEL(merge_columns)(merge, steps, c, step_sum, row_sum, ROW_PARTS / 2);
  float step_squared = vr_fold(step_sum), row_squared = vr_fold(row_sum);
  /* Infinity minus infinity is NaN, and so is zero times either: one comparison tests both. */
  merge->finite = (step_squared - step_squared) + (row_squared - row_squared) == 0;
  merge->capped = false;
  merge->step_squared = step_squared;
  if (!merge->finite) return;
  if (merge->squares != NULL) merge->step_squared = step_squared = KERNEL(adagrad)(merge, steps);
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
  for (c = 0; c < width; c += VR_LANES)
    vr_store(merge->row + c, vr_fma(scales, vr_load(steps + c), vr_load(merge->row + c)));
}

ALWAYS_INLINE void KERNEL(dot_columns)(const float *a, const float *b, vr sum[ROW_PARTS], const int parts) {
  UNROLL for (int p = 0; p < parts; p++) sum[p] =
      vr_fma(vr_load(a + (size_t)p * VR_LANES), vr_load(b + (size_t)p * VR_LANES), sum[p]);
}

static float KERNEL(dot)(const float *a, const float *b, size_t width) {
  vr sum[ROW_PARTS];
  UNROLL for (int p = 0; p < ROW_PARTS; p++) sum[p] = vr_zero();
  size_t c = 0;
  for (; c + 16 <= width; c += 16) KERNEL(dot_columns)(a + c, b + c, sum, ROW_PARTS);
  if (c < width) KERNEL(dot_columns)(a + c, b + c, sum, ROW_PARTS / 2);
  return vr_fold(sum);
}

ALWAYS_INLINE void KERNEL(bag_mean_columns)(const struct vt_bag *bag, size_t c, float share, const int parts) {
  vr sum[ROW_PARTS];
  UNROLL for (int p = 0; p < parts; p++) sum[p] = vr_load(bag->rows[0] + c + (size_t)p * VR_LANES);
  for (size_t i = 1; i < bag->count; i++)
    UNROLL for (int p = 0; p < parts; p++) sum[p] = vr_add(sum[p], vr_load(bag->rows[i] + c + (size_t)p * VR_LANES));
  UNROLL for (int p = 0; p < parts; p++) {
    vr mean = vr_mul(sum[p], vr_set1(share));
    vr_store(bag->mean + c + (size_t)p * VR_LANES, mean);
    vr_store(bag->moved + c + (size_t)p * VR_LANES, mean);
    vr_store(bag->delta + c + (size_t)p * VR_LANES, vr_zero());
  }
}

static void KERNEL(bag_mean)(const struct vt_bag *bag) {
  const float share = 1 / (float)bag->count;
  size_t c = 0;
  for (; c + 16 <= bag->width; c += 16) KERNEL(bag_mean_columns)(bag, c, share, ROW_PARTS);
  if (c < bag->width) KERNEL(bag_mean_columns)(bag, c, share, ROW_PARTS / 2);
}

static void KERNEL(bag_take)(const struct vt_bag *bag) {
  for (size_t c = 0; c < bag->width; c += VR_LANES) {
    vr mean = vr_load(bag->mean + c);
    vr_store(bag->delta + c, vr_add(vr_load(bag->delta + c), vr_sub(vr_load(bag->moved + c), mean)));
    vr_store(bag->moved + c, mean);
  }
}

static void KERNEL(bag_give)(const struct vt_bag *bag, float share) {
  const vr shares = vr_set1(share);
  for (size_t i = 0; i < bag->count; i++) {
    float *row = bag->rows[i];
    for (size_t c = 0; c < bag->width; c += VR_LANES)
      vr_store(row + c, vr_fma(shares, vr_load(bag->delta + c), vr_load(row + c)));
  }
}

static void KERNEL(add_scaled)(float *to, const float *from, float factor, size_t width) {
  const vr factors = vr_set1(factor);
  for (size_t c = 0; c < width; c += VR_LANES) vr_store(to + c, vr_fma(factors, vr_load(from + c), vr_load(to + c)));
}

static void KERNEL(add_products)(float *to, const float *from, const float *factors, size_t width) {
  for (size_t c = 0; c < width; c += VR_LANES)
    vr_store(to + c, vr_fma(vr_load(factors + c), vr_load(from + c), vr_load(to + c)));
}
