/*
 * glove_ledger.h: the ledger of GloVe. The vector of a word is the sum v + u of its two rows, and each record that
 * holds the word moves one of them:
 *
 *   v -= r / sqrt(h),  r = rate f(X) (x . y - log X) u + l2 v           (kernel.h; u likewise)
 *
 * What the record's other word gave is the step without its l2 part; it attracted where the record's score was too low,
 * and pushed where it was too high. The l2 part is decay. Blocks are trained at the same time, so each notes the steps
 * of its watched rows in the order of its records; they are booked when all are done, word by word, the row before the
 * column.
 */
#ifndef VECTRAIL_TRAIN_GLOVE_LEDGER_H
#define VECTRAIL_TRAIN_GLOVE_LEDGER_H

#include "base/pool.h"
#include "kernel/kernel.h"
#include "train/engine.h"
#include "train/ledger.h"

struct vt_glove_ledger;

/* What it looks at, which outlives it: tables of words rows, 2 width floats apart; row r is in group r % groups. */
struct vt_glove_tables {
  float *const *tables; /* VT_TABLE_COUNT */
  uint32_t words;
  uint32_t groups;
  uint32_t dim;
  size_t width;
  bool decays; /* there is a penalty */
  const struct vt_kernel *kernel;
};

/* seen: the table of the sums. *ledger is the caller's to free, as engine->ledger. By document: VT_ERROR_UNSUPPORTED,
 * for counts do not know where words met. Memory: beside the ledger, the steps of the watched rows in one block each.
 */
enum vt_status vt_glove_ledger_create(const struct vt_ledger_options *options, const struct vt_glove_tables *tables,
                                      const struct vt_table *seen, struct vt_glove_ledger **out,
                                      struct vt_ledger **ledger, struct vt_error *error);
void vt_glove_ledger_free(struct vt_glove_ledger *glove); /* accepts NULL */

/* Before the blocks of a step. */
void vt_glove_ledger_before(struct vt_glove_ledger *glove);
/* In place of kernel->glove, for the block of rows of group a and columns of group b; the same bits. Different blocks
 * of a step may run at once. */
void vt_glove_ledger_train(struct vt_glove_ledger *glove, struct vt_glove *block, uint32_t a, uint32_t b);
/* After them: VT_ERROR_MEMORY where there was none for what was noted. */
enum vt_status vt_glove_ledger_after(struct vt_glove_ledger *glove, struct vt_pool *pool, struct vt_error *error);

#endif
