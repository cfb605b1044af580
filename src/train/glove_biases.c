/* glove_biases.c: sweeps over the records, a side at a time; the words of a group are summed by one thread. */
#include "train/glove_biases.h"

#include <stdatomic.h>

#include "base/memory.h"

#define SWEEPS 5

struct fit {
  const struct vt_glove_records *records;
  uint32_t words;
  double *biases[VT_TABLE_COUNT]; /* by word */
  double *sums[2];                /* of weight x rest, and of weight */
  int side;                       /* whose biases are fitted */
  atomic_uint next;
};

/* The words of a group, from all blocks of that group's rows (or columns). */
static void fit_group(const struct fit *fit, uint32_t group) {
  const uint32_t groups = fit->records->groups;
  for (uint32_t word = group; word < fit->words; word += groups) fit->sums[0][word] = fit->sums[1][word] = 0;
  for (uint32_t other = 0; other < groups; other++) {
    size_t count;
    const bool rows = fit->side == VT_TABLE_INPUT;
    const struct vt_glove_record *records =
        vt_glove_block(fit->records, rows ? group : other, rows ? other : group, &count);
    const double *biases = fit->biases[1 - fit->side];
    for (size_t k = 0; k < count; k++) {
      const uint32_t own = (rows ? records[k].row : records[k].column) * groups + group;
      const uint32_t far = (rows ? records[k].column : records[k].row) * groups + other;
      const double weight = (double)records[k].weight;
      fit->sums[0][own] += weight * ((double)records[k].log_count - biases[far]);
      fit->sums[1][own] += weight;
    }
  }
  for (uint32_t word = group; word < fit->words; word += groups)
    if (fit->sums[1][word] > 0) fit->biases[fit->side][word] = fit->sums[0][word] / fit->sums[1][word];
}

static void fit_groups(void *context, int worker) {
  struct fit *fit = context;
  (void)worker;
  for (;;) {
    uint32_t group = atomic_fetch_add_explicit(&fit->next, 1, memory_order_relaxed);
    if (group >= fit->records->groups) return;
    fit_group(fit, group);
  }
}

/* What could stand on either side is shared out; the first fit has it all among the rows. */
static void share_out(const struct fit *fit) {
  double mean = 0;
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    for (uint32_t word = 0; word < fit->words; word++)
      mean += (t == VT_TABLE_INPUT ? 0.5 : -0.5) * fit->biases[t][word] / fit->words;
  for (int t = 0; t < VT_TABLE_COUNT; t++)
    for (uint32_t word = 0; word < fit->words; word++) fit->biases[t][word] -= t == VT_TABLE_INPUT ? mean : -mean;
}

enum vt_status vt_glove_biases_fit(const struct vt_glove_records *records, uint32_t words, struct vt_pool *pool,
                                   double *biases[VT_TABLE_COUNT], struct vt_error *error) {
  struct fit fit = {.records = records, .words = words};
  for (int k = 0; k < 2; k++) {
    fit.biases[k] = vt_alloc_zero(words, sizeof(double));
    fit.sums[k] = vt_alloc(words, sizeof(double));
  }
  const bool done = fit.biases[0] != NULL && fit.biases[1] != NULL && fit.sums[0] != NULL && fit.sums[1] != NULL;
  for (int sweep = 0; done && sweep < SWEEPS; sweep++) {
    for (fit.side = 0; fit.side < VT_TABLE_COUNT; fit.side++) {
      atomic_store_explicit(&fit.next, 0, memory_order_relaxed);
      vt_pool_run(pool, fit_groups, &fit);
    }
    if (sweep == 0) share_out(&fit);
  }
  for (int k = 0; k < 2; k++) {
    vt_free(fit.sums[k]);
    if (!done) vt_free(fit.biases[k]);
    biases[k] = done ? fit.biases[k] : NULL;
  }
  return done ? VT_OK : VT_FAIL_MEMORY(error, words * 4 * sizeof(double));
}
