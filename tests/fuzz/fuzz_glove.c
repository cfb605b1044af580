/* fuzz_glove.c: GloVe's text format. */
#include "fuzz/fuzz.h"
#include "vectrail/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  vtz_import(data, bytes, VT_IMPORT_GLOVE, NULL);
  return 0;
}
