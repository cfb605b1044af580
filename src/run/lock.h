/*
 * lock.h: one writer for each run. The lock lies on a file in the run folder, follows the folder when it is renamed,
 * and dies with the process, however that ends. Readers need none.
 */
#ifndef VECTRAIL_RUN_LOCK_H
#define VECTRAIL_RUN_LOCK_H

#include "base/error.h"

#define VT_RUN_LOCK "run.lock"

/* Takes the lock of the run in `folder`. VT_ERROR_BUSY: a process holds it, which the message names. On file systems
 * that know no locks it succeeds, and locks nothing. *lock is to be given back with vt_run_lock_release. */
enum vt_status vt_run_lock_take(const char *folder, int *lock, struct vt_error *error);
/* Gives it back and removes its file; folder: where the run is now. */
void vt_run_lock_release(int lock, const char *folder);

#endif
