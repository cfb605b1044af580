/*
 * shape.h: what a network is made of, and where its parameters lie in one array.
 *
 * Two kinds: the feed-forward next-word model (Bengio et al. 2003): the vectors of `context` words side by side, a
 * hidden layer with ReLU, a softmax over the vocabulary; and the decoder-only Transformer (Vaswani et al. 2017) with
 * the norm before each part (Radford et al. 2019).
 */
#ifndef VECTRAIL_NETWORK_SHAPE_H
#define VECTRAIL_NETWORK_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vectrail/train.h"

#define VT_HEADS_MAX 64

struct vt_net_shape {
  enum vt_model model; /* VT_MODEL_NNLM or VT_MODEL_TRANSFORMER */
  uint32_t tokens;     /* rows of the token table, and of the output matrix */
  uint32_t dim;
  uint32_t context; /* positions */
  uint32_t hidden;  /* nnlm: the hidden layer; Transformer: the wide layer of an MLP */
  uint32_t layers, heads;
  enum vt_positions positions;
  bool tied;       /* the output matrix is the token table */
  bool parallel;   /* attention and MLP read the same row (GPT-J, GPT-NeoX), not one after the other */
  bool exact_gelu; /* by erf, not by tanh */
  uint32_t rotary; /* even: how many of a head's dimensions are rotated, with VT_POSITIONS_ROTARY */
  double epsilon;  /* of the norms */
  double dropout;
};

/* Of the options, for a vocabulary of `words` and an end mark where `end` is set. */
struct vt_net_shape vt_net_shape_make(const struct vt_train_options *options, uint32_t words, bool end);

enum vt_start { VT_START_NORMAL, VT_START_UNIFORM, VT_START_ZERO, VT_START_ONE };

/* One matrix; vectors have one row. */
struct vt_net_parameter {
  char name[48]; /* as GPT-2's, for Transformers */
  size_t offset; /* in floats; a multiple of 16 */
  size_t rows, columns, stride;
  enum vt_start start;
  double spread; /* standard deviation, or the largest absolute value */
  bool decay;    /* it is a matrix, so AdamW shrinks it */
};

/* Places among the parameters. */
enum { VT_NET_TABLE = 0, VT_NNLM_HIDDEN = 1, VT_NNLM_HIDDEN_BIAS, VT_NNLM_OUTPUT, VT_NNLM_OUTPUT_BIAS };
enum vt_block_parameter {
  VT_BLOCK_NORM_1,
  VT_BLOCK_NORM_1_BIAS,
  VT_BLOCK_QKV,
  VT_BLOCK_QKV_BIAS,
  VT_BLOCK_PROJECTION,
  VT_BLOCK_PROJECTION_BIAS,
  VT_BLOCK_NORM_2,
  VT_BLOCK_NORM_2_BIAS,
  VT_BLOCK_WIDE,
  VT_BLOCK_WIDE_BIAS,
  VT_BLOCK_NARROW,
  VT_BLOCK_NARROW_BIAS,
  VT_BLOCK_PARAMETERS
};

struct vt_net_layout {
  struct vt_net_shape shape;
  struct vt_net_parameter *parameters;
  size_t count;
  size_t positions;         /* place of the learned positions; 0: there are none */
  size_t blocks;            /* place of the first block's first */
  size_t last_norm;         /* gain; the bias behind it */
  size_t output;            /* the output matrix, which may be the table */
  size_t floats;            /* in all, pads included */
  size_t parameters_in_all; /* without pads */
};

enum vt_status vt_net_layout_init(struct vt_net_layout *layout, const struct vt_net_shape *shape,
                                  struct vt_error *error);
void vt_net_layout_release(struct vt_net_layout *layout); /* accepts an all-zero one */
static inline size_t vt_net_block(const struct vt_net_layout *layout, size_t layer, enum vt_block_parameter which) {
  return layout->blocks + layer * VT_BLOCK_PARAMETERS + (size_t)which;
}

/* The start: a pure function of the seed and of each parameter's place. */
void vt_net_start(const struct vt_net_layout *layout, uint64_t seed, float *values);

#endif
