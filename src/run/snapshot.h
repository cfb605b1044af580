/*
 * snapshot.h: the tables as they are at one step, packed for a file.
 */
#ifndef VECTRAIL_RUN_SNAPSHOT_H
#define VECTRAIL_RUN_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "run/safetensors.h"

#define VT_SNAPSHOT_NAME_BYTES 64

struct vt_snapshot {
  uint64_t step;
  enum vt_dtype dtype; /* F16 or F32 */
  void *input;         /* rows x dim */
  void *output;        /* likewise, or NULL */
  float *biases[2];    /* rows each, of input and output; or NULL */
  size_t rows;
  size_t dim;
};

/* Packs tables of rows x dim floats, rows `stride` floats apart; output may be NULL. */
enum vt_status vt_snapshot_take(uint64_t step, enum vt_dtype dtype, const float *input, const float *output,
                                size_t rows, size_t dim, size_t stride, struct vt_snapshot **snapshot,
                                struct vt_error *error);
/* Adds biases, of which row r is biases[t][r * stride]; in F32 whatever the tables are in. */
enum vt_status vt_snapshot_add_biases(struct vt_snapshot *snapshot, const float *const biases[2], size_t stride,
                                      struct vt_error *error);
void vt_snapshot_free(struct vt_snapshot *snapshot); /* accepts NULL */

/* Writes the file into the folder of snapshots; name: its path within the run. */
enum vt_status vt_snapshot_write(const struct vt_snapshot *snapshot, const char *run_path,
                                 char name[VT_SNAPSHOT_NAME_BYTES], char sha256[VT_SHA256_TEXT_BYTES],
                                 struct vt_error *error);

#endif
