/*
 * checkpoint.c: the file of a checkpoint.
 *
 * Every number is a tensor of its own, exact and named, rank 0: no text to parse, and other programs can look. Numbers
 * of 8 bytes come first, so that everything is aligned. The header carries the SHA-256 of the data; a file whose data
 * do not have it is damaged, wherever the damage is.
 */
#include "run/checkpoint.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "run/safetensors.h"

#define FORMAT "vectrail checkpoint 3"
#define HELP_DAMAGED "remove it to begin again at step 0; the text need not be read again"

enum kind { KIND_U64, KIND_F64, KIND_U32, KIND_BOOL };
static const enum vt_dtype kind_dtypes[] = {
    [KIND_U64] = VT_DTYPE_U64, [KIND_F64] = VT_DTYPE_F64, [KIND_U32] = VT_DTYPE_U32, [KIND_BOOL] = VT_DTYPE_BOOL};

#define AT(field) offsetof(struct vt_checkpoint, field)
static const struct {
  const char *name;
  enum kind kind;
  size_t offset;
} numbers[] = {
    {"seed", KIND_U64, AT(seed)},
    {"corpus_fingerprint", KIND_U64, AT(corpus_fingerprint)},
    {"step", KIND_U64, AT(engine.step)},
    {"steps", KIND_U64, AT(engine.steps)},
    {"tokens", KIND_U64, AT(engine.tokens)},
    {"position", KIND_U64, AT(engine.position)},
    {"lr", KIND_F64, AT(engine.lr)},
    {"step_loss_sum", KIND_F64, AT(engine.loss_sum)},
    {"step_loss_pairs", KIND_U64, AT(engine.loss_pairs)},
    {"step_squared", KIND_F64, AT(engine.step_squared)},
    {"step_gradient", KIND_F64, AT(engine.gradient)},
    {"step_objective", KIND_F64, AT(engine.objective)},
    {"step_squared_error", KIND_F64, AT(engine.squared_error)},
    {"step_rows_moved", KIND_U64, AT(engine.rows_moved)},
    {"step_rows_capped", KIND_U64, AT(engine.rows_capped)},
    {"mark_step", KIND_U64, AT(mark_step)},
    {"loss_sum", KIND_F64, AT(loss_sum)},
    {"loss_pairs", KIND_U64, AT(loss_pairs)},
    {"rows_moved", KIND_U64, AT(rows_moved)},
    {"rows_capped", KIND_U64, AT(rows_capped)},
    {"loss", KIND_F64, AT(loss)},
    {"probe_loss", KIND_F64, AT(probe_loss)},
    {"probe_gradient", KIND_F64, AT(probe_gradient)},
    {"moving", KIND_F64, AT(moving)},
    {"seconds", KIND_F64, AT(seconds)},
    {"measurement_count", KIND_U64, AT(measurement_count)},
};
#define NUMBER_COUNT (sizeof numbers / sizeof numbers[0])

/* Those of fewer bytes stand behind the arrays. */
static const struct {
  const char *name;
  enum kind kind;
  size_t offset;
} small_numbers[] = {
    {"epoch", KIND_U32, AT(engine.epoch)},
    {"epoch_ended", KIND_BOOL, AT(engine.epoch_ended)},
};
#define SMALL_COUNT (sizeof small_numbers / sizeof small_numbers[0])

#define LEDGER_COUNT 6
#define TENSORS_MAX (NUMBER_COUNT + 1 + LEDGER_COUNT + VT_ENGINE_PARTS_MAX + 3 + SMALL_COUNT)
#define MEASUREMENT_COLUMNS (sizeof(struct vt_measurement) / sizeof(double))

static struct vt_tensor *lay_out_parts(const struct vt_checkpoint *checkpoint, enum vt_engine_part_type type,
                                       struct vt_tensor *at) {
  for (size_t k = 0; k < checkpoint->part_count; k++) {
    const struct vt_engine_part *part = &checkpoint->parts[k];
    if (part->type != type) continue;
    *at++ = (struct vt_tensor){.name = part->name,
                               .dtype = type == VT_PART_F64 ? VT_DTYPE_F64 : VT_DTYPE_F32,
                               .rank = 2,
                               .shape = {part->rows, part->columns},
                               .data = part->data,
                               .stride_bytes = part->stride_bytes};
  }
  return at;
}

