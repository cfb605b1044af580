/*
 * exchange_fetch.c: where tables are dealt to the machines, the rows that a rank's blocks are about to touch come from
 * their owners: a request to each rank of the other machines, and a reply. What this machine holds is copied.
 *
 * Blocks share most of their frequent words, so a row is asked for once a rank. A request lists ids by owner; `place`
 * says where in the list of its table a row stands, and needs no clearing: a place that the row does not stand at is
 * none.
 */
#include <string.h>

#include "base/memory.h"
#include "train/exchange_internal.h"

struct vt_exchange_wanted_rows {
  uint32_t *place[VT_TABLE_COUNT];  /* by row */
  uint32_t *list[VT_TABLE_COUNT];   /* rows that are wanted, by owner */
  uint32_t *starts[VT_TABLE_COUNT]; /* by order, and the end: where the owner's begin */
  uint32_t capacity[VT_TABLE_COUNT];
  struct vt_box *requests; /* by order: what the others want */
  struct vt_box *replies;  /* by order: what they sent */
  struct vt_box *sent;     /* by order: what is being sent to them */
};

enum vt_status vt_exchange_wanted_create(struct vt_exchange *exchange, struct vt_error *error) {
  struct vt_exchange_wanted_rows *wanted = vt_alloc_zero(1, sizeof *wanted);
  size_t size = (size_t)exchange->size;
  if (wanted == NULL) return VT_FAIL_MEMORY(error, sizeof *wanted);
  exchange->wanted = wanted;
  bool held = true;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    uint64_t most = (uint64_t)exchange->slots * exchange->parts.blocks[0].sets[t].capacity;
    uint32_t rows = exchange->parts.tables[t].rows;
    wanted->capacity[t] = most < rows ? (uint32_t)most : rows;
    wanted->place[t] = vt_alloc_zero(rows, sizeof *wanted->place[t]);
    wanted->list[t] = vt_alloc(wanted->capacity[t], sizeof *wanted->list[t]);
    wanted->starts[t] = vt_alloc(size + 1, sizeof *wanted->starts[t]);
    held = held && wanted->place[t] != NULL && wanted->list[t] != NULL && wanted->starts[t] != NULL;
  }
  wanted->requests = vt_alloc_zero(size, sizeof *wanted->requests);
  wanted->replies = vt_alloc_zero(size, sizeof *wanted->replies);
  wanted->sent = vt_alloc_zero(size, sizeof *wanted->sent);
  held = held && wanted->requests != NULL && wanted->replies != NULL && wanted->sent != NULL;
  return held ? VT_OK : VT_FAIL_MEMORY(error, 8 * (size_t)exchange->parts.tables[0].rows);
}

void vt_exchange_wanted_free(struct vt_exchange *exchange) {
  struct vt_exchange_wanted_rows *wanted = exchange->wanted;
  if (wanted == NULL) return;
  struct vt_box *const boxes[] = {wanted->requests, wanted->replies, wanted->sent};
  for (size_t k = 0; k < sizeof boxes / sizeof boxes[0]; k++) {
    for (int r = 0; boxes[k] != NULL && r < exchange->size; r++) vt_box_release(&boxes[k][r]);
    vt_free(boxes[k]);
  }
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    vt_free(wanted->place[t]);
    vt_free(wanted->list[t]);
    vt_free(wanted->starts[t]);
  }
  vt_free(wanted);
  exchange->wanted = NULL;
}

/* ---- what is wanted ---------------------------------------------------------------------------------------------- */

static void list_owner(struct vt_exchange *exchange, int t, int owner, uint32_t *count) {
  struct vt_exchange_wanted_rows *wanted = exchange->wanted;
  uint32_t first = vt_deal(VT_SHARDS, exchange->size, owner), end = vt_deal(VT_SHARDS, exchange->size, owner + 1);
  uint32_t *list = wanted->list[t], *place = wanted->place[t];
  for (uint32_t b = exchange->own_begin; b < exchange->own_end; b++) {
    const struct vt_working_set *set = &exchange->parts.blocks[b].sets[t];
    for (uint32_t s = set->shard_start[first]; s < set->shard_start[end]; s++) {
      uint32_t row = set->ids[set->by_shard[s]];
      if (place[row] < *count && list[place[row]] == row) continue;
      place[row] = *count;
      list[(*count)++] = row;
    }
  }
}

static void list_wanted(struct vt_exchange *exchange) {
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    uint32_t count = 0;
    for (int owner = 0; owner < exchange->size; owner++) {
      exchange->wanted->starts[t][owner] = count;
      if (vt_exchange_is_elsewhere(exchange, owner)) list_owner(exchange, t, owner, &count);
    }
    exchange->wanted->starts[t][exchange->size] = count;
  }
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static bool make_room(const struct vt_exchange *exchange, struct vt_box *box, size_t bytes) {
  box->bytes = 0;
  if (!vt_ranks_transport(exchange->machine->ranks)->grow(box, bytes)) return false;
  box->bytes = bytes;
  return true;
}

static size_t request_bytes(const struct vt_exchange_head *head) {
  return sizeof *head + ((size_t)head->rows[0] + head->rows[1]) * sizeof(uint32_t);
}

static enum vt_status make_requests(struct vt_exchange *exchange, struct vt_error *error) {
  struct vt_exchange_wanted_rows *wanted = exchange->wanted;
  for (int to = 0; to < exchange->size; to++) {
    if (!vt_exchange_is_elsewhere(exchange, to)) continue;
    struct vt_exchange_head head = vt_exchange_head(exchange, KIND_REQUEST, 1);
    for (int t = 0; t < VT_TABLE_COUNT; t++) head.rows[t] = wanted->starts[t][to + 1] - wanted->starts[t][to];
    struct vt_box *box = &wanted->sent[to];
    if (!make_room(exchange, box, request_bytes(&head))) return VT_FAIL_MEMORY(error, request_bytes(&head));
    unsigned char *at = box->data;
    memcpy(at, &head, sizeof head);
    at += sizeof head;
    for (int t = 0; t < VT_TABLE_COUNT; t++) {
      memcpy(at, wanted->list[t] + wanted->starts[t][to], head.rows[t] * sizeof(uint32_t));
      at += head.rows[t] * sizeof(uint32_t);
    }
  }
  return VT_OK;
}

static enum vt_status send_box(struct vt_exchange *exchange, int to, struct vt_error *error) {
  const struct vt_box *box = &exchange->wanted->sent[to];
  return vt_exchange_send(exchange, to, box->data, box->bytes, error);
}

static enum vt_status take_request(struct vt_exchange *exchange, int from, struct vt_exchange_outcome *outcome,
                                   struct vt_error *error) {
  struct vt_box *box = &exchange->wanted->requests[from];
  struct vt_exchange_head head;
  VT_TRY(vt_exchange_receive(exchange, from, box, &head, error));
  vt_exchange_note(exchange, outcome, from, &head, box);
  if (head.kind != KIND_REQUEST) return VT_OK;
  if (head.step != exchange->step || head.rows[0] > exchange->parts.tables[0].rows ||
      head.rows[1] > exchange->parts.tables[1].rows || box->bytes != request_bytes(&head))
    return vt_exchange_strange(exchange, from, "does not belong here", error);
  const uint32_t *ids = (const uint32_t *)(const void *)(box->data + sizeof head);
  for (int t = 0; t < VT_TABLE_COUNT; ids += head.rows[t++])
    for (uint32_t k = 0; k < head.rows[t]; k++)
      if (ids[k] >= exchange->parts.tables[t].rows || vt_shard_of(ids[k]) < exchange->shard_begin ||
          vt_shard_of(ids[k]) >= exchange->shard_end)
        return vt_exchange_strange(exchange, from, "asks for rows that are not here", error);
  return VT_OK;
}

/* ---- replies ----------------------------------------------------------------------------------------------------- */

static size_t reply_bytes(const struct vt_exchange *exchange, const struct vt_exchange_head *head) {
  return sizeof *head + ((size_t)head->rows[0] + head->rows[1]) * exchange->row_bytes;
}

static enum vt_status make_reply(struct vt_exchange *exchange, int to, struct vt_error *error) {
  struct vt_box *box = &exchange->wanted->sent[to];
  struct vt_exchange_head request, head = vt_exchange_head(exchange, KIND_REPLY, 1);
  memcpy(&request, exchange->wanted->requests[to].data, sizeof request);
  memcpy(head.rows, request.rows, sizeof head.rows);
  if (!make_room(exchange, box, reply_bytes(exchange, &head))) {
    vt_ranks_break(exchange->machine->ranks); /* whoever waits for it cannot know */
    return VT_FAIL_MEMORY(error, reply_bytes(exchange, &head));
  }
  memcpy(box->data, &head, sizeof head);
  const uint32_t *ids = (const uint32_t *)(const void *)(exchange->wanted->requests[to].data + sizeof request);
  unsigned char *at = box->data + sizeof head;
  for (int t = 0; t < VT_TABLE_COUNT; ids += head.rows[t++])
    for (uint32_t k = 0; k < head.rows[t]; k++, at += exchange->row_bytes)
      memcpy(at, vt_table_held_row(&exchange->parts.tables[t], ids[k]), exchange->row_bytes);
  return VT_OK;
}

static enum vt_status take_reply(struct vt_exchange *exchange, int from, struct vt_exchange_outcome *outcome,
                                 struct vt_error *error) {
  (void)outcome;
  struct vt_exchange_wanted_rows *wanted = exchange->wanted;
  struct vt_box *box = &wanted->replies[from];
  struct vt_exchange_head head;
  VT_TRY(vt_exchange_receive(exchange, from, box, &head, error));
  bool fits = head.kind == KIND_REPLY && head.step == exchange->step;
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    fits = fits && head.rows[t] == wanted->starts[t][from + 1] - wanted->starts[t][from];
  if (!fits || box->bytes != reply_bytes(exchange, &head))
    return vt_exchange_strange(exchange, from, "does not belong here", error);
  return VT_OK;
}

static enum vt_status send_reply(struct vt_exchange *exchange, int to, struct vt_error *error) {
  VT_TRY(make_reply(exchange, to, error));
  return send_box(exchange, to, error);
}

/* Whose row it is. */
static int owner_of(const struct vt_exchange *exchange, uint32_t row) {
  int owner = (int)((vt_shard_of(row) + 1) * (uint64_t)exchange->size / VT_SHARDS);
  if (owner >= exchange->size) owner = exchange->size - 1;
  while (vt_deal(VT_SHARDS, exchange->size, owner) > vt_shard_of(row)) owner--;
  while (vt_deal(VT_SHARDS, exchange->size, owner + 1) <= vt_shard_of(row)) owner++;
  return owner;
}

static const void *find_row(const struct vt_exchange *exchange, int t, uint32_t row) {
  const struct vt_exchange_wanted_rows *wanted = exchange->wanted;
  const struct vt_table *table = &exchange->parts.tables[t];
  if (vt_table_holds(table, row)) return vt_table_held_row(table, row);
  int owner = owner_of(exchange, row);
  size_t before = t == 0 ? 0 : wanted->starts[0][owner + 1] - wanted->starts[0][owner];
  size_t place = before + wanted->place[t][row] - wanted->starts[t][owner];
  return wanted->replies[owner].data + sizeof(struct vt_exchange_head) + place * exchange->row_bytes;
}

/* Blocks begin .. end of this rank's. */
static void fill_sets(void *context, size_t begin, size_t end) {
  const struct vt_exchange *exchange = context;
  for (size_t b = exchange->own_begin + begin; b < exchange->own_begin + end; b++) {
    for (int t = 0; t < VT_TABLE_COUNT; t++) {
      struct vt_working_set *set = &exchange->parts.blocks[b].sets[t];
      for (uint32_t slot = 0; slot < set->count; slot++) {
        float *row = vt_working_set_row(set, slot);
        memcpy(row, find_row(exchange, t, set->ids[slot]), exchange->row_bytes);
        memset(row + set->table->width, 0, (set->stride - set->table->width) * sizeof *row);
      }
    }
  }
}

enum vt_status vt_exchange_fetch(struct vt_exchange *exchange, struct vt_pool *pool, enum vt_status local,
                                 struct vt_error *error) {
  static const struct vt_exchange_round requests = {.is_sent_to = vt_exchange_is_elsewhere,
                                                    .send = send_box,
                                                    .is_taken_from = vt_exchange_is_elsewhere,
                                                    .take = take_request,
                                                    .wish = KIND_NOTHING};
  static const struct vt_exchange_round replies = {.is_sent_to = vt_exchange_is_elsewhere,
                                                   .send = send_reply,
                                                   .is_taken_from = vt_exchange_is_elsewhere,
                                                   .take = take_reply,
                                                   .wish = KIND_NOTHING};
  if (local == VT_OK) {
    list_wanted(exchange);
    local = make_requests(exchange, error);
  }
  VT_TRY(vt_exchange_rounds(exchange, &requests, local, error));
  VT_TRY(vt_exchange_pass(exchange, &replies, error));
  vt_pool_share(pool, exchange->own_end - exchange->own_begin, 1, fill_sets, exchange);
  return VT_OK;
}
