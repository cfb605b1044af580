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

enum vt_status vt_snapshot_add_biases(struct vt_snapshot *snapshot, const float *const biases[2], size_t stride,
                                      struct vt_error *error) {
  for (int t = 0; t < 2; t++) {
    snapshot->biases[t] = vt_alloc(snapshot->rows, sizeof(float));
    if (snapshot->biases[t] == NULL) return VT_FAIL_MEMORY(error, snapshot->rows * sizeof(float));
    for (size_t row = 0; row < snapshot->rows; row++) snapshot->biases[t][row] = biases[t][row * stride];
  }
  return VT_OK;
}

void vt_snapshot_free(struct vt_snapshot *snapshot) {
  if (snapshot == NULL) return;
  for (int t = 0; t < 2; t++) vt_free(snapshot->biases[t]);
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
  struct vt_tensor tensors[4] = {
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
  size_t count = snapshot->output == NULL ? 1 : 2;
  for (int t = 0; t < 2; t++) {
    if (snapshot->biases[t] == NULL) continue;
    /* In F32, so in front of tables of two bytes a number. */
    memmove(&tensors[t + 1], &tensors[t], count * sizeof *tensors);
    tensors[t] = (struct vt_tensor){.name = t == 0 ? "input_bias" : "output_bias",
                                    .dtype = VT_DTYPE_F32,
                                    .rank = 1,
                                    .shape = {snapshot->rows},
                                    .data = snapshot->biases[t]};
  }
  for (int t = 0; t < 2; t++) count += snapshot->biases[t] != NULL;
  enum vt_status status = vt_safetensors_write(path, meta, 2, tensors, count, sha256, error);
  vt_free(path);
  return status;
}
