/* net_template.h: making a net, and its two passes. */
#include "network/gemm_template.h"
#include "network/output_template.h"
#include "network/nnlm_template.h"
#include "network/attention_template.h"
#include "network/transformer_template.h"

#define GEMM_FLOATS ((size_t)1 << 22) /* of each factor, in panels */
#define GEMM_DEPTH 4096
#define WORKER_FLOATS ((size_t)1 << 16)
#define LOGIT_FLOATS ((size_t)1 << 23)

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* Hands out parts of one piece; with `memory` NULL it only counts. */
struct NET(piece) {
  R *memory;
  size_t floats;
};

static R *NET(take)(struct NET(piece) * piece, size_t floats) {
  R *at = piece->memory == NULL ? NULL : piece->memory + piece->floats;
  piece->floats += (floats + 15) / 16 * 16;
  return at;
}

static void NET(lay_block)(struct NET(piece) * piece, const struct vt_net_shape *shape, size_t rows,
                           struct NET(block) * block) {
  const size_t dim = shape->dim;
  *block = (struct NET(block)){
      .input = NET(take)(piece, rows * dim),
      .norm_1 = NET(take)(piece, rows * dim),
      .qkv = NET(take)(piece, rows * 3 * dim),
      .heads = NET(take)(piece, rows * dim),
      .sums = NET(take)(piece, rows * shape->heads),
      .middle = NET(take)(piece, rows * dim),
      .norm_2 = NET(take)(piece, rows * dim),
      .wide = NET(take)(piece, rows * shape->hidden),
      .active = NET(take)(piece, rows * shape->hidden),
      .means_1 = NET(take)(piece, rows),
      .scales_1 = NET(take)(piece, rows),
      .means_2 = NET(take)(piece, rows),
      .scales_2 = NET(take)(piece, rows),
  };
}

static void NET(lay_transformer)(struct NET(net) * net, struct NET(piece) * piece, bool gradients, bool routes) {
  const struct vt_net_shape *shape = &net->layout->shape;
  const size_t rows = net->rows_max, dim = shape->dim, keep = gradients ? rows * dim : 0, kept = routes ? keep : 0;
  for (size_t layer = 0; layer < shape->layers; layer++) NET(lay_block)(piece, shape, rows, &net->blocks[layer]);
  net->last = NET(take)(piece, rows * dim);
  net->means = NET(take)(piece, rows);
  net->scales = NET(take)(piece, rows);
  net->d_x = NET(take)(piece, keep);
  net->d_row = NET(take)(piece, keep);
  net->d_qkv = NET(take)(piece, 3 * keep);
  net->d_wide = NET(take)(piece, gradients ? rows * shape->hidden : 0);
  net->d_input = NET(take)(piece, keep);
  net->residual = NET(take)(piece, kept);
  net->behind = NET(take)(piece, kept);
  if (!routes) net->residual = net->behind = NULL;
  net->angles = NET(take)(piece, (size_t)shape->context * shape->dim);
  for (int w = 0; w < vt_pool_size(net->pool); w++) {
    net->workers[w].scores = NET(take)(piece, VT_ATTENTION_ROWS * (size_t)shape->context);
    net->workers[w].slopes = NET(take)(piece, VT_ATTENTION_ROWS * (size_t)shape->context);
  }
}

static void NET(lay)(struct NET(net) * net, struct NET(piece) * piece, bool gradients, bool routes) {
  const struct vt_net_shape *shape = &net->layout->shape;
  const size_t rows = net->rows_max;
  net->final = NET(take)(piece, rows * net->width);
  net->d_final = NET(take)(piece, gradients ? rows * net->width : 0);
  net->logits = NET(take)(piece, net->logit_rows * net->logit_stride);
  if (shape->model == VT_MODEL_TRANSFORMER) {
    NET(lay_transformer)(net, piece, gradients, routes);
    return;
  }
  net->table_rows = NET(take)(piece, rows * shape->context * shape->dim);
  net->d_input = NET(take)(piece, gradients ? rows * shape->context * shape->dim : 0);
}

/* Rotary (Su et al. 2021): angle = place / 10000^(2 k / rotary). Sinusoidal (Vaswani et al. 2017, section 3.5):
 * likewise over the whole row, and as long as the vectors are at their start. */
