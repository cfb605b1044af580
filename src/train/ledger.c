/*
 * ledger.c: the sums of the open span, and what a superstep adds to them.
 *
 * For a watched row r0 that k blocks have touched, the merge first pays the decay it owes (r1), then adds f * S, with S
 * the sum of what the blocks did to their copies and f the factor that is found again here from S and r1. The blocks'
 * sums times f are booked by source; what is left of the real step r2 - r1 is rounding. Elsewhere a row changes only
 * where the books of the decay are begun anew (vt_decay_renew). Between payments a row owes decay; v is the row with it
 * paid, so what is owed at the end of a span less what was owed at its beginning belongs to the span's decay.
 */
#include "train/ledger.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "train/merge.h"

#define ROLE_MASK ((UINT64_C(1) << VT_LEDGER_ROLE_BITS) - 1)

static enum vt_ledger_role role_of(uint64_t key) { return (enum vt_ledger_role)(key & ROLE_MASK); }

struct watched {
  uint32_t id;
  bool touched; /* by a block of this superstep */
  bool failed;  /* out of memory */
  struct vt_ledger_sums sums;
};

struct vt_ledger {
  struct watched *watched;
  size_t count;
  uint32_t dim;
  size_t width; /* of the table's rows */
  bool by_document;
  uint32_t sources;
  size_t limit; /* sums of a word at which they are pruned; 0: never */
  struct vt_block_ledger *blocks;
  uint32_t block_count;
  /* count x dim: */
  float *paid;   /* r1 */
  float *merged; /* the row after the merge, or as it was where nothing touched it */
  double *owing; /* what was owed when the span began */
  double *work;  /* 3 rows for each watched word */
};

/* ---- making and freeing ------------------------------------------------------------------------------------------ */

static void release_block(struct vt_block_ledger *block, size_t words) {
  for (size_t k = 0; block->sums != NULL && k < words; k++) vt_ledger_sums_release(&block->sums[k]);
  vt_free(block->sums);
  vt_free(block->slots);
  vt_free(block->marks);
  vt_free(block->rows);
  vt_free_aligned(block->held);
}

static enum vt_status create_block(const struct vt_ledger *ledger, uint32_t capacity, struct vt_block_ledger *block,
                                   struct vt_error *error) {
  block->by_document = ledger->by_document;
  block->slots = vt_alloc(ledger->count, sizeof *block->slots);
  block->marks = vt_alloc_zero(capacity, sizeof *block->marks);
  block->rows = vt_alloc(ledger->count, sizeof *block->rows);
  block->held = vt_alloc_aligned(VT_STEP_OUTPUTS_MAX, ledger->width * sizeof *block->held);
  block->sums = vt_alloc_zero(ledger->count, sizeof *block->sums);
  if (block->slots == NULL || block->marks == NULL || block->rows == NULL || block->held == NULL || block->sums == NULL)
    return VT_FAIL_MEMORY(error, capacity * sizeof *block->marks + ledger->count * sizeof *block->sums);
  for (size_t k = 0; k < ledger->count; k++) vt_ledger_sums_init(&block->sums[k], ledger->dim);
  return VT_OK;
}

static enum vt_status create_parts(struct vt_ledger *ledger, const struct vt_ledger_options *options,
                                   const struct vt_table *input, uint32_t capacity, struct vt_error *error) {
  size_t numbers = ledger->count * ledger->dim;
  ledger->watched = vt_alloc_zero(ledger->count, sizeof *ledger->watched);
  ledger->paid = vt_alloc(numbers, sizeof *ledger->paid);
  ledger->merged = vt_alloc(numbers, sizeof *ledger->merged);
  ledger->owing = vt_alloc_zero(numbers, sizeof *ledger->owing);
  ledger->work = vt_alloc(3 * numbers, sizeof *ledger->work);
  ledger->blocks = vt_alloc_zero(ledger->block_count, sizeof *ledger->blocks);
  if (ledger->watched == NULL || ledger->paid == NULL || ledger->merged == NULL || ledger->owing == NULL ||
      ledger->work == NULL || ledger->blocks == NULL)
    return VT_FAIL_MEMORY(error, numbers * sizeof *ledger->work);
  for (size_t k = 0; k < ledger->count; k++) {
    if (options->words[k] >= input->rows)
      return VT_FAIL(error, VT_ERROR_ARGUMENT, "word %lu of the ledger is not in the vocabulary",
                     (unsigned long)options->words[k]);
    ledger->watched[k].id = options->words[k];
    vt_ledger_sums_init(&ledger->watched[k].sums, ledger->dim);
  }
  for (uint32_t b = 0; b < ledger->block_count; b++) VT_TRY(create_block(ledger, capacity, &ledger->blocks[b], error));
  return VT_OK;
}

