/*
 * vectrail/vocab.h: the vocabulary, a numbered list of distinct words with their counts.
 *
 * Ids run from 0 in the order: larger count first, then bytes of the text ascending. The order is a pure
 * function of the counted text. A vocabulary is immutable once made, and safe to read from many threads.
 */
#ifndef VECTRAIL_VOCAB_H
#define VECTRAIL_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct vt_vocab;

/* Makes a vocabulary of given words, in the given order (the caller's order is kept: imported vectors and runs
 * have theirs already). texts: size terminated UTF-8 strings, copied; counts: size numbers, or NULL for zeros.
 * A repeated or empty word is VT_ERROR_FORMAT, size above 2^32 - 2 VT_ERROR_ARGUMENT. O(total bytes). */
VT_API enum vt_status vt_vocab_create(const char *const *texts, const uint64_t *counts, size_t size,
                                      struct vt_vocab **vocab, struct vt_error *error);
/* Accepts NULL. */
VT_API void vt_vocab_free(struct vt_vocab *vocab);

VT_API size_t vt_vocab_size(const struct vt_vocab *vocab);
/* id < size. The text is terminated UTF-8 (NFC), owned by the vocabulary. */
VT_API const char *vt_vocab_text(const struct vt_vocab *vocab, uint32_t id);
VT_API uint64_t vt_vocab_count(const struct vt_vocab *vocab, uint32_t id);
/* The sum of all counts. */
VT_API uint64_t vt_vocab_tokens(const struct vt_vocab *vocab);

/* Looks a word up by its exact bytes; false when absent. O(bytes). */
VT_API bool vt_vocab_find(const struct vt_vocab *vocab, const char *text, uint32_t *id);

/* Up to capacity ids whose spelling is nearest to text: Damerau-Levenshtein distance (optimal string alignment,
 * in code points) of at most 2 (1 for texts of up to 3 code points), nearest first, then more frequent first.
 * Returns how many. O(vocabulary). */
VT_API size_t vt_vocab_suggest(const struct vt_vocab *vocab, const char *text, uint32_t *ids, size_t capacity);

/* A text file with one "word count" a line, in id order: the format of word2vec's -save-vocab. Words with white
 * space in them cannot be written this way (VT_ERROR_FORMAT). Written beside, synced, renamed. */
VT_API enum vt_status vt_vocab_save(const struct vt_vocab *vocab, const char *path, struct vt_error *error);
/* Reads such a file, in any order (ids are dealt by the rule above). A line that is malformed or repeats a word is
 * VT_ERROR_FORMAT with its line number. */
VT_API enum vt_status vt_vocab_load(const char *path, struct vt_vocab **vocab, struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif
