/*
 * vectrail/export.h: hand vectors to other programs.
 */
#ifndef VECTRAIL_EXPORT_H
#define VECTRAIL_EXPORT_H

#include <stddef.h>
#include <stdint.h>

#include "vectrail/run.h"
#include "vectrail/status.h"
#include "vectrail/vectors.h"

#ifdef __cplusplus
extern "C" {
#endif

/* name, extension of a second file that goes with it (or ""), description */
#define VT_EXPORT_MAP(X)                                                                                               \
  X(W2V_TEXT, "w2v-text", "", "word2vec text: a line \"rows dim\", then a word and its numbers a line")                \
  X(W2V_BINARY, "w2v-binary", "", "word2vec binary: a line \"rows dim\", then word, space, dim float32")               \
  X(NPY, "npy", ".vocab.txt", "NumPy float32 [rows, dim], and the words a line each")                                  \
  X(SAFETENSORS, "safetensors", ".vocab.txt", "safetensors with tensor \"input\" F32 [rows, dim], and the words")      \
  X(PROJECTOR, "projector", ".metadata.tsv", "TensorBoard projector: vectors as TSV, and a TSV of word and count")

enum vt_export_format {
#define X(id, name, second, text) VT_EXPORT_##id,
  VT_EXPORT_MAP(X)
#undef X
};

/* The format called `name`; VT_ERROR_ARGUMENT lists the names there are. */
VT_API enum vt_status vt_export_format_find(const char *name, enum vt_export_format *format, struct vt_error *error);
/* The extension that the second file of a format adds to the path without its own extension, or "". */
VT_API const char *vt_export_second_extension(enum vt_export_format format);

/* Writes the vectors to path ("vectors.npy" and "vectors.vocab.txt", say). Numbers in text have 9 significant
 * digits, so that reading them gives back the same floats. Words that a format cannot hold (white space in word2vec
 * formats) are VT_ERROR_FORMAT. Every file is written beside, synced and renamed: on error none is left. An existing
 * file is replaced. */
VT_API enum vt_status vt_export(const struct vt_vectors *vectors, enum vt_export_format format, const char *path,
                                struct vt_error *error);

/* Where the `words` most frequent words were at every snapshot of a run, for the projector of TensorBoard: a point for
 * each word at each snapshot as TSV, and beside it, in .metadata.tsv, word, step, count and "__seq_next__", by which
 * the projector joins the points of a word. *points (may be NULL): how many. Errors and files as with vt_export;
 * VT_ERROR_EMPTY where there is no snapshot. Memory: all points, in float32. */
VT_API enum vt_status vt_export_trajectories(struct vt_run *run, size_t words, const char *path, size_t *points,
                                             struct vt_error *error);

/* All metrics of a run, its rate, and its cosines of pairs ("cosine/A B"), as an event file of TensorBoard, which finds
 * files with "tfevents" in their name. Times are seconds of training. *written (may be NULL): how many values. The
 * file is written beside, synced and renamed. */
VT_API enum vt_status vt_export_events(struct vt_run *run, const char *path, uint64_t *written, struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif
