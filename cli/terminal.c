/*
 * terminal.c: width, colour and text in columns.
 *
 * Words come from anybody's text and may hold control characters (escape sequences among them) or bytes that are not
 * UTF-8; nothing of that kind reaches a terminal, because every word is printed through print_clean.
 */
#define _DEFAULT_SOURCE

#include "terminal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <utf8proc.h>

static bool color_stdout, color_stderr;

static bool terminal_is_dumb(void) {
  const char *term = getenv("TERM");
  return term == NULL || strcmp(term, "dumb") == 0;
}

void terminal_choose_color(enum color_choice choice) {
  const char *refused = getenv("NO_COLOR");
  bool allowed = (refused == NULL || refused[0] == '\0') && !terminal_is_dumb();
  color_stdout = choice == COLOR_ALWAYS || (choice == COLOR_AUTO && allowed && isatty(STDOUT_FILENO) == 1);
  color_stderr = choice == COLOR_ALWAYS || (choice == COLOR_AUTO && allowed && isatty(STDERR_FILENO) == 1);
}

const char *terminal_style(FILE *stream, enum terminal_style style) {
  if (!(stream == stderr ? color_stderr : color_stdout)) return "";
  switch (style) {
  case STYLE_BOLD:
    return "\x1b[1m";
  case STYLE_DIM:
    return "\x1b[2m";
  case STYLE_ACCENT:
    return "\x1b[36m";
  case STYLE_PLAIN:
    break;
  }
  return "\x1b[0m";
}

bool terminal_can_redraw(void) { return isatty(STDERR_FILENO) == 1 && !terminal_is_dumb(); }

int terminal_columns(void) {
  struct winsize size;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

bool terminal_is_utf8(void) {
  static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"}; /* in the order in which they win */
  for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
    const char *value = getenv(variables[i]);
    if (value == NULL || value[0] == '\0') continue;
    const char *set = strchr(value, '.');
    return set != NULL && (strncasecmp(set + 1, "utf-8", 5) == 0 || strncasecmp(set + 1, "utf8", 4) == 0);
  }
  return false;
}

/* The next code point of text and how many bytes it takes; -1 for a byte that is not UTF-8. bytes: at least 1. */
static size_t next_code_point(const char *text, size_t bytes, utf8proc_int32_t *code) {
  utf8proc_ssize_t used =
      utf8proc_iterate((const utf8proc_uint8_t *)text, bytes < 4 ? (utf8proc_ssize_t)bytes : 4, code);
  if (used >= 1) return (size_t)used;
  *code = -1;
  return 1;
}

/* Also the marks that turn the direction of text: they would reorder the line they stand in. */
static bool is_control(utf8proc_int32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x202a && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069) || code == 0x2028 || code == 0x2029;
}

int display_width(const char *text) {
  int width = 0;
  for (size_t bytes = strlen(text), used; bytes > 0; bytes -= used) {
    utf8proc_int32_t code;
    used = next_code_point(text, bytes, &code);
    width += code < 0 || is_control(code) ? 1 : utf8proc_charwidth(code);
    text += used;
  }
  return width;
}

void print_clean_bytes(FILE *stream, const char *text, size_t bytes) {
  for (size_t used; bytes > 0; bytes -= used) {
    utf8proc_int32_t code;
    used = next_code_point(text, bytes, &code);
    if (code < 0)
      fputs("\xef\xbf\xbd", stream);
    else if (is_control(code))
      fputc('?', stream);
    else
      fwrite(text, 1, used, stream);
    text += used;
  }
}

void print_clean(FILE *stream, const char *text) { print_clean_bytes(stream, text, strlen(text)); }

void print_cell(FILE *stream, const char *text, int width, bool right) {
  int space = width - display_width(text);
  if (right && space > 0) fprintf(stream, "%*s", space, "");
  print_clean(stream, text);
  if (!right && space > 0) fprintf(stream, "%*s", space, "");
}

/* Value i of `columns`: the mean of the values that fall into it. */
static double column_value(const double *values, size_t count, size_t column, size_t columns) {
  size_t from = column * count / columns, to = (column + 1) * count / columns;
  double sum = 0;
  size_t used = 0;
  for (size_t i = from; i < to; i++) {
    if (isnan(values[i])) continue;
    sum += values[i];
    used++;
  }
  return used > 0 ? sum / (double)used : NAN;
}

void print_sparkline(FILE *stream, const double *values, size_t count, size_t columns) {
  static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  static const char *const ascii[] = {"_", ".", "-", "~", "=", "+", "*", "#"};
  const char *const *levels = terminal_is_utf8() ? blocks : ascii;
  if (columns > count) columns = count;
  double low = INFINITY, high = -INFINITY;
  for (size_t c = 0; c < columns; c++) {
    double value = column_value(values, count, c, columns);
    if (isnan(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  for (size_t c = 0; c < columns; c++) {
    double value = column_value(values, count, c, columns);
    if (isnan(value)) {
      fputc(' ', stream);
      continue;
    }
    int level = high > low ? (int)((value - low) / (high - low) * 7.999) : 3;
    fputs(levels[level], stream);
  }
}

const char *format_count(uint64_t value, char text[NUMBER_TEXT_BYTES]) {
  char digits[24];
  int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
  size_t at = 0;
  for (int i = 0; i < length; i++) {
    if (i > 0 && (length - i) % 3 == 0) text[at++] = ',';
    text[at++] = digits[i];
  }
  text[at] = '\0';
  return text;
}

const char *format_rate(double value, char text[NUMBER_TEXT_BYTES]) {
  if (!isfinite(value))
    snprintf(text, NUMBER_TEXT_BYTES, "-");
  else if (value >= 1e6)
    snprintf(text, NUMBER_TEXT_BYTES, "%.2f M", value / 1e6);
  else if (value >= 1e3)
    snprintf(text, NUMBER_TEXT_BYTES, "%.0f k", value / 1e3);
  else
    snprintf(text, NUMBER_TEXT_BYTES, "%.0f", value);
  return text;
}

const char *format_seconds(double seconds, char text[NUMBER_TEXT_BYTES]) {
  if (!(seconds >= 0) || seconds > 1e9) { /* nothing trained yet, or NaN */
    snprintf(text, NUMBER_TEXT_BYTES, "-");
  } else if (seconds < 10) {
    snprintf(text, NUMBER_TEXT_BYTES, "%.1f s", seconds);
  } else {
    long long whole = (long long)seconds;
    if (whole < 60)
      snprintf(text, NUMBER_TEXT_BYTES, "%lld s", whole);
    else if (whole < 3600)
      snprintf(text, NUMBER_TEXT_BYTES, "%lld:%02lld", whole / 60, whole % 60);
    else
      snprintf(text, NUMBER_TEXT_BYTES, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return text;
}

void print_shell_word(FILE *stream, const char *text) {
  static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%";
  if (text[0] != '\0' && strspn(text, safe) == strlen(text)) {
    fputs(text, stream);
    return;
  }
  fputc('\'', stream);
  while (*text != '\0') {
    size_t bytes = strcspn(text, "'");
    print_clean_bytes(stream, text, bytes);
    text += bytes;
    if (*text != '\'') continue;
    fputs("'\\''", stream);
    text++;
  }
  fputc('\'', stream);
}
