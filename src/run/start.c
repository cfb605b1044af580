/* start.c: tables as they lie in snapshots, and networks as they lie in model files, brought into an engine. */
#include "run/start.h"

#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "network/shape.h"
#include "run/model_file.h"
#include "run/run_internal.h"
#include "run/safetensors.h"
#include "train/huffman.h"

#define FORMAT "vectrail start 1"

/* ---- what is to be filled ---------------------------------------------------------------------------------------- */

static struct vt_start_rows rows_of(const struct vt_engine_part *part) {
  return (struct vt_start_rows){part->data, part->stride_bytes / sizeof(float), (size_t)part->columns};
}

static struct vt_start_rows rows_at(const struct vt_net_parameter *parameter, float *values) {
  return (struct vt_start_rows){values + parameter->offset, parameter->stride, parameter->columns};
}

void vt_start_rows(struct vt_engine *engine, struct vt_start_rows *input, struct vt_start_rows *output,
                   struct vt_start_rows *biases) {
  struct vt_engine_part parts[VT_ENGINE_PARTS_MAX] = {0};
  const size_t count = vt_engine_start_parts(engine, parts);
  const float *ignored;
  const struct vt_net_layout *layout = vt_engine_model(engine, &ignored);
  *output = *biases = (struct vt_start_rows){0};
  if (layout == NULL) {
    *input = rows_of(&parts[0]);
    if (count > 1) *output = rows_of(&parts[1]);
    return;
  }
  float *values = parts[0].data;
  *input = rows_at(&layout->parameters[VT_NET_TABLE], values);
  if (layout->output != VT_NET_TABLE) *output = rows_at(&layout->parameters[layout->output], values);
  if (layout->shape.model == VT_MODEL_NNLM)
    *biases = (struct vt_start_rows){values + layout->parameters[VT_NNLM_OUTPUT_BIAS].offset, 1, 1};
}

/* ---- from tables ------------------------------------------------------------------------------------------------- */

static enum vt_status copy_table(const struct vt_tensor *from, const char *path, size_t words,
                                 const struct vt_engine_part *to, struct vt_error *error) {
  if (from->rank != 2 || from->shape[0] != words || from->shape[1] != to->columns)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: the vectors of its last snapshot are of another shape than its words",
                   path);
  const size_t rows = words < to->rows ? words : (size_t)to->rows, dim = (size_t)to->columns;
  float *all = vt_alloc(words * dim, sizeof *all);
  if (all == NULL) return VT_FAIL_MEMORY(error, words * dim * sizeof *all);
  enum vt_status status = vt_tensor_to_float(from, all, error);
  for (size_t row = 0; status == VT_OK && row < rows; row++)
    memcpy((char *)to->data + row * to->stride_bytes, all + row * dim, dim * sizeof *all);
  vt_free(all);
  return status;
}

static enum vt_status fail_empty(struct vt_error *error) {
  return VT_FAIL(error, VT_ERROR_UNSUPPORTED, "this engine has no tables that could be filled");
}

#define GLOVE_PARTS 4

static enum vt_status copy_biases(const struct vt_safetensors *file, const char *path, size_t words,
                                  const struct vt_engine_part *to, struct vt_error *error) {
  const struct vt_tensor *from = vt_safetensors_find(file, to->name);
  if (from == NULL || from->rank != 1 || from->shape[0] != words || from->dtype != VT_DTYPE_F32)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: its last snapshot holds no biases of its words", path);
  for (size_t row = 0; row < words && row < to->rows; row++)
    memcpy((char *)to->data + row * to->stride_bytes, (const float *)(const void *)from->data + row, sizeof(float));
  return VT_OK;
}

