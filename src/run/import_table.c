/*
 * import_table.c: rows as they come, with their words, into a table; of the first file of a series in the order of the
 * file, of all others in the order of the first.
 *
 * Memory grows by doubling with the rows that were read; for a file whose words are known it is taken at once, for then
 * its size is known by what was read before. Messages name the line or byte of the word. One thread.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "run/import.h"
#include "text/utf8.h"
#include "text/vocab_internal.h"
#include "vectrail/corpus.h"

#define FIRST_ROWS 1024
/* As much of a word as a message shows. */
#define SHOWN_BYTES 64

static int shown(size_t bytes) { return (int)(bytes < SHOWN_BYTES ? bytes : SHOWN_BYTES); }

enum vt_status vt_import_table_init(struct vt_import_table *table, const char *path, const char *place_name,
                                    uint64_t dim, const struct vt_vocab *known, struct vt_error *error) {
  *table = (struct vt_import_table){.path = path, .place_name = place_name, .known = known};
  if (dim == 0 || dim > VT_IMPORT_DIM_MAX)
    return VT_FAIL(error, VT_ERROR_FORMAT, "%s: vectors of length %" PRIu64 "; 1 to %d are possible", path, dim,
                   VT_IMPORT_DIM_MAX);
  table->dim = (size_t)dim;
  if (known == NULL) return VT_OK;
  table->capacity = vt_vocab_size(known);
  table->met = vt_alloc_zero(table->capacity, sizeof *table->met);
  table->data = vt_vectors_data_alloc(table->capacity, table->dim);
  if (table->met != NULL && table->data != NULL) return VT_OK;
  return VT_FAIL_MEMORY(error, table->capacity * table->dim * sizeof *table->data);
}

void vt_import_table_release(struct vt_import_table *table) {
  vt_free_aligned(table->data);
  vt_free(table->words);
  vt_free(table->texts);
  vt_free(table->met);
  *table = (struct vt_import_table){0};
}

/* ---- a row ---------------------------------------------------------------------------------------------------------
 */

static enum vt_status check_word(const struct vt_import_table *table, const char *word, size_t bytes, uint64_t place,
                                 struct vt_error *error) {
  size_t first_bad;
  const char *wrong = NULL, *help = NULL;
  if (bytes == 0)
    wrong = "there is no word";
  else if (bytes > VT_WORD_BYTES_MAX)
    wrong = "the word is longer than 4096 bytes";
  else if (memchr(word, '\0', bytes) != NULL)
    wrong = "the word holds a NUL byte";
  else if (vt_utf8_count_bad((const unsigned char *)word, bytes, &first_bad) > 0)
    wrong = "the word is not UTF-8", help = "write the vectors again with their words in UTF-8";
  if (wrong == NULL) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_FORMAT, help, "%s: %s %" PRIu64 ": %s", table->path, table->place_name, place,
                      wrong);
}

static enum vt_status grow_data(struct vt_import_table *table, struct vt_error *error) {
  size_t capacity = table->capacity == 0 ? FIRST_ROWS : 2 * table->capacity;
  /* A table of long rows begins smaller. */
  while (table->capacity == 0 && capacity > 1 && capacity * table->dim > FIRST_ROWS * (size_t)1024) capacity /= 2;
  float *data = vt_vectors_data_alloc(capacity, table->dim);
  if (data == NULL) return VT_FAIL_MEMORY(error, capacity * table->dim * sizeof *data);
  if (table->rows > 0) memcpy(data, table->data, table->rows * table->dim * sizeof *data);
  vt_free_aligned(table->data);
  table->data = data;
  table->capacity = capacity;
  return VT_OK;
}

static enum vt_status keep_word(struct vt_import_table *table, const char *word, size_t bytes, uint64_t count,
                                uint64_t place, struct vt_error *error) {
  if (table->rows == table->words_capacity) {
    size_t capacity = table->rows == 0 ? FIRST_ROWS : 2 * table->rows;
    struct vt_import_word *words = vt_realloc(table->words, capacity, sizeof *words);
    if (words == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *words);
    table->words = words;
    table->words_capacity = capacity;
  }
  if (bytes > table->texts_capacity - table->texts_bytes) {
    size_t capacity = 2 * table->texts_capacity + bytes + FIRST_ROWS;
    char *texts = vt_realloc(table->texts, capacity, 1);
    if (texts == NULL) return VT_FAIL_MEMORY(error, capacity);
    table->texts = texts;
    table->texts_capacity = capacity;
  }
  memcpy(table->texts + table->texts_bytes, word, bytes);
  table->words[table->rows] =
      (struct vt_import_word){.place = place, .count = count, .offset = table->texts_bytes, .bytes = (uint32_t)bytes};
  table->texts_bytes += bytes;
  return VT_OK;
}

