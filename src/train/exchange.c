/*
 * exchange.c: packing, sending and taking in.
 *
 * A message begins with a head of 64 bytes. Rows travel as the tables hold them, `width` floats, in messages whose
 * parts begin at cache lines, so that the merge reads them where they arrived. What comes in is held against what it
 * may be before it is used: a rank of another build or with broken memory must not write anywhere.
 *
 * Threads: all messages are sent and received by the thread that trains; packing is shared out.
 */
#include "train/exchange.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum kind { KIND_BLOCK = 1, KIND_NOTHING, KIND_ROWS, KIND_FAILED, KIND_COLLECT, KIND_STOP };

#define MAGIC UINT32_C(0x56544d31)

struct head {
  uint32_t magic;
  uint32_t kind;
  uint64_t step;
  uint32_t messages; /* of its sender in this round, this one included */
  uint32_t block;
  uint64_t tokens;
  uint64_t loss_pairs;
  double loss_sum;
  uint32_t rows[VT_TABLE_COUNT]; /* KIND_BLOCK */
  uint32_t chunks;               /* KIND_ROWS */
  uint32_t reserved;
};
_Static_assert(sizeof(struct head) == VT_CACHE_LINE_BYTES, "what follows a head begins at a cache line");

struct failed_message {
  struct head head;
  struct vt_ranks_failure failure;
};

/* The rows of one shard, after the head of KIND_ROWS; then ids[rows], and from the next cache line on the rows. */
struct chunk {
  uint32_t table;
  uint32_t shard;
  uint32_t rows;
  uint32_t bad_row;
  double step_squared;
  uint64_t capped;
  uint64_t reserved[4];
};
_Static_assert(sizeof(struct chunk) == VT_CACHE_LINE_BYTES, "ids begin at a cache line");

struct vt_exchange {
  struct vt_exchange_parts parts;
  int rank;
  int size;
  size_t row_bytes;
  bool over;

  uint64_t step;
  uint32_t block_count;
  uint32_t own_begin; /* blocks */
  uint32_t own_end;
  uint32_t shard_begin;
  uint32_t shard_end;

  unsigned char *packed; /* of this rank's blocks, `slot_bytes` each */
  size_t slot_bytes;
  uint32_t slots;
  size_t *segments; /* slots x (size + 1): where the message for each rank begins in its slot */
  struct vt_working_set *received[VT_TABLE_COUNT];   /* by block */
  const struct vt_working_set **own[VT_TABLE_COUNT]; /* by block: what sets[] holds where the block is trained here */
  uint32_t *identity;                                /* 0, 1, 2 ... */
  struct vt_box *boxes;                              /* by block */
  struct vt_box *firsts;                             /* by rank: heads without a block, rows */

  unsigned char *merged;
  size_t merged_capacity;
  atomic_size_t merged_bytes;
  atomic_uint merged_chunks;
};

static size_t whole_lines(size_t bytes) {
  return (bytes + VT_CACHE_LINE_BYTES - 1) & ~(size_t)(VT_CACHE_LINE_BYTES - 1);
}

/* ---- making and freeing ------------------------------------------------------------------------------------------ */

static enum vt_status allocate(struct vt_exchange *exchange, struct vt_error *error) {
  const struct vt_exchange_parts *parts = &exchange->parts;
  uint32_t blocks = parts->blocks_max, most = 0;
  size_t slot = (size_t)exchange->size * (sizeof(struct head) + 3 * VT_CACHE_LINE_BYTES);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    uint32_t capacity = parts->blocks[0].sets[t].capacity;
    slot += (size_t)capacity * (sizeof(uint32_t) + exchange->row_bytes);
    if (capacity > most) most = capacity;
    exchange->received[t] = vt_alloc_zero(blocks, sizeof *exchange->received[t]);
    exchange->own[t] = vt_alloc(blocks, sizeof(void *));
    if (exchange->received[t] == NULL || exchange->own[t] == NULL)
      return VT_FAIL_MEMORY(error, blocks * sizeof *exchange->received[t]);
    for (uint32_t b = 0; b < blocks; b++) exchange->own[t][b] = &parts->blocks[b].sets[t];
  }
  exchange->slots = (blocks + (uint32_t)exchange->size - 1) / (uint32_t)exchange->size;
  exchange->slot_bytes = whole_lines(slot);
  exchange->packed = vt_alloc_aligned_raw(exchange->slots, exchange->slot_bytes);
  exchange->segments = vt_alloc(exchange->slots, ((size_t)exchange->size + 1) * sizeof *exchange->segments);
  exchange->identity = vt_alloc(most, sizeof *exchange->identity);
  exchange->boxes = vt_alloc_zero(blocks, sizeof *exchange->boxes);
  exchange->firsts = vt_alloc_zero((size_t)exchange->size, sizeof *exchange->firsts);
  if (exchange->packed == NULL || exchange->segments == NULL || exchange->identity == NULL || exchange->boxes == NULL ||
      exchange->firsts == NULL)
    return VT_FAIL_HELP(error, VT_ERROR_MEMORY, "use smaller or fewer blocks",
                        "cannot allocate messages for %" PRIu32 " blocks of %zu bytes", exchange->slots,
                        exchange->slot_bytes);
  for (uint32_t k = 0; k < most; k++) exchange->identity[k] = k;
  return VT_OK;
}

