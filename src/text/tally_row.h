/*
 * tally_row.h: one row of counts while it is added up: a sum for each word, and marks of those that are not 0, in two
 * levels of bits, so that a row is read out in order without sorting it.
 */
#ifndef VECTRAIL_TEXT_TALLY_ROW_H
#define VECTRAIL_TEXT_TALLY_ROW_H

#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"

struct vt_tally_row {
  uint64_t *sums;   /* by word; all 0 between rows */
  uint64_t *marks;  /* a bit for each word */
  uint64_t *groups; /* a bit for each word of marks */
  size_t group_words;
  size_t used; /* words whose sum is not 0 */
};

static inline size_t vt_tally_row_bytes(uint32_t words) {
  return ((size_t)words + ((size_t)words + 63) / 64 + ((size_t)words + 4095) / 4096) * sizeof(uint64_t);
}

/* False: out of memory. */
static inline int vt_tally_row_init(struct vt_tally_row *row, uint32_t words) {
  size_t marks = ((size_t)words + 63) / 64;
  row->group_words = (marks + 63) / 64;
  row->used = 0;
  row->sums = vt_alloc_aligned(vt_tally_row_bytes(words), 1);
  if (row->sums == NULL) return 0;
  row->marks = row->sums + words;
  row->groups = row->marks + marks;
  return 1;
}

static inline void vt_tally_row_release(struct vt_tally_row *row) { vt_free_aligned(row->sums); }

/* units above 0. */
static inline void vt_tally_row_add(struct vt_tally_row *row, uint32_t word, uint64_t units) {
  uint64_t sum = row->sums[word];
  row->sums[word] = sum + units;
  if (sum != 0) return;
  row->marks[word >> 6] |= UINT64_C(1) << (word & 63);
  row->groups[word >> 12] |= UINT64_C(1) << (word >> 6 & 63);
  row->used++;
}

/* Bytes of a row of so many pairs in a file of counts: columns, a gap up to a multiple of 8, units. */
static inline size_t vt_row_bytes(size_t pairs) {
  return (pairs + pairs % 2) * sizeof(uint32_t) + pairs * sizeof(uint64_t);
}
static inline size_t vt_row_pairs(uint64_t bytes) { return (size_t)(bytes / (sizeof(uint32_t) + sizeof(uint64_t))); }

/* Writes the row to `to`, which is aligned to 8 bytes, and empties it; returns its bytes. */
static inline size_t vt_tally_row_take(struct vt_tally_row *row, unsigned char *to) {
  const size_t pairs = row->used;
  uint32_t *columns = (uint32_t *)(void *)to;
  uint64_t *units = (uint64_t *)(void *)(to + (pairs + pairs % 2) * sizeof *columns);
  size_t at = 0;
  for (size_t g = 0; g < row->group_words; g++) {
    for (uint64_t group = row->groups[g]; group != 0; group &= group - 1) {
      size_t m = 64 * g + (size_t)__builtin_ctzll(group);
      for (uint64_t marks = row->marks[m]; marks != 0; marks &= marks - 1, at++) {
        size_t word = 64 * m + (size_t)__builtin_ctzll(marks);
        columns[at] = (uint32_t)word;
        units[at] = row->sums[word];
        row->sums[word] = 0;
      }
      row->marks[m] = 0;
    }
    row->groups[g] = 0;
  }
  if (pairs % 2 == 1) columns[pairs] = 0;
  row->used = 0;
  return vt_row_bytes(pairs);
}

#endif
