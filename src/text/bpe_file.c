/* bpe_file.c: tokenizer.json, as HuggingFace's tokenizers write and read it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "base/memory.h"
#include "text/bpe_internal.h"
#include "text/utf8.h"

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* The bytes of a spelling; false where a character stands for none. bytes: as long as the text. */
static bool unspell(const char *text, unsigned char *bytes, size_t *length) {
  const unsigned char *at = (const unsigned char *)text;
  size_t left = strlen(text);
  for (*length = 0; left > 0;) {
    uint32_t code;
    size_t took = vt_utf8_decode(at, left, &code);
    int byte = code == VT_UTF8_BAD ? -1 : vt_bpe_code_to_byte(code);
    if (byte < 0) return false;
    bytes[(*length)++] = (unsigned char)byte;
    at += took;
    left -= took;
  }
  return *length > 0;
}

/* Names by number: the vocabulary's, and what was added to it. */
static enum vt_status list_names(const json_t *root, const json_t *vocab, const char *path, const char ***names,
                                 size_t *count, struct vt_error *error) {
  const json_t *added = json_object_get(root, "added_tokens");
  *count = json_object_size(vocab) + json_array_size(added);
  if (*count > VT_BPE_TOKENS_MAX) return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: too many tokens", path);
  *names = vt_alloc_zero(*count, sizeof **names);
  if (*names == NULL) return VT_FAIL_MEMORY(error, *count * sizeof **names);
  size_t high = 0, k;
  const char *name;
  json_t *value, *entry;
  json_object_foreach((json_t *)(uintptr_t)vocab, name, value) {
    json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
    if (id < 0 || id >= (json_int_t)*count || (*names)[id] != NULL)
      return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: the token \"%.40s\" has no number of its own", path, name);
    (*names)[id] = name;
    if ((size_t)id + 1 > high) high = (size_t)id + 1;
  }
  json_array_foreach((json_t *)(uintptr_t)added, k, entry) {
    json_int_t id = json_integer_value(json_object_get(entry, "id"));
    name = json_string_value(json_object_get(entry, "content"));
    if (name == NULL || id < 0 || id >= (json_int_t)*count)
      return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: an added token makes no sense", path);
    (*names)[id] = name;
    if ((size_t)id + 1 > high) high = (size_t)id + 1;
  }
  *count = high;
  for (k = 0; k < high; k++)
    if ((*names)[k] == NULL) return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: token %zu is missing", path, k);
  return VT_OK;
}

/* A token that is no bytes, such as <|endoftext|>, stands for its own text, and no merge makes it. */
static enum vt_status add_names(struct vt_bpe *bpe, const char *const *names, size_t count, struct vt_error *error) {
  for (size_t k = 0; k < count; k++) {
    size_t bytes = strlen(names[k]), length;
    unsigned char *text = vt_alloc(bytes + 1, 1);
    if (text == NULL) return VT_FAIL_MEMORY(error, bytes);
    if (!unspell(names[k], text, &length)) {
      memcpy(text, names[k], bytes);
      length = bytes;
    }
    enum vt_status status = vt_bpe_add_token(bpe, text, length, error);
    vt_free(text);
    VT_TRY(status);
  }
  return VT_OK;
}

static uint32_t number_of(const json_t *vocab, const char *name, size_t bytes) {
  char *copy = vt_copy_bytes(name, bytes);
  const json_t *value = copy == NULL ? NULL : json_object_get(vocab, copy);
  vt_free(copy);
  return json_is_integer(value) ? (uint32_t)json_integer_value(value) : VT_BPE_NONE;
}

static enum vt_status add_merge(struct vt_bpe *bpe, const json_t *vocab, const json_t *merge, const char *path,
                                struct vt_error *error) {
  const char *left = json_string_value(json_array_get(merge, 0)), *right = json_string_value(json_array_get(merge, 1));
  const char *text = json_string_value(merge), *space = text == NULL ? NULL : strchr(text, ' ');
  size_t left_bytes = left == NULL ? 0 : strlen(left);
  if (space != NULL) {
    left = text;
    left_bytes = (size_t)(space - text);
    right = space + 1;
  }
  if (left == NULL || right == NULL) return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: a merge makes no sense", path);
  char *made = vt_alloc(left_bytes + strlen(right) + 1, 1);
  if (made == NULL) return VT_FAIL_MEMORY(error, left_bytes);
  memcpy(made, left, left_bytes);
  memcpy(made + left_bytes, right, strlen(right) + 1);
  struct vt_bpe_merge found = {number_of(vocab, left, left_bytes), number_of(vocab, right, strlen(right)),
                               number_of(vocab, made, strlen(made))};
  vt_free(made);
  if (found.left >= bpe->size || found.right >= bpe->size || found.made >= bpe->size)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: merge %zu is of tokens that there are not", path, bpe->merge_count);
  bpe->merges[bpe->merge_count++] = found;
  return VT_OK;
}

