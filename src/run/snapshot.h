/*
 * snapshot.h: the tables as they are at one step, packed for a file.
 */
#ifndef VECTRAIL_RUN_SNAPSHOT_H
#define VECTRAIL_RUN_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/scratch.h"
#include "run/safetensors.h"

#define VT_SNAPSHOT_NAME_BYTES 64

struct vt_snapshot {
  uint64_t step;
  enum vt_dtype dtype; /* F16 or F32 */
  void *input;         /* rows x dim */
  void *output;        /* likewise, or NULL */
  size_t bytes[2];     /* that there are of input and output, at least */
  float *biases[2];    /* rows each, of input and output; or NULL */
  size_t rows;
  size_t dim;
  bool in_files; /* input and output lie in temporary files and not in memory */
  struct vt_scratch files[2];
};

/* What a snapshot is taken of: tables of rows x dim floats, rows `stride` floats apart, and the biases of row r at
 * biases[table][r * bias_stride]. */
struct vt_snapshot_source {
  const float *input;
  const float *output;    /* or NULL */
  const float *biases[2]; /* of input and output; NULL: none */
  size_t bias_stride;
  size_t rows;
  size_t dim;
  size_t stride;
  struct vt_pool *pool; /* whose threads pack it together; NULL: the calling thread alone */
  bool in_files;        /* the tables exceed this machine's memory: so is the snapshot to lie in temporary files */
};

/* Packs the tables; biases stay in F32 whatever the tables are in. spent: a snapshot that is needed no more, whose
 * memory serves again where it is large enough: fresh pages cost as much as the packing. It is gone afterwards,
 * whatever the status; or NULL. */
enum vt_status vt_snapshot_take(uint64_t step, enum vt_dtype dtype, const struct vt_snapshot_source *source,
                                struct vt_snapshot *spent, struct vt_snapshot **snapshot, struct vt_error *error);
void vt_snapshot_free(struct vt_snapshot *snapshot); /* accepts NULL */

/* Writes the file into the folder of snapshots; name: its path within the run. */
enum vt_status vt_snapshot_write(const struct vt_snapshot *snapshot, const char *run_path,
                                 char name[VT_SNAPSHOT_NAME_BYTES], char sha256[VT_SHA256_TEXT_BYTES],
                                 struct vt_error *error);

#endif
