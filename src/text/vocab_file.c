/*
 * vocab_file.c: vocabularies as text files, "word count" a line, the format of word2vec's -save-vocab.
 *
 * A line is cut at its last space or tab, so a word may hold anything but ASCII white space; the reader takes lines
 * that end in CR LF too. The reader checks everything: UTF-8, numbers, repeated words.
 */
#include "vectrail/vocab.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "text/utf8.h"
#include "text/vocab_internal.h"

static bool has_white_space(const char *text) { return strpbrk(text, " \t\n\v\f\r") != NULL; }

enum vt_status vt_vocab_save(const struct vt_vocab *vocab, const char *path, struct vt_error *error) {
  for (uint32_t id = 0; id < vocab->size; id++)
    if (has_white_space(vt_vocab_text(vocab, id)))
      return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "rename the word, or drop it",
                          "%s: word %u, \"%.128s\", holds white space and cannot stand in a vocabulary file", path,
                          (unsigned)id, vt_vocab_text(vocab, id));
  struct vt_output *output;
  VT_TRY(vt_output_open(path, &output, error));
  for (uint32_t id = 0; id < vocab->size; id++) {
    enum vt_status status = vt_output_printf(output, error, "%s %llu\n", vt_vocab_text(vocab, id),
                                             (unsigned long long)vt_vocab_count(vocab, id));
    if (status != VT_OK) {
      vt_output_abort(output);
      return status;
    }
  }
  return vt_output_commit(output, error);
}

/* Reads a decimal number that fills text[bytes]. */
static bool read_number(const char *text, size_t bytes, uint64_t *number) {
  if (bytes == 0) return false;
  *number = 0;
  for (size_t i = 0; i < bytes; i++) {
    if (text[i] < '0' || text[i] > '9') return false;
    uint64_t digit = (uint64_t)(text[i] - '0');
    if (*number > (UINT64_MAX - digit) / 10) return false;
    *number = *number * 10 + digit;
  }
  return true;
}

/* Takes "word count" apart; returns what is wrong with it, or NULL. */
static const char *parse_line(const char *line, size_t bytes, struct vt_vocab_entry *entry) {
  if (bytes > 0 && line[bytes - 1] == '\r') bytes--;
  size_t cut = bytes;
  while (cut > 0 && line[cut - 1] != ' ' && line[cut - 1] != '\t') cut--;
  if (cut < 2) return "expected \"word count\"";
  if (!read_number(line + cut, bytes - cut, &entry->count)) return "the count is not a number below 2^64";
  entry->text = line;
  entry->bytes = cut - 1;
  size_t first_bad;
  if (vt_utf8_count_bad((const unsigned char *)line, entry->bytes, &first_bad) > 0) return "the word is not UTF-8";
  for (size_t i = 0; i < entry->bytes; i++)
    if (line[i] == '\0' || line[i] == ' ' || (line[i] >= '\t' && line[i] <= '\r'))
      return "the word holds white space or a NUL byte";
  return NULL;
}

static enum vt_status parse_lines(const struct vt_mapping *mapping, const char *path, struct vt_vocab_entry *entries,
                                  size_t *size, struct vt_error *error) {
  const char *text = (const char *)mapping->data, *end = text + mapping->bytes;
  *size = 0;
  while (text < end) {
    const char *newline = memchr(text, '\n', (size_t)(end - text));
    const char *line_end = newline != NULL ? newline : end;
    const char *fault = parse_line(text, (size_t)(line_end - text), &entries[*size]);
    if (fault != NULL)
      return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "a vocabulary file has one \"word count\" a line", "%s:%zu: %s", path,
                          *size + 1, fault);
    (*size)++;
    text = newline != NULL ? newline + 1 : end;
  }
  return VT_OK;
}

static size_t count_lines(const struct vt_mapping *mapping) {
  size_t lines = 0;
  for (size_t i = 0; i < mapping->bytes; i++) lines += mapping->data[i] == '\n';
  return lines + 1;
}

static size_t line_of(const char *data, const char *place) {
  size_t line = 1;
  for (; data < place; data++) line += *data == '\n';
  return line;
}

/* The vocabulary of the file's entries, which are sorted here. The error of a repeated word names the line of the
 * second one in the file. */
static enum vt_status build_sorted(const char *path, const char *data, struct vt_vocab_entry *entries, size_t size,
                                   struct vt_vocab **vocab, struct vt_error *error) {
  vt_vocab_sort(entries, size);
  size_t culprit = size;
  struct vt_error cause;
  enum vt_status status = vt_vocab_build(entries, size, vocab, &culprit, &cause);
  if (status == VT_OK) return VT_OK;
  for (size_t i = 0; i < culprit && culprit < size; i++) {
    const struct vt_vocab_entry *a = &entries[i], *b = &entries[culprit];
    if (a->bytes != b->bytes || memcmp(a->text, b->text, a->bytes) != 0) continue;
    const char *first = a->text < b->text ? a->text : b->text, *second = a->text < b->text ? b->text : a->text;
    return VT_FAIL_HELP(error, status, "remove one of the lines, or add their counts",
                        "%s:%zu: the word \"%.*s\" stands on line %zu already", path, line_of(data, second),
                        (int)(a->bytes < 128 ? a->bytes : 128), second, line_of(data, first));
  }
  return VT_FAIL_HELP(error, status, cause.help, "%s: %s", path, cause.message);
}

enum vt_status vt_vocab_load(const char *path, struct vt_vocab **vocab, struct vt_error *error) {
  struct vt_mapping mapping;
  VT_TRY(vt_mapping_open(path, &mapping, error));
  size_t lines = count_lines(&mapping), size = 0;
  struct vt_vocab_entry *entries = vt_alloc(lines, sizeof *entries);
  enum vt_status status = VT_OK;
  if (entries == NULL) status = VT_FAIL_MEMORY(error, lines * sizeof *entries);
  if (status == VT_OK) status = parse_lines(&mapping, path, entries, &size, error);
  if (status == VT_OK && size == 0) status = VT_FAIL(error, VT_ERROR_EMPTY, "%s: the vocabulary file is empty", path);
  if (status == VT_OK) status = build_sorted(path, (const char *)mapping.data, entries, size, vocab, error);
  vt_free(entries);
  vt_mapping_release(&mapping);
  return status;
}
