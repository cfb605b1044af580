/*
 * machine.h: which ranks run on one machine, and what those can do faster than by messages: look at the same memory.
 *
 * Ranks find each other's machines out by what the system says of itself (or by VECTRAIL_MACHINE, a name, where ranks
 * of one machine are to behave as if they were on several, or must not share memory). They are counted anew, machine by
 * machine: a rank's `order`. So the ranks of a machine are neighbours, and what is dealt by order lies together there.
 *
 * Where memory cannot be shared, every rank is a machine of its own: nothing but speed and memory is lost.
 */
#ifndef VECTRAIL_DIST_MACHINE_H
#define VECTRAIL_DIST_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "dist/ranks.h"

/* Part `rank` of `things` dealt to `size` ranks in one piece each begins here; it ends where the next begins. */
static inline uint32_t vt_deal(uint32_t things, int size, int rank) {
  return (uint32_t)((uint64_t)things * (uint64_t)rank / (uint64_t)size);
}

struct vt_machine_gate; /* where its ranks wait for each other, in memory that they share */

struct vt_machine {
  struct vt_ranks *ranks; /* borrowed; NULL: one process, which is a machine of one rank */
  int machines;           /* there are */
  int number;             /* of this one */
  int order;              /* of this rank */
  int begin;              /* the orders of this machine: begin .. end */
  int end;
  int *orders;                  /* by rank */
  int *at;                      /* by order: the rank */
  int *begins;                  /* by machine, and the end of the last */
  struct vt_machine_gate *gate; /* NULL where there is one rank */
};

/* Collective over all ranks. ranks NULL: one process. On error, which all ranks get, nothing is held. */
enum vt_status vt_machine_find(struct vt_ranks *ranks, struct vt_machine *machine, struct vt_error *error);
void vt_machine_release(struct vt_machine *machine); /* accepts an all-zero one */

static inline int vt_machine_ranks(const struct vt_machine *machine) { return machine->end - machine->begin; }
static inline bool vt_machine_leads(const struct vt_machine *machine) { return machine->order == machine->begin; }
static inline bool vt_machine_has(const struct vt_machine *machine, int order) {
  return order >= machine->begin && order < machine->end;
}

/* Memory, zeroed, that all ranks of this machine see, at places of their own; in huge pages where the system has them.
 * Collective over all ranks: all get it, or all the same error. bytes: the same on the ranks of a machine. */
struct vt_machine_memory {
  unsigned char *data;
  size_t bytes;
  void *mapping; /* of the system; NULL where there is one rank, or all are threads of one process */
  size_t mapping_bytes;
};
enum vt_status vt_machine_share(struct vt_machine *machine, size_t bytes, struct vt_machine_memory *memory,
                                struct vt_error *error);
/* Not collective, but where the ranks are threads all must have done with it. Accepts an all-zero one. */
void vt_machine_unshare(const struct vt_machine *machine, struct vt_machine_memory *memory);

/* From rank 0 to the first rank of each machine, which is rank 0 on its own: data[bytes], in pieces. Collective; the
 * other ranks have nothing to do, and see nothing of it before they next meet. */
enum vt_status vt_machine_spread(struct vt_machine *machine, void *data, size_t bytes, struct vt_error *error);

/* Waits for the other ranks of this machine; what they wrote before is visible after. VT_ERROR_IO: one of them has
 * ended. Costs some microseconds where the ranks have a processor each. */
enum vt_status vt_machine_meet(struct vt_machine *machine, struct vt_error *error);

#endif
