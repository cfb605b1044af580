/*
 * safetensors.h: files of named tensors (the safetensors format, version 0.x): 8 bytes of header length, a JSON header,
 * the data; little-endian. This code runs on little-endian machines alone, and refuses to compile on others.
 */
#ifndef VECTRAIL_RUN_SAFETENSORS_H
#define VECTRAIL_RUN_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"

#define VT_TENSOR_RANK_MAX 8

enum vt_dtype {
  VT_DTYPE_F16,
  VT_DTYPE_BF16,
  VT_DTYPE_F32,
  VT_DTYPE_F64,
  VT_DTYPE_U8,
  VT_DTYPE_I8,
  VT_DTYPE_U16,
  VT_DTYPE_I16,
  VT_DTYPE_U32,
  VT_DTYPE_I32,
  VT_DTYPE_U64,
  VT_DTYPE_I64,
  VT_DTYPE_BOOL,
  VT_DTYPES
};

/* The format's name ("F16"), and bytes of an element. */
const char *vt_dtype_name(enum vt_dtype dtype);
size_t vt_dtype_bytes(enum vt_dtype dtype);

struct vt_tensor {
  const char *name; /* borrowed; of a file that was opened: as long as it is open */
  enum vt_dtype dtype;
  size_t rank;
  uint64_t shape[VT_TENSOR_RANK_MAX];
  const void *data;    /* row-major, contiguous */
  size_t bytes;        /* product of shape x bytes of an element; writing computes it */
  size_t stride_bytes; /* writing: from row to row (of a rank of 2); 0: contiguous */
};

struct vt_safetensors_meta {
  const char *key;
  const char *value;
};

/* Writes the tensors in the given order, whole or not at all. sha256 of the file, hexadecimal; may be NULL, which saves
 * the work. */
enum vt_status vt_safetensors_write(const char *path, const struct vt_safetensors_meta *meta, size_t meta_count,
                                    const struct vt_tensor *tensors, size_t tensor_count,
                                    char sha256[VT_SHA256_TEXT_BYTES], struct vt_error *error);

/* Of the data of tensors, one behind the other, as they would stand in a file. */
void vt_tensors_sha256(const struct vt_tensor *tensors, size_t tensor_count, char sha256[VT_SHA256_TEXT_BYTES]);

struct vt_safetensors;

/* Maps a file and checks its header: lengths, types, shapes against offsets, every byte of the data in one tensor,
 * metadata that are texts. VT_ERROR_NOT_FOUND, VT_ERROR_IO, VT_ERROR_CORRUPT with the reason. */
enum vt_status vt_safetensors_open(const char *path, struct vt_safetensors **file, struct vt_error *error);
void vt_safetensors_close(struct vt_safetensors *file); /* accepts NULL */
size_t vt_safetensors_count(const struct vt_safetensors *file);
const struct vt_tensor *vt_safetensors_at(const struct vt_safetensors *file, size_t index);
/* NULL when there is none of that name. */
const struct vt_tensor *vt_safetensors_find(const struct vt_safetensors *file, const char *name);
/* A value of the header's metadata, or NULL. */
const char *vt_safetensors_meta(const struct vt_safetensors *file, const char *key);
/* Of the whole file. Reads all of it. */
void vt_safetensors_sha256(const struct vt_safetensors *file, char sha256[VT_SHA256_TEXT_BYTES]);

/* Any floating-point tensor as float32, in order; to: the product of its shape. VT_ERROR_FORMAT for other types. */
enum vt_status vt_tensor_to_float(const struct vt_tensor *tensor, float *to, struct vt_error *error);

#endif
