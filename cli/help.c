/*
 * help.c: the tables, printed.
 *
 * The layout is read back by tools/make-docs.py, which writes the option lists of the manual page and the shell
 * completions from it: an option begins in column 3 with its dash, its text stands in TEXT_COLUMN, on the same line
 * where the name leaves room, and goes on there; headings begin in column 1.
 */
#define _POSIX_C_SOURCE 200809L

#include "help.h"

#include <stdarg.h>
#include <string.h>

#include "terminal.h"
#include "vectrail/status.h"

#define TEXT_COLUMN 28
#define HELP_COLUMNS 100

/* Prints words from `column` on, broken before HELP_COLUMNS; further lines are indented. */
static void print_wrapped(FILE *stream, const char *text, int column, int indent) {
  while (*text != '\0') {
    int length = (int)strcspn(text, " ");
    if (column > indent && column + 1 + length > HELP_COLUMNS) {
      fprintf(stream, "\n%*s", indent, "");
      column = indent;
    } else if (column > indent) {
      fputc(' ', stream);
      column++;
    }
    fprintf(stream, "%.*s", length, text);
    column += length;
    text += length;
    text += strspn(text, " ");
  }
}

void help_overview(FILE *stream, const struct command *const *commands, size_t count) {
  const char *bold = terminal_style(stream, STYLE_BOLD), *plain = terminal_style(stream, STYLE_PLAIN);
  fprintf(stream, "%svectrail%s trains word vectors and keeps the whole story of how each one moved.\n\n", bold, plain);
  fprintf(stream, "usage: vectrail COMMAND ...\n\n");
  for (size_t i = 0; i < count; i++) fprintf(stream, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
  fprintf(stream, "\n'vectrail help COMMAND' shows the options of a command, 'vectrail --version' what this is.\n");
}

/* Adds to a line that may be cut at its end; returns how much of it is filled. */
VT_PRINTF(4, 5) static size_t append(char *line, size_t at, size_t capacity, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int written = vsnprintf(line + at, capacity - at, format, arguments);
  va_end(arguments);
  size_t end = at + (written > 0 ? (size_t)written : 0);
  return end < capacity ? end : capacity - 1;
}

static void describe(const struct option *option, const void *target, char *text, size_t capacity) {
  char value[256];
  option_value_text(option, target, value, sizeof value);
  const char *shown = option->unset != NULL ? option->unset : value;
  size_t at = append(text, 0, capacity, "%s", option->help);
  if (option->kind == OPTION_CHOICE && option->choices[1] != NULL) {
    at = append(text, at, capacity, "; one of ");
    for (size_t i = 0; option->choices[i] != NULL; i++)
      at = append(text, at, capacity, "%s%s", i > 0 ? ", " : "", option->choices[i]);
  }
  if (option->kind != OPTION_FLAG && shown[0] != '\0') at = append(text, at, capacity, " [%s]", shown);
  if (option->aliases == NULL) return;
  at = append(text, at, capacity, "; also ");
  for (const char *alias = option->aliases; *alias != '\0';) {
    size_t length = strcspn(alias, " ");
    at = append(text, at, capacity, "%s%.*s", length == 1 ? "-" : "--", (int)length, alias);
    alias += length;
    if (*alias == ' ') {
      alias++;
      at = append(text, at, capacity, ", ");
    }
  }
}

static void print_option(FILE *stream, const struct option *option, const void *target) {
  char text[1024];
  int column = 2;
  fputs("  ", stream);
  if (option->letter != NULL) column += fprintf(stream, "-%s, ", option->letter);
  column += fprintf(stream, "--%s", option->name);
  if (option->value != NULL) column += fprintf(stream, " %s", option->value);
  if (column + 2 > TEXT_COLUMN) {
    fputc('\n', stream);
    column = 0;
  }
  fprintf(stream, "%*s", TEXT_COLUMN - column, "");
  describe(option, target, text, sizeof text);
  print_wrapped(stream, text, TEXT_COLUMN, TEXT_COLUMN);
  fputc('\n', stream);
}

static void print_options(FILE *stream, const struct option *options, size_t count, const void *target) {
  for (size_t i = 0; i < count; i++) {
    if (options[i].kind == OPTION_HEADING)
      fprintf(stream, "\n%s%s%s\n", terminal_style(stream, STYLE_BOLD), options[i].help,
              terminal_style(stream, STYLE_PLAIN));
    else
      print_option(stream, &options[i], target);
  }
}

void help_command(FILE *stream, const struct command *command) {
  command->prepare();
  struct common_settings common = {.color = COLOR_AUTO};
  fprintf(stream, "usage: vectrail %s %s\n\n", command->name, command->operands);
  print_wrapped(stream, command->about, 0, 0);
  fputc('\n', stream);
  print_options(stream, command->options, command->option_count, command->settings);
  print_options(stream, common_options, common_option_count, &common);
  if (command->example != NULL) fprintf(stream, "\nexample: %s\n", command->example);
}

static bool is_among(const char *name, const char *const *names) {
  for (; names != NULL && *names != NULL; names++)
    if (strcmp(*names, name) == 0) return true;
  return false;
}

void help_settings(FILE *stream, const struct command *command, const char *const *without) {
  int column = 2;
  fputs("  ", stream);
  for (size_t i = 0; i < command->option_count; i++) {
    const struct option *option = &command->options[i];
    char value[256], text[512];
    if (option->kind == OPTION_HEADING || option->aside || is_among(option->name, without)) continue;
    option_value_text(option, command->settings, value, sizeof value);
    if (value[0] == '\0') continue;
    if (option->kind == OPTION_FLAG)
      snprintf(text, sizeof text, "--%s", option->name);
    else
      snprintf(text, sizeof text, "--%s %s", option->name, value);
    int length = (int)strlen(text);
    if (column > 2 && column + 1 + length > HELP_COLUMNS) {
      fputs("\n  ", stream);
      column = 2;
    } else if (column > 2) {
      fputc(' ', stream);
      column++;
    }
    print_clean(stream, text);
    column += length;
  }
  fputc('\n', stream);
}
