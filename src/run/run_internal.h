/* run_internal.h: what other parts of the library take out of the reader of runs. */
#ifndef VECTRAIL_RUN_RUN_INTERNAL_H
#define VECTRAIL_RUN_RUN_INTERNAL_H

#include "run/safetensors.h"
#include "run/store.h"
#include "vectrail/run.h"

/* The vocabulary, now the caller's; the run has none from here on. */
struct vt_vocab *vt_run_take_vocab(struct vt_run *run);

/* Its database, and its folder. */
struct vt_store *vt_run_store(struct vt_run *run);
const char *vt_run_path(const struct vt_run *run);

/* Opens the file of the snapshot `index`, held against its checksum; errors as vt_run_vectors. */
enum vt_status vt_run_snapshot_file(const struct vt_run *run, size_t index, struct vt_safetensors **file,
                                    struct vt_error *error);
/* Length of a vector, as the snapshot `index` has it; the snapshot is held against its checksum. */
enum vt_status vt_run_dim(const struct vt_run *run, size_t index, size_t *dim, struct vt_error *error);
/* The rows `ids` of the snapshot `index`, held against its checksum, as rows[count][width] with zeros from column dim
 * on. VT_ERROR_CORRUPT, too, where its vectors are of another length. Any number of threads may read one run this way
 * at once. */
enum vt_status vt_run_rows(const struct vt_run *run, size_t index, const uint32_t *ids, size_t count, size_t dim,
                           size_t width, float *rows, struct vt_error *error);

/* The output vectors of the snapshot `index`, as output[words][dim]; VT_ERROR_UNSUPPORTED: the run did not keep them.
 */
enum vt_status vt_run_output(const struct vt_run *run, size_t index, size_t dim, float *output, struct vt_error *error);

#endif