enum vt_status vt_exchange_create(const struct vt_exchange_parts *parts, struct vt_exchange **out,
                                  struct vt_error *error) {
  struct vt_exchange *exchange = vt_alloc_zero(1, sizeof *exchange);
  if (exchange == NULL) return VT_FAIL_MEMORY(error, sizeof *exchange);
  exchange->parts = *parts;
  exchange->rank = vt_ranks_rank(parts->ranks);
  exchange->size = vt_ranks_size(parts->ranks);
  exchange->row_bytes = parts->tables[0].width * sizeof(float);
  exchange->shard_begin = vt_deal(VT_SHARDS, exchange->size, exchange->rank);
  exchange->shard_end = vt_deal(VT_SHARDS, exchange->size, exchange->rank + 1);
  enum vt_status status = allocate(exchange, error);
  if (status != VT_OK) {
    vt_exchange_free(exchange);
    return status;
  }
  *out = exchange;
  return VT_OK;
}

void vt_exchange_free(struct vt_exchange *exchange) {
  if (exchange == NULL) return;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    vt_free(exchange->received[t]);
    vt_free(exchange->own[t]);
  }
  for (uint32_t b = 0; exchange->boxes != NULL && b < exchange->parts.blocks_max; b++)
    vt_box_release(&exchange->boxes[b]);
  for (int r = 0; exchange->firsts != NULL && r < exchange->size; r++) vt_box_release(&exchange->firsts[r]);
  vt_free(exchange->boxes);
  vt_free(exchange->firsts);
  vt_free(exchange->segments);
  vt_free(exchange->identity);
  vt_free_aligned(exchange->packed);
  vt_free_aligned(exchange->merged);
  vt_free(exchange);
}

void vt_exchange_over(struct vt_exchange *exchange) {
  if (exchange != NULL) exchange->over = true;
}

/* ---- a round of messages ----------------------------------------------------------------------------------------- */

static struct head make_head(const struct vt_exchange *exchange, enum kind kind, uint32_t messages) {
  return (struct head){.magic = MAGIC, .kind = (uint32_t)kind, .step = exchange->step, .messages = messages};
}

static enum vt_status strange(struct vt_exchange *exchange, int from, const char *what, struct vt_error *error) {
  vt_ranks_break(exchange->parts.ranks);
  return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, "start all ranks with the same build", "rank %d sent a message that %s",
                      from, what);
}

static enum vt_status send_all(struct vt_exchange *exchange, const void *data, size_t bytes, struct vt_error *error) {
  for (int k = 1; k < exchange->size; k++)
    VT_TRY(vt_ranks_send(exchange->parts.ranks, (exchange->rank + k) % exchange->size, data, bytes, error));
  return VT_OK;
}

static enum vt_status receive(struct vt_exchange *exchange, int from, struct vt_box *box, struct head *head,
                              struct vt_error *error) {
  VT_TRY(vt_ranks_receive(exchange->parts.ranks, from, box, error));
  if (box->bytes < sizeof *head) return strange(exchange, from, "is too short", error);
  memcpy(head, box->data, sizeof *head);
  if (head->magic != MAGIC) return strange(exchange, from, "is none of a training", error);
  if (head->kind == KIND_FAILED && box->bytes != sizeof(struct failed_message))
    return strange(exchange, from, "is too short", error);
  return VT_OK;
}

