/*
 * replay.h: what the parts of a replay share: replay.c (begin and end), replay_boundary.c (between the steps). Not for
 * others.
 */
#ifndef VECTRAIL_RUN_REPLAY_H
#define VECTRAIL_RUN_REPLAY_H

#include "run/plan.h"
#include "run/recorder.h"
#include "run/run_text.h"
#include "run/settings.h"
#include "train/engine.h"
#include "vectrail/replay.h"

struct vt_replaying {
  const struct vt_replay_request *request;
  struct vt_run *run;
  char *staging; /* a folder within the run, in which everything is made ready */
  struct vt_settings settings;
  struct vt_run_text text;
  struct vt_cooccur *counts; /* in place of the text */
  struct vt_engine *engine;
  struct vt_recorder *recorder; /* of the staging folder; NULL where nothing is to be recorded */
  struct vt_plan plan;          /* of the run, with the spans of the ledger */
  struct vt_plan added;         /* of further snapshots; without steps where there are none */
  uint32_t *watch, *pairs, *ledger;
  double *tree;                                 /* as in struct vt_session */
  size_t watch_count, pair_count, ledger_count; /* pairs: words, two a pair */
  uint64_t last;                                /* where the replay ends */
  size_t next;                                  /* snapshot of the run to be compared */
  bool ended;                                   /* it has come to `last` */
  double started;                               /* clock */
  struct vt_replay_result result;
};

/* The observer of the engine: context is the struct vt_replaying. Ends the training by VT_ERROR_INTERRUPTED with
 * `ended` set. */
enum vt_status vt_replay_boundary(void *context, struct vt_engine *engine, struct vt_error *error);

#endif
