/*
 * counts_npz.c: counts as SciPy's save_npz writes a sparse matrix: a zip archive, nothing compressed, of NumPy arrays.
 * SciPy reads it as a CSR matrix of X in float64; `words` is one array more, which it passes over: the words in UTF-8,
 * with a line end between them.
 *
 * All sizes stand in zip64 fields, so that there is one form for small and large. A member's checksum is known at its
 * end and written into its head then.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/counts_file.h"

#define MEMBERS 6
#define LOCAL_BYTES 30
#define EXTRA_BYTES 20
#define NPY_BYTES 128 /* head of an array: a multiple of 64 */

struct member {
  const char *name;
  uint64_t offset;
  uint64_t bytes;
  uint32_t crc;
};

struct archive {
  struct vt_output *output;
  uint64_t at;
  struct member members[MEMBERS];
  int count;
};

static unsigned char *put(unsigned char *to, uint64_t value, int bytes) {
  for (int k = 0; k < bytes; k++) *to++ = (unsigned char)(value >> (8 * k));
  return to;
}

static enum vt_status write_raw(struct archive *archive, const void *data, size_t bytes, struct vt_error *error) {
  archive->at += bytes;
  return vt_output_write(archive->output, data, bytes, error);
}

/* Data of the member that is open. */
static enum vt_status write_data(struct archive *archive, const void *data, size_t bytes, struct vt_error *error) {
  struct member *member = &archive->members[archive->count - 1];
  member->crc = (uint32_t)crc32_z(member->crc, data, bytes);
  member->bytes += bytes;
  return write_raw(archive, data, bytes, error);
}

static size_t local_head(const struct member *member, unsigned char *head) {
  const size_t name_bytes = strlen(member->name);
  unsigned char *to = put(head, 0x04034b50, 4);
  to = put(to, 45, 2); /* version that reads it */
  to = put(to, 0, 4);  /* flags, stored */
  to = put(to, 0, 2);
  to = put(to, 0x21, 2); /* 1 January 1980: the same counts are the same file */
  to = put(to, member->crc, 4);
  to = put(to, UINT32_MAX, 4);
  to = put(to, UINT32_MAX, 4);
  to = put(to, name_bytes, 2);
  to = put(to, EXTRA_BYTES, 2);
  memcpy(to, member->name, name_bytes);
  to = put(to + name_bytes, 1, 2);
  to = put(to, 16, 2);
  to = put(to, member->bytes, 8);
  to = put(to, member->bytes, 8);
  return (size_t)(to - head);
}

