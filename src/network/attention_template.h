/*
 * attention_template.h: causal attention of many heads (Vaswani et al. 2017, equation 1), VT_ATTENTION_ROWS queries at
 * a time. Of the scores only the logarithm of each row's normaliser is kept for the backward pass, which computes them
 * again (as Dao et al. 2022 do): so memory does not grow with the square of the length.
 */
struct NET(head) { /* where a head's part of a sequence lies */
  const R *q, *k, *v;
  size_t stride, width;
  size_t length;
  R factor; /* 1 / sqrt(width) */
};

static struct NET(head) NET(head_of)(const struct NET(net) * net, const R *qkv, size_t task) {
  const size_t heads = net->layout->shape.heads, dim = net->layout->shape.dim, width = dim / heads;
  const R *q = qkv + task / heads * net->length * 3 * dim + task % heads * width;
  return (struct NET(head)){q, q + dim, q + 2 * dim, 3 * dim, width, net->length, 1 / (R)sqrt((double)width)};
}

/* Multiplies by 0, or by 1 / (1 - dropout): the same each time it is asked for the same row. */
static void NET(drop)(const struct NET(net) * net, uint64_t site, uint64_t row, R *x, size_t n) {
  const double dropout = net->layout->shape.dropout;
  if (!net->train || dropout == 0) return;
  struct vt_rng rng = vt_rng_make(VT_RNG_DROPOUT, net->key[0], net->key[1] * 256 + site, row);
  const R keep = (R)(1 / (1 - dropout));
  const uint32_t limit = (uint32_t)(dropout * 4294967296.0);
  for (size_t k = 0; k < n; k += 2) {
    uint64_t draw = vt_rng_next(&rng);
    x[k] = (uint32_t)draw < limit ? 0 : x[k] * keep;
    if (k + 1 < n) x[k + 1] = (uint32_t)(draw >> 32) < limit ? 0 : x[k + 1] * keep;
  }
}

/* The scores of queries first .. first + rows against the keys up to theirs. */
static void NET(head_scores)(const struct NET(net) * net, struct NET(worker) * worker, const struct NET(head) * head,
                             size_t first, size_t rows) {
  NET(multiply)
  (&worker->gemm, net->ops, NULL, rows, first + rows, head->width,
   (struct NET(factor)){head->q + first * head->stride, head->stride, false},
   (struct NET(factor)){head->k, head->stride, false}, worker->scores, net->length, false);
}

struct NET(attention) {
  struct NET(net) * net;
  struct NET(block) * block;
  size_t layer;
};

static void NET(attention_task)(void *context, size_t task, int worker_number) {
  const struct NET(attention) *attention = context;
  struct NET(net) *net = attention->net;
  struct NET(worker) *worker = &net->workers[worker_number];
  const size_t heads = net->layout->shape.heads, dim = net->layout->shape.dim, length = net->length;
  const struct NET(head) head = NET(head_of)(net, attention->block->qkv, task);
  const size_t sequence = task / heads * length;
  R *out = attention->block->heads + sequence * dim + task % heads * head.width;
  for (size_t first = 0; first < length; first += VT_ATTENTION_ROWS) {
    size_t rows = length - first < VT_ATTENTION_ROWS ? length - first : VT_ATTENTION_ROWS;
    NET(head_scores)(net, worker, &head, first, rows);
    for (size_t i = 0; i < rows; i++) {
      R *row = worker->scores + i * length;
      size_t seen = first + i + 1;
      net->ops->multiply(row, seen, head.factor);
      R largest = net->ops->largest(row, seen), sum = net->ops->exp_sum(row, seen, largest);
      attention->block->sums[(sequence + first + i) * heads + task % heads] = largest + (R)log((double)sum);
      net->ops->multiply(row, seen, 1 / sum);
      NET(drop)(net, 4 * attention->layer + 2, (sequence + first + i) * heads + task % heads, row, seen);
      memset(row + seen, 0, (first + rows - seen) * sizeof *row);
    }
    NET(multiply)
    (&worker->gemm, net->ops, NULL, rows, head.width, first + rows, (struct NET(factor)){worker->scores, length, false},
     (struct NET(factor)){head.v, head.stride, true}, out + first * dim, dim, false);
  }
}

/* With P the attention and G the gradient of what the head gives: dV = P' G; dP = G V'; dS = P (dP - rowsum(P dP)). */
static void NET(attention_back_task)(void *context, size_t task, int worker_number) {
  const struct NET(attention) *attention = context;
  struct NET(net) *net = attention->net;
  struct NET(worker) *worker = &net->workers[worker_number];
  const size_t heads = net->layout->shape.heads, dim = net->layout->shape.dim, length = net->length;
  const struct NET(head) head = NET(head_of)(net, attention->block->qkv, task);
  const size_t sequence = task / heads * length, width = head.width;
  const R *slope = net->d_row + sequence * dim + task % heads * width;
  R *dq = net->d_qkv + sequence * 3 * dim + task % heads * width, *dk = dq + dim, *dv = dk + dim;
  for (size_t i = 0; i < length; i++) {
    memset(dk + i * 3 * dim, 0, width * sizeof *dk);
    memset(dv + i * 3 * dim, 0, width * sizeof *dv);
  }
  for (size_t first = 0; first < length; first += VT_ATTENTION_ROWS) {
    size_t rows = length - first < VT_ATTENTION_ROWS ? length - first : VT_ATTENTION_ROWS, keys = first + rows;
    NET(head_scores)(net, worker, &head, first, rows);
    NET(multiply)
    (&worker->gemm, net->ops, NULL, rows, keys, width, (struct NET(factor)){slope + first * dim, dim, false},
     (struct NET(factor)){head.v, head.stride, false}, worker->slopes, length, false);
    for (size_t i = 0; i < rows; i++) {
      R *row = worker->scores + i * length, *d = worker->slopes + i * length;
      const size_t seen = first + i + 1, r = (sequence + first + i) * heads + task % heads;
      net->ops->multiply(row, seen, head.factor);
      net->ops->exp_sum(row, seen, attention->block->sums[r]);
      NET(drop)(net, 4 * attention->layer + 2, r, d, seen);
      R product = net->ops->dot(row, d, seen);
      net->ops->softmax_back(row, d, seen, product, head.factor, d);
      NET(drop)(net, 4 * attention->layer + 2, r, row, seen);
      memset(row + seen, 0, (keys - seen) * sizeof *row);
      memset(d + seen, 0, (keys - seen) * sizeof *d);
    }
    NET(multiply)
    (&worker->gemm, net->ops, NULL, rows, width, keys, (struct NET(factor)){worker->slopes, length, false},
     (struct NET(factor)){head.k, head.stride, true}, dq + first * 3 * dim, 3 * dim, false);
    NET(multiply)
    (&worker->gemm, net->ops, NULL, keys, width, rows, (struct NET(factor)){worker->slopes, length, true},
     (struct NET(factor)){head.q + first * head.stride, head.stride, true}, dk, 3 * dim, true);
    NET(multiply)
    (&worker->gemm, net->ops, NULL, keys, width, rows, (struct NET(factor)){worker->scores, length, true},
     (struct NET(factor)){slope + first * dim, dim, true}, dv, 3 * dim, true);
  }
}
