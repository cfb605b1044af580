/* safetensors.c: writing streams through one SHA-256; reading trusts no number of the header before it is checked. */
#include "run/safetensors.h"

#include <jansson.h>
#include <nettle/sha2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "kernel/kernel.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "run files are little-endian; byte swapping is not written yet"
#endif

#define HEADER_BYTES_MAX ((uint64_t)100 * 1000 * 1000) /* the format's own limit */
#define PIECE_BYTES ((size_t)256 << 10)                /* hashed, then written */
#define META_KEY "__metadata__"

static const struct {
  const char *name;
  size_t bytes;
} dtypes[VT_DTYPES] = {
    [VT_DTYPE_F16] = {"F16", 2},   [VT_DTYPE_BF16] = {"BF16", 2}, [VT_DTYPE_F32] = {"F32", 4},
    [VT_DTYPE_F64] = {"F64", 8},   [VT_DTYPE_U8] = {"U8", 1},     [VT_DTYPE_I8] = {"I8", 1},
    [VT_DTYPE_U16] = {"U16", 2},   [VT_DTYPE_I16] = {"I16", 2},   [VT_DTYPE_U32] = {"U32", 4},
    [VT_DTYPE_I32] = {"I32", 4},   [VT_DTYPE_U64] = {"U64", 8},   [VT_DTYPE_I64] = {"I64", 8},
    [VT_DTYPE_BOOL] = {"BOOL", 1},
};

const char *vt_dtype_name(enum vt_dtype dtype) { return dtypes[dtype].name; }

size_t vt_dtype_bytes(enum vt_dtype dtype) { return dtypes[dtype].bytes; }

