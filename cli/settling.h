/* settling.h: which words settle first, as it is printed. */
#ifndef VECTRAIL_CLI_SETTLING_H
#define VECTRAIL_CLI_SETTLING_H

#include <jansson.h>
#include <stdbool.h>

#include "cli.h"
#include "vectrail/settling.h"

/* Opens the run and measures it; errors are reported. */
enum exit_status settling_measure(const char *run, double within, struct vt_settling *settling);
json_t *settling_json(const struct vt_settling *settling);
void settling_print(const struct vt_settling *settling);

/* All of it, of `vectrail experiment --settling`. */
enum exit_status settling_run(const char *run, double within, bool json);

#endif
