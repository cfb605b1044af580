/*
 * run_counts.h: counts in the place of a run's text: those it is trained on, or others that were counted on its text.
 *
 * A run that is trained on counts keeps no copy of them, but where they are and their fingerprint (meta `counts`,
 * `counts_fingerprint`): whoever goes on with it, or trains it once more, reads them again.
 */
#ifndef VECTRAIL_RUN_RUN_COUNTS_H
#define VECTRAIL_RUN_RUN_COUNTS_H

#include <stdbool.h>

#include "base/error.h"
#include "vectrail/cooccur.h"
#include "vectrail/run.h"

#define VT_COUNTS_META "counts"
#define VT_COUNTS_META_FINGERPRINT "counts_fingerprint"

/* Whether a run was trained on counts. */
static inline bool vt_run_has_counts(const struct vt_run *run) { return vt_run_meta(run, VT_COUNTS_META) != NULL; }

/* The counts that a run was trained on. path: where they are now; NULL: where they were. folder: as vt_cooccur_load.
 * VT_ERROR_NOT_FOUND, VT_ERROR_IO: they cannot be read; VT_ERROR_CORRUPT: they are damaged, or others. */
enum vt_status vt_run_counts_open(const struct vt_run *run, const char *path, const char *folder,
                                  struct vt_cooccur **counts, struct vt_error *error);
/* Counts of the text that a run was trained on, as random windows of that size give them in expectation, subsampled or
 * not (0): its words are theirs, and the text has the same fingerprint. VT_ERROR_CORRUPT: of another text;
 * VT_ERROR_ARGUMENT: of another kind. */
enum vt_status vt_run_counts_of_text(const struct vt_run *run, const char *path, uint32_t window, double sample,
                                     struct vt_cooccur **counts, struct vt_error *error);

#endif
