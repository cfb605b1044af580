/*
 * import_names.c: the words of tables that hold none: a list, or a tokenizer's vocabulary.
 *
 * A list has a word for each row. A tokenizer may leave ids out, and checkpoints often have more rows than their
 * tokenizer has tokens (padded to a round number); rows without a token are passed over. Every token must have a row.
 *
 * Memory: the file's words, and for JSON what jansson makes of it, which is why such a file is bounded. One thread.
 */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/import.h"
#include "text/utf8.h"
#include "text/vocab_internal.h"
#include "vectrail/corpus.h"

#define JSON_BYTES_MAX ((size_t)256 << 20)
#define VOCAB_ENDING ".vocab.txt" /* as vt_export writes it */

struct entry {
  struct vt_vocab_entry word;
  uint64_t row;
  uint64_t place; /* line, or 0 */
};

struct list {
  const char *path;
  struct entry *entries;
  size_t count, capacity;
};

void vt_import_names_release(struct vt_import_names *names) {
  vt_free(names->path);
  vt_free(names->rows);
  vt_vocab_free(names->vocab);
  *names = (struct vt_import_names){0};
}

static enum vt_status add(struct list *list, const char *text, size_t bytes, uint64_t row, uint64_t place,
                          struct vt_error *error) {
  if (list->count == list->capacity) {
    size_t capacity = list->capacity == 0 ? 1024 : 2 * list->capacity;
    struct entry *entries = vt_realloc(list->entries, capacity, sizeof *entries);
    if (entries == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *entries);
    list->entries = entries;
    list->capacity = capacity;
  }
  list->entries[list->count++] = (struct entry){.word = {.text = text, .bytes = bytes}, .row = row, .place = place};
  return VT_OK;
}

/* ---- a word a line -------------------------------------------------------------------------------------------------
 */

/* Where a count at the end of a line begins, behind a blank and a word; 0 where there is none. */
static size_t find_count(const char *text, size_t bytes, uint64_t *count) {
  size_t at = bytes;
  while (at > 0 && text[at - 1] >= '0' && text[at - 1] <= '9') at--;
  if (at == bytes || bytes - at > 18 || at < 2 || (text[at - 1] != ' ' && text[at - 1] != '\t')) return 0;
  *count = 0;
  for (size_t k = at; k < bytes; k++) *count = *count * 10 + (uint64_t)(text[k] - '0');
  return at;
}

static enum vt_status check_word(const struct list *list, const struct entry *entry, struct vt_error *error) {
  size_t first_bad;
  const char *wrong = NULL;
  if (entry->word.bytes == 0)
    wrong = "is empty; a word stands there, and no empty line";
  else if (entry->word.bytes > VT_WORD_BYTES_MAX)
    wrong = "has a word longer than 4096 bytes";
  else if (memchr(entry->word.text, '\0', entry->word.bytes) != NULL)
    wrong = "holds a NUL byte";
  else if (vt_utf8_count_bad((const unsigned char *)entry->word.text, entry->word.bytes, &first_bad) > 0)
    wrong = "is not UTF-8";
  return wrong == NULL ? VT_OK
                       : VT_FAIL(error, VT_ERROR_FORMAT, "%s: line %" PRIu64 " %s", list->path, entry->place, wrong);
}

/* Counts are taken off where every line has one. */
static void take_counts(struct list *list) {
  uint64_t count;
  for (size_t k = 0; k < list->count; k++)
    if (find_count(list->entries[k].word.text, list->entries[k].word.bytes, &count) == 0) return;
  for (size_t k = 0; k < list->count; k++) {
    struct vt_vocab_entry *word = &list->entries[k].word;
    word->bytes = find_count(word->text, word->bytes, &word->count) - 1;
  }
}

static enum vt_status read_lines(const struct vt_mapping *mapping, struct list *list, struct vt_error *error) {
  const char *text = (const char *)mapping->data, *end = text + mapping->bytes;
  if (mapping->bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) text += 3;
  while (text < end) {
    const char *feed = memchr(text, '\n', (size_t)(end - text));
    size_t bytes = (size_t)((feed != NULL ? feed : end) - text);
    size_t kept = bytes > 0 && text[bytes - 1] == '\r' ? bytes - 1 : bytes;
    VT_TRY(add(list, text, kept, list->count, list->count + 1, error));
    text += feed != NULL ? bytes + 1 : bytes;
  }
  take_counts(list);
  for (size_t k = 0; k < list->count; k++) VT_TRY(check_word(list, &list->entries[k], error));
  return VT_OK;
}

/* ---- tokenizers ----------------------------------------------------------------------------------------------------
 */

static enum vt_status add_token(struct list *list, const char *token, const json_t *id, struct vt_error *error) {
  json_int_t row = json_integer_value(id);
  if (!json_is_integer(id) || row < 0 || (uint64_t)row >= VT_VOCAB_SIZE_MAX)
    return VT_FAIL(error, VT_ERROR_FORMAT, "%s: the token \"%.64s\" has no sound id", list->path, token);
  size_t bytes = strlen(token);
  if (bytes == 0 || bytes > VT_WORD_BYTES_MAX)
    return VT_FAIL(error, VT_ERROR_FORMAT, "%s: the token with id %" PRId64 " has %zu bytes; 1 to %d are possible",
                   list->path, (int64_t)row, bytes, VT_WORD_BYTES_MAX);
  return add(list, token, bytes, (uint64_t)row, 0, error);
}

/* {"token": id, ...} */
static enum vt_status read_map(json_t *map, struct list *list, struct vt_error *error) {
  const char *token;
  json_t *id;
  json_object_foreach(map, token, id) VT_TRY(add_token(list, token, id, error));
  return VT_OK;
}

/* [["token", score], ...]: ids by place, as in unigram models. */
static enum vt_status read_ranked(json_t *ranked, struct list *list, struct vt_error *error) {
  for (size_t k = 0; k < json_array_size(ranked); k++) {
    const char *token = json_string_value(json_array_get(json_array_get(ranked, k), 0));
    if (token == NULL)
      return VT_FAIL(error, VT_ERROR_FORMAT, "%s: entry %zu of model.vocab holds no token", list->path, k);
    json_t *id = json_integer((json_int_t)k);
    if (id == NULL) return VT_FAIL_MEMORY(error, 0);
    enum vt_status status = add_token(list, token, id, error);
    json_decref(id);
    VT_TRY(status);
  }
  return VT_OK;
}

static enum vt_status read_added(json_t *added, struct list *list, struct vt_error *error) {
  for (size_t k = 0; k < json_array_size(added); k++) {
    const json_t *entry = json_array_get(added, k);
    const char *token = json_string_value(json_object_get(entry, "content"));
    if (token == NULL)
      return VT_FAIL(error, VT_ERROR_FORMAT, "%s: entry %zu of added_tokens has no content", list->path, k);
    VT_TRY(add_token(list, token, json_object_get(entry, "id"), error));
  }
  return VT_OK;
}

static int compare_rows(const void *left, const void *right) {
  const struct entry *a = left, *b = right;
  if (a->row != b->row) return a->row < b->row ? -1 : 1;
  size_t shared = a->word.bytes < b->word.bytes ? a->word.bytes : b->word.bytes;
  int order = memcmp(a->word.text, b->word.text, shared);
  return order != 0 ? order : (a->word.bytes > b->word.bytes) - (a->word.bytes < b->word.bytes);
}

static bool same_text(const struct entry *a, const struct entry *b) {
  return a->word.bytes == b->word.bytes && memcmp(a->word.text, b->word.text, a->word.bytes) == 0;
}

