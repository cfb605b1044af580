/*
 * help.h: what the tables say, for people.
 */
#ifndef VECTRAIL_CLI_HELP_H
#define VECTRAIL_CLI_HELP_H

#include <stdio.h>

#include "cli.h"

/* The overview: what there is, a line a command. */
void help_overview(FILE *stream, const struct command *const *commands, size_t count);
/* One command: usage, what it does, its options with their defaults, an example. Calls prepare: lists are to be
 * released before. */
void help_command(FILE *stream, const struct command *command);

/* The settings of a command as options that can be typed again, wrapped and indented by two columns: all but those
 * that are aside, empty or off, or whose names are in `without` (NULL: none), which NULL ends. */
void help_settings(FILE *stream, const struct command *command, const char *const *without);

#endif