static enum vt_status build(const json_t *root, const char *path, struct vt_bpe **out, struct vt_error *error) {
  const json_t *model = json_object_get(root, "model"), *vocab = json_object_get(model, "vocab"),
               *merges = json_object_get(model, "merges");
  const char *type = json_string_value(json_object_get(model, "type"));
  if (json_object_size(vocab) == 0 || !json_is_array(merges) || (type != NULL && strcmp(type, "BPE") != 0))
    return VT_FAIL(error, VT_ERROR_UNSUPPORTED, "%s: not a tokenizer.json of byte-pair encoding", path);
  const char **names = NULL;
  size_t count;
  struct vt_bpe *bpe = NULL;
  enum vt_status status = list_names(root, vocab, path, &names, &count, error);
  if (status == VT_OK) status = vt_bpe_make(count, json_array_size(merges) + 1, &bpe, error);
  if (status == VT_OK) status = add_names(bpe, names, count, error);
  for (size_t k = 0; status == VT_OK && k < json_array_size(merges); k++)
    status = add_merge(bpe, vocab, json_array_get(merges, k), path, error);
  if (status == VT_OK) status = vt_bpe_seal(bpe, error);
  vt_free(names);
  if (status == VT_OK)
    *out = bpe;
  else
    vt_bpe_free(bpe);
  return status;
}

/* What jansson makes of a file takes a multiple of it. */
#define FILE_BYTES_MAX ((size_t)256 << 20)

enum vt_status vt_bpe_read(const char *path, struct vt_bpe **bpe, struct vt_error *error) {
  struct vt_mapping mapping;
  VT_TRY(vt_mapping_open(path, &mapping, error));
  json_error_t reason;
  json_t *root = NULL;
  enum vt_status status = VT_OK;
  if (mapping.bytes > FILE_BYTES_MAX)
    status = VT_FAIL(error, VT_ERROR_UNSUPPORTED, "%s: larger than %zu MB", path, FILE_BYTES_MAX >> 20);
  else if ((root = json_loadb((const char *)mapping.data, mapping.bytes, JSON_REJECT_DUPLICATES, &reason)) == NULL)
    status = VT_FAIL(error, VT_ERROR_CORRUPT, "%s: not a tokenizer.json: line %d: %s", path, reason.line, reason.text);
  vt_mapping_release(&mapping);
  if (status == VT_OK) status = build(root, path, bpe, error);
  json_decref(root);
  return status;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static bool put(json_t *object, const char *name, json_t *value) {
  return json_object_set_new(object, name, value) == 0;
}

static json_t *byte_level(void) {
  return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1, "use_regex",
                   1);
}

static bool put_merge(const struct vt_bpe *bpe, const struct vt_bpe_merge *merge, json_t *merges) {
  const char *left = bpe->spellings[merge->left], *right = bpe->spellings[merge->right];
  size_t bytes = strlen(left) + strlen(right) + 2;
  char *text = vt_alloc(bytes, 1);
  if (text == NULL) return false;
  snprintf(text, bytes, "%s %s", left, right);
  bool good = json_array_append_new(merges, json_string(text)) == 0;
  vt_free(text);
  return good;
}

/* NULL: no memory. */
static char *compose(const struct vt_bpe *bpe) {
  json_t *root = json_object(), *model = json_object(), *vocab = json_object(), *merges = json_array();
  bool good = true;
  for (size_t k = 0; good && k < bpe->size; k++) good = put(vocab, bpe->spellings[k], json_integer((json_int_t)k));
  for (size_t k = 0; good && k < bpe->merge_count; k++) good = put_merge(bpe, &bpe->merges[k], merges);
  good = put(model, "type", json_string("BPE")) && put(model, "dropout", json_null()) &&
         put(model, "unk_token", json_null()) && put(model, "byte_fallback", json_false()) && good;
  good = put(model, "vocab", vocab) && good; /* handed over whatever comes of it, as all that follow */
  good = put(model, "merges", merges) && good;
  good = put(root, "version", json_string("1.0")) && put(root, "truncation", json_null()) &&
         put(root, "padding", json_null()) && put(root, "added_tokens", json_array()) &&
         put(root, "normalizer", json_null()) && put(root, "pre_tokenizer", byte_level()) &&
         put(root, "post_processor", json_null()) && put(root, "decoder", byte_level()) && good;
  good = put(root, "model", model) && good;
  char *text = good ? json_dumps(root, JSON_INDENT(1)) : NULL;
  json_decref(root);
  return text;
}

enum vt_status vt_bpe_write(const struct vt_bpe *bpe, const char *path, struct vt_error *error) {
  char *text = compose(bpe);
  if (text == NULL) return VT_FAIL_MEMORY(error, bpe->size);
  struct vt_output *output;
  enum vt_status status = vt_output_open(path, &output, error);
  if (status == VT_OK) {
    status = vt_output_write(output, text, strlen(text), error);
    if (status == VT_OK)
      status = vt_output_commit(output, error);
    else
      vt_output_abort(output);
  }
  free(text);
  return status;
}
