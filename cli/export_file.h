/*
 * export_file.h: where exports go.
 */
#ifndef VECTRAIL_CLI_EXPORT_FILE_H
#define VECTRAIL_CLI_EXPORT_FILE_H

#include <stdbool.h>

#include "vectrail/export.h"

/* The format that the extension of a path stands for; false, and *format as it was, where it stands for none. */
bool export_format_guess(const char *path, enum vt_export_format *format);
/* Whether a file can be made beside path; prints the error where not. */
bool export_folder_is_writable(const char *path);

#endif
