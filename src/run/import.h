/*
 * import.h: what the readers of foreign vectors share.
 *
 *   file ──> vt_stream ──> a reader for each format ──> vt_import_table (rows with their words) ──> vocabulary, vectors
 *                              vt_import_names ──┘ (words of files that hold none)
 *
 * Nothing a file says is believed before it is checked, and no memory is taken for rows that have not been read.
 */
#ifndef VECTRAIL_RUN_IMPORT_H
#define VECTRAIL_RUN_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "text/input.h"
#include "vectrail/import.h"

/* ---- bytes of a file, looked at before they are taken --------------------------------------------------------------
 */

/* A line of a text, or a row of an array, is never longer. */
#define VT_STREAM_BYTES_MAX ((size_t)4 << 20)

struct vt_stream {
  struct vt_input *input;
  const char *path;
  unsigned char *buffer;
  size_t begin, end, capacity; /* what the buffer holds: [begin, end) */
  uint64_t offset;             /* in the (decompressed) file, of what comes next */
  uint64_t line;               /* of the line last taken, from 1 */
  bool ended;                  /* no more to read into the buffer */
};

/* path and interrupt must live as long as the stream. Release with vt_stream_release (accepts an all-zero one). */
enum vt_status vt_stream_open(struct vt_stream *stream, const char *path, const volatile sig_atomic_t *interrupt,
                              struct vt_error *error);
void vt_stream_release(struct vt_stream *stream);

/* Has the next `wanted` bytes in the buffer (up to VT_STREAM_BYTES_MAX), or all there are. */
enum vt_status vt_stream_need(struct vt_stream *stream, size_t wanted, struct vt_error *error);
static inline const unsigned char *vt_stream_data(const struct vt_stream *stream) {
  return stream->buffer + stream->begin;
}
static inline size_t vt_stream_bytes(const struct vt_stream *stream) { return stream->end - stream->begin; }
/* Takes bytes that are in the buffer. */
static inline void vt_stream_take(struct vt_stream *stream, size_t bytes) {
  stream->begin += bytes;
  stream->offset += bytes;
}

/* A line without its line feed, blanks and carriage returns at its end trimmed; text is valid until the next call.
 * *found is false at the end. VT_ERROR_FORMAT: the line is longer than VT_STREAM_BYTES_MAX, or holds a NUL byte. */
enum vt_status vt_stream_line(struct vt_stream *stream, const char **text, size_t *bytes, bool *found,
                              struct vt_error *error);

/* ---- rows and their words ------------------------------------------------------------------------------------------
 */

struct vt_import_word {
  uint64_t place;  /* where it was met */
  uint64_t count;  /* 0 where it is not known */
  uint64_t offset; /* of its bytes in texts */
  uint32_t bytes;
};

struct vt_import_table {
  const char *path;
  const char *place_name; /* what a place is: "line", "byte", "row" */
  size_t dim;
  float *data;
  size_t rows; /* taken so far */
  size_t capacity;
  /* The first file of a series says which words there are. */
  struct vt_import_word *words;
  size_t words_capacity;
  char *texts;
  size_t texts_bytes, texts_capacity;
  /* Another one's words are known: rows go where they belong. */
  const struct vt_vocab *known;
  uint64_t *met; /* [known]: the place of each word and 1; 0: not met yet */
};

/* dim: 1 to VT_IMPORT_DIM_MAX, else VT_ERROR_FORMAT. known: NULL for the first file. Release with
 * vt_import_table_release (accepts an all-zero one). */
enum vt_status vt_import_table_init(struct vt_import_table *table, const char *path, const char *place_name,
                                    uint64_t dim, const struct vt_vocab *known, struct vt_error *error);
void vt_import_table_release(struct vt_import_table *table);

/* Where the dim numbers of a word go, until the next call. VT_ERROR_FORMAT: the word is empty, too long, not UTF-8,
 * holds a NUL byte; with known words, too, where it is none of them or was met before. */
enum vt_status vt_import_table_row(struct vt_import_table *table, const char *word, size_t bytes, uint64_t count,
                                   uint64_t place, float **row, struct vt_error *error);
/* VT_ERROR_FORMAT where a number of a row is not finite. */
enum vt_status vt_import_table_check(const struct vt_import_table *table, const float *row, uint64_t place,
                                     struct vt_error *error);
/* Ends it: hands data [words][dim] over (vt_free_aligned), and with it a vocabulary where none was known.
 * VT_ERROR_FORMAT: a word stands twice, or a known one is missing; VT_ERROR_EMPTY: there is no row. */
enum vt_status vt_import_table_finish(struct vt_import_table *table, struct vt_vocab **vocab, float **data,
                                      struct vt_error *error);

/* ---- words of files that hold none ---------------------------------------------------------------------------------
 */

struct vt_import_names {
  char *path;
  struct vt_vocab *vocab;
  uint64_t *rows; /* [vocab]: the row of each word, ascending; NULL: its id */
  uint64_t span;  /* rows there must be at least */
  bool exact;     /* and at most */
};

/* The words by a file, or by the one beside `vectors_path` where path is NULL. Release with vt_import_names_release
 * (accepts an all-zero one). */
enum vt_status vt_import_names_load(struct vt_import_names *names, const char *path, const char *vectors_path,
                                    struct vt_error *error);
void vt_import_names_release(struct vt_import_names *names);
/* VT_ERROR_FORMAT where a table of so many rows does not fit the words. */
enum vt_status vt_import_names_check(const struct vt_import_names *names, const char *path, uint64_t rows,
                                     struct vt_error *error);

/* Walks over the rows of a table in their order, beginning with cursor 0: the word of each; false where it has none. */
bool vt_import_names_at(const struct vt_import_names *names, uint64_t row, size_t *cursor, uint32_t *id);

/* ---- formats -------------------------------------------------------------------------------------------------------
 */

/* The format of what the stream begins with; takes nothing. VT_ERROR_FORMAT, with what it seems to be. */
enum vt_status vt_import_guess(struct vt_stream *stream, enum vt_import_format *format, struct vt_error *error);

/* "rows dim", alone on a line. */
bool vt_import_header(const char *text, size_t bytes, uint64_t *rows, uint64_t *dim);
enum vt_status vt_import_header_line(struct vt_stream *stream, uint64_t *rows, uint64_t *dim, struct vt_error *error);

/* The readers fill an all-zero table, which the caller finishes and releases. names are those of the file. */
enum vt_status vt_import_text(struct vt_stream *stream, bool header, const struct vt_vocab *known,
                              struct vt_import_table *table, struct vt_error *error);
enum vt_status vt_import_w2v_binary(struct vt_stream *stream, const struct vt_vocab *known,
                                    struct vt_import_table *table, struct vt_error *error);
enum vt_status vt_import_npy(struct vt_stream *stream, const struct vt_import_names *names,
                             const struct vt_vocab *known, struct vt_import_table *table, struct vt_error *error);
enum vt_status vt_import_safetensors(const char *path, const char *tensor, const struct vt_import_names *names,
                                     const struct vt_vocab *known, struct vt_import_table *table,
                                     struct vt_error *error);

#endif