/* shape: as Python writes a tuple. */
static enum vt_status begin(struct archive *archive, const char *name, const char *type, const char *shape,
                            struct vt_error *error) {
  unsigned char head[LOCAL_BYTES + EXTRA_BYTES + 64];
  struct member *member = &archive->members[archive->count++];
  *member = (struct member){.name = name, .offset = archive->at};
  VT_TRY(write_raw(archive, head, local_head(member, head), error));
  char npy[NPY_BYTES + 1];
  memcpy(npy, "\x93NUMPY\x01\x00", 8);
  (void)put((unsigned char *)npy + 8, NPY_BYTES - 10, 2);
  int length =
      snprintf(npy + 10, sizeof npy - 10, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", type, shape);
  memset(npy + 10 + length, ' ', (size_t)(NPY_BYTES - 10 - length));
  npy[NPY_BYTES - 1] = '\n';
  return write_data(archive, npy, NPY_BYTES, error);
}

static enum vt_status end(struct archive *archive, struct vt_error *error) {
  unsigned char head[LOCAL_BYTES + EXTRA_BYTES + 64];
  const struct member *member = &archive->members[archive->count - 1];
  return vt_output_rewrite(archive->output, member->offset, head, local_head(member, head), error);
}

static enum vt_status write_directory(struct archive *archive, struct vt_error *error) {
  const uint64_t begin_at = archive->at;
  unsigned char head[256];
  for (int k = 0; k < archive->count; k++) {
    const struct member *member = &archive->members[k];
    const size_t name_bytes = strlen(member->name);
    unsigned char *to = put(head, 0x02014b50, 4);
    to = put(put(to, 45, 2), 45, 2);
    to = put(put(put(to, 0, 4), 0, 2), 0x21, 2);
    to = put(to, member->crc, 4);
    to = put(put(to, UINT32_MAX, 4), UINT32_MAX, 4);
    to = put(put(to, name_bytes, 2), 28, 2);
    to = put(put(to, 0, 6), 0, 4); /* comment, disk, attributes */
    to = put(to, UINT32_MAX, 4);
    memcpy(to, member->name, name_bytes);
    to = put(put(to + name_bytes, 1, 2), 24, 2);
    to = put(put(put(to, member->bytes, 8), member->bytes, 8), member->offset, 8);
    VT_TRY(write_raw(archive, head, (size_t)(to - head), error));
  }
  const uint64_t bytes = archive->at - begin_at, count = (uint64_t)archive->count, end_at = archive->at;
  unsigned char *to = put(put(head, 0x06064b50, 4), 44, 8);
  to = put(put(put(to, 45, 2), 45, 2), 0, 8);
  to = put(put(put(put(to, count, 8), count, 8), bytes, 8), begin_at, 8);
  to = put(put(put(put(to, 0x07064b50, 4), 0, 4), end_at, 8), 1, 4);
  to = put(put(to, 0x06054b50, 4), 0, 4);
  to = put(put(put(put(put(to, count, 2), count, 2), UINT32_MAX, 4), UINT32_MAX, 4), 0, 2);
  return write_raw(archive, head, (size_t)(to - head), error);
}

/* ---- the arrays -------------------------------------------------------------------------------------------------- */

static enum vt_status write_values(struct archive *archive, const struct vt_cooccur *counts, struct vt_error *error) {
  enum { BATCH = 4096 };
  const double scale = (double)vt_cooccur_scale(counts);
  double values[BATCH];
  for (uint32_t word = 0; word < vt_cooccur_words(counts); word++) {
    const uint32_t *columns;
    const uint64_t *units;
    size_t pairs = vt_cooccur_row(counts, word, &columns, &units);
    for (size_t first = 0; first < pairs; first += BATCH) {
      size_t some = pairs - first < BATCH ? pairs - first : BATCH;
      for (size_t k = 0; k < some; k++) values[k] = (double)units[first + k] / scale;
      VT_TRY(write_data(archive, values, some * sizeof *values, error));
    }
  }
  return VT_OK;
}

static enum vt_status write_columns(struct archive *archive, const struct vt_cooccur *counts, struct vt_error *error) {
  for (uint32_t word = 0; word < vt_cooccur_words(counts); word++) {
    const uint32_t *columns;
    const uint64_t *units;
    size_t pairs = vt_cooccur_row(counts, word, &columns, &units);
    VT_TRY(write_data(archive, columns, pairs * sizeof *columns, error));
  }
  return VT_OK;
}

static enum vt_status write_starts(struct archive *archive, const struct vt_cooccur *counts, struct vt_error *error) {
  uint64_t start = 0;
  VT_TRY(write_data(archive, &start, sizeof start, error));
  for (uint32_t word = 0; word < vt_cooccur_words(counts); word++) {
    const uint32_t *columns;
    const uint64_t *units;
    start += vt_cooccur_row(counts, word, &columns, &units);
    VT_TRY(write_data(archive, &start, sizeof start, error));
  }
  return VT_OK;
}

static enum vt_status write_words(struct archive *archive, const struct vt_vocab *vocab, struct vt_error *error) {
  for (uint32_t word = 0; word < vt_vocab_size(vocab); word++) {
    if (word > 0) VT_TRY(write_data(archive, "\n", 1, error));
    VT_TRY(write_data(archive, vt_vocab_text(vocab, word), strlen(vt_vocab_text(vocab, word)), error));
  }
  return VT_OK;
}

static enum vt_status write_arrays(struct archive *archive, const struct vt_cooccur *counts,
                                   const struct vt_vocab *vocab, struct vt_error *error) {
  const uint64_t words = vt_cooccur_words(counts), shape[2] = {words, words};
  uint64_t text_bytes = words - 1;
  for (uint32_t word = 0; word < words; word++) text_bytes += strlen(vt_vocab_text(vocab, word));
  char pairs[32], starts[32], bytes[32];
  snprintf(pairs, sizeof pairs, "(%" PRIu64 ",)", vt_cooccur_pairs(counts));
  snprintf(starts, sizeof starts, "(%" PRIu64 ",)", words + 1);
  snprintf(bytes, sizeof bytes, "(%" PRIu64 ",)", text_bytes);
  VT_TRY(begin(archive, "indices.npy", "<i4", pairs, error));
  VT_TRY(write_columns(archive, counts, error));
  VT_TRY(end(archive, error));
  VT_TRY(begin(archive, "indptr.npy", "<i8", starts, error));
  VT_TRY(write_starts(archive, counts, error));
  VT_TRY(end(archive, error));
  VT_TRY(begin(archive, "format.npy", "|S3", "()", error));
  VT_TRY(write_data(archive, "csr", 3, error));
  VT_TRY(end(archive, error));
  VT_TRY(begin(archive, "shape.npy", "<i8", "(2,)", error));
  VT_TRY(write_data(archive, shape, sizeof shape, error));
  VT_TRY(end(archive, error));
  VT_TRY(begin(archive, "data.npy", "<f8", pairs, error));
  VT_TRY(write_values(archive, counts, error));
  VT_TRY(end(archive, error));
  VT_TRY(begin(archive, "words.npy", "|u1", bytes, error));
  VT_TRY(write_words(archive, vocab, error));
  VT_TRY(end(archive, error));
  return write_directory(archive, error);
}

enum vt_status vt_counts_write_npz(const struct vt_cooccur *counts, const struct vt_vocab *vocab, const char *path,
                                   struct vt_error *error) {
  struct archive archive = {0};
  VT_TRY(vt_output_open(path, &archive.output, error));
  enum vt_status status = write_arrays(&archive, counts, vocab, error);
  if (status == VT_OK) return vt_output_commit(archive.output, error);
  vt_output_abort(archive.output);
  return status;
}
