/*
 * session.h: what the parts of a training session share: begin.c (from text), resume.c (going on), session.c (to the
 * end), boundary.c (what is recorded on the way). Not for others.
 */
#ifndef VECTRAIL_RUN_SESSION_H
#define VECTRAIL_RUN_SESSION_H

#include "run/checkpoint.h"
#include "run/convergence.h"
#include "run/plan.h"
#include "run/recorder.h"
#include "run/settings.h"
#include "train/drift.h"
#include "train/engine.h"
#include "train/motion.h"
#include "train/settle.h"
#include "vectrail/cooccur.h"
#include "vectrail/corpus.h"
#include "vectrail/train.h"

struct vt_session;

/* Of a training that begins with another run's vectors (tune.c). */
struct vt_session_base {
  const char *path; /* of that run, for the record */
  const char *const *freeze;
  size_t freeze_count;
  /* Fills the engine, at step 0. */
  enum vt_status (*fill)(void *context, struct vt_session *session, struct vt_error *error);
  void *context;
};

struct vt_session {
  const char *run_path;
  const char *folder;                 /* where its files are: run_path, but while it is begun */
  const struct vt_session_base *base; /* NULL, too, where such a training is gone on with */
  struct vt_ranks *ranks;             /* the processes that train together; NULL: this one alone */
  int lock;                           /* of the run; -1: not held */
  struct vt_settings settings;
  void (*on_progress)(void *context, const struct vt_train_progress *progress);
  void *progress_context;
  const volatile sig_atomic_t *interrupt;

  struct vt_vocab *vocab;
  struct vt_corpus *corpus;
  struct vt_cooccur *counts; /* in place of a corpus, which is NULL then */
  struct vt_corpus_report report;
  uint64_t *input_hashes; /* by input; of a training that began here */
  struct vt_engine *engine;
  struct vt_recorder *recorder;
  struct vt_plan plan;
  struct vt_motion motion;
  struct vt_settle settle;
  uint32_t *watch; /* ids */
  size_t watch_count;
  uint32_t *pairs; /* ids, one pair behind the other */
  size_t pair_count;
  uint32_t *ledger; /* ids of its words */
  size_t ledger_count;
  uint32_t *frozen; /* ids of words that do not move */
  size_t frozen_count;
  double *tree;          /* of a training that goes on with a run, by hierarchical softmax, when it is resumed */
  struct vt_drift drift; /* of a training that goes on with a run */
  uint64_t ledger_bytes; /* the most it held at the end of a span */
  uint64_t first_step;   /* of this sitting */

  double started;        /* clock */
  double seconds_before; /* of earlier sittings */
  struct vt_train_progress progress;
  double speed_seconds; /* where the window of words_per_second began */
  uint64_t speed_tokens;
  double checkpoint_due; /* clock */
  /* Summed since the last row of metrics. */
  double loss_sum;
  uint64_t loss_pairs;
  uint64_t rows_moved;
  uint64_t rows_capped;
  /* For the verdict: number k was taken at step k x plan.probe_every. */
  struct vt_measurement *measurements;
  size_t measurement_count;
  size_t measurement_capacity;
  uint64_t converged_step; /* 0: not yet */
  bool ended_early;        /* the training has converged, and was to end then */
  bool is_in_place;        /* the run is where it belongs, and training has begun */
};

/* ---- boundary.c -------------------------------------------------------------------------------------------------- */

/* The observer of the engine: context is the session. */
enum vt_status vt_session_boundary(void *context, struct vt_engine *engine, struct vt_error *error);
/* Records what is due at the step where the session stands, and tells the progress. stopping: it is the last step of
 * this sitting though not of the run, which readers should find. */
enum vt_status vt_session_record(struct vt_session *session, bool stopping, struct vt_error *error);
/* Starts the clock of this sitting. */
void vt_session_start_clock(struct vt_session *session);

/* The session as a checkpoint, which points into it: to be written, or to be filled in. The ledger is not in it. */
struct vt_checkpoint vt_session_checkpoint(struct vt_session *session);
/* Takes over the numbers of a checkpoint that was filled in; tables and arrays are in place already. */
enum vt_status vt_session_restore(struct vt_session *session, const struct vt_checkpoint *checkpoint,
                                  struct vt_error *error);

/* ---- words.c ----------------------------------------------------------------------------------------------------- */

/* The ids of words to watch or to keep a ledger of, in *ids (vt_free). purpose: "to watch", for the message that one is
 * not in the vocabulary (VT_ERROR_NOT_FOUND). Words that were named twice are taken once. */
enum vt_status vt_session_find_words(const struct vt_vocab *vocab, const char *const *words, size_t count,
                                     const char *purpose, uint32_t **ids, size_t *id_count, struct vt_error *error);
/* Words of a key of a run's meta, which stand between line ends and tabs, as ids (vt_free). VT_ERROR_CORRUPT: one is
 * not in the vocabulary. */
enum vt_status vt_session_read_words(const struct vt_vocab *vocab, const struct vt_run *run, const char *path,
                                     const char *key, uint32_t **ids, size_t *count, struct vt_error *error);
/* "did you mean king, ring?" or, with nothing near, what a word must be to be found; bytes: of help. */
void vt_session_suggest(const struct vt_vocab *vocab, const char *word, char *help, size_t bytes);

/* ---- session.c --------------------------------------------------------------------------------------------------- */

/* The part of vt_train behind its request: all of it, with what the session has been told already. */
enum vt_status vt_session_begin(struct vt_session *session, const struct vt_train_request *request,
                                struct vt_error *error);
/* Of what is trained on: the encoded text, or counts. */
uint64_t vt_session_fingerprint(const struct vt_session *session);
/* Engine, plan and arrays for settings, vocabulary and corpus that are there; the session then stands at step 0. */
enum vt_status vt_session_prepare(struct vt_session *session, struct vt_error *error);
/* Trains to the end with the recorder that is open, and closes it. */
enum vt_status vt_session_train(struct vt_session *session, struct vt_error *error);
/* *result may be NULL. */
void vt_session_result(const struct vt_session *session, enum vt_status status, struct vt_train_result *result);
/* Frees all there is and gives the lock back. */
void vt_session_release(struct vt_session *session);

#endif
