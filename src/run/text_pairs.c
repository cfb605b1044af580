/* text_pairs.c */
#include "run/text_pairs.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"

struct reader {
  struct vt_text_pairs *to;
  const struct vt_run *run;
  const struct vt_network *network;
  const char *path;
  size_t line;
  bool begun;        /* a line was read, which says whether they are pairs */
  size_t used, room; /* of tokens */
  size_t *starts;    /* two a pair */
  size_t capacity;   /* pairs */
};

static enum vt_status grow_pairs(struct reader *reader, struct vt_error *error) {
  struct vt_text_pairs *to = reader->to;
  if (to->count < reader->capacity) return VT_OK;
  const size_t capacity = 2 * reader->capacity + 256;
  struct vt_answer *first = vt_realloc(to->first, capacity, sizeof *first);
  if (first != NULL) to->first = first;
  struct vt_answer *second = vt_realloc(to->second, capacity, sizeof *second);
  if (second != NULL) to->second = second;
  size_t *starts = vt_realloc(reader->starts, 2 * capacity, sizeof *starts);
  if (starts != NULL) reader->starts = starts;
  if (first == NULL || second == NULL || starts == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *first);
  reader->capacity = capacity;
  return VT_OK;
}

/* Appends a text's tokens; *count is 0 where the run knows no word of it. */
static enum vt_status put(struct reader *reader, const char *text, size_t bytes, uint32_t *count,
                          struct vt_error *error) {
  struct vt_text_pairs *to = reader->to;
  uint32_t *ids;
  size_t found;
  if (reader->network != NULL)
    VT_TRY(vt_network_encode(reader->network, text, bytes, &ids, &found, error));
  else
    VT_TRY(vt_run_words(reader->run, UINT32_MAX, text, bytes, &ids, &found, error));
  if (reader->network != NULL && found > vt_network_context(reader->network))
    found = vt_network_context(reader->network);
  enum vt_status status = VT_OK;
  if (reader->used + found > reader->room) {
    const size_t room = 2 * reader->room + found + 4096;
    uint32_t *tokens = vt_realloc(to->tokens, room, sizeof *tokens);
    if (tokens == NULL) status = VT_FAIL_MEMORY(error, room * sizeof *tokens);
    if (tokens != NULL) to->tokens = tokens;
    if (tokens != NULL) reader->room = room;
  }
  if (status == VT_OK && found > 0) memcpy(to->tokens + reader->used, ids, found * sizeof *ids);
  if (status == VT_OK) reader->used += found;
  vt_network_ids_free(ids);
  *count = (uint32_t)found;
  if (found > to->longest) to->longest = found;
  return status;
}

static enum vt_status check_line(struct reader *reader, const char *text, size_t bytes, const char *tab,
                                 struct vt_error *error) {
  const bool paired = tab != NULL;
  if (!reader->begun) reader->to->paired = paired;
  reader->begun = true;
  if (paired != reader->to->paired)
    return VT_FAIL(error, VT_ERROR_FORMAT, "%s:%zu: %s, where the lines before have %s", reader->path, reader->line,
                   paired ? "a pair of texts" : "one text", paired ? "one text" : "pairs, with a tab between");
  if (paired && memchr(tab + 1, '\t', (size_t)(text + bytes - tab - 1)) != NULL)
    return VT_FAIL(error, VT_ERROR_FORMAT, "%s:%zu: more than two texts", reader->path, reader->line);
  return VT_OK;
}

static enum vt_status read_line(struct reader *reader, const char *text, size_t bytes, struct vt_error *error) {
  struct vt_text_pairs *to = reader->to;
  const char *tab = memchr(text, '\t', bytes);
  uint32_t first, second;
  VT_TRY(check_line(reader, text, bytes, tab, error));
  VT_TRY(grow_pairs(reader, error));
  size_t *starts = reader->starts + 2 * to->count;
  starts[0] = starts[1] = reader->used;
  VT_TRY(put(reader, text, tab == NULL ? bytes : (size_t)(tab - text), &first, error));
  second = first;
  if (tab != NULL) {
    starts[1] = reader->used;
    VT_TRY(put(reader, tab + 1, (size_t)(text + bytes - tab - 1), &second, error));
  }
  if (first == 0 || second == 0) {
    to->skipped++;
    return VT_OK;
  }
  to->first[to->count] = (struct vt_answer){NULL, 0, first};
  to->second[to->count++] = (struct vt_answer){NULL, 0, second};
  return VT_OK;
}

static enum vt_status read_lines(struct reader *reader, const struct vt_mapping *mapping, struct vt_error *error) {
  const char *at = (const char *)mapping->data, *stop = at + mapping->bytes;
  while (at < stop) {
    const char *end = memchr(at, '\n', (size_t)(stop - at));
    if (end == NULL) end = stop;
    size_t bytes = (size_t)(end - at);
    if (bytes > 0 && at[bytes - 1] == '\r') bytes--;
    reader->line++;
    if (bytes > 0) VT_TRY(read_line(reader, at, bytes, error));
    at = end < stop ? end + 1 : stop;
  }
  if (reader->to->count >= 2) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "a line is two texts with a tab between, or one text",
                      "%s: holds fewer than two lines that the run has words for", reader->path);
}

enum vt_status vt_text_pairs_read(struct vt_text_pairs *pairs, const char *path, const struct vt_run *run,
                                  const struct vt_network *network, struct vt_error *error) {
  struct vt_mapping mapping;
  struct reader reader = {.to = pairs, .run = run, .network = network, .path = path};
  *pairs = (struct vt_text_pairs){0};
  VT_TRY(vt_mapping_open(path, &mapping, error));
  enum vt_status status = read_lines(&reader, &mapping, error);
  vt_mapping_release(&mapping);
  for (size_t k = 0; status == VT_OK && k < pairs->count; k++) { /* no tokens move any more */
    pairs->first[k].tokens = pairs->tokens + reader.starts[2 * k];
    pairs->second[k].tokens = pairs->tokens + reader.starts[2 * k + 1];
  }
  vt_free(reader.starts);
  return status;
}

void vt_text_pairs_release(struct vt_text_pairs *pairs) {
  vt_free(pairs->first);
  vt_free(pairs->second);
  vt_free(pairs->tokens);
  *pairs = (struct vt_text_pairs){0};
}
