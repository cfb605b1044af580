/*
 * output_template.h: the softmax over the vocabulary, its loss and gradient, in stretches of rows so that the logits
 * stay bounded.
 */

/* What the output matrix is in the gradients, and how far apart its rows are. */
static const struct vt_net_parameter *NET(output_parameter)(const struct NET(net) * net) {
  return &net->layout->parameters[net->layout->output];
}

struct NET(softmax) {
  struct NET(net) * net;
  const struct NET(loss) * loss;
  size_t first, rows;
  const R *bias; /* NULL: none */
};

/* Rows ROWS_A_TASK at a time. */
#define ROWS_A_TASK 16

static void NET(softmax_task)(void *context, size_t task, int worker) {
  const struct NET(softmax) *softmax = context;
  struct NET(net) *net = softmax->net;
  const struct NET(loss) *loss = softmax->loss;
  const size_t tokens = net->layout->shape.tokens;
  size_t end = (task + 1) * ROWS_A_TASK < softmax->rows ? (task + 1) * ROWS_A_TASK : softmax->rows;
  (void)worker;
  for (size_t i = task * ROWS_A_TASK; i < end; i++) {
    R *row = net->logits + i * net->logit_stride;
    const size_t r = softmax->first + i;
    const uint32_t target = loss->targets[r];
    net->row_losses[r] = 0;
    if (target == VT_NO_TARGET) {
      if (loss->gradient) memset(row, 0, net->logit_stride * sizeof *row);
      continue;
    }
    if (softmax->bias != NULL) net->ops->add(row, softmax->bias, tokens);
    const R score = row[target], largest = net->ops->largest(row, tokens);
    const R sum = net->ops->exp_sum(row, tokens, largest);
    net->row_losses[r] = (double)largest + log((double)sum) - (double)score;
    if (!loss->gradient) continue;
    const R scale = loss->scale * (loss->weights == NULL ? 1 : loss->weights[r]);
    net->ops->multiply(row, tokens, scale / sum);
    row[target] -= scale;
  }
}

struct NET(columns) {
  const struct NET(net) * net;
  const R *from;
  size_t rows, columns, stride;
  R *to;
};

#define COLUMNS_A_TASK 64

static void NET(columns_task)(void *context, size_t task, int worker) {
  const struct NET(columns) *sum = context;
  size_t first = task * COLUMNS_A_TASK;
  size_t count = sum->columns - first < COLUMNS_A_TASK ? sum->columns - first : COLUMNS_A_TASK;
  (void)worker;
  for (size_t row = 0; row < sum->rows; row++)
    sum->net->ops->add(sum->to + first, sum->from + row * sum->stride + first, count);
}

/* to[columns] += the sum of the rows, in order. */
static void NET(add_columns)(const struct NET(net) * net, const R *from, size_t rows, size_t columns, size_t stride,
                             R *to) {
  struct NET(columns) sum = {net, from, rows, columns, stride, to};
  vt_tasks_run(net->pool, (columns + COLUMNS_A_TASK - 1) / COLUMNS_A_TASK, NET(columns_task), &sum);
}

static void NET(output_back)(struct NET(net) * net, const struct NET(loss) * loss, size_t first, size_t rows) {
  const struct vt_net_parameter *output = NET(output_parameter)(net);
  const size_t tokens = output->rows, width = net->width;
  const struct NET(factor) slopes = {net->logits, net->logit_stride, false};
  const struct NET(factor) slopes_by_row = {net->logits, net->logit_stride, true};
  NET(multiply)
  (&net->gemm, net->ops, net->pool, rows, width, tokens, slopes,
   (struct NET(factor)){net->values + output->offset, output->stride, true}, net->d_final + first * width, width,
   false);
  R *to = loss->output_gradient != NULL ? loss->output_gradient : net->gradients + output->offset;
  NET(multiply)
  (&net->gemm, net->ops, net->pool, tokens, width, rows, slopes_by_row,
   (struct NET(factor)){net->final + first * width, width, true}, to, output->stride, true);
  if (net->layout->shape.model == VT_MODEL_NNLM) NET(add_columns)
  (net, net->logits, rows, tokens, net->logit_stride,
   net->gradients + net->layout->parameters[VT_NNLM_OUTPUT_BIAS].offset);
}

static void NET(scores)(struct NET(net) * net, size_t first, size_t rows) {
  const struct vt_net_parameter *output = NET(output_parameter)(net);
  NET(multiply)
  (&net->gemm, net->ops, net->pool, rows, output->rows, net->width,
   (struct NET(factor)){net->final + first * net->width, net->width, false},
   (struct NET(factor)){net->values + output->offset, output->stride, false}, net->logits, net->logit_stride, false);
}

static const R *NET(output_bias)(const struct NET(net) * net) {
  if (net->layout->shape.model != VT_MODEL_NNLM) return NULL;
  return net->values + net->layout->parameters[VT_NNLM_OUTPUT_BIAS].offset;
}

const R *NET(rows_logits)(struct NET(net) * net, const size_t *rows, size_t count) {
  const struct vt_net_parameter *output = NET(output_parameter)(net);
  const R *bias = NET(output_bias)(net);
  for (size_t k = 0; k < count; k++)
    memcpy(net->d_final + k * net->width, net->final + rows[k] * net->width, net->width * sizeof *net->final);
  NET(multiply)
  (&net->gemm, net->ops, net->pool, count, output->rows, net->width,
   (struct NET(factor)){net->d_final, net->width, false},
   (struct NET(factor)){net->values + output->offset, output->stride, false}, net->logits, net->logit_stride, false);
  for (size_t k = 0; bias != NULL && k < count; k++)
    net->ops->add(net->logits + k * net->logit_stride, bias, net->layout->shape.tokens);
  return net->logits;
}

double NET(loss)(struct NET(net) * net, const struct NET(loss) * loss) {
  for (size_t first = 0; first < net->rows; first += net->logit_rows) {
    size_t rows = net->rows - first < net->logit_rows ? net->rows - first : net->logit_rows;
    struct NET(softmax) softmax = {net, loss, first, rows, NET(output_bias)(net)};
    NET(scores)(net, first, rows);
    vt_tasks_run(net->pool, (rows + ROWS_A_TASK - 1) / ROWS_A_TASK, NET(softmax_task), &softmax);
    if (loss->gradient) NET(output_back)(net, loss, first, rows);
  }
  double sum = 0;
  for (size_t row = 0; row < net->rows; row++) {
    sum += (loss->weights == NULL ? 1 : (double)loss->weights[row]) * net->row_losses[row];
    if (loss->losses != NULL) loss->losses[row] = net->row_losses[row];
  }
  return sum;
}

void NET(row_logits)(struct NET(net) * net, size_t row, R *to) {
  const size_t tokens = net->layout->shape.tokens;
  const R *bias = NET(output_bias)(net);
  NET(scores)(net, row, 1);
  if (bias != NULL) net->ops->add(net->logits, bias, tokens);
  memcpy(to, net->logits, tokens * sizeof *to);
}
