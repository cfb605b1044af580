/* hash.h: the hash of the word tables. No result may depend on it. */
#ifndef VECTRAIL_TEXT_HASH_H
#define VECTRAIL_TEXT_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The folded 128-bit product of two numbers: all bits of both reach all bits of the result, unless one is zero. */
static inline uint64_t vt_hash_fold(uint64_t a, uint64_t b) {
  __extension__ typedef unsigned __int128 u128;
  u128 product = (u128)a * b;
  return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

static inline uint64_t vt_hash_load(const void *bytes) {
  uint64_t value;
  memcpy(&value, bytes, sizeof value);
  return value;
}

/* The hash of any bytes; reads none behind them. */
static inline uint64_t vt_hash_bytes(const void *bytes, size_t count) {
  const unsigned char *from = bytes;
  uint64_t hash = (count + 1) * UINT64_C(0x9e3779b97f4a7c15), last = 0;
  for (size_t i = 0; i + 8 <= count; i += 8)
    hash = vt_hash_fold(hash ^ vt_hash_load(from + i), UINT64_C(0xe7037ed1a0b428db));
  if (count >= 8)
    last = vt_hash_load(from + count - 8); /* overlaps what was read, which is cheaper than a shorter load */
  else
    memcpy(&last, from, count);
  return vt_hash_fold(hash ^ last, UINT64_C(0x8ebc6af09c88c6e3));
}

#endif
