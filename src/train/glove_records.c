/* glove_records.c: two passes over the counts. Threads take groups of rows: the first pass counts the records of each
 * of their blocks, the second puts them in their places, shuffles each block by a random stream of its own, and writes
 * the group to the file. Memory: the records of one group for each thread. */
#include "train/glove_records.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/rng.h"
#include "train/probe.h"

#define PROBE_SHARE 100 /* at most one record in so many is set apart */

struct builder {
  const struct vt_cooccur *counts;
  const struct vt_train_options *options;
  const volatile sig_atomic_t *interrupt;
  struct vt_glove_records *records;
  uint64_t *first;         /* by row: how many records all rows before it have */
  uint64_t *probe_indexes; /* ascending */
  double *weights;         /* by group of rows */
  struct vt_error *errors; /* likewise */
  atomic_uint next;
};

double vt_glove_weight(double x, double x_max, double alpha) { return x >= x_max ? 1 : pow(x / x_max, alpha); }

/* ---- the probe --------------------------------------------------------------------------------------------------- */

/* One record out of each of so many equal stretches. */
static void draw_indexes(struct vt_rng rng, uint64_t all, size_t count, uint64_t *indexes) {
  const uint64_t stretch = count == 0 ? 0 : all / count;
  for (size_t k = 0; k < count; k++) indexes[k] = k * stretch + vt_rng_next(&rng) % stretch;
}

static enum vt_status draw_probe(struct builder *builder, struct vt_error *error) {
  struct vt_glove_records *records = builder->records;
  const uint64_t all = vt_cooccur_pairs(builder->counts);
  records->probe_count = all / PROBE_SHARE < VT_PROBE_PAIRS ? (size_t)(all / PROBE_SHARE) : VT_PROBE_PAIRS;
  builder->probe_indexes = vt_alloc(records->probe_count + 1, sizeof *builder->probe_indexes);
  records->probe = vt_alloc(records->probe_count, sizeof *records->probe);
  records->by_column = vt_alloc(records->probe_count, sizeof *records->by_column);
  if (builder->probe_indexes == NULL || records->probe == NULL || records->by_column == NULL)
    return VT_FAIL_MEMORY(error, records->probe_count * sizeof *records->probe);
  draw_indexes(vt_rng_make(VT_RNG_PROBE, builder->options->seed, 1, 0), all, records->probe_count,
               builder->probe_indexes);
  builder->probe_indexes[records->probe_count] = UINT64_MAX;
  return VT_OK;
}

