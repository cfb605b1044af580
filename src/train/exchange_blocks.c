/*
 * exchange_blocks.c: the first half of a superstep: the copies of touched rows go to those who own the rows.
 *
 * A message holds, of one block, the rows that one rank owns. Within the machine nothing is copied: a block's sets lie
 * in shared memory, and it tells only how many rows they hold and where each shard begins.
 */
#include <string.h>

#include "train/exchange_internal.h"

/* The blocks of this machine: begin .. end. */
static void of_this_machine(const struct vt_exchange *exchange, uint32_t *begin, uint32_t *end) {
  *begin = vt_deal(exchange->block_count, exchange->size, exchange->machine->begin);
  *end = vt_deal(exchange->block_count, exchange->size, exchange->machine->end);
}

void vt_exchange_begin(struct vt_exchange *exchange, uint64_t step, uint32_t count, uint32_t *begin, uint32_t *end) {
  exchange->step = step;
  exchange->block_count = count;
  exchange->own_begin = 0;
  exchange->own_end = count;
  if (exchange->sends || exchange->parts.replicas != NULL) {
    exchange->own_begin = vt_deal(count, exchange->size, exchange->machine->order);
    exchange->own_end = vt_deal(count, exchange->size, exchange->machine->order + 1);
  }
  *begin = exchange->own_begin;
  *end = exchange->own_end;
}

atomic_uint *vt_exchange_counter(struct vt_exchange *exchange, enum vt_exchange_phase phase) {
  return exchange->sends ? NULL : &exchange->parts.common.counters->phases[phase].next;
}

/* ---- packing ----------------------------------------------------------------------------------------------------- */

/* Where the ids and the rows of a table stand in a message of KIND_BLOCK, from its start. */
struct layout {
  size_t ids[VT_TABLE_COUNT];
  size_t rows[VT_TABLE_COUNT];
  size_t bytes;
};

static struct layout lay_out(const struct vt_exchange *exchange, const uint32_t rows[VT_TABLE_COUNT]) {
  struct layout layout = {.bytes = sizeof(struct vt_exchange_head)};
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    layout.ids[t] = layout.bytes;
    layout.bytes += rows[t] * sizeof(uint32_t);
  }
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    layout.rows[t] = layout.bytes = vt_whole_lines(layout.bytes);
    layout.bytes += rows[t] * exchange->row_bytes;
  }
  return layout;
}

static uint32_t count_rows(const struct vt_exchange *exchange, uint32_t number, int t, uint32_t first, uint32_t end) {
  if (exchange->parts.replicas != NULL) return vt_replicas_count(exchange->parts.replicas, number, t, first, end);
  const struct vt_working_set *set = &exchange->parts.blocks[number].sets[t];
  return set->shard_start[end] - set->shard_start[first];
}

static void copy_rows(const struct vt_exchange *exchange, uint32_t number, int t, uint32_t first, uint32_t end,
                      uint32_t *ids, unsigned char *rows) {
  if (exchange->parts.replicas != NULL) {
    vt_replicas_copy(exchange->parts.replicas, number, t, first, end, ids, (float *)(void *)rows);
    return;
  }
  const struct vt_working_set *set = &exchange->parts.blocks[number].sets[t];
  const uint32_t *slots = set->by_shard + set->shard_start[first];
  for (uint32_t k = 0; k < set->shard_start[end] - set->shard_start[first]; k++) {
    ids[k] = set->ids[slots[k]];
    memcpy(rows + k * exchange->row_bytes, vt_working_set_row(set, slots[k]), exchange->row_bytes);
  }
}

