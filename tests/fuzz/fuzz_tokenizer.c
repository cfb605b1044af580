/* fuzz_tokenizer.c: the words beside a table: tokenizer.json, a map of tokens, or a word a line. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "vectrail/import.h"
#include "vectrail/vectors.h"
#include "vectrail/vocab.h"

#define ROWS 16

/* An array of ROWS x 1 float32 with the version's 64-byte head. */
static const char *table(void) {
  static const char head[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (16, 1), }";
  unsigned char bytes[128 + 4 * ROWS] = "\x93NUMPY\x01\x00\x76\x00";
  float values[ROWS];
  memset(bytes + 10, ' ', 118);
  memcpy(bytes + 10, head, sizeof head - 1);
  bytes[127] = '\n';
  for (int k = 0; k < ROWS; k++) values[k] = (float)k;
  memcpy(bytes + 128, values, sizeof values);
  return vtz_file(1, bytes, sizeof bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  const struct vt_import_options options = {.format = VT_IMPORT_NPY, .vocab_path = vtz_file(0, data, bytes)};
  struct vt_vocab *vocab;
  struct vt_vectors *vectors;
  struct vt_error error;
  if (vt_import_vectors(table(), &options, &vocab, &vectors, &error) == VT_OK) vtz_check_vectors(vocab, vectors);
  /* The same bytes as a list of words with their counts. */
  if (vt_vocab_load(options.vocab_path, &vocab, &error) == VT_OK) {
    vtz_require(vt_vocab_size(vocab) > 0, "a vocabulary has words");
    uint32_t near[4];
    vtz_require(vt_vocab_suggest(vocab, vt_vocab_text(vocab, 0), near, 4) <= 4, "at most as many as asked for");
    vt_vocab_free(vocab);
  }
  return 0;
}
