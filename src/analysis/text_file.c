/*
 * text_file.c: reading test files that come from everywhere: any line ending, a byte order mark, tabs or spaces.
 *
 * Files are a user's and may be anything: every access is within the mapping, words are bounded by VT_WORD_BYTES_MAX,
 * and numbers are read by hand because strtod follows the locale of the process. No heap is used.
 */
#include "analysis/text_file.h"

#include <math.h>
#include <string.h>
#include <utf8proc.h>

#include "vectrail/corpus.h"

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

static struct vt_field trim(struct vt_field field) {
  while (field.bytes > 0 && is_blank(field.text[0])) {
    field.text++;
    field.bytes--;
  }
  while (field.bytes > 0 && is_blank(field.text[field.bytes - 1])) field.bytes--;
  return field;
}

enum vt_status vt_text_file_open(const char *path, struct vt_text_file *file, struct vt_error *error) {
  *file = (struct vt_text_file){0};
  VT_TRY(vt_mapping_open(path, &file->mapping, error));
  const unsigned char *nul = memchr(file->mapping.data, 0, file->mapping.bytes);
  if (nul != NULL) {
    size_t at = (size_t)(nul - file->mapping.data);
    vt_text_file_release(file);
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "pass a text file in UTF-8",
                        "%s: byte %zu is NUL; this is UTF-16 or no text", path, at);
  }
  if (file->mapping.bytes >= 3 && memcmp(file->mapping.data, "\xEF\xBB\xBF", 3) == 0) file->offset = 3;
  return VT_OK;
}

void vt_text_file_release(struct vt_text_file *file) {
  vt_mapping_release(&file->mapping);
  *file = (struct vt_text_file){0};
}

bool vt_text_file_next(struct vt_text_file *file, struct vt_field *line) {
  while (file->offset < file->mapping.bytes) {
    const char *start = (const char *)file->mapping.data + file->offset;
    size_t left = file->mapping.bytes - file->offset;
    const char *end = memchr(start, '\n', left);
    size_t bytes = end == NULL ? left : (size_t)(end - start);
    file->offset += end == NULL ? bytes : bytes + 1;
    file->line_number++;
    *line = trim((struct vt_field){start, bytes});
    if (line->bytes > 0) return true;
  }
  return false;
}

static size_t split_blanks(struct vt_field line, struct vt_field *fields, size_t capacity) {
  size_t count = 0, at = 0;
  for (;;) {
    while (at < line.bytes && is_blank(line.text[at])) at++;
    if (at == line.bytes) return count;
    size_t begin = at;
    while (at < line.bytes && !is_blank(line.text[at])) at++;
    if (count < capacity) fields[count] = (struct vt_field){line.text + begin, at - begin};
    count++;
  }
}

size_t vt_field_split(struct vt_field line, char separator, struct vt_field *fields, size_t capacity) {
  if (separator == ' ') return split_blanks(line, fields, capacity);
  size_t count = 0, begin = 0;
  for (size_t at = 0; at <= line.bytes; at++) {
    if (at < line.bytes && line.text[at] != separator) continue;
    if (count < capacity) fields[count] = trim((struct vt_field){line.text + begin, at - begin});
    count++;
    begin = at + 1;
  }
  return count;
}

/* Reads digits from *at on into *value, and tells how many. */
static size_t read_digits(struct vt_field field, size_t *at, double *value) {
  size_t begin = *at;
  for (; *at < field.bytes && field.text[*at] >= '0' && field.text[*at] <= '9'; (*at)++)
    *value = *value * 10 + (field.text[*at] - '0');
  return *at - begin;
}

static bool read_sign(struct vt_field field, size_t *at) {
  bool negative = *at < field.bytes && field.text[*at] == '-';
  if (negative || (*at < field.bytes && field.text[*at] == '+')) (*at)++;
  return negative;
}

bool vt_field_number(struct vt_field field, double *number) {
  size_t at = 0, decimals = 0;
  double value = 0, exponent = 0;
  bool negative = read_sign(field, &at);
  size_t digits = read_digits(field, &at, &value);
  if (at < field.bytes && field.text[at] == '.') {
    at++;
    decimals = read_digits(field, &at, &value);
    digits += decimals;
  }
  if (digits == 0) return false;
  if (at < field.bytes && (field.text[at] == 'e' || field.text[at] == 'E')) {
    at++;
    bool down = read_sign(field, &at);
    if (read_digits(field, &at, &exponent) == 0) return false;
    if (down) exponent = -exponent;
  }
  if (at != field.bytes) return false;
  /* With up to 15 digits and 22 decimals both operands are exact, so the quotient is the double nearest to the text. */
  exponent -= (double)decimals;
  if (value != 0) value = exponent < 0 ? value / pow(10, -exponent) : value * pow(10, exponent);
  if (!isfinite(value)) return false;
  *number = negative ? -value : value;
  return true;
}

/* Looks the word up after a normalisation. A word that is no UTF-8, or that grows beyond any word, is not found. */
static bool find_as(struct vt_field field, utf8proc_option_t options, const struct vt_vocab *vocab, uint32_t *id) {
  utf8proc_int32_t points[VT_WORD_BYTES_MAX + 1]; /* one more for the end that utf8proc writes */
  utf8proc_ssize_t count = utf8proc_decompose((const utf8proc_uint8_t *)field.text, (utf8proc_ssize_t)field.bytes,
                                              points, VT_WORD_BYTES_MAX, options);
  if (count < 0 || count > VT_WORD_BYTES_MAX) return false;
  if (utf8proc_reencode(points, count, options) < 0) return false;
  return vt_vocab_find(vocab, (const char *)points, id);
}

bool vt_field_find(struct vt_field field, const struct vt_vocab *vocab, uint32_t *id) {
  char word[VT_WORD_BYTES_MAX + 1];
  if (field.bytes == 0 || field.bytes > VT_WORD_BYTES_MAX) return false;
  memcpy(word, field.text, field.bytes);
  word[field.bytes] = '\0';
  if (vt_vocab_find(vocab, word, id)) return true;
  utf8proc_option_t composed = (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  if (find_as(field, composed, vocab, id)) return true;
  return find_as(field, (utf8proc_option_t)(composed | UTF8PROC_CASEFOLD), vocab, id);
}
