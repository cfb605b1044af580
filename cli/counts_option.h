/* counts_option.h: --counts, which takes the place of a corpus. */
#ifndef VECTRAIL_CLI_COUNTS_OPTION_H
#define VECTRAIL_CLI_COUNTS_OPTION_H

#include "cli.h"

/* Whether there is a corpus or a file of counts (NULL: none), and with counts no option that is about a corpus; told
 * otherwise, as wrong usage. */
enum exit_status counts_option_check(const struct command *command, const char *counts,
                                     const struct text_list *operands);

/* The options that a file of counts settles; NULL ends them. */
extern const char *const counts_option_settled[];

#endif
