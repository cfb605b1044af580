/*
 * machine.c: finding out, and memory in common.
 *
 * Shared memory is a file without a name (memfd) that the first rank of a machine makes and the others open through
 * /proc: nothing is left behind however a job ends, and no mounted file system limits it. The system collapses it into
 * huge pages when told to (MADV_COLLAPSE), also where its own setting leaves shared memory in small ones; without them
 * training loses a third of its speed to address translation (train/working_set.h).
 *
 * The gate is a counter that the last rank to come turns into the next generation. Whoever waits spins for a moment,
 * and then sleeps in the kernel, looking up now and then whether the others are still alive.
 */
#define _GNU_SOURCE /* memfd_create, MAP_FIXED */
#include "dist/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/relax.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define HUGE_PAGE_BYTES ((size_t)2 << 20)
#define LAZY_BYTES (16 * HUGE_PAGE_BYTES)
#define SPIN_ROUNDS 2000
#define LOOK_UP_NANOSECONDS 200000000

/* ---- which ranks are where --------------------------------------------------------------------------------------- */

/* Ranks of one machine have the same. */
struct identity {
  char boot[64];
  char name[128];
  uint64_t processes; /* the namespace of their numbers */
};

static struct identity identify(const struct vt_transport *transport) {
  struct identity identity = {0};
  const char *name = transport->machine != NULL ? transport->machine : getenv("VECTRAIL_MACHINE");
  snprintf(identity.name, sizeof identity.name, "%s", name == NULL ? "" : name);
  if (transport->one_process) return identity;
  FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
  struct stat info;
  if (file == NULL || fgets(identity.boot, sizeof identity.boot, file) == NULL ||
      stat("/proc/self/ns/pid", &info) != 0) {
    snprintf(identity.boot, sizeof identity.boot, "rank %d", transport->rank); /* like no other */
  } else {
    identity.processes = (uint64_t)info.st_ino;
  }
  if (file != NULL) (void)fclose(file);
  return identity;
}

/* Counts ranks machine by machine, machines by their lowest rank. alone: each rank is a machine. */
static void count_anew(struct vt_machine *machine, const struct identity *all, bool alone) {
  int size = vt_ranks_size(machine->ranks), rank = vt_ranks_rank(machine->ranks), order = 0;
  machine->machines = 0;
  for (int r = 0; r < size; r++) machine->orders[r] = -1;
  for (int r = 0; r < size; r++) {
    if (machine->orders[r] >= 0) continue;
    machine->begins[machine->machines++] = order;
    for (int other = r; other < size; other++) {
      if (other != r && (alone || machine->orders[other] >= 0 || memcmp(&all[r], &all[other], sizeof *all) != 0))
        continue;
      machine->orders[other] = order;
      machine->at[order++] = other;
    }
  }
  machine->begins[machine->machines] = order;
  machine->order = machine->orders[rank];
  machine->number = 0;
  while (machine->begins[machine->number + 1] <= machine->order) machine->number++;
  machine->begin = machine->begins[machine->number];
  machine->end = machine->begins[machine->number + 1];
}

/* ---- shared memory ----------------------------------------------------------------------------------------------- */

/* What the first rank of a machine tells the others. */
struct offer {
  uint64_t bytes; /* of the mapping; 0: there is none */
  int32_t process;
  int32_t descriptor;
  uint64_t device;
  uint64_t inode;
  void *data; /* where all are threads of one process */
};

