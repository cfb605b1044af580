/*
 * temporary.c: temporary folders for tests.
 *
 * The folder keeps every path that it handed out in a list, so that a test need not free any of them. Removal walks
 * the tree with nftw, depth first, without following links.
 */
#define _XOPEN_SOURCE 700

#include "support/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

struct path_node {
  struct path_node *next;
  char text[];
};

struct vtt_folder {
  struct path_node *paths;
  char *path;
};

static void *must_allocate(size_t bytes) {
  void *block = malloc(bytes);
  if (!block) fail_msg("cannot allocate %zu bytes for a test", bytes);
  return block;
}

struct vtt_folder *vtt_folder_create(void) {
  const char *parent = getenv("TMPDIR");
  if (!parent || !*parent) parent = "/tmp";
  size_t bytes = strlen(parent) + sizeof "/vectrail-test-XXXXXX";
  struct vtt_folder *folder = must_allocate(sizeof *folder);
  folder->paths = NULL;
  folder->path = must_allocate(bytes);
  (void)snprintf(folder->path, bytes, "%s/vectrail-test-XXXXXX", parent);
  if (!mkdtemp(folder->path)) fail_msg("cannot make a folder in %s: %s", parent, strerror(errno));
  return folder;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place) {
  (void)status;
  (void)kind;
  (void)place;
  return remove(path);
}

void vtt_folder_remove(struct vtt_folder *folder) {
  if (!folder) return;
  int failed = nftw(folder->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  if (failed) fail_msg("cannot remove %s: %s", folder->path, strerror(errno));
  for (struct path_node *node = folder->paths, *next; node; node = next) {
    next = node->next;
    free(node);
  }
  free(folder->path);
  free(folder);
}

const char *vtt_folder_path(const struct vtt_folder *folder) { return folder->path; }

const char *vtt_path(struct vtt_folder *folder, const char *name) {
  size_t bytes = strlen(folder->path) + 1 + strlen(name) + 1;
  struct path_node *node = must_allocate(sizeof *node + bytes);
  (void)snprintf(node->text, bytes, "%s/%s", folder->path, name);
  node->next = folder->paths;
  folder->paths = node;
  return node->text;
}

const char *vtt_write(struct vtt_folder *folder, const char *name, const void *data, size_t bytes) {
  const char *path = vtt_path(folder, name);
  FILE *file = fopen(path, "wb");
  if (!file) fail_msg("cannot make %s: %s", path, strerror(errno));
  size_t written = bytes ? fwrite(data, 1, bytes, file) : 0;
  if (fclose(file) != 0 || written != bytes) fail_msg("cannot write %s: %s", path, strerror(errno));
  return path;
}

const char *vtt_write_text(struct vtt_folder *folder, const char *name, const char *text) {
  return vtt_write(folder, name, text, strlen(text));
}

size_t vtt_folder_entries(const struct vtt_folder *folder) {
  DIR *stream = opendir(folder->path);
  if (!stream) fail_msg("cannot list %s: %s", folder->path, strerror(errno));
  size_t count = 0;
  for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
    count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
  (void)closedir(stream);
  return count;
}

char *vtt_read(const char *path, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  if (!file) fail_msg("cannot open %s: %s", path, strerror(errno));
  struct stat status;
  if (fstat(fileno(file), &status) != 0) fail_msg("cannot look at %s: %s", path, strerror(errno));
  size_t size = (size_t)status.st_size;
  char *data = must_allocate(size + 1);
  size_t got = fread(data, 1, size, file);
  if (got != size || ferror(file)) fail_msg("%s: read %zu of %zu bytes", path, got, size);
  (void)fclose(file);
  data[size] = '\0';
  if (bytes) *bytes = size;
  return data;
}

bool vtt_exists(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0;
}