enum vt_status vt_ledger_create(const struct vt_ledger_options *options, const struct vt_table *input, uint32_t blocks,
                                uint32_t capacity, struct vt_ledger **out, struct vt_error *error) {
  struct vt_ledger *ledger = vt_alloc_zero(1, sizeof *ledger);
  if (ledger == NULL) return VT_FAIL_MEMORY(error, sizeof *ledger);
  ledger->count = options->word_count;
  ledger->dim = input->dim;
  ledger->width = input->width;
  ledger->by_document = options->by_document;
  ledger->sources = options->sources;
  ledger->limit = 4 * (size_t)options->sources; /* two roles, twice what is kept of each */
  ledger->block_count = blocks;
  enum vt_status status = create_parts(ledger, options, input, capacity, error);
  if (status != VT_OK) {
    vt_ledger_free(ledger);
    return status;
  }
  *out = ledger;
  return VT_OK;
}

void vt_ledger_free(struct vt_ledger *ledger) {
  if (ledger == NULL) return;
  for (uint32_t b = 0; ledger->blocks != NULL && b < ledger->block_count; b++)
    release_block(&ledger->blocks[b], ledger->count);
  for (size_t k = 0; ledger->watched != NULL && k < ledger->count; k++)
    vt_ledger_sums_release(&ledger->watched[k].sums);
  vt_free(ledger->blocks);
  vt_free(ledger->watched);
  vt_free(ledger->paid);
  vt_free(ledger->merged);
  vt_free(ledger->owing);
  vt_free(ledger->work);
  vt_free(ledger);
}

size_t vt_ledger_words(const struct vt_ledger *ledger) { return ledger->count; }
struct vt_block_ledger *vt_ledger_block(struct vt_ledger *ledger, uint32_t block) {
  return &ledger->blocks[block];
}
bool vt_ledger_is_by_document(const struct vt_ledger *ledger) { return ledger->by_document; }
uint32_t vt_ledger_word(const struct vt_ledger *ledger, size_t k) { return ledger->watched[k].id; }
uint32_t vt_ledger_dim(const struct vt_ledger *ledger) { return ledger->dim; }

size_t vt_ledger_bytes(const struct vt_ledger *ledger) {
  size_t bytes = 0;
  for (size_t k = 0; k < ledger->count; k++) {
    bytes += vt_ledger_sums_bytes(&ledger->watched[k].sums);
    for (uint32_t b = 0; b < ledger->block_count; b++) bytes += vt_ledger_sums_bytes(&ledger->blocks[b].sums[k]);
  }
  return bytes;
}

/* ---- a superstep ------------------------------------------------------------------------------------------------- */

void vt_ledger_before_merge(struct vt_ledger *ledger, uint32_t block_count, const struct vt_table *input,
                            const struct vt_decay *decay) {
  for (size_t k = 0; k < ledger->count; k++) {
    struct watched *watched = &ledger->watched[k];
    watched->touched = false;
    for (uint32_t b = 0; b < block_count; b++) {
      const struct vt_block_ledger *block = &ledger->blocks[b];
      watched->touched = watched->touched || (block->active && block->slots[k] != VT_NO_SLOT);
      watched->failed = watched->failed || block->failed;
    }
    const float *row = vt_table_row(input, watched->id);
    float *merged = ledger->merged + k * ledger->dim, *paid = ledger->paid + k * ledger->dim;
    memcpy(merged, row, ledger->dim * sizeof *row);
    if (!watched->touched) continue;
    float owed = decay == NULL ? 1 : vt_decay_owed(decay, VT_TABLE_INPUT, watched->id);
    for (uint32_t c = 0; c < ledger->dim; c++) paid[c] = row[c] * owed;
  }
}

/* Adds to - from to the sum of a key. */
static void add_change(struct vt_ledger *ledger, struct watched *watched, enum vt_ledger_role role, const float *from,
                       const float *to) {
  double *sum = vt_ledger_sums_at(&watched->sums, vt_ledger_key(watched->id, role), 1);
  watched->failed = watched->failed || sum == NULL;
  for (uint32_t c = 0; sum != NULL && c < ledger->dim; c++) sum[c] += (double)to[c] - (double)from[c];
}

