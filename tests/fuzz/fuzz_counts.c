/* fuzz_counts.c: a database of counts that is anything at all; what is read is looked at, and trained on. */
#include <stdlib.h>

#include "fuzz/fuzz.h"
#include "text/meetings.h"
#include "train/pair_counts.h"
#include "vectrail/cooccur.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  struct vt_cooccur *counts;
  struct vt_vocab *vocab;
  vtz_write("counts.db", data, bytes);
  if (vt_cooccur_load(vtz_path("counts.db"), NULL, &counts, &vocab, NULL) != VT_OK) return 0;
  if (vt_vocab_size(vocab) != vt_cooccur_words(counts)) abort();
  struct vt_meetings meetings;
  struct vt_pair_counts pairs;
  if (vt_meetings_take(counts, &meetings, NULL) == VT_OK) {
    if (!(meetings.total > 0)) abort();
    vt_meetings_release(&meetings);
  }
  if (vt_pair_counts_create(counts, &pairs, NULL) == VT_OK) {
    uint32_t inputs[64], targets[64];
    vt_pair_counts_sample(&pairs, 1, 64, inputs, targets);
    for (int k = 0; k < 64; k++)
      if (inputs[k] >= vt_cooccur_words(counts) || targets[k] >= vt_cooccur_words(counts)) abort();
    vt_pair_counts_release(&pairs);
  }
  vt_cooccur_free(counts);
  vt_vocab_free(vocab);
  return 0;
}
