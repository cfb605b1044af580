/* late.c: loading a library once, and finding its functions. */
#define _POSIX_C_SOURCE 200809L
#include "base/late.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

static enum vt_status load(const struct vt_late_library *library, struct vt_error *error) {
  void *handle = dlopen(library->file, RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) {
    const char *why = dlerror();
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, library->help, "cannot load a library: %s",
                        why == NULL ? library->file : why);
  }
  for (size_t k = 0; k < library->count; k++) {
    void *address = dlsym(handle, library->names[k]);
    if (address == NULL) {
      (void)dlclose(handle);
      return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, library->help, "the library %s has no function %s",
                          library->file, library->names[k]);
    }
    memcpy((char *)library->table + k * sizeof address, &address,
           sizeof address); /* C has no conversion from an object's pointer to a function's */
  }
  return VT_OK;
}

enum vt_status vt_late_load(struct vt_late_library *library, struct vt_error *error) {
  if (atomic_load_explicit(&library->loaded, memory_order_acquire)) return VT_OK;
  (void)pthread_mutex_lock(&library->mutex);
  enum vt_status status = VT_OK;
  if (!atomic_load_explicit(&library->loaded, memory_order_relaxed)) status = load(library, error);
  if (status == VT_OK) atomic_store_explicit(&library->loaded, true, memory_order_release);
  (void)pthread_mutex_unlock(&library->mutex);
  return status;
}
