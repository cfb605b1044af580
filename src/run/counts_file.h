/* counts_file.h: counts as files of others' formats: counts_npz.c, and store_counts.c, which knows SQLite. */
#ifndef VECTRAIL_RUN_COUNTS_FILE_H
#define VECTRAIL_RUN_COUNTS_FILE_H

#include "vectrail/cooccur.h"

enum vt_status vt_counts_write_npz(const struct vt_cooccur *counts, const struct vt_vocab *vocab, const char *path,
                                   struct vt_error *error);
/* Makes a database at a path where there is nothing, and syncs it. On error what was made is left to the caller. */
enum vt_status vt_counts_write_database(const struct vt_cooccur *counts, const struct vt_vocab *vocab, const char *path,
                                        struct vt_error *error);
/* "distance", "linear", "flat"; "both", "left". Static. */
const char *vt_counts_weight_name(enum vt_cooccur_weight weight);
const char *vt_counts_sides_name(enum vt_cooccur_sides sides);

#endif
