/*
 * import_binary.c: vectors as bytes: word2vec's binary format and NumPy's .npy.
 *
 * Rows are streamed: at most one of them is in the buffer, and a header's promise of rows takes no memory. Numbers are
 * little-endian, as in all such files that are in use; an .npy says so, and is refused where it says otherwise.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "run/import.h"
#include "run/safetensors.h"
#include "vectrail/corpus.h"

#define NPY_HEADER_MAX ((size_t)1 << 20)

static enum vt_status fail_cut(const struct vt_stream *stream, uint64_t rows, uint64_t rows_promised,
                               struct vt_error *error) {
  return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "the file was cut off: fetch or write it again",
                      "%s: ends at byte %" PRIu64 ", after %" PRIu64 " of %" PRIu64 " rows", stream->path,
                      stream->offset + vt_stream_bytes(stream), rows, rows_promised);
}

/* Numbers of a type as float32. */
static enum vt_status convert(const unsigned char *from, enum vt_dtype dtype, size_t count, float *to,
                              struct vt_error *error) {
  const struct vt_tensor tensor = {
      .name = "row", .dtype = dtype, .rank = 1, .shape = {count}, .data = from, .bytes = count * vt_dtype_bytes(dtype)};
  return vt_tensor_to_float(&tensor, to, error);
}

/* Nothing may follow but one line feed, where that is allowed. */
static enum vt_status check_end(struct vt_stream *stream, bool line_feed, struct vt_error *error) {
  VT_TRY(vt_stream_need(stream, 2, error));
  size_t bytes = vt_stream_bytes(stream);
  if (bytes == 0 || (line_feed && bytes == 1 && vt_stream_data(stream)[0] == '\n')) return VT_OK;
  return VT_FAIL(error, VT_ERROR_FORMAT, "%s: byte %" PRIu64 ": data go on after the last row that the header counts",
                 stream->path, stream->offset);
}

/* ---- word2vec ------------------------------------------------------------------------------------------------------
 */

static enum vt_status read_w2v_row(struct vt_stream *stream, struct vt_import_table *table, uint64_t done,
                                   uint64_t rows, struct vt_error *error) {
  size_t numbers = table->dim * sizeof(float);
  VT_TRY(vt_stream_need(stream, VT_WORD_BYTES_MAX + 2 + numbers, error));
  /* Some writers end a row with a line feed, some do not. */
  if (vt_stream_bytes(stream) > 0 && vt_stream_data(stream)[0] == '\n') vt_stream_take(stream, 1);
  const unsigned char *data = vt_stream_data(stream);
  size_t there = vt_stream_bytes(stream);
  size_t searched = there < VT_WORD_BYTES_MAX + 1 ? there : VT_WORD_BYTES_MAX + 1;
  const unsigned char *space = memchr(data, ' ', searched);
  if (space == NULL && searched <= VT_WORD_BYTES_MAX) return fail_cut(stream, done, rows, error);
  if (space == NULL)
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "check that this is a word2vec binary file with vectors of that length",
                        "%s: byte %" PRIu64 ": no blank ends the word within %d bytes", stream->path, stream->offset,
                        VT_WORD_BYTES_MAX);
  size_t word = (size_t)(space - data);
  if (there - word - 1 < numbers) return fail_cut(stream, done, rows, error);
  float *row;
  VT_TRY(vt_import_table_row(table, (const char *)data, word, 0, stream->offset, &row, error));
  VT_TRY(convert(data + word + 1, VT_DTYPE_F32, table->dim, row, error));
  VT_TRY(vt_import_table_check(table, row, stream->offset, error));
  vt_stream_take(stream, word + 1 + numbers);
  return VT_OK;
}

enum vt_status vt_import_w2v_binary(struct vt_stream *stream, const struct vt_vocab *known,
                                    struct vt_import_table *table, struct vt_error *error) {
  uint64_t rows, dim;
  VT_TRY(vt_import_header_line(stream, &rows, &dim, error));
  VT_TRY(vt_import_table_init(table, stream->path, "byte", dim, known, error));
  for (uint64_t k = 0; k < rows; k++) VT_TRY(read_w2v_row(stream, table, k, rows, error));
  return check_end(stream, true, error);
}

/* ---- NumPy ---------------------------------------------------------------------------------------------------------
 */

/* What an .npy says of itself. */
struct npy {
  enum vt_dtype dtype;
  uint64_t rows;
  uint64_t dim;
};

static size_t skip_blanks(const char *text, size_t bytes, size_t at) {
  while (at < bytes && (text[at] == ' ' || text[at] == '\n')) at++;
  return at;
}

/* Where the value behind "'key':" begins; bytes where there is none. */
static size_t find_value(const char *text, size_t bytes, const char *key) {
  size_t length = strlen(key);
  for (size_t at = 0; at + length + 2 < bytes; at++) {
    if ((text[at] != '\'' && text[at] != '"') || memcmp(text + at + 1, key, length) != 0) continue;
    if (text[at + 1 + length] != text[at]) continue;
    size_t colon = skip_blanks(text, bytes, at + length + 2);
    if (colon < bytes && text[colon] == ':') return skip_blanks(text, bytes, colon + 1);
  }
  return bytes;
}

