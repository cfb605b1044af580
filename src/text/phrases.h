/*
 * phrases.h: words that belong together become one: "new york" new_york, "học sinh" học_sinh.
 */
#ifndef VECTRAIL_TEXT_PHRASES_H
#define VECTRAIL_TEXT_PHRASES_H

#include <stddef.h>

#include "base/pool.h"
#include "text/count.h"
#include "text/tally.h"

/* Joins the phrases of what was counted and merged, by options->phrases passes: new words in the table of worker 0,
 * counts that are those of the joined text, and shorter records. table_bytes: memory for counting pairs; it changes no
 * result. */
enum vt_status vt_phrases_join(struct vt_count *count, struct vt_tally *tally, struct vt_pool *pool, size_t table_bytes,
                               struct vt_error *error);

#endif
