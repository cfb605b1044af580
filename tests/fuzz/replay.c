/*
 * replay.c: gives a fuzz target all files of some folders, in the order of their names, whole and cut off at eight
 * places: a test where there is no fuzzer.
 */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"

#define CUTS 8

#pragma weak LLVMFuzzerInitialize

/* From a block of just that size, so that a sanitizer sees a byte too many. */
static void give(const uint8_t *data, size_t bytes) {
  uint8_t *copy = malloc(bytes > 0 ? bytes : 1);
  if (copy == NULL) exit(1);
  if (bytes > 0) memcpy(copy, data, bytes);
  LLVMFuzzerTestOneInput(copy, bytes);
  free(copy);
}

static int replay(const char *folder, const char *name) {
  char path[4096];
  static uint8_t data[1 << 20];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    return 0;
  }
  size_t bytes = fread(data, 1, sizeof data, file);
  fclose(file);
  for (size_t k = 0; k < CUTS; k++) give(data, bytes * k / CUTS);
  give(data, bytes);
  return 1;
}

static int is_file(const struct dirent *entry) { return entry->d_name[0] != '.'; }

int main(int argc, char **argv) {
  int files = 0;
  if (LLVMFuzzerInitialize != NULL) LLVMFuzzerInitialize(&argc, &argv);
  give(NULL, 0);
  for (int k = 1; k < argc; k++) {
    struct dirent **entries;
    int count = scandir(argv[k], &entries, is_file, alphasort);
    for (int e = 0; e < count; e++) {
      files += replay(argv[k], entries[e]->d_name);
      free(entries[e]);
    }
    if (count >= 0) free(entries);
  }
  printf("%d inputs\n", files);
  return files > 0 ? 0 : 1;
}
