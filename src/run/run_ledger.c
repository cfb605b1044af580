/* run_ledger.c: the ledger of a run, as rows that have been looked at. */
#include <string.h>

#include "base/memory.h"
#include "run/run_internal.h"
#include "vectrail/ledger.h"

struct reading {
  vt_ledger_reader *reader;
  void *context;
  const char *path;
  float *vector;
  size_t dim;
};

static enum vt_status take_row(void *context, const struct vt_store_value *values, struct vt_error *error) {
  struct reading *reading = context;
  bool sound = values[1].type == VT_STORE_INTEGER && values[1].integer >= VT_LEDGER_OTHER_SOURCES &&
               values[2].type == VT_STORE_TEXT && values[3].type == VT_STORE_INTEGER && values[3].integer >= 0 &&
               values[4].type == VT_STORE_INTEGER && values[4].integer >= 0 && values[5].type == VT_STORE_BLOB &&
               values[5].bytes == reading->dim * sizeof *reading->vector;
  if (!sound)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: damaged database: a row of the ledger makes no sense", reading->path);
  memcpy(reading->vector, values[5].data, values[5].bytes); /* a blob may lie anywhere */
  const struct vt_ledger_entry entry = {.span = (uint64_t)values[3].integer,
                                        .source = values[1].integer,
                                        .role = values[2].data,
                                        .updates = (uint64_t)values[4].integer,
                                        .vector = reading->vector};
  return reading->reader(reading->context, &entry, error);
}

enum vt_status vt_run_ledger(struct vt_run *run, uint32_t word, size_t dim, vt_ledger_reader *reader, void *context,
                             struct vt_error *error) {
  struct reading reading = {.reader = reader, .context = context, .path = vt_run_path(run), .dim = dim};
  reading.vector = vt_alloc(dim, sizeof *reading.vector);
  if (reading.vector == NULL) return VT_FAIL_MEMORY(error, dim * sizeof *reading.vector);
  enum vt_status status = vt_store_read_ledger(vt_run_store(run), word, take_row, &reading, error);
  vt_free(reading.vector);
  return status;
}

struct words {
  uint32_t *words;
  size_t count;
  size_t size; /* of the vocabulary */
};

static enum vt_status take_word(void *context, const struct vt_store_value *values, struct vt_error *error) {
  struct words *words = context;
  if (values[0].type != VT_STORE_INTEGER || values[0].integer < 0 || (uint64_t)values[0].integer >= words->size)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "damaged database: a ledger of a word that there is not");
  uint32_t *grown = vt_realloc(words->words, words->count + 1, sizeof *grown);
  if (grown == NULL) return VT_FAIL_MEMORY(error, (words->count + 1) * sizeof *grown);
  words->words = grown;
  words->words[words->count++] = (uint32_t)values[0].integer;
  return VT_OK;
}

enum vt_status vt_run_ledger_words(struct vt_run *run, uint32_t **out, size_t *count, struct vt_error *error) {
  struct words words = {.size = vt_vocab_size(vt_run_vocab(run))};
  enum vt_status status = vt_store_read_ledger_words(vt_run_store(run), take_word, &words, error);
  if (status != VT_OK) {
    vt_free(words.words);
    return status;
  }
  *out = words.words;
  *count = words.count;
  return VT_OK;
}

void vt_run_words_free(uint32_t *words) { vt_free(words); }

/* ---- documents --------------------------------------------------------------------------------------------------- */

struct found {
  struct vt_run *run;
  struct vt_document *document;
  bool there;
};

static char *input_name(const struct vt_run *run, uint64_t number) {
  const char *at = vt_run_meta(run, "inputs");
  for (uint64_t k = 0; at != NULL && k < number; k++) {
    at = strchr(at, '\n');
    if (at != NULL) at++;
  }
  return at == NULL ? vt_copy_string("") : vt_copy_bytes(at, strcspn(at, "\n"));
}

static enum vt_status take_document(void *context, const struct vt_store_value *values, struct vt_error *error) {
  struct found *found = context;
  if (values[0].type != VT_STORE_INTEGER || values[0].integer < 0 || values[1].type != VT_STORE_INTEGER ||
      values[1].integer < 0 || values[2].type != VT_STORE_TEXT)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: damaged database: a line of the text makes no sense",
                   vt_run_path(found->run));
  found->there = true;
  found->document->file = input_name(found->run, (uint64_t)values[0].integer);
  found->document->line = (uint64_t)values[1].integer + 1;
  found->document->text = vt_copy_bytes(values[2].data, values[2].bytes);
  return found->document->file == NULL || found->document->text == NULL ? VT_FAIL_MEMORY(error, values[2].bytes)
                                                                        : VT_OK;
}

enum vt_status vt_run_document(struct vt_run *run, uint64_t sentence, struct vt_document *document,
                               struct vt_error *error) {
  *document = (struct vt_document){0};
  struct found found = {.run = run, .document = document};
  enum vt_status status = vt_store_read_document(vt_run_store(run), sentence, take_document, &found, error);
  if (status == VT_OK && !found.there)
    status = VT_FAIL(error, VT_ERROR_NOT_FOUND, "%s: the line of sentence %llu was not kept", vt_run_path(run),
                     (unsigned long long)sentence);
  if (status != VT_OK) vt_document_release(document);
  return status;
}

void vt_document_release(struct vt_document *document) {
  vt_free(document->file);
  vt_free(document->text);
  *document = (struct vt_document){0};
}
