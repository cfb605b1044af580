/*
 * planted.h: a generated corpus whose structure is known, to see whether training finds it.
 *
 * Synonyms: pairs of words, "syn7a" and "syn7b", that occur in the same contexts (words of topic 7) and never
 * together. Analogies: words "w3g1" of class 3 and attribute 1, whose context words are drawn half from those of the
 * class and half from those of the attribute; so w3g1 is to w3g2 as w5g1 is to w5g2. A few very frequent words with
 * no meaning stand between them, as in real text. A pure function of the seed.
 */
#ifndef VECTRAIL_TESTS_PLANTED_H
#define VECTRAIL_TESTS_PLANTED_H

#include <stdint.h>

#include "support/temporary.h"

#define VTT_SYNONYMS 20 /* pairs */
#define VTT_CLASSES 12
#define VTT_ATTRIBUTES 4

/* Writes `sentences` lines of about ten words and returns the path, owned by the folder. */
const char *vtt_planted_corpus(struct vtt_folder *folder, const char *name, uint32_t sentences, uint64_t seed);

#endif
