/* eigen.c: eigenvalues alone, so neither step keeps the rotations it made. */
#include "analysis/eigen.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define SWEEPS_MAX 60 /* for one eigenvalue; two or three are usual */

/* Reflects row i's elements left of the diagonal onto the one next to it, and the matrix with them; returns that
 * element. v: the reflector, p: scratch. */
static double reflect(double *a, size_t n, size_t i, double *p) {
  double *v = a + i * n; /* elements 0 .. i - 1 */
  double squared = 0;
  for (size_t k = 0; k < i; k++) squared += v[k] * v[k];
  double length = sqrt(squared), last = v[i - 1];
  if (squared == last * last) return last; /* nothing but the last one: tridiagonal already */
  double target = last > 0 ? -length : length;
  v[i - 1] = last - target;
  double half = squared - last * target; /* |v|^2 / 2 */
  /* p = A v / half; then A -= v q' + q v' with q = p - (p.v / 2 half) v */
  for (size_t r = 0; r < i; r++) p[r] = 0;
  for (size_t r = 0; r < i; r++) {
    const double *row = a + r * n;
    double sum = 0;
    for (size_t c = 0; c < r; c++) {
      sum += row[c] * v[c];
      p[c] += row[c] * v[r];
    }
    p[r] += sum + row[r] * v[r];
  }
  double along = 0;
  for (size_t r = 0; r < i; r++) {
    p[r] /= half;
    along += p[r] * v[r];
  }
  for (size_t r = 0; r < i; r++) p[r] -= along / (2 * half) * v[r];
  for (size_t r = 0; r < i; r++)
    for (size_t c = 0; c <= r; c++) a[r * n + c] -= v[r] * p[c] + p[r] * v[c];
  return target;
}

/* One implicit QL step on the block from..to of a tridiagonal matrix: diagonal d, beside it e (e[k] joins k, k + 1). */
static void ql_step(double *d, double *e, size_t from, size_t to) {
  double g = (d[from + 1] - d[from]) / (2 * e[from]), r = hypot(g, 1);
  g = d[to] - d[from] + e[from] / (g + (g < 0 ? -r : r));
  double s = 1, c = 1, p = 0;
  for (size_t i = to; i-- > from;) {
    double f = s * e[i], b = c * e[i];
    r = hypot(f, g);
    e[i + 1] = r;
    if (r == 0) { /* the block has fallen apart */
      d[i + 1] -= p;
      e[to] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1] - p;
    r = (d[i] - g) * s + 2 * c * b;
    p = s * r;
    d[i + 1] = g + p;
    g = c * r - b;
  }
  d[from] -= p;
  e[from] = g;
  e[to] = 0;
}

static int compare_falling(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x < y) - (x > y);
}

bool vt_eigenvalues(double *a, size_t n, double *d, double *e) {
  if (n == 0) return true;
  for (size_t i = n - 1; i > 0; i--) e[i - 1] = reflect(a, n, i, d);
  e[n - 1] = 0;
  for (size_t i = 0; i < n; i++) d[i] = a[i * n + i];
  for (size_t from = 0; from < n; from++) {
    for (int sweep = 0;; sweep++) {
      size_t to = from;
      while (to + 1 < n && !(fabs(e[to]) <= DBL_EPSILON * (fabs(d[to]) + fabs(d[to + 1])))) to++;
      if (to == from) break;
      if (sweep == SWEEPS_MAX) return false;
      ql_step(d, e, from, to);
    }
  }
  qsort(d, n, sizeof *d, compare_falling);
  return true;
}
