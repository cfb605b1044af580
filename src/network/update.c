/* update.c: parameters in chunks that threads share out; sums are formed afterwards in their order. */
#include "network/update.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "network/tasks.h"

#define CHUNK 4096

static size_t list_chunks(const struct vt_net_layout *layout, struct vt_update_chunk *chunks) {
  size_t count = 0;
  for (size_t p = 0; p < layout->count; p++) {
    const struct vt_net_parameter *parameter = &layout->parameters[p];
    const size_t floats = parameter->rows * parameter->stride;
    for (size_t first = 0; first < floats; first += CHUNK, count++)
      if (chunks != NULL)
        chunks[count] = (struct vt_update_chunk){.offset = parameter->offset + first,
                                                 .count = floats - first < CHUNK ? floats - first : CHUNK,
                                                 .decay = parameter->decay || layout->shape.model == VT_MODEL_NNLM};
  }
  return count;
}

enum vt_status vt_update_init(struct vt_update *update, const struct vt_net_layout *layout, const struct vt_dense *ops,
                              struct vt_pool *pool, enum vt_optimizer_kind kind, float *values, float *gradients,
                              struct vt_error *error) {
  *update = (struct vt_update){.layout = layout,
                               .ops = ops,
                               .pool = pool,
                               .kind = kind,
                               .values = values,
                               .gradients = gradients,
                               .chunk_count = list_chunks(layout, NULL)};
  update->chunks = vt_alloc(update->chunk_count, sizeof *update->chunks);
  update->sums = vt_alloc(update->chunk_count, sizeof *update->sums);
  if (update->chunks == NULL || update->sums == NULL)
    return VT_FAIL_MEMORY(error, update->chunk_count * sizeof *update->chunks);
  list_chunks(layout, update->chunks);
  if (kind == VT_OPTIMIZER_SGD) return VT_OK;
  update->moments = vt_alloc_aligned(layout->floats, sizeof *update->moments);
  update->squares = vt_alloc_aligned(layout->floats, sizeof *update->squares);
  if (update->moments != NULL && update->squares != NULL) return VT_OK;
  return VT_FAIL_MEMORY(error, 2 * layout->floats * sizeof *update->moments);
}

void vt_update_release(struct vt_update *update) {
  vt_free(update->chunks);
  vt_free(update->sums);
  vt_free_aligned(update->moments);
  vt_free_aligned(update->squares);
  *update = (struct vt_update){0};
}

static void measure(void *context, size_t task, int worker) {
  struct vt_update *update = context;
  const struct vt_update_chunk *chunk = &update->chunks[task];
  const float *g = update->gradients + chunk->offset;
  (void)worker;
  update->sums[task] = (double)update->ops->dot(g, g, chunk->count);
}

static double add_up(const struct vt_update *update) {
  double sum = 0;
  for (size_t k = 0; k < update->chunk_count; k++) sum += update->sums[k];
  return sum;
}

bool vt_update_prepare(struct vt_update *update, const struct vt_update_step *step) {
  vt_tasks_run(update->pool, update->chunk_count, measure, update);
  update->gradient = sqrt(add_up(update));
  const double usual = update->layout->shape.model == VT_MODEL_TRANSFORMER ? 0.95 : 0.999,
               beta_2 = step->beta_2 > 0 ? step->beta_2 : usual, number = (double)step->number;
  update->adamw =
      (struct vt_adamw){.factor = step->clip > 0 && update->gradient > step->clip ? step->clip / update->gradient : 1,
                        .rate = step->rate,
                        .keep = 1 - step->rate * step->decay,
                        .beta_1 = 0.9,
                        .beta_2 = beta_2,
                        .correction_1 = 1 / (1 - pow(0.9, number)),
                        .correction_2 = 1 / (1 - pow(beta_2, number)),
                        .epsilon = 1e-8};
  return isfinite(update->gradient);
}

static float descend(const float *v, const float *g, size_t count, const struct vt_adamw *step, float *to) {
  const float keep = (float)step->keep, rate = (float)(step->rate * step->factor);
  float sum = 0;
  for (size_t k = 0; k < count; k++) {
    to[k] = keep * v[k] - rate * g[k];
    sum += (to[k] - v[k]) * (to[k] - v[k]);
  }
  return sum;
}

static void move(void *context, size_t task, int worker) {
  struct vt_update *update = context;
  const struct vt_update_chunk *chunk = &update->chunks[task];
  float to[CHUNK], *v = update->values + chunk->offset, *g = update->gradients + chunk->offset;
  struct vt_adamw step = update->adamw;
  (void)worker;
  if (!chunk->decay) step.keep = 1;
  float sum = update->kind == VT_OPTIMIZER_SGD
                  ? descend(v, g, chunk->count, &step, to)
                  : update->ops->adamw(v, g, update->moments + chunk->offset, update->squares + chunk->offset,
                                       chunk->count, &step, to);
  update->sums[task] = (double)sum;
  if (isfinite(sum)) memcpy(v, to, chunk->count * sizeof *v);
}

double vt_update_apply(struct vt_update *update) {
  vt_tasks_run(update->pool, update->chunk_count, move, update);
  return add_up(update);
}
