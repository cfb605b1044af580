/* fuzz_w2v_text.c: word2vec's text format. */
#include "fuzz/fuzz.h"
#include "vectrail/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  vtz_import(data, bytes, VT_IMPORT_W2V_TEXT, NULL);
  return 0;
}
