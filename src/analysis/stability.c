/*
 * stability.c: how far words keep their neighbours from table to table.
 *
 * Neighbours need no common coordinates, so tables are compared as they are. The neighbours of the sampled words are
 * found in all tables first; then every pair of tables is compared word by word. Memory: tables x sample x k ids.
 * Threads: those of the search.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "vectrail/compare.h"

struct stability {
  const struct vt_vectors *const *tables;
  size_t table_count;
  size_t k;
  size_t sample;
  uint32_t *ids;     /* [sample] */
  uint32_t *nearest; /* [tables][sample][k], ids ascending */
  size_t *counts;    /* [tables][sample] */
};

static int compare_ids(const void *left, const void *right) {
  const uint32_t *a = left, *b = right;
  return (*a > *b) - (*a < *b);
}

static enum vt_status search(struct stability *stability, size_t table, int threads, struct vt_error *error) {
  size_t sample = stability->sample, k = stability->k;
  struct vt_neighbor *neighbors = vt_alloc(sample * k, sizeof *neighbors);
  if (neighbors == NULL) return VT_FAIL_MEMORY(error, sample * k * sizeof *neighbors);
  size_t *counts = stability->counts + table * sample;
  uint32_t *nearest = stability->nearest + table * sample * k;
  enum vt_status status = vt_vectors_nearest_many(stability->tables[table], stability->ids, sample, k, 0, threads,
                                                  neighbors, counts, error);
  for (size_t s = 0; status == VT_OK && s < sample; s++) {
    for (size_t n = 0; n < counts[s]; n++) nearest[s * k + n] = neighbors[s * k + n].id;
    qsort(nearest + s * k, counts[s], sizeof *nearest, compare_ids);
  }
  vt_free(neighbors);
  return status;
}

/* Shared neighbours, as a share of all (Jaccard). */
static double overlap(const struct stability *stability, size_t table_a, size_t table_b, size_t word) {
  size_t at_a = table_a * stability->sample + word, at_b = table_b * stability->sample + word;
  const uint32_t *a = stability->nearest + at_a * stability->k, *b = stability->nearest + at_b * stability->k;
  size_t count_a = stability->counts[at_a], count_b = stability->counts[at_b], shared = 0;
  for (size_t i = 0, j = 0; i < count_a && j < count_b;) {
    shared += a[i] == b[j];
    uint32_t least = a[i] < b[j] ? a[i] : b[j];
    i += a[i] == least;
    j += b[j] == least;
  }
  return (double)shared / (double)(count_a + count_b - shared);
}

static int compare_words(const void *left, const void *right) {
  const struct vt_compare_word *a = left, *b = right;
  if (a->value != b->value) return a->value < b->value ? -1 : 1;
  return (a->id > b->id) - (a->id < b->id);
}

static void summarise(const struct stability *stability, struct vt_stability *result) {
  size_t count = stability->table_count, sample = stability->sample;
  for (size_t s = 0; s < sample; s++) result->words[s] = (struct vt_compare_word){stability->ids[s], 0};
  for (size_t a = 0; a < count; a++) {
    result->pairs[a * count + a] = 1;
    for (size_t b = a + 1; b < count; b++) {
      double sum = 0;
      for (size_t s = 0; s < sample; s++) {
        double value = overlap(stability, a, b, s);
        result->words[s].value += value;
        sum += value;
      }
      result->pairs[a * count + b] = result->pairs[b * count + a] = sum / (double)sample;
    }
  }
  double sum = 0, pairs = (double)count * (double)(count - 1) / 2;
  for (size_t s = 0; s < sample; s++) {
    result->words[s].value /= pairs;
    sum += result->words[s].value;
  }
  result->mean = sum / (double)sample;
  qsort(result->words, sample, sizeof *result->words, compare_words);
}

static enum vt_status allocate(struct stability *stability, struct vt_stability *result, struct vt_error *error) {
  size_t count = stability->table_count, sample = stability->sample;
  stability->ids = vt_alloc(sample, sizeof *stability->ids);
  stability->counts = vt_alloc(count * sample, sizeof *stability->counts);
  stability->nearest = vt_alloc(count * sample, stability->k * sizeof *stability->nearest);
  result->words = vt_alloc(sample, sizeof *result->words);
  result->pairs = vt_alloc(count * count, sizeof *result->pairs);
  result->word_count = sample;
  if (stability->ids != NULL && stability->counts != NULL && stability->nearest != NULL && result->words != NULL &&
      result->pairs != NULL)
    return VT_OK;
  return VT_FAIL_MEMORY(error, count * sample * stability->k * sizeof *stability->nearest);
}

enum vt_status vt_stability_measure(const struct vt_vectors *const *tables, size_t count, size_t k, size_t sample,
                                    int threads, struct vt_stability *result, struct vt_error *error) {
  *result = (struct vt_stability){0};
  if (count < 2 || k == 0) return VT_FAIL(error, VT_ERROR_ARGUMENT, "two tables and one neighbour are the least");
  size_t rows = tables[0]->rows;
  for (size_t t = 1; t < count; t++)
    if (tables[t]->rows != rows)
      return VT_FAIL(error, VT_ERROR_ARGUMENT, "tables of %zu and %zu rows cannot be compared row by row", rows,
                     tables[t]->rows);
  if (rows < 2) return VT_FAIL(error, VT_ERROR_EMPTY, "a single word has no neighbours");
  struct stability stability = {.tables = tables,
                                .table_count = count,
                                .k = k < rows ? k : rows - 1,
                                .sample = sample == 0 || sample > rows ? rows : sample};
  enum vt_status status = allocate(&stability, result, error);
  for (size_t s = 0; status == VT_OK && s < stability.sample; s++)
    stability.ids[s] = (uint32_t)(s * rows / stability.sample);
  for (size_t t = 0; status == VT_OK && t < count; t++) status = search(&stability, t, threads, error);
  if (status == VT_OK) summarise(&stability, result);
  vt_free(stability.ids);
  vt_free(stability.counts);
  vt_free(stability.nearest);
  if (status != VT_OK) vt_stability_release(result);
  return status;
}

void vt_stability_release(struct vt_stability *result) {
  vt_free(result->words);
  vt_free(result->pairs);
  *result = (struct vt_stability){0};
}
