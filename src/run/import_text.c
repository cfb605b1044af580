/*
 * import_text.c: vectors as text: word2vec's (a line "rows dim" before all others) and GloVe's (none).
 *
 * A line is a word and its numbers. The numbers are the last dim fields; whatever stands before them is the word, so
 * that words with blanks in them, which large GloVe files have, are read as what they are. A line with a number too
 * many would then give a word that ends in a number behind a blank; it is refused.
 *
 * Numbers are read as strtof would in the C locale, whatever the locale of the process: the float nearest to the
 * decimal, ties to even. Nearly all take the short way (Clinger 1990): up to 15 digits and a power of ten up to 22 are
 * exact in double, so one operation rounds correctly, and rounding that to float is right unless it falls on the middle
 * between two floats; those, and the others, take the long way through strtof_l. One thread.
 */
#define _GNU_SOURCE /* strtof_l */

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run/import.h"

#define NUMBER_BYTES_MAX 4095 /* longer ones are no numbers anybody writes */
#define EXACT_DIGITS 15
#define EXACT_POWER 22

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* ---- numbers -------------------------------------------------------------------------------------------------------
 */

/* A decimal number taken apart: digits x 10^power. */
struct decimal {
  bool negative;
  uint64_t digits; /* the first of them, up to 18 significant ones */
  int significant; /* how many there are */
  long power;      /* counts only where all are kept */
};

static size_t read_digits(const char *text, size_t bytes, size_t at, long step, struct decimal *decimal) {
  size_t begin = at;
  for (; at < bytes && is_digit(text[at]); at++) {
    if (decimal->significant < 18) decimal->digits = decimal->digits * 10 + (uint64_t)(text[at] - '0');
    if (decimal->digits != 0) decimal->significant++;
    decimal->power += step;
  }
  return at - begin;
}

/* False where the text is no decimal number. */
static bool take_apart(const char *text, size_t bytes, struct decimal *decimal) {
  size_t at = 0, digits;
  *decimal = (struct decimal){.negative = bytes > 0 && text[0] == '-'};
  if (bytes > 0 && (text[0] == '-' || text[0] == '+')) at++;
  digits = read_digits(text, bytes, at, 0, decimal);
  at += digits;
  if (at < bytes && text[at] == '.') {
    size_t decimals = read_digits(text, bytes, at + 1, -1, decimal);
    at += 1 + decimals;
    digits += decimals;
  }
  if (digits == 0) return false;
  if (at < bytes && (text[at] == 'e' || text[at] == 'E')) {
    at++;
    bool down = at < bytes && text[at] == '-';
    if (at < bytes && (text[at] == '-' || text[at] == '+')) at++;
    long exponent = 0;
    if (at == bytes) return false;
    for (; at < bytes && is_digit(text[at]); at++)
      if (exponent < 100000) exponent = exponent * 10 + (text[at] - '0');
    decimal->power += down ? -exponent : exponent;
  }
  return at == bytes;
}

static bool read_exactly(const struct decimal *decimal, float *value) {
  static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (decimal->significant > EXACT_DIGITS || labs(decimal->power) > EXACT_POWER) return false;
  double wide = (double)decimal->digits;
  wide = decimal->power < 0 ? wide / powers[-decimal->power] : wide * powers[decimal->power];
  uint64_t bits;
  memcpy(&bits, &wide, sizeof bits);
  /* Below the normal floats other digits are the last; the middle between two floats is a one and 28 zeros behind. */
  if ((wide != 0 && wide < 0x1p-126) || (bits & 0x1FFFFFFF) == 0x10000000) return false;
  *value = (float)(decimal->negative ? -wide : wide);
  return true;
}

/* False where the text is no number; infinities and NaN, also where a number is too large, are told by the value. */
static bool read_number(const char *text, size_t bytes, locale_t c_locale, float *value) {
  char copy[NUMBER_BYTES_MAX + 1];
  struct decimal decimal;
  if (bytes > NUMBER_BYTES_MAX) return false;
  bool is_decimal = take_apart(text, bytes, &decimal);
  if (is_decimal && read_exactly(&decimal, value)) return true;
  memcpy(copy, text, bytes);
  copy[bytes] = '\0';
  if (!is_decimal) {
    static const char *const names[] = {"nan", "+nan", "-nan", "inf", "+inf", "-inf", "infinity", "-infinity"};
    bool named = false;
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
      size_t c = 0;
      while (c < bytes && (text[c] | 32) == (names[k][c] | 32)) c++;
      named = named || (c == bytes && names[k][c] == '\0');
    }
    if (!named) return false;
  }
  *value = strtof_l(copy, NULL, c_locale);
  return true;
}