static bool are_equal(const float *a, const float *b, size_t count) { return memcmp(a, b, count * sizeof *a) == 0; }

/* What the merge made of the sum of the blocks' changes: factors[dim] with step = factors * changes. */
static void find_factors(const double *changes, const float *row, const float *squares, uint32_t dim, double *factors) {
  double step_squared = 0, row_squared = 0;
  for (uint32_t c = 0; c < dim; c++) {
    factors[c] = squares == NULL ? 1 : 1 / (sqrt((double)squares[c]) + (double)VT_ADAGRAD_EPSILON);
    double step = factors[c] * changes[c];
    step_squared += step * step;
    row_squared += (double)row[c] * (double)row[c];
  }
  double length = sqrt(step_squared), cap = (double)VT_MERGE_CAP_SHARE * sqrt(row_squared);
  if (cap < (double)VT_MERGE_CAP) cap = (double)VT_MERGE_CAP;
  if (!(length > cap)) return;
  for (uint32_t c = 0; c < dim; c++) factors[c] *= cap / length;
}

/* Books what one block noted; total[dim] takes all of it. The sums of a word lie anywhere in some megabytes: their
 * places, and then they themselves, are asked for ahead. */
#define INDEX_AHEAD 8
#define SUMS_AHEAD 4
static void take_block(struct watched *watched, const struct vt_ledger_sums *from, uint32_t dim, const double *factors,
                       double *total) {
  for (size_t e = 0; e < from->count; e++) {
    if (e + INDEX_AHEAD < from->count) vt_ledger_sums_prefetch_index(&watched->sums, from->keys[e + INDEX_AHEAD]);
    if (e + SUMS_AHEAD < from->count) vt_ledger_sums_prefetch(&watched->sums, from->keys[e + SUMS_AHEAD]);
    double *to = vt_ledger_sums_at(&watched->sums, from->keys[e], from->updates[e]);
    watched->failed = watched->failed || to == NULL;
    if (to == NULL) return;
    const double *restrict vector = from->vectors + e * dim;
    for (uint32_t c = 0; c < dim; c++) {
      double applied = factors[c] * vector[c];
      to[c] += applied;
      total[c] += applied;
    }
  }
}

/* Folds all but the longest sums of each role together. */
static void prune(const struct vt_ledger *ledger, struct watched *watched) {
  static const enum vt_ledger_role roles[] = {VT_LEDGER_ATTRACTED, VT_LEDGER_PUSHED, VT_LEDGER_PATH,
                                              VT_LEDGER_DOCUMENT};
  for (size_t r = 0; r < sizeof roles / sizeof roles[0]; r++)
    if (!vt_ledger_sums_prune(&watched->sums, ROLE_MASK, (uint64_t)roles[r], ledger->sources,
                              vt_ledger_key(VT_LEDGER_OTHERS, roles[r])))
      watched->failed = true;
}

void vt_ledger_take(struct vt_ledger *ledger, size_t k, uint32_t block_count, const struct vt_table *input,
                    const struct vt_table *squares) {
  struct watched *watched = &ledger->watched[k];
  if (!watched->touched) return;
  uint32_t dim = ledger->dim;
  double *changes = ledger->work + 3 * k * dim, *factors = changes + dim, *total = factors + dim;
  float *paid = ledger->paid + k * dim, *merged = ledger->merged + k * dim;
  const float *row = vt_table_row(input, watched->id);
  memset(changes, 0, dim * sizeof *changes);
  memset(total, 0, dim * sizeof *total);
  for (uint32_t b = 0; b < block_count; b++) {
    const struct vt_block_ledger *block = &ledger->blocks[b];
    if (!block->active || block->slots[k] == VT_NO_SLOT) continue;
    const float *copy = block->copies + (size_t)block->slots[k] * block->stride;
    for (uint32_t c = 0; c < dim; c++) changes[c] += (double)copy[c] - (double)paid[c];
  }
  find_factors(changes, paid, squares == NULL ? NULL : vt_table_row(squares, watched->id), dim, factors);
  for (uint32_t b = 0; b < block_count; b++) {
    const struct vt_block_ledger *block = &ledger->blocks[b];
    if (block->active && block->slots[k] != VT_NO_SLOT) take_block(watched, &block->sums[k], dim, factors, total);
  }
  /* merged still is the row before the merge. */
  if (!are_equal(merged, paid, dim)) add_change(ledger, watched, VT_LEDGER_DECAY, merged, paid);
  double *rounding = vt_ledger_sums_at(&watched->sums, vt_ledger_key(watched->id, VT_LEDGER_ROUNDING), 1);
  watched->failed = watched->failed || rounding == NULL;
  for (uint32_t c = 0; rounding != NULL && c < dim; c++) rounding[c] += (double)row[c] - (double)paid[c] - total[c];
  memcpy(merged, row, dim * sizeof *row);
  if (ledger->limit > 0 && watched->sums.count > ledger->limit) prune(ledger, watched);
}

