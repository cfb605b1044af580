/* measure_prepare.h: which words the questions look at. Not for others. */
#ifndef VECTRAIL_ANALYSIS_MEASURE_PREPARE_H
#define VECTRAIL_ANALYSIS_MEASURE_PREPARE_H

#include "analysis/measure_run.h"

/* VT_ERROR_ARGUMENT names the option that makes no sense. */
enum vt_status vt_measure_options_check(struct vt_run *run, const struct vt_measure_options *options, bool single,
                                        uint32_t word, struct vt_error *error);
/* Fills in samples, queries, pairs and the selection; word: the one whose story is told, where it is of one. */
enum vt_status vt_measure_choose(struct vt_measuring *m, uint32_t word, struct vt_error *error);
void vt_measure_release_choice(struct vt_measuring *m);

#endif
