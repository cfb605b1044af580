/*
 * word_table.c: the hash table that counting spends its time in.
 *
 * Why not a general one: nine in ten words have at most 16 bytes, so a slot holds the whole word as two integers
 * beside its count and number, 32 bytes, half a cache line. Telling two words apart is then two compares without
 * leaving the slot, and a counted word touches one cache line. Longer words have their hash in the slot and their bytes
 * in the arena. Tokens come in batches: all slots of a batch are prefetched before the first is looked at.
 *
 * Invariants: linear probing in a power of two of slots, at most five eighths of them used; words are never removed; a
 * free slot has low = high = 0, which no word has (the first byte of a word is not NUL, the hash of a long one is made
 * odd). The bytes of every word, short ones too, stand in the arena in order of number, and 16 more bytes of it are
 * always readable.
 *
 * The hash is the folded 128-bit product, as in rng.h. A factor of zero would swallow the other: the constants that
 * words are combined with begin with a NUL byte followed by others (in either byte order), which no word does, so
 * neither factor becomes zero. No result depends on the hash: numbers come from first appearance.
 */
#include "text/word_table.h"

#include <string.h>

#include "base/memory.h"
#include "text/hash.h"

/* Small, for each thread has a table, and many texts are; what a long text takes to grow them is nothing beside it. */
#define SLOTS_START ((size_t)1 << 10)
#define WORDS_START ((size_t)1 << 9)
#define ARENA_START ((size_t)1 << 14)
#define INLINE_BYTES 16

#define KEY_LOW UINT64_C(0x00761d6478bd6400)
#define KEY_HIGH UINT64_C(0x00037ed1a0b42800)

struct key {
  uint64_t low;
  uint64_t high;
  uint64_t hash;
};

/* The key of a word; up to 16 bytes from text on must be readable even where the word is shorter. */
static inline struct key make_key(const unsigned char *text, size_t bytes) {
  /* Ones, then zeros: a window into it keeps the first bytes of a word, in either byte order. */
  static const unsigned char keep[2 * INLINE_BYTES] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                       255, 255, 255, 255, 255, 255, 255, 255};
  if (bytes > INLINE_BYTES) {
    uint64_t hash = vt_hash_bytes(text, bytes) | 1;
    return (struct key){hash, 0, hash};
  }
  const unsigned char *window = keep + INLINE_BYTES - bytes;
  uint64_t low = vt_hash_load(text) & vt_hash_load(window), high = vt_hash_load(text + 8) & vt_hash_load(window + 8);
  return (struct key){low, high, vt_hash_fold(low ^ KEY_LOW, high ^ KEY_HIGH)};
}

enum vt_status vt_word_table_init(struct vt_word_table *table, struct vt_error *error) {
  *table = (struct vt_word_table){.slot_count = SLOTS_START, .capacity = WORDS_START, .arena_capacity = ARENA_START};
  table->shift = 64 - (unsigned)__builtin_ctzll(SLOTS_START);
  table->slots = vt_alloc_aligned(table->slot_count, sizeof *table->slots);
  table->words = vt_alloc(table->capacity, sizeof *table->words);
  table->arena = vt_alloc(table->arena_capacity, 1);
  if (table->slots != NULL && table->words != NULL && table->arena != NULL) return VT_OK;
  vt_word_table_release(table);
  return VT_FAIL_MEMORY(error, SLOTS_START * sizeof *table->slots);
}

void vt_word_table_release(struct vt_word_table *table) {
  vt_free_aligned(table->slots);
  vt_free(table->words);
  vt_free(table->arena);
  *table = (struct vt_word_table){0};
}

static bool slot_is_free(const struct vt_word_slot *slot) { return (slot->low | slot->high) == 0; }

