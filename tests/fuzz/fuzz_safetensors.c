/* fuzz_safetensors.c: files of tensors, as vectors of others and as any file of ours. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "run/safetensors.h"
#include "vectrail/import.h"

/* Every byte of every tensor lies in the file. */
static void look(const char *path) {
  struct vt_safetensors *file;
  struct vt_error error;
  if (vt_safetensors_open(path, &file, &error) != VT_OK) return;
  volatile unsigned sum = 0;
  for (size_t k = 0; k < vt_safetensors_count(file); k++) {
    const struct vt_tensor *tensor = vt_safetensors_at(file, k);
    const unsigned char *data = tensor->data;
    for (size_t b = 0; b < tensor->bytes; b++) sum = sum + data[b];
    vtz_require(vt_safetensors_find(file, tensor->name) != NULL, "a tensor is found by its name");
  }
  const char *format = vt_safetensors_meta(file, "format");
  vtz_require(format == NULL || strlen(format) < (size_t)1 << 30, "a text of the metadata ends");
  char sha256[VT_SHA256_TEXT_BYTES];
  vt_safetensors_sha256(file, sha256);
  vtz_require(strlen(sha256) == VT_SHA256_TEXT_BYTES - 1, "a checksum has its length");
  vt_safetensors_close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static const char words[] = "the\nof\nand\nto\n";
  if (bytes < 1) return 0;
  vtz_import(data, bytes, VT_IMPORT_SAFETENSORS, vtz_file(1, words, sizeof words - 1));
  look(vtz_file(0, data + 1, bytes - 1));
  return 0;
}