/* What a round came to. */
struct outcome {
  enum kind zero; /* what rank 0 sent first */
  bool failed;
  struct vt_ranks_failure failure; /* of the lowest rank that failed */
};

static void note(struct outcome *outcome, int from, const struct head *head, const struct vt_box *box) {
  if (from == 0) outcome->zero = (enum kind)head->kind;
  if (head->kind != KIND_FAILED || (outcome->failed && outcome->failure.rank < from)) return;
  outcome->failed = true;
  memcpy(&outcome->failure, box->data + sizeof *head, sizeof outcome->failure);
  outcome->failure.rank = from;
  outcome->failure.message[sizeof outcome->failure.message - 1] = '\0';
  outcome->failure.help[sizeof outcome->failure.help - 1] = '\0';
}

static enum vt_status send_failure(struct vt_exchange *exchange, struct failed_message *message, enum vt_status local,
                                   const struct vt_error *error, struct vt_error *own) {
  *message = (struct failed_message){.head = make_head(exchange, KIND_FAILED, 1)};
  vt_ranks_failure_fill(&message->failure, exchange->rank, error);
  message->failure.status = (int32_t)local;
  return send_all(exchange, message, sizeof *message, own);
}

/* What all do when one has failed: this rank's own failure counts by its number too. */
static enum vt_status fail_together(struct vt_exchange *exchange, struct outcome *outcome, enum vt_status local,
                                    struct vt_error *error) {
  exchange->over = true;
  if (local != VT_OK && (!outcome->failed || exchange->rank < outcome->failure.rank)) {
    vt_ranks_failure_fill(&outcome->failure, exchange->rank, error);
    outcome->failure.status = (int32_t)local;
  }
  return vt_ranks_failure_raise(&outcome->failure, error);
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

void vt_exchange_begin(struct vt_exchange *exchange, uint64_t step, uint32_t count, uint32_t *begin, uint32_t *end) {
  exchange->step = step;
  exchange->block_count = count;
  *begin = exchange->own_begin = vt_deal(count, exchange->size, exchange->rank);
  *end = exchange->own_end = vt_deal(count, exchange->size, exchange->rank + 1);
}

/* Where the ids and the rows of a table stand in a message of KIND_BLOCK, from its start. */
struct layout {
  size_t ids[VT_TABLE_COUNT];
  size_t rows[VT_TABLE_COUNT];
  size_t bytes;
};

static struct layout lay_out(const struct vt_exchange *exchange, const uint32_t rows[VT_TABLE_COUNT]) {
  struct layout layout = {.bytes = sizeof(struct head)};
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    layout.ids[t] = layout.bytes;
    layout.bytes += rows[t] * sizeof(uint32_t);
  }
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    layout.rows[t] = layout.bytes = whole_lines(layout.bytes);
    layout.bytes += rows[t] * exchange->row_bytes;
  }
  return layout;
}

static size_t pack_for(const struct vt_exchange *exchange, const struct vt_block *block, uint32_t number, int to,
                       unsigned char *at) {
  uint32_t first = vt_deal(VT_SHARDS, exchange->size, to), end = vt_deal(VT_SHARDS, exchange->size, to + 1);
  struct head head = make_head(exchange, KIND_BLOCK, exchange->own_end - exchange->own_begin);
  head.block = number;
  head.tokens = block->tokens;
  head.loss_pairs = block->loss_pairs;
  head.loss_sum = block->loss_sum;
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    head.rows[t] = block->sets[t].shard_start[end] - block->sets[t].shard_start[first];
  struct layout layout = lay_out(exchange, head.rows);
  memcpy(at, &head, sizeof head);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    const struct vt_working_set *set = &block->sets[t];
    const uint32_t *slots = set->by_shard + set->shard_start[first];
    uint32_t *ids = (uint32_t *)(void *)(at + layout.ids[t]);
    unsigned char *rows = at + layout.rows[t];
    for (uint32_t k = 0; k < head.rows[t]; k++) {
      ids[k] = set->ids[slots[k]];
      memcpy(rows + k * exchange->row_bytes, vt_working_set_row(set, slots[k]), exchange->row_bytes);
    }
  }
  return layout.bytes;
}