static enum vt_status grow_slots(struct vt_word_table *table, struct vt_error *error) {
  size_t count = 2 * table->slot_count;
  struct vt_word_slot *slots = vt_alloc_aligned(count, sizeof *slots);
  if (slots == NULL) return VT_FAIL_MEMORY(error, count * sizeof *slots);
  unsigned shift = table->shift - 1;
  for (size_t i = 0; i < table->slot_count; i++) {
    const struct vt_word_slot *slot = &table->slots[i];
    if (slot_is_free(slot)) continue;
    uint64_t hash = slot->long_bytes ? slot->low : vt_hash_fold(slot->low ^ KEY_LOW, slot->high ^ KEY_HIGH);
    size_t at = hash >> shift;
    while (!slot_is_free(&slots[at])) at = (at + 1) & (count - 1);
    slots[at] = *slot;
  }
  vt_free_aligned(table->slots);
  table->slots = slots;
  table->slot_count = count;
  table->shift = shift;
  return VT_OK;
}

/* Makes room for one more word of so many bytes. */
static enum vt_status reserve(struct vt_word_table *table, size_t bytes, struct vt_error *error) {
  if (table->size >= VT_WORD_NONE)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "split the corpus, or clean it first",
                        "the text has more than %zu distinct words", (size_t)VT_WORD_NONE);
  if (table->size == table->capacity) {
    struct vt_word *words = vt_realloc(table->words, 2 * table->capacity, sizeof *words);
    if (words == NULL) return VT_FAIL_MEMORY(error, 2 * table->capacity * sizeof *words);
    table->words = words;
    table->capacity *= 2;
  }
  if (table->arena_capacity - table->arena_bytes < bytes + INLINE_BYTES) {
    /* At least doubled, which leaves room for any single word: it starts with that of four of the longest. */
    unsigned char *arena = vt_realloc(table->arena, table->arena_capacity, 2);
    if (arena == NULL) return VT_FAIL_MEMORY(error, 2 * table->arena_capacity);
    table->arena = arena;
    table->arena_capacity *= 2;
  }
  return 8 * (table->size + 1) > 5 * table->slot_count ? grow_slots(table, error) : VT_OK;
}

/* Whether a slot holds the word of a key, which has at most INLINE_BYTES. */
static inline bool holds_short(const struct vt_word_slot *slot, const struct key *key) {
  return ((slot->low ^ key->low) | (slot->high ^ key->high) | slot->long_bytes) == 0;
}

static inline bool same_word(const struct vt_word_table *table, const struct vt_word_slot *slot, const struct key *key,
                             const unsigned char *text, size_t bytes) {
  if (bytes <= INLINE_BYTES) return holds_short(slot, key);
  return slot->low == key->low && slot->long_bytes == bytes && memcmp(table->arena + slot->high, text, bytes) == 0;
}

/* The slot of a word, or the free one where it belongs. */
static inline struct vt_word_slot *find_slot(const struct vt_word_table *table, const struct key *key,
                                             const unsigned char *text, size_t bytes) {
  size_t at = key->hash >> table->shift;
  for (;;) {
    struct vt_word_slot *slot = &table->slots[at];
    if (same_word(table, slot, key, text, bytes) || slot_is_free(slot)) return slot;
    at = (at + 1) & (table->slot_count - 1);
  }
}

static enum vt_status insert(struct vt_word_table *table, const struct key *key, const unsigned char *text,
                             size_t bytes, struct vt_word_slot **slot, struct vt_error *error) {
  VT_TRY(reserve(table, bytes, error));
  *slot = find_slot(table, key, text, bytes);
  bool is_long = bytes > INLINE_BYTES;
  **slot = (struct vt_word_slot){.low = key->low,
                                 .high = is_long ? table->arena_bytes : key->high,
                                 .id = (uint32_t)table->size,
                                 .long_bytes = is_long ? (uint32_t)bytes : 0};
  table->words[table->size++] =
      (struct vt_word){.offset = table->arena_bytes, .bytes = (uint32_t)bytes, .canonical = VT_WORD_NONE};
  memcpy(table->arena + table->arena_bytes, text, bytes);
  table->arena_bytes += bytes;
  return VT_OK;
}

