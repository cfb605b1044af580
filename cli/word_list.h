/*
 * word_list.h: files of words, a word a line.
 */
#ifndef VECTRAIL_CLI_WORD_LIST_H
#define VECTRAIL_CLI_WORD_LIST_H

#include <stdbool.h>

#include "options.h"

struct word_list {
  struct text_list words; /* as they stand in the file, blanks around them and empty lines left out */
  char *text;             /* what they point into */
};

/* False: the error has been printed. Release the list in either case. */
bool word_list_read(const char *path, struct word_list *list);
void word_list_release(struct word_list *list);

#endif
