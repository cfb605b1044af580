/*
 * export.h: what the formats share inside the library.
 */
#ifndef VECTRAIL_RUN_EXPORT_H
#define VECTRAIL_RUN_EXPORT_H

#include <stddef.h>

#include "base/file.h"
#include "vectrail/vectors.h"

/* How the floats of a row are put into text: 9 significant digits, a '.' whatever the locale, "nan", "inf", "-inf". */
enum { VT_FLOAT_TEXT_BYTES = 24 }; /* enough for any, with the end */
/* Writes value to text[VT_FLOAT_TEXT_BYTES], terminated, and returns its length. */
size_t vt_float_text(float value, char *text);

/* VT_ERROR_FORMAT for a word with ASCII white space in it, which word2vec's formats end a word with. */
enum vt_status vt_export_check_w2v_words(const struct vt_vectors *vectors, struct vt_error *error);

/* Writes the files of an export, with their checksums, as vt_export describes it. */
typedef enum vt_status vt_export_writer(const void *source, struct vt_output *output, struct vt_error *error);
struct vt_export_writers {
  vt_export_writer *vectors;
  vt_export_writer *words; /* NULL: no second file */
  const char *words_extension;
};
enum vt_status vt_export_files(const struct vt_export_writers *writing, const void *source, const char *path,
                               struct vt_error *error);

/* A row of TSV. */
enum vt_status vt_export_tsv_row(struct vt_output *output, const float *row, size_t dim, struct vt_error *error);
/* VT_ERROR_FORMAT for a word with a tab or a line break in it. */
enum vt_status vt_export_check_tsv_words(const struct vt_vocab *vocab, size_t count, struct vt_error *error);

/* One writer for each layout of the vectors, and one for each list of words. */
enum vt_status vt_export_w2v_text(const struct vt_vectors *vectors, struct vt_output *output, struct vt_error *error);
enum vt_status vt_export_w2v_binary(const struct vt_vectors *vectors, struct vt_output *output, struct vt_error *error);
enum vt_status vt_export_npy(const struct vt_vectors *vectors, struct vt_output *output, struct vt_error *error);
enum vt_status vt_export_safetensors(const struct vt_vectors *vectors, struct vt_output *output,
                                     struct vt_error *error);
enum vt_status vt_export_tsv(const struct vt_vectors *vectors, struct vt_output *output, struct vt_error *error);
enum vt_status vt_export_word_list(const struct vt_vectors *vectors, struct vt_output *output, struct vt_error *error);
enum vt_status vt_export_metadata(const struct vt_vectors *vectors, struct vt_output *output, struct vt_error *error);

#endif
