/*
 * transport.h: messages between the processes that train together; whoever carries them implements this.
 *
 * One thread of each process calls. Messages from one rank to another arrive in the order in which they were sent.
 * mpi.c carries them over MPI; tests carry them between threads. Everything collective is made of these (ranks.c), so
 * that another network needs no more than this.
 */
#ifndef VECTRAIL_DIST_TRANSPORT_H
#define VECTRAIL_DIST_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>

/* What was received last from a rank; grows as it must and keeps its memory, aligned to a cache line. */
struct vt_box {
  unsigned char *data;
  size_t bytes;
  size_t capacity;
};

/* Functions return false where the network failed, with a sentence in reason. */
struct vt_transport {
  int rank; /* of this process, 0 .. size-1 */
  int size;
  /* Of a test: the ranks are threads of one process, so that a pointer of one is one of all; the name of the machine
   * that this rank is to take itself to be on. */
  bool one_process;
  const char *machine;
  char reason[256];
  bool (*grow)(struct vt_box *box, size_t bytes); /* set by whoever opened the transport; false: out of memory */
  /* Begins to send; the data must stay as they are until `settle`. */
  bool (*send)(struct vt_transport *transport, int to, const void *data, size_t bytes);
  /* Waits until all that was sent is on its way and its memory free again. */
  bool (*settle)(struct vt_transport *transport);
  /* Waits for the next message of a rank. */
  bool (*receive)(struct vt_transport *transport, int from, struct vt_box *box);
  /* Ends all processes at once, this one with the status; does not return. */
  void (*abort)(struct vt_transport *transport, int status);
  /* Waits for the others to leave too; the transport is gone afterwards. */
  void (*leave)(struct vt_transport *transport);
};

/* What a module of this interface exports, under the name VT_TRANSPORT_SYMBOL: joins the processes that were started
 * together. NULL, with a sentence in reason[reason_bytes], where that cannot be done. `version` must be
 * VT_TRANSPORT_VERSION of both sides. */
#define VT_TRANSPORT_VERSION 2
#define VT_TRANSPORT_SYMBOL "vt_transport_join"
typedef struct vt_transport *vt_transport_join_function(int version, char *reason, size_t reason_bytes);

#endif
