/* planted.c: one sentence at a time, each about one planted word. */
#include "analysis/planted.h"

#include <inttypes.h>

#include "base/file.h"
#include "base/rng.h"

#define AROUND 8 /* topic words in a sentence */
#define TOPIC_WORDS 10

const char *const vt_planted_synonyms[VT_PLANTED_SYNONYMS][2] = {
    {"big", "large"},     {"small", "little"}, {"fast", "quick"},   {"happy", "glad"},
    {"clever", "smart"},  {"begin", "start"},  {"end", "finish"},   {"answer", "reply"},
    {"buy", "purchase"},  {"house", "home"},   {"road", "street"},  {"car", "automobile"},
    {"picture", "image"}, {"help", "assist"},  {"gift", "present"}, {"stone", "rock"},
};

const char *const vt_planted_couples[VT_PLANTED_COUPLES][2] = {
    {"man", "woman"},    {"king", "queen"},   {"prince", "princess"}, {"actor", "actress"},
    {"uncle", "aunt"},   {"son", "daughter"}, {"brother", "sister"},  {"father", "mother"},
    {"husband", "wife"}, {"duke", "duchess"}, {"monk", "nun"},        {"waiter", "waitress"},
};

static const char *const sexes[2] = {"he", "she"};
static const char *const fillers[] = {"the", "of", "and", "a", "in"};
#define FILLERS ((uint32_t)(sizeof fillers / sizeof *fillers))

static enum vt_status put_topic(struct vt_output *output, struct vt_rng *rng, const char *topic,
                                struct vt_error *error) {
  return vt_output_printf(output, error, "%s.%" PRIu32 " ", topic, vt_rng_below(rng, TOPIC_WORDS));
}

/* The word stands in the middle of topic words, each of one of the two topics. */
static enum vt_status put_sentence(struct vt_output *output, struct vt_rng *rng, const char *word,
                                   const char *const topics[2], struct vt_error *error) {
  for (int k = 0; k < AROUND; k++) {
    if (k == AROUND / 2) VT_TRY(vt_output_printf(output, error, "%s ", word));
    VT_TRY(put_topic(output, rng, topics[vt_rng_below(rng, 2)], error));
    if (vt_rng_below(rng, 3) == 0) VT_TRY(vt_output_printf(output, error, "%s ", fillers[vt_rng_below(rng, FILLERS)]));
  }
  return vt_output_write(output, "\n", 1, error);
}

static enum vt_status put_any(struct vt_output *output, struct vt_rng *rng, struct vt_error *error) {
  uint32_t kind = vt_rng_below(rng, 2), side = vt_rng_below(rng, 2);
  if (kind == 0) {
    const char *const *synonyms = vt_planted_synonyms[vt_rng_below(rng, VT_PLANTED_SYNONYMS)];
    return put_sentence(output, rng, synonyms[side], (const char *const[]){synonyms[0], synonyms[0]}, error);
  }
  const char *const *couple = vt_planted_couples[vt_rng_below(rng, VT_PLANTED_COUPLES)];
  return put_sentence(output, rng, couple[side], (const char *const[]){couple[0], sexes[side]}, error);
}

enum vt_status vt_planted_write(const char *path, uint32_t sentences, uint64_t seed, struct vt_error *error) {
  struct vt_output *output;
  VT_TRY(vt_output_open(path, &output, error));
  struct vt_rng rng = vt_rng_make(VT_RNG_PLANTED, seed, 0, 0);
  for (uint32_t s = 0; s < sentences; s++) {
    enum vt_status status = put_any(output, &rng, error);
    if (status == VT_OK) continue;
    vt_output_abort(output);
    return status;
  }
  return vt_output_commit(output, error);
}
