/* fuzz_bpe.c: a tokenizer.json; and the same bytes as a text that pieces are learnt from. */
#include <string.h>

#include "base/memory.h"
#include "fuzz/fuzz.h"
#include "text/bpe.h"

/* Any bytes come back. */
static void check(const struct vt_bpe *bpe, const uint8_t *data, size_t bytes) {
  uint32_t *ids = NULL;
  size_t count = 0, capacity = 0, at = 0;
  if (vt_bpe_encode(bpe, data, bytes, &ids, &count, &capacity, NULL) != VT_OK) return;
  for (size_t k = 0; k < count; k++) {
    size_t length;
    vtz_require(ids[k] < vt_bpe_size(bpe), "tokens are those that there are");
    const unsigned char *piece = vt_bpe_bytes(bpe, ids[k], &length);
    vtz_require(length <= bytes - at && memcmp(data + at, piece, length) == 0, "the text comes back");
    at += length;
  }
  vtz_require(at == bytes, "all of the text comes back");
  vt_free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  struct vt_bpe *bpe;
  struct vt_bpe_trainer *trainer;
  if (bytes > 65536) return 0;
  if (vt_bpe_read(vtz_file(0, data, bytes), &bpe, NULL) == VT_OK) vt_bpe_free(bpe);
  if (vt_bpe_trainer_create(&trainer, NULL) != VT_OK) return 0;
  if (vt_bpe_trainer_add(trainer, data, bytes, NULL) == VT_OK &&
      vt_bpe_trainer_learn(trainer, 300, NULL, &bpe, NULL) == VT_OK) {
    check(bpe, data, bytes);
    vt_bpe_free(bpe);
  }
  vt_bpe_trainer_free(trainer);
  return 0;
}
