/* memory.c: checked allocation. Thread-safe as malloc is; no state of its own. */
#define _DEFAULT_SOURCE /* madvise */
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* From here on transparent huge pages save more time in TLB misses than their alignment costs. */
#define HUGE_PAGE_BYTES ((size_t)2 << 20)

static int multiply_overflows(size_t count, size_t size_bytes, size_t *total_bytes) {
  if (size_bytes != 0 && count > SIZE_MAX / size_bytes) return 1;
  *total_bytes = count * size_bytes;
  if (*total_bytes == 0) *total_bytes = 1;
  return 0;
}

void *vt_alloc(size_t count, size_t size_bytes) {
  size_t total_bytes;
  return multiply_overflows(count, size_bytes, &total_bytes) ? NULL : malloc(total_bytes);
}

void *vt_alloc_zero(size_t count, size_t size_bytes) {
  size_t total_bytes;
  return multiply_overflows(count, size_bytes, &total_bytes) ? NULL : calloc(1, total_bytes);
}

void *vt_realloc(void *block, size_t count, size_t size_bytes) {
  size_t total_bytes;
  return multiply_overflows(count, size_bytes, &total_bytes) ? NULL : realloc(block, total_bytes);
}

void vt_free(void *block) { free(block); }

void *vt_alloc_aligned_raw(size_t count, size_t size_bytes) {
  size_t total_bytes;
  if (multiply_overflows(count, size_bytes, &total_bytes)) return NULL;
  size_t alignment = total_bytes >= HUGE_PAGE_BYTES ? HUGE_PAGE_BYTES : VT_CACHE_LINE_BYTES;
  if (total_bytes > SIZE_MAX - alignment) return NULL;
  total_bytes = (total_bytes + alignment - 1) / alignment * alignment;
  void *block = aligned_alloc(alignment, total_bytes);
  if (block == NULL) return NULL;
  /* A hint; where it is refused the memory is as good, only slower. */
  if (alignment == HUGE_PAGE_BYTES) (void)madvise(block, total_bytes, MADV_HUGEPAGE);
  return block;
}

void *vt_alloc_aligned(size_t count, size_t size_bytes) {
  void *block = vt_alloc_aligned_raw(count, size_bytes);
  if (block != NULL) memset(block, 0, count * size_bytes);
  return block;
}

void vt_free_aligned(void *block) { free(block); }

char *vt_copy_bytes(const char *text, size_t bytes) {
  if (bytes == SIZE_MAX) return NULL;
  char *copy = vt_alloc(bytes + 1, 1);
  if (copy == NULL) return NULL;
  memcpy(copy, text, bytes);
  copy[bytes] = '\0';
  return copy;
}

char *vt_copy_string(const char *text) { return vt_copy_bytes(text, strlen(text)); }
