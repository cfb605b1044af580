/* text_pairs.c */
#include "run/text_pairs.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/pair_builder.h"

struct reader {
  struct vt_pair_builder pairs;
  bool paired;
  size_t skipped;
  const struct vt_run *run;
  const struct vt_network *network;
  const char *path;
  size_t line;
  bool begun; /* a line was read, which says whether they are pairs */
};

/* Appends a text's tokens; *count is 0 where the run knows no word of it. */
static enum vt_status put(struct reader *reader, const char *text, size_t bytes, uint32_t *count,
                          struct vt_error *error) {
  uint32_t *ids;
  size_t found;
  if (reader->network != NULL)
    VT_TRY(vt_network_encode(reader->network, text, bytes, &ids, &found, error));
  else
    VT_TRY(vt_run_words(reader->run, UINT32_MAX, text, bytes, &ids, &found, error));
  if (reader->network != NULL && found > vt_network_context(reader->network))
    found = vt_network_context(reader->network);
  enum vt_status status = vt_pair_builder_put(&reader->pairs, ids, found, error);
  vt_network_ids_free(ids);
  *count = (uint32_t)found;
  return status;
}

static enum vt_status check_line(struct reader *reader, const char *text, size_t bytes, const char *tab,
                                 struct vt_error *error) {
  const bool paired = tab != NULL;
  if (!reader->begun) reader->paired = paired;
  reader->begun = true;
  if (paired != reader->paired)
    return VT_FAIL(error, VT_ERROR_FORMAT, "%s:%zu: %s, where the lines before have %s", reader->path, reader->line,
                   paired ? "a pair of texts" : "one text", paired ? "one text" : "pairs, with a tab between");
  if (paired && memchr(tab + 1, '\t', (size_t)(text + bytes - tab - 1)) != NULL)
    return VT_FAIL(error, VT_ERROR_FORMAT, "%s:%zu: more than two texts", reader->path, reader->line);
  return VT_OK;
}

static enum vt_status read_line(struct reader *reader, const char *text, size_t bytes, struct vt_error *error) {
  const char *tab = memchr(text, '\t', bytes);
  struct vt_answer first = {0}, second;
  VT_TRY(check_line(reader, text, bytes, tab, error));
  size_t starts[2] = {reader->pairs.used, reader->pairs.used};
  VT_TRY(put(reader, text, tab == NULL ? bytes : (size_t)(tab - text), &first.count, error));
  second = first;
  if (tab != NULL) {
    starts[1] = reader->pairs.used;
    VT_TRY(put(reader, tab + 1, (size_t)(text + bytes - tab - 1), &second.count, error));
  }
  if (first.count > 0 && second.count > 0) return vt_pair_builder_add(&reader->pairs, starts, &first, &second, error);
  reader->skipped++;
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
  if (reader->pairs.count >= 2) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "a line is two texts with a tab between, or one text",
                      "%s: holds fewer than two lines that the run has words for", reader->path);
}

enum vt_status vt_text_pairs_read(struct vt_text_pairs *pairs, const char *path, const struct vt_run *run,
                                  const struct vt_network *network, struct vt_error *error) {
  struct vt_mapping mapping;
  struct reader reader = {.run = run, .network = network, .path = path};
  *pairs = (struct vt_text_pairs){0};
  VT_TRY(vt_mapping_open(path, &mapping, error));
  enum vt_status status = read_lines(&reader, &mapping, error);
  vt_mapping_release(&mapping);
  if (status != VT_OK) {
    vt_pair_builder_release(&reader.pairs);
    return status;
  }
  vt_pair_builder_settle(&reader.pairs);
  *pairs = (struct vt_text_pairs){.count = reader.pairs.count,
                                  .first = reader.pairs.first,
                                  .second = reader.pairs.second,
                                  .paired = reader.paired,
                                  .skipped = reader.skipped,
                                  .longest = reader.pairs.longest,
                                  .tokens = reader.pairs.tokens};
  return VT_OK;
}

void vt_text_pairs_release(struct vt_text_pairs *pairs) {
  vt_free(pairs->first);
  vt_free(pairs->second);
  vt_free(pairs->tokens);
  *pairs = (struct vt_text_pairs){0};
}
