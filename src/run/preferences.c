/* preferences.c: nothing is trusted: lines are read one by one, and each is held against what the network can take. */
#include "run/preferences.h"

#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/pair_builder.h"

#define HELP_FORM "a line is an object such as {\"prompt\": \"...\", \"chosen\": \"...\", \"rejected\": \"...\"}"

struct reader {
  struct vt_pair_builder pairs; /* chosen, rejected */
  const struct vt_network *network;
  const char *path;
  size_t line;
};

/* ---- one line ---------------------------------------------------------------------------------------------------- */

static bool is_blank(const char *text) { return text[strspn(text, " \t\r\n")] == '\0'; }

static enum vt_status check_texts(const struct reader *reader, const char *prompt, const char *chosen,
                                  const char *rejected, struct vt_error *error) {
  if (prompt == NULL || chosen == NULL || rejected == NULL)
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, HELP_FORM, "%s:%zu: the text \"%s\" is missing", reader->path,
                        reader->line,
                        prompt == NULL   ? "prompt"
                        : chosen == NULL ? "chosen"
                                         : "rejected");
  if (is_blank(chosen) || is_blank(rejected))
    return VT_FAIL(error, VT_ERROR_FORMAT, "%s:%zu: the answer \"%s\" is empty", reader->path, reader->line,
                   is_blank(chosen) ? "chosen" : "rejected");
  if (strcmp(chosen, rejected) == 0)
    return VT_FAIL(error, VT_ERROR_FORMAT, "%s:%zu: both answers are the same", reader->path, reader->line);
  return VT_OK;
}

static enum vt_status put_prompt(struct reader *reader, const uint32_t *ids, size_t count, struct vt_error *error) {
  const uint32_t end = vt_network_end(reader->network);
  if (count > 0) return vt_pair_builder_put(&reader->pairs, ids, count, error);
  if (end != UINT32_MAX) return vt_pair_builder_put(&reader->pairs, &end, 1, error);
  return VT_FAIL(error, VT_ERROR_FORMAT, "%s:%zu: the prompt holds no word that the run knows", reader->path,
                 reader->line);
}

static enum vt_status put_answer(struct reader *reader, const uint32_t *prompt, size_t prompt_count, const char *name,
                                 const char *text, struct vt_answer *answer, size_t *start, struct vt_error *error) {
  uint32_t *ids;
  size_t count;
  const uint32_t end = vt_network_end(reader->network), context = vt_network_context(reader->network);
  *start = reader->pairs.used;
  VT_TRY(put_prompt(reader, prompt, prompt_count, error));
  const size_t before = reader->pairs.used - *start;
  VT_TRY(vt_network_encode(reader->network, text, strlen(text), &ids, &count, error));
  enum vt_status status = VT_OK;
  if (count == 0)
    status = VT_FAIL(error, VT_ERROR_FORMAT, "%s:%zu: the answer \"%s\" holds no word that the run knows", reader->path,
                     reader->line, name);
  if (status == VT_OK) status = vt_pair_builder_put(&reader->pairs, ids, count, error);
  if (status == VT_OK && end != UINT32_MAX && ids[count - 1] != end)
    status = vt_pair_builder_put(&reader->pairs, &end, 1, error);
  vt_network_ids_free(ids);
  VT_TRY(status);
  const size_t all = reader->pairs.used - *start;
  if (all > context)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "%s:%zu: prompt and answer \"%s\" are %zu tokens; the run's context is %u",
                   reader->path, reader->line, name, all, (unsigned)context);
  *answer = (struct vt_answer){NULL, (uint32_t)before, (uint32_t)all};
  return VT_OK;
}

static enum vt_status put_pair(struct reader *reader, const char *prompt, const char *chosen, const char *rejected,
                               struct vt_error *error) {
  struct vt_answer a = {0}, b = {0};
  uint32_t *ids;
  size_t count, starts[2];
  VT_TRY(vt_network_encode(reader->network, prompt, strlen(prompt), &ids, &count, error));
  enum vt_status status = put_answer(reader, ids, count, "chosen", chosen, &a, &starts[0], error);
  if (status == VT_OK) status = put_answer(reader, ids, count, "rejected", rejected, &b, &starts[1], error);
  vt_network_ids_free(ids);
  VT_TRY(status);
  const uint32_t *tokens = reader->pairs.tokens;
  if (a.count == b.count && memcmp(tokens + starts[0], tokens + starts[1], a.count * sizeof *tokens) == 0)
    return VT_FAIL(error, VT_ERROR_FORMAT, "%s:%zu: both answers are the same but for words that the run does not know",
                   reader->path, reader->line);
  return vt_pair_builder_add(&reader->pairs, starts, &a, &b, error);
}

