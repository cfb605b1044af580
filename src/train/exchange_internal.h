/*
 * exchange_internal.h: the parts of the exchange, for the files that it is made of: exchange.c (making, rounds and what
 * ranks agree on in them), exchange_blocks.c and exchange_rows.c (the two halves of a superstep), exchange_fetch.c
 * (rows of dealt tables), exchange_wish.c (what rank 0 wants). Nobody else includes it.
 *
 * A message begins with a head of 64 bytes. Rows travel as the tables hold them, `width` floats, in messages whose
 * parts begin at cache lines, so that the merge reads them where they arrived. What comes in is held against what it
 * may be before it is used: a rank of another build or with broken memory must not write anywhere.
 *
 * Threads: all messages are sent and received by the thread that trains; packing is shared out.
 */
#ifndef VECTRAIL_TRAIN_EXCHANGE_INTERNAL_H
#define VECTRAIL_TRAIN_EXCHANGE_INTERNAL_H

#include "train/exchange.h"

enum vt_exchange_kind {
  KIND_BLOCK = 1,
  KIND_NOTHING,
  KIND_ROWS,
  KIND_FAILED,
  KIND_COLLECT,
  KIND_COLLECT_ALL, /* squares too */
  KIND_STOP,
  KIND_REQUEST,
  KIND_REPLY
};

#define VT_EXCHANGE_MAGIC UINT32_C(0x56544d32)

struct vt_exchange_head {
  uint32_t magic;
  uint32_t kind;
  uint64_t step;
  uint32_t messages; /* of its sender in this round, this one included */
  uint32_t block;
  uint64_t tokens;
  uint64_t loss_pairs;
  double loss_sum;
  uint32_t rows[VT_TABLE_COUNT]; /* KIND_BLOCK, KIND_REQUEST, KIND_REPLY */
  uint32_t chunks;               /* KIND_ROWS */
  uint32_t reserved;
};
_Static_assert(sizeof(struct vt_exchange_head) == VT_CACHE_LINE_BYTES, "what follows a head begins at a cache line");

struct vt_exchange_failure {
  struct vt_exchange_head head;
  struct vt_ranks_failure failure;
};

/* What a block of this machine tells the other ranks there, which have its sets before them. */
struct vt_exchange_told {
  uint64_t tokens;
  uint64_t loss_pairs;
  double loss_sum;
  uint32_t count[VT_TABLE_COUNT];
  uint32_t shard_start[VT_TABLE_COUNT][VT_SHARDS + 1];
};

/* What a rank tells the others of its machine when it comes to the gate. There are two for each, in turn: one may be
 * read while the next is written. */
struct vt_exchange_slot {
  _Alignas(VT_CACHE_LINE_BYTES) uint32_t kind; /* of rank 0: what it wants */
  bool failed;
  struct vt_ranks_failure failure;
};

/* A cache line each: the ranks count on both. */
struct vt_exchange_counters {
  struct {
    _Alignas(VT_CACHE_LINE_BYTES) atomic_uint next;
  } phases[2];
};

struct vt_exchange {
  struct vt_exchange_parts parts;
  struct vt_machine *machine;
  int size; /* ranks in all */
  size_t row_bytes;
  bool over;
  bool sends;       /* there are other machines */
  unsigned meeting; /* the number of the next: which slot is to be written */

  uint64_t step;
  uint32_t block_count;
  uint32_t own_begin; /* blocks */
  uint32_t own_end;
  uint32_t shard_begin;
  uint32_t shard_end;

  unsigned char *packed; /* of this rank's blocks, `slot_bytes` each */
  size_t slot_bytes;
  uint32_t slots;
  size_t *segments; /* slots x (size + 1): where the message for each order begins in its slot */
  struct vt_working_set *received[VT_TABLE_COUNT]; /* by block */
  const struct vt_working_set *
      *own[VT_TABLE_COUNT];         /* by block: what sets[] holds where it is trained on this machine */
  uint32_t *identity;               /* 0, 1, 2 ... */
  struct vt_box *boxes;             /* by block */
  struct vt_box *firsts;            /* by order: heads without a block, rows */
  struct vt_exchange_failure alone; /* a message without rows, while it is sent; of most, the head alone */

  struct vt_exchange_wanted_rows *wanted; /* NULL where tables are whole */

  unsigned char *merged;
  size_t merged_capacity;
  atomic_size_t merged_bytes;
  atomic_uint merged_chunks;
};

