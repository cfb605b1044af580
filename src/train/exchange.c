/*
 * exchange.c: making an exchange, its rounds, and what ranks agree on in each.
 *
 * A round ends with the same outcome on all ranks. What ranks of other machines say comes in their first messages; what
 * those of this machine say lies in slots, which are read after all have come to the gate.
 */
#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "train/exchange_internal.h"

/* ---- making and freeing ------------------------------------------------------------------------------------------ */

void vt_exchange_lay_out(struct vt_exchange_common *common, const struct vt_machine *machine, uint32_t blocks_max,
                         struct vt_arena *arena) {
  common->told = vt_arena_take(arena, blocks_max * sizeof *common->told);
  common->totals = vt_arena_take(arena, (size_t)VT_TABLE_COUNT * VT_SHARDS * sizeof *common->totals);
  common->slots = vt_arena_take(arena, 2 * (size_t)vt_machine_ranks(machine) * sizeof *common->slots);
  common->counters = vt_arena_take(arena, sizeof *common->counters);
}

static uint32_t capacity_of(const struct vt_exchange *exchange, int table) {
  return exchange->parts.replicas != NULL ? exchange->parts.tables[table].rows
                                          : exchange->parts.blocks[0].sets[table].capacity;
}

static enum vt_status allocate_messages(struct vt_exchange *exchange, struct vt_error *error) {
  const struct vt_exchange_parts *parts = &exchange->parts;
  uint32_t blocks = parts->blocks_max, most = 0;
  size_t slot = (size_t)exchange->size * (sizeof(struct vt_exchange_head) + 3 * VT_CACHE_LINE_BYTES);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    uint32_t capacity = capacity_of(exchange, t);
    slot += (size_t)capacity * (sizeof(uint32_t) + exchange->row_bytes);
    if (capacity > most) most = capacity;
    exchange->received[t] = vt_alloc_zero(blocks, sizeof *exchange->received[t]);
    if (exchange->received[t] == NULL) return VT_FAIL_MEMORY(error, blocks * sizeof *exchange->received[t]);
  }
  exchange->slots = (blocks + (uint32_t)exchange->size - 1) / (uint32_t)exchange->size;
  exchange->slot_bytes = vt_whole_lines(slot);
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

static enum vt_status allocate(struct vt_exchange *exchange, struct vt_error *error) {
  const struct vt_exchange_parts *parts = &exchange->parts;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    exchange->own[t] = vt_alloc(parts->blocks_max, sizeof(void *));
    if (exchange->own[t] == NULL) return VT_FAIL_MEMORY(error, parts->blocks_max * sizeof(void *));
    for (uint32_t b = 0; b < parts->blocks_max; b++) exchange->own[t][b] = &parts->blocks[b].sets[t];
  }
  if (!exchange->sends) return VT_OK;
  VT_TRY(allocate_messages(exchange, error));
  return parts->dealt ? vt_exchange_wanted_create(exchange, error) : VT_OK;
}

enum vt_status vt_exchange_create(const struct vt_exchange_parts *parts, struct vt_exchange **out,
                                  struct vt_error *error) {
  struct vt_exchange *exchange = vt_alloc_zero(1, sizeof *exchange);
  if (exchange == NULL) return VT_FAIL_MEMORY(error, sizeof *exchange);
  exchange->parts = *parts;
  exchange->machine = parts->machine;
  exchange->size = vt_ranks_size(parts->machine->ranks);
  exchange->sends = parts->machine->machines > 1;
  exchange->row_bytes = parts->tables[0].width * sizeof(float);
  exchange->shard_end = VT_SHARDS;
  if (exchange->sends) {
    exchange->shard_begin = vt_deal(VT_SHARDS, exchange->size, exchange->machine->order);
    exchange->shard_end = vt_deal(VT_SHARDS, exchange->size, exchange->machine->order + 1);
  }
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
  vt_exchange_wanted_free(exchange);
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

/* ---- messages ---------------------------------------------------------------------------------------------------- */

struct vt_exchange_head vt_exchange_head(const struct vt_exchange *exchange, enum vt_exchange_kind kind,
                                         uint32_t messages) {
  return (struct vt_exchange_head){
      .magic = VT_EXCHANGE_MAGIC, .kind = (uint32_t)kind, .step = exchange->step, .messages = messages};
}

enum vt_status vt_exchange_strange(struct vt_exchange *exchange, int from, const char *what, struct vt_error *error) {
  return vt_ranks_strange(exchange->machine->ranks, exchange->machine->at[from], what, error);
}

bool vt_exchange_is_elsewhere(const struct vt_exchange *exchange, int order) {
  return !vt_machine_has(exchange->machine, order);
}

enum vt_status vt_exchange_send(struct vt_exchange *exchange, int to, const void *data, size_t bytes,
                                struct vt_error *error) {
  return vt_ranks_send(exchange->machine->ranks, exchange->machine->at[to], data, bytes, error);
}

enum vt_status vt_exchange_receive(struct vt_exchange *exchange, int from, struct vt_box *box,
                                   struct vt_exchange_head *head, struct vt_error *error) {
  VT_TRY(vt_ranks_receive(exchange->machine->ranks, exchange->machine->at[from], box, error));
  if (box->bytes < sizeof *head) return vt_exchange_strange(exchange, from, "is too short", error);
  memcpy(head, box->data, sizeof *head);
  if (head->magic != VT_EXCHANGE_MAGIC) return vt_exchange_strange(exchange, from, "is none of a training", error);
  if (head->kind == KIND_FAILED && box->bytes != sizeof(struct vt_exchange_failure))
    return vt_exchange_strange(exchange, from, "is too short", error);
  return VT_OK;
}

/* ---- what a round came to ---------------------------------------------------------------------------------------- */

static void note_failure(struct vt_exchange_outcome *outcome, const struct vt_ranks_failure *failure) {
  if (outcome->failed && outcome->failure.rank <= failure->rank) return;
  outcome->failed = true;
  outcome->failure = *failure;
  outcome->failure.message[sizeof outcome->failure.message - 1] = '\0';
  outcome->failure.help[sizeof outcome->failure.help - 1] = '\0';
}

void vt_exchange_note(struct vt_exchange *exchange, struct vt_exchange_outcome *outcome, int from,
                      const struct vt_exchange_head *head, const struct vt_box *box) {
  if (exchange->machine->at[from] == 0) outcome->zero = (enum vt_exchange_kind)head->kind;
  if (head->kind != KIND_FAILED) return;
  struct vt_ranks_failure failure;
  memcpy(&failure, box->data + sizeof *head, sizeof failure);
  failure.rank = exchange->machine->at[from];
  note_failure(outcome, &failure);
}

static struct vt_ranks_failure own_failure(const struct vt_exchange *exchange, enum vt_status local,
                                           const struct vt_error *error) {
  struct vt_ranks_failure failure;
  vt_ranks_failure_fill(&failure, vt_ranks_rank(exchange->machine->ranks), error);
  failure.status = (int32_t)local;
  return failure;
}

/* Waits for the ranks of this machine, and brings together what each knows. wish: of rank 0. */
static enum vt_status meet(struct vt_exchange *exchange, enum vt_exchange_kind wish,
                           struct vt_exchange_outcome *outcome, struct vt_error *error) {
  struct vt_machine *machine = exchange->machine;
  if (machine->gate == NULL) return VT_OK;
  int count = vt_machine_ranks(machine);
  struct vt_exchange_slot *slots = exchange->parts.common.slots + (exchange->meeting++ % 2) * (unsigned)count;
  struct vt_exchange_slot *mine = &slots[machine->order - machine->begin];
  mine->kind = (uint32_t)wish;
  mine->failed = outcome->failed;
  if (outcome->failed) mine->failure = outcome->failure;
  VT_TRY(vt_machine_meet(machine, error));
  for (int k = 0; k < count; k++) {
    if (machine->at[machine->begin + k] == 0) outcome->zero = (enum vt_exchange_kind)slots[k].kind;
    if (slots[k].failed) note_failure(outcome, &slots[k].failure);
  }
  return VT_OK;
}

enum vt_status vt_exchange_fail(struct vt_exchange *exchange, const struct vt_exchange_outcome *outcome,
                                struct vt_error *error) {
  exchange->over = true;
  return vt_ranks_failure_raise(&outcome->failure, error);
}

/* ---- rounds ------------------------------------------------------------------------------------------------------ */

/* Whose turn is k-th, from 1 on: each rank begins behind itself, so that not all turn to the same. */
static int turn(const struct vt_exchange *exchange, int k) { return (exchange->machine->order + k) % exchange->size; }

/* Sends, takes in what was sent, and waits until the memory of what this rank sent is its own again. */
static enum vt_status pass(struct vt_exchange *exchange, const struct vt_exchange_round *round,
                           vt_exchange_send_to *send, struct vt_exchange_outcome *outcome, struct vt_error *error) {
  for (int k = 1; k < exchange->size; k++) {
    int to = turn(exchange, k);
    if (round->is_sent_to(exchange, to)) VT_TRY(send(exchange, to, error));
  }
  for (int k = 1; k < exchange->size; k++) {
    int from = turn(exchange, k);
    if (round->is_taken_from(exchange, from)) VT_TRY(round->take(exchange, from, outcome, error));
  }
  return vt_ranks_settle(exchange->machine->ranks, error);
}

enum vt_status vt_exchange_pass(struct vt_exchange *exchange, const struct vt_exchange_round *round,
                                struct vt_error *error) {
  return pass(exchange, round, round->send, NULL, error);
}

static enum vt_status send_failure(struct vt_exchange *exchange, int to, struct vt_error *error) {
  return vt_exchange_send(exchange, to, &exchange->alone, sizeof exchange->alone, error);
}

enum vt_status vt_exchange_round(struct vt_exchange *exchange, const struct vt_exchange_round *round,
                                 enum vt_status local, struct vt_exchange_outcome *outcome, struct vt_error *error) {
  *outcome = (struct vt_exchange_outcome){.zero = KIND_NOTHING};
  if (local != VT_OK) {
    exchange->alone = (struct vt_exchange_failure){.head = vt_exchange_head(exchange, KIND_FAILED, 1),
                                                   .failure = own_failure(exchange, local, error)};
    note_failure(outcome, &exchange->alone.failure);
  }
  if (exchange->sends) VT_TRY(pass(exchange, round, local == VT_OK ? round->send : send_failure, outcome, error));
  return meet(exchange, round->wish, outcome, error);
}

/* In a round that began with a wish of rank 0: does it. *goes_on: there will be another round; otherwise there was
 * none, or the training is over, which is VT_ERROR_INTERRUPTED. */
static enum vt_status answer(struct vt_exchange *exchange, const struct vt_exchange_outcome *outcome, bool *goes_on,
                             struct vt_error *error) {
  *goes_on = outcome->zero == KIND_COLLECT || outcome->zero == KIND_COLLECT_ALL;
  if (outcome->failed) return vt_exchange_fail(exchange, outcome, error);
  if (*goes_on) return vt_exchange_give(exchange, outcome->zero == KIND_COLLECT_ALL, error);
  if (outcome->zero != KIND_STOP) return VT_OK;
  exchange->over = true;
  return VT_FAIL(error, VT_ERROR_INTERRUPTED, "rank 0 has ended the training");
}

enum vt_status vt_exchange_rounds(struct vt_exchange *exchange, const struct vt_exchange_round *round,
                                  enum vt_status local, struct vt_error *error) {
  for (bool goes_on = true; goes_on;) {
    struct vt_exchange_outcome outcome;
    VT_TRY(vt_exchange_round(exchange, round, local, &outcome, error));
    VT_TRY(answer(exchange, &outcome, &goes_on, error));
  }
  return VT_OK;
}