void vt_ledger_after_decay(struct vt_ledger *ledger, const struct vt_table *input) {
  for (size_t k = 0; k < ledger->count; k++) {
    const float *row = vt_table_row(input, ledger->watched[k].id), *merged = ledger->merged + k * ledger->dim;
    if (!are_equal(row, merged, ledger->dim)) add_change(ledger, &ledger->watched[k], VT_LEDGER_DECAY, merged, row);
  }
}

void vt_ledger_add(struct vt_ledger *ledger, size_t k, enum vt_ledger_role role, const double *step) {
  struct watched *watched = &ledger->watched[k];
  double *sum = vt_ledger_sums_at(&watched->sums, vt_ledger_key(watched->id, role), 1);
  watched->failed = watched->failed || sum == NULL;
  for (uint32_t c = 0; sum != NULL && c < ledger->dim; c++) sum[c] += step[c];
}

enum vt_status vt_ledger_check(const struct vt_ledger *ledger, struct vt_error *error) {
  for (size_t k = 0; k < ledger->count; k++)
    if (ledger->watched[k].failed)
      return VT_FAIL_HELP(error, VT_ERROR_MEMORY, "keep a ledger of fewer words, or of fewer sources",
                          "out of memory: the ledger holds %zu bytes", vt_ledger_bytes(ledger));
  return VT_OK;
}

/* ---- whole gradients --------------------------------------------------------------------------------------------- */

/* The parts of a word's gradient lie where a block would note them. */
static double *part_at(struct vt_ledger *ledger, size_t k, uint64_t key) {
  double *to = vt_ledger_sums_at(&ledger->blocks[0].sums[k], key, 1);
  ledger->watched[k].failed = ledger->watched[k].failed || to == NULL;
  return to;
}

void vt_ledger_part(struct vt_ledger *ledger, size_t k, uint64_t key, double factor, const float *vector) {
  double *to = part_at(ledger, k, key);
  for (uint32_t c = 0; to != NULL && c < ledger->dim; c++) to[c] += factor * (double)vector[c];
}

void vt_ledger_part_double(struct vt_ledger *ledger, size_t k, uint64_t key, double factor, const double *vector) {
  double *to = part_at(ledger, k, key);
  for (uint32_t c = 0; to != NULL && c < ledger->dim; c++) to[c] += factor * vector[c];
}

/* Adds a whole vector under a role of the word's own. */
static void take_own(struct vt_ledger *ledger, struct watched *watched, enum vt_ledger_role role, const double *vector,
                     double *total) {
  if (vector == NULL) return;
  double *to = vt_ledger_sums_at(&watched->sums, vt_ledger_key(watched->id, role), 1);
  watched->failed = watched->failed || to == NULL;
  for (uint32_t c = 0; to != NULL && c < ledger->dim; c++) {
    to[c] += vector[c];
    total[c] += vector[c];
  }
}

void vt_ledger_step(struct vt_ledger *ledger, size_t k, const struct vt_ledger_step *step) {
  struct watched *watched = &ledger->watched[k];
  struct vt_ledger_sums *parts = &ledger->blocks[0].sums[k];
  uint32_t dim = ledger->dim;
  double *total = ledger->work + 3 * k * dim, *rest = total + dim;
  memset(total, 0, dim * sizeof *total);
  take_block(watched, parts, dim, step->factors, total);
  vt_ledger_sums_clear(parts);
  take_own(ledger, watched, VT_LEDGER_DECAY, step->decay, total);
  take_own(ledger, watched, VT_LEDGER_OPTIMIZER, step->held, total);
  for (uint32_t c = 0; c < dim; c++) rest[c] = (double)step->after[c] - (double)step->before[c] - total[c];
  take_own(ledger, watched, VT_LEDGER_ROUNDING, rest, total);
  if (ledger->limit > 0 && watched->sums.count > ledger->limit) prune(ledger, watched);
}

