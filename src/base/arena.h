/*
 * arena.h: many arrays in one piece of memory. They are taken twice: from an arena without memory, to know how many
 * bytes it takes, and from one that has them.
 */
#ifndef VECTRAIL_BASE_ARENA_H
#define VECTRAIL_BASE_ARENA_H

#include <stddef.h>

#include "base/memory.h"

struct vt_arena {
  unsigned char *data; /* aligned to a cache line; NULL: it is being measured */
  size_t used;         /* bytes */
};

/* Aligned to a cache line. NULL while it is measured. Sizes are those of arrays that were checked to be possible. */
static inline void *vt_arena_take(struct vt_arena *arena, size_t bytes) {
  size_t at = arena->used;
  arena->used += (bytes + VT_CACHE_LINE_BYTES - 1) / VT_CACHE_LINE_BYTES * VT_CACHE_LINE_BYTES;
  return arena->data == NULL ? NULL : arena->data + at;
}

#endif