static size_t pack_for(const struct vt_exchange *exchange, uint32_t number, int to, unsigned char *at) {
  const struct vt_block *block = &exchange->parts.blocks[number];
  uint32_t first = vt_deal(VT_SHARDS, exchange->size, to), end = vt_deal(VT_SHARDS, exchange->size, to + 1);
  struct vt_exchange_head head = vt_exchange_head(exchange, KIND_BLOCK, exchange->own_end - exchange->own_begin);
  head.block = number;
  head.tokens = block->tokens;
  head.loss_pairs = block->loss_pairs;
  head.loss_sum = block->loss_sum;
  for (int t = 0; t < VT_TABLE_COUNT; t++) head.rows[t] = count_rows(exchange, number, t, first, end);
  struct layout layout = lay_out(exchange, head.rows);
  memcpy(at, &head, sizeof head);
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    copy_rows(exchange, number, t, first, end, (uint32_t *)(void *)(at + layout.ids[t]), at + layout.rows[t]);
  return layout.bytes;
}

static void pack_messages(struct vt_exchange *exchange, uint32_t block) {
  uint32_t slot = block - exchange->own_begin;
  unsigned char *start = exchange->packed + slot * exchange->slot_bytes;
  size_t *segments = exchange->segments + slot * ((size_t)exchange->size + 1), at = 0;
  for (int to = 0; to < exchange->size; to++) {
    segments[to] = at;
    if (vt_exchange_is_elsewhere(exchange, to)) at += pack_for(exchange, block, to, start + at);
    /* The bytes between messages are never sent; where one ends is where it ended, rounded up. */
    at = vt_whole_lines(at);
  }
  segments[exchange->size] = at;
}

static void tell(const struct vt_exchange *exchange, uint32_t number) {
  const struct vt_block *block = &exchange->parts.blocks[number];
  struct vt_exchange_told *told = &exchange->parts.common.told[number];
  told->tokens = block->tokens;
  told->loss_pairs = block->loss_pairs;
  told->loss_sum = block->loss_sum;
  for (int t = 0; t < VT_TABLE_COUNT && exchange->parts.replicas == NULL; t++) {
    told->count[t] = block->sets[t].count;
    memcpy(told->shard_start[t], block->sets[t].shard_start, sizeof told->shard_start[t]);
  }
}

void vt_exchange_pack(struct vt_exchange *exchange, uint32_t block) {
  if (exchange->machine->gate != NULL) tell(exchange, block);
  if (exchange->sends) pack_messages(exchange, block);
}

/* What the ranks of this machine told. */
static void hear(struct vt_exchange *exchange) {
  uint32_t begin, end;
  of_this_machine(exchange, &begin, &end);
  for (uint32_t b = begin; b < end && exchange->machine->gate != NULL; b++) {
    const struct vt_exchange_told *told = &exchange->parts.common.told[b];
    struct vt_block *block = &exchange->parts.blocks[b];
    block->tokens = told->tokens;
    block->loss_pairs = told->loss_pairs;
    block->loss_sum = told->loss_sum;
    for (int t = 0; t < VT_TABLE_COUNT && exchange->parts.replicas == NULL; t++) {
      block->sets[t].count = told->count[t];
      memcpy(block->sets[t].shard_start, told->shard_start[t], sizeof told->shard_start[t]);
    }
  }
  if (vt_machine_leads(exchange->machine))
    atomic_store(&exchange->parts.common.counters->phases[VT_EXCHANGE_BLOCKS].next, 0);
}

/* ---- sending and taking in --------------------------------------------------------------------------------------- */

static enum vt_status send_blocks(struct vt_exchange *exchange, int to, struct vt_error *error) {
  if (exchange->own_begin == exchange->own_end)
    return vt_exchange_send(exchange, to, &exchange->alone.head, sizeof exchange->alone.head, error);
  for (uint32_t slot = 0; slot < exchange->own_end - exchange->own_begin; slot++) {
    const size_t *segments = exchange->segments + slot * ((size_t)exchange->size + 1);
    const unsigned char *start = exchange->packed + slot * exchange->slot_bytes + segments[to];
    VT_TRY(vt_exchange_send(exchange, to, start, segments[to + 1] - segments[to], error));
  }
  return VT_OK;
}

