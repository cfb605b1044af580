/*
 * late.h: shared libraries that few commands need, loaded by the first that does. To load the BLAS and the HTTP server
 * with all that they bring along takes 10 ms, twice as long as most commands take for everything else.
 */
#ifndef VECTRAIL_BASE_LATE_H
#define VECTRAIL_BASE_LATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct vt_late_function {
  const char *name;
  void *to; /* where its address goes: a pointer to a function */
};

struct vt_late_library {
  const char *file; /* what a program that is linked to it asks for, as "libopenblas.so.0" */
  const char *help; /* where it comes from */
  const struct vt_late_function *functions;
  size_t function_count;
  pthread_mutex_t mutex;
  atomic_bool loaded;
};

/* Loads the library, where that has not been done, and fills in its functions; it stays until the process ends. On
 * error (VT_ERROR_UNSUPPORTED: it, or a function, is not there) another call tries again. Threads may call at once. */
enum vt_status vt_late_load(struct vt_late_library *library, struct vt_error *error);

#endif