static void NET(fill_angles)(struct NET(net) * net) {
  const struct vt_net_shape *shape = &net->layout->shape;
  const bool rotary = shape->positions == VT_POSITIONS_ROTARY;
  if (shape->model != VT_MODEL_TRANSFORMER || shape->positions == VT_POSITIONS_LEARNED) return;
  const size_t width = rotary ? shape->rotary : shape->dim;
  for (size_t place = 0; place < shape->context; place++) {
    R *row = net->angles + place * width;
    for (size_t k = 0; k < width / 2; k++) {
      double angle = (double)place * pow(10000, -2 * (double)k / (double)width);
      if (rotary) {
        row[k] = (R)cos(angle);
        row[k + width / 2] = (R)sin(angle);
      } else {
        row[2 * k] = (R)(sin(angle) * 0.02 * sqrt(2));
        row[2 * k + 1] = (R)(cos(angle) * 0.02 * sqrt(2));
      }
    }
    if (!rotary && width % 2 == 1) row[width - 1] = 0;
  }
}

static inline size_t NET(most)(size_t a, size_t b) { return a > b ? a : b; }

/* Room for the products: of rows with parameters, and of rows with rows; of attention, of a head's queries and keys. */
static enum vt_status NET(make_room)(struct NET(net) * net, struct vt_error *error) {
  const struct vt_net_layout *layout = net->layout;
  const struct vt_net_shape *shape = &layout->shape;
  const bool attends = shape->model == VT_MODEL_TRANSFORMER;
  size_t longest = net->rows_max, floats = 0;
  for (size_t p = 0; p < layout->count; p++) {
    const size_t rows = layout->parameters[p].rows, columns = layout->parameters[p].columns;
    longest = NET(most)(longest, NET(most)(rows, columns));
    floats = NET(most)(floats, NET(most)(NET(gemm_floats)(rows, columns), NET(gemm_floats)(columns, rows)));
  }
  floats = NET(most)(floats, NET(gemm_floats)(longest, net->rows_max));
  floats = NET(most)(floats, NET(gemm_floats)(net->rows_max, longest));
  VT_TRY(NET(gemm_init)(&net->gemm, NET(least)(floats, GEMM_FLOATS), NET(least)(longest, GEMM_DEPTH), error));
  const size_t side = attends ? NET(most)(shape->context, shape->dim / shape->heads) : 0;
  for (int w = 0; attends && w < vt_pool_size(net->pool); w++)
    VT_TRY(NET(gemm_init)(&net->workers[w].gemm, NET(least)(NET(gemm_floats)(side, side), WORKER_FLOATS),
                          NET(least)(side, DEPTH), error));
  return VT_OK;
}

static enum vt_status NET(make)(struct NET(net) * net, bool gradients, bool routes, struct vt_error *error) {
  const struct vt_net_shape *shape = &net->layout->shape;
  const size_t workers = (size_t)vt_pool_size(net->pool);
  net->blocks = vt_alloc_zero(shape->layers + 1, sizeof *net->blocks);
  net->workers = vt_alloc_zero(workers, sizeof *net->workers);
  net->row_losses = vt_alloc_zero(net->rows_max, sizeof *net->row_losses);
  if (net->blocks == NULL || net->workers == NULL || net->row_losses == NULL)
    return VT_FAIL_MEMORY(error, net->rows_max * sizeof *net->row_losses);
  VT_TRY(NET(make_room)(net, error));
  struct NET(piece) piece = {0};
  NET(lay)(net, &piece, gradients, routes);
  net->memory = vt_alloc_aligned(piece.floats, sizeof *net->memory);
  if (net->memory == NULL)
    return VT_FAIL_HELP(error, VT_ERROR_MEMORY, "use a smaller batch (--batch), context or dimension",
                        "cannot allocate %zu bytes for the layers of %zu rows", piece.floats * sizeof *net->memory,
                        net->rows_max);
  piece = (struct NET(piece)){.memory = net->memory};
  NET(lay)(net, &piece, gradients, routes);
  NET(fill_angles)(net);
  return VT_OK;
}