/* The row of a word that is known already. */
static enum vt_status find_row(struct vt_import_table *table, const char *word, size_t bytes, uint64_t place,
                               float **row, struct vt_error *error) {
  uint32_t id;
  if (!vt_vocab_find_bytes(table->known, word, bytes, &id))
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "all files of a series hold the same words",
                        "%s: %s %" PRIu64 ": the word \"%.*s\" is not among the %zu of the steps before", table->path,
                        table->place_name, place, shown(bytes), word, vt_vocab_size(table->known));
  if (table->met[id] != 0)
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "a word has one vector",
                        "%s: %s %" PRIu64 ": the word \"%.*s\" stands at %s %" PRIu64 " already", table->path,
                        table->place_name, place, shown(bytes), word, table->place_name, table->met[id] - 1);
  table->met[id] = place + 1;
  table->rows++;
  *row = table->data + (size_t)id * table->dim;
  return VT_OK;
}

enum vt_status vt_import_table_row(struct vt_import_table *table, const char *word, size_t bytes, uint64_t count,
                                   uint64_t place, float **row, struct vt_error *error) {
  VT_TRY(check_word(table, word, bytes, place, error));
  if (table->known != NULL) return find_row(table, word, bytes, place, row, error);
  if (table->rows >= VT_VOCAB_SIZE_MAX)
    return VT_FAIL(error, VT_ERROR_FORMAT, "%s: %s %" PRIu64 ": more than %zu words", table->path, table->place_name,
                   place, VT_VOCAB_SIZE_MAX);
  if (table->rows == table->capacity) VT_TRY(grow_data(table, error));
  VT_TRY(keep_word(table, word, bytes, count, place, error));
  *row = table->data + table->rows * table->dim;
  table->rows++;
  return VT_OK;
}

/* The word of a row, which need not be terminated. */
static const char *word_of(const struct vt_import_table *table, const float *row, size_t *bytes) {
  size_t id = (size_t)(row - table->data) / table->dim;
  const char *word =
      table->known != NULL ? vt_vocab_text(table->known, (uint32_t)id) : table->texts + table->words[id].offset;
  *bytes = table->known != NULL ? strlen(word) : table->words[id].bytes;
  return word;
}

enum vt_status vt_import_table_check(const struct vt_import_table *table, const float *row, uint64_t place,
                                     struct vt_error *error) {
  for (size_t k = 0; k < table->dim; k++) {
    if (isfinite(row[k])) continue;
    const char *what = isnan(row[k]) ? "NaN" : "infinite, or too large for float32";
    size_t bytes;
    const char *word = word_of(table, row, &bytes);
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "the training diverged before it was written: take an earlier step",
                        "%s: %s %" PRIu64 ": number %zu of the vector of \"%.*s\" is %s", table->path,
                        table->place_name, place, k + 1, shown(bytes), word, what);
  }
  return VT_OK;
}

/* ---- the end -------------------------------------------------------------------------------------------------------
 */

static enum vt_status fail_missing(const struct vt_import_table *table, struct vt_error *error) {
  size_t size = vt_vocab_size(table->known);
  uint32_t id = 0;
  while (id + 1 < size && table->met[id] != 0) id++;
  return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "all files of a series hold the same words",
                      "%s: holds %zu words, the steps before it %zu; \"%.64s\" is missing", table->path, table->rows,
                      size, vt_vocab_text(table->known, id));
}

/* The word that stands twice: `culprit` and the one before it. */
static enum vt_status fail_twice(const struct vt_import_table *table, size_t culprit, struct vt_error *error) {
  const struct vt_import_word *second = &table->words[culprit], *first = table->words;
  while (first->bytes != second->bytes ||
         memcmp(table->texts + first->offset, table->texts + second->offset, first->bytes) != 0)
    first++;
  return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "a word has one vector: remove one of the two",
                      "%s: %s %" PRIu64 ": the word \"%.*s\" stands at %s %" PRIu64 " already", table->path,
                      table->place_name, second->place, shown(second->bytes), table->texts + second->offset,
                      table->place_name, first->place);
}

static enum vt_status make_vocab(const struct vt_import_table *table, struct vt_vocab **vocab, struct vt_error *error) {
  struct vt_vocab_entry *entries = vt_alloc(table->rows, sizeof *entries);
  if (entries == NULL) return VT_FAIL_MEMORY(error, table->rows * sizeof *entries);
  for (size_t k = 0; k < table->rows; k++) {
    const struct vt_import_word *word = &table->words[k];
    entries[k] =
        (struct vt_vocab_entry){.text = table->texts + word->offset, .bytes = word->bytes, .count = word->count};
  }
  size_t culprit = table->rows;
  struct vt_error reason;
  enum vt_status status = vt_vocab_build(entries, table->rows, vocab, &culprit, &reason);
  vt_free(entries);
  if (status == VT_ERROR_FORMAT && culprit < table->rows && strstr(reason.message, "twice") != NULL)
    return fail_twice(table, culprit, error);
  if (status != VT_OK) return VT_FAIL_HELP(error, status, reason.help, "%s: %s", table->path, reason.message);
  return VT_OK;
}

enum vt_status vt_import_table_finish(struct vt_import_table *table, struct vt_vocab **vocab, float **data,
                                      struct vt_error *error) {
  if (table->rows == 0) return VT_FAIL(error, VT_ERROR_EMPTY, "%s: there are no vectors in it", table->path);
  if (table->known != NULL && table->rows < vt_vocab_size(table->known)) return fail_missing(table, error);
  if (table->known == NULL) VT_TRY(make_vocab(table, vocab, error));
  *data = table->data;
  table->data = NULL;
  return VT_OK;
}
