/*
 * glove_probe.h: what GloVe's records lose, and the gradient on those that nothing is trained on.
 */
#ifndef VECTRAIL_TRAIN_GLOVE_PROBE_H
#define VECTRAIL_TRAIN_GLOVE_PROBE_H

#include "train/glove_ledger.h"
#include "train/glove_records.h"
#include "train/probe.h"

/* sum + the records' f(X) (v . u + b + c - log X)^2, one after the other (Pennington et al. 2014, equation 8). */
double vt_glove_add_losses(double sum, const struct vt_glove_tables *tables, const struct vt_glove_record *records,
                           size_t count);

struct vt_glove_probe {
  double *pulls;    /* VT_PROBE_PAIRS: of each record the derivative of the mean by its difference */
  double *gradient; /* dim + 2: of a row; zeros between */
};

enum vt_status vt_glove_probe_init(struct vt_glove_probe *probe, uint32_t dim, struct vt_error *error);
void vt_glove_probe_release(struct vt_glove_probe *probe); /* accepts an all-zero one */
/* The mean loss of the probe's records, and the length of its gradient by all rows and biases; NaN where there are
 * none.
 */
struct vt_probe_result vt_glove_probe_measure(struct vt_glove_probe *probe, const struct vt_glove_tables *tables,
                                              const struct vt_glove_records *records);

#endif
