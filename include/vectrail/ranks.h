/*
 * vectrail/ranks.h: several processes, on one machine or many, that train one run together.
 *
 * mpirun starts them; each joins, hands the same request to vt_train or vt_resume, and leaves. Rank 0 writes the run
 * folder and reports; the others work for it and return the same status (docs/scaling.md). All must see the inputs and
 * the run folder under the same paths.
 */
#ifndef VECTRAIL_RANKS_H
#define VECTRAIL_RANKS_H

#include <stdbool.h>

#include "vectrail/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct vt_ranks;

/* Joins the processes that mpirun has started with this one; *ranks is NULL where it has started none, or one alone.
 * VT_ERROR_UNSUPPORTED: there are others, but this build has no MPI. Once in a process, by the thread that trains. */
VT_API enum vt_status vt_ranks_join(struct vt_ranks **ranks, struct vt_error *error);
/* Waits for the others to leave. Where this rank has lost touch with them, all processes are ended instead, and the
 * call does not return. Accepts NULL. */
VT_API void vt_ranks_leave(struct vt_ranks *ranks);

/* Collective, for what a program does before it calls vt_train: whether all ranks are well. A program whose ranks do
 * not all come to the next call must not make it. */
VT_API bool vt_ranks_all(struct vt_ranks *ranks, bool well);

/* Whether this process is to report what came of it: rank 0, or one that has lost touch with the others. */
VT_API bool vt_ranks_reports(const struct vt_ranks *ranks);

/* 0 and 1 for NULL. */
VT_API int vt_ranks_rank(const struct vt_ranks *ranks);
VT_API int vt_ranks_size(const struct vt_ranks *ranks);

#ifdef __cplusplus
}
#endif

#endif