void vt_exchange_pack(struct vt_exchange *exchange, uint32_t block) {
  uint32_t slot = block - exchange->own_begin;
  unsigned char *start = exchange->packed + slot * exchange->slot_bytes;
  size_t *segments = exchange->segments + slot * ((size_t)exchange->size + 1), at = 0;
  for (int to = 0; to < exchange->size; to++) {
    segments[to] = at;
    if (to != exchange->rank) at += pack_for(exchange, &exchange->parts.blocks[block], block, to, start + at);
    /* The bytes between messages are never sent; where one ends is where it ended, rounded up. */
    at = whole_lines(at);
  }
  segments[exchange->size] = at;
}

static enum vt_status send_blocks(struct vt_exchange *exchange, const struct head *nothing, struct vt_error *error) {
  if (exchange->own_begin == exchange->own_end) return send_all(exchange, nothing, sizeof *nothing, error);
  for (int k = 1; k < exchange->size; k++) {
    int to = (exchange->rank + k) % exchange->size;
    for (uint32_t slot = 0; slot < exchange->own_end - exchange->own_begin; slot++) {
      const size_t *segments = exchange->segments + slot * ((size_t)exchange->size + 1);
      const unsigned char *start = exchange->packed + slot * exchange->slot_bytes + segments[to];
      VT_TRY(vt_ranks_send(exchange->parts.ranks, to, start, segments[to + 1] - segments[to], error));
    }
  }
  return VT_OK;
}

/* Makes a working set of the rows of a message, of which the merge sees what it needs. */
static bool take_set(struct vt_exchange *exchange, int t, uint32_t number, const struct head *head,
                     const struct layout *layout) {
  struct vt_working_set *set = &exchange->received[t][number];
  unsigned char *data = exchange->boxes[number].data;
  *set = (struct vt_working_set){.table = &exchange->parts.tables[t],
                                 .count = head->rows[t],
                                 .stride = exchange->parts.tables[t].width,
                                 .rows = (float *)(void *)(data + layout->rows[t]),
                                 .ids = (uint32_t *)(void *)(data + layout->ids[t]),
                                 .by_shard = exchange->identity};
  uint32_t shard = exchange->shard_begin;
  for (uint32_t k = 0; k < set->count; k++) {
    if (set->ids[k] >= exchange->parts.tables[t].rows) return false;
    uint32_t its = vt_shard_of(set->ids[k]);
    if (its < shard || its >= exchange->shard_end) return false;
    while (shard < its) set->shard_start[++shard] = k;
  }
  while (shard < VT_SHARDS) set->shard_start[++shard] = set->count;
  exchange->parts.sets[t][number] = set;
  return true;
}

static enum vt_status take_block(struct vt_exchange *exchange, int from, uint32_t number, const struct head *head,
                                 struct vt_error *error) {
  struct layout layout = lay_out(exchange, head->rows);
  if (head->kind != KIND_BLOCK || head->block != number || head->step != exchange->step ||
      head->rows[0] > exchange->parts.blocks[0].sets[0].capacity ||
      head->rows[1] > exchange->parts.blocks[0].sets[1].capacity ||
      whole_lines(layout.bytes) != exchange->boxes[number].bytes)
    return strange(exchange, from, "does not belong here", error);
  struct vt_block *block = &exchange->parts.blocks[number];
  block->tokens = head->tokens;
  block->loss_pairs = head->loss_pairs;
  block->loss_sum = head->loss_sum;
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    if (!take_set(exchange, t, number, head, &layout))
      return strange(exchange, from, "holds rows that are not there", error);
  return VT_OK;
}

/* All messages of one rank; with wanted false they are let go of. */
static enum vt_status take_rank(struct vt_exchange *exchange, int from, bool wanted, struct outcome *outcome,
                                struct vt_error *error) {
  uint32_t first = vt_deal(exchange->block_count, exchange->size, from);
  uint32_t end = vt_deal(exchange->block_count, exchange->size, from + 1);
  struct head head;
  bool block = wanted && first < end;
  struct vt_box *box = block ? &exchange->boxes[first] : &exchange->firsts[from];
  VT_TRY(receive(exchange, from, box, &head, error));
  note(outcome, from, &head, box);
  if (block && head.kind == KIND_NOTHING) return strange(exchange, from, "does not belong here", error);
  if (!wanted || head.kind != KIND_BLOCK) {
    for (uint32_t k = 1; k < head.messages; k++) VT_TRY(receive(exchange, from, box, &head, error));
    return VT_OK;
  }
  if (!block || head.messages != end - first) return strange(exchange, from, "does not belong here", error);
  for (uint32_t b = first; b < end; b++) {
    if (b > first) VT_TRY(receive(exchange, from, &exchange->boxes[b], &head, error));
    VT_TRY(take_block(exchange, from, b, &head, error));
  }
  return VT_OK;
}

