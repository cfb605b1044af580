/*
 * tally.c: one vocabulary out of as many tables as there were threads.
 *
 * The tables are merged in pairs, worker w into the worker whose number lacks w's lowest set bit, so that the time
 * grows with the logarithm of the threads. Each merge leaves a map from the numbers of the one table to those of the
 * other, and the maps are composed in the opposite order, so that each leads to table 0. Numbers depend on which thread
 * met a word first, ids do not: they come from sorting by count and bytes.
 *
 * Memory: a map of 4 bytes for each word of each worker; a table is given up as soon as it is merged. Threads: the
 * merges of one round touch different pairs of workers; each worker writes its own fields only.
 */
#include "text/tally.h"

#include <string.h>

#include "base/memory.h"
#include "text/vocab_internal.h"

struct round {
  struct vt_tally *tally;
  struct vt_count *count;
  const uint32_t *final;   /* from the numbers of table 0 to ids, once they are known */
  int distance;            /* worker w with lowest set bit `distance` belongs to worker w - distance in this round */
  struct vt_error *errors; /* [worker_count]; status VT_OK where all is well */
};

static bool takes_part(const struct round *round, int worker) {
  return worker > 0 && (worker & -worker) == round->distance;
}

/* Moves the counts of spellings to their canonical words. */
static void settle(void *context, int worker) {
  const struct round *round = context;
  struct vt_word_table *table = &round->count->workers[worker].table;
  vt_word_table_settle(table);
  for (size_t id = 0; id < table->size; id++) {
    struct vt_word *word = &table->words[id];
    if (word->canonical == id) continue;
    table->words[word->canonical].count += word->count;
    word->count = 0;
  }
}

static void merge(void *context, int worker) {
  struct round *round = context;
  if (!takes_part(round, worker)) return;
  struct vt_word_table *from = &round->count->workers[worker].table;
  struct vt_word_table *into = &round->count->workers[worker - round->distance].table;
  struct vt_tally_map *map = &round->tally->maps[worker];
  struct vt_error *error = &round->errors[worker];
  map->size = from->size;
  map->ids = vt_alloc(map->size, sizeof *map->ids);
  enum vt_status status;
  if (map->ids == NULL)
    status = VT_FAIL_MEMORY(error, map->size * sizeof *map->ids);
  else
    status = vt_word_table_merge(into, from, map->ids, error);
  if (status == VT_OK) vt_word_table_release(from);
}

/* The numbers that a merge into worker 0 gave are canonical ones of table 0 already. */
static void compose(void *context, int worker) {
  const struct round *round = context;
  int into = worker - round->distance;
  if (!takes_part(round, worker) || into == 0) return;
  const struct vt_tally_map *map = &round->tally->maps[worker];
  const uint32_t *next = round->tally->maps[into].ids;
  for (size_t i = 0; i < map->size; i++) map->ids[i] = next[map->ids[i]];
}

static void finish(void *context, int worker) {
  const struct round *round = context;
  const struct vt_tally_map *map = &round->tally->maps[worker];
  for (size_t i = 0; i < map->size; i++) map->ids[i] = round->final[map->ids[i]];
}

static enum vt_status merge_all(struct round *round, struct vt_pool *pool, struct vt_error *error) {
  vt_pool_run(pool, settle, round);
  for (round->distance = 1; round->distance < round->tally->worker_count; round->distance *= 2) {
    vt_pool_run(pool, merge, round);
    for (int i = 0; i < round->tally->worker_count; i++) {
      if (round->errors[i].status == VT_OK) continue;
      if (error != NULL) *error = round->errors[i];
      return round->errors[i].status;
    }
  }
  return VT_OK;
}

static void compose_all(struct round *round, struct vt_pool *pool) {
  for (round->distance /= 2; round->distance > 0; round->distance /= 2) vt_pool_run(pool, compose, round);
}

/* ---- the vocabulary ---------------------------------------------------------------------------------------------- */

static bool is_counted(const struct vt_word_table *table, size_t id) {
  return table->words[id].canonical == id && table->words[id].count > 0;
}

