/*
 * experiment.h: what the trainings of an experiment hand to the judges of its claims.
 */
#ifndef VECTRAIL_ANALYSIS_EXPERIMENT_H
#define VECTRAIL_ANALYSIS_EXPERIMENT_H

#include "base/error.h"
#include "vectrail/experiment.h"
#include "vectrail/measure.h"
#include "vectrail/run.h"

struct vt_experiment_evidence {
  const struct vt_experiment_request *request;
  struct vt_run *run; /* main */
  const struct vt_vocab *vocab;
  struct vt_measures measures;      /* of main */
  struct vt_vectors *first, *last;  /* of main */
  struct vt_measures free, bounded; /* motion and shape of the runs without and with the penalty */
  const struct vt_experiment_pair *synonyms;
  size_t synonym_count;
  const struct vt_experiment_analogy *analogies;
  size_t analogy_count;
};

#define VT_EXPERIMENT_CLAIMS 7
/* Fills claims[VT_EXPERIMENT_CLAIMS]. */
enum vt_status vt_experiment_judge(const struct vt_experiment_evidence *evidence, struct vt_claim *claims,
                                   struct vt_error *error);

#endif