static enum vt_status take_all(struct vt_exchange *exchange, bool wanted, struct outcome *outcome,
                               struct vt_error *error) {
  for (int k = 1; k < exchange->size; k++)
    VT_TRY(take_rank(exchange, (exchange->rank + k) % exchange->size, wanted, outcome, error));
  return vt_ranks_settle(exchange->parts.ranks, error);
}

static enum vt_status give_squares(struct vt_exchange *exchange, struct vt_error *error);

enum vt_status vt_exchange_blocks(struct vt_exchange *exchange, enum vt_status local, struct vt_error *error) {
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    for (uint32_t b = exchange->own_begin; b < exchange->own_end; b++) exchange->parts.sets[t][b] = exchange->own[t][b];
  struct head nothing = make_head(exchange, KIND_NOTHING, 1);
  for (;;) {
    struct outcome outcome = {.zero = KIND_NOTHING};
    struct failed_message message;
    struct vt_error network;
    enum vt_status status = local == VT_OK ? send_blocks(exchange, &nothing, &network)
                                           : send_failure(exchange, &message, local, error, &network);
    if (status == VT_OK) status = take_all(exchange, true, &outcome, &network);
    if (status != VT_OK) {
      *error = network;
      return status;
    }
    if (outcome.failed || local != VT_OK) return fail_together(exchange, &outcome, local, error);
    if (outcome.zero == KIND_STOP) {
      exchange->over = true;
      return VT_FAIL(error, VT_ERROR_INTERRUPTED, "rank 0 has ended the training");
    }
    if (outcome.zero != KIND_COLLECT) return VT_OK;
    VT_TRY(give_squares(exchange, error));
  }
}

/* ---- merged rows ------------------------------------------------------------------------------------------------- */

void vt_exchange_shards(const struct vt_exchange *exchange, uint32_t *begin, uint32_t *end) {
  *begin = exchange->shard_begin;
  *end = exchange->shard_end;
}

static size_t chunk_bytes(const struct vt_exchange *exchange, size_t rows) {
  return sizeof(struct chunk) + whole_lines(rows * sizeof(uint32_t)) + whole_lines(rows * exchange->row_bytes);
}

enum vt_status vt_exchange_reserve(struct vt_exchange *exchange, struct vt_error *error) {
  size_t bytes = sizeof(struct head);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    for (uint32_t shard = exchange->shard_begin; shard < exchange->shard_end; shard++) {
      size_t copies = 0;
      for (uint32_t b = 0; b < exchange->block_count; b++) {
        const uint32_t *start = exchange->parts.sets[t][b]->shard_start;
        copies += start[shard + 1] - start[shard];
      }
      bytes += chunk_bytes(exchange, copies);
    }
  }
  atomic_store_explicit(&exchange->merged_bytes, sizeof(struct head), memory_order_relaxed);
  atomic_store_explicit(&exchange->merged_chunks, 0, memory_order_relaxed);
  if (bytes <= exchange->merged_capacity) return VT_OK;
  vt_free_aligned(exchange->merged);
  exchange->merged_capacity = bytes + bytes / 4;
  exchange->merged = vt_alloc_aligned_raw(exchange->merged_capacity, 1);
  if (exchange->merged != NULL) return VT_OK;
  exchange->merged_capacity = 0;
  return VT_FAIL_MEMORY(error, bytes + bytes / 4);
}