/* ---- spans ------------------------------------------------------------------------------------------------------- */

/* What a row owes: v less the row, in the arithmetic in which observers are shown v. */
static void find_owing(const struct vt_ledger *ledger, size_t k, const struct vt_table *input,
                       const struct vt_decay *decay, double *owing) {
  uint32_t id = ledger->watched[k].id;
  const float *row = vt_table_row(input, id);
  float owed = decay == NULL ? 1 : vt_decay_owed(decay, VT_TABLE_INPUT, id);
  for (uint32_t c = 0; c < ledger->dim; c++) owing[c] = (double)(owed * row[c]) - (double)row[c];
}

/* A sum, by role and then source: what reads and writes it in that order goes through memory and file in one piece. */
struct placed {
  uint64_t place;
  uint32_t entry;
};

static int compare_places(const void *a, const void *b) {
  uint64_t x = ((const struct placed *)a)->place, y = ((const struct placed *)b)->place;
  return (x > y) - (x < y);
}

/* Free with vt_free; NULL when out of memory. */
static struct placed *sorted_sums(const struct vt_ledger_sums *sums) {
  struct placed *order = vt_alloc(sums->count + 1, sizeof *order); /* of none, too */
  if (order == NULL) return NULL;
  for (size_t e = 0; e < sums->count; e++) {
    uint64_t key = sums->keys[e];
    order[e] =
        (struct placed){(key & ROLE_MASK) << (64 - VT_LEDGER_ROLE_BITS) | key >> VT_LEDGER_ROLE_BITS, (uint32_t)e};
  }
  qsort(order, sums->count, sizeof *order, compare_places);
  return order;
}

static enum vt_status close_word(struct vt_ledger *ledger, size_t k, const struct vt_table *input,
                                 const struct vt_decay *decay, vt_ledger_visit *visit, void *context,
                                 struct vt_error *error) {
  struct watched *watched = &ledger->watched[k];
  uint32_t dim = ledger->dim;
  double *owing = ledger->work + 3 * k * dim, *sum = owing + dim, *before = ledger->owing + k * dim;
  uint64_t decay_key = vt_ledger_key(watched->id, VT_LEDGER_DECAY), decay_updates = 0;
  if (ledger->sources > 0) prune(ledger, watched);
  VT_TRY(vt_ledger_check(ledger, error));
  find_owing(ledger, k, input, decay, owing);
  for (uint32_t c = 0; c < dim; c++) sum[c] = owing[c] - before[c];
  struct placed *order = sorted_sums(&watched->sums);
  if (order == NULL) return VT_FAIL_MEMORY(error, watched->sums.count * sizeof *order);
  enum vt_status status = VT_OK;
  for (size_t at = 0; at < watched->sums.count && status == VT_OK; at++) {
    size_t e = order[at].entry;
    uint64_t key = watched->sums.keys[e], updates = watched->sums.updates[e];
    const double *vector = watched->sums.vectors + e * dim;
    if (key == decay_key && decay != NULL) {
      for (uint32_t c = 0; c < dim; c++) sum[c] += vector[c];
      decay_updates = updates;
    } else {
      status = visit(context, watched->id, key >> VT_LEDGER_ROLE_BITS, role_of(key), updates, vector, error);
    }
  }
  vt_free(order);
  VT_TRY(status);
  if (decay != NULL || decay_updates > 0)
    VT_TRY(visit(context, watched->id, watched->id, VT_LEDGER_DECAY, decay_updates, sum, error));
  vt_ledger_sums_clear(&watched->sums);
  memcpy(before, owing, dim * sizeof *owing);
  return VT_OK;
}

enum vt_status vt_ledger_close(struct vt_ledger *ledger, const struct vt_table *input, const struct vt_decay *decay,
                               vt_ledger_visit *visit, void *context, struct vt_error *error) {
  for (size_t k = 0; k < ledger->count; k++) VT_TRY(close_word(ledger, k, input, decay, visit, context, error));
  return VT_OK;
}

enum vt_status vt_ledger_start(const struct vt_ledger *ledger, const struct vt_table *input, vt_ledger_visit *visit,
                               void *context, struct vt_error *error) {
  for (size_t k = 0; k < ledger->count; k++) {
    uint32_t id = ledger->watched[k].id;
    const float *row = vt_table_row(input, id);
    double *vector = ledger->work + 3 * k * ledger->dim;
    for (uint32_t c = 0; c < ledger->dim; c++) vector[c] = (double)row[c];
    VT_TRY(visit(context, id, id, VT_LEDGER_START, 0, vector, error));
  }
  return VT_OK;
}

