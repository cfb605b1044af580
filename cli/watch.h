/*
 * watch.h: the words named by --watch and --ledger.
 */
#ifndef VECTRAIL_CLI_WATCH_H
#define VECTRAIL_CLI_WATCH_H

#include <stdbool.h>

#include "options.h"

/* Values of the option "--watch", say, of the form "king,queen" or "@FILE" (a word a line) as single words, each once,
 * normalised as the text will be. False: the error has been printed. Release the list in either case. */
bool watch_words_read(const char *option, const struct text_list *values, bool words_rule, bool fold_case,
                      struct text_list *words);
/* A list made by hand, whole and terminated, to be freed; NULL: the error, with this help, has been printed. */
char *word_file_read(const char *path, const char *help);
void watch_words_release(struct text_list *words);

#endif