static bool has_text(const char *text, size_t bytes, size_t at, const char *wanted) {
  size_t length = strlen(wanted);
  return at + length <= bytes && memcmp(text + at, wanted, length) == 0;
}

static size_t read_number(const char *text, size_t bytes, size_t at, uint64_t *number) {
  size_t begin = at;
  *number = 0;
  for (; at < bytes && text[at] >= '0' && text[at] <= '9' && at - begin < 18; at++)
    *number = *number * 10 + (uint64_t)(text[at] - '0');
  return at > begin ? at : bytes;
}

/* "(rows, dim)" or, with a comma behind, "(rows, dim,)". */
static bool read_shape(const char *text, size_t bytes, size_t at, struct npy *npy) {
  if (!has_text(text, bytes, at, "(")) return false;
  at = read_number(text, bytes, skip_blanks(text, bytes, at + 1), &npy->rows);
  at = skip_blanks(text, bytes, at);
  if (!has_text(text, bytes, at, ",")) return false;
  at = read_number(text, bytes, skip_blanks(text, bytes, at + 1), &npy->dim);
  at = skip_blanks(text, bytes, at);
  if (has_text(text, bytes, at, ",")) at = skip_blanks(text, bytes, at + 1);
  return has_text(text, bytes, at, ")");
}

/* The description, a Python dictionary; what is wrong with it, or NULL. */
static const char *read_description(const char *text, size_t bytes, struct npy *npy, const char **help) {
  static const struct {
    const char *name;
    enum vt_dtype dtype;
  } types[] = {{"'<f4'", VT_DTYPE_F32}, {"'<f2'", VT_DTYPE_F16}, {"'<f8'", VT_DTYPE_F64}};
  size_t type = find_value(text, bytes, "descr"), order = find_value(text, bytes, "fortran_order"), found = 0;
  while (found < 3 && !has_text(text, bytes, type, types[found].name)) found++;
  *help = "write it by np.save(path, np.ascontiguousarray(table, dtype='<f4'))";
  if (found == 3) return "its numbers are no little-endian float16, float32 or float64";
  npy->dtype = types[found].dtype;
  if (!has_text(text, bytes, order, "False")) return "its columns stand one behind the other, not its rows";
  if (!read_shape(text, bytes, find_value(text, bytes, "shape"), npy)) return "its shape is not (rows, dim)";
  return NULL;
}

/* NEP 1: magic, version, length of the description in two bytes (from version 2 on four), the description. */
static enum vt_status read_npy_header(struct vt_stream *stream, struct npy *npy, struct vt_error *error) {
  VT_TRY(vt_stream_need(stream, 12, error));
  const unsigned char *data = vt_stream_data(stream);
  if (vt_stream_bytes(stream) < 12 || memcmp(data, "\x93NUMPY", 6) != 0)
    return VT_FAIL(error, VT_ERROR_FORMAT, "%s: not an .npy file, or cut off", stream->path);
  size_t before = data[6] == 1 ? 10 : 12;
  size_t length = data[8] | (size_t)data[9] << 8;
  if (before == 12) length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
  if (data[6] < 1 || data[6] > 3 || length > NPY_HEADER_MAX)
    return VT_FAIL(error, VT_ERROR_FORMAT, "%s: byte 6: an .npy of version %d with a header of %zu bytes", stream->path,
                   data[6], length);
  VT_TRY(vt_stream_need(stream, before + length, error));
  if (vt_stream_bytes(stream) < before + length)
    return VT_FAIL(error, VT_ERROR_FORMAT, "%s: cut off within its header", stream->path);
  const char *help, *text = (const char *)vt_stream_data(stream) + before;
  const char *wrong = read_description(text, length, npy, &help);
  if (wrong != NULL) return VT_FAIL_HELP(error, VT_ERROR_FORMAT, help, "%s: %s", stream->path, wrong);
  vt_stream_take(stream, before + length);
  return VT_OK;
}

enum vt_status vt_import_npy(struct vt_stream *stream, const struct vt_import_names *names,
                             const struct vt_vocab *known, struct vt_import_table *table, struct vt_error *error) {
  struct npy npy = {0};
  VT_TRY(read_npy_header(stream, &npy, error));
  VT_TRY(vt_import_names_check(names, stream->path, npy.rows, error));
  VT_TRY(vt_import_table_init(table, stream->path, "row", npy.dim, known, error));
  size_t row_bytes = table->dim * vt_dtype_bytes(npy.dtype), cursor = 0;
  for (uint64_t k = 0; k < npy.rows; k++) {
    uint32_t id;
    VT_TRY(vt_stream_need(stream, row_bytes, error));
    if (vt_stream_bytes(stream) < row_bytes) return fail_cut(stream, k, npy.rows, error);
    if (vt_import_names_at(names, k, &cursor, &id)) {
      const char *word = vt_vocab_text(names->vocab, id);
      float *row;
      VT_TRY(vt_import_table_row(table, word, strlen(word), vt_vocab_count(names->vocab, id), k, &row, error));
      VT_TRY(convert(vt_stream_data(stream), npy.dtype, table->dim, row, error));
      VT_TRY(vt_import_table_check(table, row, k, error));
    }
    vt_stream_take(stream, row_bytes);
  }
  return check_end(stream, false, error);
}