/* In the order of ids. An added token may repeat what the model's vocabulary says, and nothing else. */
static enum vt_status settle_tokens(struct list *list, struct vt_error *error) {
  if (list->count > 0) qsort(list->entries, list->count, sizeof *list->entries, compare_rows);
  size_t kept = 0;
  for (size_t k = 0; k < list->count; k++) {
    const struct entry *entry = &list->entries[k];
    const struct entry *before = kept > 0 ? &list->entries[kept - 1] : NULL;
    if (before != NULL && before->row == entry->row && same_text(before, entry)) continue;
    if (before != NULL && before->row == entry->row)
      return VT_FAIL(error, VT_ERROR_FORMAT, "%s: \"%.64s\" and \"%.64s\" have the same id %" PRIu64, list->path,
                     before->word.text, entry->word.text, entry->row);
    list->entries[kept++] = *entry;
  }
  list->count = kept;
  return VT_OK;
}

static enum vt_status read_tokens(json_t *root, struct list *list, struct vt_error *error) {
  json_t *model = json_object_get(root, "model");
  json_t *vocab = json_is_object(model) ? json_object_get(model, "vocab") : NULL;
  if (json_is_object(vocab)) VT_TRY(read_map(vocab, list, error));
  if (json_is_array(vocab)) VT_TRY(read_ranked(vocab, list, error));
  if (vocab != NULL)
    VT_TRY(read_added(json_object_get(root, "added_tokens"), list, error));
  else
    VT_TRY(read_map(root, list, error));
  return settle_tokens(list, error);
}

static enum vt_status parse_json(const struct vt_mapping *mapping, const char *path, json_t **root,
                                 struct vt_error *error) {
  if (mapping->bytes > JSON_BYTES_MAX)
    return VT_FAIL(error, VT_ERROR_FORMAT, "%s: a vocabulary of %zu bytes of JSON is too large", path, mapping->bytes);
  json_error_t reason;
  *root = json_loadb((const char *)mapping->data, mapping->bytes, JSON_REJECT_DUPLICATES, &reason);
  /* jansson does not always say that it was the memory, but it always says what is wrong with a text. */
  if (*root == NULL && (reason.text[0] == '\0' || json_error_code(&reason) == json_error_out_of_memory))
    return VT_FAIL_HELP(error, VT_ERROR_MEMORY, VT_HELP_MEMORY, "%s: out of memory", path);
  if (*root == NULL)
    return VT_FAIL(error, VT_ERROR_FORMAT, "%s: line %d, byte %d: %s", path, reason.line, reason.position, reason.text);
  return VT_OK;
}

/* ---- the file ------------------------------------------------------------------------------------------------------
 */

static enum vt_status fail_twice(const struct list *list, size_t culprit, struct vt_error *error) {
  const struct entry *second = &list->entries[culprit], *first = list->entries;
  while (!same_text(first, second)) first++;
  const char *kind = second->place > 0 ? "line" : "id";
  return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "a word has one row",
                      "%s: %s %" PRIu64 ": \"%.*s\" is that of %s %" PRIu64 " already", list->path, kind,
                      second->place > 0 ? second->place : second->row,
                      (int)(second->word.bytes < 64 ? second->word.bytes : 64), second->word.text, kind,
                      first->place > 0 ? first->place : first->row);
}

static enum vt_status make_names(const struct list *list, bool tokens, struct vt_import_names *names,
                                 struct vt_error *error) {
  if (list->count == 0) return VT_FAIL(error, VT_ERROR_EMPTY, "%s: there are no words in it", list->path);
  struct vt_vocab_entry *words = vt_alloc(list->count, sizeof *words);
  names->rows = tokens ? vt_alloc(list->count, sizeof *names->rows) : NULL;
  if (words == NULL || (tokens && names->rows == NULL)) {
    vt_free(words);
    return VT_FAIL_MEMORY(error, list->count * sizeof *words);
  }
  for (size_t k = 0; k < list->count; k++) {
    words[k] = list->entries[k].word;
    if (tokens) names->rows[k] = list->entries[k].row;
  }
  size_t culprit = list->count;
  struct vt_error reason;
  enum vt_status status = vt_vocab_build(words, list->count, &names->vocab, &culprit, &reason);
  vt_free(words);
  if (status == VT_ERROR_FORMAT && culprit < list->count && strstr(reason.message, "twice") != NULL)
    return fail_twice(list, culprit, error);
  if (status != VT_OK) return VT_FAIL_HELP(error, status, reason.help, "%s: %s", list->path, reason.message);
  names->span = list->entries[list->count - 1].row + 1;
  names->exact = !tokens;
  return VT_OK;
}

