/* encode_internal.h: the steps of an encoding, for encode.c and encode_together.c. */
#ifndef VECTRAIL_TEXT_ENCODE_INTERNAL_H
#define VECTRAIL_TEXT_ENCODE_INTERNAL_H

#include "base/file.h"
#include "base/pool.h"
#include "text/chunks.h"
#include "text/count.h"
#include "text/encode.h"
#include "text/remap.h"
#include "text/spill.h"
#include "text/tally.h"

/* What an encoding holds on its way; release frees whatever there is. */
struct vt_encoding {
  struct vt_pool *pool;
  struct vt_chunks *chunks;
  struct vt_spill *spill;
  struct vt_count count;
  struct vt_tally tally;
};
void vt_encoding_release(struct vt_encoding *encoding); /* accepts an all-zero one */

enum vt_status vt_encoding_check(const struct vt_corpus_options *options, size_t input_count, struct vt_error *error);
/* Refuses an input of which too much is not UTF-8; counts what was replaced. */
enum vt_status vt_encoding_judge(const struct vt_count *count, struct vt_corpus_report *report, struct vt_error *error);
void vt_encoding_hash(const struct vt_count *count, size_t input_count, uint64_t *hashes);
/* The head of an encoded corpus: room for it, and it itself. */
enum vt_status vt_encoding_begin_file(struct vt_output *output, struct vt_error *error);
enum vt_status vt_encoding_end_file(struct vt_output *output, const struct vt_remap_total *total, size_t words,
                                    struct vt_error *error);
/* All fields but those of vt_encoding_judge, and the time. */
void vt_encoding_report(const struct vt_encoding *encoding, const struct vt_remap_total *total,
                        struct vt_corpus_report *report);

#endif
