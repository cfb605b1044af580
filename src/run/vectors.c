/* vectors.c: the memory of a table of vectors; the questions to it are in analysis/. */
#include "vectrail/vectors.h"

#include <stdint.h>

#include "base/error.h"
#include "base/memory.h"

float *vt_vectors_data_alloc(size_t rows, size_t dim) {
  if (dim != 0 && rows > SIZE_MAX / sizeof(float) / dim) return NULL;
  return vt_alloc_aligned(rows * dim, sizeof(float));
}

enum vt_status vt_vectors_create(const struct vt_vocab *vocab, float *data, size_t dim, uint64_t step,
                                 struct vt_vectors **vectors, struct vt_error *error) {
  struct vt_vectors *made = vt_alloc(1, sizeof *made);
  if (made == NULL) {
    vt_free_aligned(data);
    return VT_FAIL_MEMORY(error, sizeof *made);
  }
  *made = (struct vt_vectors){.vocab = vocab, .data = data, .rows = vt_vocab_size(vocab), .dim = dim, .step = step};
  *vectors = made;
  return VT_OK;
}

void vt_vectors_free(struct vt_vectors *vectors) {
  if (vectors == NULL) return;
  vt_free_aligned(vectors->data);
  vt_free(vectors);
}

const float *vt_vectors_row(const struct vt_vectors *vectors, uint32_t id) {
  return vectors->data + (size_t)id * vectors->dim;
}
