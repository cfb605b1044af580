/*
 * memory.h: the library's only way to the heap, so that a test can fail the Nth allocation.
 *
 * Sizes are count x size with an overflow check; a failed call returns NULL. Zero bytes give a valid pointer.
 */
#ifndef VECTRAIL_BASE_MEMORY_H
#define VECTRAIL_BASE_MEMORY_H

#include <stddef.h>

#define VT_CACHE_LINE_BYTES 64

void *vt_alloc(size_t count, size_t size_bytes);      /* uninitialised */
void *vt_alloc_zero(size_t count, size_t size_bytes); /* zeroed */
/* Resizes like realloc; on NULL the old block is still owned by the caller. */
void *vt_realloc(void *block, size_t count, size_t size_bytes);
void vt_free(void *block); /* accepts NULL; frees every block above */

/* Zeroed memory aligned to a cache line, backed by huge pages where large. Free with vt_free_aligned. */
void *vt_alloc_aligned(size_t count, size_t size_bytes);
/* The same, uninitialised: whoever fills it first pays for the pages. */
void *vt_alloc_aligned_raw(size_t count, size_t size_bytes);
void vt_free_aligned(void *block); /* accepts NULL */

/* A copy of a string or of its first bytes, terminated; NULL when out of memory. Free with vt_free. */
char *vt_copy_string(const char *text);
char *vt_copy_bytes(const char *text, size_t bytes);

#endif