/* GloVe's vectors are the sums of both tables' rows. */
static enum vt_status split_sums(const struct vt_safetensors *file, struct vt_run *run, size_t words,
                                 const struct vt_engine_part parts[GLOVE_PARTS], struct vt_error *error) {
  if (vt_safetensors_find(file, "output") == NULL)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "train with --save-output",
                        "%s: GloVe's vectors are sums of two tables, and the run kept the sums alone",
                        vt_run_path(run));
  for (size_t row = 0; row < words && row < parts[0].rows; row++) {
    float *sum = (float *)(void *)((char *)parts[0].data + row * parts[0].stride_bytes);
    const float *output = (const float *)(const void *)((const char *)parts[1].data + row * parts[1].stride_bytes);
    for (size_t k = 0; k < parts[0].columns; k++) sum[k] -= output[k];
  }
  VT_TRY(copy_biases(file, vt_run_path(run), words, &parts[2], error));
  return copy_biases(file, vt_run_path(run), words, &parts[3], error);
}

static enum vt_status fill_tables(struct vt_engine *engine, struct vt_run *run, bool *output, struct vt_error *error) {
  struct vt_engine_part parts[VT_ENGINE_PARTS_MAX];
  const size_t count = vt_engine_start_parts(engine, parts), snapshots = vt_run_snapshot_count(run);
  const size_t words = vt_vocab_size(vt_run_vocab(run));
  if (count == 0) return fail_empty(error);
  if (snapshots == 0) return VT_FAIL(error, VT_ERROR_EMPTY, "%s: the run has no snapshot yet", vt_run_path(run));
  struct vt_safetensors *file;
  VT_TRY(vt_run_snapshot_file(run, snapshots - 1, &file, error));
  const struct vt_tensor *input = vt_safetensors_find(file, "input"), *second = vt_safetensors_find(file, "output");
  enum vt_status status = VT_OK;
  if (input == NULL)
    status = VT_FAIL(error, VT_ERROR_CORRUPT, "%s: its last snapshot holds no vectors", vt_run_path(run));
  if (status == VT_OK) status = copy_table(input, vt_run_path(run), words, &parts[0], error);
  *output = second != NULL && count > 1;
  if (status == VT_OK && *output) status = copy_table(second, vt_run_path(run), words, &parts[1], error);
  if (status == VT_OK && count == GLOVE_PARTS) status = split_sums(file, run, words, parts, error);
  vt_safetensors_close(file);
  return status;
}

/* ---- from networks ----------------------------------------------------------------------------------------------- */

/* All but the number of tokens. */
static bool alike(const struct vt_net_shape *a, const struct vt_net_shape *b) {
  return a->model == b->model && a->dim == b->dim && a->context == b->context && a->hidden == b->hidden &&
         a->layers == b->layers && a->heads == b->heads && a->positions == b->positions && a->tied == b->tied &&
         a->parallel == b->parallel && a->exact_gelu == b->exact_gelu && a->rotary == b->rotary;
}

/* Which of `to` comes from which of `from`: words by their numbers, the end mark from the end mark. */
static bool token_from(size_t token, size_t words, size_t from_words, size_t from_tokens, size_t *from) {
  *from = token < words ? token : from_words;
  return token < words ? token < from_words : from_words < from_tokens;
}

static void copy_parameter(const struct vt_net_parameter *from, const float *values,
                           const struct vt_net_parameter *parameter, float *to) {
  for (size_t row = 0; row < parameter->rows; row++)
    memcpy(to + parameter->offset + row * parameter->stride, values + from->offset + row * from->stride,
           parameter->columns * sizeof *to);
}

/* Rows, or with one row columns, are tokens. */
static void copy_tokens(const struct vt_net_parameter *from, const float *values, size_t from_words,
                        const struct vt_net_parameter *parameter, float *to, size_t words) {
  const bool vector = parameter->rows == 1;
  const size_t tokens = vector ? parameter->columns : parameter->rows, bytes = vector ? 1 : parameter->columns;
  const size_t stride = vector ? 1 : parameter->stride, from_stride = vector ? 1 : from->stride;
  for (size_t token = 0, source; token < tokens; token++)
    if (token_from(token, words, from_words, vector ? from->columns : from->rows, &source))
      memcpy(to + parameter->offset + token * stride, values + from->offset + source * from_stride, bytes * sizeof *to);
}

