/* snapshot.c: packing is done by the thread that trains, writing by the recorder's. */
#include "run/snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/half.h"
#include "base/memory.h"
#include "run/folder.h"

/* A contiguous copy of a table in the type of the snapshot; NULL when out of memory. */
static void *pack(const float *table, enum vt_dtype dtype, size_t rows, size_t dim, size_t stride) {
  unsigned char *packed = vt_alloc(rows * dim, vt_dtype_bytes(dtype));
  size_t row_bytes = dim * vt_dtype_bytes(dtype);
  for (size_t row = 0; packed != NULL && row < rows; row++) {
    void *to = packed + row * row_bytes;
    if (dtype == VT_DTYPE_F16)
      vt_half_from_float(to, table + row * stride, dim);
    else
      memcpy(to, table + row * stride, row_bytes);
  }
  return packed;
}

enum vt_status vt_snapshot_take(uint64_t step, enum vt_dtype dtype, const float *input, const float *output,
                                size_t rows, size_t dim, size_t stride, struct vt_snapshot **out,
                                struct vt_error *error) {
  struct vt_snapshot *snapshot = vt_alloc_zero(1, sizeof *snapshot);
  if (snapshot == NULL) return VT_FAIL_MEMORY(error, sizeof *snapshot);
  *snapshot = (struct vt_snapshot){.step = step, .dtype = dtype, .rows = rows, .dim = dim};
  snapshot->input = pack(input, dtype, rows, dim, stride);
  if (output != NULL) snapshot->output = pack(output, dtype, rows, dim, stride);
  if (snapshot->input == NULL || (output != NULL && snapshot->output == NULL)) {
    vt_snapshot_free(snapshot);
    return VT_FAIL_MEMORY(error, rows * dim * vt_dtype_bytes(dtype));
  }
  *out = snapshot;
  return VT_OK;
}

void vt_snapshot_free(struct vt_snapshot *snapshot) {
  if (snapshot == NULL) return;
  vt_free(snapshot->input);
  vt_free(snapshot->output);
  vt_free(snapshot);
}

enum vt_status vt_snapshot_write(const struct vt_snapshot *snapshot, const char *run_path,
                                 char name[VT_SNAPSHOT_NAME_BYTES], char sha256[VT_SHA256_TEXT_BYTES],
                                 struct vt_error *error) {
  char step[24];
  snprintf(step, sizeof step, "%" PRIu64, snapshot->step);
  snprintf(name, VT_SNAPSHOT_NAME_BYTES, VT_RUN_SNAPSHOTS "/%s" VT_SNAPSHOT_ENDING, step);
  char *path = vt_path_join(run_path, name);
  if (path == NULL) return VT_FAIL_MEMORY(error, strlen(run_path));
  const struct vt_safetensors_meta meta[] = {{"format", "vectrail"}, {"step", step}};
  const struct vt_tensor tensors[] = {
      {.name = "input",
       .dtype = snapshot->dtype,
       .rank = 2,
       .shape = {snapshot->rows, snapshot->dim},
       .data = snapshot->input},
      {.name = "output",
       .dtype = snapshot->dtype,
       .rank = 2,
       .shape = {snapshot->rows, snapshot->dim},
       .data = snapshot->output},
  };
  enum vt_status status = vt_safetensors_write(path, meta, 2, tensors, snapshot->output == NULL ? 1 : 2, sha256, error);
  vt_free(path);
  return status;
}