static enum vt_status read_line(struct reader *reader, const char *text, size_t bytes, struct vt_error *error) {
  json_error_t reason;
  json_t *object = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &reason);
  if (object == NULL)
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, HELP_FORM, "%s:%zu: not JSON: %s", reader->path, reader->line,
                        reason.text);
  const char *prompt = json_string_value(json_object_get(object, "prompt")),
             *chosen = json_string_value(json_object_get(object, "chosen")),
             *rejected = json_string_value(json_object_get(object, "rejected"));
  enum vt_status status = check_texts(reader, prompt, chosen, rejected, error);
  if (status == VT_OK) status = put_pair(reader, prompt, chosen, rejected, error);
  json_decref(object);
  return status;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static enum vt_status read_lines(struct reader *reader, const struct vt_mapping *mapping, struct vt_error *error) {
  const char *at = (const char *)mapping->data, *stop = at + mapping->bytes;
  while (at < stop) {
    const char *end = memchr(at, '\n', (size_t)(stop - at));
    if (end == NULL) end = stop;
    reader->line++;
    size_t blank = 0;
    while (at + blank < end && (at[blank] == ' ' || at[blank] == '\t' || at[blank] == '\r')) blank++;
    if (at + blank < end) VT_TRY(read_line(reader, at, (size_t)(end - at), error));
    at = end < stop ? end + 1 : stop;
  }
  if (reader->pairs.count > 0) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_EMPTY, HELP_FORM, "%s: holds no preferences", reader->path);
}

static bool same_prompt(const struct vt_answer *a, const struct vt_answer *b) {
  return a->prompt == b->prompt && memcmp(a->tokens, b->tokens, a->prompt * sizeof *a->tokens) == 0;
}

/* Each prompt once. Compared with those before it: files of preferences are small beside a training on them. */
static enum vt_status list_prompts(struct vt_preferences *to, struct vt_error *error) {
  to->prompts = vt_alloc(to->count, sizeof *to->prompts);
  if (to->prompts == NULL) return VT_FAIL_MEMORY(error, to->count * sizeof *to->prompts);
  for (size_t k = 0; k < to->count; k++) {
    bool known = false;
    for (size_t p = to->prompt_count; p-- > 0 && !known;) known = same_prompt(&to->prompts[p], &to->chosen[k]);
    if (known) continue;
    to->prompts[to->prompt_count] = to->chosen[k];
    to->prompts[to->prompt_count].count = to->chosen[k].prompt;
    to->prompt_count++;
  }
  return VT_OK;
}

enum vt_status vt_preferences_read(struct vt_preferences *preferences, const char *path,
                                   const struct vt_network *network, struct vt_error *error) {
  struct vt_mapping mapping;
  struct reader reader = {.network = network, .path = path};
  *preferences = (struct vt_preferences){0};
  VT_TRY(vt_mapping_open(path, &mapping, error));
  enum vt_status status = read_lines(&reader, &mapping, error);
  vt_mapping_release(&mapping);
  if (status != VT_OK) {
    vt_pair_builder_release(&reader.pairs);
    return status;
  }
  vt_pair_builder_settle(&reader.pairs);
  *preferences = (struct vt_preferences){.count = reader.pairs.count,
                                         .chosen = reader.pairs.first,
                                         .rejected = reader.pairs.second,
                                         .longest = reader.pairs.longest,
                                         .tokens = reader.pairs.tokens};
  return list_prompts(preferences, error);
}

void vt_preferences_release(struct vt_preferences *preferences) {
  vt_free(preferences->chosen);
  vt_free(preferences->rejected);
  vt_free(preferences->prompts);
  vt_free(preferences->tokens);
  *preferences = (struct vt_preferences){0};
}
