/* shape.c: the list of parameters, and their start. */
#include "network/shape.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "kernel/kernel.h"

#define PI 3.14159265358979323846
#define SPREAD 0.02 /* Radford et al. 2019 */

struct vt_net_shape vt_net_shape_make(const struct vt_train_options *options, uint32_t words, bool end) {
  const struct vt_network_options *network = &options->network;
  bool transformer = options->model == VT_MODEL_TRANSFORMER;
  struct vt_net_shape shape = {.model = options->model,
                               .tokens = words + (end ? 1 : 0),
                               .dim = options->dim,
                               .context = network->context,
                               .hidden = transformer ? 4 * options->dim : network->hidden,
                               .layers = transformer ? network->layers : 0,
                               .heads = transformer ? network->heads : 1,
                               .positions = network->positions,
                               .tied = transformer && network->tied,
                               .parallel = network->parallel,
                               .exact_gelu = network->exact_gelu,
                               .epsilon = 1e-5,
                               .dropout = network->dropout};
  const uint32_t of_a_head = shape.dim / shape.heads;
  uint32_t rotary = (uint32_t)(network->rotary_share * of_a_head + 0.5);
  shape.rotary = rotary / 2 * 2;
  return shape;
}

/* ---- the list ---------------------------------------------------------------------------------------------------- */

struct maker {
  struct vt_net_layout *layout;
  struct vt_net_parameter *at; /* NULL: only counting */
};

VT_PRINTF(7, 8)
static size_t add(struct maker *maker, size_t rows, size_t columns, size_t stride, enum vt_start start, double spread,
                  const char *format, ...) {
  struct vt_net_layout *layout = maker->layout;
  size_t place = layout->count++;
  if (layout->parameters == NULL) return place;
  struct vt_net_parameter *parameter = &layout->parameters[place];
  *parameter = (struct vt_net_parameter){.offset = layout->floats,
                                         .rows = rows,
                                         .columns = columns,
                                         .stride = stride,
                                         .start = start,
                                         .spread = spread,
                                         .decay = rows > 1};
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(parameter->name, sizeof parameter->name, format, arguments);
  va_end(arguments);
  layout->floats += (rows * stride + 15) / 16 * 16;
  layout->parameters_in_all += rows * columns;
  return place;
}

static double xavier(size_t in, size_t out) { return sqrt(2 / ((double)in + (double)out)); }

static void list_nnlm(struct maker *maker, const struct vt_net_shape *shape) {
  size_t inputs = (size_t)shape->context * shape->dim, padded = vt_kernel_width(shape->dim);
  double hidden = 1 / sqrt((double)inputs), output = 1 / sqrt((double)shape->hidden);
  add(maker, shape->tokens, shape->dim, padded, VT_START_NORMAL, xavier(shape->dim, shape->tokens), "embedding.weight");
  add(maker, shape->hidden, inputs, inputs, VT_START_NORMAL, xavier(inputs, shape->hidden), "hidden.weight");
  add(maker, 1, shape->hidden, shape->hidden, VT_START_UNIFORM, hidden, "hidden.bias");
  maker->layout->output = add(maker, shape->tokens, shape->hidden, shape->hidden, VT_START_NORMAL,
                              xavier(shape->hidden, shape->tokens), "output.weight");
  add(maker, 1, shape->tokens, shape->tokens, VT_START_UNIFORM, output, "output.bias");
}

static void list_norm(struct maker *maker, size_t dim, const char *name) {
  add(maker, 1, dim, dim, VT_START_ONE, 0, "%s.weight", name);
  add(maker, 1, dim, dim, VT_START_ZERO, 0, "%s.bias", name);
}

static void list_block(struct maker *maker, const struct vt_net_shape *shape, size_t layer) {
  const size_t dim = shape->dim, wide = shape->hidden;
  const double narrow = SPREAD / sqrt(2.0 * shape->layers);
  char name[32];
  snprintf(name, sizeof name, "h.%zu.ln_1", layer);
  list_norm(maker, dim, name);
  add(maker, 3 * dim, dim, dim, VT_START_NORMAL, SPREAD, "h.%zu.attn.c_attn.weight", layer);
  add(maker, 1, 3 * dim, 3 * dim, VT_START_ZERO, 0, "h.%zu.attn.c_attn.bias", layer);
  add(maker, dim, dim, dim, VT_START_NORMAL, narrow, "h.%zu.attn.c_proj.weight", layer);
  add(maker, 1, dim, dim, VT_START_ZERO, 0, "h.%zu.attn.c_proj.bias", layer);
  snprintf(name, sizeof name, "h.%zu.ln_2", layer);
  list_norm(maker, dim, name);
  add(maker, wide, dim, dim, VT_START_NORMAL, SPREAD, "h.%zu.mlp.c_fc.weight", layer);
  add(maker, 1, wide, wide, VT_START_ZERO, 0, "h.%zu.mlp.c_fc.bias", layer);
  add(maker, dim, wide, wide, VT_START_NORMAL, narrow, "h.%zu.mlp.c_proj.weight", layer);
  add(maker, 1, dim, dim, VT_START_ZERO, 0, "h.%zu.mlp.c_proj.bias", layer);
}

