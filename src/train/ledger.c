/*
 * ledger.c: the sums of the open span, and what a superstep adds to them.
 *
 * For a watched row r0 that k blocks have touched, the merge first pays the decay it owes (r1), then adds f * S, with S
 * the sum of what the blocks did to their copies and f the factor that is found again here from S and r1. The blocks'
 * sums times f are booked by source. Elsewhere a row changes only where the books of the decay are begun anew
 * (vt_decay_renew). Between payments a row owes decay; v is the row with it paid, so what is owed at the end of a span
 * less what was owed at its beginning belongs to the span's decay.
 *
 * Sums are float32, which is what is kept of them: half the memory to wait for. What that loses is in the rounding of
 * the span, which is what v moved in it less the sums as they were handed out, in double: an identity by construction.
 */
#include "train/ledger.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "kernel/kernel.h"
#include "train/merge.h"

#define ROLE_MASK ((UINT64_C(1) << VT_LEDGER_ROLE_BITS) - 1)

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
  const struct vt_kernel *kernel;
  bool by_document;
  uint32_t sources;
  size_t limit; /* sums of a word at which they are pruned; 0: never */
  struct vt_block_ledger *blocks;
  uint32_t block_count;
  /* count x dim: */
  float *paid;     /* r1 */
  float *merged;   /* the row after the merge, or as it was where nothing touched it */
  float *begun;    /* v when the span began */
  double *decayed; /* what decay took since then, less what was owed then */
  double *work;
  float *factors; /* count x width: f */
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
  for (size_t k = 0; k < ledger->count; k++) vt_ledger_sums_init(&block->sums[k], ledger->width);
  return VT_OK;
}

static enum vt_status create_parts(struct vt_ledger *ledger, const struct vt_ledger_options *options,
                                   const struct vt_table *input, uint32_t capacity, struct vt_error *error) {
  size_t numbers = ledger->count * ledger->dim;
  ledger->watched = vt_alloc_zero(ledger->count, sizeof *ledger->watched);
  ledger->paid = vt_alloc(numbers, sizeof *ledger->paid);
  ledger->merged = vt_alloc(numbers, sizeof *ledger->merged);
  ledger->begun = vt_alloc_zero(numbers, sizeof *ledger->begun);
  ledger->decayed = vt_alloc_zero(numbers, sizeof *ledger->decayed);
  ledger->work = vt_alloc(numbers, sizeof *ledger->work);
  ledger->factors = vt_alloc_aligned(ledger->count, ledger->width * sizeof *ledger->factors);
  ledger->blocks = vt_alloc_zero(ledger->block_count, sizeof *ledger->blocks);
  if (ledger->watched == NULL || ledger->paid == NULL || ledger->merged == NULL || ledger->begun == NULL ||
      ledger->decayed == NULL || ledger->work == NULL || ledger->factors == NULL || ledger->blocks == NULL)
    return VT_FAIL_MEMORY(error, numbers * sizeof *ledger->work);
  for (size_t k = 0; k < ledger->count; k++) {
    if (options->words[k] >= input->rows)
      return VT_FAIL(error, VT_ERROR_ARGUMENT, "word %lu of the ledger is not in the vocabulary",
                     (unsigned long)options->words[k]);
    ledger->watched[k].id = options->words[k];
    vt_ledger_sums_init(&ledger->watched[k].sums, ledger->width);
  }
  for (uint32_t b = 0; b < ledger->block_count; b++) VT_TRY(create_block(ledger, capacity, &ledger->blocks[b], error));
  return VT_OK;
}

