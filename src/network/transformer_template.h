/*
 * transformer_template.h: the Transformer's blocks, forward and backward.
 *
 *   x_0 = e + p;   a = x + attention(norm_1(x)) W_p;   x' = a + GELU(norm_2(a) W_w) W_n       (parallel: norm_2(x))
 */
#define SITE_EMBEDDING 255
#define SITE_ATTENTION(layer) (4 * (layer))
#define SITE_MLP(layer) (4 * (layer) + 1)

struct NET(phase) {
  struct NET(net) * net;
  struct NET(block) * block;
  size_t layer;
  const R *gain, *bias; /* of the norm */
  const R *from;
  R *to, *means, *scales;
};

static const R *NET(value)(const struct NET(net) * net, size_t parameter) {
  return net->values + net->layout->parameters[parameter].offset;
}

static R *NET(slope)(const struct NET(net) * net, size_t parameter) {
  return net->gradients + net->layout->parameters[parameter].offset;
}

static void NET(over_rows)(const struct NET(phase) * phase, vt_task *work) {
  vt_tasks_run(phase->net->pool, (phase->net->rows + ROWS_A_TASK - 1) / ROWS_A_TASK, work, (void *)(uintptr_t)phase);
}

/* For each row of a task. */
#define EACH_ROW(net, task)                                                                                            \
  for (size_t row = (task)*ROWS_A_TASK; row < ((task) + 1) * ROWS_A_TASK && row < (net)->rows; row++)

/* ---- linear maps ------------------------------------------------------------------------------------------------- */

/* to[rows, out] = from W'. */
static void NET(map)(struct NET(net) * net, size_t parameter, const R *from, R *to) {
  const struct vt_net_parameter *w = &net->layout->parameters[parameter];
  NET(multiply)
  (&net->gemm, net->ops, net->pool, net->rows, w->rows, w->columns, (struct NET(factor)){from, w->columns, false},
   (struct NET(factor)){net->values + w->offset, w->stride, false}, to, w->rows, false);
}

