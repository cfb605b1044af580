/*
 * net.h: forward and backward through a network, in float (vt_net_...) and, from the same source text, in double
 * (vt_net_double_...) for finite differences.
 *
 * A pass is a series of phases, each of independent tasks of fixed size that threads share out; every sum is formed by
 * one thread in one order. So the same bits come out at any number of threads.
 */
#ifndef VECTRAIL_NETWORK_NET_H
#define VECTRAIL_NETWORK_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"
#include "kernel/dense.h"
#include "network/shape.h"

#define VT_NO_TARGET UINT32_MAX
#define VT_ATTENTION_ROWS 96 /* queries that are taken at once */

/* Parts of the gradient of the token table by way of the input: how it came through the first block. For nnlm parts are
 * the places of the context. */
enum { VT_ROUTE_RESIDUAL, VT_ROUTE_MLP, VT_ROUTE_HEADS }; /* then for each head its query, key and value */
static inline size_t vt_route_count(const struct vt_net_shape *shape) {
  return shape->model == VT_MODEL_NNLM ? shape->context : VT_ROUTE_HEADS + 3 * (size_t)shape->heads;
}

#define R float
#define OPS struct vt_dense
#define NET(name) vt_net_##name
#include "network/net_types_template.h"
#undef R
#undef OPS
#undef NET
#define R double
#define OPS struct vt_dense_double
#define NET(name) vt_net_double_##name
#include "network/net_types_template.h"
#undef R
#undef OPS
#undef NET

#endif
