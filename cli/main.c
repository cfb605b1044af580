/*
 * main.c: one table of commands; finds the one that is asked for, reads its arguments against its table, runs it.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "help.h"
#include "interrupt.h"
#include "report.h"
#include "terminal.h"
#include "vectrail/kernel.h"
#include "vectrail/version.h"

static const struct command *const commands[] = {
    &command_train,      &command_resume,   &command_cooccur,  &command_info,       &command_neighbors,
    &command_similarity, &command_analogy,  &command_eval,     &command_export,     &command_import,
    &command_measure,    &command_diagnose, &command_generate, &command_experiment, &command_compare,
    &command_explain,    &command_replay,   &command_serve,    &command_report,     &command_theory,
    &command_svd,        &command_sweep,    &command_tune,     &command_align,      &command_contrast,
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

#define COMMON(field) .offset = offsetof(struct common_settings, field)
const struct option common_options[] = {
    {.kind = OPTION_HEADING, .help = "Every command"},
    {.kind = OPTION_CHOICE,
     .name = "color",
     .value = "WHEN",
     COMMON(color),
     .choices = {"auto", "always", "never"},
     .help = "colour in what is printed"},
    {.kind = OPTION_FLAG, .name = "quiet", .letter = "q", COMMON(quiet), .help = "print results and errors only"},
    {.kind = OPTION_FLAG, .name = "help", .letter = "h", COMMON(help), .help = "print this help"},
};
const size_t common_option_count = sizeof common_options / sizeof common_options[0];

static const struct command *find_command(const char *name) {
  for (size_t i = 0; i < COMMAND_COUNT; i++)
    if (strcmp(commands[i]->name, name) == 0) return commands[i];
  return NULL;
}

static enum exit_status unknown_command(const char *name) {
  if (name[0] == '-') {
    report("write 'vectrail train ...' to train; 'vectrail help' lists the commands",
           "'%.100s' stands where a command is expected", name);
    return EXIT_USAGE;
  }
  const char *nearest = NULL;
  size_t best = SIZE_MAX;
  for (size_t i = 0; i < COMMAND_COUNT; i++) {
    size_t distance = edit_distance(name, commands[i]->name);
    if (distance >= best || !close_enough(name, distance)) continue;
    best = distance;
    nearest = commands[i]->name;
  }
  char help[64] = "'vectrail help' lists the commands";
  if (nearest != NULL) snprintf(help, sizeof help, "did you mean %s?", nearest);
  report(help, "unknown command '%.100s'", name);
  return EXIT_USAGE;
}

static enum exit_status print_version(void) {
  const char *kernel;
  struct vt_error error;
  if (vt_kernel_resolve(NULL, &kernel, &error) != VT_OK) return report_error(&error);
  printf("vectrail %s\nbuild: %s\nkernel: %s\n", vt_version(), vt_version_build(), kernel);
  return EXIT_DONE;
}

static enum exit_status run_help(int argc, char **argv) {
  if (argc > 1) return report_usage(NULL, "help takes one command, not %d", argc);
  if (argc == 0) {
    help_overview(stdout, commands, COMMAND_COUNT);
    return EXIT_DONE;
  }
  const struct command *command = find_command(argv[0]);
  if (command == NULL) return unknown_command(argv[0]);
  help_command(stdout, command);
  return EXIT_DONE;
}

static enum exit_status run_parsed(const struct command *command, const struct common_settings *common,
                                   const struct text_list *operands) {
  terminal_choose_color((enum color_choice)common->color);
  if (common->help) {
    options_release(&(struct option_set){command->options, command->option_count, command->settings});
    help_command(stdout, command);
    return EXIT_DONE;
  }
  if (operands->count < command->operands_low) return report_usage(command->name, "%s", command->operands_missing);
  if (operands->count > command->operands_high)
    return report_usage(command->name, "'%.200s' is one argument too many", operands->items[command->operands_high]);
  return command->run(common, operands);
}

static enum exit_status run_command(const struct command *command, int argc, char **argv) {
  struct common_settings common = {.color = COLOR_AUTO};
  struct text_list operands = {0};
  command->prepare();
  struct option_set sets[] = {
      {command->options, command->option_count, command->settings},
      {common_options, common_option_count, &common},
  };
  enum exit_status status = command->prepare_for == NULL ? EXIT_DONE : command->prepare_for(argc, argv);
  if (status != EXIT_DONE) return status;
  status = EXIT_USAGE;
  if (options_parse(sets, 2, command->name, argc, argv, &operands)) status = run_parsed(command, &common, &operands);
  options_release(&sets[0]);
  text_list_release(&operands);
  return status;
}

static bool is_one_of(const char *text, const char *a, const char *b, const char *c) {
  return strcmp(text, a) == 0 || strcmp(text, b) == 0 || strcmp(text, c) == 0;
}

static enum exit_status dispatch(int argc, char **argv) {
  terminal_choose_color(COLOR_AUTO);
  if (argc < 2) {
    help_overview(stderr, commands, COMMAND_COUNT);
    return EXIT_USAGE;
  }
  if (is_one_of(argv[1], "help", "--help", "-help") || strcmp(argv[1], "-h") == 0) return run_help(argc - 2, argv + 2);
  if (is_one_of(argv[1], "version", "--version", "-version") || strcmp(argv[1], "-V") == 0) return print_version();
  const struct command *command = find_command(argv[1]);
  if (command == NULL) return unknown_command(argv[1]);
  return run_command(command, argc - 2, argv + 2);
}

/* A standard stream that was closed by the caller would be the next file opened here, and then be written into. Its
 * place is taken by /dev/null, opened so that writing results to it is an error and not silence. */
static bool hold_standard_streams(void) {
  for (int stream = 0; stream <= 2; stream++) {
    if (fcntl(stream, F_GETFD) != -1 || errno != EBADF) continue;
    if (open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY) != stream) return false;
  }
  return true;
}

int main(int argc, char **argv) {
  if (!hold_standard_streams()) return EXIT_FAILED;
  /* Each of our threads calls OpenBLAS for itself. When it is loaded it would start as many as there are processors,
   * and raise SIGINT where it cannot. */
  (void)setenv("OPENBLAS_NUM_THREADS", "1", 1);
  interrupt_install();
  return (int)finish_output(dispatch(argc, argv));
}