/* The first of the probe that is not before a record. */
static size_t probe_from(const struct builder *builder, uint64_t index) {
  size_t low = 0, high = builder->records->probe_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (builder->probe_indexes[middle] < index)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static struct vt_glove_record record_of(const struct vt_train_options *options, uint32_t row, uint32_t column,
                                        uint64_t units, double scale, double *weight) {
  const double x = (double)units / scale;
  *weight = vt_glove_weight(x, options->x_max, options->alpha);
  return (struct vt_glove_record){row, column, (float)*weight, (float)log(x)};
}

/* By row, which is the order of the indexes. */
static void fill_probe(struct builder *builder) {
  struct vt_glove_records *records = builder->records;
  const double scale = (double)vt_cooccur_scale(builder->counts);
  uint32_t row = 0;
  for (size_t k = 0; k < records->probe_count; k++) {
    while (builder->first[row + 1] <= builder->probe_indexes[k]) row++;
    const uint32_t *columns;
    const uint64_t *units;
    (void)vt_cooccur_row(builder->counts, row, &columns, &units);
    const uint64_t at = builder->probe_indexes[k] - builder->first[row];
    double weight;
    records->probe[k] = record_of(builder->options, row, columns[at], units[at], scale, &weight);
    /* Insertion: by column, and those of one column by row. */
    size_t place = k;
    for (; place > 0 && records->probe[records->by_column[place - 1]].column > columns[at]; place--)
      records->by_column[place] = records->by_column[place - 1];
    records->by_column[place] = (uint32_t)k;
  }
}

/* ---- the blocks -------------------------------------------------------------------------------------------------- */

/* Counts the records of the blocks of a group of rows, behind the place of each in starts. */
static void count_group(struct builder *builder, uint32_t a) {
  struct vt_glove_records *records = builder->records;
  const uint32_t groups = records->groups, words = vt_cooccur_words(builder->counts);
  uint64_t *sizes = &records->starts[(size_t)a * groups + 1];
  for (uint32_t row = a; row < words; row += groups) {
    const uint32_t *columns;
    const uint64_t *units;
    const size_t pairs = vt_cooccur_row(builder->counts, row, &columns, &units);
    size_t probe = probe_from(builder, builder->first[row]);
    for (size_t k = 0; k < pairs; k++) {
      if (builder->probe_indexes[probe] == builder->first[row] + k)
        probe++;
      else
        sizes[columns[k] % groups]++;
    }
  }
}

static void shuffle(struct vt_glove_record *records, size_t count, struct vt_rng rng) {
  for (size_t k = count; k > 1; k--) {
    /* The high half of a product, so that blocks of any size are drawn from evenly. */
    __extension__ typedef unsigned __int128 u128;
    size_t other = (size_t)(((u128)vt_rng_next(&rng) * k) >> 64);
    struct vt_glove_record kept = records[k - 1];
    records[k - 1] = records[other];
    records[other] = kept;
  }
}

/* Fills in the records of a group of rows; at[b]: the next free place of block b. Returns the sum of their weights. */
static double fill_group(const struct builder *builder, uint32_t a, struct vt_glove_record *to, uint64_t *at) {
  const uint32_t groups = builder->records->groups, words = vt_cooccur_words(builder->counts);
  const double scale = (double)vt_cooccur_scale(builder->counts);
  double sum = 0;
  for (uint32_t row = a; row < words; row += groups) {
    const uint32_t *columns;
    const uint64_t *units;
    const size_t pairs = vt_cooccur_row(builder->counts, row, &columns, &units);
    size_t probe = probe_from(builder, builder->first[row]);
    for (size_t k = 0; k < pairs; k++) {
      double weight;
      const uint32_t b = columns[k] % groups;
      struct vt_glove_record record =
          record_of(builder->options, row / groups, columns[k] / groups, units[k], scale, &weight);
      sum += weight;
      if (builder->probe_indexes[probe] == builder->first[row] + k)
        probe++;
      else
        to[at[b]++] = record;
    }
  }
  return sum;
}

static enum vt_status write_group(struct builder *builder, uint32_t a, struct vt_error *error) {
  struct vt_glove_records *records = builder->records;
  const uint64_t *starts = &records->starts[(size_t)a * records->groups], begin = starts[0];
  const size_t count = (size_t)(starts[records->groups] - begin);
  uint64_t at[VT_GLOVE_GROUPS_MAX];
  if (vt_is_interrupted(builder->interrupt))
    return VT_FAIL(error, VT_ERROR_INTERRUPTED, "interrupted while the counts were put in order");
  struct vt_glove_record *buffer = vt_alloc_aligned_raw(count, sizeof *buffer);
  if (buffer == NULL) return VT_FAIL_MEMORY(error, count * sizeof *buffer);
  for (uint32_t b = 0; b < records->groups; b++) at[b] = starts[b] - begin;
  builder->weights[a] = fill_group(builder, a, buffer, at);
  for (uint32_t b = 0; b < records->groups; b++)
    shuffle(buffer + (starts[b] - begin), (size_t)(starts[b + 1] - starts[b]),
            vt_rng_make(VT_RNG_BLOCK, builder->options->seed, UINT64_MAX, (uint64_t)a * records->groups + b));
  enum vt_status status =
      vt_scratch_write(&records->file, buffer, count * sizeof *buffer, begin * sizeof *buffer, error);
  vt_free_aligned(buffer);
  return status;
}

static void count_groups(void *context, int worker) {
  struct builder *builder = context;
  (void)worker;
  for (;;) {
    uint32_t a = atomic_fetch_add_explicit(&builder->next, 1, memory_order_relaxed);
    if (a >= builder->records->groups) return;
    count_group(builder, a);
  }
}

static void write_groups(void *context, int worker) {
  struct builder *builder = context;
  (void)worker;
  for (;;) {
    uint32_t a = atomic_fetch_add_explicit(&builder->next, 1, memory_order_relaxed);
    if (a >= builder->records->groups) return;
    builder->errors[a].status = VT_OK;
    (void)write_group(builder, a, &builder->errors[a]);
  }
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static enum vt_status allocate(struct builder *builder, struct vt_error *error) {
  struct vt_glove_records *records = builder->records;
  const size_t words = vt_cooccur_words(builder->counts), groups = records->groups;
  records->starts = vt_alloc_zero(groups * groups + 1, sizeof *records->starts);
  builder->first = vt_alloc(words + 1, sizeof *builder->first);
  builder->weights = vt_alloc_zero(groups, sizeof *builder->weights);
  builder->errors = vt_alloc_zero(groups, sizeof *builder->errors);
  if (records->starts == NULL || builder->first == NULL || builder->weights == NULL || builder->errors == NULL)
    return VT_FAIL_MEMORY(error, words * sizeof *builder->first);
  builder->first[0] = 0;
  for (uint32_t row = 0; row < words; row++) {
    const uint32_t *columns;
    const uint64_t *units;
    builder->first[row + 1] = builder->first[row] + vt_cooccur_row(builder->counts, row, &columns, &units);
  }
  return VT_OK;
}

static enum vt_status build(struct builder *builder, const char *folder, struct vt_pool *pool, struct vt_error *error) {
  struct vt_glove_records *records = builder->records;
  const size_t blocks = (size_t)records->groups * records->groups;
  VT_TRY(allocate(builder, error));
  VT_TRY(draw_probe(builder, error));
  fill_probe(builder);
  VT_TRY(vt_scratch_open(folder, &records->file, error));
  atomic_store(&builder->next, 0);
  vt_pool_run(pool, count_groups, builder);
  for (size_t k = 0; k < blocks; k++) records->starts[k + 1] += records->starts[k];
  records->count = records->starts[blocks];
  atomic_store(&builder->next, 0);
  vt_pool_run(pool, write_groups, builder);
  for (uint32_t a = 0; a < records->groups; a++) {
    records->weight += builder->weights[a];
    if (builder->errors[a].status == VT_OK) continue;
    *error = builder->errors[a];
    return error->status;
  }
  return vt_scratch_map(&records->file, (size_t)records->count * sizeof(struct vt_glove_record), error);
}

enum vt_status vt_glove_records_create(const struct vt_cooccur *counts, const struct vt_train_options *options,
                                       uint32_t groups, const char *folder, struct vt_pool *pool,
                                       const volatile sig_atomic_t *interrupt, struct vt_glove_records *records,
                                       struct vt_error *error) {
  struct vt_error own;
  if (error == NULL) error = &own;
  *records = (struct vt_glove_records){.file = {.descriptor = -1}, .groups = groups};
  struct builder builder = {.counts = counts, .options = options, .interrupt = interrupt, .records = records};
  enum vt_status status = build(&builder, folder, pool, error);
  vt_free(builder.first);
  vt_free(builder.probe_indexes);
  vt_free(builder.weights);
  vt_free(builder.errors);
  if (status != VT_OK) vt_glove_records_release(records);
  return status;
}

void vt_glove_records_release(struct vt_glove_records *records) {
  vt_scratch_release(&records->file);
  vt_free(records->starts);
  vt_free(records->probe);
  vt_free(records->by_column);
  *records = (struct vt_glove_records){.file = {.descriptor = -1}};
}

/* ---- of what is held out ----------------------------------------------------------------------------------------- */

enum vt_status vt_glove_sample(const struct vt_cooccur *counts, const struct vt_train_options *options, double offset,
                               struct vt_glove_record **sample, size_t *count, struct vt_error *error) {
  const uint64_t all = vt_cooccur_pairs(counts);
  const double scale = (double)vt_cooccur_scale(counts);
  *count = all < VT_PROBE_PAIRS ? (size_t)all : VT_PROBE_PAIRS;
  *sample = vt_alloc(*count, sizeof **sample);
  if (*sample == NULL) return VT_FAIL_MEMORY(error, *count * sizeof **sample);
  uint64_t indexes[VT_PROBE_PAIRS], first = 0; /* pairs of the rows before */
  draw_indexes(vt_rng_make(VT_RNG_PROBE, options->seed, 2, 0), all, *count, indexes);
  size_t k = 0;
  for (uint32_t row = 0; row < vt_cooccur_words(counts) && k < *count; row++) {
    const uint32_t *columns;
    const uint64_t *units;
    const size_t pairs = vt_cooccur_row(counts, row, &columns, &units);
    for (; k < *count && indexes[k] < first + pairs; k++) {
      const size_t at = (size_t)(indexes[k] - first);
      double weight;
      (*sample)[k] = record_of(options, row, columns[at], units[at], scale, &weight);
      (*sample)[k].log_count += (float)offset;
    }
    first += pairs;
  }
  return VT_OK;
}
