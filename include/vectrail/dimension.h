/*
 * vectrail/dimension.h: how many dimensions a matrix of association bears (Yin and Shen 2018, arXiv 1812.04224).
 *
 * Vectors E = U_k D_k^alpha of a noisy matrix are held against those of the true one by their inner products: PIP loss
 * |E E' - F F'|_F. Few dimensions leave signal out, many take noise in.
 */
#ifndef VECTRAIL_DIMENSION_H
#define VECTRAIL_DIMENSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/corpus.h"
#include "vectrail/status.h"
#include "vectrail/theory.h"
#include "vectrail/vectors.h"

#ifdef __cplusplus
extern "C" {
#endif

/* |A A' - B B'|_F of two tables of the same words, in O(words x (dim_a + dim_b)^2). VT_ERROR_ARGUMENT: not as many
 * rows. */
VT_API enum vt_status vt_pip_loss(const struct vt_vectors *a, const struct vt_vectors *b, double *loss,
                                  struct vt_error *error);

/* A signal of rank `count` (its singular values lambda, falling, above 0) in a symmetric matrix of n rows under
 * independent noise of deviation sigma. */
struct vt_pip_model {
  const double *lambda;
  size_t count;
  size_t n;
  double sigma;
  double alpha; /* above 0, to 1 */
};

/*
 * The expected PIP loss of k dimensions, in closed form (spiked model, square noise): a signal lambda > sigma sqrt(n)
 * is seen as y = lambda + n sigma^2 / lambda, along a direction whose squared cosine with its own is c^2 = 1 - n
 * sigma^2 / lambda^2; one below as y = 2 sigma sqrt(n) and c^2 = 0. Then
 *
 *   PIP^2(k) = sum_i lambda_i^(4 alpha) + sum_{j <= k} (y_j^(4 alpha) - 2 y_j^(2 alpha) lambda_j^(2 alpha) c_j^2)
 *
 * Beyond the rank it is an upper estimate, for the noise's singular values fall below 2 sigma sqrt(n) one by one; that
 * is next to nothing where k is small beside n, and moves no minimum.
 */
VT_API double vt_pip_expected(const struct vt_pip_model *model, size_t k);

/* The same between two such matrices, of one signal and with noise of their own:
 *
 *   PIP^2(k) = 2 sum_{j <= k} y_j^(4 alpha) (1 - c_j^4)
 *
 * which can be measured where the true vectors are not known: between the halves of a text, sigma being 2^(1/2) times
 * that of the whole. */
VT_API double vt_pip_between(const struct vt_pip_model *model, size_t k);

/* The bound of theorem 3, its three terms, which are added: what is left out; the variance of sizes; that of
 * directions. */
struct vt_pip_bound {
  double bias, size, direction;
};
VT_API struct vt_pip_bound vt_pip_bound(const struct vt_pip_model *model, size_t k);

#define VT_PIP_INTERVALS 4 /* within 5, 10, 20, 50% of the least loss */
struct vt_pip_choice {
  size_t best;
  struct {
    size_t low, high;
  } within[VT_PIP_INTERVALS];
  size_t best_less_noise, best_more_noise; /* were sigma 0.8 or 1.25 times as large */
};
VT_API struct vt_pip_choice vt_pip_choose(const struct vt_pip_model *model);

/* ---- vectors by singular values -----------------------------------------------------------------------------------
 */

struct vt_svd_request {
  const char *const *inputs;
  size_t input_count;
  /* In place of inputs, a database of counts of both sides (vt_cooccur_load), whatever their weights: vocabulary,
   * window and sample are theirs, and no dimension is chosen, for there are no two halves of a text [NULL] */
  const char *counts;
  const char *run_path; /* to make; NULL: none, for the choice of a dimension alone */
  bool force;
  struct vt_corpus_options corpus;
  enum vt_association_kind matrix; /* [ppmi] */
  uint32_t shift;                  /* log of it is taken from PMI, 1 to 1000 [1] */
  uint32_t dim;                    /* [100]; 0: the dimension that is chosen, which is then looked for */
  uint32_t window;                 /* [5] */
  double sample;                   /* [0] */
  double alpha;                    /* [0.5] */
  bool choose;                     /* look for the best dimension [false] */
  bool halves;                     /* with choose: also the PIP loss between the halves of the text [false] */
  uint32_t rank;                   /* singular values that are looked at for it, at most [200] */
  uint64_t seed;                   /* of the halves of the text [1] */
  int threads;
  const volatile sig_atomic_t *interrupt; /* while the text is read; may be NULL */
};

struct vt_svd_result {
  size_t words;
  uint64_t pairs;   /* that meet */
  uint32_t dim;     /* of the vectors */
  double *spectrum; /* singular values of the matrix, falling, as many as were looked for */
  size_t spectrum_count;
  /* With choose. */
  bool chosen;        /* false: no direction stands out of the noise */
  double sigma;       /* half the deviation of the difference of two halves */
  double sigma_error; /* its standard error over sixteen groups of words, as a share of it */
  double edge;        /* 2 sigma sqrt(n): the largest singular value that noise alone would have */
  size_t signals;     /* singular values above it */
  bool cut;           /* all that were looked at are above: there may be more */
  double *signal;     /* those, less the edge (soft threshold) */
  struct vt_pip_choice choice;
  struct vt_pip_bound bound; /* at the best dimension */
  double *halves; /* with it: PIP loss between the halves' vectors, of 1 to spectrum_count dimensions; else NULL */
};

VT_API void vt_svd_request_init(struct vt_svd_request *request);
/* Counts the text, finds the singular values (own randomised block Krylov iteration on sparse counts) and records E =
 * U_d D_d^alpha as a run of one snapshot; output vectors carry the signs of the eigenvalues. Memory: 20 bytes for each
 * pair that meets, and 40 x words x dim. Same bits at any number of threads. VT_ERROR_EMPTY, with choose and dim 0: no
 * direction stands out of the noise. Free with vt_svd_result_release. */
VT_API enum vt_status vt_svd(const struct vt_svd_request *request, struct vt_svd_result *result,
                             struct vt_error *error);
VT_API void vt_svd_result_release(struct vt_svd_result *result); /* accepts an all-zero one */

/* Expected PIP loss over the dimension, and where halves were asked for, that between them beside its closed form; SVG.
 * VT_ERROR_EMPTY: nothing was chosen. */
VT_API enum vt_status vt_svd_picture(const struct vt_svd_result *result, double alpha, const char *path,
                                     struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif
