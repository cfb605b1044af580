/*
 * export_binary.c: vectors as bytes: word2vec's binary format, NumPy's .npy, safetensors.
 *
 * Floats are written little-endian whatever the machine, a buffer at a time; where the machine is little-endian itself
 * the compiler makes the conversion a copy.
 */
#include <stdio.h>
#include <string.h>

#include "run/export.h"

#define BUFFER_FLOATS 1024
/* The numbers of an .npy begin at a multiple of this, so that they can be mapped. */
#define NPY_ALIGNMENT 64
#define SAFETENSORS_ALIGNMENT 8

static enum vt_status write_floats(struct vt_output *output, const float *values, size_t count,
                                   struct vt_error *error) {
  unsigned char buffer[BUFFER_FLOATS * 4];
  while (count > 0) {
    size_t part = count < BUFFER_FLOATS ? count : BUFFER_FLOATS;
    for (size_t i = 0; i < part; i++) {
      uint32_t bits;
      memcpy(&bits, &values[i], sizeof bits);
      for (size_t b = 0; b < 4; b++) buffer[4 * i + b] = (unsigned char)(bits >> (8 * b));
    }
    VT_TRY(vt_output_write(output, buffer, 4 * part, error));
    values += part;
    count -= part;
  }
  return VT_OK;
}

enum vt_status vt_export_w2v_binary(const struct vt_vectors *vectors, struct vt_output *output,
                                    struct vt_error *error) {
  VT_TRY(vt_export_check_w2v_words(vectors, error));
  VT_TRY(vt_output_printf(output, error, "%zu %zu\n", vectors->rows, vectors->dim));
  for (size_t id = 0; id < vectors->rows; id++) {
    const char *word = vt_vocab_text(vectors->vocab, (uint32_t)id);
    VT_TRY(vt_output_write(output, word, strlen(word), error));
    VT_TRY(vt_output_write(output, " ", 1, error));
    VT_TRY(write_floats(output, vectors->data + id * vectors->dim, vectors->dim, error));
    VT_TRY(vt_output_write(output, "\n", 1, error));
  }
  return VT_OK;
}

/* NEP 1, version 1.0: magic, version, length of the header, the header padded with spaces up to a line feed. */
enum vt_status vt_export_npy(const struct vt_vectors *vectors, struct vt_output *output, struct vt_error *error) {
  unsigned char head[4 * NPY_ALIGNMENT];
  char description[2 * NPY_ALIGNMENT];
  int bytes = snprintf(description, sizeof description,
                       "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", vectors->rows, vectors->dim);
  if (bytes < 0 || (size_t)bytes >= sizeof description)
    return VT_FAIL(error, VT_ERROR_FORMAT, "a table of %zu x %zu does not fit an .npy header", vectors->rows,
                   vectors->dim);
  size_t before = 10, text = (size_t)bytes;
  size_t total = (before + text + 1 + NPY_ALIGNMENT - 1) / NPY_ALIGNMENT * NPY_ALIGNMENT;
  memset(head, ' ', sizeof head);
  memcpy(head, "\x93NUMPY\x01\x00", 8);
  head[8] = (unsigned char)((total - before) & 0xff);
  head[9] = (unsigned char)((total - before) >> 8);
  memcpy(head + before, description, text);
  head[total - 1] = '\n';
  VT_TRY(vt_output_write(output, head, total, error));
  return write_floats(output, vectors->data, vectors->rows * vectors->dim, error);
}

/* The length of a JSON header in 8 bytes, the header padded with spaces, the tensor. */
enum vt_status vt_export_safetensors(const struct vt_vectors *vectors, struct vt_output *output,
                                     struct vt_error *error) {
  char head[256]; /* three numbers of at most 20 digits in 70 characters of text */
  memset(head, ' ', sizeof head);
  int bytes = snprintf(head + 8, sizeof head - 8,
                       "{\"input\":{\"dtype\":\"F32\",\"shape\":[%zu,%zu],\"data_offsets\":[0,%zu]}}", vectors->rows,
                       vectors->dim, vectors->rows * vectors->dim * 4);
  if (bytes < 0) return VT_FAIL(error, VT_ERROR_FORMAT, "cannot write a safetensors header");
  head[8 + bytes] = ' ';
  size_t length = ((size_t)bytes + SAFETENSORS_ALIGNMENT - 1) / SAFETENSORS_ALIGNMENT * SAFETENSORS_ALIGNMENT;
  for (size_t b = 0; b < 8; b++) head[b] = (char)(length >> (8 * b));
  VT_TRY(vt_output_write(output, head, 8 + length, error));
  return write_floats(output, vectors->data, vectors->rows * vectors->dim, error);
}
