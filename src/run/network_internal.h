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
/* As vt_network_open, of a run that is open already: from then on it is the network's, also on error. */
enum vt_status vt_network_open_run(struct vt_run *run, int threads, struct vt_network **network,
                                   struct vt_error *error);
/* Dropout is no part of a model's file; it is 0 until it is set. */
void vt_network_set_dropout(struct vt_network *network, double dropout);

/* The words of a text as a run's text was read, for tokens that are no pieces of words; those that it does not have are
 * left out. end: what stands for a line end behind a line that holds any; UINT32_MAX: nothing. *ids:
 * vt_network_ids_free. */
enum vt_status vt_run_words(const struct vt_run *run, uint32_t end, const char *text, size_t bytes, uint32_t **ids,
                            size_t *count, struct vt_error *error);

#endif
