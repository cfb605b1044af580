/*
 * vectrail/run.h: read a run folder (docs/run-format.md).
 *
 * Any number of processes may read a run, also one that is still being written. A handle belongs to one thread.
 */
#ifndef VECTRAIL_RUN_H
#define VECTRAIL_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/status.h"
#include "vectrail/vectors.h"
#include "vectrail/vocab.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VT_RUN_SCHEMA_VERSION 1
/* As a step: the last snapshot there is. */
#define VT_STEP_LAST UINT64_MAX

struct vt_run;

/* Opens a run for reading: VT_ERROR_NOT_FOUND (no such folder, or no run in it), VT_ERROR_VERSION (newer schema),
 * VT_ERROR_CORRUPT. Free with vt_run_close (accepts NULL). */
VT_API enum vt_status vt_run_open(const char *path, struct vt_run **run, struct vt_error *error);
VT_API void vt_run_close(struct vt_run *run);

/* Owned by the run. */
VT_API const struct vt_vocab *vt_run_vocab(const struct vt_run *run);
/* A value of the table `meta`, owned by the run; NULL when there is none. Keys: docs/run-format.md. */
VT_API const char *vt_run_meta(const struct vt_run *run, const char *key);
/* Walks over `meta` in key order: index < vt_run_meta_count. */
VT_API size_t vt_run_meta_count(const struct vt_run *run);
VT_API void vt_run_meta_at(const struct vt_run *run, size_t index, const char **key, const char **value);

struct vt_run_snapshot {
  uint64_t step;
  const char *path;  /* relative to the run folder; owned by the run */
  const char *dtype; /* "F16" or "F32" */
  const char *sha256;
};
/* Snapshots in step order. */
VT_API size_t vt_run_snapshot_count(const struct vt_run *run);
VT_API struct vt_run_snapshot vt_run_snapshot_at(const struct vt_run *run, size_t index);

/* The input vectors of the snapshot at `step`, or of the last one before it (VT_STEP_LAST: the last), as unit-free
 * float32 with the run's vocabulary. VT_ERROR_NOT_FOUND: the file is missing; VT_ERROR_CORRUPT: it is not what was
 * recorded. The vectors point at the run's vocabulary: free them before the run, with vt_vectors_free. */
VT_API enum vt_status vt_run_vectors(struct vt_run *run, uint64_t step, struct vt_vectors **vectors,
                                     struct vt_error *error);

struct vt_run_point {
  uint64_t step;
  double value;
};
/* The series of one metric, in step order, NaN for NULL; *points is owned by the caller (vt_run_points_free). A name
 * that was never recorded gives none. */
VT_API enum vt_status vt_run_metric(struct vt_run *run, const char *name, struct vt_run_point **points, size_t *count,
                                    struct vt_error *error);
VT_API void vt_run_points_free(struct vt_run_point *points);

struct vt_run_step {
  uint64_t step;
  uint32_t epoch;
  uint64_t tokens;
  double seconds;
  double lr;
};
/* The last recorded step; VT_ERROR_EMPTY when none was. */
VT_API enum vt_status vt_run_last_step(struct vt_run *run, struct vt_run_step *step, struct vt_error *error);

struct vt_run_event {
  uint64_t step;
  const char *kind;     /* "start", "finished", "interrupted", "diverged", ... */
  const char *severity; /* "info", "warning", "error" */
  const char *text;
};
/* Events in order of recording; strings owned by the run until it is closed. */
VT_API size_t vt_run_event_count(const struct vt_run *run);
VT_API struct vt_run_event vt_run_event_at(const struct vt_run *run, size_t index);
/* Whether there is one of that kind; *event becomes the first, where it is not NULL. */
VT_API bool vt_run_find_event(const struct vt_run *run, const char *kind, struct vt_run_event *event);

#ifdef __cplusplus
}
#endif

#endif
