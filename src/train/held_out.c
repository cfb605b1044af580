/* held_out.c: one pass over the corpus; the spans are read-only afterwards. */
#include "train/held_out.h"

#include <inttypes.h>
#include <stdbool.h>

#include "base/memory.h"
#include "base/rng.h"
#include "vectrail/corpus.h"

static bool is_held_out(uint64_t seed, uint64_t sentence, double share) {
  struct vt_rng rng = vt_rng_make(VT_RNG_HELD_OUT, seed, sentence, 0);
  return (double)(vt_rng_next(&rng) >> 11) * 0x1p-53 < share;
}

static enum vt_status add_span(struct vt_held_out *held_out, size_t *capacity, uint64_t begin, uint64_t end,
                               struct vt_error *error) {
  if (held_out->count == *capacity) {
    size_t wanted = *capacity == 0 ? 64 : 2 * *capacity;
    struct vt_span *grown = vt_realloc(held_out->spans, wanted, sizeof *grown);
    if (grown == NULL) return VT_FAIL_MEMORY(error, wanted * sizeof *grown);
    held_out->spans = grown;
    *capacity = wanted;
  }
  held_out->spans[held_out->count++] = (struct vt_span){begin, end, held_out->tokens};
  held_out->tokens += end - begin;
  return VT_OK;
}

enum vt_status vt_held_out_init(struct vt_held_out *held_out, const uint32_t *ids, uint64_t entries,
                                const struct vt_corpus *corpus, uint64_t seed, double share, struct vt_error *error) {
  *held_out = (struct vt_held_out){0};
  size_t capacity = 0;
  uint64_t begin = 0, sentence = 0, kept = 0;
  enum vt_status status = VT_OK;
  for (uint64_t place = 0; place <= entries && status == VT_OK; place++) {
    if (place < entries && ids[place] != VT_CORPUS_END) continue;
    if (place > begin) {
      if (is_held_out(seed, sentence, share)) status = add_span(held_out, &capacity, begin, place, error);
      sentence++;
    }
    begin = place + 1;
    vt_corpus_passed(corpus, place, &kept);
  }
  vt_corpus_forget(corpus);
  if (status == VT_OK && (held_out->count == 0 || held_out->count == sentence))
    status = VT_FAIL_HELP(error, VT_ERROR_EMPTY, "hold out another share, or take another --seed",
                          "--held-out %g takes %s of the %" PRIu64 " sentences", share,
                          held_out->count == 0 ? "none" : "all", sentence);
  if (status != VT_OK) vt_held_out_release(held_out);
  return status;
}

void vt_held_out_release(struct vt_held_out *held_out) {
  vt_free(held_out->spans);
  *held_out = (struct vt_held_out){0};
}

size_t vt_held_out_after(const struct vt_held_out *held_out, uint64_t place) {
  size_t low = 0, high = held_out->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (held_out->spans[middle].end <= place)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

uint64_t vt_held_out_place(const struct vt_held_out *held_out, uint64_t n) {
  size_t low = 0, high = held_out->count;
  while (low + 1 < high) {
    size_t middle = low + (high - low) / 2;
    if (held_out->spans[middle].before <= n)
      low = middle;
    else
      high = middle;
  }
  return held_out->spans[low].begin + (n - held_out->spans[low].before);
}