/* Places are dealt as threads come; the order of the chunks in the message changes nothing. */
void vt_exchange_merged(struct vt_exchange *exchange, int table, uint32_t shard,
                        const struct vt_merger_scratch *scratch) {
  const struct vt_merge_totals *totals = &exchange->parts.mergers[table].shards[shard];
  uint32_t rows = (uint32_t)totals->moved;
  size_t place = atomic_fetch_add_explicit(&exchange->merged_bytes, chunk_bytes(exchange, rows), memory_order_relaxed);
  atomic_fetch_add_explicit(&exchange->merged_chunks, 1, memory_order_relaxed);
  unsigned char *at = exchange->merged + place;
  struct chunk chunk = {.table = (uint32_t)table,
                        .shard = shard,
                        .rows = rows,
                        .bad_row = totals->bad_row,
                        .step_squared = totals->step_squared,
                        .capped = totals->capped};
  memcpy(at, &chunk, sizeof chunk);
  uint32_t *ids = (uint32_t *)(void *)(at + sizeof chunk);
  unsigned char *to = at + sizeof chunk + whole_lines(rows * sizeof *ids);
  for (uint32_t k = 0; k < rows; k++) {
    ids[k] = vt_merger_touched(scratch, k);
    memcpy(to + k * exchange->row_bytes, vt_table_row(&exchange->parts.tables[table], ids[k]), exchange->row_bytes);
  }
}

/* Takes a chunk in, from `at` on; false where it is none. */
static bool take_chunk(struct vt_exchange *exchange, int from, const struct vt_box *box, size_t *at) {
  struct chunk chunk;
  if (box->bytes - *at < sizeof chunk) return false;
  memcpy(&chunk, box->data + *at, sizeof chunk);
  if (chunk.table >= VT_TABLE_COUNT || chunk.shard < vt_deal(VT_SHARDS, exchange->size, from) ||
      chunk.shard >= vt_deal(VT_SHARDS, exchange->size, from + 1))
    return false;
  struct vt_table *table = &exchange->parts.tables[chunk.table];
  if (chunk.rows > table->rows || chunk_bytes(exchange, chunk.rows) > box->bytes - *at) return false;
  const uint32_t *ids = (const uint32_t *)(const void *)(box->data + *at + sizeof chunk);
  const unsigned char *rows = box->data + *at + sizeof chunk + whole_lines(chunk.rows * sizeof *ids);
  struct vt_decay *decay = exchange->parts.decay;
  for (uint32_t k = 0; k < chunk.rows; k++) {
    if (ids[k] >= table->rows) return false;
    memcpy(vt_table_row(table, ids[k]), rows + k * exchange->row_bytes, exchange->row_bytes);
    if (decay != NULL) decay->paid[chunk.table][ids[k]] = decay->product;
    if (exchange->parts.replicas != NULL) vt_replicas_settle(exchange->parts.replicas, (int)chunk.table, ids[k]);
  }
  exchange->parts.mergers[chunk.table].shards[chunk.shard] = (struct vt_merge_totals){
      .step_squared = chunk.step_squared, .moved = chunk.rows, .capped = chunk.capped, .bad_row = chunk.bad_row};
  *at += chunk_bytes(exchange, chunk.rows);
  return true;
}

static enum vt_status take_rows(struct vt_exchange *exchange, int from, struct outcome *outcome,
                                struct vt_error *error) {
  struct vt_box *box = &exchange->firsts[from];
  struct head head;
  VT_TRY(receive(exchange, from, box, &head, error));
  note(outcome, from, &head, box);
  if (head.kind == KIND_FAILED) return VT_OK;
  uint32_t shards = vt_deal(VT_SHARDS, exchange->size, from + 1) - vt_deal(VT_SHARDS, exchange->size, from);
  if (head.kind != KIND_ROWS || head.step != exchange->step || head.chunks != VT_TABLE_COUNT * shards)
    return strange(exchange, from, "does not belong here", error);
  size_t at = sizeof head;
  for (uint32_t k = 0; k < head.chunks; k++)
    if (!take_chunk(exchange, from, box, &at)) return strange(exchange, from, "holds rows that are not there", error);
  return VT_OK;
}

enum vt_status vt_exchange_rows(struct vt_exchange *exchange, enum vt_status local, struct vt_error *error) {
  struct outcome outcome = {0};
  struct failed_message message;
  struct vt_error network;
  enum vt_status status;
  if (local == VT_OK) {
    struct head head = make_head(exchange, KIND_ROWS, 1);
    head.chunks = atomic_load_explicit(&exchange->merged_chunks, memory_order_relaxed);
    memcpy(exchange->merged, &head, sizeof head);
    status = send_all(exchange, exchange->merged, atomic_load_explicit(&exchange->merged_bytes, memory_order_relaxed),
                      &network);
  } else {
    status = send_failure(exchange, &message, local, error, &network);
  }
  for (int k = 1; status == VT_OK && k < exchange->size; k++)
    status = take_rows(exchange, (exchange->rank + k) % exchange->size, &outcome, &network);
  if (status == VT_OK) status = vt_ranks_settle(exchange->parts.ranks, &network);
  if (status != VT_OK) {
    *error = network;
    return status;
  }
  return outcome.failed || local != VT_OK ? fail_together(exchange, &outcome, local, error) : VT_OK;
}

