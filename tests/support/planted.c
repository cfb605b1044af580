/* planted.c: one sentence at a time, each about one planted word. */
#include "support/planted.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"

#define CONTEXT_WORDS 8 /* each side of a planted word there are this many / 2 */
#define WORDS_A_TOPIC 10
#define FILLERS 5

struct text {
  char *bytes;
  size_t count;
  size_t capacity;
};

static void put(struct text *text, const char *format, unsigned a, unsigned b) {
  if (text->capacity - text->count < 64) {
    text->capacity = text->capacity * 2 + 65536;
    text->bytes = realloc(text->bytes, text->capacity);
    if (text->bytes == NULL) abort();
  }
  text->count += (size_t)snprintf(text->bytes + text->count, 64, format, a, b);
}

static void put_filler(struct text *text, struct vt_rng *rng) {
  if (vt_rng_below(rng, 2) == 0) put(text, "the%u ", vt_rng_below(rng, FILLERS), 0);
}

static void put_synonym_sentence(struct text *text, struct vt_rng *rng) {
  unsigned topic = vt_rng_below(rng, VTT_SYNONYMS);
  for (unsigned k = 0; k <= CONTEXT_WORDS; k++) {
    if (k == CONTEXT_WORDS / 2)
      put(text, vt_rng_below(rng, 2) == 0 ? "syn%ua " : "syn%ub ", topic, 0);
    else
      put(text, "topic%ux%u ", topic, vt_rng_below(rng, WORDS_A_TOPIC));
    put_filler(text, rng);
  }
}

static void put_analogy_sentence(struct text *text, struct vt_rng *rng) {
  unsigned class = vt_rng_below(rng, VTT_CLASSES), attribute = vt_rng_below(rng, VTT_ATTRIBUTES);
  for (unsigned k = 0; k <= CONTEXT_WORDS; k++) {
    if (k == CONTEXT_WORDS / 2)
      put(text, "w%ug%u ", class, attribute);
    else if (vt_rng_below(rng, 2) == 0)
      put(text, "class%ux%u ", class, vt_rng_below(rng, WORDS_A_TOPIC));
    else
      put(text, "attribute%ux%u ", attribute, vt_rng_below(rng, WORDS_A_TOPIC));
    put_filler(text, rng);
  }
}

const char *vtt_planted_corpus(struct vtt_folder *folder, const char *name, uint32_t sentences, uint64_t seed) {
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, seed, 0, 0);
  struct text text = {0};
  for (uint32_t s = 0; s < sentences; s++) {
    if (vt_rng_below(&rng, 2) == 0)
      put_synonym_sentence(&text, &rng);
    else
      put_analogy_sentence(&text, &rng);
    text.bytes[text.count - 1] = '\n';
  }
  const char *path = vtt_write(folder, name, text.bytes, text.count);
  free(text.bytes);
  return path;
}
