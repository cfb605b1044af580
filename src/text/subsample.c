/* subsample.c: the walk to the right of a centre, and rows added to their columns. */
#include "text/subsample.h"

#include <math.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"

#define REACH_LEAST 0x1p-14 /* what is reached with less than this probability, and all behind it, is left out */
#define OUT_BYTES ((size_t)4 << 20)
#define CELL_BYTES (sizeof(uint32_t) + sizeof(uint64_t))

void vt_subsample_keep(const struct vt_vocab *vocab, double threshold, double *keep) {
  const double tokens = (double)vt_vocab_tokens(vocab);
  const size_t size = vt_vocab_size(vocab);
  for (uint32_t w = 0; w < size; w++) {
    double share = tokens > 0 ? (double)vt_vocab_count(vocab, w) / tokens : 0;
    double kept = threshold > 0 && share > 0 ? (sqrt(share / threshold) + 1) * threshold / share : 1;
    keep[w] = kept < 1 ? kept : 1;
  }
}

/* between[m]: the probability that m words survived between the centre and where we are. */
void vt_subsample_add_right(const struct vt_cooccur_text *text, const double *shares, uint32_t window, uint64_t place,
                            struct vt_tally_row *row) {
  const uint32_t *ids = text->ids;
  double between[VT_COOCCUR_WINDOW_MAX];
  memset(between, 0, window * sizeof *between);
  between[0] = 1;
  const double own = text->keep[ids[place]];
  for (uint64_t other = place + 1; other < text->entries && ids[other] != VT_CORPUS_END; other++) {
    double reach = 0, mass = 0, kept = text->keep[ids[other]];
    for (uint32_t m = 0; m < window; m++) {
      reach += between[m] * shares[m];
      mass += between[m];
    }
    if (mass < REACH_LEAST) break;
    const uint64_t units = (uint64_t)(own * kept * reach * (double)VT_SUBSAMPLE_UNITS + 0.5);
    if (units > 0) vt_tally_row_add(row, ids[other], units);
    for (uint32_t m = window; m-- > 0;) between[m] = between[m] * (1 - kept) + (m > 0 ? between[m - 1] * kept : 0);
  }
}

/* ---- both sides -------------------------------------------------------------------------------------------------- */

struct mirror {
  const struct vt_cooccur *right;
  struct vt_cooccur both;
  uint64_t *sizes; /* of each column of `right` */
  /* A stripe of columns, turned around. */
  uint32_t first, end;
  uint64_t *fill; /* by column: where its next entry goes, and at last where it ends */
  uint32_t *rows;
  uint64_t *units;
  uint64_t capacity;
  /* Rows on their way to the file. */
  unsigned char *out;
  size_t out_bytes, out_room;
  uint64_t written;
};

static void measure_columns(struct mirror *mirror) {
  const struct vt_cooccur *right = mirror->right;
  for (uint32_t word = 0; word < right->words; word++) {
    const uint32_t *columns;
    const uint64_t *units;
    for (size_t k = 0, pairs = vt_cooccur_row(right, word, &columns, &units); k < pairs; k++)
      mirror->sizes[columns[k]]++;
  }
  vt_scratch_forget(&right->file, 0, right->file.bytes);
}

