/*
 * scratch.h: a file without a name, that goes with the process, or before it: what does not fit into memory.
 *
 * It is written at places that its user deals out, by any number of threads, and then looked at through a mapping.
 */
#ifndef VECTRAIL_BASE_SCRATCH_H
#define VECTRAIL_BASE_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct vt_scratch {
  int descriptor; /* -1: not open */
  char *folder;
  bool chosen;               /* the folder was asked for, so TMPDIR is of no help where it is full */
  const unsigned char *data; /* of the mapping; NULL: none */
  size_t bytes;              /* mapped */
};

/* folder NULL: that of TMPDIR, or /tmp. VT_ERROR_IO where no file can be made there. */
enum vt_status vt_scratch_open(const char *folder, struct vt_scratch *scratch, struct vt_error *error);
void vt_scratch_release(struct vt_scratch *scratch); /* accepts one that was not opened, with descriptor -1 */
/* Safe from many threads, for different places. */
enum vt_status vt_scratch_write(const struct vt_scratch *scratch, const void *data, size_t bytes, uint64_t offset,
                                struct vt_error *error);
/* Maps the first bytes of what was written, for reading; a mapping before is replaced. */
enum vt_status vt_scratch_map(struct vt_scratch *scratch, size_t bytes, struct vt_error *error);
/* Makes the file so long, zeroed, and maps it for reading and writing: memory that the system can take back, for it can
 * be read again. *data is valid until the scratch is released. VT_ERROR_IO where there is no room. */
enum vt_status vt_scratch_room(struct vt_scratch *scratch, size_t bytes, void **data, struct vt_error *error);
/* What was read of the mapping no longer counts as memory of this process. */
void vt_scratch_forget(const struct vt_scratch *scratch, size_t from, size_t to);

/* A new folder below that of TMPDIR, or /tmp, for what needs names for a while. *path is the caller's, to be removed
 * with rmdir and freed with vt_free. VT_ERROR_IO where none can be made. */
enum vt_status vt_scratch_folder(char **path, struct vt_error *error);

#endif
