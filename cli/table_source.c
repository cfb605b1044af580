/* table_source.c: folders are runs, files are vectors, and a number behind an @ is a step. */
#define _POSIX_C_SOURCE 200809L

#include "table_source.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "report.h"

/* The path of the folder and the step, of "folder@step"; NULL where it is not that. Freed by the caller. */
static char *split(const char *name, uint64_t *step) {
  const char *at = strrchr(name, '@');
  if (at == NULL || at == name || at[1] == '\0') return NULL;
  *step = 0;
  for (const char *digit = at + 1; *digit != '\0'; digit++) {
    if (*digit < '0' || *digit > '9' || *step > (UINT64_MAX - 9) / 10) return NULL;
    *step = 10 * *step + (uint64_t)(*digit - '0');
  }
  size_t bytes = (size_t)(at - name);
  char *path = cli_alloc(bytes + 1, 1);
  memcpy(path, name, bytes);
  path[bytes] = '\0';
  return path;
}

static bool is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static enum exit_status open_run(struct table_source *source, const char *path, uint64_t step) {
  struct vt_error error;
  if (vt_run_open(path, &source->run, &error) != VT_OK) return report_error(&error);
  if (vt_run_vectors(source->run, step, &source->vectors, &error) == VT_OK) return EXIT_DONE;
  table_source_close(source);
  return report_error(&error);
}

enum exit_status table_source_open(struct table_source *source, const char *name,
                                   const struct vt_import_options *read) {
  *source = (struct table_source){.name = name};
  struct stat info;
  uint64_t step = VT_STEP_LAST;
  if (is_folder(name)) return open_run(source, name, step);
  char *path = stat(name, &info) == 0 ? NULL : split(name, &step);
  if (path != NULL && is_folder(path)) {
    enum exit_status status = open_run(source, path, step);
    free(path);
    return status;
  }
  free(path);
  struct vt_error error;
  if (vt_import_vectors(name, read, &source->vocab, &source->vectors, &error) == VT_OK) return EXIT_DONE;
  return report_error(&error);
}

void table_source_close(struct table_source *source) {
  vt_vectors_free(source->vectors);
  vt_vocab_free(source->vocab);
  vt_run_close(source->run);
  *source = (struct table_source){0};
}

bool table_source_same_run(const struct table_source *a, const struct table_source *b) {
  if (a->run == NULL || b->run == NULL) return false;
  uint64_t step;
  char *path_a = is_folder(a->name) ? NULL : split(a->name, &step);
  char *path_b = is_folder(b->name) ? NULL : split(b->name, &step);
  struct stat info_a, info_b;
  bool same = stat(path_a != NULL ? path_a : a->name, &info_a) == 0 &&
              stat(path_b != NULL ? path_b : b->name, &info_b) == 0 && info_a.st_dev == info_b.st_dev &&
              info_a.st_ino == info_b.st_ino;
  free(path_a);
  free(path_b);
  return same;
}
