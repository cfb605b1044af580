/* shares.c */
#include "analysis/shares.h"

#include "base/memory.h"
#include "base/rng.h"

static size_t share_of(uint64_t seed, uint64_t sentence, const double *shares, size_t count) {
  struct vt_rng rng = vt_rng_make(VT_RNG_ANALYSIS, seed, 2, sentence);
  double at = (double)(vt_rng_next(&rng) >> 11) * 0x1p-53;
  for (size_t s = 0; s + 1 < count; s++) {
    if (at < shares[s]) return s;
    at -= shares[s];
  }
  return count - 1;
}

static void deal(const struct vt_corpus *corpus, uint64_t seed, const double *shares, struct vt_shares *drawn) {
  const uint32_t *ids = vt_corpus_ids(corpus);
  const uint64_t entries = vt_corpus_entries(corpus);
  uint64_t kept = 0, sentence = 0, before[VT_SHARES_MAX] = {0};
  for (uint64_t begin = 0, end = 0; begin < entries; begin = end + 1, sentence++) {
    for (end = begin; end < entries && ids[end] != VT_CORPUS_END;) end++;
    vt_corpus_passed(corpus, begin, &kept);
    size_t own = share_of(seed, sentence, shares, drawn->count);
    for (size_t s = 0; s < drawn->count; s++) {
      if (s == own) continue;
      drawn->others[s][drawn->other_counts[s]++] = (struct vt_span){begin, end, before[s]};
      before[s] += end - begin;
    }
  }
}

enum vt_status vt_shares_draw(const struct vt_corpus *corpus, uint64_t seed, const double *shares, size_t count,
                              struct vt_shares *drawn, struct vt_error *error) {
  const size_t sentences = (size_t)vt_corpus_sentences(corpus);
  *drawn = (struct vt_shares){.count = count};
  enum vt_status status = VT_OK;
  for (size_t s = 0; s < count; s++) {
    drawn->others[s] = vt_alloc(sentences, sizeof *drawn->others[s]);
    if (drawn->others[s] == NULL) status = VT_FAIL_MEMORY(error, sentences * sizeof *drawn->others[s]);
  }
  if (status == VT_OK) deal(corpus, seed, shares, drawn);
  for (size_t s = 0; status == VT_OK && s < count; s++)
    if (drawn->other_counts[s] == sentences)
      status = VT_FAIL_HELP(error, VT_ERROR_EMPTY, "use more text, or put each sentence on a line of its own",
                            "the text has %zu sentences, too few to be divided into %zu parts", sentences, count);
  if (status != VT_OK) vt_shares_release(drawn);
  return status;
}

void vt_shares_release(struct vt_shares *drawn) {
  for (size_t s = 0; s < VT_SHARES_MAX; s++) vt_free(drawn->others[s]);
  *drawn = (struct vt_shares){0};
}
