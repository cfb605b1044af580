/*
 * mpi.c: messages over MPI. A module of its own, the only file that sees mpi.h, loaded when mpirun has started the
 * process (ranks.c): the library and the command do not need MPI to be there.
 *
 * The size of a message is asked for when it has come (MPI_Mprobe), so nobody has to announce it. A message of
 * PIECE_BYTES is followed by another piece of it: pieces are short enough to be sent without being asked for.
 */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#include "dist/transport.h"

#define PIECE_BYTES ((size_t)1 << 20)
#define TAG 7
#define EAGER_BYTES "1052672" /* a piece and the head that MPI puts before it */

struct mpi_transport {
  struct vt_transport base;
  MPI_Comm comm;
  MPI_Request *requests;
  int request_count;
  int request_capacity;
};

static bool failed(struct mpi_transport *mpi, const char *what, int code) {
  char text[MPI_MAX_ERROR_STRING] = "";
  int bytes = 0;
  MPI_Error_string(code, text, &bytes);
  snprintf(mpi->base.reason, sizeof mpi->base.reason, "%s: %.200s", what, text);
  return false;
}

static bool send_piece(struct mpi_transport *mpi, int to, const void *data, size_t bytes) {
  if (mpi->request_count == mpi->request_capacity) {
    int capacity = 2 * mpi->request_capacity + 16;
    MPI_Request *requests = realloc(mpi->requests, (size_t)capacity * sizeof *requests);
    if (requests == NULL) {
      snprintf(mpi->base.reason, sizeof mpi->base.reason, "out of memory");
      return false;
    }
    mpi->requests = requests;
    mpi->request_capacity = capacity;
  }
  int code = MPI_Isend(data, (int)bytes, MPI_BYTE, to, TAG, mpi->comm, &mpi->requests[mpi->request_count]);
  if (code != MPI_SUCCESS) return failed(mpi, "cannot send", code);
  mpi->request_count++;
  return true;
}

static bool send_message(struct vt_transport *transport, int to, const void *data, size_t bytes) {
  struct mpi_transport *mpi = (struct mpi_transport *)transport;
  const unsigned char *at = data;
  for (; bytes >= PIECE_BYTES; at += PIECE_BYTES, bytes -= PIECE_BYTES)
    if (!send_piece(mpi, to, at, PIECE_BYTES)) return false;
  return send_piece(mpi, to, at, bytes);
}

static bool settle(struct vt_transport *transport) {
  struct mpi_transport *mpi = (struct mpi_transport *)transport;
  int code = MPI_Waitall(mpi->request_count, mpi->requests, MPI_STATUSES_IGNORE);
  mpi->request_count = 0;
  return code == MPI_SUCCESS || failed(mpi, "cannot send", code);
}

static bool receive(struct vt_transport *transport, int from, struct vt_box *box) {
  struct mpi_transport *mpi = (struct mpi_transport *)transport;
  box->bytes = 0;
  for (;;) {
    MPI_Message message;
    MPI_Status status;
    int bytes = 0;
    int code = MPI_Mprobe(from, TAG, mpi->comm, &message, &status);
    if (code == MPI_SUCCESS) code = MPI_Get_count(&status, MPI_BYTE, &bytes);
    if (code != MPI_SUCCESS) return failed(mpi, "cannot receive", code);
    if (!transport->grow(box, box->bytes + (size_t)bytes)) {
      snprintf(transport->reason, sizeof transport->reason, "out of memory for a message of %d bytes", bytes);
      return false;
    }
    code = MPI_Mrecv(box->data + box->bytes, bytes, MPI_BYTE, &message, MPI_STATUS_IGNORE);
    if (code != MPI_SUCCESS) return failed(mpi, "cannot receive", code);
    box->bytes += (size_t)bytes;
    if ((size_t)bytes < PIECE_BYTES) return true;
  }
}

static void abort_all(struct vt_transport *transport, int status) {
  MPI_Abort(((struct mpi_transport *)transport)->comm, status);
  _Exit(status);
}

static void leave(struct vt_transport *transport) {
  struct mpi_transport *mpi = (struct mpi_transport *)transport;
  MPI_Comm_free(&mpi->comm);
  MPI_Finalize();
  free(mpi->requests);
  free(mpi);
}

/* Open MPI sends what is longer than its limit over TCP only when the receiver asks for it, and that word waits behind
 * whatever the receiver itself is sending: on a link of 1 Gbit/s a training takes a third longer. Here both sides
 * receive as soon as they have sent, so the limit is a piece. Who has set these keeps what he set. */
static void send_at_once(void) {
  static const char *const names[] = {"OMPI_MCA_btl_tcp_eager_limit", "OMPI_MCA_btl_tcp_rndv_eager_limit",
                                      "OMPI_MCA_btl_tcp_max_send_size"};
  for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) (void)setenv(names[k], EAGER_BYTES, 0);
}

struct vt_transport *vt_transport_join(int version, char *reason, size_t reason_bytes);

__attribute__((visibility("default"))) struct vt_transport *vt_transport_join(int version, char *reason,
                                                                              size_t reason_bytes) {
  if (version != VT_TRANSPORT_VERSION) {
    snprintf(reason, reason_bytes, "the MPI module is of another version of vectrail");
    return NULL;
  }
  struct mpi_transport *mpi = calloc(1, sizeof *mpi);
  int level = 0, ready = 0;
  MPI_Initialized(&ready);
  send_at_once();
  if (mpi == NULL || (!ready && MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level) != MPI_SUCCESS) ||
      MPI_Comm_dup(MPI_COMM_WORLD, &mpi->comm) != MPI_SUCCESS) {
    snprintf(reason, reason_bytes, "MPI cannot be started");
    free(mpi);
    return NULL;
  }
  MPI_Comm_set_errhandler(mpi->comm, MPI_ERRORS_RETURN);
  mpi->base = (struct vt_transport){
      .send = send_message, .settle = settle, .receive = receive, .abort = abort_all, .leave = leave};
  MPI_Comm_rank(mpi->comm, &mpi->base.rank);
  MPI_Comm_size(mpi->comm, &mpi->base.size);
  return &mpi->base;
}
