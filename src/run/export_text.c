/*
 * export_text.c: vectors as text: word2vec's text format, the TSV of the TensorBoard projector, lists of words.
 *
 * Nine significant digits give every float back when read. snprintf follows the locale of the process, which is the
 * host program's business and may change under us, so whatever it wrote for the decimal point is made a '.' here.
 */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "run/export.h"

/* What a finite number in the C locale is made of, the decimal point aside. */
static bool is_number_character(char c) { return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == 'e'; }

size_t vt_float_text(float value, char *text) {
  if (!isfinite(value)) {
    const char *name = isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
    memcpy(text, name, strlen(name) + 1);
    return strlen(name);
  }
  char printed[2 * VT_FLOAT_TEXT_BYTES]; /* a decimal point may be several bytes */
  (void)snprintf(printed, sizeof printed, "%.9g", (double)value);
  size_t bytes = 0;
  for (const char *at = printed; *at != '\0' && bytes + 1 < VT_FLOAT_TEXT_BYTES;) {
    if (is_number_character(*at)) {
      text[bytes++] = *at++;
    } else {
      text[bytes++] = '.';
      while (*at != '\0' && !is_number_character(*at)) at++;
    }
  }
  text[bytes] = '\0';
  return bytes;
}

static enum vt_status write_text(struct vt_output *output, const char *text, struct vt_error *error) {
  return vt_output_write(output, text, strlen(text), error);
}

/* The numbers of a row, `before` in front of each (nothing in front of the first where skip_first is set), then a line
 * feed. */
static enum vt_status write_row(struct vt_output *output, const float *row, size_t dim, char before, bool skip_first,
                                struct vt_error *error) {
  char text[VT_FLOAT_TEXT_BYTES + 1];
  text[0] = before;
  for (size_t c = 0; c < dim; c++) {
    size_t bytes = vt_float_text(row[c], text + 1);
    bool skip = skip_first && c == 0;
    VT_TRY(vt_output_write(output, skip ? text + 1 : text, skip ? bytes : bytes + 1, error));
  }
  return write_text(output, "\n", error);
}

/* VT_ERROR_FORMAT for a word with one of these characters in it: the file could not be read back. */
static enum vt_status check_words(const struct vt_vocab *vocab, size_t count, const char *forbidden, const char *help,
                                  struct vt_error *error) {
  for (size_t id = 0; id < count; id++) {
    const char *word = vt_vocab_text(vocab, (uint32_t)id);
    if (strpbrk(word, forbidden) != NULL)
      return VT_FAIL_HELP(error, VT_ERROR_FORMAT, help,
                          "word %zu, \"%s\", has white space that this format cannot hold", id, word);
  }
  return VT_OK;
}

enum vt_status vt_export_check_w2v_words(const struct vt_vectors *vectors, struct vt_error *error) {
  return check_words(vectors->vocab, vectors->rows, " \t\n\v\f\r", "export as npy, safetensors or projector", error);
}

enum vt_status vt_export_w2v_text(const struct vt_vectors *vectors, struct vt_output *output, struct vt_error *error) {
  VT_TRY(vt_export_check_w2v_words(vectors, error));
  VT_TRY(vt_output_printf(output, error, "%zu %zu\n", vectors->rows, vectors->dim));
  for (size_t id = 0; id < vectors->rows; id++) {
    VT_TRY(write_text(output, vt_vocab_text(vectors->vocab, (uint32_t)id), error));
    VT_TRY(write_row(output, vectors->data + id * vectors->dim, vectors->dim, ' ', false, error));
  }
  return VT_OK;
}

enum vt_status vt_export_tsv_row(struct vt_output *output, const float *row, size_t dim, struct vt_error *error) {
  return write_row(output, row, dim, '\t', true, error);
}

enum vt_status vt_export_check_tsv_words(const struct vt_vocab *vocab, size_t count, struct vt_error *error) {
  return check_words(vocab, count, "\t\n\r", "export as npy or safetensors", error);
}

enum vt_status vt_export_tsv(const struct vt_vectors *vectors, struct vt_output *output, struct vt_error *error) {
  for (size_t id = 0; id < vectors->rows; id++)
    VT_TRY(vt_export_tsv_row(output, vectors->data + id * vectors->dim, vectors->dim, error));
  return VT_OK;
}

enum vt_status vt_export_word_list(const struct vt_vectors *vectors, struct vt_output *output, struct vt_error *error) {
  VT_TRY(check_words(vectors->vocab, vectors->rows, "\n\r", "train on text without line breaks inside words", error));
  for (size_t id = 0; id < vectors->rows; id++) {
    VT_TRY(write_text(output, vt_vocab_text(vectors->vocab, (uint32_t)id), error));
    VT_TRY(write_text(output, "\n", error));
  }
  return VT_OK;
}

enum vt_status vt_export_metadata(const struct vt_vectors *vectors, struct vt_output *output, struct vt_error *error) {
  VT_TRY(vt_export_check_tsv_words(vectors->vocab, vectors->rows, error));
  VT_TRY(write_text(output, "word\tcount\n", error));
  for (size_t id = 0; id < vectors->rows; id++) {
    VT_TRY(write_text(output, vt_vocab_text(vectors->vocab, (uint32_t)id), error));
    VT_TRY(vt_output_printf(output, error, "\t%" PRIu64 "\n", vt_vocab_count(vectors->vocab, (uint32_t)id)));
  }
  return VT_OK;
}
