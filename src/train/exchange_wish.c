/* exchange_wish.c: what rank 0 wants of the others at a boundary, which they learn where they wait for its blocks. */
#include <string.h>

#include "base/memory.h"
#include "train/exchange_internal.h"

/* The rows of a table that a rank owns, one after the other; to or from the table. */
static size_t copy_owned(const struct vt_exchange *exchange, struct vt_table *table, int order, unsigned char *data,
                         bool from_table) {
  uint32_t begin = vt_deal(VT_SHARDS, exchange->size, order), end = vt_deal(VT_SHARDS, exchange->size, order + 1);
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

/* Those who share rank 0's memory have nothing to give. */
static bool gives(const struct vt_exchange *exchange, int order) {
  const struct vt_machine *machine = exchange->machine;
  int zero = machine->orders[0], number = 0;
  while (machine->begins[number + 1] <= zero) number++;
  return order < machine->begins[number] || order >= machine->begins[number + 1];
}

enum vt_status vt_exchange_give(struct vt_exchange *exchange, struct vt_error *error) {
  struct vt_ranks *ranks = exchange->machine->ranks;
  if (!gives(exchange, exchange->machine->order)) return VT_OK;
  for (int t = 0; t < VT_TABLE_COUNT && exchange->parts.squares != NULL; t++) {
    struct vt_table *table = &exchange->parts.squares[t];
    size_t bytes = copy_owned(exchange, table, exchange->machine->order, NULL, true);
    unsigned char *data = vt_alloc_aligned_raw(bytes, 1);
    /* Rank 0 cannot tell a rank that has no memory from one that is late, so all end here. */
    if (data == NULL) vt_ranks_break(ranks);
    if (data == NULL) return VT_FAIL_MEMORY(error, bytes);
    copy_owned(exchange, table, exchange->machine->order, data, true);
    enum vt_status status = vt_ranks_send(ranks, 0, data, bytes, error);
    if (status == VT_OK) status = vt_ranks_settle(ranks, error);
    vt_free_aligned(data);
    VT_TRY(status);
  }
  return VT_OK;
}

/* Tells a wish of rank 0 to all, in a round in which the others send what they have, and lets go of that. */
static enum vt_status wish(struct vt_exchange *exchange, enum vt_exchange_kind kind,
                           struct vt_exchange_outcome *outcome, struct vt_error *error) {
  struct vt_exchange_head head = vt_exchange_head(exchange, kind, 1);
  VT_TRY(vt_exchange_send_all(exchange, vt_exchange_is_elsewhere, &head, sizeof head, error));
  VT_TRY(vt_exchange_take_blocks(exchange, false, outcome, error));
  return vt_exchange_meet(exchange, kind, outcome, error);
}

enum vt_status vt_exchange_collect(struct vt_exchange *exchange, struct vt_error *error) {
  struct vt_exchange_outcome outcome = {0};
  if (exchange->parts.squares == NULL || exchange->over || !exchange->sends) return VT_OK;
  VT_TRY(wish(exchange, KIND_COLLECT, &outcome, error));
  if (outcome.failed) return vt_exchange_fail(exchange, &outcome, error);
  for (int from = 0; from < exchange->size; from++) {
    if (!gives(exchange, from)) continue;
    for (int t = 0; t < VT_TABLE_COUNT; t++) {
      struct vt_table *table = &exchange->parts.squares[t];
      struct vt_box *box = &exchange->firsts[from];
      VT_TRY(vt_ranks_receive(exchange->machine->ranks, exchange->machine->at[from], box, error));
      if (box->bytes != copy_owned(exchange, table, from, NULL, false))
        return vt_exchange_strange(exchange, from, "does not belong here", error);
      copy_owned(exchange, table, from, box->data, false);
    }
  }
  return VT_OK;
}

enum vt_status vt_exchange_stop(struct vt_exchange *exchange, struct vt_error *error) {
  struct vt_exchange_outcome outcome = {0};
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
