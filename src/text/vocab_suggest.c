/*
 * vocab_suggest.c: "did you mean queen?"
 *
 * Distance is optimal string alignment: insertions, deletions, replacements and swaps of neighbours, no place edited
 * twice, over code points. Only distances up to 2 matter, so of the table of prefixes only the five diagonals around
 * the middle are computed, and a word whose length differs by more is not looked at. Words of more than
 * CODES_MAX code points are never suggested: nobody mistypes those.
 *
 * Cost: about 100 ns for each word of similar length. Memory: the stack. Threads: any number.
 */
#include "vectrail/vocab.h"

#include <string.h>

#include "text/utf8.h"
#include "text/vocab_internal.h"

#define CODES_MAX 128
#define DISTANCE_MAX 2
#define DISTANCES (DISTANCE_MAX + 1)

/* The code points of text[bytes]; CODES_MAX + 1 where there are more than CODES_MAX. */
static unsigned decode(const char *text, size_t bytes, uint32_t *codes) {
  unsigned count = 0;
  for (size_t i = 0; i < bytes; count++) {
    if (count == CODES_MAX) return CODES_MAX + 1;
    i += vt_utf8_decode((const unsigned char *)text + i, bytes - i, &codes[count]);
  }
  return count;
}

static unsigned smaller(unsigned a, unsigned b) { return a < b ? a : b; }

/* The distance of a[a_count] and b[b_count], or DISTANCE_MAX + 1 where it is larger. */
static unsigned distance(const uint32_t *a, unsigned a_count, const uint32_t *b, unsigned b_count) {
  unsigned longer = a_count > b_count ? a_count : b_count;
  if (2 * longer - a_count - b_count > DISTANCE_MAX) return DISTANCE_MAX + 1;
  /* Row i of the table is rows[i % 3], for prefixes of i and j code points. Only cells with |i - j| <= DISTANCE_MAX are
   * written, and read. */
  unsigned rows[3][CODES_MAX + 1];
  for (unsigned i = 0; i <= a_count; i++) {
    unsigned *row = rows[i % 3];
    const unsigned *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];
    unsigned from = i > DISTANCE_MAX ? i - DISTANCE_MAX : 0, to = smaller(i + DISTANCE_MAX, b_count);
    unsigned best = DISTANCE_MAX + 1;
    for (unsigned j = from; j <= to; j++) {
      unsigned cell = i == 0 ? j : j == 0 ? i : DISTANCE_MAX + 1;
      if (i > 0 && j > 0) {
        cell = above[j - 1] + (a[i - 1] != b[j - 1]);
        if (j < i + DISTANCE_MAX) cell = smaller(cell, above[j] + 1);
        if (j > from) cell = smaller(cell, row[j - 1] + 1);
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) cell = smaller(cell, second[j - 2] + 1);
      }
      row[j] = cell;
      best = smaller(best, cell);
    }
    if (best > DISTANCE_MAX) return DISTANCE_MAX + 1;
  }
  return rows[a_count % 3][b_count];
}

static bool comes_before(const struct vt_vocab *vocab, uint32_t a, uint32_t b) {
  return vocab->counts[a] != vocab->counts[b] ? vocab->counts[a] > vocab->counts[b] : a < b;
}

/* Inserts id at its place among ids[*count], which hold sizes[d] ids of each distance d in turn; the last falls out
 * where they are full. */
static void keep(const struct vt_vocab *vocab, uint32_t *ids, size_t capacity, size_t *sizes, unsigned at_distance,
                 uint32_t id) {
  size_t begin = 0, count = 0;
  for (unsigned d = 0; d < DISTANCES; d++) {
    if (d < at_distance) begin += sizes[d];
    count += sizes[d];
  }
  size_t place = begin + sizes[at_distance];
  while (place > begin && comes_before(vocab, id, ids[place - 1])) place--;
  if (place == capacity) return;
  if (count == capacity) {
    unsigned last = DISTANCE_MAX;
    while (sizes[last] == 0) last--;
    sizes[last]--;
    count--;
  }
  memmove(ids + place + 1, ids + place, (count - place) * sizeof *ids);
  ids[place] = id;
  sizes[at_distance]++;
}

size_t vt_vocab_suggest(const struct vt_vocab *vocab, const char *text, uint32_t *ids, size_t capacity) {
  uint32_t wanted[CODES_MAX], codes[CODES_MAX];
  unsigned wanted_count = decode(text, strlen(text), wanted);
  if (wanted_count > CODES_MAX || capacity == 0) return 0;
  unsigned limit = wanted_count <= 3 ? 1 : DISTANCE_MAX;
  size_t sizes[DISTANCES] = {0};
  for (uint32_t id = 0; id < vocab->size; id++) {
    size_t bytes = (size_t)(vocab->offsets[id + 1] - vocab->offsets[id] - 1);
    if (bytes + limit < wanted_count || bytes > 4 * (size_t)(wanted_count + limit)) continue;
    unsigned count = decode(vt_vocab_text(vocab, id), bytes, codes);
    if (count > CODES_MAX) continue;
    unsigned found = distance(wanted, wanted_count, codes, count);
    if (found <= limit) keep(vocab, ids, capacity, sizes, found, id);
  }
  return sizes[0] + sizes[1] + sizes[2];
}
