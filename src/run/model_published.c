/*
 * model_published.c: GPT-2 and GPT-NeoX (Pythia) as they are published.
 *
 * GPT-2 keeps its maps transposed ([in, out]). GPT-NeoX keeps query, key and value of each head side by side, where
 * ours are those of all heads; its blocks run attention and MLP in parallel, and part of each head is rotated.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/memory.h"
#include "network/net.h"
#include "run/model_file.h"
#include "run/safetensors.h"

/* ---- config.json ------------------------------------------------------------------------------------------------- */

static uint32_t whole(const json_t *config, const char *name, uint32_t low, uint32_t high, bool *good) {
  const json_t *value = json_object_get(config, name);
  json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
  if (number < (json_int_t)low || number > (json_int_t)high) *good = false;
  return (uint32_t)number;
}

static double real(const json_t *config, const char *name, double otherwise) {
  const json_t *value = json_object_get(config, name);
  return json_is_number(value) ? json_number_value(value) : otherwise;
}

static bool flag(const json_t *config, const char *name, bool otherwise) {
  const json_t *value = json_object_get(config, name);
  return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

static bool text_is(const json_t *config, const char *name, const char *wanted) {
  const char *text = json_string_value(json_object_get(config, name));
  return text != NULL && strcmp(text, wanted) == 0;
}

static bool read_gpt2(const json_t *config, struct vt_net_shape *shape) {
  bool good = true;
  shape->tokens = whole(config, "vocab_size", 1, 10000000, &good);
  shape->dim = whole(config, "n_embd", 1, 16384, &good);
  shape->context = whole(config, "n_positions", 1, 65536, &good);
  shape->layers = whole(config, "n_layer", 1, 60, &good);
  shape->heads = whole(config, "n_head", 1, VT_HEADS_MAX, &good);
  shape->hidden = 4 * shape->dim;
  if (json_is_integer(json_object_get(config, "n_inner"))) shape->hidden = whole(config, "n_inner", 1, 65536, &good);
  shape->epsilon = real(config, "layer_norm_epsilon", 1e-5);
  shape->tied = flag(config, "tie_word_embeddings", true);
  shape->exact_gelu = text_is(config, "activation_function", "gelu");
  shape->positions = VT_POSITIONS_LEARNED;
  return good;
}

static bool read_neox(const json_t *config, struct vt_net_shape *shape) {
  bool good = true;
  shape->tokens = whole(config, "vocab_size", 1, 10000000, &good);
  shape->dim = whole(config, "hidden_size", 1, 16384, &good);
  shape->context = whole(config, "max_position_embeddings", 1, 65536, &good);
  shape->layers = whole(config, "num_hidden_layers", 1, 60, &good);
  shape->heads = whole(config, "num_attention_heads", 1, VT_HEADS_MAX, &good);
  shape->hidden = whole(config, "intermediate_size", 1, 65536, &good);
  shape->epsilon = real(config, "layer_norm_eps", 1e-5);
  shape->tied = flag(config, "tie_word_embeddings", false);
  shape->parallel = flag(config, "use_parallel_residual", true);
  shape->exact_gelu = !text_is(config, "hidden_act", "gelu_new") && !text_is(config, "hidden_act", "gelu_fast");
  shape->positions = VT_POSITIONS_ROTARY;
  double share = real(config, "rotary_pct", 0.25);
  good = good && share > 0 && share <= 1 && real(config, "rotary_emb_base", 10000) == 10000;
  if (good) {
    const uint32_t of_a_head = shape->dim / shape->heads;
    shape->rotary = (uint32_t)(share * of_a_head) / 2 * 2;
  }
  return good;
}

enum vt_status vt_model_read_config(const char *path, struct vt_net_shape *shape, enum vt_published *kind,
                                    struct vt_error *error) {
  json_error_t reason;
  json_t *config = json_load_file(path, 0, &reason);
  if (config == NULL) return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: line %d: %s", path, reason.line, reason.text);
  *shape = (struct vt_net_shape){.model = VT_MODEL_TRANSFORMER};
  enum vt_status status = VT_OK;
  bool good = true;
  *kind = VT_PUBLISHED_GPT2;
  if (text_is(config, "model_type", "gpt2")) {
    good = read_gpt2(config, shape);
  } else if (text_is(config, "model_type", "gpt_neox")) {
    *kind = VT_PUBLISHED_NEOX;
    good = read_neox(config, shape);
  } else {
    status = VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "GPT-2 (gpt2) and Pythia (gpt_neox) can be read",
                          "%s: another kind of model", path);
  }
  json_decref(config);
  if (status == VT_OK && (!good || shape->dim % shape->heads != 0))
    status = VT_FAIL(error, VT_ERROR_CORRUPT, "%s: a size is missing, or makes no sense", path);
  return status;
}

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

struct copying {
  const struct vt_safetensors *file;
  const char *path;
  const char *prefix;
  const struct vt_net_layout *layout;
  float *values;
  float *work; /* one tensor */
  bool transposed;
};

