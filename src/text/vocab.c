/*
 * vocab.c: the vocabulary in memory: making it and asking it.
 *
 * All texts stand one behind the other, each with its terminator; a table of ids finds a text by its bytes. One block
 * of memory a field, whatever the number of words. Nothing changes after vt_vocab_build, so any number of threads may
 * read.
 */
#include "vectrail/vocab.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "text/hash.h"
#include "text/vocab_internal.h"

#define VT_VOCAB_FREE UINT32_MAX

static size_t text_bytes(const struct vt_vocab *vocab, size_t id) {
  return (size_t)(vocab->offsets[id + 1] - vocab->offsets[id] - 1);
}

/* The place in the index of a text, or of the free slot where it belongs. */
static size_t index_place(const struct vt_vocab *vocab, const char *text, size_t bytes) {
  size_t at = vt_hash_bytes(text, bytes) & (vocab->index_count - 1);
  for (;;) {
    uint32_t id = vocab->index[at];
    if (id == VT_VOCAB_FREE) return at;
    if (text_bytes(vocab, id) == bytes && memcmp(vocab->texts + vocab->offsets[id], text, bytes) == 0) return at;
    at = (at + 1) & (vocab->index_count - 1);
  }
}

static enum vt_status allocate(struct vt_vocab *vocab, size_t size, size_t texts_bytes, struct vt_error *error) {
  vocab->index_count = 16;
  while (vocab->index_count < 2 * size) vocab->index_count *= 2;
  vocab->counts = vt_alloc(size, sizeof *vocab->counts);
  vocab->offsets = vt_alloc(size + 1, sizeof *vocab->offsets);
  vocab->texts = vt_alloc(texts_bytes, 1);
  vocab->index = vt_alloc(vocab->index_count, sizeof *vocab->index);
  if (vocab->counts == NULL || vocab->offsets == NULL || vocab->texts == NULL || vocab->index == NULL)
    return VT_FAIL_MEMORY(error,
                          texts_bytes + size * 2 * sizeof *vocab->counts + vocab->index_count * sizeof *vocab->index);
  memset(vocab->index, 0xFF, vocab->index_count * sizeof *vocab->index);
  return VT_OK;
}

static enum vt_status append(struct vt_vocab *vocab, const struct vt_vocab_entry *entry, struct vt_error *error) {
  size_t id = vocab->size;
  if (entry->bytes == 0) return VT_FAIL(error, VT_ERROR_FORMAT, "word %zu of the vocabulary is empty", id);
  size_t at = index_place(vocab, entry->text, entry->bytes);
  if (vocab->index[at] != VT_VOCAB_FREE)
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "remove one of them, or add their counts",
                        "the vocabulary holds \"%.*s\" twice, as words %zu and %zu",
                        (int)(entry->bytes < 128 ? entry->bytes : 128), entry->text, (size_t)vocab->index[at], id);
  if (entry->count > UINT64_MAX - vocab->tokens)
    return VT_FAIL(error, VT_ERROR_FORMAT, "the counts of the vocabulary add up to more than 2^64");
  vocab->index[at] = (uint32_t)id;
  char *text = vocab->texts + vocab->offsets[id];
  memcpy(text, entry->text, entry->bytes);
  text[entry->bytes] = '\0';
  vocab->offsets[id + 1] = vocab->offsets[id] + entry->bytes + 1;
  vocab->counts[id] = entry->count;
  vocab->tokens += entry->count;
  vocab->size++;
  return VT_OK;
}

enum vt_status vt_vocab_build(const struct vt_vocab_entry *entries, size_t size, struct vt_vocab **out, size_t *culprit,
                              struct vt_error *error) {
  if (size > VT_VOCAB_SIZE_MAX)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "a vocabulary of %zu words: at most %zu are possible", size,
                   VT_VOCAB_SIZE_MAX);
  struct vt_vocab *vocab = vt_alloc_zero(1, sizeof *vocab);
  if (vocab == NULL) return VT_FAIL_MEMORY(error, sizeof *vocab);
  size_t texts_bytes = 0;
  for (size_t i = 0; i < size; i++) texts_bytes += entries[i].bytes + 1;
  enum vt_status status = allocate(vocab, size, texts_bytes, error);
  if (status == VT_OK) {
    vocab->offsets[0] = 0;
    for (size_t i = 0; i < size && status == VT_OK; i++) {
      status = append(vocab, &entries[i], error);
      if (status != VT_OK && culprit != NULL) *culprit = i;
    }
  }
  if (status != VT_OK) {
    vt_vocab_free(vocab);
    return status;
  }
  *out = vocab;
  return VT_OK;
}

enum vt_status vt_vocab_create(const char *const *texts, const uint64_t *counts, size_t size, struct vt_vocab **vocab,
                               struct vt_error *error) {
  if (size > VT_VOCAB_SIZE_MAX) return vt_vocab_build(NULL, size, vocab, NULL, error);
  struct vt_vocab_entry *entries = vt_alloc(size, sizeof *entries);
  if (entries == NULL) return VT_FAIL_MEMORY(error, size * sizeof *entries);
  for (size_t i = 0; i < size; i++)
    entries[i] = (struct vt_vocab_entry){texts[i], strlen(texts[i]), counts != NULL ? counts[i] : 0, 0};
  enum vt_status status = vt_vocab_build(entries, size, vocab, NULL, error);
  vt_free(entries);
  return status;
}

void vt_vocab_free(struct vt_vocab *vocab) {
  if (vocab == NULL) return;
  vt_free(vocab->counts);
  vt_free(vocab->offsets);
  vt_free(vocab->texts);
  vt_free(vocab->index);
  vt_free(vocab);
}

static int compare_entries(const void *left, const void *right) {
  const struct vt_vocab_entry *a = left, *b = right;
  if (a->count != b->count) return a->count > b->count ? -1 : 1;
  size_t shared = a->bytes < b->bytes ? a->bytes : b->bytes;
  int order = memcmp(a->text, b->text, shared);
  return order != 0 ? order : (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

void vt_vocab_sort(struct vt_vocab_entry *entries, size_t size) {
  qsort(entries, size, sizeof *entries, compare_entries);
}

size_t vt_vocab_size(const struct vt_vocab *vocab) { return vocab->size; }

const char *vt_vocab_text(const struct vt_vocab *vocab, uint32_t id) { return vocab->texts + vocab->offsets[id]; }

uint64_t vt_vocab_count(const struct vt_vocab *vocab, uint32_t id) { return vocab->counts[id]; }

uint64_t vt_vocab_tokens(const struct vt_vocab *vocab) { return vocab->tokens; }

bool vt_vocab_find_bytes(const struct vt_vocab *vocab, const char *text, size_t bytes, uint32_t *id) {
  uint32_t found = vocab->index[index_place(vocab, text, bytes)];
  if (found == VT_VOCAB_FREE) return false;
  *id = found;
  return true;
}

bool vt_vocab_find(const struct vt_vocab *vocab, const char *text, uint32_t *id) {
  return vt_vocab_find_bytes(vocab, text, strlen(text), id);
}
