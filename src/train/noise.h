/*
 * noise.h: the noise distribution of negative sampling, P_n(w) ~ count(w)^exponent (Mikolov et al. 2013, section 2.2),
 * drawn from in constant time by the alias method (Walker 1977; Vose 1991). 8 bytes a word instead of word2vec's
 * table of 10^8 entries, and exact to 2^-32.
 */
#ifndef VECTRAIL_TRAIN_NOISE_H
#define VECTRAIL_TRAIN_NOISE_H

#include <stdint.h>

#include "base/error.h"
#include "base/rng.h"
#include "vectrail/vocab.h"

struct vt_noise {
  uint32_t size;
  uint32_t *keep;  /* a draw that falls on w keeps it with probability keep[w] / 2^32 */
  uint32_t *other; /* else gives other[w] */
};

/* Words with count 0 are never drawn unless all counts are 0. O(size). */
enum vt_status vt_noise_init(struct vt_noise *noise, const struct vt_vocab *vocab, double exponent,
                             struct vt_error *error);
void vt_noise_release(struct vt_noise *noise);

static inline uint32_t vt_noise_draw(const struct vt_noise *noise, struct vt_rng *rng) {
  uint64_t bits = vt_rng_next(rng);
  uint32_t word = (uint32_t)(((bits >> 32) * noise->size) >> 32);
  return (uint32_t)bits <= noise->keep[word] ? word : noise->other[word];
}

#endif
