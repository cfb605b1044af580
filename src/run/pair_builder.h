/* pair_builder.h: pairs of texts as tokens, while a file of them is read: the tokens of all lie in one array, which
 * moves as it grows. */
#ifndef VECTRAIL_RUN_PAIR_BUILDER_H
#define VECTRAIL_RUN_PAIR_BUILDER_H

#include "base/error.h"
#include "network/policy.h"

struct vt_pair_builder {
  size_t count;
  struct vt_answer *first, *second; /* [count]; without their tokens until vt_pair_builder_settle */
  uint32_t *tokens;
  size_t used; /* of tokens: where the next text will begin */
  size_t longest;
  size_t room, capacity;
  size_t *starts; /* two a pair */
};

/* Appends tokens. */
enum vt_status vt_pair_builder_put(struct vt_pair_builder *builder, const uint32_t *ids, size_t count,
                                   struct vt_error *error);
/* Makes a pair of what was put from starts[0] and starts[1] on; the answers say how much. */
enum vt_status vt_pair_builder_add(struct vt_pair_builder *builder, const size_t starts[2],
                                   const struct vt_answer *first, const struct vt_answer *second,
                                   struct vt_error *error);
/* No more will be put: first, second and tokens are the caller's to free from here on. */
void vt_pair_builder_settle(struct vt_pair_builder *builder);
void vt_pair_builder_release(struct vt_pair_builder *builder); /* instead, where the reading failed */

#endif
