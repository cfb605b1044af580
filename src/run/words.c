/* words.c: from the words of a request, or of a run, to ids. */
#include <stdio.h>

#include <string.h>

#include "base/memory.h"
#include "run/session.h"

enum vt_status vt_session_read_words(const struct vt_vocab *vocab, const struct vt_run *run, const char *path,
                                     const char *key, uint32_t **ids, size_t *count, struct vt_error *error) {
  static const char ends[] = "\n\t";
  const char *text = vt_run_meta(run, key);
  size_t words = 1;
  for (const char *c = text; c != NULL && *c != '\0'; c++) words += strchr(ends, *c) != NULL;
  *count = 0;
  *ids = vt_alloc(words, sizeof **ids);
  if (*ids == NULL) return VT_FAIL_MEMORY(error, words * sizeof **ids);
  enum vt_status status = VT_OK;
  for (const char *at = text; at != NULL && *at != '\0' && status == VT_OK;) {
    size_t bytes = strcspn(at, ends);
    char *word = vt_copy_bytes(at, bytes);
    if (word == NULL)
      status = VT_FAIL_MEMORY(error, bytes);
    else if (!vt_vocab_find(vocab, word, &(*ids)[*count]))
      status = VT_FAIL(error, VT_ERROR_CORRUPT, "%s: the word \"%.*s\" of \"%s\" is not in the vocabulary", path,
                       (int)(bytes < 64 ? bytes : 64), at, key);
    vt_free(word);
    (*count)++;
    at += bytes + (at[bytes] != '\0');
  }
  if (status == VT_OK) return VT_OK;
  vt_free(*ids);
  *ids = NULL;
  *count = 0;
  return status;
}

void vt_session_suggest(const struct vt_vocab *vocab, const char *word, char *help, size_t bytes) {
  uint32_t near[3];
  size_t count = vt_vocab_suggest(vocab, word, near, 3);
  size_t at = (size_t)snprintf(
      help, bytes, "%s", count == 0 ? "name words that the corpus holds often enough (--min-count)" : "did you mean ");
  for (size_t k = 0; k < count && at < bytes; k++)
    at += (size_t)snprintf(help + at, bytes - at, "%s%s%s", k == 0 ? "" : ", ", vt_vocab_text(vocab, near[k]),
                           k + 1 == count ? "?" : "");
}

/* Adds the id of a word that is not in the list yet. */
static enum vt_status find_word(const struct vt_vocab *vocab, const char *word, const char *purpose, uint32_t *ids,
                                size_t *count, struct vt_error *error) {
  uint32_t id;
  if (!vt_vocab_find(vocab, word, &id)) {
    char help[sizeof error->help];
    vt_session_suggest(vocab, word, help, sizeof help);
    return VT_FAIL_HELP(error, VT_ERROR_NOT_FOUND, help, "the word \"%.100s\" %s is not in the vocabulary", word,
                        purpose);
  }
  for (size_t k = 0; k < *count; k++)
    if (ids[k] == id) return VT_OK;
  ids[(*count)++] = id;
  return VT_OK;
}

enum vt_status vt_session_find_words(const struct vt_vocab *vocab, const char *const *words, size_t count,
                                     const char *purpose, uint32_t **out, size_t *id_count, struct vt_error *error) {
  uint32_t *ids = vt_alloc(count, sizeof *ids);
  if (ids == NULL) return VT_FAIL_MEMORY(error, count * sizeof *ids);
  enum vt_status status = VT_OK;
  *id_count = 0;
  for (size_t k = 0; k < count && status == VT_OK; k++)
    status = find_word(vocab, words[k], purpose, ids, id_count, error);
  if (status != VT_OK) {
    vt_free(ids);
    return status;
  }
  *out = ids;
  return VT_OK;
}
