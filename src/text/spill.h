/*
 * spill.h: a place to put arrays of numbers away, in memory first and then in a file.
 */
#ifndef VECTRAIL_TEXT_SPILL_H
#define VECTRAIL_TEXT_SPILL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct vt_spill;

/* Where an array was put. */
struct vt_spill_place {
  uint32_t *memory; /* NULL: in the file, at offset_bytes */
  uint64_t offset_bytes;
};

/* path: the file that the temporary one shall lie beside; it must live as long. What does not fit into memory_bytes
 * goes there. Free with vt_spill_free (accepts NULL), which frees all arrays and leaves nothing behind; nor does a
 * crash. */
enum vt_status vt_spill_create(const char *path, size_t memory_bytes, struct vt_spill **spill, struct vt_error *error);
void vt_spill_free(struct vt_spill *spill);

/* Puts numbers[count] away. Safe to call from many threads, as is vt_spill_get. */
enum vt_status vt_spill_put(struct vt_spill *spill, const uint32_t *numbers, size_t count, struct vt_spill_place *place,
                            struct vt_error *error);
/* Points *numbers at the array of count that was put at place: into memory, or into buffer[count] after reading it
 * back. */
enum vt_status vt_spill_get(struct vt_spill *spill, const struct vt_spill_place *place, size_t count, uint32_t *buffer,
                            const uint32_t **numbers, struct vt_error *error);
/* Puts an array in the place of one that is no shorter. Safe to call from many threads, for different places. */
enum vt_status vt_spill_replace(struct vt_spill *spill, const struct vt_spill_place *place, const uint32_t *numbers,
                                size_t count, struct vt_error *error);

#endif
