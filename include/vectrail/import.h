/*
 * vectrail/import.h: vectors that others trained: read them, or make a run of a series of them.
 *
 * Formats are told by content. The streamed ones (word2vec, GloVe, .npy) may be compressed with gzip, zstd or xz.
 * Files may be hostile: every length is checked before it is believed, and memory grows with what was read, not with
 * what a header promises. Numbers become float32; one that is NaN, infinite or too large for it is refused. Words are
 * kept byte for byte, whatever their normal form.
 */
#ifndef VECTRAIL_IMPORT_H
#define VECTRAIL_IMPORT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/status.h"
#include "vectrail/vectors.h"
#include "vectrail/vocab.h"

#ifdef __cplusplus
extern "C" {
#endif

/* name, description */
#define VT_IMPORT_MAP(X)                                                                                               \
  X(AUTO, "auto", "told by content")                                                                                   \
  X(W2V_TEXT, "w2v-text", "word2vec text: a line \"rows dim\", then a word and its numbers a line")                    \
  X(W2V_BINARY, "w2v-binary", "word2vec binary: a line \"rows dim\", then word, space, dim float32")                   \
  X(GLOVE, "glove", "GloVe text: a word and its numbers a line, no header")                                            \
  X(NPY, "npy", "NumPy float16, float32 or float64 [rows, dim]; the words from another file")                          \
  X(SAFETENSORS, "safetensors", "a tensor F16, BF16, F32 or F64 [rows, dim]; the words from another file")

enum vt_import_format {
#define X(id, name, text) VT_IMPORT_##id,
  VT_IMPORT_MAP(X)
#undef X
};

/* The longest vector that is read. */
#define VT_IMPORT_DIM_MAX 65536

/* How to read a file. All zero is a good start. */
struct vt_import_options {
  enum vt_import_format format;
  /* Words of npy and safetensors. One of
   *   - a word a line, or, where every line ends in a whole number behind a space or a tab, word and count:
   *     as many words as the table has rows;
   *   - a tokenizer.json of HuggingFace: ids by model.vocab and added_tokens (rows without a token are left out);
   *   - a JSON object {"token": id, ...}, likewise.
   * NULL: the file beside that vt_export writes, "vectors.vocab.txt" beside "vectors.npy". */
  const char *vocab_path;
  /* safetensors: which tensor; NULL: the only one that fits the words. */
  const char *tensor;
  const volatile sig_atomic_t *interrupt; /* nonzero: stop with VT_ERROR_INTERRUPTED; may be NULL */
};

/* Reads one file. vocab (free it after the vectors) and vectors are the caller's. "-" is standard input, for the
 * streamed formats. VT_ERROR_IO: missing, unreadable; VT_ERROR_FORMAT: malformed, with line or byte; VT_ERROR_CORRUPT:
 * a damaged safetensors file; VT_ERROR_NOT_FOUND: no such tensor (the help lists those there are); VT_ERROR_EMPTY: no
 * vectors in it. Memory: the table, at most twice while it grows. */
VT_API enum vt_status vt_import_vectors(const char *path, const struct vt_import_options *options,
                                        struct vt_vocab **vocab, struct vt_vectors **vectors, struct vt_error *error);

struct vt_import_request {
  const char *const *paths; /* one file a step */
  size_t path_count;
  const uint64_t *steps; /* [path_count], ascending; NULL: 0, 1, 2 and so on, or on from the last there is */
  const char *run_path;
  bool force;   /* replace a run that is there */
  bool append;  /* go on with a run that was imported (or recorded, vectrail/recorder.h) */
  bool float16; /* keep halves, as training does; each number then has 11 significant bits */
  struct vt_import_options read;
  /* Called after each file; may be NULL. */
  void (*progress)(void *context, size_t files_done, uint64_t step);
  void *progress_context;
};

struct vt_import_result {
  size_t words;
  size_t dim;
  uint64_t first_step; /* of this import */
  uint64_t last_step;
  enum vt_import_format format; /* of the last file */
};

/* Makes a run of a series of files, a snapshot each, with the metrics that vectors alone give (displacement, norm,
 * speed, moving). All files hold the same words; their order may differ, that of the first file (or of the run) counts.
 * Errors as above, VT_ERROR_FORMAT where words or lengths differ from those of the first file, VT_ERROR_EXISTS for a
 * folder that may not be replaced. On any error a new run is not made, and one that was appended to is as it was.
 * result may be NULL. */
VT_API enum vt_status vt_import(const struct vt_import_request *request, struct vt_import_result *result,
                                struct vt_error *error);

/* The name of a format ("glove"). */
VT_API const char *vt_import_format_name(enum vt_import_format format);

#ifdef __cplusplus
}
#endif

#endif
