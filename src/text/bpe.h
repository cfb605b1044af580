/*
 * bpe.h: byte-level byte-pair encoding (Sennrich, Haddow and Birch 2016; on bytes as Radford et al. 2019).
 *
 * A text is cut into words, each with the one space before it (GPT-2's pattern); a word is its bytes, and the pair of
 * neighbours whose merge was learnt first is joined, until none is left. Tokens are spelled with one printable
 * character a byte ("Ġthe"), as in a tokenizer.json. Any bytes can be encoded, and decoding gives them back.
 */
#ifndef VECTRAIL_TEXT_BPE_H
#define VECTRAIL_TEXT_BPE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define VT_BPE_WORD_BYTES_MAX 4096 /* a longer run is cut */
#define VT_BPE_TOKENS_MAX 1000000

struct vt_bpe;

/* Counts words of texts, and learns merges from them until there are `tokens` tokens, at least 256, or no pair occurs
 * twice. More frequent pairs first, equal ones by their tokens: the result depends on the texts alone. */
struct vt_bpe_trainer;
enum vt_status vt_bpe_trainer_create(struct vt_bpe_trainer **trainer, struct vt_error *error);
void vt_bpe_trainer_free(struct vt_bpe_trainer *trainer); /* accepts NULL */
enum vt_status vt_bpe_trainer_add(struct vt_bpe_trainer *trainer, const unsigned char *text, size_t bytes,
                                  struct vt_error *error);
/* interrupt: as in struct vt_corpus_options. A trainer learns once. */
enum vt_status vt_bpe_trainer_learn(struct vt_bpe_trainer *trainer, size_t tokens,
                                    const volatile sig_atomic_t *interrupt, struct vt_bpe **bpe,
                                    struct vt_error *error);

/* A HuggingFace tokenizer.json whose model is a byte-level BPE. VT_ERROR_UNSUPPORTED: another kind; VT_ERROR_CORRUPT.
 */
enum vt_status vt_bpe_read(const char *path, struct vt_bpe **bpe, struct vt_error *error);
enum vt_status vt_bpe_write(const struct vt_bpe *bpe, const char *path, struct vt_error *error);
void vt_bpe_free(struct vt_bpe *bpe); /* accepts NULL */

size_t vt_bpe_size(const struct vt_bpe *bpe);
/* As it is spelled; owned by bpe. */
const char *vt_bpe_spelling(const struct vt_bpe *bpe, uint32_t token);
/* Its bytes, likewise; *bytes is how many. */
const unsigned char *vt_bpe_bytes(const struct vt_bpe *bpe, uint32_t token, size_t *bytes);

/* The tokens of a text into *ids (grown by vt_realloc; capacity in *capacity), behind the *count that are there. */
enum vt_status vt_bpe_encode(const struct vt_bpe *bpe, const unsigned char *text, size_t bytes, uint32_t **ids,
                             size_t *count, size_t *capacity, struct vt_error *error);

/* The end of the word that begins at text[at], by GPT-2's pattern. */
size_t vt_bpe_word_end(const unsigned char *text, size_t bytes, size_t at);

#endif
