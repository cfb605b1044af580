/*
 * bpe_train.c: learning merges.
 *
 * Distinct words are kept once, with how often they occur. A heap holds pairs by their counts, largest first; an entry
 * whose count is no longer true is put back with the true one when it comes up. Of a merge only the words that hold the
 * pair are looked at again.
 */
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "text/bpe_internal.h"
#include "text/hash.h"
#include "text/input.h"

struct word {
  uint64_t count;
  size_t first;          /* among all tokens of words */
  uint32_t length, left; /* in bytes, and tokens that are left */
};

struct pair {
  uint32_t left, right;
  int64_t count;
  uint32_t *words; /* that hold it, or held it; may repeat */
  size_t word_count, word_capacity;
};

struct entry {
  int64_t count;
  uint32_t pair;
};

struct vt_bpe_trainer {
  unsigned char *text; /* of distinct words, one behind the other */
  size_t text_bytes, text_capacity;
  struct word *words;
  size_t word_count, word_capacity;
  uint32_t *index; /* of words, by their bytes */
  size_t index_size;
  /* While learning: */
  uint32_t *tokens;
  struct pair *pairs;
  size_t pair_count, pair_capacity;
  uint32_t *pair_index;
  size_t pair_index_size;
  struct entry *heap;
  size_t heap_count, heap_capacity;
  uint32_t *made_index; /* of the encoding's tokens, by their bytes; at most half full */
  size_t made_size;
};

/* Room for one more; *block grows by halves. */
static bool room(void *block, size_t count, size_t *capacity, size_t size) {
  if (count < *capacity) return true;
  size_t wanted = *capacity + *capacity / 2 + 1024;
  void **place = block;
  void *grown = vt_realloc(*place, wanted, size);
  if (grown == NULL) return false;
  *place = grown;
  *capacity = wanted;
  return true;
}

enum vt_status vt_bpe_trainer_create(struct vt_bpe_trainer **out, struct vt_error *error) {
  struct vt_bpe_trainer *trainer = vt_alloc_zero(1, sizeof *trainer);
  if (trainer == NULL) return VT_FAIL_MEMORY(error, sizeof *trainer);
  *out = trainer;
  return VT_OK;
}

