/*
 * export.c: hand vectors to other programs: which formats there are, and files that are whole or absent.
 *
 * A format is one writer for the vectors and, for some, one for the words in a second file. Both files are written
 * beside their places first; only when both are complete are they put there, words first. So an error before that
 * touches nothing, and an error between the two (the second rename failing) takes the first file away again: vectors
 * never stand beside another table's words.
 *
 * Memory: small buffers, and the name of the second file. Threads: none.
 */
#define _POSIX_C_SOURCE 200809L /* unlink */
#include "vectrail/export.h"

#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "run/export.h"

typedef enum vt_status writer(const struct vt_vectors *vectors, struct vt_output *output, struct vt_error *error);

#define X(id, name, second, text) {name, second},
static const struct {
  const char *name;
  const char *second_extension;
} names[] = {VT_EXPORT_MAP(X)};
#undef X

#define FORMAT_COUNT (sizeof names / sizeof names[0])

static const struct {
  writer *vectors;
  writer *words; /* NULL: no second file */
} writers[FORMAT_COUNT] = {
    [VT_EXPORT_W2V_TEXT] = {vt_export_w2v_text, NULL},
    [VT_EXPORT_W2V_BINARY] = {vt_export_w2v_binary, NULL},
    [VT_EXPORT_NPY] = {vt_export_npy, vt_export_word_list},
    [VT_EXPORT_SAFETENSORS] = {vt_export_safetensors, vt_export_word_list},
    [VT_EXPORT_PROJECTOR] = {vt_export_tsv, vt_export_metadata},
};

enum vt_status vt_export_format_find(const char *name, enum vt_export_format *format, struct vt_error *error) {
#define X(id, known, second, text) ", " known
  static const char list[] = VT_EXPORT_MAP(X);
#undef X
  for (size_t i = 0; i < FORMAT_COUNT; i++) {
    if (strcmp(name, names[i].name) != 0) continue;
    *format = (enum vt_export_format)i;
    return VT_OK;
  }
  return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "take one of the formats named", "no format \"%s\"; there are %s", name,
                      list + strlen(", "));
}

const char *vt_export_second_extension(enum vt_export_format format) {
  return (size_t)format < FORMAT_COUNT ? names[format].second_extension : "";
}

/* path without the extension of its last part, then the extension; NULL when out of memory. A leading dot is no
 * extension. Free with vt_free. */
static char *second_path(const char *path, const char *extension) {
  const char *slash = strrchr(path, '/');
  const char *base = slash == NULL ? path : slash + 1;
  const char *dot = strrchr(base, '.');
  size_t stem = dot != NULL && dot != base ? (size_t)(dot - path) : strlen(path);
  char *second = vt_alloc(stem + strlen(extension) + 1, 1);
  if (second == NULL) return NULL;
  memcpy(second, path, stem);
  memcpy(second + stem, extension, strlen(extension) + 1);
  return second;
}

/* Opens the file beside path and writes all of it; on failure nothing is left and *output is NULL. */
static enum vt_status stage(writer *write, const struct vt_vectors *vectors, const char *path,
                            struct vt_output **output, struct vt_error *error) {
  *output = NULL;
  VT_TRY(vt_output_open(path, output, error));
  enum vt_status status = write(vectors, *output, error);
  if (status == VT_OK) return VT_OK;
  vt_output_abort(*output);
  *output = NULL;
  return status;
}

static enum vt_status export_pair(const struct vt_vectors *vectors, enum vt_export_format format, const char *path,
                                  const char *words_path, struct vt_error *error) {
  struct vt_output *words, *output;
  VT_TRY(stage(writers[format].words, vectors, words_path, &words, error));
  enum vt_status status = stage(writers[format].vectors, vectors, path, &output, error);
  if (status != VT_OK) {
    vt_output_abort(words);
    return status;
  }
  status = vt_output_commit(words, error);
  if (status != VT_OK) {
    vt_output_abort(output);
    return status;
  }
  status = vt_output_commit(output, error);
  if (status != VT_OK) (void)unlink(words_path);
  return status;
}

enum vt_status vt_export(const struct vt_vectors *vectors, enum vt_export_format format, const char *path,
                         struct vt_error *error) {
  if ((size_t)format >= FORMAT_COUNT) return VT_FAIL(error, VT_ERROR_ARGUMENT, "there is no format %d", (int)format);
  if (writers[format].words == NULL) {
    struct vt_output *output;
    VT_TRY(stage(writers[format].vectors, vectors, path, &output, error));
    return vt_output_commit(output, error);
  }
  char *words_path = second_path(path, names[format].second_extension);
  if (words_path == NULL) return VT_FAIL_MEMORY(error, strlen(path) + strlen(names[format].second_extension) + 1);
  enum vt_status status = export_pair(vectors, format, path, words_path, error);
  vt_free(words_path);
  return status;
}
