/* select.c: which kernels are compiled in, which run here, which is meant. The only file that knows them all. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "kernel/kernel.h"

extern const struct vt_kernel vt_kernel_avx512, vt_kernel_avx2, vt_kernel_neon;

/* Fastest first. */
static const struct vt_kernel *const kernels[] = {
#if defined(__x86_64__)
    &vt_kernel_avx512,
    &vt_kernel_avx2,
#elif defined(__AARCH64EL__)
    &vt_kernel_neon,
#endif
    &vt_kernel_reference,
};
#define KERNEL_COUNT (sizeof kernels / sizeof kernels[0])

size_t vt_kernel_count(void) { return KERNEL_COUNT; }
const struct vt_kernel *vt_kernel_at(size_t index) { return kernels[index]; }
const char *vt_kernel_name(size_t index) { return kernels[index]->name; }
bool vt_kernel_runs_here(size_t index) { return kernels[index]->runs_here(); }

enum vt_status vt_kernel_choose(const char *choice, const struct vt_kernel **kernel, struct vt_error *error) {
  const char *origin = "--kernel";
  if (choice == NULL || *choice == '\0') {
    choice = getenv("VECTRAIL_KERNEL");
    origin = "VECTRAIL_KERNEL";
  }
  for (size_t i = 0; i < KERNEL_COUNT; i++) {
    bool meant = choice == NULL || *choice == '\0' || strcmp(choice, kernels[i]->name) == 0;
    if (!meant) continue;
    if (kernels[i]->runs_here()) {
      *kernel = kernels[i];
      return VT_OK;
    }
    if (choice != NULL && *choice != '\0')
      return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "vectrail info --kernels lists those that run here",
                          "%s: this processor cannot run the kernel '%s'", origin, choice);
  }
  return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "vectrail info --kernels lists those there are",
                      "%s: there is no kernel '%s'", origin, choice);
}

enum vt_status vt_kernel_resolve(const char *choice, const char **name, struct vt_error *error) {
  const struct vt_kernel *kernel;
  VT_TRY(vt_kernel_choose(choice, &kernel, error));
  *name = kernel->name;
  return VT_OK;
}
