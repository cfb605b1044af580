/* settle.c: distances in double; cosines by the kernel's dot product, which has the same bits on every instruction set.
 */
#include "train/settle.h"

#include <math.h>
#include <string.h>

#include "base/distance.h"
#include "base/median.h"
#include "base/memory.h"
#include "base/pool.h"

#define WORDS_A_PIECE 128

enum vt_status vt_settle_init(struct vt_settle *settle, const struct vt_table *input, struct vt_error *error) {
  uint32_t rows = input->rows;
  *settle = (struct vt_settle){
      .count = rows < VT_SETTLE_WORDS ? rows : VT_SETTLE_WORDS,
      .dim = input->dim,
      .queries = rows < VT_SETTLE_QUERIES ? rows : VT_SETTLE_QUERIES,
      .among = rows < VT_SETTLE_AMONG ? rows : VT_SETTLE_AMONG,
  };
  VT_TRY(vt_kernel_choose(NULL, &settle->kernel, error));
  settle->marked = vt_alloc_zero((size_t)settle->count * settle->dim, sizeof *settle->marked);
  settle->lists = vt_alloc_zero((size_t)settle->queries * VT_SETTLE_NEIGHBORS, sizeof *settle->lists);
  settle->ratios = vt_alloc(settle->count, sizeof *settle->ratios);
  settle->inverse = vt_alloc(settle->among, sizeof *settle->inverse);
  if (settle->marked != NULL && settle->lists != NULL && settle->ratios != NULL && settle->inverse != NULL)
    return VT_OK;
  vt_settle_release(settle);
  return VT_FAIL_MEMORY(error, (size_t)VT_SETTLE_WORDS * input->dim * sizeof *settle->marked);
}

void vt_settle_release(struct vt_settle *settle) {
  vt_free(settle->marked);
  vt_free(settle->lists);
  vt_free(settle->ratios);
  vt_free(settle->inverse);
  *settle = (struct vt_settle){0};
}

struct look {
  struct vt_settle *settle;
  const struct vt_table *input;
};

static void look_at_words(void *context, size_t begin, size_t end) {
  const struct look *look = context;
  struct vt_settle *settle = look->settle;
  for (size_t k = begin; k < end; k++) {
    const float *row = vt_table_row(look->input, (uint32_t)((uint64_t)k * look->input->rows / settle->count));
    float *marked = settle->marked + k * settle->dim;
    settle->ratios[k] =
        sqrt(vt_squared_distance(row, marked, settle->dim) / vt_squared_length(row, settle->dim)); /* NaN: no length */
    memcpy(marked, row, settle->dim * sizeof *row);
  }
}

/* The median of what the words went over their lengths; where they are is noted. */
static double measure_ratio(const struct look *look, struct vt_pool *pool) {
  struct vt_settle *settle = look->settle;
  vt_pool_share(pool, settle->count, WORDS_A_PIECE, look_at_words, (void *)look);
  size_t defined = 0;
  for (uint32_t k = 0; k < settle->count; k++)
    if (isfinite(settle->ratios[k])) settle->ratios[defined++] = settle->ratios[k];
  return vt_median(settle->ratios, defined);
}

/* The nearest rows to one of them, by falling cosine, equal ones by row; what is left over is UINT32_MAX. */
static void find_neighbors(const struct vt_settle *settle, const struct vt_table *input, uint32_t query,
                           uint32_t neighbors[VT_SETTLE_NEIGHBORS]) {
  float best[VT_SETTLE_NEIGHBORS];
  int count = 0;
  for (int k = 0; k < VT_SETTLE_NEIGHBORS; k++) neighbors[k] = UINT32_MAX;
  for (uint32_t row = 0; row < settle->among; row++) {
    if (row == query || settle->inverse[row] == 0) continue;
    float cosine =
        settle->inverse[row] * settle->kernel->dot(vt_table_row(input, query), vt_table_row(input, row), input->width);
    if (count == VT_SETTLE_NEIGHBORS && !(cosine > best[count - 1])) continue;
    int at = count < VT_SETTLE_NEIGHBORS ? count++ : VT_SETTLE_NEIGHBORS - 1;
    for (; at > 0 && cosine > best[at - 1]; at--) {
      best[at] = best[at - 1];
      neighbors[at] = neighbors[at - 1];
    }
    best[at] = cosine;
    neighbors[at] = row;
  }
}

static double shared(const uint32_t *a, const uint32_t *b) {
  int both = 0, count_a = 0, count_b = 0;
  for (int i = 0; i < VT_SETTLE_NEIGHBORS; i++) {
    count_a += a[i] != UINT32_MAX;
    count_b += b[i] != UINT32_MAX;
    for (int j = 0; j < VT_SETTLE_NEIGHBORS; j++) both += a[i] != UINT32_MAX && a[i] == b[j];
  }
  int all = count_a + count_b - both;
  return all == 0 ? 1 : (double)both / all;
}

static void look_at_lengths(void *context, size_t begin, size_t end) {
  const struct look *look = context;
  for (size_t row = begin; row < end; row++) {
    const float *vector = vt_table_row(look->input, (uint32_t)row);
    double squared = (double)look->settle->kernel->dot(vector, vector, look->input->width);
    look->settle->inverse[row] = squared > 0 ? (float)(1 / sqrt(squared)) : 0;
  }
}

static void look_at_queries(void *context, size_t begin, size_t end) {
  const struct look *look = context;
  struct vt_settle *settle = look->settle;
  for (size_t q = begin; q < end; q++) {
    uint32_t found[VT_SETTLE_NEIGHBORS], *list = settle->lists + q * VT_SETTLE_NEIGHBORS;
    find_neighbors(settle, look->input, (uint32_t)((uint64_t)q * settle->among / settle->queries), found);
    settle->kept[q] = shared(found, list);
    memcpy(list, found, sizeof found);
  }
}

static double measure_overlap(const struct look *look, struct vt_pool *pool) {
  struct vt_settle *settle = look->settle;
  vt_pool_share(pool, settle->among, WORDS_A_PIECE, look_at_lengths, (void *)look);
  vt_pool_share(pool, settle->queries, 1, look_at_queries, (void *)look);
  double sum = 0;
  for (uint32_t q = 0; q < settle->queries; q++) sum += settle->kept[q];
  return settle->queries > 0 ? sum / settle->queries : (double)NAN;
}

struct vt_settle_result vt_settle_measure(struct vt_settle *settle, struct vt_engine *engine, bool first) {
  struct look look = {settle, vt_engine_table(engine, VT_TABLE_INPUT)};
  struct vt_pool *pool = vt_engine_pool(engine);
  struct vt_settle_result result = {
      .update_ratio = measure_ratio(&look, pool),
      .overlap = measure_overlap(&look, pool),
  };
  if (first) result = (struct vt_settle_result){(double)NAN, (double)NAN};
  return result;
}
