/*
 * nnlm_template.h: the feed-forward next-word model (Bengio, Ducharme, Vincent and Jauvin 2003, without their direct
 * connections and with ReLU): h = max(0, H [v_1 ... v_n] + b), P = softmax(O h + c).
 */
static void NET(nnlm_gather)(void *context, size_t task, int worker) {
  struct NET(net) *net = context;
  const struct vt_net_parameter *table = &net->layout->parameters[VT_NET_TABLE];
  const size_t places = net->length, dim = table->columns;
  (void)worker;
  for (size_t p = 0; p < places; p++)
    memcpy(net->table_rows + (task * places + p) * dim,
           net->values + table->offset + net->tokens[task * places + p] * table->stride, dim * sizeof(R));
}

static void NET(nnlm_activate)(void *context, size_t task, int worker) {
  struct NET(net) *net = context;
  const size_t hidden = net->layout->shape.hidden;
  R *row = net->final + task * hidden;
  (void)worker;
  net->ops->add(row, net->values + net->layout->parameters[VT_NNLM_HIDDEN_BIAS].offset, hidden);
  for (size_t k = 0; k < hidden; k++) row[k] = row[k] > 0 ? row[k] : row[k] - row[k]; /* a NaN stays one */
}

static void NET(nnlm_forward)(struct NET(net) * net) {
  const struct vt_net_parameter *hidden = &net->layout->parameters[VT_NNLM_HIDDEN];
  vt_tasks_run(net->pool, net->rows, NET(nnlm_gather), net);
  NET(multiply)
  (&net->gemm, net->ops, net->pool, net->rows, hidden->rows, hidden->columns,
   (struct NET(factor)){net->table_rows, hidden->columns, false},
   (struct NET(factor)){net->values + hidden->offset, hidden->stride, false}, net->final, hidden->rows, false);
  vt_tasks_run(net->pool, net->rows, NET(nnlm_activate), net);
}

static void NET(nnlm_slope)(void *context, size_t task, int worker) {
  struct NET(net) *net = context;
  const size_t hidden = net->layout->shape.hidden;
  (void)worker;
  for (size_t k = task * hidden; k < (task + 1) * hidden; k++)
    net->d_final[k] = net->final[k] > 0 ? net->d_final[k] : 0;
}

static void NET(nnlm_backward)(struct NET(net) * net) {
  const struct vt_net_parameter *hidden = &net->layout->parameters[VT_NNLM_HIDDEN];
  const size_t rows = net->rows, inputs = hidden->columns;
  vt_tasks_run(net->pool, rows, NET(nnlm_slope), net);
  NET(multiply)
  (&net->gemm, net->ops, net->pool, hidden->rows, inputs, rows, (struct NET(factor)){net->d_final, hidden->rows, true},
   (struct NET(factor)){net->table_rows, inputs, true}, net->gradients + hidden->offset, hidden->stride, true);
  NET(add_columns)
  (net, net->d_final, rows, hidden->rows, hidden->rows,
   net->gradients + net->layout->parameters[VT_NNLM_HIDDEN_BIAS].offset);
  NET(multiply)
  (&net->gemm, net->ops, net->pool, rows, inputs, hidden->rows, (struct NET(factor)){net->d_final, hidden->rows, false},
   (struct NET(factor)){net->values + hidden->offset, hidden->stride, true}, net->d_input, inputs, false);
}
