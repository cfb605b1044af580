/*
 * train_report.h: what a training tells: text, settings, progress, errors, result.
 */
#ifndef VECTRAIL_CLI_TRAIN_REPORT_H
#define VECTRAIL_CLI_TRAIN_REPORT_H

#include "cli.h"
#include "progress.h"
#include "vectrail/train.h"

/* The caller sets the first part; the rest is filled in by the callbacks. */
struct train_report {
  struct progress progress;
  const struct command *command; /* whose settings are printed; NULL: a run is gone on with */
  const char *const *without;    /* options that are no settings of this training (help_settings) */
  const char *run;
  const struct text_list *watch;
  const struct text_list *ledger; /* NULL: none */

  struct vt_corpus_report corpus;
  size_t vocab_size;
  bool announced;
  /* Two words of the run, for the commands that are suggested at the end. */
  char examples[2][64];
};

/* The callbacks of struct vt_train_request; context is the struct train_report. */
void train_report_corpus(void *context, const struct vt_corpus_report *corpus, const struct vt_vocab *vocab);
void train_report_progress(void *context, const struct vt_train_progress *state);

/* As report_error, with the command that goes on, where the run can be gone on with. */
enum exit_status train_report_error(const struct train_report *told, const struct vt_train_result *result,
                                    const struct vt_error *error);
void train_report_json(const struct train_report *told, const struct vt_train_result *result);
/* For people: a summary, and the next commands to try. */
void train_report_result(const struct train_report *told, const struct vt_train_result *result);

#endif
