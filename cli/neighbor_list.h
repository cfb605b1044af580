/*
 * neighbor_list.h: words with their cosines, for people and for programs.
 */
#ifndef VECTRAIL_CLI_NEIGHBOR_LIST_H
#define VECTRAIL_CLI_NEIGHBOR_LIST_H

#include <stddef.h>

#include "json.h"
#include "vectrail/vectors.h"

/* [{"word","cosine"}, ...]. */
json_t *neighbor_list_json(const struct vt_vocab *vocab, const struct vt_neighbor *neighbors, size_t count);
/* A table on stdout: word, cosine, how often the word occurs, where that is known. */
void neighbor_list_print(const struct vt_vocab *vocab, const struct vt_neighbor *neighbors, size_t count);

#endif
