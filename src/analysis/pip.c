/* pip.c: the PIP loss, measured, expected and bounded. */
#include <math.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "vectrail/dimension.h"

/* ---- measured ---------------------------------------------------------------------------------------------------- */

/* |A'B|_F^2. */
static enum vt_status product_squares(const struct vt_vectors *a, const struct vt_vectors *b, double *squares,
                                      struct vt_error *error) {
  double *product = vt_alloc_zero(a->dim * b->dim, sizeof *product);
  double *row = vt_alloc(a->dim + b->dim, sizeof *row);
  if (product == NULL || row == NULL) {
    vt_free(product);
    vt_free(row);
    return VT_FAIL_MEMORY(error, a->dim * b->dim * sizeof *product);
  }
  for (size_t w = 0; w < a->rows; w++) { /* words are added in order */
    for (size_t k = 0; k < a->dim; k++) row[k] = (double)a->data[w * a->dim + k];
    for (size_t k = 0; k < b->dim; k++) row[a->dim + k] = (double)b->data[w * b->dim + k];
    vt_blas.cblas_dger(CblasRowMajor, (int)a->dim, (int)b->dim, 1, row, 1, row + a->dim, 1, product, (int)b->dim);
  }
  *squares = 0;
  for (size_t k = 0; k < a->dim * b->dim; k++) *squares += product[k] * product[k];
  vt_free(product);
  vt_free(row);
  return VT_OK;
}

/* |AA' - BB'|^2 = |A'A|^2 + |B'B|^2 - 2 |A'B|^2. */
enum vt_status vt_pip_loss(const struct vt_vectors *a, const struct vt_vectors *b, double *loss,
                           struct vt_error *error) {
  if (a->rows != b->rows)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "one table has %zu rows, the other %zu", a->rows, b->rows);
  VT_TRY(vt_blas_open(error));
  double aa, bb, ab;
  VT_TRY(product_squares(a, a, &aa, error));
  VT_TRY(product_squares(b, b, &bb, error));
  VT_TRY(product_squares(a, b, &ab, error));
  double squares = aa + bb - 2 * ab;
  *loss = squares > 0 ? sqrt(squares) : 0;
  return VT_OK;
}

/* ---- expected ---------------------------------------------------------------------------------------------------- */

/* What direction j (from 0) adds to the expected PIP^2. */
static double addition(const struct vt_pip_model *model, size_t j) {
  const double power = 2 * model->alpha, edge = model->sigma * sqrt((double)model->n);
  double lambda = j < model->count ? model->lambda[j] : 0;
  if (!(lambda > edge)) return pow(2 * edge, 2 * power);
  double y = lambda + edge * edge / lambda, cosine = 1 - edge * edge / (lambda * lambda);
  return pow(y, 2 * power) - 2 * pow(y, power) * pow(lambda, power) * cosine;
}

double vt_pip_expected(const struct vt_pip_model *model, size_t k) {
  double squares = 0;
  for (size_t i = 0; i < model->count; i++) squares += pow(model->lambda[i], 4 * model->alpha);
  for (size_t j = 0; j < k; j++) squares += addition(model, j);
  return squares > 0 ? sqrt(squares) : 0;
}

double vt_pip_between(const struct vt_pip_model *model, size_t k) {
  const double power = 4 * model->alpha, edge = model->sigma * sqrt((double)model->n);
  double squares = 0;
  for (size_t j = 0; j < k; j++) {
    double lambda = j < model->count ? model->lambda[j] : 0, own = pow(2 * edge, power);
    if (lambda > edge) {
      double cosine = 1 - edge * edge / (lambda * lambda); /* squared */
      own = pow(lambda + edge * edge / lambda, power) * (1 - cosine * cosine);
    }
    squares += 2 * own;
  }
  return sqrt(squares);
}

static double lambda_at(const struct vt_pip_model *model, size_t i) { return i < model->count ? model->lambda[i] : 0; }

/* The sum over r <= i < s (from 1) of (lambda_r - lambda_s)^-2; those beyond the rank are 0, all of them alike. */
static double gaps(const struct vt_pip_model *model, size_t i) {
  double sum = 0;
  for (size_t r = 0; r < i; r++) {
    for (size_t s = i; s < model->count; s++) {
      double gap = model->lambda[r] - model->lambda[s];
      sum += 1 / (gap * gap);
    }
    size_t zeros = model->n - (model->count > i ? model->count : i);
    double own = lambda_at(model, r);
    sum += (double)zeros / (own * own);
  }
  return sum;
}

struct vt_pip_bound vt_pip_bound(const struct vt_pip_model *model, size_t k) {
  const double alpha = model->alpha;
  struct vt_pip_bound bound = {0};
  size_t most = k < model->count ? k : model->count;
  for (size_t i = k; i < model->count; i++) bound.bias += pow(model->lambda[i], 4 * alpha);
  bound.bias = sqrt(bound.bias);
  for (size_t i = 0; i < most; i++) {
    bound.size += pow(model->lambda[i], 4 * alpha - 2);
    double step = pow(model->lambda[i], 2 * alpha) - pow(lambda_at(model, i + 1), 2 * alpha);
    if (step > 0) bound.direction += step * sqrt(gaps(model, i + 1));
  }
  bound.size = 2 * alpha * sqrt(2 * (double)model->n) * model->sigma * sqrt(bound.size);
  bound.direction *= sqrt(2) * model->sigma;
  return bound;
}

/* ---- the choice -------------------------------------------------------------------------------------------------- */

static size_t best_of(const struct vt_pip_model *model) {
  double squares = 0, least = 0;
  size_t best = 0;
  for (size_t k = 1; k <= model->count; k++) {
    squares += addition(model, k - 1);
    if (squares < least) {
      least = squares;
      best = k;
    }
  }
  return best;
}

struct vt_pip_choice vt_pip_choose(const struct vt_pip_model *model) {
  static const double more[VT_PIP_INTERVALS] = {1.05, 1.1, 1.2, 1.5};
  struct vt_pip_choice choice = {.best = best_of(model)};
  const double least = vt_pip_expected(model, choice.best);
  double squares = 0;
  for (size_t i = 0; i < model->count; i++) squares += pow(model->lambda[i], 4 * model->alpha);
  for (int m = 0; m < VT_PIP_INTERVALS; m++) choice.within[m].low = choice.within[m].high = choice.best;
  for (size_t k = 0; k <= model->n; k++) {
    if (k > 0) squares += addition(model, k - 1);
    double loss = squares > 0 ? sqrt(squares) : 0;
    for (int m = 0; m < VT_PIP_INTERVALS; m++) {
      if (loss > more[m] * least) continue;
      if (k < choice.within[m].low) choice.within[m].low = k;
      if (k > choice.within[m].high) choice.within[m].high = k;
    }
  }
  struct vt_pip_model other = *model;
  other.sigma = model->sigma * 0.8;
  choice.best_less_noise = best_of(&other);
  other.sigma = model->sigma * 1.25;
  choice.best_more_noise = best_of(&other);
  return choice;
}