/* Makes a working set of the rows of a message, of which the merge sees what it needs. */
static bool take_set(struct vt_exchange *exchange, int t, uint32_t number, const struct vt_exchange_head *head,
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

static enum vt_status take_block(struct vt_exchange *exchange, int from, uint32_t number,
                                 const struct vt_exchange_head *head, struct vt_error *error) {
  struct layout layout = lay_out(exchange, head->rows);
  uint32_t most = exchange->parts.replicas != NULL ? exchange->parts.tables[0].rows : UINT32_MAX;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    uint32_t capacity = most == UINT32_MAX ? exchange->parts.blocks[0].sets[t].capacity : most;
    if (head->rows[t] > capacity) return vt_exchange_strange(exchange, from, "holds too many rows", error);
  }
  if (head->kind != KIND_BLOCK || head->block != number || head->step != exchange->step ||
      vt_whole_lines(layout.bytes) != exchange->boxes[number].bytes)
    return vt_exchange_strange(exchange, from, "does not belong here", error);
  struct vt_block *block = &exchange->parts.blocks[number];
  block->tokens = head->tokens;
  block->loss_pairs = head->loss_pairs;
  block->loss_sum = head->loss_sum;
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    if (!take_set(exchange, t, number, head, &layout))
      return vt_exchange_strange(exchange, from, "holds rows that are not there", error);
  return VT_OK;
}

/* All messages of one rank; with wanted false they are let go of. */
static enum vt_status take_rank(struct vt_exchange *exchange, int from, bool wanted,
                                struct vt_exchange_outcome *outcome, struct vt_error *error) {
  uint32_t first = vt_deal(exchange->block_count, exchange->size, from);
  uint32_t end = vt_deal(exchange->block_count, exchange->size, from + 1);
  struct vt_exchange_head head;
  bool block = wanted && first < end;
  struct vt_box *box = block ? &exchange->boxes[first] : &exchange->firsts[from];
  VT_TRY(vt_exchange_receive(exchange, from, box, &head, error));
  vt_exchange_note(exchange, outcome, from, &head, box);
  if (block && head.kind == KIND_NOTHING) return vt_exchange_strange(exchange, from, "does not belong here", error);
  if (!wanted || head.kind != KIND_BLOCK) {
    for (uint32_t k = 1; k < head.messages; k++) VT_TRY(vt_exchange_receive(exchange, from, box, &head, error));
    return VT_OK;
  }
  if (!block || head.messages != end - first) return vt_exchange_strange(exchange, from, "does not belong here", error);
  for (uint32_t b = first; b < end; b++) {
    if (b > first) VT_TRY(vt_exchange_receive(exchange, from, &exchange->boxes[b], &head, error));
    VT_TRY(take_block(exchange, from, b, &head, error));
  }
  return VT_OK;
}

static enum vt_status take_blocks(struct vt_exchange *exchange, int from, struct vt_exchange_outcome *outcome,
                                  struct vt_error *error) {
  return take_rank(exchange, from, true, outcome, error);
}

enum vt_status vt_exchange_let_go(struct vt_exchange *exchange, int from, struct vt_exchange_outcome *outcome,
                                  struct vt_error *error) {
  return take_rank(exchange, from, false, outcome, error);
}

enum vt_status vt_exchange_blocks(struct vt_exchange *exchange, enum vt_status local, struct vt_error *error) {
  static const struct vt_exchange_round blocks = {.is_sent_to = vt_exchange_is_elsewhere,
                                                  .send = send_blocks,
                                                  .is_taken_from = vt_exchange_is_elsewhere,
                                                  .take = take_blocks,
                                                  .wish = KIND_NOTHING};
  uint32_t begin, end;
  of_this_machine(exchange, &begin, &end);
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    for (uint32_t b = begin; b < end; b++) exchange->parts.sets[t][b] = exchange->own[t][b];
  exchange->alone.head = vt_exchange_head(exchange, KIND_NOTHING, 1);
  VT_TRY(vt_exchange_rounds(exchange, &blocks, local, error));
  hear(exchange);
  return VT_OK;
}