static struct vt_tensor *lay_out_ledger(const struct vt_ledger_packed *ledger, struct vt_tensor *at) {
  const struct vt_tensor tensors[LEDGER_COUNT] = {
      {.name = "ledger_counts", .dtype = VT_DTYPE_U64, .rank = 1, .shape = {ledger->words}, .data = ledger->counts},
      {.name = "ledger_keys", .dtype = VT_DTYPE_U64, .rank = 1, .shape = {ledger->count}, .data = ledger->keys},
      {.name = "ledger_updates", .dtype = VT_DTYPE_U64, .rank = 1, .shape = {ledger->count}, .data = ledger->updates},
      {.name = "ledger_decayed",
       .dtype = VT_DTYPE_F64,
       .rank = 2,
       .shape = {ledger->words, ledger->dim},
       .data = ledger->decayed},
      {.name = "ledger_vectors",
       .dtype = VT_DTYPE_F32,
       .rank = 2,
       .shape = {ledger->count, ledger->dim},
       .data = ledger->vectors},
      {.name = "ledger_begun",
       .dtype = VT_DTYPE_F32,
       .rank = 2,
       .shape = {ledger->words, ledger->dim},
       .data = ledger->begun},
  };
  for (size_t k = 0; k < LEDGER_COUNT; k++) *at++ = tensors[k];
  return at;
}

/* What a file of this checkpoint holds, in its order; data points into the checkpoint and what it points to. Returns
 * how many. */
static size_t lay_out(const struct vt_checkpoint *checkpoint, struct vt_tensor tensors[TENSORS_MAX]) {
  const unsigned char *base = (const unsigned char *)checkpoint;
  struct vt_tensor *at = tensors;
  for (size_t k = 0; k < NUMBER_COUNT; k++)
    *at++ = (struct vt_tensor){
        .name = numbers[k].name, .dtype = kind_dtypes[numbers[k].kind], .data = base + numbers[k].offset};
  *at++ = (struct vt_tensor){.name = "measurements",
                             .dtype = VT_DTYPE_F64,
                             .rank = 2,
                             .shape = {checkpoint->measurement_count, MEASUREMENT_COLUMNS},
                             .data = checkpoint->measurements};
  at = lay_out_parts(checkpoint, VT_PART_F64, at);
  if (checkpoint->ledger != NULL) at = lay_out_ledger(checkpoint->ledger, at);
  at = lay_out_parts(checkpoint, VT_PART_F32, at);
  *at++ = (struct vt_tensor){.name = "marked",
                             .dtype = VT_DTYPE_F32,
                             .rank = 2,
                             .shape = {checkpoint->mark_rows, checkpoint->mark_dim},
                             .data = checkpoint->marked};
  *at++ = (struct vt_tensor){.name = "settle_marked",
                             .dtype = VT_DTYPE_F32,
                             .rank = 2,
                             .shape = {checkpoint->settle_rows, checkpoint->mark_dim},
                             .data = checkpoint->settle_marked};
  *at++ = (struct vt_tensor){.name = "settle_lists",
                             .dtype = VT_DTYPE_U32,
                             .rank = 2,
                             .shape = {checkpoint->settle_queries, VT_SETTLE_NEIGHBORS},
                             .data = checkpoint->settle_lists};
  for (size_t k = 0; k < SMALL_COUNT; k++)
    *at++ = (struct vt_tensor){.name = small_numbers[k].name,
                               .dtype = kind_dtypes[small_numbers[k].kind],
                               .data = base + small_numbers[k].offset};
  return (size_t)(at - tensors);
}

/* ---- copying ----------------------------------------------------------------------------------------------------- */

/* To the end of the last row: where several parts share rows, what comes after it is not there to be read. */
static size_t part_bytes(const struct vt_engine_part *part) {
  size_t number = part->type == VT_PART_F64 ? sizeof(double) : sizeof(float);
  if (part->rows == 0) return 0;
  return (size_t)(part->rows - 1) * part->stride_bytes + (size_t)part->columns * number;
}

static size_t ledger_bytes(const struct vt_ledger_packed *ledger) {
  const size_t row = (size_t)ledger->dim * sizeof(float);
  return (size_t)ledger->count * (2 * sizeof(uint64_t) + row) + (size_t)ledger->words * (sizeof(uint64_t) + 3 * row);
}

static struct vt_ledger_packed *copy_ledger(const struct vt_ledger_packed *ledger) {
  struct vt_ledger_packed *copy = vt_alloc_zero(1, sizeof *copy);
  if (copy == NULL || vt_ledger_packed_init(copy, ledger->words, ledger->count, ledger->dim, NULL) != VT_OK) {
    vt_free(copy);
    return NULL;
  }
  size_t words = (size_t)ledger->words, count = (size_t)ledger->count, dim = (size_t)ledger->dim;
  memcpy(copy->counts, ledger->counts, words * sizeof *copy->counts);
  memcpy(copy->keys, ledger->keys, count * sizeof *copy->keys);
  memcpy(copy->updates, ledger->updates, count * sizeof *copy->updates);
  memcpy(copy->vectors, ledger->vectors, count * dim * sizeof *copy->vectors);
  memcpy(copy->begun, ledger->begun, words * dim * sizeof *copy->begun);
  memcpy(copy->decayed, ledger->decayed, words * dim * sizeof *copy->decayed);
  return copy;
}