static void list_transformer(struct maker *maker, const struct vt_net_shape *shape) {
  const size_t padded = vt_kernel_width(shape->dim);
  struct vt_net_layout *layout = maker->layout;
  layout->positions = 0;
  layout->output = add(maker, shape->tokens, shape->dim, padded, VT_START_NORMAL, SPREAD, "wte.weight");
  if (shape->positions == VT_POSITIONS_LEARNED)
    layout->positions = add(maker, shape->context, shape->dim, shape->dim, VT_START_NORMAL, SPREAD / 2, "wpe.weight");
  layout->blocks = layout->count;
  for (size_t layer = 0; layer < shape->layers; layer++) list_block(maker, shape, layer);
  layout->last_norm = layout->count;
  list_norm(maker, shape->dim, "ln_f");
  if (!shape->tied)
    layout->output = add(maker, shape->tokens, shape->dim, padded, VT_START_NORMAL, SPREAD, "lm_head.weight");
}

static void list(struct vt_net_layout *layout) {
  struct maker maker = {.layout = layout};
  layout->count = layout->floats = layout->parameters_in_all = 0;
  if (layout->shape.model == VT_MODEL_NNLM)
    list_nnlm(&maker, &layout->shape);
  else
    list_transformer(&maker, &layout->shape);
}

enum vt_status vt_net_layout_init(struct vt_net_layout *layout, const struct vt_net_shape *shape,
                                  struct vt_error *error) {
  *layout = (struct vt_net_layout){.shape = *shape};
  list(layout);
  layout->parameters = vt_alloc_zero(layout->count, sizeof *layout->parameters);
  if (layout->parameters == NULL) return VT_FAIL_MEMORY(error, layout->count * sizeof *layout->parameters);
  list(layout);
  return VT_OK;
}

void vt_net_layout_release(struct vt_net_layout *layout) {
  vt_free(layout->parameters);
  *layout = (struct vt_net_layout){0};
}

/* ---- the start --------------------------------------------------------------------------------------------------- */

/* Two normal numbers (Box and Muller 1958). */
static void draw_normal(struct vt_rng *rng, double numbers[2]) {
  double a = ((double)(vt_rng_next(rng) >> 11) + 0.5) * 0x1p-53, b = (double)(vt_rng_next(rng) >> 11) * 0x1p-53;
  double length = sqrt(-2 * log(a));
  numbers[0] = length * cos(2 * PI * b);
  numbers[1] = length * sin(2 * PI * b);
}

static void start_row(const struct vt_net_parameter *parameter, struct vt_rng *rng, float *row) {
  double normal[2] = {0};
  for (size_t k = 0; k < parameter->columns; k++) {
    double value = 0;
    switch (parameter->start) {
    case VT_START_NORMAL:
      if (k % 2 == 0) draw_normal(rng, normal);
      value = parameter->spread * normal[k % 2];
      break;
    case VT_START_UNIFORM:
      value = parameter->spread * (2 * (double)vt_rng_unit(rng) - 1);
      break;
    case VT_START_ZERO:
      break;
    case VT_START_ONE:
      value = 1;
      break;
    }
    row[k] = (float)value;
  }
}

void vt_net_start(const struct vt_net_layout *layout, uint64_t seed, float *values) {
  memset(values, 0, layout->floats * sizeof *values);
  for (size_t p = 0; p < layout->count; p++) {
    const struct vt_net_parameter *parameter = &layout->parameters[p];
    for (size_t row = 0; row < parameter->rows; row++) {
      struct vt_rng rng = vt_rng_make(VT_RNG_INIT, seed, 16 + p, row); /* tables have the numbers below */
      start_row(parameter, &rng, values + parameter->offset + row * parameter->stride);
    }
  }
}
