/* run_internal.h: what going on with a run takes out of the reader of runs. */
#ifndef VECTRAIL_RUN_RUN_INTERNAL_H
#define VECTRAIL_RUN_RUN_INTERNAL_H

#include "vectrail/run.h"

/* The vocabulary, now the caller's; the run has none from here on. */
struct vt_vocab *vt_run_take_vocab(struct vt_run *run);

#endif
