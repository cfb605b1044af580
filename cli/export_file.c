/*
 * export_file.c: extensions, and whether there is a place to write to.
 */
#define _POSIX_C_SOURCE 200809L

#include "export_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"

bool export_format_guess(const char *path, enum vt_export_format *format) {
  static const struct {
    const char *extension;
    enum vt_export_format format;
  } known[] = {
      {".txt", VT_EXPORT_W2V_TEXT},
      {".vec", VT_EXPORT_W2V_TEXT},
      {".bin", VT_EXPORT_W2V_BINARY},
      {".npy", VT_EXPORT_NPY},
      {".safetensors", VT_EXPORT_SAFETENSORS},
      {".tsv", VT_EXPORT_PROJECTOR},
  };
  const char *slash = strrchr(path, '/');
  const char *extension = strrchr(slash != NULL ? slash : path, '.');
  for (size_t i = 0; extension != NULL && i < sizeof known / sizeof known[0]; i++)
    if (strcmp(extension, known[i].extension) == 0) {
      *format = known[i].format;
      return true;
    }
  return false;
}

bool export_folder_is_writable(const char *path) {
  static const char help[] = "choose another FILE to write the vectors to";
  struct stat status;
  if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
    report(help, "%s: cannot write: this is a folder", path);
    return false;
  }
  size_t bytes = strlen(path) + 2;
  char *folder = cli_alloc(bytes, 1);
  const char *slash = strrchr(path, '/');
  if (slash == NULL)
    memcpy(folder, ".", 2);
  else
    memcpy(folder, path, (size_t)(slash - path) + 1);
  bool writable = access(folder, W_OK | X_OK) == 0;
  if (!writable) report(help, "%s: cannot write into this folder: %s", folder, strerror(errno));
  free(folder);
  return writable;
}