static enum vt_status take(struct copying *c, const char *name, size_t place, struct vt_error *error) {
  const struct vt_net_parameter *p = &c->layout->parameters[place];
  const bool turned = c->transposed && p->rows > 1;
  float *to = c->values + p->offset;
  VT_TRY(vt_model_tensor(c->file, c->path, name, turned ? p->columns : p->rows, turned ? p->rows : p->columns, c->work,
                         error));
  for (size_t row = 0; row < p->rows; row++)
    for (size_t k = 0; k < p->columns; k++)
      to[row * p->stride + k] = c->work[turned ? k * p->rows + row : row * p->columns + k];
  return VT_OK;
}

static enum vt_status take_block(struct copying *c, size_t layer, const char *const names[VT_BLOCK_PARAMETERS],
                                 const char *block, struct vt_error *error) {
  for (size_t k = 0; k < VT_BLOCK_PARAMETERS; k++) {
    char name[128];
    snprintf(name, sizeof name, "%s%s.%zu.%s.%s", c->prefix, block, layer, names[k], k % 2 == 0 ? "weight" : "bias");
    VT_TRY(take(c, name, vt_net_block(c->layout, layer, (enum vt_block_parameter)k), error));
  }
  return VT_OK;
}

static enum vt_status take_named(struct copying *c, const char *name, size_t place, struct vt_error *error) {
  char whole_name[128];
  snprintf(whole_name, sizeof whole_name, "%s%s", c->prefix, name);
  return take(c, whole_name, place, error);
}

static enum vt_status copy_gpt2(struct copying *c, struct vt_error *error) {
  static const char *const names[VT_BLOCK_PARAMETERS] = {"ln_1",        "ln_1",        "attn.c_attn", "attn.c_attn",
                                                         "attn.c_proj", "attn.c_proj", "ln_2",        "ln_2",
                                                         "mlp.c_fc",    "mlp.c_fc",    "mlp.c_proj",  "mlp.c_proj"};
  const struct vt_net_layout *layout = c->layout;
  c->prefix = vt_safetensors_find(c->file, "transformer.wte.weight") != NULL ? "transformer." : "";
  VT_TRY(take_named(c, "wte.weight", VT_NET_TABLE, error));
  VT_TRY(take_named(c, "wpe.weight", layout->positions, error));
  if (!layout->shape.tied) VT_TRY(take(c, "lm_head.weight", layout->output, error));
  c->transposed = true;
  for (size_t layer = 0; layer < layout->shape.layers; layer++) VT_TRY(take_block(c, layer, names, "h", error));
  VT_TRY(take_named(c, "ln_f.weight", layout->last_norm, error));
  return take_named(c, "ln_f.bias", layout->last_norm + 1, error);
}

/* Rows [head][q, k, v][width] become [q, k, v][head][width]. */
static void regroup(const struct copying *c, size_t place) {
  const struct vt_net_shape *shape = &c->layout->shape;
  const struct vt_net_parameter *p = &c->layout->parameters[place];
  const size_t heads = shape->heads, width = shape->dim / heads, columns = p->rows > 1 ? p->columns : 1;
  float *at = c->values + p->offset;
  memcpy(c->work, at, 3 * heads * width * columns * sizeof *at);
  for (size_t head = 0; head < heads; head++)
    for (size_t which = 0; which < 3; which++)
      memcpy(at + (which * heads + head) * width * columns, c->work + (head * 3 + which) * width * columns,
             width * columns * sizeof *at);
}

static enum vt_status copy_neox(struct copying *c, struct vt_error *error) {
  static const char *const names[VT_BLOCK_PARAMETERS] = {
      "input_layernorm",   "input_layernorm",   "attention.query_key_value", "attention.query_key_value",
      "attention.dense",   "attention.dense",   "post_attention_layernorm",  "post_attention_layernorm",
      "mlp.dense_h_to_4h", "mlp.dense_h_to_4h", "mlp.dense_4h_to_h",         "mlp.dense_4h_to_h"};
  const struct vt_net_layout *layout = c->layout;
  c->prefix = "gpt_neox.";
  VT_TRY(take_named(c, "embed_in.weight", VT_NET_TABLE, error));
  if (!layout->shape.tied) VT_TRY(take(c, "embed_out.weight", layout->output, error));
  for (size_t layer = 0; layer < layout->shape.layers; layer++) {
    VT_TRY(take_block(c, layer, names, "layers", error));
    regroup(c, vt_net_block(layout, layer, VT_BLOCK_QKV));
    regroup(c, vt_net_block(layout, layer, VT_BLOCK_QKV_BIAS));
  }
  VT_TRY(take_named(c, "final_layer_norm.weight", layout->last_norm, error));
  return take_named(c, "final_layer_norm.bias", layout->last_norm + 1, error);
}

enum vt_status vt_model_copy_published(const struct vt_safetensors *file, const char *path, enum vt_published kind,
                                       const struct vt_net_layout *layout, float *values, struct vt_error *error) {
  size_t largest = 0;
  for (size_t p = 0; p < layout->count; p++) {
    size_t floats = layout->parameters[p].rows * layout->parameters[p].columns;
    if (floats > largest) largest = floats;
  }
  struct copying copying = {.file = file, .path = path, .layout = layout, .values = values};
  copying.work = vt_alloc(largest, sizeof *copying.work);
  if (copying.work == NULL) return VT_FAIL_MEMORY(error, largest * sizeof *copying.work);
  enum vt_status status = kind == VT_PUBLISHED_GPT2 ? copy_gpt2(&copying, error) : copy_neox(&copying, error);
  vt_free(copying.work);
  return status;
}
