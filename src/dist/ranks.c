/*
 * ranks.c: joining, and the collective calls. Few and small: what a training sends at every step goes straight through
 * vt_ranks_send and vt_ranks_receive (train/exchange.c).
 */
#define _GNU_SOURCE /* RTLD_DEFAULT's companions in dlfcn.h */
#include "dist/ranks.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

#define MODULE_NAME "vectrail_mpi.so"
#ifndef VECTRAIL_MODULES
#define VECTRAIL_MODULES "/usr/local/lib/vectrail"
#endif

struct vt_ranks {
  struct vt_transport *transport;
  struct vt_box box;
  bool broken;
};

int vt_ranks_rank(const struct vt_ranks *ranks) { return ranks == NULL ? 0 : ranks->transport->rank; }
int vt_ranks_size(const struct vt_ranks *ranks) { return ranks == NULL ? 1 : ranks->transport->size; }

void vt_ranks_break(struct vt_ranks *ranks) {
  if (ranks != NULL) ranks->broken = true;
}

enum vt_status vt_ranks_strange(struct vt_ranks *ranks, int from, const char *what, struct vt_error *error) {
  vt_ranks_break(ranks);
  return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, "start all ranks with the same build", "rank %d sent a message that %s",
                      from, what);
}

const struct vt_transport *vt_ranks_transport(const struct vt_ranks *ranks) { return ranks->transport; }

bool vt_ranks_reports(const struct vt_ranks *ranks) { return vt_ranks_rank(ranks) == 0 || ranks->broken; }

bool vt_ranks_all(struct vt_ranks *ranks, bool well) {
  struct vt_error error = {.status = VT_ERROR_ARGUMENT};
  return vt_ranks_agree(ranks, well ? VT_OK : VT_ERROR_ARGUMENT, &error) == VT_OK;
}

/* ---- memory of messages ------------------------------------------------------------------------------------------ */

static bool grow(struct vt_box *box, size_t bytes) {
  if (bytes <= box->capacity) return true;
  size_t capacity = bytes + bytes / 4;
  unsigned char *data = vt_alloc_aligned_raw(capacity, 1);
  if (data == NULL) return false;
  if (box->bytes > 0) memcpy(data, box->data, box->bytes);
  vt_free_aligned(box->data);
  box->data = data;
  box->capacity = capacity;
  return true;
}

void vt_box_release(struct vt_box *box) {
  vt_free_aligned(box->data);
  *box = (struct vt_box){0};
}

/* ---- joining and leaving ----------------------------------------------------------------------------------------- */

enum vt_status vt_ranks_over(struct vt_transport *transport, struct vt_ranks **out, struct vt_error *error) {
  struct vt_ranks *ranks = vt_alloc_zero(1, sizeof *ranks);
  if (ranks == NULL) return VT_FAIL_MEMORY(error, sizeof *ranks);
  transport->grow = grow;
  ranks->transport = transport;
  *out = ranks;
  return VT_OK;
}

/* How many processes were started with this one, as their starters say; 0 where nobody says anything. */
static long started_together(void) {
  static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"};
  for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
    const char *text = getenv(names[k]);
    if (text != NULL) return strtol(text, NULL, 10);
  }
  return 0;
}

/* Beside the command that runs (a build folder), else where it was installed. */
static void *open_module(char *reason, size_t bytes) {
  char path[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - sizeof MODULE_NAME - 1);
  void *module = NULL;
  if (length > 0) {
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    memcpy(slash == NULL ? path : slash + 1, MODULE_NAME, sizeof MODULE_NAME);
    /* Open MPI loads parts of its own, which look for its symbols among the global ones. */
    if (access(path, R_OK) == 0) module = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
  }
  if (module == NULL) module = dlopen(VECTRAIL_MODULES "/" MODULE_NAME, RTLD_NOW | RTLD_GLOBAL);
  if (module == NULL) {
    const char *why = dlerror();
    snprintf(reason, bytes, "%s", why == NULL ? "it is missing" : why);
  }
  return module;
}

enum vt_status vt_ranks_join(struct vt_ranks **ranks, struct vt_error *error) {
  static const char help[] =
      "install Open MPI's development package and build vectrail again, or start it without mpirun";
  *ranks = NULL;
  long together = started_together();
  if (together <= 1) return VT_OK;
  char reason[256] = "";
  void *module = open_module(reason, sizeof reason);
  if (module == NULL)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, help,
                        "%ld processes were started together, and this vectrail was built without MPI: %s", together,
                        reason);
  vt_transport_join_function *join;
  void *symbol = dlsym(module, VT_TRANSPORT_SYMBOL);
  memcpy(&join, &symbol, sizeof join); /* C has no conversion from an object's pointer to a function's */
  struct vt_transport *transport = symbol == NULL ? NULL : join(VT_TRANSPORT_VERSION, reason, sizeof reason);
  if (transport == NULL) return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, help, "cannot join the others: %s", reason);
  enum vt_status status = vt_ranks_over(transport, ranks, error);
  if (status != VT_OK) transport->abort(transport, EXIT_FAILURE);
  return status;
}

