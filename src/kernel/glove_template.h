/*
 * glove_template.h: GloVe's step with AdaGrad over a block of records (kernel.h), and its loss.
 *
 * Written over registers vf of VF_LANES elements of type R: vf_zero vf_load vf_store vf_set1 vf_add vf_sub vf_mul
 * vf_div vf_sqrt vf_fma, and KERNEL(glove_fold)(sum), which folds 16 lanes by the tree of kernel.h. Rows are whole
 * groups of 16.
 */
#define GLOVE_PARTS (16 / VF_LANES)

ALWAYS_INLINE R KERNEL(glove_score)(const R *v, const R *u, size_t width) {
  vf sum[GLOVE_PARTS];
  UNROLL for (int p = 0; p < GLOVE_PARTS; p++) sum[p] = vf_zero();
  for (size_t c = 0; c < width; c += 16)
    UNROLL for (int p = 0; p < GLOVE_PARTS; p++) sum[p] =
        vf_fma(vf_load(v + c + (size_t)p * VF_LANES), vf_load(u + c + (size_t)p * VF_LANES), sum[p]);
  return KERNEL(glove_fold)(sum);
}

/* Moves one register of a row by AdaGrad; r is rate times its gradient. */
ALWAYS_INLINE void KERNEL(glove_move)(R *at, R *squares, vf old, vf r) {
  vf h = vf_fma(r, r, vf_load(squares));
  vf_store(squares, h);
  vf_store(at, vf_sub(old, vf_div(r, vf_sqrt(h))));
}

ALWAYS_INLINE void KERNEL(glove_update)(const GLOVE *block, R *v, R *u, R g, const int with_l2) {
  const size_t width = block->width;
  const vf gs = vf_set1(g);
  for (size_t c = 0; c < width; c += VF_LANES) {
    vf x = vf_load(v + c), y = vf_load(u + c), rx = vf_mul(gs, y), ry = vf_mul(gs, x);
    if (with_l2) {
      vf decay = vf_load(block->l2 + c);
      rx = vf_fma(decay, x, rx);
      ry = vf_fma(decay, y, ry);
    }
    KERNEL(glove_move)(v + c, v + width + c, x, rx);
    KERNEL(glove_move)(u + c, u + width + c, y, ry);
  }
}

ALWAYS_INLINE void KERNEL(glove_records)(GLOVE *block, const int with_l2) {
  double loss = block->loss;
  for (size_t k = 0; k < block->count; k++) {
    const GLOVE_RECORD *record = &block->records[k];
    R *v = block->input + record->row * block->stride, *u = block->output + record->column * block->stride;
    if (k + 2 < block->count) {
      const R *next_v = block->input + record[2].row * block->stride;
      const R *next_u = block->output + record[2].column * block->stride;
      for (size_t c = 0; c < 2 * block->width; c += 64 / sizeof(R)) {
        __builtin_prefetch(next_v + c, 1);
        __builtin_prefetch(next_u + c, 1);
      }
    }
    R difference = KERNEL(glove_score)(v, u, block->width) - record->log_count;
    R pull = record->weight * difference;
    loss += (double)(pull * difference);
    KERNEL(glove_update)(block, v, u, block->rate * pull, with_l2);
  }
  block->loss = loss;
}

static void KERNEL(glove)(GLOVE *block) {
  if (block->l2 == NULL)
    KERNEL(glove_records)(block, 0);
  else
    KERNEL(glove_records)(block, 1);
}

static void KERNEL(glove_loss)(GLOVE *block) {
  double loss = block->loss;
  for (size_t k = 0; k < block->count; k++) {
    const GLOVE_RECORD *record = &block->records[k];
    const R *v = block->input + record->row * block->stride, *u = block->output + record->column * block->stride;
    R difference = KERNEL(glove_score)(v, u, block->width) - record->log_count;
    loss += (double)(record->weight * difference * difference);
  }
  block->loss = loss;
}