/* ---- what rank 0 wants ------------------------------------------------------------------------------------------- */

/* The rows of a table that a rank owns, one after the other; to or from the table. */
static size_t copy_owned(const struct vt_exchange *exchange, struct vt_table *table, int rank, unsigned char *data,
                         bool from_table) {
  uint32_t begin = vt_deal(VT_SHARDS, exchange->size, rank), end = vt_deal(VT_SHARDS, exchange->size, rank + 1);
  size_t at = 0;
  for (uint32_t row = 0; row < table->rows; row++) {
    uint32_t shard = vt_shard_of(row);
    if (shard < begin || shard >= end) continue;
    unsigned char *mine = (unsigned char *)vt_table_row(table, row);
    if (data != NULL) memcpy(from_table ? data + at : mine, from_table ? mine : data + at, exchange->row_bytes);
    at += exchange->row_bytes;
  }
  return at;
}

static enum vt_status give_squares(struct vt_exchange *exchange, struct vt_error *error) {
  for (int t = 0; t < VT_TABLE_COUNT && exchange->parts.squares != NULL; t++) {
    struct vt_table *table = &exchange->parts.squares[t];
    size_t bytes = copy_owned(exchange, table, exchange->rank, NULL, true);
    unsigned char *data = vt_alloc_aligned_raw(bytes, 1);
    /* Rank 0 cannot tell a rank that has no memory from one that is late, so all end here. */
    if (data == NULL) vt_ranks_break(exchange->parts.ranks);
    if (data == NULL) return VT_FAIL_MEMORY(error, bytes);
    copy_owned(exchange, table, exchange->rank, data, true);
    enum vt_status status = vt_ranks_send(exchange->parts.ranks, 0, data, bytes, error);
    if (status == VT_OK) status = vt_ranks_settle(exchange->parts.ranks, error);
    vt_free_aligned(data);
    VT_TRY(status);
  }
  return VT_OK;
}

/* Sends a wish of rank 0 to all, in a round in which the others send what they have, and lets go of that. */
static enum vt_status wish(struct vt_exchange *exchange, enum kind kind, struct outcome *outcome,
                           struct vt_error *error) {
  struct head head = make_head(exchange, kind, 1);
  VT_TRY(send_all(exchange, &head, sizeof head, error));
  return take_all(exchange, false, outcome, error);
}

enum vt_status vt_exchange_collect(struct vt_exchange *exchange, struct vt_error *error) {
  struct outcome outcome = {0};
  if (exchange->parts.squares == NULL || exchange->over) return VT_OK;
  VT_TRY(wish(exchange, KIND_COLLECT, &outcome, error));
  if (outcome.failed) return fail_together(exchange, &outcome, VT_OK, error);
  for (int from = 1; from < exchange->size; from++) {
    for (int t = 0; t < VT_TABLE_COUNT; t++) {
      struct vt_table *table = &exchange->parts.squares[t];
      struct vt_box *box = &exchange->firsts[from];
      VT_TRY(vt_ranks_receive(exchange->parts.ranks, from, box, error));
      if (box->bytes != copy_owned(exchange, table, from, NULL, false))
        return strange(exchange, from, "does not belong here", error);
      copy_owned(exchange, table, from, box->data, false);
    }
  }
  return VT_OK;
}

enum vt_status vt_exchange_stop(struct vt_exchange *exchange, struct vt_error *error) {
  struct outcome outcome = {0};
  if (exchange->over) return VT_OK;
  exchange->over = true;
  return wish(exchange, KIND_STOP, &outcome, error);
}

enum vt_status vt_exchange_wait(struct vt_exchange *exchange, struct vt_error *error) {
  while (!exchange->over) {
    uint32_t begin, end;
    vt_exchange_begin(exchange, exchange->step, 0, &begin, &end);
    enum vt_status status = vt_exchange_blocks(exchange, VT_OK, error);
    if (status == VT_ERROR_INTERRUPTED && exchange->over) return VT_OK;
    VT_TRY(status);
  }
  return VT_OK;
}
