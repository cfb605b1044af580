/* double_network.h: a network in double, whose slopes are held against finite differences. */
#ifndef VECTRAIL_TESTS_SUPPORT_DOUBLE_NETWORK_H
#define VECTRAIL_TESTS_SUPPORT_DOUBLE_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "network/net.h"

struct vtt_doubles {
  struct vt_net_layout layout;
  struct vt_pool *pool;
  struct vt_net_double_net *net;
  double *values, *gradients; /* zeros at first */
};

/* rows: of a batch; routes: as vt_net_create. */
void vtt_doubles_open(struct vtt_doubles *doubles, const struct vt_net_shape *shape, size_t rows, bool routes);
void vtt_doubles_close(struct vtt_doubles *doubles);

/* Draws all values between -1/2 and 1/2, from a stream of its own for each key, and asserts that the gradient of a loss
 * is its slope by them, of every third element of a row. loss: computes it, and with `gradient` adds that to gradients.
 */
typedef double vtt_loss(struct vtt_doubles *doubles, bool gradient);
void vtt_check_slopes(struct vtt_doubles *doubles, uint64_t key, vtt_loss *loss);

#endif
