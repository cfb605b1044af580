/* blas.c: loading OpenBLAS. */
#include "base/blas.h"

#include "base/late.h"

struct vt_blas vt_blas;

static const struct vt_late_function functions[] = {
#define FUNCTION(name) {#name, &vt_blas.name},
    VT_BLAS_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

static struct vt_late_library library = {.file = VECTRAIL_OPENBLAS,
                                         .help = "install OpenBLAS (Debian: libopenblas0)",
                                         .functions = functions,
                                         .function_count = sizeof functions / sizeof functions[0],
                                         .mutex = PTHREAD_MUTEX_INITIALIZER};

enum vt_status vt_blas_open(struct vt_error *error) {
  VT_TRY(vt_late_load(&library, error));
  vt_blas.openblas_set_num_threads(1);
  return VT_OK;
}
