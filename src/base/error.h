/*
 * error.h: raising errors inside the library.
 *
 *   return VT_FAIL(error, VT_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
 *   return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "pass at least one file", "no corpus was given");
 */
#ifndef VECTRAIL_BASE_ERROR_H
#define VECTRAIL_BASE_ERROR_H

#include "vectrail/status.h"

/* Fills *error (NULL is allowed). help may be NULL. A message too long is cut with "...". */
void vt_error_set(struct vt_error *error, enum vt_status status, const char *file, int line, const char *help,
                  const char *format, ...) VT_PRINTF(6, 7);

/* The value is the status itself, not what a function returned, so that an analyser of one file knows it is a failure.
 */
#define VT_FAIL(error, status, ...) VT_FAIL_HELP((error), (status), NULL, __VA_ARGS__)
#define VT_FAIL_HELP(error, status, help, ...)                                                                         \
  (vt_error_set((error), (status), __FILE__, __LINE__, (help), __VA_ARGS__), (status))
#define VT_HELP_MEMORY "free some memory, or use a smaller vocabulary or dimension"
#define VT_FAIL_MEMORY(error, bytes)                                                                                   \
  VT_FAIL_HELP((error), VT_ERROR_MEMORY, VT_HELP_MEMORY, "cannot allocate %zu bytes", (size_t)(bytes))

/* Runs a fallible call and leaves the function when it failed. For functions that hold nothing to release. */
#define VT_TRY(call)                                                                                                   \
  do {                                                                                                                 \
    enum vt_status vt_try_status_ = (call);                                                                            \
    if (vt_try_status_ != VT_OK) return vt_try_status_;                                                                \
  } while (0)

#endif
