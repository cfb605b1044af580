/*
 * checksum_file.h: the checksums beside an export.
 *
 * Formats that others made have no room for a checksum, so an export leaves a small file beside, "vectors.txt.sha256",
 * in the form that sha256sum writes and checks: a line for each file of the export. Whoever reads vectors here looks
 * for it.
 */
#ifndef VECTRAIL_RUN_CHECKSUM_FILE_H
#define VECTRAIL_RUN_CHECKSUM_FILE_H

#include "base/error.h"

#define VT_CHECKSUM_ENDING ".sha256"

/* path + VT_CHECKSUM_ENDING; NULL when out of memory. Free with vt_free. */
char *vt_checksum_path(const char *path);
/* What a line calls a file: the last part of its path. */
const char *vt_checksum_name(const char *path);
/* Holds the files that are named beside `path`, and lie in its folder, against their checksums. VT_OK where there is no
 * such file, or nothing in it that can be read; VT_ERROR_CORRUPT: one of them is another file. Reads them whole. */
enum vt_status vt_checksum_verify(const char *path, struct vt_error *error);

#endif
