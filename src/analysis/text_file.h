/*
 * text_file.h: the lines and fields of the small text files that tests of vectors come in.
 *
 * The file is mapped; lines and fields point into it and are not terminated. One thread.
 */
#ifndef VECTRAIL_ANALYSIS_TEXT_FILE_H
#define VECTRAIL_ANALYSIS_TEXT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"
#include "vectrail/vocab.h"

struct vt_field {
  const char *text;
  size_t bytes;
};

struct vt_text_file {
  struct vt_mapping mapping;
  size_t offset;
  size_t line_number; /* of the line last given, from 1 */
};

/* Opens a file of lines. A NUL byte (UTF-16, binary data) is VT_ERROR_FORMAT. Release with vt_text_file_release. */
enum vt_status vt_text_file_open(const char *path, struct vt_text_file *file, struct vt_error *error);
void vt_text_file_release(struct vt_text_file *file);

/* The next line that holds more than white space, trimmed of it at both ends; false at the end of the file. */
bool vt_text_file_next(struct vt_text_file *file, struct vt_field *line);

/* Splits a line into its first `capacity` fields and returns how many it has in all. Separator ' ' stands for runs of
 * spaces and tabs; any other stands for itself, once between two fields, and fields are trimmed of white space. */
size_t vt_field_split(struct vt_field line, char separator, struct vt_field *fields, size_t capacity);

/* A finite decimal number that takes up the whole field, whatever the locale. */
bool vt_field_number(struct vt_field field, double *number);

/* Finds a word as it is written, or else in NFC, or else in NFC and case-folded: vocabularies are often of folded text
 * while the questions keep their capitals. */
bool vt_field_find(struct vt_field field, const struct vt_vocab *vocab, uint32_t *id);

#endif