static enum vt_status read_file(const struct vt_mapping *mapping, struct vt_import_names *names,
                                struct vt_error *error) {
  struct list list = {.path = names->path};
  json_t *root = NULL;
  size_t at = 0;
  while (at < mapping->bytes && strchr(" \t\r\n", mapping->data[at]) != NULL && mapping->data[at] != '\0') at++;
  /* A list of words may begin with a brace; its first line is then hardly JSON. */
  bool tokens = at < mapping->bytes && mapping->data[at] == '{' && at + 1 < mapping->bytes &&
                strchr(" \t\r\n\"}", mapping->data[at + 1]) != NULL &&
                memchr(mapping->data, ':', mapping->bytes) != NULL;
  enum vt_status status = VT_OK;
  if (tokens) status = parse_json(mapping, names->path, &root, error);
  if (status == VT_OK) status = tokens ? read_tokens(root, &list, error) : read_lines(mapping, &list, error);
  if (status == VT_OK) status = make_names(&list, tokens, names, error);
  vt_free(list.entries);
  json_decref(root);
  return status;
}

/* The path of the vectors without its extension, and the ending of their words; NULL when out of memory. */
static char *path_beside(const char *vectors_path) {
  const char *slash = strrchr(vectors_path, '/'), *name = slash == NULL ? vectors_path : slash + 1;
  const char *dot = strrchr(name, '.');
  size_t stem = dot != NULL && dot != name ? (size_t)(dot - vectors_path) : strlen(vectors_path);
  char *path = vt_alloc(stem + sizeof VOCAB_ENDING, 1);
  if (path != NULL) snprintf(path, stem + sizeof VOCAB_ENDING, "%.*s" VOCAB_ENDING, (int)stem, vectors_path);
  return path;
}

enum vt_status vt_import_names_load(struct vt_import_names *names, const char *path, const char *vectors_path,
                                    struct vt_error *error) {
  *names = (struct vt_import_names){0};
  names->path = path != NULL ? vt_copy_string(path) : path_beside(vectors_path);
  if (names->path == NULL) return VT_FAIL_MEMORY(error, strlen(vectors_path));
  struct vt_mapping mapping;
  struct vt_error reason;
  enum vt_status status = vt_mapping_open(names->path, &mapping, &reason);
  if (status == VT_OK) {
    status = read_file(&mapping, names, error);
    vt_mapping_release(&mapping);
  } else if (status == VT_ERROR_NOT_FOUND && path == NULL) {
    status = VT_FAIL_HELP(error, VT_ERROR_NOT_FOUND,
                          "name a file with its words by --vocab: one a line, or a tokenizer.json",
                          "%s: holds no words, and there is no %s", vectors_path, names->path);
  } else if (error != NULL) {
    *error = reason;
  }
  if (status != VT_OK) vt_import_names_release(names);
  return status;
}

enum vt_status vt_import_names_check(const struct vt_import_names *names, const char *path, uint64_t rows,
                                     struct vt_error *error) {
  if (rows == names->span || (rows > names->span && !names->exact)) return VT_OK;
  if (names->exact)
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "name the file with the words of these rows by --vocab",
                        "%s: has %" PRIu64 " rows, but %s has %zu words", path, rows, names->path,
                        vt_vocab_size(names->vocab));
  return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "name the tokenizer that belongs to these vectors by --vocab",
                      "%s: has %" PRIu64 " rows, but %s has a token with id %" PRIu64, path, rows, names->path,
                      names->span - 1);
}

bool vt_import_names_at(const struct vt_import_names *names, uint64_t row, size_t *cursor, uint32_t *id) {
  size_t at = *cursor;
  if (at >= vt_vocab_size(names->vocab)) return false;
  if (names->rows != NULL && names->rows[at] != row) return false;
  *id = (uint32_t)at;
  *cursor = at + 1;
  return true;
}
