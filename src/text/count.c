/*
 * count.c: reading, tokenising and counting, by all threads at once.
 *
 * A worker takes the next stretch of text, tokenises it and looks every word up in its own table, keyed by the bytes as
 * they stand in the text. Unicode is worked on when a spelling is met for the first time: its canonical form is put
 * into the same table, and the spelling points to it. So the cost of normalising falls on distinct spellings, not on
 * words. The numbers of the words are put away for vt_remap_run.
 *
 * Order. Stretches are handed out in order, so when one fails, all those before it are in the hands of workers that
 * will finish them: the failure with the smallest index is the first in the text, whoever is fastest. Within a stretch
 * the scan is in order.
 *
 * Memory: for each worker its table, the text of a stretch and its numbers; a record for each stretch. Threads: the
 * workers share the reader, the spill, and the records under a mutex.
 */
#define _POSIX_C_SOURCE 200809L
#include "text/count.h"

#include <string.h>

#include "base/memory.h"
#include "text/hash.h"
#include "text/input.h"
#include "text/tokens.h"

static enum vt_status init_worker(struct vt_count *count, struct vt_count_worker *worker, struct vt_error *error) {
  unsigned flags = (count->options->fold_case || count->options->tokens == VT_TOKENS_LETTERS ? VT_CANONICAL_FOLD : 0u) |
                   (count->options->tokens == VT_TOKENS_WORDS ? VT_CANONICAL_APOSTROPHE : 0u);
  VT_TRY(vt_word_table_init(&worker->table, error));
  VT_TRY(vt_canonical_create(flags, &worker->canonical, error));
  size_t bytes = vt_chunks_buffer_bytes(count->chunks);
  worker->text = vt_alloc(bytes, 1);
  /* At most one number a byte, and a mark at the end. */
  worker->numbers = vt_alloc(bytes + 1, sizeof *worker->numbers);
  if (worker->text == NULL || worker->numbers == NULL)
    return VT_FAIL_MEMORY(error, bytes * (1 + sizeof *worker->numbers));
  return VT_OK;
}

enum vt_status vt_count_init(struct vt_count *count, const char *const *inputs, const struct vt_corpus_options *options,
                             struct vt_chunks *chunks, struct vt_spill *spill, struct vt_error *error) {
  *count = (struct vt_count){.inputs = inputs, .options = options, .chunks = chunks, .spill = spill};
  struct vt_count_worker *workers = vt_alloc_zero((size_t)options->threads, sizeof *workers);
  if (workers == NULL || pthread_mutex_init(&count->mutex, NULL) != 0) {
    vt_free(workers);
    return VT_FAIL_MEMORY(error, (size_t)options->threads * sizeof *workers);
  }
  count->workers = workers;
  count->worker_count = options->threads;
  for (int i = 0; i < count->worker_count; i++) VT_TRY(init_worker(count, &workers[i], error));
  return VT_OK;
}

void vt_count_release(struct vt_count *count) {
  if (count->workers == NULL) return;
  for (int i = 0; i < count->worker_count; i++) {
    struct vt_count_worker *worker = &count->workers[i];
    vt_word_table_release(&worker->table);
    vt_canonical_free(worker->canonical);
    vt_free(worker->text);
    vt_free(worker->numbers);
  }
  vt_free(count->records);
  vt_free(count->workers);
  (void)pthread_mutex_destroy(&count->mutex);
  *count = (struct vt_count){0};
}

/* ---- one stretch of text ----------------------------------------------------------------------------------------- */

static enum vt_status fail_too_long(const struct vt_count *count, const struct vt_chunk *chunk, size_t start,
                                    struct vt_error *error) {
  return VT_FAIL_HELP(error, VT_ERROR_FORMAT,
                      "this may not be text; words of languages written without spaces must be separated first",
                      "%s: the word at byte %llu is longer than %d bytes", vt_input_name(count->inputs[chunk->input]),
                      (unsigned long long)(chunk->offset + start), VT_WORD_BYTES_MAX);
}

/* Finds the canonical words of the spellings that this batch has added, from number `first` on. */
static enum vt_status canonicalise(const struct vt_count *count, struct vt_count_worker *worker,
                                   const struct vt_chunk *chunk, const struct vt_token *tokens, size_t token_count,
                                   const uint32_t *numbers, size_t first, struct vt_error *error) {
  struct vt_word_table *table = &worker->table;
  for (size_t id = first; id < table->size; id++) {
    if (table->words[id].canonical != VT_WORD_NONE) continue;
    const unsigned char *spelling = vt_word_table_text(table, id), *word;
    size_t bytes;
    if (!vt_canonical_apply(worker->canonical, spelling, table->words[id].bytes, &word, &bytes)) {
      size_t i = 0;
      while (i + 1 < token_count && numbers[i] != id) i++;
      return fail_too_long(count, chunk, tokens[i].start, error);
    }
    uint32_t canonical = (uint32_t)id;
    if (word != spelling) VT_TRY(vt_word_table_add(table, word, bytes, &canonical, error));
    table->words[id].canonical = canonical;
    table->words[canonical].canonical = canonical;
  }
  return VT_OK;
}

