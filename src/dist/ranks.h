/*
 * ranks.h: what a transport's messages are put together to.
 *
 * All calls are collective unless they say otherwise: every rank makes them in the same order. With ranks NULL there is
 * one process, and nothing to do. A failure of the network is VT_ERROR_IO and marks the ranks as broken: there is no
 * saying where the others stand, so the only way on is vt_ranks_leave, which then ends all of them.
 */
#ifndef VECTRAIL_DIST_RANKS_H
#define VECTRAIL_DIST_RANKS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "dist/transport.h"
#include "vectrail/ranks.h"

/* Over a transport that is open; it is the ranks' from here on. Not collective. */
enum vt_status vt_ranks_over(struct vt_transport *transport, struct vt_ranks **ranks, struct vt_error *error);

/* What carries the messages; not collective. */
const struct vt_transport *vt_ranks_transport(const struct vt_ranks *ranks);

/* Messages; not collective. Data sent must stay until vt_ranks_settle; *box lives until the next message of that rank.
 */
enum vt_status vt_ranks_send(struct vt_ranks *ranks, int to, const void *data, size_t bytes, struct vt_error *error);
enum vt_status vt_ranks_settle(struct vt_ranks *ranks, struct vt_error *error);
enum vt_status vt_ranks_receive(struct vt_ranks *ranks, int from, struct vt_box *box, struct vt_error *error);
void vt_box_release(struct vt_box *box); /* accepts an all-zero one */

/* What goes at once of something long, for a message is held beside where it goes. */
#define VT_RANKS_PIECE_BYTES ((size_t)16 << 20)

/* From rank 0 to all; bytes are the same everywhere. Holds a few MB of them a second time. */
enum vt_status vt_ranks_broadcast(struct vt_ranks *ranks, void *data, size_t bytes, struct vt_error *error);
/* From rank 0 to all, of any length: the others find it in *box. */
enum vt_status vt_ranks_broadcast_box(struct vt_ranks *ranks, const void *data, size_t bytes, struct vt_box *box,
                                      struct vt_error *error);
/* all[size x bytes] gets what each rank gave, in rank order. */
enum vt_status vt_ranks_all_gather(struct vt_ranks *ranks, const void *mine, size_t bytes, void *all,
                                   struct vt_error *error);
/* Every rank says how it fared: where all are well VT_OK; else the failure of the lowest rank that failed, with its
 * number in the message unless that is 0, on all. `error` holds this rank's where status is not VT_OK. */
enum vt_status vt_ranks_agree(struct vt_ranks *ranks, enum vt_status status, struct vt_error *error);

/* A failure as a message. */
struct vt_ranks_failure {
  int32_t status;
  int32_t rank;
  char message[512];
  char help[256];
};
void vt_ranks_failure_fill(struct vt_ranks_failure *failure, int rank, const struct vt_error *error);
/* Returns its status. */
enum vt_status vt_ranks_failure_raise(const struct vt_ranks_failure *failure, struct vt_error *error);

/* Says that this rank goes its own way: leaving then ends all processes. */
void vt_ranks_break(struct vt_ranks *ranks);
/* Rank `from` sent a message that `what` ("is too short"), which nobody can have sent: the ranks are broken. */
enum vt_status vt_ranks_strange(struct vt_ranks *ranks, int from, const char *what, struct vt_error *error);

#endif
