/* common.c: files and folders of the fuzz targets. */
#define _GNU_SOURCE
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "vectrail/import.h"
#include "vectrail/vectors.h"
#include "vectrail/vocab.h"

void vtz_require(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  abort();
}

const char *vtz_file(int place, const void *data, size_t bytes) {
  static int files[VTZ_FILES];
  static char paths[VTZ_FILES][64];
  if (files[place] == 0) {
    files[place] = memfd_create("fuzz", MFD_CLOEXEC);
    vtz_require(files[place] > 0, "a file in memory");
    snprintf(paths[place], sizeof paths[place], "/proc/self/fd/%d", files[place]);
  }
  bool written = ftruncate(files[place], 0) == 0;
  for (size_t at = 0; written && at < bytes;) {
    ssize_t put = pwrite(files[place], (const char *)data + at, bytes - at, (off_t)at);
    written = put > 0;
    at += written ? (size_t)put : 0;
  }
  vtz_require(written, "a file in memory can be written");
  return paths[place];
}

static char folder[64];

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place) {
  (void)info;
  (void)type;
  (void)place;
  return remove(path);
}

static void remove_folder(void) { nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

const char *vtz_folder(void) {
  if (folder[0] == '\0') {
    snprintf(folder, sizeof folder, "%s/vtz_XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    vtz_require(mkdtemp(folder) != NULL, "a folder");
    atexit(remove_folder);
  }
  return folder;
}

const char *vtz_path(const char *name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", vtz_folder(), name);
  return path;
}

void vtz_write(const char *name, const void *data, size_t bytes) {
  FILE *file = fopen(vtz_path(name), "wb");
  vtz_require(file != NULL && fwrite(data, 1, bytes, file) == bytes && fclose(file) == 0, "a file can be written");
}

void vtz_check_vectors(struct vt_vocab *vocab, struct vt_vectors *vectors) {
  vtz_require(vectors->rows == vt_vocab_size(vocab) && vectors->rows > 0 && vectors->dim > 0, "as many rows as words");
  for (size_t k = 0; k < vectors->rows * vectors->dim; k++)
    vtz_require(isfinite(vectors->data[k]), "numbers are finite");
  for (uint32_t w = 0; w < vectors->rows; w++) {
    uint32_t found;
    const char *text = vt_vocab_text(vocab, w);
    vtz_require(vt_vocab_find(vocab, text, &found) && found == w && text[0] != '\0', "a word is found again");
  }
  vt_vectors_free(vectors);
  vt_vocab_free(vocab);
}

void vtz_import(const uint8_t *data, size_t bytes, int format, const char *words) {
  /* The first byte chooses between what is told by content and what is said. */
  if (bytes < 1) return;
  const struct vt_import_options options = {
      .format = (data[0] & 1) != 0 ? (enum vt_import_format)format : VT_IMPORT_AUTO, .vocab_path = words};
  struct vt_vocab *vocab;
  struct vt_vectors *vectors;
  struct vt_error error;
  enum vt_status status = vt_import_vectors(vtz_file(0, data + 1, bytes - 1), &options, &vocab, &vectors, &error);
  vtz_require(status == VT_OK || error.message[0] != '\0', "a refusal says why");
  if (status == VT_OK) vtz_check_vectors(vocab, vectors);
}