/* Tokenises text up to `bytes` and writes the numbers of its words; *entries is how many. */
static enum vt_status number_words(const struct vt_count *count, struct vt_count_worker *worker,
                                   const struct vt_chunk *chunk, struct vt_scan *scan, size_t *entries,
                                   struct vt_error *error) {
  struct vt_token tokens[VT_WORD_TABLE_BATCH];
  uint32_t *numbers = worker->numbers;
  for (size_t got; (got = vt_scan_next(scan, tokens, VT_WORD_TABLE_BATCH)) > 0; numbers += got) {
    size_t first = worker->table.size;
    VT_TRY(vt_word_table_count(&worker->table, worker->text, tokens, got, numbers, error));
    if (worker->table.size > first) VT_TRY(canonicalise(count, worker, chunk, tokens, got, numbers, first, error));
  }
  if (scan->too_long) return fail_too_long(count, chunk, scan->too_long_start, error);
  *entries = (size_t)(numbers - worker->numbers);
  return VT_OK;
}

static enum vt_status keep_record(struct vt_count *count, uint64_t index, const struct vt_count_record *record,
                                  struct vt_error *error) {
  enum vt_status status = VT_OK;
  (void)pthread_mutex_lock(&count->mutex);
  if (index >= count->record_capacity) {
    size_t capacity = 2 * (size_t)index + 64;
    struct vt_count_record *records = vt_realloc(count->records, capacity, sizeof *records);
    if (records == NULL) {
      status = VT_FAIL_MEMORY(error, capacity * sizeof *records);
    } else {
      count->records = records;
      count->record_capacity = capacity;
    }
  }
  if (status == VT_OK) {
    /* Stretches finish out of order; a hole is filled before the reading is over, or never read. */
    while (count->record_count <= index) count->records[count->record_count++] = (struct vt_count_record){0};
    count->records[index] = *record;
  }
  (void)pthread_mutex_unlock(&count->mutex);
  return status;
}

static enum vt_status count_stretch(struct vt_count *count, int index, const struct vt_chunk *chunk,
                                    struct vt_error *error) {
  struct vt_count_worker *worker = &count->workers[index];
  /* A NUL byte ends what is scanned: an error before it comes first. */
  const unsigned char *nul = memchr(worker->text, 0, chunk->bytes);
  size_t nul_at = nul != NULL ? (size_t)(nul - worker->text) : 0, entries = 0;
  const bool hashed = count->options->input_hashes != NULL;
  uint64_t hash = hashed ? vt_hash_bytes(worker->text, chunk->bytes) : 0;
  struct vt_scan scan;
  vt_scan_start(&scan, count->options->tokens, worker->text, nul != NULL ? nul_at : chunk->bytes);
  VT_TRY(number_words(count, worker, chunk, &scan, &entries, error));
  if (nul != NULL)
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "pass text in UTF-8; text in UTF-16 must be converted with iconv first",
                        "%s: byte %llu is NUL: this is binary data, not text",
                        vt_input_name(count->inputs[chunk->input]), (unsigned long long)(chunk->offset + nul_at));
  if (chunk->last) worker->numbers[entries++] = VT_CORPUS_END;
  struct vt_count_record record = {.entries = entries,
                                   .bytes = chunk->bytes,
                                   .hash = hash,
                                   .bad_bytes = scan.bad_bytes,
                                   .bad_offset = chunk->offset + scan.bad_start,
                                   .input = chunk->input,
                                   .worker = index};
  VT_TRY(vt_spill_put(count->spill, worker->numbers, entries, &record.place, error));
  return keep_record(count, chunk->index, &record, error);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static void keep_failure(struct vt_count *count, uint64_t index, const struct vt_error *error) {
  (void)pthread_mutex_lock(&count->mutex);
  if (!count->failure.set || index < count->failure.index)
    count->failure = (struct vt_count_failure){true, index, *error};
  (void)pthread_mutex_unlock(&count->mutex);
  atomic_store(&count->stop, true);
}

static void work(void *context, int index) {
  struct vt_count *count = context;
  while (!atomic_load(&count->stop)) {
    struct vt_chunk chunk;
    struct vt_error error;
    bool more = false;
    enum vt_status status = vt_chunks_next(count->chunks, count->workers[index].text, &chunk, &more, &error);
    if (status == VT_OK && !more) return;
    if (status == VT_OK) status = count_stretch(count, index, &chunk, &error);
    if (status != VT_OK) {
      keep_failure(count, chunk.index, &error);
      return;
    }
  }
}

enum vt_status vt_count_run(struct vt_count *count, struct vt_pool *pool, struct vt_error *error) {
  vt_pool_run(pool, work, count);
  if (!count->failure.set) return VT_OK;
  if (error != NULL) *error = count->failure.error;
  return count->failure.error.status;
}
