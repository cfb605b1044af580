/* pair_builder.c */
#include "run/pair_builder.h"

#include <string.h>

#include "base/memory.h"

enum vt_status vt_pair_builder_put(struct vt_pair_builder *builder, const uint32_t *ids, size_t count,
                                   struct vt_error *error) {
  if (builder->used + count > builder->room) {
    const size_t room = 2 * builder->room + count + 1024;
    uint32_t *tokens = vt_realloc(builder->tokens, room, sizeof *tokens);
    if (tokens == NULL) return VT_FAIL_MEMORY(error, room * sizeof *tokens);
    builder->tokens = tokens;
    builder->room = room;
  }
  if (count > 0) memcpy(builder->tokens + builder->used, ids, count * sizeof *ids);
  builder->used += count;
  return VT_OK;
}

static enum vt_status grow(struct vt_pair_builder *builder, struct vt_error *error) {
  if (builder->count < builder->capacity) return VT_OK;
  const size_t capacity = 2 * builder->capacity + 64;
  struct vt_answer *first = vt_realloc(builder->first, capacity, sizeof *first);
  if (first != NULL) builder->first = first;
  struct vt_answer *second = vt_realloc(builder->second, capacity, sizeof *second);
  if (second != NULL) builder->second = second;
  size_t *starts = vt_realloc(builder->starts, 2 * capacity, sizeof *starts);
  if (starts != NULL) builder->starts = starts;
  if (first == NULL || second == NULL || starts == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *first);
  builder->capacity = capacity;
  return VT_OK;
}

enum vt_status vt_pair_builder_add(struct vt_pair_builder *builder, const size_t starts[2],
                                   const struct vt_answer *first, const struct vt_answer *second,
                                   struct vt_error *error) {
  VT_TRY(grow(builder, error));
  memcpy(builder->starts + 2 * builder->count, starts, 2 * sizeof *starts);
  builder->first[builder->count] = *first;
  builder->second[builder->count] = *second;
  builder->count++;
  if (first->count > builder->longest) builder->longest = first->count;
  if (second->count > builder->longest) builder->longest = second->count;
  return VT_OK;
}

void vt_pair_builder_settle(struct vt_pair_builder *builder) {
  for (size_t k = 0; k < builder->count; k++) {
    builder->first[k].tokens = builder->tokens + builder->starts[2 * k];
    builder->second[k].tokens = builder->tokens + builder->starts[2 * k + 1];
  }
  vt_free(builder->starts);
  builder->starts = NULL;
}

void vt_pair_builder_release(struct vt_pair_builder *builder) {
  vt_free(builder->first);
  vt_free(builder->second);
  vt_free(builder->tokens);
  vt_free(builder->starts);
  *builder = (struct vt_pair_builder){0};
}
