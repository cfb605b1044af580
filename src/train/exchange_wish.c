/*
 * exchange_wish.c: what rank 0 wants of the others at a boundary, which they learn where they wait for its first
 * message of the next superstep; and the way back, when a run is gone on with.
 *
 * What is collected goes through pieces of bounded size, one owner after the other.
 */
#include <string.h>

#include "base/memory.h"
#include "train/exchange_internal.h"

/* Rows of shards begin .. end of a table, one after the other. */
struct walk {
  struct vt_table *table;
  uint32_t begin;
  uint32_t end;
  uint32_t row; /* the next one that may be among them */
};

static struct walk walk_of(const struct vt_exchange *exchange, struct vt_table *table, int first, int last) {
  return (struct walk){.table = table,
                       .begin = vt_deal(VT_SHARDS, exchange->size, first),
                       .end = vt_deal(VT_SHARDS, exchange->size, last)};
}

/* The next `most` bytes of rows at most, into data, or out of it; returns how many bytes. 0: that was all. */
static size_t walk_on(struct walk *walk, unsigned char *data, size_t most, bool into_data) {
  size_t row_bytes = walk->table->width * sizeof(float), at = 0;
  for (; walk->row < walk->table->rows && at + row_bytes <= most; walk->row++) {
    uint32_t shard = vt_shard_of(walk->row);
    if (shard < walk->begin || shard >= walk->end) continue;
    unsigned char *mine = (unsigned char *)vt_table_held_row(walk->table, walk->row);
    memcpy(into_data ? data + at : mine, into_data ? mine : data + at, row_bytes);
    at += row_bytes;
  }
  return at;
}

/* Which tables a collection takes, and where they come together on rank 0. */
struct collection {
  struct vt_table *from;
  struct vt_table *to;
};

static size_t list_tables(const struct vt_exchange *exchange, bool squares, struct collection tables[4]) {
  const struct vt_exchange_parts *parts = &exchange->parts;
  size_t count = 0;
  for (int t = 0; t < VT_TABLE_COUNT && parts->dealt; t++)
    tables[count++] = (struct collection){&parts->tables[t], parts->views == NULL ? NULL : &parts->views[t]};
  for (int t = 0; t < VT_TABLE_COUNT && squares && parts->squares != NULL; t++)
    tables[count++] =
        (struct collection){&parts->squares[t], !parts->dealt          ? &parts->squares[t]
                                                : parts->views == NULL ? NULL
                                                                       : &parts->views[VT_TABLE_COUNT + t]};
  return count;
}

/* Those who share rank 0's memory have nothing to give. Rank 0 has order 0. */
static bool gives(const struct vt_exchange *exchange, int order) { return order >= exchange->machine->begins[1]; }

static enum vt_status send_walk(struct vt_exchange *exchange, struct walk *walk, int to, unsigned char *piece,
                                struct vt_error *error) {
  for (size_t bytes; (bytes = walk_on(walk, piece, VT_RANKS_PIECE_BYTES, true)) > 0;) {
    VT_TRY(vt_ranks_send(exchange->machine->ranks, to, piece, bytes, error));
    VT_TRY(vt_ranks_settle(exchange->machine->ranks, error));
  }
  return VT_OK;
}

/* Takes in as many rows as the walk has; from: an order. */
static enum vt_status receive_walk(struct vt_exchange *exchange, struct walk *walk, int from, struct vt_error *error) {
  struct vt_box *box = &exchange->firsts[from];
  const size_t row_bytes = walk->table->width * sizeof(float), whole = VT_RANKS_PIECE_BYTES / row_bytes * row_bytes;
  size_t left = 0;
  for (uint32_t shard = walk->begin; shard < walk->end; shard++) left += vt_shard_rows(shard, walk->table->rows);
  for (left *= row_bytes; left > 0; left -= box->bytes) {
    VT_TRY(vt_ranks_receive(exchange->machine->ranks, exchange->machine->at[from], box, error));
    if (box->bytes != (left < whole ? left : whole))
      return vt_exchange_strange(exchange, from, "does not belong here", error);
    walk_on(walk, box->data, box->bytes, false);
  }
  return VT_OK;
}

/* As long as the longest of the tables, where that is less than a piece. */
static enum vt_status take_piece(struct vt_exchange *exchange, const struct collection *tables, size_t count,
                                 unsigned char **piece, struct vt_error *error) {
  size_t most = 0;
  for (size_t k = 0; k < count; k++) {
    size_t bytes = tables[k].from->rows * tables[k].from->width * sizeof(float);
    if (bytes > most) most = bytes;
  }
  if (most > VT_RANKS_PIECE_BYTES) most = VT_RANKS_PIECE_BYTES;
  *piece = vt_alloc_aligned_raw(most, 1);
  if (*piece != NULL) return VT_OK;
  vt_ranks_break(exchange->machine->ranks); /* whoever waits cannot tell a rank without memory from one that is late */
  return VT_FAIL_MEMORY(error, most);
}