void vt_bpe_trainer_free(struct vt_bpe_trainer *trainer) {
  if (trainer == NULL) return;
  for (size_t k = 0; k < trainer->pair_count; k++) vt_free(trainer->pairs[k].words);
  vt_free(trainer->text);
  vt_free(trainer->words);
  vt_free(trainer->index);
  vt_free(trainer->tokens);
  vt_free(trainer->pairs);
  vt_free(trainer->pair_index);
  vt_free(trainer->heap);
  vt_free(trainer->made_index);
  vt_free(trainer);
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

static size_t find_word(const struct vt_bpe_trainer *trainer, const unsigned char *text, size_t bytes) {
  size_t at = (size_t)vt_hash_bytes(text, bytes) & (trainer->index_size - 1);
  for (; trainer->index[at] != VT_BPE_NONE; at = (at + 1) & (trainer->index_size - 1)) {
    const struct word *word = &trainer->words[trainer->index[at]];
    if (word->length == bytes && memcmp(trainer->text + word->first, text, bytes) == 0) break;
  }
  return at;
}

static bool grow_index(struct vt_bpe_trainer *trainer) {
  if (2 * trainer->word_count < trainer->index_size) return true;
  size_t size = trainer->index_size == 0 ? 1024 : 2 * trainer->index_size;
  uint32_t *index = vt_alloc(size, sizeof *index);
  if (index == NULL) return false;
  vt_free(trainer->index);
  trainer->index = index;
  trainer->index_size = size;
  for (size_t k = 0; k < size; k++) index[k] = VT_BPE_NONE;
  for (size_t w = 0; w < trainer->word_count; w++)
    index[find_word(trainer, trainer->text + trainer->words[w].first, trainer->words[w].length)] = (uint32_t)w;
  return true;
}

static bool add_word(struct vt_bpe_trainer *trainer, const unsigned char *text, size_t bytes) {
  if (!grow_index(trainer)) return false;
  size_t at = find_word(trainer, text, bytes);
  if (trainer->index[at] != VT_BPE_NONE) {
    trainer->words[trainer->index[at]].count++;
    return true;
  }
  while (trainer->text_bytes + bytes > trainer->text_capacity)
    if (!room(&trainer->text, trainer->text_capacity, &trainer->text_capacity, 1)) return false;
  if (!room(&trainer->words, trainer->word_count, &trainer->word_capacity, sizeof *trainer->words)) return false;
  memcpy(trainer->text + trainer->text_bytes, text, bytes);
  trainer->words[trainer->word_count] = (struct word){1, trainer->text_bytes, (uint32_t)bytes, (uint32_t)bytes};
  trainer->index[at] = (uint32_t)trainer->word_count++;
  trainer->text_bytes += bytes;
  return true;
}

enum vt_status vt_bpe_trainer_add(struct vt_bpe_trainer *trainer, const unsigned char *text, size_t bytes,
                                  struct vt_error *error) {
  for (size_t at = 0, end; at < bytes; at = end) {
    end = vt_bpe_word_end(text, bytes, at);
    if (!add_word(trainer, text + at, end - at)) return VT_FAIL_MEMORY(error, trainer->text_capacity);
  }
  return VT_OK;
}

/* ---- pairs ------------------------------------------------------------------------------------------------------- */

static size_t find_pair(const struct vt_bpe_trainer *trainer, uint32_t left, uint32_t right) {
  size_t at = (size_t)vt_mix64((uint64_t)left << 32 | right) & (trainer->pair_index_size - 1);
  for (; trainer->pair_index[at] != VT_BPE_NONE; at = (at + 1) & (trainer->pair_index_size - 1)) {
    const struct pair *pair = &trainer->pairs[trainer->pair_index[at]];
    if (pair->left == left && pair->right == right) break;
  }
  return at;
}

static bool grow_pair_index(struct vt_bpe_trainer *trainer) {
  if (2 * trainer->pair_count < trainer->pair_index_size) return true;
  size_t size = trainer->pair_index_size == 0 ? 4096 : 2 * trainer->pair_index_size;
  uint32_t *index = vt_alloc(size, sizeof *index);
  if (index == NULL) return false;
  vt_free(trainer->pair_index);
  trainer->pair_index = index;
  trainer->pair_index_size = size;
  for (size_t k = 0; k < size; k++) index[k] = VT_BPE_NONE;
  for (size_t p = 0; p < trainer->pair_count; p++)
    index[find_pair(trainer, trainer->pairs[p].left, trainer->pairs[p].right)] = (uint32_t)p;
  return true;
}

/* More frequent first; equal ones by their tokens, so that the order of the words does not matter. */
static bool before(const struct vt_bpe_trainer *trainer, const struct entry *a, const struct entry *b) {
  if (a->count != b->count) return a->count > b->count;
  const struct pair *x = &trainer->pairs[a->pair], *y = &trainer->pairs[b->pair];
  return x->left != y->left ? x->left < y->left : x->right < y->right;
}

static bool push(struct vt_bpe_trainer *trainer, uint32_t pair) {
  if (!room(&trainer->heap, trainer->heap_count, &trainer->heap_capacity, sizeof *trainer->heap)) return false;
  struct entry *heap = trainer->heap, entry = {trainer->pairs[pair].count, pair};
  size_t at = trainer->heap_count++;
  for (; at > 0 && before(trainer, &entry, &heap[(at - 1) / 2]); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
  heap[at] = entry;
  return true;
}

static struct entry pop(struct vt_bpe_trainer *trainer) {
  struct entry *heap = trainer->heap, top = heap[0], last = heap[--trainer->heap_count];
  size_t at = 0;
  for (size_t child; (child = 2 * at + 1) < trainer->heap_count; at = child) {
    if (child + 1 < trainer->heap_count && before(trainer, &heap[child + 1], &heap[child])) child++;
    if (!before(trainer, &heap[child], &last)) break;
    heap[at] = heap[child];
  }
  heap[at] = last;
  return top;
}

/* A word gains (or loses) a pair. */
static bool note(struct vt_bpe_trainer *trainer, uint32_t word, uint32_t left, uint32_t right, int sign) {
  if (!grow_pair_index(trainer)) return false;
  size_t at = find_pair(trainer, left, right);
  if (trainer->pair_index[at] == VT_BPE_NONE) {
    if (!room(&trainer->pairs, trainer->pair_count, &trainer->pair_capacity, sizeof *trainer->pairs)) return false;
    trainer->pairs[trainer->pair_count] = (struct pair){.left = left, .right = right};
    trainer->pair_index[at] = (uint32_t)trainer->pair_count++;
  }
  struct pair *pair = &trainer->pairs[trainer->pair_index[at]];
  pair->count += sign * (int64_t)trainer->words[word].count;
  if (sign < 0) return true;
  if (!room(&pair->words, pair->word_count, &pair->word_capacity, sizeof *pair->words)) return false;
  pair->words[pair->word_count++] = word;
  return true;
}

static bool note_all(struct vt_bpe_trainer *trainer, uint32_t word, int sign) {
  const uint32_t *tokens = trainer->tokens + trainer->words[word].first;
  for (size_t k = 0; k + 1 < trainer->words[word].left; k++)
    if (!note(trainer, word, tokens[k], tokens[k + 1], sign)) return false;
  return true;
}

/* In a word that holds the pair, the pair becomes one token; what that makes of its pairs is noted. */
static bool merge_word(struct vt_bpe_trainer *trainer, uint32_t number, uint32_t left, uint32_t right, uint32_t made) {
  struct word *word = &trainer->words[number];
  uint32_t *tokens = trainer->tokens + word->first;
  bool holds = false;
  for (size_t k = 0; k + 1 < word->left; k++) holds = holds || (tokens[k] == left && tokens[k + 1] == right);
  if (!holds) return true;
  if (!note_all(trainer, number, -1)) return false;
  uint32_t kept = 0;
  for (uint32_t k = 0; k < word->left; k++) {
    bool meets = k + 1 < word->left && tokens[k] == left && tokens[k + 1] == right;
    tokens[kept++] = meets ? made : tokens[k];
    k += meets;
  }
  word->left = kept;
  if (!note_all(trainer, number, 1)) return false;
  for (size_t k = 0; k + 1 < kept; k++)
    if ((tokens[k] == made || tokens[k + 1] == made) &&
        !push(trainer, trainer->pair_index[find_pair(trainer, tokens[k], tokens[k + 1])]))
      return false;
  return true;
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */

/* Two pairs can spell the same: they are one token. */
static enum vt_status find_or_make(struct vt_bpe_trainer *trainer, struct vt_bpe *bpe, const unsigned char *bytes,
                                   size_t length, uint32_t *token, struct vt_error *error) {
  size_t at = (size_t)vt_hash_bytes(bytes, length) & (trainer->made_size - 1);
  for (; trainer->made_index[at] != VT_BPE_NONE; at = (at + 1) & (trainer->made_size - 1)) {
    *token = trainer->made_index[at];
    if (bpe->lengths[*token] == length && memcmp(bpe->bytes[*token], bytes, length) == 0) return VT_OK;
  }
  *token = (uint32_t)bpe->size;
  trainer->made_index[at] = *token;
  return vt_bpe_add_token(bpe, bytes, length, error);
}

static enum vt_status add_bytes(struct vt_bpe_trainer *trainer, struct vt_bpe *bpe, size_t tokens,
                                struct vt_error *error) {
  for (trainer->made_size = 1024; trainer->made_size < 2 * tokens; trainer->made_size *= 2) {
  }
  trainer->made_index = vt_alloc(trainer->made_size, sizeof *trainer->made_index);
  if (trainer->made_index == NULL) return VT_FAIL_MEMORY(error, trainer->made_size * sizeof(uint32_t));
  for (size_t k = 0; k < trainer->made_size; k++) trainer->made_index[k] = VT_BPE_NONE;
  for (unsigned byte = 0; byte < 256; byte++) {
    const unsigned char text[1] = {(unsigned char)byte};
    uint32_t token;
    VT_TRY(find_or_make(trainer, bpe, text, 1, &token, error));
  }
  return VT_OK;
}

/* ---- learning ---------------------------------------------------------------------------------------------------- */

static bool begin(struct vt_bpe_trainer *trainer) {
  trainer->tokens = vt_alloc(trainer->text_bytes, sizeof *trainer->tokens);
  if (trainer->tokens == NULL) return false;
  for (size_t k = 0; k < trainer->text_bytes; k++) trainer->tokens[k] = trainer->text[k];
  for (size_t w = 0; w < trainer->word_count; w++)
    if (!note_all(trainer, (uint32_t)w, 1)) return false;
  for (size_t p = 0; p < trainer->pair_count; p++)
    if (!push(trainer, (uint32_t)p)) return false;
  return true;
}

/* The pair that is to be merged next, or VT_BPE_NONE. */
static uint32_t choose(struct vt_bpe_trainer *trainer) {
  while (trainer->heap_count > 0) {
    struct entry entry = pop(trainer);
    if (entry.count == trainer->pairs[entry.pair].count) return entry.count >= 2 ? entry.pair : VT_BPE_NONE;
    if (trainer->pairs[entry.pair].count > 0) (void)push(trainer, entry.pair); /* there is room: one was popped */
  }
  return VT_BPE_NONE;
}

static enum vt_status merge(struct vt_bpe_trainer *trainer, struct vt_bpe *bpe, uint32_t chosen,
                            struct vt_error *error) {
  const uint32_t left = trainer->pairs[chosen].left, right = trainer->pairs[chosen].right;
  uint32_t made;
  unsigned char bytes[2 * VT_BPE_WORD_BYTES_MAX + 16];
  const size_t a = bpe->lengths[left], b = bpe->lengths[right];
  memcpy(bytes, bpe->bytes[left], a);
  memcpy(bytes + a, bpe->bytes[right], b);
  VT_TRY(find_or_make(trainer, bpe, bytes, a + b, &made, error));
  bpe->merges[bpe->merge_count++] = (struct vt_bpe_merge){left, right, made};
  uint32_t *words = trainer->pairs[chosen].words;
  const size_t count = trainer->pairs[chosen].word_count;
  trainer->pairs[chosen].words = NULL; /* no word holds it from now on */
  trainer->pairs[chosen].word_count = trainer->pairs[chosen].word_capacity = 0;
  bool good = true;
  for (size_t k = 0; good && k < count; k++) good = merge_word(trainer, words[k], left, right, made);
  vt_free(words);
  return good ? VT_OK : VT_FAIL_MEMORY(error, trainer->pair_capacity * sizeof *trainer->pairs);
}

enum vt_status vt_bpe_trainer_learn(struct vt_bpe_trainer *trainer, size_t tokens,
                                    const volatile sig_atomic_t *interrupt, struct vt_bpe **out,
                                    struct vt_error *error) {
  if (tokens < 256 || tokens > VT_BPE_TOKENS_MAX)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "%zu tokens; there must be 256, one for each byte, to %d", tokens,
                   VT_BPE_TOKENS_MAX);
  struct vt_bpe *bpe;
  const size_t merges = 2 * tokens; /* more than tokens, where two make the same */
  VT_TRY(vt_bpe_make(tokens, merges, &bpe, error));
  enum vt_status status = add_bytes(trainer, bpe, tokens, error);
  if (status == VT_OK && !begin(trainer)) status = VT_FAIL_MEMORY(error, trainer->text_bytes * sizeof(uint32_t));
  while (status == VT_OK && bpe->size < tokens && bpe->merge_count < merges) {
    uint32_t chosen = choose(trainer);
    if (chosen == VT_BPE_NONE) break;
    status = vt_input_check_interrupt(interrupt, "learning byte pairs", error);
    if (status == VT_OK) status = merge(trainer, bpe, chosen, error);
  }
  if (status == VT_OK) status = vt_bpe_seal(bpe, error);
  if (status == VT_OK)
    *out = bpe;
  else
    vt_bpe_free(bpe);
  return status;
}
