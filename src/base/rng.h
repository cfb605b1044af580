/*
 * rng.h: counter-based random streams.
 *
 * A stream is a pure function of its key and of a counter, so a block of the corpus draws the same numbers
 * whichever thread works on it, in whatever order, before or after a crash. Keys are hashed: streams seeded
 * with consecutive states of one generator replay their neighbour's numbers shifted by one, which costs a
 * third of the accuracy without any other sign.
 *
 * Output i is the folded 128-bit product of (k0 + i c) and ((k0 + i c) ^ k1), the construction of wyrand
 * (Wang Yi, public domain) with the second constant made part of the key, so that two streams whose counters
 * overlap are still different streams.
 */
#ifndef VECTRAIL_BASE_RNG_H
#define VECTRAIL_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct vt_rng {
  uint64_t counter;
  uint64_t key;
};

/* What a stream is for. Streams of different purposes never meet, whatever the other parts of their keys. */
enum vt_rng_purpose {
  VT_RNG_INIT = 1,     /* start values of the tables: key (seed, table, row) */
  VT_RNG_BLOCK = 2,    /* training draws of one block: key (seed, epoch, position) */
  VT_RNG_PROBE = 3,    /* the fixed probe sample: key (seed) */
  VT_RNG_ANALYSIS = 4, /* samples drawn by reading commands */
  VT_RNG_TEST = 5,
  VT_RNG_PLANTED = 6,   /* the generated text of the experiment: key (seed) */
  VT_RNG_HELD_OUT = 7,  /* whether a sentence is held out: key (seed, sentence) */
  VT_RNG_DROPOUT = 8,   /* what a network drops: key (seed, step and place, row) */
  VT_RNG_ORDER = 9,     /* the order of a network's samples: key (seed, epoch) */
  VT_RNG_GENERATE = 10, /* the text it writes: key (seed) */
  VT_RNG_ANSWER = 11    /* answers that a policy is trained or measured on: key (seed, step, answer and place) */
};

/* A bijective 64-bit hash (the finaliser of splitmix64, Steele et al. 2014). */
static inline uint64_t vt_mix64(uint64_t x) {
  x ^= x >> 30;
  x *= UINT64_C(0xbf58476d1ce4e5b9);
  x ^= x >> 27;
  x *= UINT64_C(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

static inline struct vt_rng vt_rng_make(enum vt_rng_purpose purpose, uint64_t seed, uint64_t a, uint64_t b) {
  uint64_t h = vt_mix64(seed + UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)purpose);
  h = vt_mix64(h ^ vt_mix64(a + UINT64_C(0xd1b54a32d192ed03)));
  h = vt_mix64(h ^ vt_mix64(b + UINT64_C(0x8cb92ba72f3d8dd7)));
  struct vt_rng rng = {vt_mix64(h ^ UINT64_C(0xa0761d6478bd642f)), vt_mix64(h ^ UINT64_C(0xe7037ed1a0b428db)) | 1};
  return rng;
}

static inline uint64_t vt_rng_next(struct vt_rng *rng) {
  __extension__ typedef unsigned __int128 u128;
  rng->counter += UINT64_C(0x9e3779b97f4a7c15);
  u128 product = (u128)rng->counter * (rng->counter ^ rng->key);
  return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

/* Uniform on [0, bound), bound > 0; biased by at most bound / 2^32 (Lemire 2019, without the rejection). */
static inline uint32_t vt_rng_below(struct vt_rng *rng, uint32_t bound) {
  return (uint32_t)(((vt_rng_next(rng) >> 32) * bound) >> 32);
}

/* order becomes the numbers below count (at most 2^32) in an order drawn by Fisher and Yates. */
static inline void vt_rng_order(struct vt_rng *rng, uint32_t *order, size_t count) {
  for (size_t k = 0; k < count; k++) order[k] = (uint32_t)k;
  for (size_t k = count; k > 1; k--) {
    const size_t other = vt_rng_below(rng, (uint32_t)k);
    const uint32_t held = order[k - 1];
    order[k - 1] = order[other];
    order[other] = held;
  }
}

/* Uniform on [0, 1) in steps of 2^-24, exact in float. */
static inline float vt_rng_unit(struct vt_rng *rng) { return (float)(vt_rng_next(rng) >> 40) * 0x1p-24f; }

#endif