/* From d[rows, out]: W and the bias behind it get their gradients, and to[rows, in] = d W. */
static void NET(map_back)(struct NET(net) * net, size_t parameter, const R *from, const R *d, R *to) {
  const struct vt_net_parameter *w = &net->layout->parameters[parameter];
  NET(multiply)
  (&net->gemm, net->ops, net->pool, w->rows, w->columns, net->rows, (struct NET(factor)){d, w->rows, true},
   (struct NET(factor)){from, w->columns, true}, net->gradients + w->offset, w->stride, true);
  NET(add_columns)(net, d, net->rows, w->rows, w->rows, NET(slope)(net, parameter + 1));
  NET(multiply)
  (&net->gemm, net->ops, net->pool, net->rows, w->columns, w->rows, (struct NET(factor)){d, w->rows, false},
   (struct NET(factor)){net->values + w->offset, w->stride, true}, to, w->columns, false);
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

static void NET(embed_task)(void *context, size_t task, int worker) {
  const struct NET(phase) *phase = context;
  struct NET(net) *net = phase->net;
  const struct vt_net_layout *layout = net->layout;
  const struct vt_net_parameter *table = &layout->parameters[VT_NET_TABLE];
  const size_t dim = layout->shape.dim;
  (void)worker;
  EACH_ROW(net, task) {
    R *to = phase->to + row * dim;
    const size_t place = row % net->length;
    memcpy(to, net->values + table->offset + net->tokens[row] * table->stride, dim * sizeof *to);
    if (layout->shape.positions == VT_POSITIONS_LEARNED)
      net->ops->add(to, NET(value)(net, layout->positions) + place * dim, dim);
    if (layout->shape.positions == VT_POSITIONS_SINUSOIDAL) net->ops->add(to, net->angles + place * dim, dim);
    NET(drop)(net, SITE_EMBEDDING, row, to, dim);
  }
}

static void NET(norm_task)(void *context, size_t task, int worker) {
  const struct NET(phase) *phase = context;
  const struct NET(net) *net = phase->net;
  const size_t dim = net->layout->shape.dim;
  (void)worker;
  EACH_ROW(net, task)
  net->ops->norm(phase->from + row * dim, dim, (R)net->layout->shape.epsilon, phase->gain, phase->bias,
                 phase->to + row * dim, &phase->means[row], &phase->scales[row]);
}

static void NET(norm_rows)(struct NET(net) * net, size_t parameter, const R *from, R *to, R *means, R *scales) {
  const struct NET(phase) phase = {.net = net,
                                   .gain = NET(value)(net, parameter),
                                   .bias = NET(value)(net, parameter + 1),
                                   .from = from,
                                   .to = to,
                                   .means = means,
                                   .scales = scales};
  NET(over_rows)(&phase, NET(norm_task));
}

/* Rotates pairs (k, k + half) of the first dimensions of a head (Su et al. 2021, in GPT-NeoX's order). */
static void NET(rotate)(const struct NET(net) * net, R *x, size_t place, bool back) {
  const size_t half = net->layout->shape.rotary / 2;
  const R *cosines = net->angles + place * 2 * half, *sines = cosines + half;
  for (size_t k = 0; k < half; k++) {
    R a = x[k], b = x[k + half], s = back ? -sines[k] : sines[k];
    x[k] = a * cosines[k] - b * s;
    x[k + half] = b * cosines[k] + a * s;
  }
}

static void NET(rotate_row)(const struct NET(net) * net, R *qkv, size_t row, bool back) {
  const struct vt_net_shape *shape = &net->layout->shape;
  if (shape->positions != VT_POSITIONS_ROTARY) return;
  for (size_t head = 0; head < 2 * (size_t)shape->heads; head++) /* queries, and the keys behind them */
    NET(rotate)(net, qkv + head * (shape->dim / shape->heads), row % net->length, back);
}

static void NET(qkv_task)(void *context, size_t task, int worker) {
  const struct NET(phase) *phase = context;
  struct NET(net) *net = phase->net;
  const size_t wide = 3 * (size_t)net->layout->shape.dim;
  (void)worker;
  EACH_ROW(net, task) {
    R *qkv = phase->to + row * wide;
    net->ops->add(qkv, phase->bias, wide);
    NET(rotate_row)(net, qkv, row, false);
  }
}

static void NET(gelu_task)(void *context, size_t task, int worker) {
  const struct NET(phase) *phase = context;
  struct NET(net) *net = phase->net;
  const size_t wide = net->layout->shape.hidden;
  (void)worker;
  EACH_ROW(net, task) {
    R *x = phase->block->wide + row * wide;
    net->ops->add(x, phase->bias, wide);
    net->ops->gelu(x, wide, net->layout->shape.exact_gelu, phase->block->active + row * wide);
  }
}

/* to = from + drop(to + bias): what a part gave, on top of the row it read. */
static void NET(residual_task)(void *context, size_t task, int worker) {
  const struct NET(phase) *phase = context;
  struct NET(net) *net = phase->net;
  const size_t dim = net->layout->shape.dim;
  (void)worker;
  EACH_ROW(net, task) {
    R *to = phase->to + row * dim;
    net->ops->add(to, phase->bias, dim);
    NET(drop)(net, phase->layer, row, to, dim);
    net->ops->add(to, phase->from + row * dim, dim);
  }
}

static void NET(forward_block)(struct NET(net) * net, size_t layer, R *out) {
  const struct vt_net_layout *layout = net->layout;
  const size_t p = vt_net_block(layout, layer, (enum vt_block_parameter)0);
  struct NET(block) *block = &net->blocks[layer];
  struct NET(phase) phase = {.net = net, .block = block, .layer = layer};
  NET(norm_rows)(net, p + VT_BLOCK_NORM_1, block->input, block->norm_1, block->means_1, block->scales_1);
  NET(map)(net, p + VT_BLOCK_QKV, block->norm_1, block->qkv);
  phase.to = block->qkv;
  phase.bias = NET(value)(net, p + VT_BLOCK_QKV_BIAS);
  NET(over_rows)(&phase, NET(qkv_task));
  struct NET(attention) attention = {net, block, layer};
  vt_tasks_run(net->pool, net->count * layout->shape.heads, NET(attention_task), &attention);
  NET(map)(net, p + VT_BLOCK_PROJECTION, block->heads, block->middle);
  phase.to = block->middle;
  phase.from = block->input;
  phase.layer = SITE_ATTENTION(layer);
  phase.bias = NET(value)(net, p + VT_BLOCK_PROJECTION_BIAS);
  NET(over_rows)(&phase, NET(residual_task));
  NET(norm_rows)
  (net, p + VT_BLOCK_NORM_2, layout->shape.parallel ? block->input : block->middle, block->norm_2, block->means_2,
   block->scales_2);
  NET(map)(net, p + VT_BLOCK_WIDE, block->norm_2, block->wide);
  phase.bias = NET(value)(net, p + VT_BLOCK_WIDE_BIAS);
  NET(over_rows)(&phase, NET(gelu_task));
  NET(map)(net, p + VT_BLOCK_NARROW, block->active, out);
  phase.to = out;
  phase.from = block->middle;
  phase.layer = SITE_MLP(layer);
  phase.bias = NET(value)(net, p + VT_BLOCK_NARROW_BIAS);
  NET(over_rows)(&phase, NET(residual_task));
}

static void NET(transformer_forward)(struct NET(net) * net) {
  const struct vt_net_layout *layout = net->layout;
  const size_t layers = layout->shape.layers;
  struct NET(phase) phase = {.net = net, .to = net->blocks[0].input};
  NET(over_rows)(&phase, NET(embed_task));
  for (size_t layer = 0; layer < layers; layer++)
    NET(forward_block)(net, layer, layer + 1 < layers ? net->blocks[layer + 1].input : net->last);
  NET(norm_rows)(net, layout->last_norm, net->last, net->final, net->means, net->scales);
}

/* ---- backward ---------------------------------------------------------------------------------------------------- */

static void NET(norm_back_task)(void *context, size_t task, int worker) {
  const struct NET(phase) *phase = context;
  struct NET(net) *net = phase->net;
  const size_t dim = net->layout->shape.dim;
  (void)worker;
  EACH_ROW(net, task)
  net->ops->norm_back(net->d_row + row * dim, phase->from + row * dim, dim, phase->gain, phase->means[row],
                      phase->scales[row], phase->to + row * dim);
}

static void NET(norm_gain_task)(void *context, size_t task, int worker) {
  const struct NET(phase) *phase = context;
  const struct NET(net) *net = phase->net;
  const size_t dim = net->layout->shape.dim, first = task * COLUMNS_A_TASK;
  const size_t count = dim - first < COLUMNS_A_TASK ? dim - first : COLUMNS_A_TASK;
  R *gain = net->gradients + (phase->gain - net->values) + first, *bias = net->gradients + (phase->bias - net->values);
  (void)worker;
  for (size_t row = 0; row < net->rows; row++)
    net->ops->norm_gain(net->d_row + row * dim + first, phase->from + row * dim + first, count, phase->means[row],
                        phase->scales[row], gain, bias + first);
}

/* to += the gradient of a norm's input, from that of what it gave, which is in d_row. */
static void NET(norm_back_rows)(struct NET(net) * net, size_t parameter, const R *from, R *means, R *scales, R *to) {
  const struct NET(phase) phase = {.net = net,
                                   .gain = NET(value)(net, parameter),
                                   .bias = NET(value)(net, parameter + 1),
                                   .from = from,
                                   .to = to,
                                   .means = means,
                                   .scales = scales};
  const size_t columns = (net->layout->shape.dim + COLUMNS_A_TASK - 1) / COLUMNS_A_TASK;
  vt_tasks_run(net->pool, columns, NET(norm_gain_task), (void *)(uintptr_t)&phase);
  NET(over_rows)(&phase, NET(norm_back_task));
}

/* to = drop(from). */
static void NET(drop_task)(void *context, size_t task, int worker) {
  const struct NET(phase) *phase = context;
  const struct NET(net) *net = phase->net;
  const size_t dim = net->layout->shape.dim;
  (void)worker;
  EACH_ROW(net, task) {
    memcpy(phase->to + row * dim, phase->from + row * dim, dim * sizeof *phase->to);
    NET(drop)(net, phase->layer, row, phase->to + row * dim, dim);
  }
}

static void NET(drop_rows)(struct NET(net) * net, size_t site, const R *from, R *to) {
  const struct NET(phase) phase = {.net = net, .layer = site, .from = from, .to = to};
  NET(over_rows)(&phase, NET(drop_task));
}

static void NET(gelu_back_task)(void *context, size_t task, int worker) {
  const struct NET(phase) *phase = context;
  const struct NET(net) *net = phase->net;
  const size_t wide = net->layout->shape.hidden;
  (void)worker;
  EACH_ROW(net, task)
  net->ops->gelu_back(phase->block->wide + row * wide, wide, net->layout->shape.exact_gelu, net->d_wide + row * wide);
}

static void NET(qkv_back_task)(void *context, size_t task, int worker) {
  const struct NET(phase) *phase = context;
  const struct NET(net) *net = phase->net;
  (void)worker;
  EACH_ROW(net, task) NET(rotate_row)(net, net->d_qkv + row * 3 * net->layout->shape.dim, row, true);
}

/* d_x is the gradient of what the block gives, and becomes that of what it read. The first block also keeps d_x as it
 * came, in residual, and as it is behind the MLP, in `behind`; else these are NULL. */
static void NET(backward_block)(struct NET(net) * net, size_t layer, R *residual, R *behind) {
  const struct vt_net_layout *layout = net->layout;
  const size_t p = vt_net_block(layout, layer, (enum vt_block_parameter)0),
               bytes = net->rows * layout->shape.dim * sizeof(R);
  const bool parallel = layout->shape.parallel;
  struct NET(block) *block = &net->blocks[layer];
  const struct NET(phase) phase = {.net = net, .block = block, .layer = layer};
  if (residual != NULL) memcpy(residual, net->d_x, bytes);
  NET(drop_rows)(net, SITE_MLP(layer), net->d_x, net->d_row);
  NET(map_back)(net, p + VT_BLOCK_NARROW, block->active, net->d_row, net->d_wide);
  NET(over_rows)(&phase, NET(gelu_back_task));
  NET(map_back)(net, p + VT_BLOCK_WIDE, block->norm_2, net->d_wide, net->d_row);
  if (parallel) NET(drop_rows)(net, SITE_ATTENTION(layer), net->d_x, net->d_final); /* free by now */
  NET(norm_back_rows)
  (net, p + VT_BLOCK_NORM_2, parallel ? block->input : block->middle, block->means_2, block->scales_2, net->d_x);
  if (behind != NULL) memcpy(behind, net->d_x, bytes);
  if (!parallel) NET(drop_rows)(net, SITE_ATTENTION(layer), net->d_x, net->d_final);
  NET(map_back)(net, p + VT_BLOCK_PROJECTION, block->heads, net->d_final, net->d_row);
  struct NET(attention) attention = {net, block, layer};
  vt_tasks_run(net->pool, net->count * layout->shape.heads, NET(attention_back_task), &attention);
  NET(over_rows)(&phase, NET(qkv_back_task));
  NET(map_back)(net, p + VT_BLOCK_QKV, block->norm_1, net->d_qkv, net->d_row);
  NET(norm_back_rows)(net, p + VT_BLOCK_NORM_1, block->input, block->means_1, block->scales_1, net->d_x);
}

static void NET(positions_task)(void *context, size_t task, int worker) {
  const struct NET(net) *net = context;
  const size_t dim = net->layout->shape.dim;
  (void)worker;
  R *to = NET(slope)(net, net->layout->positions) + task * dim;
  for (size_t row = task; row < net->rows; row += net->length) net->ops->add(to, net->d_input + row * dim, dim);
}

static void NET(transformer_backward)(struct NET(net) * net) {
  const struct vt_net_layout *layout = net->layout;
  const size_t bytes = net->rows * layout->shape.dim * sizeof(R);
  memcpy(net->d_row, net->d_final, bytes);
  memset(net->d_x, 0, bytes);
  NET(norm_back_rows)(net, layout->last_norm, net->last, net->means, net->scales, net->d_x);
  /* `last` and what the second block read are not needed any more once they were passed. */
  for (size_t layer = layout->shape.layers; layer-- > 0;)
    NET(backward_block)(net, layer, layer == 0 ? net->residual : NULL, layer == 0 ? net->behind : NULL);
  NET(drop_rows)(net, SITE_EMBEDDING, net->d_x, net->d_input);
  if (layout->positions > 0) vt_tasks_run(net->pool, net->length, NET(positions_task), net);
}

/* ---- routes ------------------------------------------------------------------------------------------------------ */

struct NET(route) {
  struct NET(net) * net;
  R *to;
  const R *less; /* to - less */
};

static void NET(route_norm_task)(void *context, size_t task, int worker) {
  const struct NET(route) *route = context;
  struct NET(net) *net = route->net;
  const struct NET(block) *block = &net->blocks[0];
  const size_t dim = net->layout->shape.dim;
  const R *gain = NET(value)(net, vt_net_block(net->layout, 0, VT_BLOCK_NORM_1));
  (void)worker;
  EACH_ROW(net, task) {
    R *to = route->to + row * dim;
    memset(to, 0, dim * sizeof *to);
    net->ops->norm_back(net->d_row + row * dim, block->input + row * dim, dim, gain, block->means_1[row],
                        block->scales_1[row], to);
    NET(drop)(net, SITE_EMBEDDING, row, to, dim);
  }
}

static void NET(route_copy_task)(void *context, size_t task, int worker) {
  const struct NET(route) *route = context;
  struct NET(net) *net = route->net;
  const size_t dim = net->layout->shape.dim;
  const R *from = route->less != NULL ? net->behind : net->residual;
  (void)worker;
  EACH_ROW(net, task) {
    R *to = route->to + row * dim;
    memcpy(to, from + row * dim, dim * sizeof *to);
    for (size_t k = 0; route->less != NULL && k < dim; k++) to[k] -= route->less[row * dim + k];
    NET(drop)(net, SITE_EMBEDDING, row, to, dim);
  }
}

/* A head's query, key or value: of d_qkv, rotated back already, its columns alone go through their rows of W and the
 * norm, both of which are linear in the gradient. */
static void NET(transformer_route)(struct NET(net) * net, size_t part, R *to) {
  const struct vt_net_shape *shape = &net->layout->shape;
  const size_t dim = shape->dim, width = dim / shape->heads, tasks = (net->rows + ROWS_A_TASK - 1) / ROWS_A_TASK;
  struct NET(route) route = {net, to, part == VT_ROUTE_MLP ? net->residual : NULL};
  if (part < VT_ROUTE_HEADS) {
    vt_tasks_run(net->pool, tasks, NET(route_copy_task), &route);
    return;
  }
  const struct vt_net_parameter *w = &net->layout->parameters[vt_net_block(net->layout, 0, VT_BLOCK_QKV)];
  const size_t column = (part - VT_ROUTE_HEADS) % 3 * dim + (part - VT_ROUTE_HEADS) / 3 * width;
  NET(multiply)
  (&net->gemm, net->ops, net->pool, net->rows, dim, width, (struct NET(factor)){net->d_qkv + column, 3 * dim, false},
   (struct NET(factor)){net->values + w->offset + column * w->stride, w->stride, true}, net->d_row, dim, false);
  vt_tasks_run(net->pool, tasks, NET(route_norm_task), &route);
}
