/*
 * word_table.h: numbers distinct words and counts them.
 *
 * Words are any bytes without NUL, numbered from 0 in the order of their first appearance. Each can be given a
 * canonical word, under whose number it is to be counted. One thread.
 */
#ifndef VECTRAIL_TEXT_WORD_TABLE_H
#define VECTRAIL_TEXT_WORD_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "text/tokens.h"

/* Not a word number; what vt_word.canonical holds until it is set. */
#define VT_WORD_NONE (UINT32_MAX - 1)
/* How many tokens vt_word_table_count takes at a time, at most. */
#define VT_WORD_TABLE_BATCH 256

struct vt_word {
  uint64_t offset; /* of its bytes in the arena */
  uint64_t count;  /* filled by vt_word_table_settle */
  uint32_t bytes;
  uint32_t canonical;
};

struct vt_word_slot {
  uint64_t low;  /* up to 16 bytes: the first 8 of them; else the hash */
  uint64_t high; /* up to 16 bytes: the others, zeros behind; else the offset in the arena */
  uint64_t count;
  uint32_t id;
  uint32_t long_bytes; /* 0 for up to 16 bytes, else the length */
};

struct vt_word_table {
  struct vt_word_slot *slots; /* a power of two of them, at most 5/8 full; low and high 0: free */
  size_t slot_count;
  unsigned shift; /* a hash shifted right by this is a slot */
  struct vt_word *words;
  size_t size;
  size_t capacity;
  unsigned char *arena;
  size_t arena_bytes;
  size_t arena_capacity;
};

enum vt_status vt_word_table_init(struct vt_word_table *table, struct vt_error *error);
void vt_word_table_release(struct vt_word_table *table); /* accepts an all-zero one */

static inline const unsigned char *vt_word_table_text(const struct vt_word_table *table, size_t id) {
  return table->arena + table->words[id].offset;
}

/* Counts the words of a batch, tokens[count] of text, and writes their numbers into ids[count], VT_CORPUS_END for a
 * line end. 16 bytes behind the text must be readable. On failure (memory, too many words) the table is still
 * whole. */
enum vt_status vt_word_table_count(struct vt_word_table *table, const unsigned char *text,
                                   const struct vt_token *tokens, size_t count, uint32_t *ids, struct vt_error *error);
/* The number of a word of up to VT_WORD_BYTES_MAX, which is added without being counted when it is new. */
enum vt_status vt_word_table_add(struct vt_word_table *table, const unsigned char *text, size_t bytes, uint32_t *id,
                                 struct vt_error *error);
/* Adds the canonical words of another table, settled as this one, with their counts. map[from->size] gets the number
 * here of the canonical word of each word there. */
enum vt_status vt_word_table_merge(struct vt_word_table *table, const struct vt_word_table *from, uint32_t *map,
                                   struct vt_error *error);
/* Moves the counts from the slots into words[], where they are added to what is there. */
void vt_word_table_settle(struct vt_word_table *table);

#endif
