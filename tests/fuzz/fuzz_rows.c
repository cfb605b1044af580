/*
 * fuzz_rows.c: a sound database with hostile contents: rows put into the tables of a run.
 *
 * The input is a list of rows: a byte that names the table, then its columns, each a byte for the type and what belongs
 * to it: 'i' a whole number of 8 bytes, 'd' a double, 't' and 'b' a length of one byte and so many bytes, 'w' a small
 * whole number of one byte, anything else NULL.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "run/store.h"

static unsigned char sound[1 << 20];
static size_t sound_bytes;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  vtz_make_run();
  FILE *file = fopen(vtz_path("run/run.db"), "rb");
  vtz_require(file != NULL, "the database of a run");
  sound_bytes = fread(sound, 1, sizeof sound, file);
  fclose(file);
  return 0;
}

struct input {
  const uint8_t *at, *end;
};

static size_t take(struct input *input, void *to, size_t bytes) {
  size_t there = (size_t)(input->end - input->at);
  if (there < bytes) bytes = there;
  if (bytes > 0) memcpy(to, input->at, bytes);
  input->at += bytes;
  return bytes;
}

static struct vt_store_value take_value(struct input *input, char text[256]) {
  uint8_t type = 0, length = 0;
  struct vt_store_value value = {.type = VT_STORE_NULL};
  take(input, &type, 1);
  switch (type) {
  case 'i':
    value.type = VT_STORE_INTEGER;
    take(input, &value.integer, sizeof value.integer);
    break;
  case 'w':
    value.type = VT_STORE_INTEGER;
    take(input, &length, 1);
    value.integer = length < 128 ? length : length - 256;
    break;
  case 'd':
    value.type = VT_STORE_REAL;
    take(input, &value.real, sizeof value.real);
    break;
  case 't':
  case 'b':
    value.type = type == 't' ? VT_STORE_TEXT : VT_STORE_BLOB;
    take(input, &length, 1);
    value.data = text;
    value.bytes = take(input, text, length);
    break;
  default:
    break;
  }
  return value;
}

static void put_rows(struct input *input, struct vt_store *store) {
  static const int columns[VT_STORE_TABLES] = {
      [VT_STORE_META] = 2,  [VT_STORE_WORD] = 3,     [VT_STORE_STEP] = 5,  [VT_STORE_METRIC] = 3, [VT_STORE_PAIR] = 4,
      [VT_STORE_TRAIL] = 3, [VT_STORE_SNAPSHOT] = 4, [VT_STORE_EVENT] = 4, [VT_STORE_LEDGER] = 6};
  while (input->at < input->end) {
    uint8_t table = 0;
    char texts[6][256];
    struct vt_store_value values[6];
    struct vt_error error;
    take(input, &table, 1);
    table %= VT_STORE_TABLES;
    for (int c = 0; c < columns[table]; c++) values[c] = take_value(input, texts[c]);
    vt_store_insert(store, table, values, &error); /* one that the schema refuses is left out */
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static const char *const leftovers[] = {"run/run.db-journal", "run/run.db-wal", "run/run.db-shm"};
  struct vt_error error;
  struct vt_store *store;
  char path[256];
  for (int k = 0; k < 3; k++) remove(vtz_path(leftovers[k]));
  vtz_write("run/run.db", sound, sound_bytes);
  if (vt_store_open_writable(vtz_path("run/run.db"), &store, &error) != VT_OK) vtz_require(false, error.message);
  vtz_require(vt_store_begin(store, &error) == VT_OK, "a transaction");
  struct input input = {.at = data, .end = data + bytes};
  put_rows(&input, store);
  vtz_require(vt_store_commit(store, &error) == VT_OK, "rows are committed");
  vt_store_close(store);
  snprintf(path, sizeof path, "%s", vtz_path("run"));
  vtz_read_run(path);
  return 0;
}
