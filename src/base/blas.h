/*
 * blas.h: what is used of OpenBLAS, the BLAS and LAPACK, which is loaded when it is first needed (base/late.h):
 *
 *   VT_TRY(vt_blas_open(error));                  where something is made that will compute
 *   vt_blas.cblas_dgemm(CblasRowMajor, ...);      and from then on
 *
 * Matrices of LAPACK are stored column by column: vectors lie one behind the other.
 */
#ifndef VECTRAIL_BASE_BLAS_H
#define VECTRAIL_BASE_BLAS_H

#include <cblas.h>

#include "base/late.h"

/* QR of a[m x n] by reflections, and the Q of it in place of a. */
void dgeqrf_(const int *m, const int *n, double *a, const int *lda, double *tau, double *work, const int *lwork,
             int *info);
void dorgqr_(const int *m, const int *n, const int *k, double *a, const int *lda, const double *tau, double *work,
             const int *lwork, int *info);
/* Eigenvalues, rising, and with jobz "V" eigenvectors in place of the symmetric a[n x n], by divide and conquer. */
void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
             const int *lwork, int *iwork, const int *liwork, int *info);

#define VT_BLAS_FUNCTIONS(X)                                                                                           \
  X(cblas_sgemm)                                                                                                       \
  X(cblas_dgemm)                                                                                                       \
  X(cblas_dgemv)                                                                                                       \
  X(cblas_dger)                                                                                                        \
  X(cblas_dsyr)                                                                                                        \
  X(cblas_daxpy)                                                                                                       \
  X(cblas_ddot)                                                                                                        \
  X(cblas_dnrm2)                                                                                                       \
  X(cblas_dscal)                                                                                                       \
  X(cblas_dswap)                                                                                                       \
  X(dgeqrf_)                                                                                                           \
  X(dorgqr_)                                                                                                           \
  X(dsyevd_)                                                                                                           \
  X(openblas_set_num_threads)

struct vt_blas {
  VT_BLAS_FUNCTIONS(VT_LATE_MEMBER)
};
extern struct vt_blas vt_blas;

/* Makes vt_blas ready, with one thread: ours share the work out, and more threads inside would only be in their way,
 * and change the order of sums. Errors: VT_ERROR_UNSUPPORTED. The first call takes 5 ms. */
enum vt_status vt_blas_open(struct vt_error *error);

#endif
