/*
 * vectrail/status.h: how every call says whether it worked.
 *
 * A call that can fail returns enum vt_status, 0 when done and negative when not, and hands its results
 * out by pointer. On failure nothing is handed out, and the details (one sentence of cause, one of remedy)
 * are in the struct vt_error the caller passed; a caller that does not want them passes NULL.
 */
#ifndef VECTRAIL_STATUS_H
#define VECTRAIL_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define VT_API __attribute__((visibility("default")))
#define VT_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define VT_API
#define VT_PRINTF(text, first)
#endif

/* name, value, text */
#define VT_STATUS_MAP(X)                                                                                               \
  X(OK, 0, "done")                                                                                                     \
  X(ERROR_ARGUMENT, -1, "invalid argument")                                                                            \
  X(ERROR_MEMORY, -2, "out of memory")                                                                                 \
  X(ERROR_IO, -3, "input or output failed")                                                                            \
  X(ERROR_FORMAT, -4, "malformed data")                                                                                \
  X(ERROR_NOT_FOUND, -5, "not found")                                                                                  \
  X(ERROR_EXISTS, -6, "exists already")                                                                                \
  X(ERROR_EMPTY, -7, "nothing to work on")                                                                             \
  X(ERROR_DIVERGED, -8, "training diverged")                                                                           \
  X(ERROR_INTERRUPTED, -9, "interrupted")                                                                              \
  X(ERROR_UNSUPPORTED, -10, "not supported here")                                                                      \
  X(ERROR_VERSION, -11, "written by a newer version")                                                                  \
  X(ERROR_CORRUPT, -12, "damaged data")                                                                                \
  X(ERROR_THREAD, -13, "thread could not be started")                                                                  \
  X(ERROR_BUSY, -14, "in use by another process")

enum vt_status {
#define X(name, value, text) VT_##name = (value),
  VT_STATUS_MAP(X)
#undef X
};

/* Details of a failure. Plain data, no ownership; message and help are always terminated. */
struct vt_error {
  enum vt_status status;
  char message[512]; /* the cause: what failed, where (file, line or byte, word, step) */
  char help[256];    /* what to do about it; empty when there is nothing sensible to say */
  const char *file;  /* source position that raised it, for bug reports */
  int line;
};

/* The name of a status ("VT_ERROR_IO") and its fixed English text. Never NULL. */
VT_API const char *vt_status_name(enum vt_status status);
VT_API const char *vt_status_text(enum vt_status status);

#ifdef __cplusplus
}
#endif

#endif
