/*
 * cli.h: what the commands share: exit statuses, the settings that every command takes, the table of commands.
 *
 * The program is one process, one command, then out: settings live in one static struct a command. stdout carries
 * results, stderr everything else.
 */
#ifndef VECTRAIL_CLI_CLI_H
#define VECTRAIL_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "options.h"

enum exit_status { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_DIVERGED = 3, EXIT_INTERRUPTED = 130 };

/* What every command takes. */
struct common_settings {
  bool help;
  bool quiet;
  int color; /* enum color_choice of terminal.h */
};

struct command {
  const char *name;
  const char *operands; /* as the usage line shows them: "DIR WORD..." */
  const char *summary;  /* one line, for the overview */
  const char *about;    /* a paragraph for the command's own help; may be NULL */
  const char *example;  /* one line to copy; NULL for none */
  const struct option *options;
  size_t option_count;
  /* Where the options go. prepare fills in the defaults, so that help shows those that really apply. */
  void *settings;
  void (*prepare)(void);
  /* Defaults that depend on what was typed, before the options are read; NULL: there are none. */
  enum exit_status (*prepare_for)(int argc, char **argv);
  size_t operands_low, operands_high;
  const char *operands_missing; /* the cause when there are too few: "neighbors needs a run folder and a word" */
  enum exit_status (*run)(const struct common_settings *common, const struct text_list *operands);
};

extern const struct command command_train, command_resume, command_info, command_neighbors, command_similarity,
    command_analogy, command_eval, command_export, command_import, command_measure, command_diagnose, command_cooccur,
    command_experiment, command_generate, command_compare, command_explain, command_replay, command_serve,
    command_report, command_theory, command_svd, command_sweep, command_tune, command_align, command_contrast;

/* The options of struct common_settings. */
extern const struct option common_options[];
extern const size_t common_option_count;

#endif
