/* status.c: names and texts of the statuses, and the one place that formats an error. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

const char *vt_status_name(enum vt_status status) {
  switch (status) {
#define X(name, value, text)                                                                                           \
  case VT_##name:                                                                                                      \
    return "VT_" #name;
    VT_STATUS_MAP(X)
#undef X
  }
  return "VT_UNKNOWN";
}

const char *vt_status_text(enum vt_status status) {
  switch (status) {
#define X(name, value, text)                                                                                           \
  case VT_##name:                                                                                                      \
    return text;
    VT_STATUS_MAP(X)
#undef X
  }
  return "unknown status";
}

static void cut_mark(char *text, size_t capacity, int written) {
  if (written >= (int)capacity) memcpy(text + capacity - 4, "...", 4);
}

void vt_error_set(struct vt_error *error, enum vt_status status, const char *file, int line, const char *help,
                  const char *format, ...) {
  if (error == NULL) return;
  /* The arguments may point into *error itself (a cause wrapped in a wider one), so format beside it first. */
  char message[sizeof error->message];
  char help_text[sizeof error->help];
  va_list arguments;
  va_start(arguments, format);
  cut_mark(message, sizeof message, vsnprintf(message, sizeof message, format, arguments));
  va_end(arguments);
  cut_mark(help_text, sizeof help_text, snprintf(help_text, sizeof help_text, "%s", help != NULL ? help : ""));
  memcpy(error->message, message, sizeof message);
  memcpy(error->help, help_text, sizeof help_text);
  error->status = status;
  error->file = file;
  error->line = line;
}
