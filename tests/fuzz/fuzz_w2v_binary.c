/* fuzz_w2v_binary.c: word2vec's binary format. */
#include "fuzz/fuzz.h"
#include "vectrail/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  vtz_import(data, bytes, VT_IMPORT_W2V_BINARY, NULL);
  return 0;
}