enum vt_status NET(create)(const struct vt_net_layout *layout, const OPS *ops, struct vt_pool *pool, size_t rows_max,
                           bool gradients, bool routes, struct NET(net) * *out, struct vt_error *error) {
  struct NET(net) *net = vt_alloc_zero(1, sizeof *net);
  if (net == NULL) return VT_FAIL_MEMORY(error, sizeof *net);
  *net = (struct NET(net)){.layout = layout, .ops = ops, .pool = pool, .rows_max = rows_max};
  net->width = layout->shape.model == VT_MODEL_NNLM ? layout->shape.hidden : layout->shape.dim;
  net->logit_stride = ((size_t)layout->shape.tokens + 31) / 32 * 32;
  size_t rows = LOGIT_FLOATS / net->logit_stride / TASK_ROWS * TASK_ROWS;
  net->logit_rows = rows < TASK_ROWS ? TASK_ROWS : rows;
  if (net->logit_rows > rows_max) net->logit_rows = rows_max;
  enum vt_status status = NET(make)(net, gradients, routes, error);
  if (status != VT_OK) {
    NET(free)(net);
    return status;
  }
  *out = net;
  return VT_OK;
}

void NET(free)(struct NET(net) * net) {
  if (net == NULL) return;
  NET(gemm_release)(&net->gemm);
  for (int w = 0; net->workers != NULL && w < vt_pool_size(net->pool); w++) NET(gemm_release)(&net->workers[w].gemm);
  vt_free(net->workers);
  vt_free(net->blocks);
  vt_free(net->row_losses);
  vt_free_aligned(net->memory);
  vt_free(net);
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

void NET(forward)(struct NET(net) * net, const uint32_t *tokens, size_t count, size_t length, bool train, uint64_t seed,
                  uint64_t key) {
  const bool nnlm = net->layout->shape.model == VT_MODEL_NNLM;
  net->tokens = tokens;
  net->count = count;
  net->length = length;
  net->rows = nnlm ? count : count * length;
  net->train = train;
  net->key[0] = seed;
  net->key[1] = key;
  if (nnlm)
    NET(nnlm_forward)(net);
  else
    NET(transformer_forward)(net);
}

void NET(backward)(struct NET(net) * net) {
  if (net->layout->shape.model == VT_MODEL_NNLM)
    NET(nnlm_backward)(net);
  else
    NET(transformer_backward)(net);
}

struct NET(scattering) {
  struct NET(net) * net;
  const R *from;
  R *table;
  const uint32_t *slots;
};

/* Columns are shared out, so each element of the table is summed by one thread in the order of the batch. */
static void NET(scatter_task)(void *context, size_t task, int worker) {
  const struct NET(scattering) *s = context;
  const struct vt_net_parameter *table = &s->net->layout->parameters[VT_NET_TABLE];
  const size_t dim = table->columns, first = task * COLUMNS_A_TASK, tokens = s->net->count * s->net->length;
  const size_t count = dim - first < COLUMNS_A_TASK ? dim - first : COLUMNS_A_TASK;
  (void)worker;
  for (size_t t = 0; t < tokens; t++) {
    size_t row = s->slots == NULL ? s->net->tokens[t] : s->slots[s->net->tokens[t]];
    s->net->ops->add(s->table + row * table->stride + first, s->from + t * dim + first, count);
  }
}

/* table[row of each token] += from[token]; slots: other rows than the tokens' own. */
void NET(scatter)(struct NET(net) * net, const R *from, R *table, const uint32_t *slots) {
  struct NET(scattering) scattering = {net, from, table, slots};
  const size_t dim = net->layout->parameters[VT_NET_TABLE].columns;
  vt_tasks_run(net->pool, (dim + COLUMNS_A_TASK - 1) / COLUMNS_A_TASK, NET(scatter_task), &scattering);
}

void NET(route)(struct NET(net) * net, size_t part, R *to) {
  if (net->layout->shape.model == VT_MODEL_TRANSFORMER) {
    NET(transformer_route)(net, part, to);
    return;
  }
  const size_t dim = net->layout->shape.dim, places = net->length;
  memset(to, 0, net->count * places * dim * sizeof *to);
  for (size_t row = 0; row < net->count; row++)
    memcpy(to + (row * places + part) * dim, net->d_input + (row * places + part) * dim, dim * sizeof *to);
}
