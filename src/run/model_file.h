/*
 * model_file.h: the parameters of a network as a file, and those that others trained.
 *
 * RUN/model.safetensors: each parameter by its name (docs/networks.md), float32, [rows, columns]; the shape as
 * metadata.
 */
#ifndef VECTRAIL_RUN_MODEL_FILE_H
#define VECTRAIL_RUN_MODEL_FILE_H

#include "base/error.h"
#include "network/shape.h"

#define VT_RUN_MODEL "model.safetensors"

enum vt_status vt_model_save(const char *run_path, const struct vt_net_layout *layout, const float *values,
                             struct vt_error *error);
/* From a run, or from a folder as GPT-2 and GPT-NeoX are published. *values: vt_free_aligned; layout: release it. On
 * error nothing is held. */
enum vt_status vt_model_load(const char *path, struct vt_net_layout *layout, float **values, struct vt_error *error);

/* model_published.c: the shape that config.json tells, and for a parameter the tensor it is taken from. */
enum vt_published { VT_PUBLISHED_GPT2, VT_PUBLISHED_NEOX };
enum vt_status vt_model_read_config(const char *path, struct vt_net_shape *shape, enum vt_published *kind,
                                    struct vt_error *error);
struct vt_safetensors;
enum vt_status vt_model_copy_published(const struct vt_safetensors *file, const char *path, enum vt_published kind,
                                       const struct vt_net_layout *layout, float *values, struct vt_error *error);
/* A tensor of rows x columns (rank 1 where rows is 1) as float32 in to. */
enum vt_status vt_model_tensor(const struct vt_safetensors *file, const char *path, const char *name, size_t rows,
                               size_t columns, float *to, struct vt_error *error);

#endif
