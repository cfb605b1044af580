/* pair_counts.c: an open-addressed table of pairs, then its entries in order. */
#include "train/pair_counts.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"
#include "vectrail/corpus.h"

struct entry {
  uint64_t pair;  /* input word << 32 | target */
  uint64_t units; /* 0: free */
};

struct table {
  struct entry *entries;
  size_t capacity; /* a power of two */
  size_t used;
};

static struct entry *find(const struct table *table, uint64_t pair) {
  size_t at = (size_t)vt_mix64(pair) & (table->capacity - 1);
  while (table->entries[at].units != 0 && table->entries[at].pair != pair) at = (at + 1) & (table->capacity - 1);
  return &table->entries[at];
}

static enum vt_status grow(struct table *table, struct vt_error *error) {
  struct table larger = {.capacity = table->capacity == 0 ? 1 << 16 : table->capacity * 2, .used = table->used};
  larger.entries = vt_alloc_zero(larger.capacity, sizeof *larger.entries);
  if (larger.entries == NULL) return VT_FAIL_MEMORY(error, larger.capacity * sizeof *larger.entries);
  for (size_t k = 0; k < table->capacity; k++)
    if (table->entries[k].units != 0) *find(&larger, table->entries[k].pair) = table->entries[k];
  vt_free(table->entries);
  *table = larger;
  return VT_OK;
}

static enum vt_status add(struct table *table, uint32_t input, uint32_t target, uint64_t units,
                          struct vt_error *error) {
  if (2 * table->used >= table->capacity) VT_TRY(grow(table, error));
  uint64_t pair = (uint64_t)input << 32 | target;
  struct entry *entry = find(table, pair);
  if (entry->units == 0) table->used++;
  entry->pair = pair;
  entry->units += units;
  return VT_OK;
}

/* All pairs of which the word at `centre` is the target. */
static enum vt_status add_centre(struct table *table, const uint32_t *ids, uint64_t entries, uint64_t centre,
                                 uint32_t window, struct vt_error *error) {
  for (uint64_t n = 1; n <= window && n <= centre && ids[centre - n] != VT_CORPUS_END; n++)
    VT_TRY(add(table, ids[centre - n], ids[centre], window - n + 1, error));
  for (uint64_t n = 1; n <= window && centre + n < entries && ids[centre + n] != VT_CORPUS_END; n++)
    VT_TRY(add(table, ids[centre + n], ids[centre], window - n + 1, error));
  return VT_OK;
}

/* Places come in ascending order; *span goes with them. */
static bool is_held_out(const struct vt_objective_setup *setup, uint64_t place, size_t *span) {
  const struct vt_held_out *held_out = setup->held_out;
  if (held_out == NULL) return false;
  while (*span < held_out->count && place >= held_out->spans[*span].end) ++*span;
  return *span < held_out->count && place >= held_out->spans[*span].begin;
}

static enum vt_status count(const struct vt_objective_setup *setup, const uint32_t *ids, uint64_t entries,
                            struct table *table, struct vt_error *error) {
  size_t probe = 0, span = 0;
  uint64_t kept = 0;
  for (uint64_t place = 0; place < entries; place++) {
    bool is_probe = probe < setup->probe_count && setup->probe_positions[probe] == place;
    if (is_probe) probe++;
    if (is_held_out(setup, place, &span)) continue;
    if (is_probe || ids[place] == VT_CORPUS_END) continue;
    vt_corpus_passed(setup->corpus, place, &kept);
    VT_TRY(add_centre(table, ids, entries, place, setup->options->window, error));
  }
  if (table->used > 0) return VT_OK;
  return VT_FAIL(error, VT_ERROR_EMPTY, "no two words of the text stand within a window of each other");
}

static int compare_entries(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  return (x->pair > y->pair) - (x->pair < y->pair);
}

/* The entries, in order, as rows. */
static enum vt_status take(const struct table *table, uint32_t window, struct vt_pair_counts *counts,
                           struct vt_error *error) {
  uint32_t rows = 0;
  for (size_t k = 0; k < table->used; k++)
    rows += k == 0 || table->entries[k].pair >> 32 != table->entries[k - 1].pair >> 32;
  counts->inputs = vt_alloc(rows, sizeof *counts->inputs);
  counts->start = vt_alloc((size_t)rows + 1, sizeof *counts->start);
  counts->targets = vt_alloc(table->used, sizeof *counts->targets);
  counts->weights = vt_alloc(table->used, sizeof *counts->weights);
  if (counts->inputs == NULL || counts->start == NULL || counts->targets == NULL || counts->weights == NULL)
    return VT_FAIL_MEMORY(error, table->used * sizeof *counts->targets);
  for (size_t k = 0; k < table->used; k++) {
    uint32_t input = (uint32_t)(table->entries[k].pair >> 32);
    if (counts->rows == 0 || counts->inputs[counts->rows - 1] != input) {
      counts->inputs[counts->rows] = input;
      counts->start[counts->rows++] = k;
    }
    counts->targets[k] = (uint32_t)table->entries[k].pair;
    counts->weights[k] = (float)((double)table->entries[k].units / window);
    counts->total += (double)counts->weights[k];
  }
  counts->start[rows] = table->used;
  return VT_OK;
}

enum vt_status vt_pair_counts_create(const struct vt_objective_setup *setup, const uint32_t *ids, uint64_t entries,
                                     struct vt_pair_counts *counts, struct vt_error *error) {
  *counts = (struct vt_pair_counts){0};
  struct table table = {0};
  enum vt_status status = count(setup, ids, entries, &table, error);
  if (status == VT_OK) {
    size_t used = 0;
    for (size_t k = 0; k < table.capacity; k++)
      if (table.entries[k].units != 0) table.entries[used++] = table.entries[k];
    qsort(table.entries, used, sizeof *table.entries, compare_entries);
    status = take(&table, setup->options->window, counts, error);
  }
  vt_free(table.entries);
  if (status != VT_OK) vt_pair_counts_release(counts);
  return status;
}

void vt_pair_counts_release(struct vt_pair_counts *counts) {
  vt_free(counts->inputs);
  vt_free(counts->start);
  vt_free(counts->targets);
  vt_free(counts->weights);
  *counts = (struct vt_pair_counts){0};
}
