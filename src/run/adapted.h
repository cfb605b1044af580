/*
 * adapted.h: the run that comes of training a network further on something other than text (align.c, contrast.c).
 *
 * It has the words, the tokenizer and the settings of the run it came from, snapshots and measures of the way, and the
 * network as it is at the end. It takes its place when all of that is written; what ends before, but for an
 * interruption, leaves nothing. Interrupted, it ends where it stands: what was trained by then is a run like others.
 */
#ifndef VECTRAIL_RUN_ADAPTED_H
#define VECTRAIL_RUN_ADAPTED_H

#include "base/error.h"
#include "run/network_internal.h"
#include "run/plan.h"
#include "run/run_recorder.h"
#include "run/safetensors.h"

struct vt_adapted {
  struct vt_run *run;         /* borrowed, as all these: the one it comes from */
  struct vt_network *network; /* NULL: a table alone is trained */
  const float *table;         /* [words][stride]: the vectors, which move */
  size_t stride;
  struct vt_run_recorder *recorder;
  struct vt_plan plan;
  size_t words, dim;
  float *rows;  /* [words][dim]: the token table as it was recorded last */
  float *start; /* as it was */
  double began; /* clock */
  bool recorded;
  uint64_t recorded_step;
  bool stopped; /* vt_adapted_note_stop */
};

struct vt_adapted_options {
  struct vt_network *network; /* a run's Transformer; or NULL, and: */
  struct vt_run *run;
  const float *table; /* [words][dim] */
  size_t dim;
  const char *base, *path; /* the run it comes from, and its place */
  bool force;
  const char *origin; /* of meta: "align" or "contrast" */
  uint64_t steps;
  uint32_t snapshots;
  uint32_t probes; /* of the plan; 0: as of a training */
};

/* VT_ERROR_UNSUPPORTED: the network is no Transformer, or no run's. Free with vt_adapted_release, also on failure. */
enum vt_status vt_adapted_begin(struct vt_adapted *adapted, const struct vt_adapted_options *options,
                                struct vt_error *error);
void vt_adapted_release(struct vt_adapted *adapted); /* accepts an all-zero one */

enum vt_status vt_adapted_meta(struct vt_adapted *adapted, const char *key, const char *value, struct vt_error *error);
enum vt_status vt_adapted_meta_real(struct vt_adapted *adapted, const char *key, double value, struct vt_error *error);
/* A row of metrics: the step, its rate, and named values; those that are NaN are left out. tokens: trained so far. */
struct vt_adapted_value {
  const char *name;
  double value;
};
enum vt_status vt_adapted_step(struct vt_adapted *adapted, uint64_t step, uint32_t epoch, uint64_t tokens, double rate,
                               const struct vt_adapted_value *values, size_t count, struct vt_error *error);
/* A snapshot, if the step is to have one or `now`; and `drift`, the mean over the words of |v - v(0)| / |v(0)|. */
enum vt_status vt_adapted_snapshot(struct vt_adapted *adapted, uint64_t step, bool now, struct vt_error *error);
/* The training ends at this step, though not of itself. */
enum vt_status vt_adapted_note_stop(struct vt_adapted *adapted, uint64_t step, struct vt_error *error);
/* VT_ERROR_INTERRUPTED, and where what was trained until then is; path NULL: nothing was. */
enum vt_status vt_adapted_stopped(const char *path, uint64_t step, uint64_t steps, struct vt_error *error);
/* Writes the network, if there is one, and a file of further tensors beside it where count > 0, and puts the run in its
 * place. */
enum vt_status vt_adapted_end(struct vt_adapted *adapted, const char *file, const struct vt_tensor *tensors,
                              size_t count, struct vt_error *error);

/* The words that moved farthest of their length, farthest first; returns how many. */
struct vt_adapted_moved {
  uint32_t word;
  double drift;  /* |v - v(0)| / |v(0)| */
  double cosine; /* of v and v(0) */
};
size_t vt_adapted_farthest(const struct vt_adapted *adapted, struct vt_adapted_moved *moved, size_t capacity);
double vt_adapted_drift(const struct vt_adapted *adapted);

#endif
