/*
 * exchange_rows.c: the second half of a superstep: merged rows go to the other machines, one rank of each, which puts
 * them into the tables that its machine shares; what the merges did goes to all.
 */
#include <string.h>

#include "base/memory.h"
#include "train/exchange_internal.h"

/* The rows of one shard, after the head of KIND_ROWS; then ids[rows], and from the next cache line on the rows. */
struct chunk {
  uint32_t table;
  uint32_t shard;
  uint32_t rows;
  uint32_t bad_row;
  double step_squared;
  uint64_t moved;
  uint64_t capped;
  uint64_t reserved[3];
};
_Static_assert(sizeof(struct chunk) == VT_CACHE_LINE_BYTES, "ids begin at a cache line");

void vt_exchange_shards(const struct vt_exchange *exchange, uint32_t *begin, uint32_t *end) {
  *begin = exchange->shard_begin;
  *end = exchange->shard_end;
}

/* Which rank of a machine takes the rows of a rank elsewhere: they are spread over its ranks. */
static int proxy_of(const struct vt_machine *machine, int number, int order) {
  int begin = machine->begins[number], count = machine->begins[number + 1] - begin;
  return begin + order % count;
}

/* To whom this rank sends its rows. */
static bool takes_mine(const struct vt_exchange *exchange, int order) {
  const struct vt_machine *machine = exchange->machine;
  if (!vt_exchange_is_elsewhere(exchange, order)) return false;
  int number = 0;
  while (machine->begins[number + 1] <= order) number++;
  return proxy_of(machine, number, machine->order) == order;
}

/* From whom it takes them. */
static bool is_taken_by_me(const struct vt_exchange *exchange, int order) {
  const struct vt_machine *machine = exchange->machine;
  return vt_exchange_is_elsewhere(exchange, order) && proxy_of(machine, machine->number, order) == machine->order;
}

/* ---- packing ----------------------------------------------------------------------------------------------------- */

static size_t chunk_bytes(const struct vt_exchange *exchange, size_t rows) {
  return sizeof(struct chunk) + vt_whole_lines(rows * sizeof(uint32_t)) + vt_whole_lines(rows * exchange->row_bytes);
}

/* Copies of rows in a shard: there are no more rows that move. Where tables are dealt, none is sent. */
static size_t count_copies(const struct vt_exchange *exchange, int t, uint32_t shard) {
  if (exchange->parts.dealt) return 0;
  if (exchange->parts.replicas != NULL) return vt_shard_rows(shard, exchange->parts.tables[t].rows);
  size_t copies = 0;
  for (uint32_t b = 0; b < exchange->block_count; b++) {
    const uint32_t *start = exchange->parts.sets[t][b]->shard_start;
    copies += start[shard + 1] - start[shard];
  }
  return copies;
}

enum vt_status vt_exchange_reserve(struct vt_exchange *exchange, struct vt_error *error) {
  if (!exchange->sends) return VT_OK;
  size_t bytes = sizeof(struct vt_exchange_head);
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    for (uint32_t shard = exchange->shard_begin; shard < exchange->shard_end; shard++)
      bytes += chunk_bytes(exchange, count_copies(exchange, t, shard));
  atomic_store_explicit(&exchange->merged_bytes, sizeof(struct vt_exchange_head), memory_order_relaxed);
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
static void pack_chunk(struct vt_exchange *exchange, int table, uint32_t shard,
                       const struct vt_merger_scratch *scratch) {
  const struct vt_merge_totals *totals = &exchange->parts.mergers[table].shards[shard];
  uint32_t rows = exchange->parts.dealt ? 0 : (uint32_t)totals->moved;
  size_t place = atomic_fetch_add_explicit(&exchange->merged_bytes, chunk_bytes(exchange, rows), memory_order_relaxed);
  atomic_fetch_add_explicit(&exchange->merged_chunks, 1, memory_order_relaxed);
  unsigned char *at = exchange->merged + place;
  struct chunk chunk = {.table = (uint32_t)table,
                        .shard = shard,
                        .rows = rows,
                        .bad_row = totals->bad_row,
                        .step_squared = totals->step_squared,
                        .moved = totals->moved,
                        .capped = totals->capped};
  memcpy(at, &chunk, sizeof chunk);
  uint32_t *ids = (uint32_t *)(void *)(at + sizeof chunk);
  unsigned char *to = at + sizeof chunk + vt_whole_lines(rows * sizeof *ids);
  for (uint32_t k = 0; k < rows; k++) {
    ids[k] = vt_merger_touched(scratch, k);
    memcpy(to + k * exchange->row_bytes, vt_table_row(&exchange->parts.tables[table], ids[k]), exchange->row_bytes);
  }
}

/* Where a shard's totals lie in the memory that the machine shares. */
static struct vt_merge_totals *totals_at(const struct vt_exchange *exchange, int table, uint32_t shard) {
  return &exchange->parts.common.totals[(uint32_t)table * VT_SHARDS + shard];
}

void vt_exchange_merged(struct vt_exchange *exchange, int table, uint32_t shard,
                        const struct vt_merger_scratch *scratch) {
  *totals_at(exchange, table, shard) = exchange->parts.mergers[table].shards[shard];
  if (exchange->sends) pack_chunk(exchange, table, shard, scratch);
}

/* ---- taking in --------------------------------------------------------------------------------------------------- */

/* Takes a chunk in, from `at` on; false where it is none. */
static bool take_chunk(struct vt_exchange *exchange, int from, const struct vt_box *box, size_t *at) {
  struct chunk chunk;
  if (box->bytes - *at < sizeof chunk) return false;
  memcpy(&chunk, box->data + *at, sizeof chunk);
  if (chunk.table >= VT_TABLE_COUNT || chunk.shard < vt_deal(VT_SHARDS, exchange->size, from) ||
      chunk.shard >= vt_deal(VT_SHARDS, exchange->size, from + 1))
    return false;
  struct vt_table *table = &exchange->parts.tables[chunk.table];
  if (chunk.rows > (exchange->parts.dealt ? 0 : table->rows) || chunk_bytes(exchange, chunk.rows) > box->bytes - *at)
    return false;
  const uint32_t *ids = (const uint32_t *)(const void *)(box->data + *at + sizeof chunk);
  const unsigned char *rows = box->data + *at + sizeof chunk + vt_whole_lines(chunk.rows * sizeof *ids);
  struct vt_decay *decay = exchange->parts.decay;
  for (uint32_t k = 0; k < chunk.rows; k++) {
    if (ids[k] >= table->rows || vt_shard_of(ids[k]) != chunk.shard) return false;
    memcpy(vt_table_row(table, ids[k]), rows + k * exchange->row_bytes, exchange->row_bytes);
    if (decay != NULL) decay->paid[chunk.table][ids[k]] = decay->product;
  }
  *totals_at(exchange, (int)chunk.table, chunk.shard) = (struct vt_merge_totals){
      .step_squared = chunk.step_squared, .moved = chunk.moved, .capped = chunk.capped, .bad_row = chunk.bad_row};
  *at += chunk_bytes(exchange, chunk.rows);
  return true;
}

static enum vt_status take_rows(struct vt_exchange *exchange, int from, struct vt_exchange_outcome *outcome,
                                struct vt_error *error) {
  struct vt_box *box = &exchange->firsts[from];
  struct vt_exchange_head head;
  VT_TRY(vt_exchange_receive(exchange, from, box, &head, error));
  vt_exchange_note(exchange, outcome, from, &head, box);
  if (head.kind == KIND_FAILED) return VT_OK;
  uint32_t shards = vt_deal(VT_SHARDS, exchange->size, from + 1) - vt_deal(VT_SHARDS, exchange->size, from);
  if (head.kind != KIND_ROWS || head.step != exchange->step || head.chunks != VT_TABLE_COUNT * shards)
    return vt_exchange_strange(exchange, from, "does not belong here", error);
  size_t at = sizeof head;
  for (uint32_t k = 0; k < head.chunks; k++)
    if (!take_chunk(exchange, from, box, &at))
      return vt_exchange_strange(exchange, from, "holds rows that are not there", error);
  return VT_OK;
}

/* All get the same. */
static enum vt_status send_rows(struct vt_exchange *exchange, int to, struct vt_error *error) {
  return vt_exchange_send(exchange, to, exchange->merged,
                          atomic_load_explicit(&exchange->merged_bytes, memory_order_relaxed), error);
}

static void finish_message(struct vt_exchange *exchange) {
  struct vt_exchange_head head = vt_exchange_head(exchange, KIND_ROWS, 1);
  head.chunks = atomic_load_explicit(&exchange->merged_chunks, memory_order_relaxed);
  memcpy(exchange->merged, &head, sizeof head);
}

enum vt_status vt_exchange_rows(struct vt_exchange *exchange, enum vt_status local, struct vt_error *error) {
  static const struct vt_exchange_round rows = {.is_sent_to = takes_mine,
                                                .send = send_rows,
                                                .is_taken_from = is_taken_by_me,
                                                .take = take_rows,
                                                .wish = KIND_NOTHING};
  struct vt_exchange_outcome outcome;
  if (exchange->sends && local == VT_OK) finish_message(exchange);
  VT_TRY(vt_exchange_round(exchange, &rows, local, &outcome, error));
  if (outcome.failed) return vt_exchange_fail(exchange, &outcome, error);
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    memcpy(exchange->parts.mergers[t].shards, totals_at(exchange, t, 0), sizeof exchange->parts.mergers[t].shards);
  if (vt_machine_leads(exchange->machine))
    atomic_store(&exchange->parts.common.counters->phases[VT_EXCHANGE_SHARDS].next, 0);
  return VT_OK;
}
