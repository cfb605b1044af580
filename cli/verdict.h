/*
 * verdict.h: whether a run has converged, in words.
 */
#ifndef VECTRAIL_CLI_VERDICT_H
#define VECTRAIL_CLI_VERDICT_H

#include "json.h"
#include "vectrail/measure.h"

/* One line that begins with two blanks; nothing where the run cannot be judged at all. */
void verdict_print(const struct vt_convergence *verdict);
/* The same as an object; null where it cannot be judged at all. */
json_t *verdict_json(const struct vt_convergence *verdict);

#endif
