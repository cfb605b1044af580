/* snapshot.c: packing is done by the threads that train, writing by the recorder's. */
#include "run/snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "kernel/kernel.h"
#include "run/folder.h"

#define PACK_ROWS 1024 /* at a time by a thread */

struct packing {
  const float *from;
  unsigned char *to;
  const struct vt_snapshot_source *source;
  const struct vt_kernel *kernel;
  enum vt_dtype dtype;
};

static void pack_rows(void *context, size_t begin, size_t end) {
  const struct packing *packing = context;
  const struct vt_snapshot_source *source = packing->source;
  size_t row_bytes = source->dim * vt_dtype_bytes(packing->dtype);
  for (size_t row = begin; row < end; row++) {
    const float *from = packing->from + row * source->stride;
    void *to = packing->to + row * row_bytes;
    if (packing->dtype == VT_DTYPE_F16)
      packing->kernel->to_half(from, source->dim, to);
    else
      memcpy(to, from, row_bytes);
  }
}

/* A contiguous copy of a table in the type of the snapshot, to *out, which has so many bytes already. */
static enum vt_status pack(const float *table, enum vt_dtype dtype, const struct vt_snapshot_source *source, void **out,
                           size_t *bytes, struct vt_error *error) {
  struct packing packing = {.from = table, .source = source, .dtype = dtype};
  size_t needed = table == NULL ? 0 : source->rows * source->dim * vt_dtype_bytes(dtype);
  if (needed == 0 || needed > *bytes) {
    vt_free_aligned(*out);
    *out = NULL;
    *bytes = 0;
  }
  if (table == NULL) return VT_OK;
  VT_TRY(vt_kernel_choose(NULL, &packing.kernel, error));
  if (*out == NULL) *out = vt_alloc_aligned_raw(needed, 1);
  if (*out == NULL) return VT_FAIL_MEMORY(error, needed);
  if (needed > *bytes) *bytes = needed;
  packing.to = *out;
  vt_pool_share(source->pool, source->rows, PACK_ROWS, pack_rows, &packing);
  return VT_OK;
}

static enum vt_status take_biases(struct vt_snapshot *snapshot, const struct vt_snapshot_source *source,
                                  struct vt_error *error) {
  for (int t = 0; t < 2; t++) {
    vt_free(snapshot->biases[t]);
    snapshot->biases[t] = NULL;
    if (source->biases[t] == NULL) continue;
    float *biases = snapshot->biases[t] = vt_alloc(source->rows, sizeof *biases);
    if (biases == NULL) return VT_FAIL_MEMORY(error, source->rows * sizeof *biases);
    for (size_t row = 0; row < source->rows; row++) biases[row] = source->biases[t][row * source->bias_stride];
  }
  return VT_OK;
}

/* As pack, to a place in a file. */
static enum vt_status pack_in_file(const float *table, enum vt_dtype dtype, const struct vt_snapshot_source *source,
                                   struct vt_scratch *file, void **out, struct vt_error *error) {
  if (table == NULL) return VT_OK;
  size_t bytes = source->rows * source->dim * vt_dtype_bytes(dtype);
  VT_TRY(vt_scratch_open(NULL, file, error));
  VT_TRY(vt_scratch_room(file, bytes, out, error));
  return pack(table, dtype, source, out, &bytes, error);
}

static enum vt_status pack_tables(struct vt_snapshot *snapshot, const struct vt_snapshot_source *source,
                                  struct vt_error *error) {
  const float *const tables[] = {source->input, source->output};
  void **const places[] = {&snapshot->input, &snapshot->output};
  for (int t = 0; t < 2; t++) {
    if (source->in_files)
      VT_TRY(pack_in_file(tables[t], snapshot->dtype, source, &snapshot->files[t], places[t], error));
    else
      VT_TRY(pack(tables[t], snapshot->dtype, source, places[t], &snapshot->bytes[t], error));
  }
  return VT_OK;
}

enum vt_status vt_snapshot_take(uint64_t step, enum vt_dtype dtype, const struct vt_snapshot_source *source,
                                struct vt_snapshot *spent, struct vt_snapshot **out, struct vt_error *error) {
  if (spent != NULL && (spent->in_files || source->in_files)) {
    vt_snapshot_free(spent);
    spent = NULL;
  }
  struct vt_snapshot *snapshot = spent == NULL ? vt_alloc_zero(1, sizeof *snapshot) : spent;
  if (snapshot == NULL) return VT_FAIL_MEMORY(error, sizeof *snapshot);
  snapshot->in_files = source->in_files;
  for (int t = 0; t < 2; t++) snapshot->files[t].descriptor = -1;
  snapshot->step = step;
  snapshot->dtype = dtype;
  snapshot->rows = source->rows;
  snapshot->dim = source->dim;
  enum vt_status status = pack_tables(snapshot, source, error);
  if (status == VT_OK) status = take_biases(snapshot, source, error);
  if (status != VT_OK) {
    vt_snapshot_free(snapshot);
    return status;
  }
  *out = snapshot;
  return VT_OK;
}

void vt_snapshot_free(struct vt_snapshot *snapshot) {
  if (snapshot == NULL) return;
  for (int t = 0; t < 2; t++) vt_free(snapshot->biases[t]);
  for (int t = 0; t < 2 && snapshot->in_files; t++) vt_scratch_release(&snapshot->files[t]);
  if (!snapshot->in_files) vt_free_aligned(snapshot->input);
  if (!snapshot->in_files) vt_free_aligned(snapshot->output);
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
