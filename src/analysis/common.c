/*
 * common.c: tables brought to the words that all of them hold.
 *
 * The order is that of the first table, so it says which words come first: those that are frequent, as a rule. Memory:
 * the rows once more, and a row number for each word and table. One thread.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "text/vocab_internal.h"
#include "vectrail/compare.h"

struct common {
  const struct vt_vectors *const *tables;
  size_t count;
  size_t rows;
  uint32_t *ids; /* [rows][count] */
};

/* Whether all tables hold the word; its ids. */
static bool in_all(const struct common *common, const char *text, uint32_t *ids) {
  size_t bytes = strlen(text);
  for (size_t t = 1; t < common->count; t++)
    if (!vt_vocab_find_bytes(common->tables[t]->vocab, text, bytes, &ids[t])) return false;
  return true;
}

static enum vt_status find(struct common *common, size_t restrict_rows, struct vt_error *error) {
  const struct vt_vectors *first = common->tables[0];
  size_t limit = restrict_rows == 0 || restrict_rows > first->rows ? first->rows : restrict_rows;
  common->ids = vt_alloc(limit, common->count * sizeof *common->ids);
  if (common->ids == NULL) return VT_FAIL_MEMORY(error, limit * common->count * sizeof *common->ids);
  for (uint32_t id = 0; id < limit; id++) {
    uint32_t *ids = common->ids + common->rows * common->count;
    ids[0] = id;
    if (in_all(common, vt_vocab_text(first->vocab, id), ids)) common->rows++;
  }
  if (common->rows == 0)
    return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "compare tables of the same language and tokeniser",
                        "the tables have no word in common");
  return VT_OK;
}

static enum vt_status make_vocab(const struct common *common, struct vt_vocab **vocab, struct vt_error *error) {
  const struct vt_vocab *from = common->tables[0]->vocab;
  struct vt_vocab_entry *entries = vt_alloc(common->rows, sizeof *entries);
  if (entries == NULL) return VT_FAIL_MEMORY(error, common->rows * sizeof *entries);
  for (size_t r = 0; r < common->rows; r++) {
    uint32_t id = common->ids[r * common->count];
    const char *text = vt_vocab_text(from, id);
    entries[r] = (struct vt_vocab_entry){.text = text, .bytes = strlen(text), .count = vt_vocab_count(from, id)};
  }
  enum vt_status status = vt_vocab_build(entries, common->rows, vocab, NULL, error);
  vt_free(entries);
  return status;
}

static enum vt_status gather(const struct common *common, size_t table, const struct vt_vocab *vocab,
                             struct vt_vectors **vectors, struct vt_error *error) {
  const struct vt_vectors *from = common->tables[table];
  size_t dim = from->dim;
  float *data = vt_vectors_data_alloc(common->rows, dim);
  if (data == NULL) return VT_FAIL_MEMORY(error, common->rows * dim * sizeof *data);
  for (size_t r = 0; r < common->rows; r++) {
    const float *row = vt_vectors_row(from, common->ids[r * common->count + table]);
    memcpy(data + r * dim, row, dim * sizeof *row);
    for (size_t c = 0; c < dim; c++) {
      if (isfinite(row[c])) continue;
      vt_free_aligned(data);
      return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, "take an earlier step, or train with a smaller learning rate",
                          "the vector of \"%.64s\" holds NaN or infinity", vt_vocab_text(vocab, (uint32_t)r));
    }
  }
  return vt_vectors_create(vocab, data, dim, from->step, vectors, error);
}

enum vt_status vt_vectors_common(const struct vt_vectors *const *tables, size_t count, size_t restrict_rows,
                                 struct vt_vocab **vocab, struct vt_vectors **vectors, struct vt_error *error) {
  struct common common = {.tables = tables, .count = count};
  struct vt_vocab *made = NULL;
  size_t done = 0;
  enum vt_status status = find(&common, restrict_rows, error);
  if (status == VT_OK) status = make_vocab(&common, &made, error);
  for (; status == VT_OK && done < count; done += status == VT_OK)
    status = gather(&common, done, made, &vectors[done], error);
  vt_free(common.ids);
  if (status != VT_OK) {
    while (done > 0) vt_vectors_free(vectors[--done]);
    vt_vocab_free(made);
    return status;
  }
  *vocab = made;
  return VT_OK;
}