static inline size_t vt_whole_lines(size_t bytes) {
  return (bytes + VT_CACHE_LINE_BYTES - 1) & ~(size_t)(VT_CACHE_LINE_BYTES - 1);
}

/* What a round came to. */
struct vt_exchange_outcome {
  enum vt_exchange_kind zero; /* what rank 0 sent first */
  bool failed;
  struct vt_ranks_failure failure; /* of the lowest rank that failed */
};

/* ---- exchange.c -------------------------------------------------------------------------------------------------- */

struct vt_exchange_head vt_exchange_head(const struct vt_exchange *exchange, enum vt_exchange_kind kind,
                                         uint32_t messages);
/* vt_ranks_strange, by the order of the sender. */
enum vt_status vt_exchange_strange(struct vt_exchange *exchange, int from, const char *what, struct vt_error *error);
/* Whoever is wanted, by order: all ranks of other machines; or, of those, one a machine. */
typedef bool vt_exchange_wanted(const struct vt_exchange *exchange, int order);
bool vt_exchange_is_elsewhere(const struct vt_exchange *exchange, int order);
/* to: a rank's order. The data must stay until the round has ended. */
enum vt_status vt_exchange_send(struct vt_exchange *exchange, int to, const void *data, size_t bytes,
                                struct vt_error *error);
/* A message with its head; from: a rank's order. */
enum vt_status vt_exchange_receive(struct vt_exchange *exchange, int from, struct vt_box *box,
                                   struct vt_exchange_head *head, struct vt_error *error);
/* Notes what a first message says of its sender. */
void vt_exchange_note(struct vt_exchange *exchange, struct vt_exchange_outcome *outcome, int from,
                      const struct vt_exchange_head *head, const struct vt_box *box);
/* What all do when one has failed. */
enum vt_status vt_exchange_fail(struct vt_exchange *exchange, const struct vt_exchange_outcome *outcome,
                                struct vt_error *error);

/* What a round is made of: to whom this rank sends and what, by `send` for one of them; from whom it takes, by `take`
 * all that one of them sent. */
typedef enum vt_status vt_exchange_send_to(struct vt_exchange *exchange, int to, struct vt_error *error);
struct vt_exchange_round {
  vt_exchange_wanted *is_sent_to;
  vt_exchange_send_to *send;
  vt_exchange_wanted *is_taken_from;
  enum vt_status (*take)(struct vt_exchange *exchange, int from, struct vt_exchange_outcome *outcome,
                         struct vt_error *error);
  enum vt_exchange_kind wish; /* of rank 0, to the ranks of its machine; KIND_NOTHING on others */
};

/* Sends and takes in, and waits for the ranks of this machine; then all ranks know the same outcome, which is no
 * failure of this call. Where `local` is not VT_OK, *error holds what this rank failed with, and the others get that
 * instead. */
enum vt_status vt_exchange_round(struct vt_exchange *exchange, const struct vt_exchange_round *round,
                                 enum vt_status local, struct vt_exchange_outcome *outcome, struct vt_error *error);
/* On the other ranks likewise, and does what rank 0 wants, round after round, until it wants nothing more. A failure of
 * any rank is one of this call; VT_ERROR_INTERRUPTED: rank 0 has ended the training. */
enum vt_status vt_exchange_rounds(struct vt_exchange *exchange, const struct vt_exchange_round *round,
                                  enum vt_status local, struct vt_error *error);
/* The messages alone, where nothing can have failed that others do not know of: `take` has no outcome, nobody waits. */
enum vt_status vt_exchange_pass(struct vt_exchange *exchange, const struct vt_exchange_round *round,
                                struct vt_error *error);

/* ---- exchange_blocks.c ------------------------------------------------------------------------------------------- */

/* Lets go of what a rank sent in a round of blocks, for rank 0, which wants something else. */
enum vt_status vt_exchange_let_go(struct vt_exchange *exchange, int from, struct vt_exchange_outcome *outcome,
                                  struct vt_error *error);

/* ---- exchange_fetch.c -------------------------------------------------------------------------------------------- */

enum vt_status vt_exchange_wanted_create(struct vt_exchange *exchange, struct vt_error *error);
void vt_exchange_wanted_free(struct vt_exchange *exchange);

/* ---- exchange_wish.c --------------------------------------------------------------------------------------------- */

/* On the other ranks, when rank 0 collects. */
enum vt_status vt_exchange_give(struct vt_exchange *exchange, bool squares, struct vt_error *error);

#endif