/* ---- lines ---------------------------------------------------------------------------------------------------------
 */

/* Digits alone, below 2^63. */
static bool read_count(const char *text, size_t bytes, uint64_t *count) {
  *count = 0;
  if (bytes == 0 || bytes > 18) return false;
  for (size_t k = 0; k < bytes; k++) {
    if (!is_digit(text[k])) return false;
    *count = *count * 10 + (uint64_t)(text[k] - '0');
  }
  return true;
}

bool vt_import_header(const char *text, size_t bytes, uint64_t *rows, uint64_t *dim) {
  while (bytes > 0 && (is_blank(text[bytes - 1]) || text[bytes - 1] == '\r')) bytes--;
  size_t end = 0, begin;
  while (end < bytes && !is_blank(text[end])) end++;
  for (begin = end; begin < bytes && is_blank(text[begin]);) begin++;
  return begin > end && read_count(text, end, rows) && read_count(text + begin, bytes - begin, dim);
}

enum vt_status vt_import_header_line(struct vt_stream *stream, uint64_t *rows, uint64_t *dim, struct vt_error *error) {
  const char *text;
  size_t bytes;
  bool found;
  VT_TRY(vt_stream_line(stream, &text, &bytes, &found, error));
  if (!found) return VT_FAIL(error, VT_ERROR_EMPTY, "%s: the file is empty", stream->path);
  if (!vt_import_header(text, bytes, rows, dim))
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "GloVe files have no such line: --format glove",
                        "%s: line 1 should say how many rows there are, and how many numbers in each", stream->path);
  return VT_OK;
}

static size_t count_fields(const char *text, size_t bytes) {
  size_t fields = 0;
  for (size_t k = 0; k < bytes; k++)
    if (!is_blank(text[k]) && (k == 0 || is_blank(text[k - 1]))) fields++;
  return fields;
}

/* Where the last `fields` fields begin, if there are as many; `bytes` if not. The line ends without a blank. */
static size_t last_fields(const char *text, size_t bytes, size_t fields) {
  size_t at = bytes;
  while (fields > 0 && at > 0) {
    while (at > 0 && is_blank(text[at - 1])) at--;
    if (at == 0) return bytes;
    while (at > 0 && !is_blank(text[at - 1])) at--;
    fields--;
  }
  return fields == 0 ? at : bytes;
}

struct reading {
  struct vt_stream *stream;
  struct vt_import_table *table;
  locale_t c_locale;
};

static enum vt_status read_numbers(const struct reading *reading, const char *text, size_t bytes, float *row,
                                   struct vt_error *error) {
  const struct vt_import_table *table = reading->table;
  size_t at = 0;
  for (size_t k = 0; k < table->dim; k++) {
    while (at < bytes && is_blank(text[at])) at++;
    size_t begin = at;
    while (at < bytes && !is_blank(text[at])) at++;
    if (read_number(text + begin, at - begin, reading->c_locale, &row[k])) continue;
    size_t shown = at - begin < 32 ? at - begin : 32;
    return VT_FAIL(error, VT_ERROR_FORMAT, "%s: line %" PRIu64 ": \"%.*s\" is not a number; %zu of them end the line",
                   table->path, reading->stream->line, (int)shown, text + begin, table->dim);
  }
  return vt_import_table_check(table, row, reading->stream->line, error);
}

static enum vt_status read_row(const struct reading *reading, const char *text, size_t bytes, struct vt_error *error) {
  struct vt_import_table *table = reading->table;
  uint64_t line = reading->stream->line;
  size_t fields = count_fields(text, bytes), numbers = last_fields(text, bytes, table->dim), word = numbers;
  while (word > 0 && is_blank(text[word - 1])) word--;
  if (fields <= table->dim)
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "all vectors of a file have the same length",
                        "%s: line %" PRIu64 " has %zu field%s: a word and %zu numbers are expected", table->path, line,
                        fields, fields == 1 ? "" : "s", table->dim);
  size_t last = last_fields(text, word, 1);
  float extra;
  if (last > 0 && last < word && read_number(text + last, word - last, reading->c_locale, &extra))
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "all vectors of a file have the same length",
                        "%s: line %" PRIu64 " has more than %zu numbers", table->path, line, table->dim);
  if (is_blank(text[0])) word = 0; /* nothing before the first blank is no word */
  float *row;
  VT_TRY(vt_import_table_row(table, text, word, 0, line, &row, error));
  return read_numbers(reading, text + numbers, bytes - numbers, row, error);
}

