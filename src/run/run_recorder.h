/*
 * run_recorder.h: what importing needs of the public recorder beyond its public face.
 */
#ifndef VECTRAIL_RUN_RUN_RECORDER_H
#define VECTRAIL_RUN_RUN_RECORDER_H

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "vectrail/recorder.h"

/* What `meta` says under "origin" of a run that vectrail did not train; a trained one has no such row. */
#define VT_ORIGIN_KEY "origin"
#define VT_ORIGIN_IMPORT "import"
#define VT_ORIGIN_RECORDER "recorder"
/* Of one that vectrail trained from a run, on preferences or pairs (adapted.h): it can be tuned, and not resumed. */
#define VT_ORIGIN_ALIGN "align"
#define VT_ORIGIN_CONTRAST "contrast"

static inline bool vt_origin_is_adapted(const char *origin) {
  return origin != NULL && (strcmp(origin, VT_ORIGIN_ALIGN) == 0 || strcmp(origin, VT_ORIGIN_CONTRAST) == 0);
}

/* As vt_run_recorder_create, with the origin that meta is to say, but the run takes its place only when it is closed:
 * until then there is nothing, and vt_run_recorder_free leaves nothing. */
enum vt_status vt_run_recorder_stage(const char *path, const struct vt_vocab *vocab, size_t dim, bool force,
                                     const char *origin, struct vt_run_recorder **recorder, struct vt_error *error);
/* Where a staged one is until then. */
const char *vt_run_recorder_folder(const struct vt_run_recorder *recorder);
/* An event of a step that may lie before the last one. Nothing may be recorded after it but such events. */
enum vt_status vt_run_recorder_note(struct vt_run_recorder *recorder, uint64_t step, const char *kind, const char *text,
                                    struct vt_error *error);
/* Ends a sitting that was begun by vt_run_recorder_append as if it had not been: all that was recorded in steps above
 * the last one before it is removed, in which that sitting must have recorded nothing. Of a staged one nothing is left.
 * Accepts NULL. */
void vt_run_recorder_undo(struct vt_run_recorder *recorder);
/* As vt_run_recorder_close, but where that fails nothing is kept, as after vt_run_recorder_undo. */
enum vt_status vt_run_recorder_close_or_undo(struct vt_run_recorder **recorder, struct vt_error *error);

#endif
