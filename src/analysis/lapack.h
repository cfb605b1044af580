/*
 * lapack.h: the routines of LAPACK that are used. Matrices are stored column by column: vectors lie one behind the
 * other.
 */
#ifndef VECTRAIL_ANALYSIS_LAPACK_H
#define VECTRAIL_ANALYSIS_LAPACK_H

/* QR of a[m x n] by reflections, and the Q of it in place of a. */
void dgeqrf_(const int *m, const int *n, double *a, const int *lda, double *tau, double *work, const int *lwork,
             int *info);
void dorgqr_(const int *m, const int *n, const int *k, double *a, const int *lda, const double *tau, double *work,
             const int *lwork, int *info);
/* Eigenvalues, rising, and with jobz "V" eigenvectors in place of the symmetric a[n x n]. */
void dsyev_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
            const int *lwork, int *info);
/* The same, by divide and conquer: several times faster for large n. */
void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
             const int *lwork, int *iwork, const int *liwork, int *info);

#endif
