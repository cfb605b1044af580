/*
 * file.h: files that are either whole or absent, and files read at one look.
 *
 * A vt_output is written beside its target, in the same folder, under a name of its own; commit flushes, syncs and
 * renames it over the target and syncs the folder; abort, or failing to commit, leaves nothing. One thread.
 */
#ifndef VECTRAIL_BASE_FILE_H
#define VECTRAIL_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct vt_output;

/* Free by vt_output_commit or vt_output_abort. */
enum vt_status vt_output_open(const char *path, struct vt_output **output, struct vt_error *error);
enum vt_status vt_output_write(struct vt_output *output, const void *data, size_t bytes, struct vt_error *error);
enum vt_status vt_output_printf(struct vt_output *output, struct vt_error *error, const char *format, ...)
    VT_PRINTF(3, 4);
/* Overwrites bytes already written, at an offset from the start (a header whose fields are known last). */
enum vt_status vt_output_rewrite(struct vt_output *output, uint64_t offset, const void *data, size_t bytes,
                                 struct vt_error *error);
/* Asked for before the first write: a SHA-256 of all that is written is kept; nothing may be rewritten then. */
void vt_output_hash(struct vt_output *output);
/* Of a file that is written whole, and not yet committed: that SHA-256, in hexadecimal, terminated. */
#define VT_SHA256_TEXT_BYTES 65
enum vt_status vt_output_sha256(struct vt_output *output, char sha256[VT_SHA256_TEXT_BYTES], struct vt_error *error);
enum vt_status vt_output_commit(struct vt_output *output, struct vt_error *error);
/* As commit without the syncs, for what can be made again: after a power cut the file may be absent, or damaged. */
enum vt_status vt_output_commit_unsynced(struct vt_output *output, struct vt_error *error);
void vt_output_abort(struct vt_output *output); /* accepts NULL */

/* A whole file mapped read-only. An empty file maps to bytes 0 with data not NULL. */
struct vt_mapping {
  const unsigned char *data;
  size_t bytes;
};
enum vt_status vt_mapping_open(const char *path, struct vt_mapping *mapping, struct vt_error *error);
void vt_mapping_release(struct vt_mapping *mapping); /* accepts an all-zero one */
/* Bytes [from, to) will not be read for a while: whole pages of them are no longer held. The content stays. */
void vt_mapping_forget(const struct vt_mapping *mapping, size_t from, size_t to);

/* Syncs a file that was put in place without; VT_ERROR_NOT_FOUND where there is none. */
enum vt_status vt_sync_file(const char *path, struct vt_error *error);
/* Syncs a folder, so that names made or renamed in it survive a power cut. */
enum vt_status vt_sync_folder(const char *path, struct vt_error *error);
/* folder + "/" + name, owned by the caller (vt_free); NULL when out of memory. */
char *vt_path_join(const char *folder, const char *name);

#endif
