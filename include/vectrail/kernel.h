/*
 * vectrail/kernel.h: which numeric kernels were compiled in, which this processor runs, and which was chosen.
 */
#ifndef VECTRAIL_KERNEL_H
#define VECTRAIL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "vectrail/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The kernels compiled into this library, fastest first; "reference" is always the last. */
VT_API size_t vt_kernel_count(void);
/* index < count: its name ("avx512", "avx2", "neon", "reference"). */
VT_API const char *vt_kernel_name(size_t index);
/* Whether this processor and system can run it. */
VT_API bool vt_kernel_runs_here(size_t index);
/* The name that a NULL or empty choice resolves to: the environment variable VECTRAIL_KERNEL where it is set, else
 * the fastest that runs here. An unknown or unsupported name is VT_ERROR_UNSUPPORTED, never a silent fallback. */
VT_API enum vt_status vt_kernel_resolve(const char *choice, const char **name, struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif
