/* theory.h: the parts of vt_theory_run. */
#ifndef VECTRAIL_ANALYSIS_THEORY_H
#define VECTRAIL_ANALYSIS_THEORY_H

#include "base/pool.h"
#include "run/settings.h"
#include "text/meetings.h"
#include "vectrail/theory.h"

/* The optimum of skip-gram with negative sampling against the run's tables; a reason why not into
 * factorisation_missing. */
enum vt_status vt_factorisation_measure(struct vt_run *run, const struct vt_settings *settings,
                                        const struct vt_meetings *meetings, const struct vt_theory_options *options,
                                        struct vt_pool *pool, struct vt_theory *theory, struct vt_error *error);

/* One point of it, for tables[words x dim]: for tests too. noise_exponent and negative as trained; counts of the words
 * decide the bands and the noise. */
struct vt_factorisation_setup {
  const struct vt_meetings *meetings;
  const struct vt_vocab *vocab;
  double noise_exponent;
  uint32_t negative;
  struct vt_pool *pool;
};
enum vt_status vt_factorisation_at(const struct vt_factorisation_setup *setup, const float *input, const float *output,
                                   size_t dim, struct vt_factorisation *result, struct vt_error *error);

/* The law of Marchenko and Pastur: of the n eigenvalues of R R', R [n x dim] of independent entries, the one above
 * which `share` of those lie that are not 0 by force, over the edge s^2 (sqrt(n) + sqrt(dim))^2. */
double vt_marchenko_pastur(size_t n, size_t dim, double share);

/* The task vectors of the sections of options->analogy. */
enum vt_status vt_tasks_measure(struct vt_run *run, const struct vt_theory_options *options, struct vt_theory *theory,
                                struct vt_error *error);

#endif
