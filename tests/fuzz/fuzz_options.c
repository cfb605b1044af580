/* fuzz_options.c: the arguments of every command; the first byte chooses it, line ends part the arguments. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "fuzz/fuzz.h"
#include "options.h"

static const struct command *const commands[] = {
    &command_train,   &command_resume,  &command_info,   &command_neighbors, &command_similarity, &command_analogy,
    &command_eval,    &command_export,  &command_import, &command_measure,   &command_diagnose,   &command_experiment,
    &command_compare, &command_explain, &command_serve,  &command_report,    &command_replay,     &command_cooccur,
};
#define COMMANDS (sizeof commands / sizeof commands[0])
#define ARGUMENTS_MAX 64
#define OPTIONS_MAX 128

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  stderr = fopen("/dev/null", "w"); /* what is wrong with the arguments; a sanitizer does not write through it */
  return 0;
}

static double real_at(const struct command *command, size_t k) {
  double value;
  memcpy(&value, (const char *)command->settings + command->options[k].offset, sizeof value);
  return value;
}

static int choice_at(const struct command *command, size_t k) {
  int value;
  memcpy(&value, (const char *)command->settings + command->options[k].offset, sizeof value);
  return value;
}

/* Before anything is taken, an option may be NaN or a choice below 0: the command then decides by itself. */
static void note_open(const struct command *command, bool open[OPTIONS_MAX]) {
  vtz_require(command->option_count <= OPTIONS_MAX, "there is room for the options");
  for (size_t k = 0; k < command->option_count; k++) {
    enum option_kind kind = command->options[k].kind;
    open[k] = ((kind == OPTION_REAL || kind == OPTION_SHARE) && isnan(real_at(command, k))) ||
              (kind == OPTION_CHOICE && choice_at(command, k) < 0);
  }
}

/* What was taken lies in its range. */
static void check(const struct command *command, const bool open[OPTIONS_MAX]) {
  for (size_t k = 0; k < command->option_count; k++) {
    const struct option *option = &command->options[k];
    char text[256];
    if (option->kind == OPTION_HEADING || option->kind == OPTION_OPERAND) continue;
    option_value_text(option, command->settings, text, sizeof text);
    if (option->kind == OPTION_REAL || option->kind == OPTION_SHARE)
      vtz_require(open[k] || !isnan(real_at(command, k)), "no option is NaN");
    if (option->kind == OPTION_CHOICE) {
      int choice = choice_at(command, k), count = 0;
      while (count < OPTION_CHOICES_MAX && option->choices[count] != NULL) count++;
      vtz_require((choice >= 0 || open[k]) && choice < count, "a choice is one of those there are");
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  char *arguments[ARGUMENTS_MAX + 1];
  int count = 0;
  if (bytes < 1) return 0;
  const struct command *command = commands[data[0] % COMMANDS];
  char *text = malloc(bytes);
  if (text == NULL) return 0;
  memcpy(text, data + 1, bytes - 1);
  text[bytes - 1] = '\0';
  for (char *at = text; at != NULL && count < ARGUMENTS_MAX;) {
    arguments[count++] = at;
    at = strchr(at, '\n');
    if (at != NULL) *at++ = '\0';
  }
  arguments[count] = NULL;
  struct common_settings common = {0};
  struct text_list operands = {0};
  command->prepare();
  bool open[OPTIONS_MAX];
  note_open(command, open);
  struct option_set sets[] = {{command->options, command->option_count, command->settings},
                              {common_options, common_option_count, &common}};
  if (options_parse(sets, 2, command->name, count, arguments, &operands)) check(command, open);
  options_release(&sets[0]);
  text_list_release(&operands);
  free(text);
  return 0;
}