static size_t whole_pages(size_t bytes) { return (bytes + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES; }

/* Huge pages need a place that they fit at. descriptor -1: this process's own memory, zeros. */
static bool map(struct vt_machine_memory *memory, int descriptor) {
  size_t bytes = memory->bytes + HUGE_PAGE_BYTES;
  void *space = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (space == MAP_FAILED) return false;
  uintptr_t place = ((uintptr_t)space + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
  unsigned char *data = (unsigned char *)space + (place - (uintptr_t)space);
  memory->mapping = space;
  memory->mapping_bytes = bytes;
  int flags = MAP_FIXED | (descriptor < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
  if (mmap(data, memory->bytes, PROT_READ | PROT_WRITE, flags, descriptor, 0) == MAP_FAILED) {
    (void)munmap(space, bytes);
    memory->mapping = NULL;
    return false;
  }
  memory->data = data;
  return true;
}

/* The system would take pages from others to the last before it refuses a file in memory; what it says it has is asked
 * for first. */
static bool has_room(size_t bytes) {
  char line[128];
  uint64_t kibibytes = UINT64_MAX / 1024;
  FILE *file = fopen("/proc/meminfo", "re");
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, "MemAvailable:", 13) == 0) kibibytes = strtoull(line + 13, NULL, 10);
  if (file != NULL) (void)fclose(file);
  return bytes <= kibibytes * 1024;
}

static bool make(struct vt_machine_memory *memory, struct offer *offer) {
  struct stat info;
  if (!has_room(memory->bytes)) return false;
  int descriptor = memfd_create("vectrail", MFD_CLOEXEC);
  if (descriptor < 0) return false;
  /* The pages are taken now: what there is no room for is said here and not by a signal later. */
  if (posix_fallocate(descriptor, 0, (off_t)memory->bytes) != 0 || fstat(descriptor, &info) != 0 ||
      !map(memory, descriptor)) {
    (void)close(descriptor);
    return false;
  }
  (void)madvise(memory->data, memory->bytes, MADV_COLLAPSE); /* refused: as good, only slower */
  *offer = (struct offer){.bytes = memory->bytes,
                          .process = (int32_t)getpid(),
                          .descriptor = descriptor,
                          .device = (uint64_t)info.st_dev,
                          .inode = (uint64_t)info.st_ino};
  return true;
}

static bool take(struct vt_machine_memory *memory, const struct offer *offer) {
  char path[64];
  struct stat info;
  snprintf(path, sizeof path, "/proc/%" PRId32 "/fd/%" PRId32, offer->process, offer->descriptor);
  int descriptor = open(path, O_RDWR | O_CLOEXEC);
  bool taken = descriptor >= 0 && fstat(descriptor, &info) == 0 && (uint64_t)info.st_dev == offer->device &&
               (uint64_t)info.st_ino == offer->inode && map(memory, descriptor);
  if (descriptor >= 0) (void)close(descriptor);
  return taken;
}

static bool is_one_process(const struct vt_machine *machine) { return vt_ranks_transport(machine->ranks)->one_process; }

static enum vt_status share_as_leader(struct vt_machine *machine, size_t bytes, struct vt_machine_memory *memory,
                                      struct offer *offer, struct vt_error *error) {
  bool made;
  if (is_one_process(machine)) {
    offer->data = memory->data = vt_alloc_aligned(bytes, 1);
    made = memory->data != NULL;
    offer->bytes = made ? bytes : 0;
  } else {
    memory->bytes = whole_pages(bytes);
    made = make(memory, offer);
  }
  for (int order = machine->begin + 1; order < machine->end; order++)
    VT_TRY(vt_ranks_send(machine->ranks, machine->at[order], offer, sizeof *offer, error));
  VT_TRY(vt_ranks_settle(machine->ranks, error));
  return made ? VT_OK : VT_FAIL_MEMORY(error, bytes);
}

static enum vt_status share_as_follower(struct vt_machine *machine, size_t bytes, struct vt_machine_memory *memory,
                                        struct vt_error *error) {
  struct vt_box box = {0};
  struct offer offer = {0};
  enum vt_status status = vt_ranks_receive(machine->ranks, machine->at[machine->begin], &box, error);
  if (status == VT_OK && box.bytes == sizeof offer) memcpy(&offer, box.data, sizeof offer);
  vt_box_release(&box);
  VT_TRY(status);
  if (offer.bytes < bytes) return VT_FAIL_MEMORY(error, bytes);
  if (is_one_process(machine)) {
    memory->data = offer.data;
    return VT_OK;
  }
  memory->bytes = (size_t)offer.bytes;
  return take(memory, &offer)
             ? VT_OK
             : VT_FAIL(error, VT_ERROR_IO, "cannot map the memory of another rank: %s", strerror(errno));
}

/* Where there is no other to share it with. Much of a large piece is room for the worst case, which is seldom needed:
 * it takes no memory before it is written to. */
static bool take_alone(struct vt_machine_memory *memory) {
  if (memory->bytes < LAZY_BYTES) {
    memory->data = vt_alloc_aligned(memory->bytes, 1);
    return memory->data != NULL;
  }
  memory->bytes = whole_pages(memory->bytes);
  if (!map(memory, -1)) return false;
  (void)madvise(memory->data, memory->bytes, MADV_HUGEPAGE); /* refused: as good, only slower */
  return true;
}

enum vt_status vt_machine_share(struct vt_machine *machine, size_t bytes, struct vt_machine_memory *memory,
                                struct vt_error *error) {
  *memory = (struct vt_machine_memory){.bytes = bytes};
  struct offer offer = {.descriptor = -1};
  enum vt_status status = VT_OK;
  if (vt_machine_ranks(machine) > 1) {
    status = vt_machine_leads(machine) ? share_as_leader(machine, bytes, memory, &offer, error)
                                       : share_as_follower(machine, bytes, memory, error);
  } else {
    if (!take_alone(memory)) status = VT_FAIL_MEMORY(error, bytes);
  }
  if (machine->ranks != NULL) status = vt_ranks_agree(machine->ranks, status, error);
  if (offer.descriptor >= 0) (void)close(offer.descriptor);
  if (status != VT_OK) vt_machine_unshare(machine, memory);
  return status;
}

void vt_machine_unshare(const struct vt_machine *machine, struct vt_machine_memory *memory) {
  if (memory->mapping != NULL)
    (void)munmap(memory->mapping, memory->mapping_bytes);
  else if (memory->data != NULL && vt_machine_leads(machine))
    vt_free_aligned(memory->data);
  *memory = (struct vt_machine_memory){0};
}

static enum vt_status send_pieces(struct vt_machine *machine, int to, const unsigned char *data, size_t bytes,
                                  struct vt_error *error) {
  for (size_t at = 0; at < bytes; at += VT_RANKS_PIECE_BYTES)
    VT_TRY(vt_ranks_send(machine->ranks, to, data + at,
                         bytes - at < VT_RANKS_PIECE_BYTES ? bytes - at : VT_RANKS_PIECE_BYTES, error));
  return vt_ranks_settle(machine->ranks, error);
}

static enum vt_status receive_pieces(struct vt_machine *machine, unsigned char *data, size_t bytes,
                                     struct vt_error *error) {
  struct vt_box box = {0};
  enum vt_status status = VT_OK;
  for (size_t at = 0; at < bytes && status == VT_OK; at += box.bytes) {
    size_t piece = bytes - at < VT_RANKS_PIECE_BYTES ? bytes - at : VT_RANKS_PIECE_BYTES;
    status = vt_ranks_receive(machine->ranks, 0, &box, error);
    if (status != VT_OK) break;
    if (box.bytes != piece) {
      vt_ranks_break(machine->ranks);
      status = VT_FAIL(error, VT_ERROR_CORRUPT, "rank 0 sent %zu bytes, and not %zu", box.bytes, piece);
    } else {
      memcpy(data + at, box.data, piece);
    }
  }
  vt_box_release(&box);
  return status;
}

/* Rank 0 has order 0: machines are counted by their lowest rank. */
enum vt_status vt_machine_spread(struct vt_machine *machine, void *data, size_t bytes, struct vt_error *error) {
  if (!vt_machine_leads(machine)) return VT_OK;
  if (machine->order != 0) return receive_pieces(machine, data, bytes, error);
  for (int number = 1; number < machine->machines; number++)
    VT_TRY(send_pieces(machine, machine->at[machine->begins[number]], data, bytes, error));
  return VT_OK;
}

/* ---- the gate ---------------------------------------------------------------------------------------------------- */

struct vt_machine_gate {
  struct vt_machine_memory memory; /* of the state; this structure is each rank's own */
  struct gate_state *state;
};

struct gate_state {
  _Alignas(VT_CACHE_LINE_BYTES) atomic_uint arrived;
  _Alignas(VT_CACHE_LINE_BYTES) atomic_uint generation;
  _Alignas(VT_CACHE_LINE_BYTES) atomic_uint sleepers;
  _Alignas(VT_CACHE_LINE_BYTES) _Atomic int32_t processes[]; /* by order in this machine */
};

/* The word lies in memory that several processes share, so this is no private futex. */
static void sleep_on(atomic_uint *word, unsigned seen) {
  const struct timespec most = {.tv_nsec = LOOK_UP_NANOSECONDS};
  (void)syscall(SYS_futex, word, FUTEX_WAIT, seen, &most, NULL, 0);
}

static void wake_all(atomic_uint *word) { (void)syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0); }

