/* net_types_template.h: the declarations of net.h for one type R; see there. */

struct NET(factor) {
  const R *data; /* element (row, k): data[row stride + k], or by_depth data[k stride + row] */
  size_t stride;
  bool by_depth;
};

/* Room for the panels of a product's factors. */
struct NET(gemm) {
  R *a, *b;
  size_t capacity, depth_max;
};
/* What a factor of so many rows takes of it, in elements. */
size_t NET(gemm_floats)(size_t rows, size_t depth);
/* capacity: elements of each factor; larger products are made in parts, as are those deeper than depth_max, on which
 * the last bits depend. */
enum vt_status NET(gemm_init)(struct NET(gemm) * space, size_t capacity, size_t depth_max, struct vt_error *error);
void NET(gemm_release)(struct NET(gemm) * space); /* accepts an all-zero one */
/* C[m, n] = or += sum over k < depth of a(i, k) b(j, k), by all threads of the pool (NULL: by this one). */
void NET(multiply)(const struct NET(gemm) * space, const OPS *ops, struct vt_pool *pool, size_t m, size_t n,
                   size_t depth, struct NET(factor) a, struct NET(factor) b, R *c, size_t stride, bool add);

/* What a block keeps from forward to backward: rows of the batch. */
struct NET(block) {
  R *input;                                   /* x */
  R *norm_1;                                  /* [rows, dim] */
  R *qkv;                                     /* [rows, 3 dim] */
  R *heads;                                   /* [rows, dim]: what the heads give, side by side */
  R *sums;                                    /* [rows, heads]: log of the normaliser of each row's attention */
  R *middle;                                  /* x + attention */
  R *norm_2;                                  /* [rows, dim] */
  R *wide;                                    /* [rows, hidden] before GELU */
  R *active;                                  /* after */
  R *means_1, *scales_1, *means_2, *scales_2; /* of the norms: [rows] */
};

/* What one thread works with. */
struct NET(worker) {
  struct NET(gemm) gemm;
  R *scores, *slopes; /* [VT_ATTENTION_ROWS, context] */
  R *dropped;
};

struct NET(net) {
  const struct vt_net_layout *layout;
  const OPS *ops;
  struct vt_pool *pool;
  const R *values; /* the parameters, as layout says; borrowed, as is gradients */
  R *gradients;    /* added to */
  size_t rows_max; /* of a batch */
  struct NET(gemm) gemm;
  struct NET(worker) * workers;
  R *memory; /* all below */
  struct NET(block) * blocks;
  R *table_rows; /* nnlm: [rows, context dim] */
  R *hidden;     /* nnlm: [rows, hidden] */
  R *last;       /* [rows, dim]: after the last block; nnlm: not used */
  R *means, *scales;
  R *final;   /* [rows, width]: what the output matrix reads */
  R *d_final; /* its gradient, which a caller may write instead of vt_net_loss */
  R *d_x, *d_row, *d_qkv, *d_wide;
  R *residual, *behind; /* of the first block, for vt_net_route; NULL: not kept */
  R *d_input;           /* [rows, dim]; nnlm: [rows, context dim]: the gradient that goes into the table */
  R *logits;            /* [logit_rows, logit_stride] */
  size_t logit_rows, logit_stride;
  R *angles; /* rotary: [context, rotary / 2] cosines and as many sines; sinusoidal: [context, dim] */
  double *row_losses;
  size_t width; /* of final */
  /* Of the last forward: */
  const uint32_t *tokens;
  size_t count, length, rows;
  bool train;
  uint64_t key[2]; /* of dropout */
};

/* rows_max: sequences times their length; nnlm: samples. gradients: there will be backward passes; routes: and
 * vt_net_route. Then set values and gradients. */
enum vt_status NET(create)(const struct vt_net_layout *layout, const OPS *ops, struct vt_pool *pool, size_t rows_max,
                           bool gradients, bool routes, struct NET(net) * *net, struct vt_error *error);
void NET(free)(struct NET(net) * net); /* accepts NULL */

/* Fills in `final` for `count` sequences of `length` tokens (nnlm: of `context`), with dropout where train is set,
 * drawn from the stream of (seed, key). tokens is borrowed until the backward pass. */
void NET(forward)(struct NET(net) * net, const uint32_t *tokens, size_t count, size_t length, bool train, uint64_t seed,
                  uint64_t key);

struct NET(loss) {
  const uint32_t *targets; /* by row; VT_NO_TARGET: none */
  const R *weights;        /* by row; NULL: 1 */
  R scale;                 /* of the gradient */
  bool gradient;           /* fill in d_final, and add to the output matrix's gradient ... */
  R *output_gradient;      /* ... here instead, laid out as that matrix; or NULL */
  double *losses;          /* out, by row: - log P(target), 0 where there is none; or NULL */
};
/* sum over rows of weight (- log P(target)). */
double NET(loss)(struct NET(net) * net, const struct NET(loss) * loss);
/* The logits of one row of `final` into to[tokens]. */
void NET(row_logits)(struct NET(net) * net, size_t row, R *to);
/* The same of `count` rows, at most logit_rows, side by side: [count][logit_stride]. Needs a net with gradients, whose
 * d_final it overwrites. */
const R *NET(rows_logits)(struct NET(net) * net, const size_t *rows, size_t count);
/* From d_final to all gradients but the output matrix's, d_input among them; the table's own part is added by
 * vt_net_scatter, so that others can look at it first. */
void NET(backward)(struct NET(net) * net);
void NET(scatter)(struct NET(net) * net, const R *from, R *table, const uint32_t *slots);

/* The parts into which d_input falls (routes.h), after backward; part is vt_route's. to: [rows, dim]. */
void NET(route)(struct NET(net) * net, size_t part, R *to);