static enum vt_status fail_none(const struct vt_corpus_options *options, uint64_t largest, struct vt_error *error) {
  if (largest == 0)
    return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "check that the inputs are text and not empty",
                        "the inputs hold no word");
  return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "lower --min-count, or pass more text",
                      "no word occurs %llu times, which --min-count asks for: the most frequent one occurs %llu times",
                      (unsigned long long)options->min_count, (unsigned long long)largest);
}

/* final[table->size], which says that all words are outside, gets the ids of the others. */
static enum vt_status choose_counted(struct vt_tally *tally, const struct vt_word_table *table,
                                     const struct vt_corpus_options *options, uint32_t *final, struct vt_error *error) {
  uint64_t largest = 0;
  size_t size = 0;
  for (size_t id = 0; id < table->size; id++) {
    if (!is_counted(table, id)) continue;
    if (table->words[id].count > largest) largest = table->words[id].count;
    size += table->words[id].count >= options->min_count;
  }
  if (size == 0) return fail_none(options, largest, error);
  struct vt_vocab_entry *entries = vt_alloc(size, sizeof *entries);
  if (entries == NULL) return VT_FAIL_MEMORY(error, size * sizeof *entries);
  size_t used = 0;
  for (size_t id = 0; id < table->size; id++) {
    const struct vt_word *word = &table->words[id];
    if (is_counted(table, id) && word->count >= options->min_count)
      entries[used++] =
          (struct vt_vocab_entry){(const char *)vt_word_table_text(table, id), word->bytes, word->count, (uint32_t)id};
  }
  vt_vocab_sort(entries, size);
  if (options->max_vocab > 0 && size > options->max_vocab) size = options->max_vocab;
  for (size_t i = 0; i < size; i++) final[entries[i].source] = (uint32_t)i;
  enum vt_status status = vt_vocab_build(entries, size, &tally->vocab, NULL, error);
  vt_free(entries);
  return status;
}

/* The words of a vocabulary that was given, with the counts of this text; final as above. */
static enum vt_status recount_given(struct vt_tally *tally, const struct vt_word_table *table,
                                    const struct vt_vocab *given, uint32_t *final, struct vt_error *error) {
  struct vt_vocab_entry *entries = vt_alloc(given->size, sizeof *entries);
  if (entries == NULL) return VT_FAIL_MEMORY(error, given->size * sizeof *entries);
  for (size_t id = 0; id < given->size; id++) {
    size_t bytes = (size_t)(given->offsets[id + 1] - given->offsets[id] - 1);
    entries[id] = (struct vt_vocab_entry){given->texts + given->offsets[id], bytes, 0, 0};
  }
  for (size_t id = 0; id < table->size; id++) {
    const char *text = (const char *)vt_word_table_text(table, id);
    if (is_counted(table, id) && vt_vocab_find_bytes(given, text, table->words[id].bytes, &final[id]))
      entries[final[id]].count = table->words[id].count;
  }
  enum vt_status status = vt_vocab_build(entries, given->size, &tally->vocab, NULL, error);
  vt_free(entries);
  if (status != VT_OK || tally->vocab->tokens > 0) return status;
  return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "check that text and vocabulary belong together, case included",
                      "none of the %llu words of the text is in the vocabulary",
                      (unsigned long long)tally->tokens_read);
}

/* Leads from every word of table 0 to its canonical one. */
static enum vt_status map_canonical(struct vt_tally_map *map, const struct vt_word_table *table,
                                    struct vt_error *error) {
  map->size = table->size;
  map->ids = vt_alloc(map->size, sizeof *map->ids);
  if (map->ids == NULL) return VT_FAIL_MEMORY(error, map->size * sizeof *map->ids);
  for (size_t id = 0; id < map->size; id++) map->ids[id] = table->words[id].canonical;
  return VT_OK;
}

static enum vt_status merge_tables(struct round *round, struct vt_pool *pool, struct vt_error *error) {
  struct vt_tally *tally = round->tally;
  VT_TRY(merge_all(round, pool, error));
  const struct vt_word_table *table = &round->count->workers[0].table;
  for (size_t id = 0; id < table->size; id++) {
    if (!is_counted(table, id)) continue;
    tally->types_read++;
    tally->tokens_read += table->words[id].count;
  }
  if (tally->types_read == 0) return fail_none(round->count->options, 0, error);
  tally->spellings = table->size;
  VT_TRY(map_canonical(&tally->maps[0], table, error));
  compose_all(round, pool);
  return VT_OK;
}

enum vt_status vt_tally_merge(struct vt_tally *tally, struct vt_count *count, struct vt_pool *pool,
                              struct vt_error *error) {
  *tally = (struct vt_tally){.worker_count = count->worker_count};
  size_t workers = (size_t)count->worker_count;
  struct round round = {.tally = tally, .count = count, .errors = vt_alloc_zero(workers, sizeof(struct vt_error))};
  tally->maps = vt_alloc_zero(workers, sizeof *tally->maps);
  enum vt_status status;
  if (round.errors == NULL || tally->maps == NULL)
    status = VT_FAIL_MEMORY(error, workers * sizeof *round.errors);
  else
    status = merge_tables(&round, pool, error);
  vt_free(round.errors);
  return status;
}

enum vt_status vt_tally_add(struct vt_count *count, const uint64_t *counts, size_t words, const char *texts,
                            size_t bytes, struct vt_error *error) {
  struct vt_word_table *table = &count->workers[0].table;
  size_t at = 0;
  for (size_t k = 0; k < words; k++) {
    const char *end = at < bytes ? memchr(texts + at, 0, bytes - at) : NULL;
    size_t length = end == NULL ? 0 : (size_t)(end - (texts + at));
    uint32_t id;
    if (length == 0 || length > VT_WORD_BYTES_MAX)
      return VT_FAIL(error, VT_ERROR_CORRUPT, "another rank sent words that are none");
    VT_TRY(vt_word_table_add(table, (const unsigned char *)texts + at, length, &id, error));
    table->words[id].canonical = id;
    table->words[id].count += counts[k];
    at += length + 1;
  }
  return VT_OK;
}

enum vt_status vt_tally_added(struct vt_tally *tally, const struct vt_count *count, struct vt_error *error) {
  const struct vt_word_table *table = &count->workers[0].table;
  tally->types_read = tally->tokens_read = 0;
  for (size_t id = 0; id < table->size; id++) {
    if (!is_counted(table, id)) continue;
    tally->types_read++;
    tally->tokens_read += table->words[id].count;
  }
  tally->spellings = table->size;
  return tally->types_read == 0 ? fail_none(count->options, 0, error) : VT_OK;
}

enum vt_status vt_tally_choose(struct vt_tally *tally, struct vt_count *count, struct vt_pool *pool,
                               struct vt_error *error) {
  const struct vt_corpus_options *options = count->options;
  struct vt_word_table *table = &count->workers[0].table;
  uint32_t *final = vt_alloc(table->size, sizeof *final);
  if (final == NULL) return VT_FAIL_MEMORY(error, table->size * sizeof *final);
  for (size_t id = 0; id < table->size; id++) final[id] = VT_TALLY_OUTSIDE;
  enum vt_status status = options->vocab != NULL ? recount_given(tally, table, options->vocab, final, error)
                                                 : choose_counted(tally, table, options, final, error);
  /* Where no word is chosen all are outside: a part of a text may be without any. */
  if (status == VT_OK || status == VT_ERROR_EMPTY) {
    for (size_t id = tally->spellings; id < table->size; id++) tally->phrases += final[id] != VT_TALLY_OUTSIDE;
    struct round round = {.tally = tally, .final = final};
    vt_pool_run(pool, finish, &round);
    vt_word_table_release(table);
  }
  vt_free(final);
  return status;
}

void vt_tally_release(struct vt_tally *tally) {
  for (int i = 0; i < tally->worker_count && tally->maps != NULL; i++) vt_free(tally->maps[i].ids);
  vt_free(tally->maps);
  vt_vocab_free(tally->vocab);
  *tally = (struct vt_tally){0};
}