/* Nothing but empty lines may follow. */
static enum vt_status read_end(struct vt_stream *stream, const char *wrong, uint64_t line, struct vt_error *error) {
  const char *text;
  size_t bytes;
  bool found;
  do {
    VT_TRY(vt_stream_line(stream, &text, &bytes, &found, error));
    if (found && bytes > 0)
      return VT_FAIL(error, VT_ERROR_FORMAT, "%s: line %" PRIu64 " %s", stream->path, line == 0 ? stream->line : line,
                     wrong);
  } while (found);
  return VT_OK;
}

/* rows: what the header says; UINT64_MAX where there is none. */
static enum vt_status read_rows(const struct reading *reading, uint64_t rows, struct vt_error *error) {
  struct vt_stream *stream = reading->stream;
  for (uint64_t k = 0; k < rows; k++) {
    const char *text;
    size_t bytes;
    bool found;
    VT_TRY(vt_stream_line(stream, &text, &bytes, &found, error));
    if (!found && rows == UINT64_MAX) return VT_OK;
    if (found && bytes == 0 && rows == UINT64_MAX) return read_end(stream, "is empty", stream->line, error);
    if (!found)
      return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "the file was cut off: fetch or write it again",
                          "%s: ends after %" PRIu64 " of %" PRIu64 " rows", stream->path, k, rows);
    if (bytes == 0) return VT_FAIL(error, VT_ERROR_FORMAT, "%s: line %" PRIu64 " is empty", stream->path, stream->line);
    VT_TRY(read_row(reading, text, bytes, error));
  }
  return read_end(stream, "comes after the last row that line 1 counts", 0, error);
}

/* Without a header the first line says how many numbers a line has: all fields but the first. */
static enum vt_status find_dim(struct vt_stream *stream, uint64_t *dim, struct vt_error *error) {
  size_t wanted = 0, mark = 0;
  const unsigned char *feed = NULL;
  do {
    wanted = wanted == 0 ? 4096 : 2 * wanted;
    VT_TRY(vt_stream_need(stream, wanted < VT_STREAM_BYTES_MAX ? wanted : VT_STREAM_BYTES_MAX, error));
    feed = memchr(vt_stream_data(stream), '\n', vt_stream_bytes(stream));
  } while (feed == NULL && !stream->ended && wanted < VT_STREAM_BYTES_MAX);
  if (feed == NULL && !stream->ended)
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "vectors as text stand one a line",
                        "%s: line 1 has more than %zu bytes", stream->path, VT_STREAM_BYTES_MAX);
  const char *text = (const char *)vt_stream_data(stream);
  size_t bytes = feed == NULL ? vt_stream_bytes(stream) : (size_t)(feed - vt_stream_data(stream));
  if (bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) mark = 3;
  while (bytes > mark && (is_blank(text[bytes - 1]) || text[bytes - 1] == '\r')) bytes--;
  size_t fields = count_fields(text + mark, bytes - mark);
  if (fields < 2)
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "a line of vectors is a word and its numbers",
                        "%s: line 1 has %zu field%s", stream->path, fields, fields == 1 ? "" : "s");
  *dim = fields - 1;
  return VT_OK;
}

enum vt_status vt_import_text(struct vt_stream *stream, bool header, const struct vt_vocab *known,
                              struct vt_import_table *table, struct vt_error *error) {
  uint64_t rows = UINT64_MAX, dim = 0;
  if (header)
    VT_TRY(vt_import_header_line(stream, &rows, &dim, error));
  else
    VT_TRY(find_dim(stream, &dim, error));
  VT_TRY(vt_import_table_init(table, stream->path, "line", dim, known, error));
  struct reading reading = {.stream = stream, .table = table};
  reading.c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (reading.c_locale == (locale_t)0) return VT_FAIL_MEMORY(error, 0);
  enum vt_status status = read_rows(&reading, rows, error);
  freelocale(reading.c_locale);
  return status;
}