/* The first of a row's columns that is not before `column`. */
static size_t first_from(const uint32_t *columns, size_t pairs, uint32_t column) {
  size_t low = 0, high = pairs;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (columns[middle] < column)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Takes as many columns as there is room for, and fills them in. */
static void turn_stripe(struct mirror *mirror) {
  const struct vt_cooccur *right = mirror->right;
  uint64_t cells = 0;
  mirror->first = mirror->end;
  for (; mirror->end < right->words && cells + mirror->sizes[mirror->end] <= mirror->capacity; mirror->end++) {
    mirror->fill[mirror->end] = cells;
    cells += mirror->sizes[mirror->end];
  }
  for (uint32_t word = 0; word < right->words; word++) {
    const uint32_t *columns;
    const uint64_t *units;
    size_t pairs = vt_cooccur_row(right, word, &columns, &units);
    for (size_t k = first_from(columns, pairs, mirror->first); k < pairs && columns[k] < mirror->end; k++) {
      const uint64_t at = mirror->fill[columns[k]]++;
      mirror->rows[at] = word;
      mirror->units[at] = units[k];
    }
  }
}

static enum vt_status flush(struct mirror *mirror, struct vt_error *error) {
  VT_TRY(vt_scratch_write(&mirror->both.file, mirror->out, mirror->out_bytes, mirror->written, error));
  mirror->written += mirror->out_bytes;
  mirror->out_bytes = 0;
  return VT_OK;
}

/* A row of both: that of the words to the right, and the column of those to the left, added up. */
static enum vt_status add_row(struct mirror *mirror, uint32_t word, struct vt_error *error) {
  const uint32_t *columns;
  const uint64_t *units;
  const size_t pairs = vt_cooccur_row(mirror->right, word, &columns, &units);
  const size_t others = (size_t)mirror->sizes[word], begin = (size_t)mirror->fill[word] - others;
  const uint32_t *rows = mirror->rows + begin;
  const uint64_t *row_units = mirror->units + begin;
  size_t count = 0;
  for (size_t i = 0, j = 0; i < pairs || j < others; count++) {
    const uint32_t a = i < pairs ? columns[i] : UINT32_MAX, b = j < others ? rows[j] : UINT32_MAX;
    i += a <= b;
    j += b <= a;
  }
  if (mirror->out_bytes + vt_row_bytes(count) > mirror->out_room) VT_TRY(flush(mirror, error));
  uint32_t *to = (uint32_t *)(void *)(mirror->out + mirror->out_bytes);
  uint64_t *to_units = (uint64_t *)(void *)(to + count + count % 2);
  size_t at = 0;
  for (size_t i = 0, j = 0; i < pairs || j < others; at++) {
    const uint32_t a = i < pairs ? columns[i] : UINT32_MAX, b = j < others ? rows[j] : UINT32_MAX;
    to[at] = a < b ? a : b;
    to_units[at] = (a <= b ? units[i] : 0) + (b <= a ? row_units[j] : 0);
    i += a <= b;
    j += b <= a;
  }
  if (count % 2 == 1) to[count] = 0;
  mirror->out_bytes += vt_row_bytes(count);
  mirror->both.starts[word + 1] = mirror->both.starts[word] + vt_row_bytes(count);
  mirror->both.pairs += count;
  return VT_OK;
}

static enum vt_status mirror_rows(struct mirror *mirror, const struct vt_cooccur_options *options,
                                  struct vt_error *error) {
  const uint32_t words = mirror->right->words;
  while (mirror->end < words) {
    if (vt_is_interrupted(options->interrupt))
      return VT_FAIL(error, VT_ERROR_INTERRUPTED, "interrupted while counting");
    turn_stripe(mirror);
    for (uint32_t word = mirror->first; word < mirror->end; word++) VT_TRY(add_row(mirror, word, error));
    vt_scratch_forget(&mirror->right->file, 0, mirror->right->file.bytes);
  }
  VT_TRY(flush(mirror, error));
  return vt_scratch_map(&mirror->both.file, (size_t)mirror->written, error);
}

static enum vt_status allocate(struct mirror *mirror, uint64_t memory_bytes, struct vt_error *error) {
  const size_t words = mirror->right->words, row = vt_row_bytes(words);
  mirror->out_room = memory_bytes / 4 < OUT_BYTES ? (size_t)(memory_bytes / 4) : OUT_BYTES;
  const uint64_t all = 2 * vt_row_bytes(mirror->right->pairs) + 2 * words * sizeof(uint32_t); /* each pair both ways */
  if (mirror->out_room > all) mirror->out_room = (size_t)all;
  if (mirror->out_room < row) mirror->out_room = row;
  const uint64_t fixed = 3 * words * sizeof(uint64_t) + mirror->out_room;
  mirror->capacity = memory_bytes > fixed ? (memory_bytes - fixed) / CELL_BYTES : 0;
  if (mirror->capacity < words) mirror->capacity = words; /* no column is longer */
  if (mirror->capacity > mirror->right->pairs) mirror->capacity = mirror->right->pairs;
  mirror->sizes = vt_alloc_zero(words, sizeof *mirror->sizes);
  mirror->fill = vt_alloc_zero(words, sizeof *mirror->fill);
  mirror->both.starts = vt_alloc_zero(words + 1, sizeof *mirror->both.starts);
  mirror->rows = vt_alloc((size_t)mirror->capacity, sizeof *mirror->rows);
  mirror->units = vt_alloc((size_t)mirror->capacity, sizeof *mirror->units);
  mirror->out = vt_alloc_aligned_raw(mirror->out_room, 1);
  if (mirror->sizes == NULL || mirror->fill == NULL || mirror->both.starts == NULL || mirror->rows == NULL ||
      mirror->units == NULL || mirror->out == NULL)
    return VT_FAIL_MEMORY(error, memory_bytes);
  return VT_OK;
}

enum vt_status vt_subsample_mirror(struct vt_cooccur *counts, const struct vt_cooccur_options *options,
                                   struct vt_error *error) {
  struct mirror mirror = {.right = counts, .both = *counts};
  mirror.both.starts = NULL;
  mirror.both.pairs = 0;
  mirror.both.file = (struct vt_scratch){.descriptor = -1};
  enum vt_status status = vt_scratch_open(options->folder, &mirror.both.file, error);
  if (status == VT_OK) status = allocate(&mirror, options->memory_bytes, error);
  if (status == VT_OK) measure_columns(&mirror);
  if (status == VT_OK) status = mirror_rows(&mirror, options, error);
  vt_free(mirror.sizes);
  vt_free(mirror.fill);
  vt_free(mirror.rows);
  vt_free(mirror.units);
  vt_free_aligned(mirror.out);
  struct vt_cooccur *other = status == VT_OK ? counts : &mirror.both; /* that goes */
  vt_scratch_release(&other->file);
  vt_free(other->starts);
  if (status == VT_OK) *counts = mirror.both;
  return status;
}
