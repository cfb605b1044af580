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

/* What is used of a library is a list of functions, FUNCTIONS(X), of which are made the members of a table and the
 * names that are looked for:
 *
 *   struct table { FUNCTIONS(VT_LATE_MEMBER) };
 *   static const char *const names[] = {FUNCTIONS(VT_LATE_NAME)};
 *
 * NOLINTBEGIN(bugprone-macro-parentheses): a member has none around its name */
#define VT_LATE_MEMBER(function) __typeof__(&function) function;
#define VT_LATE_NAME(function) #function,
/* NOLINTEND(bugprone-macro-parentheses) */

struct vt_late_library {
  const char *file; /* what a program that is linked to it asks for, as "libopenblas.so.0" */
  const char *help; /* where it comes from */
  const char *const *names;
  size_t count;
  void *table; /* where their addresses go: pointers to functions, one behind the other */
  pthread_mutex_t mutex;
  atomic_bool loaded;
};
#define VT_LATE_LIBRARY(file_, help_, names_, table_)                                                                  \
  {                                                                                                                    \
    .file = (file_), .help = (help_), .names = (names_), .count = sizeof(names_) / sizeof *(names_),                   \
    .table = (table_), .mutex = PTHREAD_MUTEX_INITIALIZER                                                              \
  }

/* Loads the library, where that has not been done, and fills in its table; it stays until the process ends. On
 * error (VT_ERROR_UNSUPPORTED: it, or a function, is not there) another call tries again. Threads may call at once. */
enum vt_status vt_late_load(struct vt_late_library *library, struct vt_error *error);

#endif
