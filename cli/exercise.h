/* exercise.h: what vectrail experiment does with --exercise and --stability. */
#ifndef VECTRAIL_CLI_EXERCISE_H
#define VECTRAIL_CLI_EXERCISE_H

#include <stdbool.h>

#include "cli.h"
#include "vectrail/exercise.h"

/* The request's folder and inputs are set. */
enum exit_status exercise_run(const struct vt_exercise_request *request, bool json);
enum exit_status exercise_stability_run(const struct vt_exercise_request *request, bool json);

#endif
