/*
 * lock.c: flock() on a file that holds the number of the process.
 *
 * The file is removed by whoever gives the lock back, so that nothing of it is left in a finished run. Between opening
 * the file and locking it another process may have removed it; a lock counts only while its file is the one that bears
 * the name.
 */
#define _DEFAULT_SOURCE /* flock */

#include "run/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

static bool bears_name(int descriptor, const char *path) {
  struct stat ours, named;
  return fstat(descriptor, &ours) == 0 && lstat(path, &named) == 0 && ours.st_dev == named.st_dev &&
         ours.st_ino == named.st_ino;
}

static enum vt_status fail_busy(int descriptor, const char *folder, struct vt_error *error) {
  static const char help[] = "wait until it is done, or stop it first";
  char text[24] = "";
  ssize_t bytes = pread(descriptor, text, sizeof text - 1, 0);
  long process = bytes > 0 ? strtol(text, NULL, 10) : 0;
  if (process > 0)
    return VT_FAIL_HELP(error, VT_ERROR_BUSY, help, "%s: process %ld is writing this run", folder, process);
  return VT_FAIL_HELP(error, VT_ERROR_BUSY, help, "%s: another process is writing this run", folder);
}

/* Opens and locks the file once; *again when it was removed meanwhile. */
static enum vt_status try_to_take(const char *folder, const char *path, int *lock, bool *again,
                                  struct vt_error *error) {
  int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor < 0) return VT_FAIL(error, VT_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
  bool taken = flock(descriptor, LOCK_EX | LOCK_NB) == 0;
  enum vt_status status = VT_OK;
  if (!taken && errno == EWOULDBLOCK) status = fail_busy(descriptor, folder, error);
  *again = status == VT_OK && !bears_name(descriptor, path);
  if (status != VT_OK || *again) {
    close(descriptor);
    return status;
  }
  char text[24];
  int bytes = snprintf(text, sizeof text, "%ld\n", (long)getpid());
  /* For the message to others alone: a lock without a number locks as well. */
  if (ftruncate(descriptor, 0) == 0 && pwrite(descriptor, text, (size_t)bytes, 0) < 0) errno = 0;
  *lock = descriptor;
  return VT_OK;
}

enum vt_status vt_run_lock_take(const char *folder, int *lock, struct vt_error *error) {
  char *path = vt_path_join(folder, VT_RUN_LOCK);
  if (path == NULL) return VT_FAIL_MEMORY(error, strlen(folder));
  bool again = true;
  enum vt_status status = VT_OK;
  while (status == VT_OK && again) status = try_to_take(folder, path, lock, &again, error);
  vt_free(path);
  return status;
}

/* The name on the stack and no file opened: the lock goes where memory or descriptors have run out, too. A name too
 * long for the system never was taken. */
void vt_run_lock_release(int lock, const char *folder) {
  char path[PATH_MAX];
  int bytes = snprintf(path, sizeof path, "%s/" VT_RUN_LOCK, folder);
  if (bytes < (int)sizeof path && bears_name(lock, path)) unlink(path);
  close(lock);
}
