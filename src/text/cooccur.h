/*
 * cooccur.h: what is behind vectrail/cooccur.h: the counter (cooccur.c) and what it makes (counts.c).
 */
#ifndef VECTRAIL_TEXT_COOCCUR_H
#define VECTRAIL_TEXT_COOCCUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/scratch.h"
#include "text/span.h"
#include "vectrail/cooccur.h"

/* Rows of counts as text/tally_row.h lays them out, in a file without a name. */
struct vt_cooccur {
  struct vt_scratch file;
  uint64_t *starts; /* by row, in bytes of the file; words + 1 */
  uint32_t words;
  uint64_t pairs;
  bool expected;                     /* words survive at random: a meeting has VT_SUBSAMPLE_UNITS */
  uint64_t fingerprint;              /* of counts that were read from a file */
  struct vt_cooccur_options options; /* how they were counted */
  struct vt_cooccur_source source;   /* and on what */
};

/* As vt_cooccur_count, of a stream of ids below `words`; places in the spans (ascending) are left out, or with `only`
 * all others. corpus: to be told what will not be read for a while; may be NULL. keep: one for each word, the
 * probability that it survives (text/subsample.h), for linear weights on both sides; NULL: every word does. */
struct vt_cooccur_text {
  const uint32_t *ids;
  uint64_t entries;
  uint32_t words;
  const struct vt_span *spans;
  size_t span_count;
  bool only;
  const double *keep;
  const struct vt_corpus *corpus;
};
enum vt_status vt_cooccur_count_text(const struct vt_cooccur_text *text, const struct vt_cooccur_options *options,
                                     struct vt_cooccur **counts, struct vt_cooccur_report *report,
                                     struct vt_error *error);

/* Whether counting so many words can do with so much memory. VT_ERROR_ARGUMENT says what it takes. */
enum vt_status vt_cooccur_check_memory(uint32_t words, uint64_t memory_bytes, struct vt_error *error);

/* Ready to be filled in, with a file in `folder`; or what vt_cooccur_free takes. */
enum vt_status vt_cooccur_create(const char *folder, struct vt_cooccur **counts, struct vt_error *error);

#endif
