/* blas.c: loading OpenBLAS. */
#include "base/blas.h"

struct vt_blas vt_blas;

static const char *const names[] = {VT_BLAS_FUNCTIONS(VT_LATE_NAME)};

static struct vt_late_library library =
    VT_LATE_LIBRARY(VECTRAIL_OPENBLAS, "install OpenBLAS (Debian: libopenblas0)", names, &vt_blas);

enum vt_status vt_blas_open(struct vt_error *error) {
  VT_TRY(vt_late_load(&library, error));
  vt_blas.openblas_set_num_threads(1);
  return VT_OK;
}
