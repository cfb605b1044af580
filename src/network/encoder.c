/* encoder.c */
#include "network/encoder.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

/* ---- making and freeing ------------------------------------------------------------------------------------------ */

static enum vt_status make(struct vt_encoder *encoder, struct vt_pool *pool, const char *kernel,
                           struct vt_error *error) {
  const size_t floats = encoder->layout->floats, rows = encoder->texts_max * encoder->length_max;
  const struct vt_dense *ops = vt_dense_choose(kernel);
  encoder->dim = encoder->layout->parameters[VT_NET_TABLE].columns;
  encoder->gradients = vt_alloc_aligned(floats, sizeof *encoder->gradients);
  if (encoder->gradients == NULL) return VT_FAIL_MEMORY(error, floats * sizeof *encoder->gradients);
  VT_TRY(vt_update_init(&encoder->update, encoder->layout, ops, pool, VT_OPTIMIZER_ADAMW, encoder->values,
                        encoder->gradients, error));
  if (encoder->layout == &encoder->own) return VT_OK;
  encoder->tokens = vt_alloc_zero(rows, sizeof *encoder->tokens);
  if (encoder->tokens == NULL) return VT_FAIL_MEMORY(error, rows * sizeof *encoder->tokens);
  VT_TRY(vt_net_create(encoder->layout, ops, pool, rows, true, false, &encoder->net, error));
  encoder->net->values = encoder->values;
  encoder->net->gradients = encoder->gradients;
  return VT_OK;
}

enum vt_status vt_encoder_init(struct vt_encoder *encoder, const struct vt_net_layout *layout, float *values,
                               struct vt_pool *pool, const char *kernel, size_t texts_max, size_t length_max,
                               struct vt_error *error) {
  *encoder = (struct vt_encoder){.layout = layout, .values = values, .texts_max = texts_max, .length_max = length_max};
  enum vt_status status = make(encoder, pool, kernel, error);
  if (status != VT_OK) vt_encoder_release(encoder);
  return status;
}

enum vt_status vt_encoder_init_table(struct vt_encoder *encoder, float *table, size_t rows, size_t dim,
                                     struct vt_pool *pool, const char *kernel, size_t texts_max,
                                     struct vt_error *error) {
  *encoder = (struct vt_encoder){.values = table, .texts_max = texts_max};
  encoder->own = (struct vt_net_layout){.count = 1, .floats = rows * dim, .parameters_in_all = rows * dim};
  encoder->own.parameters = vt_alloc_zero(1, sizeof *encoder->own.parameters);
  if (encoder->own.parameters == NULL) return VT_FAIL_MEMORY(error, sizeof *encoder->own.parameters);
  encoder->own.parameters[VT_NET_TABLE] = (struct vt_net_parameter){.rows = rows, .columns = dim, .stride = dim};
  encoder->layout = &encoder->own;
  enum vt_status status = make(encoder, pool, kernel, error);
  if (status != VT_OK) vt_encoder_release(encoder);
  return status;
}

void vt_encoder_release(struct vt_encoder *encoder) {
  vt_update_release(&encoder->update);
  vt_net_free(encoder->net);
  vt_free_aligned(encoder->gradients);
  vt_free(encoder->tokens);
  vt_net_layout_release(&encoder->own);
  *encoder = (struct vt_encoder){0};
}

/* ---- there ------------------------------------------------------------------------------------------------------- */

static const struct vt_net_parameter *table_of(const struct vt_encoder *encoder) {
  return &encoder->layout->parameters[VT_NET_TABLE];
}

static void encode_by_network(struct vt_encoder *encoder, bool train, uint64_t seed, uint64_t key) {
  size_t length = 1;
  for (size_t k = 0; k < encoder->count; k++)
    if (encoder->texts[k].count > length) length = encoder->texts[k].count;
  encoder->length = length;
  for (size_t k = 0; k < encoder->count; k++)
    for (size_t t = 0; t < length; t++)
      encoder->tokens[k * length + t] = t < encoder->texts[k].count ? encoder->texts[k].tokens[t] : 0;
  vt_net_forward(encoder->net, encoder->tokens, encoder->count, length, train, seed, key);
}

void vt_encoder_encode(struct vt_encoder *encoder, const struct vt_answer *texts, size_t count, bool train,
                       uint64_t seed, uint64_t key, double *to) {
  const size_t dim = encoder->dim;
  encoder->texts = texts;
  encoder->count = count;
  if (encoder->net != NULL) encode_by_network(encoder, train, seed, key);
  for (size_t k = 0; k < count; k++) {
    double *mean = to + k * dim;
    memset(mean, 0, dim * sizeof *mean);
    for (size_t t = 0; t < texts[k].count; t++) {
      const float *row = encoder->net != NULL ? encoder->net->final + (k * encoder->length + t) * dim
                                              : encoder->values + texts[k].tokens[t] * table_of(encoder)->stride;
      for (size_t i = 0; i < dim; i++) mean[i] += (double)row[i];
    }
    for (size_t i = 0; i < dim; i++) mean[i] /= (double)texts[k].count;
  }
}

/* ---- and back ---------------------------------------------------------------------------------------------------- */

void vt_encoder_clear(struct vt_encoder *encoder) {
  memset(encoder->gradients, 0, encoder->layout->floats * sizeof *encoder->gradients);
}

void vt_encoder_add(struct vt_encoder *encoder, const double *slopes) {
  const size_t dim = encoder->dim;
  struct vt_net_net *net = encoder->net;
  if (net != NULL) memset(net->d_final, 0, net->rows * dim * sizeof *net->d_final);
  for (size_t k = 0; k < encoder->count; k++) {
    const struct vt_answer *text = &encoder->texts[k];
    for (size_t t = 0; t < text->count; t++) {
      float *to = net != NULL ? net->d_final + (k * encoder->length + t) * dim
                              : encoder->gradients + text->tokens[t] * table_of(encoder)->stride;
      for (size_t i = 0; i < dim; i++) to[i] += (float)(slopes[k * dim + i] / (double)text->count);
    }
  }
  if (net == NULL) return;
  vt_net_backward(net);
  vt_net_scatter(net, net->d_input, encoder->gradients + table_of(encoder)->offset, NULL);
}

bool vt_encoder_step(struct vt_encoder *encoder, double rate, double clip, uint64_t number) {
  const struct vt_update_step step = {.rate = rate, .clip = clip, .number = number};
  return vt_update_prepare(&encoder->update, &step) && !isnan(vt_update_apply(&encoder->update));
}
