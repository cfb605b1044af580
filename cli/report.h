/*
 * report.h: how the command says that something is wrong: a line with the cause, a line with the help, no more.
 */
#ifndef VECTRAIL_CLI_REPORT_H
#define VECTRAIL_CLI_REPORT_H

#include <stddef.h>
#include <stdio.h>

#include "cli.h"
#include "vectrail/status.h"

/* Prints "vectrail: cause" and, where help is not empty, a second line with it. Control characters are printed as
 * '?', so that what a file or an argument holds can neither break the lines nor reach the terminal. */
void report(const char *help, const char *format, ...) VT_PRINTF(2, 3);

/* Whether nothing of all this is printed: another process says it. */
void report_silence(bool silent);

/* The same for a failed call of the library; returns the exit status that goes with it. */
enum exit_status report_error(const struct vt_error *error);
/* The same with the help that was written to a stream of open_memstream, which is closed, and its text freed; with the
 * error's own where the stream is NULL, memory ran out over it, or it is too long: half of a path is of no use. */
enum exit_status report_error_with(const struct vt_error *error, FILE *stream, char **help, const size_t *bytes);
/* The same for a mistake in the arguments: EXIT_USAGE, the help being where to look. */
enum exit_status report_usage(const char *command, const char *format, ...) VT_PRINTF(2, 3);

/* Flushes stdout. Returns `status` where all of it was taken or status is a failure already, else EXIT_FAILED, with a
 * message unless the reader has closed the pipe. */
enum exit_status finish_output(enum exit_status status);

/* Memory that lasts until it is freed; ends the program with EXIT_FAILED where there is none. */
void *cli_alloc(size_t count, size_t size_bytes);
void *cli_realloc(void *block, size_t count, size_t size_bytes);

#endif
