/*
 * folder.h: making, replacing and removing the folder of a run.
 *
 * A run is first built in a staging folder beside its place and then renamed into it, so that its place holds a run
 * or nothing.
 */
#ifndef VECTRAIL_RUN_FOLDER_H
#define VECTRAIL_RUN_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define VT_RUN_DATABASE "run.db"
#define VT_RUN_SNAPSHOTS "snapshots"
#define VT_SNAPSHOT_ENDING ".safetensors" /* behind the step */
#define VT_RUN_CORPUS "corpus.ids"        /* the encoded corpus, until the run is finished */

#define VT_RUN_TOKENIZER "tokenizer.json" /* of a run whose tokens are pieces of words */

/* Whether a run may be put at `path`, as vt_run_folder_stage asks; *run (may be NULL): whether one is there. */
enum vt_status vt_run_folder_check(const char *path, bool force, bool *run, struct vt_error *error);
/* Makes an empty staging folder beside `path` and hands its name over (vt_free). VT_ERROR_EXISTS: something is there
 * that may not be replaced: without force anything but an empty folder, with force anything but that or a run.
 * VT_ERROR_IO: the parent is missing or not writable. */
enum vt_status vt_run_folder_stage(const char *path, bool force, char **staging, struct vt_error *error);
/* Puts the staging folder in its place. An earlier run (force) is moved aside first and removed after; VT_ERROR_BUSY: a
 * process is writing it. */
enum vt_status vt_run_folder_install(const char *staging, const char *path, bool force, struct vt_error *error);
/* Removes a folder with all that is in it; links are removed, never followed. Does what can be done. */
void vt_run_folder_abandon(const char *path);

/* Removes the files of snapshots from `step` on, and what a killed process left half-written. */
enum vt_status vt_run_folder_cut(const char *path, uint64_t step, struct vt_error *error);
/* Removes what only an unfinished run needs: the encoded corpus and the checkpoint. */
void vt_run_folder_tidy(const char *path);

#endif