/* ---- going on with it -------------------------------------------------------------------------------------------- */

enum vt_status vt_ledger_packed_init(struct vt_ledger_packed *packed, uint64_t words, uint64_t count, uint64_t dim,
                                     struct vt_error *error) {
  *packed = (struct vt_ledger_packed){.words = words, .count = count, .dim = dim};
  if (dim > 0 && (count > SIZE_MAX / sizeof(double) / dim || words > SIZE_MAX / sizeof(double) / dim))
    return VT_FAIL_MEMORY(error, SIZE_MAX);
  packed->counts = vt_alloc((size_t)words, sizeof *packed->counts);
  packed->keys = vt_alloc((size_t)count, sizeof *packed->keys);
  packed->updates = vt_alloc((size_t)count, sizeof *packed->updates);
  packed->vectors = vt_alloc((size_t)count, dim * sizeof *packed->vectors);
  packed->owing = vt_alloc((size_t)words, dim * sizeof *packed->owing);
  if (packed->counts != NULL && packed->keys != NULL && packed->updates != NULL && packed->vectors != NULL &&
      packed->owing != NULL)
    return VT_OK;
  vt_ledger_packed_release(packed);
  return VT_FAIL_MEMORY(error, count * dim * sizeof *packed->vectors);
}

void vt_ledger_packed_release(struct vt_ledger_packed *packed) {
  vt_free(packed->counts);
  vt_free(packed->keys);
  vt_free(packed->updates);
  vt_free(packed->vectors);
  vt_free(packed->owing);
  *packed = (struct vt_ledger_packed){0};
}

enum vt_status vt_ledger_pack(const struct vt_ledger *ledger, struct vt_ledger_packed *packed, struct vt_error *error) {
  size_t count = 0, at = 0, dim = ledger->dim;
  for (size_t k = 0; k < ledger->count; k++) count += ledger->watched[k].sums.count;
  VT_TRY(vt_ledger_packed_init(packed, ledger->count, count, dim, error));
  for (size_t k = 0; k < ledger->count; k++) {
    const struct vt_ledger_sums *sums = &ledger->watched[k].sums;
    packed->counts[k] = sums->count;
    if (sums->count == 0) continue; /* it may have no memory at all */
    memcpy(packed->keys + at, sums->keys, sums->count * sizeof *sums->keys);
    memcpy(packed->updates + at, sums->updates, sums->count * sizeof *sums->updates);
    memcpy(packed->vectors + at * dim, sums->vectors, sums->count * dim * sizeof *sums->vectors);
    at += sums->count;
  }
  memcpy(packed->owing, ledger->owing, ledger->count * dim * sizeof *ledger->owing);
  return VT_OK;
}

enum vt_status vt_ledger_unpack(struct vt_ledger *ledger, const struct vt_ledger_packed *packed,
                                struct vt_error *error) {
  uint64_t sum = 0, dim = ledger->dim;
  bool like = packed->words == ledger->count && packed->dim == dim;
  for (size_t k = 0; like && k < ledger->count; k++) {
    like = packed->counts[k] <= packed->count - sum;
    sum += packed->counts[k];
  }
  if (!like || sum != packed->count)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "the ledger of the checkpoint is not one of these words");
  const uint64_t *key = packed->keys, *updates = packed->updates;
  const double *vector = packed->vectors;
  for (size_t k = 0; k < ledger->count; k++) {
    struct vt_ledger_sums *sums = &ledger->watched[k].sums;
    vt_ledger_sums_clear(sums);
    for (uint64_t e = 0; e < packed->counts[k]; e++, key++, updates++, vector += dim) {
      if (role_of(*key) == VT_LEDGER_START || role_of(*key) >= VT_LEDGER_ROLES)
        return VT_FAIL(error, VT_ERROR_CORRUPT, "the ledger of the checkpoint holds a role that there is not");
      double *to = vt_ledger_sums_at(sums, *key, *updates);
      if (to == NULL) return VT_FAIL_MEMORY(error, vt_ledger_sums_bytes(sums));
      memcpy(to, vector, dim * sizeof *to);
    }
  }
  memcpy(ledger->owing, packed->owing, ledger->count * dim * sizeof *ledger->owing);
  return VT_OK;
}
