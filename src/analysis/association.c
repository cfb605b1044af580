/* association.c: products row by row, all vectors of a word side by side, so that one entry serves them all. */
#include "analysis/association.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"

#define ROWS 64         /* taken by a thread at a time */
#define DENSE_MOST 8192 /* words of a matrix that may be written out: 512 MiB */

static double value_of(const struct vt_meetings *meetings, uint32_t w, size_t place, enum vt_association_kind kind,
                       double shift) {
  uint32_t c = meetings->others[place];
  /* The smaller sum first, so that both halves of the matrix hold the same numbers. */
  double a = meetings->sums[w], b = meetings->sums[c];
  double chance = a < b ? a / meetings->total * b : b / meetings->total * a, met = meetings->counts[place];
  if (kind == VT_ASSOCIATION_QUADRATIC) return 2 * (met - chance) / (met + chance);
  double value = log(met / chance) - shift;
  return kind == VT_ASSOCIATION_PPMI && value < 0 ? 0 : value;
}

enum vt_status vt_association_create(const struct vt_meetings *meetings, enum vt_association_kind kind, double shift,
                                     struct vt_association *association, struct vt_error *error) {
  const size_t pairs = meetings->start[meetings->words];
  *association = (struct vt_association){.meetings = meetings,
                                         .elsewhere = kind == VT_ASSOCIATION_QUADRATIC ? -2 : 0,
                                         .values = vt_alloc(pairs, sizeof(double)),
                                         .meets = vt_alloc(meetings->words, sizeof(double))};
  if (association->values == NULL || association->meets == NULL) {
    vt_association_release(association);
    return VT_FAIL_MEMORY(error, pairs * sizeof(double));
  }
  double active = 0;
  for (uint32_t w = 0; w < meetings->words; w++) active += association->meets[w] = meetings->sums[w] > 0 ? 1 : 0;
  for (uint32_t w = 0; w < meetings->words; w++) {
    double sum = 0;
    for (size_t k = meetings->start[w]; k < meetings->start[w + 1]; k++) {
      double value = value_of(meetings, w, k, kind, shift);
      sum += value * value;
      association->values[k] = value - association->elsewhere;
    }
    association->squares += sum;
  }
  association->squares += (active * active - (double)pairs) * association->elsewhere * association->elsewhere;
  return VT_OK;
}

void vt_association_release(struct vt_association *association) {
  vt_free(association->values);
  vt_free(association->meets);
  *association = (struct vt_association){0};
}

enum vt_status vt_association_operator_create(const struct vt_association *association, struct vt_pool *pool,
                                              size_t capacity, struct vt_association_operator *made,
                                              struct vt_error *error) {
  const size_t words = association->meetings->words;
  *made = (struct vt_association_operator){.association = association,
                                           .pool = pool,
                                           .capacity = capacity,
                                           .from = vt_alloc(words * capacity, sizeof(double)),
                                           .to = vt_alloc(words * capacity, sizeof(double))};
  if (made->from != NULL && made->to != NULL) return VT_OK;
  vt_association_operator_release(made);
  return VT_FAIL_MEMORY(error, 2 * words * capacity * sizeof(double));
}

void vt_association_operator_release(struct vt_association_operator *made) {
  vt_free(made->from);
  vt_free(made->to);
  *made = (struct vt_association_operator){0};
}

struct multiplying {
  const struct vt_association_operator *operator;
  const double *sums; /* of all that meet, one for each vector */
  size_t count;
  atomic_uint next;
};

static void multiply_row(const struct multiplying *m, uint32_t w) {
  const struct vt_association *a = m->operator->association;
  const struct vt_meetings *meetings = a->meetings;
  double *to = m->operator->to +(size_t) w * m->count;
  for (size_t c = 0; c < m->count; c++) to[c] = a->elsewhere * a->meets[w] * m->sums[c];
  for (size_t k = meetings->start[w]; k < meetings->start[w + 1]; k++) {
    const double *from = m->operator->from +(size_t) meetings->others[k] * m->count, value = a->values[k];
    for (size_t c = 0; c < m->count; c++) to[c] += value * from[c];
  }
}

