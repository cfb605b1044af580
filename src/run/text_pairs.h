/* text_pairs.h: a file of texts, or of pairs of them with a tab between, one a line, as tokens. */
#ifndef VECTRAIL_RUN_TEXT_PAIRS_H
#define VECTRAIL_RUN_TEXT_PAIRS_H

#include "base/error.h"
#include "network/policy.h"
#include "run/network_internal.h"

struct vt_text_pairs {
  size_t count;
  struct vt_answer *first, *second; /* [count]; of lines that are no pairs both are the same */
  bool paired;
  size_t skipped; /* lines that hold no word on one side or both */
  size_t longest;
  uint32_t *tokens;
};

/* network: cuts texts into its tokens, and to its context; NULL: the run's words. Empty lines do not count. Errors name
 * the file and the line: VT_ERROR_FORMAT for a line unlike the first one, or with more than one tab; VT_ERROR_EMPTY:
 * fewer than two pairs. Free with vt_text_pairs_release, also on failure. */
enum vt_status vt_text_pairs_read(struct vt_text_pairs *pairs, const char *path, const struct vt_run *run,
                                  const struct vt_network *network, struct vt_error *error);
void vt_text_pairs_release(struct vt_text_pairs *pairs); /* accepts an all-zero one */

#endif
