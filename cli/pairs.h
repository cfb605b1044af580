/*
 * pairs.h: pairs of words as they are typed: "king:queen,man:woman", or @FILE with two words a line.
 */
#ifndef VECTRAIL_CLI_PAIRS_H
#define VECTRAIL_CLI_PAIRS_H

#include <stdbool.h>

#include "options.h"
#include "words.h"
#include "vectrail/measure.h"

#define PAIRS_MAX 10000

/* The words of all pairs, one behind the other, as typed. False: the error has been printed. Release with
 * watch_words_release in either case. */
bool pair_words_read(const struct text_list *values, struct text_list *words);

struct pair_ids {
  struct vt_measure_pair *items; /* owned */
  size_t count;
};
/* The pairs as words of a run. False: the error has been printed. Free the items in either case. */
bool pair_ids_find(const struct view *view, const struct text_list *values, struct pair_ids *pairs);

#endif