/* A process that nobody has buried yet has ended too. */
static bool has_ended(pid_t process) {
  char path[64], line[256];
  if (kill(process, 0) != 0) return errno == ESRCH;
  snprintf(path, sizeof path, "/proc/%ld/stat", (long)process);
  FILE *file = fopen(path, "re");
  const char *name_end = file != NULL && fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
  if (file != NULL) (void)fclose(file);
  return name_end != NULL && strncmp(name_end, ") Z", 3) == 0;
}

/* The rank of one that has ended; -1: all are there. */
static int find_ended(const struct vt_machine *machine) {
  for (int order = machine->begin; order < machine->end; order++) {
    int32_t process = atomic_load(&machine->gate->state->processes[order - machine->begin]);
    if (process != 0 && has_ended((pid_t)process)) return machine->at[order];
  }
  return -1;
}

enum vt_status vt_machine_meet(struct vt_machine *machine, struct vt_error *error) {
  if (machine->gate == NULL) return VT_OK;
  struct gate_state *state = machine->gate->state;
  unsigned generation = atomic_load(&state->generation);
  if (atomic_fetch_add(&state->arrived, 1) + 1 == (unsigned)vt_machine_ranks(machine)) {
    atomic_store(&state->arrived, 0);
    atomic_store(&state->generation, generation + 1);
    if (atomic_load(&state->sleepers) > 0) wake_all(&state->generation);
    return VT_OK;
  }
  /* Of the machine: each rank may be bound to a processor of its own. */
  int rounds = vt_machine_ranks(machine) <= sysconf(_SC_NPROCESSORS_ONLN) ? SPIN_ROUNDS : 0;
  for (int k = 0; k < rounds; k++) {
    if (atomic_load_explicit(&state->generation, memory_order_acquire) != generation) return VT_OK;
    vt_relax();
  }
  atomic_fetch_add(&state->sleepers, 1);
  int ended = -1;
  while (ended < 0 && atomic_load(&state->generation) == generation) {
    sleep_on(&state->generation, generation);
    if (atomic_load(&state->generation) == generation) ended = find_ended(machine);
  }
  atomic_fetch_sub(&state->sleepers, 1);
  if (ended < 0) return VT_OK;
  vt_ranks_break(machine->ranks);
  return VT_FAIL_HELP(error, VT_ERROR_IO, "see what mpirun says about the other ranks",
                      "rank %d of %d has ended while others wait for it", ended, vt_ranks_size(machine->ranks));
}