static void copy_network(const struct vt_net_layout *from, const float *values, size_t from_words,
                         const struct vt_net_layout *layout, float *to, size_t words) {
  for (size_t p = 0; p < layout->count; p++) {
    const bool tokens =
        p == VT_NET_TABLE || p == layout->output || (layout->shape.model == VT_MODEL_NNLM && p == VT_NNLM_OUTPUT_BIAS);
    if (tokens)
      copy_tokens(&from->parameters[p], values, from_words, &layout->parameters[p], to, words);
    else
      copy_parameter(&from->parameters[p], values, &layout->parameters[p], to);
  }
}

static enum vt_status fill_network(struct vt_engine *engine, size_t words, struct vt_run *run, struct vt_error *error) {
  struct vt_engine_part parts[VT_ENGINE_PARTS_MAX];
  const char *path = vt_run_path(run);
  const float *ignored;
  const struct vt_net_layout *layout = vt_engine_model(engine, &ignored);
  const size_t from_words = vt_vocab_size(vt_run_vocab(run));
  struct vt_net_layout from;
  float *values;
  if (vt_engine_start_parts(engine, parts) == 0) return fail_empty(error);
  VT_TRY(vt_model_load(path, &from, &values, error));
  enum vt_status status = VT_OK;
  if (!alike(&from.shape, &layout->shape) || from.shape.tokens < from_words || from.shape.tokens - from_words > 1)
    status =
        VT_FAIL(error, VT_ERROR_CORRUPT, "%s: the network in it is of another shape than the run's settings", path);
  else
    copy_network(&from, values, from_words, layout, parts[0].data, words);
  vt_net_layout_release(&from);
  vt_free_aligned(values);
  return status;
}

enum vt_status vt_start_fill(struct vt_engine *engine, size_t words, struct vt_run *run, bool *output,
                             struct vt_error *error) {
  const float *ignored;
  if (vt_engine_model(engine, &ignored) == NULL) return fill_tables(engine, run, output, error);
  *output = true;
  return fill_network(engine, words, run, error);
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

#define TREE "tree"
#define TENSORS_MAX (VT_ENGINE_PARTS_MAX + 1)

/* The tree first: its numbers are the widest. */
static size_t lay_out(struct vt_engine *engine, const double *tree, struct vt_tensor tensors[TENSORS_MAX]) {
  struct vt_engine_part parts[VT_ENGINE_PARTS_MAX];
  const size_t parts_count = vt_engine_start_parts(engine, parts);
  size_t count = 0;
  if (tree != NULL)
    tensors[count++] = (struct vt_tensor){.name = TREE,
                                          .dtype = VT_DTYPE_F64,
                                          .rank = 1,
                                          .shape = {vt_huffman_link_count((uint32_t)parts[0].rows)},
                                          .data = tree};
  for (size_t k = 0; k < parts_count; k++)
    tensors[count++] = (struct vt_tensor){.name = parts[k].name,
                                          .dtype = VT_DTYPE_F32,
                                          .rank = 2,
                                          .shape = {parts[k].rows, parts[k].columns},
                                          .data = parts[k].data,
                                          .stride_bytes = parts[k].stride_bytes};
  return count;
}

enum vt_status vt_start_write(struct vt_engine *engine, const double *tree, const char *folder,
                              struct vt_error *error) {
  struct vt_tensor tensors[TENSORS_MAX];
  char sha256[VT_SHA256_TEXT_BYTES], *path = vt_path_join(folder, VT_RUN_START);
  if (path == NULL) return VT_FAIL_MEMORY(error, strlen(folder));
  const size_t count = lay_out(engine, tree, tensors);
  vt_tensors_sha256(tensors, count, sha256);
  const struct vt_safetensors_meta meta[] = {{"format", FORMAT}, {"sha256", sha256}};
  enum vt_status status = vt_safetensors_write(path, meta, 2, tensors, count, NULL, error);
  vt_free(path);
  return status;
}

/* All that is there, in the order in which it was written. */
static enum vt_status check_file(const struct vt_safetensors *file, const char *path, struct vt_error *error) {
  static const char *const names[] = {TREE, "input", "output", "input_bias", "output_bias", "parameters"};
  const char *format = vt_safetensors_meta(file, "format"), *recorded = vt_safetensors_meta(file, "sha256");
  struct vt_tensor found[TENSORS_MAX];
  size_t count = 0;
  char sha256[VT_SHA256_TEXT_BYTES];
  for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
    const struct vt_tensor *tensor = vt_safetensors_find(file, names[k]);
    if (tensor != NULL) found[count++] = *tensor;
  }
  if (format == NULL || strcmp(format, FORMAT) != 0 || recorded == NULL || count == 0)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: not what this training began with", path);
  vt_tensors_sha256(found, count, sha256);
  if (strcmp(sha256, recorded) == 0) return VT_OK;
  return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: damaged: its checksum is another one", path);
}

