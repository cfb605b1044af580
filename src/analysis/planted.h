/*
 * planted.h: a generated text whose structure is known, so that what training finds in it can be held against the
 * truth.
 *
 * Each sentence is about one word, which stands amid words of its topic. Synonyms ("big", "large") share a topic and
 * never meet. Pairs of man and woman ("king", "queen") share the topic of their station with each other and that of
 * their sex with all others of it, so man is to woman as king is to queen. Topic words are named after what they belong
 * to: "big.3", "king.7", "he.2". A few very frequent words without meaning stand between, as in any text.
 */
#ifndef VECTRAIL_ANALYSIS_PLANTED_H
#define VECTRAIL_ANALYSIS_PLANTED_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define VT_PLANTED_SYNONYMS 16
#define VT_PLANTED_COUPLES 12
extern const char *const vt_planted_synonyms[VT_PLANTED_SYNONYMS][2];
extern const char *const vt_planted_couples[VT_PLANTED_COUPLES][2]; /* him, her */

/* Writes so many lines of about eleven words, split at blanks; a pure function of the seed. */
enum vt_status vt_planted_write(const char *path, uint32_t sentences, uint64_t seed, struct vt_error *error);

#endif
