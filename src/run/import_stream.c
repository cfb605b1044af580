/*
 * import_stream.c: a window on a file that slides over it, and the guess what a file is by its first bytes.
 *
 * The buffer grows up to VT_STREAM_BYTES_MAX and no further: a line or a row that does not fit is an error, so a file
 * of any size and any content takes no more memory than that. One thread.
 */
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "run/import.h"
#include "text/utf8.h"
#include "vectrail/corpus.h"

#define BUFFER_BYTES ((size_t)256 << 10)
/* Of a line without a header's form; as much tells text from anything else. */
#define GUESS_BYTES ((size_t)256)
#define SAFETENSORS_HEADER_MAX ((uint64_t)100 * 1000 * 1000)

enum vt_status vt_stream_open(struct vt_stream *stream, const char *path, const volatile sig_atomic_t *interrupt,
                              struct vt_error *error) {
  *stream = (struct vt_stream){.path = vt_input_name(path), .capacity = BUFFER_BYTES};
  stream->buffer = vt_alloc(stream->capacity, 1);
  if (stream->buffer == NULL) return VT_FAIL_MEMORY(error, stream->capacity);
  enum vt_status status = vt_input_open(path, interrupt, &stream->input, error);
  if (status != VT_OK) vt_stream_release(stream);
  return status;
}

void vt_stream_release(struct vt_stream *stream) {
  vt_input_close(stream->input);
  vt_free(stream->buffer);
  *stream = (struct vt_stream){0};
}

static enum vt_status make_room(struct vt_stream *stream, size_t wanted, struct vt_error *error) {
  if (stream->begin > 0) {
    memmove(stream->buffer, stream->buffer + stream->begin, stream->end - stream->begin);
    stream->end -= stream->begin;
    stream->begin = 0;
  }
  size_t capacity = stream->capacity;
  while (capacity < wanted) capacity *= 2;
  if (capacity == stream->capacity) return VT_OK;
  unsigned char *grown = vt_realloc(stream->buffer, capacity, 1);
  if (grown == NULL) return VT_FAIL_MEMORY(error, capacity);
  stream->buffer = grown;
  stream->capacity = capacity;
  return VT_OK;
}

enum vt_status vt_stream_need(struct vt_stream *stream, size_t wanted, struct vt_error *error) {
  if (vt_stream_bytes(stream) >= wanted || stream->ended) return VT_OK;
  if (wanted > VT_STREAM_BYTES_MAX)
    return VT_FAIL(error, VT_ERROR_FORMAT, "%s: byte %llu: %zu bytes in one piece are too many", stream->path,
                   (unsigned long long)stream->offset, wanted);
  VT_TRY(make_room(stream, wanted, error));
  size_t room = stream->capacity - stream->end, bytes = 0;
  VT_TRY(vt_input_read(stream->input, stream->buffer + stream->end, room, &bytes, error));
  stream->end += bytes;
  stream->ended = bytes < room;
  return VT_OK;
}

/* Has a whole line in the buffer; *bytes is its length without the line feed, *feed whether there is one. */
static enum vt_status find_line(struct vt_stream *stream, size_t *bytes, bool *feed, struct vt_error *error) {
  size_t searched = 0;
  for (;;) {
    size_t there = vt_stream_bytes(stream);
    const unsigned char *data = vt_stream_data(stream);
    const unsigned char *found = there > searched ? memchr(data + searched, '\n', there - searched) : NULL;
    *feed = found != NULL;
    *bytes = found != NULL ? (size_t)(found - data) : there;
    if (found != NULL || stream->ended) return VT_OK;
    if (there >= VT_STREAM_BYTES_MAX)
      return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "vectors as text stand one a line",
                          "%s: line %llu has more than %zu bytes", stream->path, (unsigned long long)stream->line + 1,
                          VT_STREAM_BYTES_MAX);
    searched = there;
    VT_TRY(vt_stream_need(stream, there + 1, error));
  }
}

static size_t trimmed(const char *text, size_t bytes) {
  while (bytes > 0 && (text[bytes - 1] == ' ' || text[bytes - 1] == '\t' || text[bytes - 1] == '\r')) bytes--;
  return bytes;
}

enum vt_status vt_stream_line(struct vt_stream *stream, const char **text, size_t *bytes, bool *found,
                              struct vt_error *error) {
  bool feed;
  VT_TRY(find_line(stream, bytes, &feed, error));
  *found = feed || *bytes > 0;
  if (!*found) return VT_OK;
  *text = (const char *)vt_stream_data(stream);
  uint64_t offset = stream->offset;
  vt_stream_take(stream, *bytes + feed);
  stream->line++;
  if (offset == 0 && *bytes >= 3 && memcmp(*text, "\xEF\xBB\xBF", 3) == 0) {
    *text += 3;
    *bytes -= 3;
  }
  if (memchr(*text, '\0', *bytes) != NULL)
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "name the format with --format where it was guessed wrongly",
                        "%s: line %llu holds a NUL byte; this is no text", stream->path,
                        (unsigned long long)stream->line);
  *bytes = trimmed(*text, *bytes);
  return VT_OK;
}

/* ---- what is it? ---------------------------------------------------------------------------------------------------
 */

