/*
 * text.h: bytes that grow, and JSON in them.
 *
 * After a failed allocation nothing more is added and `failed` stays set, so that a writer asks once, at its end.
 */
#ifndef VECTRAIL_SERVE_TEXT_H
#define VECTRAIL_SERVE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/status.h"

struct vt_text {
  char *data; /* vt_free */
  size_t bytes, capacity;
  bool failed;
};

void vt_text_release(struct vt_text *text);
void vt_text_add(struct vt_text *text, const void *data, size_t bytes);
void vt_text_put(struct vt_text *text, const char *string);
void vt_text_printf(struct vt_text *text, const char *format, ...) VT_PRINTF(2, 3); /* up to 255 bytes */
/* A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. "<" is escaped, so that JSON can stand in a
 * page. */
void vt_text_string(struct vt_text *text, const char *string);
void vt_text_number(struct vt_text *text, double value); /* null where it is not finite */

#endif