static void finish_sha256(struct sha256_ctx *hash, char text[VT_SHA256_TEXT_BYTES]) {
  uint8_t digest[SHA256_DIGEST_SIZE];
  sha256_digest(hash, sizeof digest, digest);
  for (size_t k = 0; k < sizeof digest; k++) snprintf(text + 2 * k, 3, "%02x", digest[k]);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* The product of a shape and the bytes of an element; false when it does not fit. */
static bool tensor_bytes(const struct vt_tensor *tensor, uint64_t *bytes) {
  *bytes = vt_dtype_bytes(tensor->dtype);
  for (size_t k = 0; k < tensor->rank; k++)
    if (__builtin_mul_overflow(*bytes, tensor->shape[k], bytes)) return false;
  return true;
}

/* NULL when out of memory. */
static json_t *describe(const struct vt_tensor *tensor, uint64_t begin, uint64_t end) {
  json_t *shape = json_array();
  for (size_t k = 0; k < tensor->rank; k++) {
    if (json_array_append_new(shape, json_integer((json_int_t)tensor->shape[k])) == 0) continue;
    json_decref(shape);
    return NULL;
  }
  return json_pack("{s:s, s:o, s:[I, I]}", "dtype", vt_dtype_name(tensor->dtype), "shape", shape, "data_offsets",
                   (json_int_t)begin, (json_int_t)end);
}

/* The text of a value, to be freed with vt_free; NULL when out of memory. Measured first, then written where there is
 * room: json_dumps, whose room grows, can lose a piece of the text without a word where memory runs out. */
static char *compact_text(const json_t *value) {
  const size_t flags = JSON_COMPACT | JSON_PRESERVE_ORDER;
  size_t bytes = json_dumpb(value, NULL, 0, flags);
  char *text = bytes == 0 ? NULL : vt_alloc(bytes + 1, 1);
  if (text == NULL) return NULL;
  if (json_dumpb(value, text, bytes, flags) != bytes) {
    vt_free(text);
    return NULL;
  }
  text[bytes] = '\0';
  return text;
}

/* The JSON text, to be freed with vt_free; NULL when out of memory. */
static char *header_text(const struct vt_safetensors_meta *meta, size_t meta_count, const struct vt_tensor *tensors,
                         size_t tensor_count) {
  json_t *header = json_object();
  bool good = header != NULL;
  if (meta_count > 0) {
    json_t *map = json_object();
    for (size_t k = 0; k < meta_count; k++)
      good = json_object_set_new(map, meta[k].key, json_string(meta[k].value)) == 0 && good;
    good = json_object_set_new(header, META_KEY, map) == 0 && good;
  }
  uint64_t offset = 0;
  for (size_t k = 0; k < tensor_count; k++) {
    uint64_t bytes;
    good = tensor_bytes(&tensors[k], &bytes) && good;
    if (good) good = json_object_set_new(header, tensors[k].name, describe(&tensors[k], offset, offset + bytes)) == 0;
    offset += bytes;
  }
  char *text = good ? compact_text(header) : NULL;
  json_decref(header);
  return text;
}

/* Where bytes go: either may be NULL. */
struct sink {
  struct vt_output *output;
  struct sha256_ctx *hash;
};

/* In pieces, so that what was hashed is still in the cache when it is written. */
static enum vt_status put(const struct sink *sink, const void *data, size_t bytes, struct vt_error *error) {
  const unsigned char *at = data;
  for (size_t piece; bytes > 0; at += piece, bytes -= piece) {
    piece = bytes < PIECE_BYTES ? bytes : PIECE_BYTES;
    if (sink->hash != NULL) sha256_update(sink->hash, piece, at);
    if (sink->output != NULL) VT_TRY(vt_output_write(sink->output, at, piece, error));
  }
  return VT_OK;
}

static enum vt_status put_tensor(const struct sink *sink, const struct vt_tensor *tensor, struct vt_error *error) {
  uint64_t bytes = 0;
  tensor_bytes(tensor, &bytes);
  if (tensor->stride_bytes == 0 || bytes == 0) return put(sink, tensor->data, (size_t)bytes, error);
  const unsigned char *row = tensor->data;
  size_t row_bytes = (size_t)(bytes / tensor->shape[0]);
  for (uint64_t k = 0; k < tensor->shape[0]; k++, row += tensor->stride_bytes) VT_TRY(put(sink, row, row_bytes, error));
  return VT_OK;
}

static enum vt_status put_all(const struct sink *sink, const char *text, const struct vt_tensor *tensors,
                              size_t tensor_count, struct vt_error *error) {
  static const char spaces[] = "        ";
  size_t length = strlen(text), padding = (8 - length % 8) % 8;
  uint64_t header_bytes = length + padding;
  VT_TRY(put(sink, &header_bytes, sizeof header_bytes, error));
  VT_TRY(put(sink, text, length, error));
  VT_TRY(put(sink, spaces, padding, error));
  for (size_t k = 0; k < tensor_count; k++) VT_TRY(put_tensor(sink, &tensors[k], error));
  return VT_OK;
}

enum vt_status vt_safetensors_write(const char *path, const struct vt_safetensors_meta *meta, size_t meta_count,
                                    const struct vt_tensor *tensors, size_t tensor_count,
                                    char sha256[VT_SHA256_TEXT_BYTES], struct vt_error *error) {
  char *text = header_text(meta, meta_count, tensors, tensor_count);
  if (text == NULL) return VT_FAIL_HELP(error, VT_ERROR_MEMORY, VT_HELP_MEMORY, "%s: out of memory", path);
  struct sha256_ctx hash;
  sha256_init(&hash);
  struct sink sink = {.hash = sha256 == NULL ? NULL : &hash};
  enum vt_status status = vt_output_open(path, &sink.output, error);
  if (status == VT_OK) {
    status = put_all(&sink, text, tensors, tensor_count, error);
    if (status == VT_OK)
      status = vt_output_commit(sink.output, error);
    else
      vt_output_abort(sink.output);
  }
  vt_free(text);
  if (status == VT_OK && sha256 != NULL) finish_sha256(&hash, sha256);
  return status;
}

void vt_tensors_sha256(const struct vt_tensor *tensors, size_t tensor_count, char sha256[VT_SHA256_TEXT_BYTES]) {
  struct sha256_ctx hash;
  sha256_init(&hash);
  const struct sink sink = {.hash = &hash};
  for (size_t k = 0; k < tensor_count; k++) put_tensor(&sink, &tensors[k], NULL);
  finish_sha256(&hash, sha256);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

struct vt_safetensors {
  struct vt_mapping mapping;
  json_t *header; /* owns the names */
  struct vt_tensor *tensors;
  size_t count;
};

void vt_safetensors_close(struct vt_safetensors *file) {
  if (file == NULL) return;
  vt_mapping_release(&file->mapping);
  json_decref(file->header);
  vt_free(file->tensors);
  vt_free(file);
}

static bool read_dtype(const json_t *value, enum vt_dtype *dtype) {
  const char *name = json_string_value(value);
  for (int k = 0; name != NULL && k < VT_DTYPES; k++) {
    if (strcmp(dtypes[k].name, name) == 0) {
      *dtype = (enum vt_dtype)k;
      return true;
    }
  }
  return false;
}

static bool read_number(const json_t *value, uint64_t *number) {
  if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
  *number = (uint64_t)json_integer_value(value);
  return true;
}

/* One entry of the header against the data it claims; NULL when it is sound, else what is wrong. */
static const char *read_tensor(const json_t *entry, const unsigned char *data, uint64_t data_bytes,
                               struct vt_tensor *tensor) {
  const json_t *shape = json_object_get(entry, "shape"), *offsets = json_object_get(entry, "data_offsets");
  uint64_t begin, end, bytes;
  if (!read_dtype(json_object_get(entry, "dtype"), &tensor->dtype)) return "unknown type";
  if (!json_is_array(shape) || json_array_size(shape) > VT_TENSOR_RANK_MAX) return "malformed shape";
  tensor->rank = json_array_size(shape);
  for (size_t k = 0; k < tensor->rank; k++)
    if (!read_number(json_array_get(shape, k), &tensor->shape[k])) return "malformed shape";
  if (json_array_size(offsets) != 2 || !read_number(json_array_get(offsets, 0), &begin) ||
      !read_number(json_array_get(offsets, 1), &end))
    return "malformed offsets";
  if (begin > end || end > data_bytes) return "data beyond the end of the file";
  if (!tensor_bytes(tensor, &bytes) || bytes != end - begin) return "shape and size do not agree";
  tensor->data = data + begin;
  tensor->bytes = (size_t)bytes;
  return NULL;
}

static int compare_places(const void *a, const void *b) {
  const struct vt_tensor *x = a, *y = b;
  const unsigned char *p = x->data, *q = y->data;
  if (p != q) return p < q ? -1 : 1;
  return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* The format gives every byte of the data to one tensor. They come in the order of their places. */
static bool fill(const struct vt_tensor *tensors, size_t count, const unsigned char *data, uint64_t data_bytes) {
  const unsigned char *at = data;
  for (size_t k = 0; k < count; k++) {
    if (tensors[k].data != at) return false;
    at += tensors[k].bytes;
  }
  return at == data + data_bytes;
}

/* Metadata may be missing. */
static bool is_map_of_texts(json_t *map) {
  const char *key;
  json_t *value;
  json_object_foreach(map, key, value) {
    if (!json_is_string(value)) return false;
  }
  return map == NULL || json_is_object(map);
}

static enum vt_status read_tensors(struct vt_safetensors *file, const char *path, uint64_t header_bytes,
                                   struct vt_error *error) {
  const unsigned char *data = file->mapping.data + 8 + header_bytes;
  uint64_t data_bytes = file->mapping.bytes - 8 - header_bytes;
  size_t entries = json_object_size(file->header);
  file->tensors = vt_alloc_zero(entries, sizeof *file->tensors);
  if (file->tensors == NULL) return VT_FAIL_MEMORY(error, entries * sizeof *file->tensors);
  const char *name;
  json_t *entry;
  json_object_foreach(file->header, name, entry) {
    if (strcmp(name, META_KEY) == 0) continue;
    struct vt_tensor *tensor = &file->tensors[file->count];
    tensor->name = name;
    const char *wrong = json_is_object(entry) ? read_tensor(entry, data, data_bytes, tensor) : "not an object";
    if (wrong != NULL) return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: tensor \"%.64s\": %s", path, name, wrong);
    file->count++;
  }
  qsort(file->tensors, file->count, sizeof *file->tensors, compare_places);
  if (!fill(file->tensors, file->count, data, data_bytes))
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: tensors overlap, or leave a gap", path);
  return VT_OK;
}

static enum vt_status read_header(struct vt_safetensors *file, const char *path, struct vt_error *error) {
  uint64_t header_bytes;
  if (file->mapping.bytes < 8) return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: too short for a safetensors file", path);
  memcpy(&header_bytes, file->mapping.data, sizeof header_bytes);
  if (header_bytes > HEADER_BYTES_MAX || header_bytes > file->mapping.bytes - 8)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: not a safetensors file, or cut off", path);
  json_error_t reason;
  /* Once more where it fails: jansson takes some of its own lack of memory for a fault of the text, and a snapshot must
   * not be called damaged that is not. */
  for (int attempt = 0; attempt < 2 && file->header == NULL; attempt++)
    file->header =
        json_loadb((const char *)file->mapping.data + 8, (size_t)header_bytes, JSON_REJECT_DUPLICATES, &reason);
  /* jansson does not always say that it was the memory, but it always says what is wrong with a text. */
  if (file->header == NULL && (reason.text[0] == '\0' || json_error_code(&reason) == json_error_out_of_memory))
    return VT_FAIL_HELP(error, VT_ERROR_MEMORY, VT_HELP_MEMORY, "%s: out of memory", path);
  if (file->header == NULL || !json_is_object(file->header))
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: header at byte %d: %s", path,
                   file->header == NULL ? reason.position : 0, file->header == NULL ? reason.text : "not an object");
  if (!is_map_of_texts(json_object_get(file->header, META_KEY)))
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: the metadata are not texts", path);
  return read_tensors(file, path, header_bytes, error);
}

enum vt_status vt_safetensors_open(const char *path, struct vt_safetensors **out, struct vt_error *error) {
  struct vt_safetensors *file = vt_alloc_zero(1, sizeof *file);
  if (file == NULL) return VT_FAIL_MEMORY(error, sizeof *file);
  enum vt_status status = vt_mapping_open(path, &file->mapping, error);
  if (status == VT_OK) status = read_header(file, path, error);
  if (status != VT_OK) {
    vt_safetensors_close(file);
    return status;
  }
  *out = file;
  return VT_OK;
}

size_t vt_safetensors_count(const struct vt_safetensors *file) { return file->count; }

const struct vt_tensor *vt_safetensors_at(const struct vt_safetensors *file, size_t index) {
  return &file->tensors[index];
}

const struct vt_tensor *vt_safetensors_find(const struct vt_safetensors *file, const char *name) {
  for (size_t k = 0; k < file->count; k++)
    if (strcmp(file->tensors[k].name, name) == 0) return &file->tensors[k];
  return NULL;
}

const char *vt_safetensors_meta(const struct vt_safetensors *file, const char *key) {
  return json_string_value(json_object_get(json_object_get(file->header, META_KEY), key));
}

void vt_safetensors_sha256(const struct vt_safetensors *file, char sha256[VT_SHA256_TEXT_BYTES]) {
  struct sha256_ctx hash;
  sha256_init(&hash);
  sha256_update(&hash, file->mapping.bytes, file->mapping.data);
  finish_sha256(&hash, sha256);
}

static enum vt_status from_halves(const unsigned char *from, size_t count, float *to, struct vt_error *error) {
  const struct vt_kernel *kernel;
  VT_TRY(vt_kernel_choose(NULL, &kernel, error));
  uint16_t halves[1024];
  for (size_t k = 0, part; k < count; k += part) {
    part = count - k < 1024 ? count - k : 1024;
    memcpy(halves, from + 2 * k, part * sizeof *halves);
    kernel->from_half(halves, part, to + k);
  }
  return VT_OK;
}

/* Data of a foreign file may lie at any byte, so elements are copied out before they are used. */
enum vt_status vt_tensor_to_float(const struct vt_tensor *tensor, float *to, struct vt_error *error) {
  const unsigned char *from = tensor->data;
  size_t count = tensor->bytes / vt_dtype_bytes(tensor->dtype);
  uint16_t half;
  double wide;
  switch (tensor->dtype) {
  case VT_DTYPE_F32:
    memcpy(to, from, tensor->bytes);
    return VT_OK;
  case VT_DTYPE_F16:
    return from_halves(from, count, to, error);
  case VT_DTYPE_BF16:
    for (size_t k = 0; k < count; k++) {
      memcpy(&half, from + 2 * k, sizeof half);
      uint32_t bits = (uint32_t)half << 16;
      memcpy(&to[k], &bits, sizeof bits);
    }
    return VT_OK;
  case VT_DTYPE_F64:
    for (size_t k = 0; k < count; k++) {
      memcpy(&wide, from + 8 * k, sizeof wide);
      to[k] = (float)wide;
    }
    return VT_OK;
  default:
    return VT_FAIL(error, VT_ERROR_FORMAT, "tensor \"%.64s\" holds %s, not floating-point numbers", tensor->name,
                   vt_dtype_name(tensor->dtype));
  }
}