enum vt_status vt_exchange_give(struct vt_exchange *exchange, bool squares, struct vt_error *error) {
  struct collection tables[4];
  size_t count = list_tables(exchange, squares, tables);
  int order = exchange->machine->order;
  if (!gives(exchange, order) || count == 0) return VT_OK;
  unsigned char *piece;
  VT_TRY(take_piece(exchange, tables, count, &piece, error));
  enum vt_status status = VT_OK;
  for (size_t k = 0; k < count && status == VT_OK; k++) {
    struct walk walk = walk_of(exchange, tables[k].from, order, order + 1);
    status = send_walk(exchange, &walk, 0, piece, error);
  }
  vt_free_aligned(piece);
  return status;
}

/* ---- on rank 0 --------------------------------------------------------------------------------------------------- */

static enum vt_status send_wish(struct vt_exchange *exchange, int to, struct vt_error *error) {
  return vt_exchange_send(exchange, to, &exchange->alone.head, sizeof exchange->alone.head, error);
}

/* Tells a wish of rank 0 to all, in a round in which the others send what they have, and lets go of that. */
static enum vt_status wish(struct vt_exchange *exchange, enum vt_exchange_kind kind,
                           struct vt_exchange_outcome *outcome, struct vt_error *error) {
  const struct vt_exchange_round round = {.is_sent_to = vt_exchange_is_elsewhere,
                                          .send = send_wish,
                                          .is_taken_from = vt_exchange_is_elsewhere,
                                          .take = vt_exchange_let_go,
                                          .wish = kind};
  exchange->alone.head = vt_exchange_head(exchange, kind, 1);
  return vt_exchange_round(exchange, &round, VT_OK, outcome, error);
}

/* What this machine holds of a table. */
static void copy_own(const struct vt_exchange *exchange, const struct collection *tables) {
  if (tables->from == tables->to) return;
  struct walk walk = walk_of(exchange, tables->from, exchange->machine->begin, exchange->machine->end);
  for (; walk.row < walk.table->rows; walk.row++)
    if (vt_table_holds(walk.table, walk.row))
      memcpy(vt_table_row(tables->to, walk.row), vt_table_held_row(walk.table, walk.row), exchange->row_bytes);
}

enum vt_status vt_exchange_collect(struct vt_exchange *exchange, bool squares, struct vt_error *error) {
  struct vt_exchange_outcome outcome = {0};
  struct collection tables[4];
  size_t count = list_tables(exchange, squares, tables);
  if (count == 0 || exchange->over || !exchange->sends) return VT_OK;
  VT_TRY(wish(exchange, squares ? KIND_COLLECT_ALL : KIND_COLLECT, &outcome, error));
  if (outcome.failed) return vt_exchange_fail(exchange, &outcome, error);
  for (size_t k = 0; k < count; k++) copy_own(exchange, &tables[k]);
  for (int from = 0; from < exchange->size; from++) {
    for (size_t k = 0; k < count && gives(exchange, from); k++) {
      struct walk walk = walk_of(exchange, tables[k].to, from, from + 1);
      VT_TRY(receive_walk(exchange, &walk, from, error));
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
    enum vt_status status = exchange->parts.dealt ? vt_exchange_fetch(exchange, NULL, VT_OK, error)
                                                  : vt_exchange_blocks(exchange, VT_OK, error);
    if (status == VT_ERROR_INTERRUPTED && exchange->over) return VT_OK;
    VT_TRY(status);
  }
  return VT_OK;
}

/* ---- the way back ------------------------------------------------------------------------------------------------ */

/* From rank 0's view to the first rank of each machine, which puts it where its ranks share it. */
static enum vt_status deal_table(struct vt_exchange *exchange, const struct collection *tables, unsigned char *piece,
                                 struct vt_error *error) {
  const struct vt_machine *machine = exchange->machine;
  for (uint32_t row = 0; row < tables->from->rows; row++)
    if (vt_table_holds(tables->from, row))
      memcpy(vt_table_held_row(tables->from, row), vt_table_row(tables->to, row), exchange->row_bytes);
  for (int number = 1; number < machine->machines; number++) {
    struct walk walk = walk_of(exchange, tables->to, machine->begins[number], machine->begins[number + 1]);
    VT_TRY(send_walk(exchange, &walk, machine->at[machine->begins[number]], piece, error));
  }
  return VT_OK;
}

static enum vt_status be_dealt(struct vt_exchange *exchange, const struct collection *tables, size_t count,
                               struct vt_error *error) {
  const struct vt_machine *machine = exchange->machine;
  for (size_t k = 0; k < count && vt_machine_leads(machine); k++) {
    struct walk walk = walk_of(exchange, tables[k].from, machine->begin, machine->end);
    VT_TRY(receive_walk(exchange, &walk, 0, error));
  }
  return VT_OK;
}

enum vt_status vt_exchange_deal(struct vt_exchange *exchange, struct vt_error *error) {
  struct collection tables[4];
  size_t count = list_tables(exchange, true, tables);
  unsigned char *piece;
  if (exchange->machine->order != 0) return be_dealt(exchange, tables, count, error);
  VT_TRY(take_piece(exchange, tables, count, &piece, error));
  enum vt_status status = VT_OK;
  for (size_t k = 0; k < count && status == VT_OK; k++) status = deal_table(exchange, &tables[k], piece, error);
  vt_free_aligned(piece);
  return status;
}
