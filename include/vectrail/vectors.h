/*
 * vectrail/vectors.h: a table of vectors with its words, and questions to it.
 *
 * All cosines are computed in double from float32 vectors. A zero vector has cosine 0 with everything.
 */
#ifndef VECTRAIL_VECTORS_H
#define VECTRAIL_VECTORS_H

#include <stddef.h>
#include <stdint.h>

#include "vectrail/status.h"
#include "vectrail/vocab.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Row-major data[rows][dim]; rows = vt_vocab_size(vocab). The table owns data; the vocabulary is borrowed. */
struct vt_vectors {
  const struct vt_vocab *vocab;
  float *data;
  size_t rows;
  size_t dim;
  uint64_t step; /* of the run it came from, else 0 */
};

/* Takes over data, which must come from vt_vectors_data_alloc, and frees it where it fails. */
VT_API enum vt_status vt_vectors_create(const struct vt_vocab *vocab, float *data, size_t dim, uint64_t step,
                                        struct vt_vectors **vectors, struct vt_error *error);
VT_API float *vt_vectors_data_alloc(size_t rows, size_t dim); /* NULL when out of memory */
/* Accepts NULL. */
VT_API void vt_vectors_free(struct vt_vectors *vectors);

VT_API const float *vt_vectors_row(const struct vt_vectors *vectors, uint32_t id);

/* cos(v_a, v_b) = v_a.v_b / (|v_a| |v_b|). O(dim). */
VT_API double vt_vectors_cosine(const struct vt_vectors *vectors, uint32_t a, uint32_t b);

struct vt_neighbor {
  uint32_t id;
  double cosine;
};

/* The k rows nearest to query[dim] by cosine among the first `limit` rows (0: all), without the ids in exclude;
 * best first, equal cosines by smaller id. Fills neighbors[k] and *count (less than k where rows run out).
 * O(limit x dim). */
VT_API enum vt_status vt_vectors_nearest(const struct vt_vectors *vectors, const float *query, size_t k, size_t limit,
                                         const uint32_t *exclude, size_t exclude_count, struct vt_neighbor *neighbors,
                                         size_t *count, struct vt_error *error);

/* The same for many rows at once, each left out of its own answer: neighbors[i * k] and counts[i] are those of ids[i],
 * bit for bit as vt_vectors_nearest gives them, at any number of threads (at least 1). A row that is asked about and
 * not finite is VT_ERROR_CORRUPT. O(id_count x limit x dim), some twenty times faster; memory: a float copy of the
 * table. */
VT_API enum vt_status vt_vectors_nearest_many(const struct vt_vectors *vectors, const uint32_t *ids, size_t id_count,
                                              size_t k, size_t limit, int threads, struct vt_neighbor *neighbors,
                                              size_t *counts, struct vt_error *error);

/* "a is to b as c is to ?": the k words nearest to b/|b| - a/|a| + c/|c| (3CosAdd, Mikolov et al. 2013; Levy and
 * Goldberg 2014), a, b and c left out. */
VT_API enum vt_status vt_vectors_analogy(const struct vt_vectors *vectors, uint32_t a, uint32_t b, uint32_t c, size_t k,
                                         struct vt_neighbor *neighbors, size_t *count, struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif
