/* words.c: from the words of a request, or of a run, to ids. */
#include <stdio.h>

#include "base/memory.h"
#include "run/session.h"

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
