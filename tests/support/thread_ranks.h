/*
 * thread_ranks.h: ranks that are threads of one process, their messages queues in memory: what several processes do
 * together, without MPI, and under the race detector.
 */
#ifndef VECTRAIL_TESTS_THREAD_RANKS_H
#define VECTRAIL_TESTS_THREAD_RANKS_H

#include "vectrail/ranks.h"

/* Calls work(context, ranks) on `size` threads, each with ranks of its own that it must not leave, and returns when all
 * are back and have left. They take themselves to be on so many machines, dealt to them in turn. A rank that would
 * abort all processes fails the test. */
void vtt_ranks_run(int size, int machines, void (*work)(void *context, struct vt_ranks *ranks), void *context);

#endif