void vt_ranks_leave(struct vt_ranks *ranks) {
  if (ranks == NULL) return;
  if (ranks->broken) ranks->transport->abort(ranks->transport, EXIT_FAILURE);
  ranks->transport->leave(ranks->transport);
  vt_box_release(&ranks->box);
  vt_free(ranks);
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

static enum vt_status lost(struct vt_ranks *ranks, struct vt_error *error) {
  ranks->broken = true;
  return VT_FAIL_HELP(error, VT_ERROR_IO, "see what mpirun says about the other ranks",
                      "rank %d of %d lost touch with the others: %s", ranks->transport->rank, ranks->transport->size,
                      ranks->transport->reason);
}

enum vt_status vt_ranks_send(struct vt_ranks *ranks, int to, const void *data, size_t bytes, struct vt_error *error) {
  return ranks->transport->send(ranks->transport, to, data, bytes) ? VT_OK : lost(ranks, error);
}

enum vt_status vt_ranks_settle(struct vt_ranks *ranks, struct vt_error *error) {
  return ranks->transport->settle(ranks->transport) ? VT_OK : lost(ranks, error);
}

enum vt_status vt_ranks_receive(struct vt_ranks *ranks, int from, struct vt_box *box, struct vt_error *error) {
  return ranks->transport->receive(ranks->transport, from, box) ? VT_OK : lost(ranks, error);
}

/* ---- collective calls -------------------------------------------------------------------------------------------- */

enum vt_status vt_ranks_broadcast_box(struct vt_ranks *ranks, const void *data, size_t bytes, struct vt_box *box,
                                      struct vt_error *error) {
  int rank = vt_ranks_rank(ranks), size = vt_ranks_size(ranks), reach = 1;
  /* A binomial tree: who has it hands it on to the rank `reach` further. */
  for (; reach < size; reach *= 2) {
    if (rank >= reach && rank < 2 * reach) {
      VT_TRY(vt_ranks_receive(ranks, rank - reach, box, error));
      data = box->data;
      bytes = box->bytes;
    } else if (rank < reach && rank + reach < size) {
      VT_TRY(vt_ranks_send(ranks, rank + reach, data, bytes, error));
    }
  }
  return size > 1 ? vt_ranks_settle(ranks, error) : VT_OK;
}

static enum vt_status broadcast_piece(struct vt_ranks *ranks, void *data, size_t bytes, struct vt_error *error) {
  VT_TRY(vt_ranks_broadcast_box(ranks, data, bytes, &ranks->box, error));
  if (vt_ranks_rank(ranks) == 0) return VT_OK;
  if (ranks->box.bytes != bytes) {
    snprintf(ranks->transport->reason, sizeof ranks->transport->reason, "%zu bytes came, and not %zu", ranks->box.bytes,
             bytes);
    return lost(ranks, error);
  }
  memcpy(data, ranks->box.data, bytes);
  return VT_OK;
}

enum vt_status vt_ranks_broadcast(struct vt_ranks *ranks, void *data, size_t bytes, struct vt_error *error) {
  if (vt_ranks_size(ranks) == 1) return VT_OK;
  for (size_t at = 0; at < bytes; at += VT_RANKS_PIECE_BYTES)
    VT_TRY(broadcast_piece(ranks, (unsigned char *)data + at,
                           bytes - at < VT_RANKS_PIECE_BYTES ? bytes - at : VT_RANKS_PIECE_BYTES, error));
  return VT_OK;
}

enum vt_status vt_ranks_all_gather(struct vt_ranks *ranks, const void *mine, size_t bytes, void *all,
                                   struct vt_error *error) {
  int rank = vt_ranks_rank(ranks), size = vt_ranks_size(ranks);
  memcpy((unsigned char *)all + (size_t)rank * bytes, mine, bytes);
  for (int k = 1; k < size; k++) VT_TRY(vt_ranks_send(ranks, (rank + k) % size, mine, bytes, error));
  for (int k = 1; k < size; k++) {
    int from = (rank + size - k) % size;
    VT_TRY(vt_ranks_receive(ranks, from, &ranks->box, error));
    if (ranks->box.bytes != bytes) {
      snprintf(ranks->transport->reason, sizeof ranks->transport->reason, "rank %d sent %zu bytes, and not %zu", from,
               ranks->box.bytes, bytes);
      return lost(ranks, error);
    }
    memcpy((unsigned char *)all + (size_t)from * bytes, ranks->box.data, bytes);
  }
  return size > 1 ? vt_ranks_settle(ranks, error) : VT_OK;
}

void vt_ranks_failure_fill(struct vt_ranks_failure *failure, int rank, const struct vt_error *error) {
  *failure = (struct vt_ranks_failure){.status = (int32_t)error->status, .rank = rank};
  snprintf(failure->message, sizeof failure->message, "%s", error->message);
  snprintf(failure->help, sizeof failure->help, "%s", error->help);
}

enum vt_status vt_ranks_failure_raise(const struct vt_ranks_failure *failure, struct vt_error *error) {
  enum vt_status status = (enum vt_status)failure->status;
  const char *help = failure->help[0] == '\0' ? NULL : failure->help;
  if (failure->rank == 0) return VT_FAIL_HELP(error, status, help, "%s", failure->message);
  return VT_FAIL_HELP(error, status, help, "rank %d: %s", (int)failure->rank, failure->message);
}

enum vt_status vt_ranks_agree(struct vt_ranks *ranks, enum vt_status status, struct vt_error *error) {
  int size = vt_ranks_size(ranks), rank = vt_ranks_rank(ranks);
  if (size == 1 || ranks->broken) return status;
  struct vt_ranks_failure mine = {0};
  if (status != VT_OK) vt_ranks_failure_fill(&mine, rank, error);
  if (status != VT_OK) mine.status = (int32_t)status;
  struct vt_ranks_failure *all = vt_alloc((size_t)size, sizeof *all);
  if (all == NULL) {
    ranks->broken = true;
    return VT_FAIL_MEMORY(error, (size_t)size * sizeof *all);
  }
  enum vt_status agreed = vt_ranks_all_gather(ranks, &mine, sizeof mine, all, error);
  for (int r = 0; agreed == VT_OK && r < size; r++)
    if (all[r].status != VT_OK) agreed = vt_ranks_failure_raise(&all[r], error);
  vt_free(all);
  return agreed;
}
