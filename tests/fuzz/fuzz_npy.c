/* fuzz_npy.c: NumPy arrays, with four words beside. */
#include "fuzz/fuzz.h"
#include "vectrail/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static const char words[] = "the\nof\nand\nto\n";
  vtz_import(data, bytes, VT_IMPORT_NPY, vtz_file(1, words, sizeof words - 1));
  return 0;
}
