/*
 * replay.c: gives a fuzz target all files of some folders, in the order of their names, whole and cut off at eight
 * places: a test where there is no fuzzer. usage: fuzz_replay NAME FOLDER..., as fuzz_npy; without a name it prints
 * them all.
 *
 * All targets are in this one program: the build renames what libFuzzer calls in each after its file, and lists the
 * names.
 */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUTS 8

#define TARGET(name)                                                                                                   \
  int name(const uint8_t *data, size_t bytes);                                                                         \
  __attribute__((weak)) int name##_begin(int *argc, char ***argv);
#include "targets.list"
#undef TARGET

struct target {
  const char *name;
  int (*take)(const uint8_t *data, size_t bytes);
  int (*begin)(int *argc, char ***argv); /* NULL where it has none */
};

static const struct target targets[] = {
#define TARGET(name) {#name, name, name##_begin},
#include "targets.list"
#undef TARGET
};
#define TARGETS (sizeof targets / sizeof targets[0])

/* From a block of just that size, so that a sanitizer sees a byte too many. */
static void give(const struct target *target, const uint8_t *data, size_t bytes) {
  uint8_t *copy = malloc(bytes > 0 ? bytes : 1);
  if (copy == NULL) exit(1);
  if (bytes > 0) memcpy(copy, data, bytes);
  target->take(copy, bytes);
  free(copy);
}

static int replay(const struct target *target, const char *folder, const char *name) {
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
  for (size_t k = 0; k < CUTS; k++) give(target, data, bytes * k / CUTS);
  give(target, data, bytes);
  return 1;
}

static int is_file(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static const struct target *find(const char *name) {
  for (size_t k = 0; k < TARGETS; k++)
    if (strcmp(targets[k].name, name) == 0) return &targets[k];
  return NULL;
}

int main(int argc, char **argv) {
  for (size_t k = 0; argc < 2 && k < TARGETS; k++) puts(targets[k].name);
  if (argc < 2) return 0;
  const struct target *target = find(argv[1]);
  if (target == NULL) {
    fprintf(stderr, "fuzz_replay: there is no target '%s'\n", argv[1]);
    return 2;
  }
  int files = 0;
  if (target->begin != NULL) target->begin(&argc, &argv);
  give(target, NULL, 0);
  for (int k = 2; k < argc; k++) {
    struct dirent **entries;
    int count = scandir(argv[k], &entries, is_file, alphasort);
    for (int e = 0; e < count; e++) {
      files += replay(target, argv[k], entries[e]->d_name);
      free(entries[e]);
    }
    if (count >= 0) free(entries);
  }
  printf("%d inputs\n", files);
  return files > 0 ? 0 : 1;
}
