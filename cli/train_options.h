/*
 * train_options.h: what `vectrail train` is told: its options, and where their values go.
 */
#ifndef VECTRAIL_CLI_TRAIN_OPTIONS_H
#define VECTRAIL_CLI_TRAIN_OPTIONS_H

#include <stdbool.h>

#include "cli.h"
#include "options.h"
#include "vectrail/train.h"

struct train_settings {
  const char *run;
  bool force;
  bool json;
  /* Places in the choices, which are the values of the enums. */
  int model, loss, schedule, optimizer, tokens, positions, preset, sync;
  bool untied;
  const char *vocab, *counts;
  const char *kernel;
  struct text_list watch, pairs, ledger;
  const char *batch, *start;
  int until;
  const char *output;
  int binary, cbow, skipgram, hierarchical, symmetric;
  double alpha, x_max; /* NaN: not given */
  const char *memory;
  struct vt_corpus_options corpus;
  struct vt_train_options train;
  struct vt_record_options record;
};

/* There is one, as a process runs one command. */
extern struct train_settings train_settings;

/* The command, once its options are read. */
enum exit_status train_run(const struct common_settings *common, const struct text_list *operands);

#endif