enum vt_status vt_ledger_create(const struct vt_ledger_options *options, const struct vt_table *input,
                                const char *kernel, uint32_t blocks, uint32_t capacity, struct vt_ledger **out,
                                struct vt_error *error) {
  const struct vt_kernel *chosen;
  VT_TRY(vt_kernel_choose(kernel, &chosen, error));
  struct vt_ledger *ledger = vt_alloc_zero(1, sizeof *ledger);
  if (ledger == NULL) return VT_FAIL_MEMORY(error, sizeof *ledger);
  ledger->kernel = chosen;
  ledger->count = options->word_count;
  ledger->dim = input->dim;
  ledger->width = input->width;
  ledger->by_document = options->by_document;
  ledger->sources = options->sources;
  ledger->limit = 6 * (size_t)options->sources; /* two roles, three times what is kept of each */
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
  vt_free(ledger->begun);
  vt_free(ledger->decayed);
  vt_free(ledger->work);
  vt_free_aligned(ledger->factors);
  vt_free(ledger);
}

size_t vt_ledger_words(const struct vt_ledger *ledger) { return ledger->count; }
struct vt_block_ledger *vt_ledger_block(struct vt_ledger *ledger, uint32_t block) {
  return &ledger->blocks[block];
}
bool vt_ledger_is_by_document(const struct vt_ledger *ledger) { return ledger->by_document; }
uint32_t vt_ledger_word(const struct vt_ledger *ledger, size_t k) { return ledger->watched[k].id; }

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

/* One more update of a role whose sum is known at the end of the span. */
static void count_update(struct watched *watched, enum vt_ledger_role role) {
  if (vt_ledger_sums_at(&watched->sums, vt_ledger_key(watched->id, role), 1) == NULL) watched->failed = true;
}

/* Decay took a row from `from` to `to`. */
static void take_decay(struct vt_ledger *ledger, size_t k, const float *from, const float *to) {
  double *decayed = ledger->decayed + k * ledger->dim;
  for (uint32_t c = 0; c < ledger->dim; c++) decayed[c] += (double)to[c] - (double)from[c];
  count_update(&ledger->watched[k], VT_LEDGER_DECAY);
}

static bool are_equal(const float *a, const float *b, size_t count) { return memcmp(a, b, count * sizeof *a) == 0; }

/* What the merge made of the sum of the blocks' changes: factors[dim] with step = factors * changes. */
static void find_factors(const double *changes, const float *row, const float *squares, uint32_t dim, float *factors) {
  double step_squared = 0, row_squared = 0;
  for (uint32_t c = 0; c < dim; c++) {
    double factor = squares == NULL ? 1 : 1 / (sqrt((double)squares[c]) + (double)VT_ADAGRAD_EPSILON);
    double step = factor * changes[c];
    factors[c] = (float)factor;
    step_squared += step * step;
    row_squared += (double)row[c] * (double)row[c];
  }
  double length = sqrt(step_squared), cap = (double)VT_MERGE_CAP_SHARE * sqrt(row_squared);
  if (cap < (double)VT_MERGE_CAP) cap = (double)VT_MERGE_CAP;
  if (!(length > cap)) return;
  for (uint32_t c = 0; c < dim; c++) factors[c] = (float)((double)factors[c] * cap / length);
}

/* Books what one block noted. The sums of a word lie anywhere in some megabytes: their places, and then they
 * themselves, are asked for ahead. */