static enum vt_status open_gate(struct vt_machine *machine, struct vt_error *error) {
  struct vt_machine_gate *gate = vt_alloc_zero(1, sizeof *gate);
  enum vt_status status = gate == NULL ? VT_FAIL_MEMORY(error, sizeof *gate) : VT_OK;
  status = vt_ranks_agree(machine->ranks, status, error);
  size_t count = (size_t)vt_machine_ranks(machine);
  if (status == VT_OK && gate != NULL) /* without it none would have agreed */
    status =
        vt_machine_share(machine, sizeof *gate->state + count * sizeof gate->state->processes[0], &gate->memory, error);
  if (status != VT_OK || gate == NULL) {
    vt_free(gate);
    return status;
  }
  gate->state = (struct gate_state *)(void *)gate->memory.data;
  atomic_store(&gate->state->processes[machine->order - machine->begin], (int32_t)getpid());
  machine->gate = gate;
  return VT_OK;
}

/* ---- finding out ------------------------------------------------------------------------------------------------- */

/* The first memory that is shared tells whether any can be. */
static enum vt_status find_machines(struct vt_machine *machine, struct identity *all, struct vt_error *error) {
  const struct identity mine = identify(vt_ranks_transport(machine->ranks));
  VT_TRY(vt_ranks_all_gather(machine->ranks, &mine, sizeof mine, all, error));
  count_anew(machine, all, false);
  if (machine->machines == vt_ranks_size(machine->ranks)) return VT_OK;
  enum vt_status status = open_gate(machine, error);
  if (status == VT_OK || status == VT_ERROR_MEMORY) return status;
  count_anew(machine, all, true);
  return VT_OK;
}

enum vt_status vt_machine_find(struct vt_ranks *ranks, struct vt_machine *machine, struct vt_error *error) {
  size_t size = (size_t)vt_ranks_size(ranks);
  *machine = (struct vt_machine){.ranks = ranks, .machines = 1, .end = 1};
  if (size == 1) return VT_OK;
  struct identity *all = vt_alloc(size, sizeof *all);
  machine->orders = vt_alloc(size, sizeof *machine->orders);
  machine->at = vt_alloc(size, sizeof *machine->at);
  machine->begins = vt_alloc(size + 1, sizeof *machine->begins);
  enum vt_status status = VT_OK;
  if (all == NULL || machine->orders == NULL || machine->at == NULL || machine->begins == NULL)
    status = VT_FAIL_MEMORY(error, size * sizeof *all);
  status = vt_ranks_agree(ranks, status, error);
  if (status == VT_OK) status = find_machines(machine, all, error);
  vt_free(all);
  if (status != VT_OK) vt_machine_release(machine);
  return status;
}

void vt_machine_release(struct vt_machine *machine) {
  if (machine->gate != NULL) vt_machine_unshare(machine, &machine->gate->memory);
  vt_free(machine->gate);
  vt_free(machine->orders);
  vt_free(machine->at);
  vt_free(machine->begins);
  *machine = (struct vt_machine){0};
}
