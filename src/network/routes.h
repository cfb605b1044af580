/*
 * routes.h: through which parts of a network the gradient of its token table came, exactly.
 *
 * The gradient of the table is the sum of what comes back through the output softmax (where the table is tied) and of
 * what comes back to the rows that were looked up. The latter, at x_0 = e + p, is again a sum, for the first block's
 * norm and maps are linear in the gradient: by the residual path (the gradient of what the block gives), by its MLP,
 * and by the query, key and value of each head. For nnlm the parts are the places of the context.
 *
 * For every step the length of each part is summed, and the products of the groups (output, residual, mlp, and all
 * heads' queries, keys and values) with each other. For the words of a ledger each part has a first moment of its own:
 * with h given, AdamW's step is linear in it, so their steps are the word's step but for rounding. A ledger that is
 * begun in the middle finds a moment whose parts nobody knows: its steps are the optimiser's.
 *
 * Memory: parts x (tokens of a step) rows, and twice the table where it is tied. Nothing of it reaches the training.
 */
#ifndef VECTRAIL_NETWORK_ROUTES_H
#define VECTRAIL_NETWORK_ROUTES_H

#include "base/error.h"
#include "network/net.h"
#include "network/update.h"
#include "train/engine.h"
#include "train/ledger.h"

#define VT_ROUTE_GROUPS 6

struct vt_routes {
  struct vt_net_net *net;
  const struct vt_net_layout *layout;
  size_t parts;  /* by way of the input */
  size_t groups; /* output and so on; 0 for nnlm */
  size_t dim, stride;
  uint32_t *slots; /* by token: its row in the parts, or VT_NO_TARGET */
  uint32_t *used;  /* the tokens that have one */
  size_t used_count, used_max;
  float *rows;                                         /* [parts][used_max][stride] */
  float *part;                                         /* [tokens of a batch][dim] */
  float *output;                                       /* [tokens][stride]: of one batch, or NULL */
  float *outputs;                                      /* of all batches of the step */
  double norms[VT_ROUTE_HEADS + 3 * VT_HEADS_MAX + 1]; /* of the last step; the output's is the last */
  double products[VT_ROUTE_GROUPS][VT_ROUTE_GROUPS];
  double *sums;    /* [parts + 1]: of norms, over all steps; a part of the engine's state */
  double *partial; /* of norms and products, by task */
  double *moments; /* [words][parts + 2][dim]: likewise, the last what was there before the ledger; NULL: no ledger */
  struct vt_ledger *ledger;
  float *before; /* [words][dim] */
};

/* tokens: that one step looks up, at most; rows: of a batch. */
enum vt_status vt_routes_init(struct vt_routes *routes, struct vt_net_net *net, size_t tokens, struct vt_error *error);
void vt_routes_release(struct vt_routes *routes); /* accepts an all-zero one */
/* Of the words of a ledger too; the update as it is before the first step that is booked. */
enum vt_status vt_routes_keep(struct vt_routes *routes, struct vt_ledger *ledger, const struct vt_update *update,
                              struct vt_error *error);

/* A step: begin; for each batch, after its backward pass, add; then, with the update prepared, measure; and around the
 * update's apply, before and after. */
void vt_routes_begin(struct vt_routes *routes);
void vt_routes_add(struct vt_routes *routes, size_t batch_tokens);
void vt_routes_measure(struct vt_routes *routes);
void vt_routes_before(struct vt_routes *routes, const struct vt_update *update);
void vt_routes_after(struct vt_routes *routes, const struct vt_update *update);

/* The role of a part, or of the output where part is `parts`. */
enum vt_ledger_role vt_routes_role(const struct vt_routes *routes, size_t part);
/* Hands out the measures of the last step. */
enum vt_status vt_routes_visit(const struct vt_routes *routes, vt_engine_metric_visit *visit, void *context,
                               struct vt_error *error);

#endif