static enum vt_status read_parts(struct vt_engine *engine, const struct vt_safetensors *file, const char *path,
                                 struct vt_error *error) {
  struct vt_engine_part parts[VT_ENGINE_PARTS_MAX];
  const struct vt_tensor *found[VT_ENGINE_PARTS_MAX];
  const size_t count = vt_engine_start_parts(engine, parts);
  bool good = true;
  for (size_t k = 0; good && k < count; k++) {
    found[k] = vt_safetensors_find(file, parts[k].name);
    good = found[k] != NULL && found[k]->dtype == VT_DTYPE_F32 && found[k]->rank == 2 &&
           found[k]->shape[0] == parts[k].rows && found[k]->shape[1] == parts[k].columns;
  }
  if (!good) return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: not what this training began with", path);
  for (size_t k = 0; k < count; k++) {
    const size_t bytes = (size_t)parts[k].columns * sizeof(float);
    for (size_t row = 0; row < parts[k].rows; row++)
      memcpy((unsigned char *)parts[k].data + row * parts[k].stride_bytes,
             (const unsigned char *)found[k]->data + row * bytes, bytes);
  }
  return VT_OK;
}

static enum vt_status open_checked(const char *folder, char **path, struct vt_safetensors **file,
                                   struct vt_error *error) {
  *file = NULL;
  *path = vt_path_join(folder, VT_RUN_START);
  if (*path == NULL) return VT_FAIL_MEMORY(error, strlen(folder));
  VT_TRY(vt_safetensors_open(*path, file, error));
  return check_file(*file, *path, error);
}

enum vt_status vt_start_read(struct vt_engine *engine, const char *folder, struct vt_error *error) {
  char *path;
  struct vt_safetensors *file;
  enum vt_status status = open_checked(folder, &path, &file, error);
  if (status == VT_OK) status = read_parts(engine, file, path, error);
  vt_safetensors_close(file);
  vt_free(path);
  return status;
}

/* ---- the tree ---------------------------------------------------------------------------------------------------- */

static enum vt_status copy_tree(const struct vt_safetensors *file, const char *path, size_t count, double **tree,
                                struct vt_error *error) {
  const struct vt_tensor *tensor = vt_safetensors_find(file, TREE);
  if (tensor == NULL || tensor->dtype != VT_DTYPE_F64 || tensor->rank != 1 || tensor->shape[0] != count)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: holds no tree of this run's words", path);
  *tree = vt_alloc(count, sizeof **tree);
  if (*tree == NULL) return VT_FAIL_MEMORY(error, count * sizeof **tree);
  memcpy(*tree, tensor->data, count * sizeof **tree);
  return VT_OK;
}

enum vt_status vt_start_tree(const struct vt_train_options *options, size_t words, const char *folder, double **tree,
                             struct vt_error *error) {
  char *path;
  struct vt_safetensors *file;
  *tree = NULL;
  if (options->tuning.words == 0 || options->loss != VT_LOSS_HIERARCHICAL_SOFTMAX) return VT_OK;
  enum vt_status status = open_checked(folder, &path, &file, error);
  if (status == VT_OK) status = copy_tree(file, path, vt_huffman_link_count((uint32_t)words), tree, error);
  vt_safetensors_close(file);
  vt_free(path);
  return status;
}