#define INDEX_AHEAD 8
#define SUMS_AHEAD 4
static void take_block(const struct vt_ledger *ledger, struct watched *watched, const struct vt_ledger_sums *from,
                       const float *factors) {
  for (size_t e = 0; e < from->count; e++) {
    if (e + INDEX_AHEAD < from->count) vt_ledger_sums_prefetch_index(&watched->sums, from->keys[e + INDEX_AHEAD]);
    if (e + SUMS_AHEAD < from->count) vt_ledger_sums_prefetch(&watched->sums, from->keys[e + SUMS_AHEAD]);
    float *to = vt_ledger_sums_at(&watched->sums, from->keys[e], from->updates[e]);
    watched->failed = watched->failed || to == NULL;
    if (to == NULL) return;
    ledger->kernel->add_products(to, from->vectors + e * ledger->width, factors, ledger->width);
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
  double *changes = ledger->work + k * dim;
  float *paid = ledger->paid + k * dim, *merged = ledger->merged + k * dim,
        *factors = ledger->factors + k * ledger->width;
  memset(changes, 0, dim * sizeof *changes);
  for (uint32_t b = 0; b < block_count; b++) {
    const struct vt_block_ledger *block = &ledger->blocks[b];
    if (!block->active || block->slots[k] == VT_NO_SLOT) continue;
    const float *copy = block->copies + (size_t)block->slots[k] * block->stride;
    for (uint32_t c = 0; c < dim; c++) changes[c] += (double)copy[c] - (double)paid[c];
  }
  find_factors(changes, paid, squares == NULL ? NULL : vt_table_row(squares, watched->id), dim, factors);
  for (uint32_t b = 0; b < block_count; b++) {
    const struct vt_block_ledger *block = &ledger->blocks[b];
    if (block->active && block->slots[k] != VT_NO_SLOT) take_block(ledger, watched, &block->sums[k], factors);
  }
  /* merged still is the row before the merge. */
  if (!are_equal(merged, paid, dim)) take_decay(ledger, k, merged, paid);
  count_update(watched, VT_LEDGER_ROUNDING);
  memcpy(merged, vt_table_row(input, watched->id), dim * sizeof *merged);
  if (ledger->limit > 0 && watched->sums.count > ledger->limit) prune(ledger, watched);
}

void vt_ledger_after_decay(struct vt_ledger *ledger, const struct vt_table *input) {
  for (size_t k = 0; k < ledger->count; k++) {
    const float *row = vt_table_row(input, ledger->watched[k].id), *merged = ledger->merged + k * ledger->dim;
    if (!are_equal(row, merged, ledger->dim)) take_decay(ledger, k, merged, row);
  }
}

void vt_ledger_add(struct vt_ledger *ledger, size_t k, enum vt_ledger_role role, const double *step) {
  struct watched *watched = &ledger->watched[k];
  float *sum = vt_ledger_sums_at(&watched->sums, vt_ledger_key(watched->id, role), 1);
  watched->failed = watched->failed || sum == NULL;
  for (uint32_t c = 0; sum != NULL && c < ledger->dim; c++) sum[c] = (float)((double)sum[c] + step[c]);
}

void vt_ledger_add_decay(struct vt_ledger *ledger, size_t k, const double *step) {
  for (uint32_t c = 0; c < ledger->dim; c++) ledger->decayed[k * ledger->dim + c] += step[c];
  count_update(&ledger->watched[k], VT_LEDGER_DECAY);
}

void vt_ledger_end_step(struct vt_ledger *ledger, size_t k) { count_update(&ledger->watched[k], VT_LEDGER_ROUNDING); }

enum vt_status vt_ledger_check(const struct vt_ledger *ledger, struct vt_error *error) {
  for (size_t k = 0; k < ledger->count; k++)
    if (ledger->watched[k].failed)
      return VT_FAIL_HELP(error, VT_ERROR_MEMORY, "keep a ledger of fewer words, or of fewer sources",
                          "out of memory: the ledger holds %zu bytes", vt_ledger_bytes(ledger));
  return VT_OK;
}

/* ---- whole gradients --------------------------------------------------------------------------------------------- */

/* The parts of a word's gradient lie where a block would note them. */
static float *part_at(struct vt_ledger *ledger, size_t k, uint64_t key) {
  float *to = vt_ledger_sums_at(&ledger->blocks[0].sums[k], key, 1);
  ledger->watched[k].failed = ledger->watched[k].failed || to == NULL;
  return to;
}

void vt_ledger_part(struct vt_ledger *ledger, size_t k, uint64_t key, double factor, const float *vector) {
  float *to = part_at(ledger, k, key);
  for (uint32_t c = 0; to != NULL && c < ledger->dim; c++) to[c] = (float)((double)to[c] + factor * (double)vector[c]);
}

void vt_ledger_part_double(struct vt_ledger *ledger, size_t k, uint64_t key, double factor, const double *vector) {
  float *to = part_at(ledger, k, key);
  for (uint32_t c = 0; to != NULL && c < ledger->dim; c++) to[c] = (float)((double)to[c] + factor * vector[c]);
}

void vt_ledger_step(struct vt_ledger *ledger, size_t k, const double *factors, const double *decay,
                    const double *held) {
  struct watched *watched = &ledger->watched[k];
  struct vt_ledger_sums *parts = &ledger->blocks[0].sums[k];
  float *floats = ledger->factors + k * ledger->width;
  for (uint32_t c = 0; c < ledger->dim; c++) floats[c] = (float)factors[c];
  take_block(ledger, watched, parts, floats);
  vt_ledger_sums_clear(parts);
  if (decay != NULL) vt_ledger_add_decay(ledger, k, decay);
  if (held != NULL) vt_ledger_add(ledger, k, VT_LEDGER_OPTIMIZER, held);
  vt_ledger_end_step(ledger, k);
  if (ledger->limit > 0 && watched->sums.count > ledger->limit) prune(ledger, watched);
}

/* ---- spans ------------------------------------------------------------------------------------------------------- */

/* Closes the decay of the span: what was taken and what is owed by now, less what was owed when it began; and what the
 * row owes is the next span's to begin with. v[dim] is the row as observers are shown it. */
static void close_decay(struct vt_ledger *ledger, size_t k, const struct vt_table *input, const struct vt_decay *decay,
                        float *v) {
  struct watched *watched = &ledger->watched[k];
  const float *row = vt_table_row(input, watched->id);
  const float owed = decay == NULL ? 1 : vt_decay_owed(decay, VT_TABLE_INPUT, watched->id);
  double *decayed = ledger->decayed + k * ledger->dim;
  bool any = decay != NULL;
  for (uint32_t c = 0; c < ledger->dim; c++) any = any || decayed[c] != 0;
  float *sum = any ? vt_ledger_sums_at(&watched->sums, vt_ledger_key(watched->id, VT_LEDGER_DECAY), 0) : NULL;
  watched->failed = watched->failed || (any && sum == NULL);
  for (uint32_t c = 0; c < ledger->dim; c++) {
    v[c] = owed * row[c];
    const double owing = (double)v[c] - (double)row[c];
    if (sum != NULL) sum[c] = (float)(decayed[c] + owing);
    decayed[c] = -owing;
  }
}

/* What v moved in the span beyond all sums of it. */
static void close_rounding(struct vt_ledger *ledger, size_t k, const float *v) {
  struct watched *watched = &ledger->watched[k];
  const struct vt_ledger_sums *sums = &watched->sums;
  const uint32_t dim = ledger->dim;
  double *rest = ledger->work + k * dim;
  float *begun = ledger->begun + k * dim;
  for (uint32_t c = 0; c < dim; c++) rest[c] = (double)v[c] - (double)begun[c];
  for (size_t e = 0; e < sums->count; e++) {
    const float *vector = sums->vectors + e * ledger->width;
    for (uint32_t c = 0; c < dim; c++) rest[c] -= (double)vector[c];
  }
  memcpy(begun, v, dim * sizeof *begun);
  bool any = false;
  for (uint32_t c = 0; c < dim; c++) any = any || rest[c] != 0;
  if (!any) return;
  float *sum = vt_ledger_sums_at(&watched->sums, vt_ledger_key(watched->id, VT_LEDGER_ROUNDING), 0);
  watched->failed = watched->failed || sum == NULL;
  for (uint32_t c = 0; sum != NULL && c < dim; c++) sum[c] = (float)rest[c];
}

static void hand_out(const struct vt_ledger *ledger, size_t k, struct vt_ledger_span *span) {
  const struct vt_ledger_sums *sums = &ledger->watched[k].sums;
  *span = (struct vt_ledger_span){.word = ledger->watched[k].id,
                                  .dim = ledger->dim,
                                  .count = sums->count,
                                  .keys = sums->keys,
                                  .updates = sums->updates,
                                  .vectors = sums->vectors,
                                  .stride = ledger->width};
}

enum vt_status vt_ledger_close(struct vt_ledger *ledger, const struct vt_table *input, const struct vt_decay *decay,
                               vt_ledger_visit *visit, void *context, struct vt_error *error) {
  for (size_t k = 0; k < ledger->count; k++) {
    struct vt_ledger_span span;
    float v[VT_KERNEL_WIDTH_MAX];
    if (ledger->sources > 0) prune(ledger, &ledger->watched[k]);
    close_decay(ledger, k, input, decay, v);
    close_rounding(ledger, k, v);
    VT_TRY(vt_ledger_check(ledger, error));
    hand_out(ledger, k, &span);
    VT_TRY(visit(context, &span, error));
    vt_ledger_sums_clear(&ledger->watched[k].sums);
  }
  return VT_OK;
}

enum vt_status vt_ledger_start(struct vt_ledger *ledger, const struct vt_table *input, vt_ledger_visit *visit,
                               void *context, struct vt_error *error) {
  for (size_t k = 0; k < ledger->count; k++) {
    const float *row = vt_table_row(input, ledger->watched[k].id);
    memcpy(ledger->begun + k * ledger->dim, row, ledger->dim * sizeof *row);
    const uint64_t key = vt_ledger_key(ledger->watched[k].id, VT_LEDGER_START), updates = 0;
    const struct vt_ledger_span span = {.word = ledger->watched[k].id,
                                        .dim = ledger->dim,
                                        .count = 1,
                                        .keys = &key,
                                        .updates = &updates,
                                        .vectors = row,
                                        .stride = ledger->width};
    VT_TRY(visit(context, &span, error));
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
  packed->begun = vt_alloc((size_t)words, dim * sizeof *packed->begun);
  packed->decayed = vt_alloc((size_t)words, dim * sizeof *packed->decayed);
  if (packed->counts != NULL && packed->keys != NULL && packed->updates != NULL && packed->vectors != NULL &&
      packed->begun != NULL && packed->decayed != NULL)
    return VT_OK;
  vt_ledger_packed_release(packed);
  return VT_FAIL_MEMORY(error, count * dim * sizeof *packed->vectors);
}

void vt_ledger_packed_release(struct vt_ledger_packed *packed) {
  vt_free(packed->counts);
  vt_free(packed->keys);
  vt_free(packed->updates);
  vt_free(packed->vectors);
  vt_free(packed->begun);
  vt_free(packed->decayed);
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
    for (size_t e = 0; e < sums->count; e++, at++)
      memcpy(packed->vectors + at * dim, sums->vectors + e * ledger->width, dim * sizeof *sums->vectors);
  }
  memcpy(packed->begun, ledger->begun, ledger->count * dim * sizeof *ledger->begun);
  memcpy(packed->decayed, ledger->decayed, ledger->count * dim * sizeof *ledger->decayed);
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
  const float *vector = packed->vectors;
  for (size_t k = 0; k < ledger->count; k++) {
    struct vt_ledger_sums *sums = &ledger->watched[k].sums;
    vt_ledger_sums_clear(sums);
    for (uint64_t e = 0; e < packed->counts[k]; e++, key++, updates++, vector += dim) {
      if (vt_ledger_role_of(*key) == VT_LEDGER_START || vt_ledger_role_of(*key) >= VT_LEDGER_ROLES)
        return VT_FAIL(error, VT_ERROR_CORRUPT, "the ledger of the checkpoint holds a role that there is not");
      float *to = vt_ledger_sums_at(sums, *key, *updates);
      if (to == NULL) return VT_FAIL_MEMORY(error, vt_ledger_sums_bytes(sums));
      memcpy(to, vector, dim * sizeof *to);
    }
  }
  memcpy(ledger->begun, packed->begun, ledger->count * dim * sizeof *ledger->begun);
  memcpy(ledger->decayed, packed->decayed, ledger->count * dim * sizeof *ledger->decayed);
  return VT_OK;
}
