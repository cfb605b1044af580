/* text.c: see text.h. Grows by doubling. */
#include "serve/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

void vt_text_release(struct vt_text *text) {
  vt_free(text->data);
  *text = (struct vt_text){0};
}

void vt_text_add(struct vt_text *text, const void *data, size_t bytes) {
  if (text->failed || bytes == 0) return;
  if (text->capacity - text->bytes < bytes) {
    size_t capacity = text->capacity == 0 ? 256 : text->capacity;
    while (capacity - text->bytes < bytes && capacity <= SIZE_MAX / 4) capacity *= 2;
    char *grown = vt_realloc(text->data, capacity, 1);
    if (grown == NULL || capacity - text->bytes < bytes) {
      if (grown != NULL) text->data = grown;
      text->failed = true;
      return;
    }
    text->data = grown;
    text->capacity = capacity;
  }
  memcpy(text->data + text->bytes, data, bytes);
  text->bytes += bytes;
}

void vt_text_put(struct vt_text *text, const char *string) { vt_text_add(text, string, strlen(string)); }

void vt_text_printf(struct vt_text *text, const char *format, ...) {
  char line[256];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (length > 0) vt_text_add(text, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

/* The bytes of the character that begins here; 0 where it is none (RFC 3629: no overlong forms, no surrogates). */
static size_t character_bytes(const unsigned char *at) {
  if (at[0] < 0x80) return 1;
  if (at[0] < 0xc2 || at[0] > 0xf4) return 0;
  size_t bytes = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
  unsigned low = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
  unsigned high = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;
  if (at[1] < low || at[1] > high) return 0;
  for (size_t k = 2; k < bytes; k++)
    if ((at[k] & 0xc0) != 0x80) return 0;
  return bytes;
}

void vt_text_string(struct vt_text *text, const char *string) {
  vt_text_put(text, "\"");
  for (const unsigned char *at = (const unsigned char *)string; *at != '\0';) {
    size_t bytes = character_bytes(at);
    if (bytes == 0)
      vt_text_put(text, "\xef\xbf\xbd");
    else if (*at == '"' || *at == '\\')
      vt_text_printf(text, "\\%c", *at);
    else if (*at < 0x20 || *at == 0x7f || *at == '<')
      vt_text_printf(text, "\\u%04x", (unsigned)*at);
    else
      vt_text_add(text, at, bytes);
    at += bytes == 0 ? 1 : bytes;
  }
  vt_text_put(text, "\"");
}

void vt_text_number(struct vt_text *text, double value) {
  if (isfinite(value))
    vt_text_printf(text, "%.9g", value);
  else
    vt_text_put(text, "null");
}
