/*
 * export.c: hand vectors to other programs: which formats there are, and files that are whole or absent.
 *
 * A format is one writer for the vectors and, for some, one for the words in a second file. All files, and a small one
 * with their checksums, are written beside their places first; only when all are complete are they put there, words
 * first. So an error before that touches nothing, and an error in between (a rename failing) takes away again what was
 * put: vectors never stand beside another table's words, or under another's checksum.
 *
 * Memory: small buffers, and the names of the files. Threads: none.
 */
#define _POSIX_C_SOURCE 200809L /* unlink */
#include "vectrail/export.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "run/checksum_file.h"
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

/* The files of an export, in the order in which they are put in place: the words, the vectors, their checksums. */
enum { WORDS, VECTORS, CHECKSUMS, FILES };

struct staged {
  char *paths[FILES]; /* NULL: there is no such file */
  struct vt_output *outputs[FILES];
};

static void release(struct staged *staged) {
  for (int k = 0; k < FILES; k++) {
    vt_output_abort(staged->outputs[k]);
    vt_free(staged->paths[k]);
  }
}

static enum vt_status name_files(struct staged *staged, const struct vt_export_writers *writing, const char *path,
                                 struct vt_error *error) {
  bool two = writing->words != NULL;
  if (two) staged->paths[WORDS] = second_path(path, writing->words_extension);
  staged->paths[VECTORS] = vt_copy_string(path);
  staged->paths[CHECKSUMS] = vt_checksum_path(path);
  if ((two && staged->paths[WORDS] == NULL) || staged->paths[VECTORS] == NULL || staged->paths[CHECKSUMS] == NULL)
    return VT_FAIL_MEMORY(error, 2 * strlen(path));
  return VT_OK;
}

/* Writes all files beside their places. */
static enum vt_status stage(struct staged *staged, const struct vt_export_writers *writing, const void *source,
                            struct vt_error *error) {
  vt_export_writer *const write[] = {[WORDS] = writing->words, [VECTORS] = writing->vectors};
  char sha256[2][VT_SHA256_TEXT_BYTES];
  for (int k = WORDS; k <= VECTORS; k++) {
    if (staged->paths[k] == NULL) continue;
    VT_TRY(vt_output_open(staged->paths[k], &staged->outputs[k], error));
    vt_output_hash(staged->outputs[k]);
    VT_TRY(write[k](source, staged->outputs[k], error));
    VT_TRY(vt_output_sha256(staged->outputs[k], sha256[k], error));
  }
  VT_TRY(vt_output_open(staged->paths[CHECKSUMS], &staged->outputs[CHECKSUMS], error));
  for (int k = VECTORS; k >= WORDS; k--)
    if (staged->paths[k] != NULL)
      VT_TRY(vt_output_printf(staged->outputs[CHECKSUMS], error, "%s  %s\n", sha256[k],
                              vt_checksum_name(staged->paths[k])));
  return VT_OK;
}

/* Checksums of what was there before must not outlive it. */
static enum vt_status put_in_place(struct staged *staged, struct vt_error *error) {
  enum vt_status status = VT_OK;
  (void)unlink(staged->paths[CHECKSUMS]);
  int k = WORDS;
  for (; k < FILES && status == VT_OK; k++) {
    if (staged->paths[k] == NULL) continue;
    status = vt_output_commit(staged->outputs[k], error);
    staged->outputs[k] = NULL;
  }
  if (status != VT_OK) (void)unlink(staged->paths[CHECKSUMS]); /* it may be there, but not for certain */
  for (k -= 2; status != VT_OK && k >= WORDS; k--)
    if (staged->paths[k] != NULL) (void)unlink(staged->paths[k]);
  return status;
}

enum vt_status vt_export_files(const struct vt_export_writers *writing, const void *source, const char *path,
                               struct vt_error *error) {
  struct staged staged = {0};
  enum vt_status status = name_files(&staged, writing, path, error);
  if (status == VT_OK) status = stage(&staged, writing, source, error);
  if (status == VT_OK) status = put_in_place(&staged, error);
  release(&staged);
  return status;
}

struct vectors_source {
  const struct vt_vectors *vectors;
  enum vt_export_format format;
};

static enum vt_status write_vectors(const void *source, struct vt_output *output, struct vt_error *error) {
  const struct vectors_source *from = source;
  return writers[from->format].vectors(from->vectors, output, error);
}

static enum vt_status write_words(const void *source, struct vt_output *output, struct vt_error *error) {
  const struct vectors_source *from = source;
  return writers[from->format].words(from->vectors, output, error);
}

enum vt_status vt_export(const struct vt_vectors *vectors, enum vt_export_format format, const char *path,
                         struct vt_error *error) {
  if ((size_t)format >= FORMAT_COUNT) return VT_FAIL(error, VT_ERROR_ARGUMENT, "there is no format %d", (int)format);
  const struct vt_export_writers writing = {.vectors = write_vectors,
                                            .words = writers[format].words == NULL ? NULL : write_words,
                                            .words_extension = names[format].second_extension};
  const struct vectors_source source = {vectors, format};
  return vt_export_files(&writing, &source, path, error);
}
