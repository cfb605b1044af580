/*
 * pool.h: a fixed team of threads that run one function together.
 *
 * vt_pool_run(pool, work, context) calls work(context, worker) once for every worker 0 .. size-1, worker 0 on
 * the calling thread, and returns when all are back; everything written before the call is visible inside,
 * everything written inside is visible after. Work is shared out inside by an atomic counter or by worker
 * number; results must not depend on which worker did what.
 */
#ifndef VECTRAIL_BASE_POOL_H
#define VECTRAIL_BASE_POOL_H

#include <stddef.h>

#include "base/error.h"

struct vt_pool;
typedef void vt_pool_work(void *context, int worker);

/* size: at least 1. On failure no thread is left behind. Free with vt_pool_free (accepts NULL). */
enum vt_status vt_pool_create(int size, struct vt_pool **pool, struct vt_error *error);
void vt_pool_free(struct vt_pool *pool);
int vt_pool_size(const struct vt_pool *pool);
/* One caller at a time; not from inside work. */
void vt_pool_run(struct vt_pool *pool, vt_pool_work *work, void *context);

/* Calls range for pieces of [0, count), of at most `piece` each, every piece on one thread: for work whose parts know
 * nothing of each other. pool may be NULL: all on the calling thread. Not from inside work. */
typedef void vt_pool_range(void *context, size_t begin, size_t end);
void vt_pool_share(struct vt_pool *pool, size_t count, size_t piece, vt_pool_range *range, void *context);

#endif
