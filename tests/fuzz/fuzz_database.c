/* fuzz_database.c: a run whose database file is anything at all; bytes from the mark "WAL!" on are its log. */
#define _GNU_SOURCE
#include <string.h>
#include <stdio.h>

#include "fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  vtz_make_run();
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static const char *const leftovers[] = {"run/run.db-journal", "run/run.db-wal", "run/run.db-shm"};
  for (int k = 0; k < 3; k++) remove(vtz_path(leftovers[k]));
  const uint8_t *mark = bytes > 0 ? memmem(data, bytes, "WAL!", 4) : NULL;
  size_t log = mark == NULL ? bytes : (size_t)(mark - data);
  vtz_write("run/run.db", data, log);
  if (mark != NULL) vtz_write("run/run.db-wal", data + log + 4, bytes - log - 4);
  char path[256];
  snprintf(path, sizeof path, "%s", vtz_path("run"));
  vtz_read_run(path);
  return 0;
}
