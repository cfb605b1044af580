/* glove_ledger.c: a record of a watched word is trained alone, between copies of the row. */
#include "train/glove_ledger.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

/* The steps of one watched row in one block. */
struct journal {
  uint64_t *keys; /* source and role */
  float *steps;   /* dim each */
  double *decay;  /* dim: the l2 parts of all */
  size_t count, capacity;
  bool failed; /* out of memory */
};

struct vt_glove_ledger {
  struct vt_ledger *ledger;
  struct vt_glove_tables tables;
  uint32_t *marks;                          /* by word: its place among the watched ones + 1, or 0 */
  bool *watched_groups;                     /* by group: whether it holds one */
  struct journal *journals[VT_TABLE_COUNT]; /* by watched word */
  double *ones;
};

/* ---- making and freeing ------------------------------------------------------------------------------------------ */

static enum vt_status create_parts(struct vt_glove_ledger *glove, const struct vt_ledger_options *options,
                                   struct vt_error *error) {
  const size_t count = options->word_count, dim = glove->tables.dim;
  glove->marks = vt_alloc_zero(glove->tables.words, sizeof *glove->marks);
  glove->watched_groups = vt_alloc_zero(glove->tables.groups, sizeof *glove->watched_groups);
  glove->ones = vt_alloc(dim, sizeof *glove->ones);
  for (int t = 0; t < VT_TABLE_COUNT; t++) glove->journals[t] = vt_alloc_zero(count, sizeof *glove->journals[t]);
  if (glove->marks == NULL || glove->watched_groups == NULL || glove->ones == NULL ||
      glove->journals[VT_TABLE_INPUT] == NULL || glove->journals[VT_TABLE_OUTPUT] == NULL)
    return VT_FAIL_MEMORY(error, glove->tables.words * sizeof *glove->marks);
  for (size_t c = 0; c < dim; c++) glove->ones[c] = 1;
  for (size_t k = 0; k < count; k++) {
    const uint32_t id = options->words[k];
    glove->marks[id] = (uint32_t)k + 1;
    glove->watched_groups[id % glove->tables.groups] = true;
    for (int t = 0; t < VT_TABLE_COUNT; t++) {
      glove->journals[t][k].decay = vt_alloc_zero(dim, sizeof(double));
      if (glove->journals[t][k].decay == NULL) return VT_FAIL_MEMORY(error, dim * sizeof(double));
    }
  }
  return VT_OK;
}

enum vt_status vt_glove_ledger_create(const struct vt_ledger_options *options, const struct vt_glove_tables *tables,
                                      const struct vt_table *seen, struct vt_glove_ledger **out,
                                      struct vt_ledger **ledger, struct vt_error *error) {
  if (options->by_document)
    return VT_FAIL(error, VT_ERROR_UNSUPPORTED,
                   "GloVe's ledger is kept by word, not by document: its counts do not know where words met");
  VT_TRY(vt_ledger_create(options, seen, tables->kernel->name, 1, 1, ledger, error));
  struct vt_glove_ledger *glove = vt_alloc_zero(1, sizeof *glove);
  if (glove == NULL) return VT_FAIL_MEMORY(error, sizeof *glove);
  glove->ledger = *ledger;
  glove->tables = *tables;
  enum vt_status status = create_parts(glove, options, error);
  if (status != VT_OK) {
    vt_glove_ledger_free(glove);
    return status;
  }
  *out = glove;
  return VT_OK;
}

void vt_glove_ledger_free(struct vt_glove_ledger *glove) {
  if (glove == NULL) return;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    for (size_t k = 0; glove->journals[t] != NULL && k < vt_ledger_words(glove->ledger); k++) {
      vt_free(glove->journals[t][k].keys);
      vt_free(glove->journals[t][k].steps);
      vt_free(glove->journals[t][k].decay);
    }
    vt_free(glove->journals[t]);
  }
  vt_free(glove->marks);
  vt_free(glove->watched_groups);
  vt_free(glove->ones);
  vt_free(glove);
}

/* ---- while a block is trained ------------------------------------------------------------------------------------ */

static bool reserve(struct journal *journal, size_t dim) {
  if (journal->count < journal->capacity) return true;
  const size_t capacity = 2 * journal->capacity + 64;
  uint64_t *keys = vt_realloc(journal->keys, capacity, sizeof *keys);
  if (keys != NULL) journal->keys = keys;
  float *steps = vt_realloc(journal->steps, capacity, dim * sizeof *steps);
  if (steps != NULL) journal->steps = steps;
  if (keys == NULL || steps == NULL) return false;
  journal->capacity = capacity;
  return true;
}

/* Notes what a record made of the row `before`; l2: the block's, or NULL. Its other row was `other`. */
static void note(const struct vt_glove_ledger *glove, struct journal *journal, const float *before, const float *after,
                 const float *other, const float *l2, uint32_t source) {
  const size_t dim = glove->tables.dim;
  journal->failed = journal->failed || !reserve(journal, dim);
  if (journal->failed) return;
  const float *squares = after + glove->tables.width;
  float *step = journal->steps + journal->count * dim;
  double along = 0;
  for (size_t c = 0; c < dim; c++) {
    const double moved = (double)after[c] - (double)before[c];
    const double decay = l2 == NULL ? 0 : -(double)l2[c] * (double)before[c] / sqrt((double)squares[c]);
    journal->decay[c] += decay;
    step[c] = (float)(moved - decay);
    along += (double)step[c] * (double)other[c];
  }
  journal->keys[journal->count++] = vt_ledger_key(source, along < 0 ? VT_LEDGER_PUSHED : VT_LEDGER_ATTRACTED);
}

/* Trains the one record that the block holds, of which at least one row is watched. */
static void train_watched(const struct vt_glove_ledger *glove, struct vt_glove *block, const uint32_t ids[2]) {
  _Alignas(64) float before[VT_TABLE_COUNT][VT_KERNEL_WIDTH_MAX + 16];
  const float *rows[VT_TABLE_COUNT] = {block->input + block->records->row * block->stride,
                                       block->output + block->records->column * block->stride};
  for (int t = 0; t < VT_TABLE_COUNT; t++) memcpy(before[t], rows[t], glove->tables.width * sizeof(float));
  glove->tables.kernel->glove(block);
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    const uint32_t mark = glove->marks[ids[t]];
    if (mark == 0) continue;
    note(glove, &glove->journals[t][mark - 1], before[t], rows[t], before[1 - t], block->l2, ids[1 - t]);
  }
}

void vt_glove_ledger_train(struct vt_glove_ledger *glove, struct vt_glove *block, uint32_t a, uint32_t b) {
  if (!glove->watched_groups[a] && !glove->watched_groups[b]) {
    glove->tables.kernel->glove(block);
    return;
  }
  const struct vt_glove_record *records = block->records;
  const size_t count = block->count;
  const uint32_t groups = glove->tables.groups;
  for (size_t k = 0, from = 0; k <= count; k++) {
    uint32_t ids[VT_TABLE_COUNT] = {0, 0};
    if (k < count) {
      ids[VT_TABLE_INPUT] = records[k].row * groups + a;
      ids[VT_TABLE_OUTPUT] = records[k].column * groups + b;
      if (glove->marks[ids[0]] == 0 && glove->marks[ids[1]] == 0) continue;
    }
    block->records = records + from;
    block->count = k - from;
    if (block->count > 0) glove->tables.kernel->glove(block);
    if (k == count) break;
    block->records = records + k;
    block->count = 1;
    train_watched(glove, block, ids);
    from = k + 1;
  }
  block->records = records;
  block->count = count;
}

/* ---- around a step ----------------------------------------------------------------------------------------------- */

void vt_glove_ledger_before(struct vt_glove_ledger *glove) {
  for (size_t k = 0; k < vt_ledger_words(glove->ledger); k++) {
    for (int t = 0; t < VT_TABLE_COUNT; t++) {
      glove->journals[t][k].count = 0;
      memset(glove->journals[t][k].decay, 0, glove->tables.dim * sizeof(double));
    }
  }
}

static void book_word(struct vt_glove_ledger *glove, size_t k) {
  const size_t dim = glove->tables.dim;
  double *decay = glove->journals[VT_TABLE_INPUT][k].decay;
  for (int t = 0; t < VT_TABLE_COUNT; t++) {
    const struct journal *journal = &glove->journals[t][k];
    for (size_t e = 0; e < journal->count; e++)
      vt_ledger_part(glove->ledger, k, journal->keys[e], 1, journal->steps + e * dim);
    for (size_t c = 0; t == VT_TABLE_OUTPUT && c < dim; c++) decay[c] += journal->decay[c];
  }
  vt_ledger_step(glove->ledger, k, glove->ones, glove->tables.decays ? decay : NULL, NULL);
}

static void book_words(void *context, size_t begin, size_t end) {
  for (size_t k = begin; k < end; k++) book_word(context, k);
}

enum vt_status vt_glove_ledger_after(struct vt_glove_ledger *glove, struct vt_pool *pool, struct vt_error *error) {
  for (size_t k = 0; k < vt_ledger_words(glove->ledger); k++)
    for (int t = 0; t < VT_TABLE_COUNT; t++)
      if (glove->journals[t][k].failed)
        return VT_FAIL_HELP(error, VT_ERROR_MEMORY, "keep a ledger of fewer words",
                            "out of memory: the steps of a word of the ledger cannot be noted");
  vt_pool_share(pool, vt_ledger_words(glove->ledger), 1, book_words, glove);
  return vt_ledger_check(glove->ledger, error);
}