static bool begins_with(const struct vt_stream *stream, const char *mark, size_t bytes) {
  return vt_stream_bytes(stream) >= bytes && memcmp(vt_stream_data(stream), mark, bytes) == 0;
}

static bool is_safetensors(const struct vt_stream *stream) {
  uint64_t length = 0;
  if (vt_stream_bytes(stream) < 9) return false;
  const unsigned char *data = vt_stream_data(stream);
  for (int b = 7; b >= 0; b--) length = length << 8 | data[b];
  return data[8] == '{' && length <= SAFETENSORS_HEADER_MAX;
}

/* What looks like a line of text: UTF-8, and no control characters but tabs and a carriage return. Where the line goes
 * on behind the bytes that are there, they may end within a character. */
static bool is_plain_line(const unsigned char *data, size_t bytes, bool whole) {
  size_t first_bad;
  for (size_t i = 0; i < bytes; i++)
    if (data[i] < ' ' && data[i] != '\t' && data[i] != '\r') return false;
  return vt_utf8_count_bad(data, bytes, &first_bad) == 0 || (!whole && first_bad + 3 >= bytes);
}

static enum vt_status refuse(const struct vt_stream *stream, struct vt_error *error) {
  static const struct {
    const char *mark;
    size_t bytes;
    const char *what, *help;
  } known[] = {
      {"PK\x03\x04", 4, "a zip archive (.npz, or a PyTorch checkpoint)",
       "write the table as .npy, or the tensors by safetensors.torch.save_file"},
      {"\x80", 1, "a Python pickle, which could run anything when it is read",
       "write the table as .npy, or the tensors by safetensors.torch.save_file"},
      {"\x89HDF", 4, "an HDF5 file", "write the table as .npy"},
      {"\xFF\xFE", 2, "UTF-16", "bring it to UTF-8: iconv -f UTF-16 -t UTF-8"},
      {"\xFE\xFF", 2, "UTF-16", "bring it to UTF-8: iconv -f UTF-16 -t UTF-8"},
  };
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (begins_with(stream, known[i].mark, known[i].bytes))
      return VT_FAIL_HELP(error, VT_ERROR_FORMAT, known[i].help, "%s: this is %s", stream->path, known[i].what);
  return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "there are w2v-text, w2v-binary, glove, npy and safetensors",
                      "%s: no format of vectors that is known", stream->path);
}

/* Text has line ends, and no other control characters than tabs; so many bytes of numbers that hold none are not met.
 * Few bytes must be UTF-8 as well. */
static bool is_plain_text(const unsigned char *data, size_t bytes) {
  size_t first_bad;
  for (size_t i = 0; i < bytes; i++)
    if (data[i] < ' ' && data[i] != '\t' && data[i] != '\r' && data[i] != '\n') return false;
  return bytes >= GUESS_BYTES || vt_utf8_count_bad(data, bytes, &first_bad) == 0;
}

/* After the header. A single row would tell too little: one number of a few hundred holds the byte of a line feed, and
 * what stands before it may look like a line. */
static enum vt_status guess_rows(struct vt_stream *stream, size_t header_bytes, uint64_t dim,
                                 enum vt_import_format *format, struct vt_error *error) {
  size_t row = VT_WORD_BYTES_MAX + 40 * (size_t)(dim < VT_IMPORT_DIM_MAX ? dim : VT_IMPORT_DIM_MAX);
  VT_TRY(vt_stream_need(stream, header_bytes + row, error));
  const unsigned char *data = vt_stream_data(stream) + header_bytes;
  size_t there = vt_stream_bytes(stream) - header_bytes;
  if (there > row) there = row;
  *format = is_plain_text(data, there) ? VT_IMPORT_W2V_TEXT : VT_IMPORT_W2V_BINARY;
  return VT_OK;
}

enum vt_status vt_import_guess(struct vt_stream *stream, enum vt_import_format *format, struct vt_error *error) {
  VT_TRY(vt_stream_need(stream, BUFFER_BYTES, error));
  if (vt_stream_bytes(stream) == 0) return VT_FAIL(error, VT_ERROR_EMPTY, "%s: the file is empty", stream->path);
  *format = VT_IMPORT_NPY;
  if (begins_with(stream, "\x93NUMPY", 6)) return VT_OK;
  *format = VT_IMPORT_SAFETENSORS;
  if (is_safetensors(stream)) return VT_OK;
  const unsigned char *data = vt_stream_data(stream);
  size_t there = vt_stream_bytes(stream);
  const unsigned char *feed = memchr(data, '\n', there);
  size_t bytes = feed != NULL ? (size_t)(feed - data) : there;
  size_t mark = begins_with(stream, "\xEF\xBB\xBF", 3) ? 3 : 0;
  uint64_t rows, dim;
  if (vt_import_header((const char *)data + mark, bytes - mark, &rows, &dim) && feed != NULL)
    return guess_rows(stream, bytes + 1, dim, format, error);
  *format = VT_IMPORT_GLOVE;
  size_t looked_at = bytes < GUESS_BYTES ? bytes : GUESS_BYTES;
  return is_plain_line(data, looked_at, looked_at == bytes) ? VT_OK : refuse(stream, error);
}
