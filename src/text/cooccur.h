/*
 * cooccur.h: what the parts of the counter share: rows.c (rows of counts in a file without a name), cooccur.c.
 */
#ifndef VECTRAIL_TEXT_COOCCUR_H
#define VECTRAIL_TEXT_COOCCUR_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "text/span.h"
#include "vectrail/cooccur.h"

/* As vt_cooccur_count, of a stream of ids below `words`; places in the spans (ascending) are left out. corpus: to be
 * told what will not be read for a while; may be NULL. */
struct vt_cooccur_text {
  const uint32_t *ids;
  uint64_t entries;
  uint32_t words;
  const struct vt_span *spans;
  size_t span_count;
  const struct vt_corpus *corpus;
};
enum vt_status vt_cooccur_count_text(const struct vt_cooccur_text *text, const struct vt_cooccur_options *options,
                                     struct vt_cooccur **counts, struct vt_cooccur_report *report,
                                     struct vt_error *error);

#endif