size_t vt_checkpoint_bytes(const struct vt_checkpoint *checkpoint) {
  size_t bytes = 0;
  for (size_t k = 0; k < checkpoint->part_count; k++) bytes += part_bytes(&checkpoint->parts[k]);
  if (checkpoint->ledger != NULL) bytes += ledger_bytes(checkpoint->ledger);
  return bytes;
}

static void *copy_of(const void *from, size_t bytes) {
  void *copy = vt_alloc(bytes, 1);
  if (copy != NULL && bytes > 0) memcpy(copy, from, bytes);
  return copy;
}

enum vt_status vt_checkpoint_copy(const struct vt_checkpoint *checkpoint, struct vt_checkpoint **out,
                                  struct vt_error *error) {
  struct vt_checkpoint *copy = copy_of(checkpoint, sizeof *checkpoint);
  if (copy == NULL) return VT_FAIL_MEMORY(error, sizeof *checkpoint);
  size_t mark_bytes = (size_t)checkpoint->mark_rows * checkpoint->mark_dim * sizeof *copy->marked;
  copy->marked = copy_of(checkpoint->marked, mark_bytes);
  copy->measurements =
      copy_of(checkpoint->measurements, (size_t)checkpoint->measurement_count * sizeof *copy->measurements);
  copy->settle_marked = copy_of(checkpoint->settle_marked,
                                (size_t)checkpoint->settle_rows * checkpoint->mark_dim * sizeof *copy->settle_marked);
  copy->settle_lists = copy_of(checkpoint->settle_lists,
                               (size_t)checkpoint->settle_queries * VT_SETTLE_NEIGHBORS * sizeof *copy->settle_lists);
  bool good =
      copy->marked != NULL && copy->measurements != NULL && copy->settle_marked != NULL && copy->settle_lists != NULL;
  if (copy->ledger != NULL) {
    copy->ledger = copy_ledger(checkpoint->ledger);
    good = good && copy->ledger != NULL;
  }
  for (size_t k = 0; k < checkpoint->part_count; k++) {
    copy->parts[k].data = copy_of(checkpoint->parts[k].data, part_bytes(&checkpoint->parts[k]));
    good = good && copy->parts[k].data != NULL;
  }
  if (!good) {
    vt_checkpoint_free(copy);
    return VT_FAIL_MEMORY(error, vt_checkpoint_bytes(checkpoint) + mark_bytes);
  }
  *out = copy;
  return VT_OK;
}

void vt_checkpoint_free(struct vt_checkpoint *copy) {
  if (copy == NULL) return;
  for (size_t k = 0; k < copy->part_count; k++) vt_free(copy->parts[k].data);
  vt_free(copy->marked);
  vt_free(copy->measurements);
  vt_free(copy->settle_marked);
  vt_free(copy->settle_lists);
  if (copy->ledger != NULL) vt_ledger_packed_release(copy->ledger);
  vt_free(copy->ledger);
  vt_free(copy);
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

enum vt_status vt_checkpoint_write(const struct vt_checkpoint *checkpoint, const char *path, struct vt_error *error) {
  struct vt_tensor tensors[TENSORS_MAX];
  char sha256[VT_SHA256_TEXT_BYTES];
  size_t count = lay_out(checkpoint, tensors);
  vt_tensors_sha256(tensors, count, sha256);
  const struct vt_safetensors_meta meta[] = {{"format", FORMAT}, {"sha256", sha256}};
  return vt_safetensors_write(path, meta, 2, tensors, count, NULL, error);
}

static enum vt_status fail_damaged(const char *path, const char *reason, struct vt_error *error) {
  return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, HELP_DAMAGED, "%s: damaged checkpoint: %s", path, reason);
}

static bool is_like(const struct vt_tensor *found, const struct vt_tensor *wanted) {
  bool same = found->dtype == wanted->dtype && found->rank == wanted->rank;
  for (size_t k = 0; same && k < wanted->rank; k++) same = found->shape[k] == wanted->shape[k];
  return same;
}

/* The tensors of the file, in our order, held against those that the checkpoint expects. */
static enum vt_status find_all(const struct vt_safetensors *file, const char *path, const struct vt_tensor *wanted,
                               size_t count, struct vt_tensor *found, struct vt_error *error) {
  for (size_t k = 0; k < count; k++) {
    const struct vt_tensor *tensor = vt_safetensors_find(file, wanted[k].name);
    char reason[96];
    snprintf(reason, sizeof reason, "\"%s\" is missing, or not what this run has", wanted[k].name);
    if (tensor == NULL || !is_like(tensor, &wanted[k])) return fail_damaged(path, reason, error);
    found[k] = *tensor;
  }
  return VT_OK;
}

/* Data of a file may lie at any byte, so they are copied as bytes; `wanted` says where to. */
static void copy_tensor(const struct vt_tensor *from, const struct vt_tensor *wanted) {
  unsigned char *to = (unsigned char *)(uintptr_t)wanted->data; /* it points into what is to be filled in */
  if (wanted->dtype == VT_DTYPE_BOOL) {
    bool flag = *(const unsigned char *)from->data != 0; /* any byte but 0 and 1 in a bool would be undefined */
    memcpy(to, &flag, sizeof flag);
    return;
  }
  size_t rows = wanted->stride_bytes == 0 ? 1 : (size_t)wanted->shape[0];
  size_t row_bytes = rows == 0 ? 0 : from->bytes / rows;
  for (size_t row = 0; row < rows; row++)
    memcpy(to + row * wanted->stride_bytes, (const unsigned char *)from->data + row * row_bytes, row_bytes);
}

/* Nor how many sums the ledger has; they lie in the file, so there is no more than the file's worth of them. */
static enum vt_status make_ledger(struct vt_ledger_packed *ledger, const struct vt_safetensors *file, const char *path,
                                  struct vt_error *error) {
  const struct vt_tensor *keys = vt_safetensors_find(file, "ledger_keys"),
                         *vectors = vt_safetensors_find(file, "ledger_vectors");
  if (keys == NULL || keys->rank != 1 || vectors == NULL || vectors->rank != 2 || vectors->shape[0] != keys->shape[0] ||
      vectors->shape[1] != ledger->dim)
    return fail_damaged(path, "the ledger is missing, or not what this run has", error);
  return vt_ledger_packed_init(ledger, ledger->words, keys->shape[0], ledger->dim, error);
}

static enum vt_status read_file(struct vt_checkpoint *checkpoint, const struct vt_safetensors *file, const char *path,
                                struct vt_error *error) {
  const char *format = vt_safetensors_meta(file, "format"), *recorded = vt_safetensors_meta(file, "sha256");
  if (format == NULL || recorded == NULL || strcmp(format, FORMAT) != 0)
    return fail_damaged(path, "not a checkpoint of this version", error);
  /* How many measurements there are is known from the file alone. */
  const struct vt_tensor *measurements = vt_safetensors_find(file, "measurements");
  if (measurements == NULL || measurements->rank != 2 || measurements->shape[0] > checkpoint->measurement_capacity)
    return fail_damaged(path, "\"measurements\" is missing, or longer than this run can have", error);
  checkpoint->measurement_count = measurements->shape[0];
  if (checkpoint->ledger != NULL) VT_TRY(make_ledger(checkpoint->ledger, file, path, error));
  struct vt_tensor wanted[TENSORS_MAX], found[TENSORS_MAX];
  char sha256[VT_SHA256_TEXT_BYTES];
  size_t count = lay_out(checkpoint, wanted);
  VT_TRY(find_all(file, path, wanted, count, found, error));
  vt_tensors_sha256(found, count, sha256);
  if (strcmp(sha256, recorded) != 0) return fail_damaged(path, "its checksum is another one", error);
  uint64_t seed = checkpoint->seed, fingerprint = checkpoint->corpus_fingerprint;
  for (size_t k = 0; k < count; k++) copy_tensor(&found[k], &wanted[k]);
  if (checkpoint->seed != seed || checkpoint->corpus_fingerprint != fingerprint)
    return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, HELP_DAMAGED, "%s: the checkpoint of another run", path);
  if (checkpoint->measurement_count != measurements->shape[0])
    return fail_damaged(path, "it contradicts itself", error);
  return VT_OK;
}

enum vt_status vt_checkpoint_read(struct vt_checkpoint *checkpoint, const char *path, struct vt_error *error) {
  struct vt_safetensors *file;
  struct vt_error reason;
  enum vt_status status = vt_safetensors_open(path, &file, &reason);
  if (status == VT_ERROR_CORRUPT) return VT_FAIL_HELP(error, status, HELP_DAMAGED, "%s", reason.message);
  if (status != VT_OK) {
    if (error != NULL) *error = reason;
    return status;
  }
  status = read_file(checkpoint, file, path, error);
  vt_safetensors_close(file);
  return status;
}