static void multiply_rows(void *context, int worker) {
  struct multiplying *m = context;
  const uint32_t words = m->operator->association->meetings->words;
  (void)worker;
  for (;;) {
    uint32_t first = atomic_fetch_add_explicit(&m->next, 1, memory_order_relaxed) * ROWS;
    if (first >= words) return;
    for (uint32_t w = first; w < words && w < first + ROWS; w++) multiply_row(m, w);
  }
}

static void multiply_some(const struct vt_association_operator *operator, const double * from, double *to,
                          size_t count) {
  const size_t words = operator->association->meetings->words;
  double sums[64] = {0};
  for (size_t c = 0; c < count; c++)
    for (size_t w = 0; w < words; w++) {
      operator->from[w * count + c] = from[c * words + w];
      sums[c] += operator->association->meets[w] * from[c * words + w];
    }
  struct multiplying m = {.operator= operator, .sums = sums, .count = count};
  atomic_init(&m.next, 0);
  vt_pool_run(operator->pool, multiply_rows, &m);
  for (size_t c = 0; c < count; c++)
    for (size_t w = 0; w < words; w++) to[c * words + w] = operator->to[w * count + c];
}

void vt_association_multiply(const void *context, const double *from, double *to, size_t count) {
  const struct vt_association_operator *operator= context;
  const size_t words = operator->association->meetings->words, most = operator->capacity<64 ? operator->capacity : 64;
  for (size_t first = 0; first < count; first += most)
    multiply_some(operator, from + first * words, to + first * words, count - first < most ? count - first : most);
}

/* ---- its eigenvalues --------------------------------------------------------------------------------------------- */

struct filling {
  const struct vt_association *association;
  double *matrix;
};

static void fill_rows(void *context, size_t begin, size_t end) {
  const struct filling *filling = context;
  const struct vt_association *a = filling->association;
  const struct vt_meetings *meetings = a->meetings;
  for (size_t w = begin; w < end; w++) {
    double *row = filling->matrix + w * meetings->words;
    for (size_t c = 0; c < meetings->words; c++) row[c] = a->elsewhere * a->meets[w] * a->meets[c];
    for (size_t k = meetings->start[w]; k < meetings->start[w + 1]; k++) row[meetings->others[k]] += a->values[k];
  }
}

/* A matrix a tenth of which is filled is multiplied faster as if all of it were. */
static bool better_dense(const struct vt_meetings *meetings) {
  const size_t words = meetings->words;
  return words <= DENSE_MOST && meetings->start[words] > words * words / 10;
}

static enum vt_status top_of_dense(const struct vt_association *association, struct vt_pool *pool, size_t count,
                                   bool by_size, double *values, double *vectors, struct vt_error *error) {
  const size_t words = association->meetings->words;
  double *matrix = vt_alloc_aligned_raw(words * words, sizeof *matrix);
  if (matrix == NULL) return VT_FAIL_MEMORY(error, words * words * sizeof *matrix);
  vt_pool_share(pool, words, ROWS, fill_rows, &(struct filling){association, matrix});
  const struct vt_dense dense = {words, matrix, pool};
  const struct vt_operator operator= {words, vt_dense_multiply, &dense, pool};
  enum vt_status status = vt_spectrum_top(&operator, count, by_size, values, vectors, error);
  vt_free_aligned(matrix);
  return status;
}

enum vt_status vt_association_top(const struct vt_association *association, struct vt_pool *pool, size_t count,
                                  bool by_size, double *values, double *vectors, struct vt_error *error) {
  if (better_dense(association->meetings))
    return top_of_dense(association, pool, count, by_size, values, vectors, error);
  struct vt_association_operator context;
  VT_TRY(vt_association_operator_create(association, pool, 64, &context, error));
  const struct vt_operator operator= {association->meetings->words, vt_association_multiply, &context, pool};
  enum vt_status status = vt_spectrum_top(&operator, count, by_size, values, vectors, error);
  vt_association_operator_release(&context);
  return status;
}
