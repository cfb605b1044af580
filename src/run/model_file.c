/* model_file.c: our own file. Nothing in it is trusted: the shape is bounded, and every tensor held against it. */
#include "run/model_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/safetensors.h"

#define FORMAT "vectrail network 1"

/* Whole numbers of the shape, as metadata. */
static const struct {
  const char *name;
  size_t offset;
  uint32_t low, high;
} numbers[] = {
    {"tokens", offsetof(struct vt_net_shape, tokens), 1, UINT32_MAX - 2},
    {"dim", offsetof(struct vt_net_shape, dim), 1, 16384},
    {"context", offsetof(struct vt_net_shape, context), 1, 65536},
    {"hidden", offsetof(struct vt_net_shape, hidden), 1, 65536},
    {"layers", offsetof(struct vt_net_shape, layers), 0, 60},
    {"heads", offsetof(struct vt_net_shape, heads), 1, VT_HEADS_MAX},
    {"rotary", offsetof(struct vt_net_shape, rotary), 0, 16384},
};
#define NUMBERS (sizeof numbers / sizeof numbers[0])
#define FLAGS 3

static const char *const flag_names[FLAGS] = {"tied", "parallel", "exact_gelu"};
static const char *const position_names[] = {"learned", "sinusoidal", "rotary"};

static bool *flag_of(struct vt_net_shape *shape, size_t k) {
  return k == 0 ? &shape->tied : k == 1 ? &shape->parallel : &shape->exact_gelu;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

enum vt_status vt_model_save(const char *run_path, const struct vt_net_layout *layout, const float *values,
                             struct vt_error *error) {
  struct vt_net_shape shape = layout->shape;
  char texts[NUMBERS][16];
  struct vt_safetensors_meta meta[NUMBERS + FLAGS + 3];
  size_t count = 0;
  meta[count++] = (struct vt_safetensors_meta){"format", FORMAT};
  meta[count++] = (struct vt_safetensors_meta){"model", shape.model == VT_MODEL_NNLM ? "nnlm" : "transformer"};
  meta[count++] = (struct vt_safetensors_meta){"positions", position_names[shape.positions]};
  for (size_t k = 0; k < NUMBERS; k++) {
    uint32_t number;
    memcpy(&number, (const char *)&shape + numbers[k].offset, sizeof number);
    snprintf(texts[k], sizeof texts[k], "%" PRIu32, number);
    meta[count++] = (struct vt_safetensors_meta){numbers[k].name, texts[k]};
  }
  for (size_t k = 0; k < FLAGS; k++)
    meta[count++] = (struct vt_safetensors_meta){flag_names[k], *flag_of(&shape, k) ? "1" : "0"};
  struct vt_tensor *tensors = vt_alloc_zero(layout->count, sizeof *tensors);
  char *path = vt_path_join(run_path, VT_RUN_MODEL);
  enum vt_status status = VT_OK;
  if (tensors == NULL || path == NULL) status = VT_FAIL_MEMORY(error, layout->count * sizeof *tensors);
  for (size_t p = 0; status == VT_OK && p < layout->count; p++) {
    const struct vt_net_parameter *parameter = &layout->parameters[p];
    tensors[p] = (struct vt_tensor){.name = parameter->name,
                                    .dtype = VT_DTYPE_F32,
                                    .rank = 2,
                                    .shape = {parameter->rows, parameter->columns},
                                    .data = values + parameter->offset,
                                    .stride_bytes = parameter->stride * sizeof(float)};
  }
  if (status == VT_OK) status = vt_safetensors_write(path, meta, count, tensors, layout->count, NULL, error);
  vt_free(tensors);
  vt_free(path);
  return status;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

enum vt_status vt_model_tensor(const struct vt_safetensors *file, const char *path, const char *name, size_t rows,
                               size_t columns, float *to, struct vt_error *error) {
  const struct vt_tensor *tensor = vt_safetensors_find(file, name);
  if (tensor == NULL) return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: the tensor \"%s\" is missing", path, name);
  const size_t rank = rows == 1 && tensor->rank == 1 ? 1 : 2;
  bool fits = tensor->rank == rank &&
              (rank == 1 ? tensor->shape[0] == columns : tensor->shape[0] == rows && tensor->shape[1] == columns);
  if (!fits)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: the tensor \"%s\" is not %zu x %zu, as the model's shape asks", path,
                   name, rows, columns);
  return vt_tensor_to_float(tensor, to, error);
}

static enum vt_status read_shape(const struct vt_safetensors *file, const char *path, struct vt_net_shape *shape,
                                 struct vt_error *error) {
  const char *format = vt_safetensors_meta(file, "format"), *model = vt_safetensors_meta(file, "model"),
             *positions = vt_safetensors_meta(file, "positions");
  if (format == NULL || strcmp(format, FORMAT) != 0 || model == NULL || positions == NULL)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: not a network that vectrail wrote", path);
  *shape = (struct vt_net_shape){.epsilon = 1e-5};
  shape->model = strcmp(model, "nnlm") == 0 ? VT_MODEL_NNLM : VT_MODEL_TRANSFORMER;
  bool good = false;
  for (unsigned k = 0; k < 3; k++) {
    if (strcmp(positions, position_names[k]) != 0) continue;
    shape->positions = (enum vt_positions)k;
    good = true;
  }
  for (size_t k = 0; k < NUMBERS; k++) {
    const char *text = vt_safetensors_meta(file, numbers[k].name);
    unsigned long long value = text == NULL ? UINT64_MAX : strtoull(text, NULL, 10);
    good = good && value >= numbers[k].low && value <= numbers[k].high;
    uint32_t number = (uint32_t)value;
    memcpy((char *)shape + numbers[k].offset, &number, sizeof number);
  }
  for (size_t k = 0; k < FLAGS; k++) {
    const char *text = vt_safetensors_meta(file, flag_names[k]);
    good = good && text != NULL;
    *flag_of(shape, k) = text != NULL && strcmp(text, "1") == 0;
  }
  good = good && shape->dim % shape->heads == 0 && shape->rotary % 2 == 0 &&
         shape->rotary <= shape->dim / shape->heads && (shape->model == VT_MODEL_NNLM || shape->layers > 0);
  return good ? VT_OK : VT_FAIL(error, VT_ERROR_CORRUPT, "%s: its shape makes no sense", path);
}

/* The packed rows of a tensor, moved to where the layout wants them, from the last to the first. */
static void spread(const struct vt_net_parameter *parameter, float *at) {
  if (parameter->stride == parameter->columns) return;
  for (size_t row = parameter->rows; row-- > 0;) {
    float *to = at + row * parameter->stride;
    memmove(to, at + row * parameter->columns, parameter->columns * sizeof *to);
    memset(to + parameter->columns, 0, (parameter->stride - parameter->columns) * sizeof *to);
  }
}

static enum vt_status copy_own(const struct vt_safetensors *file, const char *path, const struct vt_net_layout *layout,
                               float *values, struct vt_error *error) {
  for (size_t p = 0; p < layout->count; p++) {
    const struct vt_net_parameter *parameter = &layout->parameters[p];
    float *at = values + parameter->offset;
    VT_TRY(vt_model_tensor(file, path, parameter->name, parameter->rows, parameter->columns, at, error));
    spread(parameter, at);
  }
  return VT_OK;
}

static enum vt_status load(const struct vt_safetensors *file, const char *file_path, const char *config,
                           struct vt_net_layout *layout, float **values, struct vt_error *error) {
  struct vt_net_shape shape;
  enum vt_published kind = VT_PUBLISHED_GPT2;
  if (config != NULL)
    VT_TRY(vt_model_read_config(config, &shape, &kind, error));
  else
    VT_TRY(read_shape(file, file_path, &shape, error));
  VT_TRY(vt_net_layout_init(layout, &shape, error));
  /* No memory for what a file promises but does not hold. */
  uint64_t held = 0;
  for (size_t k = 0; k < vt_safetensors_count(file); k++) {
    const struct vt_tensor *tensor = vt_safetensors_at(file, k);
    held += tensor->bytes / vt_dtype_bytes(tensor->dtype);
  }
  if (layout->parameters_in_all > held)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: holds %" PRIu64 " numbers, and a model of its shape has %zu",
                   file_path, held, layout->parameters_in_all);
  *values = vt_alloc_aligned(layout->floats, sizeof **values);
  if (*values == NULL) return VT_FAIL_MEMORY(error, layout->floats * sizeof **values);
  if (config == NULL) return copy_own(file, file_path, layout, *values, error);
  return vt_model_copy_published(file, file_path, kind, layout, *values, error);
}

enum vt_status vt_model_load(const char *path, struct vt_net_layout *layout, float **values, struct vt_error *error) {
  char *file_path = vt_path_join(path, VT_RUN_MODEL), *config = vt_path_join(path, "config.json");
  struct vt_safetensors *file = NULL;
  struct stat info;
  *layout = (struct vt_net_layout){0};
  *values = NULL;
  enum vt_status status = VT_OK;
  if (file_path == NULL || config == NULL) status = VT_FAIL_MEMORY(error, strlen(path));
  if (status == VT_OK && stat(file_path, &info) != 0)
    status = VT_FAIL_HELP(error, VT_ERROR_NOT_FOUND,
                          "a run has one once --model nnlm or transformer was trained to its end; a published model's "
                          "folder holds config.json and model.safetensors",
                          "%s: there is no network here", path);
  if (status == VT_OK) status = vt_safetensors_open(file_path, &file, error);
  if (status == VT_OK) status = load(file, file_path, stat(config, &info) == 0 ? config : NULL, layout, values, error);
  vt_safetensors_close(file);
  vt_free(file_path);
  vt_free(config);
  if (status == VT_OK) return VT_OK;
  vt_free_aligned(*values);
  *values = NULL;
  vt_net_layout_release(layout);
  return status;
}