/* A word that is not where its hash points, or long, or new; or a line end. */
static enum vt_status number_slowly(struct vt_word_table *table, const unsigned char *text, struct vt_token token,
                                    const struct key *key, uint64_t weight, uint32_t *id, struct vt_error *error) {
  *id = VT_CORPUS_END;
  if (token.bytes == 0) return VT_OK;
  const unsigned char *word = text + token.start;
  struct vt_word_slot *slot = find_slot(table, key, word, token.bytes);
  if (slot_is_free(slot)) VT_TRY(insert(table, key, word, token.bytes, &slot, error));
  slot->count += weight;
  *id = slot->id;
  return VT_OK;
}

static inline enum vt_status number_batch(struct vt_word_table *table, const unsigned char *text,
                                          const struct vt_token *tokens, size_t count, uint64_t weight, uint32_t *ids,
                                          struct vt_error *error) {
  struct key keys[VT_WORD_TABLE_BATCH];
  for (size_t i = 0; i < count; i++) {
    keys[i] = make_key(text + tokens[i].start, tokens[i].bytes);
    __builtin_prefetch(&table->slots[keys[i].hash >> table->shift], 1);
  }
  for (size_t i = 0; i < count; i++) {
    /* The table may have grown since the hash was made. */
    struct vt_word_slot *slot = &table->slots[keys[i].hash >> table->shift];
    /* A line end would match a free slot: its length less one is huge. */
    if (tokens[i].bytes - 1 < INLINE_BYTES && holds_short(slot, &keys[i])) {
      slot->count += weight;
      ids[i] = slot->id;
    } else {
      VT_TRY(number_slowly(table, text, tokens[i], &keys[i], weight, &ids[i], error));
    }
  }
  return VT_OK;
}

enum vt_status vt_word_table_count(struct vt_word_table *table, const unsigned char *text,
                                   const struct vt_token *tokens, size_t count, uint32_t *ids, struct vt_error *error) {
  return number_batch(table, text, tokens, count, 1, ids, error);
}

enum vt_status vt_word_table_merge(struct vt_word_table *table, const struct vt_word_table *from, uint32_t *map,
                                   struct vt_error *error) {
  for (size_t first = 0, count; first < from->size; first += count) {
    struct vt_token tokens[VT_WORD_TABLE_BATCH];
    count = from->size - first < VT_WORD_TABLE_BATCH ? from->size - first : VT_WORD_TABLE_BATCH;
    const struct vt_word *words = from->words + first;
    /* Only canonical words move over; the others become line ends, which number_batch passes by. */
    for (size_t i = 0; i < count; i++)
      tokens[i] = (struct vt_token){(uint32_t)(words[i].offset - words[0].offset),
                                    words[i].canonical == first + i ? words[i].bytes : 0};
    VT_TRY(number_batch(table, from->arena + words[0].offset, tokens, count, 0, map + first, error));
    for (size_t i = 0; i < count; i++) {
      if (tokens[i].bytes == 0) continue;
      struct vt_word *word = &table->words[map[first + i]];
      word->count += words[i].count;
      word->canonical = map[first + i];
    }
  }
  for (size_t id = 0; id < from->size; id++) map[id] = map[from->words[id].canonical];
  return VT_OK;
}

enum vt_status vt_word_table_add(struct vt_word_table *table, const unsigned char *text, size_t bytes, uint32_t *id,
                                 struct vt_error *error) {
  /* A copy, because nothing is known of the bytes behind the word. */
  unsigned char copy[VT_WORD_BYTES_MAX + INLINE_BYTES];
  memcpy(copy, text, bytes);
  memset(copy + bytes, 0, INLINE_BYTES);
  const struct vt_token token = {0, (uint32_t)bytes};
  return number_batch(table, copy, &token, 1, 0, id, error);
}

void vt_word_table_settle(struct vt_word_table *table) {
  for (size_t i = 0; i < table->slot_count; i++) {
    struct vt_word_slot *slot = &table->slots[i];
    if (slot_is_free(slot)) continue;
    table->words[slot->id].count += slot->count;
    slot->count = 0;
  }
}
