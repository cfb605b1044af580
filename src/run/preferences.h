/*
 * preferences.h: pairs of answers of which one was preferred, as a file of JSON objects, one a line:
 *
 *   {"prompt": "...", "chosen": "...", "rejected": "..."}
 *
 * as the tokens of a network: an answer stands behind its prompt, and ends with the end mark where the network has one.
 */
#ifndef VECTRAIL_RUN_PREFERENCES_H
#define VECTRAIL_RUN_PREFERENCES_H

#include "base/error.h"
#include "network/policy.h"
#include "vectrail/network.h"

struct vt_preferences {
  size_t count;
  struct vt_answer *chosen, *rejected; /* [count] */
  size_t prompt_count;
  struct vt_answer *prompts; /* the different prompts, in the order of the file, without an answer */
  size_t longest;            /* tokens of the longest of all */
  uint32_t *tokens;
};

/* Errors name the file and the line: VT_ERROR_FORMAT for what is no JSON or holds other than these texts, for an empty
 * answer and for two that are the same, to the network too; VT_ERROR_ARGUMENT for what is longer than its context;
 * VT_ERROR_EMPTY: there is none. An empty prompt is the end mark alone. Free with vt_preferences_release, also on
 * failure. */
enum vt_status vt_preferences_read(struct vt_preferences *preferences, const char *path,
                                   const struct vt_network *network, struct vt_error *error);
void vt_preferences_release(struct vt_preferences *preferences); /* accepts an all-zero one */

#endif
