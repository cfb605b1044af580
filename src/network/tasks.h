/*
 * tasks.h: tasks 0 .. count-1 shared out among the threads of a pool, in whatever order: what a task computes must not
 * depend on it.
 */
#ifndef VECTRAIL_NETWORK_TASKS_H
#define VECTRAIL_NETWORK_TASKS_H

#include <stddef.h>

#include "base/pool.h"

typedef void vt_task(void *context, size_t task, int worker);
/* pool NULL: on this thread, as worker 0. */
void vt_tasks_run(struct vt_pool *pool, size_t count, vt_task *work, void *context);

#endif
