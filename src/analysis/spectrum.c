/* spectrum.c: the BLAS and LAPACK run single-threaded; what threads share, they share in fixed pieces. */
#include "analysis/spectrum.h"

#include <string.h>

#include "base/blas.h"
#include "base/memory.h"

#define STRIPE 128

/* ---- dense matrices ---------------------------------------------------------------------------------------------- */

struct multiplying {
  const struct vt_dense *dense;
  const double *from;
  double *to;
  size_t count;
};

static void multiply_stripe(void *context, size_t begin, size_t end) {
  const struct multiplying *m = context;
  const int n = (int)m->dense->n;
  /* Columns begin .. end of the product are from times those rows of the matrix, which is symmetric. */
  vt_blas.cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m->count, (int)(end - begin), n, 1, m->from, n,
                      m->dense->matrix + begin * m->dense->n, n, 0, m->to + begin, n);
}

void vt_dense_multiply(const void *context, const double *from, double *to, size_t count) {
  struct multiplying m = {.dense = context, .from = from, .to = to, .count = count};
  vt_pool_share(m.dense->pool, m.dense->n, STRIPE, multiply_stripe, &m);
}

/* ---- all of a small one ------------------------------------------------------------------------------------------ */

enum vt_status vt_spectrum_full(double *matrix, size_t n, double *values, struct vt_error *error) {
  if (n == 0) return VT_OK;
  const int size = (int)n;
  int info = 0, ask = -1, iwanted = 0;
  double wanted = 0;
  VT_TRY(vt_blas_open(error));
  vt_blas.dsyevd_("V", "L", &size, matrix, &size, values, &wanted, &ask, &iwanted, &ask, &info);
  int lwork = (int)wanted, liwork = iwanted;
  double *work = vt_alloc((size_t)lwork, sizeof *work);
  int *iwork = vt_alloc((size_t)liwork, sizeof *iwork);
  enum vt_status status = VT_OK;
  if (work == NULL || iwork == NULL) status = VT_FAIL_MEMORY(error, (size_t)lwork * sizeof *work);
  if (status == VT_OK) vt_blas.dsyevd_("V", "L", &size, matrix, &size, values, work, &lwork, iwork, &liwork, &info);
  if (status == VT_OK && info != 0)
    status = VT_FAIL(error, VT_ERROR_FORMAT, "the eigenvalues of a matrix of %zu rows could not be found", n);
  vt_free(work);
  vt_free(iwork);
  if (status != VT_OK) return status;
  for (size_t k = 0; k < n / 2; k++) { /* they come rising */
    double value = values[k];
    values[k] = values[n - 1 - k];
    values[n - 1 - k] = value;
    vt_blas.cblas_dswap(size, matrix + k * n, 1, matrix + (n - 1 - k) * n, 1);
  }
  return VT_OK;
}

enum vt_status vt_spectrum_rows(const float *rows, size_t count, size_t dim, double *values, double *vectors,
                                struct vt_error *error) {
  VT_TRY(vt_blas_open(error));
  double *gram = vt_alloc_zero(dim * dim, sizeof *gram), *row = vt_alloc(dim, sizeof *row);
  enum vt_status status = VT_OK;
  if (gram == NULL || row == NULL) status = VT_FAIL_MEMORY(error, dim * dim * sizeof *gram);
  for (size_t i = 0; status == VT_OK && i < count; i++) {
    for (size_t k = 0; k < dim; k++) row[k] = (double)rows[i * dim + k];
    vt_blas.cblas_dsyr(CblasRowMajor, CblasUpper, (int)dim, 1, row, 1, gram, (int)dim); /* rows are added in order */
  }
  if (status == VT_OK) status = vt_spectrum_full(gram, dim, values, error);
  if (status == VT_OK && vectors != NULL) memcpy(vectors, gram, dim * dim * sizeof *gram);
  vt_free(gram);
  vt_free(row);
  return status;
}
