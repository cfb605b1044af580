/*
 * eigen.h: eigenvalues of a symmetric matrix.
 */
#ifndef VECTRAIL_ANALYSIS_EIGEN_H
#define VECTRAIL_ANALYSIS_EIGEN_H

#include <stdbool.h>
#include <stddef.h>

/* The eigenvalues of a[n x n], of which the lower triangle is read and which is overwritten, falling, into values[n].
 * scratch: n. By Householder reflections to a tridiagonal matrix and the implicit QL method (Golub and Van Loan,
 * chapter 8); relative to the largest one, accurate to about n times the precision of double. False where the method
 * does not come to an end, which only a matrix with NaN or infinities makes it do. O(n^3). */
bool vt_eigenvalues(double *a, size_t n, double *values, double *scratch);

#endif
