/*
 * import_tensor.c: vectors as one tensor of a safetensors file, of which a checkpoint has many.
 *
 * The file is mapped, and its header checked, by safetensors.h; rows are converted from there one by one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "run/import.h"
#include "run/safetensors.h"

static bool is_table(const struct vt_tensor *tensor) {
  bool numbers = tensor->dtype == VT_DTYPE_F16 || tensor->dtype == VT_DTYPE_BF16 || tensor->dtype == VT_DTYPE_F32 ||
                 tensor->dtype == VT_DTYPE_F64;
  return numbers && tensor->rank == 2 && tensor->shape[0] > 0 && tensor->shape[1] > 0;
}

static bool fits(const struct vt_tensor *tensor, const struct vt_import_names *names) {
  return is_table(tensor) && vt_import_names_check(names, "", tensor->shape[0], NULL) == VT_OK;
}

/* "input F32 [4, 3]" */
static void describe(const struct vt_tensor *tensor, char *text, size_t capacity) {
  size_t at = (size_t)snprintf(text, capacity, "%.80s %s [", tensor->name, vt_dtype_name(tensor->dtype));
  for (size_t k = 0; k < tensor->rank && at < capacity; k++)
    at += (size_t)snprintf(text + at, capacity - at, "%s%" PRIu64, k == 0 ? "" : ", ", tensor->shape[k]);
  if (at < capacity) snprintf(text + at, capacity - at, "]");
}

/* Those that fit the words first, then the other tables, then the rest, as many as there is room for. */
static void list(const struct vt_safetensors *file, const struct vt_import_names *names, char *text, size_t capacity) {
  static const char more[] = ", ...";
  size_t at = (size_t)snprintf(text, capacity, "there %s ", vt_safetensors_count(file) == 1 ? "is" : "are");
  bool first = true;
  for (int rank = 0; rank < 3; rank++)
    for (size_t k = 0; k < vt_safetensors_count(file); k++) {
      const struct vt_tensor *tensor = vt_safetensors_at(file, k);
      char one[160];
      if ((fits(tensor, names) ? 0 : is_table(tensor) ? 1 : 2) != rank) continue;
      describe(tensor, one, sizeof one);
      if (at + strlen(one) + 2 + sizeof more > capacity) {
        snprintf(text + at, capacity - at, "%s", first ? "many" : more);
        return;
      }
      at += (size_t)snprintf(text + at, capacity - at, "%s%s", first ? "" : ", ", one);
      first = false;
    }
  if (first) snprintf(text, capacity, "there is none at all");
}

static enum vt_status choose(const struct vt_safetensors *file, const char *path, const char *name,
                             const struct vt_import_names *names, const struct vt_tensor **tensor,
                             struct vt_error *error) {
  char help[sizeof error->help];
  *tensor = NULL;
  if (name != NULL) {
    *tensor = vt_safetensors_find(file, name);
    if (*tensor != NULL) return VT_OK;
    list(file, names, help, sizeof help);
    return VT_FAIL_HELP(error, VT_ERROR_NOT_FOUND, help, "%s: there is no tensor \"%.100s\"", path, name);
  }
  size_t found = 0;
  for (size_t k = 0; k < vt_safetensors_count(file); k++) {
    if (!fits(vt_safetensors_at(file, k), names)) continue;
    *tensor = vt_safetensors_at(file, k);
    found++;
  }
  if (found == 1) return VT_OK;
  list(file, names, help, sizeof help);
  return VT_FAIL_HELP(error, VT_ERROR_NOT_FOUND, help, "%s: %s tensor fits the %zu words of %s: name one with --tensor",
                      path, found == 0 ? "no" : "more than one", vt_vocab_size(names->vocab), names->path);
}

static enum vt_status read_rows(const struct vt_tensor *tensor, const struct vt_import_names *names,
                                struct vt_import_table *table, struct vt_error *error) {
  size_t row_bytes = table->dim * vt_dtype_bytes(tensor->dtype), cursor = 0;
  const unsigned char *from = tensor->data;
  for (uint64_t k = 0; k < tensor->shape[0]; k++, from += row_bytes) {
    uint32_t id;
    if (!vt_import_names_at(names, k, &cursor, &id)) continue;
    const char *word = vt_vocab_text(names->vocab, id);
    float *row;
    VT_TRY(vt_import_table_row(table, word, strlen(word), vt_vocab_count(names->vocab, id), k, &row, error));
    const struct vt_tensor one = {.name = tensor->name,
                                  .dtype = tensor->dtype,
                                  .rank = 1,
                                  .shape = {table->dim},
                                  .data = from,
                                  .bytes = row_bytes};
    VT_TRY(vt_tensor_to_float(&one, row, error));
    VT_TRY(vt_import_table_check(table, row, k, error));
  }
  return VT_OK;
}

static enum vt_status read_file(const struct vt_safetensors *file, const char *path, const char *name,
                                const struct vt_import_names *names, const struct vt_vocab *known,
                                struct vt_import_table *table, struct vt_error *error) {
  const struct vt_tensor *tensor;
  char shape[160];
  VT_TRY(choose(file, path, name, names, &tensor, error));
  describe(tensor, shape, sizeof shape);
  if (!is_table(tensor))
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "name a tensor of real numbers [words, dim]",
                        "%s: the tensor %s is no table of vectors", path, shape);
  VT_TRY(vt_import_names_check(names, path, tensor->shape[0], error));
  VT_TRY(vt_import_table_init(table, path, "row", tensor->shape[1], known, error));
  return read_rows(tensor, names, table, error);
}

enum vt_status vt_import_safetensors(const char *path, const char *name, const struct vt_import_names *names,
                                     const struct vt_vocab *known, struct vt_import_table *table,
                                     struct vt_error *error) {
  struct vt_safetensors *file;
  struct vt_error reason;
  enum vt_status opened = vt_safetensors_open(path, &file, &reason);
  if (opened != VT_OK)
    return VT_FAIL_HELP(error, opened, "it must be a whole file, not compressed and no pipe", "%s", reason.message);
  enum vt_status status = read_file(file, path, name, names, known, table, error);
  vt_safetensors_close(file);
  return status;
}
