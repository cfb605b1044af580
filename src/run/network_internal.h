/* network_internal.h: what trains a network that was opened takes out of it. */
#ifndef VECTRAIL_RUN_NETWORK_INTERNAL_H
#define VECTRAIL_RUN_NETWORK_INTERNAL_H

#include "base/pool.h"
#include "network/shape.h"
#include "vectrail/network.h"
#include "vectrail/run.h"

/* All owned by the network. Its values may be changed. run: NULL for a published model. */
const struct vt_net_layout *vt_network_layout(const struct vt_network *network);
float *vt_network_values(struct vt_network *network);
struct vt_pool *vt_network_pool(struct vt_network *network);
struct vt_run *vt_network_run(struct vt_network *network);

#endif
