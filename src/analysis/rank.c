/* rank.c */
#include "analysis/rank.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

struct ranked {
  double value;
  size_t place;
};

static int by_value(const void *a, const void *b) {
  const struct ranked *x = a, *y = b;
  if (x->value != y->value) return x->value < y->value ? -1 : 1;
  return (x->place > y->place) - (x->place < y->place);
}

/* Of each value its rank, from 1, equal values sharing their mean. */
static void rank(const double *values, size_t count, struct ranked *space, double *ranks) {
  for (size_t i = 0; i < count; i++) space[i] = (struct ranked){values[i], i};
  qsort(space, count, sizeof *space, by_value);
  for (size_t begin = 0, end; begin < count; begin = end) {
    for (end = begin + 1; end < count && space[end].value == space[begin].value;) end++;
    double shared = ((double)begin + 1 + (double)end) / 2;
    for (size_t i = begin; i < end; i++) ranks[space[i].place] = shared;
  }
}

static double correlate(const double *x, const double *y, size_t count) {
  double mean = ((double)count + 1) / 2, xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < count; i++) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : (double)NAN;
}

enum vt_status vt_rank_correlation(const double *a, const double *b, size_t count, double *rho,
                                   struct vt_error *error) {
  struct ranked *space = vt_alloc(count, sizeof *space);
  double *ranks = vt_alloc(2 * count, sizeof *ranks);
  enum vt_status status = VT_OK;
  *rho = (double)NAN;
  if (space == NULL || ranks == NULL) {
    status = VT_FAIL_MEMORY(error, count * (sizeof *space + 2 * sizeof *ranks));
  } else {
    rank(a, count, space, ranks);
    rank(b, count, space, ranks + count);
    *rho = correlate(ranks, ranks + count, count);
  }
  vt_free(space);
  vt_free(ranks);
  return status;
}
