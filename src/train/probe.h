/*
 * probe.h: a fixed sample of training pairs that no step trains on, to measure the loss and its gradient on.
 *
 * Drawn once, from a random stream of its own, as training draws its pairs: a place in the corpus (kept or not by
 * subsampling), a context word within a window drawn for it, and K noise words, each with the probability it has in
 * training. Those places are left out as centres in all epochs. At most one place in a hundred is taken.
 */
#ifndef VECTRAIL_TRAIN_PROBE_H
#define VECTRAIL_TRAIN_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/pool.h"
#include "train/engine.h"
#include "train/objective/objective.h"

#define VT_PROBE_PAIRS 2000 /* at most */

struct vt_probe;

/* setup: options, noise, keep, kernel and held_out are used, and borrowed as long as the probe lives. held_out: a probe
 * of the sentences that are held out, of any share of their places; otherwise of the others. workers: of the pool that
 * vt_probe_measure will get, so that nothing is left that could fail then; 0: it will not be called. */
enum vt_status vt_probe_create(const uint32_t *ids, uint64_t entries, uint64_t tokens, bool held_out,
                               const struct vt_objective_setup *setup, int workers, struct vt_probe **probe,
                               struct vt_error *error);
void vt_probe_free(struct vt_probe *probe); /* accepts NULL */

size_t vt_probe_pairs(const struct vt_probe *probe);
/* Ascending, one for each pair. */
const uint64_t *vt_probe_positions(const struct vt_probe *probe);

/* For the exact softmax, which is measured elsewhere: the context word and the target of a pair of skip-gram. */
void vt_probe_pair(const struct vt_probe *probe, size_t pair, uint32_t *context, uint32_t *target);

/* tables[VT_TABLE_COUNT]; pool: no larger than the probe was created for. The same result whatever its size. */
struct vt_probe_result vt_probe_measure(struct vt_probe *probe, const struct vt_table *tables, struct vt_pool *pool);
/* The loss alone, for half the time; NaN where there are no pairs. */
double vt_probe_loss(struct vt_probe *probe, const struct vt_table *tables, struct vt_pool *pool);

#endif
