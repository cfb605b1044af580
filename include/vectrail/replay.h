/*
 * vectrail/replay.h: train a run once more, exactly as it was trained, to look at what was not recorded then.
 *
 * Training is deterministic, so a run can be asked anything afterwards: a replay reads the text again, trains from the
 * start, holds its vectors against every snapshot of the run, bit by bit, and records what it is asked for into the
 * run. Nothing is written before all snapshots have agreed; then all of it is, or nothing.
 */
#ifndef VECTRAIL_REPLAY_H
#define VECTRAIL_REPLAY_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/run.h"
#include "vectrail/status.h"
#include "vectrail/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What vt_replay_request_init sets stands in brackets. */
struct vt_replay_request {
  const char *run_path;
  const char *const *inputs; /* where the text is now [none: where it was] */
  size_t input_count;
  const char *kernel; /* NULL: vt_kernel_resolve decides */
  int threads;        /* at least 1; changes no result [the processors this process may use] */
  uint64_t from;      /* record from this step on; a ledger then begins with v(from) [0] */
  uint64_t until;     /* end with the last snapshot up to this step [VT_STEP_LAST] */
  /* As in struct vt_record_options, but that words and pairs are kept at every `every`-th step. */
  const char *const *watch;
  size_t watch_count;
  const char *const *pairs;
  size_t pair_count;
  uint32_t every; /* at least 1 [1] */
  const char *const *ledger;
  size_t ledger_count;
  bool by_document;        /* the ledger's sources are the lines of the text, not words [false] */
  uint32_t ledger_spans;   /* 0: as many as the run's own setting [0] */
  uint32_t ledger_sources; /* [20000 by document, else 4000] */
  bool ledger_sources_set; /* whether that stands instead of the default */
  uint32_t snapshots;      /* at least 2: add those that a run with so many would have; 0: none [0] */
  void (*reading)(void *context, uint64_t input_bytes, uint64_t input_bytes_total); /* may be NULL */
  void *reading_context;
  void (*progress)(void *context, const struct vt_train_progress *progress); /* at every step; may be NULL */
  void *progress_context;
  const volatile sig_atomic_t *interrupt; /* may be NULL */
};

VT_API void vt_replay_request_init(struct vt_replay_request *request);

struct vt_replay_result {
  uint64_t steps; /* trained again */
  uint64_t tokens;
  double seconds; /* training alone */
  double words_per_second;
  size_t snapshots;      /* that agreed, bit by bit */
  size_t added;          /* snapshots */
  size_t documents;      /* lines of the text that were kept */
  uint64_t ledger_bytes; /* as in struct vt_train_result */
  const char *kernel;    /* static */
};

/* Replays a run that is finished, or has diverged (up to its last snapshot). The run is locked meanwhile.
 *
 * VT_ERROR_BUSY: another process is writing it; VT_ERROR_UNSUPPORTED: it is not finished, vectrail did not train it, or
 * a ledger that this objective does not have; VT_ERROR_CORRUPT: the text has changed since (the message says which
 * file), a snapshot is not the one that was recorded, or the replay came to other vectors (it says at which step, and
 * in which word); VT_ERROR_NOT_FOUND: no run, no text, a snapshot's file is missing, or a word is not in the
 * vocabulary; VT_ERROR_INTERRUPTED. On any error the run is as it was. result may be NULL. */
VT_API enum vt_status vt_replay(const struct vt_replay_request *request, struct vt_replay_result *result,
                                struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif
