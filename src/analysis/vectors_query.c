/*
 * vectors_query.c: cosines, neighbours and analogies over one table of vectors.
 *
 * A query is one pass over the rows: the dot product and the squared norm of a row come from the same read, so there
 * are no norms to keep in step with the data, and a pass runs about as fast as memory delivers the table. The k best
 * so far form a heap in the caller's array with the worst on top; nearly every row is turned away by one comparison.
 *
 * Which rows are kept, and their order, is a pure function of the table and the query: (cosine, then smaller id) is a
 * total order, and rows without a direction (NaN or infinite elements) never take part.
 *
 * Memory: one double copy of the query. Threads: none here; the functions read only, any number may run at once.
 */
#include "vectrail/vectors.h"

#include <stdbool.h>

#include "analysis/measure.h"
#include "analysis/nearest.h"
#include "base/error.h"
#include "base/memory.h"

static bool is_excluded(const uint32_t *exclude, size_t exclude_count, uint32_t id) {
  for (size_t i = 0; i < exclude_count; i++)
    if (exclude[i] == id) return true;
  return false;
}

/* As vt_vectors_nearest, for a query in double whose elements are finite. */
static size_t search(const struct vt_vectors *vectors, const double *query, size_t k, size_t limit,
                     const uint32_t *exclude, size_t exclude_count, struct vt_neighbor *neighbors) {
  size_t dim = vectors->dim, count = 0;
  double lanes[VT_MEASURE_LANES] = {0};
  for (size_t c = 0; c < dim; c++) lanes[c % VT_MEASURE_LANES] += query[c] * query[c];
  double query_squared = vt_measure_fold(lanes);
  if (limit == 0 || limit > vectors->rows) limit = vectors->rows;
  if (k == 0) return 0;
  for (size_t row = 0; row < limit; row++) {
    struct vt_measure measure = vt_measure_row(query, vectors->data + row * dim, dim);
    struct vt_neighbor found = {(uint32_t)row, vt_measure_cosine(measure.product, query_squared, measure.squared)};
    if (isnan(found.cosine) || !vt_nearest_wanted(neighbors, count, k, found)) continue;
    /* Few rows come this far, so a plain list of exclusions is fast enough. */
    if (is_excluded(exclude, exclude_count, found.id)) continue;
    count = vt_nearest_take(neighbors, count, k, found);
  }
  vt_nearest_sort(neighbors, count);
  return count;
}

double vt_vectors_cosine(const struct vt_vectors *vectors, uint32_t a, uint32_t b) {
  size_t dim = vectors->dim;
  const float *x = vectors->data + (size_t)a * dim, *y = vectors->data + (size_t)b * dim;
  double product[VT_MEASURE_LANES] = {0};
  for (size_t c = 0; c < dim; c++) product[c % VT_MEASURE_LANES] += (double)x[c] * (double)y[c];
  return vt_measure_cosine(vt_measure_fold(product), vt_measure_squared(x, dim), vt_measure_squared(y, dim));
}

enum vt_status vt_vectors_nearest(const struct vt_vectors *vectors, const float *query, size_t k, size_t limit,
                                  const uint32_t *exclude, size_t exclude_count, struct vt_neighbor *neighbors,
                                  size_t *count, struct vt_error *error) {
  double *copy = vt_alloc(vectors->dim, sizeof *copy);
  if (copy == NULL) return VT_FAIL_MEMORY(error, vectors->dim * sizeof *copy);
  for (size_t c = 0; c < vectors->dim; c++) {
    copy[c] = (double)query[c];
    if (isfinite(copy[c])) continue;
    vt_free(copy);
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "look for the neighbours of a finite vector",
                        "element %zu of the query vector is not a finite number", c);
  }
  *count = search(vectors, copy, k, limit, exclude, exclude_count, neighbors);
  vt_free(copy);
  return VT_OK;
}

/* to[dim] += sign * v / |v|; a zero vector adds nothing. */
static enum vt_status add_unit(const struct vt_vectors *vectors, uint32_t id, double sign, double *to,
                               struct vt_error *error) {
  if (id >= vectors->rows)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "there is no row %lu in a table of %zu rows", (unsigned long)id,
                   vectors->rows);
  const float *row = vectors->data + (size_t)id * vectors->dim;
  double squared = vt_measure_squared(row, vectors->dim);
  if (!isfinite(squared))
    return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, "take an earlier step, or train with a smaller learning rate",
                        "the vector of \"%s\" holds NaN or infinity", vt_vocab_text(vectors->vocab, id));
  if (squared == 0) return VT_OK;
  double scale = sign / sqrt(squared);
  for (size_t c = 0; c < vectors->dim; c++) to[c] += scale * (double)row[c];
  return VT_OK;
}

enum vt_status vt_vectors_analogy(const struct vt_vectors *vectors, uint32_t a, uint32_t b, uint32_t c, size_t k,
                                  struct vt_neighbor *neighbors, size_t *count, struct vt_error *error) {
  double *query = vt_alloc_zero(vectors->dim, sizeof *query);
  if (query == NULL) return VT_FAIL_MEMORY(error, vectors->dim * sizeof *query);
  enum vt_status status = add_unit(vectors, b, 1, query, error);
  if (status == VT_OK) status = add_unit(vectors, a, -1, query, error);
  if (status == VT_OK) status = add_unit(vectors, c, 1, query, error);
  if (status == VT_OK) {
    const uint32_t asked[] = {a, b, c};
    *count = search(vectors, query, k, 0, asked, sizeof asked / sizeof asked[0], neighbors);
  }
  vt_free(query);
  return status;
}
